/* recorder.h - what arrived, in SQLite: one row a sample, so that a test is an SQL query.
 *
 * Tables (a reader may query while the emulator runs; the file is in WAL mode):
 *   pair(id, name, path)
 *   series(id, labels)            labels as promtool prints them, unique
 *   request(id, pair, wall_ms, bytes, status, samples, retry_attempt, note)    refused ones too
 *   sample(arrival, pair, series, t, bits, request)    arrival counts over all pairs, in order
 *   histogram(arrival, pair, series, t, sum_bits, schema, st, request, body)    body: as it came
 *   exemplar(arrival, pair, series, t, bits, labels, request)    labels: its own
 *   metadata(request, pair, type, family, help, unit)    of 2.0: one a series, by the series' name
 *   start(arrival, st)            of the floats of 2.0 requests that have one
 *   dropped(arrival, pair, series, t, bits, request, reason)    accepted, but not kept
 *   token(id, wall_ms, source, identity, status, note)    requests for tokens; never a token
 * `bits` is the IEEE-754 pattern as a signed 64-bit integer: NaN payloads and -0 survive.
 *
 * Rows are gathered in one transaction and committed each commit_ms and at close. What a KILL of
 * the emulator may lose is that much; commit_ms = 0 commits before each answer. No fsync: it is a
 * stand-in for a test, not a store. An existing file is continued.
 * Memory: the cache of series ids (bounded) and SQLite's page cache. Loop thread only.
 * Errors mean that the witness can't write: the caller should end. */
#ifndef EMULATOR_RECORDER_H
#define EMULATOR_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/err.h>
#include <walship/view.h>

enum { RECORDER_KEY_BYTES_MAX = 256 << 20 };

struct recorder;

struct recorder_request {
    int64_t pair;
    int64_t wall_ms;
    int64_t now_ms; /* monotonic */
    uint64_t bytes; /* on the wire */
    int status;
    uint64_t samples;
    int64_t retry_attempt;
    const char *note; /* why it was refused, or "" */
};

struct recorder_token {
    int64_t wall_ms;
    const char *source;
    const char *identity; /* "": not known */
    int status;           /* 0: cut */
    const char *note;     /* why it was refused, or "" */
};

/* Samples of a request that are kept or dropped, in the order of the iterators: 0 keeps, anything
 * else is an index into names. NULL reasons: all are kept. */
struct recorder_drops {
    const uint8_t *reasons;
    const char *const *names;
};

struct recorder *recorder_open(const char *path, int64_t commit_ms, struct err *err);
/* Commits. err is set and false when that failed; the recorder is gone either way. */
bool recorder_close(struct recorder *recorder, struct err *err);

/* The row of this name, made when it is new; 0 on error. */
int64_t recorder_pair(struct recorder *recorder, const char *name, const char *path,
                      struct err *err);
/* One request row; with a checked WriteRequest (write_request_check) also its samples, in order.
 * An empty view: none. */
MUST_USE bool recorder_write(struct recorder *recorder, const struct recorder_request *request,
                             struct view samples, const struct recorder_drops *drops,
                             struct err *err);
MUST_USE bool recorder_token(struct recorder *recorder, const struct recorder_token *token,
                             int64_t now_ms, struct err *err);
/* Commits when it is due. */
MUST_USE bool recorder_run(struct recorder *recorder, int64_t now_ms, struct err *err);
/* When recorder_run should be called next; INT64_MAX: nothing waits. */
int64_t recorder_deadline(const struct recorder *recorder);
/* Series met since the start (an upper bound of distinct ones in the cache). */
size_t recorder_series_count(const struct recorder *recorder);

#endif

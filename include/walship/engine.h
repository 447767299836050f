/* engine.h - the heart: reads the WAL once for all destinations, spreads it over their endpoints
 * and settles what was accepted. Deterministic: bytes, answers and time in; requests and commits
 * out, through the three seams only (os.h, http.h, store.h). Invariants I1-I8:
 * docs/ARCHITECTURE.md.
 *
 * Ownership: borrows the configuration (until another one takes its place: engine_reconfigure) and
 * the seams for its whole life. Loop thread only.
 * Life: engine_new -> engine_start (loads, anchors) -> turns -> engine_stop -> turns until
 * engine_finished -> engine_free. */
#ifndef WALSHIP_ENGINE_H
#define WALSHIP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/conf.h>
#include <walship/durations.h>
#include <walship/endpoint.h>
#include <walship/engine_kinds.h>
#include <walship/engine_quota.h>
#include <walship/err.h>
#include <walship/http.h>
#include <walship/identity.h>
#include <walship/lending.h>
#include <walship/os.h>
#include <walship/spool.h>
#include <walship/store.h>
#include <walship/wal_record.h>

struct engine;

struct engine_options {
    bool once;             /* up to the segment sizes at start, then finished */
    const char *adopt_old; /* --adopt OLD=NEW; NULL: none */
    const char *adopt_new;
    const char *forget;  /* --forget OLD; NULL: none */
    struct hash_key key; /* random; 0 in tests */
    struct spool *spool; /* where unsettled segments are kept; NULL: nowhere */
    /* for the identities; read by engine_start only, its os is not used. NULL: no variables */
    const struct identity_world *world;
};

struct engine *engine_new(const struct conf *conf, const struct engine_options *options,
                          struct os *os, struct http *http, struct store *store);
void engine_free(struct engine *engine);

/* Opens the WAL, loads the state, finds every destination's place. False: the sentence in err is
 * for the operator (exit 1); nothing was sent. */
MUST_USE bool engine_start(struct engine *engine, struct err *err);
/* One turn: results -> settle -> save -> read -> pack -> post. Bounded work. */
void engine_turn(struct engine *engine, int64_t now_ms);
/* Monotonic ms at which a turn is due even if nothing arrives; <= now while work is left. */
int64_t engine_deadline(const struct engine *engine, int64_t now_ms);
/* Another configuration, live. All or nothing: false changes nothing, err says why (a restart is
 * needed for wal_dir, state_dir, spool_dir or listen_address; a token source can't be used; it is
 * stopping). From the next turn on endpoints, weights, authentication, queues, headers and timeouts
 * are the new ones; items, positions, tokens and open connections stay. What decides labels or
 * shards (external_labels, write_relabel_configs, shard_by, folding) changes once what was read
 * before is settled: nothing is read for that destination until then. A new destination begins as
 * at a first start, or where it was when an earlier configuration had it; one that is gone ends
 * what is in flight, and its state stays saved.
 * Both configurations are borrowed until engine_borrows says otherwise. */
MUST_USE bool engine_reconfigure(struct engine *engine, const struct conf *conf, struct err *err);
/* May this configuration, in use once, not be freed yet? To be asked after turns; false stays. */
bool engine_borrows(struct engine *engine, const struct conf *conf);
/* Stops reading, lets what is in flight end (at most STOP_FLUSH_MS_MAX), saves. */
void engine_stop(struct engine *engine, int64_t now_ms);
/* True: stopped and saved, or (once) all is settled and saved. */
bool engine_finished(const struct engine *engine);

/* ---- what it is doing, for the status page, metrics, logs and tests ---- */

struct engine_endpoint_stats {
    const char *url; /* shown form */
    enum endpoint_state state;
    const char *last_error;
    uint64_t samples;                           /* acked */
    uint64_t requests, acks, failures, retries; /* failures: not accepted */
    uint64_t bytes;                             /* compressed, of acked requests */
    struct engine_kinds_sent kinds;
    struct engine_metadata_stats metadata;
    struct engine_durations durations;
    uint32_t in_flight;
    uint32_t allowed, slots; /* requests in flight: now at most, and ever */
    double desired;          /* requests in flight that the load needs, see demand.c */
    uint32_t samples_max;    /* of a request, now */
    uint32_t shards;         /* at home here */
    uint32_t shards_present; /* carried now: some of its own, some lent by siblings */
    enum lending_state lending;
    uint64_t pending;        /* items waiting, in flight included */
    int64_t newest_acked_ms; /* sample time; 0: none yet */
    /* Sample time, for the lag: the newest that the WAL has for it (about now while something is
     * unread), and up to where it has everything. Equal when nothing waits. */
    int64_t newest_due_ms, newest_done_ms;
    bool has_identity, token_valid;
    int64_t token_expires_in_ms; /* INT64_MAX: never */
    int64_t token_age_ms;        /* since this one was first seen */
    struct engine_quota_stats quota;
};

struct engine_destination_stats {
    const char *name;
    struct engine_quota_stats quota; /* shared by its endpoints, or with its group */
    uint64_t counts[STORE_COUNTS];
    uint64_t lost[LOSS_REASONS];
    struct engine_kinds_taken kinds;
    uint64_t pending, parked;
    struct position watermark; /* oldest over its domains */
    struct position reading;   /* where it reads on; oldest over its domains */
    uint64_t stalls;           /* times that reading stopped because too much was pending */
    uint64_t undecodable;      /* records */
    uint64_t out_of_order;     /* of what was dropped by rule */
    uint64_t case_collisions;  /* series that differ only in case from another */
    uint64_t behind_bytes;     /* WAL bytes not read yet, worst domain */
    int64_t newest_read_ms;    /* sample time */
    int64_t lag_ms;            /* age of the oldest pending item since it was read; 0: none */
    size_t endpoints_count;
};

struct engine_stats {
    uint64_t records, record_bytes, damage_bytes;
    uint64_t series, refs, memory_bytes;
    uint64_t commits, commit_failures;
    uint64_t records_by_type[WAL_TYPES];
    uint32_t generation, segment;         /* of the foremost reader */
    uint32_t newest_segment;              /* that Prometheus writes */
    bool scanning;                        /* still loading series */
    bool spool_copies;                    /* no links can be made: open files and copies */
    uint64_t spool_bytes, spool_segments; /* bytes that only it has; segments kept back */
    uint64_t spool_failures;              /* jobs */
    int64_t truncation_guard_ms; /* until Prometheus deletes what is not sent; -1: not known */
    size_t destinations_count;
};

void engine_stats(const struct engine *engine, struct engine_stats *out);
void engine_destination_stats(const struct engine *engine, size_t destination,
                              struct engine_destination_stats *out);
void engine_endpoint_stats(const struct engine *engine, size_t destination, size_t endpoint,
                           struct engine_endpoint_stats *out);
const char *loss_reason_name(enum loss_reason reason);

/* The simulator's and the golden tests' window: called with a line for every step worth a trace
 * ("[    120] a#0: batch 3, 2 shards, 12 samples -> post"). NULL: off. */
typedef void engine_trace_fn(void *context, const char *line);
void engine_set_trace(struct engine *engine, engine_trace_fn *trace, void *context);

/* Checks I1-I4 over the whole structure; aborts by ASSERT. Slow: tests and the simulator only. */
void engine_check(const struct engine *engine);

#endif

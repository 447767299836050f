/* expo.h - a writer of Prometheus' text format, and a small JSON writer for the status page. Pure.
 * Which metrics there are is not known here: src/cli/metrics_table.c.
 *
 * Text format: Prometheus exposition 0.0.4. Label values are escaped here, so a hostile label can't
 * break the page. */
#ifndef WALSHIP_EXPO_H
#define WALSHIP_EXPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/assert.h>
#include <walship/buf.h>

enum expo_type { EXPO_COUNTER, EXPO_GAUGE, EXPO_HISTOGRAM };

struct expo_metric {
    const char *name;
    enum expo_type type;
    const char *help; /* one line, ends with a full stop */
};

struct expo_label {
    const char *name;
    const char *value; /* anything: escaped, and made valid UTF-8 */
};

/* Counts of what lies at or below each bound, not added up; counts[bounds_count] is the rest. */
struct expo_histogram {
    const double *bounds;
    const uint64_t *counts;
    size_t bounds_count;
    double sum;
};

enum { EXPO_LABELS_MAX = 8 };

/* HELP and TYPE lines; then the samples of the metric, one call each. False: out is full. */
MUST_USE bool expo_head(struct buf *out, const struct expo_metric *metric);
MUST_USE bool expo_value(struct buf *out, const struct expo_metric *metric,
                         const struct expo_label *labels, size_t labels_count, double value);
MUST_USE bool expo_histogram(struct buf *out, const struct expo_metric *metric,
                             const struct expo_label *labels, size_t labels_count,
                             const struct expo_histogram *histogram);
const char *expo_type_name(enum expo_type type);

/* ---- JSON, written from left to right ---- */

struct json {
    struct buf *out;
    unsigned depth;
    bool comma;    /* a value stands before the next one */
    bool failed;   /* out is full; everything after is passed over */
    bool replaced; /* something was not UTF-8, and is U+FFFD now */
};

void json_init(struct json *json, struct buf *out);
void json_open(struct json *json, const char *key, char bracket); /* key NULL in arrays; { or [ */
void json_close(struct json *json, char bracket);                 /* } or ] */
void json_string(struct json *json, const char *key, const char *value);
/* Any bytes; the caller knows that they are UTF-8, or does not mind. */
void json_bytes(struct json *json, const char *key, const char *text, size_t bytes);
void json_decimal(struct json *json, const char *key, double value); /* three places; finite */
void json_i64(struct json *json, const char *key, int64_t value);
void json_u64(struct json *json, const char *key, uint64_t value);
bool json_ok(const struct json *json);

#endif

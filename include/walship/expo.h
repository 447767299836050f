/* expo.h - the metrics: one table makes the exposition, docs/METRICS.md and the tests. And a small
 * JSON writer for the status page. Pure; values are given by the caller page by page.
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

/* M(id, type, name, help). Names that Prometheus has keep its names and meaning. */
#define EXPO_METRICS(M)                                                                            \
    M(BUILD_INFO, gauge, "walship_build_info", "1, with the version as label.")                    \
    M(ITEMS_READ, counter, "walship_items_read_total",                                             \
      "Items of the WAL taken for a destination: acked + dropped + lost + pending.")               \
    M(ITEMS_ACKED, counter, "walship_items_acked_total", "Items a destination has accepted.")      \
    M(ITEMS_ALREADY, counter, "walship_items_already_there_total",                                 \
      "Items the receiver said it had already.")                                                   \
    M(ITEMS_DROPPED, counter, "walship_items_dropped_total",                                       \
      "Items dropped by rule (start_at, relabelling).")                                            \
    M(ITEMS_LOST, counter, "walship_items_lost_total", "Items lost, by reason.")                   \
    M(ITEMS_PENDING, gauge, "walship_items_pending", "Items read and not settled.")                \
    M(ITEMS_PARKED, gauge, "walship_items_parked", "Items waiting for their series record.")       \
    M(BEHIND_BYTES, gauge, "walship_behind_bytes", "Bytes of the WAL not read yet.")               \
    M(LAG_SECONDS, gauge, "walship_lag_seconds", "Age of the oldest item read and not settled.")   \
    M(WATERMARK_SEGMENT, gauge, "walship_watermark_segment",                                       \
      "Segment of the oldest item not settled.")                                                   \
    M(HIGHEST_READ, gauge, "prometheus_remote_storage_queue_highest_timestamp_seconds",            \
      "Newest sample timestamp read for this destination.")                                        \
    M(HIGHEST_SENT, gauge, "prometheus_remote_storage_queue_highest_sent_timestamp_seconds",       \
      "Newest sample timestamp accepted by this endpoint.")                                        \
    M(SAMPLES, counter, "walship_endpoint_samples_total", "Samples accepted by this endpoint.")    \
    M(REQUESTS, counter, "walship_endpoint_requests_total", "Requests started.")                   \
    M(FAILURES, counter, "walship_endpoint_failures_total", "Requests not accepted.")              \
    M(RETRIES, counter, "walship_endpoint_retries_total", "Requests that repeat a batch.")         \
    M(SENT_BYTES, counter, "walship_endpoint_sent_bytes_total",                                    \
      "Compressed bytes of accepted requests.")                                                    \
    M(ENDPOINT_STATE, gauge, "walship_endpoint_state", "1 for the present state.")                 \
    M(ENDPOINT_PENDING, gauge, "walship_endpoint_pending", "Items waiting for this endpoint.")     \
    M(ENDPOINT_SHARDS, gauge, "walship_endpoint_shards", "Shards at home here.")                   \
    M(IN_FLIGHT, gauge, "walship_endpoint_requests_in_flight", "Requests not answered yet.")       \
    M(RECORDS, counter, "walship_wal_records_total", "WAL records read.")                          \
    M(RECORD_BYTES, counter, "walship_wal_record_bytes_total", "Their bytes, decompressed.")       \
    M(DAMAGE_BYTES, counter, "walship_wal_damage_bytes_total",                                     \
      "Bytes of the WAL passed over as damaged.")                                                  \
    M(SEGMENT, gauge, "walship_wal_segment", "Segment being read.")                                \
    M(GENERATION, gauge, "walship_wal_generation", "Lives of the WAL directory seen so far.")      \
    M(SERIES, gauge, "walship_series", "Label sets in memory.")                                    \
    M(REFS, gauge, "walship_refs", "WAL series refs in memory.")                                   \
    M(MEMORY_BYTES, gauge, "walship_memory_bytes", "Memory held by series and pending items.")     \
    M(COMMITS, counter, "walship_state_commits_total", "Commits of the state that are durable.")   \
    M(COMMIT_FAILURES, counter, "walship_state_commit_failures_total", "Commits that failed.")

enum expo_metric {
#define EXPO_ID(id, type, name, help) EXPO_##id,
    EXPO_METRICS(EXPO_ID)
#undef EXPO_ID
        EXPO_COUNT
};

struct expo_label {
    const char *name;
    const char *value;
};

/* HELP and TYPE lines; then the samples of the metric, one call each. False: out is full. */
MUST_USE bool expo_head(struct buf *out, enum expo_metric metric);
MUST_USE bool expo_value(struct buf *out, enum expo_metric metric, const struct expo_label *labels,
                         size_t labels_count, double value);
/* docs/METRICS.md */
MUST_USE bool expo_document(struct buf *out);

/* ---- JSON, written from left to right ---- */

struct json {
    struct buf *out;
    unsigned depth;
    bool comma;  /* a value stands before the next one */
    bool failed; /* out is full; everything after is passed over */
};

void json_init(struct json *json, struct buf *out);
void json_open(struct json *json, const char *key, char bracket); /* key NULL in arrays; { or [ */
void json_close(struct json *json, char bracket);                 /* } or ] */
void json_string(struct json *json, const char *key, const char *value);
void json_i64(struct json *json, const char *key, int64_t value);
void json_u64(struct json *json, const char *key, uint64_t value);
bool json_ok(const struct json *json);

#endif

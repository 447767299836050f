/* metrics_table.c - every metric there is. Names that Prometheus has keep its name, type and
 * meaning; `promtool check metrics` must stay silent about the page. */
#include "metrics.h"

#include <walship/limits.h>

/* ---- rows of one field ---- */

#define KIND_OF(struct_, field_)                                                                   \
    _Generic(((struct struct_ *)0)->field_, uint64_t                                               \
             : METRIC_U64, uint32_t                                                                \
             : METRIC_U32, int64_t                                                                 \
             : METRIC_I64, bool                                                                    \
             : METRIC_BOOL, double                                                                 \
             : METRIC_DOUBLE)
#define ROW(scope_, struct_, field_, type_, name_, help_)                                          \
    .head = {name_, EXPO_##type_, help_}, .scope = METRIC_##scope_,                                \
    .kind = KIND_OF(struct_, field_), .offset = offsetof(struct struct_, field_)
#define PROCESS(field_, type_, name_, help_)                                                       \
    ROW(PROCESS, metrics_process, field_, type_, name_, help_)
#define ENGINE(field_, type_, name_, help_) ROW(ENGINE, engine_stats, field_, type_, name_, help_)
#define DESTINATION(field_, type_, name_, help_)                                                   \
    ROW(DESTINATION, engine_destination_stats, field_, type_, name_, help_)
#define CONSUMER(field_, type_, name_, help_)                                                      \
    ROW(CONSUMER, engine_destination_stats, field_, type_, name_, help_)
#define QUEUE(field_, type_, name_, help_)                                                         \
    ROW(QUEUE, engine_destination_stats, field_, type_, name_, help_)
#define ENDPOINT(field_, type_, name_, help_)                                                      \
    ROW(ENDPOINT, engine_endpoint_stats, field_, type_, name_, help_)
#define CUSTOM(write_, type_, name_, help_)                                                        \
    .head = {name_, EXPO_##type_, help_}, .scope = METRIC_CUSTOM, .write = (write_)
#define IN_SECONDS .divide = 1000

/* ---- rows with labels or sums of their own ---- */

static bool build_info(const struct metrics_view *view, const struct expo_metric *metric,
                       struct buf *out)
{
    const struct expo_label labels[] = {{"version", WALSHIP_VERSION}};
    ASSERT(view->destinations != NULL);
    return expo_value(out, metric, labels, ARRAY_COUNT(labels), 1);
}

static int64_t whole_seconds(int64_t ms)
{
    return ms / 1000;
}

static bool highest(const struct metrics_view *view, const struct expo_metric *metric,
                    struct buf *out)
{
    int64_t newest_ms = 0;
    for (size_t i = 0; i < view->endpoints_count; i++) {
        int64_t due_ms = view->endpoints[i].newest_due_ms;
        newest_ms = due_ms > newest_ms ? due_ms : newest_ms;
    }
    return expo_value(out, metric, NULL, 0, (double)whole_seconds(newest_ms));
}

typedef double endpoint_value_fn(const struct engine_endpoint_stats *endpoint);

static bool each_endpoint(const struct metrics_view *view, const struct expo_metric *metric,
                          struct buf *out, endpoint_value_fn *value)
{
    struct metrics_walk walk = {0};
    bool ok = true;
    while (ok && metrics_next(view, &walk)) {
        ok = metrics_here(&walk, metric, out, value(walk.endpoint));
    }
    return ok;
}

static double due_of(const struct engine_endpoint_stats *endpoint)
{
    return (double)whole_seconds(endpoint->newest_due_ms);
}

static bool queue_highest(const struct metrics_view *view, const struct expo_metric *metric,
                          struct buf *out)
{
    return each_endpoint(view, metric, out, due_of);
}

static double done_of(const struct engine_endpoint_stats *endpoint)
{
    return (double)whole_seconds(endpoint->newest_done_ms);
}

static bool queue_highest_sent(const struct metrics_view *view, const struct expo_metric *metric,
                               struct buf *out)
{
    return each_endpoint(view, metric, out, done_of);
}

static bool durations(const struct metrics_view *view, const struct expo_metric *metric,
                      struct buf *out)
{
    struct metrics_walk walk = {0};
    bool ok = true;
    while (ok && metrics_next(view, &walk)) {
        const struct engine_endpoint_stats *endpoint = walk.endpoint;
        const struct expo_histogram histogram = {engine_duration_bounds, endpoint->durations.counts,
                                                 ENGINE_DURATION_BOUNDS,
                                                 endpoint->durations.sum_seconds};
        ok = expo_histogram(out, metric, walk.labels, 2, &histogram);
    }
    return ok;
}

static double one(const struct engine_endpoint_stats *endpoint)
{
    (void)endpoint;
    return 1;
}

static bool one_shard_at_least(const struct metrics_view *view, const struct expo_metric *metric,
                               struct buf *out)
{
    return each_endpoint(view, metric, out, one);
}

static double capacity_of(const struct engine_endpoint_stats *endpoint)
{
    return endpoint->slots > 0 ? (double)PENDING_ITEMS_MAX / endpoint->slots : 0;
}

static bool shard_capacity(const struct metrics_view *view, const struct expo_metric *metric,
                           struct buf *out)
{
    return each_endpoint(view, metric, out, capacity_of);
}

/* One decode serves all destinations, so each has read what was read. */
static bool records_read(const struct metrics_view *view, const struct expo_metric *metric,
                         struct buf *out)
{
    bool ok = true;
    for (size_t i = 0; i < view->engine.destinations_count; i++) {
        for (unsigned type = 0; ok && type < WAL_TYPES; type++) {
            const struct expo_label labels[] = {{"consumer", view->destinations[i].name},
                                                {"type", wal_type_name((enum wal_type)type)}};
            ok = expo_value(out, metric, labels, ARRAY_COUNT(labels),
                            (double)view->engine.records_by_type[type]);
        }
    }
    return ok;
}

static bool items_lost(const struct metrics_view *view, const struct expo_metric *metric,
                       struct buf *out)
{
    bool ok = true;
    for (size_t i = 0; i < view->engine.destinations_count; i++) {
        const struct engine_destination_stats *stats = &view->destinations[i];
        for (unsigned reason = 0; ok && reason < LOSS_REASONS; reason++) {
            const struct expo_label labels[] = {
                {"remote_name", stats->name},
                {"reason", loss_reason_name((enum loss_reason)reason)}};
            ok = expo_value(out, metric, labels, ARRAY_COUNT(labels), (double)stats->lost[reason]);
        }
    }
    return ok;
}

static bool endpoint_states(const struct metrics_view *view, const struct expo_metric *metric,
                            struct buf *out)
{
    struct metrics_walk walk = {0};
    bool ok = true;
    while (metrics_next(view, &walk)) {
        for (unsigned state = 0; ok && state < ENDPOINT_STATES; state++) {
            walk.labels[2] =
                (struct expo_label){"state", endpoint_state_name((enum endpoint_state)state)};
            ok = expo_value(out, metric, walk.labels, 3, (unsigned)walk.endpoint->state == state);
        }
    }
    return ok;
}

/* Only of endpoints that have an identity at all. */
static bool each_token(const struct metrics_view *view, const struct expo_metric *metric,
                       struct buf *out, bool expiry)
{
    struct metrics_walk walk = {0};
    bool ok = true;
    while (ok && metrics_next(view, &walk)) {
        const struct engine_endpoint_stats *endpoint = walk.endpoint;
        bool never = expiry && endpoint->token_expires_in_ms == INT64_MAX;
        if (!endpoint->has_identity || never) {
            continue;
        }
        int64_t ms = expiry ? endpoint->token_expires_in_ms : endpoint->token_age_ms;
        ok = metrics_here(&walk, metric, out, (double)ms / 1000);
    }
    return ok;
}

static bool token_expiry(const struct metrics_view *view, const struct expo_metric *metric,
                         struct buf *out)
{
    return each_token(view, metric, out, true);
}

static bool token_age(const struct metrics_view *view, const struct expo_metric *metric,
                      struct buf *out)
{
    return each_token(view, metric, out, false);
}

/* ---- the table ---- */

const struct metric metrics_table[] = {
    {CUSTOM(build_info, GAUGE, "walship_build_info", "1, with the version as label.")},

    /* what Prometheus' remote write says of itself */
    {CUSTOM(highest, GAUGE, "prometheus_remote_storage_highest_timestamp_in_seconds",
            "Newest timestamp in the WAL, Unix time; about now while a part of it is unread.")},
    {CUSTOM(queue_highest, GAUGE, "prometheus_remote_storage_queue_highest_timestamp_seconds",
            "The same for what goes to this endpoint.")},
    {CUSTOM(queue_highest_sent, GAUGE,
            "prometheus_remote_storage_queue_highest_sent_timestamp_seconds",
            "Newest timestamp accepted by this endpoint, or read when nothing waits for it.")},
    {ENDPOINT(kinds.attempted.samples, COUNTER, "prometheus_remote_storage_samples_total",
              "Samples in requests, repeats included.")},
    {ENDPOINT(kinds.attempted.histograms, COUNTER, "prometheus_remote_storage_histograms_total",
              "Native histograms in requests, repeats included.")},
    {ENDPOINT(kinds.attempted.exemplars, COUNTER, "prometheus_remote_storage_exemplars_total",
              "Exemplars in requests, repeats included.")},
    {CUSTOM(
        metrics_samples_failed, COUNTER, "prometheus_remote_storage_samples_failed_total",
        "Samples lost: refused for good by this endpoint; with the first endpoint also what was given up before it was sent.")},
    {CUSTOM(
        metrics_histograms_failed, COUNTER, "prometheus_remote_storage_histograms_failed_total",
        "Native histograms lost: refused for good by this endpoint; with the first endpoint also what was given up before it was sent.")},
    {CUSTOM(
        metrics_exemplars_failed, COUNTER, "prometheus_remote_storage_exemplars_failed_total",
        "Exemplars lost: refused for good by this endpoint; with the first endpoint also what was given up before it was sent.")},
    {ENDPOINT(kinds.retried.samples, COUNTER, "prometheus_remote_storage_samples_retried_total",
              "Samples of requests that are repeated.")},
    {ENDPOINT(kinds.retried.histograms, COUNTER,
              "prometheus_remote_storage_histograms_retried_total",
              "Native histograms of requests that are repeated.")},
    {ENDPOINT(kinds.retried.exemplars, COUNTER, "prometheus_remote_storage_exemplars_retried_total",
              "Exemplars of requests that are repeated.")},
    {CUSTOM(
        metrics_samples_dropped, COUNTER, "prometheus_remote_storage_samples_dropped_total",
        "Samples not sent, by reason: too old, dropped by write_relabel_configs, without a series record, not expressible, out of order.")},
    {CUSTOM(
        metrics_histograms_dropped, COUNTER, "prometheus_remote_storage_histograms_dropped_total",
        "Native histograms not sent, by reason: too old, dropped by write_relabel_configs, without a series record, not expressible, out of order.")},
    {CUSTOM(
        metrics_exemplars_dropped, COUNTER, "prometheus_remote_storage_exemplars_dropped_total",
        "Exemplars not sent, by reason: too old, dropped by write_relabel_configs, without a series record, not expressible, out of order.")},
    {ENDPOINT(kinds.pending.samples, GAUGE, "prometheus_remote_storage_samples_pending",
              "Samples waiting for this endpoint, in flight included.")},
    {ENDPOINT(kinds.pending.histograms, GAUGE, "prometheus_remote_storage_histograms_pending",
              "Native histograms waiting for this endpoint, in flight included.")},
    {ENDPOINT(kinds.pending.exemplars, GAUGE, "prometheus_remote_storage_exemplars_pending",
              "Exemplars waiting for this endpoint, in flight included.")},
    {ENDPOINT(
        metadata.sent, COUNTER, "prometheus_remote_storage_metadata_total",
        "Metadata entries: over 1.0 those accepted, over 2.0 those in requests, repeats included.")},
    {ENDPOINT(metadata.failed, COUNTER, "prometheus_remote_storage_metadata_failed_total",
              "Metadata entries that were refused (1.0).")},
    {ENDPOINT(metadata.retried, COUNTER, "prometheus_remote_storage_metadata_retried_total",
              "Metadata entries that could not be sent and go again in the next round (1.0).")},
    {ENDPOINT(metadata.bytes, COUNTER, "prometheus_remote_storage_metadata_bytes_total",
              "Compressed bytes of accepted metadata requests (1.0).")},
    {ENDPOINT(bytes, COUNTER, "prometheus_remote_storage_bytes_total",
              "Compressed bytes of accepted requests.")},
    {QUEUE(stalls, COUNTER, "prometheus_remote_storage_enqueue_retries_total",
           "Times that reading waited because too much was pending.")},
    {CUSTOM(durations, HISTOGRAM, "prometheus_remote_storage_sent_batch_duration_seconds",
            "Duration of requests, whatever the answer.")},
    {ENDPOINT(samples_max, GAUGE, "prometheus_remote_storage_max_samples_per_send",
              "Samples in one request at most; less than configured after an answer 413.")},
    {ENDPOINT(allowed, GAUGE, "prometheus_remote_storage_shards",
              "Requests that may be in flight now.")},
    {ENDPOINT(slots, GAUGE, "prometheus_remote_storage_shards_max",
              "Requests that may ever be in flight.")},
    {CUSTOM(one_shard_at_least, GAUGE, "prometheus_remote_storage_shards_min",
            "Requests that may be in flight at the worst of times.")},
    {ENDPOINT(desired, GAUGE, "prometheus_remote_storage_shards_desired",
              "Requests in flight that the load needs, by Prometheus' formula.")},
    {CUSTOM(shard_capacity, GAUGE, "prometheus_remote_storage_shard_capacity",
            "Samples that may wait, for each request that may be in flight.")},
    {CUSTOM(metrics_samples_in, COUNTER, "prometheus_remote_storage_samples_in_total",
            "Samples taken from the WAL, by the destination that took most.")},
    {CUSTOM(metrics_histograms_in, COUNTER, "prometheus_remote_storage_histograms_in_total",
            "Native histograms taken from the WAL, by the destination that took most.")},
    {CUSTOM(metrics_exemplars_in, COUNTER, "prometheus_remote_storage_exemplars_in_total",
            "Exemplars taken from the WAL, by the destination that took most.")},

    /* the WAL, as Prometheus' WAL watcher sees it */
    {CONSUMER(reading.segment, GAUGE, "prometheus_wal_watcher_current_segment",
              "Segment being read.")},
    {CUSTOM(records_read, COUNTER, "prometheus_wal_watcher_records_read_total",
            "Records read, by type.")},
    {CONSUMER(undecodable, COUNTER, "prometheus_wal_watcher_record_decode_failures_total",
              "Records that could not be decoded.")},
    {ENGINE(newest_segment, GAUGE, "prometheus_tsdb_wal_segment_current",
            "Segment that Prometheus writes.")},
    {PROCESS(reload_good, GAUGE, "prometheus_config_last_reload_successful",
             "Whether the configuration was good when it was last read.")},
    {PROCESS(reloaded_seconds, GAUGE, "prometheus_config_last_reload_success_timestamp_seconds",
             "When a good configuration was last read, Unix time.")},

    /* the account of a destination: read = acked + already there + dropped + lost + pending */
    {DESTINATION(counts[STORE_READ], COUNTER, "walship_items_read_total",
                 "Items of the WAL taken for a destination: acked + already there + dropped + lost "
                 "+ pending. Counts go on over restarts.")},
    {DESTINATION(counts[STORE_ACKED], COUNTER, "walship_items_acked_total",
                 "Items a destination has accepted.")},
    {DESTINATION(counts[STORE_ALREADY_THERE], COUNTER, "walship_items_already_there_total",
                 "Items the receiver said it had already.")},
    {DESTINATION(counts[STORE_DROPPED], COUNTER, "walship_items_dropped_total",
                 "Items dropped by rule (start_at, relabelling, out of order).")},
    {DESTINATION(out_of_order, COUNTER, "walship_items_out_of_order_total",
                 "Items of these that were not newer than the newest taken of their series.")},
    {DESTINATION(case_collisions, COUNTER, "walship_series_case_collisions_total",
                 "Series that differ only in the case of letters from another one, for a "
                 "destination that takes them for one.")},
    {CUSTOM(items_lost, COUNTER, "walship_items_lost_total", "Items lost, by reason.")},
    {DESTINATION(pending, GAUGE, "walship_items_pending", "Items read and not settled.")},
    {DESTINATION(parked, GAUGE, "walship_items_parked", "Items waiting for their series record.")},
    {DESTINATION(behind_bytes, GAUGE, "walship_behind_bytes", "Bytes of the WAL not read yet.")},
    {DESTINATION(lag_ms, GAUGE, "walship_lag_seconds",
                 "Age of the oldest item read and not settled."),
     IN_SECONDS},
    {DESTINATION(watermark.segment, GAUGE, "walship_watermark_segment",
                 "Segment of the oldest item not settled.")},

    /* endpoints */
    {CUSTOM(endpoint_states, GAUGE, "walship_endpoint_state", "1 for the present state.")},
    {ENDPOINT(samples, COUNTER, "walship_endpoint_items_acked_total",
              "Items of all kinds that it has accepted.")},
    {ENDPOINT(requests, COUNTER, "walship_endpoint_requests_total", "Requests started.")},
    {ENDPOINT(failures, COUNTER, "walship_endpoint_failures_total", "Requests not accepted.")},
    {ENDPOINT(retries, COUNTER, "walship_endpoint_retries_total", "Requests that repeat a batch.")},
    {ENDPOINT(shards, GAUGE, "walship_endpoint_shards", "Shards at home here.")},
    {ENDPOINT(shards_present, GAUGE, "walship_endpoint_shards_present",
              "Shards carried now: more than at home while a sibling lends, fewer while this one "
              "does.")},
    {CUSTOM(metrics_quota_used, GAUGE, "walship_endpoint_quota_used_ratio",
            "Part of the limit of a minute that is spent, by remote_name, url and dimension.")},
    {CUSTOM(metrics_quota_limit, GAUGE, "walship_endpoint_quota_limit",
            "What is kept to in a minute (97 % of the quota, or less where 429s taught it), by "
            "remote_name, url and dimension.")},
    {CUSTOM(metrics_quota_learned, GAUGE, "walship_endpoint_quota_learned",
            "The limit of a minute that 429s taught, by remote_name, url and dimension; none: "
            "nothing learned.")},
    {ENDPOINT(quota.refused, COUNTER, "walship_endpoint_throttled_total",
              "Requests answered with 429.")},
    {ENDPOINT(quota.waited_ms, COUNTER, "walship_endpoint_quota_waiting_seconds_total",
              "Time that requests which were due waited for a quota."),
     IN_SECONDS},
    {CUSTOM(metrics_quota_shared, GAUGE, "walship_destination_quota_used_ratio",
            "The same part of the quota that the endpoints of a destination or of its group share, "
            "by remote_name and dimension.")},
    {ENDPOINT(in_flight, GAUGE, "walship_endpoint_requests_in_flight",
              "Requests not answered yet.")},
    {CUSTOM(token_age, GAUGE, "walship_endpoint_token_age_seconds",
            "Since when the token in use is in use; 0: none was used yet.")},
    {CUSTOM(token_expiry, GAUGE, "walship_endpoint_token_expires_in_seconds",
            "How long the token is valid; 0: there is none.")},

    /* the rest */
    {ENGINE(records, COUNTER, "walship_wal_records_total", "WAL records read.")},
    {ENGINE(record_bytes, COUNTER, "walship_wal_record_bytes_total", "Their bytes, decompressed.")},
    {ENGINE(damage_bytes, COUNTER, "walship_wal_damage_bytes_total",
            "Bytes of the WAL passed over as damaged.")},
    {ENGINE(segment, GAUGE, "walship_wal_segment", "Segment being read by the foremost reader.")},
    {ENGINE(generation, GAUGE, "walship_wal_generation",
            "Lives of the WAL directory seen so far.")},
    {ENGINE(series, GAUGE, "walship_series", "Label sets in memory.")},
    {ENGINE(refs, GAUGE, "walship_refs", "WAL series refs in memory.")},
    {ENGINE(memory_bytes, GAUGE, "walship_memory_bytes",
            "Memory held by series and pending items.")},
    {ENGINE(spool_bytes, GAUGE, "walship_spool_bytes",
            "Bytes that only the spool has: segments Prometheus deleted, copies, series.")},
    {ENGINE(spool_segments, GAUGE, "walship_spool_segments",
            "Segments kept because something in them is not settled, the newest one included.")},
    {ENGINE(spool_copies, GAUGE, "walship_spool_copies",
            "1: no hard links can be made, what is kept is held open and copied.")},
    {ENGINE(spool_failures, COUNTER, "walship_spool_failures_total",
            "Links, copies and writes in the spool that failed.")},
    {ENGINE(
         truncation_guard_ms, GAUGE, "walship_truncation_guard_seconds",
         "Until Prometheus deletes what is not sent, by its own rhythm; 0: it has, negative: not "
         "known yet."),
     IN_SECONDS},
    {ENGINE(commits, COUNTER, "walship_state_commits_total",
            "Commits of the state that are durable.")},
    {ENGINE(commit_failures, COUNTER, "walship_state_commit_failures_total",
            "Commits that failed.")},
    {PROCESS(cpu_seconds, COUNTER, "process_cpu_seconds_total", "User and system CPU time.")},
    {PROCESS(resident_bytes, GAUGE, "process_resident_memory_bytes", "Resident memory.")},
    {PROCESS(open_files, GAUGE, "process_open_fds", "Open file descriptors.")},
    {PROCESS(started_seconds, GAUGE, "process_start_time_seconds",
             "When the process started, Unix time.")},
};
const size_t metrics_count = ARRAY_COUNT(metrics_table);

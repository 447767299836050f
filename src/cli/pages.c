/* pages.c - the engine's statistics as Prometheus text and as JSON. */
#include "pages.h"

#include <walship/expo.h>

struct page {
    const struct engine *engine;
    struct buf *out;
    bool ok;
};

static void head(struct page *page, enum expo_metric metric)
{
    page->ok = page->ok && expo_head(page->out, metric);
}

static void global(struct page *page, enum expo_metric metric, double value)
{
    head(page, metric);
    page->ok = page->ok && expo_value(page->out, metric, NULL, 0, value);
}

/* ---- by destination ---- */

typedef double destination_value_fn(const struct engine_destination_stats *stats);

static void by_destination(struct page *page, enum expo_metric metric, destination_value_fn *value)
{
    struct engine_stats all;
    engine_stats(page->engine, &all);
    head(page, metric);
    for (size_t i = 0; i < all.destinations_count; i++) {
        struct engine_destination_stats stats;
        engine_destination_stats(page->engine, i, &stats);
        const struct expo_label labels[] = {{"remote_name", stats.name}};
        page->ok = page->ok && expo_value(page->out, metric, labels, 1, value(&stats));
    }
}

static double count_read(const struct engine_destination_stats *stats)
{
    return (double)stats->counts[STORE_READ];
}

static double count_acked(const struct engine_destination_stats *stats)
{
    return (double)stats->counts[STORE_ACKED];
}

static double count_already(const struct engine_destination_stats *stats)
{
    return (double)stats->counts[STORE_ALREADY_THERE];
}

static double count_dropped(const struct engine_destination_stats *stats)
{
    return (double)stats->counts[STORE_DROPPED];
}

static double pending(const struct engine_destination_stats *stats)
{
    return (double)stats->pending;
}

static double parked(const struct engine_destination_stats *stats)
{
    return (double)stats->parked;
}

static double behind(const struct engine_destination_stats *stats)
{
    return (double)stats->behind_bytes;
}

static double lag(const struct engine_destination_stats *stats)
{
    return (double)stats->lag_ms / 1000;
}

static double watermark_segment(const struct engine_destination_stats *stats)
{
    return (double)stats->watermark.segment;
}

static double highest_read(const struct engine_destination_stats *stats)
{
    int64_t seconds = stats->newest_read_ms / 1000;
    return (double)seconds;
}

static void lost(struct page *page)
{
    struct engine_stats all;
    engine_stats(page->engine, &all);
    head(page, EXPO_ITEMS_LOST);
    for (size_t i = 0; i < all.destinations_count; i++) {
        struct engine_destination_stats stats;
        engine_destination_stats(page->engine, i, &stats);
        for (unsigned reason = 0; reason < LOSS_REASONS; reason++) {
            const struct expo_label labels[] = {
                {"remote_name", stats.name},
                {"reason", loss_reason_name((enum loss_reason)reason)}};
            page->ok = page->ok && expo_value(page->out, EXPO_ITEMS_LOST, labels, 2,
                                              (double)stats.lost[reason]);
        }
    }
}

/* ---- by endpoint ---- */

typedef double endpoint_value_fn(const struct engine_endpoint_stats *stats);

static void by_endpoint(struct page *page, enum expo_metric metric, endpoint_value_fn *value)
{
    struct engine_stats all;
    engine_stats(page->engine, &all);
    head(page, metric);
    for (size_t i = 0; i < all.destinations_count; i++) {
        struct engine_destination_stats destination;
        engine_destination_stats(page->engine, i, &destination);
        for (size_t k = 0; k < destination.endpoints_count; k++) {
            struct engine_endpoint_stats stats;
            engine_endpoint_stats(page->engine, i, k, &stats);
            const struct expo_label labels[] = {{"remote_name", destination.name},
                                                {"url", stats.url},
                                                {"state", endpoint_state_name(stats.state)}};
            size_t count = metric == EXPO_ENDPOINT_STATE ? 3 : 2;
            page->ok = page->ok && expo_value(page->out, metric, labels, count, value(&stats));
        }
    }
}

static double one(const struct engine_endpoint_stats *stats)
{
    return stats->url == NULL ? 0 : 1;
}

static double samples(const struct engine_endpoint_stats *stats)
{
    return (double)stats->samples;
}

static double requests(const struct engine_endpoint_stats *stats)
{
    return (double)stats->requests;
}

static double failures(const struct engine_endpoint_stats *stats)
{
    return (double)stats->failures;
}

static double retries(const struct engine_endpoint_stats *stats)
{
    return (double)stats->retries;
}

static double sent_bytes(const struct engine_endpoint_stats *stats)
{
    return (double)stats->bytes;
}

static double endpoint_pending(const struct engine_endpoint_stats *stats)
{
    return (double)stats->pending;
}

static double shards(const struct engine_endpoint_stats *stats)
{
    return (double)stats->shards;
}

static double in_flight(const struct engine_endpoint_stats *stats)
{
    return (double)stats->in_flight;
}

static double highest_sent(const struct engine_endpoint_stats *stats)
{
    int64_t seconds = stats->newest_acked_ms / 1000;
    return (double)seconds;
}

static void globals(struct page *page)
{
    struct engine_stats all;
    engine_stats(page->engine, &all);
    const struct expo_label version[] = {{"version", WALSHIP_VERSION}};
    head(page, EXPO_BUILD_INFO);
    page->ok = page->ok && expo_value(page->out, EXPO_BUILD_INFO, version, 1, 1);
    global(page, EXPO_RECORDS, (double)all.records);
    global(page, EXPO_RECORD_BYTES, (double)all.record_bytes);
    global(page, EXPO_DAMAGE_BYTES, (double)all.damage_bytes);
    global(page, EXPO_SEGMENT, (double)all.segment);
    global(page, EXPO_GENERATION, (double)all.generation);
    global(page, EXPO_SERIES, (double)all.series);
    global(page, EXPO_REFS, (double)all.refs);
    global(page, EXPO_MEMORY_BYTES, (double)all.memory_bytes);
    global(page, EXPO_COMMITS, (double)all.commits);
    global(page, EXPO_COMMIT_FAILURES, (double)all.commit_failures);
}

static bool metrics(const struct engine *engine, struct buf *out)
{
    struct page page = {engine, out, true};
    globals(&page);
    by_destination(&page, EXPO_ITEMS_READ, count_read);
    by_destination(&page, EXPO_ITEMS_ACKED, count_acked);
    by_destination(&page, EXPO_ITEMS_ALREADY, count_already);
    by_destination(&page, EXPO_ITEMS_DROPPED, count_dropped);
    by_destination(&page, EXPO_ITEMS_PENDING, pending);
    by_destination(&page, EXPO_ITEMS_PARKED, parked);
    by_destination(&page, EXPO_BEHIND_BYTES, behind);
    by_destination(&page, EXPO_LAG_SECONDS, lag);
    by_destination(&page, EXPO_WATERMARK_SEGMENT, watermark_segment);
    by_destination(&page, EXPO_HIGHEST_READ, highest_read);
    lost(&page);
    by_endpoint(&page, EXPO_HIGHEST_SENT, highest_sent);
    by_endpoint(&page, EXPO_SAMPLES, samples);
    by_endpoint(&page, EXPO_REQUESTS, requests);
    by_endpoint(&page, EXPO_FAILURES, failures);
    by_endpoint(&page, EXPO_RETRIES, retries);
    by_endpoint(&page, EXPO_SENT_BYTES, sent_bytes);
    by_endpoint(&page, EXPO_ENDPOINT_STATE, one);
    by_endpoint(&page, EXPO_ENDPOINT_PENDING, endpoint_pending);
    by_endpoint(&page, EXPO_ENDPOINT_SHARDS, shards);
    by_endpoint(&page, EXPO_IN_FLIGHT, in_flight);
    return page.ok;
}

/* ---- JSON ---- */

static void json_endpoints(struct json *json, const struct engine *engine, size_t destination,
                           size_t count)
{
    json_open(json, "endpoints", '[');
    for (size_t i = 0; i < count; i++) {
        struct engine_endpoint_stats stats;
        engine_endpoint_stats(engine, destination, i, &stats);
        json_open(json, NULL, '{');
        json_string(json, "url", stats.url);
        json_string(json, "state", endpoint_state_name(stats.state));
        json_string(json, "last_error", stats.last_error);
        json_u64(json, "samples", stats.samples);
        json_u64(json, "requests", stats.requests);
        json_u64(json, "failures", stats.failures);
        json_u64(json, "retries", stats.retries);
        json_u64(json, "bytes", stats.bytes);
        json_u64(json, "pending", stats.pending);
        json_u64(json, "shards", stats.shards);
        json_i64(json, "newest_acked_ms", stats.newest_acked_ms);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void json_destination(struct json *json, const struct engine *engine, size_t index)
{
    struct engine_destination_stats stats;
    engine_destination_stats(engine, index, &stats);
    json_open(json, NULL, '{');
    json_string(json, "name", stats.name);
    json_u64(json, "read", stats.counts[STORE_READ]);
    json_u64(json, "acked", stats.counts[STORE_ACKED]);
    json_u64(json, "already_there", stats.counts[STORE_ALREADY_THERE]);
    json_u64(json, "dropped", stats.counts[STORE_DROPPED]);
    json_u64(json, "lost", stats.counts[STORE_LOST]);
    json_u64(json, "pending", stats.pending);
    json_u64(json, "parked", stats.parked);
    json_u64(json, "behind_bytes", stats.behind_bytes);
    json_i64(json, "lag_ms", stats.lag_ms);
    json_i64(json, "newest_read_ms", stats.newest_read_ms);
    json_open(json, "watermark", '{');
    json_u64(json, "generation", stats.watermark.generation);
    json_u64(json, "segment", stats.watermark.segment);
    json_u64(json, "record", stats.watermark.record);
    json_close(json, '}');
    json_endpoints(json, engine, index, stats.endpoints_count);
    json_close(json, '}');
}

bool pages_status(const struct engine *engine, struct buf *out)
{
    struct engine_stats all;
    struct json json;
    engine_stats(engine, &all);
    json_init(&json, out);
    json_open(&json, NULL, '{');
    json_string(&json, "version", WALSHIP_VERSION);
    json_string(&json, "scanning", all.scanning ? "yes" : "no");
    json_u64(&json, "segment", all.segment);
    json_u64(&json, "generation", all.generation);
    json_u64(&json, "series", all.series);
    json_open(&json, "destinations", '[');
    for (size_t i = 0; i < all.destinations_count; i++) {
        json_destination(&json, engine, i);
    }
    json_close(&json, ']');
    json_close(&json, '}');
    return json_ok(&json) && buf_append(out, "\n", 1);
}

const char *pages_not_ready(const struct engine *engine)
{
    struct engine_stats all;
    engine_stats(engine, &all);
    if (all.scanning) {
        return "loading series";
    }
    for (size_t i = 0; i < all.destinations_count; i++) {
        struct engine_destination_stats destination;
        engine_destination_stats(engine, i, &destination);
        size_t open = 0;
        for (size_t k = 0; k < destination.endpoints_count; k++) {
            struct engine_endpoint_stats stats;
            engine_endpoint_stats(engine, i, k, &stats);
            open += stats.state == ENDPOINT_OPEN;
        }
        if (open == 0) {
            return "a destination has no endpoint that takes requests, see /status";
        }
    }
    return NULL;
}

bool pages_write(void *context, const char *path, struct status_page *out)
{
    const struct engine *engine = context;
    if (strcmp(path, "/metrics") == 0) {
        out->content_type = "text/plain; version=0.0.4; charset=utf-8";
        return metrics(engine, out->body);
    }
    if (strcmp(path, "/status") == 0) {
        out->content_type = "application/json";
        return pages_status(engine, out->body);
    }
    if (strcmp(path, "/-/healthy") == 0 || strcmp(path, "/health") == 0) {
        return buf_format(out->body, "walship is healthy\n");
    }
    if (strcmp(path, "/-/ready") == 0 || strcmp(path, "/ready") == 0) {
        const char *why = pages_not_ready(engine);
        out->status = why == NULL ? 200 : 503;
        return buf_format(out->body, "%s\n", why == NULL ? "walship is ready" : why);
    }
    return false;
}

/* status_json.c - the engine's statistics as JSON: /status and `walship status`. */
#include "pages.h"

#include <walship/expo.h>

/* Only what has a limit. */
static void json_quota(struct json *json, const struct engine_quota_stats *stats)
{
    json_open(json, "quota", '{');
    for (unsigned i = 0; i < QUOTA_DIMENSIONS; i++) {
        if (stats->limit[i] > 0) {
            json_open(json, quota_dimension_name((enum quota_dimension)i), '{');
            json_u64(json, "limit", stats->limit[i]);
            json_u64(json, "used", stats->used[i]);
            json_u64(json, "learned", stats->learned[i]);
            json_close(json, '}');
        }
    }
    json_u64(json, "throttled", stats->refused);
    json_i64(json, "waited_ms", stats->waited_ms);
    json_close(json, '}');
}

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
        json_u64(json, "shards_present", stats.shards_present);
        json_string(json, "lending", lending_state_name(stats.lending));
        json_i64(json, "newest_acked_ms", stats.newest_acked_ms);
        json_quota(json, &stats.quota);
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
    json_quota(json, &stats.quota);
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

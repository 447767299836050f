/* minute.c - see minute.h. */
#include "minute.h"

#include <walship/log.h>

enum { MINUTE_MS = 60000 };

void minute_begin(struct minute *minute, int64_t now_ms, bool wanted)
{
    *minute = (struct minute){.wanted = wanted, .at_ms = now_ms + MINUTE_MS};
}

static void sums_take(struct minute_sums *sums, const struct engine *engine)
{
    struct engine_stats all;
    *sums = (struct minute_sums){0};
    engine_stats(engine, &all);
    for (size_t i = 0; i < all.destinations_count; i++) {
        struct engine_destination_stats destination;
        engine_destination_stats(engine, i, &destination);
        for (size_t k = 0; k < destination.endpoints_count; k++) {
            struct engine_endpoint_stats endpoint;
            engine_endpoint_stats(engine, i, k, &endpoint);
            for (size_t b = 0; b <= ENGINE_DURATION_BOUNDS; b++) {
                sums->answers += endpoint.durations.counts[b];
            }
            sums->acks += endpoint.acks;
            sums->failures += endpoint.failures;
            sums->bytes += endpoint.bytes;
            sums->seconds += endpoint.durations.sum_seconds;
        }
    }
}

static bool is_due(const struct minute *minute, int64_t now_ms)
{
    return minute->wanted && now_ms >= minute->at_ms;
}

/* An endpoint that a reload took away takes its figures with it. */
static uint64_t since(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

void minute_say(struct minute *minute, const struct minute_sums *now, int64_t now_ms)
{
    const struct minute_sums *last = &minute->last;
    if (!is_due(minute, now_ms)) {
        return;
    }
    uint64_t answers = since(now->answers, last->answers); /* a redirect is neither good nor bad */
    uint64_t acks = since(now->acks, last->acks);
    double seconds = now->seconds > last->seconds ? now->seconds - last->seconds : 0;
    LOG_INFO("Metric packets published in last 1 minute",
             LOG_U64("avgBytesPerRequest", acks > 0 ? since(now->bytes, last->bytes) / acks : 0),
             LOG_F64("avgRequestDurationInSec", answers > 0 ? seconds / (double)answers : 0),
             LOG_U64("failedPublishing", since(now->failures, last->failures)),
             LOG_U64("successfullyPublished", acks));
    /* after a sleep one line, not one for each minute of it */
    minute->at_ms += MINUTE_MS;
    minute->at_ms = minute->at_ms > now_ms ? minute->at_ms : now_ms + MINUTE_MS;
    minute->last = *now;
}

void minute_run(struct minute *minute, const struct engine *engine, int64_t now_ms)
{
    struct minute_sums sums;
    if (is_due(minute, now_ms)) {
        sums_take(&sums, engine);
        minute_say(minute, &sums, now_ms);
    }
}

int64_t minute_deadline(const struct minute *minute)
{
    return minute->wanted ? minute->at_ms : INT64_MAX;
}

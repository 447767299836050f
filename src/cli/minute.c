/* minute.c - see minute.h. */
#include "minute.h"

#include <walship/log.h>

enum { MINUTE_MS = 60000 };

void minute_begin(struct minute *minute, int64_t now_ms, bool wanted)
{
    *minute = (struct minute){.wanted = wanted, .at_ms = now_ms + MINUTE_MS};
}

static struct minute totals(const struct engine *engine)
{
    struct minute sum = {0};
    struct engine_stats all;
    engine_stats(engine, &all);
    for (size_t i = 0; i < all.destinations_count; i++) {
        struct engine_destination_stats destination;
        engine_destination_stats(engine, i, &destination);
        for (size_t k = 0; k < destination.endpoints_count; k++) {
            struct engine_endpoint_stats endpoint;
            engine_endpoint_stats(engine, i, k, &endpoint);
            for (size_t b = 0; b <= ENGINE_DURATION_BOUNDS; b++) {
                sum.requests += endpoint.durations.counts[b];
            }
            sum.failures += endpoint.failures;
            sum.bytes += endpoint.bytes;
            sum.seconds += endpoint.durations.sum_seconds;
        }
    }
    return sum;
}

void minute_run(struct minute *minute, const struct engine *engine, int64_t now_ms)
{
    if (!minute->wanted || now_ms < minute->at_ms) {
        return;
    }
    struct minute now = totals(engine);
    uint64_t answered = now.requests - minute->requests;
    uint64_t failed = now.failures - minute->failures;
    uint64_t good = answered > failed ? answered - failed : 0;
    double seconds = now.seconds - minute->seconds;
    LOG_INFO("Metric packets published in last 1 minute",
             LOG_U64("avgBytesPerRequest", good > 0 ? (now.bytes - minute->bytes) / good : 0),
             LOG_F64("avgRequestDurationInSec", answered > 0 ? seconds / (double)answered : 0),
             LOG_U64("failedPublishing", failed), LOG_U64("successfullyPublished", good));
    now.wanted = true;
    now.at_ms = minute->at_ms + MINUTE_MS > now_ms ? minute->at_ms + MINUTE_MS : now_ms + MINUTE_MS;
    *minute = now;
}

int64_t minute_deadline(const struct minute *minute)
{
    return minute->wanted ? minute->at_ms : INT64_MAX;
}

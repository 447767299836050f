/* oracle_quota.c - no sliding minute of any endpoint has more requests than its quota, nor any of a
 * destination than its own, whatever restarts there were.
 *
 * The server counts a request at some moment between its post and its end, also when it stores
 * nothing. One that a crash or a timeout cut short counts by then at the latest. */
#include "oracle.h"

#include <walship/mem.h>
#include <walship/rng.h>

enum { MINUTE_MS = 60000 };

void oracle_quota_ended(struct oracle *oracle, struct oracle_destination *destination,
                        const struct fake_request *request)
{
    struct rng rng = {.state = request->sequence};
    uint64_t took_ms = (uint64_t)(*oracle->now_ms - request->posted_ms);
    ASSERT(*oracle->now_ms >= request->posted_ms);
    if ((destination->counted_count & (destination->counted_count - 1)) == 0) {
        size_t room = destination->counted_count == 0 ? 1 : destination->counted_count * 2;
        destination->counted = mem_grow(destination->counted, room, sizeof *destination->counted);
    }
    destination->counted[destination->counted_count++] =
        (struct counted){request->posted_ms + (int64_t)rng_below(&rng, took_ms + 1),
                         (uint32_t)(request->receiver - destination->receiver_first)};
}

static int by_time(const void *left, const void *right)
{
    const struct counted *a = left;
    const struct counted *b = right;
    return a->at_ms < b->at_ms ? -1 : a->at_ms > b->at_ms;
}

/* endpoint: ORACLE_NONE for all together. */
static void minutes_check(struct oracle *oracle, const struct oracle_destination *destination,
                          uint32_t endpoint, uint64_t quota)
{
    uint64_t inside = 0;
    for (size_t last = 0, first = 0; last < destination->counted_count; last++) {
        const struct counted *now = &destination->counted[last];
        if (endpoint != ORACLE_NONE && now->endpoint != endpoint) {
            continue;
        }
        inside++;
        for (; destination->counted[first].at_ms <= now->at_ms - MINUTE_MS; first++) {
            inside -= endpoint == ORACLE_NONE || destination->counted[first].endpoint == endpoint;
        }
        if (inside > quota) {
            report_violation(oracle->report,
                             "%s: %llu requests in the minute up to %lld, the quota is %llu (%s)",
                             destination->conf->name, (unsigned long long)inside,
                             (long long)now->at_ms, (unsigned long long)quota,
                             endpoint == ORACLE_NONE
                                 ? "all endpoints"
                                 : destination->conf->endpoints[endpoint].shown);
            return;
        }
    }
}

void oracle_quota_final(struct oracle *oracle, struct oracle_destination *destination)
{
    const struct conf_destination *conf = destination->conf;
    if (destination->counted_count == 0) {
        return;
    }
    qsort(destination->counted, destination->counted_count, sizeof *destination->counted, by_time);
    if (conf->quota.requests_per_minute > 0) {
        minutes_check(oracle, destination, ORACLE_NONE, conf->quota.requests_per_minute);
    }
    for (uint32_t i = 0; i < conf->endpoints_count && !oracle->report->failed; i++) {
        uint64_t quota = conf->endpoints[i].quota.requests_per_minute;
        if (quota > 0) {
            minutes_check(oracle, destination, i, quota);
        }
    }
}

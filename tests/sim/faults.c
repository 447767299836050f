/* faults.c - one function a kind of weather. */
#include "faults.h"

#include <walship/mem.h>

static int64_t between(struct rng *rng, int64_t low, int64_t high)
{
    ASSERT(low <= high);
    return low + (int64_t)rng_below(rng, (uint64_t)(high - low) + 1);
}

static bool chance(struct rng *rng, unsigned percent)
{
    return rng_below(rng, 100) < percent;
}

void faults_init(struct faults *faults, const int64_t *now_ms, size_t endpoints, uint64_t seed)
{
    *faults = (struct faults){.now_ms = now_ms, .rng = {seed}, .endpoints_count = endpoints};
    faults->spell_ms_max = 6000;
    faults->store_rng.state = seed ^ 0x5704u;
    faults->endpoints = mem_new(endpoints, sizeof *faults->endpoints);
}

void faults_release(struct faults *faults)
{
    mem_free(faults->endpoints);
}

void faults_end(struct faults *faults)
{
    faults->ended = true;
}

/* All but one are well at any time, and each has each illness once in a while. */
static enum weather weather_in_turn(const struct faults *faults,
                                    const struct faults_endpoint *endpoint)
{
    static const enum weather ills[] = {WEATHER_DOWN, WEATHER_THROTTLED, WEATHER_HELD,
                                        WEATHER_TIMEOUTS};
    uint64_t turn = (uint64_t)(*faults->now_ms / faults->turn_ms);
    bool its = turn % faults->endpoints_count == (uint64_t)(endpoint - faults->endpoints);
    return its ? ills[turn / faults->endpoints_count % ARRAY_COUNT(ills)] : WEATHER_GOOD;
}

static enum weather weather_now(struct faults *faults, struct faults_endpoint *endpoint)
{
    if (faults->ended || endpoint->calm) {
        return WEATHER_GOOD;
    }
    if (faults->nothing_goes) {
        return WEATHER_DOWN;
    }
    if (faults->turn_ms > 0) {
        return weather_in_turn(faults, endpoint);
    }
    while (*faults->now_ms >= endpoint->until_ms) {
        bool good = chance(&faults->rng, faults->good_percent);
        endpoint->weather =
            good ? WEATHER_GOOD : (enum weather)(1 + rng_below(&faults->rng, WEATHERS - 1));
        endpoint->until_ms = *faults->now_ms + between(&faults->rng, 100, faults->spell_ms_max);
    }
    return endpoint->weather;
}

static void answer(struct fake_plan *plan, int status, bool stored)
{
    plan->outcome = HTTP_ANSWERED;
    plan->status = status;
    plan->stored = stored;
}

static void plan_flaky(struct rng *rng, struct fake_plan *plan)
{
    if (chance(rng, 40)) {
        return;
    }
    plan->outcome = HTTP_AMBIGUOUS;
    plan->stored = chance(rng, 50);
}

/* Beyond any timeout; what is stored may arrive after the client has long given up. */
static void plan_timeout(struct rng *rng, const struct fake_request *request,
                         struct fake_plan *plan)
{
    plan->result_ms = request->timeout_ms;
    plan->outcome = HTTP_AMBIGUOUS;
    plan->stored = chance(rng, 60);
    plan->deliver_ms = between(rng, 1, request->timeout_ms * 2);
}

static void plan_throttled(struct faults *faults, struct fake_plan *plan)
{
    static const char *const values[] = {
        "1", "2", "5", "0", "soon", "-3", "Sun, 06 Nov 1994 08:49:37 GMT", ""};
    answer(plan, 429, false);
    const char *value = values[rng_below(&faults->rng, ARRAY_COUNT(values))];
    snprintf(plan->retry_after, sizeof plan->retry_after, "%s", value);
}

static void plan_error(struct rng *rng, struct fake_plan *plan)
{
    static const int statuses[] = {500, 502, 503, 504, 408};
    if (chance(rng, 20)) {
        return;
    }
    answer(plan, statuses[rng_below(rng, ARRAY_COUNT(statuses))], chance(rng, 15));
    if (chance(rng, 20)) {
        snprintf(plan->retry_after, sizeof plan->retry_after, "1");
    }
}

static void plan_weather(struct faults *faults, enum weather weather,
                         const struct fake_request *request, struct fake_plan *plan)
{
    static const int held[] = {400, 401, 403, 404};
    switch (weather) {
    case WEATHER_DOWN:
        plan->outcome = HTTP_NOT_SENT;
        plan->stored = false;
        break;
    case WEATHER_FLAKY:
        plan_flaky(&faults->rng, plan);
        break;
    case WEATHER_SLOW:
        plan->result_ms = between(&faults->rng, 200, 4000);
        plan->deliver_ms = between(&faults->rng, 1, plan->result_ms);
        break;
    case WEATHER_TIMEOUTS:
        plan_timeout(&faults->rng, request, plan);
        break;
    case WEATHER_THROTTLED:
        plan_throttled(faults, plan);
        break;
    case WEATHER_ERRORS:
        plan_error(&faults->rng, plan);
        break;
    case WEATHER_HELD:
        answer(plan, held[rng_below(&faults->rng, ARRAY_COUNT(held))], false);
        break;
    case WEATHER_GOOD:
    case WEATHERS:
        break;
    }
}

void faults_request(void *context, const struct fake_request *request, struct fake_plan *plan)
{
    struct faults *faults = context;
    ASSERT(request->receiver < faults->endpoints_count);
    struct faults_endpoint *endpoint = &faults->endpoints[request->receiver];
    *plan = fake_plan_good();
    plan->result_ms = between(&faults->rng, 0, endpoint->calm || faults->ended ? 20 : 120);
    plan->deliver_ms = between(&faults->rng, 0, plan->result_ms);
    enum weather weather = weather_now(faults, endpoint);
    if (endpoint->bytes_max > 0 && request->body_bytes > endpoint->bytes_max) {
        answer(plan, 413, false);
        plan->outcome = endpoint->cuts ? HTTP_AMBIGUOUS : HTTP_ANSWERED;
        return;
    }
    plan_weather(faults, weather, request, plan);
    /* there single items are asked for: one that is refused in two such spells is given up */
    if (endpoint->orderly && plan->outcome == HTTP_ANSWERED && plan->status == 400) {
        answer(plan, 403, false);
    }
    plan->refused_by_post = weather == WEATHER_DOWN && chance(&faults->rng, 10);
}

void faults_commit(void *context, struct fake_commit_plan *plan)
{
    struct faults *faults = context;
    if (faults->ended) {
        *plan = (struct fake_commit_plan){false, 1, 2};
        return;
    }
    plan->fails = chance(&faults->store_rng, faults->commit_fail_percent);
    plan->result_ms = between(&faults->store_rng, 0, faults->commit_ms_max);
    plan->apply_ms = between(&faults->store_rng, 0, plan->result_ms);
}

/* demand.c - how long requests take, and how many in flight the load of an endpoint needs: what
 * Prometheus calls desired shards, by its formula. Rates are smoothed over windows of 10 s; what
 * waits already should be gone in 20 s. Nothing here steers: it is shown, and alerted on. */
#include "internal.h"

enum { WINDOW_MS = 10000 };
static const double smoothing = 0.2;
static const double catch_up = 0.05;

const double engine_duration_bounds[ENGINE_DURATION_BOUNDS] = {.005, .01, .025, .05, .1, .25, .5, 1,
                                                               2.5,  5,   10,   25,  60, 120, 300};

void demand_begun(const struct engine *engine, struct sender *sender, struct batch *batch)
{
    batch->posted_ms = engine->now_ms;
    if (batch->attempts == 0) {
        batch->begun_ms = engine->now_ms;
    }
    struct engine_kinds kinds = batch_kinds(batch);
    kinds_sum(&sender->kinds.attempted, &kinds);
    sender->metadata.sent += batch->metadata;
}

void demand_answered(const struct engine *engine, struct sender *sender, const struct batch *batch)
{
    struct engine_durations *durations = &sender->durations;
    ASSERT(engine->now_ms >= batch->posted_ms);
    double seconds = (double)(engine->now_ms - batch->posted_ms) / 1000;
    size_t i = 0;
    while (i < ENGINE_DURATION_BOUNDS && seconds > engine_duration_bounds[i]) {
        i++;
    }
    durations->counts[i]++;
    durations->sum_seconds += seconds;
}

void demand_acked(const struct engine *engine, struct sender *sender, const struct batch *batch)
{
    ASSERT(engine->now_ms >= batch->begun_ms);
    sender->demand.busy_ms += engine->now_ms - batch->begun_ms;
}

static void window_open(const struct engine *engine, const struct sender *sender,
                        struct demand *demand, uint64_t pending)
{
    demand->since_ms = engine->now_ms;
    demand->acked = sender->samples;
    demand->pending = pending;
    demand->busy_before_ms = demand->busy_ms;
}

static void smooth(double *rate, double amount, double seconds)
{
    double now = amount / seconds;
    *rate = *rate > 0 ? *rate + smoothing * (now - *rate) : now;
}

static void sender_run(const struct engine *engine, const struct destination *destination,
                       struct sender *sender)
{
    struct demand *demand = &sender->demand;
    struct engine_endpoint_stats newest = {0};
    endpoint_newest(engine, destination, sender, &newest);
    if (demand->since_ms == 0) {
        window_open(engine, sender, demand, newest.pending);
        return;
    }
    double seconds = (double)(engine->now_ms - demand->since_ms) / 1000;
    double out = (double)(sender->samples - demand->acked);
    double in = out + (double)newest.pending - (double)demand->pending;
    double busy = (double)(demand->busy_ms - demand->busy_before_ms) / 1000;
    smooth(&demand->in, in > 0 ? in : 0, seconds);
    smooth(&demand->out, out, seconds);
    smooth(&demand->busy, busy, seconds);
    if (out > 0 && demand->out > 0) { /* else nothing is known of how fast it is now */
        double delay = (double)(newest.newest_due_ms - newest.newest_done_ms) / 1000;
        double wanted = demand->in * (1 + catch_up * (delay > 0 ? delay : 0));
        demand->desired = demand->busy / demand->out * wanted;
    }
    window_open(engine, sender, demand, newest.pending);
}

void demand_run(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->senders_count; k++) {
            struct sender *sender = &destination->senders[k];
            int64_t since_ms = sender->demand.since_ms;
            if (since_ms == 0 || engine->now_ms - since_ms >= WINDOW_MS) {
                sender_run(engine, destination, sender);
            }
        }
    }
}

/* world.c - simulated time, and its phases.
 *
 * Time jumps to the next thing that happens: a step of Prometheus, a delivery, an answer, a commit,
 * a deadline of the engine, a crash. walship is killed between turns; that loses what a kill within
 * one would lose, for requests on their way and the running commit are thrown dice for. */
#include "world.h"

#include <walship/mem.h>

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- phases ---- */

static bool saved(const struct world *world, const struct engine_destination_stats *stats)
{
    const struct store_destination *row = fake_store_destination(world->store, stats->name);
    return row != NULL && memcmp(row->counts, stats->counts, sizeof stats->counts) == 0;
}

/* behind_bytes may be the padding of the last page: that all items were read, the account shows. */
static bool settled(const struct world *world)
{
    if (world->engine == NULL || world->stopping || world->prom.state != PROM_DONE ||
        world->store->busy) {
        return false;
    }
    struct engine_stats all;
    engine_stats(world->engine, &all);
    bool yes = !all.scanning;
    for (size_t i = 0; i < world->scenario.conf->destinations_count && yes; i++) {
        struct engine_destination_stats stats;
        engine_destination_stats(world->engine, i, &stats);
        yes = stats.pending == 0 && stats.parked == 0 && stats.behind_bytes < WAL_PAGE_BYTES &&
              saved(world, &stats);
    }
    return yes;
}

static void phase_begin(struct world *world, enum phase phase, int64_t ms)
{
    world->phase = phase;
    world->phase_ms = ms == INT64_MAX ? INT64_MAX : world->now_ms + ms;
}

/* No more faults; the scrapes go on, for an endpoint must have something to send to prove itself.
 */
static void heal_begin(struct world *world)
{
    report_line(world->report, "[%7lld] ---- no more faults", (long long)world->now_ms);
    phase_begin(world, PHASE_HEAL, LIVENESS_MS);
    world->healed_ms = world->now_ms;
    faults_end(&world->faults);
    for (size_t i = 0; i < world->scenario.conf->destinations_count; i++) {
        fake_judge_forget(&world->scenario.judges[i]); /* order is kept to for ever */
    }
    fake_os_short_reads(world->os, 0);
    fake_os_hint_faults(world->os, 0, 0);
    io_faults_clear(world);
    if (world->spool != NULL) {
        world->spool->write_error = 0;
        world->spool->free_bytes = SPOOL_FREE_BYTES;
    }
    prometheus_calm(&world->prom);
    if (!world->stopping && world->engine != NULL) {
        world->life_ms = INT64_MAX;
    }
}

static void drain_begin(struct world *world)
{
    report_line(world->report, "[%7lld] ---- no more scrapes", (long long)world->now_ms);
    phase_begin(world, PHASE_DRAIN, LIVENESS_MS);
    prometheus_end(&world->prom);
    world->report->settled_after_ms = world->now_ms;
}

/* Every shard is at home; or no endpoint ever knew better. */
static bool healed(const struct world *world)
{
    bool yes = world->engine == NULL || !world->stopping;
    for (size_t i = 0; i < world->scenario.conf->destinations_count && world->engine != NULL; i++) {
        struct engine_destination_stats all;
        engine_destination_stats(world->engine, i, &all);
        for (size_t k = 0; k < all.endpoints_count; k++) {
            struct engine_endpoint_stats stats;
            engine_endpoint_stats(world->engine, i, k, &stats);
            yes = yes && stats.shards == stats.shards_present && stats.lending == LENDING_WELL;
        }
    }
    return yes;
}

static const char *unsettled_text(const struct world *world, char *out, size_t bytes)
{
    struct engine_destination_stats stats = {0};
    int used = snprintf(out, bytes, "not settled %lld s after the faults ended:",
                        (long long)(world->now_ms - world->healed_ms) / 1000);
    for (size_t i = 0; i < world->scenario.conf->destinations_count && world->engine != NULL; i++) {
        engine_destination_stats(world->engine, i, &stats);
        used += snprintf(out + used, bytes - (size_t)used,
                         " %s: %llu pending, %llu parked, %llu bytes behind%s;", stats.name,
                         (unsigned long long)stats.pending, (unsigned long long)stats.parked,
                         (unsigned long long)stats.behind_bytes,
                         saved(world, &stats) ? "" : ", not saved");
    }
    return out;
}

/* All is well: out with it, then perhaps a last look that must find nothing. */
static void stop_begin(struct world *world)
{
    world->report->settled_after_ms = world->now_ms - world->report->settled_after_ms;
    report_line(world->report, "[%7lld] ---- settled", (long long)world->now_ms);
    phase_begin(world, PHASE_STOP, INT64_MAX);
    life_stop(world);
}

static void again_begin(struct world *world)
{
    oracle_final(&world->oracle);
    if (!world->scenario.again || world->report->failed) {
        phase_begin(world, PHASE_OVER, INT64_MAX);
        return;
    }
    phase_begin(world, PHASE_AGAIN, 20000);
    world->posts_before = world->http->sequence;
    life_start(world, true);
}

static void again_end(struct world *world)
{
    if (world->http->sequence != world->posts_before && !world->oracle.damaged) {
        report_violation(world->report, "a second --once sent %llu requests",
                         (unsigned long long)(world->http->sequence - world->posts_before));
    }
    oracle_final(&world->oracle);
    phase_begin(world, PHASE_OVER, INT64_MAX);
}

static void drain_step(struct world *world)
{
    if (world->scenario.once_last && world->prom.state == PROM_DONE) {
        if (world->engine != NULL) {
            life_crash(world);
        }
        phase_begin(world, PHASE_STOP, LIVENESS_MS);
        life_start(world, true);
        return;
    }
    if (!settled(world)) {
        world->settled_ms = -1;
    } else if (world->settled_ms < 0) {
        world->settled_ms = world->now_ms;
    } else if (world->now_ms - world->settled_ms >= SETTLED_MS) {
        stop_begin(world);
    }
}

/* So far. While scrapes go on, what is refused tells of a search; then what had its end. */
static uint64_t search_progress(const struct world *world, size_t destination)
{
    const struct fake_judge *judge = &world->scenario.judges[destination];
    const struct oracle_destination *wire = &world->oracle.destinations[destination];
    struct engine_destination_stats stats;
    if (world->phase == PHASE_HEAL) {
        return judge->order != FAKE_ORDER_ANY ? judge->refusals : 0;
    }
    engine_destination_stats(world->engine, destination, &stats);
    /* a batch that is sifted is on the books when all of it has its end */
    return wire->arrivals - wire->doubled + stats.counts[STORE_ACKED] +
           stats.counts[STORE_ALREADY_THERE] + stats.counts[STORE_DROPPED] +
           stats.counts[STORE_LOST];
}

/* A receiver that takes samples in order only is asked for one item at a time how much it has, as
 * slowly as the quota of its endpoint goes, or what 429s have taught of one: there the time counts
 * from the last item that got its end. So long the endpoint has no room for all of its shards: till
 * they are home it counts from the last request of a search. */
static void search_look(struct world *world)
{
    bool orderly = false;
    uint64_t progress = 0;
    for (size_t i = 0; i < world->scenario.conf->destinations_count && world->engine != NULL; i++) {
        orderly = orderly || world->scenario.judges[i].order != FAKE_ORDER_ANY;
        progress += search_progress(world, i);
    }
    bool search =
        world->phase == PHASE_HEAL || world->phase == PHASE_DRAIN || world->phase == PHASE_STOP;
    if (orderly && search && progress != world->progress && world->phase_ms != INT64_MAX) {
        int64_t last_ms = world->healed_ms + SEARCH_MS;
        world->phase_ms = earlier(world->now_ms + LIVENESS_MS, last_ms);
    }
    world->progress = progress;
}

static void phase_step(struct world *world)
{
    char text[900];
    search_look(world);
    bool over = world->now_ms >= world->phase_ms;
    switch (world->phase) {
    case PHASE_HISTORY:
        if (over) {
            phase_begin(world, PHASE_LIVELY, world->scenario.active_ms);
            life_start(world, false);
        }
        return;
    case PHASE_LIVELY:
        if (over || (world->turns_max > 0 && world->report->turns >= world->turns_max)) {
            heal_begin(world);
        }
        return;
    case PHASE_HEAL:
        if (healed(world)) {
            drain_begin(world);
        } else if (over) {
            report_violation(world->report,
                             "not all shards are at home %d s after the faults ended",
                             (int)LIVENESS_MS / 1000);
        }
        return;
    case PHASE_DRAIN:
        if (over) {
            report_violation(world->report, "%s", unsettled_text(world, text, sizeof text));
        }
        drain_step(world);
        return;
    case PHASE_STOP:
        if (over) {
            report_violation(world->report, "%s", unsettled_text(world, text, sizeof text));
        }
        if (world->engine == NULL) {
            again_begin(world);
        }
        return;
    case PHASE_AGAIN:
        if (over) {
            report_violation(world->report, "a second --once does not finish");
        }
        if (world->engine == NULL) {
            again_end(world);
        }
        return;
    case PHASE_OVER:
        return;
    }
}

/* ---- time ---- */

static int64_t next_event(const struct world *world)
{
    if (turn_due(world)) {
        return world->now_ms;
    }
    int64_t next = earlier(prometheus_deadline(&world->prom), fake_http_deadline(world->http));
    next = earlier(next, fake_store_deadline(world->store));
    if (world->spool != NULL && world->engine != NULL) {
        next = earlier(next, fake_spool_deadline(world->spool));
    }
    next = earlier(next, earlier(world->phase_ms, earlier(world->jump_ms, world->suspend_ms)));
    next = world->phase == PHASE_LIVELY ? earlier(next, world->reload_ms) : next;
    if (world->phase <= PHASE_DRAIN || world->stopping) {
        next = earlier(next, world->life_ms);
    }
    if (world->engine != NULL) {
        next = earlier(next, engine_deadline(world->engine, world->now_ms));
    }
    if (world->settled_ms >= 0) {
        next = earlier(next, world->settled_ms + SETTLED_MS);
    }
    return next;
}

static void time_pass(struct world *world)
{
    int64_t next = next_event(world);
    ASSERT(next != INT64_MAX);
    int64_t step = next > world->now_ms ? next - world->now_ms : 0;
    if (step == 0 && rng_below(&world->rng, 4) == 0) {
        step = 1; /* a turn takes time */
    }
    world->idle_steps = step == 0 ? world->idle_steps + 1 : 0;
    if (world->idle_steps > IDLE_STEPS_MAX) {
        report_violation(world->report, "spins: time does not pass");
    }
    fake_os_advance(world->os, step);
    world->now_ms += step;
    ASSERT(world->now_ms == fake_os_now(world->os));
}

static void wall_jump(struct world *world)
{
    struct os *os = fake_os_seam(world->os);
    fake_os_set_wall(world->os, os->wall_ms(os) + world_between(world, -86400000, 86400000));
    world->jump_ms = world->now_ms + world_between(world, 1000, 10000);
}

/* All time goes on at once, and nothing else did: a frozen machine, at its worst up to 15 minutes.
 */
static void suspend(struct world *world)
{
    int64_t gap_ms = world_between(world, 1000, 900000);
    report_line(world->report, "[%7lld] suspended for %lld ms", (long long)world->now_ms,
                (long long)gap_ms);
    fake_os_advance(world->os, gap_ms);
    world->now_ms += gap_ms;
    if (world->phase_ms != INT64_MAX) {
        world->phase_ms += gap_ms;
    }
    if (world->life_ms != INT64_MAX) {
        world->life_ms += gap_ms;
    }
    world->suspend_ms = world->phase == PHASE_LIVELY || world->phase == PHASE_HISTORY
                            ? world->now_ms + world_between(world, 2000, 20000)
                            : INT64_MAX;
}

static void world_step(struct world *world)
{
    time_pass(world);
    if (world->now_ms >= world->suspend_ms) {
        suspend(world);
    }
    if (world->now_ms >= world->jump_ms) {
        wall_jump(world);
    }
    if (prometheus_step(&world->prom, world->now_ms)) {
        world->files_changed = true;
    }
    fake_http_run(world->http);
    fake_store_run(world->store);
    if (world->now_ms >= world->life_ms && (world->phase <= PHASE_DRAIN || world->stopping)) {
        life_step(world);
    }
    if (world->now_ms >= world->reload_ms && world->phase == PHASE_LIVELY) {
        life_reload(world);
    }
    if (turn_due(world)) {
        turn(world);
    }
    phase_step(world);
    if (world->http->problem.code != 0) {
        report_violation(world->report, "malformed request: %s", world->http->problem.text);
    }
}

void world_run(struct report *report, uint64_t turns)
{
    struct world *world = mem_new(1, sizeof *world);
    world->turns_max = turns;
    world_init(world, report);
    while (world->phase != PHASE_OVER && !report->failed) {
        world_step(world);
    }
    report->items = world->oracle.items_count;
    world_release(world);
    mem_free(world);
    report->finished = true;
}

/* world_life.c - walship's lives: started, killed, stopped; its turns, and what must hold after
 * each. */
#include "world.h"

#include <walship/mem.h>

void io_faults_clear(struct world *world)
{
    for (int i = 0; i < FAKE_OS_CALLS; i++) {
        fake_os_fail_nth(world->os, (enum fake_os_call)i, 0, 5); /* the call before the next one */
    }
}

static void life_plan(struct world *world)
{
    const struct scenario *scenario = &world->scenario;
    world->life_ms = INT64_MAX;
    world->life_stop = false;
    if (world->phase != PHASE_LIVELY) {
        return;
    }
    if (scenario->crash_ms > 0) {
        world->life_ms = world->now_ms + world_between(world, 0, 2 * scenario->crash_ms);
    }
    int64_t stop_ms = scenario->stop_ms == 0
                          ? INT64_MAX
                          : world->now_ms + world_between(world, 0, 2 * scenario->stop_ms);
    if (stop_ms < world->life_ms) {
        world->life_ms = stop_ms;
        world->life_stop = true;
    }
}

/* Other domains for the same lanes: what a live reload would make a rewind of. */
static void rearrange(struct world *world)
{
    struct scenario *scenario = &world->scenario;
    struct rng *rng = &world->layouts;
    size_t index = (size_t)rng_below(rng, scenario->conf->destinations_count);
    struct conf_destination *conf = &scenario->conf->destinations[index];
    conf->endpoints_count = 1 + (size_t)rng_below(rng, scenario->endpoints_all[index]);
    conf->placement = rng_below(rng, 2) == 0 ? CONF_PINNED : CONF_FAILOVER;
    report_line(world->report, "%s is rearranged: %zu endpoints, %s", conf->name,
                conf->endpoints_count, conf->placement == CONF_PINNED ? "pinned" : "failover");
    oracle_reconfigured(&world->oracle, index);
}

/* Other external labels, or those of an earlier life: nobody's lanes have the series of before. */
static void rename_series(struct world *world)
{
    struct scenario *scenario = &world->scenario;
    uint32_t name = (uint32_t)rng_below(&world->externals, ORACLE_NAMES_MAX);
    const struct externals *to = &scenario->externals[name];
    if (name == world->oracle.name) {
        return;
    }
    scenario->conf->external_labels = to->labels;
    scenario->conf->external_labels_count = to->count;
    report_line(world->report, "the external labels are others: %u", name);
    oracle_renamed(&world->oracle, name);
}

/* The destination whose new name is not durable yet; NULL: none. */
static const struct oracle_destination *adopting(const struct world *world)
{
    for (size_t i = 0; i < world->scenario.conf->destinations_count; i++) {
        const struct oracle_destination *destination = &world->oracle.destinations[i];
        if (strcmp(destination->saved_name, destination->conf->name) != 0) {
            return destination;
        }
    }
    return NULL;
}

/* Only one at a time can be adopted. */
static void adopt(struct world *world)
{
    struct scenario *scenario = &world->scenario;
    size_t index = (size_t)rng_below(&world->adoptions, scenario->conf->destinations_count);
    char **name = &scenario->conf->destinations[index].name;
    char *before = *name;
    if (adopting(world) != NULL) {
        return;
    }
    *name = scenario->names[index];
    scenario->names[index] = before;
    report_line(world->report, "%s is renamed: %s", before, *name);
    oracle_adopted(&world->oracle, index);
}

/* The operator, and the disk under the state. */
static void between_lives(struct world *world)
{
    struct scenario *scenario = &world->scenario;
    for (size_t i = 0; i < scenario->conf->destinations_count; i++) {
        if (world->oracle.destinations[i].reloaded) { /* what was under way is not saved */
            oracle_reconfigured(&world->oracle, i);
        }
    }
    if (world->phase != PHASE_LIVELY || world->oracle.life == 0) {
        return;
    }
    if (scenario->state_lost && rng_below(&world->rng, 2) == 0) {
        report_line(world->report, "the state is lost");
        scenario->state_lost = false;
        fake_store_lose(world->store);
        oracle_state_lost(&world->oracle);
    }
    if (scenario->reconfigures) {
        size_t index = (size_t)rng_below(&world->rng, scenario->conf->destinations_count);
        struct conf_destination *conf = &scenario->conf->destinations[index];
        size_t before = conf->shard_by_count;
        conf->shard_by_count = rng_below(&world->rng, 2);
        world->oracle.destinations[index].reruled |= conf->shard_by_count != before;
        conf->endpoints_count = 1 + (size_t)rng_below(&world->rng, scenario->endpoints_all[index]);
        report_line(world->report, "%s is reconfigured: %zu endpoints, shard_by %zu", conf->name,
                    conf->endpoints_count, conf->shard_by_count);
        oracle_reconfigured(&world->oracle, index);
    }
    if (scenario->rearranges) {
        rearrange(world);
    }
    if (scenario->renames) {
        rename_series(world);
    }
    if (scenario->adopts) {
        adopt(world);
    }
}

void life_start(struct world *world, bool once)
{
    struct os *os = fake_os_seam(world->os);
    struct engine_options options = {.once = once};
    options.spool = world->spool == NULL ? NULL : &world->spool->seam;
    struct err err = {0};
    between_lives(world);
    oracle_started(&world->oracle, os->wall_ms(os));
    const struct oracle_destination *renamed = adopting(world);
    options.adopt_old = renamed == NULL ? NULL : renamed->saved_name;
    options.adopt_new = renamed == NULL ? NULL : renamed->conf->name;
    report_line(world->report, "[%7lld] walship starts%s", (long long)world->now_ms,
                once ? " (--once)" : "");
    world->engine =
        engine_new(conf_copy(world), &options, os, &world->http->seam, &world->store->seam);
    engine_set_trace(world->engine, world_trace, world);
    world->stopping = false;
    world->lag_ms = world->now_ms;
    world->crash_now = false;
    world->files_changed = true;
    io_faults_clear(world);
    if (!engine_start(world->engine, &err)) {
        report_violation(world->report, "engine_start failed: %s", err.text);
    }
    life_plan(world);
}

static void life_end(struct world *world, const char *how)
{
    report_line(world->report, "[%7lld] walship %s, %zu requests in flight",
                (long long)world->now_ms, how, fake_http_in_flight(world->http));
    fake_http_crash(world->http, &world->rng);
    fake_store_crash(world->store, rng_below(&world->rng, 2) == 0);
    if (world->spool != NULL) {
        fake_spool_crash(world->spool, &world->faults.rng);
    }
    oracle_life_ended(&world->oracle, world->now_ms);
    engine_free(world->engine);
    world->engine = NULL;
    confs_sweep(world);
    world->life_ms = world->phase == PHASE_LIVELY
                         ? world->now_ms + world_between(world, 0, world->scenario.down_ms_max)
                         : world->now_ms;
}

void life_crash(struct world *world)
{
    world->report->crashes++;
    life_end(world, "is killed");
}

void life_stop(struct world *world)
{
    report_line(world->report, "[%7lld] walship is told to stop", (long long)world->now_ms);
    engine_stop(world->engine, world->now_ms);
    world->stopping = true;
    world->signalled = true;
    world->life_stop = false;
    world->stop_ms = world->now_ms;
    world->life_ms = world->now_ms + FINISH_MS;
}

/* Stopped in order: all that was acked must be durable, unless the disk refuses. */
static void life_finished(struct world *world)
{
    /* a frozen machine's clock has run on for walship as for the service manager */
    bool late = world->stopping && world->now_ms >= world->stop_ms + STOP_FLUSH_MS_MAX;
    if (world->store->busy && !late) {
        report_violation(world->report, "finished while a commit is under way");
    }
    life_end(world, "has finished");
}

void life_step(struct world *world)
{
    if (world->engine == NULL) {
        life_start(world, false);
    } else if (world->stopping) {
        if (world->phase != PHASE_LIVELY) {
            report_violation(world->report, "not finished %d ms after the stop", (int)FINISH_MS);
        }
        life_crash(world); /* the disk refuses, and the service manager's patience ends */
    } else if (world->life_stop) {
        life_stop(world);
    } else {
        life_crash(world);
    }
}

/* ---- a turn, and what must hold after it ---- */

static void stats_check(struct world *world)
{
    struct engine_stats all;
    engine_stats(world->engine, &all);
    if (all.memory_bytes > MEMORY_BYTES_MAX) {
        report_violation(world->report, "I4: %llu bytes of memory",
                         (unsigned long long)all.memory_bytes);
    }
    for (size_t i = 0; i < world->scenario.conf->destinations_count; i++) {
        struct engine_destination_stats stats;
        engine_destination_stats(world->engine, i, &stats);
        uint64_t fates = stats.counts[STORE_ACKED] + stats.counts[STORE_ALREADY_THERE] +
                         stats.counts[STORE_DROPPED] + stats.counts[STORE_LOST] + stats.pending;
        if (stats.counts[STORE_READ] != fates) {
            report_violation(world->report, "I3: %s: read %llu, fates and pending %llu", stats.name,
                             (unsigned long long)stats.counts[STORE_READ],
                             (unsigned long long)fates);
        }
        const struct conf_destination *conf = &world->scenario.conf->destinations[i];
        bool narrow = conf->queue.max_samples_per_send < 300 || /* as slow as its requests are */
                      conf->queue.max_bytes_per_send < 1 << 20;
        bool calm = world->scenario.calm[i] && !narrow;
        if (calm && !world->stopping && !world->scenario.suspends &&
            stats.lag_ms > conf->queue.batch_send_deadline_ms + LAG_MS_MAX) {
            report_violation(world->report, "%s: an item waits for %lld ms without cause",
                             stats.name, (long long)stats.lag_ms);
        }
        size_t domains = conf->placement == CONF_PINNED ? conf->endpoints_count : 1;
        domains = world->scenario.reload_ms > 0 ? ENDPOINTS_MAX : domains;
        if (stats.pending + stats.parked > PENDING_ITEMS_MAX * domains) {
            report_violation(world->report, "I4: %s: %llu items pending", stats.name,
                             (unsigned long long)stats.pending);
        }
    }
}

/* Its disk fills up, and has room again. */
static void spool_before_turn(struct world *world)
{
    struct fake_spool *spool = world->spool;
    if (spool == NULL || world->phase != PHASE_LIVELY) {
        return;
    }
    spool->delay_ms = world_between(world, 0, world->scenario.spool_ms_max);
    if (world->scenario.fills && rng_below(&world->rng, 100) == 0) {
        bool full = rng_below(&world->rng, 3) == 0;
        spool->free_bytes = full ? (uint64_t)world_between(world, 0, 1 << 20) : SPOOL_FREE_BYTES;
    }
    if (spool->write_error == 0 &&
        rng_below(&world->rng, 1000) < world->scenario.spool_fail_permille) {
        spool->write_error = 28; /* ENOSPC */
    } else if (spool->write_error != 0 && rng_below(&world->rng, 20) == 0) {
        spool->write_error = 0;
    }
}

static void faults_before_turn(struct world *world)
{
    spool_before_turn(world);
    if (world->phase == PHASE_LIVELY &&
        rng_below(&world->rng, 1000) < world->scenario.eio_permille) {
        enum fake_os_call call = (enum fake_os_call)rng_below(&world->rng, FAKE_OS_CALLS);
        fake_os_fail_nth(world->os, call, 1 + rng_below(&world->rng, 3), 5);
    }
}

static bool is_series(void *context, const char *name)
{
    bool *found = context;
    *found = *found || strstr(name, ".series") != NULL;
    return true;
}

/* What is kept must find its series after any restart. */
static void series_check(struct world *world)
{
    const struct scenario *scenario = &world->scenario;
    bool sound = world->spool != NULL && scenario->spool_fail_permille == 0 &&
                 scenario->spool_ms_max <= 10 && scenario->eio_permille == 0 &&
                 !scenario->suspends && !world->oracle.relived && !world->stopping;
    if (!sound || world->prom.state == PROM_DONE ||
        oracle_segment_needed(&world->oracle) >= world->prom.segment) {
        world->lag_ms = world->now_ms;
        return;
    }
    bool found = false;
    if (world->now_ms - world->lag_ms > SERIES_MS) {
        fake_os_names(world->os, "/spool", is_series, &found);
        if (!found) {
            report_violation(world->report,
                             "segments wait for %d s, and their series are not in the spool",
                             SERIES_MS / 1000);
        }
    }
}

void turn(struct world *world)
{
    faults_before_turn(world);
    world->files_changed = false;
    world->signalled = false;
    world->report->turns++;
    engine_turn(world->engine, world->now_ms);
    stats_check(world);
    series_check(world);
    if (world->report->turns % CHECK_EVERY == 0) {
        confs_sweep(world);
        engine_check(world->engine);
    }
    if (engine_finished(world->engine)) {
        life_finished(world);
    } else if (world->crash_now) {
        life_crash(world);
    }
}

bool turn_due(const struct world *world)
{
    if (world->engine == NULL) {
        return false;
    }
    bool hinted = world->files_changed && world->scenario.hints != HINTS_NONE;
    return hinted || world->signalled || fake_http_deadline(world->http) <= world->now_ms ||
           fake_store_deadline(world->store) <= world->now_ms ||
           (world->spool != NULL && fake_spool_deadline(world->spool) <= world->now_ms) ||
           engine_deadline(world->engine, world->now_ms) <= world->now_ms;
}

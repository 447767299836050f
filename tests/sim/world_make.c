/* world_make.c - the parts of a world, and the hooks between them. */
#include "world.h"

#include <walship/log.h>
#include <walship/mem.h>

int64_t world_between(struct world *world, int64_t low, int64_t high)
{
    ASSERT(low <= high);
    return low + (int64_t)rng_below(&world->rng, (uint64_t)(high - low) + 1);
}

static void crash_maybe(struct world *world)
{
    if (world->phase == PHASE_LIVELY &&
        rng_below(&world->rng, 1000) < world->scenario.soon_permille) {
        world->crash_now = true;
    }
}

/* ---- hooks ---- */

static void on_posted(void *context, const struct fake_request *request)
{
    struct world *world = context;
    crash_maybe(world);
    oracle_posted(&world->oracle, request);
}

static void on_judged(void *context, struct fake_request *request)
{
    struct world *world = context;
    for (size_t i = 0; i < world->scenario.conf->destinations_count; i++) {
        const struct oracle_destination *to = &world->oracle.destinations[i];
        size_t index = request->receiver - to->receiver_first;
        if (request->receiver >= to->receiver_first && index < to->receivers_count) {
            fake_judge_request(&world->scenario.judges[i], request);
        }
    }
}

static void on_delivered(void *context, const struct fake_request *request)
{
    struct world *world = context;
    oracle_delivered(&world->oracle, request);
    world->report->arrivals += request->samples_count;
}

static void on_ended(void *context, const struct fake_request *request)
{
    struct world *world = context;
    if (request->end == FAKE_TAKEN) {
        crash_maybe(world);
    }
    oracle_ended(&world->oracle, request);
}

static void on_plan(void *context, const struct fake_request *request, struct fake_plan *out)
{
    struct world *world = context;
    faults_request(&world->faults, request, out);
}

static void on_commit(void *context, struct fake_commit_plan *out)
{
    struct world *world = context;
    faults_commit(&world->faults, out);
}

static void on_commit_taken(void *context)
{
    struct world *world = context;
    crash_maybe(world);
    oracle_commit_taken(&world->oracle);
}

static void on_commit_applied(void *context)
{
    struct world *world = context;
    crash_maybe(world);
    oracle_commit_applied(&world->oracle);
}

static void spool_dropping(void *context, const char *name)
{
    struct world *world = context;
    oracle_pin_dropped(&world->oracle, world->os, name);
}

void world_trace(void *context, const char *line)
{
    struct world *world = context;
    report_line(world->report, "%s", line);
}

static void on_log(void *context, const char *line)
{
    struct world *world = context;
    report_line(world->report, "          log: %s", line);
}

static int64_t on_log_clock(void *context)
{
    struct world *world = context;
    return world->now_ms;
}

/* ---- the parts ---- */

static void seams_make(struct world *world)
{
    struct fake_http_hooks http = {world, on_plan, on_judged, on_posted, on_delivered, on_ended};
    struct fake_store_hooks store = {world, on_commit, on_commit_taken, on_commit_applied};
    world->http = fake_http_new(&world->now_ms, world->oracle.ids, &http);
    world->store = fake_store_new(&world->now_ms, &store);
    oracle_ready(&world->oracle, world->http, world->store);
    struct os *os = fake_os_seam(world->os);
    world->oracle.clock_ms = os->wall_ms(os) - world->now_ms;
    for (size_t i = 0; i < world->http->receivers_count; i++) {
        world->http->receivers[i].dated = true;
        world->http->receivers[i].clock_offset_ms = world->oracle.clock_ms;
    }
}

static void faults_make(struct world *world, uint64_t seed)
{
    const struct scenario *scenario = &world->scenario;
    faults_init(&world->faults, &world->now_ms, world->http->receivers_count, seed);
    world->faults.good_percent = scenario->good_percent;
    world->faults.commit_fail_percent = scenario->commit_fail_percent;
    world->faults.commit_ms_max = scenario->commit_ms_max;
    world->faults.nothing_goes = scenario->flood;
    world->faults.spell_ms_max = scenario->spell_ms_max;
    world->faults.turn_ms = scenario->turn_ms;
    for (size_t i = 0; i < scenario->conf->destinations_count; i++) {
        struct oracle_destination *destination = &world->oracle.destinations[i];
        destination->calm = scenario->calm[i];
        destination->throttled = destination->conf->endpoints[0].quota.requests_per_minute > 0;
        destination->judge = scenario->judges[i];
        for (size_t k = 0; k < destination->receivers_count; k++) {
            struct faults_endpoint *to = &world->faults.endpoints[destination->receiver_first + k];
            to->calm = scenario->calm[i];
            to->orderly = scenario->judges[i].order != FAKE_ORDER_ANY;
            to->bytes_max = scenario->bytes_max[i];
            to->cuts = scenario->cuts[i];
        }
    }
}

static void os_make(struct world *world, uint64_t seed)
{
    const struct scenario *scenario = &world->scenario;
    world->os = fake_os_new(seed);
    fake_os_mkdir(world->os, "/data");
    fake_os_mkdir(world->os, "/data/wal");
    fake_os_reuse_inodes(world->os, rng_below(&world->rng, 2) == 0);
    fake_os_short_reads(world->os, scenario->short_read_percent);
    fake_os_hints_available(world->os, scenario->hints != HINTS_NONE);
    if (scenario->hints == HINTS_FAULTY) {
        fake_os_hint_faults(world->os, 40, 20);
    }
    world->now_ms = fake_os_now(world->os);
    if (scenario->spools) {
        world->spool = fake_spool_new(world->os, "/spool", &world->now_ms);
        world->spool->free_bytes = SPOOL_FREE_BYTES;
        world->spool->all_bytes = scenario->fills ? 5 << 20 : world->spool->all_bytes;
        world->spool->link_error = scenario->links_refused ? 18 : 0; /* EXDEV */
        world->spool->dropping = spool_dropping;
        world->spool->context = world;
    } else {
        fake_os_mkdir(world->os, "/spool");
    }
}

void world_init(struct world *world, struct report *report)
{
    uint64_t seed = report->seed;
    world->report = report;
    world->rng.state = seed ^ 0x77616c73u;
    world->layouts.state = seed * 0xd1342543de82ef95u + 253;
    world->externals.state = seed * 0xd1342543de82ef95u + 266;
    world->adoptions.state = seed * 0xd1342543de82ef95u + 274;
    scenario_make(&world->scenario, seed);
    scenario_describe(&world->scenario, report->scenario, sizeof report->scenario);
    report_line(report, "scenario: %s", report->scenario);
    oracle_init(&world->oracle, report, world->scenario.conf);
    os_make(world, seed);
    seams_make(world);
    faults_make(world, seed * 31 + 7);
    prometheus_init(&world->prom, &world->scenario.prometheus, seed * 17 + 3);
    world->prom.os = world->os;
    world->prom.oracle = &world->oracle;
    world->prom.report = report;
    world->prom.dir = "/data/wal";
    world->oracle.budgets = world->scenario.budgets;
    world->oracle.forgetful = world->scenario.prometheus.forgetful;
    prometheus_start(&world->prom, world->scenario.externals,
                     world->scenario.renames ? ORACLE_NAMES_MAX : 1);
    log_set_sink(on_log, on_log_clock, world);
    world->life_ms = INT64_MAX;
    world->settled_ms = -1;
    world->reload_ms = world->scenario.reload_ms > 0 ? world->now_ms + 2000 : INT64_MAX;
    world->jump_ms = world->scenario.wall_jumps ? world->now_ms + 3000 : INT64_MAX;
    world->suspend_ms = world->scenario.suspends ? world->now_ms + 5000 : INT64_MAX;
    world->phase_ms = world->now_ms + world->scenario.prometheus.history_ms;
}

void world_release(struct world *world)
{
    engine_free(world->engine);
    world->engine = NULL;
    confs_sweep(world);
    log_set_sink(NULL, NULL, NULL);
    prometheus_release(&world->prom);
    fake_http_free(world->http);
    fake_store_free(world->store);
    fake_spool_free(world->spool);
    faults_release(&world->faults);
    fake_os_free(world->os);
    oracle_release(&world->oracle);
    scenario_release(&world->scenario);
}

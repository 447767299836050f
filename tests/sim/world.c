/* world.c - simulated time, and walship's lives in it.
 *
 * Time jumps to the next thing that happens: a step of Prometheus, a delivery, an answer, a commit,
 * a deadline of the engine, a crash. walship is killed between turns; that loses what a kill within
 * one would lose, for requests on their way and the running commit are thrown dice for. */
#include "world.h"

#include "scenario.h"

#include <walship/engine.h>
#include <walship/limits.h>
#include <walship/log.h>
#include <walship/mem.h>

enum {
    LIVENESS_MS = 200000, /* after the faults; a held endpoint is probed each 60 s at most */
    SETTLED_MS = 2500,    /* so long nothing new: polling would have seen it */
    FINISH_MS = STOP_FLUSH_MS_MAX + 6000,
    IDLE_STEPS_MAX = 20000, /* without time passing: it spins */
    CHECK_EVERY = 50,
    MEMORY_BYTES_MAX = 64 << 20
};

enum phase { PHASE_HISTORY, PHASE_LIVELY, PHASE_DRAIN, PHASE_STOP, PHASE_AGAIN, PHASE_OVER };

struct world {
    struct report *report;
    struct scenario scenario;
    struct rng rng;
    int64_t now_ms;
    struct fake_os *os;
    struct label_ids *ids;
    struct oracle oracle;
    struct faults faults;
    struct fake_http *http;
    struct fake_store *store;
    struct prometheus prom;
    struct engine *engine; /* NULL: walship is down */
    bool stopping;
    int64_t life_ms; /* when it is killed, told to stop, or started */
    bool life_stop;  /* the former */
    bool crash_now;
    enum phase phase;
    int64_t phase_ms;   /* when it ends, or must have */
    int64_t settled_ms; /* since when; -1 */
    int64_t jump_ms;    /* of the wall clock */
    bool files_changed;
    bool signalled; /* a turn is due whatever the deadlines say */
    uint64_t idle_steps, turns_max;
    uint64_t posts_before;
};

static int64_t between(struct world *world, int64_t low, int64_t high)
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

static void on_trace(void *context, const char *line)
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
    struct fake_http_hooks http = {world, on_plan, on_posted, on_delivered, on_ended};
    struct fake_store_hooks store = {world, on_commit, on_commit_taken, on_commit_applied};
    world->http = fake_http_new(&world->now_ms, world->oracle.ids, &http);
    world->store = fake_store_new(&world->now_ms, &store);
    oracle_ready(&world->oracle, world->http, world->store);
}

static void faults_make(struct world *world, uint64_t seed)
{
    const struct scenario *scenario = &world->scenario;
    faults_init(&world->faults, &world->now_ms, world->http->receivers_count, seed);
    world->faults.good_percent = scenario->good_percent;
    world->faults.commit_fail_percent = scenario->commit_fail_percent;
    world->faults.commit_ms_max = scenario->commit_ms_max;
    for (size_t i = 0; i < scenario->conf->destinations_count; i++) {
        struct oracle_destination *destination = &world->oracle.destinations[i];
        destination->calm = scenario->calm[i];
        for (size_t k = 0; k < destination->conf->endpoints_count; k++) {
            struct faults_endpoint *to = &world->faults.endpoints[destination->receiver_first + k];
            to->calm = scenario->calm[i];
            to->bytes_max = scenario->bytes_max[i];
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
}

static void world_init(struct world *world, struct report *report)
{
    uint64_t seed = report->seed;
    world->report = report;
    world->rng.state = seed ^ 0x77616c73u;
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
    prometheus_start(&world->prom, world->scenario.conf->external_labels,
                     world->scenario.conf->external_labels_count);
    log_set_sink(on_log, on_log_clock, world);
    world->life_ms = INT64_MAX;
    world->settled_ms = -1;
    world->jump_ms = world->scenario.wall_jumps ? world->now_ms + 3000 : INT64_MAX;
    world->phase_ms = world->now_ms + world->scenario.prometheus.history_ms;
}

static void world_release(struct world *world)
{
    engine_free(world->engine);
    log_set_sink(NULL, NULL, NULL);
    prometheus_release(&world->prom);
    fake_http_free(world->http);
    fake_store_free(world->store);
    faults_release(&world->faults);
    fake_os_free(world->os);
    oracle_release(&world->oracle);
    scenario_release(&world->scenario);
}

static void io_faults_clear(struct world *world)
{
    for (int i = 0; i < FAKE_OS_CALLS; i++) {
        fake_os_fail_nth(world->os, (enum fake_os_call)i, 0, 5); /* the call before the next one */
    }
}

/* ---- lives of walship ---- */

static void life_plan(struct world *world)
{
    const struct scenario *scenario = &world->scenario;
    world->life_ms = INT64_MAX;
    world->life_stop = false;
    if (world->phase != PHASE_LIVELY) {
        return;
    }
    if (scenario->crash_ms > 0) {
        world->life_ms = world->now_ms + between(world, 0, 2 * scenario->crash_ms);
    }
    int64_t stop_ms = scenario->stop_ms == 0
                          ? INT64_MAX
                          : world->now_ms + between(world, 0, 2 * scenario->stop_ms);
    if (stop_ms < world->life_ms) {
        world->life_ms = stop_ms;
        world->life_stop = true;
    }
}

static void life_start(struct world *world, bool once)
{
    struct engine_options options = {.once = once};
    struct err err = {0};
    oracle_started(&world->oracle);
    report_line(world->report, "[%7lld] walship starts%s", (long long)world->now_ms,
                once ? " (--once)" : "");
    world->engine = engine_new(world->scenario.conf, &options, fake_os_seam(world->os),
                               &world->http->seam, &world->store->seam);
    engine_set_trace(world->engine, on_trace, world);
    world->stopping = false;
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
    engine_free(world->engine);
    world->engine = NULL;
    world->life_ms = world->phase == PHASE_LIVELY
                         ? world->now_ms + between(world, 0, world->scenario.down_ms_max)
                         : world->now_ms;
}

static void life_crash(struct world *world)
{
    world->report->crashes++;
    life_end(world, "is killed");
}

static void life_stop(struct world *world)
{
    report_line(world->report, "[%7lld] walship is told to stop", (long long)world->now_ms);
    engine_stop(world->engine, world->now_ms);
    world->stopping = true;
    world->signalled = true;
    world->life_stop = false;
    world->life_ms = world->now_ms + FINISH_MS;
}

/* Stopped in order: all that was acked must be durable, unless the disk refuses. */
static void life_finished(struct world *world)
{
    bool late = world->stopping && world->now_ms >= world->life_ms - FINISH_MS + STOP_FLUSH_MS_MAX;
    if (world->store->busy && !late) {
        report_violation(world->report, "finished while a commit is under way");
    }
    life_end(world, "has finished");
}

/* Its time has come: killed, stopped, started, or the stop took too long. */
static void life_step(struct world *world)
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
        size_t domains = conf->placement == CONF_PINNED ? conf->endpoints_count : 1;
        if (stats.pending + stats.parked > PENDING_ITEMS_MAX * domains) {
            report_violation(world->report, "I4: %s: %llu items pending", stats.name,
                             (unsigned long long)stats.pending);
        }
    }
}

static void faults_before_turn(struct world *world)
{
    if (world->phase == PHASE_LIVELY &&
        rng_below(&world->rng, 1000) < world->scenario.eio_permille) {
        enum fake_os_call call = (enum fake_os_call)rng_below(&world->rng, FAKE_OS_CALLS);
        fake_os_fail_nth(world->os, call, 1 + rng_below(&world->rng, 3), 5);
    }
}

static void turn(struct world *world)
{
    faults_before_turn(world);
    world->files_changed = false;
    world->signalled = false;
    world->report->turns++;
    engine_turn(world->engine, world->now_ms);
    stats_check(world);
    if (world->report->turns % CHECK_EVERY == 0) {
        engine_check(world->engine);
    }
    if (engine_finished(world->engine)) {
        life_finished(world);
    } else if (world->crash_now) {
        life_crash(world);
    }
}

static bool turn_due(const struct world *world)
{
    if (world->engine == NULL) {
        return false;
    }
    bool hinted = world->files_changed && world->scenario.hints != HINTS_NONE;
    return hinted || world->signalled || fake_http_deadline(world->http) <= world->now_ms ||
           fake_store_deadline(world->store) <= world->now_ms ||
           engine_deadline(world->engine, world->now_ms) <= world->now_ms;
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

static void drain_begin(struct world *world)
{
    report_line(world->report, "[%7lld] ---- no more faults", (long long)world->now_ms);
    phase_begin(world, PHASE_DRAIN, LIVENESS_MS);
    faults_end(&world->faults);
    fake_os_short_reads(world->os, 0);
    fake_os_hint_faults(world->os, 0, 0);
    io_faults_clear(world);
    prometheus_end(&world->prom);
    if (!world->stopping && world->engine != NULL) {
        world->life_ms = INT64_MAX;
    }
    world->report->settled_after_ms = world->now_ms;
}

static const char *unsettled_text(const struct world *world, char *out, size_t bytes)
{
    struct engine_destination_stats stats = {0};
    int used =
        snprintf(out, bytes, "not settled %d s after the faults ended:", (int)LIVENESS_MS / 1000);
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
    if (world->http->sequence != world->posts_before) {
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

static void phase_step(struct world *world)
{
    char text[900];
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
            drain_begin(world);
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

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_event(const struct world *world)
{
    if (turn_due(world)) {
        return world->now_ms;
    }
    int64_t next = earlier(prometheus_deadline(&world->prom), fake_http_deadline(world->http));
    next = earlier(next, fake_store_deadline(world->store));
    next = earlier(next, earlier(world->phase_ms, world->jump_ms));
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
    fake_os_set_wall(world->os, os->wall_ms(os) + between(world, -86400000, 86400000));
    world->jump_ms = world->now_ms + between(world, 1000, 10000);
}

static void world_step(struct world *world)
{
    time_pass(world);
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

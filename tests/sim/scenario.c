/* scenario.c - dice. Each kind of trouble is absent from a good part of the seeds, so that a
 * failing one says which it takes. */
#include "scenario.h"

#include <walship/limits.h>
#include <walship/mem.h>

enum {
    FLOOD_EVERY = 250,
    LIVES_PERCENT = 3,
    BUDGETS_PERCENT = 3,
    REARRANGES_PERCENT = 1,
    ADOPTS_PERCENT = 1
};

static int64_t between(struct rng *rng, int64_t low, int64_t high)
{
    ASSERT(low <= high);
    return low + (int64_t)rng_below(rng, (uint64_t)(high - low) + 1);
}

static bool chance(struct rng *rng, unsigned percent)
{
    return rng_below(rng, 100) < percent;
}

/* Zero in `absent` of 100, else up to max. */
static unsigned maybe(struct rng *rng, unsigned absent, unsigned max)
{
    return chance(rng, absent) ? 0 : (unsigned)between(rng, 1, max);
}

static void queue_make(struct rng *rng, struct conf_queue *queue)
{
    static const uint32_t samples[] = {1, 7, 50, 300, 2000};
    *queue = (struct conf_queue){
        .max_shards = (uint32_t)between(rng, 1, 8),
        .max_samples_per_send = samples[rng_below(rng, ARRAY_COUNT(samples))],
        .max_bytes_per_send = chance(rng, 70) ? 1 << 20 : (uint32_t)between(rng, 400, 4000),
        .batch_send_deadline_ms = between(rng, 20, 2000),
        .min_backoff_ms = 30,
        .max_backoff_ms = between(rng, 100, 5000),
        .retry_on_http_429 = true};
    if (queue->max_samples_per_send == 1) {
        queue->max_shards = 8; /* or it would never get done */
    }
}

static void endpoint_make(struct rng *rng, struct conf_endpoint *endpoint, size_t destination,
                          size_t index)
{
    static const double weights[] = {1, 1, 1, 0.5, 3};
    endpoint->url = mem_format("http://d%zu-e%zu.test/api/v1/write", destination, index);
    endpoint->shown = mem_format("d%zu#%zu", destination, index);
    endpoint->key = mem_string(endpoint->url);
    endpoint->weight = weights[rng_below(rng, ARRAY_COUNT(weights))];
}

static void destination_make(struct rng *rng, struct conf_destination *to, size_t index)
{
    to->name = mem_format("d%zu", index);
    to->endpoints_count = (size_t)between(rng, 1, 4);
    to->endpoints = mem_new(to->endpoints_count, sizeof *to->endpoints);
    for (size_t i = 0; i < to->endpoints_count; i++) {
        endpoint_make(rng, &to->endpoints[i], index, i);
    }
    to->placement = chance(rng, 30) ? CONF_PINNED : CONF_FAILOVER;
    to->fold_case = chance(rng, 20);
    to->remote_timeout_ms = between(rng, 500, 8000);
    to->shard_by_count = chance(rng, 15);
    to->shard_by = mem_new(1, sizeof *to->shard_by); /* also when it is not used yet */
    to->shard_by[0] = mem_string(chance(rng, 50) ? "instance" : "job");
    queue_make(rng, &to->queue);
}

static void external_add(struct conf *conf, const char *name, const char *value)
{
    conf->external_labels[conf->external_labels_count++] = (struct label){
        mem_string(name), mem_string(value), (uint32_t)strlen(name), (uint32_t)strlen(value)};
}

static struct conf *conf_make(struct rng *rng)
{
    struct conf *conf = mem_new(1, sizeof *conf);
    conf->wal_dir = mem_string("/data/wal");
    conf->state_dir = mem_string("/state");
    conf->spool_dir = mem_string("/spool");
    conf->spool_max_bytes = (uint64_t)10 << 30;
    unsigned start = (unsigned)rng_below(rng, 100);
    conf->start_at = start < 70 ? CONF_START_OLDEST : start < 85 ? CONF_START_AGO : CONF_START_NOW;
    conf->start_ago_ms = between(rng, 0, 8000);
    conf->external_labels = mem_new(2, sizeof *conf->external_labels);
    if (chance(rng, 50)) {
        external_add(conf, "cluster", "prod");
        external_add(conf, "zone", "a");
    }
    conf->destinations_count = (size_t)between(rng, 1, 3);
    conf->destinations = mem_new(conf->destinations_count, sizeof *conf->destinations);
    for (size_t i = 0; i < conf->destinations_count; i++) {
        destination_make(rng, &conf->destinations[i], i);
    }
    return conf;
}

static void prometheus_make(struct rng *rng, struct prometheus_conf *to)
{
    to->targets = (size_t)between(rng, 1, 4);
    to->series_per_target = (size_t)between(rng, 1, 40);
    to->scrape_ms_min = between(rng, 100, 1000);
    to->scrape_ms_max = to->scrape_ms_min + between(rng, 0, 1000);
    to->segment_bytes = (size_t)between(rng, 1000, chance(rng, 30) ? 100000 : 8000);
    to->truncate_ms = chance(rng, 40) ? 0 : between(rng, 2000, 8000);
    to->truncate_unread = chance(rng, 25);
    to->restart_ms = chance(rng, 50) ? 0 : between(rng, 3000, 12000);
    to->crash_percent = chance(rng, 50) ? 0 : 60;
    to->torn_percent = chance(rng, 50) ? 0 : 70;
    to->power_percent = chance(rng, 80) ? 0 : 60;
    to->churn_percent = maybe(rng, 30, 20);
    to->late_percent = maybe(rng, 50, 40);
    to->unknown_permille = maybe(rng, 70, 10);
    to->partial_percent = maybe(rng, 40, 60);
    to->v2_percent = maybe(rng, 50, 100);
    to->backwards_percent = maybe(rng, 70, 10);
    to->stale_percent = maybe(rng, 50, 5);
    to->other_percent = maybe(rng, 40, 40);
    to->failed_write_percent = maybe(rng, 70, 50);
    to->slow_repair_percent = maybe(rng, 40, 100);
    if (chance(rng, 6)) {
        to->flips = true; /* alone: the head would notice at a restart, or at a checkpoint */
        to->restart_ms = 0;
        to->truncate_ms = 0;
    }
    to->forgetful = to->truncate_ms > 0 && chance(rng, 10);
    to->history_ms = chance(rng, 40) ? between(rng, 5000, 20000) : between(rng, 1, 1500);
}

static void troubles_make(struct rng *rng, struct scenario *to)
{
    for (size_t i = 0; i < to->conf->destinations_count; i++) {
        to->calm[i] = chance(rng, 25);
        to->bytes_max[i] = to->calm[i] || chance(rng, 85) ? 0 : (size_t)between(rng, 400, 3000);
    }
    to->good_percent = (unsigned)between(rng, 30, 90);
    to->commit_fail_percent = maybe(rng, 70, 40);
    to->commit_ms_max = chance(rng, 70) ? 20 : between(rng, 20, 5000);
    to->crash_ms = chance(rng, 35) ? 0 : between(rng, 1500, 12000);
    to->stop_ms = chance(rng, 60) ? 0 : between(rng, 4000, 15000);
    to->down_ms_max = between(rng, 0, 6000);
    to->soon_permille = maybe(rng, 50, 15);
    to->hints = (enum hints)rng_below(rng, 3);
    to->short_read_percent = maybe(rng, 70, 50);
    to->eio_permille = maybe(rng, 80, 20);
    to->wall_jumps = to->conf->start_at != CONF_START_AGO && chance(rng, 10);
    to->reconfigures = chance(rng, 15);
    to->reload_ms = chance(rng, 85) ? 0 : between(rng, 200, 6000);
    to->state_lost = chance(rng, 6);
    to->once_last = chance(rng, 20);
    to->again = chance(rng, 40);
}

static void destination_release(struct conf_destination *destination, size_t endpoints_count)
{
    for (size_t i = 0; i < endpoints_count; i++) {
        mem_free(destination->endpoints[i].url);
        mem_free(destination->endpoints[i].shown);
        mem_free(destination->endpoints[i].key);
    }
    rules_release(destination);
    mem_free(destination->shard_by[0]);
    mem_free(destination->endpoints);
    mem_free(destination->shard_by);
    mem_free(destination->name);
}

/* One destination that takes nothing until the faults end, and more items than it may hold. */
static void flood_make(struct scenario *to)
{
    struct conf *conf = to->conf;
    for (size_t i = 1; i < conf->destinations_count; i++) {
        destination_release(&conf->destinations[i], conf->destinations[i].endpoints_count);
    }
    conf->destinations_count = 1;
    conf->start_at = CONF_START_OLDEST;
    conf->destinations[0].queue.max_samples_per_send = 2000;
    conf->destinations[0].queue.max_bytes_per_send = 1 << 20;
    conf->destinations[0].queue.max_shards = 8;
    to->flood = true;
    to->reload_ms = 0;
    to->calm[0] = false;
    to->bytes_max[0] = 0;
    to->crash_ms = 0;
    to->stop_ms = 0;
    to->soon_permille = 0;
    to->active_ms = 25000;
    to->prometheus.targets = 4;
    to->prometheus.series_per_target = 250;
    to->prometheus.scrape_ms_min = 25;
    to->prometheus.scrape_ms_max = 30;
    to->prometheus.segment_bytes = 2 << 20;
    to->prometheus.truncate_ms = 0;
    to->prometheus.restart_ms = 0;
    to->prometheus.flips = false;
    to->prometheus.forgetful = false;
    to->prometheus.history_ms = 1000;
}

/* Weather that lasts: long enough for shards to be lent, and to come home again. */
static void spells_make(struct rng *rng, struct scenario *to)
{
    to->spell_ms_max = 6000;
    if (!chance(rng, 15)) {
        return;
    }
    to->active_ms = between(rng, 40000, 120000);
    to->spell_ms_max = between(rng, 10000, 60000);
    to->turn_ms = chance(rng, 50) ? between(rng, 5000, 30000) : 0;
    if (chance(rng, 60)) {
        to->crash_ms = 0;
        to->stop_ms = 0;
        to->soon_permille = 0;
    }
    to->prometheus.scrape_ms_min *= 3;
    to->prometheus.scrape_ms_max *= 3;
}

/* From a stream of its own, so that what seeds made before there were kinds they still make. */
static void kinds_make(struct scenario *scenario, uint64_t seed)
{
    struct rng rng = {seed * 0x9e3779b97f4a7c15u + 2};
    scenario->prometheus.kinds_percent = maybe(&rng, 30, 40);
    for (size_t i = 0; i < scenario->conf->destinations_count; i++) {
        struct conf_destination *to = &scenario->conf->destinations[i];
        to->protobuf = chance(&rng, 50) ? RW_2 : RW_1;
        to->send_native_histograms = chance(&rng, 50);
        to->send_exemplars = chance(&rng, 50);
    }
}

/* A receiver that takes samples in order only may have other opinions, too, and its source write
 * older samples: they are refused for their time, and say nothing of what is there. */
static void orderly_make(struct scenario *to, struct fake_judge *judge, uint64_t seed)
{
    struct rng rng = {seed * 0x9e3779b97f4a7c15u + 23};
    to->prometheus.backwards_percent = chance(&rng, 40) ? (unsigned)between(&rng, 1, 8) : 0;
    if (chance(&rng, 20)) {
        judge->refuses_series_each = (uint32_t)between(&rng, 3, 20);
    }
    if (chance(&rng, 20)) {
        judge->refuses_t_each = (uint32_t)between(&rng, 20, 300);
    }
    if (chance(&rng, 15)) {
        judge->fails_t_each = (uint32_t)between(&rng, 50, 500);
    }
}

/* Receivers with an opinion: most have none. Their dice are their own, so that the others' do not
 * move. */
static void judges_make(struct scenario *to, uint64_t seed)
{
    struct rng rng = {seed * 0xd1342543de82ef95u + 77};
    for (size_t i = 0; i < to->conf->destinations_count; i++) {
        struct fake_judge *judge = &to->judges[i];
        if (to->calm[i] || to->flood) {
            continue;
        }
        unsigned kind = (unsigned)rng_below(&rng, 100);
        judge->order = kind < 70 ? FAKE_ORDER_ANY : kind < 92 ? FAKE_ORDER_WHOLE : FAKE_ORDER_KEEP;
        if (judge->order != FAKE_ORDER_ANY) {
            to->prometheus.in_order = true;
            orderly_make(to, judge, seed + i);
            continue;
        }
        if (chance(&rng, 12)) {
            judge->refuses_series_each = (uint32_t)between(&rng, 3, 20);
        }
        if (chance(&rng, 12)) {
            judge->refuses_t_each = (uint32_t)between(&rng, 20, 300);
        }
        if (chance(&rng, 8)) {
            judge->fails_t_each = (uint32_t)between(&rng, 50, 500);
        }
    }
}

/* As kinds_make: a stream of its own. */
static void spool_make(struct scenario *scenario, uint64_t seed)
{
    struct rng rng = {seed * 0x9e3779b97f4a7c15u + 4};
    scenario->spools = chance(&rng, 60);
    scenario->links_refused = chance(&rng, 30);
    scenario->spool_ms_max = chance(&rng, 70) ? 10 : between(&rng, 10, 3000);
    scenario->spool_fail_permille = maybe(&rng, 75, 20);
    if (scenario->spools && !scenario->flood) {
        scenario->prometheus.truncate_unread |= chance(&rng, 70);
    }
}

/* As Azure: what is too old, too far ahead or out of order is not sent. The same. */
static void window_make(struct scenario *scenario, uint64_t seed)
{
    struct rng rng = {seed * 0x9e3779b97f4a7c15u + 11};
    if (scenario->flood) {
        return; /* the oracle looks back over a whole series for each of its items */
    }
    for (size_t i = 0; i < scenario->conf->destinations_count; i++) {
        struct conf_destination *to = &scenario->conf->destinations[i];
        /* a receiver with a window answers 2xx to all, and never says that it has them already */
        const struct fake_judge *judge = &scenario->judges[i];
        bool likes_all = judge->order == FAKE_ORDER_ANY && judge->refuses_series_each == 0 &&
                         judge->refuses_t_each == 0 && judge->fails_t_each == 0;
        if (chance(&rng, 75) || !likes_all) {
            continue;
        }
        to->window_ms = chance(&rng, 70) ? between(&rng, 3000, 30000) : 0;
        to->queue.sample_age_limit_ms = to->window_ms > 0 ? to->window_ms * 19 / 20 : 0;
        to->out_of_order = chance(&rng, 60) ? CONF_ORDER_DROP : CONF_ORDER_SEND;
    }
}

/* Low enough to bind, high enough that all is sent in the end. Where the wall clock jumps between
 * two lives nobody can know what was spent in the minute before. */
static void quotas_make(struct scenario *to, uint64_t seed)
{
    struct rng rng = {seed * 0x9e3779b97f4a7c15u + 7};
    if (to->wall_jumps || to->flood || !chance(&rng, 35)) {
        return;
    }
    for (size_t i = 0; i < to->conf->destinations_count; i++) {
        struct conf_destination *destination = &to->conf->destinations[i];
        const struct fake_judge *judge = &to->judges[i]; /* bisecting takes many requests */
        bool narrow = destination->queue.max_bytes_per_send < (1 << 20) || to->bytes_max[i] > 0 ||
                      judge->refuses_series_each > 0 || judge->refuses_t_each > 0 ||
                      judge->fails_t_each > 0;
        int64_t most = destination->queue.max_samples_per_send == 1 || narrow ? 600 : 60;
        if (to->calm[i] || destination->window_ms > 0 || judge->order != FAKE_ORDER_ANY) {
            continue; /* what waits too long would be lost there; the other: orderly_quotas_make */
        }
        for (size_t k = 0; k < to->endpoints_all[i]; k++) {
            destination->endpoints[k].quota.requests_per_minute =
                (uint64_t)between(&rng, most / 3, most);
        }
        if (chance(&rng, 40)) {
            destination->quota.requests_per_minute = (uint64_t)between(&rng, most / 2, most);
        }
    }
}

/* The same where samples are taken in order only: to find out what is there takes many requests,
 * and so does each sample that is older than the one before it. */
static void orderly_quotas_make(struct scenario *to, uint64_t seed)
{
    enum { MOST = 1800 };
    struct rng rng = {seed * 0x9e3779b97f4a7c15u + 12};
    for (size_t i = 0; i < to->conf->destinations_count && !to->wall_jumps; i++) {
        struct conf_destination *destination = &to->conf->destinations[i];
        if (to->judges[i].order == FAKE_ORDER_ANY || !chance(&rng, 35)) {
            continue;
        }
        for (size_t k = 0; k < to->endpoints_all[i]; k++) {
            destination->endpoints[k].quota.requests_per_minute =
                (uint64_t)between(&rng, MOST / 3, MOST);
        }
    }
}

/* A proxy that cuts large bodies off instead of saying so. None does that with small ones (real
 * ones have a megabyte): the engine may trust that fewer than LARGE samples pass. */
static void cuts_make(struct scenario *to, uint64_t seed)
{
    enum { CUT_BYTES_MIN = 1000 };
    struct rng rng = {seed * 0x9e3779b97f4a7c15u + 31};
    for (size_t i = 0; i < to->conf->destinations_count; i++) {
        to->cuts[i] = chance(&rng, 30);
        to->bytes_max[i] += to->cuts[i] && to->bytes_max[i] > 0 ? CUT_BYTES_MIN : 0;
    }
}

static unsigned lives_percent(struct rng *rng)
{
    return chance(rng, LIVES_PERCENT) ? (unsigned)between(rng, 20, 80) : 0;
}

/* Lives of the WAL, each of a stream of its own. Not where checkpoints lack living series: such a
 * series comes back under another ref, and its new items pass those that wait for the old one. */
static void lives_make(struct scenario *to, uint64_t seed)
{
    struct rng rot = {seed * 0xd1342543de82ef95u + 104};
    struct rng emptied = {seed * 0xd1342543de82ef95u + 186};
    struct rng restored = {seed * 0xd1342543de82ef95u + 248};
    struct prometheus_conf *prom = &to->prometheus;
    if (to->flood || prom->flips || prom->forgetful) {
        return;
    }
    prom->rot_percent = lives_percent(&rot);
    prom->emptied_percent = lives_percent(&emptied);
    prom->restored_percent = prom->rot_percent > 0 ? 0 : lives_percent(&restored);
    if (prom->restart_ms == 0 &&
        prom->rot_percent + prom->emptied_percent + prom->restored_percent > 0) {
        prom->restart_ms = between(&rot, 3000, 12000);
    }
}

/* What the spool may take, so little that it matters. The receivers' opinions and windows are left
 * out: of what is lost there, nobody could say by which rule. */
static void budgets_make(struct scenario *to, uint64_t seed)
{
    struct rng rng = {seed * 0xd1342543de82ef95u + 250};
    struct prometheus_conf *prom = &to->prometheus;
    if (!chance(&rng, BUDGETS_PERCENT) || to->flood || prom->flips) {
        return;
    }
    to->budgets = true;
    to->spools = true;
    prom->truncate_unread = true;
    if (prom->truncate_ms == 0) {
        prom->truncate_ms = between(&rng, 2000, 8000);
    }
    unsigned kind = (unsigned)rng_below(&rng, 4);
    if (kind != 1) {
        to->conf->spool_max_bytes = (uint64_t)between(&rng, 1000, 40000);
    }
    if (kind == 1 || kind == 3) {
        to->conf->spool_max_age_ms = between(&rng, 2000, 20000);
    }
    if (kind == 2) {
        to->conf->spool_min_free = chance(&rng, 50) ? 10 : 1 << 20;
        to->conf->spool_min_free_percent = to->conf->spool_min_free == 10;
        to->fills = true;
    }
    for (size_t i = 0; i < to->conf->destinations_count; i++) {
        to->judges[i] = (struct fake_judge){0};
        to->conf->destinations[i].window_ms = 0;
        to->conf->destinations[i].queue.sample_age_limit_ms = 0;
        to->conf->destinations[i].out_of_order = CONF_ORDER_SEND;
    }
}

/* Restarted with other domains: what each of those of before had settled is to be told of all. */
static void rearranges_make(struct scenario *to, uint64_t seed)
{
    struct rng rng = {seed * 0xd1342543de82ef95u + 256};
    to->rearranges = chance(&rng, REARRANGES_PERCENT) && !to->flood;
}

/* Renamed, and the next start told so: it goes on where it was, with its account. */
static void adopts_make(struct scenario *to, uint64_t seed)
{
    struct rng rng = {seed * 0xd1342543de82ef95u + 271};
    to->adopts = chance(&rng, ADOPTS_PERCENT) && !to->flood;
    for (size_t i = 0; i < to->conf->destinations_count && to->adopts; i++) {
        to->names[i] = mem_format("renamed%zu", i);
    }
}

void scenario_make(struct scenario *scenario, uint64_t seed)
{
    struct rng rng = {seed * 0x9e3779b97f4a7c15u + 1};
    *scenario = (struct scenario){.conf = conf_make(&rng)};
    prometheus_make(&rng, &scenario->prometheus);
    troubles_make(&rng, scenario);
    scenario->active_ms = between(&rng, 4000, 25000);
    spells_make(&rng, scenario);
    scenario->suspends = seed % 13 == 5;
    if (seed % FLOOD_EVERY == 0) {
        flood_make(scenario);
    }
    for (size_t i = 0; i < scenario->conf->destinations_count; i++) {
        scenario->endpoints_all[i] = scenario->conf->destinations[i].endpoints_count;
    }
    kinds_make(scenario, seed);
    spool_make(scenario, seed);
    struct rng rules_rng = {seed * 0x9e3779b97f4a7c15u + 3};
    scenario->prometheus.relabels = chance(&rules_rng, 30);
    if (scenario->prometheus.relabels) {
        rules_make(scenario->conf);
    }
    /* a receiver that takes one sample a request needs little to do */
    for (size_t i = 0; i < scenario->conf->destinations_count; i++) {
        if (scenario->conf->destinations[i].queue.max_samples_per_send < 50 &&
            scenario->prometheus.series_per_target > 5) {
            scenario->prometheus.series_per_target = 5;
            scenario->prometheus.targets = 2;
        }
    }
    judges_make(scenario, seed);
    window_make(scenario, seed);
    quotas_make(scenario, seed);
    orderly_quotas_make(scenario, seed);
    cuts_make(scenario, seed);
    lives_make(scenario, seed);
    budgets_make(scenario, seed);
    rearranges_make(scenario, seed);
    externals_make(scenario, seed);
    adopts_make(scenario, seed);
}

void scenario_release(struct scenario *scenario)
{
    for (size_t i = 0; i < DESTINATIONS_MAX; i++) {
        fake_judge_release(&scenario->judges[i]);
        mem_free(scenario->names[i]);
    }
    struct conf *conf = scenario->conf;
    for (size_t i = 0; i < conf->destinations_count; i++) {
        destination_release(&conf->destinations[i], scenario->endpoints_all[i]);
    }
    externals_release(scenario);
    mem_free(conf->destinations);
    mem_free(conf->wal_dir);
    mem_free(conf->state_dir);
    mem_free(conf->spool_dir);
    mem_free(conf);
}

void scenario_describe(const struct scenario *scenario, char *out, size_t bytes)
{
    const struct conf *conf = scenario->conf;
    const struct prometheus_conf *prom = &scenario->prometheus;
    int used = snprintf(out, bytes, "start_at %d;", (int)conf->start_at);
    for (size_t i = 0; i < conf->destinations_count; i++) {
        const struct conf_destination *to = &conf->destinations[i];
        used += snprintf(out + used, bytes - (size_t)used, " %s %s%s x%zu, %u samples, %u slots;",
                         to->name, to->placement == CONF_PINNED ? "pinned" : "failover",
                         scenario->calm[i] ? " calm" : "", to->endpoints_count,
                         to->queue.max_samples_per_send, to->queue.max_shards);
    }
    (void)snprintf(
        out + used, bytes - (size_t)used,
        " spells %lld, turns %lld; %zux%zu series, segments %zu, truncate %lld%s, restart %lld (crash %u%%, torn %u%%, power %u%%), late "
        "%u%%, ghosts %u, partial %u%%; crash %lld, stop %lld, hints %d%s",
        (long long)scenario->spell_ms_max, (long long)scenario->turn_ms, prom->targets,
        prom->series_per_target, prom->segment_bytes, (long long)prom->truncate_ms,
        prom->truncate_unread ? " unread" : "", (long long)prom->restart_ms, prom->crash_percent,
        prom->torn_percent, prom->power_percent, prom->late_percent, prom->unknown_permille,
        prom->partial_percent, (long long)scenario->crash_ms, (long long)scenario->stop_ms,
        (int)scenario->hints, scenario->once_last ? ", once" : "");
}

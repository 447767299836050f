/* world_reload.c - live changes of the configuration: the engine gets copies of the scenario's,
 * which changes; a copy goes when the engine says that it needs it no more. */
#include "world.h"

#include <walship/mem.h>

/* Texts, rules and labels are the scenario's and outlive it. */
const struct conf *conf_copy(struct world *world)
{
    const struct conf *from = world->scenario.conf;
    struct conf *conf = mem_new(1, sizeof *conf);
    *conf = *from;
    conf->destinations = mem_new(from->destinations_count, sizeof *conf->destinations);
    for (size_t i = 0; i < from->destinations_count; i++) {
        struct conf_destination *to = &conf->destinations[i];
        *to = from->destinations[i];
        to->endpoints = mem_new(to->endpoints_count, sizeof *to->endpoints);
        memcpy(to->endpoints, from->destinations[i].endpoints,
               to->endpoints_count * sizeof *to->endpoints);
    }
    ASSERT(world->confs_count < CONFS_MAX);
    world->confs[world->confs_count++] = conf;
    return conf;
}

static void conf_copy_free(struct conf *conf)
{
    for (size_t i = 0; i < conf->destinations_count; i++) {
        mem_free(conf->destinations[i].endpoints);
    }
    mem_free(conf->destinations);
    mem_free(conf);
}

void confs_sweep(struct world *world)
{
    size_t kept = 0;
    for (size_t i = 0; i < world->confs_count; i++) {
        if (world->engine != NULL && engine_borrows(world->engine, world->confs[i])) {
            world->confs[kept++] = world->confs[i];
        } else {
            conf_copy_free(world->confs[i]);
        }
    }
    world->confs_count = kept;
}

static void destination_change(struct world *world, size_t index)
{
    static const double weights[] = {1, 1, 0.5, 3};
    struct rng *rng = &world->rng;
    struct scenario *scenario = &world->scenario;
    struct conf_destination *conf = &scenario->conf->destinations[index];
    bool pinned = conf->placement == CONF_PINNED;
    bool shards = false;
    conf->endpoints_count = 1 + (size_t)rng_below(rng, scenario->endpoints_all[index]);
    conf->endpoints[0].weight = weights[rng_below(rng, ARRAY_COUNT(weights))];
    conf->queue.max_shards = 1 + (uint32_t)rng_below(rng, 8);
    if (rng_below(rng, 3) == 0) {
        conf->placement = pinned ? CONF_FAILOVER : CONF_PINNED;
    }
    if (rng_below(rng, 3) == 0) {
        conf->shard_by_count = !conf->shard_by_count;
        shards = true;
    }
    report_line(world->report, "[%7lld] %s live: %zu endpoints, %s, shard_by %zu",
                (long long)world->now_ms, conf->name, conf->endpoints_count,
                conf->placement == CONF_PINNED ? "pinned" : "failover", conf->shard_by_count);
    oracle_reloaded(&world->oracle, index, pinned || conf->placement == CONF_PINNED, shards);
}

void life_reload(struct world *world)
{
    struct err err = {0};
    world->reload_ms = world->now_ms + world_between(world, 1, 2 * world->scenario.reload_ms);
    if (world->engine == NULL || world->stopping || world->confs_count == CONFS_MAX) {
        return;
    }
    size_t count = world->scenario.conf->destinations_count;
    destination_change(world, (size_t)rng_below(&world->rng, count));
    if (!engine_reconfigure(world->engine, conf_copy(world), &err)) {
        report_violation(world->report, "a good configuration is refused: %s", err.text);
    }
    world->signalled = true;
}

/* world_reload.c - configurations that take each other's place while the engine runs. */
#include "world_rules.h"

#include <check.h>
#include <walship/mem.h>

static struct world_conf *next_of(struct world *world)
{
    if (world->next == NULL) {
        world->next = mem_new(1, sizeof *world->next);
        world->next->conf = (struct conf){.wal_dir = mem_string("/wal"),
                                          .start_at = world->conf.start_at,
                                          .destinations = world->next->destinations};
    }
    return world->next;
}

static void conf_release(struct world_conf *one)
{
    for (size_t i = 0; i < one->conf.destinations_count; i++) {
        world_relabel_release(&one->destinations[i]);
        world_destination_release(&one->destinations[i]);
    }
    mem_free((void *)(uintptr_t)one->external.name);
    mem_free((void *)(uintptr_t)one->external.value);
    mem_free(one->conf.wal_dir);
    mem_free(one);
}

static void reload(struct world *world)
{
    struct err err = {0};
    struct world_conf *one = next_of(world);
    world->next = NULL;
    if (!engine_reconfigure(world->engine, &one->conf, &err)) {
        world_print(world, "          refused: %s\n", err.text);
        conf_release(one);
        return;
    }
    ck_assert_uint_lt(world->confs_count, WORLD_CONFS_MAX);
    world->confs[world->confs_count++] = one;
}

/* Those that nothing needs any more go. */
static void sweep(struct world *world)
{
    size_t kept = 0;
    for (size_t i = 0; i < world->confs_count; i++) {
        if (engine_borrows(world->engine, &world->confs[i]->conf)) {
            world->confs[kept++] = world->confs[i];
        } else {
            conf_release(world->confs[i]);
        }
    }
    world->confs_count = kept;
    world_print(world, "          %zu later configurations in use, the first one is %s\n", kept,
                engine_borrows(world->engine, &world->conf) ? "in use" : "free");
}

void world_reload_release(struct world *world)
{
    for (size_t i = 0; i < world->confs_count; i++) {
        conf_release(world->confs[i]);
    }
    if (world->next != NULL) {
        conf_release(world->next);
    }
}

void world_endpoints(struct world *world)
{
    for (size_t i = 0; i < world->conf.destinations_count; i++) {
        for (size_t k = 0; k < world->destinations[i].endpoints_count; k++) {
            struct engine_endpoint_stats s;
            engine_endpoint_stats(world->engine, i, k, &s);
            world_print(world, "          %s: %s, %s, %u shards at home, %u present\n", s.url,
                        endpoint_state_name(s.state), lending_state_name(s.lending), s.shards,
                        s.shards_present);
        }
    }
}

bool world_reload_step(struct world *world, const char *verb, char *line)
{
    if (strcmp(verb, "next") == 0) {
        struct world_conf *one = next_of(world);
        world_destination(world, &one->destinations[one->conf.destinations_count++], line);
    } else if (strcmp(verb, "next_relabel") == 0) {
        struct world_conf *one = next_of(world);
        ck_assert_uint_gt(one->conf.destinations_count, 0);
        world_relabel(&one->destinations[one->conf.destinations_count - 1], line);
    } else if (strcmp(verb, "next_external") == 0) {
        struct world_conf *one = next_of(world);
        size_t name = strcspn(line, " ");
        size_t value = strlen(line + name + 1);
        one->external =
            (struct label){mem_format("%.*s", (int)name, line), mem_string(line + name + 1),
                           (uint32_t)name, (uint32_t)value};
        one->conf.external_labels = &one->external;
        one->conf.external_labels_count = 1;
    } else if (strcmp(verb, "next_wal_dir") == 0) {
        mem_free(next_of(world)->conf.wal_dir);
        world->next->conf.wal_dir = mem_string(line);
    } else if (strcmp(verb, "reload") == 0) {
        reload(world);
    } else if (strcmp(verb, "confs") == 0) {
        sweep(world);
    } else {
        return false;
    }
    return true;
}

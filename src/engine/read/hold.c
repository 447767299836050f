/* hold.c - labels of items on their way outlive a collection.
 *
 * A checkpoint lists every ref that is still used, so what it lacks may go, but the list is another
 * program's: one that lacks a living series must cost at most its later items (unknown_ref, with
 * account), not the labels under those already read, whose set number would become another's. What
 * a rewind (rewind.c) reads again is later, too: its labels are those of its ref, which is gone. */
#include "internal.h"

struct holding {
    struct engine *engine;
    uint8_t *seen; /* by set */
    uint32_t *sets;
    size_t count, capacity;
};

static void hold(struct holding *holding, uint32_t set)
{
    if (set == LABELS_NONE || holding->seen[set]) {
        return;
    }
    holding->seen[set] = 1;
    if (holding->count == holding->capacity) {
        holding->capacity = holding->capacity * 2 + 64;
        holding->sets = mem_grow(holding->sets, holding->capacity, sizeof *holding->sets);
    }
    labels_retain(holding->engine->labels, set);
    holding->sets[holding->count++] = set;
}

static void hold_lanes(struct holding *holding, const struct destination *destination)
{
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        const struct lane *lane = &destination->lanes[i];
        struct lane_walk walk;
        lane_walk_start(&walk, lane);
        for (uint32_t k = 0; k < lane->count; k++) {
            hold(holding, lane_walk_next(&walk)->set);
        }
    }
}

/* Decoded, not delivered to all yet. */
static void hold_reader(struct holding *holding, const struct reader *reader)
{
    for (size_t i = 0; i < reader->chunk_count; i++) {
        hold(holding, reader->sets[i]);
    }
}

static void sets_release(struct engine *engine)
{
    for (size_t i = 0; i < engine->held_count; i++) {
        labels_release(engine->labels, engine->held[i]);
    }
    mem_free(engine->held);
}

void sets_hold(struct engine *engine)
{
    struct holding holding = {.engine = engine};
    holding.seen = mem_new((size_t)labels_bound(engine->labels) + 1, 1);
    for (size_t i = 0; i < engine->destinations_count; i++) {
        hold_lanes(&holding, &engine->destinations[i]);
    }
    for (size_t i = 0; i < engine->readers_count; i++) {
        hold_reader(&holding, engine->readers[i]);
    }
    mem_free(holding.seen);
    sets_release(engine); /* those of the last collection: what is still on its way is held anew */
    engine->held = holding.sets;
    engine->held_count = holding.count;
}

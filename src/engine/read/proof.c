/* proof.c - what the files themselves must prove before a saved place is believed.
 *
 * A watermark is proven by its record's ordinal and checksum (scan.c). What lanes had settled
 * beyond it is a number only: where the WAL was cut between the two and has other content under the
 * same numbers now, that number would hide items that nobody ever read. */
#include "internal.h"

bool proof_top(const struct engine *engine, struct position *out)
{
    bool found = false;
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < LANES_COUNT; k++) {
            const struct lane *lane = &destination->lanes[k];
            const struct domain *domain = destination->domains[lane->domain];
            bool beyond = lane->settled.generation == waldir_generation(engine->dir) &&
                          position_before(&domain->next.at, &lane->settled);
            if (beyond && (!found || position_before(out, &lane->settled))) {
                *out = lane->settled;
                found = true;
            }
        }
    }
    return found;
}

/* The lowest that the directory itself has: what is below was deleted, as ever. */
static uint32_t first_live(const struct waldir *dir)
{
    size_t i = 0;
    while (i < waldir_count(dir) && waldir_at(dir, i)->pinned) {
        i++;
    }
    return i < waldir_count(dir) ? waldir_at(dir, i)->number : UINT32_MAX;
}

bool proof_holds(const struct engine *engine)
{
    struct position top;
    if (!proof_top(engine, &top)) {
        return true;
    }
    uint32_t first = first_live(engine->dir);
    for (size_t i = 0; i < engine->segments_count; i++) {
        const struct store_segment *known = &engine->segments[i];
        const struct waldir_segment *segment = waldir_find(engine->dir, known->number);
        if (known->generation != top.generation || known->number < first ||
            known->number > top.segment) {
            continue;
        }
        if (kin_begins(engine, segment, known->generation) != KIN_ALIKE) {
            return false;
        }
    }
    return true;
}

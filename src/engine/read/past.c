/* past.c - earlier generations of the WAL, as far as they are pinned.
 *
 * When the WAL gets another life (repair, restore, emptied directory) the pins of the one before
 * are a directory of their own. Every domain reads it to its end first and then goes on in the next
 * generation, at the first segment that is not one of those it has read: so the items of a series
 * stay in order, and what Prometheus itself gave up is delivered. Domains do this each at its own
 * pace: one that lags holds up no other (I7). */
#include "internal.h"

static struct past *past_of(const struct engine *engine, uint32_t generation)
{
    const struct pins *pins = &engine->pins;
    for (size_t i = 0; i < pins->pasts_count; i++) {
        if (pins->pasts[i].generation == generation) {
            return (struct past *)(uintptr_t)&pins->pasts[i];
        }
    }
    return NULL;
}

bool past_is(const struct engine *engine, uint32_t generation)
{
    return past_of(engine, generation) != NULL;
}

struct waldir *dir_of(struct engine *engine, uint32_t generation)
{
    const struct past *past = past_of(engine, generation);
    if (past != NULL) {
        return past->dir;
    }
    return generation == waldir_generation(engine->dir) ? engine->dir : NULL;
}

static struct past *past_add(struct engine *engine, uint32_t generation)
{
    struct pins *pins = &engine->pins;
    if (pins->pasts_count == PASTS_MAX) {
        return NULL; /* a life of the WAL each second: places there are looked for in the newest */
    }
    ASSERT(pins->pasts_count == 0 || pins->pasts[pins->pasts_count - 1].generation < generation);
    struct past *past = &pins->pasts[pins->pasts_count++];
    *past = (struct past){.generation = generation, .dir = waldir_new_past(engine->os, generation)};
    return past;
}

/* False: for now it is not known what is left of it. */
static bool past_look(struct past *past)
{
    bool changed;
    bool replaced;
    struct err err = {0};
    if (!waldir_refresh(past->dir, &changed, &replaced, &err)) {
        LOG_ERROR("what the spool keeps can't be looked at, trying again",
                  LOG_STR("err", err.text));
        return false;
    }
    ASSERT(!replaced);
    return true;
}

/* ---- which files are common ---- */

static bool same_file(const struct waldir_segment *segment, uint64_t device, uint64_t inode)
{
    return segment->device == device && segment->inode == inode;
}

/* Was this file a segment of that generation? */
static bool known_in(struct engine *engine, uint32_t generation,
                     const struct waldir_segment *segment)
{
    const struct pin *pin = pins_find(&engine->pins, generation, segment->number);
    if (pin != NULL) {
        return same_file(segment, pin->device, pin->inode);
    }
    const struct store_segment *known = segment_known(engine, generation, segment->number);
    return known != NULL && same_file(segment, known->device, known->inode) &&
           (!segment->has_identity || segment->identity == known->first_crc);
}

/* Behind the highest segment that is common, as far as the old generation is read (up to segment
 * `top`): what lies below it is as well, though not all has what tells it. Where nothing is, the
 * first. Asked while `next` is still called by the old generation, it passes over what only pins
 * have. */
static uint32_t fork_of(struct engine *engine, uint32_t generation, const struct waldir *next,
                        uint32_t top)
{
    bool before = waldir_generation(next) == generation;
    bool behind = true; /* a common one, or nothing */
    uint32_t fork = 0;
    for (size_t i = 0; i < waldir_count(next); i++) {
        const struct waldir_segment *segment = waldir_at(next, i);
        if (before && segment->pinned) {
            continue;
        }
        if (segment->number <= top && known_in(engine, generation, segment)) {
            fork = segment->number + 1;
            behind = true;
        } else if (behind) {
            fork = segment->number;
            behind = false;
        }
    }
    return fork;
}

static bool readable(const struct pin *pin)
{
    return !pin->over && (pin->state == PIN_KEPT || pin->fd >= 0);
}

/* The highest pin of a file that the directory itself no longer has. */
static const struct pin *lost_top(struct engine *engine, uint32_t generation)
{
    const struct pins *pins = &engine->pins;
    const struct pin *top = NULL;
    for (size_t i = 0; i < pins->count; i++) {
        const struct pin *pin = &pins->pins[i];
        const struct waldir_segment *segment = waldir_find(engine->dir, pin->number);
        bool there =
            segment != NULL && !segment->pinned && same_file(segment, pin->device, pin->inode);
        if (pin->generation == generation && readable(pin) && !there) {
            top = pin;
        }
    }
    return top;
}

/* What the directory has of the newest generation before is read there, and pinned anew: it may
 * still grow. The rest, up to the highest that is gone, is a past; NULL: nothing is gone. */
static struct past *past_divide(struct engine *engine, uint32_t generation)
{
    struct pins *pins = &engine->pins;
    const struct pin *top = lost_top(engine, generation);
    uint32_t top_number = top == NULL ? 0 : top->number;
    struct past *past = top == NULL ? NULL : past_add(engine, generation);
    for (size_t i = 0; i < pins->count; i++) {
        struct pin *pin = &pins->pins[i];
        if (pin->generation == generation && (past == NULL || pin->number > top_number)) {
            pin->over = true;
        } else if (pin->generation == generation) {
            pin_show(engine, pin);
        }
    }
    pins->look = true;
    return past;
}

void past_begin(struct engine *engine, uint32_t generation)
{
    struct past *past = past_divide(engine, generation);
    if (past != NULL) {
        past->has_fork = true;
        past->fork = fork_of(engine, generation, engine->dir, lost_top(engine, generation)->number);
        (void)past_look(past); /* the scan asks again */
        LOG_INFO("the rest of the WAL's earlier life is delivered first",
                 LOG_U64("generation", generation), LOG_U64("segments", waldir_count(past->dir)));
        trace_line(engine, "generation %u: %zu segments are pinned, the next begins at %u",
                   generation, waldir_count(past->dir), past->fork);
    }
}

/* The newest one before that lost something to the present: what is between has nothing that the
 * present has not. 0: none. */
static uint32_t last_past(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    for (size_t i = pins->count; i > 0; i--) {
        struct pin *pin = &pins->pins[i - 1];
        if (pin->generation == waldir_generation(engine->dir)) {
            continue;
        }
        if (lost_top(engine, pin->generation) != NULL) {
            return pin->generation;
        }
        pin->over = true;
    }
    return 0;
}

void pasts_load(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    uint32_t last = last_past(engine);
    for (size_t i = 0; i < pins->count; i++) {
        uint32_t generation = pins->pins[i].generation;
        if (generation < last && !past_is(engine, generation)) {
            (void)past_add(engine, generation);
        }
    }
    if (last > 0) {
        (void)past_divide(engine, last);
    }
}

bool past_has(const struct engine *engine, const struct position *at)
{
    const struct past *past = past_of(engine, at->generation);
    size_t count = past == NULL ? 0 : waldir_count(past->dir);
    return count > 0 && waldir_at(past->dir, count - 1)->number >= at->segment;
}

/* The highest segment that is left of it. */
static uint32_t past_top(const struct past *past)
{
    size_t count = waldir_count(past->dir);
    return count == 0 ? 0 : waldir_at(past->dir, count - 1)->number;
}

struct position past_next(struct engine *engine, uint32_t generation, uint32_t *previous_crc)
{
    struct pins *pins = &engine->pins;
    struct past *past = past_of(engine, generation);
    struct position at = {.generation = waldir_generation(engine->dir)};
    ASSERT(past != NULL && generation < at.generation);
    for (size_t i = pins->pasts_count; i > 0; i--) {
        if (pins->pasts[i - 1].generation > generation) {
            at.generation = pins->pasts[i - 1].generation;
        }
    }
    if (!past->has_fork) {
        past->has_fork = true;
        past->fork = fork_of(engine, generation, dir_of(engine, at.generation), past_top(past));
    }
    at.segment = past->fork;
    at.record = past->fork_record;
    *previous_crc = past->fork_crc;
    return at;
}

static bool past_used(const struct engine *engine, uint32_t generation)
{
    const struct pins *pins = &engine->pins;
    for (size_t i = 0; i < pins->count; i++) {
        if (pins->pins[i].generation == generation) {
            return true;
        }
    }
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            if (destination->domains[k]->next.at.generation == generation) {
                return true;
            }
        }
    }
    return false;
}

bool pasts_look(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    bool all = true;
    for (size_t i = 0; i < pins->pasts_count; i++) {
        all = past_look(&pins->pasts[i]) && all;
    }
    return all;
}

void pasts_run(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    size_t kept = 0;
    (void)pasts_look(engine);
    for (size_t i = 0; engine->scan.state == SCAN_DONE && i < pins->pasts_count; i++) {
        if (past_used(engine, pins->pasts[i].generation)) {
            pins->pasts[kept++] = pins->pasts[i];
        } else {
            waldir_free(pins->pasts[i].dir);
        }
    }
    pins->pasts_count = engine->scan.state == SCAN_DONE ? kept : pins->pasts_count;
}

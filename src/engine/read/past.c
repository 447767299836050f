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

struct waldir *dir_of(const struct engine *engine, uint32_t generation)
{
    const struct past *past = past_of(engine, generation);
    if (past != NULL) {
        return past->dir;
    }
    return generation == waldir_generation(engine->dir) ? engine->dir : NULL;
}

/* More lives than are read one after the other. Who is before this one will not meet it: that is on
 * the books at once, for nobody passes a place in it. What is kept of it stays till then; a later
 * start may have room for it. */
static void past_skipped(struct engine *engine, uint32_t generation)
{
    struct position behind = {.generation = generation + 1};
    struct loss loss = {.reason = LOSS_TRUNCATED,
                        .from = {.generation = generation},
                        .to = behind,
                        .time_min_ms = INT64_MAX,
                        .time_max_ms = INT64_MIN};
    LOG_ERROR("too many lives of the WAL wait to be sent: this one is left out, and what only it "
              "has may be lost",
              LOG_U64("generation", generation), LOG_U64("lives", engine->pins.pasts_count));
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        bool meets = false;
        for (size_t k = 0; k < destination->domains_count; k++) {
            meets = meets || position_before(&destination->domains[k]->next.at, &behind);
        }
        if (meets) {
            destination->relaid = true;
            ledger_add(engine, destination, &loss);
        }
    }
}

static struct past *past_add(struct engine *engine, uint32_t generation)
{
    struct pins *pins = &engine->pins;
    if (pins->pasts_count == PASTS_MAX) {
        past_skipped(engine, generation);
        return NULL;
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

/* ---- what is common ---- */

/* Nobody needs anything of it: neither there nor, as far as it is the same, in an earlier or a
 * later one. That is no kinship: where nothing tells of this generation it counts as the same. */
static bool settled_in(const struct engine *engine, uint32_t generation, uint32_t number)
{
    const struct pins *pins = &engine->pins;
    struct position behind = {.generation = generation, .segment = number + 1};
    if (pins->has_low && pins->low.generation < generation && number < pins->low.segment) {
        const struct store_segment *was = segment_known(engine, pins->low.generation, number);
        const struct store_segment *last = segment_last_known(engine, generation, number);
        return was != NULL && last != NULL && was->first_crc == last->first_crc;
    }
    return pins->has_low && !position_before(&pins->low, &behind);
}

/* Behind the highest segment that the next generation has of this one: below it nothing was written
 * anew. 0: there is none. */
static uint32_t behind_common(struct engine *engine, uint32_t generation, const struct waldir *next)
{
    for (size_t i = waldir_count(next); i > 0; i--) {
        const struct waldir_segment *segment = waldir_at(next, i - 1);
        if (kin_of(engine, segment, generation) >= KIN_ALIKE) {
            return segment->number + 1;
        }
    }
    return 0;
}

/* What an earlier life of walship only held open, or let go before its state was lost, is not in
 * the spool. What of it the next generation still has belongs to this one first: else what was kept
 * above it would be read before it. False: for now it can't be told. */
bool past_complete(struct engine *engine, struct past *past)
{
    uint32_t generation = past->generation;
    uint32_t after = past_after(engine, generation);
    const struct waldir *next = dir_of(engine, after);
    size_t count = waldir_count(past->dir);
    uint32_t top = count == 0 ? 0 : waldir_at(past->dir, count - 1)->number;
    uint32_t behind = behind_common(engine, generation, next);
    bool adopted = false;
    ASSERT(next != NULL && !past->has_fork);
    for (size_t i = waldir_count(next); i > 0; i--) { /* no holes, should there be no more room */
        const struct waldir_segment *segment = waldir_at(next, i - 1);
        bool missing = segment->number < top && waldir_find(past->dir, segment->number) == NULL &&
                       pins_find(&engine->pins, generation, segment->number) == NULL;
        if (!missing || segment->number >= behind ||
            settled_in(engine, generation, segment->number)) {
            continue;
        }
        if (!pin_adopt(engine, generation, after, segment)) {
            return false;
        }
        segment_adopted(engine, generation, segment);
        adopted = true;
    }
    return !adopted || past_look(past);
}

/* Behind the highest segment that is common, as far as the old generation is read, or at it where
 * only its beginning is: what lies below is as well, though not all has what tells it (an empty
 * segment that nobody keeps has nothing). What is settled may have been cut, or copied: what is
 * left of it is common whole. Where nothing is, the first. */
static uint32_t fork_of(struct engine *engine, const struct past *past, const struct waldir *next)
{
    bool behind = true; /* a common one, or nothing */
    bool done = true;
    uint32_t fork = 0;
    ASSERT(waldir_generation(next) > past->generation);
    for (size_t i = 0; i < waldir_count(next) && done; i++) {
        const struct waldir_segment *segment = waldir_at(next, i);
        enum kinship kin = kin_of(engine, segment, past->generation);
        bool settled = settled_in(engine, past->generation, segment->number);
        done = settled || waldir_find(past->dir, segment->number) != NULL;
        bool common = done && kin >= KIN_ALIKE;
        bool whole = common && (settled || kin == KIN_SAME);
        if (common || behind) {
            fork = segment->number + (whole ? 1 : 0);
        }
        behind = whole;
    }
    return fork;
}

static bool readable(const struct pin *pin)
{
    return !pin->over && (pin->state == PIN_KEPT || pin->fd >= 0);
}

/* The highest pin of what the directory itself no longer has. */
static const struct pin *lost_top(struct engine *engine, uint32_t generation)
{
    const struct pins *pins = &engine->pins;
    for (size_t i = pins->count; i > 0; i--) {
        const struct pin *pin = &pins->pins[i - 1];
        if (pin->generation == generation && readable(pin) && !pin_is_there(engine, pin)) {
            return pin;
        }
    }
    return NULL;
}

/* The directory has what it keeps, and there `heir` reads it and pins it anew. */
static void pin_hand_over(struct pin *pin, uint32_t heir)
{
    ASSERT(pin->generation < heir);
    pin->over = true;
    pin->heir = heir;
}

/* What the directory has of the newest generation before is read there, and pinned anew: it may
 * still grow. The rest, up to the highest that is gone, is a past; NULL: nothing is gone, or there
 * is no room. */
static struct past *past_divide(struct engine *engine, uint32_t generation, uint32_t heir)
{
    struct pins *pins = &engine->pins;
    const struct pin *top = lost_top(engine, generation);
    uint32_t top_number = top == NULL ? 0 : top->number;
    struct past *past = top == NULL ? NULL : past_add(engine, generation);
    for (size_t i = 0; i < pins->count; i++) {
        struct pin *pin = &pins->pins[i];
        if (pin->generation == generation && (top == NULL || pin->number > top_number)) {
            pin_hand_over(pin, heir);
        } else if (pin->generation == generation) {
            pin_show(engine, pin);
        }
    }
    pins->look = true;
    return past;
}

void past_begin(struct engine *engine, uint32_t generation)
{
    struct past *past = past_divide(engine, generation, generation + 1);
    if (past != NULL) {
        (void)past_look(past); /* the scan asks again */
        LOG_INFO("the rest of the WAL's earlier life is delivered first",
                 LOG_U64("generation", generation), LOG_U64("segments", waldir_count(past->dir)));
        trace_line(engine, "generation %u: %zu segments are pinned", generation,
                   waldir_count(past->dir));
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
        pin_hand_over(pin, waldir_generation(engine->dir));
    }
    return 0;
}

void pasts_load(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    uint32_t last = last_past(engine);
    for (size_t i = 0; i < pins->count; i++) {
        uint32_t generation = pins->pins[i].generation;
        bool first = i == 0 || pins->pins[i - 1].generation != generation;
        if (generation < last && first) {
            (void)past_add(engine, generation);
        }
    }
    if (last > 0) {
        (void)past_divide(engine, last, waldir_generation(engine->dir));
    }
}

bool past_has(const struct engine *engine, const struct position *at)
{
    const struct past *past = past_of(engine, at->generation);
    size_t count = past == NULL ? 0 : waldir_count(past->dir);
    return count > 0 && waldir_at(past->dir, count - 1)->number >= at->segment;
}

uint32_t past_after(const struct engine *engine, uint32_t generation)
{
    const struct pins *pins = &engine->pins;
    uint32_t after = waldir_generation(engine->dir);
    for (size_t i = pins->pasts_count; i > 0; i--) {
        after = pins->pasts[i - 1].generation > generation ? pins->pasts[i - 1].generation : after;
    }
    return after;
}

uint32_t past_successor(const struct engine *engine, const struct past *past)
{
    uint32_t last = past->passes > past->generation ? past->passes : past->generation;
    return past_after(engine, last);
}

/* All that is left of the next generation is also here, and more: the end of that one was in the
 * directory, and belongs to the one after it. */
static bool has_all_of(const struct past *past, const struct past *next)
{
    size_t count = waldir_count(next->dir);
    ASSERT(past->generation < next->generation);
    return count > 0 && past->fork > waldir_at(next->dir, count - 1)->number &&
           waldir_find(past->dir, past->fork) != NULL;
}

static void past_fork(struct engine *engine, struct past *past)
{
    uint32_t after = past_after(engine, past->generation);
    const struct past *next;
    ASSERT(!past->has_fork);
    past->has_fork = true;
    past->fork = fork_of(engine, past, dir_of(engine, after));
    while ((next = past_of(engine, after)) != NULL && has_all_of(past, next)) {
        past->passes = after;
        after = past_after(engine, after);
        past->fork = fork_of(engine, past, dir_of(engine, after));
    }
    trace_line(engine, "generation %u: the next begins at segment %u", past->generation,
               past->fork);
}

struct position past_next(struct engine *engine, uint32_t generation, uint32_t *previous_crc)
{
    struct past *past = past_of(engine, generation);
    ASSERT(past != NULL);
    if (!past->has_fork) {
        past_fork(engine, past);
    }
    *previous_crc = past->fork_crc;
    return (struct position){.generation = past_successor(engine, past),
                             .segment = past->fork,
                             .record = past->fork_record};
}

/* In the oldest that has it, from generation `lowest` on. */
static struct position common_from(const struct engine *engine, const struct position *at,
                                   uint32_t lowest)
{
    struct position common = *at;
    for (size_t i = engine->pins.pasts_count; i > 0; i--) {
        const struct past *past = &engine->pins.pasts[i - 1];
        if (past->generation >= common.generation || past->generation < lowest) {
            continue;
        }
        ASSERT(past->has_fork); /* that is the first thing of a scan */
        bool next = common.generation <= past_successor(engine, past);
        bool before = common.segment < past->fork ||
                      (common.segment == past->fork && common.record < past->fork_record);
        if (next && before) {
            common.generation = past->generation;
        }
    }
    return common;
}

/* Behind the highest segment below `next` that both are known to have: what lies below it they have
 * in common, too. 0: none is known, and all may be another WAL's. */
static uint32_t common_below(const struct engine *engine, const struct past *past,
                             const struct position *next)
{
    uint32_t behind = 0;
    for (size_t i = 0; i < engine->segments_count; i++) {
        const struct store_segment *later = &engine->segments[i];
        struct position at = {.generation = later->generation, .segment = later->number};
        if (later->generation == next->generation && later->number < next->segment &&
            kin_told(engine, &at, past->generation) >= KIN_ALIKE) {
            behind = later->number + 1; /* ascending */
        }
    }
    return behind;
}

bool past_gap(const struct engine *engine, const struct position *end, const struct position *next,
              uint32_t *from)
{
    const struct past *past = past_of(engine, end->generation);
    const struct waldir *dir = dir_of(engine, next->generation);
    ASSERT(past != NULL && dir != NULL && end->generation < next->generation);
    bool first = waldir_count(dir) > 0 && waldir_at(dir, 0)->number == next->segment;
    *from = end->segment + 1;
    if (first && next->record == 0) { /* not a record of what is left of it is common */
        uint32_t common = common_below(engine, past, next);
        *from = common < *from ? common : *from;
    }
    return *from < next->segment;
}

bool past_broken_off(struct engine *engine, const struct position *end, const struct position *next,
                     uint32_t *from, uint32_t *to)
{
    const struct past *past = past_of(engine, end->generation);
    struct position behind = {.generation = next->generation, .segment = UINT32_MAX};
    size_t known = segments_up_to(engine, end->generation);
    ASSERT(past != NULL && end->generation < next->generation);
    if (known == 0 || engine->segments[known - 1].generation != end->generation) {
        return false;
    }
    /* what the next has of it, or had, is missed there if it is missing */
    uint32_t there = behind_common(engine, end->generation, dir_of(engine, next->generation));
    uint32_t told = common_below(engine, past, &behind);
    *to = engine->segments[known - 1].number;
    *from = end->segment < next->segment ? next->segment : end->segment + 1;
    *from = *from < there ? there : *from;
    *from = *from < told ? told : *from;
    return *from <= *to;
}

struct position past_common(const struct engine *engine, const struct position *at)
{
    return common_from(engine, at, 0);
}

void past_align(const struct engine *engine, struct destination *destination)
{
    for (size_t i = 0; i < LANES_COUNT; i++) {
        struct lane *lane = &destination->lanes[i];
        uint32_t reads = destination->domains[lane->domain]->next.at.generation;
        lane->settled = common_from(engine, &lane->settled, reads);
        lane->resumed = common_from(engine, &lane->resumed, reads);
    }
}

void past_oldest(const struct engine *engine, struct domain *domain)
{
    for (size_t i = 0; i < engine->pins.pasts_count && domain->anchor == ANCHOR_OLDEST; i++) {
        const struct past *past = &engine->pins.pasts[i];
        if (waldir_count(past->dir) > 0) {
            domain->anchor = ANCHOR_MARK;
            domain->next = (struct mark){
                .at = {.generation = past->generation, .segment = waldir_at(past->dir, 0)->number}};
        }
    }
}

/* Nothing is left of the place's own generation, and the place itself is not found in what came
 * after it: it is where it was to go on then, at its segment if that is still the one that was
 * read, else behind the newest below that is. */
bool past_nearest(const struct engine *engine, const struct past *past, const struct position *at,
                  struct position *out)
{
    size_t count = waldir_count(past->dir);
    size_t first = 0;
    bool same = false;
    ASSERT(count > 0 && at->generation < past->generation);
    for (size_t i = 0; i < count && waldir_at(past->dir, i)->number <= at->segment; i++) {
        uint32_t number = waldir_at(past->dir, i)->number;
        struct position here = {.generation = past->generation, .segment = number};
        if (kin_told(engine, &here, at->generation) == KIN_ALIKE) {
            first = number < at->segment && i + 1 < count ? i + 1 : i;
            same = true;
        }
    }
    uint32_t number = waldir_at(past->dir, first)->number;
    *out = (struct position){.generation = past->generation, .segment = number};
    /* the start of a segment can't be refuted by what is not there */
    return number <= at->segment && (same || (number == at->segment && at->record == 0));
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

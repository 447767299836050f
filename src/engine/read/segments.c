/* segments.c - what was read of the segments of each generation, in this life and earlier ones:
 * whoever looks for a saved place asks whether a segment on disk is the one that it lies in.
 *
 * What is read now, the directory remembers, also when the file is gone (a repair deletes before
 * anybody is told); from there it is taken before it is asked for. The first scan of a life looks
 * at what may be another WAL by now: until it ends, what it reads says nothing about the
 * generation. */
#include "internal.h"

/* Where it is in the table, or would be: ascending. */
static size_t place_of(const struct engine *engine, const struct position *at)
{
    size_t low = 0;
    size_t high = engine->segments_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct store_segment *segment = &engine->segments[middle];
        struct position there = {.generation = segment->generation, .segment = segment->number};
        if (position_before(&there, at)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct engine *engine, size_t place, const struct position *at)
{
    return place < engine->segments_count && engine->segments[place].generation == at->generation &&
           engine->segments[place].number == at->segment;
}

static void put(struct engine *engine, const struct store_segment *segment)
{
    struct position at = {.generation = segment->generation, .segment = segment->number};
    size_t place = place_of(engine, &at);
    if (!is_at(engine, place, &at)) {
        engine->segments =
            mem_grow(engine->segments, engine->segments_count + 1, sizeof *engine->segments);
        memmove(&engine->segments[place + 1], &engine->segments[place],
                (engine->segments_count - place) * sizeof *engine->segments);
        engine->segments_count++;
    }
    engine->segments[place] = *segment;
}

void segments_load(struct engine *engine, const struct store_image *image)
{
    ASSERT(engine->segments == NULL && !engine->generation_proven);
    for (size_t i = 0; i < image->segments_count; i++) {
        put(engine, &image->segments[i]);
    }
}

void segments_take(struct engine *engine)
{
    uint32_t generation = waldir_generation(engine->dir);
    size_t count = waldir_known_count(engine->dir);
    for (size_t i = 0; engine->generation_proven && i < count; i++) {
        const struct waldir_segment *known = waldir_known_at(engine->dir, i);
        put(engine, &(struct store_segment){generation, known->number, known->device, known->inode,
                                            known->identity});
    }
}

const struct store_segment *segment_known(const struct engine *engine, uint32_t generation,
                                          uint32_t number)
{
    struct position at = {.generation = generation, .segment = number};
    size_t place = place_of(engine, &at);
    return is_at(engine, place, &at) ? &engine->segments[place] : NULL;
}

/* Has a later life, of those in the table before `behind`, another file below it? Then it was gone
 * in that one; if a copy was put back since, what is read of that says so. */
static bool is_replaced(const struct engine *engine, const struct store_segment *segment,
                        size_t behind)
{
    bool replaced = false;
    for (size_t i = segments_up_to(engine, segment->generation); i < behind && !replaced; i++) {
        const struct store_segment *since = &engine->segments[i];
        const struct store_segment *was = segment_known(engine, segment->generation, since->number);
        ASSERT(since->generation > segment->generation);
        replaced =
            since->number < segment->number && was != NULL && was->first_crc != since->first_crc;
    }
    return replaced;
}

const struct store_segment *segment_last_known(const struct engine *engine, uint32_t generation,
                                               uint32_t number)
{
    size_t behind = segments_up_to(engine, generation);
    for (size_t i = behind; i > 0; i--) {
        const struct store_segment *segment = &engine->segments[i - 1];
        if (segment->number == number && !is_replaced(engine, segment, behind)) {
            return segment;
        }
    }
    return NULL;
}

void segment_adopted(struct engine *engine, uint32_t generation,
                     const struct waldir_segment *segment)
{
    if (segment->has_identity) {
        put(engine, &(struct store_segment){generation, segment->number, segment->device,
                                            segment->inode, segment->identity});
    }
}

void segments_forget(struct engine *engine, const struct position *before)
{
    size_t gone = place_of(engine, before);
    if (before->generation == waldir_generation(engine->dir)) {
        waldir_known_forget(engine->dir, before->segment);
    }
    if (gone > 0) {
        engine->segments_count -= gone;
        memmove(&engine->segments[0], &engine->segments[gone],
                engine->segments_count * sizeof *engine->segments);
    }
}

size_t segments_up_to(const struct engine *engine, uint32_t generation)
{
    struct position behind = {.generation = generation + 1};
    return place_of(engine, &behind);
}

/* Nothing of this generation is proven, and here is another one: what the scan took from the
 * directory is not what its refs mean in this one. Nobody has read anything yet. */
static void series_anew(struct engine *engine)
{
    ASSERT(!engine->generation_proven && engine->readers_count == 0);
    series_clear(engine->series);
    routes_sweep(engine);
    engine->scan.series = 0; /* what was kept of series is read again */
}

void generation_begin(struct engine *engine, bool replaced)
{
    uint32_t before = waldir_generation(engine->dir);
    ASSERT(engine->refs_from <= before);
    if (replaced || !engine->generation_proven) {
        engine->refs_from = before + 1;
    }
    if (!engine->generation_proven) {
        series_anew(engine);
    }
    segments_take(engine);
    past_begin(engine, before);
    waldir_set_generation(engine->dir, before + 1);
    engine->generation_proven = true; /* nothing was ever said of the new one */
}

/* lane.c - a queue of pending items in chunks from one pool. Items stay in it until they are
 * settled; a batch only says how many from the front it carries, so a retry or a split copies
 * nothing. */
#include "internal.h"

static struct chunk *chunk_take(struct engine *engine)
{
    struct chunk *chunk = engine->free_chunks;
    if (chunk != NULL) {
        engine->free_chunks = chunk->next;
    } else {
        chunk = mem_new(1, sizeof *chunk);
        engine->chunks++;
    }
    chunk->next = NULL;
    return chunk;
}

void lane_push(struct engine *engine, struct lane *lane, const struct item *item)
{
    if (lane->tail == NULL || lane->tail_count == CHUNK_ITEMS) {
        struct chunk *chunk = chunk_take(engine);
        if (lane->tail == NULL) {
            lane->head = chunk;
            lane->head_index = 0;
        } else {
            lane->tail->next = chunk;
        }
        lane->tail = chunk;
        lane->tail_count = 0;
    }
    if (lane->count == lane->in_flight) {
        lane->waiting_since_ms = engine->now_ms;
    }
    lane->tail->items[lane->tail_count++] = *item;
    lane->count++;
    lane->histograms += item->kind == ITEM_HISTOGRAM;
    lane->exemplars += item->kind == ITEM_EXEMPLAR;
}

static void chunk_give(struct engine *engine, struct chunk *chunk)
{
    chunk->next = engine->free_chunks;
    engine->free_chunks = chunk;
}

/* Of the first `count`. */
static void kinds_drop(struct lane *lane, uint32_t count)
{
    struct lane_walk walk;
    lane_walk_start(&walk, lane);
    for (uint32_t i = 0; i < count && lane->histograms + lane->exemplars > 0; i++) {
        const struct item *item = lane_walk_next(&walk);
        lane->histograms -= item->kind == ITEM_HISTOGRAM;
        lane->exemplars -= item->kind == ITEM_EXEMPLAR;
    }
}

void lane_drop(struct engine *engine, struct lane *lane, uint32_t count)
{
    ASSERT(count <= lane->count);
    kinds_drop(lane, count);
    lane->count -= count;
    lane->unsure -= count < lane->unsure ? count : lane->unsure;
    lane->mixed -= count < lane->mixed ? count : lane->mixed;
    while (count > 0) {
        uint32_t room =
            (lane->head == lane->tail ? lane->tail_count : CHUNK_ITEMS) - lane->head_index;
        uint32_t step = count < room ? count : room;
        lane->head_index += step;
        count -= step;
        if (lane->head_index == CHUNK_ITEMS) {
            ASSERT(lane->head != NULL);
            struct chunk *next = lane->head->next;
            chunk_give(engine, lane->head);
            lane->head = next;
            lane->head_index = 0;
            if (next == NULL) {
                lane->tail = NULL;
            }
        }
    }
    if (lane->count == 0 && lane->head != NULL) {
        ASSERT(lane->head == lane->tail);
        lane_clear(engine, lane);
    }
}

/* Of items that find no end any more: the process or their destination ends. */
static void lane_payloads_release(const struct lane *lane)
{
    struct lane_walk walk;
    lane_walk_start(&walk, lane);
    for (uint32_t i = 0; i < lane->count; i++) {
        const struct item *item = lane_walk_next(&walk);
        if (item->kind != ITEM_FLOAT) {
            payload_release(item_payload(item));
        }
    }
}

void lane_clear(struct engine *engine, struct lane *lane)
{
    lane_payloads_release(lane);
    while (lane->head != NULL) {
        struct chunk *next = lane->head->next;
        chunk_give(engine, lane->head);
        lane->head = next;
    }
    lane->tail = NULL;
    lane->tail_count = 0;
    lane->head_index = 0;
    lane->count = 0;
    lane->histograms = 0;
    lane->exemplars = 0;
    lane->unsure = 0;
    lane->mixed = 0;
}

void lane_walk_start(struct lane_walk *walk, const struct lane *lane)
{
    walk->chunk = lane->head;
    walk->index = lane->head_index;
}

struct item *lane_walk_edit(struct lane_walk *walk)
{
    if (walk->index == CHUNK_ITEMS) {
        walk->chunk = walk->chunk->next;
        walk->index = 0;
    }
    ASSERT(walk->chunk != NULL);
    return &walk->chunk->items[walk->index++];
}

const struct item *lane_walk_next(struct lane_walk *walk)
{
    return lane_walk_edit(walk);
}

int64_t lane_age_ms(const struct engine *engine, const struct destination *destination,
                    const struct lane *lane)
{
    struct lane_walk walk;
    if (lane->count == 0) {
        return 0;
    }
    ASSERT(lane->head != NULL);
    lane_walk_start(&walk, lane);
    const struct item *first = lane_walk_next(&walk);
    const struct ring *ring = &destination->domains[lane->domain]->ring;
    /* one that was parked came later than its record */
    return engine->now_ms -
           (first->late ? lane->waiting_since_ms : ring_of(ring, first->record)->read_ms);
}

void lane_acked(struct lane *lane, uint32_t count)
{
    struct lane_walk walk;
    ASSERT(count <= lane->count);
    lane_walk_start(&walk, lane);
    for (uint32_t i = 0; i < count; i++) {
        const struct item *item = lane_walk_next(&walk);
        if (item->end == ITEM_GOES && (!lane->has_acked || item->t_ms > lane->newest_acked_ms)) {
            lane->newest_acked_ms = item->t_ms;
            lane->has_acked = true;
        }
    }
}

void chunks_free(struct engine *engine)
{
    while (engine->free_chunks != NULL) {
        struct chunk *next = engine->free_chunks->next;
        mem_free(engine->free_chunks);
        engine->free_chunks = next;
    }
}

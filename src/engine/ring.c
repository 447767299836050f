/* ring.c - which records still have unsettled items: the oldest of them is the watermark. */
#include "internal.h"

enum { RING_START = 64 };

void ring_release(struct ring *ring)
{
    mem_free(ring->records);
    *ring = (struct ring){0};
}

static void ring_grow(struct ring *ring)
{
    uint32_t capacity = ring->capacity == 0 ? RING_START : ring->capacity * 2;
    ASSERT(capacity > ring->capacity);
    struct ring_record *records = mem_new(capacity, sizeof *records);
    for (uint64_t i = ring->first; i < ring->next; i++) {
        records[i & (capacity - 1)] = ring->records[i & (ring->capacity - 1)];
    }
    mem_free(ring->records);
    ring->records = records;
    ring->capacity = capacity;
}

uint64_t ring_push(struct ring *ring, const struct mark *mark, int64_t now_ms)
{
    if (ring->next - ring->first == ring->capacity) {
        ring_grow(ring);
    }
    struct ring_record *record = &ring->records[ring->next & (ring->capacity - 1)];
    *record = (struct ring_record){.at = mark->at,
                                   .offset = mark->offset,
                                   .previous_crc = mark->previous_crc,
                                   .read_ms = now_ms};
    record->at.item = 0;
    return ring->next++;
}

struct ring_record *ring_at(const struct ring *ring, uint64_t sequence)
{
    ASSERT(sequence >= ring->first && sequence < ring->next);
    return &ring->records[sequence & (ring->capacity - 1)];
}

struct ring_record *ring_of(const struct ring *ring, uint32_t low)
{
    /* the window is far smaller than 2^32, so the low half names one sequence in it */
    return ring_at(ring, ring->first + (uint32_t)(low - (uint32_t)ring->first));
}

void ring_trim(struct ring *ring, uint64_t keep)
{
    while (ring->first < ring->next && ring->first != keep &&
           ring->records[ring->first & (ring->capacity - 1)].open == 0) {
        ring->first++;
    }
}

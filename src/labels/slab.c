/* slab.c - a bump allocator with a free list a size. One chunk serves all sizes, so that rare sizes
 * cost nothing; the rest of a finished chunk joins the free lists. */
#include "slab.h"

#include <string.h>
#include <walship/assert.h>
#include <walship/mem.h>

void slab_init(struct slab *slab)
{
    ASSERT(slab != NULL);
    *slab = (struct slab){0};
}

void slab_release(struct slab *slab)
{
    ASSERT(slab->large_bytes == 0);
    for (size_t i = 0; i < slab->chunks_count; i++) {
        mem_free(slab->chunks[i]);
    }
    mem_free(slab->chunks);
    *slab = (struct slab){0};
}

static size_t rounded(size_t bytes)
{
    size_t steps = (bytes + SLAB_STEP_BYTES - 1) / SLAB_STEP_BYTES;
    return (steps == 0 ? 1 : steps) * SLAB_STEP_BYTES;
}

static void push_free(struct slab *slab, void *block, size_t bytes)
{
    struct slab_free *fresh = block;
    fresh->next = slab->free[bytes / SLAB_STEP_BYTES];
    slab->free[bytes / SLAB_STEP_BYTES] = fresh;
}

static void start_chunk(struct slab *slab)
{
    size_t rest = (size_t)(slab->end - slab->at);
    ASSERT(rest < SLAB_BLOCK_BYTES_MAX && rest % SLAB_STEP_BYTES == 0);
    if (rest > 0) {
        push_free(slab, slab->at, rest);
    }
    slab->chunks = mem_grow(slab->chunks, slab->chunks_count + 1, sizeof *slab->chunks);
    slab->at = mem_grow(NULL, SLAB_CHUNK_BYTES, 1);
    slab->end = slab->at + SLAB_CHUNK_BYTES;
    slab->chunks[slab->chunks_count++] = slab->at;
}

void *slab_take(struct slab *slab, size_t bytes)
{
    size_t need = rounded(bytes);
    if (need > SLAB_BLOCK_BYTES_MAX) {
        slab->large_bytes += need;
        return mem_grow(NULL, need, 1);
    }
    struct slab_free *old = slab->free[need / SLAB_STEP_BYTES];
    if (old != NULL) {
        slab->free[need / SLAB_STEP_BYTES] = old->next;
        return old;
    }
    if ((size_t)(slab->end - slab->at) < need) {
        start_chunk(slab);
    }
    void *block = slab->at;
    slab->at += need;
    ASSERT(slab->at <= slab->end);
    return block;
}

void slab_give(struct slab *slab, void *block, size_t bytes)
{
    ASSERT(block != NULL);
    size_t need = rounded(bytes);
    if (need > SLAB_BLOCK_BYTES_MAX) {
        ASSERT(slab->large_bytes >= need);
        slab->large_bytes -= need;
        mem_free(block);
        return;
    }
    push_free(slab, block, need);
}

size_t slab_bytes(const struct slab *slab)
{
    return slab->chunks_count * (SLAB_CHUNK_BYTES + sizeof *slab->chunks) + slab->large_bytes;
}

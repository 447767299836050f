/* slab.h - small blocks without a header of their own: the strings and sets of the label table.
 *
 * Blocks are multiples of 8 bytes cut from large chunks; a freed one waits for the next of its
 * size. Chunks are never given back before slab_release: the sizes of labels hardly change over
 * time, so what one series leaves the next one takes. The caller remembers the size. Blocks never
 * move. */
#ifndef LABELS_SLAB_H
#define LABELS_SLAB_H

#include <stddef.h>
#include <stdint.h>

enum {
    SLAB_STEP_BYTES = 8,
    SLAB_BLOCK_BYTES_MAX = 1024, /* larger ones come from the heap, one by one */
    SLAB_CHUNK_BYTES = 256 << 10
};

/* What a free block holds. */
struct slab_free {
    struct slab_free *next;
};

struct slab {
    uint8_t *at; /* not yet cut */
    uint8_t *end;
    uint8_t **chunks;
    size_t chunks_count;
    size_t large_bytes;
    void *free[SLAB_BLOCK_BYTES_MAX / SLAB_STEP_BYTES +
               1]; /* by size / 8; linked through the block */
};

void slab_init(struct slab *slab);
/* Large blocks still out must have been given back. */
void slab_release(struct slab *slab);
/* Aligned to 8; undefined contents. */
void *slab_take(struct slab *slab, size_t bytes);
void slab_give(struct slab *slab, void *block, size_t bytes);
size_t slab_bytes(const struct slab *slab);

#endif

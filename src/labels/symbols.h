/* symbols.h - each distinct label name or value once, as a small integer. Private to labels.
 *
 * A symbol just interned has no reference: whoever keeps it retains it before the next release. Ids
 * are reused after the last release; the text of a symbol never moves. */
#ifndef LABELS_SYMBOLS_H
#define LABELS_SYMBOLS_H

#include "idtable.h"
#include "slab.h"

#include <stddef.h>
#include <stdint.h>
#include <walship/hash.h>

struct symbol {
    char *text; /* NULL: free */
    uint32_t bytes;
    uint32_t refs; /* of a free one: the next free, or SYMBOL_NONE */
};

#define SYMBOL_NONE UINT32_MAX

struct symbols {
    struct hash_key key;
    struct symbol *entries;
    size_t bound; /* entries[0 .. bound) are in use or in the free list */
    size_t capacity;
    uint32_t free;
    struct idtable index;
    struct slab *slab; /* borrowed */
};

void symbols_init(struct symbols *symbols, const struct hash_key *key, struct slab *slab);
void symbols_release(struct symbols *symbols);
uint32_t symbols_intern(struct symbols *symbols, const char *text, uint32_t bytes);
void symbols_drop(struct symbols *symbols, uint32_t id); /* one reference */
size_t symbols_bytes(const struct symbols *symbols);     /* without the slab */

static inline void symbols_retain(struct symbols *symbols, uint32_t id)
{
    symbols->entries[id].refs++;
}

#endif

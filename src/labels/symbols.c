/* symbols.c - the string half of the label table. Each string is hashed once an intern. */
#include "symbols.h"

#include <string.h>
#include <walship/assert.h>
#include <walship/mem.h>

enum { SYMBOLS_FIRST = 64 };

void symbols_init(struct symbols *symbols, const struct hash_key *key, struct slab *slab)
{
    ASSERT(key != NULL && slab != NULL);
    *symbols = (struct symbols){.key = *key, .free = SYMBOL_NONE, .slab = slab};
    idtable_init(&symbols->index);
}

void symbols_release(struct symbols *symbols)
{
    for (size_t i = 0; i < symbols->bound; i++) {
        if (symbols->entries[i].text != NULL) {
            slab_give(symbols->slab, symbols->entries[i].text, symbols->entries[i].bytes);
        }
    }
    mem_free(symbols->entries);
    idtable_release(&symbols->index);
    *symbols = (struct symbols){.free = SYMBOL_NONE};
}

static uint32_t hash_of(const struct symbols *symbols, const char *text, uint32_t bytes)
{
    return (uint32_t)(hash_bytes(&symbols->key, text, bytes) >> 32);
}

static uint32_t take_entry(struct symbols *symbols)
{
    if (symbols->free != SYMBOL_NONE) {
        uint32_t id = symbols->free;
        ASSERT(symbols->entries[id].text == NULL);
        symbols->free = symbols->entries[id].refs;
        return id;
    }
    if (symbols->bound == symbols->capacity) {
        symbols->capacity =
            symbols->capacity < SYMBOLS_FIRST ? SYMBOLS_FIRST : symbols->capacity / 2 * 3;
        symbols->entries = mem_grow(symbols->entries, symbols->capacity, sizeof *symbols->entries);
    }
    ASSERT(symbols->bound < SYMBOL_NONE);
    return (uint32_t)symbols->bound++;
}

static uint32_t add(struct symbols *symbols, const char *text, uint32_t bytes, uint32_t hash)
{
    uint32_t id = take_entry(symbols);
    char *copy = slab_take(symbols->slab, bytes);
    memcpy(copy, text, bytes);
    symbols->entries[id] = (struct symbol){.text = copy, .bytes = bytes};
    idtable_insert(&symbols->index, hash, id);
    return id;
}

uint32_t symbols_intern(struct symbols *symbols, const char *text, uint32_t bytes)
{
    ASSERT(text != NULL || bytes == 0);
    const char *from = text == NULL ? "" : text;
    uint32_t hash = hash_of(symbols, from, bytes);
    const struct idtable *index = &symbols->index;
    for (size_t i = idtable_home(index, hash); index->slots[i].id != IDTABLE_NONE;
         i = idtable_after(index, i)) {
        const struct symbol *symbol = &symbols->entries[index->slots[i].id];
        if (index->slots[i].hash == hash && symbol->bytes == bytes &&
            memcmp(symbol->text, from, bytes) == 0) {
            return index->slots[i].id;
        }
    }
    return add(symbols, from, bytes, hash);
}

void symbols_drop(struct symbols *symbols, uint32_t id)
{
    ASSERT(id < symbols->bound);
    struct symbol *symbol = &symbols->entries[id];
    ASSERT(symbol->text != NULL && symbol->refs > 0);
    if (--symbol->refs > 0) {
        return;
    }
    idtable_remove(&symbols->index, hash_of(symbols, symbol->text, symbol->bytes), id);
    slab_give(symbols->slab, symbol->text, symbol->bytes);
    *symbol = (struct symbol){.refs = symbols->free};
    symbols->free = id;
}

size_t symbols_bytes(const struct symbols *symbols)
{
    return symbols->capacity * sizeof *symbols->entries + idtable_bytes(&symbols->index);
}

/* rw_symbols.c - open addressing over the strings of one request. */
#include "rw_symbols.h"

#include "wire.h"

#include <walship/mem.h>

enum { TAG_SYMBOLS = 0x22, SLOTS_FIRST = 4096, TEXTS_FIRST = 1024 };

void rw_symbols_init(struct rw_symbols *symbols, const struct hash_key *key, size_t limit)
{
    ASSERT(limit < UINT32_MAX);
    *symbols = (struct rw_symbols){.key = *key, .slots_count = SLOTS_FIRST};
    symbols->slots = mem_new(SLOTS_FIRST, sizeof *symbols->slots);
    buf_init(&symbols->wire, limit);
    rw_symbols_begin(symbols);
}

void rw_symbols_release(struct rw_symbols *symbols)
{
    buf_release(&symbols->wire);
    mem_free(symbols->slots);
    mem_free(symbols->texts);
}

void rw_symbols_begin(struct rw_symbols *symbols)
{
    symbols->epoch++;
    if (symbols->epoch == 0) { /* after 2^32 requests what is old must not look new */
        memset(symbols->slots, 0, symbols->slots_count * sizeof *symbols->slots);
        symbols->epoch = 1;
    }
    symbols->count = 0;
    buf_clear(&symbols->wire);
    uint32_t none = 0;
    bool fits = rw_symbols_put(symbols, "", 0, &none);
    ASSERT(fits && none == 0);
}

static struct symbol_slot *slot_free(const struct rw_symbols *symbols, uint32_t hash)
{
    uint32_t at = hash & (symbols->slots_count - 1);
    while (symbols->slots[at].epoch == symbols->epoch) {
        at = (at + 1) & (symbols->slots_count - 1);
    }
    return &symbols->slots[at];
}

static void slots_grow(struct rw_symbols *symbols)
{
    struct symbol_slot *old = symbols->slots;
    uint32_t old_count = symbols->slots_count;
    ASSERT(old_count < UINT32_MAX / 2);
    symbols->slots_count *= 2;
    symbols->slots = mem_new(symbols->slots_count, sizeof *symbols->slots);
    for (uint32_t i = 0; i < old_count; i++) {
        if (old[i].epoch == symbols->epoch) {
            *slot_free(symbols, old[i].hash) = old[i];
        }
    }
    mem_free(old);
}

static bool text_add(struct rw_symbols *symbols, const void *bytes, size_t count)
{
    size_t head = 1 + varint_bytes(count);
    struct buf *wire = &symbols->wire;
    if (!buf_reserve(wire, head + count)) {
        return false;
    }
    if (symbols->count == symbols->capacity) {
        symbols->capacity = symbols->capacity == 0 ? TEXTS_FIRST : symbols->capacity * 2;
        symbols->texts = mem_grow(symbols->texts, symbols->capacity, sizeof *symbols->texts);
    }
    symbols->texts[symbols->count++] =
        (struct symbol_text){(uint32_t)(wire->bytes + head), (uint32_t)count};
    (void)put_string(wire->data + wire->bytes, TAG_SYMBOLS, bytes, count);
    wire->bytes += head + count;
    return true;
}

static bool text_is(const struct rw_symbols *symbols, uint32_t symbol, const void *bytes,
                    size_t count)
{
    const struct symbol_text *text = &symbols->texts[symbol];
    return text->count == count &&
           (count == 0 || memcmp(symbols->wire.data + text->offset, bytes, count) == 0);
}

bool rw_symbols_put(struct rw_symbols *symbols, const void *bytes, size_t count, uint32_t *out)
{
    ASSERT(bytes != NULL || count == 0);
    uint32_t hash = (uint32_t)hash_bytes(&symbols->key, bytes, count);
    uint32_t at = hash & (symbols->slots_count - 1);
    for (; symbols->slots[at].epoch == symbols->epoch; at = (at + 1) & (symbols->slots_count - 1)) {
        const struct symbol_slot *slot = &symbols->slots[at];
        if (slot->hash == hash && text_is(symbols, slot->symbol, bytes, count)) {
            *out = slot->symbol;
            return true;
        }
    }
    *out = symbols->count;
    if (!text_add(symbols, bytes, count)) {
        return false;
    }
    symbols->slots[at] = (struct symbol_slot){symbols->epoch, hash, *out};
    if (symbols->count * 2 > symbols->slots_count) {
        slots_grow(symbols);
    }
    return true;
}

/* rw_symbols.h - the symbol table of one 2.0 request: each string once, "" first, in the order of
 * first use. The texts lie in the wire bytes that the request begins with; nothing is copied
 * besides. */
#ifndef RW_SYMBOLS_H
#define RW_SYMBOLS_H

#include <walship/buf.h>
#include <walship/hash.h>

struct symbol_slot {
    uint32_t epoch; /* valid when it is the table's: a new request forgets all at once */
    uint32_t hash;
    uint32_t symbol;
};

struct symbol_text {
    uint32_t offset, count; /* in wire */
};

struct rw_symbols {
    struct hash_key key;
    struct symbol_slot *slots;
    uint32_t slots_count; /* a power of two, at least twice the symbols */
    uint32_t epoch;
    struct symbol_text *texts; /* by symbol */
    uint32_t count, capacity;
    struct buf wire; /* Request 4 fields */
};

/* limit: of the wire bytes, below 4 GiB. */
void rw_symbols_init(struct rw_symbols *symbols, const struct hash_key *key, size_t limit);
void rw_symbols_release(struct rw_symbols *symbols);
/* Only "" is left, as 0. */
void rw_symbols_begin(struct rw_symbols *symbols);
/* The number of this string; false when it is new and the wire bytes are full. */
MUST_USE bool rw_symbols_put(struct rw_symbols *symbols, const void *bytes, size_t count,
                             uint32_t *out);

#endif

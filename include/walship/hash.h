/* hash.h - SipHash-1-3: keyed, so that whoever chooses label values can't choose collisions.
 * In-memory tables use a random key; the shard of a series uses a fixed one (it is saved state). */
#ifndef WALSHIP_HASH_H
#define WALSHIP_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k0;
    uint64_t k1;
};

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t count);

#endif

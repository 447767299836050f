/* refmap.h - uint64 key -> uint32 value, open addressing, for the table of WAL series refs.
 *
 * 12 bytes a slot, load at most 7/8, grows by a half (never doubling, so memory stays near the
 * need). Keys are mixed with a per-map seed. The value REFMAP_NONE is reserved. */
#ifndef WALSHIP_REFMAP_H
#define WALSHIP_REFMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFMAP_NONE UINT32_MAX

struct refmap;

struct refmap *refmap_new(uint64_t seed);
void refmap_free(struct refmap *map);
/* REFMAP_NONE when absent. */
uint32_t refmap_get(const struct refmap *map, uint64_t key);
void refmap_put(struct refmap *map, uint64_t key, uint32_t value);
/* true if it was there. */
bool refmap_remove(struct refmap *map, uint64_t key);
size_t refmap_count(const struct refmap *map);
size_t refmap_bytes(const struct refmap *map);
/* Visits every pair; `*cursor` starts at 0. False at the end. The map must not change meanwhile. */
bool refmap_each(const struct refmap *map, size_t *cursor, uint64_t *key, uint32_t *value);

#endif

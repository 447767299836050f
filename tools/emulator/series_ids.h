/* series_ids.h - a bounded memory of which label bytes have which row id in the database.
 *
 * Only a cache: the database is the truth, so that when its memory is full it simply forgets all
 * and starts over. Keys are copied. Owns its memory. */
#ifndef EMULATOR_SERIES_IDS_H
#define EMULATOR_SERIES_IDS_H

#include <stddef.h>
#include <stdint.h>

struct series_ids;

/* key_bytes_max: what the keys together may take, below 4 GiB. */
struct series_ids *series_ids_new(size_t key_bytes_max);
void series_ids_free(struct series_ids *ids);
/* 0: not known. */
int64_t series_ids_get(const struct series_ids *ids, const void *key, size_t key_bytes);
/* The key must not be known; id > 0. */
void series_ids_put(struct series_ids *ids, const void *key, size_t key_bytes, int64_t id);
size_t series_ids_count(const struct series_ids *ids);

#endif

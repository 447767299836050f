/* catalog.c - series.h's versioned table, and for items that came too early the first definition.
 */
#include "catalog.h"

#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/wal_record.h>

void catalog_init(struct catalog *catalog, uint64_t seed)
{
    struct hash_key key = {seed, ~seed};
    catalog->labels = labels_new(&key);
    catalog->series = series_new(catalog->labels, seed);
    catalog->first = refmap_new(seed);
    catalog->room = mem_new(LABELS_COUNT_MAX, sizeof *catalog->room);
}

void catalog_release(struct catalog *catalog)
{
    refmap_free(catalog->first);
    series_free(catalog->series);
    labels_free(catalog->labels);
    mem_free(catalog->room);
    *catalog = (struct catalog){0};
}

void catalog_learn(struct catalog *catalog, struct view record, const struct position *at)
{
    struct wal_series_iter iter;
    struct wal_series item;
    wal_series_init(&iter, record);
    while (wal_series_next(&iter, catalog->room, &item)) {
        size_t count = labels_canonical(item.labels, item.labels_count);
        uint32_t set = labels_intern(catalog->labels, item.labels, count);
        if (refmap_get(catalog->first, item.ref) == REFMAP_NONE) {
            refmap_put(catalog->first, item.ref, set);
        }
        (void)series_define(catalog->series, item.ref, set, at);
    }
}

uint32_t catalog_set(const struct catalog *catalog, uint64_t ref, const struct position *at)
{
    uint32_t set = series_resolve(catalog->series, ref, at);
    if (set != LABELS_NONE) {
        return set;
    }
    uint32_t first = refmap_get(catalog->first, ref);
    return first == REFMAP_NONE ? LABELS_NONE : first;
}

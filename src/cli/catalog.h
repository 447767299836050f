/* catalog.h - the series definitions of a whole WAL, read before its items: an item may come before
 * its definition, and a ref may be defined anew. Owns the label table. */
#ifndef CLI_CATALOG_H
#define CLI_CATALOG_H

#include <walship/labels.h>
#include <walship/position.h>
#include <walship/refmap.h>
#include <walship/series.h>
#include <walship/view.h>

struct catalog {
    struct labels *labels;
    struct series *series;
    struct refmap *first; /* ref -> set of its first definition */
    struct label *room;   /* LABELS_COUNT_MAX */
};

void catalog_init(struct catalog *catalog, uint64_t seed);
void catalog_release(struct catalog *catalog);
/* Takes the definitions of a checked series record. */
void catalog_learn(struct catalog *catalog, struct view record, const struct position *at);
/* The newest definition at or before `at`, else the first after it, else LABELS_NONE. */
uint32_t catalog_set(const struct catalog *catalog, uint64_t ref, const struct position *at);

#endif

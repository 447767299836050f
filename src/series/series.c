/* series.c - ref -> label set by position.
 *
 * Nearly every ref has one definition for life, so the definitions are one array of 24 bytes an
 * element, chained by index from the newest to the oldest; the map gives the newest. A resolve is
 * one look-up in the map and one element of the array, unless the cursor stands before the newest
 * definition.
 *
 * Of definitions in a row that say the same, the first and the last stay: the first for resolving,
 * the last because the collection asks how late the ref was alive, and because another reader may
 * yet bring a different one from between. A row is of one generation: what was said in an earlier
 * one need not hold in the next, whose own word can't be left out for it.
 *
 * Only the collection lets a set go, because only there somebody is told: a set that is replaced
 * waits for it in a list of its own. */
#include <walship/mem.h>
#include <walship/refmap.h>
#include <walship/series.h>

enum { DEFINITIONS_FIRST = 64 };

#define DEFINITION_NONE REFMAP_NONE

struct definition {
    struct position at;
    uint32_t set;
    uint32_t older; /* of a free one: the next free */
};

_Static_assert(sizeof(struct definition) == 24, "the stated memory");

struct series {
    struct labels *labels; /* borrowed */
    uint64_t seed;
    struct refmap *newest; /* ref -> index of its newest definition */
    struct definition *definitions;
    uint8_t *marked; /* with the newest definition of a ref: alive for this collection */
    size_t bound;
    size_t capacity;
    uint32_t free;
    uint32_t replaced; /* list of definitions whose sets wait to be let go */
};

static void series_begin(struct series *series, struct labels *labels, uint64_t seed)
{
    *series = (struct series){.labels = labels,
                              .newest = refmap_new(seed),
                              .seed = seed,
                              .free = DEFINITION_NONE,
                              .replaced = DEFINITION_NONE};
}

struct series *series_new(struct labels *labels, uint64_t seed)
{
    ASSERT(labels != NULL);
    struct series *series = mem_new(1, sizeof *series);
    series_begin(series, labels, seed);
    return series;
}

static struct definition *definition_of(const struct series *series, uint32_t index)
{
    ASSERT(index < series->bound);
    return &series->definitions[index];
}

static void release_chain(const struct series *series, uint32_t index)
{
    for (; index != DEFINITION_NONE; index = definition_of(series, index)->older) {
        labels_release(series->labels, definition_of(series, index)->set);
    }
}

static void series_end(struct series *series)
{
    size_t cursor = 0;
    uint64_t ref;
    uint32_t index;
    while (refmap_each(series->newest, &cursor, &ref, &index)) {
        release_chain(series, index);
    }
    release_chain(series, series->replaced);
    refmap_free(series->newest);
    mem_free(series->definitions);
    mem_free(series->marked);
}

void series_free(struct series *series)
{
    if (series != NULL) {
        series_end(series);
        mem_free(series);
    }
}

void series_clear(struct series *series)
{
    ASSERT(series != NULL);
    series_end(series);
    series_begin(series, series->labels, series->seed);
}

static uint32_t take_entry(struct series *series)
{
    if (series->free != DEFINITION_NONE) {
        uint32_t index = series->free;
        series->free = definition_of(series, index)->older;
        return index;
    }
    if (series->bound == series->capacity) {
        series->capacity =
            series->capacity < DEFINITIONS_FIRST ? DEFINITIONS_FIRST : series->capacity / 2 * 3;
        series->definitions =
            mem_grow(series->definitions, series->capacity, sizeof *series->definitions);
        series->marked = mem_grow(series->marked, series->capacity, sizeof *series->marked);
    }
    ASSERT(series->bound < DEFINITION_NONE);
    return (uint32_t)series->bound++;
}

/* Where a position falls in the chain of a ref; each may be none. */
struct place {
    uint32_t second_newer; /* the neighbour of newer */
    uint32_t newer;
    uint32_t valid; /* at or before */
    uint32_t older; /* the neighbour of valid */
};

static struct place place_of(const struct series *series, uint32_t newest,
                             const struct position *at)
{
    struct place place = {DEFINITION_NONE, DEFINITION_NONE, newest, DEFINITION_NONE};
    while (place.valid != DEFINITION_NONE &&
           position_before(at, &definition_of(series, place.valid)->at)) {
        place.second_newer = place.newer;
        place.newer = place.valid;
        place.valid = definition_of(series, place.valid)->older;
    }
    if (place.valid != DEFINITION_NONE) {
        place.older = definition_of(series, place.valid)->older;
    }
    return place;
}

static bool says(const struct series *series, uint32_t index, uint32_t set)
{
    return index != DEFINITION_NONE && definition_of(series, index)->set == set;
}

static void insert(struct series *series, uint64_t ref, const struct place *place,
                   const struct definition *definition)
{
    uint32_t index = take_entry(series);
    *definition_of(series, index) = *definition;
    definition_of(series, index)->older = place->valid;
    if (place->newer == DEFINITION_NONE) {
        series->marked[index] = 1;
        refmap_put(series->newest, ref, index);
        return;
    }
    ASSERT(definition_of(series, place->newer)->older == place->valid);
    definition_of(series, place->newer)->older = index;
}

static void replace(struct series *series, uint32_t index, uint32_t take_set)
{
    uint32_t waiting = take_entry(series);
    *definition_of(series, waiting) =
        (struct definition){.set = definition_of(series, index)->set, .older = series->replaced};
    series->replaced = waiting;
    definition_of(series, index)->set = take_set;
}

/* In the same generation, too. */
static bool says_alike(const struct series *series, uint32_t index, const struct definition *like)
{
    return says(series, index, like->set) &&
           definition_of(series, index)->at.generation == like->at.generation;
}

/* Room in a row of three or more that say the same: the inner one that may move to the place of
 * `taken`, or none. `*inside`: that itself is an inner place. */
static uint32_t spare_of_row(const struct series *series, const struct place *place,
                             const struct definition *taken, bool *inside)
{
    bool before = says_alike(series, place->valid, taken);
    bool after = says_alike(series, place->newer, taken);
    *inside = before && after;
    if (before && says_alike(series, place->older, taken)) {
        return place->valid;
    }
    return after && says_alike(series, place->second_newer, taken) ? place->newer : DEFINITION_NONE;
}

bool series_define(struct series *series, uint64_t ref, uint32_t take_set,
                   const struct position *at)
{
    ASSERT(at != NULL && take_set != LABELS_NONE);
    uint32_t newest = refmap_get(series->newest, ref);
    struct place place = place_of(series, newest, at);
    bool known = says(series, place.valid, take_set);
    bool exact = place.valid != DEFINITION_NONE &&
                 position_compare(&definition_of(series, place.valid)->at, at) == 0;
    if (newest != DEFINITION_NONE) {
        series->marked[newest] = 1;
    }
    if (exact && !known) {
        replace(series, place.valid, take_set);
        return true;
    }
    struct definition taken = {.at = *at, .set = take_set};
    bool inside = false;
    uint32_t spare = spare_of_row(series, &place, &taken, &inside);
    if (!exact && !inside && spare == DEFINITION_NONE) {
        insert(series, ref, &place, &taken);
        return !known;
    }
    if (!exact && !inside) {
        definition_of(series, spare)->at = *at;
    }
    bool gone = labels_release(series->labels, take_set);
    ASSERT(!gone); /* the row holds it too */
    return !known;
}

uint32_t series_resolve(const struct series *series, uint64_t ref, const struct position *at)
{
    struct position said;
    return series_said(series, ref, at, &said);
}

uint32_t series_said(const struct series *series, uint64_t ref, const struct position *at,
                     struct position *said)
{
    uint32_t index = refmap_get(series->newest, ref);
    while (index != DEFINITION_NONE) {
        const struct definition *definition = definition_of(series, index);
        if (!position_before(at, &definition->at)) {
            *said = definition->at;
            return definition->set;
        }
        index = definition->older;
    }
    return LABELS_NONE;
}

void series_export(const struct series *series, const struct position *from,
                   const struct position *before, series_export_fn *each, void *context)
{
    size_t cursor = 0;
    uint64_t ref;
    uint32_t index;
    while (refmap_each(series->newest, &cursor, &ref, &index)) {
        while (index != DEFINITION_NONE &&
               !position_before(&definition_of(series, index)->at, before)) {
            index = definition_of(series, index)->older;
        }
        if (index != DEFINITION_NONE && !position_before(&definition_of(series, index)->at, from)) {
            each(context, ref, definition_of(series, index)->set);
        }
    }
}

size_t series_refs(const struct series *series)
{
    return refmap_count(series->newest);
}

size_t series_bytes(const struct series *series)
{
    return sizeof *series + refmap_bytes(series->newest) +
           series->capacity * (sizeof *series->definitions + sizeof *series->marked);
}

void series_collect_begin(struct series *series)
{
    ASSERT(series->bound <= series->capacity);
    if (series->bound > 0) {
        memset(series->marked, 0, series->bound);
    }
}

void series_collect_mark(struct series *series, uint64_t ref)
{
    uint32_t index = refmap_get(series->newest, ref);
    if (index != DEFINITION_NONE) {
        ASSERT(index < series->bound);
        series->marked[index] = 1;
    }
}

void series_mark_sets(const struct series *series, uint8_t *used)
{
    for (size_t i = 0; i < series->bound; i++) {
        uint32_t set = series->definitions[i].set;
        if (set != LABELS_NONE) { /* else a free one */
            used[set] = 1;
        }
    }
}

/* One collection as it goes along. */
struct collection {
    const struct position *before;
    series_gone_fn *gone;
    void *context;
    uint64_t *doomed; /* refs; the map can't change while it is walked */
    size_t doomed_count;
    size_t doomed_capacity;
};

static void drop_chain(struct series *series, const struct collection *collection, uint32_t index)
{
    while (index != DEFINITION_NONE) {
        struct definition *definition = definition_of(series, index);
        uint32_t older = definition->older;
        uint32_t set = definition->set;
        definition->set = LABELS_NONE;
        definition->older = series->free;
        series->free = index;
        if (labels_release(series->labels, set) && collection->gone != NULL) {
            collection->gone(collection->context, set);
        }
        index = older;
    }
}

/* Every cursor sees `index` or something newer when it stands at `before` or later. */
static void drop_unseen(struct series *series, const struct collection *collection, uint32_t index)
{
    while (index != DEFINITION_NONE &&
           position_before(collection->before, &definition_of(series, index)->at)) {
        index = definition_of(series, index)->older;
    }
    if (index != DEFINITION_NONE) {
        uint32_t older = definition_of(series, index)->older;
        definition_of(series, index)->older = DEFINITION_NONE;
        drop_chain(series, collection, older);
    }
}

static void doom(struct collection *collection, uint64_t ref)
{
    if (collection->doomed_count == collection->doomed_capacity) {
        collection->doomed_capacity += collection->doomed_capacity / 2 + DEFINITIONS_FIRST;
        collection->doomed =
            mem_grow(collection->doomed, collection->doomed_capacity, sizeof *collection->doomed);
    }
    collection->doomed[collection->doomed_count++] = ref;
}

size_t series_collect_end(struct series *series, const struct position *before,
                          series_gone_fn *gone, void *context)
{
    ASSERT(before != NULL);
    struct collection collection = {.before = before, .gone = gone, .context = context};
    size_t cursor = 0;
    uint64_t ref;
    uint32_t index;
    while (refmap_each(series->newest, &cursor, &ref, &index)) {
        if (series->marked[index] == 0 &&
            position_before(&definition_of(series, index)->at, before)) {
            doom(&collection, ref);
        } else {
            drop_unseen(series, &collection, index);
        }
    }
    drop_chain(series, &collection, series->replaced);
    series->replaced = DEFINITION_NONE;
    for (size_t i = 0; i < collection.doomed_count; i++) {
        index = refmap_get(series->newest, collection.doomed[i]);
        bool known = refmap_remove(series->newest, collection.doomed[i]);
        ASSERT(known);
        drop_chain(series, &collection, index);
    }
    mem_free(collection.doomed);
    return collection.doomed_count;
}

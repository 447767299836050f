/* series.c - ref -> label set by position.
 *
 * Nearly every ref has one definition for life, so the definitions are one array of 24 bytes an
 * element, chained by index from the newest to the oldest; the map gives the newest. A resolve is
 * one look-up in the map and one element of the array, unless the cursor stands before the newest
 * definition.
 *
 * Only the collection lets a set go, because only there somebody is told: a definition that is
 * replaced stays behind the new one, at the same position, where no resolve can see it. */
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

/* Of a ref; kept with its newest definition. */
enum flag {
    FLAG_MARKED = 1, /* alive for the collection going on */
    FLAG_AGAIN = 2   /* defined once more, unchanged: alive for the next collection too, since its
                        position tells nothing of that */
};

struct series {
    struct labels *labels; /* borrowed */
    struct refmap *newest; /* ref -> index of its newest definition */
    struct definition *definitions;
    uint8_t *flags;
    size_t bound;
    size_t capacity;
    uint32_t free;
};

struct series *series_new(struct labels *labels, uint64_t seed)
{
    ASSERT(labels != NULL);
    struct series *series = mem_new(1, sizeof *series);
    series->labels = labels;
    series->newest = refmap_new(seed);
    series->free = DEFINITION_NONE;
    return series;
}

static struct definition *definition_of(const struct series *series, uint32_t index)
{
    ASSERT(index < series->bound);
    return &series->definitions[index];
}

void series_free(struct series *series)
{
    if (series == NULL) {
        return;
    }
    size_t cursor = 0;
    uint64_t ref;
    uint32_t index;
    while (refmap_each(series->newest, &cursor, &ref, &index)) {
        for (; index != DEFINITION_NONE; index = definition_of(series, index)->older) {
            labels_release(series->labels, definition_of(series, index)->set);
        }
    }
    refmap_free(series->newest);
    mem_free(series->definitions);
    mem_free(series->flags);
    mem_free(series);
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
        series->flags = mem_grow(series->flags, series->capacity, sizeof *series->flags);
    }
    ASSERT(series->bound < DEFINITION_NONE);
    return (uint32_t)series->bound++;
}

/* Puts a definition between two neighbours of the ref's chain, either of which may be none. */
static void insert(struct series *series, uint64_t ref, uint32_t newer,
                   const struct definition *definition)
{
    uint32_t index = take_entry(series);
    *definition_of(series, index) = *definition;
    series->flags[index] = FLAG_MARKED;
    if (newer != DEFINITION_NONE) {
        ASSERT(definition_of(series, newer)->older == definition->older);
        definition_of(series, newer)->older = index;
        return;
    }
    if (definition->older != DEFINITION_NONE) {
        series->flags[index] |= series->flags[definition->older];
    }
    refmap_put(series->newest, ref, index);
}

bool series_define(struct series *series, uint64_t ref, uint32_t take_set,
                   const struct position *at)
{
    ASSERT(at != NULL && take_set != LABELS_NONE);
    uint32_t newest = refmap_get(series->newest, ref);
    uint32_t newer = DEFINITION_NONE;
    uint32_t valid = newest;
    while (valid != DEFINITION_NONE && position_before(at, &definition_of(series, valid)->at)) {
        newer = valid;
        valid = definition_of(series, valid)->older;
    }
    if (newest != DEFINITION_NONE) {
        series->flags[newest] |= FLAG_MARKED;
    }
    if (valid != DEFINITION_NONE && definition_of(series, valid)->set == take_set) {
        bool later = position_before(&definition_of(series, valid)->at, at);
        series->flags[newest] |= later ? FLAG_AGAIN : 0;
        bool gone = labels_release(series->labels, take_set);
        ASSERT(!gone);
        return false;
    }
    if (newer != DEFINITION_NONE && definition_of(series, newer)->set == take_set) {
        definition_of(series, newer)->at = *at; /* it holds from earlier on than known */
        bool gone = labels_release(series->labels, take_set);
        ASSERT(!gone);
        return true;
    }
    insert(series, ref, newer, &(struct definition){.at = *at, .set = take_set, .older = valid});
    return true;
}

uint32_t series_resolve(const struct series *series, uint64_t ref, const struct position *at)
{
    uint32_t index = refmap_get(series->newest, ref);
    while (index != DEFINITION_NONE) {
        const struct definition *definition = definition_of(series, index);
        if (!position_before(at, &definition->at)) {
            return definition->set;
        }
        index = definition->older;
    }
    return LABELS_NONE;
}

size_t series_refs(const struct series *series)
{
    return refmap_count(series->newest);
}

size_t series_bytes(const struct series *series)
{
    return sizeof *series + refmap_bytes(series->newest) +
           series->capacity * (sizeof *series->definitions + sizeof *series->flags);
}

void series_collect_begin(struct series *series)
{
    ASSERT(series->bound <= series->capacity);
    for (size_t i = 0; i < series->bound; i++) {
        series->flags[i] = (series->flags[i] & FLAG_AGAIN) != 0 ? FLAG_MARKED : 0;
    }
}

void series_collect_mark(struct series *series, uint64_t ref)
{
    uint32_t index = refmap_get(series->newest, ref);
    if (index != DEFINITION_NONE) {
        ASSERT(index < series->bound);
        series->flags[index] |= FLAG_MARKED;
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
        series->flags[index] = 0;
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
        bool marked = (series->flags[index] & FLAG_MARKED) != 0;
        if (!marked && position_before(&definition_of(series, index)->at, before)) {
            doom(&collection, ref);
        } else {
            drop_unseen(series, &collection, index);
        }
    }
    for (size_t i = 0; i < collection.doomed_count; i++) {
        index = refmap_get(series->newest, collection.doomed[i]);
        bool known = refmap_remove(series->newest, collection.doomed[i]);
        ASSERT(known);
        drop_chain(series, &collection, index);
    }
    mem_free(collection.doomed);
    return collection.doomed_count;
}

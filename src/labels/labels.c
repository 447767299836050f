/* labels.c - the set half of the label table: a set is an array of symbol ids, name and value in
 * turn.
 *
 * Because equal strings have equal ids, comparing and hashing a set looks at its ids only. A series
 * read from the WAL mostly has the labels of the one before it but for one or two: those are
 * recognised by comparing text with the last set, without hashing. */
#include "symbols.h"

#include <string.h>
#include <walship/labels.h>
#include <walship/mem.h>

enum { SETS_FIRST = 64, SCRATCH_LABELS_FIRST = 64 };

struct set {
    uint32_t *ids; /* 2 * count; NULL: free */
    uint32_t refs; /* of a free one: the next free, or LABELS_NONE */
    uint32_t count;
};

struct labels {
    struct hash_key key;
    struct slab slab;
    struct symbols symbols;
    struct idtable index;
    struct set *sets;
    size_t bound;
    size_t capacity;
    size_t alive;
    uint32_t free;
    uint32_t last;     /* the set interned last, while it lives */
    uint32_t *scratch; /* ids of the set being interned */
    size_t scratch_labels;
    labels_gone_fn *gone;
    void *gone_context;
};

static size_t ids_bytes(size_t count)
{
    return 2 * count * sizeof(uint32_t);
}

static void make_scratch(struct labels *labels, size_t count)
{
    if (count > labels->scratch_labels) {
        labels->scratch_labels = count;
        labels->scratch = mem_grow(labels->scratch, count, ids_bytes(1));
    }
}

struct labels *labels_new(const struct hash_key *key)
{
    ASSERT(key != NULL);
    struct labels *labels = mem_new(1, sizeof *labels);
    labels->key = *key;
    labels->free = LABELS_NONE;
    labels->last = LABELS_NONE;
    slab_init(&labels->slab);
    symbols_init(&labels->symbols, key, &labels->slab);
    idtable_init(&labels->index);
    make_scratch(labels, SCRATCH_LABELS_FIRST);
    return labels;
}

void labels_free(struct labels *labels)
{
    if (labels == NULL) {
        return;
    }
    for (size_t i = 0; i < labels->bound; i++) {
        if (labels->sets[i].ids != NULL) {
            slab_give(&labels->slab, labels->sets[i].ids, ids_bytes(labels->sets[i].count));
        }
    }
    symbols_release(&labels->symbols);
    idtable_release(&labels->index);
    slab_release(&labels->slab);
    mem_free(labels->sets);
    mem_free(labels->scratch);
    mem_free(labels);
}

static const struct set *set_of(const struct labels *labels, uint32_t id)
{
    ASSERT(id < labels->bound);
    const struct set *set = &labels->sets[id];
    ASSERT(set->ids != NULL && set->refs > 0);
    return set;
}

static uint32_t hash_of(const struct labels *labels, const uint32_t *ids, size_t count)
{
    return (uint32_t)(hash_bytes(&labels->key, ids, ids_bytes(count)) >> 32);
}

static bool is_symbol(const struct labels *labels, uint32_t id, const char *text, uint32_t bytes)
{
    const struct symbol *symbol = &labels->symbols.entries[id];
    return symbol->bytes == bytes && memcmp(symbol->text, text, bytes) == 0;
}

/* The strings of the list as symbols, in scratch; a new symbol has no reference yet. */
static void intern_strings(struct labels *labels, const struct label *list, size_t count)
{
    const struct set *last = labels->last == LABELS_NONE ? NULL : set_of(labels, labels->last);
    make_scratch(labels, count);
    for (size_t i = 0; i < count; i++) {
        const struct label *label = &list[i];
        uint32_t *pair = &labels->scratch[2 * i];
        const uint32_t *guess = last != NULL && i < last->count ? &last->ids[2 * i] : NULL;
        bool same_name =
            guess != NULL && is_symbol(labels, guess[0], label->name, label->name_bytes);
        pair[0] =
            same_name ? guess[0] : symbols_intern(&labels->symbols, label->name, label->name_bytes);
        bool same_value =
            same_name && is_symbol(labels, guess[1], label->value, label->value_bytes);
        pair[1] = same_value ? guess[1]
                             : symbols_intern(&labels->symbols, label->value, label->value_bytes);
    }
}

static uint32_t take_entry(struct labels *labels)
{
    if (labels->free != LABELS_NONE) {
        uint32_t id = labels->free;
        ASSERT(labels->sets[id].ids == NULL);
        labels->free = labels->sets[id].refs;
        return id;
    }
    if (labels->bound == labels->capacity) {
        labels->capacity = labels->capacity < SETS_FIRST ? SETS_FIRST : labels->capacity / 2 * 3;
        labels->sets = mem_grow(labels->sets, labels->capacity, sizeof *labels->sets);
    }
    ASSERT(labels->bound < LABELS_NONE);
    return (uint32_t)labels->bound++;
}

/* Keeps what is in scratch as a new set with one reference. */
static uint32_t add(struct labels *labels, size_t count, uint32_t hash)
{
    uint32_t id = take_entry(labels);
    uint32_t *ids = slab_take(&labels->slab, ids_bytes(count));
    for (size_t i = 0; i < 2 * count; i++) {
        ids[i] = labels->scratch[i];
        symbols_retain(&labels->symbols, ids[i]);
    }
    labels->sets[id] = (struct set){.ids = ids, .refs = 1, .count = (uint32_t)count};
    labels->alive++;
    idtable_insert(&labels->index, hash, id);
    return id;
}

uint32_t labels_intern(struct labels *labels, const struct label *list, size_t count)
{
    ASSERT(list != NULL || count == 0);
    ASSERT(count <= UINT32_MAX / 2);
    intern_strings(labels, list, count);
    uint32_t hash = hash_of(labels, labels->scratch, count);
    const struct idtable *index = &labels->index;
    for (size_t i = idtable_home(index, hash); index->slots[i].id != IDTABLE_NONE;
         i = idtable_after(index, i)) {
        struct set *set = &labels->sets[index->slots[i].id];
        if (index->slots[i].hash == hash && set->count == count &&
            memcmp(set->ids, labels->scratch, ids_bytes(count)) == 0) {
            /* every symbol had a reference from this set: none was new */
            ASSERT(set->refs > 0 && set->refs < UINT32_MAX);
            set->refs++;
            labels->last = index->slots[i].id;
            return labels->last;
        }
    }
    labels->last = add(labels, count, hash);
    return labels->last;
}

void labels_retain(struct labels *labels, uint32_t set)
{
    ASSERT(set_of(labels, set)->refs < UINT32_MAX);
    labels->sets[set].refs++;
}

void labels_on_gone(struct labels *labels, labels_gone_fn *gone, void *context)
{
    ASSERT(labels->gone == NULL || gone == NULL);
    labels->gone = gone;
    labels->gone_context = context;
}

bool labels_release(struct labels *labels, uint32_t set)
{
    ASSERT(set_of(labels, set)->refs > 0);
    struct set *entry = &labels->sets[set];
    if (entry->refs > 1) {
        entry->refs--;
        return false;
    }
    if (labels->gone != NULL) {
        labels->gone(labels->gone_context, set);
    }
    entry->refs = 0;
    idtable_remove(&labels->index, hash_of(labels, entry->ids, entry->count), set);
    for (size_t i = 0; i < 2 * (size_t)entry->count; i++) {
        symbols_drop(&labels->symbols, entry->ids[i]);
    }
    slab_give(&labels->slab, entry->ids, ids_bytes(entry->count));
    *entry = (struct set){.refs = labels->free};
    labels->free = set;
    labels->last = labels->last == set ? LABELS_NONE : labels->last;
    ASSERT(labels->alive > 0);
    labels->alive--;
    return true;
}

size_t labels_count(const struct labels *labels, uint32_t set)
{
    return set_of(labels, set)->count;
}

size_t labels_get(const struct labels *labels, uint32_t set, struct label *out, size_t room)
{
    const struct set *entry = set_of(labels, set);
    ASSERT(entry->count <= room);
    for (size_t i = 0; i < entry->count; i++) {
        const struct symbol *name = &labels->symbols.entries[entry->ids[2 * i]];
        const struct symbol *value = &labels->symbols.entries[entry->ids[2 * i + 1]];
        out[i] = (struct label){name->text, value->text, name->bytes, value->bytes};
    }
    return entry->count;
}

uint32_t labels_bound(const struct labels *labels)
{
    return (uint32_t)labels->bound;
}

size_t labels_sets(const struct labels *labels)
{
    return labels->alive;
}

size_t labels_bytes(const struct labels *labels)
{
    return sizeof *labels + slab_bytes(&labels->slab) + symbols_bytes(&labels->symbols) +
           idtable_bytes(&labels->index) + labels->capacity * sizeof *labels->sets +
           labels->scratch_labels * ids_bytes(1);
}

/* idtable.h - hash -> small integer, several candidates a hash: the index of the symbol and set
 * tables.
 *
 * Open addressing, linear probing, no tombstones. The hash stands beside the id, so that a probe
 * touches the entry itself only when it is almost surely the one. The owner compares:
 *
 *     for (size_t i = idtable_home(t, hash); t->slots[i].id != IDTABLE_NONE; i = idtable_after(t,
 * i)) if (t->slots[i].hash == hash && it is equal to what is looked for) found; */
#ifndef LABELS_IDTABLE_H
#define LABELS_IDTABLE_H

#include <stddef.h>
#include <stdint.h>

#define IDTABLE_NONE UINT32_MAX

struct idtable_slot {
    uint32_t hash;
    uint32_t id; /* IDTABLE_NONE: empty */
};

struct idtable {
    struct idtable_slot *slots;
    size_t capacity;
    size_t count;
};

void idtable_init(struct idtable *table);
void idtable_release(struct idtable *table);
/* `id` is not in the table yet. */
void idtable_insert(struct idtable *table, uint32_t hash, uint32_t id);
/* It is there. */
void idtable_remove(struct idtable *table, uint32_t hash, uint32_t id);
size_t idtable_bytes(const struct idtable *table);

static inline size_t idtable_home(const struct idtable *table, uint32_t hash)
{
    return (size_t)((uint64_t)hash * table->capacity >> 32);
}

static inline size_t idtable_after(const struct idtable *table, size_t index)
{
    return index + 1 == table->capacity ? 0 : index + 1;
}

#endif

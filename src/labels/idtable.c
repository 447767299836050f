/* idtable.c - growth by a half and removal by shifting the run back, as base's refmap does. */
#include "idtable.h"

#include <string.h>
#include <walship/assert.h>
#include <walship/mem.h>

enum { IDTABLE_FIRST_SLOTS = 16 };

static struct idtable_slot *slots_new(size_t capacity)
{
    struct idtable_slot *slots = mem_grow(NULL, capacity, sizeof *slots);
    memset(slots, 0xff, capacity * sizeof *slots);
    return slots;
}

void idtable_init(struct idtable *table)
{
    ASSERT(table != NULL);
    *table =
        (struct idtable){.capacity = IDTABLE_FIRST_SLOTS, .slots = slots_new(IDTABLE_FIRST_SLOTS)};
}

void idtable_release(struct idtable *table)
{
    mem_free(table->slots);
    *table = (struct idtable){0};
}

static void put(struct idtable *table, struct idtable_slot slot)
{
    size_t index = idtable_home(table, slot.hash);
    while (table->slots[index].id != IDTABLE_NONE) {
        index = idtable_after(table, index);
    }
    table->slots[index] = slot;
}

static void grow(struct idtable *table)
{
    struct idtable_slot *old = table->slots;
    size_t old_capacity = table->capacity;
    table->capacity += table->capacity / 2;
    ASSERT(table->capacity > old_capacity && table->capacity <= UINT32_MAX);
    table->slots = slots_new(table->capacity);
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].id != IDTABLE_NONE) {
            put(table, old[i]);
        }
    }
    mem_free(old);
}

void idtable_insert(struct idtable *table, uint32_t hash, uint32_t id)
{
    ASSERT(id != IDTABLE_NONE);
    if (table->count + 1 > table->capacity / 8 * 7) {
        grow(table);
    }
    put(table, (struct idtable_slot){hash, id});
    table->count++;
    ASSERT(table->count < table->capacity); /* else a search might not end */
}

static size_t distance(const struct idtable *table, size_t from, size_t to)
{
    return to >= from ? to - from : to + table->capacity - from;
}

void idtable_remove(struct idtable *table, uint32_t hash, uint32_t id)
{
    size_t hole = idtable_home(table, hash);
    while (table->slots[hole].id != id) {
        ASSERT(table->slots[hole].id != IDTABLE_NONE);
        hole = idtable_after(table, hole);
    }
    for (size_t next = idtable_after(table, hole); table->slots[next].id != IDTABLE_NONE;
         next = idtable_after(table, next)) {
        size_t home = idtable_home(table, table->slots[next].hash);
        if (distance(table, home, next) >= distance(table, hole, next)) {
            table->slots[hole] = table->slots[next];
            hole = next;
        }
    }
    table->slots[hole].id = IDTABLE_NONE;
    ASSERT(table->count > 0);
    table->count--;
}

size_t idtable_bytes(const struct idtable *table)
{
    return table->capacity * sizeof *table->slots;
}

/* refmap.c - linear probing over packed slots of 12 bytes.
 *
 * One array rather than two: a look-up in a large map costs one cache miss. The home of a key is
 * hash * capacity / 2^32 of a 32-bit hash, so the capacity may be any number and growth can be by a
 * half. Removing shifts the run back, so there are no tombstones and a map never decays. */
#include <walship/assert.h>
#include <walship/mem.h>
#include <walship/refmap.h>

enum { REFMAP_FIRST_SLOTS = 16 };

struct slot {
    uint64_t key;
    uint32_t value; /* REFMAP_NONE: empty */
} __attribute__((packed));

_Static_assert(sizeof(struct slot) == 12, "the stated memory");

struct refmap {
    struct slot *slots;
    size_t capacity;
    size_t count;
    uint64_t seed;
};

static inline size_t home_of(const struct refmap *map, uint64_t key)
{
    uint64_t hash = (key ^ map->seed) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
    hash *= 0xD6E8FEB86659FD93u;
    return (size_t)((hash >> 32) * map->capacity >> 32);
}

static inline size_t after(const struct refmap *map, size_t index)
{
    return index + 1 == map->capacity ? 0 : index + 1;
}

/* Steps from one slot forward to another, around the end. */
static inline size_t distance(const struct refmap *map, size_t from, size_t to)
{
    return to >= from ? to - from : to + map->capacity - from;
}

/* The slot of the key, or the empty one where it would go. */
static inline size_t find(const struct refmap *map, uint64_t key)
{
    size_t index = home_of(map, key);
    while (map->slots[index].value != REFMAP_NONE && map->slots[index].key != key) {
        index = after(map, index);
    }
    return index;
}

static struct slot *slots_new(size_t capacity)
{
    struct slot *slots = mem_grow(NULL, capacity, sizeof *slots);
    memset(slots, 0xff, capacity * sizeof *slots);
    ASSERT(slots[0].value == REFMAP_NONE);
    return slots;
}

struct refmap *refmap_new(uint64_t seed)
{
    struct refmap *map = mem_new(1, sizeof *map);
    map->seed = seed;
    map->capacity = REFMAP_FIRST_SLOTS;
    map->slots = slots_new(map->capacity);
    return map;
}

void refmap_free(struct refmap *map)
{
    if (map != NULL) {
        mem_free(map->slots);
        mem_free(map);
    }
}

uint32_t refmap_get(const struct refmap *map, uint64_t key)
{
    return map->slots[find(map, key)].value;
}

static void grow(struct refmap *map)
{
    struct slot *old = map->slots;
    size_t old_capacity = map->capacity;
    map->capacity += map->capacity / 2;
    ASSERT(map->capacity > old_capacity && map->capacity <= UINT32_MAX); /* home_of counts on it */
    map->slots = slots_new(map->capacity);
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].value != REFMAP_NONE) {
            map->slots[find(map, old[i].key)] = old[i];
        }
    }
    mem_free(old);
}

void refmap_put(struct refmap *map, uint64_t key, uint32_t value)
{
    ASSERT(value != REFMAP_NONE);
    size_t index = find(map, key);
    if (map->slots[index].value == REFMAP_NONE) {
        if (map->count + 1 > map->capacity / 8 * 7) {
            grow(map);
            index = find(map, key);
        }
        map->count++;
    }
    map->slots[index] = (struct slot){key, value};
    ASSERT(map->count < map->capacity); /* else a search might not end */
}

bool refmap_remove(struct refmap *map, uint64_t key)
{
    size_t hole = find(map, key);
    if (map->slots[hole].value == REFMAP_NONE) {
        return false;
    }
    /* whoever sits beyond the hole, but has its home at or before it, moves into it */
    for (size_t next = after(map, hole); map->slots[next].value != REFMAP_NONE;
         next = after(map, next)) {
        size_t home = home_of(map, map->slots[next].key);
        if (distance(map, home, next) >= distance(map, hole, next)) {
            map->slots[hole] = map->slots[next];
            hole = next;
        }
    }
    map->slots[hole].value = REFMAP_NONE;
    ASSERT(map->count > 0);
    map->count--;
    return true;
}

size_t refmap_count(const struct refmap *map)
{
    return map->count;
}

size_t refmap_bytes(const struct refmap *map)
{
    return sizeof *map + map->capacity * sizeof *map->slots;
}

bool refmap_each(const struct refmap *map, size_t *cursor, uint64_t *key, uint32_t *value)
{
    ASSERT(*cursor <= map->capacity);
    while (*cursor < map->capacity) {
        const struct slot *slot = &map->slots[(*cursor)++];
        if (slot->value != REFMAP_NONE) {
            *key = slot->key;
            *value = slot->value;
            return true;
        }
    }
    return false;
}

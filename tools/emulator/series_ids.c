/* series_ids.c - open addressing over a byte store. A slot keeps the whole hash, so that growing
 * needs no key and a lookup compares bytes only on a likely hit. */
#include "series_ids.h"

#include <walship/buf.h>
#include <walship/hash.h>
#include <walship/mem.h>

enum { SLOTS_MIN = 1024 };

struct slot {
    uint64_t hash;
    int64_t id; /* 0: free */
    uint32_t key_at;
    uint32_t key_bytes;
};

struct series_ids {
    struct slot *slots;
    size_t slots_count; /* a power of two */
    size_t used;
    struct buf keys;
};

/* Callers are test machines: a fixed hash key is good enough here. */
static const struct hash_key KEY = {UINT64_C(0x7761747368697031), UINT64_C(0x656d756c61746f72)};

struct series_ids *series_ids_new(size_t key_bytes_max)
{
    ASSERT(key_bytes_max > 0 && key_bytes_max <= UINT32_MAX);
    struct series_ids *ids = mem_new(1, sizeof *ids);
    ids->slots_count = SLOTS_MIN;
    ids->slots = mem_new(ids->slots_count, sizeof *ids->slots);
    buf_init(&ids->keys, key_bytes_max);
    return ids;
}

void series_ids_free(struct series_ids *ids)
{
    if (ids == NULL) {
        return;
    }
    buf_release(&ids->keys);
    mem_free(ids->slots);
    mem_free(ids);
}

/* The slot that holds the key, or the free one where it would go. */
static struct slot *find(const struct series_ids *ids, uint64_t hash, const void *key,
                         size_t key_bytes)
{
    ASSERT(ids->used < ids->slots_count);
    size_t mask = ids->slots_count - 1;
    for (size_t index = hash & mask;; index = (index + 1) & mask) {
        struct slot *slot = &ids->slots[index];
        if (slot->id == 0) {
            return slot;
        }
        if (slot->hash == hash && slot->key_bytes == key_bytes &&
            memcmp(ids->keys.data + slot->key_at, key, key_bytes) == 0) {
            return slot;
        }
    }
}

int64_t series_ids_get(const struct series_ids *ids, const void *key, size_t key_bytes)
{
    return find(ids, hash_bytes(&KEY, key, key_bytes), key, key_bytes)->id;
}

static void grow(struct series_ids *ids)
{
    struct slot *old = ids->slots;
    size_t old_count = ids->slots_count;
    ids->slots_count *= 2;
    ids->slots = mem_new(ids->slots_count, sizeof *ids->slots);
    size_t mask = ids->slots_count - 1;
    for (size_t from = 0; from < old_count; from++) {
        if (old[from].id == 0) {
            continue;
        }
        size_t to = old[from].hash & mask;
        while (ids->slots[to].id != 0) {
            to = (to + 1) & mask;
        }
        ids->slots[to] = old[from];
    }
    mem_free(old);
}

static void forget_all(struct series_ids *ids)
{
    memset(ids->slots, 0, ids->slots_count * sizeof *ids->slots);
    ids->used = 0;
    buf_clear(&ids->keys);
}

void series_ids_put(struct series_ids *ids, const void *key, size_t key_bytes, int64_t id)
{
    ASSERT(id > 0 && key_bytes > 0);
    if (key_bytes > ids->keys.limit) {
        return;
    }
    if (key_bytes > ids->keys.limit - ids->keys.bytes) {
        forget_all(ids);
    }
    if (ids->used + 1 > ids->slots_count / 4 * 3) {
        grow(ids);
    }
    uint64_t hash = hash_bytes(&KEY, key, key_bytes);
    struct slot *slot = find(ids, hash, key, key_bytes);
    ASSERT(slot->id == 0);
    size_t key_at = ids->keys.bytes;
    bool appended = buf_append(&ids->keys, key, key_bytes);
    ASSERT(appended);
    *slot = (struct slot){hash, id, (uint32_t)key_at, (uint32_t)key_bytes};
    ids->used++;
}

size_t series_ids_count(const struct series_ids *ids)
{
    return ids->used;
}

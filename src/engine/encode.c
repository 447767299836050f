/* encode.c - the body of a batch: its items grouped by series (each series' samples in lane order),
 * labels once a group, then the snappy block. All scratch memory is here and bounded by limits.h.
 */
#include "internal.h"

enum { GROUP_SLOTS = 65536, COMPRESS_SLACK = 1 << 16 };
static_assert(GROUP_SLOTS >= 2 * BATCH_SAMPLES_MAX, "the group table stays at most half full");
static_assert((GROUP_SLOTS & (GROUP_SLOTS - 1)) == 0, "a power of two");

struct group_slot {
    uint32_t epoch; /* valid when it is the encoder's */
    uint32_t set;
    uint32_t group;
};

struct group {
    uint32_t set;
    uint32_t first, last; /* into next/items */
    uint32_t count;
};

struct encode {
    struct group_slot slots[GROUP_SLOTS];
    uint32_t epoch;
    struct group groups[BATCH_SAMPLES_MAX];
    uint32_t groups_count;
    uint32_t next[BATCH_SAMPLES_MAX];
    struct rw_sample samples[BATCH_SAMPLES_MAX];
    struct rw_sample run[BATCH_SAMPLES_MAX]; /* one group's, gathered */
    uint32_t items_count;
    struct label labels[LABELS_FINAL_MAX];
    struct buf raw;
    struct buf compressed;
};

struct encode *encode_new(void)
{
    struct encode *encode = mem_new(1, sizeof *encode);
    buf_init(&encode->raw, BATCH_RAW_BYTES_MAX);
    buf_init(&encode->compressed, BATCH_RAW_BYTES_MAX + BATCH_RAW_BYTES_MAX / 6 + COMPRESS_SLACK);
    return encode;
}

void encode_free(struct encode *encode)
{
    if (encode == NULL) {
        return;
    }
    buf_release(&encode->raw);
    buf_release(&encode->compressed);
    mem_free(encode);
}

static struct group *group_of(struct encode *encode, uint32_t set)
{
    uint32_t slot = (set * 0x9E3779B1u) >> 16;
    for (;;) {
        struct group_slot *found = &encode->slots[slot & (GROUP_SLOTS - 1)];
        if (found->epoch != encode->epoch) {
            *found = (struct group_slot){encode->epoch, set, encode->groups_count};
            struct group *group = &encode->groups[encode->groups_count++];
            *group = (struct group){.set = set};
            return group;
        }
        if (found->set == set) {
            return &encode->groups[found->group];
        }
        slot++;
    }
}

static void group_add(struct encode *encode, const struct item *item)
{
    ASSERT(encode->items_count < BATCH_SAMPLES_MAX);
    uint32_t index = encode->items_count++;
    struct group *group = group_of(encode, item->set);
    encode->samples[index] = (struct rw_sample){item->t_ms, item->bits};
    if (group->count == 0) {
        group->first = index;
    } else {
        encode->next[group->last] = index;
    }
    group->last = index;
    group->count++;
}

static void groups_make(struct encode *encode, const struct destination *destination,
                        struct batch *batch)
{
    encode->epoch++;
    encode->groups_count = 0;
    encode->items_count = 0;
    batch->newest_ms = INT64_MIN;
    for (size_t i = 0; i < batch->parts_count; i++) {
        struct lane_walk walk;
        lane_walk_start(&walk, &destination->lanes[batch->parts[i].lane]);
        for (uint32_t k = 0; k < batch->parts[i].count; k++) {
            const struct item *item = lane_walk_next(&walk);
            group_add(encode, item);
            if (item->t_ms > batch->newest_ms) {
                batch->newest_ms = item->t_ms;
            }
        }
    }
    ASSERT(encode->items_count == batch->samples);
}

static bool group_write(struct engine *engine, const struct group *group)
{
    struct encode *encode = engine->encode;
    const struct rw_sample *samples = &encode->samples[group->first];
    if (group->count > 1) {
        uint32_t index = group->first;
        for (uint32_t i = 0; i < group->count; i++) {
            encode->run[i] = encode->samples[index];
            index = encode->next[index];
        }
        samples = encode->run;
    }
    size_t count = labels_get(engine->labels, group->set, encode->labels, LABELS_FINAL_MAX);
    return rw1_series(&encode->raw, encode->labels, count, samples, group->count);
}

bool encode_batch(struct engine *engine, struct destination *destination, struct batch *batch,
                  uint32_t *fitting)
{
    struct encode *encode = engine->encode;
    groups_make(encode, destination, batch);
    buf_clear(&encode->raw);
    for (uint32_t i = 0; i < encode->groups_count; i++) {
        if (!group_write(engine, &encode->groups[i])) {
            ASSERT(batch->samples > 1); /* limits.h: one series always fits */
            *fitting = batch->samples / 2;
            return false;
        }
    }
    bool compressed = rw_compress(&encode->raw, &encode->compressed);
    ASSERT(compressed);
    size_t bytes = encode->compressed.bytes;
    size_t bytes_max = destination->conf->queue.max_bytes_per_send;
    if (bytes > bytes_max && batch->samples > 1) {
        uint64_t wanted = (uint64_t)batch->samples * bytes_max / bytes * 9 / 10;
        *fitting = wanted == 0 ? 1 : (uint32_t)wanted;
        return false;
    }
    buf_release(&batch->body);
    buf_init(&batch->body, bytes);
    bool fits = buf_append(&batch->body, encode->compressed.data, bytes);
    ASSERT(fits);
    return true;
}

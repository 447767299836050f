/* encode.c - the body of a batch: its items grouped by series (each series' items in lane order),
 * labels once a group, then the snappy block. All scratch memory is here and bounded by limits.h.
 *
 * A group of floats is one TimeSeries. One of several kinds is cut into runs, a TimeSeries each,
 * so that every receiver takes its items in their order: floats and histograms never share one
 * (2.0 forbids it, 1.0 receivers take all floats first), and exemplars stand where receivers take
 * them last, for an exemplar before the first sample of its series is refused. */
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
    bool mixed; /* not floats alone */
};

struct encode {
    struct group_slot slots[GROUP_SLOTS];
    uint32_t epoch;
    struct group groups[BATCH_SAMPLES_MAX];
    uint32_t groups_count;
    uint32_t next[BATCH_SAMPLES_MAX];
    struct rw_sample samples[BATCH_SAMPLES_MAX];
    const struct item *items[BATCH_SAMPLES_MAX];
    struct rw_sample run[BATCH_SAMPLES_MAX]; /* one group's, gathered */
    int64_t starts_ms[BATCH_SAMPLES_MAX];    /* this and the next two: the same for mixed groups */
    struct rw_histogram histograms[BATCH_SAMPLES_MAX];
    struct rw_exemplar exemplars[BATCH_SAMPLES_MAX];
    uint32_t items_count;
    uint32_t metadata; /* series written with theirs */
    struct label labels[LABELS_FINAL_MAX];
    struct rw2 *rw2;
    struct buf raw;
    struct buf compressed;
};

struct encode *encode_new(const struct hash_key *key)
{
    struct encode *encode = mem_new(1, sizeof *encode);
    encode->rw2 = rw2_new(key, BATCH_RAW_BYTES_MAX);
    buf_init(&encode->raw, BATCH_RAW_BYTES_MAX);
    buf_init(&encode->compressed, BATCH_RAW_BYTES_MAX + BATCH_RAW_BYTES_MAX / 6 + COMPRESS_SLACK);
    return encode;
}

void encode_free(struct encode *encode)
{
    if (encode == NULL) {
        return;
    }
    rw2_free(encode->rw2);
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
    encode->items[index] = item;
    group->mixed = group->mixed || item->kind != ITEM_FLOAT;
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
    batch->oldest_ms = INT64_MAX;
    batch->histograms = 0;
    batch->exemplars = 0;
    uint32_t place = 0;
    for (size_t i = 0; i < batch->parts_count; i++) {
        struct lane_walk walk;
        lane_walk_start(&walk, &destination->lanes[batch->parts[i].lane]);
        for (uint32_t k = 0; k < batch->parts[i].count; k++) {
            const struct item *item = lane_walk_next(&walk);
            bool goes = item->end == ITEM_GOES;
            if (goes && item->t_ms > batch->newest_ms && item->kind != ITEM_EXEMPLAR) {
                batch->newest_ms = item->t_ms;
            }
            if (goes && (batch->sift == NULL || sift_wants(batch->sift, place))) {
                group_add(encode, item);
                batch->oldest_ms = item->t_ms < batch->oldest_ms ? item->t_ms : batch->oldest_ms;
                batch->histograms += item->kind == ITEM_HISTOGRAM;
                batch->exemplars += item->kind == ITEM_EXEMPLAR;
            }
            place++;
        }
    }
    ASSERT(place == batch->samples && encode->items_count > 0);
    batch->carried = encode->items_count;
}

static bool series_write(struct encode *encode, enum rw_version version,
                         const struct rw_series *series)
{
    encode->metadata += series->metadata != NULL;
    return version == RW_2 ? rw2_write(encode->rw2, series) : rw1_write(&encode->raw, series);
}

static void series_begin(const struct encode *encode, struct rw_series *series)
{
    series->samples = encode->run;
    series->samples_count = 0;
    series->starts_ms = encode->starts_ms;
    series->histograms = encode->histograms;
    series->histograms_count = 0;
    series->exemplars = encode->exemplars;
    series->exemplars_count = 0;
}

/* Whether an item of this kind would come too early or too late in the TimeSeries at hand. */
static bool series_ends(const struct rw_series *series, enum rw_version version,
                        enum item_kind kind)
{
    switch (kind) {
    case ITEM_FLOAT:
    case ITEM_FLOAT_START:
        return series->histograms_count > 0;
    case ITEM_HISTOGRAM: /* 1.0 receivers take a TimeSeries' histograms after its exemplars */
        return series->samples_count > 0 || (version == RW_1 && series->exemplars_count > 0);
    case ITEM_EXEMPLAR:
        return version == RW_1 && series->histograms_count > 0;
    case ITEM_KINDS:
        break;
    }
    ASSERT(!"no such kind");
    return true;
}

static void series_add(struct encode *encode, struct rw_series *series, const struct item *item)
{
    const struct payload *payload = item->kind == ITEM_FLOAT ? NULL : item_payload(item);
    switch ((enum item_kind)item->kind) {
    case ITEM_FLOAT:
    case ITEM_FLOAT_START:
        encode->starts_ms[series->samples_count] = payload == NULL ? 0 : payload->st_ms;
        encode->run[series->samples_count++] =
            (struct rw_sample){item->t_ms, payload == NULL ? item->bits : payload->bits};
        return;
    case ITEM_HISTOGRAM:
        encode->histograms[series->histograms_count++] =
            (struct rw_histogram){(const uint8_t *)payload->data, payload->count, payload->st_ms};
        return;
    case ITEM_EXEMPLAR:
        encode->exemplars[series->exemplars_count++] = payload_as_exemplar(item);
        return;
    case ITEM_KINDS:
        break;
    }
    ASSERT(!"no such kind");
}

static bool mixed_write(struct encode *encode, enum rw_version version, const struct group *group,
                        struct rw_series *series)
{
    uint32_t index = group->first;
    series_begin(encode, series);
    for (uint32_t i = 0; i < group->count; i++) {
        const struct item *item = encode->items[index];
        if (series_ends(series, version, item->kind)) {
            if (!series_write(encode, version, series)) {
                return false;
            }
            series_begin(encode, series);
        }
        series_add(encode, series, item);
        index = encode->next[index];
    }
    return series_write(encode, version, series);
}

static bool group_write(struct engine *engine, enum rw_version version, const struct group *group)
{
    struct encode *encode = engine->encode;
    struct rw_series series = {.labels = encode->labels};
    series.labels_count = labels_get(engine->labels, group->set, encode->labels, LABELS_FINAL_MAX);
    struct rw_metadata metadata;
    if (version == RW_2 && metadata_of(engine, encode->labels, series.labels_count, &metadata)) {
        series.metadata = &metadata;
    }
    if (group->mixed) {
        return mixed_write(encode, version, group, &series);
    }
    series.samples = &encode->samples[group->first];
    series.samples_count = group->count;
    if (group->count > 1) {
        uint32_t index = group->first;
        for (uint32_t i = 0; i < group->count; i++) {
            encode->run[i] = encode->samples[index];
            index = encode->next[index];
        }
        series.samples = encode->run;
    }
    return series_write(encode, version, &series);
}

/* Into encode->raw; false: more than a request may have. */
static bool groups_write(struct engine *engine, enum rw_version version)
{
    struct encode *encode = engine->encode;
    buf_clear(&encode->raw);
    encode->metadata = 0;
    if (version == RW_2) {
        rw2_begin(encode->rw2);
    }
    for (uint32_t i = 0; i < encode->groups_count; i++) {
        if (!group_write(engine, version, &encode->groups[i])) {
            return false;
        }
    }
    return version == RW_1 || rw2_end(encode->rw2, &encode->raw);
}

bool encode_batch(struct engine *engine, struct destination *destination, struct batch *batch,
                  uint32_t *fitting)
{
    struct encode *encode = engine->encode;
    groups_make(encode, destination, batch);
    batch->version = destination->version;
    if (!groups_write(engine, batch->version)) {
        ASSERT(batch->carried > 1); /* limits.h: one item always fits */
        *fitting = batch->carried / 2;
        return false;
    }
    batch->metadata = encode->metadata;
    bool compressed = rw_compress(&encode->raw, &encode->compressed);
    ASSERT(compressed);
    size_t bytes = encode->compressed.bytes;
    size_t bytes_max = destination->conf->queue.max_bytes_per_send;
    if (bytes > bytes_max && batch->carried > 1) {
        uint64_t wanted = (uint64_t)batch->carried * bytes_max / bytes * 9 / 10;
        *fitting = wanted == 0 ? 1 : (uint32_t)wanted;
        return false;
    }
    buf_release(&batch->body);
    buf_init(&batch->body, bytes);
    bool fits = buf_append(&batch->body, encode->compressed.data, bytes);
    ASSERT(fits);
    return true;
}

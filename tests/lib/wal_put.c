/* wal_put.c - the encoders of records, one a type. Written from the format's description, not from
 * the decoders: a round trip then says something. */
#include "wal_writer.h"

static void put(struct buf *out, const void *bytes, size_t count)
{
    bool done = buf_append(out, bytes, count);
    ASSERT(done);
}

static void put_u8(struct buf *out, uint8_t value)
{
    put(out, &value, 1);
}

static void put_be64(struct buf *out, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    }
    put(out, bytes, sizeof bytes);
}

static void put_uvarint(struct buf *out, uint64_t value)
{
    uint8_t bytes[10];
    size_t count = 0;
    while (value >= 0x80) {
        bytes[count++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[count++] = (uint8_t)value;
    put(out, bytes, count);
}

/* Zigzag: n >= 0 -> 2n, n < 0 -> -2n - 1. */
static void put_varint(struct buf *out, uint64_t value)
{
    put_uvarint(out, (int64_t)value < 0 ? ~(value << 1) : value << 1);
}

static void put_string(struct buf *out, const void *bytes, size_t count)
{
    put_uvarint(out, count);
    put(out, bytes, count);
}

static void put_labels(struct buf *out, const struct label *labels, size_t count)
{
    put_uvarint(out, count);
    for (size_t i = 0; i < count; i++) {
        put_string(out, labels[i].name, labels[i].name_bytes);
        put_string(out, labels[i].value, labels[i].value_bytes);
    }
}

static void start(struct buf *out, enum wal_type type)
{
    buf_clear(out);
    put_u8(out, (uint8_t)type);
}

void wal_put_series(struct buf *out, const struct wal_series *items, size_t count)
{
    start(out, WAL_SERIES);
    for (size_t i = 0; i < count; i++) {
        put_be64(out, items[i].ref);
        put_labels(out, items[i].labels, items[i].labels_count);
    }
}

/* V1: the base is the first item. */
static void put_base(struct buf *out, uint64_t ref, int64_t t_ms)
{
    put_be64(out, ref);
    put_be64(out, (uint64_t)t_ms);
}

static void put_place(struct buf *out, uint64_t ref_delta, int64_t t_ms, int64_t t_base)
{
    put_varint(out, ref_delta);
    put_varint(out, (uint64_t)t_ms - (uint64_t)t_base);
}

struct place {
    uint64_t ref;
    int64_t t_ms, st_ms;
};

/* V2: what stands before a value. first NULL: this is the first item. */
static void put_place_v2(struct buf *out, const struct place *item, const struct place *first,
                         const struct place *previous)
{
    if (first == NULL) {
        put_varint(out, item->ref);
        put_varint(out, (uint64_t)item->t_ms);
        put_varint(out, (uint64_t)item->st_ms);
        return;
    }
    put_place(out, item->ref - previous->ref, item->t_ms, first->t_ms);
    if (item->st_ms == 0) {
        put_u8(out, 0);
    } else if (item->st_ms == previous->st_ms) {
        put_u8(out, 1);
    } else {
        put_u8(out, 2);
        put_varint(out, (uint64_t)item->st_ms - (uint64_t)first->st_ms);
    }
}

static struct place sample_place(const struct wal_sample *sample)
{
    return (struct place){sample->ref, sample->t_ms, sample->st_ms};
}

static void put_samples_v2(struct buf *out, const struct wal_sample *items, size_t count)
{
    struct place first = {0};
    struct place previous = {0};
    for (size_t i = 0; i < count; i++) {
        struct place item = sample_place(&items[i]);
        first = i == 0 ? item : first;
        put_place_v2(out, &item, i == 0 ? NULL : &first, &previous);
        put_be64(out, items[i].bits);
        previous = item;
    }
}

void wal_put_samples(struct buf *out, enum wal_type type, const struct wal_sample *items,
                     size_t count)
{
    ASSERT(type == WAL_SAMPLES || type == WAL_SAMPLES_V2);
    start(out, type);
    if (type == WAL_SAMPLES_V2) {
        put_samples_v2(out, items, count);
        return;
    }
    if (count > 0) {
        put_base(out, items[0].ref, items[0].t_ms);
    }
    for (size_t i = 0; i < count; i++) {
        put_place(out, items[i].ref - items[0].ref, items[i].t_ms, items[0].t_ms);
        put_be64(out, items[i].bits);
    }
}

void wal_put_tombstones(struct buf *out, const struct wal_tombstone *items, size_t count)
{
    start(out, WAL_TOMBSTONES);
    for (size_t i = 0; i < count; i++) {
        put_be64(out, items[i].ref);
        put_varint(out, (uint64_t)items[i].t_min_ms);
        put_varint(out, (uint64_t)items[i].t_max_ms);
    }
}

void wal_put_exemplars(struct buf *out, const struct wal_exemplar *items, size_t count)
{
    start(out, WAL_EXEMPLARS);
    if (count > 0) {
        put_base(out, items[0].ref, items[0].t_ms);
    }
    for (size_t i = 0; i < count; i++) {
        put_place(out, items[i].ref - items[0].ref, items[i].t_ms, items[0].t_ms);
        put_be64(out, items[i].bits);
        put_labels(out, items[i].labels, items[i].labels_count);
    }
}

void wal_put_metadata(struct buf *out, const struct wal_metadata *items, size_t count)
{
    start(out, WAL_METADATA);
    for (size_t i = 0; i < count; i++) {
        put_uvarint(out, items[i].ref);
        put_u8(out, items[i].type);
        put_uvarint(out, 2);
        put_string(out, "UNIT", 4);
        put_string(out, items[i].unit.at, view_left(&items[i].unit));
        put_string(out, "HELP", 4);
        put_string(out, items[i].help.at, view_left(&items[i].help));
    }
}

void wal_put_markers(struct buf *out, const struct wal_marker *items, size_t count)
{
    start(out, WAL_MMAP_MARKERS);
    for (size_t i = 0; i < count; i++) {
        put_be64(out, items[i].ref);
        put_be64(out, items[i].chunk);
    }
}

/* ---- histograms ---- */

static void put_number(struct buf *out, bool is_float, uint64_t value)
{
    if (is_float) {
        put_be64(out, value);
    } else {
        put_uvarint(out, value);
    }
}

static void put_spans(struct buf *out, const struct wal_span *spans, uint32_t count)
{
    put_uvarint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        put_varint(out, (uint64_t)(int64_t)spans[i].offset);
        put_uvarint(out, spans[i].length);
    }
}

static void put_buckets(struct buf *out, bool is_float, const uint64_t *buckets, uint32_t count)
{
    put_uvarint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        if (is_float) {
            put_be64(out, buckets[i]);
        } else {
            put_varint(out, buckets[i]);
        }
    }
}

static void put_histogram(struct buf *out, const struct wal_histogram *histogram)
{
    bool is_float = histogram->is_float;
    put_u8(out, histogram->reset_hint);
    put_varint(out, (uint64_t)(int64_t)histogram->schema);
    put_be64(out, histogram->zero_threshold_bits);
    put_number(out, is_float, histogram->zero_count);
    put_number(out, is_float, histogram->count);
    put_be64(out, histogram->sum_bits);
    put_spans(out, histogram->spans[0], histogram->spans_count[0]);
    put_spans(out, histogram->spans[1], histogram->spans_count[1]);
    put_buckets(out, is_float, histogram->buckets[0], histogram->buckets_count[0]);
    put_buckets(out, is_float, histogram->buckets[1], histogram->buckets_count[1]);
    if (histogram->schema == -53) {
        put_buckets(out, true, histogram->custom_bits, histogram->custom_count);
    }
}

void wal_put_histograms(struct buf *out, enum wal_type type, const struct wal_histogram *items,
                        size_t count)
{
    bool v2 = type == WAL_HISTOGRAMS_V2 || type == WAL_FLOAT_HISTOGRAMS_V2;
    bool is_float = type == WAL_FLOAT_HISTOGRAMS || type == WAL_CUSTOM_FLOAT_HISTOGRAMS ||
                    type == WAL_FLOAT_HISTOGRAMS_V2;
    struct place first = {0};
    struct place previous = {0};
    start(out, type);
    if (!v2 && count > 0) {
        put_base(out, items[0].ref, items[0].t_ms);
    }
    for (size_t i = 0; i < count; i++) {
        struct place item = {items[i].ref, items[i].t_ms, items[i].st_ms};
        ASSERT(items[i].is_float == is_float);
        first = i == 0 ? item : first;
        if (v2) {
            put_place_v2(out, &item, i == 0 ? NULL : &first, &previous);
        } else {
            put_place(out, item.ref - first.ref, item.t_ms, first.t_ms);
        }
        put_histogram(out, &items[i]);
        previous = item;
    }
}

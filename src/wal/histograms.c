/* histograms.c - native histograms, types 7-10, 12 and 13: integer and float, exponential and
 * custom.
 *
 * Spans, buckets and custom bounds of one item lie behind each other in the iterator's room, which
 * grows; they are noted as offsets until the item is whole, since growing moves it. A count is
 * believed only when the bytes left could hold that many, so hostile counts can't make the room
 * grow. Whether spans and buckets agree is not looked at here, as upstream doesn't: who walks them
 * must not assume it. */
#include "parts.h"

#include <walship/mem.h>

enum { SCHEMA_CUSTOM = -53, ST_NONE = 0, ST_SAME = 1, ROOM_BYTES_MIN = 1024 };

_Static_assert(sizeof(struct wal_span) == sizeof(uint64_t),
               "the room is one array of 8 byte cells");

/* Where the arrays of the item being read lie in the room, in cells. Without store: only walked. */
struct layout {
    bool store;
    size_t used;
    size_t spans[2], buckets[2], custom;
};

bool wal_histogram_schema_known(int32_t schema)
{
    return (schema >= -9 && schema <= 52) || schema == SCHEMA_CUSTOM;
}

void wal_histogram_init(struct wal_histogram_iter *iter, struct view record)
{
    enum wal_type type = wal_record_type(record);
    ASSERT(type >= WAL_HISTOGRAMS && type != WAL_SAMPLES_V2 && type < WAL_TYPES);
    *iter = (struct wal_histogram_iter){
        .left = wal_record_body(record),
        .v2 = type == WAL_HISTOGRAMS_V2 || type == WAL_FLOAT_HISTOGRAMS_V2,
        .is_float = type == WAL_FLOAT_HISTOGRAMS || type == WAL_CUSTOM_FLOAT_HISTOGRAMS ||
                    type == WAL_FLOAT_HISTOGRAMS_V2,
        .first = true,
    };
    if (!iter->v2 && view_left(&iter->left) > 0) {
        iter->ref = view_be64(&iter->left);
        iter->t_base = (int64_t)view_be64(&iter->left);
    }
}

void wal_histogram_release(struct wal_histogram_iter *iter)
{
    mem_free(iter->room);
    iter->room = NULL;
    iter->room_bytes = 0;
}

/* Cells for `count` more; their index. */
static size_t room_take(struct wal_histogram_iter *iter, struct layout *layout, size_t count)
{
    size_t start = layout->used;
    if (!layout->store) {
        return start;
    }
    layout->used += count;
    size_t wanted = layout->used * sizeof(uint64_t);
    if (wanted > iter->room_bytes || iter->room == NULL) {
        size_t doubled = iter->room_bytes * 2;
        size_t bytes = wanted > doubled ? wanted : doubled;
        iter->room_bytes = bytes > ROOM_BYTES_MIN ? bytes : ROOM_BYTES_MIN;
        iter->room = mem_grow(iter->room, iter->room_bytes, 1);
    }
    return start;
}

/* A count of things that take at least `bytes_min` each; fails the view if they can't be there. */
static uint32_t read_count(struct view *left, size_t bytes_min)
{
    uint64_t count = view_uvarint(left);
    if (count > view_left(left) / bytes_min || count > UINT32_MAX) {
        view_fail(left);
        return 0;
    }
    return (uint32_t)count;
}

static uint32_t read_spans(struct wal_histogram_iter *iter, struct layout *layout, size_t *start)
{
    uint32_t count = read_count(&iter->left, 2);
    *start = room_take(iter, layout, count);
    struct wal_span *spans = layout->store ? (struct wal_span *)iter->room + *start : NULL;
    for (uint32_t i = 0; i < count; i++) {
        /* out of range values are cut as Go's conversions cut them */
        int32_t offset = (int32_t)view_varint(&iter->left);
        uint32_t length = (uint32_t)view_uvarint(&iter->left);
        if (spans != NULL) {
            spans[i] = (struct wal_span){offset, length};
        }
    }
    return count;
}

/* varints: integer deltas; else 8 bytes each. */
static uint32_t read_values(struct wal_histogram_iter *iter, struct layout *layout, bool varints,
                            size_t *start)
{
    uint32_t count = read_count(&iter->left, varints ? 1 : 8);
    *start = room_take(iter, layout, count);
    uint64_t *values = layout->store ? (uint64_t *)iter->room + *start : NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = varints ? (uint64_t)view_varint(&iter->left) : view_be64(&iter->left);
        if (values != NULL) {
            values[i] = value;
        }
    }
    return count;
}

static void point(const struct wal_histogram_iter *iter, const struct layout *layout,
                  struct wal_histogram *out)
{
    const uint64_t *cells = iter->room;
    ASSERT(cells != NULL);
    for (int sign = 0; sign < 2; sign++) {
        out->spans[sign] = (const struct wal_span *)iter->room + layout->spans[sign];
        out->buckets[sign] = cells + layout->buckets[sign];
    }
    out->custom_bits = cells + layout->custom;
}

static void read_value(struct wal_histogram_iter *iter, struct layout *layout,
                       struct wal_histogram *out)
{
    struct view *left = &iter->left;
    bool is_float = iter->is_float;
    out->is_float = is_float;
    out->reset_hint = view_u8(left);
    out->schema = (int32_t)view_varint(left);
    out->zero_threshold_bits = view_be64(left);
    out->zero_count = is_float ? view_be64(left) : view_uvarint(left);
    out->count = is_float ? view_be64(left) : view_uvarint(left);
    out->sum_bits = view_be64(left);
    out->spans_count[0] = read_spans(iter, layout, &layout->spans[0]);
    out->spans_count[1] = read_spans(iter, layout, &layout->spans[1]);
    out->buckets_count[0] = read_values(iter, layout, !is_float, &layout->buckets[0]);
    out->buckets_count[1] = read_values(iter, layout, !is_float, &layout->buckets[1]);
    out->custom_count = 0;
    layout->custom = 0;
    if (out->schema == SCHEMA_CUSTOM) {
        out->custom_count = read_values(iter, layout, false, &layout->custom);
    }
    if (layout->store) {
        point(iter, layout, out);
    }
}

static void read_place_v2(struct wal_histogram_iter *iter, struct wal_histogram *out)
{
    struct view *left = &iter->left;
    if (iter->first) {
        iter->first = false;
        iter->ref = (uint64_t)view_varint(left);
        iter->t_base = out->t_ms = view_varint(left);
        iter->st_base = iter->st_previous = view_varint(left);
    } else {
        iter->ref += (uint64_t)view_varint(left);
        out->t_ms = wal_time_add(iter->t_base, view_varint(left));
        uint8_t marker = view_u8(left);
        if (marker == ST_NONE) {
            iter->st_previous = 0;
        } else if (marker != ST_SAME) {
            iter->st_previous = wal_time_add(iter->st_base, view_varint(left));
        }
    }
    out->ref = iter->ref;
    out->st_ms = iter->st_previous;
}

static bool read_item(struct wal_histogram_iter *iter, bool store, struct wal_histogram *out)
{
    if (view_left(&iter->left) == 0) {
        return false;
    }
    if (iter->v2) {
        read_place_v2(iter, out);
    } else {
        out->ref = iter->ref + (uint64_t)view_varint(&iter->left);
        out->t_ms = wal_time_add(iter->t_base, view_varint(&iter->left));
        out->st_ms = 0;
    }
    struct layout layout = {.store = store};
    read_value(iter, &layout, out);
    return view_ok(&iter->left);
}

bool wal_histogram_next(struct wal_histogram_iter *iter, struct wal_histogram *out)
{
    ASSERT(out != NULL);
    return read_item(iter, true, out);
}

bool wal_histograms_check(struct view record, uint64_t *items)
{
    struct wal_histogram_iter iter;
    struct wal_histogram histogram;
    wal_histogram_init(&iter, record);
    while (read_item(&iter, false, &histogram)) {
        (*items)++;
    }
    ASSERT(iter.room == NULL); /* a check allocates nothing */
    return view_ok(&iter.left);
}

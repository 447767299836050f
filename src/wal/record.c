/* record.c - record types, the check of a whole record, and the rare types: series, exemplars,
 * metadata, tombstones. Samples and histograms have files of their own.
 *
 * Every iterator is safe on any bytes: where they break off, its view fails and it says "end".
 * wal_record_check is a walk with the same iterators, so that the two can't disagree. */
#include "parts.h"

#include <walship/limits.h>

static const char *const type_names[WAL_TYPES] = {
    [WAL_UNKNOWN] = "unknown",
    [WAL_SERIES] = "series",
    [WAL_SAMPLES] = "samples",
    [WAL_TOMBSTONES] = "tombstones",
    [WAL_EXEMPLARS] = "exemplars",
    [WAL_MMAP_MARKERS] = "mmapmarkers",
    [WAL_METADATA] = "metadata",
    [WAL_HISTOGRAMS] = "histogram_samples",
    [WAL_FLOAT_HISTOGRAMS] = "float_histogram_samples",
    [WAL_CUSTOM_HISTOGRAMS] = "custom_buckets_histogram_samples",
    [WAL_CUSTOM_FLOAT_HISTOGRAMS] = "custom_buckets_float_histogram_samples",
    [WAL_SAMPLES_V2] = "samples_v2",
    [WAL_HISTOGRAMS_V2] = "histogram_samples_v2",
    [WAL_FLOAT_HISTOGRAMS_V2] = "float_histogram_samples_v2",
};

enum wal_type wal_record_type(struct view record)
{
    uint8_t byte = view_left(&record) == 0 ? 0 : *record.at;
    return byte < WAL_TYPES ? (enum wal_type)byte : WAL_UNKNOWN;
}

const char *wal_type_name(enum wal_type type)
{
    ASSERT(type < WAL_TYPES);
    return type_names[type];
}

struct view wal_record_body(struct view record)
{
    ASSERT(view_left(&record) > 0);
    record.at++;
    return record;
}

static struct view read_string(struct view *left)
{
    return view_take(left, view_uvarint(left));
}

size_t wal_read_labels(struct view *left, struct label *room)
{
    uint64_t count = view_uvarint(left);
    if (count > LABELS_COUNT_MAX) {
        view_fail(left);
        return 0;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < count && view_ok(left); i++) {
        struct view name = read_string(left);
        struct view value = read_string(left);
        bytes += view_left(&name) + view_left(&value);
        if (bytes > LABELS_BYTES_MAX) {
            view_fail(left);
        }
        if (room != NULL && view_ok(left)) {
            room[i] = (struct label){(const char *)name.at, (const char *)value.at,
                                     (uint32_t)view_left(&name), (uint32_t)view_left(&value)};
        }
    }
    return (size_t)count;
}

/* ---- series ---- */

void wal_series_init(struct wal_series_iter *iter, struct view record)
{
    ASSERT(wal_record_type(record) == WAL_SERIES);
    iter->left = wal_record_body(record);
}

bool wal_series_next(struct wal_series_iter *iter, struct label *room, struct wal_series *out)
{
    if (view_left(&iter->left) == 0) {
        return false;
    }
    out->ref = view_be64(&iter->left);
    out->labels_count = wal_read_labels(&iter->left, room);
    out->labels = room;
    return view_ok(&iter->left);
}

static bool series_check(struct view record, uint64_t *items)
{
    struct wal_series_iter iter;
    struct wal_series series;
    wal_series_init(&iter, record);
    while (wal_series_next(&iter, NULL, &series)) {
        (*items)++;
    }
    return view_ok(&iter.left);
}

/* ---- exemplars ---- */

void wal_exemplar_init(struct wal_exemplar_iter *iter, struct view record)
{
    ASSERT(wal_record_type(record) == WAL_EXEMPLARS);
    iter->left = wal_record_body(record);
    iter->empty = view_left(&iter->left) == 0;
    iter->ref = iter->empty ? 0 : view_be64(&iter->left);
    iter->t_base = iter->empty ? 0 : (int64_t)view_be64(&iter->left);
}

bool wal_exemplar_next(struct wal_exemplar_iter *iter, struct label *room, struct wal_exemplar *out)
{
    if (view_left(&iter->left) == 0) {
        return false;
    }
    out->ref = iter->ref + (uint64_t)view_varint(&iter->left);
    out->t_ms = wal_time_add(iter->t_base, view_varint(&iter->left));
    out->bits = view_be64(&iter->left);
    out->labels_count = wal_read_labels(&iter->left, room);
    out->labels = room;
    return view_ok(&iter->left);
}

static bool exemplars_check(struct view record, uint64_t *items)
{
    struct wal_exemplar_iter iter;
    struct wal_exemplar exemplar;
    wal_exemplar_init(&iter, record);
    while (wal_exemplar_next(&iter, NULL, &exemplar)) {
        (*items)++;
    }
    return view_ok(&iter.left);
}

/* ---- metadata ---- */

void wal_metadata_init(struct wal_metadata_iter *iter, struct view record)
{
    ASSERT(wal_record_type(record) == WAL_METADATA);
    iter->left = wal_record_body(record);
}

static bool view_is(struct view view, const char *text)
{
    size_t bytes = strlen(text);
    return view_left(&view) == bytes && memcmp(view.at, text, bytes) == 0;
}

bool wal_metadata_next(struct wal_metadata_iter *iter, struct wal_metadata *out)
{
    if (view_left(&iter->left) == 0) {
        return false;
    }
    out->ref = view_uvarint(&iter->left);
    out->type = view_u8(&iter->left);
    out->unit = out->help = view_of("", 0);
    uint64_t fields = view_uvarint(&iter->left);
    for (uint64_t i = 0; i < fields && view_ok(&iter->left); i++) {
        struct view name = read_string(&iter->left);
        struct view value = read_string(&iter->left);
        /* other names are for later writers to add and for us to pass over */
        if (view_is(name, "UNIT")) {
            out->unit = value;
        } else if (view_is(name, "HELP")) {
            out->help = value;
        }
    }
    return view_ok(&iter->left);
}

static bool metadata_check(struct view record, uint64_t *items)
{
    struct wal_metadata_iter iter;
    struct wal_metadata metadata;
    wal_metadata_init(&iter, record);
    while (wal_metadata_next(&iter, &metadata)) {
        (*items)++;
    }
    return view_ok(&iter.left);
}

/* ---- tombstones ---- */

void wal_tombstone_init(struct wal_tombstone_iter *iter, struct view record)
{
    ASSERT(wal_record_type(record) == WAL_TOMBSTONES);
    iter->left = wal_record_body(record);
}

bool wal_tombstone_next(struct wal_tombstone_iter *iter, struct wal_tombstone *out)
{
    if (view_left(&iter->left) == 0) {
        return false;
    }
    out->ref = view_be64(&iter->left);
    out->t_min_ms = view_varint(&iter->left);
    out->t_max_ms = view_varint(&iter->left);
    return view_ok(&iter->left);
}

static bool tombstones_check(struct view record, uint64_t *items)
{
    struct wal_tombstone_iter iter;
    struct wal_tombstone tombstone;
    wal_tombstone_init(&iter, record);
    while (wal_tombstone_next(&iter, &tombstone)) {
        (*items)++;
    }
    return view_ok(&iter.left);
}

/* ---- any ---- */

/* Only seen in the write-behind log, and nothing of them is used: pairs of 64 bits. */
static bool markers_check(struct view record, uint64_t *items)
{
    size_t bytes = view_left(&record) - 1;
    *items = bytes / 16;
    return bytes % 16 == 0;
}

bool wal_record_check(struct view record, uint64_t *items)
{
    ASSERT(items != NULL);
    *items = 0;
    switch (wal_record_type(record)) {
    case WAL_SERIES:
        return series_check(record, items);
    case WAL_SAMPLES:
    case WAL_SAMPLES_V2:
        return wal_samples_check(record, items);
    case WAL_TOMBSTONES:
        return tombstones_check(record, items);
    case WAL_EXEMPLARS:
        return exemplars_check(record, items);
    case WAL_MMAP_MARKERS:
        return markers_check(record, items);
    case WAL_METADATA:
        return metadata_check(record, items);
    case WAL_HISTOGRAMS:
    case WAL_FLOAT_HISTOGRAMS:
    case WAL_CUSTOM_HISTOGRAMS:
    case WAL_CUSTOM_FLOAT_HISTOGRAMS:
    case WAL_HISTOGRAMS_V2:
    case WAL_FLOAT_HISTOGRAMS_V2:
        return wal_histograms_check(record, items);
    case WAL_UNKNOWN:
    case WAL_TYPES:
        return false;
    }
    return false;
}

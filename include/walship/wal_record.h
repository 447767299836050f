/* wal_record.h - the records of a WAL segment, all types 1-13, as pure functions over bytes.
 *
 * Format: Prometheus tsdb/record/record.go (3.14) and tsdb/docs/format/wal.md; where they differ
 * the code is right. All values are carried as their 64 bits: moving a signalling NaN (the stale
 * marker is one) through a floating point register may change it.
 *
 * Use: wal_record_check walks the whole record once and says how many items it has, or that it
 * can't be decoded; after a check that succeeded the iterators can't fail. Iterators borrow the
 * bytes. */
#ifndef WALSHIP_WAL_RECORD_H
#define WALSHIP_WAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/histogram.h>
#include <walship/labels.h>
#include <walship/view.h>

enum wal_type {
    WAL_UNKNOWN = 0, /* any byte not below */
    WAL_SERIES = 1,
    WAL_SAMPLES = 2,
    WAL_TOMBSTONES = 3,
    WAL_EXEMPLARS = 4,
    WAL_MMAP_MARKERS = 5,
    WAL_METADATA = 6,
    WAL_HISTOGRAMS = 7,
    WAL_FLOAT_HISTOGRAMS = 8,
    WAL_CUSTOM_HISTOGRAMS = 9,
    WAL_CUSTOM_FLOAT_HISTOGRAMS = 10,
    WAL_SAMPLES_V2 = 11,
    WAL_HISTOGRAMS_V2 = 12,
    WAL_FLOAT_HISTOGRAMS_V2 = 13,
    WAL_TYPES
};

#define WAL_STALE_BITS 0x7FF0000000000002u

enum wal_type wal_record_type(struct view record);
/* Prometheus' metric label for it: "series", "samples", ..., "unknown". */
const char *wal_type_name(enum wal_type type);

/* False: truncated, trailing bytes, an impossible count, labels beyond the limits, unknown type. */
bool wal_record_check(struct view record, uint64_t *items);

/* Iterators: init with the whole record (type byte included) of a fitting type. */
struct wal_series_iter {
    struct view left;
};
struct wal_series {
    uint64_t ref;
    size_t labels_count;
    struct label *labels; /* the room given to next; as stored (sorted by the writer, unverified) */
};
void wal_series_init(struct wal_series_iter *iter, struct view record);
/* room: LABELS_COUNT_MAX labels. False at the end. */
bool wal_series_next(struct wal_series_iter *iter, struct label *room, struct wal_series *out);

/* Types 2 and 11. */
struct wal_sample {
    uint64_t ref;
    int64_t t_ms;
    int64_t st_ms; /* start time; 0: none */
    uint64_t bits; /* IEEE-754 */
};
struct wal_sample_iter {
    struct view left;
    bool v2, first;
    uint64_t ref; /* V1: base; V2: previous */
    int64_t t_base, st_base, st_previous;
};
void wal_sample_init(struct wal_sample_iter *iter, struct view record);
/* Up to `room` samples; 0 at the end. The hot path: decodes in one tight loop. */
size_t wal_sample_next(struct wal_sample_iter *iter, struct wal_sample *out, size_t room);

/* Types 7-10, 12, 13; the arrays of what next gives point into `room`. */
struct wal_histogram_iter {
    struct view left;
    bool v2, is_float, first;
    uint64_t ref;
    int64_t t_base, st_base, st_previous;
    void *room; /* one growing array, owned: wal_histogram_release */
    size_t room_bytes;
};
void wal_histogram_init(struct wal_histogram_iter *iter, struct view record);
bool wal_histogram_next(struct wal_histogram_iter *iter, struct wal_histogram *out);
void wal_histogram_release(struct wal_histogram_iter *iter);
/* -4..8, custom -53, the reserved -9..-5 and 9..52 that upstream keeps. Skip the others. */
bool wal_histogram_schema_known(int32_t schema);

struct wal_exemplar {
    uint64_t ref;
    int64_t t_ms;
    uint64_t bits;
    size_t labels_count;
    struct label *labels;
};
struct wal_exemplar_iter {
    struct view left;
    bool empty;
    uint64_t ref;
    int64_t t_base;
};
void wal_exemplar_init(struct wal_exemplar_iter *iter, struct view record);
bool wal_exemplar_next(struct wal_exemplar_iter *iter, struct label *room,
                       struct wal_exemplar *out);

struct wal_metadata {
    uint64_t ref;
    uint8_t type; /* 0 unknown, then counter gauge histogram gaugehistogram summary info stateset */
    struct view unit, help;
};
struct wal_metadata_iter {
    struct view left;
};
void wal_metadata_init(struct wal_metadata_iter *iter, struct view record);
bool wal_metadata_next(struct wal_metadata_iter *iter, struct wal_metadata *out);

struct wal_tombstone {
    uint64_t ref;
    int64_t t_min_ms, t_max_ms;
};
struct wal_tombstone_iter {
    struct view left;
};
void wal_tombstone_init(struct wal_tombstone_iter *iter, struct view record);
bool wal_tombstone_next(struct wal_tombstone_iter *iter, struct wal_tombstone *out);

#endif

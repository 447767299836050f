/* wal_recode.c - decode a record, encode what came out: decoder and encoder checked against each
 * other. The arrays of a record's items are kept on the heap while it is encoded. */
#include "wal_text.h"
#include "wal_writer.h"

#include <walship/limits.h>
#include <walship/mem.h>

static void recode_series(struct view record, uint64_t count, struct buf *out)
{
    struct wal_series *items = mem_new((size_t)count + 1, sizeof *items);
    struct label *rooms = mem_new((size_t)count + 1, LABELS_COUNT_MAX * sizeof *rooms);
    struct wal_series_iter iter;
    size_t index = 0;
    wal_series_init(&iter, record);
    while (wal_series_next(&iter, rooms + index * LABELS_COUNT_MAX, &items[index])) {
        index++;
    }
    ASSERT(index == count);
    wal_put_series(out, items, index);
    mem_free(rooms);
    mem_free(items);
}

static void recode_exemplars(struct view record, uint64_t count, struct buf *out)
{
    struct wal_exemplar *items = mem_new((size_t)count + 1, sizeof *items);
    struct label *rooms = mem_new((size_t)count + 1, LABELS_COUNT_MAX * sizeof *rooms);
    struct wal_exemplar_iter iter;
    size_t index = 0;
    wal_exemplar_init(&iter, record);
    while (wal_exemplar_next(&iter, rooms + index * LABELS_COUNT_MAX, &items[index])) {
        index++;
    }
    ASSERT(index == count);
    wal_put_exemplars(out, items, index);
    mem_free(rooms);
    mem_free(items);
}

static void recode_samples(struct view record, uint64_t count, struct buf *out)
{
    struct wal_sample *items = mem_new((size_t)count + 1, sizeof *items);
    struct wal_sample_iter iter;
    wal_sample_init(&iter, record);
    size_t got = wal_sample_next(&iter, items, (size_t)count + 1);
    ASSERT(got == count);
    wal_put_samples(out, wal_record_type(record), items, got);
    mem_free(items);
}

static void recode_tombstones(struct view record, uint64_t count, struct buf *out)
{
    struct wal_tombstone *items = mem_new((size_t)count + 1, sizeof *items);
    struct wal_tombstone_iter iter;
    size_t index = 0;
    wal_tombstone_init(&iter, record);
    while (wal_tombstone_next(&iter, &items[index])) {
        index++;
    }
    ASSERT(index == count);
    wal_put_tombstones(out, items, index);
    mem_free(items);
}

static void recode_metadata(struct view record, uint64_t count, struct buf *out)
{
    struct wal_metadata *items = mem_new((size_t)count + 1, sizeof *items);
    struct wal_metadata_iter iter;
    size_t index = 0;
    wal_metadata_init(&iter, record);
    while (wal_metadata_next(&iter, &items[index])) {
        index++;
    }
    ASSERT(index == count);
    wal_put_metadata(out, items, index);
    mem_free(items);
}

/* Each item has an iterator's room of its own, as the next one would overwrite it: the iterator is
 * copied before it moves, and keeps what it allocated. */
static void recode_histograms(struct view record, uint64_t count, struct buf *out)
{
    struct wal_histogram *items = mem_new((size_t)count + 1, sizeof *items);
    struct wal_histogram_iter *iters = mem_new((size_t)count + 2, sizeof *iters);
    size_t index = 0;
    wal_histogram_init(&iters[0], record);
    while (wal_histogram_next(&iters[index], &items[index])) {
        iters[index + 1] = iters[index];
        iters[index + 1].room = NULL;
        iters[index + 1].room_bytes = 0;
        index++;
    }
    ASSERT(index == count);
    wal_put_histograms(out, wal_record_type(record), items, index);
    for (size_t i = 0; i <= index; i++) {
        wal_histogram_release(&iters[i]);
    }
    mem_free(iters);
    mem_free(items);
}

static void recode_markers(struct view record, uint64_t count, struct buf *out)
{
    struct wal_marker *items = mem_new((size_t)count + 1, sizeof *items);
    (void)view_u8(&record);
    for (uint64_t i = 0; i < count; i++) {
        items[i].ref = view_be64(&record);
        items[i].chunk = view_be64(&record);
    }
    wal_put_markers(out, items, (size_t)count);
    mem_free(items);
}

bool wal_recode(struct view record, struct buf *out)
{
    uint64_t count;
    if (!wal_record_check(record, &count)) {
        return false;
    }
    switch (wal_record_type(record)) {
    case WAL_SERIES:
        recode_series(record, count, out);
        return true;
    case WAL_SAMPLES:
    case WAL_SAMPLES_V2:
        recode_samples(record, count, out);
        return true;
    case WAL_TOMBSTONES:
        recode_tombstones(record, count, out);
        return true;
    case WAL_EXEMPLARS:
        recode_exemplars(record, count, out);
        return true;
    case WAL_MMAP_MARKERS:
        recode_markers(record, count, out);
        return true;
    case WAL_METADATA:
        recode_metadata(record, count, out);
        return true;
    case WAL_HISTOGRAMS:
    case WAL_FLOAT_HISTOGRAMS:
    case WAL_CUSTOM_HISTOGRAMS:
    case WAL_CUSTOM_FLOAT_HISTOGRAMS:
    case WAL_HISTOGRAMS_V2:
    case WAL_FLOAT_HISTOGRAMS_V2:
        recode_histograms(record, count, out);
        return true;
    case WAL_UNKNOWN:
    case WAL_TYPES:
        return false;
    }
    return false;
}

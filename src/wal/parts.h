/* parts.h - what the record decoders share. Private to src/wal. */
#ifndef WAL_PARTS_H
#define WAL_PARTS_H

#include <walship/wal_record.h>

/* The record without its type byte; the type must be one of two (the same twice for one). */
struct view wal_record_body(struct view record);

/* A label set into room (LABELS_COUNT_MAX labels), or only past it when room is NULL. Fails the
 * view beyond the limits. Returns the number of labels. */
size_t wal_read_labels(struct view *left, struct label *room);

/* Sums and differences of references and times wrap as Go's do. */
static inline int64_t wal_time_add(int64_t base, int64_t delta)
{
    return (int64_t)((uint64_t)base + (uint64_t)delta);
}

/* Walk a whole record of their types; false where it can't be decoded. */
bool wal_samples_check(struct view record, uint64_t *items);
bool wal_histograms_check(struct view record, uint64_t *items);

#endif

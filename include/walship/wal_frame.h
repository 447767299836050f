/* wal_frame.h - series records in the WAL's own framing: what the spool keeps of series is read by
 * the same reader as the WAL itself. Pure; appends to a buffer that begins at a page's start.
 * False: the buffer's limit is reached, and what it holds is to be thrown away. */
#ifndef WALSHIP_WAL_FRAME_H
#define WALSHIP_WAL_FRAME_H

#include <walship/buf.h>
#include <walship/labels.h>

/* One series of a series record; an empty `record` is begun. */
MUST_USE bool wal_frame_series(struct buf *record, uint64_t ref, const struct label *labels,
                               size_t count);
/* A whole record, not compressed, in as many fragments as it needs. */
MUST_USE bool wal_frame_record(struct buf *out, const struct buf *record);
/* Zeros up to the page's end. */
MUST_USE bool wal_frame_pad(struct buf *out);

#endif

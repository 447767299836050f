/* rw.h - remote write requests: protobuf bytes and their snappy block. Pure, write only.
 *
 * Messages: prometheus.WriteRequest (1.0). One TimeSeries may carry several samples: the encoder is
 * given one series at a time with all its samples.
 * Owns nothing: it appends to the caller's capped buf; false when that is full. */
#ifndef WALSHIP_RW_H
#define WALSHIP_RW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/assert.h>
#include <walship/buf.h>
#include <walship/labels.h>

struct rw_sample {
    int64_t t_ms;
    uint64_t bits; /* IEEE-754; written even when 0 or -0 */
};

/* One TimeSeries of a WriteRequest: labels in the order given, samples in the order given. Writes
 * nothing and returns false when out's limit would be passed. */
MUST_USE bool rw1_series(struct buf *out, const struct label *labels, size_t labels_count,
                         const struct rw_sample *samples, size_t samples_count);
/* Bytes that rw1_series would append. */
size_t rw1_series_bytes(const struct label *labels, size_t labels_count,
                        const struct rw_sample *samples, size_t samples_count);

/* raw -> snappy block, replacing what out held. False: out's limit is below the worst case or the
 * result. */
MUST_USE bool rw_compress(const struct buf *raw, struct buf *out);
/* The reverse, for tools and tests, with a cap on the decoded size. */
MUST_USE bool rw_decompress(const void *bytes, size_t count, struct buf *out);

#endif

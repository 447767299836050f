/* rw_decode.h - a small, strict reader of remote write 1.0 requests, for the tests' receivers.
 *
 * Independent of the encoder under test: only snappy-c and the protobuf rules. Strict means that
 * what a lenient receiver would forgive is an error here: unknown fields, labels that are not
 * sorted and unique, empty names or values, a series without labels or samples, samples before
 * labels. Pure; everything given to the callback is borrowed for the call. */
#ifndef LIB_RW_DECODE_H
#define LIB_RW_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/err.h>
#include <walship/labels.h>

struct rw_decoded_sample {
    int64_t t_ms;
    uint64_t bits;
};

struct rw_decoded_series {
    const struct label *labels;
    size_t labels_count;
    const struct rw_decoded_sample *samples;
    size_t samples_count;
};

/* Return false to stop; the decoder then returns false too, with err as the callback left it. */
typedef bool rw_decoded_fn(void *context, const struct rw_decoded_series *series, struct err *err);

/* body: a snappy block. bytes_max: of the decompressed message. */
MUST_USE bool rw_decode(const void *body, size_t bytes, size_t bytes_max, rw_decoded_fn *each,
                        void *context, struct err *err);

#endif

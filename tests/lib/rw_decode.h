/* rw_decode.h - a small, strict reader of remote write requests of both versions, for the tests'
 * receivers.
 *
 * Independent of the encoder under test: only snappy-c and the protobuf rules. Strict means that
 * what a lenient receiver would forgive is an error here: unknown fields, labels that are not
 * sorted and unique, empty names or values, a series without labels or items, items before labels,
 * floats and histograms in one 2.0 series, a symbol twice. Pure; everything given to the callback
 * is borrowed for the call. */
#ifndef LIB_RW_DECODE_H
#define LIB_RW_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/err.h>
#include <walship/labels.h>
#include <walship/rw.h>

enum rw_decoded_kind { RW_DECODED_FLOAT, RW_DECODED_HISTOGRAM, RW_DECODED_EXEMPLAR };

struct rw_decoded_sample {
    int64_t t_ms;
    uint64_t bits; /* of a histogram: its sum's */
    int64_t st_ms; /* 2.0; 0: none */
    enum rw_decoded_kind kind;
    int32_t schema; /* of a histogram */
};

struct rw_decoded_series {
    const struct label *labels;
    size_t labels_count;
    const struct rw_decoded_sample *samples; /* in the order of the wire, which receivers keep */
    size_t samples_count;
    uint8_t type; /* 2.0 metadata */
    struct rw_text help, unit;
};

/* Return false to stop; the decoder then returns false too, with err as the callback left it. */
typedef bool rw_decoded_fn(void *context, const struct rw_decoded_series *series, struct err *err);

struct rw_decoding {
    enum rw_version version;
    size_t bytes_max; /* of the decompressed message */
    rw_decoded_fn *each;
    void *context;
    size_t metadata; /* out: families of a 1.0 request */
};

/* body: a snappy block. */
MUST_USE bool rw_decode_body(const void *body, size_t bytes, struct rw_decoding *decoding,
                             struct err *err);
/* The same of a 1.0 request. */
MUST_USE bool rw_decode(const void *body, size_t bytes, size_t bytes_max, rw_decoded_fn *each,
                        void *context, struct err *err);

#endif

/* rw.h - remote write requests: protobuf bytes and their snappy block. Pure, write only.
 *
 * Messages: prometheus.WriteRequest (1.0) and io.prometheus.write.v2.Request (2.0). The encoder is
 * given one TimeSeries at a time with all its items; whether floats and histograms may be in one,
 * and in what order receivers take them, is the caller's business.
 * Owns nothing but struct rw2: it appends to the caller's capped buf; false when that is full, and
 * then nothing was written. */
#ifndef WALSHIP_RW_H
#define WALSHIP_RW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/assert.h>
#include <walship/buf.h>
#include <walship/hash.h>
#include <walship/histogram.h>
#include <walship/labels.h>

enum rw_version { RW_1, RW_2 };

struct rw_sample {
    int64_t t_ms;
    uint64_t bits; /* IEEE-754; written even when 0 or -0 */
};

/* Made by rw_histogram, so that a histogram is encoded once for all destinations. */
struct rw_histogram {
    const uint8_t *bytes;
    size_t count;
    int64_t st_ms; /* start time, 2.0 only; 0: none */
};

struct rw_exemplar {
    const struct label *labels;
    size_t labels_count;
    int64_t t_ms;
    uint64_t bits;
};

struct rw_text {
    const char *bytes;
    size_t count;
};

struct rw_metadata {
    uint8_t type; /* 0 unknown, then counter gauge histogram gaugehistogram summary info stateset */
    struct rw_text family; /* 1.0 only */
    struct rw_text help, unit;
};

/* One TimeSeries; everything in the order given. */
struct rw_series {
    const struct label *labels;
    size_t labels_count;
    const struct rw_sample *samples;
    size_t samples_count;
    const int64_t *starts_ms; /* 2.0: one a sample, 0: none; NULL: none at all */
    const struct rw_histogram *histograms;
    size_t histograms_count;
    const struct rw_exemplar *exemplars;
    size_t exemplars_count;
    const struct rw_metadata *metadata; /* 2.0; NULL: not known */
};

/* The fields of a Histogram message that both versions have, its timestamp included. */
MUST_USE bool rw_histogram(struct buf *out, const struct wal_histogram *histogram);

MUST_USE bool rw1_write(struct buf *out, const struct rw_series *series);
/* The same for floats alone; and the bytes that it would append. */
MUST_USE bool rw1_series(struct buf *out, const struct label *labels, size_t labels_count,
                         const struct rw_sample *samples, size_t samples_count);
size_t rw1_series_bytes(const struct label *labels, size_t labels_count,
                        const struct rw_sample *samples, size_t samples_count);
MUST_USE bool rw1_metadata(struct buf *out, const struct rw_metadata *metadata);

/* A 2.0 request in the making: its series wait here until all symbols are known, because those
 * stand in front. After a false only rw2_begin may follow. */
struct rw2;

/* limit: bytes of a whole request. */
struct rw2 *rw2_new(const struct hash_key *key, size_t limit);
void rw2_free(struct rw2 *rw2);
void rw2_begin(struct rw2 *rw2);
MUST_USE bool rw2_write(struct rw2 *rw2, const struct rw_series *series);
/* Appends the request. */
MUST_USE bool rw2_end(struct rw2 *rw2, struct buf *out);

/* raw -> snappy block, replacing what out held. False: out's limit is below the worst case or the
 * result. */
MUST_USE bool rw_compress(const struct buf *raw, struct buf *out);
/* The reverse, for tools and tests, with a cap on the decoded size. */
MUST_USE bool rw_decompress(const void *bytes, size_t count, struct buf *out);

#endif

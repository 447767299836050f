/* histogram.h - a native histogram as the WAL has it and remote write carries it: data only.
 *
 * Values are their 64 bits (see wal_record.h). Borrows its arrays. Whether spans and buckets agree
 * is not said: who walks them must not assume it. */
#ifndef WALSHIP_HISTOGRAM_H
#define WALSHIP_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

enum { HISTOGRAM_SCHEMA_MIN = -4, HISTOGRAM_SCHEMA_MAX = 8, HISTOGRAM_SCHEMA_CUSTOM = -53 };

struct wal_span {
    int32_t offset;
    uint32_t length;
};

struct wal_histogram {
    uint64_t ref;
    int64_t t_ms, st_ms; /* st: start time; 0: none */
    bool is_float;
    uint8_t reset_hint; /* 0 unknown 1 reset 2 no reset 3 gauge */
    int32_t schema;
    uint64_t zero_threshold_bits;
    uint64_t zero_count; /* integer, or bits of a double */
    uint64_t count;      /* integer, or bits of a double */
    uint64_t sum_bits;
    const struct wal_span *spans[2]; /* 0 positive, 1 negative */
    uint32_t spans_count[2];
    const uint64_t *buckets[2]; /* integer: deltas (int64 bits); float: bits of absolute counts */
    uint32_t buckets_count[2];
    const uint64_t *custom_bits; /* schema -53 */
    uint32_t custom_count;
};

#endif

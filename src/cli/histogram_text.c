/* histogram_text.c - bucket bounds and their text.
 *
 * Upstream's bounds are a table. The same values, to the last bit, come from products of nested
 * square roots of two (checked for all 256 of schema 8): 2^(i/256) is the product of the roots
 * whose bit is set in i; from the upper half of the octave on the factor 1/2 * sqrt(2) is taken as
 * 1/sqrt(2). */
#include "histogram_text.h"

#include "number_text.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <walship/mem.h>

enum { SCHEMA_CUSTOM = -53, SCHEMA_MAX = 8, EXPONENT_CLAMP = 4096 };

#define SIGN_BIT 0x8000000000000000u

struct bucket {
    int32_t index;
    uint64_t count; /* integer, or bits */
};

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* 2^(part / 256) / 2 for part in 0..255. */
static double octave(unsigned part)
{
    static const double roots[7] = {
        /* 2^(1/4), 2^(1/8), ... 2^(1/256) */
        0x1.306fe0a31b715p+0, 0x1.172b83c7d517bp+0, 0x1.0b5586cf9890fp+0, 0x1.059b0d3158574p+0,
        0x1.02c9a3e778061p+0, 0x1.0163da9fb3335p+0, 0x1.00b1afa5abcbfp+0};
    double value = (part & 128) != 0 ? 0x1.6a09e667f3bccp-1 : 0.5;
    for (unsigned i = 0; i < ARRAY_COUNT(roots); i++) {
        value *= (part & (64u >> i)) != 0 ? roots[i] : 1.0;
    }
    return value;
}

static double power(double fraction, int64_t exponent)
{
    int64_t clamped = exponent > EXPONENT_CLAMP    ? EXPONENT_CLAMP
                      : exponent < -EXPONENT_CLAMP ? -EXPONENT_CLAMP
                                                   : exponent;
    return ldexp(fraction, (int)clamped);
}

/* The upper bound of a bucket. The last one of finite values ends at the largest of them, so that
 * the one above it can hold infinities. */
static double exponential_bound(int32_t index, int32_t schema)
{
    if (schema <= 0) {
        int64_t exponent = (int64_t)index * ((int64_t)1 << -schema);
        return exponent == DBL_MAX_EXP ? DBL_MAX : power(1.0, exponent);
    }
    unsigned part = (unsigned)index & ((1u << schema) - 1);
    int64_t exponent = ((int64_t)index >> schema) + 1;
    if (part == 0 && exponent == DBL_MAX_EXP + 1) {
        return DBL_MAX;
    }
    return power(octave(part << (SCHEMA_MAX - schema)), exponent);
}

static uint64_t bound(const struct wal_histogram *histogram, int32_t index)
{
    if (histogram->schema != SCHEMA_CUSTOM) {
        int32_t schema = histogram->schema < SCHEMA_MAX ? histogram->schema : SCHEMA_MAX;
        return bits_of(exponential_bound(index, schema));
    }
    if (index < 0) {
        return bits_of(-(double)INFINITY);
    }
    return (uint32_t)index < histogram->custom_count ? histogram->custom_bits[index]
                                                     : bits_of((double)INFINITY);
}

/* ---- buckets ---- */

/* Finer schemas than 8 are shown as upstream keeps them: merged to 8. */
static int32_t reduced(int32_t index, int32_t schema)
{
    int shift = schema > SCHEMA_MAX ? schema - SCHEMA_MAX : 0;
    int64_t wide = shift == 0 ? index : (((int64_t)index - 1) >> shift) + 1;
    return (int32_t)wide;
}

static size_t bucket_add(const struct wal_histogram *histogram, struct bucket *out, size_t count,
                         struct bucket bucket)
{
    bucket.index = reduced(bucket.index, histogram->schema);
    if (count == 0 || out[count - 1].index != bucket.index || histogram->schema <= SCHEMA_MAX) {
        out[count] = bucket;
        return count + 1;
    }
    struct bucket *last = &out[count - 1];
    last->count = histogram->is_float ? bits_of(double_of(last->count) + double_of(bucket.count))
                                      : last->count + bucket.count;
    return count;
}

/* Absolute counts in ascending order of index. */
static size_t buckets_of(const struct wal_histogram *histogram, int sign, struct bucket *out)
{
    uint32_t index = 0; /* wraps as upstream's does */
    uint64_t sum = 0;
    uint32_t used = 0;
    size_t count = 0;
    for (uint32_t i = 0; i < histogram->spans_count[sign]; i++) {
        const struct wal_span *span = &histogram->spans[sign][i];
        index += (uint32_t)span->offset;
        uint32_t left = histogram->buckets_count[sign] - used;
        uint32_t length = span->length < left ? span->length : left;
        for (uint32_t j = 0; j < length; j++) {
            uint64_t value = histogram->buckets[sign][used++];
            sum += value;
            struct bucket bucket = {(int32_t)index++, histogram->is_float ? value : sum};
            count = bucket_add(histogram, out, count, bucket);
        }
    }
    return count;
}

/* ---- text ---- */

static bool put_number(uint64_t bits, struct buf *out)
{
    char text[NUMBER_TEXT_BYTES_MAX];
    size_t bytes = number_text(bits, text);
    return buf_append(out, text, bytes);
}

static bool put_count(bool is_float, uint64_t count, struct buf *out)
{
    return is_float ? put_number(count, out) : buf_format(out, "%" PRIu64, count);
}

static bool put_bounds(char open, uint64_t lower, uint64_t upper, char close, struct buf *out)
{
    return buf_format(out, ", %c", open) && put_number(lower, out) && buf_append(out, ",", 1) &&
           put_number(upper, out) && buf_format(out, "%c:", close);
}

static bool put_bucket(const struct wal_histogram *histogram, int sign, const struct bucket *bucket,
                       struct buf *out)
{
    bool is_float = histogram->is_float;
    uint64_t outer = bound(histogram, bucket->index);
    uint64_t inner = bound(histogram, (int32_t)((uint32_t)bucket->index - 1));
    if ((is_float ? bucket->count & ~SIGN_BIT : bucket->count) == 0) {
        return true; /* empty ones are not shown */
    }
    uint64_t lower = sign == 0 ? inner : outer ^ SIGN_BIT;
    uint64_t upper = sign == 0 ? outer : inner ^ SIGN_BIT;
    bool open = double_of(lower) < 0;
    bool close = double_of(upper) > 0;
    if (histogram->schema == SCHEMA_CUSTOM) {
        open = bucket->index == 0;
        close = true;
    }
    return put_bounds(open ? '[' : '(', lower, upper, close ? ']' : ')', out) &&
           put_count(is_float, bucket->count, out);
}

static bool put_zero_bucket(const struct wal_histogram *histogram, struct buf *out)
{
    uint64_t count = histogram->zero_count;
    uint64_t threshold = histogram->zero_threshold_bits;
    if ((histogram->is_float ? count & ~SIGN_BIT : count) == 0) {
        return true;
    }
    return put_bounds('[', threshold ^ SIGN_BIT, threshold, ']', out) &&
           put_count(histogram->is_float, count, out);
}

/* From the most negative to the most positive. */
static bool put_buckets(const struct wal_histogram *histogram, struct bucket *room, struct buf *out)
{
    bool good = true;
    for (size_t i = buckets_of(histogram, 1, room); i > 0; i--) {
        good = good && put_bucket(histogram, 1, &room[i - 1], out);
    }
    good = good && put_zero_bucket(histogram, out);
    size_t count = buckets_of(histogram, 0, room);
    for (size_t i = 0; i < count; i++) {
        good = good && put_bucket(histogram, 0, &room[i], out);
    }
    return good;
}

bool histogram_text(const struct wal_histogram *histogram, struct buf *out)
{
    ASSERT(wal_histogram_schema_known(histogram->schema));
    uint32_t most = histogram->buckets_count[0] > histogram->buckets_count[1]
                        ? histogram->buckets_count[0]
                        : histogram->buckets_count[1];
    struct bucket *room = mem_new((size_t)most + 1, sizeof *room);
    bool good = buf_append(out, "{count:", 7) &&
                put_count(histogram->is_float, histogram->count, out) &&
                buf_append(out, ", sum:", 6) && put_number(histogram->sum_bits, out) &&
                put_buckets(histogram, room, out) && buf_append(out, "}", 1);
    mem_free(room);
    return good;
}

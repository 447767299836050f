/* rw_histogram.c - the body of a Histogram message. Versions 1.0 and 2.0 have the same fields 1 to
 * 16, so the engine encodes a histogram once, when it is read, and keeps those bytes.
 *
 * The counts are members of a oneof: written even when 0, because their presence says whether the
 * histogram is of integers or of floats. */
#include "wire.h"

enum {
    TAG_COUNT_INT = 0x08,   /* 1, varint */
    TAG_COUNT_FLOAT = 0x11, /* 2, fixed64 */
    TAG_SUM = 0x19,
    TAG_SCHEMA = 0x20,
    TAG_ZERO_THRESHOLD = 0x29,
    TAG_ZERO_COUNT_INT = 0x30,
    TAG_ZERO_COUNT_FLOAT = 0x39,
    TAG_RESET_HINT = 0x70,
    TAG_TIMESTAMP = 0x78,
    TAG_SPAN_OFFSET = 0x08,
    TAG_SPAN_LENGTH = 0x10,
    CUSTOM_TAG_BYTES = 2 /* 82 01: field 16 needs two */
};

/* By sign, as the struct has them: positive, negative. */
static const uint8_t tag_spans[2] = {0x5A, 0x42};
static const uint8_t tag_deltas[2] = {0x62, 0x4A};
static const uint8_t tag_counts[2] = {0x6A, 0x52};
static const uint8_t tag_custom[CUSTOM_TAG_BYTES] = {0x82, 0x01};

static size_t span_bytes(const struct wal_span *span)
{
    return 2 + varint_bytes(zigzag(span->offset)) + varint_bytes(span->length);
}

static size_t buckets_bytes(const struct wal_histogram *histogram, int sign)
{
    size_t bytes = 0;
    if (histogram->is_float) {
        return histogram->buckets_count[sign] * sizeof(uint64_t);
    }
    for (uint32_t i = 0; i < histogram->buckets_count[sign]; i++) {
        bytes += varint_bytes(zigzag((int64_t)histogram->buckets[sign][i]));
    }
    return bytes;
}

static size_t sign_bytes(const struct wal_histogram *histogram, int sign)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < histogram->spans_count[sign]; i++) {
        bytes += field_bytes(span_bytes(&histogram->spans[sign][i]));
    }
    if (histogram->buckets_count[sign] > 0) {
        bytes += field_bytes(buckets_bytes(histogram, sign));
    }
    return bytes;
}

static size_t counted_bytes(const struct wal_histogram *histogram, uint64_t count)
{
    return 1 + (histogram->is_float ? sizeof(uint64_t) : varint_bytes(count));
}

static size_t custom_bytes(const struct wal_histogram *histogram)
{
    size_t body = histogram->custom_count * sizeof(uint64_t);
    return body == 0 ? 0 : CUSTOM_TAG_BYTES + varint_bytes(body) + body;
}

static size_t histogram_bytes(const struct wal_histogram *histogram)
{
    return counted_bytes(histogram, histogram->count) + 1 + sizeof(uint64_t) + 1 +
           varint_bytes(zigzag(histogram->schema)) + 1 + sizeof(uint64_t) +
           counted_bytes(histogram, histogram->zero_count) + sign_bytes(histogram, 0) +
           sign_bytes(histogram, 1) + 1 + varint_bytes(histogram->reset_hint) + 1 +
           varint_bytes((uint64_t)histogram->t_ms) + custom_bytes(histogram);
}

static uint8_t *put_buckets(uint8_t *at, const struct wal_histogram *histogram, int sign)
{
    for (uint32_t i = 0; i < histogram->buckets_count[sign]; i++) {
        uint64_t value = histogram->buckets[sign][i];
        at = histogram->is_float ? put_fixed64(at, value) : put_varint(at, zigzag((int64_t)value));
    }
    return at;
}

static uint8_t *put_sign(uint8_t *at, const struct wal_histogram *histogram, int sign)
{
    for (uint32_t i = 0; i < histogram->spans_count[sign]; i++) {
        const struct wal_span *span = &histogram->spans[sign][i];
        at = put_number(at, tag_spans[sign], span_bytes(span));
        at = put_number(at, TAG_SPAN_OFFSET, zigzag(span->offset));
        at = put_number(at, TAG_SPAN_LENGTH, span->length);
    }
    if (histogram->buckets_count[sign] == 0) {
        return at;
    }
    uint8_t tag = histogram->is_float ? tag_counts[sign] : tag_deltas[sign];
    at = put_number(at, tag, buckets_bytes(histogram, sign));
    return put_buckets(at, histogram, sign);
}

static uint8_t *put_counted(uint8_t *at, bool is_float, const uint8_t tags[2], uint64_t count)
{
    return is_float ? put_double(at, tags[1], count) : put_number(at, tags[0], count);
}

static uint8_t *put_custom(uint8_t *at, const struct wal_histogram *histogram)
{
    if (histogram->custom_count == 0) {
        return at;
    }
    at = put_bytes(at, tag_custom, sizeof tag_custom);
    at = put_varint(at, histogram->custom_count * sizeof(uint64_t));
    for (uint32_t i = 0; i < histogram->custom_count; i++) {
        at = put_fixed64(at, histogram->custom_bits[i]);
    }
    return at;
}

bool rw_histogram(struct buf *out, const struct wal_histogram *histogram)
{
    static const uint8_t count_tags[2] = {TAG_COUNT_INT, TAG_COUNT_FLOAT};
    static const uint8_t zero_tags[2] = {TAG_ZERO_COUNT_INT, TAG_ZERO_COUNT_FLOAT};
    size_t total = histogram_bytes(histogram);
    if (!buf_reserve(out, total)) {
        return false;
    }
    ASSERT(out->capacity - out->bytes >= total);
    uint8_t *at = out->data + out->bytes;
    at = put_counted(at, histogram->is_float, count_tags, histogram->count);
    at = put_double(at, TAG_SUM, histogram->sum_bits);
    at = put_number(at, TAG_SCHEMA, zigzag(histogram->schema));
    at = put_double(at, TAG_ZERO_THRESHOLD, histogram->zero_threshold_bits);
    at = put_counted(at, histogram->is_float, zero_tags, histogram->zero_count);
    at = put_sign(at, histogram, 1);
    at = put_sign(at, histogram, 0);
    at = put_number(at, TAG_RESET_HINT, histogram->reset_hint);
    at = put_number(at, TAG_TIMESTAMP, (uint64_t)histogram->t_ms);
    at = put_custom(at, histogram);
    ASSERT(at == out->data + out->bytes + total); /* both passes agree */
    out->bytes += total;
    return true;
}

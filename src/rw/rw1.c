/* rw1.c - prometheus.WriteRequest, written in two passes: all lengths first, then the bytes into
 * room reserved once. Protobuf puts a message's length in front of it, so whoever writes in one
 * pass either moves bytes afterwards or pads the lengths; counting first is cheaper than both.
 *
 * Zero values and timestamps are written out, although proto3 would leave them away: legal, and the
 * receiver then sees the very bits (-0 included). */
#include <assert.h>
#include <walship/rw.h>

enum {
    TAG_TIMESERIES = 0x0A,   /* WriteRequest 1 */
    TAG_LABELS = 0x0A,       /* TimeSeries 1 */
    TAG_SAMPLES = 0x12,      /* TimeSeries 2 */
    TAG_NAME = 0x0A,         /* Label 1 */
    TAG_VALUE = 0x12,        /* Label 2 */
    TAG_SAMPLE_VALUE = 0x09, /* Sample 1, fixed64 */
    TAG_SAMPLE_T = 0x10,     /* Sample 2, varint */
    VARINT_BYTES_MAX = 10,
    SAMPLE_FIXED_BYTES = 10, /* tag, fixed64, tag */
    SAMPLE_HEAD_BYTES = 2    /* tag and length: a sample is below 128 bytes */
};
static_assert(SAMPLE_FIXED_BYTES + VARINT_BYTES_MAX < 128, "a sample's length is one byte");

static size_t varint_bytes(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    return (bits + 6) / 7;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_string(uint8_t *at, uint8_t tag, const char *bytes, uint32_t count)
{
    *at++ = tag;
    at = put_varint(at, count);
    if (count > 0) {
        memcpy(at, bytes, count);
    }
    return at + count;
}

static uint8_t *put_fixed64(uint8_t *at, uint64_t value)
{
    for (unsigned shift = 0; shift < 64; shift += 8) { /* one store on little-endian machines */
        *at++ = (uint8_t)(value >> shift);
    }
    return at;
}

static size_t label_body_bytes(const struct label *label)
{
    return 2 + varint_bytes(label->name_bytes) + label->name_bytes +
           varint_bytes(label->value_bytes) + label->value_bytes;
}

static uint8_t *put_label(uint8_t *at, const struct label *label)
{
    *at++ = TAG_LABELS;
    at = put_varint(at, label_body_bytes(label));
    at = put_string(at, TAG_NAME, label->name, label->name_bytes);
    return put_string(at, TAG_VALUE, label->value, label->value_bytes);
}

static uint8_t *put_sample(uint8_t *at, const struct rw_sample *sample)
{
    uint64_t t = (uint64_t)sample->t_ms; /* negative: 10 bytes, as int64 has it */
    at[0] = TAG_SAMPLES;
    at[2] = TAG_SAMPLE_VALUE;
    uint8_t *end = put_fixed64(at + 3, sample->bits);
    *end++ = TAG_SAMPLE_T;
    end = put_varint(end, t);
    at[1] = (uint8_t)(end - at - SAMPLE_HEAD_BYTES);
    return end;
}

/* The TimeSeries without its own tag and length. */
static size_t series_body_bytes(const struct label *labels, size_t labels_count,
                                const struct rw_sample *samples, size_t samples_count)
{
    size_t bytes = samples_count * (SAMPLE_HEAD_BYTES + SAMPLE_FIXED_BYTES);
    for (size_t i = 0; i < labels_count; i++) {
        size_t body = label_body_bytes(&labels[i]);
        bytes += 1 + varint_bytes(body) + body;
    }
    for (size_t i = 0; i < samples_count; i++) {
        bytes += varint_bytes((uint64_t)samples[i].t_ms);
    }
    return bytes;
}

size_t rw1_series_bytes(const struct label *labels, size_t labels_count,
                        const struct rw_sample *samples, size_t samples_count)
{
    size_t body = series_body_bytes(labels, labels_count, samples, samples_count);
    return 1 + varint_bytes(body) + body;
}

bool rw1_series(struct buf *out, const struct label *labels, size_t labels_count,
                const struct rw_sample *samples, size_t samples_count)
{
    size_t body = series_body_bytes(labels, labels_count, samples, samples_count);
    size_t total = 1 + varint_bytes(body) + body;
    if (!buf_reserve(out, total)) {
        return false;
    }
    ASSERT(out->capacity - out->bytes >= total);
    uint8_t *at = out->data + out->bytes;
    *at++ = TAG_TIMESERIES;
    at = put_varint(at, body);
    for (size_t i = 0; i < labels_count; i++) {
        at = put_label(at, &labels[i]);
    }
    for (size_t i = 0; i < samples_count; i++) {
        at = put_sample(at, &samples[i]);
    }
    ASSERT(at == out->data + out->bytes + total); /* both passes agree */
    out->bytes += total;
    return true;
}

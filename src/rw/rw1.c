/* rw1.c - prometheus.WriteRequest. How lengths come before bytes: wire.h.
 *
 * Zero values and timestamps are written out, although proto3 would leave them away: legal, and the
 * receiver then sees the very bits (-0 included). */
#include "wire.h"

enum {
    TAG_TIMESERIES = 0x0A, /* WriteRequest 1 */
    TAG_METADATA = 0x1A,   /* WriteRequest 3 */
    TAG_LABELS = 0x0A,     /* TimeSeries 1, Exemplar 1 */
    TAG_SAMPLES = 0x12,    /* TimeSeries 2 */
    TAG_EXEMPLARS = 0x1A,  /* TimeSeries 3 */
    TAG_HISTOGRAMS = 0x22, /* TimeSeries 4 */
    TAG_NAME = 0x0A,       /* Label 1 */
    TAG_VALUE = 0x12,      /* Label 2 */
    TAG_EXEMPLAR_VALUE = 0x11,
    TAG_EXEMPLAR_T = 0x18,
    TAG_TYPE = 0x08, /* MetricMetadata 1 */
    TAG_FAMILY = 0x12,
    TAG_HELP = 0x22,
    TAG_UNIT = 0x2A,
    SAMPLE_HEAD_BYTES = 2 /* tag and length: a sample is below 128 bytes */
};
static_assert(SAMPLE_FIXED_BYTES + VARINT_BYTES_MAX < 128, "a sample's length is one byte");

static size_t label_body_bytes(const struct label *label)
{
    return field_bytes(label->name_bytes) + field_bytes(label->value_bytes);
}

static uint8_t *put_label(uint8_t *at, const struct label *label)
{
    at = put_number(at, TAG_LABELS, label_body_bytes(label));
    at = put_string(at, TAG_NAME, label->name, label->name_bytes);
    return put_string(at, TAG_VALUE, label->value, label->value_bytes);
}

static size_t labels_fields_bytes(const struct label *labels, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += field_bytes(label_body_bytes(&labels[i]));
    }
    return bytes;
}

static uint8_t *put_sample(uint8_t *at, const struct rw_sample *sample)
{
    uint64_t t = (uint64_t)sample->t_ms; /* negative: 10 bytes, as int64 has it */
    at[0] = TAG_SAMPLES;
    uint8_t *end = put_double(at + SAMPLE_HEAD_BYTES, SAMPLE_VALUE_TAG, sample->bits);
    end = put_number(end, SAMPLE_T_TAG, t);
    at[1] = (uint8_t)(end - at - SAMPLE_HEAD_BYTES);
    return end;
}

static size_t exemplar_body_bytes(const struct rw_exemplar *exemplar)
{
    return labels_fields_bytes(exemplar->labels, exemplar->labels_count) + SAMPLE_FIXED_BYTES +
           varint_bytes((uint64_t)exemplar->t_ms);
}

static uint8_t *put_exemplar(uint8_t *at, const struct rw_exemplar *exemplar)
{
    at = put_number(at, TAG_EXEMPLARS, exemplar_body_bytes(exemplar));
    for (size_t i = 0; i < exemplar->labels_count; i++) {
        at = put_label(at, &exemplar->labels[i]);
    }
    at = put_double(at, TAG_EXEMPLAR_VALUE, exemplar->bits);
    return put_number(at, TAG_EXEMPLAR_T, (uint64_t)exemplar->t_ms);
}

/* The TimeSeries without its own tag and length. */
static size_t series_body_bytes(const struct rw_series *series)
{
    size_t bytes = labels_fields_bytes(series->labels, series->labels_count) +
                   series->samples_count * (SAMPLE_HEAD_BYTES + SAMPLE_FIXED_BYTES);
    for (size_t i = 0; i < series->samples_count; i++) {
        bytes += varint_bytes((uint64_t)series->samples[i].t_ms);
    }
    for (size_t i = 0; i < series->exemplars_count; i++) {
        bytes += field_bytes(exemplar_body_bytes(&series->exemplars[i]));
    }
    for (size_t i = 0; i < series->histograms_count; i++) {
        bytes += field_bytes(series->histograms[i].count);
    }
    return bytes;
}

static uint8_t *put_series(uint8_t *at, const struct rw_series *series)
{
    for (size_t i = 0; i < series->labels_count; i++) {
        at = put_label(at, &series->labels[i]);
    }
    for (size_t i = 0; i < series->samples_count; i++) {
        at = put_sample(at, &series->samples[i]);
    }
    for (size_t i = 0; i < series->exemplars_count; i++) {
        at = put_exemplar(at, &series->exemplars[i]);
    }
    for (size_t i = 0; i < series->histograms_count; i++) {
        const struct rw_histogram *histogram = &series->histograms[i];
        at = put_string(at, TAG_HISTOGRAMS, histogram->bytes, histogram->count);
    }
    return at;
}

bool rw1_write(struct buf *out, const struct rw_series *series)
{
    size_t body = series_body_bytes(series);
    size_t total = field_bytes(body);
    if (!buf_reserve(out, total)) {
        return false;
    }
    ASSERT(out->capacity - out->bytes >= total);
    uint8_t *at = put_number(out->data + out->bytes, TAG_TIMESERIES, body);
    at = put_series(at, series);
    ASSERT(at == out->data + out->bytes + total); /* both passes agree */
    out->bytes += total;
    return true;
}

size_t rw1_series_bytes(const struct label *labels, size_t labels_count,
                        const struct rw_sample *samples, size_t samples_count)
{
    struct rw_series series = {.labels = labels,
                               .labels_count = labels_count,
                               .samples = samples,
                               .samples_count = samples_count};
    return field_bytes(series_body_bytes(&series));
}

bool rw1_series(struct buf *out, const struct label *labels, size_t labels_count,
                const struct rw_sample *samples, size_t samples_count)
{
    struct rw_series series = {.labels = labels,
                               .labels_count = labels_count,
                               .samples = samples,
                               .samples_count = samples_count};
    return rw1_write(out, &series);
}

bool rw1_metadata(struct buf *out, const struct rw_metadata *metadata)
{
    size_t body = 1 + varint_bytes(metadata->type) + field_bytes(metadata->family.count) +
                  field_bytes(metadata->help.count) + field_bytes(metadata->unit.count);
    size_t total = field_bytes(body);
    if (!buf_reserve(out, total)) {
        return false;
    }
    uint8_t *at = put_number(out->data + out->bytes, TAG_METADATA, body);
    at = put_number(at, TAG_TYPE, metadata->type);
    at = put_string(at, TAG_FAMILY, metadata->family.bytes, metadata->family.count);
    at = put_string(at, TAG_HELP, metadata->help.bytes, metadata->help.count);
    at = put_string(at, TAG_UNIT, metadata->unit.bytes, metadata->unit.count);
    ASSERT(at == out->data + out->bytes + total);
    out->bytes += total;
    return true;
}

/* rw2.c - io.prometheus.write.v2.Request: the symbols of all series first, then the series, whose
 * labels are numbers of symbols. A receiver may read in one pass only when they come in this order,
 * so the series wait in a buffer of their own.
 *
 * The numbers of a series' strings are looked up first, into `refs`; then lengths and bytes as in
 * wire.h. */
#include "rw_symbols.h"
#include "wire.h"

#include <walship/mem.h>

enum {
    TAG_TIMESERIES = 0x2A,        /* Request 5 */
    TAG_LABELS_REFS = 0x0A,       /* TimeSeries 1, Exemplar 1: packed */
    TAG_SAMPLES = 0x12,           /* TimeSeries 2 */
    TAG_HISTOGRAMS = 0x1A,        /* TimeSeries 3 */
    TAG_EXEMPLARS = 0x22,         /* TimeSeries 4 */
    TAG_METADATA = 0x2A,          /* TimeSeries 5 */
    TAG_SAMPLE_START = 0x18,      /* Sample 3 */
    TAG_EXEMPLAR_VALUE = 0x11,    /* Exemplar 2 */
    TAG_EXEMPLAR_T = 0x18,        /* Exemplar 3 */
    TAG_TYPE = 0x08,              /* Metadata 1 */
    TAG_HELP_REF = 0x18,          /* Metadata 3 */
    TAG_UNIT_REF = 0x20,          /* Metadata 4 */
    HISTOGRAM_START_TAG_BYTES = 2 /* 88 01: field 17 needs two */
};
static const uint8_t tag_histogram_start[HISTOGRAM_START_TAG_BYTES] = {0x88, 0x01};
static_assert(SAMPLE_FIXED_BYTES + 1 + 2 * VARINT_BYTES_MAX < 128, "a sample's length is one byte");

struct rw2 {
    struct rw_symbols symbols;
    struct buf series;
    size_t limit;   /* of symbols and series together */
    uint32_t *refs; /* of the series at hand: labels, exemplars' labels, help, unit */
    size_t refs_count, refs_capacity;
};

struct rw2 *rw2_new(const struct hash_key *key, size_t limit)
{
    struct rw2 *rw2 = mem_new(1, sizeof *rw2);
    rw2->limit = limit;
    rw_symbols_init(&rw2->symbols, key, limit);
    buf_init(&rw2->series, limit);
    return rw2;
}

void rw2_free(struct rw2 *rw2)
{
    if (rw2 == NULL) {
        return;
    }
    rw_symbols_release(&rw2->symbols);
    buf_release(&rw2->series);
    mem_free(rw2->refs);
    mem_free(rw2);
}

void rw2_begin(struct rw2 *rw2)
{
    rw_symbols_begin(&rw2->symbols);
    buf_clear(&rw2->series);
}

static bool ref_add(struct rw2 *rw2, const void *bytes, size_t count)
{
    if (rw2->refs_count == rw2->refs_capacity) {
        rw2->refs_capacity = rw2->refs_capacity * 2 + 64;
        rw2->refs = mem_grow(rw2->refs, rw2->refs_capacity, sizeof *rw2->refs);
    }
    return rw_symbols_put(&rw2->symbols, bytes, count, &rw2->refs[rw2->refs_count++]);
}

static bool labels_add(struct rw2 *rw2, const struct label *labels, size_t count)
{
    bool fits = true;
    for (size_t i = 0; fits && i < count; i++) {
        fits = ref_add(rw2, labels[i].name, labels[i].name_bytes) &&
               ref_add(rw2, labels[i].value, labels[i].value_bytes);
    }
    return fits;
}

static bool refs_make(struct rw2 *rw2, const struct rw_series *series)
{
    rw2->refs_count = 0;
    bool fits = labels_add(rw2, series->labels, series->labels_count);
    for (size_t i = 0; fits && i < series->exemplars_count; i++) {
        fits = labels_add(rw2, series->exemplars[i].labels, series->exemplars[i].labels_count);
    }
    const struct rw_metadata *metadata = series->metadata;
    if (fits && metadata != NULL) {
        fits = ref_add(rw2, metadata->help.bytes, metadata->help.count) &&
               ref_add(rw2, metadata->unit.bytes, metadata->unit.count);
    }
    return fits;
}

static size_t packed_bytes(const uint32_t *refs, size_t labels_count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < 2 * labels_count; i++) {
        bytes += varint_bytes(refs[i]);
    }
    return bytes;
}

static uint8_t *put_packed(uint8_t *at, const uint32_t *refs, size_t labels_count)
{
    at = put_number(at, TAG_LABELS_REFS, packed_bytes(refs, labels_count));
    for (size_t i = 0; i < 2 * labels_count; i++) {
        at = put_varint(at, refs[i]);
    }
    return at;
}

static int64_t start_of(const struct rw_series *series, size_t index)
{
    return series->starts_ms == NULL ? 0 : series->starts_ms[index];
}

static size_t sample_bytes(const struct rw_series *series, size_t index)
{
    int64_t start_ms = start_of(series, index);
    return SAMPLE_FIXED_BYTES + varint_bytes((uint64_t)series->samples[index].t_ms) +
           (start_ms == 0 ? 0 : 1 + varint_bytes((uint64_t)start_ms));
}

static uint8_t *put_sample(uint8_t *at, const struct rw_series *series, size_t index)
{
    at = put_number(at, TAG_SAMPLES, sample_bytes(series, index));
    at = put_double(at, SAMPLE_VALUE_TAG, series->samples[index].bits);
    at = put_number(at, SAMPLE_T_TAG, (uint64_t)series->samples[index].t_ms);
    int64_t start_ms = start_of(series, index);
    return start_ms == 0 ? at : put_number(at, TAG_SAMPLE_START, (uint64_t)start_ms);
}

static size_t histogram_bytes(const struct rw_histogram *histogram)
{
    size_t start = HISTOGRAM_START_TAG_BYTES + varint_bytes((uint64_t)histogram->st_ms);
    return histogram->count + (histogram->st_ms == 0 ? 0 : start);
}

static uint8_t *put_histogram(uint8_t *at, const struct rw_histogram *histogram)
{
    at = put_number(at, TAG_HISTOGRAMS, histogram_bytes(histogram));
    at = put_bytes(at, histogram->bytes, histogram->count);
    if (histogram->st_ms == 0) {
        return at;
    }
    at = put_bytes(at, tag_histogram_start, sizeof tag_histogram_start);
    return put_varint(at, (uint64_t)histogram->st_ms);
}

static size_t exemplar_bytes(const struct rw_exemplar *exemplar, const uint32_t *refs)
{
    return field_bytes(packed_bytes(refs, exemplar->labels_count)) + SAMPLE_FIXED_BYTES +
           varint_bytes((uint64_t)exemplar->t_ms);
}

static uint8_t *put_exemplar(uint8_t *at, const struct rw_exemplar *exemplar, const uint32_t *refs)
{
    at = put_number(at, TAG_EXEMPLARS, exemplar_bytes(exemplar, refs));
    at = put_packed(at, refs, exemplar->labels_count);
    at = put_double(at, TAG_EXEMPLAR_VALUE, exemplar->bits);
    return put_number(at, TAG_EXEMPLAR_T, (uint64_t)exemplar->t_ms);
}

/* The last two refs are help's and unit's. */
static size_t metadata_bytes(const struct rw2 *rw2, const struct rw_metadata *metadata)
{
    if (metadata == NULL) {
        return 0;
    }
    const uint32_t *refs = rw2->refs + rw2->refs_count - 2;
    return 3 + varint_bytes(metadata->type) + varint_bytes(refs[0]) + varint_bytes(refs[1]);
}

static uint8_t *put_metadata(uint8_t *at, const struct rw2 *rw2, const struct rw_metadata *metadata)
{
    at = put_number(at, TAG_METADATA, metadata_bytes(rw2, metadata));
    if (metadata == NULL) {
        return at; /* present and empty, as Prometheus writes it */
    }
    const uint32_t *refs = rw2->refs + rw2->refs_count - 2;
    at = put_number(at, TAG_TYPE, metadata->type);
    at = put_number(at, TAG_HELP_REF, refs[0]);
    return put_number(at, TAG_UNIT_REF, refs[1]);
}

static size_t series_body_bytes(const struct rw2 *rw2, const struct rw_series *series)
{
    const uint32_t *refs = rw2->refs;
    size_t bytes = field_bytes(packed_bytes(refs, series->labels_count));
    refs += 2 * series->labels_count;
    for (size_t i = 0; i < series->samples_count; i++) {
        bytes += field_bytes(sample_bytes(series, i));
    }
    for (size_t i = 0; i < series->histograms_count; i++) {
        bytes += field_bytes(histogram_bytes(&series->histograms[i]));
    }
    for (size_t i = 0; i < series->exemplars_count; i++) {
        bytes += field_bytes(exemplar_bytes(&series->exemplars[i], refs));
        refs += 2 * series->exemplars[i].labels_count;
    }
    return bytes + field_bytes(metadata_bytes(rw2, series->metadata));
}

static uint8_t *put_series(uint8_t *at, const struct rw2 *rw2, const struct rw_series *series)
{
    const uint32_t *refs = rw2->refs;
    at = put_packed(at, refs, series->labels_count);
    refs += 2 * series->labels_count;
    for (size_t i = 0; i < series->samples_count; i++) {
        at = put_sample(at, series, i);
    }
    for (size_t i = 0; i < series->histograms_count; i++) {
        at = put_histogram(at, &series->histograms[i]);
    }
    for (size_t i = 0; i < series->exemplars_count; i++) {
        at = put_exemplar(at, &series->exemplars[i], refs);
        refs += 2 * series->exemplars[i].labels_count;
    }
    return put_metadata(at, rw2, series->metadata);
}

bool rw2_write(struct rw2 *rw2, const struct rw_series *series)
{
    if (!refs_make(rw2, series)) {
        return false;
    }
    size_t body = series_body_bytes(rw2, series);
    size_t total = field_bytes(body);
    struct buf *out = &rw2->series;
    if (rw2->symbols.wire.bytes + out->bytes + total > rw2->limit || !buf_reserve(out, total)) {
        return false;
    }
    uint8_t *at = put_number(out->data + out->bytes, TAG_TIMESERIES, body);
    at = put_series(at, rw2, series);
    ASSERT(at == out->data + out->bytes + total); /* both passes agree */
    out->bytes += total;
    return true;
}

bool rw2_end(struct rw2 *rw2, struct buf *out)
{
    const struct buf *symbols = &rw2->symbols.wire;
    return buf_reserve(out, symbols->bytes + rw2->series.bytes) &&
           buf_append(out, symbols->data, symbols->bytes) &&
           buf_append(out, rw2->series.data, rw2->series.bytes);
}

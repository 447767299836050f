/* write_request.c - the decoder behind write_request.h.
 *
 * Protobuf is read field by field over bounded views. Unknown fields are stepped over as proto3
 * wants; groups, field number 0 and a known field of the wrong wire type are refused. */
#include "write_request.h"

#include "protobuf.h"

#include <walship/limits.h>
#include <walship/utf8.h>

/* prometheus.WriteRequest and its parts, field numbers of remote write 1.0 */
enum {
    REQUEST_TIMESERIES = 1,
    REQUEST_METADATA = 3,
    SERIES_LABELS = 1,
    SERIES_SAMPLES = 2,
    SERIES_EXEMPLARS = 3,
    SERIES_HISTOGRAMS = 4,
    LABEL_NAME = 1,
    LABEL_VALUE = 2,
    SAMPLE_VALUE = 1,
    SAMPLE_TIMESTAMP = 2,
    SAMPLE_START = 3, /* of a 2.0 request */
    HISTOGRAM_SUM = 3,
    HISTOGRAM_SCHEMA = 4,
    HISTOGRAM_TIMESTAMP = 15,
    HISTOGRAM_START = 17,
    EXEMPLAR_VALUE = 2,
    EXEMPLAR_TIMESTAMP = 3,
    FAMILY_TYPE = 1,
    FAMILY_NAME = 2,
    FAMILY_HELP = 4,
    FAMILY_UNIT = 5
};

bool utf8_valid(const char *bytes, size_t count)
{
    ASSERT(bytes != NULL || count == 0);
    const uint8_t *at = (const uint8_t *)bytes;
    const uint8_t *end = at + count;
    while (at < end) {
        uint64_t eight; /* mostly ASCII comes by: eight bytes without a high bit at a time */
        if ((size_t)(end - at) >= sizeof eight) {
            memcpy(&eight, at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        uint32_t rune;
        size_t step = utf8_decode(at, (size_t)(end - at), &rune);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    ASSERT(at == end);
    return true;
}

/* False when a known field has another wire type than its own. */
static bool read_sample(struct view bytes, struct write_sample *out)
{
    *out = (struct write_sample){0};
    struct field field;
    while (field_next(&bytes, &field)) {
        if (field.number == SAMPLE_VALUE) {
            if (field.wire != WIRE_FIXED64) {
                return false;
            }
            out->bits = field.value;
        } else if (field.number == SAMPLE_TIMESTAMP) {
            if (field.wire != WIRE_VARINT) {
                return false;
            }
            out->t_ms = (int64_t)field.value;
        } else if (field.number == SAMPLE_START) {
            out->st_ms = field.wire == WIRE_VARINT ? (int64_t)field.value : 0;
        }
    }
    return view_ok(&bytes);
}

/* Of a histogram only what a row of the recorder holds; buckets are not judged. */
static bool read_histogram(struct view bytes, struct write_sample *out)
{
    *out = (struct write_sample){0};
    struct field field;
    bool typed = true;
    while (field_next(&bytes, &field)) {
        if (field.number == HISTOGRAM_SUM) {
            typed = typed && field.wire == WIRE_FIXED64;
            out->bits = field.value;
        } else if (field.number == HISTOGRAM_SCHEMA) {
            typed = typed && field.wire == WIRE_VARINT;
            out->schema = (int64_t)(field.value >> 1) ^ -(int64_t)(field.value & 1);
        } else if (field.number == HISTOGRAM_TIMESTAMP) {
            typed = typed && field.wire == WIRE_VARINT;
            out->t_ms = (int64_t)field.value;
        } else if (field.number == HISTOGRAM_START) {
            typed = typed && field.wire == WIRE_VARINT;
            out->st_ms = (int64_t)field.value;
        }
    }
    return typed && view_ok(&bytes);
}

static bool read_exemplar(struct view bytes, struct write_sample *out)
{
    *out = (struct write_sample){0};
    struct field field;
    bool typed = true;
    while (field_next(&bytes, &field)) {
        if (field.number == SERIES_LABELS) {
            typed = typed && field.wire == WIRE_BYTES;
        } else if (field.number == EXEMPLAR_VALUE) {
            typed = typed && field.wire == WIRE_FIXED64;
            out->bits = field.value;
        } else if (field.number == EXEMPLAR_TIMESTAMP) {
            typed = typed && field.wire == WIRE_VARINT;
            out->t_ms = (int64_t)field.value;
        }
    }
    return typed && view_ok(&bytes);
}

static bool read_label(struct view bytes, struct label *out)
{
    *out = (struct label){"", "", 0, 0};
    struct field field;
    while (field_next(&bytes, &field)) {
        if (field.number != LABEL_NAME && field.number != LABEL_VALUE) {
            continue;
        }
        size_t count = view_left(&field.bytes);
        if (field.wire != WIRE_BYTES || count > UINT32_MAX) {
            return false;
        }
        const char *text = count == 0 ? "" : (const char *)field.bytes.at;
        if (field.number == LABEL_NAME) {
            out->name = text;
            out->name_bytes = (uint32_t)count;
        } else {
            out->value = text;
            out->value_bytes = (uint32_t)count;
        }
    }
    return view_ok(&bytes);
}

/* Why this label may not follow `previous`; NULL when it may. */
static const char *label_fault(const struct label *previous, const struct label *label)
{
    if (label->name_bytes == 0) {
        return "a label name is empty";
    }
    if (label->value_bytes == 0) {
        return "a label value is empty";
    }
    if (!utf8_valid(label->name, label->name_bytes) ||
        !utf8_valid(label->value, label->value_bytes)) {
        return "a label is not UTF-8";
    }
    int order = previous->name_bytes == 0 ? -1 : label_compare(previous, label);
    if (order == 0) {
        return "a label name occurs twice";
    }
    return order > 0 ? "labels are not sorted by name" : NULL;
}

static const char *check_label(struct view bytes, enum write_depth depth, struct label *previous)
{
    if (depth == WRITE_COUNT) {
        return NULL;
    }
    struct label label;
    if (!read_label(bytes, &label)) {
        return "malformed label";
    }
    const char *fault = label_fault(previous, &label);
    *previous = label;
    return fault;
}

static const char *check_sample(struct view bytes, struct write_totals *totals)
{
    struct write_sample sample;
    if (!read_sample(bytes, &sample)) {
        return "malformed sample";
    }
    totals->samples++;
    if (sample.t_ms > totals->newest_ms) {
        totals->newest_ms = sample.t_ms;
    }
    return NULL;
}

static const char *check_exemplar(struct view bytes, enum write_depth depth,
                                  struct write_totals *totals)
{
    struct write_sample sample;
    struct label previous = {"", "", 0, 0};
    struct field field;
    const char *fault = NULL;
    size_t labels = 0;
    totals->exemplars++;
    if (!read_exemplar(bytes, &sample)) {
        return "malformed exemplar";
    }
    while (fault == NULL && field_next(&bytes, &field)) {
        if (field.number == SERIES_LABELS) {
            fault = ++labels > LABELS_COUNT_MAX ? "an exemplar has too many labels"
                                                : check_label(field.bytes, depth, &previous);
        }
    }
    return fault;
}

static const char *check_histogram(struct view bytes, struct write_totals *totals)
{
    struct write_sample sample;
    totals->histograms++;
    if (!read_histogram(bytes, &sample)) {
        return "malformed histogram";
    }
    if (sample.t_ms > totals->newest_ms) {
        totals->newest_ms = sample.t_ms;
    }
    return NULL;
}

/* What is wrong with a TimeSeries, NULL when nothing is. Adds to the totals. */
static const char *check_series(struct view bytes, enum write_depth depth,
                                struct write_totals *totals)
{
    struct label previous = {"", "", 0, 0};
    size_t labels_count = 0;
    const char *fault = NULL;
    struct field field;
    while (fault == NULL && field_next(&bytes, &field)) {
        if (field.number <= SERIES_HISTOGRAMS && field.wire != WIRE_BYTES) {
            return "a field has the wrong type";
        }
        if (field.number == SERIES_LABELS) {
            labels_count++;
            fault = check_label(field.bytes, depth, &previous);
        } else if (field.number == SERIES_SAMPLES) {
            fault = check_sample(field.bytes, totals);
        } else if (field.number == SERIES_EXEMPLARS) {
            fault = check_exemplar(field.bytes, depth, totals);
        } else if (field.number == SERIES_HISTOGRAMS) {
            fault = check_histogram(field.bytes, totals);
        }
    }
    if (fault != NULL) {
        return fault;
    }
    if (!view_ok(&bytes)) {
        return "malformed series";
    }
    if (labels_count == 0) {
        return "a series has no labels";
    }
    return labels_count > LABELS_COUNT_MAX ? "a series has too many labels" : NULL;
}

static bool read_family(struct view bytes, struct write_family *out)
{
    struct view none = view_of("", 0);
    *out = (struct write_family){0, none, none, none};
    struct field field;
    bool typed = true;
    while (field_next(&bytes, &field)) {
        struct view *text = field.number == FAMILY_NAME   ? &out->name
                            : field.number == FAMILY_HELP ? &out->help
                            : field.number == FAMILY_UNIT ? &out->unit
                                                          : NULL;
        if (text != NULL) {
            typed = typed && field.wire == WIRE_BYTES;
            *text = field.bytes;
        } else if (field.number == FAMILY_TYPE) {
            typed = typed && field.wire == WIRE_VARINT;
            out->type = field.value;
        }
    }
    return typed && view_ok(&bytes);
}

bool write_request_check(struct view request, enum write_depth depth, struct write_totals *out,
                         struct err *err)
{
    ASSERT(out != NULL && err != NULL);
    *out = (struct write_totals){.newest_ms = INT64_MIN};
    struct field field;
    while (field_next(&request, &field)) {
        if (field.number != REQUEST_TIMESERIES && field.number != REQUEST_METADATA) {
            continue;
        }
        if (field.wire != WIRE_BYTES) {
            return err_set(err, 0, "WriteRequest: a field has the wrong type");
        }
        if (field.number == REQUEST_METADATA) {
            struct write_family family;
            if (!read_family(field.bytes, &family)) {
                return err_set(err, 0, "WriteRequest: malformed metadata");
            }
            out->metadata++;
            continue;
        }
        const char *fault = check_series(field.bytes, depth, out);
        if (fault != NULL) {
            return err_set(err, 0, "series %llu: %s", (unsigned long long)out->series, fault);
        }
        out->series++;
    }
    return view_ok(&request) || err_set(err, 0, "WriteRequest: malformed");
}

/* The next field of this number; the bytes were checked, so they can't be malformed. */
static bool find_field(struct view *view, uint64_t number, struct field *out)
{
    while (field_next(view, out)) {
        if (out->number == number) {
            return true;
        }
    }
    ASSERT(view_ok(view));
    return false;
}

bool write_request_next(struct view *request, struct write_series *out)
{
    struct field field;
    if (!find_field(request, REQUEST_TIMESERIES, &field)) {
        return false;
    }
    ASSERT(field.wire == WIRE_BYTES);
    out->labels = field.bytes;
    out->samples = field.bytes;
    out->histograms = field.bytes;
    out->exemplars = field.bytes;
    return true;
}

bool write_series_label(struct write_series *series, struct label *out)
{
    struct field field;
    if (!find_field(&series->labels, SERIES_LABELS, &field)) {
        return false;
    }
    bool good = read_label(field.bytes, out);
    ASSERT(good);
    return true;
}

bool write_series_sample(struct write_series *series, struct write_sample *out)
{
    struct field field;
    if (!find_field(&series->samples, SERIES_SAMPLES, &field)) {
        return false;
    }
    bool good = read_sample(field.bytes, out);
    ASSERT(good);
    return true;
}

bool write_series_histogram(struct write_series *series, struct write_sample *out,
                            struct view *body)
{
    struct field field;
    if (!find_field(&series->histograms, SERIES_HISTOGRAMS, &field)) {
        return false;
    }
    bool good = read_histogram(field.bytes, out);
    ASSERT(good);
    *body = field.bytes;
    return true;
}

bool write_series_exemplar(struct write_series *series, struct write_sample *out,
                           struct write_series *labels)
{
    struct field field;
    if (!find_field(&series->exemplars, SERIES_EXEMPLARS, &field)) {
        return false;
    }
    bool good = read_exemplar(field.bytes, out);
    ASSERT(good);
    struct view none = view_of("", 0);
    *labels = (struct write_series){field.bytes, none, none, none};
    return true;
}

bool write_family_next(struct view *request, struct write_family *out)
{
    struct field field;
    if (!find_field(request, REQUEST_METADATA, &field)) {
        return false;
    }
    bool good = read_family(field.bytes, out);
    ASSERT(good);
    return true;
}

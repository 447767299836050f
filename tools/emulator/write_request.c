/* write_request.c - the decoder behind write_request.h.
 *
 * Protobuf is read field by field over bounded views. Unknown fields are stepped over as proto3
 * wants; groups, field number 0 and a known field of the wrong wire type are refused. */
#include "write_request.h"

#include <walship/limits.h>
#include <walship/utf8.h>

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

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
    SAMPLE_TIMESTAMP = 2
};

struct field {
    uint64_t number;
    unsigned wire;
    uint64_t value;    /* varint, fixed64, fixed32 */
    struct view bytes; /* length-delimited */
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

static uint64_t view_le(struct view *view, unsigned count)
{
    struct view part = view_take(view, count);
    uint64_t value = 0;
    if (view_left(&part) == count) {
        memcpy(&value, part.at, count);
    }
    return value;
}

/* False at the end and on malformed bytes; the view tells which. */
static bool field_next(struct view *view, struct field *out)
{
    if (view_left(view) == 0) {
        return false;
    }
    uint64_t tag = view_uvarint(view);
    out->number = tag >> 3;
    out->wire = (unsigned)(tag & 7);
    out->value = 0;
    out->bytes = view_of(NULL, 0);
    switch (out->wire) {
    case WIRE_VARINT:
        out->value = view_uvarint(view);
        break;
    case WIRE_FIXED64:
        out->value = view_le(view, 8);
        break;
    case WIRE_FIXED32:
        out->value = view_le(view, 4);
        break;
    case WIRE_BYTES:
        out->bytes = view_take(view, view_uvarint(view));
        break;
    default:
        view_fail(view);
        break;
    }
    if (out->number == 0 || out->number > UINT32_MAX >> 3) {
        view_fail(view);
    }
    return view_ok(view);
}

/* False when a known field has another wire type than its own. */
static bool read_sample(struct view bytes, struct write_sample *out)
{
    *out = (struct write_sample){0, 0};
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
        }
    }
    return view_ok(&bytes);
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
            totals->exemplars++;
        } else if (field.number == SERIES_HISTOGRAMS) {
            totals->histograms++;
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

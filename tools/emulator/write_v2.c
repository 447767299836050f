/* write_v2.c - see write_v2.h. The symbols are kept as views; each series is made in a buffer of
 * its own, for its length stands in front. */
#include "write_v2.h"

#include "protobuf.h"

#include <walship/limits.h>
#include <walship/mem.h>

/* io.prometheus.write.v2.Request and its parts; then where they go in 1.0 */
enum {
    V2_SYMBOLS = 4,
    V2_TIMESERIES = 5,
    V2_LABELS = 1, /* Exemplar's too */
    V2_SAMPLES = 2,
    V2_HISTOGRAMS = 3,
    V2_EXEMPLARS = 4,
    V2_METADATA = 5,
    V2_TYPE = 1,
    V2_HELP = 3,
    V2_UNIT = 4,
    V1_TIMESERIES = 1,
    V1_METADATA = 3,
    V1_SAMPLES = 2,
    V1_EXEMPLARS = 3,
    V1_HISTOGRAMS = 4
};

struct reading {
    struct view *symbols;
    size_t symbols_count, symbols_room;
    struct buf series, part, label; /* being made */
    struct view name;               /* of the series at hand */
    size_t floats, histograms;
    const char *fault;
};

static bool fail(struct reading *reading, const char *fault)
{
    if (reading->fault == NULL) {
        reading->fault = fault;
    }
    return false;
}

static bool take_symbol(struct reading *reading, struct view text)
{
    if (reading->symbols_count == reading->symbols_room) {
        reading->symbols_room = reading->symbols_room * 2 + 256;
        reading->symbols =
            mem_grow(reading->symbols, reading->symbols_room, sizeof *reading->symbols);
    }
    reading->symbols[reading->symbols_count++] = text;
    return reading->symbols_count > 1 || view_left(&text) == 0 ||
           fail(reading, "the first symbol is not empty");
}

static bool symbol_of(struct reading *reading, uint64_t number, struct view *out)
{
    if (number >= reading->symbols_count) {
        return fail(reading, "a reference to no symbol");
    }
    *out = reading->symbols[number];
    return true;
}

static bool put_view(struct buf *out, unsigned number, struct view text)
{
    return put_bytes(out, number, text.at, view_left(&text));
}

/* Packed references in pairs, as Label messages of field 1. */
static bool put_labels(struct reading *reading, struct view refs, struct buf *out)
{
    while (view_left(&refs) > 0) {
        struct view name, value;
        uint64_t name_ref = view_uvarint(&refs);
        uint64_t value_ref = view_uvarint(&refs);
        if (!view_ok(&refs)) {
            return fail(reading, "references do not come in pairs");
        }
        if (!symbol_of(reading, name_ref, &name) || !symbol_of(reading, value_ref, &value)) {
            return false;
        }
        if (view_left(&name) == 8 && memcmp(name.at, "__name__", 8) == 0 &&
            out == &reading->series) {
            reading->name = value;
        }
        buf_clear(&reading->label);
        if (!put_view(&reading->label, 1, name) || !put_view(&reading->label, 2, value) ||
            !put_bytes(out, V2_LABELS, reading->label.data, reading->label.bytes)) {
            return fail(reading, "too large");
        }
    }
    return true;
}

/* Exemplar: labels, value and timestamp have the same numbers in 1.0. */
static bool put_exemplar(struct reading *reading, struct view bytes)
{
    struct field field;
    buf_clear(&reading->part);
    while (field_next(&bytes, &field)) {
        bool good = true;
        if (field.number == V2_LABELS && field.wire == WIRE_BYTES) {
            good = put_labels(reading, field.bytes, &reading->part);
        } else if (field.number == 2 && field.wire == WIRE_FIXED64) {
            good = put_fixed64(&reading->part, 2, field.value);
        } else if (field.number == 3 && field.wire == WIRE_VARINT) {
            good = put_number(&reading->part, 3, field.value);
        }
        if (!good) {
            return fail(reading, "malformed exemplar");
        }
    }
    return (view_ok(&bytes) &&
            put_bytes(&reading->series, V1_EXEMPLARS, reading->part.data, reading->part.bytes)) ||
           fail(reading, "malformed exemplar");
}

/* Into the request, beside the series. */
static bool put_metadata(struct reading *reading, struct view bytes, struct buf *out)
{
    struct field field;
    struct view help = view_of("", 0), unit = view_of("", 0);
    uint64_t type = 0;
    bool any = false;
    while (field_next(&bytes, &field)) {
        any = true;
        if (field.wire != WIRE_VARINT) {
            return fail(reading, "malformed metadata");
        }
        type = field.number == V2_TYPE ? field.value : type;
        if ((field.number == V2_HELP && !symbol_of(reading, field.value, &help)) ||
            (field.number == V2_UNIT && !symbol_of(reading, field.value, &unit))) {
            return false;
        }
    }
    buf_clear(&reading->part);
    bool good = view_ok(&bytes) && put_number(&reading->part, 1, type) &&
                put_view(&reading->part, 2, reading->name) && put_view(&reading->part, 4, help) &&
                put_view(&reading->part, 5, unit);
    return (good &&
            (!any || put_bytes(out, V1_METADATA, reading->part.data, reading->part.bytes))) ||
           fail(reading, "malformed metadata");
}

static bool put_field(struct reading *reading, const struct field *field, struct buf *out)
{
    if (field->number > V2_METADATA) {
        return true;
    }
    if (field->wire != WIRE_BYTES) {
        return fail(reading, "a field has the wrong type");
    }
    switch (field->number) {
    case V2_LABELS:
        return put_labels(reading, field->bytes, &reading->series);
    case V2_SAMPLES:
        reading->floats++;
        return put_view(&reading->series, V1_SAMPLES, field->bytes);
    case V2_HISTOGRAMS:
        reading->histograms++;
        return put_view(&reading->series, V1_HISTOGRAMS, field->bytes);
    case V2_EXEMPLARS:
        return put_exemplar(reading, field->bytes);
    default:
        return put_metadata(reading, field->bytes, out);
    }
}

static bool put_series(struct reading *reading, struct view bytes, struct buf *out)
{
    struct field field;
    buf_clear(&reading->series);
    reading->name = view_of("", 0);
    reading->floats = 0;
    reading->histograms = 0;
    while (field_next(&bytes, &field)) {
        if (!put_field(reading, &field, out)) {
            return fail(reading, "too large");
        }
    }
    if (!view_ok(&bytes)) {
        return fail(reading, "malformed series");
    }
    if (reading->floats > 0 && reading->histograms > 0) {
        return fail(reading, "a series has floats and histograms");
    }
    return put_bytes(out, V1_TIMESERIES, reading->series.data, reading->series.bytes) ||
           fail(reading, "too large");
}

static bool put_request(struct reading *reading, struct view request, struct buf *out)
{
    struct field field;
    while (field_next(&request, &field)) {
        if (field.number != V2_SYMBOLS && field.number != V2_TIMESERIES) {
            continue;
        }
        if (field.wire != WIRE_BYTES) {
            return fail(reading, "a field has the wrong type");
        }
        bool good = field.number == V2_SYMBOLS ? take_symbol(reading, field.bytes)
                                               : put_series(reading, field.bytes, out);
        if (!good) {
            return false;
        }
    }
    if (!view_ok(&request)) {
        return fail(reading, "malformed");
    }
    return reading->symbols_count > 0 || fail(reading, "no symbols: it is no 2.0 request");
}

bool write_v2_as_v1(struct view request, struct buf *out, struct err *err)
{
    ASSERT(out != NULL && err != NULL);
    struct reading reading = {0};
    buf_init(&reading.series, out->limit);
    buf_init(&reading.part, out->limit);
    buf_init(&reading.label, out->limit);
    bool good = put_request(&reading, request, out);
    if (!good) {
        (void)err_set(err, 0, "write.v2.Request: %s", reading.fault);
    }
    buf_release(&reading.series);
    buf_release(&reading.part);
    buf_release(&reading.label);
    mem_free(reading.symbols);
    return good;
}

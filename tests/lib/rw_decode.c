/* rw_decode.c - flat loops: the message's series, the fields of one series, the fields of one item.
 */
#include "rw_decode.h"

#include <snappy-c.h>
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/view.h>

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

struct field {
    unsigned number, wire;
    uint64_t value;
    struct view bytes;
};

struct room {
    enum rw_version version;
    struct label labels[LABELS_COUNT_MAX];
    size_t labels_count;
    struct rw_decoded_sample *samples;
    size_t samples_count, samples_capacity;
    struct rw_text *symbols;
    size_t symbols_count, symbols_capacity;
    struct rw_decoded_series series;
};

static bool field_next(struct view *view, struct field *out)
{
    if (view_left(view) == 0) {
        return false;
    }
    uint64_t tag = view_uvarint(view);
    *out = (struct field){.number = (unsigned)(tag >> 3), .wire = (unsigned)(tag & 7)};
    if (out->wire == WIRE_VARINT) {
        out->value = view_uvarint(view);
    } else if (out->wire == WIRE_BYTES) {
        out->bytes = view_take(view, view_uvarint(view));
    } else if (out->wire == WIRE_FIXED64) {
        struct view part = view_take(view, 8);
        for (unsigned i = 0; i < 8 && view_left(&part) > 0; i++) {
            out->value |= (uint64_t)view_u8(&part) << (8 * i);
        }
    } else {
        view_fail(view);
    }
    return view_ok(view);
}

static bool label_check(const struct label *labels, size_t count, struct err *err)
{
    const struct label *label = &labels[count];
    if (label->name_bytes == 0 || label->value_bytes == 0) {
        return err_set(err, 0, "label: empty name or value");
    }
    if (count > 0 && label_compare(label - 1, label) >= 0) {
        return err_set(err, 0, "series: label %.*s is not above its predecessor",
                       (int)label->name_bytes, label->name);
    }
    return true;
}

static bool label_read(struct view part, struct label *out, struct err *err)
{
    struct field name, value, more;
    if (!field_next(&part, &name) || name.number != 1 || name.wire != WIRE_BYTES ||
        !field_next(&part, &value) || value.number != 2 || value.wire != WIRE_BYTES ||
        field_next(&part, &more) || !view_ok(&part)) {
        return err_set(err, 0, "label: not a name and a value");
    }
    *out = (struct label){(const char *)name.bytes.at, (const char *)value.bytes.at,
                          (uint32_t)view_left(&name.bytes), (uint32_t)view_left(&value.bytes)};
    return true;
}

static bool symbol_read(const struct room *room, struct view *refs, struct rw_text *out,
                        struct err *err)
{
    uint64_t ref = view_uvarint(refs);
    if (!view_ok(refs) || ref >= room->symbols_count) {
        return err_set(err, 0, "series: a reference to no symbol");
    }
    *out = room->symbols[ref];
    return true;
}

static bool refs_read(struct room *room, struct view refs, struct err *err)
{
    while (view_left(&refs) > 0) {
        struct rw_text name = {0}, value = {0};
        if (room->labels_count == LABELS_COUNT_MAX) {
            return err_set(err, 0, "series: too many labels");
        }
        if (!symbol_read(room, &refs, &name, err) || !symbol_read(room, &refs, &value, err)) {
            return false;
        }
        room->labels[room->labels_count] =
            (struct label){name.bytes, value.bytes, (uint32_t)name.count, (uint32_t)value.count};
        if (!label_check(room->labels, room->labels_count++, err)) {
            return false;
        }
    }
    return true;
}

/* Both fields must be there: the encoder writes zeros too, so that -0.0 and 0 keep their bits. */
static bool sample_read(struct view part, struct rw_decoded_sample *out, struct err *err)
{
    struct field field;
    unsigned seen = 0;
    while (field_next(&part, &field)) {
        seen |= 1u << field.number;
        if (field.number == 1 && field.wire == WIRE_FIXED64) {
            out->bits = field.value;
        } else if (field.number == 2 && field.wire == WIRE_VARINT) {
            out->t_ms = (int64_t)field.value;
        } else if (field.number == 3 && field.wire == WIRE_VARINT) {
            out->st_ms = (int64_t)field.value;
        } else {
            return err_set(err, 0, "sample: unknown field %u", field.number);
        }
    }
    out->kind = RW_DECODED_FLOAT;
    return (view_ok(&part) && (seen & 6) == 6) || err_set(err, 0, "sample: no value or timestamp");
}

static bool histogram_read(struct view part, struct rw_decoded_sample *out, struct err *err)
{
    struct field field;
    uint32_t seen = 0;
    while (field_next(&part, &field)) {
        if (field.number == 0 || field.number > 17) {
            return err_set(err, 0, "histogram: unknown field %u", field.number);
        }
        seen |= 1u << field.number;
        if (field.number == 3) {
            out->bits = field.value;
        } else if (field.number == 4) {
            out->schema = (int32_t)(field.value >> 1) ^ -(int32_t)(field.value & 1);
        } else if (field.number == 15) {
            out->t_ms = (int64_t)field.value;
        } else if (field.number == 17) {
            out->st_ms = (int64_t)field.value;
        }
    }
    out->kind = RW_DECODED_HISTOGRAM;
    bool counted = ((seen >> 1 & 1) ^ (seen >> 2 & 1)) != 0; /* integer or float, not both */
    return (view_ok(&part) && counted && (seen >> 15 & 1) != 0) ||
           err_set(err, 0, "histogram: no count or timestamp");
}

/* Its labels are only stepped over. */
static bool exemplar_read(struct view part, struct rw_decoded_sample *out, struct err *err)
{
    struct field field;
    unsigned seen = 0;
    while (field_next(&part, &field)) {
        seen |= 1u << field.number;
        if (field.number == 2 && field.wire == WIRE_FIXED64) {
            out->bits = field.value;
        } else if (field.number == 3 && field.wire == WIRE_VARINT) {
            out->t_ms = (int64_t)field.value;
        } else if (field.number != 1 || field.wire != WIRE_BYTES) {
            return err_set(err, 0, "exemplar: unknown field %u", field.number);
        }
    }
    out->kind = RW_DECODED_EXEMPLAR;
    return (view_ok(&part) && (seen & 12) == 12) ||
           err_set(err, 0, "exemplar: no value or timestamp");
}

static bool label_add(struct room *room, struct view part, struct err *err)
{
    if (room->samples_count > 0) {
        return err_set(err, 0, "series: a label after an item");
    }
    if (room->version == RW_2) {
        return refs_read(room, part, err);
    }
    if (room->labels_count == LABELS_COUNT_MAX) {
        return err_set(err, 0, "series: too many labels");
    }
    return label_read(part, &room->labels[room->labels_count], err) &&
           label_check(room->labels, room->labels_count++, err);
}

static bool item_add(struct room *room, enum rw_decoded_kind kind, struct view part,
                     struct err *err)
{
    if (room->samples_count == room->samples_capacity) {
        room->samples_capacity = room->samples_capacity * 2 + 16;
        room->samples = mem_grow(room->samples, room->samples_capacity, sizeof *room->samples);
    }
    struct rw_decoded_sample *out = &room->samples[room->samples_count++];
    *out = (struct rw_decoded_sample){0};
    if (room->version == RW_2 && kind == RW_DECODED_HISTOGRAM &&
        room->samples[0].kind == RW_DECODED_FLOAT && room->samples_count > 1) {
        return err_set(err, 0, "series: floats and histograms");
    }
    switch (kind) {
    case RW_DECODED_FLOAT:
        return sample_read(part, out, err);
    case RW_DECODED_HISTOGRAM:
        return histogram_read(part, out, err);
    case RW_DECODED_EXEMPLAR:
        break;
    }
    return exemplar_read(part, out, err);
}

static bool metadata_read(struct room *room, struct view part, struct err *err)
{
    struct field field;
    struct rw_text *to[] = {NULL, NULL, NULL, &room->series.help, &room->series.unit};
    while (field_next(&part, &field)) {
        if (field.number == 1) {
            room->series.type = (uint8_t)field.value;
        } else if (field.number < 3 || field.number > 4 || field.value >= room->symbols_count) {
            return err_set(err, 0, "metadata: unknown field %u or symbol", field.number);
        } else {
            *to[field.number] = room->symbols[field.value];
        }
    }
    return view_ok(&part) || err_set(err, 0, "metadata: cut short");
}

/* By field number, for each version. */
static const enum rw_decoded_kind item_kinds[][5] = {
    [RW_1] = {0, 0, RW_DECODED_FLOAT, RW_DECODED_EXEMPLAR, RW_DECODED_HISTOGRAM},
    [RW_2] = {0, 0, RW_DECODED_FLOAT, RW_DECODED_HISTOGRAM, RW_DECODED_EXEMPLAR}};

static bool series_field(struct room *room, const struct field *field, struct err *err)
{
    if (field->wire != WIRE_BYTES || field->number == 0) {
        return err_set(err, 0, "series: unknown field %u", field->number);
    }
    if (field->number == 1) {
        return label_add(room, field->bytes, err);
    }
    if (field->number <= 4) {
        return item_add(room, item_kinds[room->version][field->number], field->bytes, err);
    }
    if (field->number == 5 && room->version == RW_2) {
        return metadata_read(room, field->bytes, err);
    }
    return err_set(err, 0, "series: unknown field %u", field->number);
}

static bool series_read(struct room *room, struct view series, struct err *err)
{
    struct field field;
    room->labels_count = 0;
    room->samples_count = 0;
    room->series = (struct rw_decoded_series){.labels = room->labels};
    while (field_next(&series, &field)) {
        if (!series_field(room, &field, err)) {
            return false;
        }
    }
    if (!view_ok(&series) || room->labels_count == 0 || room->samples_count == 0) {
        return err_set(err, 0, "series: cut short, or no labels, or no items");
    }
    room->series.labels_count = room->labels_count;
    room->series.samples = room->samples;
    room->series.samples_count = room->samples_count;
    return true;
}

static bool symbol_add(struct room *room, struct view text, struct err *err)
{
    if (room->symbols_count == room->symbols_capacity) {
        room->symbols_capacity = room->symbols_capacity * 2 + 64;
        room->symbols = mem_grow(room->symbols, room->symbols_capacity, sizeof *room->symbols);
    }
    room->symbols[room->symbols_count++] =
        (struct rw_text){(const char *)text.at, view_left(&text)};
    return room->symbols_count > 1 || view_left(&text) == 0 ||
           err_set(err, 0, "request: the first symbol is not empty");
}

static bool message_read(struct view message, struct room *room, struct rw_decoding *decoding,
                         struct err *err)
{
    unsigned series_number = room->version == RW_1 ? 1 : 5;
    struct field field;
    if (view_left(&message) == 0) {
        return err_set(err, 0, "request: empty");
    }
    while (field_next(&message, &field)) {
        if (field.wire != WIRE_BYTES) {
            return err_set(err, 0, "request: field %u is no message", field.number);
        }
        if (field.number == series_number) {
            if (!series_read(room, field.bytes, err) ||
                !decoding->each(decoding->context, &room->series, err)) {
                return false;
            }
        } else if (field.number == 4 && room->version == RW_2) {
            if (!symbol_add(room, field.bytes, err)) {
                return false;
            }
        } else if (field.number == 3 && room->version == RW_1) {
            decoding->metadata++;
        } else {
            return err_set(err, 0, "request: unknown field %u", field.number);
        }
    }
    return view_ok(&message) || err_set(err, 0, "request: cut short");
}

bool rw_decode_body(const void *body, size_t bytes, struct rw_decoding *decoding, struct err *err)
{
    ASSERT(body != NULL && decoding->each != NULL);
    size_t raw_bytes = 0;
    decoding->metadata = 0;
    if (snappy_uncompressed_length(body, bytes, &raw_bytes) != SNAPPY_OK ||
        raw_bytes > decoding->bytes_max) {
        return err_set(err, 0, "request: not a snappy block, or too large");
    }
    char *raw = mem_new(raw_bytes + 1, 1);
    struct room *room = mem_new(1, sizeof *room);
    room->version = decoding->version;
    bool ok;
    if (snappy_uncompress(body, bytes, raw, &raw_bytes) != SNAPPY_OK) {
        ok = err_set(err, 0, "request: bad snappy block");
    } else {
        ok = message_read(view_of(raw, raw_bytes), room, decoding, err);
    }
    mem_free(room->samples);
    mem_free(room->symbols);
    mem_free(room);
    mem_free(raw);
    return ok;
}

bool rw_decode(const void *body, size_t bytes, size_t bytes_max, rw_decoded_fn *each, void *context,
               struct err *err)
{
    struct rw_decoding decoding = {
        .version = RW_1, .bytes_max = bytes_max, .each = each, .context = context};
    return rw_decode_body(body, bytes, &decoding, err);
}

/* rw_decode.c - two flat loops: the message's series, and the fields of one series. */
#include "rw_decode.h"

#include <snappy-c.h>
#include <walship/buf.h>
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/view.h>

enum { TAG_SERIES = 0x0a, TAG_LABEL = 0x0a, TAG_SAMPLE = 0x12 };
enum { TAG_NAME = 0x0a, TAG_VALUE = 0x12, TAG_BITS = 0x09, TAG_TIME = 0x10 };

struct room {
    struct label labels[LABELS_COUNT_MAX];
    size_t labels_count;
    struct rw_decoded_sample *samples;
    size_t samples_count, samples_capacity;
};

static bool label_read(struct view part, struct label *out, struct err *err)
{
    if (view_u8(&part) != TAG_NAME) {
        return err_set(err, 0, "label: no name");
    }
    struct view name = view_take(&part, view_uvarint(&part));
    if (view_u8(&part) != TAG_VALUE) {
        return err_set(err, 0, "label: no value");
    }
    struct view value = view_take(&part, view_uvarint(&part));
    if (!view_ok(&part) || view_left(&part) != 0) {
        return err_set(err, 0, "label: cut short or trailing bytes");
    }
    if (view_left(&name) == 0 || view_left(&value) == 0) {
        return err_set(err, 0, "label: empty name or value");
    }
    *out = (struct label){(const char *)name.at, (const char *)value.at, (uint32_t)view_left(&name),
                          (uint32_t)view_left(&value)};
    return true;
}

/* Both fields must be there: the encoder writes zeros too, so that -0.0 and 0 keep their bits. */
static bool sample_read(struct view part, struct rw_decoded_sample *out, struct err *err)
{
    if (view_u8(&part) != TAG_BITS) {
        return err_set(err, 0, "sample: no value");
    }
    struct view bits = view_take(&part, 8);
    out->bits = 0;
    for (unsigned i = 0; i < 8 && view_left(&bits) > 0; i++) {
        out->bits |= (uint64_t)view_u8(&bits) << (8 * i);
    }
    if (view_u8(&part) != TAG_TIME) {
        return err_set(err, 0, "sample: no timestamp");
    }
    out->t_ms = (int64_t)view_uvarint(&part);
    if (!view_ok(&part) || view_left(&part) != 0) {
        return err_set(err, 0, "sample: cut short or trailing bytes");
    }
    return true;
}

static bool label_add(struct room *room, struct view part, struct err *err)
{
    if (room->labels_count == LABELS_COUNT_MAX || room->samples_count > 0) {
        return err_set(err, 0, "series: too many labels, or a label after a sample");
    }
    struct label *label = &room->labels[room->labels_count];
    if (!label_read(part, label, err)) {
        return false;
    }
    if (room->labels_count > 0 && label_compare(label - 1, label) >= 0) {
        return err_set(err, 0, "series: label %.*s is not above its predecessor",
                       (int)label->name_bytes, label->name);
    }
    room->labels_count++;
    return true;
}

static bool sample_add(struct room *room, struct view part, struct err *err)
{
    if (room->samples_count == room->samples_capacity) {
        room->samples_capacity = room->samples_capacity * 2 + 16;
        room->samples = mem_grow(room->samples, room->samples_capacity, sizeof *room->samples);
    }
    return sample_read(part, &room->samples[room->samples_count++], err);
}

static bool series_read(struct room *room, struct view series, struct err *err)
{
    room->labels_count = 0;
    room->samples_count = 0;
    while (view_left(&series) > 0) {
        uint8_t tag = view_u8(&series);
        struct view part = view_take(&series, view_uvarint(&series));
        if (!view_ok(&series)) {
            return err_set(err, 0, "series: cut short");
        }
        if (tag != TAG_LABEL && tag != TAG_SAMPLE) {
            return err_set(err, 0, "series: unknown tag %u", (unsigned)tag);
        }
        if (!(tag == TAG_LABEL ? label_add : sample_add)(room, part, err)) {
            return false;
        }
    }
    if (room->labels_count == 0 || room->samples_count == 0) {
        return err_set(err, 0, "series: no labels or no samples");
    }
    return true;
}

static bool message_read(struct view message, struct room *room, rw_decoded_fn *each, void *context,
                         struct err *err)
{
    if (view_left(&message) == 0) {
        return err_set(err, 0, "request: empty");
    }
    while (view_left(&message) > 0) {
        if (view_u8(&message) != TAG_SERIES) {
            return err_set(err, 0, "request: unknown tag");
        }
        struct view part = view_take(&message, view_uvarint(&message));
        if (!view_ok(&message)) {
            return err_set(err, 0, "request: cut short");
        }
        if (!series_read(room, part, err)) {
            return false;
        }
        struct rw_decoded_series series = {room->labels, room->labels_count, room->samples,
                                           room->samples_count};
        if (!each(context, &series, err)) {
            return false;
        }
    }
    return true;
}

bool rw_decode(const void *body, size_t bytes, size_t bytes_max, rw_decoded_fn *each, void *context,
               struct err *err)
{
    ASSERT(body != NULL && each != NULL);
    size_t raw_bytes = 0;
    if (snappy_uncompressed_length(body, bytes, &raw_bytes) != SNAPPY_OK || raw_bytes > bytes_max) {
        return err_set(err, 0, "request: not a snappy block, or too large");
    }
    char *raw = mem_new(raw_bytes + 1, 1);
    struct room *room = mem_new(1, sizeof *room);
    bool ok;
    if (snappy_uncompress(body, bytes, raw, &raw_bytes) != SNAPPY_OK) {
        ok = err_set(err, 0, "request: bad snappy block");
    } else {
        ok = message_read(view_of(raw, raw_bytes), room, each, context, err);
    }
    mem_free(room->samples);
    mem_free(room);
    mem_free(raw);
    return ok;
}

/* protobuf.c - see protobuf.h. Groups, field number 0 and numbers beyond 2^29 are malformed. */
#include "protobuf.h"

#include <string.h>

static uint64_t view_le(struct view *view, unsigned count)
{
    struct view part = view_take(view, count);
    uint64_t value = 0;
    if (view_left(&part) == count) {
        memcpy(&value, part.at, count);
    }
    return value;
}

bool field_next(struct view *view, struct field *out)
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

bool put_varint(struct buf *out, uint64_t value)
{
    uint8_t bytes[10];
    size_t count = 0;
    while (value >= 0x80) {
        bytes[count++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[count++] = (uint8_t)value;
    return buf_append(out, bytes, count);
}

bool put_bytes(struct buf *out, unsigned number, const void *bytes, size_t count)
{
    return put_varint(out, number << 3 | WIRE_BYTES) && put_varint(out, count) &&
           buf_append(out, bytes, count);
}

bool put_number(struct buf *out, unsigned number, uint64_t value)
{
    return put_varint(out, number << 3 | WIRE_VARINT) && put_varint(out, value);
}

bool put_fixed64(struct buf *out, unsigned number, uint64_t value)
{
    return put_varint(out, number << 3 | WIRE_FIXED64) && buf_append(out, &value, sizeof value);
}

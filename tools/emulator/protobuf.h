/* protobuf.h - one field after the other of a protobuf message in hostile bytes, and the bytes of
 * one. */
#ifndef EMULATOR_PROTOBUF_H
#define EMULATOR_PROTOBUF_H

#include <walship/buf.h>
#include <walship/view.h>

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct field {
    uint64_t number;
    unsigned wire;
    uint64_t value;    /* varint, fixed64, fixed32 */
    struct view bytes; /* length-delimited */
};

/* False at the end and on malformed bytes; the view tells which. */
bool field_next(struct view *view, struct field *out);

/* False: out is full. */
MUST_USE bool put_varint(struct buf *out, uint64_t value);
MUST_USE bool put_bytes(struct buf *out, unsigned number, const void *bytes, size_t count);
MUST_USE bool put_number(struct buf *out, unsigned number, uint64_t value);
MUST_USE bool put_fixed64(struct buf *out, unsigned number, uint64_t value);

#endif

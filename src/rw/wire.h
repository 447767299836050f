/* wire.h - protobuf's bytes, for the encoders of this folder. All of them write in two passes: the
 * lengths first, then the bytes into room reserved once. Protobuf puts a message's length in front
 * of it, so whoever writes in one pass either moves bytes afterwards or pads the lengths; counting
 * first is cheaper than both. The put_ functions trust the count: they have no limit of their own.
 */
#ifndef RW_WIRE_H
#define RW_WIRE_H

#include <assert.h>
#include <walship/rw.h>

enum {
    VARINT_BYTES_MAX = 10,
    SAMPLE_VALUE_TAG = 0x09, /* Sample 1, fixed64: the same in both versions */
    SAMPLE_T_TAG = 0x10,     /* Sample 2, varint */
    SAMPLE_FIXED_BYTES = 10  /* tag, fixed64, tag */
};

static inline size_t varint_bytes(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    return (bits + 6) / 7;
}

static inline uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static inline uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static inline uint8_t *put_fixed64(uint8_t *at, uint64_t value)
{
    for (unsigned shift = 0; shift < 64; shift += 8) { /* one store on little-endian machines */
        *at++ = (uint8_t)(value >> shift);
    }
    return at;
}

static inline uint8_t *put_double(uint8_t *at, uint8_t tag, uint64_t bits)
{
    *at++ = tag;
    return put_fixed64(at, bits);
}

static inline uint8_t *put_number(uint8_t *at, uint8_t tag, uint64_t value)
{
    *at++ = tag;
    return put_varint(at, value);
}

static inline uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t count)
{
    if (count > 0) {
        memcpy(at, bytes, count);
    }
    return at + count;
}

static inline uint8_t *put_string(uint8_t *at, uint8_t tag, const void *bytes, size_t count)
{
    return put_bytes(put_number(at, tag, count), bytes, count);
}

/* A field of one tag byte that holds a message or string of that many bytes, all in all. */
static inline size_t field_bytes(size_t body)
{
    return 1 + varint_bytes(body) + body;
}

#endif

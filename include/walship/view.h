/* view.h - a bounded reader over borrowed bytes, consumed from left to right.
 *
 * A read past the end, or a malformed varint, sets `failed` and from then on every read gives 0: a
 * decoder reads a whole structure and asks view_ok() once. Nothing is copied. */
#ifndef WALSHIP_VIEW_H
#define WALSHIP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/assert.h>

struct view {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct view view_of(const void *bytes, size_t count)
{
    ASSERT(bytes != NULL || count == 0);
    const uint8_t *start = bytes == NULL ? (const uint8_t *)"" : bytes; /* NULL + 0 is undefined */
    struct view view = {start, start + count, false};
    return view;
}

static inline size_t view_left(const struct view *view)
{
    return (size_t)(view->end - view->at);
}

static inline bool view_ok(const struct view *view)
{
    return !view->failed;
}

static inline void view_fail(struct view *view)
{
    view->failed = true;
    view->at = view->end;
}

static inline uint8_t view_u8(struct view *view)
{
    if (view->at == view->end) {
        view_fail(view);
        return 0;
    }
    return *view->at++;
}

/* The next `count` bytes as a view of their own (empty when there are fewer). */
static inline struct view view_take(struct view *view, uint64_t count)
{
    if (count > view_left(view)) {
        view_fail(view);
        return view_of(view->end, 0);
    }
    struct view part = {view->at, view->at + count, false};
    view->at += count;
    return part;
}

static inline uint32_t view_be32(struct view *view)
{
    if (view_left(view) < 4) {
        view_fail(view);
        return 0;
    }
    uint32_t value;
    __builtin_memcpy(&value, view->at, sizeof value);
    view->at += 4;
    return __builtin_bswap32(value);
}

static inline uint64_t view_be64(struct view *view)
{
    if (view_left(view) < 8) {
        view_fail(view);
        return 0;
    }
    uint64_t value;
    __builtin_memcpy(&value, view->at, sizeof value);
    view->at += 8;
    return __builtin_bswap64(value);
}

/* Unsigned LEB128 as Go's encoding/binary: at most 10 bytes, the tenth at most 1. */
static inline uint64_t view_uvarint(struct view *view)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (view->at == view->end) {
            break;
        }
        uint8_t byte = *view->at++;
        if (shift == 63 && byte > 1) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    view_fail(view);
    return 0;
}

/* Zigzag. */
static inline int64_t view_varint(struct view *view)
{
    uint64_t raw = view_uvarint(view);
    return (int64_t)((raw >> 1) ^ (0 - (raw & 1)));
}

#endif

/* buf.h - a byte buffer that grows up to a stated limit and no further.
 *
 * The caller owns the struct; buf_release frees the bytes. Appending past the limit changes nothing
 * and returns false: the caller decides what a full buffer means (back-pressure, error, cut). */
#ifndef WALSHIP_BUF_H
#define WALSHIP_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <walship/assert.h>

struct buf {
    uint8_t *data;
    size_t bytes;    /* used */
    size_t capacity; /* allocated */
    size_t limit;    /* capacity never exceeds this */
};

void buf_init(struct buf *buf, size_t limit);
void buf_release(struct buf *buf);
/* Room for `more` further bytes; false when the limit forbids it. */
MUST_USE bool buf_reserve(struct buf *buf, size_t more);
MUST_USE bool buf_append(struct buf *buf, const void *bytes, size_t count);
MUST_USE bool buf_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

static inline void buf_clear(struct buf *buf)
{
    buf->bytes = 0;
}

#endif

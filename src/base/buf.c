/* buf.c - growth by doubling, so that appending stays linear, and never past the limit. */
#include <stdarg.h>
#include <walship/buf.h>
#include <walship/mem.h>

enum { BUF_FIRST_BYTES = 256 };

void buf_init(struct buf *buf, size_t limit)
{
    ASSERT(buf != NULL && limit > 0);
    *buf = (struct buf){.limit = limit};
}

void buf_release(struct buf *buf)
{
    ASSERT(buf != NULL);
    mem_free(buf->data);
    *buf = (struct buf){.limit = buf->limit};
}

static size_t capacity_for(const struct buf *buf, size_t need)
{
    size_t capacity = buf->capacity < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : buf->capacity;
    while (capacity < need) {
        capacity = capacity > buf->limit / 2 ? buf->limit : capacity * 2;
    }
    return capacity > buf->limit ? buf->limit : capacity;
}

bool buf_reserve(struct buf *buf, size_t more)
{
    ASSERT(buf->bytes <= buf->capacity && buf->capacity <= buf->limit);
    if (more <= buf->capacity - buf->bytes) {
        return true;
    }
    if (more > buf->limit - buf->bytes) {
        return false;
    }
    buf->capacity = capacity_for(buf, buf->bytes + more);
    buf->data = mem_grow(buf->data, buf->capacity, 1);
    ASSERT(more <= buf->capacity - buf->bytes);
    return true;
}

bool buf_append(struct buf *buf, const void *bytes, size_t count)
{
    if (!buf_reserve(buf, count)) {
        return false;
    }
    if (count > 0) {
        memcpy(buf->data + buf->bytes, bytes, count);
        buf->bytes += count;
    }
    return true;
}

/* vsnprintf ends with a NUL that is not counted: one byte of room for it is needed meanwhile, so a
 * text that would fill the buffer to its very limit goes by way of the heap. */
static bool append_by_heap(struct buf *buf, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static bool append_by_heap(struct buf *buf, const char *format, va_list arguments)
{
    char *text = NULL;
    int bytes = vasprintf(&text, format, arguments);
    ASSERT(bytes >= 0 && text != NULL);
    bool done = buf_append(buf, text, (size_t)bytes);
    mem_free(text);
    return done;
}

bool buf_format(struct buf *buf, const char *format, ...)
{
    ASSERT(buf != NULL && format != NULL);
    size_t room = buf->capacity - buf->bytes;
    va_list arguments;
    va_start(arguments, format);
    int bytes =
        vsnprintf(room > 0 ? (char *)buf->data + buf->bytes : NULL, room, format, arguments);
    va_end(arguments);
    ASSERT(bytes >= 0);
    if ((size_t)bytes < room) {
        buf->bytes += (size_t)bytes;
        return true;
    }
    va_start(arguments, format);
    bool done = append_by_heap(buf, format, arguments);
    va_end(arguments);
    return done;
}

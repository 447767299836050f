/* rw_snappy.c - the snappy BLOCK format (remote write forbids the framed one). */
#include <snappy-c.h>
#include <walship/rw.h>

/* snappy wants a pointer even for no bytes. */
static const char *or_empty(const void *bytes)
{
    return bytes != NULL ? bytes : "";
}

bool rw_compress(const struct buf *raw, struct buf *out)
{
    ASSERT(raw != out);
    buf_clear(out);
    size_t bytes = snappy_max_compressed_length(raw->bytes);
    if (!buf_reserve(out, bytes)) {
        return false;
    }
    ASSERT(out->capacity >= bytes);
    snappy_status status =
        snappy_compress(or_empty(raw->data), raw->bytes, (char *)out->data, &bytes);
    ASSERT(status == SNAPPY_OK); /* can only fail for want of room */
    out->bytes = bytes;
    return true;
}

bool rw_decompress(const void *bytes, size_t count, struct buf *out)
{
    size_t decoded = 0;
    buf_clear(out);
    /* The length is a claim of the sender: it decides nothing before it was held against the cap.
     */
    if (snappy_uncompressed_length(or_empty(bytes), count, &decoded) != SNAPPY_OK ||
        decoded > out->limit || !buf_reserve(out, decoded + (decoded == 0))) {
        return false;
    }
    ASSERT(out->capacity >= decoded);
    if (snappy_uncompress(or_empty(bytes), count, (char *)out->data, &decoded) != SNAPPY_OK) {
        return false;
    }
    out->bytes = decoded;
    return true;
}

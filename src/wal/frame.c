/* frame.c - see wal_frame.h. As Prometheus' own writer: a fragment never leaves its page, and what
 * is left of a page is zero when no header fits. */
#include <walship/crc32c.h>
#include <walship/limits.h>
#include <walship/wal_frame.h>
#include <walship/wal_record.h>

enum { FRAGMENT_FULL = 1, FRAGMENT_FIRST, FRAGMENT_MIDDLE, FRAGMENT_LAST, VARINT_BYTES_MAX = 10 };

static bool put_varint(struct buf *out, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    size_t count = 0;
    while (value >= 0x80) {
        bytes[count++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[count++] = (uint8_t)value;
    return buf_append(out, bytes, count);
}

static bool put_text(struct buf *out, const char *text, size_t bytes)
{
    return put_varint(out, bytes) && buf_append(out, text, bytes);
}

bool wal_frame_series(struct buf *record, uint64_t ref, const struct label *labels, size_t count)
{
    static const uint8_t type = WAL_SERIES;
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(ref >> (56 - 8 * i));
    }
    bool ok = record->bytes > 0 || buf_append(record, &type, 1);
    ok = ok && buf_append(record, bytes, sizeof bytes) && put_varint(record, count);
    for (size_t i = 0; ok && i < count; i++) {
        ok = put_text(record, labels[i].name, labels[i].name_bytes) &&
             put_text(record, labels[i].value, labels[i].value_bytes);
    }
    return ok;
}

static size_t page_left(const struct buf *out)
{
    return WAL_PAGE_BYTES - out->bytes % WAL_PAGE_BYTES;
}

bool wal_frame_pad(struct buf *out)
{
    static const uint8_t zeros[WAL_PAGE_BYTES];
    size_t left = page_left(out);
    return left == WAL_PAGE_BYTES || buf_append(out, zeros, left);
}

static bool put_fragment(struct buf *out, unsigned type, const uint8_t *bytes, size_t count)
{
    uint32_t crc = crc32c(bytes, count);
    uint8_t head[WAL_FRAGMENT_HEADER_BYTES] = {
        (uint8_t)type,        (uint8_t)(count >> 8), (uint8_t)count, (uint8_t)(crc >> 24),
        (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),   (uint8_t)crc};
    return buf_append(out, head, sizeof head) && buf_append(out, bytes, count);
}

bool wal_frame_record(struct buf *out, const struct buf *record)
{
    size_t done = 0;
    ASSERT(record->bytes > 0 && page_left(out) > WAL_FRAGMENT_HEADER_BYTES);
    while (done < record->bytes) {
        size_t room = page_left(out) - WAL_FRAGMENT_HEADER_BYTES;
        size_t left = record->bytes - done;
        bool ends = left <= room;
        size_t count = ends ? left : room;
        unsigned type = done == 0 ? (ends ? FRAGMENT_FULL : FRAGMENT_FIRST)
                                  : (ends ? FRAGMENT_LAST : FRAGMENT_MIDDLE);
        if (!put_fragment(out, type, record->data + done, count) ||
            (page_left(out) <= WAL_FRAGMENT_HEADER_BYTES && !wal_frame_pad(out))) {
            return false;
        }
        done += count;
    }
    return true;
}

/* wal_writer.c - records into fragments, pages and segments. */
#include "wal_writer.h"

#include <snappy-c.h>
#include <walship/crc32c.h>
#include <walship/limits.h>
#include <zstd.h>

enum { FULL = 1, FIRST = 2, MIDDLE = 3, LAST = 4 };
enum { HEADER_BYTES = WAL_FRAGMENT_HEADER_BYTES, SNAPPY_BIT = 0x08, ZSTD_BIT = 0x10 };

void wal_writer_init(struct wal_writer *writer, enum wal_writer_compression compression)
{
    *writer = (struct wal_writer){.compression = compression};
    buf_init(&writer->bytes, WAL_WRITER_BUF_BYTES_MAX);
    buf_init(&writer->packed, WAL_WRITER_BUF_BYTES_MAX);
}

void wal_writer_release(struct wal_writer *writer)
{
    buf_release(&writer->bytes);
    buf_release(&writer->packed);
    (void)ZSTD_freeCCtx(writer->zstd);
    writer->zstd = NULL;
}

void wal_writer_clear(struct wal_writer *writer)
{
    buf_clear(&writer->bytes);
}

static size_t page_left(const struct wal_writer *writer)
{
    return WAL_PAGE_BYTES - writer->bytes.bytes % WAL_PAGE_BYTES;
}

static void put_zeros(struct wal_writer *writer, size_t count)
{
    bool done = buf_reserve(&writer->bytes, count);
    ASSERT(done);
    if (count > 0) {
        memset(writer->bytes.data + writer->bytes.bytes, 0, count);
        writer->bytes.bytes += count;
    }
}

void wal_writer_pad(struct wal_writer *writer)
{
    if (page_left(writer) < WAL_PAGE_BYTES) {
        put_zeros(writer, page_left(writer));
    }
}

void wal_writer_zero_page(struct wal_writer *writer)
{
    wal_writer_pad(writer);
    put_zeros(writer, WAL_PAGE_BYTES);
}

void wal_writer_fragment(struct wal_writer *writer, uint8_t header, const void *payload,
                         size_t bytes)
{
    ASSERT(bytes <= UINT16_MAX);
    uint32_t crc = crc32c(payload, bytes);
    uint8_t head[HEADER_BYTES] = {header,
                                  (uint8_t)(bytes >> 8),
                                  (uint8_t)bytes,
                                  (uint8_t)(crc >> 24),
                                  (uint8_t)(crc >> 16),
                                  (uint8_t)(crc >> 8),
                                  (uint8_t)crc};
    bool done =
        buf_append(&writer->bytes, head, sizeof head) && buf_append(&writer->bytes, payload, bytes);
    ASSERT(done);
}

/* ---- compression ---- */

static size_t pack_snappy(struct wal_writer *writer, const void *record, size_t bytes)
{
    size_t room = snappy_max_compressed_length(bytes);
    bool done = buf_reserve(&writer->packed, room);
    ASSERT(done);
    snappy_status status = snappy_compress(record, bytes, (char *)writer->packed.data, &room);
    ASSERT(status == SNAPPY_OK);
    return room;
}

/* As the writer in Prometheus: with checksum, and no content size below 256 bytes. */
static size_t pack_zstd(struct wal_writer *writer, const void *record, size_t bytes)
{
    size_t room = ZSTD_compressBound(bytes);
    bool done = buf_reserve(&writer->packed, room);
    ASSERT(done);
    if (writer->zstd == NULL) {
        writer->zstd = ZSTD_createCCtx();
        ASSERT(writer->zstd != NULL);
        (void)ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, 1);
        (void)ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_checksumFlag, 1);
    }
    (void)ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_contentSizeFlag, bytes >= 256);
    size_t made = ZSTD_compress2(writer->zstd, writer->packed.data, room, record, bytes);
    ASSERT(!ZSTD_isError(made));
    return made;
}

/* The bytes to store and the bits for the header; compression that gains nothing is not used. */
static struct view pack(struct wal_writer *writer, const void *record, size_t bytes, uint8_t *bit)
{
    size_t made = bytes;
    buf_clear(&writer->packed);
    if (writer->compression == WAL_WRITER_SNAPPY && bytes > 0) {
        *bit = SNAPPY_BIT;
        made = pack_snappy(writer, record, bytes);
    } else if (writer->compression == WAL_WRITER_ZSTD && bytes > 0) {
        *bit = ZSTD_BIT;
        made = pack_zstd(writer, record, bytes);
    }
    if (made < bytes) {
        return view_of(writer->packed.data, made);
    }
    *bit = 0;
    return view_of(record, bytes);
}

size_t wal_writer_log(struct wal_writer *writer, const void *record, size_t bytes)
{
    uint8_t bit = 0;
    struct view left = pack(writer, record, bytes, &bit);
    size_t offset = writer->bytes.bytes;
    bool first = true;
    if (page_left(writer) < HEADER_BYTES) {
        wal_writer_pad(writer); /* only after hand-made fragments */
        offset = writer->bytes.bytes;
    }
    do {
        size_t room = page_left(writer) - HEADER_BYTES;
        size_t count = view_left(&left);
        bool ends = count <= room;
        struct view part = view_take(&left, ends ? count : room);
        unsigned type = first ? (ends ? FULL : FIRST) : (ends ? LAST : MIDDLE);
        wal_writer_fragment(writer, (uint8_t)(type | bit), part.at, view_left(&part));
        if (page_left(writer) < HEADER_BYTES) {
            wal_writer_pad(writer);
        }
        first = false;
    } while (view_left(&left) > 0);
    return offset;
}

size_t wal_writer_log_buf(struct wal_writer *writer, const struct buf *record)
{
    return wal_writer_log(writer, record->data, record->bytes);
}

void wal_writer_tear(struct wal_writer *writer, size_t bytes)
{
    ASSERT(bytes <= writer->bytes.bytes);
    writer->bytes.bytes -= bytes;
}

bool wal_writer_save(const struct wal_writer *writer, const char *path)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return false;
    }
    bool done =
        writer->bytes.bytes == 0 || fwrite(writer->bytes.data, writer->bytes.bytes, 1, file) == 1;
    return fclose(file) == 0 && done;
}

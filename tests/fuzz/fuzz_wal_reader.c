/* fuzz_wal_reader.c - pages, fragments and decompression over any bytes.
 *
 * First byte of the input: bit 0 sealed; bit 1: the rest is a list of fragments (header byte, two
 * bytes of length, payload) that are given right checksums, since a fuzzer can't guess those; else
 * the rest is the segment as it is. Bits 2-3 choose the window. Judged: it ends, nothing is read
 * out of bounds (windows are exact heap copies), and what comes out lies in order, inside the
 * segment, without overlap. */
#include "wal_writer.h"

#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/wal_reader.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void build(struct wal_writer *writer, struct view left, bool fragments)
{
    if (!fragments) {
        bool done = buf_append(&writer->bytes, left.at, view_left(&left));
        ASSERT(done);
        return;
    }
    while (view_left(&left) >= 3) {
        uint8_t header = view_u8(&left);
        size_t bytes = (size_t)view_u8(&left) << 8;
        bytes |= view_u8(&left);
        bytes = bytes < view_left(&left) ? bytes : view_left(&left);
        struct view payload = view_take(&left, bytes);
        wal_writer_fragment(writer, header, payload.at, bytes);
    }
}

static uint8_t *window_copy(const struct buf *segment, uint64_t from, size_t most, size_t *count)
{
    size_t left = from < segment->bytes ? segment->bytes - (size_t)from : 0;
    *count = left < most ? left : most;
    uint8_t *copy = mem_new(*count == 0 ? 1 : *count, 1);
    if (*count > 0) {
        memcpy(copy, segment->data + from, *count);
    }
    return copy;
}

static void read_all(struct wal_reader *reader, const struct buf *segment, bool sealed, size_t most)
{
    size_t count;
    unsigned waits = 0;
    uint64_t last_end = 0;
    uint8_t *copy = window_copy(segment, 0, most, &count);
    struct wal_window window = {copy, 0, count, segment->bytes, sealed};
    while (waits <= WAL_READER_PATIENCE + 1) {
        struct wal_read_out out = {0};
        enum wal_read read = wal_reader_next(reader, &window, &out);
        waits = read == WAL_READ_WAIT ? waits + 1 : 0;
        if (read == WAL_READ_END) {
            break;
        }
        if (read == WAL_READ_MORE) {
            uint64_t need = wal_reader_need(reader);
            ASSERT(need > window.offset && need < segment->bytes);
            mem_free(copy);
            copy = window_copy(segment, need, most, &count);
            window = (struct wal_window){copy, need, count, segment->bytes, sealed};
        } else if (read != WAL_READ_WAIT) {
            ASSERT(out.offset >= last_end && out.end > out.offset && out.end <= segment->bytes);
            last_end = out.end;
        }
    }
    mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t windows[] = {WAL_PAGE_BYTES, WAL_PAGE_BYTES + 1, 4 * WAL_PAGE_BYTES,
                                     1 << 20};
    if (size == 0) {
        return 0;
    }
    struct wal_writer writer;
    struct wal_reader *reader = wal_reader_new();
    wal_writer_init(&writer, WAL_WRITER_PLAIN);
    build(&writer, view_of(data + 1, size - 1), (data[0] & 2) != 0);
    read_all(reader, &writer.bytes, (data[0] & 1) != 0, windows[(data[0] >> 2) & 3]);
    wal_reader_free(reader);
    wal_writer_release(&writer);
    return 0;
}

/* reader.c - fragments to records.
 *
 * One fragment is looked at a time (fragment_look: pure), then taken (take). What had to be passed
 * over is noted as one range, from its first byte to wherever reading can go on, and reported once,
 * before the next good record or the next WAIT or END; so ranges never overlap what was delivered.
 *
 * A header is not covered by its CRC. A wrong type or length is found by the rules on sequence and
 * page bounds, wrong compression bits by decompression; bits that are gone by what the bytes are
 * without them, and that record is whole. After any other reading goes on at the next page: pages
 * are the only places where a fragment surely starts. */
#include "decompress.h"

#include <walship/crc32c.h>
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/wal_reader.h>
#include <walship/wal_record.h>

enum { TYPE_PAD = 0, TYPE_FULL = 1, TYPE_FIRST = 2, TYPE_MIDDLE = 3, TYPE_LAST = 4 };
enum { HEADER_TYPE = 0x07, HEADER_RESERVED = 0xE0 };

#define NOWHERE UINT64_MAX

struct wal_reader {
    uint64_t at;           /* first byte not yet consumed */
    bool open;             /* a FIRST was taken, its LAST not yet */
    uint64_t record_start; /* of the open or the latest record */
    struct buf joined;     /* stored bytes of the open record */
    uint64_t lost_from;    /* NOWHERE, or where an unreported damaged range starts */
    const char *lost_text;
    uint64_t suspect_at;    /* where bytes looked wrong in a segment still being written ... */
    unsigned suspect_count; /* ... so often */
    struct wal_decompress decompress;
};

enum look {
    LOOK_FRAGMENT, /* whole, CRC good */
    LOOK_PADDING,  /* nothing up to `end` */
    LOOK_MORE,     /* the window lacks bytes that the segment has */
    LOOK_SHORT,    /* the segment lacks bytes */
    LOOK_BAD       /* text says why; `end` is the next place to try */
};

struct fragment {
    uint8_t header;
    unsigned type;
    struct view payload;
    uint64_t end;
    const char *text;
};

struct wal_reader *wal_reader_new(void)
{
    struct wal_reader *reader = mem_new(1, sizeof *reader);
    buf_init(&reader->joined, WAL_RECORD_BYTES_MAX);
    wal_decompress_init(&reader->decompress);
    wal_reader_start(reader, 0);
    return reader;
}

void wal_reader_free(struct wal_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    buf_release(&reader->joined);
    wal_decompress_release(&reader->decompress);
    mem_free(reader);
}

void wal_reader_start(struct wal_reader *reader, uint64_t offset)
{
    ASSERT(reader != NULL);
    reader->at = offset;
    reader->open = false;
    reader->record_start = offset;
    buf_clear(&reader->joined);
    reader->lost_from = NOWHERE;
    reader->lost_text = NULL;
    reader->suspect_at = NOWHERE;
    reader->suspect_count = 0;
}

uint64_t wal_reader_need(const struct wal_reader *reader)
{
    return reader->at;
}

/* ---- looking ---- */

static bool window_has(const struct wal_window *window, uint64_t at, uint64_t count)
{
    return at >= window->offset && at - window->offset <= window->count &&
           count <= window->count - (at - window->offset);
}

static const uint8_t *window_at(const struct wal_window *window, uint64_t at)
{
    ASSERT(at >= window->offset && at - window->offset <= window->count);
    return window->bytes + (at - window->offset);
}

static bool all_zero(const uint8_t *bytes, uint64_t count)
{
    return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, (size_t)count - 1) == 0);
}

static enum look bad(struct fragment *out, const char *text)
{
    out->text = text;
    return LOOK_BAD;
}

/* The rest of the page holds nothing, or claims so. Fewer than 7 bytes can't hold a fragment, so
 * nothing is lost there whatever they are. */
static enum look look_padding(uint64_t at, const struct wal_window *window, struct fragment *out)
{
    uint64_t page_end = at - at % WAL_PAGE_BYTES + WAL_PAGE_BYTES;
    if (page_end > window->segment_bytes && !window->sealed) {
        return LOOK_SHORT;
    }
    uint64_t end = page_end < window->segment_bytes ? page_end : window->segment_bytes;
    out->end = end;
    if (page_end - at < WAL_FRAGMENT_HEADER_BYTES) {
        return LOOK_PADDING;
    }
    if (!window_has(window, at, end - at)) {
        return LOOK_MORE;
    }
    return all_zero(window_at(window, at), end - at) ? LOOK_PADDING
                                                     : bad(out, "bytes in an empty part of a page");
}

static enum look look_payload(uint64_t at, const struct wal_window *window, struct fragment *out)
{
    const uint8_t *header = window_at(window, at);
    uint64_t known = window->segment_bytes - at;
    uint64_t page_left = WAL_PAGE_BYTES - at % WAL_PAGE_BYTES;
    uint32_t length = (uint32_t)header[1] << 8 | header[2];
    uint64_t bytes = WAL_FRAGMENT_HEADER_BYTES + (uint64_t)length;
    if (bytes > page_left) {
        return bad(out, "a fragment longer than its page");
    }
    if (bytes > known) {
        return LOOK_SHORT;
    }
    if (!window_has(window, at, bytes)) {
        return LOOK_MORE;
    }
    struct view crc = view_of(header + 3, 4);
    const uint8_t *payload = header + WAL_FRAGMENT_HEADER_BYTES;
    if (crc32c(payload, length) != view_be32(&crc)) {
        return bad(out, "a wrong checksum");
    }
    out->payload = view_of(payload, length);
    out->end = at + bytes;
    return LOOK_FRAGMENT;
}

static enum look fragment_look(uint64_t at, const struct wal_window *window, struct fragment *out)
{
    if (at >= window->segment_bytes) {
        return LOOK_SHORT;
    }
    uint64_t known = window->segment_bytes - at;
    uint64_t page_left = WAL_PAGE_BYTES - at % WAL_PAGE_BYTES;
    *out = (struct fragment){.end = at + (page_left < known ? page_left : known)};
    if (page_left < WAL_FRAGMENT_HEADER_BYTES) {
        return look_padding(at, window, out);
    }
    if (!window_has(window, at, 1)) {
        return LOOK_MORE;
    }
    out->header = *window_at(window, at);
    out->type = out->header & HEADER_TYPE;
    if (out->type == TYPE_PAD) {
        return look_padding(at, window, out);
    }
    if (out->type > TYPE_LAST || (out->header & HEADER_RESERVED) != 0) {
        return bad(out, "a fragment of an unknown kind");
    }
    if (known < WAL_FRAGMENT_HEADER_BYTES) {
        return LOOK_SHORT;
    }
    if (!window_has(window, at, WAL_FRAGMENT_HEADER_BYTES)) {
        return LOOK_MORE;
    }
    return look_payload(at, window, out);
}

/* ---- losing ---- */

/* Everything from `from` to wherever reading goes on is lost; with it a record still open. */
static void lose(struct wal_reader *reader, uint64_t from, const char *text)
{
    uint64_t start = reader->open ? reader->record_start : from;
    ASSERT(start <= from || reader->open);
    reader->open = false;
    if (reader->lost_from == NOWHERE) {
        reader->lost_from = start;
        reader->lost_text = text;
    }
}

static enum wal_read report_lost(struct wal_reader *reader, struct wal_read_out *out)
{
    ASSERT(reader->lost_from != NOWHERE && reader->at > reader->lost_from);
    *out = (struct wal_read_out){.offset = reader->lost_from,
                                 .end = reader->at,
                                 .damage_offset = reader->lost_from,
                                 .damage_bytes = reader->at - reader->lost_from,
                                 .damage_text = reader->lost_text};
    reader->lost_from = NOWHERE;
    return WAL_READ_DAMAGE;
}

/* Bytes that look wrong in a segment still being written may be a write half seen. */
static bool wait_again(struct wal_reader *reader, bool sealed)
{
    if (sealed) {
        return false;
    }
    if (reader->suspect_at != reader->at) {
        reader->suspect_at = reader->at;
        reader->suspect_count = 0;
    }
    return reader->suspect_count++ < WAL_READER_PATIENCE;
}

static enum wal_read pause_at_end(struct wal_reader *reader, const struct wal_window *window,
                                  struct wal_read_out *out)
{
    if (window->sealed && (reader->open || reader->at < window->segment_bytes)) {
        lose(reader, reader->at, "the segment ends inside a record");
        reader->at = reader->at > window->segment_bytes ? reader->at : window->segment_bytes;
    }
    if (reader->lost_from != NOWHERE) {
        return report_lost(reader, out);
    }
    return window->sealed ? WAL_READ_END : WAL_READ_WAIT;
}

/* ---- taking ---- */

enum taken { TAKEN_GO_ON, TAKEN_RECORD, TAKEN_LOST_BEFORE };

/* Compressed bytes without the bit that says so have a good CRC and begin like a record of a type
 * to come, which is no damage: nobody would account for them. What they decompress to is the record
 * that was written. A snappy block begins with its size, in one byte below 128: as small as the
 * number of a known type is no record with series or items. */
static void restore_bit(struct wal_reader *reader, struct view stored, struct view *record)
{
    static const uint8_t bits[] = {WAL_HEADER_SNAPPY, WAL_HEADER_ZSTD};
    for (size_t i = 0; i < ARRAY_COUNT(bits); i++) {
        struct view plain;
        uint64_t items;
        if (wal_decompress_run(&reader->decompress, bits[i], stored, &plain) &&
            wal_record_check(plain, &items)) {
            *record = plain;
            return;
        }
    }
}

static enum taken finish(struct wal_reader *reader, const struct fragment *fragment,
                         struct view stored, struct wal_read_out *out)
{
    struct view record;
    reader->open = false;
    if (!wal_decompress_run(&reader->decompress, fragment->header, stored, &record)) {
        lose(reader, reader->record_start, "a record that can't be decompressed");
        return TAKEN_GO_ON;
    }
    bool marked = (fragment->header & (WAL_HEADER_SNAPPY | WAL_HEADER_ZSTD)) != 0;
    if (!marked && view_left(&stored) > 0 && wal_record_type(record) == WAL_UNKNOWN) {
        restore_bit(reader, stored, &record);
    }
    *out = (struct wal_read_out){
        .record = record, .offset = reader->record_start, .end = fragment->end};
    return TAKEN_RECORD;
}

static enum taken join(struct wal_reader *reader, const struct fragment *fragment,
                       struct wal_read_out *out)
{
    if (!buf_append(&reader->joined, fragment->payload.at, view_left(&fragment->payload))) {
        lose(reader, reader->record_start, "a record beyond the largest size");
        return TAKEN_GO_ON;
    }
    if (fragment->type != TYPE_LAST) {
        return TAKEN_GO_ON;
    }
    return finish(reader, fragment, view_of(reader->joined.data, reader->joined.bytes), out);
}

/* Nothing is consumed on TAKEN_LOST_BEFORE. */
static enum taken take(struct wal_reader *reader, const struct fragment *fragment,
                       struct wal_read_out *out)
{
    bool starts = fragment->type == TYPE_FULL || fragment->type == TYPE_FIRST;
    if (starts && reader->open) {
        lose(reader, reader->record_start, "a record without its end");
    }
    if (starts && reader->lost_from != NOWHERE) {
        return TAKEN_LOST_BEFORE;
    }
    uint64_t start = reader->at;
    reader->at = fragment->end;
    if (!starts && !reader->open) {
        lose(reader, start, "a record without its beginning");
        return TAKEN_GO_ON;
    }
    if (starts) {
        reader->record_start = start;
        reader->open = true;
        buf_clear(&reader->joined);
    }
    /* a record of one fragment is never copied: decompressed straight from the window */
    return fragment->type == TYPE_FULL ? finish(reader, fragment, fragment->payload, out)
                                       : join(reader, fragment, out);
}

enum wal_read wal_reader_next(struct wal_reader *reader, const struct wal_window *window,
                              struct wal_read_out *out)
{
    ASSERT(reader != NULL && out != NULL);
    ASSERT(window->bytes != NULL || window->count == 0);
    struct fragment fragment;
    for (;;) {
        switch (fragment_look(reader->at, window, &fragment)) {
        case LOOK_FRAGMENT:
            switch (take(reader, &fragment, out)) {
            case TAKEN_RECORD:
                return WAL_READ_RECORD;
            case TAKEN_LOST_BEFORE:
                return report_lost(reader, out);
            case TAKEN_GO_ON:
                break;
            }
            break;
        case LOOK_PADDING:
            reader->at = fragment.end;
            break;
        case LOOK_MORE:
            return WAL_READ_MORE;
        case LOOK_SHORT:
            return pause_at_end(reader, window, out);
        case LOOK_BAD:
            if (wait_again(reader, window->sealed)) {
                return reader->lost_from != NOWHERE ? report_lost(reader, out) : WAL_READ_WAIT;
            }
            lose(reader, reader->at, fragment.text);
            reader->at = fragment.end;
            break;
        }
    }
}

/* wal_feed.c - drives wal_reader over a segment in memory. */
#include "wal_feed.h"

#include "wal_writer.h"

#include <walship/mem.h>

void wal_feed_init(struct wal_feed *feed, size_t window_bytes)
{
    *feed = (struct wal_feed){.reader = wal_reader_new(), .window_bytes = window_bytes};
    buf_init(&feed->records, WAL_WRITER_BUF_BYTES_MAX);
}

void wal_feed_release(struct wal_feed *feed)
{
    wal_reader_free(feed->reader);
    feed->reader = NULL;
    mem_free(feed->copy);
    feed->copy = NULL;
    buf_release(&feed->records);
}

/* A copy on the heap, exactly as long: reading past a window is seen by the address sanitizer. */
static struct wal_window window_from(struct wal_feed *feed, const struct buf *segment, bool sealed)
{
    uint64_t need = wal_reader_need(feed->reader);
    size_t left = need < segment->bytes ? segment->bytes - (size_t)need : 0;
    size_t count = left < feed->window_bytes ? left : feed->window_bytes;
    if (count != feed->copy_bytes || feed->copy == NULL) {
        mem_free(feed->copy);
        feed->copy = mem_new(count == 0 ? 1 : count, 1);
        feed->copy_bytes = count;
    }
    if (count > 0) {
        memcpy(feed->copy, segment->data + need, count);
    }
    return (struct wal_window){feed->copy, need, count, segment->bytes, sealed};
}

static void note(struct wal_feed *feed, enum wal_read read, const struct wal_read_out *out)
{
    ASSERT(feed->events_count < WAL_FEED_EVENTS_MAX);
    struct wal_feed_event *event = &feed->events[feed->events_count++];
    *event = (struct wal_feed_event){.read = read};
    if (read == WAL_READ_RECORD) {
        event->offset = out->offset;
        event->end = out->end;
        event->start = feed->records.bytes;
        event->bytes = view_left(&out->record);
        bool done = buf_append(&feed->records, out->record.at, event->bytes);
        ASSERT(done);
    } else if (read == WAL_READ_DAMAGE) {
        event->offset = out->damage_offset;
        event->end = out->damage_offset + out->damage_bytes;
        event->text = out->damage_text;
    }
}

void wal_feed_run(struct wal_feed *feed, const struct buf *segment, bool sealed, bool insist)
{
    unsigned waits = 0;
    feed->events_count = 0;
    buf_clear(&feed->records);
    struct wal_window window = window_from(feed, segment, sealed);
    for (;;) {
        struct wal_read_out out = {0};
        enum wal_read read = wal_reader_next(feed->reader, &window, &out);
        if (read == WAL_READ_MORE) {
            ASSERT(wal_reader_need(feed->reader) > window.offset);
            window = window_from(feed, segment, sealed);
            continue;
        }
        waits = read == WAL_READ_WAIT ? waits + 1 : 0;
        if (read == WAL_READ_WAIT && insist && waits <= WAL_READER_PATIENCE) {
            continue;
        }
        note(feed, read, &out);
        if (read == WAL_READ_END || read == WAL_READ_WAIT) {
            break;
        }
    }
}

size_t wal_feed_count(const struct wal_feed *feed, enum wal_read read)
{
    size_t count = 0;
    for (size_t i = 0; i < feed->events_count; i++) {
        count += feed->events[i].read == read ? 1 : 0;
    }
    return count;
}

uint64_t wal_feed_damage_bytes(const struct wal_feed *feed)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < feed->events_count; i++) {
        const struct wal_feed_event *event = &feed->events[i];
        bytes += event->read == WAL_READ_DAMAGE ? event->end - event->offset : 0;
    }
    return bytes;
}

struct view wal_feed_record(const struct wal_feed *feed, size_t event)
{
    ASSERT(event < feed->events_count && feed->events[event].read == WAL_READ_RECORD);
    return view_of(feed->records.data + feed->events[event].start, feed->events[event].bytes);
}

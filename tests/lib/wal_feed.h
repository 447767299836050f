/* wal_feed.h - reads a whole segment from memory through windows of a chosen size; what came out as
 * a list. */
#ifndef TESTS_WAL_FEED_H
#define TESTS_WAL_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/buf.h>
#include <walship/wal_reader.h>

enum { WAL_FEED_EVENTS_MAX = 4096 };

struct wal_feed_event {
    enum wal_read read;   /* RECORD, DAMAGE; at the end one END or WAIT */
    uint64_t offset, end; /* of the record, or of the damaged range */
    size_t start, bytes;  /* RECORD: in `records` */
    const char *text;     /* DAMAGE */
};

struct wal_feed {
    struct wal_reader *reader;
    size_t window_bytes; /* given at each MORE, from wal_reader_need on */
    uint8_t *copy;       /* the window's bytes */
    size_t copy_bytes;
    struct buf records; /* all records behind each other */
    struct wal_feed_event events[WAL_FEED_EVENTS_MAX];
    size_t events_count;
};

void wal_feed_init(struct wal_feed *feed, size_t window_bytes);
void wal_feed_release(struct wal_feed *feed);
/* Reads until END or WAIT (a WAIT out of patience is called through when `insist`). */
void wal_feed_run(struct wal_feed *feed, const struct buf *segment, bool sealed, bool insist);
size_t wal_feed_count(const struct wal_feed *feed, enum wal_read read);
uint64_t wal_feed_damage_bytes(const struct wal_feed *feed);
struct view wal_feed_record(const struct wal_feed *feed, size_t event);

#endif

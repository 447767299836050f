/* wal_reader.h - pages and fragments of one segment into whole, decompressed records. Pure: it asks
 * for bytes by offset and is given them; it never touches a file.
 *
 * Format and the rules "no more yet" against "corrupt": Prometheus tsdb/wlog/{wlog,live_reader}.go.
 *
 *     wal_reader_start(reader);
 *     for (;;) {
 *         switch (wal_reader_next(reader, &input, &record)) {...}
 *     }
 *
 * `input` is a window on the segment: the bytes known at `offset`, the segment's size as last seen,
 * and whether it is sealed (a higher segment exists and a look after that showed no growth).
 * Limits: WAL_RECORD_BYTES_MAX decompressed; owns that buffer (grown as needed, kept). */
#ifndef WALSHIP_WAL_READER_H
#define WALSHIP_WAL_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/assert.h>
#include <walship/view.h>

enum wal_read {
    WAL_READ_RECORD, /* *out is set */
    WAL_READ_MORE,  /* call again with bytes that start at wal_reader_need(); the window was used up
                     */
    WAL_READ_WAIT,  /* the segment holds no further whole record yet, and is not sealed */
    WAL_READ_END,   /* sealed and all read */
    WAL_READ_DAMAGE /* a range was skipped: out->damage_* say how much; go on calling */
};

enum { WAL_READER_PATIENCE = 3 };

struct wal_window {
    const uint8_t *bytes; /* segment bytes [offset, offset + count) */
    uint64_t offset;
    size_t count;
    uint64_t segment_bytes; /* size as last seen */
    bool sealed;
};

struct wal_read_out {
    struct view record;    /* decompressed; valid until the next call, and, as it may lie in the
                              window itself, as long as that holds */
    uint64_t offset;       /* where its first fragment starts */
    uint64_t end;          /* one past its last fragment: where a saved reader may start again */
    uint64_t damage_bytes; /* WAL_READ_DAMAGE: bytes passed over, from damage_offset */
    uint64_t damage_offset;
    const char *damage_text; /* static, why */
};

struct wal_reader;

struct wal_reader *wal_reader_new(void);
void wal_reader_free(struct wal_reader *reader);
/* Begins at `offset` of a segment: 0, or a value of `end` seen before. */
void wal_reader_start(struct wal_reader *reader, uint64_t offset);
/* A torn tail is damage only when sealed. In a segment not sealed, bytes that look wrong first give
 * WAL_READ_WAIT, WAL_READER_PATIENCE times (a racing write: read the bytes anew), then damage. Who
 * can't wait calls that often again. After damage reading goes on at the next page. */
enum wal_read wal_reader_next(struct wal_reader *reader, const struct wal_window *window,
                              struct wal_read_out *out);
/* First byte that the next call wants in its window, page aligned or in the page of the last one.
 */
uint64_t wal_reader_need(const struct wal_reader *reader);

#endif

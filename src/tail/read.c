/* read.c - the open file, through the window, to records.
 *
 * The record reader (wal_reader.h) is pure and asks for bytes; the directory (look.c) knows sizes
 * and what is sealed; here both meet. A stride is as large as the window, whatever the record
 * sizes: while catching up one pread serves thousands of records. */
#include "inside.h"

#include <errno.h>
#include <string.h>
#include <walship/crc32c.h>
#include <walship/wal_record.h>

/* What is known of the open file now. */
static void file_known(const struct tail *tail, uint64_t *bytes, bool *sealed)
{
    const struct dir_segment *segment = dir_find(tail->dir, tail->segment);
    *bytes = tail->window.segment_bytes;
    *sealed = false;
    if (tail_file_is(tail, segment)) {
        *bytes = segment->seen.bytes;
        *sealed = segment->seen.sealed;
    } else if (segment == NULL) {
        /* unlinked: what we hold is all there ever is, once a higher one is written */
        struct os_stat stat;
        struct os *os = tail->dir->os;
        if (!tail->dir->frozen && os->stat_fd(os, tail->fd, &stat) == 0) {
            *bytes = stat.bytes;
        }
        *sealed = dir_above(tail->dir, tail->segment) != NULL;
    } /* else another file has the name: this one is over, the caller will place us anew */
}

bool tail_window_renew(struct tail *tail)
{
    uint64_t bytes;
    bool sealed;
    file_known(tail, &bytes, &sealed);
    if (bytes == tail->window.segment_bytes && sealed == tail->window.sealed) {
        return false;
    }
    tail->window.segment_bytes = bytes;
    tail->window.sealed = sealed;
    return true;
}

void tail_window_empty(struct tail *tail)
{
    tail->window.offset = wal_reader_need(tail->reader);
    tail->window.count = 0;
}

/* Drops what the reader has passed. */
static void window_shift(struct tail *tail)
{
    struct wal_window *window = &tail->window;
    uint64_t need = wal_reader_need(tail->reader);
    ASSERT(need >= window->offset);
    uint64_t used = need - window->offset;
    size_t kept = used < window->count ? window->count - (size_t)used : 0;
    memmove(tail->bytes, tail->bytes + window->count - kept, kept);
    window->offset = need;
    window->count = kept;
}

/* A sector that can't be read must not hold up what lies behind it for ever. When the same place of
 * a segment that is no longer written has failed so long, the rest of its page is given to the
 * reader as bytes that no record begins with: it tells them as damage and goes on at the next page.
 * The time is long, since a disk that comes back must not cost anything. */
static bool page_given_up(struct tail *tail, uint64_t at, int error)
{
    int64_t now_ms = tail->dir->os->now_ms(tail->dir->os);
    if (!tail->failing) {
        tail->failing = true;
        tail->failing_ms = now_ms;
    }
    bool old = now_ms - tail->failing_ms >= TAIL_BAD_PAGE_MS;
    if (error != EIO || !old || !tail->window.sealed) {
        return false;
    }
    struct wal_window *window = &tail->window;
    uint64_t bytes = WAL_PAGE_BYTES - at % WAL_PAGE_BYTES;
    uint64_t left = window->segment_bytes - at;
    bytes = bytes < left ? bytes : left;
    ASSERT(bytes <= TAIL_WINDOW_BYTES - window->count);
    memset(tail->bytes + window->count, 0xFF, bytes);
    window->count += bytes;
    tail->failing = false;
    return true;
}

bool tail_window_fill(struct tail *tail, enum tail_status *status, struct err *err)
{
    struct wal_window *window = &tail->window;
    struct os *os = tail->dir->os;
    window_shift(tail);
    uint64_t at = window->offset + window->count;
    ASSERT(at < window->segment_bytes && window->count <= TAIL_WINDOW_BYTES - WAL_PAGE_BYTES);
    uint64_t want = window->segment_bytes - at;
    uint64_t room = TAIL_WINDOW_BYTES - window->count;
    want = want < room ? want : room;
    int64_t got = os->pread(os, tail->fd, tail->bytes + window->count, (size_t)want, at);
    if (got < 0 && page_given_up(tail, at, (int)-got)) {
        return false;
    }
    if (got < 0) {
        err_set(err, (int)-got, "read segment %u of %s at %llu: %s", tail->segment, tail->dir->path,
                (unsigned long long)at, strerror((int)-got));
        return tail_decide(status, TAIL_FAILED);
    }
    tail->failing = false;
    if (got == 0) { /* shorter than it was listed */
        bool renewed = tail_look_again(tail) && tail_window_renew(tail);
        return renewed ? false : tail_wait_here(tail, status);
    }
    window->count += (size_t)got;
    if (tail_file_is(tail, dir_find(tail->dir, tail->segment))) {
        dir_note_read(tail->dir, tail->segment, at + (uint64_t)got);
    }
    return false;
}

/* A Prometheus that begins anew with the same targets writes the same first series record, byte for
 * byte: what tells two lives apart is the time in the first record that has one. */
static bool has_time(struct view record)
{
    enum wal_type type = wal_record_type(record);
    return type != WAL_SERIES && type != WAL_METADATA && type != WAL_TOMBSTONES &&
           type != WAL_MMAP_MARKERS && type != WAL_UNKNOWN;
}

static void identify(struct tail *tail, const struct view *record, uint32_t crc)
{
    if (tail->record == 0) {
        tail->identity = 0;
        tail->identifying = true;
    }
    if (!tail->identifying) {
        return;
    }
    uint32_t chain[2] = {tail->identity, crc};
    tail->identity = crc32c(chain, sizeof chain);
    tail->identifying = !has_time(*record);
    if (!tail_file_is(tail, dir_find(tail->dir, tail->segment))) {
        return;
    }
    if (tail->identifying) {
        dir_note_begun(tail->dir, tail->segment, tail->record + 1, tail->identity);
    } else {
        dir_note_identity(tail->dir, tail->segment, tail->identity);
    }
}

bool tail_take_record(struct tail *tail, const struct wal_read_out *read, struct tail_out *out,
                      enum tail_status *status)
{
    uint32_t crc = crc32c(read->record.at, view_left(&read->record));
    if (tail->record == 0 && tail_file_is(tail, dir_find(tail->dir, tail->segment))) {
        dir_note_first(tail->dir, tail->segment, crc);
    }
    identify(tail, &read->record, crc);
    out->at = tail_position(tail);
    out->previous_crc = tail->crc;
    out->crc = crc;
    out->offset = read->offset;
    out->record = read->record;
    bool walked = tail->record >= tail->target;
    tail->record++;
    tail->crc = crc;
    tail->offset = read->end;
    return walked ? tail_decide(status, TAIL_RECORD) : false;
}

/* Damage before the place that was sought was told when it was first passed. */
bool tail_take_damage(struct tail *tail, const struct wal_read_out *read, struct tail_out *out,
                      enum tail_status *status)
{
    ASSERT(read->end >= tail->offset);
    tail->offset = read->end;
    if (!tail->damaged) {
        tail->damaged = true;
        tail->damaged_segment = tail->segment;
    }
    if (tail->record < tail->target) {
        return false;
    }
    out->at = tail_position(tail);
    out->offset = read->damage_offset;
    out->damage_bytes = read->damage_bytes;
    out->damage_text = read->damage_text;
    return tail_decide(status, TAIL_DAMAGE);
}

/* The reader is patient with bytes that look wrong in a segment still being written. Where a whole
 * page follows they were written long before, and in a frozen directory before we began: no time
 * will make them right, so it need only be asked often enough. */
static bool ask_again(struct tail *tail)
{
    uint64_t need = wal_reader_need(tail->reader);
    uint64_t page = need - need % WAL_PAGE_BYTES;
    bool old = tail->dir->frozen || page + 2 * WAL_PAGE_BYTES <= tail->window.segment_bytes;
    if (!old || need >= tail->window.segment_bytes) {
        return false;
    }
    if (tail->asked_at != need) {
        tail->asked_at = need;
        tail->asked = 0;
    }
    return tail->asked++ < WAL_READER_PATIENCE;
}

/* No further whole record. A segment that has a follower but is not sealed yet needs one more look;
 * the newest one needs patience. */
bool tail_take_wait(struct tail *tail, enum tail_status *status)
{
    if (tail_window_renew(tail)) {
        tail_window_empty(tail);
        return false;
    }
    if (dir_above(tail->dir, tail->segment) != NULL && tail_look_again(tail) &&
        tail_window_renew(tail)) {
        tail_window_empty(tail);
        return false;
    }
    if (ask_again(tail)) {
        tail_window_empty(tail);
        return false;
    }
    return tail_wait_here(tail, status);
}

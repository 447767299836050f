/* tail.c - one reader: which segment comes next, what of it to read, and what the end means.
 *
 * The record reader (wal_reader.h) is pure and asks for bytes; the directory (look.c) knows sizes
 * and what is sealed; a tail only brings them together. It holds a descriptor of the one segment it
 * is reading: while it does, that inode number can't be given to another file, so "same inode" is
 * proof, and a segment unlinked meanwhile is still read to its end.
 *
 * A tail that waits does nothing at all until the directory has been looked at again. */
#include "dir.h"

#include <errno.h>
#include <string.h>
#include <walship/crc32c.h>
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/wal_reader.h>

enum { TAIL_WINDOW_BYTES = 128 << 10 };

static_assert(TAIL_WINDOW_BYTES >= 2 * WAL_PAGE_BYTES, "a window holds any fragment");

struct tail {
    struct waldir *dir;
    bool is_checkpoint; /* then dir is its inner directory, and ours */
    uint32_t checkpoint;
    struct wal_reader *reader;
    uint8_t *bytes;
    struct wal_window window;
    /* the place */
    uint32_t generation;
    uint32_t segment;
    uint32_t record; /* ordinal of the next one */
    uint32_t target; /* records below it are walked over, not given out */
    uint64_t offset; /* where the next record starts, or padding before it */
    uint32_t crc;    /* of the record before; 0 when there is none */
    bool placed;     /* false: the directory had no segment yet */
    bool ended;      /* all of `segment` was read; the next one is not chosen yet */
    /* the file; fd < 0: none is open */
    int fd;
    uint64_t device, inode;
    /* waiting */
    bool waiting;
    uint64_t waiting_looks; /* dir->looks at that time */
    uint64_t asked_at;      /* where the reader was asked again ... */
    unsigned asked;         /* ... so often */
    bool may_look;          /* one look of its own a call, no more */
};

/* ---- places ---- */

static void file_close(struct tail *tail)
{
    if (tail->fd >= 0) {
        tail->dir->os->close(tail->dir->os, tail->fd);
        tail->fd = -1;
    }
}

static void place(struct tail *tail, uint32_t segment)
{
    file_close(tail);
    tail->segment = segment;
    tail->offset = 0;
    tail->placed = true;
    tail->ended = false;
    tail->waiting = false;
    if (!tail->is_checkpoint) { /* whose ordinals run through */
        tail->record = 0;
        tail->target = 0;
        tail->crc = 0;
    }
}

static struct tail *tail_make(struct waldir *dir)
{
    struct tail *tail = mem_new(1, sizeof *tail);
    tail->dir = dir;
    tail->reader = wal_reader_new();
    tail->bytes = mem_new(TAIL_WINDOW_BYTES, 1);
    tail->generation = dir->generation;
    tail->fd = -1;
    return tail;
}

struct tail *tail_new(struct waldir *dir)
{
    struct tail *tail = tail_make(dir);
    if (dir->now.count > 0) {
        place(tail, dir->now.segments[0].seen.number);
    }
    return tail;
}

struct tail *tail_new_checkpoint(struct waldir *dir, uint32_t number)
{
    ASSERT(!dir->complete);
    char usual[DIR_NAME_BYTES + 16];
    char path[DIR_PATH_BYTES];
    snprintf(usual, sizeof usual, "checkpoint.%08u", number);
    bool newest = dir->now.has_checkpoint && dir->now.checkpoint == number;
    dir_join(path, dir->path, newest ? dir->now.checkpoint_name : usual);
    struct tail *tail = tail_make(dir_new(dir->os, path, true));
    tail->is_checkpoint = true;
    tail->checkpoint = number;
    tail->generation = dir->generation;
    return tail;
}

void tail_free(struct tail *tail)
{
    if (tail == NULL) {
        return;
    }
    file_close(tail);
    if (tail->is_checkpoint) {
        waldir_free(tail->dir);
    }
    wal_reader_free(tail->reader);
    mem_free(tail->bytes);
    mem_free(tail);
}

void tail_seek(struct tail *tail, const struct position *at)
{
    ASSERT(!tail->is_checkpoint && at->item == 0);
    place(tail, at->segment);
    tail->generation = at->generation;
    tail->target = at->record;
}

void tail_seek_offset(struct tail *tail, const struct position *at, uint64_t offset,
                      uint32_t previous_crc)
{
    tail_seek(tail, at);
    if (offset != TAIL_OFFSET_UNKNOWN) {
        tail->record = at->record;
        tail->offset = offset;
        tail->crc = previous_crc;
    }
}

struct position tail_position(const struct tail *tail)
{
    return (struct position){
        .generation = tail->generation,
        .segment = tail->is_checkpoint ? tail->checkpoint : tail->segment,
        .record = tail->record < tail->target ? tail->target : tail->record,
    };
}

void tail_mark(const struct tail *tail, struct position *at, uint64_t *offset,
               uint32_t *previous_crc)
{
    bool walked = tail->record >= tail->target;
    *at = tail_position(tail);
    *offset = walked ? tail->offset : TAIL_OFFSET_UNKNOWN;
    *previous_crc = walked ? tail->crc : 0;
}

uint64_t tail_behind_bytes(const struct tail *tail)
{
    uint64_t bytes = 0;
    const struct dir_list *now = &tail->dir->now;
    for (size_t i = now->count; i > 0; i--) {
        const struct waldir_segment *segment = &now->segments[i - 1].seen;
        if (tail->placed && segment->number <= tail->segment) {
            bool here = segment->number == tail->segment && segment->bytes > tail->offset;
            return bytes + (here ? segment->bytes - tail->offset : 0);
        }
        bytes += segment->bytes;
    }
    return bytes;
}

/* ---- steps: true when *status is decided, false to go on ---- */

static bool decide(enum tail_status *status, enum tail_status decided)
{
    *status = decided;
    return true;
}

static bool wait_here(struct tail *tail, enum tail_status *status)
{
    tail->waiting = true;
    tail->waiting_looks = tail->dir->looks;
    return decide(status, TAIL_WAIT);
}

/* The directory is not what it was a moment ago. True: looked, try again. */
static bool look_again(struct tail *tail)
{
    struct err ignored; /* whoever refreshes meets the same error, and says so */
    if (!tail->may_look || tail->is_checkpoint) {
        return false;
    }
    tail->may_look = false;
    return dir_look_full(tail->dir, &ignored) && !tail->dir->replaced;
}

static bool file_is(const struct tail *tail, const struct dir_segment *segment)
{
    return segment != NULL && segment->seen.device == tail->device &&
           segment->seen.inode == tail->inode;
}

/* What is known of the open file now. */
static void file_known(const struct tail *tail, uint64_t *bytes, bool *sealed)
{
    const struct dir_segment *segment = dir_find(tail->dir, tail->segment);
    *bytes = tail->window.segment_bytes;
    *sealed = false;
    if (file_is(tail, segment)) {
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

/* False: nothing new. */
static bool window_renew(struct tail *tail)
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

/* Bytes that gave no record are read again: they may have been half written. */
static void window_empty(struct tail *tail)
{
    tail->window.offset = wal_reader_need(tail->reader);
    tail->window.count = 0;
}

static bool window_fill(struct tail *tail, enum tail_status *status, struct err *err)
{
    struct wal_window *window = &tail->window;
    struct os *os = tail->dir->os;
    uint64_t need = wal_reader_need(tail->reader);
    ASSERT(need >= window->offset);
    uint64_t used = need - window->offset;
    size_t kept = used < window->count ? window->count - (size_t)used : 0;
    memmove(tail->bytes, tail->bytes + window->count - kept, kept);
    window->offset = need;
    window->count = kept;
    uint64_t at = need + kept;
    ASSERT(at < window->segment_bytes && kept < TAIL_WINDOW_BYTES);
    uint64_t want = window->segment_bytes - at;
    want = want < TAIL_WINDOW_BYTES - kept ? want : TAIL_WINDOW_BYTES - kept;
    int64_t got = os->pread(os, tail->fd, tail->bytes + kept, (size_t)want, at);
    if (got < 0) {
        err_set(err, (int)-got, "read segment %u of %s at %llu: %s", tail->segment, tail->dir->path,
                (unsigned long long)at, strerror((int)-got));
        return decide(status, TAIL_FAILED);
    }
    if (got == 0) { /* shorter than it was listed */
        bool renewed = look_again(tail) && window_renew(tail);
        return renewed ? false : wait_here(tail, status);
    }
    window->count += (size_t)got;
    if (file_is(tail, dir_find(tail->dir, tail->segment))) {
        dir_note_read(tail->dir, tail->segment, at + (uint64_t)got);
    }
    return false;
}

static bool take_record(struct tail *tail, const struct wal_read_out *read, struct tail_out *out,
                        enum tail_status *status)
{
    uint32_t crc = crc32c(read->record.at, view_left(&read->record));
    if (tail->record == 0 && file_is(tail, dir_find(tail->dir, tail->segment))) {
        dir_note_first(tail->dir, tail->segment, crc);
    }
    out->at = tail_position(tail);
    out->previous_crc = tail->crc;
    out->crc = crc;
    out->offset = read->offset;
    out->record = read->record;
    bool walked = tail->record >= tail->target;
    tail->record++;
    tail->crc = crc;
    tail->offset = read->end;
    return walked ? decide(status, TAIL_RECORD) : false;
}

/* Damage before the place that was sought was told when it was first passed. */
static bool take_damage(struct tail *tail, const struct wal_read_out *read, struct tail_out *out,
                        enum tail_status *status)
{
    ASSERT(read->end >= tail->offset);
    tail->offset = read->end;
    if (tail->record < tail->target) {
        return false;
    }
    out->at = tail_position(tail);
    out->offset = read->damage_offset;
    out->damage_bytes = read->damage_bytes;
    out->damage_text = read->damage_text;
    return decide(status, TAIL_DAMAGE);
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
static bool take_wait(struct tail *tail, enum tail_status *status)
{
    if (window_renew(tail)) {
        window_empty(tail);
        return false;
    }
    if (dir_above(tail->dir, tail->segment) != NULL && look_again(tail) && window_renew(tail)) {
        window_empty(tail);
        return false;
    }
    if (ask_again(tail)) {
        window_empty(tail);
        return false;
    }
    return wait_here(tail, status);
}

/* ---- from segment to segment ---- */

/* A checkpoint has all its segments from 0 on, else it is being removed just now. */
static bool checkpoint_is_whole(const struct waldir *dir)
{
    const struct dir_list *now = &dir->now;
    return now->count > 0 && now->segments[now->count - 1].seen.number == now->count - 1;
}

static bool checkpoint_gone(struct tail *tail, enum tail_status *status, struct err *err)
{
    err_set(err, ENOENT, "%s went away while it was read", tail->dir->path);
    return decide(status, TAIL_FAILED);
}

static bool checkpoint_begin(struct tail *tail, enum tail_status *status, struct err *err)
{
    if (!dir_look(tail->dir, err)) {
        return decide(status, TAIL_FAILED);
    }
    if (!checkpoint_is_whole(tail->dir)) {
        return checkpoint_gone(tail, status, err);
    }
    tail->dir->changed = false;
    place(tail, 0);
    return false;
}

/* It may have been removed file by file under us: only the same list at the end proves it whole. */
static bool checkpoint_end(struct tail *tail, enum tail_status *status, struct err *err)
{
    if (!dir_look_full(tail->dir, err)) {
        return decide(status, TAIL_FAILED);
    }
    if (tail->dir->changed) {
        return checkpoint_gone(tail, status, err);
    }
    return wait_here(tail, status);
}

/* On to the lowest segment above; `from` is the first number not read. */
static bool go_on_above(struct tail *tail, uint32_t from, struct tail_out *out,
                        enum tail_status *status)
{
    const struct dir_segment *next = dir_above(tail->dir, tail->segment);
    ASSERT(next != NULL && from <= next->seen.number);
    uint32_t number = next->seen.number;
    place(tail, number);
    if (from == number) {
        return false;
    }
    out->at = tail_position(tail);
    out->gap_from = from;
    out->gap_to = number - 1;
    return decide(status, TAIL_GAP);
}

static bool file_changed(struct tail *tail, enum tail_status *status, struct err *err)
{
    if (tail->is_checkpoint) {
        return checkpoint_gone(tail, status, err);
    }
    return look_again(tail) ? false : wait_here(tail, status);
}

static bool file_open(struct tail *tail, const struct dir_segment *segment,
                      enum tail_status *status, struct err *err)
{
    char path[DIR_PATH_BYTES];
    struct os *os = tail->dir->os;
    struct os_stat stat;
    int fd = os->open(os, dir_join(path, tail->dir->path, segment->name));
    if (fd == -ENOENT) {
        return file_changed(tail, status, err);
    }
    int result = fd < 0 ? fd : os->stat_fd(os, fd, &stat);
    if (result < 0) {
        err_set(err, -result, "open %s: %s", path, strerror(-result));
        if (fd >= 0) {
            os->close(os, fd);
        }
        return decide(status, TAIL_FAILED);
    }
    tail->fd = fd;
    tail->device = stat.device;
    tail->inode = stat.inode;
    if (!file_is(tail, segment)) {
        file_close(tail);
        return file_changed(tail, status, err);
    }
    wal_reader_start(tail->reader, tail->offset);
    tail->asked = 0;
    tail->window = (struct wal_window){.bytes = tail->bytes,
                                       .offset = tail->offset,
                                       .segment_bytes = segment->seen.bytes,
                                       .sealed = segment->seen.sealed};
    return false;
}

static bool segment_enter(struct tail *tail, struct tail_out *out, enum tail_status *status,
                          struct err *err)
{
    if (tail->is_checkpoint && !tail->dir->looked) {
        return checkpoint_begin(tail, status, err);
    }
    const struct waldir *dir = tail->dir;
    if (!tail->placed && dir->now.count > 0) {
        place(tail, dir->now.segments[0].seen.number);
    }
    bool above = tail->placed && dir_above(dir, tail->segment) != NULL;
    if (tail->ended && above) {
        return go_on_above(tail, tail->segment + 1, out, status);
    }
    if (tail->ended && tail->is_checkpoint) {
        return checkpoint_end(tail, status, err);
    }
    const struct dir_segment *segment = tail->placed ? dir_find(dir, tail->segment) : NULL;
    if (tail->ended || (segment == NULL && !above)) {
        return wait_here(tail, status);
    }
    if (segment == NULL) {
        return go_on_above(tail, tail->segment, out, status);
    }
    if (segment->seen.bytes > 0) {
        return file_open(tail, segment, status, err);
    }
    tail->ended = segment->seen.sealed; /* nothing was logged to it: no need to open it */
    return tail->ended || (above && look_again(tail)) ? false : wait_here(tail, status);
}

static bool step(struct tail *tail, struct tail_out *out, enum tail_status *status, struct err *err)
{
    struct wal_read_out read;
    if (tail->fd < 0) {
        return segment_enter(tail, out, status, err);
    }
    switch (wal_reader_next(tail->reader, &tail->window, &read)) {
    case WAL_READ_RECORD:
        return take_record(tail, &read, out, status);
    case WAL_READ_MORE:
        return window_fill(tail, status, err);
    case WAL_READ_WAIT:
        return take_wait(tail, status);
    case WAL_READ_DAMAGE:
        return take_damage(tail, &read, out, status);
    case WAL_READ_END:
        file_close(tail);
        tail->ended = true;
        return false;
    }
    ASSERT(false); /* all answers are above */
    return true;
}

/* False: nothing happened since the tail began to wait. */
static bool wake(struct tail *tail)
{
    if (!tail->waiting) {
        return true;
    }
    if (tail->waiting_looks == tail->dir->looks) {
        return false;
    }
    if (tail->fd >= 0) {
        (void)window_renew(tail);
        window_empty(tail);
    }
    tail->waiting = false;
    return true;
}

enum tail_status tail_next(struct tail *tail, struct tail_out *out, struct err *err)
{
    *out = (struct tail_out){0};
    /* what follows may belong to another WAL: nothing is read before the caller knows */
    if (tail->dir->replaced || !wake(tail)) {
        return TAIL_WAIT;
    }
    enum tail_status status = TAIL_WAIT;
    tail->may_look = true;
    while (!step(tail, out, &status, err)) {
    }
    ASSERT(status != TAIL_RECORD || out->record.at != NULL || view_left(&out->record) == 0);
    return status;
}

/* tail.c - one reader: its place, its waiting, and the steps of a call.
 *
 * It holds a descriptor of the one segment it is reading: while it does, that inode number can't be
 * given to another file, so "same inode" is proof, and a segment unlinked meanwhile is still read
 * to its end. A tail that waits does nothing at all until the directory has been looked at again.
 */
#include "inside.h"

#include <walship/mem.h>

/* ---- places ---- */

void tail_close_file(struct tail *tail)
{
    if (tail->fd >= 0) {
        tail->dir->os->close(tail->dir->os, tail->fd);
        tail->fd = -1;
    }
}

void tail_place(struct tail *tail, uint32_t segment)
{
    tail_close_file(tail);
    tail->segment = segment;
    tail->offset = 0;
    tail->placed = true;
    tail->ended = false;
    tail->waiting = false;
    tail->failing = false;
    tail->identifying = false;
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
        tail_place(tail, dir->now.segments[0].seen.number);
    }
    return tail;
}

struct tail *tail_new_checkpoint(struct waldir *dir, uint32_t number)
{
    ASSERT(!dir->complete);
    char usual[DIR_NAME_BYTES + 16];
    char path[DIR_PATH_BYTES];
    (void)snprintf(usual, sizeof usual, "checkpoint.%08u", number);
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
    tail_close_file(tail);
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
    tail_place(tail, at->segment);
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
        const struct dir_segment *segment = dir_find(tail->dir, at->segment);
        if (at->record > 0 && segment != NULL && segment->begun_records == at->record) {
            tail->identifying = true; /* where the one before stood still */
            tail->identity = segment->begun_identity;
        }
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

/* Padding that was passed is not behind, nor is a segment that was read to its end. */
static uint64_t offset_reached(const struct tail *tail)
{
    if (tail->ended) {
        return UINT64_MAX;
    }
    uint64_t need = tail->fd < 0 ? 0 : wal_reader_need(tail->reader);
    return need > tail->offset ? need : tail->offset;
}

uint64_t tail_behind_bytes(const struct tail *tail)
{
    uint64_t bytes = 0;
    uint64_t reached = offset_reached(tail);
    const struct dir_list *now = &tail->dir->now;
    for (size_t i = now->count; i > 0; i--) {
        const struct waldir_segment *segment = &now->segments[i - 1].seen;
        if (tail->placed && segment->number <= tail->segment) {
            bool here = segment->number == tail->segment && segment->bytes > reached;
            return bytes + (here ? segment->bytes - reached : 0);
        }
        bytes += segment->bytes;
    }
    return bytes;
}

/* ---- steps ---- */

bool tail_wait_here(struct tail *tail, enum tail_status *status)
{
    tail->waiting = true;
    tail->waiting_looks = tail->dir->looks;
    return tail_decide(status, TAIL_WAIT);
}

bool tail_look_again(struct tail *tail)
{
    struct err ignored; /* whoever refreshes meets the same error, and says so */
    if (!tail->may_look || tail->is_checkpoint) {
        return false;
    }
    tail->may_look = false;
    return dir_look_full(tail->dir, &ignored) && !tail->dir->replaced;
}

bool tail_file_is(const struct tail *tail, const struct dir_segment *segment)
{
    return segment != NULL && segment->seen.device == tail->device &&
           segment->seen.inode == tail->inode;
}

static bool step(struct tail *tail, struct tail_out *out, enum tail_status *status, struct err *err)
{
    struct wal_read_out read;
    if (tail->fd < 0) {
        return tail_enter(tail, out, status, err);
    }
    switch (wal_reader_next(tail->reader, &tail->window, &read)) {
    case WAL_READ_RECORD:
        return tail_take_record(tail, &read, out, status);
    case WAL_READ_MORE:
        return tail_window_fill(tail, status, err);
    case WAL_READ_WAIT:
        return tail_take_wait(tail, status);
    case WAL_READ_DAMAGE:
        return tail_take_damage(tail, &read, out, status);
    case WAL_READ_END:
        tail_close_file(tail);
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
        tail_window_empty(tail);
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

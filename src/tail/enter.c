/* enter.c - which segment is next, and opening it.
 *
 * Numbers may have gaps, segments may be empty, and files may vanish between the look that listed
 * them and the open; each of these is told or passed, none of them stops a reader. */
#include "inside.h"

#include <errno.h>
#include <string.h>

/* A checkpoint has all its segments from 0 on, else it is being removed just now. */
static bool checkpoint_is_whole(const struct waldir *dir)
{
    const struct dir_list *now = &dir->now;
    return now->count > 0 && now->segments[now->count - 1].seen.number == now->count - 1;
}

static bool checkpoint_gone(struct tail *tail, enum tail_status *status, struct err *err)
{
    err_set(err, ENOENT, "%s went away while it was read", tail->dir->path);
    return tail_decide(status, TAIL_FAILED);
}

static bool checkpoint_begin(struct tail *tail, enum tail_status *status, struct err *err)
{
    if (!dir_look(tail->dir, err)) {
        return tail_decide(status, TAIL_FAILED);
    }
    if (!checkpoint_is_whole(tail->dir)) {
        return checkpoint_gone(tail, status, err);
    }
    tail->dir->changed = false;
    tail_place(tail, 0);
    return false;
}

/* It may have been removed file by file under us: only the same list at the end proves it whole. */
static bool checkpoint_end(struct tail *tail, enum tail_status *status, struct err *err)
{
    if (!dir_look_full(tail->dir, err)) {
        return tail_decide(status, TAIL_FAILED);
    }
    if (tail->dir->changed) {
        return checkpoint_gone(tail, status, err);
    }
    return tail_wait_here(tail, status);
}

/* A repair deletes all above the damaged segment and writes on under the same numbers. What a pin
 * kept of before it may be read in place of such a segment when that one is deleted before anybody
 * sees it: so below a gap neither an empty pin nor one above damage is proof that its number was
 * read. `from` is the first number that was not read at all. */
static uint32_t gap_from(const struct tail *tail, uint32_t from)
{
    ASSERT(tail->dir->looked);
    while (from > 0) {
        const struct dir_segment *below = dir_find(tail->dir, from - 1);
        bool kept = below != NULL && below->seen.pinned;
        bool above_damage = tail->damaged && from - 1 > tail->damaged_segment;
        if (!kept || (below->seen.bytes > 0 && !above_damage)) {
            break;
        }
        from--;
    }
    return from;
}

/* On to the lowest segment above; `from` is the first number not read. */
static bool go_on_above(struct tail *tail, uint32_t from, struct tail_out *out,
                        enum tail_status *status)
{
    const struct dir_segment *next = dir_above(tail->dir, tail->segment);
    ASSERT(next != NULL && from <= next->seen.number);
    uint32_t number = next->seen.number;
    tail_place(tail, number);
    if (from == number) {
        return false;
    }
    out->at = tail_position(tail);
    out->gap_from = gap_from(tail, from);
    out->gap_to = number - 1;
    tail->damaged = false;
    return tail_decide(status, TAIL_GAP);
}

static bool file_changed(struct tail *tail, enum tail_status *status, struct err *err)
{
    if (tail->is_checkpoint) {
        return checkpoint_gone(tail, status, err);
    }
    return tail_look_again(tail) ? false : tail_wait_here(tail, status);
}

static bool file_open(struct tail *tail, const struct dir_segment *segment,
                      enum tail_status *status, struct err *err)
{
    char path[DIR_PATH_BYTES];
    struct os *os = tail->dir->os;
    struct os_stat stat;
    int fd = os->open(os, dir_segment_path(tail->dir, segment, path));
    if (fd == -ENOENT) {
        return file_changed(tail, status, err);
    }
    int result = fd < 0 ? fd : os->stat_fd(os, fd, &stat);
    if (result < 0) {
        err_set(err, -result, "open %s: %s", path, strerror(-result));
        if (fd >= 0) {
            os->close(os, fd);
        }
        return tail_decide(status, TAIL_FAILED);
    }
    tail->fd = fd;
    /* a pin may be a copy: it stands for the segment, whatever file it is */
    tail->device = segment->seen.pinned ? segment->seen.device : stat.device;
    tail->inode = segment->seen.pinned ? segment->seen.inode : stat.inode;
    if (!tail_file_is(tail, segment)) {
        tail_close_file(tail);
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

bool tail_enter(struct tail *tail, struct tail_out *out, enum tail_status *status, struct err *err)
{
    if (tail->is_checkpoint && !tail->dir->looked) {
        return checkpoint_begin(tail, status, err);
    }
    const struct waldir *dir = tail->dir;
    if (!tail->placed && dir->now.count > 0) {
        tail_place(tail, dir->now.segments[0].seen.number);
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
        return tail_wait_here(tail, status);
    }
    if (segment == NULL) {
        return go_on_above(tail, tail->segment, out, status);
    }
    if (segment->seen.bytes > 0) {
        return file_open(tail, segment, status, err);
    }
    tail->ended = segment->seen.sealed; /* nothing was logged to it: no need to open it */
    return tail->ended || (above && tail_look_again(tail)) ? false : tail_wait_here(tail, status);
}

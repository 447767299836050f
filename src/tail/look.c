/* look.c - one look at the directory, and what it says beside the look before.
 *
 * Two things make a replaced WAL certain. A known number has another inode, or less than was read
 * of it: a repair rewrote it. A number appears that is new and not above all that were known: in
 * one life of a WAL numbers only grow, so the directory was emptied, restored, or what a repair
 * deleted is being written again. Segments that merely vanish prove nothing: from below it is the
 * truncation of every two hours; from above a repair may be half done, and placing readers then
 * would be too early.
 *
 * A repair takes several steps: higher segments go, K is moved aside, written anew, K + 1 made. Who
 * looked for his place in between would not find it, so it is told only when the files stand still.
 *
 * Sealed: the writer creates N + 1 only after the last byte of N, so a size of N that is taken
 * after N + 1 was seen, twice the same, is final. */
#include "dir.h"

#include <errno.h>
#include <string.h>

/* Of what the directory itself has. */
static bool numbers_differ(const struct dir_list *a, const struct dir_list *b)
{
    size_t k = 0;
    for (size_t i = 0;; i++, k++) {
        while (i < a->count && a->segments[i].seen.pinned) {
            i++;
        }
        while (k < b->count && b->segments[k].seen.pinned) {
            k++;
        }
        if (i >= a->count || k >= b->count) {
            return i < a->count || k < b->count;
        }
        if (a->segments[i].seen.number != b->segments[k].seen.number) {
            return true;
        }
    }
}

static struct dir_segment *list_find(const struct dir_list *list, uint32_t number)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->segments[middle].seen.number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < list->count && list->segments[low].seen.number == number;
    return found ? &list->segments[low] : NULL;
}

enum look { LOOK_DONE, LOOK_GONE, LOOK_FAILED };

static enum look segment_stat(struct waldir *dir, struct dir_segment *segment, struct err *err)
{
    char path[DIR_PATH_BYTES];
    struct os_stat stat;
    int status = dir->os->stat_path(dir->os, dir_join(path, dir->path, segment->name), &stat);
    if (status == -ENOENT || (status == 0 && stat.is_directory)) {
        return LOOK_GONE;
    }
    if (status != 0) {
        err_set(err, -status, "stat %s: %s", path, strerror(-status));
        return LOOK_FAILED;
    }
    segment->seen.device = stat.device;
    segment->seen.inode = stat.inode;
    segment->file_bytes = stat.bytes;
    return LOOK_DONE;
}

static bool same_file(const struct dir_segment *a, const struct dir_segment *b)
{
    return a->seen.device == b->seen.device && a->seen.inode == b->seen.inode;
}

/* `segment` has number and name; the rest comes from `before` (NULL: new) and the disk. */
static enum look segment_look(struct waldir *dir, struct dir_segment *segment,
                              const struct dir_segment *before, struct err *err)
{
    enum look look = segment_stat(dir, segment, err);
    if (look != LOOK_DONE) {
        return look;
    }
    bool known = before != NULL && same_file(before, segment);
    if (known) {
        segment->has_first_crc = before->has_first_crc;
        segment->first_crc = before->first_crc;
        segment->seen.has_identity = before->seen.has_identity;
        segment->seen.identity = before->seen.identity;
        segment->read_bytes = before->read_bytes;
        segment->begun_records = before->begun_records;
        segment->begun_identity = before->begun_identity;
    }
    if (dir->complete) {
        segment->seen.sealed = true;
        return LOOK_DONE;
    }
    const struct dir_segment *last = &dir->next.segments[dir->next.count - 1];
    if (segment->seen.number >= last->seen.number) {
        return LOOK_DONE;
    }
    if (known && before->file_bytes == segment->file_bytes) {
        segment->seen.sealed = true;
        return LOOK_DONE;
    }
    struct dir_segment first = *segment;
    look = segment_stat(dir, segment, err);
    segment->seen.sealed = same_file(&first, segment) && first.file_bytes == segment->file_bytes;
    return look;
}

/* Fills dir->next in; drops what vanished since it was listed. */
static bool segments_look(struct waldir *dir, bool full, struct err *err)
{
    struct dir_list *next = &dir->next;
    size_t kept = 0;
    for (size_t i = 0; i < next->count; i++) {
        struct dir_segment *segment = &next->segments[i];
        const struct dir_segment *before = list_find(&dir->now, segment->seen.number);
        if (!full && before != NULL && before->seen.sealed) {
            *segment = *before;
        } else {
            enum look look = segment_look(dir, segment, before, err);
            if (look == LOOK_FAILED) {
                return false;
            }
            if (look == LOOK_GONE) {
                continue;
            }
        }
        next->segments[kept++] = *segment;
    }
    next->count = kept;
    if (kept > 0 && !dir->complete) {
        next->segments[kept - 1].seen.sealed = false;
    }
    return true;
}

/* Frozen: neither higher segments nor bytes beyond those of the freeze exist. */
static void freeze_apply(struct waldir *dir)
{
    struct dir_list *next = &dir->next;
    for (size_t i = 0; i < next->count; i++) {
        struct dir_segment *segment = &next->segments[i];
        const struct dir_segment *before = list_find(&dir->now, segment->seen.number);
        segment->seen.bytes = segment->file_bytes;
        if (dir->frozen && before != NULL && same_file(before, segment) &&
            segment->file_bytes > before->seen.bytes) {
            segment->seen.bytes = before->seen.bytes;
        }
    }
}

static void freeze_cut(struct waldir *dir)
{
    struct dir_list *next = &dir->next;
    while (dir->frozen && next->count > 0 &&
           (!dir->has_top || next->segments[next->count - 1].seen.number > dir->top)) {
        next->count--;
    }
}

static void segments_compare(struct waldir *dir)
{
    for (size_t i = 0; i < dir->next.count; i++) {
        const struct dir_segment *segment = &dir->next.segments[i];
        const struct dir_segment *before = list_find(&dir->now, segment->seen.number);
        bool was = before != NULL || segment->seen.pinned;
        if (!was && dir->has_top && segment->seen.number <= dir->top) {
            dir_set_replaced(dir);
        }
        if (before == NULL) {
            continue;
        }
        if (!same_file(before, segment)) {
            dir->moved_ms = dir->looked_ms;
        }
        if (!same_file(before, segment) || segment->file_bytes < before->read_bytes) {
            dir_set_replaced(dir);
        }
        dir->changed |= !same_file(before, segment) || segment->seen.bytes != before->seen.bytes ||
                        segment->seen.sealed != before->seen.sealed;
    }
    const struct dir_list *next = &dir->next;
    bool other_numbers = numbers_differ(&dir->now, next);
    if (other_numbers || next->repairing) {
        dir->moved_ms = dir->looked_ms;
    }
    dir->changed |= dir->replaced || other_numbers ||
                    next->has_checkpoint != dir->now.has_checkpoint ||
                    (next->has_checkpoint && next->checkpoint != dir->now.checkpoint);
    if (next->count > 0) {
        uint32_t last = next->segments[next->count - 1].seen.number;
        dir->top = dir->has_top && dir->top > last ? dir->top : last;
        dir->has_top = true;
    }
}

/* A directory that was moved away or made anew took its watch along. */
static void directory_look(struct waldir *dir)
{
    struct os_stat stat;
    if (dir->complete || dir->os->stat_path(dir->os, dir->path, &stat) != 0) {
        return;
    }
    if (dir->unwatched || stat.device != dir->device || stat.inode != dir->inode) {
        dir->os->watch(dir->os, dir->path);
        dir->unwatched = false;
        dir->device = stat.device;
        dir->inode = stat.inode;
    }
}

/* Only a directory counts, and only a number not known yet costs a look. */
static void checkpoint_look(struct waldir *dir)
{
    struct dir_list *next = &dir->next;
    char path[DIR_PATH_BYTES];
    struct os_stat stat;
    if (!next->has_checkpoint ||
        (dir->now.has_checkpoint && dir->now.checkpoint == next->checkpoint)) {
        return;
    }
    int status =
        dir->os->stat_path(dir->os, dir_join(path, dir->path, next->checkpoint_name), &stat);
    if (status != 0 || !stat.is_directory) {
        next->has_older = false;
        next->has_checkpoint = dir->now.has_checkpoint;
        next->checkpoint = dir->now.checkpoint;
        memcpy(next->checkpoint_name, dir->now.checkpoint_name, sizeof next->checkpoint_name);
    }
}

/* What the directory itself has, into dir->next. */
static bool names_look(struct waldir *dir, bool full, struct err *err)
{
    if (!dir_list_read(&dir->next, dir->os, dir->path, err)) {
        dir->unwatched = true;
        return false;
    }
    freeze_cut(dir);
    int64_t full_after_ms = DIR_FULL_MS + (int64_t)dir->now.count * DIR_FULL_SEGMENT_MS;
    full = full || !dir->looked || dir->looked_ms - dir->full_ms >= full_after_ms ||
           numbers_differ(&dir->now, &dir->next);
    if (!segments_look(dir, full, err)) {
        return false;
    }
    checkpoint_look(dir);
    if (full) {
        directory_look(dir);
        dir->full_ms = dir->looked_ms;
    }
    return true;
}

static bool look(struct waldir *dir, bool full, struct err *err)
{
    dir->looked_ms = dir->os->now_ms(dir->os);
    dir->looks++;
    dir->next.count = 0;
    dir->next.has_checkpoint = false;
    dir->next.has_older = false;
    if ((!dir->past && !names_look(dir, full, err)) || !dir_pins_merge(dir, err)) {
        return false;
    }
    freeze_apply(dir);
    segments_compare(dir);
    struct dir_list old = dir->now;
    dir->now = dir->next;
    dir->next = old;
    dir->looked = true;
    ASSERT(dir->has_top || dir->now.count == 0);
    return true;
}
/* A repair replaces several: whoever hears of it must find all of them as they are now. */
bool dir_look(struct waldir *dir, struct err *err)
{
    return look(dir, false, err) && (!dir->replaced || look(dir, true, err));
}

bool dir_look_full(struct waldir *dir, struct err *err)
{
    return look(dir, true, err);
}

struct dir_segment *dir_find(const struct waldir *dir, uint32_t number)
{
    return list_find(&dir->now, number);
}

struct dir_segment *dir_above(const struct waldir *dir, uint32_t number)
{
    for (size_t i = 0; i < dir->now.count; i++) {
        if (dir->now.segments[i].seen.number > number) {
            return &dir->now.segments[i];
        }
    }
    return NULL;
}

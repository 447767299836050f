/* pins.c - segments that were kept back: what the directory no longer has is read from a pin.
 *
 * A pin stands for the segment itself: where the directory has another file under its number, the
 * WAL has another life. A pin that can't be found (somebody cleared the spool) is none; one that
 * can't be looked at for now is no reason to pass over what it keeps. */
#include "dir.h"

#include <errno.h>
#include <string.h>
#include <walship/mem.h>

/* Index of the first pin not below `number`. */
static size_t pin_index(const struct waldir *dir, uint32_t number)
{
    size_t index = 0;
    while (index < dir->pins_count && dir->pins[index].number < number) {
        index++;
    }
    return index;
}

static bool pin_is_at(const struct waldir *dir, size_t index, uint32_t number)
{
    return index < dir->pins_count && dir->pins[index].number == number;
}

void waldir_pin(struct waldir *dir, const struct waldir_pin *pin)
{
    ASSERT(pin->path != NULL && strlen(pin->path) < DIR_PATH_BYTES);
    waldir_unpin(dir, pin->number);
    if (dir->pins_count == dir->pins_capacity) {
        dir->pins_capacity = dir->pins_capacity * 2 + 16;
        dir->pins = mem_grow(dir->pins, dir->pins_capacity, sizeof *dir->pins);
    }
    size_t index = pin_index(dir, pin->number);
    memmove(&dir->pins[index + 1], &dir->pins[index],
            (dir->pins_count - index) * sizeof *dir->pins);
    dir->pins[index] =
        (struct dir_pin){pin->number, pin->device, pin->inode, mem_string(pin->path)};
    dir->pins_count++;
}

void waldir_unpin(struct waldir *dir, uint32_t number)
{
    size_t index = pin_index(dir, number);
    if (!pin_is_at(dir, index, number)) {
        return;
    }
    mem_free(dir->pins[index].path);
    dir->pins_count--;
    memmove(&dir->pins[index], &dir->pins[index + 1],
            (dir->pins_count - index) * sizeof *dir->pins);
}

void dir_pins_release(struct waldir *dir)
{
    for (size_t i = 0; i < dir->pins_count; i++) {
        mem_free(dir->pins[i].path);
    }
    mem_free(dir->pins);
    dir->pins = NULL;
    dir->pins_count = 0;
    dir->pins_capacity = 0;
}

struct waldir *waldir_new_past(struct os *os, uint32_t generation)
{
    ASSERT(generation > 0);
    struct waldir *dir = dir_new(os, "the spool", true);
    dir->generation = generation;
    dir->past = true;
    return dir;
}

void waldir_set_replaced(struct waldir *dir)
{
    ASSERT(!dir->past && dir->has_top);
    dir_set_replaced(dir);
}

bool waldir_is_replaced(const struct waldir *dir)
{
    return dir->replaced;
}

const char *dir_segment_path(const struct waldir *dir, const struct dir_segment *segment, char *out)
{
    if (!segment->seen.pinned) {
        return dir_join(out, dir->path, segment->name);
    }
    size_t index = pin_index(dir, segment->seen.number);
    if (!pin_is_at(dir, index, segment->seen.number)) {
        out[0] = 0; /* unpinned since the last look: opening it says ENOENT */
        return out;
    }
    (void)snprintf(out, DIR_PATH_BYTES, "%s", dir->pins[index].path);
    return out;
}

/* The same file as this pin's, as last seen. */
static bool is_of(const struct dir_segment *segment, const struct dir_pin *pin)
{
    return segment != NULL && segment->seen.device == pin->device &&
           segment->seen.inode == pin->inode;
}

static bool pin_show(struct waldir *dir, const struct dir_pin *pin, struct err *err)
{
    struct os_stat stat = {0};
    const struct dir_segment *before = dir_find(dir, pin->number);
    bool known = is_of(before, pin);
    bool sealed = known && before->seen.pinned && before->seen.sealed;
    int status = sealed ? 0 : dir->os->stat_path(dir->os, pin->path, &stat);
    if (status == -ENOENT || stat.is_directory) {
        return true;
    }
    if (status != 0) {
        return err_set(err, -status, "stat %s: %s", pin->path, strerror(-status));
    }
    struct dir_segment *segment = dir_list_insert(&dir->next, pin->number);
    if (known) {
        *segment = *before;
    }
    segment->seen.number = pin->number;
    segment->seen.device = pin->device;
    segment->seen.inode = pin->inode;
    segment->seen.pinned = true;
    segment->seen.sealed = dir->complete || segment != &dir->next.segments[dir->next.count - 1];
    if (!sealed) {
        segment->file_bytes = stat.bytes;
    }
    return true;
}

static const struct dir_segment *next_find(const struct waldir *dir, uint32_t number)
{
    for (size_t i = 0; i < dir->next.count; i++) {
        if (dir->next.segments[i].seen.number == number) {
            return &dir->next.segments[i];
        }
    }
    return NULL;
}

/* From above, so that what is below knows whether it is the last. */
bool dir_pins_merge(struct waldir *dir, struct err *err)
{
    const struct dir_list *next = &dir->next;
    uint32_t live_top = next->count > 0 ? next->segments[next->count - 1].seen.number : UINT32_MAX;
    for (size_t i = dir->pins_count; i > 0; i--) {
        const struct dir_pin *pin = &dir->pins[i - 1];
        const struct dir_segment *segment = next_find(dir, pin->number);
        if (pin->number > live_top) { /* the newest one never goes in one life */
            dir_set_replaced(dir);
        }
        if (segment != NULL && !is_of(segment, pin)) {
            dir_set_replaced(dir);
        }
        if (segment == NULL && !pin_show(dir, pin, err)) {
            return false;
        }
    }
    return true;
}

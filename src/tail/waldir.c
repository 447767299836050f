/* waldir.c - the public side of the directory: opening it with a sentence for the operator when it
 * is none, telling what changed, and the facts tails report back. */
#include "dir.h"

#include <errno.h>
#include <string.h>
#include <walship/mem.h>

const char *dir_join(char *out, const char *directory, const char *name)
{
    int count = snprintf(out, DIR_PATH_BYTES, "%s/%s", directory, name);
    ASSERT(count > 0 && count < DIR_PATH_BYTES); /* waldir_open refuses longer directories */
    return out;
}

struct waldir *dir_new(struct os *os, const char *path, bool complete)
{
    ASSERT(os != NULL && path != NULL);
    struct waldir *dir = mem_new(1, sizeof *dir);
    dir->os = os;
    dir->path = mem_string(path);
    dir->complete = complete;
    dir->unwatched = true;
    dir->generation = 1;
    size_t bytes = strlen(dir->path);
    while (bytes > 1 && dir->path[bytes - 1] == '/') {
        dir->path[--bytes] = 0;
    }
    return dir;
}

static bool open_failed(const char *path, int error, struct err *err)
{
    if (error == ENOENT) {
        return err_set(err, error,
                       "%s does not exist; wal_dir must name Prometheus' data directory or the wal "
                       "directory in it",
                       path);
    }
    if (error == EACCES || error == EPERM) {
        return err_set(err, error,
                       "%s is not readable for this user; run walship as the user or in the group "
                       "that Prometheus runs as",
                       path);
    }
    return err_set(err, error, "%s: %s", path, strerror(error));
}

static bool path_is_directory(struct os *os, const char *path, struct err *err)
{
    struct os_stat stat;
    if (path[0] == 0 || strlen(path) + 2 * DIR_NAME_BYTES + 16 > DIR_PATH_BYTES) {
        return err_set(err, ENAMETOOLONG, "wal_dir is empty or too long");
    }
    int status = os->stat_path(os, path, &stat);
    if (status != 0) {
        return open_failed(path, -status, err);
    }
    if (!stat.is_directory) {
        return err_set(err, ENOTDIR, "%s is not a directory; wal_dir must name one", path);
    }
    return true;
}

static bool open_looks(struct waldir *dir, struct err *err)
{
    if (dir_look_full(dir, err)) {
        return true;
    }
    return open_failed(dir->path, err->code, err);
}

/* The data directory was named: go on with the wal/ in it, if there is one. */
static bool open_inner(struct waldir *dir)
{
    char path[DIR_PATH_BYTES];
    struct os_stat stat;
    dir_join(path, dir->path, "wal");
    if (dir->os->stat_path(dir->os, path, &stat) != 0 || !stat.is_directory) {
        return false;
    }
    mem_free(dir->path);
    dir->path = mem_string(path);
    dir->unwatched = true;
    return true;
}

static bool is_wal(const struct waldir *dir)
{
    return dir->now.count > 0 || dir->now.has_checkpoint;
}

static bool open_steps(struct waldir *dir, struct err *err)
{
    if (!path_is_directory(dir->os, dir->path, err) || !open_looks(dir, err)) {
        return false;
    }
    if (!is_wal(dir) && open_inner(dir)) {
        return open_looks(dir, err);
    }
    dir->vacant = !is_wal(dir) && !dir->now.has_others;
    if (!is_wal(dir) && dir->now.has_others) {
        return err_set(
            err, 0,
            "%s is not a WAL: it has no segments (00000000, ...) and no wal directory in "
            "it; wal_dir must name Prometheus' data directory or the wal directory in it",
            dir->path);
    }
    return true;
}

struct waldir *waldir_open(struct os *os, const char *path, struct err *err)
{
    struct waldir *dir = dir_new(os, path, false);
    if (!open_steps(dir, err)) {
        waldir_free(dir);
        return NULL;
    }
    dir->changed = false;
    dir->replaced = false;
    return dir;
}

void waldir_free(struct waldir *dir)
{
    if (dir == NULL) {
        return;
    }
    dir_list_release(&dir->now);
    dir_list_release(&dir->next);
    dir_pins_release(dir);
    mem_free(dir->known);
    mem_free(dir->path);
    mem_free(dir);
}

const char *waldir_path(const struct waldir *dir)
{
    return dir->path;
}

static bool settled(const struct waldir *dir)
{
    return dir->looked_ms - dir->moved_ms >= DIR_SETTLE_MS ||
           dir->looked_ms - dir->replaced_ms >= DIR_SETTLE_MS_MAX;
}

static bool has_own(const struct waldir *dir)
{
    bool own = dir->now.has_checkpoint;
    for (size_t i = 0; i < dir->now.count; i++) {
        own = own || !dir->now.segments[i].seen.pinned;
    }
    return own;
}

bool waldir_refresh(struct waldir *dir, bool *changed, bool *replaced, struct err *err)
{
    *changed = false;
    *replaced = false;
    if (dir->vacant && !dir->frozen && open_inner(dir)) {
        dir->vacant = false;
    }
    if (!dir_look(dir, err)) {
        return false;
    }
    dir->vacant = dir->vacant && !has_own(dir);
    *changed = dir->changed;
    *replaced = dir->replaced && settled(dir);
    dir->changed = false; /* replaced stays until the caller has made a new generation of it */
    ASSERT(!*replaced || dir->has_top);
    return true;
}

uint32_t waldir_generation(const struct waldir *dir)
{
    return dir->generation;
}

/* They were of the generation before. */
static void pinned_forget(struct dir_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!list->segments[i].seen.pinned) {
            list->segments[kept++] = list->segments[i];
        }
    }
    list->count = kept;
}

void waldir_set_generation(struct waldir *dir, uint32_t generation)
{
    ASSERT(generation > 0);
    dir->generation = generation;
    dir->replaced = false;
    dir->known_count = 0;
    dir_pins_release(dir);
    pinned_forget(&dir->now);
    dir->has_top = dir->now.count > 0;
    dir->top = dir->has_top ? dir->now.segments[dir->now.count - 1].seen.number : 0;
    for (size_t i = 0; i < dir->now.count; i++) {
        dir->now.segments[i].read_bytes = 0;
        dir->now.segments[i].has_first_crc = false;
        dir->now.segments[i].begun_records = 0;
        dir->now.segments[i].first_crc = 0;
        dir->now.segments[i].seen.has_identity = false;
        dir->now.segments[i].seen.identity = 0;
    }
}

size_t waldir_count(const struct waldir *dir)
{
    return dir->now.count;
}

const struct waldir_segment *waldir_at(const struct waldir *dir, size_t index)
{
    ASSERT(index < dir->now.count);
    return &dir->now.segments[index].seen;
}

const struct waldir_segment *waldir_find(const struct waldir *dir, uint32_t number)
{
    const struct dir_segment *segment = dir_find(dir, number);
    return segment == NULL ? NULL : &segment->seen;
}

bool waldir_checkpoint(const struct waldir *dir, uint32_t *number)
{
    if (dir->now.has_checkpoint) {
        *number = dir->now.checkpoint;
    }
    return dir->now.has_checkpoint;
}

bool waldir_checkpoint_below(const struct waldir *dir, uint32_t *number)
{
    ASSERT(!dir->now.has_older || dir->now.older < dir->now.checkpoint);
    if (dir->now.has_older) {
        *number = dir->now.older;
    }
    return dir->now.has_older;
}

void waldir_freeze(struct waldir *dir)
{
    ASSERT(dir->looked && !dir->complete);
    dir->frozen = true;
}

void dir_set_replaced(struct waldir *dir)
{
    dir->replaced_ms = dir->replaced ? dir->replaced_ms : dir->looked_ms;
    dir->replaced = true;
}

void dir_note_read(struct waldir *dir, uint32_t number, uint64_t bytes)
{
    struct dir_segment *segment = dir_find(dir, number);
    if (segment != NULL && segment->read_bytes < bytes) {
        segment->read_bytes = bytes;
    }
}

void dir_note_first(struct waldir *dir, uint32_t number, uint32_t crc)
{
    struct dir_segment *segment = dir_find(dir, number);
    if (segment == NULL) {
        return;
    }
    if (segment->has_first_crc && segment->first_crc != crc) {
        dir_set_replaced(dir); /* an inode number used again: only the content tells */
    }
    segment->has_first_crc = true;
    segment->first_crc = crc;
}

void dir_note_begun(struct waldir *dir, uint32_t number, uint32_t records, uint32_t crc)
{
    struct dir_segment *segment = dir_find(dir, number);
    if (segment != NULL && segment->begun_records < records) {
        segment->begun_records = records;
        segment->begun_identity = crc;
    }
}

void dir_note_identity(struct waldir *dir, uint32_t number, uint32_t crc)
{
    struct dir_segment *segment = dir_find(dir, number);
    if (segment == NULL) {
        return;
    }
    if (segment->seen.has_identity && segment->seen.identity != crc) {
        dir_set_replaced(dir);
        return; /* what was read first is of this generation */
    }
    segment->seen.has_identity = true;
    segment->seen.identity = crc;
    dir_known_add(dir, &segment->seen);
}

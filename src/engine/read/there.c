/* there.c - does the directory have what a pin holds?
 *
 * A link, or the open file, is the directory's file when it is the same inode. Nothing else is told
 * by a number: that of a file which nobody keeps may have been given to another one, and a spool
 * that was copied has numbers of its own. Then the bytes tell: the beginning and the end of what is
 * kept, where two lives of a WAL differ by their times. */
#include "internal.h"

#include <string.h>

enum { PROBE_BYTES = 64 << 10 }; /* two pages: a whole one of zeros may end a segment */

bool pin_keeps_inode(const struct pin *pin)
{
    return pin->fd >= 0 || (pin->state == PIN_KEPT && !pin->copy);
}

/* An open file and what it has; fd < 0: it can't be told. */
struct bytes {
    int fd;
    uint64_t count;
};

static struct bytes bytes_open(struct os *os, const char *path)
{
    struct os_stat stat;
    struct bytes bytes = {.fd = os->open(os, path)};
    if (bytes.fd >= 0 && os->stat_fd(os, bytes.fd, &stat) != 0) {
        os->close(os, bytes.fd);
        bytes.fd = -1;
    }
    bytes.count = bytes.fd >= 0 ? stat.bytes : 0;
    return bytes;
}

static bool same_at(struct os *os, const struct bytes *a, const struct bytes *b, uint64_t at)
{
    uint64_t left = a->count - at;
    size_t count = left < PROBE_BYTES ? (size_t)left : PROBE_BYTES;
    ASSERT(at <= a->count && a->count <= b->count);
    char *of_a = mem_new(2 * PROBE_BYTES, 1);
    char *of_b = of_a + PROBE_BYTES;
    bool same = os->pread(os, a->fd, of_a, count, at) == (int64_t)count &&
                os->pread(os, b->fd, of_b, count, at) == (int64_t)count &&
                memcmp(of_a, of_b, count) == 0;
    mem_free(of_a);
    return same;
}

/* All of `a` is the beginning of `b`. */
static bool begins(struct os *os, const struct bytes *b, const struct bytes *a)
{
    uint64_t end = a->count > PROBE_BYTES ? a->count - PROBE_BYTES : 0;
    return a->fd >= 0 && b->fd >= 0 && a->count > 0 && a->count <= b->count &&
           same_at(os, a, b, 0) && same_at(os, a, b, end);
}

static bool same_bytes(struct engine *engine, const struct pin *pin)
{
    struct os *os = engine->os;
    char *kept_path = pin_path(engine, pin);
    char *path = mem_format("%s/%08u", waldir_path(engine->dir), pin->number);
    struct bytes kept = bytes_open(os, kept_path);
    struct bytes live = bytes_open(os, path);
    bool same = begins(os, &live, &kept);
    if (kept.fd >= 0) {
        os->close(os, kept.fd);
    }
    if (live.fd >= 0) {
        os->close(os, live.fd);
    }
    mem_free(kept_path);
    mem_free(path);
    return same;
}

bool pin_is_there(struct engine *engine, const struct pin *pin)
{
    const struct waldir_segment *segment = waldir_find(engine->dir, pin->number);
    ASSERT(pin->state == PIN_KEPT || pin->fd >= 0);
    if (segment == NULL || segment->pinned) {
        return false;
    }
    bool same_inode = segment->device == pin->device && segment->inode == pin->inode;
    return (same_inode && pin_keeps_inode(pin)) || same_bytes(engine, pin);
}

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

/* What two files say of each other. Nothing: one can't be read for now, or has no bytes. */
enum told { TOLD_NOTHING, TOLD_SAME, TOLD_OTHER };

/* Also where less comes at once. */
static bool read_at(struct os *os, const struct bytes *bytes, char *out, size_t count, uint64_t at)
{
    size_t done = 0;
    ASSERT(at + count <= bytes->count);
    while (done < count) {
        int64_t more = os->pread(os, bytes->fd, out + done, count - done, at + done);
        if (more <= 0) {
            return false;
        }
        done += (size_t)more;
    }
    return true;
}

static enum told told_at(struct os *os, const struct bytes *a, const struct bytes *b, uint64_t at)
{
    uint64_t left = a->count - at;
    size_t count = left < PROBE_BYTES ? (size_t)left : PROBE_BYTES;
    ASSERT(at <= a->count && a->count <= b->count);
    char *of_a = mem_new(2 * PROBE_BYTES, 1);
    char *of_b = of_a + PROBE_BYTES;
    enum told told = TOLD_NOTHING;
    if (read_at(os, a, of_a, count, at) && read_at(os, b, of_b, count, at)) {
        told = memcmp(of_a, of_b, count) == 0 ? TOLD_SAME : TOLD_OTHER;
    }
    mem_free(of_a);
    return told;
}

/* Is all of `a` the beginning of `b`? */
static enum told begins(struct os *os, const struct bytes *b, const struct bytes *a)
{
    uint64_t end = a->count > PROBE_BYTES ? a->count - PROBE_BYTES : 0;
    if (a->fd < 0 || b->fd < 0 || a->count == 0) {
        return TOLD_NOTHING;
    }
    if (a->count > b->count) {
        return TOLD_OTHER;
    }
    enum told told = told_at(os, a, b, 0);
    return told == TOLD_SAME ? told_at(os, a, b, end) : told;
}

static enum told told_by_bytes(struct engine *engine, const struct pin *pin)
{
    struct os *os = engine->os;
    char *kept_path = pin_path(engine, pin);
    char *path = mem_format("%s/%08u", waldir_path(engine->dir), pin->number);
    struct bytes kept = bytes_open(os, kept_path);
    struct bytes live = bytes_open(os, path);
    enum told told = begins(os, &live, &kept);
    if (kept.fd >= 0) {
        os->close(os, kept.fd);
    }
    if (live.fd >= 0) {
        os->close(os, live.fd);
    }
    mem_free(kept_path);
    mem_free(path);
    return told;
}

bool pin_is_other(struct engine *engine, const struct pin *pin)
{
    const struct waldir_segment *segment = waldir_find(engine->dir, pin->number);
    return !pin_keeps_inode(pin) && segment != NULL && !segment->pinned &&
           told_by_bytes(engine, pin) == TOLD_OTHER;
}

bool pin_is_there(struct engine *engine, const struct pin *pin)
{
    const struct waldir_segment *segment = waldir_find(engine->dir, pin->number);
    ASSERT(pin->state == PIN_KEPT || pin->fd >= 0);
    if (segment == NULL || segment->pinned) {
        return false;
    }
    bool same_inode = segment->device == pin->device && segment->inode == pin->inode;
    return (same_inode && pin_keeps_inode(pin)) || told_by_bytes(engine, pin) == TOLD_SAME;
}

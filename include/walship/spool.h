/* spool.h - the seam to the spool directory: files kept back from Prometheus' truncation.
 *
 * A struct of function pointers with no code; adapter/spool_linux is the real one, tests/lib has
 * the fake. Everything that waits for a disk is a job: taken by submit, done in order by a thread
 * of the adapter's own, answered by next_result. Loop thread only. Names are of the spool directory
 * alone (no slash, no leading dot): nothing else can be written or removed through this seam (I5).
 * What a job made is durable when its result says SPOOL_DONE, and whole or not there at all: it is
 * written under another name first. Unfinished ones of an earlier life are gone after the open. */
#ifndef WALSHIP_SPOOL_H
#define WALSHIP_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPOOL_NAME_BYTES = 96 }; /* longest name, with its end */

enum spool_kind {
    SPOOL_LINK,  /* a hard link of the file at `path`, if it is the one of `device` and `inode` */
    SPOOL_COPY,  /* of all that `fd` has; the descriptor is borrowed until the result */
    SPOOL_WRITE, /* a piece of a file; the first one begins it, the last one makes it appear */
    SPOOL_DROP   /* removes the name; not there: done */
};

struct spool_job {
    enum spool_kind kind;
    uint64_t id;      /* the caller's; not 0 */
    const char *name; /* borrowed for the call, as all below */
    const char *path;
    uint64_t device, inode;
    int fd;
    const void *bytes;
    size_t count;
    bool first, last;
};

enum spool_status {
    SPOOL_DONE,
    SPOOL_GONE,    /* LINK: no file of that path, or another one */
    SPOOL_REFUSED, /* LINK: not possible here: another file system, not our file, read only */
    SPOOL_FULL,    /* no space, or over the user's quota */
    SPOOL_FAILED   /* anything else */
};

struct spool_result {
    uint64_t id;
    enum spool_status status;
    int error;      /* errno, when not done */
    uint64_t bytes; /* LINK, COPY, last WRITE: of the file now in the spool */
    uint64_t device, inode;
};

struct spool_entry {
    const char *name;
    uint64_t device, inode, bytes;
};
typedef void spool_entry_fn(void *context, const struct spool_entry *entry);

struct spool {
    /* False: the queue is full, try again after a result. A failed piece of a WRITE fails the
     * pieces behind it; only one file is written at a time. */
    bool (*submit)(struct spool *spool, const struct spool_job *job);
    bool (*next_result)(struct spool *spool, struct spool_result *out);
    int (*list)(struct spool *spool, spool_entry_fn *each, void *context); /* 0 or -errno */
    /* Of the file system the spool lies in: what a user may still take, and its size. */
    int (*space)(struct spool *spool, uint64_t *free_bytes, uint64_t *all_bytes);
};

#endif

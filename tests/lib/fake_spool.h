/* fake_spool.h - spool.h on a directory of the fake file system. A job is done, and durable, when
 * its time has come; a crash before that does it or not. */
#ifndef FAKE_SPOOL_H
#define FAKE_SPOOL_H

#include "fake_os.h"

#include <walship/buf.h>
#include <walship/spool.h>

enum { FAKE_SPOOL_JOBS_MAX = 8 };

struct fake_spool_job {
    struct spool_job job; /* what it points to is owned */
    int64_t due_ms;
};

struct fake_spool {
    struct spool seam; /* first */
    struct fake_os *os;
    const int64_t *now_ms;
    char *directory;
    struct fake_spool_job jobs[FAKE_SPOOL_JOBS_MAX];
    size_t count;
    struct buf writing;
    bool write_failed;
    /* set by the test */
    int link_error;  /* errno of every link; 0: they work */
    int write_error; /* errno of every copy and write */
    int64_t delay_ms;
    void (*dropping)(void *context, const char *name); /* as it is asked for; NULL: nobody asks */
    void *context;
    uint64_t free_bytes, all_bytes;
    /* what was done */
    uint64_t links, copies, writes, drops;
};

struct fake_spool *fake_spool_new(struct fake_os *os, const char *directory, const int64_t *now_ms);
void fake_spool_free(struct fake_spool *fake);
/* When next_result has something; INT64_MAX: nothing is under way. */
int64_t fake_spool_deadline(const struct fake_spool *fake);
/* The process was killed: of the jobs under way the first ones are done, the rest never were.
 * rng NULL: none is. */
void fake_spool_crash(struct fake_spool *fake, struct rng *rng);

#endif

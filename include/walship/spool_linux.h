/* spool_linux.h - the spool seam on a directory of the local file system.
 *
 * The directory is made 0700 when it is missing (its parent must exist), and held by descriptor: a
 * rename of its path changes nothing. Threads: all calls from the loop thread; the jobs run in a
 * thread of this module, so a disk that takes seconds to sync stalls nobody. */
#ifndef WALSHIP_SPOOL_LINUX_H
#define WALSHIP_SPOOL_LINUX_H

#include <walship/assert.h>
#include <walship/err.h>
#include <walship/spool.h>

/* NULL: err has the sentence for the operator. */
MUST_USE struct spool *spool_linux_open(const char *spool_dir, struct err *err);
/* Breaks off what is under way, which then was never there. NULL-safe. */
void spool_linux_close(struct spool *spool);
/* Readable when next_result has something: for the poll of the loop. */
int spool_linux_fd(struct spool *spool);

#endif

/* spool_linux_jobs.h - the jobs themselves, for spool_linux.c: each runs to its end in the calling
 * thread. */
#ifndef ADAPTER_SPOOL_LINUX_JOBS_H
#define ADAPTER_SPOOL_LINUX_JOBS_H

#include <stdatomic.h>
#include <walship/spool.h>

enum { SPOOL_CHUNK_BYTES = 256 << 10 };

struct spool_jobs {
    int directory;    /* descriptor of the spool */
    int writing;      /* the file begun by a WRITE; < 0: none */
    int write_error;  /* of an earlier piece */
    atomic_bool stop; /* break off */
};

void spool_jobs_run(struct spool_jobs *jobs, const struct spool_job *job, struct spool_result *out);
/* Removes what an earlier life did not finish. */
void spool_jobs_clean(struct spool_jobs *jobs);

#endif

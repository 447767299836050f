/* spool_linux_jobs.c - link, copy, write and drop in one directory.
 *
 * A link is taken on the name first and looked at afterwards: between a look before and the link
 * the name could have become another file's. Copies and written files get their name by rename,
 * after they are on the disk. */
#include "spool_linux_jobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/assert.h>
#include <walship/mem.h>

static const char unfinished[] = ".unfinished";

static enum spool_status status_of(enum spool_kind kind, int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return SPOOL_FULL;
    case ENOENT:
        return kind == SPOOL_LINK ? SPOOL_GONE : SPOOL_FAILED;
    case EXDEV:
    case EPERM:
    case EACCES:
    case EROFS:
    case EMLINK:
    case EOPNOTSUPP:
    case ENOSYS: /* some file systems in user space */
        return kind == SPOOL_LINK ? SPOOL_REFUSED : SPOOL_FAILED;
    default:
        return SPOOL_FAILED;
    }
}

static void failed(struct spool_result *out, enum spool_kind kind, int error)
{
    ASSERT(error > 0);
    out->error = error;
    out->status = status_of(kind, error);
}

/* The name is to stay: what the file is now, and the directory on the disk. */
static bool finish(const struct spool_jobs *jobs, const char *name, struct spool_result *out)
{
    struct stat found;
    if (fstatat(jobs->directory, name, &found, AT_SYMLINK_NOFOLLOW) != 0 ||
        fsync(jobs->directory) != 0) {
        return false;
    }
    out->bytes = (uint64_t)found.st_size;
    out->device = found.st_dev;
    out->inode = found.st_ino;
    return true;
}

static void job_link(struct spool_jobs *jobs, const struct spool_job *job, struct spool_result *out)
{
    if (unlinkat(jobs->directory, job->name, 0) != 0 && errno != ENOENT) {
        failed(out, SPOOL_COPY, errno);
        return;
    }
    if (linkat(AT_FDCWD, job->path, jobs->directory, job->name, 0) != 0) {
        failed(out, SPOOL_LINK, errno);
        return;
    }
    if (!finish(jobs, job->name, out)) {
        failed(out, SPOOL_COPY, errno);
        return;
    }
    if (out->device != job->device || out->inode != job->inode) {
        (void)unlinkat(jobs->directory, job->name, 0); /* left behind it is dropped as unknown */
        failed(out, SPOOL_LINK, ENOENT);
    }
}

static bool write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t put = write(fd, bytes, count);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return false;
        }
        bytes += put;
        count -= (size_t)put;
    }
    return true;
}

static int unfinished_open(const struct spool_jobs *jobs)
{
    return openat(jobs->directory, unfinished,
                  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Closes in any case. */
static bool unfinished_name(const struct spool_jobs *jobs, int fd, const char *name)
{
    bool ok = fsync(fd) == 0;
    int error = errno;
    ok = close(fd) == 0 && ok;
    errno = ok ? 0 : error;
    return ok && renameat(jobs->directory, unfinished, jobs->directory, name) == 0;
}

static bool copy_bytes(const struct spool_jobs *jobs, int from, int to)
{
    char *chunk = mem_new(SPOOL_CHUNK_BYTES, 1);
    off_t at = 0;
    ssize_t got;
    bool ok = true;
    while (ok && (got = pread(from, chunk, SPOOL_CHUNK_BYTES, at)) != 0) {
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (jobs->stop) {
            errno = ECANCELED;
        }
        ok = got > 0 && !jobs->stop && write_all(to, chunk, (size_t)got);
        at += got;
    }
    int error = errno;
    mem_free(chunk);
    errno = error;
    return ok;
}

static void job_copy(struct spool_jobs *jobs, const struct spool_job *job, struct spool_result *out)
{
    ASSERT(jobs->writing < 0);
    int fd = unfinished_open(jobs);
    if (fd < 0) {
        failed(out, SPOOL_COPY, errno);
        return;
    }
    if (!copy_bytes(jobs, job->fd, fd)) {
        failed(out, SPOOL_COPY, errno);
        close(fd);
    } else if (!unfinished_name(jobs, fd, job->name) || !finish(jobs, job->name, out)) {
        failed(out, SPOOL_COPY, errno);
    } else {
        return;
    }
    (void)unlinkat(jobs->directory, unfinished, 0); /* gives the space back */
}

static void writing_end(struct spool_jobs *jobs)
{
    if (jobs->writing >= 0) {
        close(jobs->writing);
        (void)unlinkat(jobs->directory, unfinished, 0);
    }
    jobs->writing = -1;
}

static void job_write(struct spool_jobs *jobs, const struct spool_job *job,
                      struct spool_result *out)
{
    if (job->first) {
        writing_end(jobs);
        jobs->writing = unfinished_open(jobs);
        jobs->write_error = jobs->writing < 0 ? errno : 0;
    }
    if (jobs->write_error == 0 && !write_all(jobs->writing, job->bytes, job->count)) {
        jobs->write_error = errno;
    }
    if (jobs->write_error == 0 && job->last) {
        bool named = unfinished_name(jobs, jobs->writing, job->name);
        jobs->writing = -1;
        jobs->write_error = named && finish(jobs, job->name, out) ? 0 : errno;
    }
    if (jobs->write_error != 0) {
        writing_end(jobs);
        failed(out, SPOOL_WRITE, jobs->write_error);
    }
}

static void job_drop(struct spool_jobs *jobs, const struct spool_job *job, struct spool_result *out)
{
    if (unlinkat(jobs->directory, job->name, 0) != 0 && errno != ENOENT) {
        failed(out, SPOOL_DROP, errno);
    }
}

void spool_jobs_run(struct spool_jobs *jobs, const struct spool_job *job, struct spool_result *out)
{
    ASSERT(job->id != 0 && strchr(job->name, '/') == NULL && job->name[0] != '.');
    *out = (struct spool_result){.id = job->id, .status = SPOOL_DONE};
    switch (job->kind) {
    case SPOOL_LINK:
        job_link(jobs, job, out);
        break;
    case SPOOL_COPY:
        writing_end(jobs); /* begun and never ended: its writer gave up */
        job_copy(jobs, job, out);
        break;
    case SPOOL_WRITE:
        job_write(jobs, job, out);
        break;
    case SPOOL_DROP:
        job_drop(jobs, job, out);
        break;
    }
}

void spool_jobs_clean(struct spool_jobs *jobs)
{
    writing_end(jobs);
    (void)unlinkat(jobs->directory, unfinished, 0);
}

/* fake_spool.c - see fake_spool.h. */
#include "fake_spool.h"

#include <errno.h>
#include <string.h>
#include <walship/assert.h>
#include <walship/mem.h>

enum { PATH_BYTES = 512, WRITING_BYTES_MAX = 64 << 20 };

static struct fake_spool *of(struct spool *spool)
{
    ASSERT(spool != NULL);
    return (struct fake_spool *)(void *)spool;
}

static const char *path_of(const struct fake_spool *fake, const char *name, char *out)
{
    snprintf(out, PATH_BYTES, "%s/%s", fake->directory, name);
    return out;
}

static bool submit(struct spool *spool, const struct spool_job *job)
{
    struct fake_spool *fake = of(spool);
    ASSERT(job->id != 0 && strchr(job->name, '/') == NULL && job->name[0] != '.');
    if (fake->count == FAKE_SPOOL_JOBS_MAX) {
        return false;
    }
    if (job->kind == SPOOL_DROP && fake->dropping != NULL) {
        fake->dropping(fake->context, job->name);
    }
    struct fake_spool_job *slot = &fake->jobs[fake->count++];
    *slot = (struct fake_spool_job){.job = *job, .due_ms = *fake->now_ms + fake->delay_ms};
    slot->job.name = mem_string(job->name);
    slot->job.path = job->path == NULL ? NULL : mem_string(job->path);
    slot->job.bytes = NULL;
    if (job->count > 0) {
        void *bytes = mem_new(job->count, 1);
        memcpy(bytes, job->bytes, job->count);
        slot->job.bytes = bytes;
    }
    return true;
}

static void failed(struct spool_result *out, int error)
{
    out->error = error;
    out->status = error == ENOSPC ? SPOOL_FULL : SPOOL_FAILED;
}

static void named(const struct fake_spool *fake, const char *path, struct spool_result *out)
{
    struct os *os = fake_os_seam(fake->os);
    struct os_stat stat;
    int status = os->stat_path(os, path, &stat);
    if (status != 0) {
        failed(out, -status);
        return;
    }
    out->device = stat.device;
    out->inode = stat.inode;
    out->bytes = stat.bytes;
}

static void do_link(struct fake_spool *fake, const struct spool_job *job, const char *path,
                    struct spool_result *out)
{
    struct os *os = fake_os_seam(fake->os);
    struct os_stat stat;
    if (fake->link_error != 0) {
        out->error = fake->link_error;
        out->status = fake->link_error == EIO ? SPOOL_FAILED : SPOOL_REFUSED;
        return;
    }
    if (!fake_os_exists(fake->os, job->path) || os->stat_path(os, job->path, &stat) != 0 ||
        stat.device != job->device || stat.inode != job->inode) {
        out->status = SPOOL_GONE;
        out->error = ENOENT;
        return;
    }
    if (fake_os_exists(fake->os, path)) {
        fake_os_unlink(fake->os, path);
    }
    fake_os_link(fake->os, job->path, path);
    fake->links++;
    named(fake, path, out);
}

static void do_copy(struct fake_spool *fake, const struct spool_job *job, const char *path,
                    struct spool_result *out)
{
    struct os *os = fake_os_seam(fake->os);
    uint8_t chunk[4096];
    struct buf bytes;
    int64_t got = fake->write_error == 0 ? 1 : -fake->write_error;
    buf_init(&bytes, WRITING_BYTES_MAX);
    while (got > 0) {
        got = os->pread(os, job->fd, chunk, sizeof chunk, bytes.bytes);
        if (got > 0 && !buf_append(&bytes, chunk, (size_t)got)) {
            got = -ENOSPC;
        }
    }
    if (got < 0) {
        failed(out, (int)-got);
    } else {
        fake_os_replace(fake->os, path, bytes.data, bytes.bytes);
        fake_os_sync(fake->os, path);
        fake->copies++;
        named(fake, path, out);
    }
    buf_release(&bytes);
}

static void do_write(struct fake_spool *fake, const struct spool_job *job, const char *path,
                     struct spool_result *out)
{
    if (job->first) {
        buf_clear(&fake->writing);
        fake->write_failed = false;
    }
    fake->write_failed = fake->write_failed || fake->write_error != 0 ||
                         !buf_append(&fake->writing, job->bytes, job->count);
    if (fake->write_failed) {
        failed(out, fake->write_error != 0 ? fake->write_error : ENOSPC);
    } else if (job->last) {
        fake_os_replace(fake->os, path, fake->writing.data, fake->writing.bytes);
        fake_os_sync(fake->os, path);
        fake->writes++;
        named(fake, path, out);
    }
}

static void perform(struct fake_spool *fake, const struct spool_job *job, struct spool_result *out)
{
    char path[PATH_BYTES];
    path_of(fake, job->name, path);
    *out = (struct spool_result){.id = job->id, .status = SPOOL_DONE};
    switch (job->kind) {
    case SPOOL_LINK:
        do_link(fake, job, path, out);
        break;
    case SPOOL_COPY:
        do_copy(fake, job, path, out);
        break;
    case SPOOL_WRITE:
        do_write(fake, job, path, out);
        break;
    case SPOOL_DROP:
        fake->drops++;
        if (fake_os_exists(fake->os, path)) {
            fake_os_unlink(fake->os, path);
        }
        break;
    }
}

static void take_first(struct fake_spool *fake)
{
    struct spool_job *job = &fake->jobs[0].job;
    mem_free((void *)(uintptr_t)job->name);
    mem_free((void *)(uintptr_t)job->path);
    mem_free((void *)(uintptr_t)job->bytes);
    fake->count--;
    memmove(&fake->jobs[0], &fake->jobs[1], fake->count * sizeof fake->jobs[0]);
}

static bool next_result(struct spool *spool, struct spool_result *out)
{
    struct fake_spool *fake = of(spool);
    if (fake->count == 0 || fake->jobs[0].due_ms > *fake->now_ms) {
        return false;
    }
    perform(fake, &fake->jobs[0].job, out);
    take_first(fake);
    return true;
}

struct listing {
    struct fake_spool *fake;
    spool_entry_fn *each;
    void *context;
};

static bool list_one(void *context, const char *name)
{
    const struct listing *listing = context;
    char path[PATH_BYTES];
    struct spool_result found = {.status = SPOOL_DONE};
    named(listing->fake, path_of(listing->fake, name, path), &found);
    if (found.status == SPOOL_DONE) {
        struct spool_entry entry = {name, found.device, found.inode, found.bytes};
        listing->each(listing->context, &entry);
    }
    return true;
}

static int list(struct spool *spool, spool_entry_fn *each, void *context)
{
    struct fake_spool *fake = of(spool);
    struct os *os = fake_os_seam(fake->os);
    struct listing listing = {fake, each, context};
    return os->list(os, fake->directory, list_one, &listing);
}

static int space(struct spool *spool, uint64_t *free_bytes, uint64_t *all_bytes)
{
    *free_bytes = of(spool)->free_bytes;
    *all_bytes = of(spool)->all_bytes;
    return 0;
}

struct fake_spool *fake_spool_new(struct fake_os *os, const char *directory, const int64_t *now_ms)
{
    struct fake_spool *fake = mem_new(1, sizeof *fake);
    fake->seam = (struct spool){submit, next_result, list, space};
    fake->os = os;
    fake->now_ms = now_ms;
    fake->directory = mem_string(directory);
    fake->free_bytes = (uint64_t)1 << 40;
    fake->all_bytes = (uint64_t)2 << 40;
    buf_init(&fake->writing, WRITING_BYTES_MAX);
    fake_os_mkdir(os, directory);
    return fake;
}

void fake_spool_free(struct fake_spool *fake)
{
    if (fake == NULL) {
        return;
    }
    fake_spool_crash(fake, NULL);
    buf_release(&fake->writing);
    mem_free(fake->directory);
    mem_free(fake);
}

int64_t fake_spool_deadline(const struct fake_spool *fake)
{
    return fake->count == 0 ? INT64_MAX : fake->jobs[0].due_ms;
}

void fake_spool_crash(struct fake_spool *fake, struct rng *rng)
{
    struct spool_result ignored;
    bool goes_on = rng != NULL;
    while (fake->count > 0) {
        goes_on = goes_on && rng_below(rng, 2) == 0;
        if (goes_on && fake->jobs[0].job.kind != SPOOL_COPY) { /* its descriptor may be closed */
            perform(fake, &fake->jobs[0].job, &ignored);
        }
        take_first(fake);
    }
    buf_clear(&fake->writing);
}

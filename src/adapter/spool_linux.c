/* spool_linux.c - the spool seam: a short queue to the one thread that waits for the spool's disk,
 * and a queue of results back. Both are rings of the same slots: whatever fits in has room to come
 * out. */
#include "spool_linux_jobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <walship/mem.h>
#include <walship/spool_linux.h>

enum { QUEUE_SLOTS = 32 };

/* taken <= done <= given, in that order round the ring. */
struct spool_linux {
    struct spool seam; /* first */
    struct spool_jobs jobs;
    int event_fd;
    bool started;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* under the mutex */
    struct spool_job queue[QUEUE_SLOTS]; /* with copies of what they point to */
    struct spool_result results[QUEUE_SLOTS];
    uint64_t given, done, taken;
    bool stop;
};

static struct spool_linux *of(struct spool *spool)
{
    ASSERT(spool != NULL);
    return (struct spool_linux *)(void *)spool;
}

static void lock(struct spool_linux *self)
{
    int code = pthread_mutex_lock(&self->mutex);
    ASSERT(code == 0);
}

static void unlock(struct spool_linux *self)
{
    int code = pthread_mutex_unlock(&self->mutex);
    ASSERT(code == 0);
}

static void job_free(struct spool_job *job)
{
    mem_free((void *)(uintptr_t)job->name);
    mem_free((void *)(uintptr_t)job->path);
    mem_free((void *)(uintptr_t)job->bytes);
    *job = (struct spool_job){0};
}

static void *worker(void *context)
{
    struct spool_linux *self = context;
    lock(self);
    while (!self->stop) {
        if (self->done == self->given) {
            pthread_cond_wait(&self->changed, &self->mutex);
            continue;
        }
        struct spool_job *job = &self->queue[self->done % QUEUE_SLOTS];
        struct spool_result *result = &self->results[self->done % QUEUE_SLOTS];
        unlock(self);
        spool_jobs_run(&self->jobs, job, result);
        job_free(job);
        lock(self);
        self->done++;
        uint64_t one = 1;
        ssize_t count = write(self->event_fd, &one, sizeof one);
        ASSERT(count == sizeof one);
    }
    unlock(self);
    return NULL;
}

/* ---- the seam ---- */

static bool linux_submit(struct spool *spool, const struct spool_job *job)
{
    struct spool_linux *self = of(spool);
    ASSERT(job->id != 0 && strlen(job->name) < SPOOL_NAME_BYTES);
    lock(self);
    bool room = self->given - self->taken < QUEUE_SLOTS;
    if (room) {
        struct spool_job *slot = &self->queue[self->given % QUEUE_SLOTS];
        *slot = *job;
        slot->name = mem_string(job->name);
        slot->path = job->path == NULL ? NULL : mem_string(job->path);
        slot->bytes = NULL;
        if (job->count > 0) {
            void *bytes = mem_new(job->count, 1);
            memcpy(bytes, job->bytes, job->count);
            slot->bytes = bytes;
        }
        self->given++;
        pthread_cond_signal(&self->changed);
    }
    unlock(self);
    return room;
}

static bool linux_next_result(struct spool *spool, struct spool_result *out)
{
    struct spool_linux *self = of(spool);
    uint64_t events;
    lock(self);
    bool has = self->taken < self->done;
    if (has) {
        *out = self->results[self->taken % QUEUE_SLOTS];
        self->taken++;
    } else {
        ssize_t count = read(self->event_fd, &events, sizeof events);
        ASSERT(count == sizeof events || errno == EAGAIN);
    }
    unlock(self);
    return has;
}

/* Its errno, when it is there and can't be told. */
static int entry_show(int directory, const char *name, spool_entry_fn *each, void *context)
{
    struct stat found;
    if (name[0] == '.' || strlen(name) >= SPOOL_NAME_BYTES) {
        return 0;
    }
    if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? 0 : errno;
    }
    if (S_ISREG(found.st_mode)) {
        struct spool_entry shown = {name, found.st_dev, found.st_ino, (uint64_t)found.st_size};
        each(context, &shown);
    }
    return 0;
}

static int linux_list(struct spool *spool, spool_entry_fn *each, void *context)
{
    struct spool_linux *self = of(spool);
    int fd = openat(self->jobs.directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL) {
        int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        return -error;
    }
    const struct dirent *entry;
    int error = 0;
    do {
        errno = 0;
        entry = readdir(directory);
        error = entry == NULL ? errno : entry_show(fd, entry->d_name, each, context);
    } while (entry != NULL && error == 0);
    closedir(directory);
    return -error;
}

static int linux_space(struct spool *spool, uint64_t *free_bytes, uint64_t *all_bytes)
{
    struct statvfs space;
    if (fstatvfs(of(spool)->jobs.directory, &space) != 0) {
        return -errno;
    }
    *free_bytes = (uint64_t)space.f_bavail * space.f_frsize;
    *all_bytes = (uint64_t)space.f_blocks * space.f_frsize;
    return 0;
}

int spool_linux_fd(struct spool *spool)
{
    return of(spool)->event_fd;
}

/* ---- life ---- */

static bool directory_open(struct spool_linux *self, const char *path, struct err *err)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return err_set(err, errno, "spool_dir %s can't be made: %s", path, strerror(errno));
    }
    self->jobs.directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->jobs.directory < 0) {
        return err_set(err, errno, "spool_dir %s: %s", path, strerror(errno));
    }
    if (faccessat(self->jobs.directory, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        return err_set(err, errno, "spool_dir %s is not writable for this user: %s", path,
                       strerror(errno));
    }
    return true;
}

/* Signals are the loop's: none may be taken by this thread. */
static bool worker_start(struct spool_linux *self, struct err *err)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    int code = pthread_sigmask(SIG_SETMASK, &all, &before);
    ASSERT(code == 0);
    int error = pthread_create(&self->thread, NULL, worker, self);
    code = pthread_sigmask(SIG_SETMASK, &before, NULL);
    ASSERT(code == 0);
    self->started = error == 0;
    return self->started ||
           err_set(err, error, "start the thread of the spool: %s", strerror(error));
}

struct spool *spool_linux_open(const char *spool_dir, struct err *err)
{
    ASSERT(spool_dir != NULL && err != NULL);
    struct spool_linux *self = mem_new(1, sizeof *self);
    self->seam = (struct spool){linux_submit, linux_next_result, linux_list, linux_space};
    self->jobs.directory = -1;
    self->jobs.writing = -1;
    int code = pthread_mutex_init(&self->mutex, NULL);
    ASSERT(code == 0);
    code = pthread_cond_init(&self->changed, NULL);
    ASSERT(code == 0);
    self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool good = self->event_fd >= 0 || err_set(err, errno, "eventfd: %s", strerror(errno));
    good = good && directory_open(self, spool_dir, err);
    if (good) {
        spool_jobs_clean(&self->jobs);
    }
    if (!good || !worker_start(self, err)) {
        spool_linux_close(&self->seam);
        return NULL;
    }
    return &self->seam;
}

void spool_linux_close(struct spool *spool)
{
    if (spool == NULL) {
        return;
    }
    struct spool_linux *self = of(spool);
    if (self->started) {
        self->jobs.stop = true;
        lock(self);
        self->stop = true;
        pthread_cond_signal(&self->changed);
        unlock(self);
        int code = pthread_join(self->thread, NULL);
        ASSERT(code == 0);
    }
    for (uint64_t i = self->done; i < self->given; i++) {
        job_free(&self->queue[i % QUEUE_SLOTS]);
    }
    if (self->jobs.directory >= 0) {
        spool_jobs_clean(&self->jobs);
        close(self->jobs.directory);
    }
    if (self->event_fd >= 0) {
        close(self->event_fd);
    }
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    mem_free(self);
}

/* store_sqlite.c - the store seam: hands each commit to the one thread that waits for the disk.
 *
 * The hand-over is one slot under a mutex: IDLE -> WAITING (loop) -> DONE (worker) -> IDLE (loop).
 * Whoever holds the slot owns the database: the worker while it is WAITING, the loop otherwise. */
#include "store_sqlite_db.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <walship/log.h>
#include <walship/mem.h>
#include <walship/store_sqlite.h>

enum slot { SLOT_IDLE, SLOT_WAITING, SLOT_DONE };

struct store_sqlite {
    struct store seam; /* first */
    struct store_db db;
    int event_fd;
    bool started;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* under the mutex */
    enum slot slot;
    bool stop;
    /* the slot's owner's */
    struct store_commit *commit;
    bool ok;
    struct err err;
};

static struct store_sqlite *of(struct store *store)
{
    ASSERT(store != NULL);
    return (struct store_sqlite *)store;
}

static void lock(struct store_sqlite *self)
{
    int code = pthread_mutex_lock(&self->mutex);
    ASSERT(code == 0);
}

static void unlock(struct store_sqlite *self)
{
    int code = pthread_mutex_unlock(&self->mutex);
    ASSERT(code == 0);
}

/* ---- the worker ---- */

static void wake_loop(struct store_sqlite *self)
{
    uint64_t one = 1;
    ssize_t count = write(self->event_fd, &one, sizeof one);
    ASSERT(count == sizeof one);
}

static void *worker(void *context)
{
    struct store_sqlite *self = context;
    lock(self);
    while (!self->stop || self->slot == SLOT_WAITING) {
        if (self->slot != SLOT_WAITING) {
            pthread_cond_wait(&self->changed, &self->mutex);
            continue;
        }
        unlock(self);
        self->ok = db_apply(&self->db, self->commit, &self->err);
        lock(self);
        self->slot = SLOT_DONE;
        wake_loop(self);
        pthread_cond_signal(&self->changed);
    }
    unlock(self);
    return NULL;
}

/* Signals are the loop's: none may be taken by this thread. */
static bool start_worker(struct store_sqlite *self, struct err *err)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    int code = pthread_sigmask(SIG_SETMASK, &all, &before);
    ASSERT(code == 0);
    int failed = pthread_create(&self->thread, NULL, worker, self);
    code = pthread_sigmask(SIG_SETMASK, &before, NULL);
    ASSERT(code == 0);
    if (failed != 0) {
        return err_set(err, failed, "start the thread of the state file: %s", strerror(failed));
    }
    self->started = true;
    return true;
}

/* ---- the seam ---- */

/* What the worker could not log itself. */
static void say_note(struct store_sqlite *self, const char *why)
{
    if (self->db.note[0] == '\0') {
        return;
    }
    LOG_ERROR("state file was lost", LOG_STR("what", self->db.note), LOG_STR("why", why),
              LOG_STR("path", self->db.path));
    self->db.note[0] = '\0';
}

static bool sqlite_load(struct store *store, struct store_image *out, struct err *err)
{
    struct store_sqlite *self = of(store);
    ASSERT(self->slot == SLOT_IDLE && out != NULL && err != NULL);
    enum db_status status = db_read(&self->db, out, err);
    if (status == DB_CORRUPT) {
        struct err why = *err;
        if (!db_replace(&self->db, err)) {
            return false;
        }
        say_note(self, why.text);
        status = db_read(&self->db, out, err);
    }
    if (status == DB_GOOD && out->lost) {
        LOG_WARN("the saved positions are lost: starting at the oldest segment",
                 LOG_STR("path", self->db.path));
    }
    return status == DB_GOOD;
}

static bool sqlite_commit(struct store *store, const struct store_commit *commit)
{
    struct store_sqlite *self = of(store);
    lock(self);
    bool idle = self->slot == SLOT_IDLE;
    ASSERT(!self->stop);
    if (idle) {
        ASSERT(self->commit == NULL);
        self->commit = commit_copy(commit);
        self->slot = SLOT_WAITING;
        pthread_cond_signal(&self->changed);
    }
    unlock(self);
    return idle;
}

static bool sqlite_next_result(struct store *store, bool *ok, struct err *err)
{
    struct store_sqlite *self = of(store);
    uint64_t events;
    lock(self);
    bool done = self->slot == SLOT_DONE;
    if (done) {
        ssize_t count = read(self->event_fd, &events, sizeof events);
        ASSERT(count == sizeof events);
        self->slot = SLOT_IDLE;
        mem_free(self->commit);
        self->commit = NULL;
        *ok = self->ok;
        *err = self->err;
    }
    unlock(self);
    if (done) {
        say_note(self, *ok ? "deleted" : err->text);
    }
    return done;
}

int store_sqlite_fd(struct store *store)
{
    return of(store)->event_fd;
}

/* ---- life ---- */

static bool open_database(struct store_sqlite *self, struct err *err)
{
    enum db_status status = db_open(&self->db, err);
    if (status != DB_CORRUPT) {
        return status == DB_GOOD;
    }
    struct err why = *err;
    if (!db_replace(&self->db, err)) {
        return false;
    }
    say_note(self, why.text);
    return true;
}

struct store *store_sqlite_open(const char *state_dir, struct err *err)
{
    ASSERT(state_dir != NULL && err != NULL);
    struct store_sqlite *self = mem_new(1, sizeof *self);
    self->seam.load = sqlite_load;
    self->seam.commit = sqlite_commit;
    self->seam.next_result = sqlite_next_result;
    int code = pthread_mutex_init(&self->mutex, NULL);
    ASSERT(code == 0);
    code = pthread_cond_init(&self->changed, NULL);
    ASSERT(code == 0);
    self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool good = self->event_fd >= 0 || err_set(err, errno, "eventfd: %s", strerror(errno));
    good = files_open(&self->db, state_dir, err) && good;
    if (!good || !open_database(self, err) || !start_worker(self, err)) {
        store_sqlite_close(&self->seam);
        return NULL;
    }
    return &self->seam;
}

void store_sqlite_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    struct store_sqlite *self = of(store);
    if (self->started) {
        lock(self);
        self->stop = true;
        pthread_cond_signal(&self->changed);
        unlock(self);
        int code = pthread_join(self->thread, NULL);
        ASSERT(code == 0);
    }
    db_close(&self->db);
    files_close(&self->db);
    mem_free(self->commit);
    if (self->event_fd >= 0) {
        close(self->event_fd);
    }
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    mem_free(self);
}

/* store_sqlite_files.c - what surrounds the database in state_dir. See store_sqlite_db.h.
 *
 * The marker walship.created is written after the database exists and before one is moved aside: a
 * marker without a database therefore means that there was one. The reverse (a database without a
 * marker: a crash in between) only gets its marker at the next start. */
#include "store_sqlite_db.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>
#include <walship/log.h>
#include <walship/mem.h>

static char *file_in(const struct store_db *db, const char *name)
{
    return mem_format("%s/%s", db->directory, name);
}

/* ---- the directory ---- */

static bool make_directory(const char *directory, struct err *err)
{
    struct stat status;
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        return err_set(err, errno, "create state directory %s: %s", directory, strerror(errno));
    }
    if (stat(directory, &status) != 0) {
        return err_set(err, errno, "state directory %s: %s", directory, strerror(errno));
    }
    if (!S_ISDIR(status.st_mode)) {
        return err_set(err, ENOTDIR, "state directory %s: not a directory", directory);
    }
    return true;
}

bool files_sync_directory(const struct store_db *db, struct err *err)
{
    int fd = open(db->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (!good) {
        err_set(err, errno, "sync state directory %s: %s", db->directory, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* ---- the lock ---- */

/* The holder's process id, as it wrote it; 0: unknown. */
static long lock_holder(int fd)
{
    char text[32];
    ssize_t count = pread(fd, text, sizeof text - 1, 0);
    if (count <= 0) {
        return 0;
    }
    text[count] = '\0';
    return strtol(text, NULL, 10);
}

/* The lock itself is not tried: a walship that starts at that moment would find it taken. */
long files_holder(const struct store_db *db)
{
    char *path = file_in(db, "walship.lock");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    long holder = fd >= 0 ? lock_holder(fd) : 0;
    if (fd >= 0) {
        close(fd);
    }
    mem_free(path);
    bool alive = holder > 0 && (kill((pid_t)holder, 0) == 0 || errno == EPERM);
    return alive ? holder : 0;
}

static bool lock_taken(const struct store_db *db, int fd, struct err *err)
{
    long holder = lock_holder(fd);
    if (holder > 0) {
        return err_set(err, EWOULDBLOCK,
                       "state directory %s is in use by another walship (process %ld)",
                       db->directory, holder);
    }
    return err_set(err, EWOULDBLOCK, "state directory %s is in use by another walship",
                   db->directory);
}

static int lock_open(const struct store_db *db, struct err *err)
{
    char *path = file_in(db, "walship.lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        err_set(err, errno, "open %s: %s", path, strerror(errno));
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            lock_taken(db, fd, err);
        } else {
            err_set(err, errno, "lock %s: %s", path, strerror(errno));
        }
        close(fd);
        fd = -1;
    } else {
        /* Only a courtesy to whoever finds the lock taken: on a full disk it is missing. */
        char text[32];
        int count = snprintf(text, sizeof text, "%ld\n", (long)getpid());
        ASSERT(count > 0);
        if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)count, 0) != count) {
            LOG_DEBUG("the lock file does not say who holds it", LOG_STR("err", strerror(errno)));
        }
    }
    mem_free(path);
    return fd;
}

/* True: the lock file in the directory is the one that is held. */
static bool lock_current(const struct store_db *db)
{
    struct stat held;
    struct stat found;
    char *path = file_in(db, "walship.lock");
    bool same = fstat(db->lock_fd, &held) == 0 && stat(path, &found) == 0 &&
                held.st_dev == found.st_dev && held.st_ino == found.st_ino;
    mem_free(path);
    return same;
}

bool files_open(struct store_db *db, const char *directory, struct err *err)
{
    ASSERT(db != NULL && directory != NULL && *directory != '\0');
    *db = (struct store_db){.lock_fd = -1};
    db->directory = mem_string(directory);
    db->path = mem_format("%s/walship.db", directory);
    buf_init(&db->sum, 1 << 20);
    if (!make_directory(directory, err)) {
        return false;
    }
    db->lock_fd = lock_open(db, err);
    return db->lock_fd >= 0;
}

void files_close(struct store_db *db)
{
    if (db->lock_fd >= 0) {
        /* the file stays: deleting it would race with a new holder */
        if (ftruncate(db->lock_fd, 0) != 0) {
            LOG_DEBUG("the lock file keeps an old process id", LOG_STR("err", strerror(errno)));
        }
        close(db->lock_fd);
    }
    mem_free(db->directory);
    mem_free(db->path);
    buf_release(&db->sum);
    *db = (struct store_db){.lock_fd = -1};
}

bool files_restore(struct store_db *db, struct err *err)
{
    ASSERT(db->lock_fd >= 0);
    if (!make_directory(db->directory, err)) {
        return false;
    }
    if (lock_current(db)) {
        return true;
    }
    int fd = lock_open(db, err);
    if (fd < 0) {
        return false;
    }
    close(db->lock_fd);
    db->lock_fd = fd;
    return true;
}

/* ---- the marker and the database file ---- */

bool files_marked(const struct store_db *db)
{
    char *path = file_in(db, "walship.created");
    bool found = access(path, F_OK) == 0;
    mem_free(path);
    return found;
}

bool files_mark(const struct store_db *db, struct err *err)
{
    static const char text[] = "A walship.db was made here. If it is gone, its state was lost.\n";
    if (files_marked(db)) {
        return true;
    }
    char *path = file_in(db, "walship.created");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good =
        fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1 && fsync(fd) == 0;
    if (!good) {
        err_set(err, errno, "write %s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    mem_free(path);
    return good && files_sync_directory(db, err);
}

bool files_touch(const struct store_db *db, struct err *err)
{
    int fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_set(err, errno, "open %s: %s", db->path, strerror(errno));
    }
    close(fd);
    return true;
}

bool files_identify(struct store_db *db)
{
    struct stat status;
    if (stat(db->path, &status) != 0) {
        return false;
    }
    db->device = status.st_dev;
    db->inode = status.st_ino;
    return true;
}

enum db_status files_still(const struct store_db *db, bool *gone, struct err *err)
{
    struct stat status;
    *gone = false;
    if (stat(db->path, &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            *gone = true;
            return DB_GOOD;
        }
        err_set(err, errno, "%s: %s", db->path, strerror(errno));
        return DB_FAILED;
    }
    if (status.st_dev != db->device || status.st_ino != db->inode) {
        err_set(err, 0, "%s was replaced by another file while walship ran: restart it", db->path);
        return DB_FAILED;
    }
    return DB_GOOD;
}

/* ---- out of the way ---- */

/* The write-ahead log of a former database must never be applied to a new one. */
void files_drop_leftovers(const struct store_db *db)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
        char *path = mem_format("%s%s", db->path, suffixes[i]);
        (void)unlink(path);
        mem_free(path);
    }
}

/* A name that is free: two in one second get a number. */
static char *aside_name(const struct store_db *db)
{
    long long now = (long long)time(NULL);
    char *name = mem_format("%s.corrupt-%lld", db->path, now);
    for (unsigned i = 2; access(name, F_OK) == 0; i++) {
        mem_free(name);
        name = mem_format("%s.corrupt-%lld.%u", db->path, now, i);
    }
    return name;
}

bool files_move_aside(struct store_db *db, struct err *err)
{
    ASSERT(db->sql == NULL);
    char *name = aside_name(db);
    char *log = mem_format("%s-wal", db->path);
    char *log_name = mem_format("%s-wal", name);
    bool good = files_mark(db, err);
    if (good && rename(db->path, name) != 0) {
        good = err_set(err, errno, "move %s to %s: %s", db->path, name, strerror(errno));
    }
    if (good) {
        (void)rename(log, log_name); /* there need not be one */
        files_drop_leftovers(db);
        (void)snprintf(db->note, sizeof db->note, "the old state file is now %s", name);
        good = files_sync_directory(db, err);
    }
    mem_free(name);
    mem_free(log);
    mem_free(log_name);
    return good;
}

/* os_linux.c - the operating system behind os.h.
 *
 * inotify gives hints, never facts: which file changed is not even looked at. A writer that logs a
 * thousand times a second makes equal events, which the kernel folds into one while it is unread.
 * When the queue overflowed something changed as well. A watch that died (directory removed, moved
 * or unmounted) is not noticed by silence, so from then on we say that we can't tell. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inotifytools/inotify.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/assert.h>
#include <walship/mem.h>
#include <walship/os_linux.h>

enum {
    WATCHES_MAX = 8,
    EVENT_READ_BYTES = 16 << 10,
    EVENT_READS_MAX = 16 /* a hint call ends, however fast events come */
};

struct os_linux {
    struct os os; /* first: the seam's functions cast back */
    int notify_fd;
    int watches[WATCHES_MAX];
    size_t watches_count;
    bool blind; /* a watch could not be set, or died */
};

static struct os_linux *linux_of(struct os *os)
{
    ASSERT(os != NULL);
    return (struct os_linux *)(void *)os;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    int status = clock_gettime(clock, &now);
    ASSERT(status == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t linux_now_ms(struct os *os)
{
    (void)os;
    return clock_ms(CLOCK_MONOTONIC);
}

static int64_t linux_wall_ms(struct os *os)
{
    (void)os;
    return clock_ms(CLOCK_REALTIME);
}

static uint64_t linux_random(struct os *os)
{
    (void)os;
    uint64_t value = 0;
    ssize_t got;
    do { /* up to 256 bytes come whole; only the wait for the first entropy can be interrupted */
        got = getrandom(&value, sizeof value, 0);
    } while (got < 0 && errno == EINTR);
    ASSERT(got == (ssize_t)sizeof value);
    return value;
}

static int linux_open(struct os *os, const char *path)
{
    (void)os;
    int fd;
    do { /* a fifo where a file should be: the one loop must not wait for its writer */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

static int stat_result(int status, const struct stat *stat, struct os_stat *out)
{
    if (status != 0) {
        return -errno;
    }
    *out = (struct os_stat){
        .device = stat->st_dev,
        .inode = stat->st_ino,
        .bytes = (uint64_t)stat->st_size,
        .is_directory = S_ISDIR(stat->st_mode),
    };
    return 0;
}

static int linux_stat_fd(struct os *os, int fd, struct os_stat *out)
{
    (void)os;
    struct stat found;
    int status = fstat(fd, &found);
    return stat_result(status, &found, out);
}

static int linux_stat_path(struct os *os, const char *path, struct os_stat *out)
{
    (void)os;
    struct stat found;
    int status = stat(path, &found);
    return stat_result(status, &found, out);
}

static int64_t linux_pread(struct os *os, int fd, void *out, size_t bytes, uint64_t at)
{
    (void)os;
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = pread(fd, (char *)out + done, bytes - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return done > 0 ? (int64_t)done : -errno; /* the error comes back with the next call */
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    return (int64_t)done;
}

static void linux_close(struct os *os, int fd)
{
    (void)os;
    ASSERT(fd >= 0);
    close(fd); /* read only: nothing can fail late; and on Linux EINTR has closed it */
}

static int linux_list(struct os *os, const char *path, os_entry_fn *each, void *context)
{
    (void)os;
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return -errno;
    }
    int status = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            status = -errno;
            break;
        }
        const char *name = entry->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !each(context, name)) {
            break;
        }
    }
    closedir(directory);
    return status;
}

/* ---- hints ---- */

static void linux_watch(struct os *os, const char *path)
{
    static const uint32_t mask = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    struct os_linux *self = linux_of(os);
    if (self->notify_fd < 0) {
        return;
    }
    int watch = inotify_add_watch(self->notify_fd, path, mask);
    if (watch < 0) {
        self->blind = true;
        return;
    }
    self->blind = false;
    for (size_t i = 0; i < self->watches_count; i++) {
        if (self->watches[i] == watch) {
            return;
        }
    }
    if (self->watches_count == WATCHES_MAX) { /* of paths that lead elsewhere by now */
        inotify_rm_watch(self->notify_fd, self->watches[0]);
        self->watches_count--;
        memmove(self->watches, self->watches + 1, self->watches_count * sizeof *self->watches);
    }
    self->watches[self->watches_count++] = watch;
}

static void watch_died(struct os_linux *self, int watch)
{
    for (size_t i = 0; i < self->watches_count; i++) {
        if (self->watches[i] == watch) {
            self->watches[i] = self->watches[--self->watches_count];
            self->blind = true;
            return;
        }
    }
}

/* A moved directory keeps its watch, but no longer has the path that was asked for. */
static void watch_left(struct os_linux *self, int watch)
{
    inotify_rm_watch(self->notify_fd, watch);
    watch_died(self, watch);
}

static void events_take(struct os_linux *self, const char *events, size_t bytes)
{
    struct inotify_event event;
    for (size_t at = 0; at + sizeof event <= bytes; at += sizeof event + event.len) {
        memcpy(&event, events + at, sizeof event);
        if ((event.mask & IN_MOVE_SELF) != 0) {
            watch_left(self, event.wd);
        } else if ((event.mask & (IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF)) != 0) {
            watch_died(self, event.wd);
        }
    }
}

static enum os_hint linux_hint(struct os *os)
{
    struct os_linux *self = linux_of(os);
    char events[EVENT_READ_BYTES];
    bool changed = false;
    if (self->notify_fd < 0) {
        return OS_HINT_UNAVAILABLE;
    }
    for (int i = 0; i < EVENT_READS_MAX; i++) {
        ssize_t got = read(self->notify_fd, events, sizeof events);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break; /* EAGAIN: all read */
        }
        changed = true;
        events_take(self, events, (size_t)got);
    }
    if (changed) {
        return OS_HINT_CHANGED;
    }
    return self->blind || self->watches_count == 0 ? OS_HINT_UNAVAILABLE : OS_HINT_NONE;
}

struct os *os_linux_new(void)
{
    struct os_linux *self = mem_new(1, sizeof *self);
    self->os = (struct os){
        .now_ms = linux_now_ms,
        .wall_ms = linux_wall_ms,
        .random = linux_random,
        .open = linux_open,
        .stat_fd = linux_stat_fd,
        .stat_path = linux_stat_path,
        .pread = linux_pread,
        .close = linux_close,
        .list = linux_list,
        .watch = linux_watch,
        .hint = linux_hint,
    };
    self->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return &self->os;
}

void os_linux_free(struct os *os)
{
    if (os == NULL) {
        return;
    }
    struct os_linux *self = linux_of(os);
    if (self->notify_fd >= 0) {
        close(self->notify_fd);
    }
    mem_free(self);
}

int os_linux_fd(struct os *os)
{
    return linux_of(os)->notify_fd;
}

/* faults.c - system calls that fail on demand: a library for LD_PRELOAD, for the end-to-end tests.
 *
 * $WALSHIP_FAULTS names a file that may change while the program runs. A line of it is a rule:
 *
 *     CALL PART WHAT EVERY    pwrite state ENOSPC 1
 *
 * CALL: open read pread write pwrite fsync truncate (all their variants), or `any`. PART: what the
 * file's path holds. WHAT: EIO ENOSPC EROFS EINTR; `short`, at most 7 bytes; or milliseconds to
 * wait first. EVERY: each how manyth call that a rule fits. Nothing is random: the same calls fail
 * the same way. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { RULES_MAX = 16, SHORT_BYTES = 7 };

struct rule {
    char call[16], part[128], what[16];
    unsigned every, seen;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct rule rules[RULES_MAX];
static size_t rules_count;
static struct timespec rules_time;

static const struct {
    const char *name;
    int code;
} errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EINTR", EINTR}};

static void rules_parse(char *text)
{
    char *rest = NULL;
    rules_count = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL && rules_count < RULES_MAX;
         line = strtok_r(NULL, "\n", &rest)) {
        struct rule *rule = &rules[rules_count];
        rule->seen = 0;
        if (sscanf(line, "%15s %127s %15s %u", rule->call, rule->part, rule->what, &rule->every) ==
                4 &&
            rule->every > 0) {
            rules_count++;
        }
    }
}

/* By system calls, so that this does not call itself. Under the mutex. */
static void rules_refresh(void)
{
    static char text[4096];
    struct stat status;
    const char *path = getenv("WALSHIP_FAULTS");
    if (path == NULL || stat(path, &status) != 0 ||
        (status.st_mtim.tv_sec == rules_time.tv_sec &&
         status.st_mtim.tv_nsec == rules_time.tv_nsec)) {
        return;
    }
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    long count = fd < 0 ? -1 : syscall(SYS_read, fd, text, sizeof text - 1);
    if (fd >= 0) {
        syscall(SYS_close, fd);
    }
    if (count >= 0) {
        text[count] = '\0';
        rules_time = status.st_mtim;
        rules_parse(text);
    }
}

/* The rule that is due for this call, copied; false: none. */
static bool rule_for(const char *call, const char *path, struct rule *out)
{
    bool due = false;
    pthread_mutex_lock(&mutex);
    rules_refresh();
    for (size_t i = 0; i < rules_count && !due; i++) {
        struct rule *rule = &rules[i];
        bool fits = strcmp(rule->call, "any") == 0 || strcmp(rule->call, call) == 0;
        if (fits && strstr(path, rule->part) != NULL) {
            due = ++rule->seen % rule->every == 0;
            *out = *rule;
        }
    }
    pthread_mutex_unlock(&mutex);
    return due;
}

/* What becomes of the call: an errno, or 0 with *count maybe less. */
static int fault(const char *call, const char *path, size_t *count)
{
    struct rule rule;
    if (!rule_for(call, path, &rule)) {
        return 0;
    }
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(rule.what, errors[i].name) == 0) {
            return errors[i].code;
        }
    }
    if (strcmp(rule.what, "short") == 0) {
        if (count != NULL && *count > SHORT_BYTES) {
            *count = SHORT_BYTES;
        }
        return 0;
    }
    long ms = strtol(rule.what, NULL, 10);
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
    return 0;
}

static int fault_of_fd(const char *call, int fd, size_t *count)
{
    char link[32];
    char path[512];
    int saved = errno;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (bytes <= 0) {
        return 0;
    }
    path[bytes] = '\0';
    return path[0] == '/' ? fault(call, path, count) : 0;
}

#define FAIL_OF(call, fd, count)                                                                   \
    do {                                                                                           \
        int failed = fault_of_fd(call, fd, count);                                                 \
        if (failed != 0) {                                                                         \
            errno = failed;                                                                        \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

static int open_at(int at, const char *path, int flags, mode_t mode)
{
    int failed = fault("open", path, NULL);
    if (failed != 0) {
        errno = failed;
        return -1;
    }
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

#define OPEN_MODE(flags, mode)                                                                     \
    mode_t mode = 0;                                                                               \
    if (((flags)&O_CREAT) != 0) {                                                                  \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode = (mode_t)va_arg(list, int);                                                          \
        va_end(list);                                                                              \
    }

int open(const char *path, int flags, ...)
{
    OPEN_MODE(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    OPEN_MODE(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
    OPEN_MODE(flags, mode)
    return open_at(at, path, flags, mode);
}

ssize_t read(int fd, void *bytes, size_t count)
{
    FAIL_OF("read", fd, &count);
    return syscall(SYS_read, fd, bytes, count);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t at)
{
    FAIL_OF("pread", fd, &count);
    return syscall(SYS_pread64, fd, bytes, count, at);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t at)
{
    return pread(fd, bytes, count, at);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    FAIL_OF("write", fd, &count);
    return syscall(SYS_write, fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    FAIL_OF("pwrite", fd, &count);
    return syscall(SYS_pwrite64, fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    return pwrite(fd, bytes, count, at);
}

int fsync(int fd)
{
    FAIL_OF("fsync", fd, NULL);
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    FAIL_OF("fsync", fd, NULL);
    return (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t bytes)
{
    FAIL_OF("truncate", fd, NULL);
    return (int)syscall(SYS_ftruncate, fd, bytes);
}

int ftruncate64(int fd, off64_t bytes)
{
    return ftruncate(fd, bytes);
}

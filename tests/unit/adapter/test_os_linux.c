/* test_os_linux.c - the real seam, on a directory of its own under the temporary directory. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/assert.h>
#include <walship/mem.h>
#include <walship/os_linux.h>

static struct os *os;
static char root[256];

static const char *at(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void append(const char *name, const char *text)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void setup(void)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(root, sizeof root, "%s/walship-os-XXXXXX", base == NULL ? "/tmp" : base);
    ck_assert_ptr_nonnull(mkdtemp(root));
    os = os_linux_new();
}

static void teardown(void)
{
    static const char *const names[] = {"a", "b", "wal/a", "wal/b", "moved/a"};
    os_linux_free(os);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        unlink(at(names[i]));
    }
    rmdir(at("wal"));
    rmdir(at("moved"));
    ck_assert_int_eq(rmdir(root), 0);
}

START_TEST(clocks_and_random_numbers_are_the_systems)
{
    struct timespec wall;
    int64_t first = os->now_ms(os);
    ck_assert_int_ge(first, 0);
    ck_assert_int_ge(os->now_ms(os), first);
    clock_gettime(CLOCK_REALTIME, &wall);
    int64_t off = os->wall_ms(os) - (int64_t)wall.tv_sec * 1000;
    ck_assert_int_ge(off, 0);
    ck_assert_int_lt(off, 60000);
    ck_assert_uint_ne(os->random(os), os->random(os));
}

START_TEST(a_file_is_read_where_it_is_asked_and_up_to_its_end)
{
    char bytes[16] = {0};
    append("a", "0123456789");
    int fd = os->open(os, at("a"));
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    ck_assert_int_eq(os->pread(os, fd, bytes, 4, 3), 4);
    ck_assert_str_eq(bytes, "3456");
    ck_assert_int_eq(os->pread(os, fd, bytes, sizeof bytes, 8), 2);
    ck_assert_int_eq(os->pread(os, fd, bytes, sizeof bytes, 10), 0);
    ck_assert_int_eq(os->pread(os, fd, bytes, sizeof bytes, 99), 0);
    os->close(os, fd);
    ck_assert_int_eq(os->pread(os, fd, bytes, 1, 0), -EBADF);
}

START_TEST(stat_tells_size_kind_and_identity)
{
    struct os_stat by_path;
    struct os_stat by_fd;
    struct stat expected;
    append("a", "0123456789");
    int fd = os->open(os, at("a"));
    ck_assert_int_eq(os->stat_path(os, at("a"), &by_path), 0);
    ck_assert_int_eq(os->stat_fd(os, fd, &by_fd), 0);
    ck_assert_int_eq(stat(at("a"), &expected), 0);
    ck_assert_uint_eq(by_path.bytes, 10);
    ck_assert_uint_eq(by_path.inode, expected.st_ino);
    ck_assert_uint_eq(by_path.device, expected.st_dev);
    ck_assert_uint_eq(by_fd.inode, by_path.inode);
    ck_assert(!by_path.is_directory);
    os->close(os, fd);
    ck_assert_int_eq(os->stat_path(os, root, &by_path), 0);
    ck_assert(by_path.is_directory);
}

START_TEST(what_is_missing_is_an_errno)
{
    struct os_stat stat;
    append("a", "");
    ck_assert_int_eq(os->open(os, at("none")), -ENOENT);
    ck_assert_int_eq(os->stat_path(os, at("none"), &stat), -ENOENT);
    ck_assert_int_eq(os->stat_fd(os, 9999, &stat), -EBADF);
    ck_assert_int_eq(os->list(os, at("none"), NULL, NULL), -ENOENT);
    ck_assert_int_eq(os->list(os, at("a"), NULL, NULL), -ENOTDIR);
}

struct names {
    size_t count, stop_after;
    bool dots, a, b;
};

static bool note_name(void *context, const char *name)
{
    struct names *names = context;
    names->count++;
    names->dots |= strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    names->a |= strcmp(name, "a") == 0;
    names->b |= strcmp(name, "b") == 0;
    return names->count != names->stop_after;
}

START_TEST(a_list_has_every_name_but_the_dots_and_may_be_stopped)
{
    struct names all = {0};
    struct names one = {.stop_after = 1};
    append("a", "");
    append("b", "");
    ck_assert_int_eq(os->list(os, root, note_name, &all), 0);
    ck_assert_uint_eq(all.count, 2);
    ck_assert(all.a && all.b && !all.dots);
    ck_assert_int_eq(os->list(os, root, note_name, &one), 0);
    ck_assert_uint_eq(one.count, 1);
}

/* Blocked signals would not end the wait either. */
START_TEST(a_fifo_is_not_waited_for)
{
    char byte;
    ck_assert_int_eq(mkfifo(at("a"), 0600), 0);
    int fd = os->open(os, at("a"));
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(os->pread(os, fd, &byte, 1, 0), -ESPIPE);
    os->close(os, fd);
}

/* ---- hints ---- */

/* The kernel queues an event before the call that caused it returns: no waiting needed. */
static enum os_hint settled_hint(void)
{
    enum os_hint last = os->hint(os);
    while (last == OS_HINT_CHANGED) {
        last = os->hint(os);
    }
    return last;
}

static bool readable(void)
{
    struct pollfd poller = {.fd = os_linux_fd(os), .events = POLLIN};
    return poll(&poller, 1, 0) == 1;
}

static bool inotify_is_here(void)
{
    return os_linux_fd(os) >= 0;
}

START_TEST(before_a_watch_there_are_no_hints)
{
    ck_assert_int_eq(os->hint(os), OS_HINT_UNAVAILABLE);
}

static void change_append(void)
{
    append("wal/a", "x");
}

static void change_create(void)
{
    append("wal/b", "");
}

static void change_rename(void)
{
    char from[512];
    (void)snprintf(from, sizeof from, "%s", at("wal/a"));
    ck_assert_int_eq(rename(from, at("wal/b")), 0);
}

static void change_unlink(void)
{
    ck_assert_int_eq(unlink(at("wal/a")), 0);
}

static void change_truncate(void)
{
    ck_assert_int_eq(truncate(at("wal/a"), 0), 0);
}

static void (*const changes[])(void) = {change_append, change_create, change_rename, change_unlink,
                                        change_truncate};

START_TEST(every_change_in_a_watched_directory_is_hinted)
{
    if (!inotify_is_here()) {
        return;
    }
    ck_assert_int_eq(mkdir(at("wal"), 0700), 0);
    append("wal/a", "text");
    os->watch(os, at("wal"));
    ck_assert_int_eq(os->hint(os), OS_HINT_NONE);
    ck_assert(!readable());
    changes[_i]();
    ck_assert(readable());
    ck_assert_int_eq(os->hint(os), OS_HINT_CHANGED);
    ck_assert_int_eq(settled_hint(), OS_HINT_NONE);
    ck_assert(!readable());
}

START_TEST(reading_a_watched_directory_is_no_change)
{
    char byte;
    if (!inotify_is_here()) {
        return;
    }
    ck_assert_int_eq(mkdir(at("wal"), 0700), 0);
    append("wal/a", "text");
    os->watch(os, at("wal"));
    os->watch(os, at("wal")); /* twice is once */
    int fd = os->open(os, at("wal/a"));
    ck_assert_int_eq(os->pread(os, fd, &byte, 1, 0), 1);
    os->close(os, fd);
    ck_assert_int_eq(os->hint(os), OS_HINT_NONE);
}

/* A link above the directory that is pointed elsewhere tells the watch nothing. */
START_TEST(of_many_directories_watched_one_after_the_other_the_last_ones_are)
{
    char name[32];
    if (!inotify_is_here()) {
        return;
    }
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "wal%u", i);
        ck_assert_int_eq(mkdir(at(name), 0700), 0);
        os->watch(os, at(name));
    }
    (void)settled_hint();
    append("wal0/a", "");
    ck_assert_int_eq(os->hint(os), OS_HINT_NONE);
    append("wal19/a", "");
    ck_assert_int_eq(os->hint(os), OS_HINT_CHANGED);
    ck_assert_int_eq(unlink(at("wal0/a")), 0);
    ck_assert_int_eq(unlink(at("wal19/a")), 0);
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "wal%u", i);
        ck_assert_int_eq(rmdir(at(name)), 0);
    }
}

START_TEST(a_directory_that_is_not_there_can_not_be_watched)
{
    os->watch(os, at("wal"));
    ck_assert_int_eq(os->hint(os), OS_HINT_UNAVAILABLE);
}

START_TEST(a_watched_directory_that_goes_away_says_so_and_can_be_watched_again)
{
    if (!inotify_is_here()) {
        return;
    }
    char from[512];
    ck_assert_int_eq(mkdir(at("wal"), 0700), 0);
    os->watch(os, at("wal"));
    if (_i == 0) {
        ck_assert_int_eq(rmdir(at("wal")), 0);
    } else {
        (void)snprintf(from, sizeof from, "%s", at("wal"));
        ck_assert_int_eq(rename(from, at("moved")), 0);
    }
    ck_assert_int_eq(os->hint(os), OS_HINT_CHANGED);
    ck_assert_int_eq(settled_hint(), OS_HINT_UNAVAILABLE);
    ck_assert_int_eq(mkdir(at("wal"), 0700), 0);
    os->watch(os, at("wal"));
    ck_assert_int_eq(settled_hint(), OS_HINT_NONE);
    append("wal/a", "x");
    ck_assert_int_eq(os->hint(os), OS_HINT_CHANGED);
}

Suite *suite_os_linux(void);

Suite *suite_os_linux(void)
{
    Suite *suite = suite_create("os_linux");
    TCase *calls = tcase_create("calls");
    tcase_add_checked_fixture(calls, setup, teardown);
    tcase_add_test(calls, clocks_and_random_numbers_are_the_systems);
    tcase_add_test(calls, a_file_is_read_where_it_is_asked_and_up_to_its_end);
    tcase_add_test(calls, stat_tells_size_kind_and_identity);
    tcase_add_test(calls, what_is_missing_is_an_errno);
    tcase_add_test(calls, a_list_has_every_name_but_the_dots_and_may_be_stopped);
    tcase_add_test(calls, a_fifo_is_not_waited_for);
    suite_add_tcase(suite, calls);
    TCase *hints = tcase_create("hints");
    tcase_add_checked_fixture(hints, setup, teardown);
    tcase_add_test(hints, before_a_watch_there_are_no_hints);
    tcase_add_loop_test(hints, every_change_in_a_watched_directory_is_hinted, 0,
                        (int)ARRAY_COUNT(changes));
    tcase_add_test(hints, reading_a_watched_directory_is_no_change);
    tcase_add_test(hints, of_many_directories_watched_one_after_the_other_the_last_ones_are);
    tcase_add_test(hints, a_directory_that_is_not_there_can_not_be_watched);
    tcase_add_loop_test(hints, a_watched_directory_that_goes_away_says_so_and_can_be_watched_again,
                        0, 2);
    suite_add_tcase(suite, hints);
    return suite;
}

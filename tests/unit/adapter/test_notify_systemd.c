/* test_notify_systemd.c - the datagrams that a service manager gets, by a socket with a path and
 * one with an abstract name. */
#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <walship/assert.h>
#include <walship/notify_systemd.h>

static int manager(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t bytes = strlen(name);
    memcpy(at.sun_path, name, bytes);
    if (*name == '@') {
        at.sun_path[0] = 0;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes)),
                     0);
    return fd;
}

static void expect(int fd, const char *text)
{
    char got[256] = "";
    ssize_t bytes = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    ck_assert_int_eq(bytes, (ssize_t)strlen(text));
    ck_assert_str_eq(got, text);
}

START_TEST(a_manager_is_told)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s/tmp/walship-notify-%ld", _i == 0 ? "" : "@",
                   (long)getpid());
    int fd = manager(name);
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
    struct notify *notify = notify_systemd_open();
    ck_assert(notify_systemd_wanted(notify));
    notify_systemd_say(notify, "READY=1\nSTATUS=a");
    expect(fd, "READY=1\nSTATUS=a");
    close(fd);
    notify_systemd_say(notify, "WATCHDOG=1"); /* nobody there: no harm */
    notify_systemd_close(notify);
    if (_i == 0) {
        ck_assert_int_eq(unlink(name), 0);
    }
}

START_TEST(without_a_manager_nothing_is_said)
{
    ck_assert_int_eq(_i == 0 ? unsetenv("NOTIFY_SOCKET") : setenv("NOTIFY_SOCKET", "tcp:1", 1), 0);
    struct notify *notify = notify_systemd_open();
    ck_assert(!notify_systemd_wanted(notify));
    ck_assert_int_eq(notify_systemd_watchdog_ms(notify), 0);
    notify_systemd_say(notify, "READY=1");
    notify_systemd_close(notify);
}

START_TEST(the_watchdog_is_due_at_half_its_time_for_this_process_only)
{
    char own[32];
    (void)snprintf(own, sizeof own, "%ld", (long)getpid());
    const struct {
        const char *usec, *pid;
        int64_t ms;
    } rows[] = {{"30000000", NULL, 15000},
                {"30000000", own, 15000},
                {"30000000", "1", 0},
                {NULL, NULL, 0},
                {"nonsense", NULL, 0}};
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", "@walship-none", 1), 0);
    ck_assert_int_eq(unsetenv("WATCHDOG_USEC") + unsetenv("WATCHDOG_PID"), 0);
    if (rows[_i].usec != NULL) {
        ck_assert_int_eq(setenv("WATCHDOG_USEC", rows[_i].usec, 1), 0);
    }
    if (rows[_i].pid != NULL) {
        ck_assert_int_eq(setenv("WATCHDOG_PID", rows[_i].pid, 1), 0);
    }
    struct notify *notify = notify_systemd_open();
    ck_assert_int_eq(notify_systemd_watchdog_ms(notify), rows[_i].ms);
    notify_systemd_close(notify);
}

Suite *suite_notify_systemd(void);
Suite *suite_notify_systemd(void)
{
    Suite *suite = suite_create("notify_systemd");
    TCase *tcase = tcase_create("notify");
    tcase_add_loop_test(tcase, a_manager_is_told, 0, 2);
    tcase_add_loop_test(tcase, without_a_manager_nothing_is_said, 0, 2);
    tcase_add_loop_test(tcase, the_watchdog_is_due_at_half_its_time_for_this_process_only, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* test_status_mhd.c - the pages' server itself: what it tells of a request, and what it does
 * without descriptors. What it says over TLS and to whom is the affair of tests/e2e/sidecar.sh. */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <http_peer.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <walship/status_mhd.h>

enum { PATIENCE_MS = 20000 };

static struct status *status;
static struct sockaddr_in address;
static struct status_request seen;

static bool page(void *context, const struct status_request *request, struct status_page *out)
{
    (void)context;
    seen = *request;
    return buf_format(out->body, "here\n");
}

static void start(void)
{
    char text[40];
    int fd;
    uint16_t port = (uint16_t)http_peer_dead_port(&fd);
    struct err err = {.text = ""};
    close(fd);
    address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", port);
    status = status_mhd_open(text, NULL, page, NULL, &err);
    ck_assert_msg(status != NULL, "%s", err.text);
}

static void stop(void)
{
    status_mhd_close(status);
}

/* Asks, and turns the server until the answer is there: the number in its first line. */
static int answered(const char *request)
{
    char answer[1000] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (const void *)&address, sizeof address), 0);
    ck_assert_int_eq(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                           {.fd = status_mhd_fd(status), .events = POLLIN}};
    while (fds[0].revents == 0) {
        int found = poll(fds, 2, PATIENCE_MS);
        ck_assert_msg(found > 0, "no answer");
        status_mhd_run(status);
    }
    ck_assert_int_gt(read(fd, answer, sizeof answer - 1), 0);
    ck_assert_msg(strncmp(answer, "HTTP/1.1 ", 9) == 0, "%s", answer);
    close(fd);
    return (int)strtol(answer + 9, NULL, 10);
}

static void ask(const char *request)
{
    ck_assert_int_eq(answered(request), 200);
}

START_TEST(who_asks_is_told)
{
    ask("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    ck_assert(seen.is_local && !seen.by_web_page && !seen.authenticated);
    ck_assert_int_eq(seen.method, STATUS_POST);
    ask("POST /a HTTP/1.1\r\nHost: x\r\norigin: null\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n");
    ck_assert(seen.is_local && seen.by_web_page);
}

START_TEST(without_descriptors_the_old_server_serves_on)
{
    struct err err = {.text = ""};
    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3; /* what is open beyond stays so */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert(!status_mhd_renew(status, NULL, &err));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_msg(strstr(err.text, "Too many open files") != NULL, "%s", err.text);
    ask("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    ck_assert(status_mhd_renew(status, NULL, &err));
    ask("GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

/* The hash is dear: one guess takes longer than the second that is waited after a cheap one. */
START_TEST(who_guesses_passwords_does_not_get_all_of_the_loops_time)
{
    static const char guess[] = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                "Authorization: Basic dTpndWVzcw==\r\n\r\n";
    struct conf_web_user user = {
        .name = (char[]){"u"},
        .hash = (char[]){"$2b$15$abcdefghijklmnopqrstuuhiNZXkTFMCiaM.9LKAZ5KgRZtwr.E1S"}};
    struct conf_web web = {.users = &user, .users_count = 1};
    struct err err = {.text = ""};
    ck_assert_msg(status_mhd_renew(status, &web, &err), "%s", err.text);
    ck_assert_int_eq(answered(guess), 401);
    ck_assert_int_eq(answered(guess), 429);
}

Suite *suite_status_mhd(void);
Suite *suite_status_mhd(void)
{
    Suite *suite = suite_create("status_mhd");
    TCase *cases = tcase_create("status_mhd");
    tcase_add_checked_fixture(cases, start, stop);
    tcase_set_timeout(cases, PATIENCE_MS / 1000.0);
    tcase_add_test(cases, who_asks_is_told);
    tcase_add_test(cases, without_descriptors_the_old_server_serves_on);
    tcase_add_test(cases, who_guesses_passwords_does_not_get_all_of_the_loops_time);
    suite_add_tcase(suite, cases);
    return suite;
}

/* test_http_curl.c - the real network seam against a loopback server that misbehaves on request. */
#include <check.h>
#include <http_peer.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include <walship/http_curl.h>
#include <walship/limits.h>
#include <walship/mem.h>

enum { PATIENCE_MS = 20000 }; /* far beyond anything but a hang */

static struct http_peer *peer;
static struct http *http;
static char url_text[300];

static void start(void)
{
    peer = http_peer_start();
    http = http_curl_new();
}

static void stop(void)
{
    http_curl_free(http);
    http_peer_stop(peer);
}

static const char *url(const char *path)
{
    (void)snprintf(url_text, sizeof url_text, "http://127.0.0.1:%u%s", http_peer_port(peer), path);
    return url_text;
}

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct http_request request_to(uint64_t id, const char *to)
{
    return (struct http_request){.id = id,
                                 .method = HTTP_POST,
                                 .url = to,
                                 .body = "abc",
                                 .body_bytes = 3,
                                 .timeout_ms = PATIENCE_MS};
}

static void post(const struct http_request *request)
{
    struct err err = {.code = 0};
    ck_assert_msg(http->post(http, request, &err), "%s", err.text);
}

/* The next result, whichever it is. */
static struct http_result await(void)
{
    struct http_result result;
    int64_t end_ms = now_ms() + PATIENCE_MS;
    while (!http->next_result(http, &result)) {
        ck_assert_msg(now_ms() < end_ms, "no result came");
        http_curl_wait(http, NULL, 0, 1000);
        http_curl_run(http);
    }
    return result;
}

static struct http_result post_to(const char *path, int64_t timeout_ms)
{
    struct http_request request = request_to(1, url(path));
    request.timeout_ms = timeout_ms;
    post(&request);
    return await();
}

static void expect_header(const struct http_result *result, const char *name, const char *value)
{
    for (size_t i = 0; i < result->headers_count; i++) {
        if (strcmp(result->headers[i].name, name) == 0) {
            ck_assert_str_eq(result->headers[i].value, value);
            return;
        }
    }
    ck_abort_msg("no header %s", name);
}

/* ---- answers ---- */

START_TEST(a_204_is_answered_without_a_body)
{
    struct http_result result = post_to("/204", PATIENCE_MS);
    ck_assert_int_eq(result.outcome, HTTP_ANSWERED);
    ck_assert_uint_eq(result.id, 1);
    ck_assert_int_eq(result.status, 204);
    ck_assert_uint_eq(result.body_bytes, 0);
    ck_assert_str_eq(result.body, "");
    ck_assert_ptr_null(result.retry_after);
    ck_assert_ptr_null(result.error);
    ck_assert(!result.repeated);
    ck_assert_int_ge(result.elapsed_ms, 0);
    ck_assert(!http->next_result(http, &result)); /* exactly one */
}

START_TEST(a_429_brings_its_headers_and_body)
{
    struct http_result result = post_to("/429", PATIENCE_MS);
    ck_assert_int_eq(result.outcome, HTTP_ANSWERED);
    ck_assert_int_eq(result.status, 429);
    ck_assert_str_eq(result.retry_after, "7");
    ck_assert_str_eq(result.date, "Sun, 06 Nov 1994 08:49:37 GMT");
    ck_assert_str_eq(result.content_type, "text/plain");
    ck_assert_str_eq(result.www_authenticate, "Bearer realm=\"x\"");
    ck_assert_ptr_null(result.location);
    ck_assert_str_eq(result.body, "slow down");
    expect_header(&result, "X-Other", "y");
    result = post_to("/204", PATIENCE_MS); /* nothing of it is left in the next */
    ck_assert_str_eq(result.body, "");
    ck_assert_ptr_null(result.retry_after);
}

START_TEST(a_redirect_is_an_answer_and_is_not_followed)
{
    struct http_result result = post_to("/redirect", PATIENCE_MS);
    ck_assert_int_eq(result.status, 302);
    ck_assert_str_eq(result.location, "/204");
    ck_assert_uint_eq(http_peer_requests(peer), 1);
}

START_TEST(a_100_continue_is_passed_over)
{
    struct http_result result = post_to("/continue", PATIENCE_MS);
    ck_assert_int_eq(result.outcome, HTTP_ANSWERED);
    ck_assert_int_eq(result.status, 204);
}

START_TEST(headers_are_bounded_in_count_and_length)
{
    struct http_result result = post_to("/headers", PATIENCE_MS);
    ck_assert_int_eq(result.status, 200);
    ck_assert_uint_eq(result.headers_count, HTTP_CURL_HEADERS_MAX);
    expect_header(&result, "X-First", "1");
    ck_assert_ptr_null(result.location); /* too long: left out whole */
}

static const struct {
    const char *path;
    size_t bytes;
} bodies[] = {{"/bytes/0", 0},
              {"/bytes/65535", 65535},
              {"/bytes/65536", HTTP_RESPONSE_BYTES_MAX},
              {"/bytes/65537", HTTP_RESPONSE_BYTES_MAX},
              {"/bytes/5000000", HTTP_RESPONSE_BYTES_MAX},
              {"/huge", HTTP_RESPONSE_BYTES_MAX}};

START_TEST(an_answer_is_cut_at_the_limit_and_still_is_one)
{
    struct http_result result = post_to(bodies[_i].path, PATIENCE_MS);
    ck_assert_int_eq(result.outcome, HTTP_ANSWERED);
    ck_assert_int_eq(result.status, 200);
    ck_assert_uint_eq(result.body_bytes, bodies[_i].bytes);
    ck_assert_uint_eq(strlen(result.body), bodies[_i].bytes);
    result = post_to("/204", PATIENCE_MS); /* the transfer is as good as new */
    ck_assert_int_eq(result.status, 204);
    ck_assert_uint_eq(result.body_bytes, 0);
}

/* ---- what goes out ---- */

START_TEST(the_request_carries_our_headers_and_body_and_no_expect)
{
    static const struct http_header headers[] = {{"Content-Type", "application/x-protobuf"},
                                                 {"Content-Encoding", "snappy"},
                                                 {"X-Empty", ""}};
    struct http_request request = request_to(1, url("/echo"));
    request.headers = headers;
    request.headers_count = ARRAY_COUNT(headers);
    post(&request);
    struct http_result result = await();
    ck_assert_ptr_nonnull(strstr(result.body, "POST /echo HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(strstr(result.body, "\r\nUser-Agent: walship/" WALSHIP_VERSION "\r\n"));
    ck_assert_ptr_nonnull(strstr(result.body, "\r\nContent-Type: application/x-protobuf\r\n"));
    ck_assert_ptr_nonnull(strstr(result.body, "\r\nContent-Encoding: snappy\r\n"));
    ck_assert_ptr_nonnull(strstr(result.body, "\r\nX-Empty:\r\n"));
    ck_assert_ptr_nonnull(strstr(result.body, "\r\nContent-Length: 3\r\n"));
    ck_assert_ptr_null(strcasestr(result.body, "Expect:"));
    ck_assert_ptr_nonnull(strstr(result.body, "\r\n\r\nabc"));
}

START_TEST(a_get_carries_neither_body_nor_the_headers_of_the_post_before)
{
    static const struct http_header headers[] = {{"Authorization", "Bearer secret"}};
    struct http_request request = request_to(1, url("/echo"));
    request.headers = headers;
    request.headers_count = 1;
    post(&request);
    ck_assert_ptr_nonnull(strstr(await().body, "Bearer secret"));
    request = (struct http_request){
        .id = 2, .method = HTTP_GET, .url = url("/echo"), .timeout_ms = PATIENCE_MS};
    post(&request);
    struct http_result result = await();
    ck_assert_ptr_nonnull(strstr(result.body, "GET /echo HTTP/1.1\r\n"));
    ck_assert_ptr_null(strstr(result.body, "Bearer"));
    ck_assert_ptr_null(strstr(result.body, "Content-Length"));
    ck_assert_ptr_null(strstr(result.body, "abc"));
}

START_TEST(bodies_of_any_size_arrive_whole)
{
    static const size_t sizes[] = {0, 1, 60000, 70000, 4 << 20};
    char *body = mem_new(4 << 20, 1);
    struct http_request request = request_to(1, url("/204"));
    request.body = sizes[_i] > 0 ? body : NULL;
    request.body_bytes = sizes[_i];
    post(&request);
    struct http_result result = await();
    ck_assert_int_eq(result.status, 204); /* the peer read all that Content-Length promised */
    ck_assert_uint_eq(http_peer_requests(peer), 1);
    ck_assert(!result.repeated);
    mem_free(body);
}

START_TEST(a_large_body_is_sent_without_asking_first)
{
    char *body = mem_new(2 << 20, 1);
    struct http_request request = request_to(1, url("/echo"));
    request.body = body;
    request.body_bytes = 2 << 20;
    post(&request);
    struct http_result result = await();
    ck_assert_ptr_nonnull(strstr(result.body, "\r\nContent-Length: 2097152\r\n"));
    ck_assert_ptr_null(strcasestr(result.body, "Expect:"));
    mem_free(body);
}

START_TEST(a_proxy_in_the_environment_is_not_used)
{
    int fd = -1;
    char proxy[60];
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u/", http_peer_dead_port(&fd));
    (void)setenv("http_proxy", proxy, 1);
    (void)setenv("ALL_PROXY", proxy, 1);
    (void)unsetenv("no_proxy");
    (void)unsetenv("NO_PROXY");
    ck_assert_int_eq(post_to("/204", PATIENCE_MS).status, 204);
    (void)close(fd);
}

/* ---- failures ---- */

static const struct {
    const char *path;
    int64_t timeout_ms;
} unsure[] = {{"/cut", PATIENCE_MS},     {"/reset", PATIENCE_MS}, {"/close", PATIENCE_MS},
              {"/garbage", PATIENCE_MS}, {"/hang", 300},          {"/slow", 300}};

/* On a busy machine a short time is over before anything was sent: then it gets a longer one. */
static struct http_result post_until_sent(const char *path, int64_t timeout_ms)
{
    struct http_result result = post_to(path, timeout_ms);
    while (result.outcome == HTTP_NOT_SENT && timeout_ms < PATIENCE_MS / 2) {
        ck_assert_uint_eq(http_peer_requests(peer), 0);
        timeout_ms *= 2;
        result = post_to(path, timeout_ms);
    }
    return result;
}

static void await_peer(uint64_t (*count)(const struct http_peer *), uint64_t wanted)
{
    int64_t end_ms = now_ms() + PATIENCE_MS;
    while (count(peer) < wanted) {
        ck_assert(now_ms() < end_ms);
        (void)sched_yield();
    }
}

START_TEST(what_the_peer_may_have_taken_is_unsure)
{
    struct http_result result = post_until_sent(unsure[_i].path, unsure[_i].timeout_ms);
    ck_assert_int_eq(result.outcome, HTTP_AMBIGUOUS);
    ck_assert_int_eq(result.status, 0);
    ck_assert_ptr_nonnull(result.error);
    ck_assert_uint_gt(strlen(result.error), 0);
    await_peer(http_peer_requests, 1); /* it had been delivered indeed */
    ck_assert_uint_eq(http_peer_requests(peer), 1);
    ck_assert_int_lt(result.elapsed_ms, PATIENCE_MS);
}

START_TEST(a_refused_connection_sent_nothing)
{
    int fd = -1;
    char text[200];
    (void)snprintf(text, sizeof text, "http://user:geheim@127.0.0.1:%u/p?key=geheim",
                   http_peer_dead_port(&fd));
    struct http_request request = request_to(1, text);
    post(&request);
    struct http_result result = await();
    ck_assert_int_eq(result.outcome, HTTP_NOT_SENT);
    ck_assert_ptr_nonnull(strstr(result.error, "127.0.0.1"));
    ck_assert_ptr_null(strstr(result.error, "geheim")); /* I6 */
    (void)close(fd);
}

START_TEST(an_unknown_name_or_a_silent_resolver_sent_nothing)
{
    struct http_request request =
        request_to(1, "http://user:geheim@no-such-host.invalid/?k=geheim");
    request.timeout_ms = 500;
    post(&request);
    struct http_result result = await();
    ck_assert_int_eq(result.outcome, HTTP_NOT_SENT);
    ck_assert_ptr_null(strstr(result.error, "geheim"));
}

START_TEST(a_failed_tls_handshake_sent_nothing)
{
    char text[100];
    (void)snprintf(text, sizeof text, "https://127.0.0.1:%u/204", http_peer_port(peer));
    struct http_request request = request_to(1, text);
    request.timeout_ms = 500; /* the peer waits for the end of a request in clear */
    post(&request);
    ck_assert_int_eq(await().outcome, HTTP_NOT_SENT);
    ck_assert_uint_eq(http_peer_requests(peer), 0);
}

static const char *const bad_urls[] = {"",
                                       "geheim",
                                       "127.0.0.1:9/geheim",
                                       "ftp://u:geheim@127.0.0.1/",
                                       "file:///geheim",
                                       "http://u:geheim@/",
                                       "http://u:geheim@127.0.0.1:99999/",
                                       "gopher://geheim"};

START_TEST(a_bad_url_is_refused_without_being_shown)
{
    struct http_request request = request_to(1, bad_urls[_i]);
    struct http_result result;
    struct err err = {.code = 0};
    ck_assert(!http->post(http, &request, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "bad URL"));
    ck_assert_ptr_null(strstr(err.text, "geheim"));
    http_curl_run(http);
    ck_assert(!http->next_result(http, &result));
}

START_TEST(a_header_with_a_line_break_is_refused)
{
    static const struct http_header headers[] = {{"A", "b\r\nHost: evil"}, {"A\nB", "c"}};
    struct http_request request = request_to(1, url("/204"));
    struct err err = {.code = 0};
    request.headers = &headers[_i];
    request.headers_count = 1;
    ck_assert(!http->post(http, &request, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "line break"));
    request.headers_count = 0;
    post(&request);
    ck_assert_int_eq(await().status, 204);
}

START_TEST(more_requests_than_the_limit_are_refused_and_room_comes_back)
{
    struct err err = {.code = 0};
    struct http_request request = request_to(0, url("/204"));
    for (uint64_t id = 1; id <= HTTP_CURL_REQUESTS_MAX; id++) {
        request.id = id;
        post(&request);
    }
    request.id = 5000;
    ck_assert(!http->post(http, &request, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "too many"));
    http->cancel(http, 77);
    post(&request);
}

/* ---- connections ---- */

START_TEST(a_connection_is_kept_and_used_again)
{
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(post_to("/204", PATIENCE_MS).status, 204);
    }
    ck_assert_uint_eq(http_peer_requests(peer), 5);
    ck_assert_uint_eq(http_peer_connections(peer), 1);
}

START_TEST(a_kept_connection_that_the_peer_closed_is_replaced_without_a_repeat)
{
    ck_assert_int_eq(post_to("/quit", PATIENCE_MS).status, 204);
    await_peer(http_peer_closed, 1);
    struct http_result result = post_to("/204", PATIENCE_MS);
    ck_assert_int_eq(result.status, 204);
    ck_assert(!result.repeated);
    ck_assert_uint_eq(http_peer_requests(peer), 2);
    ck_assert_uint_eq(http_peer_connections(peer), 2);
}

/* The peer reads the request and closes: libcurl sends it again by itself. It arrived twice. */
START_TEST(a_repeat_by_the_library_is_said)
{
    ck_assert_int_eq(post_to("/mortal", PATIENCE_MS).status, 204);
    struct http_result result = post_to("/mortal", PATIENCE_MS);
    ck_assert_int_eq(result.outcome, HTTP_ANSWERED);
    ck_assert_int_eq(result.status, 204);
    ck_assert(result.repeated);
    ck_assert_uint_eq(http_peer_requests(peer), 3);
    result = post_to("/204", PATIENCE_MS); /* and forgotten with the next request */
    ck_assert(!result.repeated);
}

/* ---- cancel ---- */

START_TEST(a_cancelled_request_gives_no_result_and_the_others_go_on)
{
    struct http_request hanging = request_to(1, url("/hang"));
    post(&hanging);
    int64_t end_ms = now_ms() + PATIENCE_MS;
    while (http_peer_requests(peer) == 0) { /* it is under way */
        ck_assert(now_ms() < end_ms);
        http_curl_run(http);
        http_curl_wait(http, NULL, 0, 10);
    }
    http->cancel(http, 1);
    http->cancel(http, 99); /* unknown: nothing */
    struct http_request other = request_to(2, url("/204"));
    post(&other);
    ck_assert_uint_eq(await().id, 2);
    struct http_result result;
    http_curl_run(http);
    ck_assert(!http->next_result(http, &result));
}

/* Turns without taking anything, until the peer has answered `requests` and, as far as a machine is
 * not very busy, all of it has arrived: nothing tells. */
static void let_finish(uint64_t requests)
{
    int64_t end_ms = now_ms() + 300;
    while (http_peer_requests(peer) < requests || now_ms() < end_ms) {
        http_curl_run(http);
        (void)usleep(1000);
    }
}

START_TEST(a_finished_request_can_be_cancelled_before_it_is_taken)
{
    struct http_request request = request_to(0, url("/204"));
    struct http_result result;
    for (request.id = 1; request.id <= 3; request.id++) {
        post(&request);
    }
    let_finish(3);
    http->cancel(http, 1 + (uint64_t)_i); /* first, middle or last of those ready */
    post(&request);
    let_finish(4);
    for (int left = 3; left > 0; left--) {
        ck_assert_uint_ne(await().id, 1 + (uint64_t)_i);
    }
    http_curl_run(http);
    ck_assert(!http->next_result(http, &result));
}

START_TEST(freeing_with_requests_in_flight_is_clean)
{
    struct http_request request = request_to(1, url("/hang"));
    post(&request);
    http_curl_run(http);
    request = request_to(2, "http://no-such-host.invalid/");
    post(&request);
    http_curl_run(http); /* a lookup is pending; teardown frees */
}

/* ---- the loop ---- */

START_TEST(waiting_ends_when_one_of_our_descriptors_is_ready)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    int64_t start_ms = now_ms();
    http_curl_wait(http, &fd, 1, 20); /* nothing yet: sleeps */
    ck_assert_int_ge(now_ms() - start_ms, 15);
    ck_assert_int_eq(fd.revents, 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    start_ms = now_ms();
    http_curl_wait(http, &fd, 1, PATIENCE_MS);
    ck_assert_int_eq(fd.revents, POLLIN);
    char byte = 0;
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    (void)close(ends[1]);
    http_curl_wait(http, &fd, 1, PATIENCE_MS);
    ck_assert_int_eq(fd.revents, POLLHUP);
    ck_assert_int_lt(now_ms() - start_ms, PATIENCE_MS / 2);
    (void)close(ends[0]);
}

START_TEST(waiting_does_not_sleep_on_a_fresh_request_or_an_untaken_result)
{
    struct http_request request = request_to(1, url("/204"));
    struct http_result result;
    int64_t start_ms = now_ms();
    post(&request);
    http_curl_wait(http, NULL, 0, PATIENCE_MS); /* never started yet */
    while (http_peer_requests(peer) == 0) {
        http_curl_run(http);
    }
    for (int i = 0; i < 1000; i++) {
        http_curl_run(http);
        http_curl_wait(http, NULL, 0, PATIENCE_MS); /* once it has finished: returns at once */
    }
    ck_assert(http->next_result(http, &result));
    ck_assert_int_lt(now_ms() - start_ms, PATIENCE_MS / 2);
}

/* The trap of this loop's shape: results are reaped, then the loop sleeps before it refills. Any
 * such sleep would last the whole timeout, as nothing is in flight: none may. And the loop must not
 * spin. */
START_TEST(ten_thousand_posts_over_eight_connections_never_sleep_with_work_at_hand)
{
    enum { POSTS = 10000, WIDTH = 8, TURNS_MAX = 4 * POSTS, SLEEP_MS = 5000 };
    uint64_t sent = 0, done = 0, turns = 0, whole_sleeps = 0;
    struct http_result result;
    while (done < POSTS) {
        turns++;
        http_curl_run(http);
        while (http->next_result(http, &result)) {
            ck_assert_int_eq(result.status, 204);
            done++;
        }
        for (; sent < POSTS && sent - done < WIDTH; sent++) {
            struct http_request request = request_to(sent + 1, url("/204"));
            post(&request);
        }
        if (done < POSTS) {
            int64_t start_ms = now_ms();
            http_curl_wait(http, NULL, 0, SLEEP_MS);
            whole_sleeps += now_ms() - start_ms >= SLEEP_MS;
        }
    }
    ck_assert_uint_eq(whole_sleeps, 0);
    ck_assert_uint_le(turns, TURNS_MAX);
    ck_assert_uint_eq(http_peer_requests(peer), POSTS);
    ck_assert_uint_le(http_peer_connections(peer), WIDTH);
}

START_TEST(sigpipe_is_ignored)
{
    struct sigaction action;
    ck_assert_int_eq(sigaction(SIGPIPE, NULL, &action), 0);
    ck_assert(action.sa_handler == SIG_IGN);
}

Suite *suite_http_curl(void);
Suite *suite_http_curl(void)
{
    Suite *suite = suite_create("http_curl");
    TCase *tests = tcase_create("http_curl");
    tcase_add_checked_fixture(tests, start, stop);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_204_is_answered_without_a_body);
    tcase_add_test(tests, a_429_brings_its_headers_and_body);
    tcase_add_test(tests, a_redirect_is_an_answer_and_is_not_followed);
    tcase_add_test(tests, a_100_continue_is_passed_over);
    tcase_add_test(tests, headers_are_bounded_in_count_and_length);
    tcase_add_loop_test(tests, an_answer_is_cut_at_the_limit_and_still_is_one, 0,
                        (int)ARRAY_COUNT(bodies));
    tcase_add_test(tests, the_request_carries_our_headers_and_body_and_no_expect);
    tcase_add_test(tests, a_get_carries_neither_body_nor_the_headers_of_the_post_before);
    tcase_add_loop_test(tests, bodies_of_any_size_arrive_whole, 0, 5);
    tcase_add_test(tests, a_large_body_is_sent_without_asking_first);
    tcase_add_test(tests, a_proxy_in_the_environment_is_not_used);
    tcase_add_loop_test(tests, what_the_peer_may_have_taken_is_unsure, 0, (int)ARRAY_COUNT(unsure));
    tcase_add_test(tests, a_refused_connection_sent_nothing);
    tcase_add_test(tests, an_unknown_name_or_a_silent_resolver_sent_nothing);
    tcase_add_test(tests, a_failed_tls_handshake_sent_nothing);
    tcase_add_loop_test(tests, a_bad_url_is_refused_without_being_shown, 0,
                        (int)ARRAY_COUNT(bad_urls));
    tcase_add_loop_test(tests, a_header_with_a_line_break_is_refused, 0, 2);
    tcase_add_test(tests, more_requests_than_the_limit_are_refused_and_room_comes_back);
    tcase_add_test(tests, a_connection_is_kept_and_used_again);
    tcase_add_test(tests, a_kept_connection_that_the_peer_closed_is_replaced_without_a_repeat);
    tcase_add_test(tests, a_repeat_by_the_library_is_said);
    tcase_add_test(tests, a_cancelled_request_gives_no_result_and_the_others_go_on);
    tcase_add_loop_test(tests, a_finished_request_can_be_cancelled_before_it_is_taken, 0, 3);
    tcase_add_test(tests, freeing_with_requests_in_flight_is_clean);
    tcase_add_test(tests, waiting_ends_when_one_of_our_descriptors_is_ready);
    tcase_add_test(tests, waiting_does_not_sleep_on_a_fresh_request_or_an_untaken_result);
    tcase_add_test(tests, ten_thousand_posts_over_eight_connections_never_sleep_with_work_at_hand);
    tcase_add_test(tests, sigpipe_is_ignored);
    suite_add_tcase(suite, tests);
    return suite;
}

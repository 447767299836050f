/* test_verdicts.c - the table of verdicts: every status has one, the texts of real receivers are
 * known, and docs/VERDICTS.md is what the tables say. To write it again:
 * WALSHIP_WRITE_DOCS=1 build/dev/test_endpoint */
#include "answers.h"

#include <check.h>
#include <walship/endpoint.h>
#include <walship/log.h>

static void swallow_line(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static enum verdict verdict_for(int status, const char *body, bool gives_up)
{
    struct endpoint_conf conf = {.min_backoff_ms = 30,
                                 .max_backoff_ms = 5000,
                                 .in_flight_max = 1,
                                 .gives_up_on_429 = gives_up};
    struct endpoint endpoint;
    struct http_result result = {.id = 1,
                                 .outcome = HTTP_ANSWERED,
                                 .status = status,
                                 .body = body,
                                 .body_bytes = strlen(body)};
    log_set_sink(swallow_line, NULL, NULL);
    endpoint_init(&endpoint, &conf, 1);
    endpoint_sent(&endpoint, 1, 0);
    enum verdict verdict = endpoint_answered(&endpoint, &result, 0, 0);
    log_set_sink(NULL, NULL, NULL);
    return verdict;
}

/* Refused means taken apart; given up is only what the configuration asks for. */
START_TEST(every_status_has_a_verdict_and_only_a_2xx_is_acked)
{
    for (int status = 100; status < 600; status++) {
        enum verdict verdict = verdict_for(status, "", false);
        ck_assert((verdict == VERDICT_ACKED) == (status / 100 == 2));
        bool refused = status == 400 || status == 409 || status == 422;
        ck_assert((verdict == VERDICT_REFUSED) == refused);
        ck_assert((verdict == VERDICT_FAILED) == (status / 100 == 5));
        ck_assert((verdict == VERDICT_SMALLER) == (status == 413));
        ck_assert_int_ne(verdict, VERDICT_GIVEN_UP);
        ck_assert_int_ne(verdict, VERDICT_THERE);
    }
}

static const struct {
    int status;
    const char *body;
    enum verdict verdict;
} answers[] = {
    {400, "out of order sample\n", VERDICT_THERE},
    {400, "out of bounds\n", VERDICT_THERE},
    {400, "too old sample\n", VERDICT_THERE},
    {400, "duplicate sample for timestamp\n", VERDICT_THERE},
    {400, "duplicate sample for timestamp; overrides not allowed: existing 1, new value 2\n",
     VERDICT_THERE},
    {400, "out of bounds: timestamp is too far in the future\n", VERDICT_REFUSED},
    {422, "Out Of Order Sample", VERDICT_THERE},
    {400,
     "failed pushing to ingester: user=a: the sample has been rejected because another sample with "
     "a more recent timestamp has already been ingested and out-of-order samples are not allowed "
     "(err-mimir-sample-out-of-order). The affected sample has timestamp 1 and is from series up",
     VERDICT_THERE_TAKEN},
    {400, "user=a: err: out of order sample. timestamp=1, series={}", VERDICT_THERE_TAKEN},
    {409, "store locally for endpoint 127.0.0.1:19291: conflict", VERDICT_THERE_TAKEN},
    {409, "add 3 samples: out of order sample", VERDICT_THERE_TAKEN},
    {400, "invalid label name", VERDICT_REFUSED},
    {400, "received a series whose number of labels exceeds the limit", VERDICT_REFUSED},
    {500, "out of order sample", VERDICT_FAILED},
    {429, "out of order sample", VERDICT_RETRY},
};

START_TEST(what_receivers_say_is_understood)
{
    ck_assert_int_eq(verdict_for(answers[_i].status, answers[_i].body, false), answers[_i].verdict);
}

START_TEST(a_reason_far_behind_in_a_flood_is_not_looked_for)
{
    static char body[60000];
    memset(body, 'x', sizeof body - 1);
    memcpy(body + 50000, "out of order sample", 19);
    ck_assert_int_eq(verdict_for(400, body, false), VERDICT_REFUSED);
    memcpy(body + 1000, "out of order sample", 19);
    ck_assert_int_eq(verdict_for(400, body, false), VERDICT_THERE);
}

START_TEST(a_429_is_given_up_only_when_the_configuration_says_so)
{
    ck_assert_int_eq(verdict_for(429, "", false), VERDICT_RETRY);
    ck_assert_int_eq(verdict_for(429, "", true), VERDICT_GIVEN_UP);
    ck_assert_int_eq(verdict_for(503, "", true), VERDICT_FAILED);
}

START_TEST(what_certainly_did_not_arrive_is_not_the_requests_fault)
{
    struct endpoint_conf conf = {.min_backoff_ms = 30, .max_backoff_ms = 5000, .in_flight_max = 1};
    static const struct {
        enum http_outcome outcome;
        enum verdict verdict;
    } ends[] = {{HTTP_NOT_SENT, VERDICT_RETRY}, {HTTP_AMBIGUOUS, VERDICT_FAILED}};
    struct endpoint endpoint;
    struct http_result result = {.id = 1, .outcome = ends[_i].outcome, .error = "reset"};
    log_set_sink(swallow_line, NULL, NULL);
    endpoint_init(&endpoint, &conf, 1);
    endpoint_sent(&endpoint, 1, 0);
    ck_assert_int_eq(endpoint_answered(&endpoint, &result, 0, 0), ends[_i].verdict);
    ck_assert_int_eq(endpoint.state, ENDPOINT_BACKOFF);
    log_set_sink(NULL, NULL, NULL);
}

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is missing", path);
    char chunk[4096];
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;) {
        ck_assert(buf_append(out, chunk, got));
    }
    (void)fclose(file);
}

static void write_file(const char *path, const struct buf *bytes)
{
    FILE *file = fopen(path, "wb");
    ck_assert(file != NULL);
    ck_assert_uint_eq(fwrite(bytes->data, 1, bytes->bytes, file), bytes->bytes);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(the_page_in_docs_is_what_the_tables_say)
{
    static const char path[] = WALSHIP_SOURCE_DIR "/docs/VERDICTS.md";
    struct buf made;
    struct buf stored;
    buf_init(&made, 1 << 20);
    buf_init(&stored, 1 << 20);
    ck_assert(endpoint_document(&made));
    if (getenv("WALSHIP_WRITE_DOCS") != NULL) {
        write_file(path, &made);
    }
    read_file(path, &stored);
    ck_assert_msg(made.bytes == stored.bytes && memcmp(made.data, stored.data, made.bytes) == 0,
                  "docs/VERDICTS.md is stale: WALSHIP_WRITE_DOCS=1 build/dev/test_endpoint");
    buf_release(&made);
    buf_release(&stored);
}

START_TEST(a_page_that_does_not_fit_is_said)
{
    for (size_t limit = 100; limit < 4000; limit += 100) {
        struct buf small;
        buf_init(&small, limit);
        ck_assert(!endpoint_document(&small));
        buf_release(&small);
    }
}

Suite *suite_verdicts(void);
Suite *suite_verdicts(void)
{
    Suite *suite = suite_create("verdicts");
    TCase *tests = tcase_create("verdicts");
    tcase_add_test(tests, every_status_has_a_verdict_and_only_a_2xx_is_acked);
    tcase_add_loop_test(tests, what_receivers_say_is_understood, 0, (int)ARRAY_COUNT(answers));
    tcase_add_test(tests, a_reason_far_behind_in_a_flood_is_not_looked_for);
    tcase_add_test(tests, a_429_is_given_up_only_when_the_configuration_says_so);
    tcase_add_loop_test(tests, what_certainly_did_not_arrive_is_not_the_requests_fault, 0, 2);
    tcase_add_test(tests, the_page_in_docs_is_what_the_tables_say);
    tcase_add_test(tests, a_page_that_does_not_fit_is_said);
    suite_add_tcase(suite, tests);
    return suite;
}

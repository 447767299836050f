/* test_endpoint.c - golden traces of the endpoint's state machine, and what no trace may break.
 *
 * tests/golden/endpoint/NAME.txt holds both the script (lines that start with "> ") and what it
 * prints (all others but # comments): the text is the specification. After a change on purpose
 * `WALSHIP_GOLDEN_WRITE=1 test_endpoint` writes the files anew; read the difference.
 *
 *     > conf MIN_MS MAX_MS IN_FLIGHT_MAX
 *     > at MS send
 *     > at MS answer ID STATUS [| retry-after: TEXT] [| date: TEXT] [| body: TEXT]
 *     > at MS fails ID not-sent|unsure TEXT
 *     > at MS cancel ID */
#include <check.h>
#include <inttypes.h>
#include <walship/buf.h>
#include <walship/endpoint.h>
#include <walship/limits.h>
#include <walship/log.h>
#include <walship/mem.h>

enum { TEXT_BYTES_MAX = 1 << 16, SEED = 1 };
static const int64_t wall_start_ms = 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT */

struct run {
    struct endpoint endpoint;
    int64_t now_ms;
    uint64_t id;
    struct buf out;
};

static void print(struct run *run, const char *text)
{
    ck_assert(buf_append(&run->out, text, strlen(text)));
}

/* "ts=... " goes: the trace has its own time. */
static void take_log_line(void *context, const char *line)
{
    const char *level = strstr(line, "level=");
    print(context, "         log ");
    print(context, level != NULL ? level : line);
}

static int64_t give_log_time(void *context)
{
    const struct run *run = context;
    return wall_start_ms + run->now_ms;
}

static void print_state(struct run *run, const char *what)
{
    const struct endpoint *e = &run->endpoint;
    ck_assert(buf_format(&run->out, "[%6" PRId64 "] %s; %s, %u of %u in flight", run->now_ms, what,
                         endpoint_state_name(e->state), e->in_flight - e->stragglers, e->allowed));
    if (e->stragglers > 0) {
        ck_assert(buf_format(&run->out, ", %u stragglers", e->stragglers));
    }
    int64_t deadline = endpoint_deadline(e);
    if (deadline != INT64_MAX) {
        ck_assert(buf_format(&run->out, ", next at %" PRId64, deadline));
    }
    print(run, "\n");
}

static const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {"acked",   "retry", "failed",       "smaller",
                                        "refused", "there", "there, taken", "given up"};
    return names[verdict];
}

static void do_send(struct run *run)
{
    char text[64];
    if (!endpoint_may_send(&run->endpoint, run->now_ms)) {
        print_state(run, "may not send");
        return;
    }
    endpoint_sent(&run->endpoint, ++run->id, run->now_ms);
    (void)snprintf(text, sizeof text, "#%" PRIu64 " sent", run->id);
    print_state(run, text);
}

/* The value of "| name: value" in line, cut out of it; NULL: absent. */
static char *field(char *line, const char *name, char *room, size_t room_bytes)
{
    char *at = strstr(line, name);
    if (at == NULL) {
        return NULL;
    }
    at += strlen(name);
    size_t count = strcspn(at, "|\n");
    while (count > 0 && at[count - 1] == ' ') {
        count--;
    }
    ck_assert_uint_lt(count, room_bytes);
    memcpy(room, at, count);
    room[count] = '\0';
    return room;
}

static void answered(struct run *run, const struct http_result *result, const char *what)
{
    char text[120];
    enum verdict verdict =
        endpoint_answered(&run->endpoint, result, run->now_ms, wall_start_ms + run->now_ms);
    (void)snprintf(text, sizeof text, "#%" PRIu64 " %s -> %s", result->id, what,
                   verdict_name(verdict));
    print_state(run, text);
}

static void do_answer(struct run *run, char *line)
{
    char retry_after[100], date[100], body[400], what[20];
    struct http_result result = {.outcome = HTTP_ANSWERED};
    ck_assert_int_eq(sscanf(line, "answer %" SCNu64 " %d", &result.id, &result.status), 2);
    result.retry_after = field(line, "| retry-after: ", retry_after, sizeof retry_after);
    result.date = field(line, "| date: ", date, sizeof date);
    result.body = field(line, "| body: ", body, sizeof body);
    result.body_bytes = result.body != NULL ? strlen(result.body) : 0;
    (void)snprintf(what, sizeof what, "%d", result.status);
    answered(run, &result, what);
}

static void do_fail(struct run *run, char *line)
{
    char how[20];
    int text = 0;
    struct http_result result = {.outcome = HTTP_AMBIGUOUS};
    ck_assert_int_eq(sscanf(line, "fails %" SCNu64 " %19s %n", &result.id, how, &text), 2);
    if (strcmp(how, "not-sent") == 0) {
        result.outcome = HTTP_NOT_SENT;
    }
    line[strcspn(line, "\n")] = '\0';
    result.error = line + text;
    answered(run, &result, how);
}

static void do_conf(struct run *run, const char *line)
{
    struct endpoint_conf conf = {.shown = "http://a/"};
    ck_assert_int_eq(sscanf(line, "> conf %" SCNd64 " %" SCNd64 " %" SCNu32, &conf.min_backoff_ms,
                            &conf.max_backoff_ms, &conf.in_flight_max),
                     3);
    endpoint_init(&run->endpoint, &conf, SEED);
}

static void step(struct run *run, char *line)
{
    int verb_at = 0;
    if (strncmp(line, "> conf ", 7) == 0) {
        do_conf(run, line);
        return;
    }
    ck_assert_msg(sscanf(line, "> at %" SCNd64 " %n", &run->now_ms, &verb_at) == 1, "%s", line);
    char *verb = line + verb_at;
    if (strncmp(verb, "send", 4) == 0) {
        do_send(run);
    } else if (strncmp(verb, "answer ", 7) == 0) {
        do_answer(run, verb);
    } else if (strncmp(verb, "fails ", 6) == 0) {
        do_fail(run, verb);
    } else if (strncmp(verb, "cancel ", 7) == 0) {
        endpoint_cancelled(&run->endpoint, strtoull(verb + 7, NULL, 10));
        print_state(run, "cancelled");
    } else {
        ck_abort_msg("no such event: %s", line);
    }
}

static const char *const traces[] = {"start", "backoff", "stragglers", "retry_after",
                                     "held",  "smaller", "cancelled"};

static char *trace_path(const char *name)
{
    return mem_format("%s/tests/golden/endpoint/%s.txt", WALSHIP_SOURCE_DIR, name);
}

/* Runs the script lines of the file; run->out becomes what the file ought to be. */
static void replay(struct run *run, FILE *file, struct buf *is)
{
    char line[500];
    while (fgets(line, sizeof line, file) != NULL) {
        ck_assert(buf_append(is, line, strlen(line)));
        if (line[0] != '>' && line[0] != '#' && line[0] != '\n') {
            continue; /* what it printed last time */
        }
        print(run, line);
        if (line[0] == '>') {
            step(run, line);
        }
    }
}

START_TEST(the_traces_are_as_written)
{
    char *path = trace_path(traces[_i]);
    struct run run = {.now_ms = 0};
    struct buf is;
    buf_init(&run.out, TEXT_BYTES_MAX);
    buf_init(&is, TEXT_BYTES_MAX);
    log_set_sink(take_log_line, give_log_time, &run);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no %s", path);
    replay(&run, file, &is);
    (void)fclose(file);
    log_set_sink(NULL, NULL, NULL);
    print(&run, "");
    ck_assert_uint_gt(run.id, 0); /* an empty file proves nothing */
    if (getenv("WALSHIP_GOLDEN_WRITE") != NULL) {
        file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(fwrite(run.out.data, 1, run.out.bytes, file), run.out.bytes);
        (void)fclose(file);
    } else {
        ck_assert(buf_append(&run.out, "", 1) && buf_append(&is, "", 1));
        ck_assert_str_eq((const char *)run.out.data, (const char *)is.data);
    }
    buf_release(&run.out);
    buf_release(&is);
    mem_free(path);
}

/* ---- properties over random answers ---- */

static void swallow_log_line(void *context, const char *line)
{
    (void)context;
    ck_assert_ptr_nonnull(line);
}

static const int statuses[] = {200, 204, 301, 400, 401, 403, 404, 408, 409, 413, 415,
                               422, 429, 500, 502, 503, 504, 599, 0,   99,  700};

static enum verdict random_answer(struct endpoint *endpoint, struct rng *rng, uint64_t id,
                                  int64_t now_ms)
{
    struct http_result result = {.id = id, .error = "broken", .body = "no", .body_bytes = 2};
    result.outcome = rng_below(rng, 4) == 0 ? HTTP_AMBIGUOUS : HTTP_ANSWERED;
    result.status = rng_below(rng, 2) == 0 ? 204 : statuses[rng_below(rng, ARRAY_COUNT(statuses))];
    result.retry_after = rng_below(rng, 8) == 0 ? "2" : NULL;
    return endpoint_answered(endpoint, &result, now_ms, wall_start_ms + now_ms);
}

/* Whatever comes: never more than in_flight_max, at most one probe while not open, and after the
 * deadline (or, open, when all came back) a request may go. */
START_TEST(random_answers_never_wedge_or_overrun_an_endpoint)
{
    struct rng rng = {.state = (uint64_t)_i};
    struct endpoint_conf conf = {.min_backoff_ms = 30, .max_backoff_ms = 5000, .in_flight_max = 8};
    struct endpoint endpoint;
    uint64_t out[8], id = 0;
    uint32_t out_count = 0;
    int64_t now_ms = 0;
    endpoint_init(&endpoint, &conf, (uint64_t)_i);
    log_set_sink(swallow_log_line, NULL, NULL);
    for (int i = 0; i < 5000; i++) {
        now_ms += (int64_t)rng_below(&rng, 100);
        if (out_count > 0 && rng_below(&rng, 2) == 0) {
            uint64_t pick = rng_below(&rng, out_count);
            uint64_t answered_id = out[pick];
            out[pick] = out[--out_count];
            (void)random_answer(&endpoint, &rng, answered_id, now_ms);
        } else if (endpoint_may_send(&endpoint, now_ms)) {
            bool open = endpoint.state == ENDPOINT_OPEN;
            ck_assert_uint_lt(out_count, 8);
            endpoint_sent(&endpoint, ++id, now_ms);
            out[out_count++] = id;
            ck_assert(open || !endpoint_may_send(&endpoint, INT64_MAX)); /* one probe */
        }
        ck_assert_uint_eq(endpoint.in_flight, out_count);
        if (out_count == 0) {
            int64_t deadline = endpoint_deadline(&endpoint);
            ck_assert(endpoint_may_send(&endpoint, deadline));
            ck_assert(endpoint.state == ENDPOINT_OPEN ||
                      !endpoint_may_send(&endpoint, deadline - 1));
            ck_assert(endpoint.state == ENDPOINT_OPEN || deadline <= now_ms + ENDPOINT_HOLD_MS_MAX);
        }
    }
    log_set_sink(NULL, NULL, NULL);
}

START_TEST(jitter_spreads_endpoints_that_failed_together)
{
    struct endpoint_conf conf = {
        .min_backoff_ms = 1000, .max_backoff_ms = 5000, .in_flight_max = 1};
    bool seen[1001] = {false};
    int distinct = 0;
    log_set_sink(swallow_log_line, NULL, NULL);
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct endpoint endpoint;
        struct http_result result = {.id = 1, .outcome = HTTP_ANSWERED, .status = 503};
        endpoint_init(&endpoint, &conf, seed);
        endpoint_sent(&endpoint, 1, 0);
        ck_assert_int_eq(endpoint_answered(&endpoint, &result, 0, 0), VERDICT_FAILED);
        ck_assert_int_ge(endpoint.retry_at_ms, 500);
        ck_assert_int_le(endpoint.retry_at_ms, 1000);
        distinct += !seen[endpoint.retry_at_ms];
        seen[endpoint.retry_at_ms] = true;
    }
    log_set_sink(NULL, NULL, NULL);
    ck_assert_int_gt(distinct, 100);
}

/* ---- the table ---- */

static const struct {
    int status;
    enum verdict verdict;
    enum endpoint_state state;
} verdicts[] = {
    {200, VERDICT_ACKED, ENDPOINT_OPEN},     {204, VERDICT_ACKED, ENDPOINT_OPEN},
    {299, VERDICT_ACKED, ENDPOINT_OPEN},     {301, VERDICT_RETRY, ENDPOINT_HELD},
    {308, VERDICT_RETRY, ENDPOINT_HELD},     {400, VERDICT_REFUSED, ENDPOINT_OPEN},
    {401, VERDICT_RETRY, ENDPOINT_HELD},     {403, VERDICT_RETRY, ENDPOINT_HELD},
    {404, VERDICT_RETRY, ENDPOINT_HELD},     {405, VERDICT_RETRY, ENDPOINT_HELD},
    {408, VERDICT_RETRY, ENDPOINT_BACKOFF},  {409, VERDICT_REFUSED, ENDPOINT_OPEN},
    {413, VERDICT_SMALLER, ENDPOINT_OPEN},   {415, VERDICT_RETRY, ENDPOINT_HELD},
    {422, VERDICT_REFUSED, ENDPOINT_OPEN},   {429, VERDICT_RETRY, ENDPOINT_BACKOFF},
    {451, VERDICT_RETRY, ENDPOINT_HELD},     {500, VERDICT_FAILED, ENDPOINT_BACKOFF},
    {503, VERDICT_FAILED, ENDPOINT_BACKOFF}, {599, VERDICT_FAILED, ENDPOINT_BACKOFF},
    {0, VERDICT_RETRY, ENDPOINT_HELD},       {199, VERDICT_RETRY, ENDPOINT_HELD},
    {600, VERDICT_RETRY, ENDPOINT_HELD},     {-1, VERDICT_RETRY, ENDPOINT_HELD},
};

START_TEST(each_status_has_its_verdict_and_none_drops_the_batch)
{
    struct endpoint_conf conf = {.min_backoff_ms = 30, .max_backoff_ms = 5000, .in_flight_max = 1};
    struct endpoint endpoint;
    struct http_result result = {.id = 1, .outcome = HTTP_ANSWERED, .status = verdicts[_i].status};
    log_set_sink(swallow_log_line, NULL, NULL);
    endpoint_init(&endpoint, &conf, 1);
    endpoint_sent(&endpoint, 1, 0);
    ck_assert_int_eq(endpoint_answered(&endpoint, &result, 0, 0), verdicts[_i].verdict);
    ck_assert_int_eq(endpoint.state, verdicts[_i].state);
    ck_assert_int_eq(endpoint.last_status, verdicts[_i].status);
    log_set_sink(NULL, NULL, NULL);
}

Suite *suite_endpoint(void);
Suite *suite_endpoint(void)
{
    Suite *suite = suite_create("endpoint");
    TCase *tests = tcase_create("endpoint");
    tcase_add_loop_test(tests, the_traces_are_as_written, 0, (int)ARRAY_COUNT(traces));
    tcase_add_loop_test(tests, random_answers_never_wedge_or_overrun_an_endpoint, 0, 20);
    tcase_add_test(tests, jitter_spreads_endpoints_that_failed_together);
    tcase_add_loop_test(tests, each_status_has_its_verdict_and_none_drops_the_batch, 0,
                        (int)ARRAY_COUNT(verdicts));
    suite_add_tcase(suite, tests);
    return suite;
}

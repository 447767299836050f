/* test_quota_learn.c - a server that says nothing of its quota but 429 is found out: within two
 * minutes, whatever shape its window has, and with few further 429s. Real endpoint and account, a
 * simulated server, simulated time. */
#include <check.h>
#include <walship/endpoint.h>
#include <walship/log.h>
#include <walship/mem.h>
#include <walship/quota.h>

enum shape { SHAPE_BUCKET, SHAPE_SLIDING, SHAPE_FIXED };
enum { LOG_MAX = 1 << 15, FLYING_MAX = 16, LEARNED_MS = 120000, RUN_MS = 600000, STEP_MS = 2 };

struct server {
    enum shape shape;
    double rate;  /* a minute */
    double room;  /* bucket */
    double level; /* bucket: left; fixed: used in this window */
    int64_t at_ms;
    int64_t log[LOG_MAX]; /* sliding: what was accepted */
    size_t first, last;
};

struct flight {
    bool open;
    uint64_t id;
    int64_t posted_ms, ends_ms;
    bool accepted;
    int64_t wait_ms;
};

struct lab {
    struct server server;
    struct endpoint endpoint;
    struct quota quota;
    struct flight flights[FLYING_MAX];
    struct rng rng;
    int64_t now_ms;
    uint64_t id;
    uint64_t accepted, refused;           /* of all */
    uint64_t late_accepted, late_refused; /* after LEARNED_MS */
    double demand;                        /* a minute; 0: endless */
    double owed;
    unsigned decreases;
};

static const struct quota_amount ONE = {{1, 1000, 50}};

static bool bucket_admits(struct server *server, int64_t now_ms, int64_t *wait_ms)
{
    server->level += (double)(now_ms - server->at_ms) * server->rate / 60000;
    server->level = server->level > server->room ? server->room : server->level;
    server->at_ms = now_ms;
    if (server->level >= 1) {
        server->level -= 1;
        return true;
    }
    *wait_ms = (int64_t)((1 - server->level) * 60000 / server->rate) + 1;
    return false;
}

static bool sliding_admits(struct server *server, int64_t now_ms, int64_t *wait_ms)
{
    while (server->first < server->last && server->log[server->first % LOG_MAX] <= now_ms - 60000) {
        server->first++;
    }
    if ((double)(server->last - server->first) < server->rate) {
        server->log[server->last++ % LOG_MAX] = now_ms;
        return true;
    }
    *wait_ms = server->log[server->first % LOG_MAX] + 60000 - now_ms;
    return false;
}

static bool fixed_admits(struct server *server, int64_t now_ms, int64_t *wait_ms)
{
    if (now_ms / 60000 != server->at_ms / 60000) {
        server->level = 0;
    }
    server->at_ms = now_ms;
    if (server->level < server->rate) {
        server->level += 1;
        return true;
    }
    *wait_ms = 60000 - now_ms % 60000;
    return false;
}

static bool admits(struct server *server, int64_t now_ms, int64_t *wait_ms)
{
    switch (server->shape) {
    case SHAPE_BUCKET:
        return bucket_admits(server, now_ms, wait_ms);
    case SHAPE_SLIDING:
        return sliding_admits(server, now_ms, wait_ms);
    case SHAPE_FIXED:
        return fixed_admits(server, now_ms, wait_ms);
    }
    return false;
}

static void answers_take(struct lab *lab)
{
    for (size_t i = 0; i < FLYING_MAX; i++) {
        struct flight *flight = &lab->flights[i];
        if (!flight->open || flight->ends_ms > lab->now_ms) {
            continue;
        }
        char seconds[24];
        (void)snprintf(seconds, sizeof seconds, "%lld", (long long)(flight->wait_ms + 999) / 1000);
        struct http_result result = {.id = flight->id,
                                     .outcome = HTTP_ANSWERED,
                                     .status = flight->accepted ? 204 : 429,
                                     .body = "",
                                     .retry_after = flight->accepted ? NULL : seconds};
        flight->open = false;
        (void)endpoint_answered(&lab->endpoint, &result, lab->now_ms, 0);
        lab->decreases +=
            quota_ended(&lab->quota, &ONE, flight->accepted ? QUOTA_ACCEPTED : QUOTA_REFUSED,
                        QUOTA_REQUESTS, flight->posted_ms, lab->now_ms);
        lab->accepted += flight->accepted;
        lab->refused += !flight->accepted;
        lab->late_accepted += flight->accepted && lab->now_ms > LEARNED_MS;
        lab->late_refused += !flight->accepted && lab->now_ms > LEARNED_MS;
    }
}

static void post_all(struct lab *lab)
{
    for (size_t i = 0; i < FLYING_MAX; i++) {
        struct flight *flight = &lab->flights[i];
        bool wanted = lab->demand <= 0 || lab->owed >= 1;
        if (flight->open || !wanted || !endpoint_may_send(&lab->endpoint, lab->now_ms) ||
            quota_ready_at(&lab->quota, &ONE, lab->now_ms) > lab->now_ms) {
            continue;
        }
        *flight = (struct flight){.open = true, .id = ++lab->id, .posted_ms = lab->now_ms};
        flight->accepted = admits(&lab->server, lab->now_ms, &flight->wait_ms);
        flight->ends_ms = lab->now_ms + 2 + (int64_t)rng_below(&lab->rng, 40);
        endpoint_sent(&lab->endpoint, flight->id, lab->now_ms);
        quota_spend(&lab->quota, &ONE, lab->now_ms);
        lab->owed -= 1;
    }
}

static void no_log(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static int64_t no_clock(void *context)
{
    (void)context;
    return 0;
}

static void lab_start(struct lab *lab, const struct server *server, uint64_t configured)
{
    struct endpoint_conf conf = {.min_backoff_ms = 30, .max_backoff_ms = 5000, .in_flight_max = 8};
    struct quota_amount amount = {{configured, 0, 0}};
    lab->server = *server;
    lab->rng = (struct rng){.state = 4711};
    endpoint_init(&lab->endpoint, &conf, 1);
    quota_init(&lab->quota, &amount, 0);
}

static void lab_run(struct lab *lab, int64_t until_ms)
{
    struct store_quota row;
    while (lab->now_ms < until_ms) {
        lab->now_ms += STEP_MS;
        lab->owed += lab->demand * STEP_MS / 60000;
        quota_run(&lab->quota, lab->now_ms);
        answers_take(lab);
        if (lab->now_ms % 250 == 0) {
            quota_save(&lab->quota, &row, false, lab->now_ms);
            quota_saved(&lab->quota, true, lab->now_ms);
        }
        post_all(lab);
    }
}

struct found {
    const char *what;
    struct server server;
    double demand;
};

static const struct found founds[] = {
    {"bucket of a minute", {.shape = SHAPE_BUCKET, .rate = 600, .room = 600, .level = 600}, 0},
    {"bucket of ten seconds", {.shape = SHAPE_BUCKET, .rate = 600, .room = 100, .level = 100}, 0},
    {"bucket of a second", {.shape = SHAPE_BUCKET, .rate = 600, .room = 10, .level = 10}, 0},
    {"bucket, double demand",
     {.shape = SHAPE_BUCKET, .rate = 600, .room = 600, .level = 600},
     1200},
    {"bucket of ten seconds, small excess",
     {.shape = SHAPE_BUCKET, .rate = 600, .room = 100, .level = 100},
     700},
    {"sliding minute", {.shape = SHAPE_SLIDING, .rate = 600}, 0},
    {"fixed minute", {.shape = SHAPE_FIXED, .rate = 600}, 0},
    {"a large bucket", {.shape = SHAPE_BUCKET, .rate = 6000, .room = 6000, .level = 6000}, 0},
    {"a small bucket", {.shape = SHAPE_BUCKET, .rate = 120, .room = 120, .level = 120}, 0},
};

START_TEST(the_rate_is_learned_within_two_minutes)
{
    const struct found *found = &founds[_i];
    struct lab *lab = mem_new(1, sizeof *lab);
    log_set_sink(no_log, no_clock, NULL);
    lab_start(lab, &found->server, 0);
    lab->demand = found->demand;
    lab_run(lab, RUN_MS);
    double minutes = (RUN_MS - LEARNED_MS) / 60000.0;
    double through = (double)lab->late_accepted / minutes / found->server.rate;
    double refused = (double)lab->late_refused / (double)(lab->late_accepted + lab->late_refused);
    if (getenv("WALSHIP_SHOW") != NULL) {
        printf("%-36s through %5.1f %%, refused %5.2f %% (%llu, before %llu), limit %.0f\n",
               found->what, through * 100, refused * 100, (unsigned long long)lab->late_refused,
               (unsigned long long)(lab->refused - lab->late_refused),
               lab->quota.learners[0].limit);
    }
    ck_assert_msg(refused < 0.01, "%s: %.4f of the requests are refused", found->what, refused);
    ck_assert_msg(through >= 0.95, "%s: %.3f of the rate is used", found->what, through);
    log_set_sink(NULL, NULL, NULL);
    mem_free(lab);
}
END_TEST

Suite *suite_quota_learn(void);
Suite *suite_quota_learn(void)
{
    Suite *suite = suite_create("endpoint quota learning");
    TCase *tcase = tcase_create("learning");
    tcase_add_loop_test(tcase, the_rate_is_learned_within_two_minutes, 0, (int)ARRAY_COUNT(founds));
    suite_add_tcase(suite, tcase);
    return suite;
}

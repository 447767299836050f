/* test_quota.c - never above a quota in any sliding minute, whatever the traffic and the restarts;
 * and the rate of a server that says nothing but 429 is found. */
#include <check.h>
#include <math.h>
#include <walship/endpoint.h>
#include <walship/mem.h>
#include <walship/quota.h>
#include <walship/rng.h>

enum { EVENTS_MAX = 1 << 16, FLYING_MAX = 64 };

static const struct quota_amount ONE = {{1, 1000, 50}};

struct flight {
    bool open;
    struct quota_amount cost;
    int64_t posted_ms, counted_ms, ends_ms;
};

/* A server that counts each request at some moment between its post and its end. */
struct counted {
    int64_t at_ms[EVENTS_MAX];
    struct quota_amount cost[EVENTS_MAX];
    size_t count;
};

struct lab {
    struct quota quota;
    struct flight flights[FLYING_MAX];
    struct counted *counted;
    struct rng rng;
    int64_t now_ms;
    uint64_t sent;
};

static struct quota *fresh(struct quota *quota, uint64_t requests, int64_t now_ms)
{
    struct quota_amount configured = {{requests, 0, 0}};
    quota_init(quota, &configured, now_ms);
    /* as after the first commit of a first start */
    struct store_quota row;
    quota_restore(quota, NULL, false, 0, now_ms);
    quota_save(quota, &row, false, now_ms);
    quota_saved(quota, true, now_ms);
    return quota;
}

static void save_good(struct quota *quota, int64_t now_ms)
{
    struct store_quota row;
    quota_save(quota, &row, false, now_ms);
    quota_saved(quota, true, now_ms);
}

static void spend_one(struct quota *quota, int64_t now_ms)
{
    quota_spend(quota, &ONE, now_ms);
    (void)quota_ended(quota, &ONE, QUOTA_ACCEPTED, QUOTA_REQUESTS, now_ms, now_ms);
}

/* ---- the account ---- */

START_TEST(without_limits_everything_goes)
{
    struct quota quota;
    struct quota_amount none = {{0}};
    quota_init(&quota, &none, 5);
    ck_assert(!quota_is_limited(&quota));
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_le(quota_ready_at(&quota, &ONE, 5), 5);
        quota_spend(&quota, &ONE, 5);
    }
    ck_assert_uint_eq(quota_used(&quota, QUOTA_REQUESTS), 1000);
}
END_TEST

START_TEST(a_start_without_a_saved_row_waits_for_the_first_save)
{
    struct quota quota;
    struct quota_amount configured = {{600, 0, 0}};
    struct store_quota row;
    quota_init(&quota, &configured, 0);
    quota_restore(&quota, NULL, false, 0, 0);
    ck_assert_int_eq(quota_ready_at(&quota, &ONE, 0), QUOTA_BLIND_MS);
    quota_save(&quota, &row, false, 0);
    ck_assert_int_eq(quota_ready_at(&quota, &ONE, 0), QUOTA_BLIND_MS);
    quota_saved(&quota, true, 0);
    ck_assert_int_le(quota_ready_at(&quota, &ONE, 0), 0);
}
END_TEST

START_TEST(the_aim_is_97_percent_and_never_nothing)
{
    struct quota quota;
    struct quota_amount configured = {{600, 1, UINT64_MAX}};
    quota_init(&quota, &configured, 0);
    ck_assert_uint_eq(quota_limit(&quota, QUOTA_REQUESTS), 582);
    ck_assert_uint_eq(quota_limit(&quota, QUOTA_BYTES), 1);
    ck_assert_uint_gt(quota_limit(&quota, QUOTA_SAMPLES), UINT64_MAX / 100 * 96);
}
END_TEST

START_TEST(a_load_that_fits_goes_at_once_after_a_calm_minute)
{
    struct quota quota;
    fresh(&quota, 600, 0);
    int64_t now_ms = QUOTA_MINUTE_MS;
    quota_run(&quota, now_ms);
    for (int i = 0; i < 290; i++) {
        save_good(&quota, now_ms); /* saves keep pace */
        ck_assert_int_le(quota_ready_at(&quota, &ONE, now_ms), now_ms);
        spend_one(&quota, now_ms);
    }
}
END_TEST

START_TEST(a_full_window_says_when_there_is_room_again)
{
    struct quota quota;
    fresh(&quota, 600, 0);
    int64_t now_ms = QUOTA_MINUTE_MS;
    quota_run(&quota, now_ms);
    for (int i = 0; i < 582; i++) {
        save_good(&quota, now_ms);
        spend_one(&quota, now_ms);
    }
    save_good(&quota, now_ms);
    int64_t at_ms = quota_ready_at(&quota, &ONE, now_ms);
    ck_assert_int_gt(at_ms, now_ms + QUOTA_MINUTE_MS);
    ck_assert_int_le(at_ms, now_ms + QUOTA_MINUTE_MS + QUOTA_SLOT_MS);
    quota_run(&quota, at_ms - 1);
    ck_assert_int_gt(quota_ready_at(&quota, &ONE, at_ms - 1), at_ms - 1);
    quota_run(&quota, at_ms);
    ck_assert_int_le(quota_ready_at(&quota, &ONE, at_ms), at_ms);
    /* and from then on evenly: not all of them in one moment again */
    save_good(&quota, at_ms);
    int count = 0;
    while (quota_ready_at(&quota, &ONE, at_ms) <= at_ms) {
        spend_one(&quota, at_ms);
        count++;
    }
    ck_assert_int_le(count, 12);
    ck_assert_int_le(quota_ready_at(&quota, &ONE, at_ms), at_ms + 200);
}
END_TEST

START_TEST(what_is_in_flight_counts_until_it_ended)
{
    struct quota quota;
    fresh(&quota, 2, 0);
    quota_spend(&quota, &ONE, 0);
    save_good(&quota, 0);
    ck_assert_int_eq(quota_ready_at(&quota, &ONE, 0), INT64_MAX);
    quota_run(&quota, 90000);
    ck_assert_int_eq(quota_ready_at(&quota, &ONE, 90000), INT64_MAX);
    (void)quota_ended(&quota, &ONE, QUOTA_FAILED, QUOTA_REQUESTS, 0, 90000);
    ck_assert_int_gt(quota_ready_at(&quota, &ONE, 90000), 150000);
}
END_TEST

START_TEST(a_request_beyond_the_whole_quota_goes_alone)
{
    struct quota quota;
    struct quota_amount configured = {{0, 500, 0}};
    quota_init(&quota, &configured, 0);
    quota_run(&quota, QUOTA_BLIND_MS);
    ck_assert_int_le(quota_ready_at(&quota, &ONE, QUOTA_BLIND_MS), QUOTA_BLIND_MS);
    quota_spend(&quota, &ONE, QUOTA_BLIND_MS);
    ck_assert_int_eq(quota_ready_at(&quota, &ONE, QUOTA_BLIND_MS), INT64_MAX);
}
END_TEST

START_TEST(no_more_than_the_announced_part_is_spent_between_two_saves)
{
    struct quota quota;
    fresh(&quota, 600, 0);
    int64_t now_ms = 2 * QUOTA_MINUTE_MS;
    quota_run(&quota, now_ms);
    save_good(&quota, now_ms);
    int count = 0;
    ck_assert(!quota_wants_save(&quota));
    while (quota_ready_at(&quota, &ONE, now_ms) <= now_ms) {
        spend_one(&quota, now_ms);
        count++;
    }
    ck_assert_int_eq(count, 582 * QUOTA_AHEAD_MS_MIN / QUOTA_MINUTE_MS);
    ck_assert(quota_wants_save(&quota));
    ck_assert_int_eq(quota_ready_at(&quota, &ONE, now_ms), now_ms + QUOTA_BLIND_MS);
    struct store_quota row;
    quota_save(&quota, &row, false, now_ms); /* under way: not yet */
    ck_assert_int_eq(quota_ready_at(&quota, &ONE, now_ms), now_ms + QUOTA_BLIND_MS);
    quota_saved(&quota, false, now_ms);
    ck_assert_int_eq(quota_ready_at(&quota, &ONE, now_ms), now_ms + QUOTA_BLIND_MS);
    save_good(&quota, now_ms);
    ck_assert_int_le(quota_ready_at(&quota, &ONE, now_ms), now_ms);
}
END_TEST

/* ---- restarts ---- */

static void restart(struct quota *quota, const struct store_quota *row, int64_t down_ms)
{
    struct quota_amount configured = {{600, 0, 0}};
    quota_init(quota, &configured, 777);
    quota_restore(quota, row, false, row->wall_ms + down_ms, 777);
}

static struct store_quota saved_after(struct quota *quota, int spent, bool clean)
{
    struct store_quota row = {.account = "a", .wall_ms = 1000000};
    fresh(quota, 600, 0);
    quota_run(quota, 60000);
    for (int i = 0; i < spent; i++) {
        save_good(quota, 60000);
        spend_one(quota, 60000);
    }
    quota_run(quota, 80000);
    quota_save(quota, &row, clean, 80000);
    return row;
}

START_TEST(a_clean_restart_goes_on_with_what_it_knows)
{
    struct quota quota;
    struct store_quota row = saved_after(&quota, 100, true);
    restart(&quota, &row, 20000);
    ck_assert_uint_eq(quota_used(&quota, QUOTA_REQUESTS), 100);
    quota_run(&quota, 777 + 19000);
    ck_assert_uint_eq(quota_used(&quota, QUOTA_REQUESTS), 100);
    quota_run(&quota, 777 + 22000);
    ck_assert_uint_eq(quota_used(&quota, QUOTA_REQUESTS), 0);
    restart(&quota, &row, 3600000);
    ck_assert_uint_eq(quota_used(&quota, QUOTA_REQUESTS), 0);
    restart(&quota, &row, -3600000); /* the clock went back: as if it had just been spent */
    ck_assert_uint_eq(quota_used(&quota, QUOTA_REQUESTS), 100);
}
END_TEST

START_TEST(after_a_crash_the_unknown_is_taken_for_spent)
{
    struct quota quota;
    struct store_quota row = saved_after(&quota, 100, false);
    restart(&quota, &row, 2000);
    ck_assert_uint_eq(quota_used(&quota, QUOTA_REQUESTS),
                      100 + 582 * QUOTA_AHEAD_MS_MIN / QUOTA_MINUTE_MS);
    restart(&quota, &row, QUOTA_BLIND_MS); /* who knows what happened meanwhile */
    ck_assert_uint_eq(quota_used(&quota, QUOTA_REQUESTS), 582);
    restart(&quota, &row, -1);
    ck_assert_uint_eq(quota_used(&quota, QUOTA_REQUESTS), 582);
    struct quota_amount configured = {{600, 0, 0}};
    quota_init(&quota, &configured, 777);
    quota_restore(&quota, NULL, true, 0, 777); /* the state is lost */
    ck_assert_uint_eq(quota_used(&quota, QUOTA_REQUESTS), 582);
}
END_TEST

/* ---- the property ---- */

static void end_flights(struct lab *lab, bool all)
{
    for (size_t i = 0; i < FLYING_MAX; i++) {
        struct flight *flight = &lab->flights[i];
        if (!flight->open || (!all && flight->ends_ms > lab->now_ms)) {
            continue;
        }
        struct counted *counted = lab->counted;
        ck_assert_uint_lt(counted->count, EVENTS_MAX);
        counted->at_ms[counted->count] =
            flight->counted_ms < lab->now_ms ? flight->counted_ms : lab->now_ms;
        counted->cost[counted->count++] = flight->cost;
        flight->open = false;
        if (!all) {
            enum quota_end end = (enum quota_end)rng_below(&lab->rng, 20);
            end = end > QUOTA_FAILED ? QUOTA_ACCEPTED : end;
            end = end == QUOTA_REFUSED ? QUOTA_FAILED : end; /* limits stay as they are */
            (void)quota_ended(&lab->quota, &flight->cost, end, QUOTA_REQUESTS, flight->posted_ms,
                              lab->now_ms);
        }
    }
}

static void post_some(struct lab *lab, unsigned wanted)
{
    for (size_t i = 0; i < FLYING_MAX && wanted > 0; i++) {
        struct flight *flight = &lab->flights[i];
        struct quota_amount cost = {
            {1, 1 + rng_below(&lab->rng, 5000), 1 + rng_below(&lab->rng, 200)}};
        if (flight->open || quota_ready_at(&lab->quota, &cost, lab->now_ms) > lab->now_ms) {
            continue;
        }
        int64_t slow = rng_below(&lab->rng, 50) == 0 ? 30000 : 80;
        int64_t takes = 1 + (int64_t)rng_below(&lab->rng, (uint64_t)slow);
        quota_spend(&lab->quota, &cost, lab->now_ms);
        *flight = (struct flight){true, cost, lab->now_ms, 0, lab->now_ms + takes};
        flight->counted_ms = lab->now_ms + (int64_t)rng_below(&lab->rng, (uint64_t)takes + 1);
        lab->sent++;
        wanted--;
    }
}

static int by_time(const void *left, const void *right)
{
    const int64_t *a = left;
    const int64_t *b = right;
    return *a < *b ? -1 : *a > *b;
}

struct spot {
    int64_t at_ms;
    struct quota_amount cost;
};

static void windows_hold(const struct counted *counted, const struct quota_amount *configured)
{
    struct spot *spots = mem_new(counted->count, sizeof *spots);
    struct quota_amount sum = {{0}};
    for (size_t i = 0; i < counted->count; i++) {
        spots[i] = (struct spot){counted->at_ms[i], counted->cost[i]};
    }
    qsort(spots, counted->count, sizeof *spots, by_time);
    for (size_t last = 0, first = 0; last < counted->count; last++) {
        for (size_t d = 0; d < QUOTA_DIMENSIONS; d++) {
            sum.of[d] += spots[last].cost.of[d];
        }
        for (; spots[first].at_ms <= spots[last].at_ms - QUOTA_MINUTE_MS; first++) {
            for (size_t d = 0; d < QUOTA_DIMENSIONS; d++) {
                sum.of[d] -= spots[first].cost.of[d];
            }
        }
        for (size_t d = 0; d < QUOTA_DIMENSIONS; d++) {
            if (configured->of[d] > 0 && sum.of[d] > configured->of[d]) {
                ck_abort_msg("%llu in a minute, %llu are allowed", (unsigned long long)sum.of[d],
                             (unsigned long long)configured->of[d]);
            }
        }
    }
    mem_free(spots);
}

/* Random bursts, slow answers, saves that fail or take long, kills: time runs on through all. */
START_TEST(no_sliding_minute_ever_exceeds_the_quota)
{
    struct lab *lab = mem_new(1, sizeof *lab);
    struct quota_amount configured = {{600, 0, 0}};
    struct store_quota row = {.account = "a"}, next = row;
    bool has_row = false, saving = false;
    int64_t saved_by_ms = 0;
    lab->counted = mem_new(1, sizeof *lab->counted);
    lab->rng = (struct rng){.state = (uint64_t)_i};
    configured.of[QUOTA_BYTES] = rng_below(&lab->rng, 2) * 1000000;
    configured.of[QUOTA_SAMPLES] = rng_below(&lab->rng, 2) * 30000;
    quota_init(&lab->quota, &configured, 0);
    while (lab->now_ms < 600000) {
        lab->now_ms += 1 + (int64_t)rng_below(&lab->rng, 100);
        quota_run(&lab->quota, lab->now_ms);
        end_flights(lab, false);
        if (saving && lab->now_ms >= saved_by_ms) {
            bool good = rng_below(&lab->rng, 10) > 0;
            saving = false;
            quota_saved(&lab->quota, good, lab->now_ms);
            row = good ? next : row;
            has_row = has_row || good;
        }
        if (!saving) {
            quota_save(&lab->quota, &next, false, lab->now_ms);
            next.wall_ms = lab->now_ms + 5000000;
            saving = true;
            saved_by_ms = lab->now_ms + (int64_t)rng_below(&lab->rng, _i % 3 == 0 ? 6000 : 300);
        }
        post_some(lab, rng_below(&lab->rng, 200) == 0 ? 60 : (unsigned)rng_below(&lab->rng, 5));
        if (has_row && rng_below(&lab->rng, 500) == 0) {
            end_flights(lab, true);
            row = saving && rng_below(&lab->rng, 2) == 0 ? next : row; /* durable, unheard */
            saving = false;
            lab->now_ms += (int64_t)rng_below(&lab->rng, 15000);
            quota_init(&lab->quota, &configured, lab->now_ms);
            quota_restore(&lab->quota, &row, false, lab->now_ms + 5000000, lab->now_ms);
        }
    }
    end_flights(lab, true);
    ck_assert_uint_gt(lab->sent, 1000);
    windows_hold(lab->counted, &configured);
    mem_free(lab->counted);
    mem_free(lab);
}
END_TEST

Suite *suite_quota(void);
Suite *suite_quota(void)
{
    Suite *suite = suite_create("endpoint quota");
    TCase *tcase = tcase_create("account");
    tcase_add_test(tcase, without_limits_everything_goes);
    tcase_add_test(tcase, a_start_without_a_saved_row_waits_for_the_first_save);
    tcase_add_test(tcase, the_aim_is_97_percent_and_never_nothing);
    tcase_add_test(tcase, a_load_that_fits_goes_at_once_after_a_calm_minute);
    tcase_add_test(tcase, a_full_window_says_when_there_is_room_again);
    tcase_add_test(tcase, what_is_in_flight_counts_until_it_ended);
    tcase_add_test(tcase, a_request_beyond_the_whole_quota_goes_alone);
    tcase_add_test(tcase, no_more_than_the_announced_part_is_spent_between_two_saves);
    tcase_add_test(tcase, a_clean_restart_goes_on_with_what_it_knows);
    tcase_add_test(tcase, after_a_crash_the_unknown_is_taken_for_spent);
    tcase_add_loop_test(tcase, no_sliding_minute_ever_exceeds_the_quota, 0, 30);
    suite_add_tcase(suite, tcase);
    return suite;
}

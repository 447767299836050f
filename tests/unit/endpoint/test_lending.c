/* test_lending.c - when an endpoint lends, and when it takes back. */
#include <check.h>
#include <walship/lending.h>

static const struct lending_view good = {.able = true};
static const struct lending_view working = {.able = true, .proven = true};
static const struct lending_view unable = {.able = false};

/* The same view from `from` to `to`, a look each step. */
static void pass(struct lending *lending, const struct lending_view *view, int64_t from, int64_t to)
{
    for (int64_t at = from; at <= to; at += LENDING_STEP_MS) {
        (void)lending_look(lending, view, at);
    }
}

static void expect(const struct lending *lending, enum lending_state state)
{
    ck_assert_str_eq(lending_state_name(lending->state), lending_state_name(state));
}

START_TEST(a_short_failure_changes_nothing)
{
    struct lending lending;
    lending_init(&lending, 0);
    pass(&lending, &unable, 1000, 1000 + LENDING_DOWN_MS - LENDING_STEP_MS);
    expect(&lending, LENDING_WELL);
    pass(&lending, &good, 3000, 60000);
    expect(&lending, LENDING_WELL);
    ck_assert(lending_quiet(&lending, 60000));
}

START_TEST(unable_for_long_is_down_and_takes_nothing)
{
    struct lending lending;
    lending_init(&lending, 0);
    ck_assert(lending_roomy(&lending, 0));
    pass(&lending, &unable, 1000, 1000 + LENDING_DOWN_MS);
    expect(&lending, LENDING_DOWN);
    ck_assert(!lending_takes(&lending) && !lending_roomy(&lending, 4000));
    ck_assert(!lending_quiet(&lending, 4000));
}

START_TEST(it_is_well_again_when_it_has_proved_it_for_a_while)
{
    struct lending lending;
    lending_init(&lending, 0);
    pass(&lending, &unable, 0, 10000);
    ck_assert(lending_look(&lending, &working, 10250));
    expect(&lending, LENDING_RECOVERING);
    ck_assert(lending_takes(&lending) && !lending_roomy(&lending, 10250));
    pass(&lending, &good, 10500, 10000 + LENDING_PATIENCE_MS_MIN - 250);
    expect(&lending, LENDING_RECOVERING);
    pass(&lending, &good, 15000, 15250);
    expect(&lending, LENDING_WELL);
}

START_TEST(without_a_proof_it_never_is)
{
    struct lending lending;
    lending_init(&lending, 0);
    pass(&lending, &unable, 0, 10000);
    pass(&lending, &good, 10250, 600000);
    expect(&lending, LENDING_RECOVERING);
}

START_TEST(with_nothing_to_prove_it_by_it_is_trusted_until_it_fails_again)
{
    const struct lending_view idle = {.able = false, .idle = true};
    int64_t idle_ms = 10250; /* not by all that was before */
    struct lending lending;
    lending_init(&lending, 0);
    pass(&lending, &unable, 0, idle_ms - LENDING_STEP_MS);
    expect(&lending, LENDING_DOWN);
    pass(&lending, &idle, idle_ms, idle_ms + LENDING_IDLE_MS - 2 * LENDING_STEP_MS);
    expect(&lending, LENDING_DOWN);
    idle_ms += LENDING_IDLE_MS - LENDING_STEP_MS;
    pass(&lending, &idle, idle_ms, idle_ms + LENDING_PATIENCE_MS_MIN);
    expect(&lending, LENDING_WELL);
    ck_assert(lending_quiet(&lending, idle_ms + LENDING_STRAIN_MS));
    int64_t busy_ms = idle_ms + LENDING_PATIENCE_MS_MIN + LENDING_STEP_MS;
    pass(&lending, &unable, busy_ms, busy_ms + LENDING_DOWN_MS - LENDING_STEP_MS);
    expect(&lending, LENDING_WELL);
    pass(&lending, &unable, busy_ms + LENDING_DOWN_MS, busy_ms + LENDING_DOWN_MS);
    expect(&lending, LENDING_DOWN);
}

START_TEST(patience_doubles_with_each_relapse_up_to_a_bound)
{
    struct lending lending;
    int64_t now_ms = 0;
    int64_t waited_ms = 0;
    lending_init(&lending, 0);
    for (int i = 0; i < 8; i++) {
        pass(&lending, &unable, now_ms, now_ms + LENDING_DOWN_MS);
        expect(&lending, LENDING_DOWN);
        now_ms += LENDING_DOWN_MS + LENDING_STEP_MS;
        int64_t from_ms = now_ms;
        while (lending.state != LENDING_WELL) {
            (void)lending_look(&lending, &working, now_ms);
            now_ms += LENDING_STEP_MS;
            ck_assert_int_lt(now_ms - from_ms, LENDING_PATIENCE_MS_MAX + 1000);
        }
        ck_assert_int_ge(now_ms - from_ms, waited_ms);
        waited_ms = now_ms - from_ms;
        ck_assert(i != 1 || waited_ms >= 2 * LENDING_PATIENCE_MS_MIN);
    }
    ck_assert_int_ge(waited_ms, LENDING_PATIENCE_MS_MAX);
    pass(&lending, &good, now_ms, now_ms + LENDING_RELAPSE_MS);
    now_ms += LENDING_RELAPSE_MS + LENDING_STEP_MS;
    pass(&lending, &unable, now_ms, now_ms + LENDING_DOWN_MS);
    ck_assert_int_eq(lending.patience_ms, LENDING_PATIENCE_MS_MIN);
}

START_TEST(only_slow_is_no_reason_to_lend)
{
    struct lending lending;
    const struct lending_view slow = {.able = true, .proven = true, .age_ms = 10 * LENDING_AGE_MS};
    lending_init(&lending, 0);
    pass(&lending, &slow, 0, 600000);
    expect(&lending, LENDING_WELL);
    ck_assert(!lending_roomy(&lending, 600000)); /* but it takes none either */
}

START_TEST(old_items_under_a_strain_are_one_until_they_get_younger)
{
    struct lending lending;
    struct lending_view view = {.able = true, .strained = true, .age_ms = LENDING_AGE_MS};
    lending_init(&lending, 0);
    (void)lending_look(&lending, &view, 0);
    expect(&lending, LENDING_AILING);
    ck_assert(!lending.draining);
    view.age_ms = LENDING_AGE_MS - 1;
    (void)lending_look(&lending, &view, 250);
    expect(&lending, LENDING_AILING);
    ck_assert(lending.draining);
    view.age_ms = LENDING_ROOMY_AGE_MS - 1;
    (void)lending_look(&lending, &view, 500);
    expect(&lending, LENDING_RECOVERING);
}

START_TEST(a_failure_now_and_then_does_not_keep_it_from_its_shards_for_ever)
{
    struct lending lending;
    int64_t now_ms = LENDING_DOWN_MS + LENDING_STEP_MS;
    lending_init(&lending, 0);
    pass(&lending, &unable, 0, LENDING_DOWN_MS);
    for (int i = 0; i < 12 && lending.state != LENDING_WELL; i++) {
        pass(&lending, &working, now_ms, now_ms + 3000);
        now_ms += 3250;
        if (lending.state != LENDING_WELL) {
            (void)lending_look(&lending, &unable, now_ms);
            now_ms += LENDING_STEP_MS;
        }
    }
    expect(&lending, LENDING_WELL);
    ck_assert_int_ge(now_ms, 3 * LENDING_PATIENCE_MS_MIN);
}

START_TEST(a_tight_quota_does_not_keep_it_from_its_shards)
{
    struct lending lending;
    const struct lending_view tight = {.able = true, .proven = true, .strained = true};
    int64_t now_ms = LENDING_DOWN_MS + LENDING_STEP_MS;
    int64_t until_ms = now_ms + LENDING_PATIENCE_MS_MIN;
    lending_init(&lending, 0);
    pass(&lending, &unable, 0, LENDING_DOWN_MS);
    pass(&lending, &tight, now_ms, until_ms);
    expect(&lending, LENDING_RECOVERING); /* not while there is no room */
    pass(&lending, &good, until_ms + LENDING_STEP_MS, until_ms + LENDING_STEP_MS);
    expect(&lending, LENDING_WELL);
}

START_TEST(old_items_without_a_strain_keep_nobody_from_being_well)
{
    struct lending lending;
    struct lending_view behind = working;
    behind.age_ms = 70000;
    lending_init(&lending, 0);
    pass(&lending, &unable, 0, 10000);
    pass(&lending, &behind, 10250, 10000 + LENDING_STRAIN_MS - LENDING_STEP_MS);
    expect(&lending, LENDING_AILING); /* so long its failure is remembered */
    pass(&lending, &behind, 25000, 25000 + LENDING_PATIENCE_MS_MIN - LENDING_STEP_MS);
    expect(&lending, LENDING_RECOVERING);
    pass(&lending, &behind, 30000, 30000);
    expect(&lending, LENDING_WELL);
    pass(&lending, &behind, 30250, 600000);
    expect(&lending, LENDING_WELL);
}

START_TEST(what_ailed_by_its_quota_alone_recovers_with_patience_too)
{
    struct lending lending;
    const struct lending_view late = {
        .able = true, .proven = true, .strained = true, .age_ms = LENDING_AGE_MS};
    lending_init(&lending, 0);
    pass(&lending, &late, 0, 60000);
    expect(&lending, LENDING_AILING);
    pass(&lending, &working, 60250, 60000 + LENDING_PATIENCE_MS_MIN);
    expect(&lending, LENDING_RECOVERING);
    pass(&lending, &working, 65250, 65250);
    expect(&lending, LENDING_WELL);
}

Suite *suite_lending(void);
Suite *suite_lending(void)
{
    Suite *suite = suite_create("lending");
    TCase *tcase = tcase_create("lending");
    tcase_add_test(tcase, a_short_failure_changes_nothing);
    tcase_add_test(tcase, unable_for_long_is_down_and_takes_nothing);
    tcase_add_test(tcase, it_is_well_again_when_it_has_proved_it_for_a_while);
    tcase_add_test(tcase, without_a_proof_it_never_is);
    tcase_add_test(tcase, with_nothing_to_prove_it_by_it_is_trusted_until_it_fails_again);
    tcase_add_test(tcase, patience_doubles_with_each_relapse_up_to_a_bound);
    tcase_add_test(tcase, only_slow_is_no_reason_to_lend);
    tcase_add_test(tcase, old_items_under_a_strain_are_one_until_they_get_younger);
    tcase_add_test(tcase, a_failure_now_and_then_does_not_keep_it_from_its_shards_for_ever);
    tcase_add_test(tcase, a_tight_quota_does_not_keep_it_from_its_shards);
    tcase_add_test(tcase, old_items_without_a_strain_keep_nobody_from_being_well);
    tcase_add_test(tcase, what_ailed_by_its_quota_alone_recovers_with_patience_too);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* test_life.c - the life of a token by a fake clock. The traces are the specification: when it
 * asks, what it serves meanwhile, what it tells the operator. */
#include "lab.h"

START_TEST(a_token_is_refreshed_at_half_of_its_life_less_a_random_tenth)
{
    struct lab lab;
    lab_start(&lab, CONF_AUTH_MANAGED_IDENTITY, CONF_SOURCE_IMDS);
    lab_note(&lab, "start");
    lab_turn_token(&lab, "a", 86400);
    lab_turn_token(&lab, "b", 3600);
    lab_turn_token(&lab, "c", 6);
    lab_turn_token(&lab, "d", 6);
    lab_turn_token(&lab, "e", 1);
    lab_turn_token(&lab, "f", 3600);
    lab_expect(&lab, "[      0] start -> first, no header, next in 0\n"
                     "[      0] 200 -> good, Bearer a, next in 35542947\n"
                     "[35542947] 200 -> good, Bearer b, next in 1764032\n"
                     "[37306979] 200 -> good, Bearer c, next in 2646\n"
                     "[37309625] 200 -> good, Bearer d, next in 2806\n"
                     "[37312431] 200 -> good, Bearer e, next in 1000\n"
                     "[37313431] 200 -> good, Bearer f, next in 1775573\n");
    lab_release(&lab);
}
END_TEST

START_TEST(the_halving_never_comes_late)
{
    struct lab lab;
    lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
    for (int i = 0; i < 200; i++) {
        lab_wait(&lab);
        int64_t asked_ms = lab.now_ms;
        ck_assert(lab_want(&lab));
        lab_answer_token(&lab, i % 2 == 0 ? "a" : "b", 3600);
        int64_t after_ms = identity_deadline(lab.one) - asked_ms;
        ck_assert_int_ge(after_ms, 1440 * 1000);
        ck_assert_int_le(after_ms, 1800 * 1000);
    }
    ck_assert_uint_eq(identity_revision(lab.one), 200);
    lab_release(&lab);
}
END_TEST

START_TEST(imds_goes_through_its_phases)
{
    struct lab lab;
    lab_start(&lab, CONF_AUTH_MANAGED_IDENTITY, CONF_SOURCE_IMDS);
    for (int i = 0; i < 7; i++) {
        lab_turn(&lab, 404, "not yet", NULL);
    }
    for (int i = 0; i < 5; i++) {
        lab_turn(&lab, 410, "", NULL);
    }
    lab_turn(&lab, 429, "", NULL);
    lab_turn(&lab, 429, "", "7");
    lab_turn(&lab, 503, "", NULL);
    lab_turn(&lab, 400,
             "{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}", NULL);
    lab_turn(&lab, 400, "{\"error\":\"invalid_resource\",\"error_description\":\"AADSTS50001: x\"}",
             NULL);
    lab_turn_token(&lab, "a", 3600);
    lab_expect(&lab, "[      0] 404 -> failing, no header, next in 2072\n"
                     "          answered 404: no identity is bound yet, or the metadata service "
                     "is starting\n"
                     "[   2072] 404 -> failing, no header, next in 4391\n"
                     "[   6463] 404 -> failing, no header, next in 8322\n"
                     "[  14785] 404 -> failing, no header, next in 16764\n"
                     "[  31549] 404 -> failing, no header, next in 34188\n"
                     "[  65737] 404 -> failing, no header, next in 63486\n"
                     "[ 129223] 404 -> failing, no header, next in 60728\n"
                     "[ 189951] 410 -> failing, no header, next in 2055\n"
                     "          answered 410: the metadata service is being updated and back "
                     "within 70 s\n"
                     "[ 192006] 410 -> failing, no header, next in 4013\n"
                     "[ 196019] 410 -> failing, no header, next in 8200\n"
                     "[ 204219] 410 -> failing, no header, next in 10009\n"
                     "[ 214228] 410 -> failing, no header, next in 10623\n"
                     "[ 224851] 429 -> failing, no header, next in 2200\n"
                     "          answered 429: the machine asks the metadata service too often\n"
                     "[ 227051] 429 after 7 -> failing, no header, next in 7188\n"
                     "[ 234239] 503 -> failing, no header, next in 2041\n"
                     "          answered 503: the metadata service has a fault\n"
                     "[ 236280] 400 -> failing, no header, next in 31270\n"
                     "          answered 400 invalid_request: this identity is not assigned to "
                     "the machine: assign it (Identity, User assigned), or correct client_id\n"
                     "[ 267550] 400 -> failing, no header, next in 65191\n"
                     "          answered 400 invalid_resource AADSTS50001: the resource is "
                     "unknown: check cloud and scope\n"
                     "[ 332741] 200 -> good, Bearer a, next in 1627655\n"
                     "          all is well\n");
    lab_release(&lab);
}
END_TEST

START_TEST(entra_says_what_is_wrong)
{
    struct lab lab;
    lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
    lab_turn(&lab, 401,
             "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid client "
             "secret provided: " PLANTED "\",\"error_codes\":[7000215]}",
             NULL);
    lab_turn(&lab, 401, "{\"error\":\"invalid_client\",\"error_codes\":[7000222]}", NULL);
    lab_turn(
        &lab, 400,
        "{\"error\":\"unauthorized_client\",\"error_description\":\"AADSTS700016: Application\"}",
        NULL);
    lab_turn(&lab, 400, "{\"error\":\"invalid_request\",\"error_codes\":[90002]}", NULL);
    lab_turn(&lab, 400, "{\"error\":\"temporarily_unavailable\"}", NULL);
    lab_turn(&lab, 400, "{\"error\":\"invalid_request\",\"error_codes\":[90033]}", NULL);
    lab_turn(&lab, 400, "{\"error\":\"<b>" PLANTED "\",\"error_codes\":[123456]}", NULL);
    lab_turn(&lab, 429, "", NULL);
    lab_turn(&lab, 429, "", "120");
    lab_turn(&lab, 429, "", "Wed, 18 Nov 2026 11:59:00 GMT");
    lab_turn(&lab, 503, "<html>", NULL);
    lab_turn(&lab, 302, "", NULL);
    lab_expect(&lab, "[      0] 401 -> failing, no header, next in 30188\n"
                     "          answered 401 invalid_client AADSTS7000215: the client secret is "
                     "wrong: give the secret's value, not its id\n"
                     "[  30188] 401 -> failing, no header, next in 65778\n"
                     "          answered 401 invalid_client AADSTS7000222: the client secret has "
                     "expired: make a new one in the app registration in Entra\n"
                     "[  95966] 400 -> failing, no header, next in 129190\n"
                     "          answered 400 unauthorized_client AADSTS700016: the application is "
                     "not in this tenant: check client_id and tenant_id\n"
                     "[ 225156] 400 -> failing, no header, next in 263662\n"
                     "          answered 400 invalid_request AADSTS90002: the tenant does not "
                     "exist in this cloud: check tenant_id, and cloud or authority_host\n"
                     "[ 488818] 400 -> failing, no header, next in 2130\n"
                     "          answered 400 temporarily_unavailable: the token server is briefly "
                     "unavailable\n"
                     "[ 490948] 400 -> failing, no header, next in 4185\n"
                     "          answered 400 invalid_request AADSTS90033: Entra is briefly "
                     "unavailable\n"
                     "[ 495133] 400 -> failing, no header, next in 32721\n"
                     "          answered 400 AADSTS123456: check client_id, the credential and "
                     "the address\n"
                     "[ 527854] 429 -> failing, no header, next in 64082\n"
                     "          answered 429: the token server is asked too often\n"
                     "[ 591936] 429 after 120 -> failing, no header, next in 122607\n"
                     "[ 714543] 429 after Wed, 18 Nov 2026 11:59:00 GMT -> failing, no header, "
                     "next in 2573944\n"
                     "[3288487] 503 -> failing, no header, next in 2170\n"
                     "          answered 503: the token server has a fault\n"
                     "[3290657] 302 -> failing, no header, next in 31831\n"
                     "          answered 302: a redirect is not followed: check the address\n");
    lab_release(&lab);
}
END_TEST

START_TEST(an_answer_that_is_no_token_is_asked_for_again)
{
    struct lab lab;
    lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
    lab_turn(&lab, 200, "<html>", NULL);
    lab_turn(&lab, 200, "{\"token_type\":\"Bearer\",\"expires_in\":3599}", NULL);
    lab_turn(&lab, 200, "{\"access_token\":\"t\"}", NULL);
    lab_turn(&lab, 200, "{\"access_token\":\"t\",\"expires_on\":\"soon\"}", NULL);
    lab_turn(&lab, 200, "{\"access_token\":\"a\\nb\",\"expires_in\":3599}", NULL);
    lab_turn(&lab, 200, "{\"access_token\":\"t\",\"token_type\":\"pop\",\"expires_in\":3599}",
             NULL);
    lab_turn_token(&lab, "a", 3600);
    lab_expect(&lab, "[      0] 200 -> failing, no header, next in 5195\n"
                     "          answered 200, but the answer is not a JSON object\n"
                     "[   5195] 200 -> failing, no header, next in 10043\n"
                     "          answered 200, but the answer has no access_token\n"
                     "[  15238] 200 -> failing, no header, next in 21201\n"
                     "          answered 200, but neither expires_on nor expires_in can be read\n"
                     "[  36439] 200 -> failing, no header, next in 43440\n"
                     "[  79879] 200 -> failing, no header, next in 60952\n"
                     "          answered 200, but the access_token has bytes that can't stand in "
                     "a header\n"
                     "[ 140831] 200 -> failing, no header, next in 63486\n"
                     "          answered 200, but the token's type is not Bearer\n"
                     "[ 204317] 200 -> good, Bearer a, next in 1509875\n"
                     "          all is well\n");
    lab_release(&lab);
}
END_TEST

START_TEST(ten_minutes_of_failures_lose_nothing_but_time)
{
    struct lab lab;
    int attempts = 0;
    lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
    ck_assert(lab_want(&lab));
    lab_answer_token(&lab, "old", 1200);
    lab_wait(&lab);
    int64_t from_ms = lab.now_ms, lost_ms = -1;
    while (lab.now_ms < from_ms + 600 * 1000) {
        ck_assert(lab_want(&lab));
        ck_assert(!lab_want(&lab)); /* one in flight */
        lab_answer(&lab, 500, "");
        attempts++;
        bool served = identity_header(lab.one, lab.now_ms) != NULL;
        ck_assert(served == (lab.now_ms < 1170 * 1000));
        lost_ms = served || lost_ms >= 0 ? lost_ms : lab.now_ms;
        int64_t wait_ms = identity_deadline(lab.one) - lab.now_ms;
        ck_assert_int_gt(wait_ms, 0);
        ck_assert_int_le(wait_ms, 66 * 1000);
        lab_wait(&lab);
    }
    ck_assert_int_lt(attempts, 20);
    ck_assert_int_eq(lost_ms, -1); /* refreshing at half life outlives ten minutes */
    ck_assert(lab_want(&lab));
    lab_answer_token(&lab, "new", 1200);
    ck_assert_str_eq(identity_header(lab.one, lab.now_ms), "Bearer new");
    lab_release(&lab);
}
END_TEST

START_TEST(an_expired_token_is_not_served_and_comes_back)
{
    struct lab lab;
    struct identity_status status;
    lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
    ck_assert(lab_want(&lab));
    lab_answer_token(&lab, "old", 60);
    ck_assert_ptr_nonnull(identity_header(lab.one, lab.now_ms + 53999));
    ck_assert_ptr_null(identity_header(lab.one, lab.now_ms + 54000));
    while (lab.now_ms < 600 * 1000) {
        lab_wait(&lab);
        ck_assert(lab_want(&lab));
        const struct http_result lost = {.outcome = HTTP_AMBIGUOUS, .error = "timed out"};
        lab_give(&lab, &lost);
    }
    identity_status(lab.one, lab.now_ms, &status);
    ck_assert(!status.valid && status.state == IDENTITY_FAILING && status.failures_in_row > 9);
    ck_assert_str_eq(status.problem, "no answer: timed out");
    lab_wait(&lab);
    ck_assert(lab_want(&lab));
    lab_answer_token(&lab, "new", 60);
    identity_status(lab.one, lab.now_ms, &status);
    ck_assert(status.valid && status.state == IDENTITY_GOOD && status.failures_in_row == 0);
    ck_assert_str_eq(status.problem, "");
    lab_release(&lab);
}
END_TEST

START_TEST(a_machine_with_many_identities_does_not_flood_its_metadata_service)
{
    enum { MANY = 5 };
    struct lab lab;
    struct err err;
    struct identity *all[MANY];
    struct conf_auth auth = {.kind = CONF_AUTH_MANAGED_IDENTITY, .source = CONF_SOURCE_IMDS};
    size_t done = 0;
    lab_init(&lab);
    for (size_t i = 0; i < MANY; i++) {
        char id[] = "x0";
        id[1] = (char)('0' + i);
        auth.client_id = id;
        all[i] = lab_add(&lab, &auth, &err);
        ck_assert_ptr_nonnull(all[i]);
    }
    for (int turns = 0; done < MANY && turns < 100; turns++) {
        bool asked[MANY] = {false};
        int in_flight = 0;
        for (size_t i = 0; i < MANY; i++) {
            lab.one = all[i];
            asked[i] = lab_want(&lab);
            in_flight += asked[i];
            ck_assert(asked[i] || identity_deadline(all[i]) > lab.now_ms);
        }
        ck_assert_int_le(in_flight, 2);
        for (size_t i = 0; i < MANY; i++) {
            lab.one = all[i];
            if (asked[i]) {
                lab_answer_token(&lab, "t", 3600);
                done++;
            }
        }
        lab_pass(&lab, 250);
    }
    ck_assert_uint_eq(done, MANY);
    ck_assert_int_le(lab.now_ms, 1000);
    lab_release(&lab);
}
END_TEST

/* ---- 401 from an endpoint ---- */

START_TEST(a_rejected_token_is_refreshed_once_then_with_growing_pauses)
{
    struct lab lab;
    lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
    lab_turn_token(&lab, "a", 3600);
    for (int i = 0; i < 6; i++) {
        char token[8];
        lab_pass(&lab, 100);
        uint64_t revision = identity_revision(lab.one);
        identity_rejected(lab.one, revision, lab.now_ms);
        lab_note(&lab, "rejected");
        identity_rejected(lab.one, revision, lab.now_ms); /* another request in flight then */
        (void)snprintf(token, sizeof token, "b%d", i);
        lab_turn_token(&lab, token, 3600);
        identity_rejected(lab.one, revision, lab.now_ms); /* and one that comes late */
        ck_assert_int_gt(identity_deadline(lab.one) - lab.now_ms, 1000 * 1000);
    }
    lab_expect(&lab, "[      0] 200 -> good, Bearer a, next in 1689561\n"
                     "[    100] rejected -> good, Bearer a, next in 0\n"
                     "[    100] 200 -> good, Bearer b0, next in 1764032\n"
                     "[    200] rejected -> good, Bearer b0, next in 29900\n"
                     "[  30100] 200 -> good, Bearer b1, next in 1478690\n"
                     "[  30200] rejected -> good, Bearer b1, next in 59900\n"
                     "[  90100] 200 -> good, Bearer b2, next in 1564549\n"
                     "[  90200] rejected -> good, Bearer b2, next in 119900\n"
                     "[ 210100] 200 -> good, Bearer b3, next in 1769511\n"
                     "[ 210200] rejected -> good, Bearer b3, next in 239900\n"
                     "[ 450100] 200 -> good, Bearer b4, next in 1775573\n"
                     "[ 450200] rejected -> good, Bearer b4, next in 299900\n"
                     "[ 750100] 200 -> good, Bearer b5, next in 1509875\n");
    lab_release(&lab);
}
END_TEST

START_TEST(a_rejection_does_not_cut_a_backoff_short)
{
    struct lab lab;
    lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
    lab_turn_token(&lab, "a", 3600);
    lab_turn(&lab, 429, "", "100");
    int64_t deadline = identity_deadline(lab.one);
    identity_rejected(lab.one, identity_revision(lab.one), lab.now_ms);
    ck_assert_int_eq(identity_deadline(lab.one), deadline);
    lab_release(&lab);
}
END_TEST

START_TEST(the_same_token_again_is_no_new_revision)
{
    struct lab lab;
    lab_start(&lab, CONF_AUTH_MANAGED_IDENTITY, CONF_SOURCE_IMDS);
    lab_turn_token(&lab, "a", 3600);
    lab_turn_token(&lab, "a", 1800);
    ck_assert_uint_eq(identity_revision(lab.one), 1);
    lab_turn_token(&lab, "b", 3600);
    ck_assert_uint_eq(identity_revision(lab.one), 2);
    lab_release(&lab);
}
END_TEST

/* ---- clocks ---- */

static void give_dated(struct lab *lab, int64_t ahead_ms, const char *body, const char *date)
{
    const struct http_result result = {.outcome = HTTP_ANSWERED,
                                       .status = 200,
                                       .body = body,
                                       .body_bytes = strlen(body),
                                       .date = date};
    lab->wall_ms = LAB_WALL_MS + ahead_ms;
    lab_wait(lab);
    ck_assert(lab_want(lab));
    lab_give(lab, &result);
}

START_TEST(a_clock_that_is_hours_off_does_not_matter)
{
    /* expires_on is one hour after the server's time, which is LAB_WALL_MS */
    static const char only_on[] = "{\"access_token\":\"a\",\"expires_on\":\"1795003600\"}";
    static const int64_t hours[] = {-24, -2, 0, 2, 24};
    for (size_t i = 0; i < ARRAY_COUNT(hours); i++) {
        struct lab lab;
        struct identity_status status;
        lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
        give_dated(&lab, hours[i] * 3600000, only_on, "Wed, 18 Nov 2026 11:06:40 GMT");
        identity_status(lab.one, lab.now_ms, &status);
        ck_assert_int_eq(status.expires_in_ms, 3570 * 1000);
        ck_assert_int_eq(status.clock_skew_ms, -hours[i] * 3600000);
        lab_release(&lab);
    }
}
END_TEST

START_TEST(what_a_refusal_said_of_the_clock_is_remembered)
{
    struct lab lab;
    struct identity_status status;
    const struct http_result dated = {.outcome = HTTP_ANSWERED,
                                      .status = 503,
                                      .body = "",
                                      .date = "Wed, 18 Nov 2026 11:06:40 GMT"};
    lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
    lab.wall_ms = LAB_WALL_MS + 2 * 3600000; /* two hours ahead */
    ck_assert(lab_want(&lab));
    lab_give(&lab, &dated);
    int64_t from_ms = lab.now_ms;
    lab_turn(&lab, 200, "{\"access_token\":\"a\",\"expires_on\":\"1795003600\"}", NULL);
    identity_status(lab.one, lab.now_ms, &status);
    ck_assert_int_eq(status.expires_in_ms, 3570 * 1000 - (lab.now_ms - from_ms));
    lab_release(&lab);
}
END_TEST

START_TEST(a_token_that_looks_expired_is_tried_all_the_same)
{
    struct lab lab;
    struct identity_status status;
    lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
    give_dated(&lab, 2 * 3600000, "{\"access_token\":\"a\",\"expires_on\":\"1795003600\"}", NULL);
    identity_status(lab.one, lab.now_ms, &status);
    ck_assert(status.valid && status.expires_in_ms == 270 * 1000);
    ck_assert_int_le(identity_deadline(lab.one) - lab.now_ms, 150 * 1000);
    lab_release(&lab);
}
END_TEST

START_TEST(refresh_in_may_ask_for_an_earlier_refresh_not_a_later)
{
    struct lab lab;
    lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
    lab_turn(&lab, 200, "{\"access_token\":\"a\",\"expires_in\":3600,\"refresh_in\":900}", NULL);
    ck_assert_int_le(identity_deadline(lab.one), 900 * 1000);
    ck_assert_int_ge(identity_deadline(lab.one), 540 * 1000);
    lab_turn(&lab, 200, "{\"access_token\":\"b\",\"expires_in\":3600,\"refresh_in\":\"3000\"}",
             NULL);
    ck_assert_int_le(identity_deadline(lab.one) - lab.now_ms, 1800 * 1000);
    lab_release(&lab);
}
END_TEST

START_TEST(a_slow_answer_shortens_the_life)
{
    struct lab lab;
    struct identity_status status;
    lab_start(&lab, CONF_AUTH_SECRET, CONF_SOURCE_AUTO);
    static const char body[] = "{\"access_token\":\"a\",\"expires_in\":600}";
    const struct http_result slow = {.outcome = HTTP_ANSWERED,
                                     .status = 200,
                                     .body = body,
                                     .body_bytes = sizeof body - 1,
                                     .elapsed_ms = 80000};
    ck_assert(lab_want(&lab));
    lab_pass(&lab, 80000);
    lab_give(&lab, &slow);
    identity_status(lab.one, lab.now_ms, &status);
    ck_assert_int_eq(status.expires_in_ms, (600 - 80 - 30) * 1000);
    lab_release(&lab);
}
END_TEST

Suite *suite_life(void);
Suite *suite_life(void)
{
    Suite *suite = suite_create("life");
    TCase *tcase = tcase_create("life");
    tcase_add_test(tcase, a_token_is_refreshed_at_half_of_its_life_less_a_random_tenth);
    tcase_add_test(tcase, the_halving_never_comes_late);
    tcase_add_test(tcase, imds_goes_through_its_phases);
    tcase_add_test(tcase, entra_says_what_is_wrong);
    tcase_add_test(tcase, an_answer_that_is_no_token_is_asked_for_again);
    tcase_add_test(tcase, ten_minutes_of_failures_lose_nothing_but_time);
    tcase_add_test(tcase, an_expired_token_is_not_served_and_comes_back);
    tcase_add_test(tcase, a_machine_with_many_identities_does_not_flood_its_metadata_service);
    tcase_add_test(tcase, a_rejected_token_is_refreshed_once_then_with_growing_pauses);
    tcase_add_test(tcase, a_rejection_does_not_cut_a_backoff_short);
    tcase_add_test(tcase, the_same_token_again_is_no_new_revision);
    tcase_add_test(tcase, a_clock_that_is_hours_off_does_not_matter);
    tcase_add_test(tcase, what_a_refusal_said_of_the_clock_is_remembered);
    tcase_add_test(tcase, a_token_that_looks_expired_is_tried_all_the_same);
    tcase_add_test(tcase, refresh_in_may_ask_for_an_earlier_refresh_not_a_later);
    tcase_add_test(tcase, a_slow_answer_shortens_the_life);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* test_expiry.c - every form a token's end, a Date and a Retry-After come in. */
#include "expiry.h"

#include <check.h>

#define BAD INT64_MIN

static const struct {
    const char *text;
    int64_t unix_ms;
} times[] = {
    {"0", 0},
    {"1506484173", 1506484173000},
    {"1506484173.25", 1506484173250},
    {"1.506484173e9", 1506484173000},
    {"1506484173000", 1506484173000}, /* milliseconds */
    {"1970-01-01T00:00:00Z", 0},
    {"2017-09-14T23:59:59Z", 1505433599000},
    {"2017-09-14t23:59:59z", 1505433599000},
    {"2017-09-14 23:59:59", 1505433599000},
    {"2017-09-14T23:59:59", 1505433599000},
    {"2017-09-15T01:59:59+02:00", 1505433599000},
    {"2017-09-14T18:29:59-0530", 1505433599000},
    {"2017-09-14T23:59:59.9999999+00:00", 1505433599999},
    {"2017-09-14 23:59:59.123456 +00:00", 1505433599123},
    {"2024-02-29T12:00:00Z", 1709208000000},
    {"2000-02-29T00:00:00Z", 951782400000},
    {"09/14/2017 23:59:59", 1505433599000},
    {"9/14/2017 1:02:03", 1505350923000},
    {"09/14/2017 00:00:00 PM +00:00", 1505347200000}, /* the App Service page's own */
    {"09/14/2017 15:04:05 PM +00:00", 1505401445000},
    {"09/14/2017 3:04:05 PM +00:00", 1505401445000},
    {"09/14/2017 3:04:05 AM", 1505358245000},
    {"09/14/2017 12:00:00 AM", 1505347200000},
    {"09/14/2017 12:00:00 PM", 1505390400000},
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777000},
    {"Wed, 18 Nov 2026 12:26:40 GMT", 1795004800000},
    {"", BAD},
    {" 1506484173", BAD},
    {"-1", BAD},
    {"+1", BAD},
    {"inf", BAD},
    {"nan", BAD},
    {"0x10", BAD},
    {"1e400", BAD},
    {"1e16", BAD},
    {"1.2.3", BAD},
    {"12345678901234567890123456789012345678901", BAD},
    {"soon", BAD},
    {"2017-13-14T00:00:00Z", BAD},
    {"2017-00-14T00:00:00Z", BAD},
    {"2017-02-29T00:00:00Z", BAD},
    {"1900-02-29T00:00:00Z", BAD},
    {"2017-09-14T24:00:00Z", BAD},
    {"2017-09-14T23:60:00Z", BAD},
    {"2017-09-14", BAD},
    {"2017-09-14T23:59", BAD},
    {"2017-09-14T23:59:59Zx", BAD},
    {"2017-09-14T23:59:59.", BAD},
    {"2017-09-14T23:59:59+99:00", BAD},
    {"14/09/2017 00:00:00", BAD},
    {"09-14-2017 00:00:00", BAD},
    {"Sun, 06 Foo 1994 08:49:37 GMT", BAD},
    {"06 Nov 1994 08:49:37 GMT", BAD},
};

START_TEST(a_time_is_read_in_every_form)
{
    int64_t unix_ms = BAD;
    bool good = expiry_time_parse(times[_i].text, &unix_ms);
    ck_assert_msg(good == (times[_i].unix_ms != BAD), "%s", times[_i].text);
    ck_assert_msg(!good || unix_ms == times[_i].unix_ms, "%s: %lld", times[_i].text,
                  (long long)unix_ms);
}
END_TEST

/* All against the server's 1,000,000 s. */
static const struct {
    const char *on, *in;
    int64_t life_ms; /* 0: unreadable */
    bool assumed;
} lives[] = {
    {NULL, NULL, 0, false},
    {"", "", 0, false},
    {"soon", "later", 0, false},
    {NULL, "3599", 3599000, false},
    {NULL, "3599.5", 3599500, false},
    {"", "3599", 3599000, false},
    {"soon", "3599", 3599000, false},
    {"1003599", NULL, 3599000, false},
    {"1003599", "", 3599000, false},
    {"1003599", "0", 3599000, false},
    {"1003599", "never", 3599000, false},
    {"01/12/1970 14:46:39", NULL, 3599000, false},
    {"1003599", "1800", 1800000, false}, /* one of two clocks is wrong: the shorter */
    {"1001000", "3599", 1000000, false},
    {"996400", "3599", 3599000, false}, /* our clock is ahead: expires_in needs none */
    {"996400", NULL, EXPIRY_ASSUMED_MS, true},
    {"1000000", NULL, EXPIRY_ASSUMED_MS, true},
    {NULL, "0", 0, false},
    {NULL, "99999999", EXPIRY_LIFE_MS_MAX, false},
    {"99999999", NULL, EXPIRY_LIFE_MS_MAX, false},
};

START_TEST(the_life_of_a_token_is_found)
{
    int64_t life_ms = 0;
    bool assumed = true;
    bool good = expiry_life(lives[_i].on, lives[_i].in, 1000000000, &life_ms, &assumed);
    ck_assert(good == (lives[_i].life_ms != 0));
    ck_assert(!good || (life_ms == lives[_i].life_ms && assumed == lives[_i].assumed));
}
END_TEST

START_TEST(retry_after_is_seconds_or_a_date)
{
    int64_t ms = -1;
    const int64_t wall_ms = 784111777000;
    ck_assert(expiry_retry_after_parse("60", wall_ms, &ms) && ms == 60000);
    ck_assert(expiry_retry_after_parse("0", wall_ms, &ms) && ms == 0);
    ck_assert(expiry_retry_after_parse("Sun, 06 Nov 1994 08:50:37 GMT", wall_ms, &ms));
    ck_assert_int_eq(ms, 60000);
    ck_assert(expiry_retry_after_parse("Sun, 06 Nov 1994 08:00:00 GMT", wall_ms, &ms) && ms == 0);
    ck_assert(!expiry_retry_after_parse("soon", wall_ms, &ms));
    ck_assert(!expiry_retry_after_parse("-5", wall_ms, &ms));
    ck_assert(!expiry_retry_after_parse("", wall_ms, &ms));
}
END_TEST

Suite *suite_expiry(void);
Suite *suite_expiry(void)
{
    Suite *suite = suite_create("expiry");
    TCase *tcase = tcase_create("times");
    tcase_add_loop_test(tcase, a_time_is_read_in_every_form, 0, (int)ARRAY_COUNT(times));
    tcase_add_loop_test(tcase, the_life_of_a_token_is_found, 0, (int)ARRAY_COUNT(lives));
    tcase_add_test(tcase, retry_after_is_seconds_or_a_date);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* test_retry_after.c - Retry-After and HTTP dates. */
#include <check.h>
#include <walship/assert.h>
#include <walship/endpoint.h>

static const struct {
    const char *text;
    bool ok;
    int64_t ms;
} dates[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", true, 784111777000},
    {"Thu, 01 Jan 1970 00:00:00 GMT", true, 0},
    {"Wed, 31 Dec 1969 23:59:59 GMT", true, -1000},
    {"Thu, 29 Feb 2024 12:00:00 GMT", true, 1709208000000},
    {"Tue, 29 Feb 2000 00:00:00 GMT", true, 951782400000},
    {"Fri, 31 Dec 9999 23:59:59 GMT", true, 253402300799000},
    {"Sat, 01 Jan 0000 00:00:00 GMT", true, -62167219200000},
    {"Fri, 30 Jun 2017 23:59:60 GMT", true, 1498867200000}, /* a leap second: the next midnight */
    {"Mon, 29 Feb 2100 00:00:00 GMT", false, 0},            /* no leap year */
    {"Sun, 29 Feb 2026 00:00:00 GMT", false, 0},
    {"Sun, 31 Apr 2026 00:00:00 GMT", false, 0},
    {"Sun, 00 Nov 1994 08:49:37 GMT", false, 0},
    {"Sun, 06 Nov 1994 24:00:00 GMT", false, 0},
    {"Sun, 06 Nov 1994 08:60:37 GMT", false, 0},
    {"Sun, 06 Nov 1994 08:49:61 GMT", false, 0},
    {"Sun, 06 Nov 1994 08:49:37 UTC", false, 0},
    {"Sun, 06 nov 1994 08:49:37 GMT", false, 0},
    {"Xxx, 06 Nov 1994 08:49:37 GMT", false, 0},
    {"unM, 06 Nov 1994 08:49:37 GMT", false, 0}, /* across two names of the list */
    {"Sun, 06 anF 1994 08:49:37 GMT", false, 0},
    {"Sun, +6 Nov 1994 08:49:37 GMT", false, 0},
    {"Sun,  6 Nov 1994 08:49:37 GMT", false, 0},
    {"Sunday, 06-Nov-94 08:49:37 GMT", false, 0},
    {"Sun Nov  6 08:49:37 1994", false, 0},
    {"Sun, 06 Nov 1994 08:49:37 GM", false, 0},
    {"Sun, 06 Nov 1994 08:49:37 GMT ", false, 0},
    {"", false, 0},
};

START_TEST(only_whole_imf_fixdates_are_dates)
{
    int64_t ms = 42;
    ck_assert_int_eq(http_date_parse(dates[_i].text, &ms), dates[_i].ok);
    ck_assert_int_eq(ms, dates[_i].ok ? dates[_i].ms : 42);
}

/* Against the C library, day by day over 400 years: every leap rule once. */
START_TEST(every_day_of_four_centuries_agrees_with_timegm)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (time_t t = 0; t < (time_t)146097 * 86400; t += 86400) {
        struct tm tm;
        char text[64];
        int64_t ms = 0;
        (void)gmtime_r(&t, &tm);
        (void)snprintf(text, sizeof text, "Mon, %02d %.3s %04d 00:00:00 GMT", tm.tm_mday,
                       months + 3 * (ptrdiff_t)tm.tm_mon, tm.tm_year + 1900);
        if (!http_date_parse(text, &ms) || ms != (int64_t)t * 1000) {
            ck_abort_msg("%s gives %lld", text,
                         (long long)ms); /* ck_assert is slow: 146,097 days */
        }
    }
}

static const struct {
    const char *text;
    bool ok;
    int64_t ms;
} waits[] = {
    {"0", true, 0},
    {"5", true, 5000},
    {"0120", true, 120000},
    {"3600", true, 3600000},
    {"999999999999", true, 999999999999000},
    {"99999999999999999999999999", true, 999999999999000}, /* for ever, without overflow */
    {"Sun, 06 Nov 1994 08:49:37 GMT", true, 37000},
    {"Sun, 06 Nov 1994 08:49:00 GMT", true, 0},
    {"Sun, 06 Nov 1994 08:00:00 GMT", true, 0}, /* past */
    {"-5", false, 0},
    {"+5", false, 0},
    {"5.5", false, 0},
    {"5s", false, 0},
    {" 5", false, 0},
    {"5 ", false, 0},
    {"", false, 0},
    {"soon", false, 0},
};

START_TEST(retry_after_is_seconds_or_a_date)
{
    int64_t ms = 42;
    int64_t wall_ms = 784111740000; /* Sun, 06 Nov 1994 08:49:00 GMT */
    ck_assert_int_eq(retry_after_parse(waits[_i].text, wall_ms, &ms), waits[_i].ok);
    ck_assert_int_eq(ms, waits[_i].ok ? waits[_i].ms : 42);
}

Suite *suite_retry_after(void);
Suite *suite_retry_after(void)
{
    Suite *suite = suite_create("retry_after");
    TCase *tests = tcase_create("retry_after");
    tcase_add_loop_test(tests, only_whole_imf_fixdates_are_dates, 0, (int)ARRAY_COUNT(dates));
    tcase_add_test(tests, every_day_of_four_centuries_agrees_with_timegm);
    tcase_add_loop_test(tests, retry_after_is_seconds_or_a_date, 0, (int)ARRAY_COUNT(waits));
    suite_add_tcase(suite, tests);
    return suite;
}

/* test_minute.c - the side car's line: when it comes, and what it counts. */
#include "minute.h"

#include <check.h>
#include <string.h>
#include <walship/log.h>

static char said[1000];

static void keep(void *context, const char *line)
{
    (void)context;
    size_t used = strlen(said), bytes = strlen(line);
    ck_assert_uint_lt(used + bytes, sizeof said);
    memcpy(said + used, line, bytes + 1);
}

static int64_t no_time(void *context)
{
    (void)context;
    return 0;
}

static void setup(void)
{
    said[0] = '\0';
    log_set_sink(keep, no_time, NULL);
}

static void teardown(void)
{
    log_set_sink(NULL, NULL, NULL);
}

#define LINE                                                                                       \
    "ts=1970-01-01T00:00:00.000Z level=info msg=\"Metric packets published in last 1 minute\" "

START_TEST(each_minute_has_its_own_figures)
{
    struct minute minute;
    struct minute_sums sums = {12, 10, 2, 5000, 3};
    minute_begin(&minute, 1000, true);
    minute_say(&minute, &sums, 60999);
    ck_assert_str_eq(said, "");
    ck_assert_int_eq(minute_deadline(&minute), 61000);
    minute_say(&minute, &sums, 61000);
    ck_assert_str_eq(said, LINE "avgBytesPerRequest=500 avgRequestDurationInSec=0.25 "
                                "failedPublishing=2 successfullyPublished=10\n");
    said[0] = '\0';
    sums = (struct minute_sums){16, 12, 3, 5600, 5}; /* one of the four was a redirect */
    minute_say(&minute, &sums, 121500);
    ck_assert_str_eq(said, LINE "avgBytesPerRequest=300 avgRequestDurationInSec=0.5 "
                                "failedPublishing=1 successfullyPublished=2\n");
    ck_assert_int_eq(minute_deadline(&minute), 181000); /* it does not drift */
}

START_TEST(a_minute_without_requests_has_zeros)
{
    struct minute minute;
    struct minute_sums sums = {0};
    minute_begin(&minute, 0, true);
    minute_say(&minute, &sums, 60000);
    ck_assert_str_eq(said, LINE "avgBytesPerRequest=0 avgRequestDurationInSec=0 "
                                "failedPublishing=0 successfullyPublished=0\n");
}

START_TEST(figures_that_went_with_an_endpoint_are_not_negative)
{
    struct minute minute;
    struct minute_sums sums = {10, 10, 5, 1000, 10};
    minute_begin(&minute, 0, true);
    minute_say(&minute, &sums, 60000);
    said[0] = '\0';
    sums = (struct minute_sums){5, 4, 1, 400, 5};
    minute_say(&minute, &sums, 120000);
    ck_assert_str_eq(said, LINE "avgBytesPerRequest=0 avgRequestDurationInSec=0 "
                                "failedPublishing=0 successfullyPublished=0\n");
}

START_TEST(after_a_sleep_there_is_one_line)
{
    struct minute minute;
    struct minute_sums sums = {1, 1, 0, 10, 1};
    minute_begin(&minute, 0, true);
    minute_say(&minute, &sums, 3600000);
    minute_say(&minute, &sums, 3600001);
    ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
    ck_assert_int_eq(minute_deadline(&minute), 3660000);
}

START_TEST(with_a_configuration_file_there_is_none)
{
    struct minute minute;
    struct minute_sums sums = {1, 1, 0, 10, 1};
    minute_begin(&minute, 0, false);
    minute_say(&minute, &sums, 60000);
    ck_assert_str_eq(said, "");
    ck_assert_int_eq(minute_deadline(&minute), INT64_MAX);
}

Suite *suite_minute(void);
Suite *suite_minute(void)
{
    Suite *suite = suite_create("minute");
    TCase *cases = tcase_create("minute");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, each_minute_has_its_own_figures);
    tcase_add_test(cases, a_minute_without_requests_has_zeros);
    tcase_add_test(cases, figures_that_went_with_an_endpoint_are_not_negative);
    tcase_add_test(cases, after_a_sleep_there_is_one_line);
    tcase_add_test(cases, with_a_configuration_file_there_is_none);
    suite_add_tcase(suite, cases);
    return suite;
}

/* test_fault.c - what a fault's keys mean and when it ends. */
#include "fault.h"

#include <check.h>

static bool set(struct fault *fault, const char *key, const char *value)
{
    struct err err = {0};
    bool good = fault_set(fault, key, value, 1000, &err);
    ck_assert(good == (err.text[0] == '\0'));
    return good;
}

START_TEST(a_fault_that_was_not_set_does_nothing)
{
    struct fault fault, taken;
    fault_init(&fault);
    ck_assert(!fault_take(&fault, 0, &taken));
}

START_TEST(a_fault_ends_with_its_time)
{
    struct fault fault, taken;
    fault_init(&fault);
    ck_assert(set(&fault, "status", "503"));
    ck_assert(set(&fault, "for", "10s"));
    ck_assert(set(&fault, "retry_after", "2"));
    ck_assert(fault_take(&fault, 1000, &taken));
    ck_assert_int_eq(taken.status, 503);
    ck_assert_str_eq(taken.retry_after, "2");
    ck_assert(fault_take(&fault, 10999, &taken));
    ck_assert(!fault_take(&fault, 11000, &taken));
}

START_TEST(a_fault_ends_with_its_count)
{
    struct fault fault, taken;
    fault_init(&fault);
    ck_assert(set(&fault, "cut", "after"));
    ck_assert(set(&fault, "count", "2"));
    ck_assert(fault_take(&fault, 0, &taken));
    ck_assert_int_eq(taken.cut, CUT_AFTER);
    ck_assert(fault_take(&fault, 0, &taken));
    ck_assert(!fault_take(&fault, 0, &taken));
}

struct bad_row {
    const char *key;
    const char *value;
};

static const struct bad_row BAD_ROWS[] = {
    {"status", "99"},
    {"status", "600"},
    {"status", "abc"},
    {"status", ""},
    {"status", "503x"},
    {"store", "yes"},
    {"cut", "middle"},
    {"delay", "soon"},
    {"for", "-1s"},
    {"count", "-1"},
    {"count", "99999999999999999999"},
    {"body", "a\nb"},
    {"retry_after", "1\r\nX: y"},
    {"retry_after", "\x7f"},
    {"stat", "503"},
    {"", "1"},
};

START_TEST(a_fault_may_speak_of_certain_requests_only)
{
    struct fault fault;
    fault_init(&fault);
    ck_assert(fault_concerns(&fault, "any", 3));
    ck_assert(set(&fault, "holding", "poison"));
    ck_assert(!fault_concerns(&fault, "any", 3));
    ck_assert(!fault_concerns(&fault, "poiso", 5));
    ck_assert(fault_concerns(&fault, "a\0poison", 8));
    ck_assert(!set(&fault, "holding", ""));
}

START_TEST(a_value_without_sense_is_refused)
{
    struct fault fault;
    fault_init(&fault);
    ck_assert(!set(&fault, BAD_ROWS[_i].key, BAD_ROWS[_i].value));
}

Suite *suite_fault(void);
Suite *suite_fault(void)
{
    Suite *suite = suite_create("fault");
    TCase *tests = tcase_create("fault");
    tcase_add_test(tests, a_fault_that_was_not_set_does_nothing);
    tcase_add_test(tests, a_fault_may_speak_of_certain_requests_only);
    tcase_add_test(tests, a_fault_ends_with_its_time);
    tcase_add_test(tests, a_fault_ends_with_its_count);
    tcase_add_loop_test(tests, a_value_without_sense_is_refused, 0, ARRAY_COUNT(BAD_ROWS));
    suite_add_tcase(suite, tests);
    return suite;
}

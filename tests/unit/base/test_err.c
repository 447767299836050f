/* test_err.c - errors gain context and never overflow; programmer errors and the end of memory end
 * the process. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <walship/err.h>
#include <walship/mem.h>

START_TEST(context_stands_before_what_went_wrong)
{
    struct err err = {0};
    ck_assert(!err_set(&err, EACCES, "%s: permission denied", "/x/state.db"));
    ck_assert(!err_wrap(&err, "open %s", "state"));
    ck_assert(!err_wrap(&err, "start"));
    ck_assert_str_eq(err.text, "start: open state: /x/state.db: permission denied");
    ck_assert_int_eq(err.code, EACCES);
}

START_TEST(the_last_set_replaces_what_was_said_before)
{
    struct err err = {0};
    err_set(&err, 1, "a long first text");
    err_set(&err, 0, "b");
    ck_assert_str_eq(err.text, "b");
    ck_assert_int_eq(err.code, 0);
}

START_TEST(an_error_may_be_made_from_its_own_text)
{
    struct err err = {0};
    err_set(&err, 5, "inner");
    err_set(&err, 6, "outer (%s)", err.text);
    ck_assert_str_eq(err.text, "outer (inner)");
    err_wrap(&err, "%s twice", err.text);
    ck_assert_str_eq(err.text, "outer (inner) twice: outer (inner)");
}

/* Lengths of the context around the place where the text is full (511 characters). */
static const size_t context_lengths[] = {500, 508, 509, 510, 511, 512, 900};

START_TEST(text_too_long_is_cut_and_ended)
{
    size_t length = context_lengths[_i];
    char context[1000];
    memset(context, 'c', sizeof context);
    context[length] = '\0';
    struct err err = {0};
    err_set(&err, 0, "tail");
    err_wrap(&err, "%s", context);
    char expected[1100];
    snprintf(expected, sizeof expected, "%s: tail", context);
    size_t whole = strlen(expected);
    size_t kept = whole < sizeof err.text - 1 ? whole : sizeof err.text - 1;
    ck_assert_uint_eq(strlen(err.text), kept);
    ck_assert_mem_eq(err.text, expected, kept);
}

START_TEST(fresh_memory_is_zero_and_copies_are_equal)
{
    uint8_t *fresh = mem_new(1000, 3);
    for (size_t i = 0; i < 3000; i++) {
        ck_assert_uint_eq(fresh[i], 0);
    }
    fresh[2999] = 7;
    fresh = mem_grow(fresh, 100000, 1);
    ck_assert_uint_eq(fresh[2999], 7);
    mem_free(fresh);
    char *copy = mem_string("text");
    char *made = mem_format("%s-%d", copy, 5);
    ck_assert_str_eq(made, "text-5");
    mem_free(copy);
    mem_free(made);
    mem_free(NULL);
    mem_free(mem_new(0, 8));
    mem_free(mem_grow(NULL, 0, 8));
}

START_TEST(a_size_that_overflows_ends_the_process)
{
    mem_free(mem_grow(NULL, SIZE_MAX / 2, 3));
}

/* Has the address sanitizer's heap answer NULL, as the real one does, instead of its own report. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

START_TEST(memory_that_is_not_there_ends_the_process)
{
    mem_free(mem_new(SIZE_MAX / 4, 2));
}

START_TEST(a_failed_assertion_ends_the_process)
{
    ASSERT(_i == 1);
}

START_TEST(a_true_assertion_is_passed_over)
{
    ASSERT(_i == 0);
}

Suite *suite_err(void);
Suite *suite_err(void)
{
    Suite *suite = suite_create("err, mem, assert");
    TCase *tests = tcase_create("err, mem, assert");
    tcase_add_test(tests, context_stands_before_what_went_wrong);
    tcase_add_test(tests, the_last_set_replaces_what_was_said_before);
    tcase_add_test(tests, an_error_may_be_made_from_its_own_text);
    tcase_add_loop_test(tests, text_too_long_is_cut_and_ended, 0, ARRAY_COUNT(context_lengths));
    tcase_add_test(tests, fresh_memory_is_zero_and_copies_are_equal);
    tcase_add_test_raise_signal(tests, a_size_that_overflows_ends_the_process, SIGABRT);
    tcase_add_test_raise_signal(tests, memory_that_is_not_there_ends_the_process, SIGABRT);
    tcase_add_test_raise_signal(tests, a_failed_assertion_ends_the_process, SIGABRT);
    tcase_add_test(tests, a_true_assertion_is_passed_over);
    suite_add_tcase(suite, tests);
    return suite;
}

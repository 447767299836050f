/* test_answers.c - what of a response body may be shown: one printable line without credentials. */
#include "answers.h"

#include <check.h>
#include <stdint.h>
#include <walship/assert.h>
#include <walship/rng.h>

static const struct {
    const char *body;
    const char *line;
} bodies[] = {
    {"", ""},
    {"out of order sample\n", "out of order sample"},
    {"\r\n  first\r\nsecond", "first"},
    {"a\tb\x01\x7f\xC3\xA4 c", "a b???? c"},
    {"{\"error\":{\"code\":\"Throttled\"}}", "{\"error\":{\"code\":\"Throttled\"}}"},
    {"bad header Authorization: Bearer abc.def-ghi, sorry",
     "bad header Authorization: Bearer ***********, sorry"},
    {"got \"bearer  s3cret\"", "got \"bearer  ******\""},
    {"Basic dXNlcjpw", "Basic ********"},
    {"token eyJhbGciOi.J9.x is stale", "token *************** is stale"},
    {"?access_token=eyJhbGciOi.J9.x&a", "?access_token=*****************"},
    {"<eyJhbGciOi.J9.x> (token:eyJ0.J9.x)", "<**************** (token:**********"},
    {"bearers of bad news", "bearers of bad news"},
};

START_TEST(the_first_line_is_shown_without_control_bytes_or_credentials)
{
    char out[100];
    answer_line(bodies[_i].body, strlen(bodies[_i].body), out, sizeof out);
    ck_assert_str_eq(out, bodies[_i].line);
}

START_TEST(a_long_line_is_cut_to_the_room)
{
    char body[300], out[10];
    memset(body, 'x', sizeof body);
    answer_line(body, sizeof body, out, sizeof out);
    ck_assert_str_eq(out, "xxxxxxxxx");
    answer_line(body, sizeof body, out, 1);
    ck_assert_str_eq(out, "");
}

/* A token of our own must not be seen even when the cut runs through it. */
START_TEST(a_cut_token_stays_blotted)
{
    char out[20];
    static const char body[] = "bearer abcdefghijklmnopqrstuvwxyz";
    answer_line(body, sizeof body - 1, out, sizeof out);
    ck_assert_str_eq(out, "bearer ************");
}

START_TEST(each_status_finds_its_row)
{
    for (int status = -10; status < 1100; status++) {
        const struct answer_row *row = answer_row(status);
        ck_assert_int_le(row->first, status);
        ck_assert_int_ge(row->last, status);
        ck_assert((row->class == ANSWER_ACKED) == (status >= 200 && status < 300));
        ck_assert(row->class != ANSWER_HOLD || row->advice != NULL);
    }
}

Suite *suite_answers(void);
Suite *suite_answers(void)
{
    Suite *suite = suite_create("answers");
    TCase *tests = tcase_create("answers");
    tcase_add_loop_test(tests, the_first_line_is_shown_without_control_bytes_or_credentials, 0,
                        (int)ARRAY_COUNT(bodies));
    tcase_add_test(tests, a_long_line_is_cut_to_the_room);
    tcase_add_test(tests, a_cut_token_stays_blotted);
    tcase_add_test(tests, each_status_finds_its_row);
    suite_add_tcase(suite, tests);
    return suite;
}

/* test_position.c - positions are ordered by generation, segment, record, item, in that order. */
#include <check.h>
#include <walship/assert.h>
#include <walship/position.h>

/* In order. */
static const struct position sorted[] = {
    {0, 0, 0, 0},          {0, 0, 0, 1},          {0, 0, 0, UINT32_MAX}, {0, 0, 1, 0},
    {0, 0, UINT32_MAX, 0}, {0, 1, 0, 0},          {0, UINT32_MAX, 9, 9}, {1, 0, 0, 0},
    {1, 2, 3, 4},          {1, 2, 3, 5},          {1, 2, 4, 0},          {1, 3, 0, 0},
    {2, 0, 0, 0},          {UINT32_MAX, 0, 0, 0}, {UINT32_MAX, 0, 0, 1},
};

START_TEST(positions_compare_as_listed)
{
    const struct position *a = &sorted[_i];
    for (int j = 0; j < (int)ARRAY_COUNT(sorted); j++) {
        int order = position_compare(a, &sorted[j]);
        ck_assert_int_eq((order > 0) - (order < 0), (_i > j) - (_i < j));
        ck_assert_int_eq(position_before(a, &sorted[j]), _i < j);
    }
}

Suite *suite_position(void);
Suite *suite_position(void)
{
    Suite *suite = suite_create("position");
    TCase *tests = tcase_create("position");
    tcase_add_loop_test(tests, positions_compare_as_listed, 0, ARRAY_COUNT(sorted));
    suite_add_tcase(suite, tests);
    return suite;
}

/* test_series_ids.c - the cache of series ids against what it must never do: give a wrong id. */
#include "series_ids.h"

#include <check.h>
#include <walship/assert.h>

static size_t make_key(char *out, size_t room, int number)
{
    int bytes = snprintf(out, room, "series-%d-%d", number, number % 7);
    ck_assert_int_gt(bytes, 0);
    return (size_t)bytes;
}

START_TEST(a_key_gives_the_id_it_was_put_with_also_after_growing)
{
    struct series_ids *ids = series_ids_new(16 << 20);
    char key[64];
    for (int number = 1; number <= 20000; number++) {
        size_t bytes = make_key(key, sizeof key, number);
        ck_assert_int_eq(series_ids_get(ids, key, bytes), 0);
        series_ids_put(ids, key, bytes, number);
    }
    for (int number = 1; number <= 20000; number++) {
        size_t bytes = make_key(key, sizeof key, number);
        ck_assert_int_eq(series_ids_get(ids, key, bytes), number);
        ck_assert_int_eq(series_ids_get(ids, key, bytes - 1), 0);
    }
    ck_assert_uint_eq(series_ids_count(ids), 20000);
    series_ids_free(ids);
}

START_TEST(a_full_memory_forgets_and_goes_on)
{
    struct series_ids *ids = series_ids_new(1000);
    char key[64];
    for (int number = 1; number <= 500; number++) {
        size_t bytes = make_key(key, sizeof key, number);
        series_ids_put(ids, key, bytes, number);
        ck_assert_int_eq(series_ids_get(ids, key, bytes), number);
    }
    ck_assert_uint_lt(series_ids_count(ids), 100);
    size_t bytes = make_key(key, sizeof key, 1);
    ck_assert_int_eq(series_ids_get(ids, key, bytes), 0);
    series_ids_free(ids);
}

START_TEST(a_key_larger_than_the_memory_is_not_kept)
{
    struct series_ids *ids = series_ids_new(16);
    series_ids_put(ids, "0123456789abcdef0", 17, 5);
    ck_assert_int_eq(series_ids_get(ids, "0123456789abcdef0", 17), 0);
    series_ids_put(ids, "0123456789abcdef", 16, 6);
    ck_assert_int_eq(series_ids_get(ids, "0123456789abcdef", 16), 6);
    series_ids_free(ids);
}

Suite *suite_series_ids(void);
Suite *suite_series_ids(void)
{
    Suite *suite = suite_create("series_ids");
    TCase *tests = tcase_create("cache");
    tcase_add_test(tests, a_key_gives_the_id_it_was_put_with_also_after_growing);
    tcase_add_test(tests, a_full_memory_forgets_and_goes_on);
    tcase_add_test(tests, a_key_larger_than_the_memory_is_not_kept);
    suite_add_tcase(suite, tests);
    return suite;
}

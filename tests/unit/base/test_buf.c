/* test_buf.c - a buffer holds what was appended, up to its limit and not a byte more. */
#include <check.h>
#include <walship/buf.h>
#include <walship/rng.h>

START_TEST(what_is_appended_stands_there_in_order)
{
    struct buf buf;
    buf_init(&buf, 100000);
    struct rng rng = {1};
    uint8_t expected[60000];
    size_t count = 0;
    while (count < sizeof expected) {
        size_t part = rng_below(&rng, 500);
        part = part < sizeof expected - count ? part : sizeof expected - count;
        for (size_t i = 0; i < part; i++) {
            expected[count + i] = (uint8_t)rng_next(&rng);
        }
        ck_assert(buf_append(&buf, expected + count, part));
        count += part;
        ck_assert_uint_eq(buf.bytes, count);
        ck_assert_uint_le(buf.capacity, 100000);
        ck_assert_uint_le(buf.capacity, count < 256 ? 256 : 2 * count);
    }
    ck_assert_mem_eq(buf.data, expected, count);
    buf_release(&buf);
    ck_assert_ptr_null(buf.data);
}

static const size_t limits[] = {1, 7, 255, 256, 257, 1000, 1024};

START_TEST(a_full_buffer_refuses_and_stays_as_it_is)
{
    size_t limit = limits[_i];
    struct buf buf;
    buf_init(&buf, limit);
    for (size_t i = 0; i < limit; i++) {
        ck_assert(buf_append(&buf, "x", 1));
    }
    ck_assert_uint_eq(buf.bytes, limit);
    ck_assert(!buf_append(&buf, "y", 1));
    ck_assert(!buf_format(&buf, "%d", 5));
    ck_assert(!buf_reserve(&buf, 1));
    ck_assert(!buf_reserve(&buf, SIZE_MAX));
    ck_assert(buf_reserve(&buf, 0));
    ck_assert(buf_append(&buf, NULL, 0));
    ck_assert_uint_eq(buf.bytes, limit);
    ck_assert_uint_le(buf.capacity, limit);
    for (size_t i = 0; i < limit; i++) {
        ck_assert_uint_eq(buf.data[i], 'x');
    }
    buf_release(&buf);
}

START_TEST(formatted_text_may_fill_the_buffer_to_its_limit)
{
    struct buf buf;
    buf_init(&buf, 10);
    ck_assert(buf_format(&buf, "%05d", 12345));
    ck_assert(buf_format(&buf, "%s", "67890"));
    ck_assert_uint_eq(buf.bytes, 10);
    ck_assert_mem_eq(buf.data, "1234567890", 10);
    ck_assert(buf_format(&buf, "%s", ""));
    buf_clear(&buf);
    ck_assert(!buf_format(&buf, "%s", "12345678901"));
    ck_assert_uint_eq(buf.bytes, 0);
    buf_release(&buf);
}

START_TEST(formatted_text_of_any_length_is_whole)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    size_t expected = 0;
    for (int width = 1; width < 1200; width++) {
        ck_assert(buf_format(&buf, "%*d", width, 7));
        expected += (size_t)width;
        ck_assert_uint_eq(buf.bytes, expected);
        ck_assert_uint_eq(buf.data[expected - 1], '7');
    }
    buf_release(&buf);
}

START_TEST(room_reserved_is_there_without_moving)
{
    struct buf buf;
    buf_init(&buf, 1000);
    ck_assert(buf_reserve(&buf, 600));
    const uint8_t *before = buf.data;
    for (int i = 0; i < 600; i++) {
        ck_assert(buf_append(&buf, "z", 1));
    }
    ck_assert_ptr_eq(buf.data, before);
    buf_release(&buf);
}

Suite *suite_buf(void);
Suite *suite_buf(void)
{
    Suite *suite = suite_create("buf");
    TCase *tests = tcase_create("buf");
    tcase_add_test(tests, what_is_appended_stands_there_in_order);
    tcase_add_loop_test(tests, a_full_buffer_refuses_and_stays_as_it_is, 0, ARRAY_COUNT(limits));
    tcase_add_test(tests, formatted_text_may_fill_the_buffer_to_its_limit);
    tcase_add_test(tests, formatted_text_of_any_length_is_whole);
    tcase_add_test(tests, room_reserved_is_there_without_moving);
    suite_add_tcase(suite, tests);
    return suite;
}

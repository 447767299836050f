/* test_view.c - reads stay inside, and a failed read makes all later ones fail. */
#include "expect.h"

#include <check.h>
#include <walship/rng.h>
#include <walship/view.h>

static const struct {
    const char *bytes;
    size_t count;
    uint64_t value;
    size_t used;
    bool ok;
} varints[] = {
    {"\x00", 1, 0, 1, true},
    {"\x7f", 1, 127, 1, true},
    {"\x80\x01", 2, 128, 2, true},
    {"\x80\x00", 2, 0, 2, true},
    {"\xac\x02\x55", 3, 300, 2, true},
    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, UINT64_MAX, 10, true},
    {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10, (uint64_t)1 << 63, 10, true},
    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, 0, 10, false}, /* 65 bits */
    {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11, 0, 11, false},
    {"\x80", 1, 0, 1, false},
    {"", 0, 0, 0, false},
};

START_TEST(varints_are_read_as_go_reads_them)
{
    struct view view = view_of(varints[_i].bytes, varints[_i].count);
    ck_assert_uint_eq(view_uvarint(&view), varints[_i].value);
    ck_assert_int_eq(view_ok(&view), varints[_i].ok);
    size_t left = varints[_i].ok ? varints[_i].count - varints[_i].used : 0;
    ck_assert_uint_eq(view_left(&view), left);
}

static const struct {
    const char *bytes;
    size_t count;
    int64_t value;
} zigzags[] = {
    {"\x00", 1, 0},
    {"\x01", 1, -1},
    {"\x02", 1, 1},
    {"\x03", 1, -2},
    {"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, INT64_MAX},
    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, INT64_MIN},
};

START_TEST(signed_varints_are_zigzag)
{
    struct view view = view_of(zigzags[_i].bytes, zigzags[_i].count);
    ck_assert_int_eq(view_varint(&view), zigzags[_i].value);
    ck_assert(view_ok(&view));
    ck_assert_uint_eq(view_left(&view), 0);
}

START_TEST(fixed_numbers_are_big_endian)
{
    struct view view = view_of("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d", 13);
    ck_assert_uint_eq(view_be32(&view), 0x01020304);
    ck_assert_uint_eq(view_be64(&view), 0x05060708090a0b0c);
    ck_assert_uint_eq(view_u8(&view), 0x0d);
    ck_assert(view_ok(&view));
    ck_assert_uint_eq(view_u8(&view), 0);
    ck_assert(!view_ok(&view));
}

/* One read of each kind, by number. */
static uint64_t read_one(struct view *view, int kind)
{
    switch (kind) {
    case 0:
        return view_u8(view);
    case 1:
        return view_be32(view);
    case 2:
        return view_be64(view);
    case 3:
        return view_uvarint(view);
    default:
        return (uint64_t)view_varint(view);
    }
}

static const size_t needs[] = {1, 4, 8, 3, 3};

START_TEST(a_read_past_the_end_fails_for_good)
{
    static const uint8_t bytes[] = {0x81, 0x82, 0x03, 4, 5, 6, 7, 8, 9};
    for (size_t count = 0; count <= needs[_i]; count++) {
        struct view view = view_of(bytes, count);
        read_one(&view, _i);
        bool ok = count >= needs[_i];
        ck_assert_int_eq(view_ok(&view), ok);
        if (!ok) {
            ck_assert_uint_eq(view_left(&view), 0);
            for (int kind = 0; kind < 5; kind++) {
                ck_assert_uint_eq(read_one(&view, kind), 0);
            }
            ck_assert(!view_ok(&view));
        }
    }
}

START_TEST(a_part_is_a_view_of_its_own)
{
    struct view view = view_of("abcdef", 6);
    struct view part = view_take(&view, 4);
    ck_assert_uint_eq(view_left(&part), 4);
    ck_assert_uint_eq(view_left(&view), 2);
    ck_assert_uint_eq(view_u8(&part), 'a');
    ck_assert_uint_eq(view_u8(&view), 'e');
    ck_assert_uint_eq(view_be64(&part), 0);
    ck_assert(!view_ok(&part));
    ck_assert(view_ok(&view)); /* the part's trouble is its own */
}

static const uint64_t too_much[] = {7, UINT32_MAX, (uint64_t)INT64_MAX, UINT64_MAX};

START_TEST(a_part_beyond_the_end_is_empty_and_fails_the_whole)
{
    struct view view = view_of("abcdef", 6);
    struct view part = view_take(&view, too_much[_i]);
    ck_assert_uint_eq(view_left(&part), 0);
    ck_assert(!view_ok(&view));
    ck_assert_uint_eq(view_left(&view), 0);
}

START_TEST(no_bytes_at_all_are_a_view)
{
    struct view view = view_of(NULL, 0);
    ck_assert_uint_eq(view_left(&view), 0);
    ck_assert(view_ok(&view));
    struct view part = view_take(&view, 0);
    ck_assert(view_ok(&view) && view_ok(&part));
    ck_assert_uint_eq(view_uvarint(&view), 0);
    ck_assert(!view_ok(&view));
}

START_TEST(random_bytes_never_lead_outside)
{
    struct rng rng = {(uint64_t)_i + 1};
    uint8_t bytes[64];
    for (int turn = 0; turn < 20000; turn++) {
        size_t count = rng_below(&rng, sizeof bytes + 1);
        for (size_t i = 0; i < count; i++) {
            bytes[i] = (uint8_t)(rng_next(&rng) | (rng_below(&rng, 2) << 7));
        }
        struct view view = view_of(bytes, count);
        for (int reads = 0; reads < 20; reads++) {
            struct view part = view_take(&view, rng_below(&rng, 5));
            EXPECT(part.at >= bytes && part.end <= bytes + count && part.at <= part.end);
            read_one(&view, (int)rng_below(&rng, 5));
            EXPECT(view.at >= bytes && view.at <= view.end && view.end == bytes + count);
        }
    }
}

Suite *suite_view(void);
Suite *suite_view(void)
{
    Suite *suite = suite_create("view");
    TCase *tests = tcase_create("view");
    tcase_add_loop_test(tests, varints_are_read_as_go_reads_them, 0, ARRAY_COUNT(varints));
    tcase_add_loop_test(tests, signed_varints_are_zigzag, 0, ARRAY_COUNT(zigzags));
    tcase_add_test(tests, fixed_numbers_are_big_endian);
    tcase_add_loop_test(tests, a_read_past_the_end_fails_for_good, 0, ARRAY_COUNT(needs));
    tcase_add_test(tests, a_part_is_a_view_of_its_own);
    tcase_add_loop_test(tests, a_part_beyond_the_end_is_empty_and_fails_the_whole, 0,
                        ARRAY_COUNT(too_much));
    tcase_add_test(tests, no_bytes_at_all_are_a_view);
    tcase_add_loop_test(tests, random_bytes_never_lead_outside, 0, 4);
    suite_add_tcase(suite, tests);
    return suite;
}

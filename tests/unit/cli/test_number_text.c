/* test_number_text.c - floats as Go prints them, and back to the same bits. */
#include "number_text.h"

#include <check.h>
#include <walship/assert.h>
#include <walship/rng.h>

static const struct {
    uint64_t bits;
    const char *text;
} numbers[] = {
    {0x0000000000000000, "0"},
    {0x8000000000000000, "-0"},
    {0x3FF0000000000000, "1"},
    {0xBFF8000000000000, "-1.5"},
    {0x3FB999999999999A, "0.1"},
    {0x7FF0000000000000, "+Inf"},
    {0xFFF0000000000000, "-Inf"},
    {0x7FF8000000000001, "NaN"},
    {0x7FF0000000000002, "NaN"},
    {0xFFF8000000000000, "NaN"},
    {0x40F86A0000000000, "100000"},
    {0x412E848000000000, "1e+06"},
    {0x412E847E00000000, "999999"},
    {0x4170000000000000, "1.6777216e+07"},
    {0x3F1A36E2EB1C432D, "0.0001"},
    {0x3EE4F8B588E368F1, "1e-05"},
    {0x4059000000000000, "100"},
    {0x40FE240C9FBE76C9, "123456.789"},
    {0x3E70000000000000, "5.960464477539063e-08"}, /* 2^-24: rounding up, not to even */
    {0x7FEFFFFFFFFFFFFF, "1.7976931348623157e+308"},
    {0x0000000000000001, "5e-324"},
    {0x0010000000000000, "2.2250738585072014e-308"},
    {0x000FFFFFFFFFFFFF, "2.225073858507201e-308"},
    {0x43E0000000000000, "9.223372036854776e+18"}, /* 2^63 */
};

START_TEST(numbers_are_printed_as_go_prints_them)
{
    char text[NUMBER_TEXT_BYTES_MAX];
    size_t bytes = number_text(numbers[_i].bits, text);
    ck_assert_uint_eq(bytes, strlen(text));
    ck_assert_str_eq(text, numbers[_i].text);
}
END_TEST

static void expect_back(uint64_t bits)
{
    char text[NUMBER_TEXT_BYTES_MAX];
    (void)number_text(bits, text);
    double back = strtod(text, NULL);
    uint64_t back_bits;
    memcpy(&back_bits, &back, sizeof back_bits);
    if (back_bits != bits) { /* an assertion each would be most of the time */
        ck_abort_msg("%016lx became %s", bits, text);
    }
}

START_TEST(finite_numbers_parse_back_to_the_same_bits)
{
    struct rng rng = {(uint64_t)_i};
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_next(&rng);
        uint64_t exponent = bits >> 52 & 0x7FF;
        if (exponent != 0x7FF) {
            expect_back(bits);
            expect_back(bits & 0xFFF0000000000000u);                         /* powers of two */
            expect_back(bits & 0x800FFFFFFFFFFFFFu);                         /* subnormal */
            expect_back((bits & 0x0000FFFF00000000u) | 0x40F0000000000000u); /* short ones */
        }
    }
}
END_TEST

Suite *suite_number_text(void);
Suite *suite_number_text(void)
{
    Suite *suite = suite_create("number_text");
    TCase *tcase = tcase_create("number_text");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, numbers_are_printed_as_go_prints_them, 0, ARRAY_COUNT(numbers));
    tcase_add_loop_test(tcase, finite_numbers_parse_back_to_the_same_bits, 0, 8);
    suite_add_tcase(suite, tcase);
    return suite;
}

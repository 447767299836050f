/* test_crc32c.c - published check values, and every way to the sum against the definition of it,
 * bit by bit. */
#include "crc32c_paths.h"

#include <check.h>
#include <walship/assert.h>
#include <walship/crc32c.h>
#include <walship/rng.h>

static uint32_t by_definition(uint32_t state, const uint8_t *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        state ^= at[i];
        for (int bit = 0; bit < 8; bit++) {
            state = state >> 1 ^ ((state & 1) != 0 ? 0x82F63B78u : 0);
        }
    }
    return state;
}

/* RFC 3720, appendix B.4. */
static const struct {
    const char *name;
    int first; /* byte i is first + i * step */
    int step;
    size_t count;
    uint32_t sum;
} known[] = {
    {"nothing", 0, 0, 0, 0x00000000},          {"32 zeros", 0, 0, 32, 0x8a9136aa},
    {"32 ones", 0xff, 0, 32, 0x62a8ab43},      {"32 ascending", 0, 1, 32, 0x46dd794e},
    {"32 descending", 31, -1, 32, 0x113fdb5c}, {"123456789", '1', 1, 9, 0xe3069283},
};

START_TEST(published_values_come_out)
{
    uint8_t bytes[64];
    for (size_t i = 0; i < known[_i].count; i++) {
        bytes[i] = (uint8_t)(known[_i].first + (int)i * known[_i].step);
    }
    ck_assert_msg(crc32c(bytes, known[_i].count) == known[_i].sum, "%s", known[_i].name);
    ck_assert_uint_eq(~crc32c_portable(UINT32_MAX, bytes, known[_i].count), known[_i].sum);
}

START_TEST(all_ways_agree_at_every_length_and_alignment)
{
    static uint8_t bytes[4096];
    struct rng rng = {(uint64_t)_i + 1};
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)rng_next(&rng);
    }
    for (size_t count = 0; count < sizeof bytes - 8; count += count < 80 ? 1 : 61) {
        const uint8_t *at = bytes + _i;
        uint32_t state = (uint32_t)rng_next(&rng);
        uint32_t expected = by_definition(state, at, count);
        ck_assert_uint_eq(crc32c_portable(state, at, count), expected);
        if (crc32c_has_hardware()) {
            ck_assert_uint_eq(crc32c_hardware(state, at, count), expected);
        }
        ck_assert_uint_eq(crc32c(at, count), ~by_definition(UINT32_MAX, at, count));
    }
}

Suite *suite_crc32c(void);
Suite *suite_crc32c(void)
{
    Suite *suite = suite_create("crc32c");
    TCase *tests = tcase_create("crc32c");
    tcase_add_loop_test(tests, published_values_come_out, 0, ARRAY_COUNT(known));
    tcase_add_loop_test(tests, all_ways_agree_at_every_length_and_alignment, 0, 8);
    suite_add_tcase(suite, tests);
    return suite;
}

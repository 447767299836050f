/* test_refmap.c - the map against a plain array, over random histories from a seed. */
#include "expect.h"

#include <check.h>
#include <walship/assert.h>
#include <walship/mem.h>
#include <walship/refmap.h>
#include <walship/rng.h>

enum { KEYS = 3000, STEPS = 60000 };

/* Key number i of four kinds: dense, strided, high bits only, random. */
static uint64_t key_of(int kind, uint64_t i)
{
    struct rng rng = {i};
    switch (kind) {
    case 0:
        return i;
    case 1:
        return i * 4096 + 1;
    case 2:
        return i << 48;
    default:
        return rng_next(&rng);
    }
}

/* Every pair the map has is the model's, each once. */
static void check_each(const struct refmap *map, const uint32_t *model, int kind)
{
    size_t cursor = 0;
    size_t seen = 0;
    size_t expected = 0;
    uint64_t key;
    uint32_t value;
    uint64_t sum = 0;
    while (refmap_each(map, &cursor, &key, &value)) {
        EXPECT(refmap_get(map, key) == value);
        sum += key * 31 + value;
        seen++;
    }
    for (uint64_t i = 0; i < KEYS; i++) {
        if (model[i] != REFMAP_NONE) {
            sum -= key_of(kind, i) * 31 + model[i];
            expected++;
        }
        EXPECT(refmap_get(map, key_of(kind, i)) == model[i]);
    }
    ck_assert_uint_eq(seen, expected);
    ck_assert_uint_eq(sum, 0);
    ck_assert_uint_eq(refmap_count(map), expected);
}

START_TEST(the_map_does_what_a_plain_array_does)
{
    struct rng rng = {(uint64_t)_i * 7919 + 1};
    struct refmap *map = refmap_new(rng_next(&rng));
    uint32_t *model = mem_new(KEYS, sizeof *model);
    memset(model, 0xff, KEYS * sizeof *model);
    for (int step = 0; step < STEPS; step++) {
        /* the share of removals swings, so that the map fills and empties */
        bool remove = rng_below(&rng, 100) < (step / 10000 % 2 == 0 ? 30 : 70);
        uint64_t i = rng_below(&rng, KEYS);
        if (remove) {
            EXPECT(refmap_remove(map, key_of(_i % 4, i)) == (model[i] != REFMAP_NONE));
            model[i] = REFMAP_NONE;
        } else {
            model[i] = (uint32_t)rng_below(&rng, REFMAP_NONE);
            refmap_put(map, key_of(_i % 4, i), model[i]);
        }
        if (step % 6000 == 0) {
            check_each(map, model, _i % 4);
        }
    }
    check_each(map, model, _i % 4);
    mem_free(model);
    refmap_free(map);
}

START_TEST(the_extreme_keys_are_keys_like_others)
{
    struct refmap *map = refmap_new(3);
    ck_assert_uint_eq(refmap_get(map, 0), REFMAP_NONE);
    ck_assert_uint_eq(refmap_get(map, UINT64_MAX), REFMAP_NONE);
    refmap_put(map, 0, 0);
    refmap_put(map, UINT64_MAX, REFMAP_NONE - 1);
    ck_assert_uint_eq(refmap_get(map, 0), 0);
    ck_assert_uint_eq(refmap_get(map, UINT64_MAX), REFMAP_NONE - 1);
    ck_assert(refmap_remove(map, UINT64_MAX));
    ck_assert(!refmap_remove(map, UINT64_MAX));
    ck_assert_uint_eq(refmap_count(map), 1);
    refmap_free(map);
    refmap_free(NULL);
}

START_TEST(memory_stays_near_the_need)
{
    struct refmap *map = refmap_new(9);
    for (uint64_t i = 1; i <= 200000; i++) {
        refmap_put(map, i, (uint32_t)i);
        if (i > 100) {
            /* load at least 7/8 / 1.5 */
            EXPECT(refmap_bytes(map) <= i * 12 * 8 / 7 * 3 / 2 + 1000);
        }
        EXPECT(refmap_bytes(map) >= i * 12 * 8 / 7);
    }
    refmap_free(map);
}

Suite *suite_refmap(void);
Suite *suite_refmap(void)
{
    Suite *suite = suite_create("refmap");
    TCase *tests = tcase_create("refmap");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, the_map_does_what_a_plain_array_does, 0, 8);
    tcase_add_test(tests, the_extreme_keys_are_keys_like_others);
    tcase_add_test(tests, memory_stays_near_the_need);
    suite_add_tcase(suite, tests);
    return suite;
}

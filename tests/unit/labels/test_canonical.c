/* test_canonical.c - order, merge and hash of label lists, against naive versions of themselves. */
#include <check.h>
#include <walship/labels.h>
#include <walship/mem.h>
#include <walship/rng.h>

#define L(n, v)                                                                                    \
    {                                                                                              \
        .name = (n), .value = (v), .name_bytes = sizeof(n) - 1, .value_bytes = sizeof(v) - 1       \
    }

enum { LIST_MAX = 8 };

static const struct {
    struct label given[LIST_MAX];
    size_t given_count;
    struct label expected[LIST_MAX];
    size_t expected_count;
} canonical[] = {
    {{L("b", "1"), L("a", "2")}, 2, {L("a", "2"), L("b", "1")}, 2},
    {{L("a", "1"), L("a", "2"), L("a", "3")}, 3, {L("a", "3")}, 1},
    {{L("b", "1"), L("a", "x"), L("b", "2")}, 3, {L("a", "x"), L("b", "2")}, 2},
    {{L("a", ""), L("b", "1"), L("", "x")}, 3, {L("b", "1")}, 1},
    {{L("a", "1"), L("a", "")}, 2, {{0}}, 0}, /* the last is empty: the label is gone */
    {{L("a", ""), L("a", "1")}, 2, {L("a", "1")}, 1},
    {{L("ab", "1"), L("a", "2"), L("a\0b", "3"), L("B", "4")},
     4,
     {L("B", "4"), L("a", "2"), L("a\0b", "3"), L("ab", "1")},
     4},
    {{L("\xc3\xa9", "1"), L("z", "2")},
     2,
     {L("z", "2"), L("\xc3\xa9", "1")},
     2},                                              /* bytes, unsigned */
    {{L("a", ""), L("b", "1")}, 2, {L("b", "1")}, 1}, /* in order, and yet not canonical */
    {{L("", "x"), L("b", "1")}, 2, {L("b", "1")}, 1},
    {{{0}}, 0, {{0}}, 0},
};

static void check_equal(const struct label *a, size_t a_count, const struct label *b,
                        size_t b_count)
{
    ck_assert_uint_eq(a_count, b_count);
    for (size_t i = 0; i < a_count; i++) {
        ck_assert_uint_eq(a[i].name_bytes, b[i].name_bytes);
        ck_assert_uint_eq(a[i].value_bytes, b[i].value_bytes);
        ck_assert_mem_eq(a[i].name, b[i].name, a[i].name_bytes);
        ck_assert_mem_eq(a[i].value, b[i].value, a[i].value_bytes);
    }
}

START_TEST(lists_become_canonical)
{
    struct label list[LIST_MAX];
    memcpy(list, canonical[_i].given, sizeof list);
    size_t count = labels_canonical(list, canonical[_i].given_count);
    check_equal(list, count, canonical[_i].expected, canonical[_i].expected_count);
}

static const char names[] = "aabbccddee0123456789ABCXYZ";

/* Names of 1 .. 3 bytes out of few, so that equal ones are many; a value that tells which it was.
 */
static struct label random_label(struct rng *rng, char *value)
{
    struct label label = {.name = names + rng_below(rng, sizeof names - 4),
                          .name_bytes = (uint32_t)rng_below(rng, 3) + 1,
                          .value = value,
                          .value_bytes = 8};
    snprintf(value, 9, "%08x", (unsigned)rng_below(rng, UINT32_MAX));
    label.value_bytes = rng_below(rng, 10) == 0 ? 0 : 8;
    return label;
}

static bool same_name(const struct label *a, const struct label *b)
{
    return a->name_bytes == b->name_bytes && memcmp(a->name, b->name, a->name_bytes) == 0;
}

START_TEST(long_lists_become_canonical_too)
{
    struct rng rng = {(uint64_t)_i + 1};
    static char values[300][9];
    struct label given[300];
    struct label list[300];
    size_t given_count = rng_below(&rng, 300);
    for (size_t i = 0; i < given_count; i++) {
        given[i] = random_label(&rng, values[i]);
        list[i] = given[i];
    }
    size_t count = labels_canonical(list, given_count);
    for (size_t i = 0; i < count; i++) {
        ck_assert(i == 0 || label_compare(&list[i - 1], &list[i]) < 0);
        ck_assert_uint_gt(list[i].value_bytes, 0);
    }
    size_t expected = 0;
    for (size_t i = 0; i < given_count; i++) {
        bool replaced = false;
        for (size_t j = i + 1; j < given_count; j++) {
            replaced |= same_name(&given[i], &given[j]);
        }
        bool stays = !replaced && given[i].value_bytes > 0;
        expected += stays;
        for (size_t j = 0; stays && j < count; j++) {
            ck_assert(!same_name(&given[i], &list[j]) || list[j].value == given[i].value);
        }
    }
    ck_assert_uint_eq(count, expected);
}

START_TEST(comparison_is_a_total_order_by_name)
{
    static const char *const sorted[] = {"", "A", "B", "Z", "_", "a", "aa", "ab", "b", "\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_COUNT(sorted); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(sorted); j++) {
            struct label a = {.name = sorted[i], .name_bytes = (uint32_t)strlen(sorted[i])};
            struct label b = {.name = sorted[j], .name_bytes = (uint32_t)strlen(sorted[j])};
            int order = label_compare(&a, &b);
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

START_TEST(a_merge_is_the_canonical_form_of_both_with_base_winning)
{
    struct rng rng = {(uint64_t)_i + 77};
    static char values[80][9];
    struct label base[40];
    struct label extra[40];
    size_t base_count = rng_below(&rng, 40);
    size_t extra_count = rng_below(&rng, 40);
    for (size_t i = 0; i < 40; i++) {
        base[i] = random_label(&rng, values[i]);
        extra[i] = random_label(&rng, values[40 + i]);
    }
    base_count = labels_canonical(base, base_count);
    extra_count = labels_canonical(extra, extra_count);
    struct label merged[80];
    size_t merged_count = labels_merge(base, base_count, extra, extra_count, merged);
    struct label naive[80]; /* of equal names the last stays: base */
    memcpy(naive, extra, extra_count * sizeof *extra);
    memcpy(naive + extra_count, base, base_count * sizeof *base);
    size_t naive_count = labels_canonical(naive, extra_count + base_count);
    check_equal(merged, merged_count, naive, naive_count);
}

static const struct hash_key fixed_key = {0x0123456789abcdefu, 0xfedcba9876543210u};

START_TEST(the_hash_is_that_of_the_parts_each_followed_by_ff)
{
    static const char plain[] = "__name__\xffUp\xffJob\xff"
                                "A\xff";
    static const char folded[] = "__name__\xffup\xffjob\xff"
                                 "a\xff";
    struct label list[] = {L("__name__", "Up"), L("Job", "A")};
    ck_assert_uint_eq(labels_hash(&fixed_key, list, 2, false),
                      hash_bytes(&fixed_key, plain, sizeof plain - 1));
    ck_assert_uint_eq(labels_hash(&fixed_key, list, 2, true),
                      hash_bytes(&fixed_key, folded, sizeof folded - 1));
    ck_assert_uint_eq(labels_hash(&fixed_key, NULL, 0, true), hash_bytes(&fixed_key, "", 0));
}

/* Saved state hangs on these: a change that alters them moves every series to another shard. */
START_TEST(the_hash_is_the_same_for_ever)
{
    struct label list[] = {L("__name__", "up"), L("instance", "localhost:9090"), L("job", "prom")};
    ck_assert_uint_eq(labels_hash(&fixed_key, list, 3, false), 0xf511c6d9d9fd4f81u);
    list[2].value = "PROM";
    ck_assert_uint_eq(labels_hash(&fixed_key, list, 3, false), 0x8321dbb6c691abd3u);
    ck_assert_uint_eq(labels_hash(&fixed_key, list, 3, true), 0xf511c6d9d9fd4f81u);
}

START_TEST(only_ascii_letters_are_folded)
{
    struct label all_upper = L("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "AZ");
    struct label all_lower = L("abcdefghijklmnopqrstuvwxyz", "az");
    ck_assert_uint_eq(labels_hash(&fixed_key, &all_upper, 1, true),
                      labels_hash(&fixed_key, &all_lower, 1, false));
    struct label upper = L("\xc3\x89[@`{", "x"); /* E acute, and the neighbours of A, Z, a, z */
    struct label lower = L("\xc3\xa9[@`{", "x");
    struct label other = L("\xc3\x89{`@[", "x");
    uint64_t hash = labels_hash(&fixed_key, &upper, 1, true);
    ck_assert_uint_ne(hash, labels_hash(&fixed_key, &lower, 1, true));
    ck_assert_uint_ne(hash, labels_hash(&fixed_key, &other, 1, true));
    ck_assert_uint_eq(hash, labels_hash(&fixed_key, &upper, 1, false));
}

START_TEST(parts_do_not_run_into_each_other)
{
    struct label a[] = {L("ab", "c")};
    struct label b[] = {L("a", "bc")};
    struct label c[] = {L("a", "b"), L("c", "d")};
    struct label d[] = {L("a", "bc"), L("d", "")};
    ck_assert_uint_ne(labels_hash(&fixed_key, a, 1, false), labels_hash(&fixed_key, b, 1, false));
    ck_assert_uint_ne(labels_hash(&fixed_key, c, 2, false), labels_hash(&fixed_key, d, 2, false));
}

START_TEST(values_larger_than_the_scratch_are_hashed_whole)
{
    size_t bytes = 100000;
    char *value = mem_new(bytes, 1);
    memset(value, 'v', bytes);
    struct label label = {"n", value, 1, (uint32_t)bytes};
    uint64_t before = labels_hash(&fixed_key, &label, 1, false);
    value[bytes - 1] = 'w';
    ck_assert_uint_ne(before, labels_hash(&fixed_key, &label, 1, false));
    value[bytes - 1] = 'V';
    ck_assert_uint_eq(before, labels_hash(&fixed_key, &label, 1, true));
    mem_free(value);
}

Suite *suite_canonical(void);
Suite *suite_canonical(void)
{
    Suite *suite = suite_create("canonical");
    TCase *tests = tcase_create("canonical");
    tcase_add_loop_test(tests, lists_become_canonical, 0, ARRAY_COUNT(canonical));
    tcase_add_loop_test(tests, long_lists_become_canonical_too, 0, 20);
    tcase_add_test(tests, comparison_is_a_total_order_by_name);
    tcase_add_loop_test(tests, a_merge_is_the_canonical_form_of_both_with_base_winning, 0, 20);
    tcase_add_test(tests, the_hash_is_that_of_the_parts_each_followed_by_ff);
    tcase_add_test(tests, the_hash_is_the_same_for_ever);
    tcase_add_test(tests, only_ascii_letters_are_folded);
    tcase_add_test(tests, parts_do_not_run_into_each_other);
    tcase_add_test(tests, values_larger_than_the_scratch_are_hashed_whole);
    suite_add_tcase(suite, tests);
    return suite;
}

/* test_series.c - versions and collection by hand, then against a plain list of all definitions
 * over random histories from a seed. */
#include "expect.h"

#include <check.h>
#include <walship/labels.h>
#include <walship/mem.h>
#include <walship/rng.h>
#include <walship/series.h>

static const struct hash_key key = {1, 2};

static struct labels *labels;
static struct series *series;

static void setup(void)
{
    labels = labels_new(&key);
    series = series_new(labels, 7);
}

/* Whatever a test did: the table gives back every reference. */
static void teardown(void)
{
    series_free(series);
    ck_assert_uint_eq(labels_sets(labels), 0);
    labels_free(labels);
}

/* The set {n="NAME"}, with a reference for the taker. */
static uint32_t set_of(const char *name)
{
    struct label label = {"n", name, 1, (uint32_t)strlen(name)};
    return labels_intern(labels, &label, 1);
}

static struct position at_record(uint32_t record)
{
    return (struct position){1, 1, record, 0};
}

static bool define(uint64_t ref, const char *name, uint32_t record)
{
    struct position at = at_record(record);
    return series_define(series, ref, set_of(name), &at);
}

static void check_resolves(uint64_t ref, uint32_t record, const char *name)
{
    struct position at = at_record(record);
    uint32_t set = series_resolve(series, ref, &at);
    if (name == NULL) {
        EXPECT(set == LABELS_NONE);
        return;
    }
    struct label label;
    EXPECT(set != LABELS_NONE);
    EXPECT(labels_get(labels, set, &label, 1) == 1);
    EXPECT(label.value_bytes == strlen(name) && memcmp(label.value, name, label.value_bytes) == 0);
}

START_TEST(a_cursor_sees_the_newest_definition_at_or_before_it)
{
    ck_assert(define(5, "a", 10));
    ck_assert(define(5, "b", 20));
    ck_assert_uint_eq(series_refs(series), 1);
    check_resolves(5, 9, NULL);
    check_resolves(5, 10, "a");
    check_resolves(5, 19, "a");
    check_resolves(5, 20, "b");
    check_resolves(5, 1000, "b");
    check_resolves(6, 1000, NULL);
}

START_TEST(the_same_set_again_is_no_new_version)
{
    ck_assert(define(5, "a", 10));
    size_t bytes = series_bytes(series);
    for (uint32_t i = 0; i < 1000; i++) {
        EXPECT(!define(5, "a", 10 + i));
        EXPECT(!define(5, "a", 10));
    }
    ck_assert_uint_eq(series_bytes(series), bytes);
    check_resolves(5, 10, "a");
    check_resolves(5, 9, NULL);
}

START_TEST(a_definition_at_a_known_position_is_replaced)
{
    ck_assert(define(5, "a", 10));
    ck_assert(define(5, "b", 10));
    check_resolves(5, 10, "b");
    check_resolves(5, 9, NULL);
    ck_assert(define(5, "a", 10));
    check_resolves(5, 10, "a");
}

START_TEST(an_older_definition_is_inserted_in_its_place)
{
    ck_assert(define(5, "c", 30));
    ck_assert(define(5, "a", 10));
    ck_assert(define(5, "b", 20));
    check_resolves(5, 9, NULL);
    check_resolves(5, 10, "a");
    check_resolves(5, 20, "b");
    check_resolves(5, 29, "b");
    check_resolves(5, 30, "c");
}

START_TEST(the_same_set_earlier_holds_from_there_on)
{
    ck_assert(define(5, "a", 30));
    ck_assert(define(5, "a", 10));
    check_resolves(5, 9, NULL);
    check_resolves(5, 10, "a");
    check_resolves(5, 30, "a");
}

START_TEST(a_generation_outranks_all_records_of_older_ones)
{
    struct position old = {1, 900, 900, 900};
    struct position young = {2, 0, 0, 0};
    series_define(series, 5, set_of("old"), &old);
    series_define(series, 5, set_of("young"), &young);
    struct position last = {1, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    ck_assert_uint_ne(series_resolve(series, 5, &last), series_resolve(series, 5, &young));
}

START_TEST(what_a_generation_says_itself_is_kept_though_another_said_the_same)
{
    const struct position old = {1, 0, 0, 0};
    const struct position young = {2, 0, 0, 0};
    const struct position later = {2, 5, 0, 0};
    const struct position last = {3, 0, 0, 0};
    const struct position *const orders[][4] = {{&old, &young, &later, &last},
                                                {&last, &later, &young, &old},
                                                {&old, &last, &later, &young}};
    struct position before = {2, 4, 0, 0};
    struct position said;
    for (uint64_t ref = 0; ref < 3; ref++) {
        for (size_t i = 0; i < 4; i++) {
            series_define(series, ref, set_of("a"), orders[ref][i]);
        }
        EXPECT(series_said(series, ref, &before, &said) != LABELS_NONE);
        EXPECT(position_compare(&said, &young) == 0);
        EXPECT(series_said(series, ref, &later, &said) != LABELS_NONE);
        EXPECT(position_compare(&said, &later) == 0);
    }
}

START_TEST(refs_may_share_a_set_and_are_64_bits_wide)
{
    define(1, "a", 10);
    define((uint64_t)1 << 32 | 1, "a", 10);
    define(UINT64_MAX, "a", 10);
    define(0, "a", 10);
    ck_assert_uint_eq(labels_sets(labels), 1);
    ck_assert_uint_eq(series_refs(series), 4);
    check_resolves(UINT64_MAX, 10, "a");
    check_resolves(0, 10, "a");
    check_resolves((uint64_t)2 << 32 | 1, 10, NULL);
}

static size_t gone_count;
static uint32_t gone_last;

static void gone(void *context, uint32_t set)
{
    EXPECT(context == &gone_count);
    gone_count++;
    gone_last = set;
}

static size_t collect_end(uint32_t before)
{
    struct position at = at_record(before);
    gone_count = 0;
    return series_collect_end(series, &at, gone, &gone_count);
}

START_TEST(a_collection_removes_what_is_unmarked_and_lies_before)
{
    define(1, "marked", 10);
    define(2, "dead", 10);
    define(3, "late", 20);
    uint32_t dead = set_of("dead");
    labels_release(labels, dead);
    series_collect_begin(series);
    series_collect_mark(series, 1);
    series_collect_mark(series, 99); /* not known: nothing to mark */
    ck_assert_uint_eq(collect_end(20), 1);
    ck_assert_uint_eq(gone_count, 1);
    ck_assert_uint_eq(gone_last, dead);
    check_resolves(1, 100, "marked");
    check_resolves(2, 100, NULL);
    check_resolves(3, 100, "late");
    ck_assert_uint_eq(series_refs(series), 2);
}

START_TEST(marks_last_for_one_collection)
{
    define(1, "a", 10);
    series_collect_begin(series);
    series_collect_mark(series, 1);
    ck_assert_uint_eq(collect_end(50), 0);
    series_collect_begin(series);
    ck_assert_uint_eq(collect_end(50), 1);
}

START_TEST(defining_within_a_collection_marks)
{
    define(9, "z", 1);
    series_collect_begin(series);
    ck_assert_uint_eq(collect_end(5), 1); /* its place is taken again, unmarked */
    define(1, "a", 10);
    define(2, "b", 10);
    define(8, "y", 10);
    series_collect_begin(series);
    series_collect_mark(series, 1);
    series_collect_mark(series, 2);
    ck_assert_uint_eq(collect_end(15), 1);
    series_collect_begin(series);
    define(1, "a", 10); /* as it stood */
    define(3, "c", 10); /* new */
    ck_assert_uint_eq(collect_end(50), 1);
    check_resolves(1, 60, "a");
    check_resolves(2, 60, NULL);
    check_resolves(3, 60, "c");
}

START_TEST(a_ref_defined_again_later_lives_until_that_lies_before_too)
{
    define(1, "a", 10);
    ck_assert(!define(1, "a", 60));
    ck_assert(!define(1, "a", 100));
    for (uint32_t before = 50; before <= 100; before += 25) {
        series_collect_begin(series);
        ck_assert_uint_eq(collect_end(before), 0);
        check_resolves(1, before, "a");
    }
    series_collect_begin(series);
    ck_assert_uint_eq(collect_end(101), 1);
    ck_assert_uint_eq(gone_count, 1);
}

START_TEST(a_ref_first_met_late_lives_until_that_lies_before)
{
    define(1, "a", 100);
    ck_assert(define(1, "a", 10)); /* a cursor that stood further back */
    check_resolves(1, 10, "a");
    series_collect_begin(series);
    ck_assert_uint_eq(collect_end(50), 0);
    check_resolves(1, 100, "a");
}

START_TEST(a_definition_from_between_two_that_say_the_same_is_seen)
{
    define(1, "a", 10);
    define(1, "a", 30); /* a cursor that passed over 20 unread */
    ck_assert(define(1, "b", 20));
    check_resolves(1, 19, "a");
    check_resolves(1, 20, "b");
    check_resolves(1, 30, "a");
    define(2, "a", 30);
    define(2, "c", 40);
    define(2, "a", 10); /* a cursor that stood further back, and then goes on */
    define(2, "b", 20);
    check_resolves(2, 29, "b");
    check_resolves(2, 30, "a");
    check_resolves(2, 40, "c");
}

START_TEST(a_collection_begun_twice_starts_anew)
{
    define(1, "a", 10);
    series_collect_begin(series);
    series_collect_mark(series, 1);
    series_collect_begin(series);
    ck_assert_uint_eq(collect_end(50), 1);
}

START_TEST(reading_a_record_twice_keeps_nothing_alive)
{
    define(1, "a", 10);
    define(1, "a", 10); /* a second cursor comes by */
    series_collect_begin(series);
    ck_assert_uint_eq(collect_end(50), 1);
}

START_TEST(versions_no_cursor_can_see_are_dropped)
{
    define(1, "a", 10);
    define(1, "b", 20);
    define(1, "c", 30);
    series_collect_begin(series);
    series_collect_mark(series, 1);
    ck_assert_uint_eq(collect_end(25), 0);
    ck_assert_uint_eq(gone_count, 1); /* a: at 25 and later, b and c are seen */
    check_resolves(1, 15, NULL);
    check_resolves(1, 25, "b");
    check_resolves(1, 30, "c");
    series_collect_begin(series);
    series_collect_mark(series, 1);
    collect_end(30);
    ck_assert_uint_eq(gone_count, 1);
    check_resolves(1, 29, NULL);
    check_resolves(1, 30, "c");
}

START_TEST(a_replaced_set_is_told_when_it_goes)
{
    define(1, "a", 10);
    uint32_t a = series_resolve(series, 1, &(struct position){1, 1, 10, 0});
    define(1, "b", 10);
    ck_assert_uint_eq(labels_sets(labels), 2); /* its id may not be reused before gone is called */
    series_collect_begin(series);
    series_collect_mark(series, 1);
    ck_assert_uint_eq(collect_end(10), 0);
    ck_assert_uint_eq(gone_count, 1);
    ck_assert_uint_eq(gone_last, a);
    check_resolves(1, 10, "b");
}

START_TEST(a_shared_set_goes_with_its_last_ref)
{
    define(1, "a", 10);
    define(2, "a", 10);
    series_collect_begin(series);
    series_collect_mark(series, 2);
    ck_assert_uint_eq(collect_end(50), 1);
    ck_assert_uint_eq(gone_count, 0);
    series_collect_begin(series);
    struct position end = at_record(50);
    ck_assert_uint_eq(series_collect_end(series, &end, NULL, NULL), 1); /* nobody to tell */
    ck_assert_uint_eq(labels_sets(labels), 0);
}

START_TEST(memory_is_what_the_header_states)
{
    for (uint32_t i = 0; i < 20000; i++) {
        define(i, "a", 1);
    }
    ck_assert_uint_ge(series_bytes(series), 20000 * (24 + 12));
    ck_assert_uint_le(series_bytes(series), 20000 * 60); /* just grown by a half, at worst */
}

START_TEST(memory_of_removed_refs_is_used_again)
{
    size_t settled = 0;
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            define((uint64_t)round * 5000 + i, "a", round);
        }
        settled = round == 3 ? series_bytes(series) : settled;
        series_collect_begin(series);
        ck_assert_uint_eq(collect_end(round + 1), 5000);
    }
    ck_assert_uint_eq(series_bytes(series), settled);
}

/* The model: the definitions of each ref in an array sorted by position. */
enum { REFS = 40, RECORDS = 120, ROW_MAX = RECORDS + 2, STEPS = 4000 };

struct made {
    uint32_t record;
    char name[2];
};

struct row {
    struct made made[ROW_MAX];
    size_t count;
    bool marked;
};

struct model {
    struct row rows[REFS];
    uint32_t floor; /* what lies before can't be asked any more */
};

/* Definitions at or before. */
static size_t row_until(const struct row *row, uint32_t record)
{
    size_t count = 0;
    while (count < row->count && row->made[count].record <= record) {
        count++;
    }
    return count;
}

static bool row_says(const struct row *row, size_t index, char name)
{
    return index < row->count && row->made[index].name[0] == name;
}

static void row_remove(struct row *row, size_t first, size_t count)
{
    memmove(&row->made[first], &row->made[first + count],
            (row->count - first - count) * sizeof row->made[0]);
    row->count -= count;
}

static void check_model(const struct model *model)
{
    size_t alive = 0;
    for (uint64_t ref = 0; ref < REFS; ref++) {
        const struct row *row = &model->rows[ref];
        for (uint32_t record = model->floor; record <= RECORDS; record++) {
            size_t until = row_until(row, record);
            check_resolves(ref, record, until == 0 ? NULL : row->made[until - 1].name);
        }
        alive += row->count > 0;
    }
    ck_assert_uint_eq(series_refs(series), alive);
}

/* True: something changed. Of three or more in a row that say the same, an inner one next to the
 * new one goes, or the new one itself. */
static bool row_define(struct row *row, uint32_t record, char name)
{
    size_t at = row_until(row, record);
    bool known = at > 0 && row_says(row, at - 1, name);
    row->marked = true;
    if (at > 0 && row->made[at - 1].record == record) {
        row->made[at - 1].name[0] = name;
        return !known;
    }
    EXPECT(row->count < ROW_MAX);
    memmove(&row->made[at + 1], &row->made[at], (row->count - at) * sizeof row->made[0]);
    row->made[at] = (struct made){record, {name, 0}};
    row->count++;
    bool after = row_says(row, at + 1, name);
    if (known && after) {
        row_remove(row, at, 1);
    } else if (known && at > 1 && row_says(row, at - 2, name)) {
        row_remove(row, at - 1, 1);
    } else if (after && row_says(row, at + 2, name)) {
        row_remove(row, at + 1, 1);
    }
    return !known;
}

static void model_define(struct model *model, struct rng *rng)
{
    uint64_t ref = rng_below(rng, REFS);
    uint32_t record = model->floor + (uint32_t)rng_below(rng, RECORDS - model->floor + 1);
    char name[2] = {(char)('a' + (int)rng_below(rng, 3)), 0};
    bool changed = row_define(&model->rows[ref], record, name[0]);
    EXPECT(define(ref, name, record) == changed);
}

static void model_collect(struct model *model, struct rng *rng)
{
    series_collect_begin(series);
    for (uint64_t ref = 0; ref < REFS; ref++) {
        model->rows[ref].marked = rng_below(rng, 2) == 0;
        if (model->rows[ref].marked) {
            series_collect_mark(series, ref);
        }
    }
    model_define(model, rng);
    uint32_t before = model->floor + (uint32_t)rng_below(rng, 5);
    before = before < RECORDS - 50 ? before : RECORDS - 50;
    size_t removed = 0;
    for (uint64_t ref = 0; ref < REFS; ref++) {
        struct row *row = &model->rows[ref];
        size_t seen = row_until(row, before);
        if (row->count > 0 && !row->marked && row->made[row->count - 1].record < before) {
            row->count = 0;
            removed++;
        } else if (seen > 1) {
            row_remove(row, 0, seen - 1);
        }
    }
    ck_assert_uint_eq(collect_end(before), removed);
    model->floor = before;
}

START_TEST(the_table_does_what_a_plain_list_does)
{
    struct rng rng = {(uint64_t)_i * 13 + 3};
    struct model *model = mem_new(1, sizeof *model);
    for (int step = 0; step < STEPS; step++) {
        if (rng_below(&rng, 40) == 0) {
            model_collect(model, &rng);
            check_model(model);
        } else {
            model_define(model, &rng);
        }
    }
    check_model(model);
    mem_free(model);
}

START_TEST(a_table_that_is_cleared_knows_nothing_and_takes_all_anew)
{
    define(1, "a", 1);
    define(1, "b", 2);
    define(1, "c", 2); /* b waits to be let go */
    series_clear(series);
    EXPECT(series_refs(series) == 0 && labels_sets(labels) == 0);
    check_resolves(1, 9, NULL);
    define(1, "d", 3);
    check_resolves(1, 2, NULL);
    check_resolves(1, 3, "d");
}
END_TEST

Suite *suite_series(void);
Suite *suite_series(void)
{
    Suite *suite = suite_create("series");
    TCase *tests = tcase_create("series");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_cursor_sees_the_newest_definition_at_or_before_it);
    tcase_add_test(tests, the_same_set_again_is_no_new_version);
    tcase_add_test(tests, a_definition_at_a_known_position_is_replaced);
    tcase_add_test(tests, an_older_definition_is_inserted_in_its_place);
    tcase_add_test(tests, the_same_set_earlier_holds_from_there_on);
    tcase_add_test(tests, a_generation_outranks_all_records_of_older_ones);
    tcase_add_test(tests, what_a_generation_says_itself_is_kept_though_another_said_the_same);
    tcase_add_test(tests, refs_may_share_a_set_and_are_64_bits_wide);
    tcase_add_test(tests, a_collection_removes_what_is_unmarked_and_lies_before);
    tcase_add_test(tests, marks_last_for_one_collection);
    tcase_add_test(tests, defining_within_a_collection_marks);
    tcase_add_test(tests, a_ref_defined_again_later_lives_until_that_lies_before_too);
    tcase_add_test(tests, a_ref_first_met_late_lives_until_that_lies_before);
    tcase_add_test(tests, a_definition_from_between_two_that_say_the_same_is_seen);
    tcase_add_test(tests, a_collection_begun_twice_starts_anew);
    tcase_add_test(tests, reading_a_record_twice_keeps_nothing_alive);
    tcase_add_test(tests, versions_no_cursor_can_see_are_dropped);
    tcase_add_test(tests, a_replaced_set_is_told_when_it_goes);
    tcase_add_test(tests, a_shared_set_goes_with_its_last_ref);
    tcase_add_test(tests, memory_is_what_the_header_states);
    tcase_add_test(tests, memory_of_removed_refs_is_used_again);
    tcase_add_test(tests, a_table_that_is_cleared_knows_nothing_and_takes_all_anew);
    tcase_add_loop_test(tests, the_table_does_what_a_plain_list_does, 0, 12);
    suite_add_tcase(suite, tests);
    return suite;
}

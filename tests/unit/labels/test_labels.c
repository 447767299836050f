/* test_labels.c - the table of sets against a plain list of them, over random histories from a
 * seed. */
#include "expect.h"

#include <check.h>
#include <signal.h>
#include <walship/labels.h>
#include <walship/mem.h>
#include <walship/rng.h>

enum { LISTS = 400, LIST_LABELS_MAX = 12, NAMES = 20, VALUES = 60, STEPS = 30000 };

static const struct hash_key key = {11, 22};

/* Label list number i: made anew from its number each time, in memory of its own. */
struct list {
    struct label labels[LIST_LABELS_MAX];
    size_t count;
    char text[LIST_LABELS_MAX][2][40];
};

static void make_list(uint64_t i, struct list *list)
{
    struct rng rng = {i};
    size_t count = rng_below(&rng, LIST_LABELS_MAX);
    for (size_t n = 0; n < count; n++) {
        unsigned name = (unsigned)rng_below(&rng, NAMES);
        unsigned value = (unsigned)rng_below(&rng, VALUES);
        int name_bytes = snprintf(list->text[n][0], 40, "name_%0*u", (int)(name % 5) + 1, name);
        int value_bytes = snprintf(list->text[n][1], 40, "%0*u", (int)(value % 30) + 1, value);
        list->labels[n] = (struct label){list->text[n][0], list->text[n][1], (uint32_t)name_bytes,
                                         (uint32_t)value_bytes};
    }
    list->labels[count] = (struct label){"id", list->text[count][1], 2, 0};
    int id_bytes = snprintf(list->text[count][1], 40, "%u", (unsigned)i);
    list->labels[count].value_bytes = (uint32_t)id_bytes;
    list->count = labels_canonical(list->labels, count + 1);
}

static void check_is(const struct labels *labels, uint32_t set, const struct list *list)
{
    struct label out[LIST_LABELS_MAX];
    EXPECT(labels_count(labels, set) == list->count);
    EXPECT(labels_get(labels, set, out, LIST_LABELS_MAX) == list->count);
    for (size_t i = 0; i < list->count; i++) {
        EXPECT(out[i].name_bytes == list->labels[i].name_bytes);
        EXPECT(out[i].value_bytes == list->labels[i].value_bytes);
        EXPECT(memcmp(out[i].name, list->labels[i].name, out[i].name_bytes) == 0);
        EXPECT(memcmp(out[i].value, list->labels[i].value, out[i].value_bytes) == 0);
    }
}

/* The model: for each list its id and its references. */
struct model {
    uint32_t ids[LISTS];
    uint32_t refs[LISTS];
    size_t alive;
};

static void check_all(const struct labels *labels, const struct model *model)
{
    static bool taken[LISTS * 4];
    memset(taken, 0, sizeof taken);
    EXPECT(labels_sets(labels) == model->alive);
    for (uint64_t i = 0; i < LISTS; i++) {
        if (model->refs[i] > 0) {
            struct list list;
            make_list(i, &list);
            check_is(labels, model->ids[i], &list);
            EXPECT(model->ids[i] < labels_bound(labels));
            EXPECT(!taken[model->ids[i]]);
            taken[model->ids[i]] = true;
        }
    }
}

static void step(struct labels *labels, struct model *model, uint64_t i, uint64_t what)
{
    if (what < 4) {
        struct list list;
        make_list(i, &list);
        uint32_t id = labels_intern(labels, list.labels, list.count);
        EXPECT(model->refs[i] == 0 || model->ids[i] == id);
        memset(&list, 0xee, sizeof list); /* the table kept copies */
        model->ids[i] = id;
        model->alive += model->refs[i]++ == 0;
    } else if (model->refs[i] > 0 && what == 4) {
        labels_retain(labels, model->ids[i]);
        model->refs[i]++;
    } else if (model->refs[i] > 0) {
        EXPECT(labels_release(labels, model->ids[i]) == (model->refs[i] == 1));
        model->refs[i]--;
        model->alive -= model->refs[i] == 0;
    }
}

START_TEST(the_table_does_what_a_plain_list_does)
{
    struct rng rng = {(uint64_t)_i * 31 + 5};
    struct labels *labels = labels_new(&key);
    struct model *model = mem_new(1, sizeof *model);
    for (int turn = 0; turn < STEPS; turn++) {
        /* more comes than goes, then the other way about */
        uint64_t what = rng_below(&rng, turn / 5000 % 2 == 0 ? 8 : 20);
        step(labels, model, rng_below(&rng, LISTS), what);
        if (turn % 1000 == 0) {
            check_all(labels, model);
        }
    }
    check_all(labels, model);
    ck_assert_uint_le(labels_bound(labels), LISTS);
    for (uint64_t i = 0; i < LISTS; i++) {
        while (model->refs[i] > 0) {
            step(labels, model, i, 19);
        }
    }
    ck_assert_uint_eq(labels_sets(labels), 0);
    mem_free(model);
    labels_free(labels);
}

START_TEST(ids_come_back_and_memory_does_not_grow)
{
    struct labels *labels = labels_new(&key);
    size_t settled = 0;
    for (uint64_t round = 0; round < 50; round++) {
        uint32_t ids[1000];
        for (uint64_t i = 0; i < 1000; i++) {
            struct list list;
            make_list(100000 + round * 1000 + i, &list);
            ids[i] = labels_intern(labels, list.labels, list.count);
        }
        ck_assert_uint_eq(labels_bound(labels), 1000);
        for (size_t i = 0; i < 1000; i++) {
            ck_assert(labels_release(labels, ids[i]));
        }
        settled = round == 10 ? labels_bytes(labels) : settled;
    }
    ck_assert_uint_eq(labels_bytes(labels), settled);
    labels_free(labels);
}

START_TEST(memory_is_what_the_header_states)
{
    enum { SETS = 20000 };
    struct labels *labels = labels_new(&key);
    size_t count = 0;
    for (uint64_t i = 0; i < SETS; i++) {
        struct list list;
        make_list(i, &list);
        labels_intern(labels, list.labels, list.count);
        count += list.count;
    }
    ck_assert_uint_ge(labels_bytes(labels), count * 8 + SETS * 24);
    /* a string of its own each: 8 bytes, its symbol and its place in the index; all just grown */
    ck_assert_uint_le(labels_bytes(labels), count * 8 + SETS * (24 + 36) * 3 / 2 + (512 << 10));
    labels_free(labels);
}

START_TEST(the_empty_set_is_a_set)
{
    struct labels *labels = labels_new(&key);
    uint32_t id = labels_intern(labels, NULL, 0);
    ck_assert_uint_eq(labels_intern(labels, NULL, 0), id);
    ck_assert_uint_eq(labels_count(labels, id), 0);
    ck_assert(!labels_release(labels, id));
    ck_assert(labels_release(labels, id));
    labels_free(labels);
    labels_free(NULL);
}

START_TEST(strings_of_any_length_and_bytes_are_kept)
{
    static const uint32_t lengths[] = {1, 7, 8, 9, 1023, 1024, 1025, 5000, 1 << 20};
    struct labels *labels = labels_new(&key);
    char *value = mem_new(1 << 20, 1);
    uint32_t ids[ARRAY_COUNT(lengths)];
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
            memset(value, (int)i, lengths[i]);
            struct label label = {"n\0\xff", value, 3, lengths[i]};
            uint32_t id = labels_intern(labels, &label, 1);
            ck_assert(round == 0 || id == ids[i]);
            ids[i] = id;
            struct label out;
            labels_get(labels, id, &out, 1);
            ck_assert_uint_eq(out.value_bytes, lengths[i]);
            ck_assert_mem_eq(out.value, value, lengths[i]);
            ck_assert_mem_eq(out.name, "n\0\xff", 3);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(lengths) / 2; i++) {
        ck_assert(!labels_release(labels, ids[i]));
        ck_assert(labels_release(labels, ids[i]));
    }
    mem_free(value);
    labels_free(labels); /* with sets still in it, large strings among them */
}

START_TEST(a_set_of_thousands_of_labels_is_kept)
{
    enum { MANY = 3000 };
    struct labels *labels = labels_new(&key);
    struct label *list = mem_new(MANY, sizeof *list);
    char(*names)[12] = mem_new(MANY, sizeof *names);
    for (uint32_t i = 0; i < MANY; i++) {
        int bytes = snprintf(names[i], sizeof names[i], "n%06u", i);
        list[i] = (struct label){names[i], names[i], (uint32_t)bytes, (uint32_t)bytes};
    }
    uint32_t id = labels_intern(labels, list, MANY);
    uint32_t less = labels_intern(labels, list, MANY - 1);
    ck_assert_uint_ne(id, less);
    ck_assert_uint_eq(labels_intern(labels, list, MANY), id);
    struct label *out = mem_new(MANY, sizeof *out);
    ck_assert_uint_eq(labels_get(labels, id, out, MANY), MANY);
    ck_assert_mem_eq(out[MANY - 1].name, "n002999", 7);
    mem_free(out);
    mem_free(names);
    mem_free(list);
    labels_free(labels);
}

START_TEST(text_stays_where_it_is_while_its_set_lives)
{
    struct labels *labels = labels_new(&key);
    struct label one = {"name", "value", 4, 5};
    uint32_t id = labels_intern(labels, &one, 1);
    struct label out;
    labels_get(labels, id, &out, 1);
    for (uint64_t i = 0; i < 20000; i++) {
        struct list list;
        make_list(i, &list);
        labels_intern(labels, list.labels, list.count);
    }
    struct label again;
    labels_get(labels, id, &again, 1);
    ck_assert_ptr_eq(again.name, out.name);
    ck_assert_ptr_eq(again.value, out.value);
    ck_assert_mem_eq(out.value, "value", 5);
    labels_free(labels);
}

START_TEST(a_set_that_is_gone_may_not_be_asked_for)
{
    struct labels *labels = labels_new(&key);
    struct label one = {"name", "value", 4, 5};
    uint32_t id = labels_intern(labels, &one, 1);
    labels_release(labels, id);
    labels_count(labels, id);
}

Suite *suite_labels(void);
Suite *suite_labels(void)
{
    Suite *suite = suite_create("labels");
    TCase *tests = tcase_create("labels");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, the_table_does_what_a_plain_list_does, 0, 6);
    tcase_add_test(tests, ids_come_back_and_memory_does_not_grow);
    tcase_add_test(tests, memory_is_what_the_header_states);
    tcase_add_test(tests, the_empty_set_is_a_set);
    tcase_add_test(tests, strings_of_any_length_and_bytes_are_kept);
    tcase_add_test(tests, a_set_of_thousands_of_labels_is_kept);
    tcase_add_test(tests, text_stays_where_it_is_while_its_set_lives);
    tcase_add_test_raise_signal(tests, a_set_that_is_gone_may_not_be_asked_for, SIGABRT);
    suite_add_tcase(suite, tests);
    return suite;
}

/* test_shards.c - the table of shards as `walship explain` reads it. */
#include "shards.h"

#include <check.h>
#include <walship/mem.h>

enum { PAGE_BYTES = 1 << 15 };
static char page[PAGE_BYTES];
static struct shards shards;

static void add(const char *text)
{
    size_t used = strlen(page);
    ck_assert_uint_lt(used + strlen(text), PAGE_BYTES);
    memcpy(page + used, text, strlen(text) + 1);
}

/* A destination with two endpoints; all shards at home at the first but for `lent`. */
static void add_destination(const char *name, int lent)
{
    char line[64];
    page[0] = '\0';
    add("destination 0123 ");
    add(name);
    add("\nendpoint backoff down http://a/w\nerror connection refused\nendpoint open well "
        "http://b/w\n");
    for (int i = 0; i < SHARDS_COUNT; i++) {
        (void)snprintf(line, sizeof line, "shard %d 0 %d 7 %s\n", i, i == lent ? 1 : 0,
                       i == lent ? "1700000000123" : "-");
        add(line);
    }
}

START_TEST(what_is_written_is_read)
{
    add_destination("my east", 200);
    ck_assert(shards_read(&shards, page));
    ck_assert_uint_eq(shards.count, 1);
    const struct shards_destination *row = shards_find(&shards, "my east");
    ck_assert_ptr_nonnull(row);
    ck_assert_ptr_null(shards_find(&shards, "my"));
    ck_assert_str_eq(row->rules, "0123");
    ck_assert_uint_eq(row->endpoints_count, 2);
    ck_assert_str_eq(row->endpoints[0].lending, "down");
    ck_assert_str_eq(row->endpoints[0].state, "backoff");
    ck_assert_str_eq(row->endpoints[0].error, "connection refused");
    ck_assert_str_eq(row->endpoints[1].url, "http://b/w");
    ck_assert_str_eq(row->endpoints[1].error, "");
    ck_assert_uint_eq(row->shards[200].endpoint, 1);
    ck_assert_uint_eq(row->shards[200].home, 0);
    ck_assert_uint_eq(row->shards[200].pending, 7);
    ck_assert_int_eq(row->shards[200].newest_acked_ms, 1700000000123);
    ck_assert_int_eq(row->shards[199].newest_acked_ms, INT64_MIN);
    shards_release(&shards);
}

START_TEST(what_could_steer_a_terminal_is_no_table)
{
    add_destination("east\033[2J", 3);
    ck_assert(!shards_read(&shards, page));
    add_destination("\xc3\xa4st", 3);
    ck_assert(shards_read(&shards, page));
    shards_release(&shards);
}

START_TEST(what_is_cut_short_is_no_table)
{
    add_destination("east", 3);
    size_t bytes = strlen(page);
    char *whole = mem_string(page);
    for (size_t i = 1; i < bytes; i++) {
        memcpy(page, whole, i);
        page[i] = '\0';
        ck_assert_msg(!shards_read(&shards, page), "taken at %zu bytes", i);
        i += i < 200 ? 0 : 61;
    }
    mem_free(whole);
}

START_TEST(what_is_something_else_is_no_table)
{
    static const char *const pages[] = {
        "no such page; there are others\n",
        "shard 0 0 0 0 -\n",
        "destination 0123\n",
        "destination 0123 east\nshard 0 0 0 0 -\n",
        "destination 0123 east\nendpoint open well u\nshard 1 0 0 0 -\n",
        "destination 0123 east\nendpoint open well u\nshard 0 0 1 0 -\n",
        "destination 0123 east\nendpoint open well u\nshard 0 0 0 0 99999999999999999999\n",
        "destination 0123 east\nendpoint open\n",
        "destination 0123 east\nerror of nobody\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(pages); i++) {
        page[0] = '\0';
        add(pages[i]);
        ck_assert_msg(!shards_read(&shards, page), "%s", pages[i]);
    }
}

Suite *suite_shards(void);
Suite *suite_shards(void)
{
    Suite *suite = suite_create("shards");
    TCase *cases = tcase_create("shards");
    tcase_add_test(cases, what_is_written_is_read);
    tcase_add_test(cases, what_could_steer_a_terminal_is_no_table);
    tcase_add_test(cases, what_is_cut_short_is_no_table);
    tcase_add_test(cases, what_is_something_else_is_no_table);
    suite_add_tcase(suite, cases);
    return suite;
}

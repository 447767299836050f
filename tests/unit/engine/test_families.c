/* test_families.c - what is known of metric families: the table, and the answer of Prometheus' API.
 */
#include "families.h"

#include <check.h>
#include <walship/limits.h>
#include <walship/mem.h>

static const struct hash_key key = {5, 6};

static struct rw_text text(const char *from)
{
    return (struct rw_text){from, strlen(from)};
}

static bool put(struct families *families, const char *name, uint8_t type, const char *help)
{
    struct rw_metadata metadata = {type, text(name), text(help), text("")};
    return families_put(families, &metadata);
}

static void expect(const struct families *families, const char *series, const char *family,
                   const char *help)
{
    struct rw_metadata found;
    bool known = families_find(families, text(series), &found);
    ck_assert_msg(known == (family != NULL), "%s", series);
    if (family != NULL) {
        ck_assert_uint_eq(found.family.count, strlen(family));
        ck_assert_mem_eq(found.family.bytes, family, found.family.count);
        ck_assert_uint_eq(found.help.count, strlen(help));
        ck_assert(found.help.count == 0 || memcmp(found.help.bytes, help, found.help.count) == 0);
    }
}

START_TEST(a_series_is_found_by_its_own_name_or_its_familys)
{
    struct families *families = families_new(&key);
    ck_assert(put(families, "up", 2, "Up."));
    ck_assert(put(families, "rpc_seconds", 3, "Histogram."));
    ck_assert(put(families, "rpc_seconds_sum", 2, "A gauge of that name."));
    ck_assert(put(families, "up", 2, "The last word."));
    ck_assert_uint_eq(families_count(families), 3);
    expect(families, "up", "up", "The last word.");
    expect(families, "rpc_seconds_bucket", "rpc_seconds", "Histogram.");
    expect(families, "rpc_seconds_sum", "rpc_seconds_sum", "A gauge of that name.");
    expect(families, "down", NULL, NULL);
    expect(families, "_sum", NULL, NULL);
    families_free(families);
}

START_TEST(parts_of_a_histogram_or_summary_name_their_family)
{
    static const struct {
        const char *series;
        uint8_t type;
        const char *family;
    } names[] = {{"a_bucket", 3, "a"},  {"a_sum", 3, "a"},           {"a_count", 5, "a"},
                 {"a_sum", 1, "a_sum"}, {"a_bucket", 5, "a_bucket"}, {"a_gsum", 4, "a"},
                 {"_sum", 3, "_sum"},   {"a_total", 1, "a_total"}};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct rw_text name = families_name(text(names[i].series), names[i].type);
        ck_assert_uint_eq(name.count, strlen(names[i].family));
        ck_assert_mem_eq(name.bytes, names[i].family, name.count);
    }
}

START_TEST(thousands_of_families_are_all_found_again)
{
    struct families *families = families_new(&key);
    char name[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "family_%d", i);
        ck_assert(put(families, name, 1, name));
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "family_%d", i);
        expect(families, name, name, name);
    }
    families_free(families);
}

START_TEST(what_is_too_long_is_left_away)
{
    struct families *families = families_new(&key);
    char *help = mem_new(METADATA_TEXT_BYTES_MAX + 2, 1);
    memset(help, 'x', METADATA_TEXT_BYTES_MAX + 1);
    ck_assert(put(families, "long_help", 1, help));
    expect(families, "long_help", "long_help", "");
    ck_assert(!put(families, help, 1, "long name"));
    ck_assert(!put(families, "", 1, "no name"));
    ck_assert_uint_eq(families_count(families), 1);
    mem_free(help);
    families_free(families);
}

static const struct {
    const char *json;
    bool good;
    size_t count;
} answers[] = {
    {"{\"status\":\"success\",\"data\":{}}", true, 0},
    {"{\"status\":\"success\",\"data\":{\"up\":[{\"type\":\"gauge\",\"help\":\"U\\u003cp\\n\",\"unit\":\"\"}]}}",
     true, 1},
    {" { \"data\" : { \"up\" : [ { \"help\":\"U<p\\n\", \"more\":[1,{\"a\":\"}\"}], \"type\":\"gauge\" } , { } ] } , "
     "\"x\" : -1.5e3 } ",
     true, 1},
    {"{\"data\":{\"up\":[{\"type\":\"gauge\",\"help\":\"U<p\\n\"}],\"cut\":[{\"ty", false, 1},
    {"{\"data\":{\"up\":[{\"help\":\"U<p\\n\",\"type\":\"gauge\"}]}} trailing", false, 1},
    {"{\"data\":{\"empty\":[]}}", true, 0},
    {"{\"status\":\"error\"}", false, 0},
    {"", false, 0},
    {"[]", false, 0},
    {"{\"data\":{\"up\":[{\"help\":\"\\u12\"}]}}", false, 0},
    {"{\"data\":{\"up\":[{\"help\":\"\\q\"}]}}", false, 0},
    {"{\"data\":{\"up\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
     false, 0},
};

START_TEST(an_answer_of_the_api_is_read_as_far_as_it_is_one)
{
    struct families *families = families_new(&key);
    const char *json = answers[_i].json;
    ck_assert(families_read_json(families, json, strlen(json)) == answers[_i].good);
    ck_assert_uint_eq(families_count(families), answers[_i].count);
    if (answers[_i].count > 0) {
        expect(families, "up", "up", "U<p\n");
        struct rw_metadata up;
        ck_assert(families_find(families, text("up"), &up));
        ck_assert_uint_eq(up.type, 2);
    }
    families_free(families);
}

START_TEST(escapes_become_utf8)
{
    static const char json[] =
        "{\"data\":{\"a\":[{\"help\":\"\\u00e9\\u20ac\\ud83d\\ude00\\ud83dx\\t\\/\"}]}}";
    struct families *families = families_new(&key);
    ck_assert(families_read_json(families, json, sizeof json - 1));
    expect(families, "a", "a", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbdx\t/");
    families_free(families);
}

Suite *suite_families(void);
Suite *suite_families(void)
{
    Suite *suite = suite_create("families");
    TCase *tests = tcase_create("families");
    tcase_add_test(tests, a_series_is_found_by_its_own_name_or_its_familys);
    tcase_add_test(tests, parts_of_a_histogram_or_summary_name_their_family);
    tcase_add_test(tests, thousands_of_families_are_all_found_again);
    tcase_add_test(tests, what_is_too_long_is_left_away);
    tcase_add_loop_test(tests, an_answer_of_the_api_is_read_as_far_as_it_is_one, 0,
                        (int)ARRAY_COUNT(answers));
    tcase_add_test(tests, escapes_become_utf8);
    suite_add_tcase(suite, tests);
    return suite;
}

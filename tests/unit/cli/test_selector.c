/* test_selector.c - series selectors as PromQL writes them. */
#include "selector.h"

#include <check.h>

static const struct label labels[] = {
    {"__name__", "up", 8, 2}, {"instance", "10.0.0.1:9090", 8, 13}, {"job", "a\"b", 3, 3}};

static const struct {
    const char *text;
    bool matches;
} good[] = {
    {"up", true},
    {"upp", false},
    {"up{}", true},
    {"{}", true},
    {"{__name__=\"up\"}", true},
    {"{\"up\"}", true},
    {"{\"down\"}", false},
    {"up{job=\"a\\\"b\"}", true},
    {"up{job='a\"b'}", true},
    {"up{job=`a\"b`}", true},
    {"up{job=`a\\\"b`}", false},
    {"up{job=\"a\\x22\\u0062\"}", true},
    {" up { job = 'a\"b' , instance != '' , } ", true},
    {"up{\"job\"=~\"a.*\"}", true},
    {"up{job=~\"a\"}", false}, /* anchored */
    {"up{job!~\"a\"}", true},
    {"up{job!~\"a.+\"}", false},
    {"up{instance=~\"10[.]0.*|x\"}", true},
    {"up{zone=\"\"}", true}, /* missing is empty */
    {"up{zone!=\"\"}", false},
    {"up{zone=~\".*\"}", true},
    {"up{zone=~\".+\"}", false},
    {"up{job=\"a\\\"b\", job!=\"c\"}", true},
};

START_TEST(a_selector_picks_what_promql_would)
{
    struct err err = {0};
    struct selector *selector = selector_new(good[_i].text, &err);
    ck_assert_msg(selector != NULL, "%s: %s", good[_i].text, err.text);
    ck_assert_msg(selector_matches(selector, labels, ARRAY_COUNT(labels)) == good[_i].matches, "%s",
                  good[_i].text);
    selector_free(selector);
}
END_TEST

static const struct {
    const char *text, *says;
} bad[] = {
    {"", "a metric name or { is wanted at character 1"},
    {"{", "a quoted string is wanted at character 2"},
    {"up{job}", "one of = != =~ !~ is wanted at character 7"},
    {"up{job=a}", "a quoted string is wanted at character 8"},
    {"up{job=\"a}", "a string without its end at character 11"},
    {"up{job=\"a\" x=\"b\"}", "a comma or } is wanted at character 12"},
    {"up{} x", "more text than a selector at character 6"},
    {"up{job=\"\\q\"}", "an unknown escape at character 10"},
    {"up{job=\"\\xg0\"}", "not a hexadecimal digit at character 11"},
    {"up{job=\"\\", "an unknown escape at character 10"},
    {"up{job=\"\\UFFFFFFFF\"}", "no such character"},
    {"up{job=~\"(\"}", "missing closing )"},
    {"up{job=~\"(?=x)\"}", "(?="},
};

START_TEST(what_is_no_selector_is_refused_with_its_place)
{
    struct err err = {0};
    ck_assert_ptr_null(selector_new(bad[_i].text, &err));
    ck_assert_msg(strstr(err.text, bad[_i].says) != NULL, "%s: %s", bad[_i].text, err.text);
}
END_TEST

START_TEST(more_matchers_than_the_limit_are_refused)
{
    struct err err = {0};
    char text[SELECTOR_MATCHERS_MAX * 8 + 64] = "{";
    size_t at = 1;
    for (int i = 0; i <= SELECTOR_MATCHERS_MAX; i++) {
        memcpy(text + at, "a!='1',", 7);
        at += 7;
    }
    text[at] = '}';
    ck_assert_ptr_null(selector_new(text, &err));
    ck_assert(strstr(err.text, "too many matchers") != NULL);
}
END_TEST

Suite *suite_selector(void);
Suite *suite_selector(void)
{
    Suite *suite = suite_create("selector");
    TCase *tcase = tcase_create("selector");
    tcase_add_loop_test(tcase, a_selector_picks_what_promql_would, 0, ARRAY_COUNT(good));
    tcase_add_loop_test(tcase, what_is_no_selector_is_refused_with_its_place, 0, ARRAY_COUNT(bad));
    tcase_add_test(tcase, more_matchers_than_the_limit_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

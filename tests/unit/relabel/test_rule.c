/* test_rule.c - which rules there may be, and that no series can make them use up the memory. */
#include "lab.h"

#include <check.h>
#include <walship/mem.h>

static const struct {
    struct rule rule;
    const char *key;
    const char *why;
} bad[] = {
    {{.action = NULL}, "action", "relabel action cannot be empty"},
    {{.action = ""}, "action", "unknown relabel action \"\""},
    {{.action = "remove"}, "action", "unknown relabel action \"remove\""},
    {{.action = "replace"},
     "target_label",
     "relabel configuration for replace action requires 'target_label' value"},
    {{.action = "Replace", .target = "\xff"},
     "target_label",
     "\"\xff\" is invalid 'target_label' for replace action"},
    {{.action = "hashmod", .target = "a"},
     "modulus",
     "relabel configuration for hashmod requires non-zero modulus"},
    {{.action = "hashmod", .modulus = 2},
     "target_label",
     "relabel configuration for hashmod action requires 'target_label' value"},
    {{.action = "uppercase"},
     "target_label",
     "relabel configuration for uppercase action requires 'target_label' value"},
    {{.action = "lowercase", .target = "a", .replacement = "b"},
     "replacement",
     "'replacement' can not be set for lowercase action"},
    {{.action = "keepequal", .sources = "a"},
     "target_label",
     "relabel configuration for keepequal action requires 'target_label' value"},
    {{.action = "dropequal", .target = "a", .replacement = "b"},
     "replacement",
     "'replacement' can not be set for dropequal action"},
    {{.action = "dropequal", .sources = "a", .target = "b", .regex = "x"},
     "regex",
     "dropequal action requires only 'source_labels' and `target_label`, and no other fields"},
    {{.action = "keepequal", .sources = "a", .target = "b", .modulus = 1},
     "modulus",
     "keepequal action requires only 'source_labels' and `target_label`, and no other fields"},
    {{.action = "keepequal", .sources = "a", .target = "b", .separator = ","},
     "separator",
     "keepequal action requires only 'source_labels' and `target_label`, and no other fields"},
    {{.action = "labelmap", .replacement = ""},
     "replacement",
     "\"\" is invalid 'replacement' for labelmap action"},
    {{.action = "labeldrop", .sources = "", .regex = "a"},
     "source_labels",
     "labeldrop action requires only 'regex', and no other fields"},
    {{.action = "labelkeep", .target = "b", .regex = "a"},
     "target_label",
     "labelkeep action requires only 'regex', and no other fields"},
    {{.action = "labelkeep", .replacement = "b", .regex = "a"},
     "replacement",
     "labelkeep action requires only 'regex', and no other fields"},
    {{.action = "keep", .sources = "a,,b"}, "source_labels", "\"\" is not a valid label name"},
    {{.action = "keep", .regex = "(a"},
     "regex",
     "error parsing regexp: missing closing ): `^(?s:(a)$`"},
    {{.action = "keep", .regex = "a)"}, "regex", "error parsing regexp: unexpected ): `^(?s:a))$`"},
    {{.action = "keep", .regex = "[b-a]"},
     "regex",
     "error parsing regexp: invalid character class range: `b-a`"},
    {{.action = "keep", .regex = "a**"},
     "regex",
     "error parsing regexp: invalid nested repetition operator: `**`"},
    {{.action = "keep", .regex = "*a"},
     "regex",
     "error parsing regexp: missing argument to repetition operator: `*`"},
    {{.action = "keep", .regex = "a{1001}"},
     "regex",
     "error parsing regexp: invalid repeat count: `{1001}`"},
    {{.action = "keep", .regex = "(?=a)"},
     "regex",
     "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
    {{.action = "keep", .regex = "\\C"},
     "regex",
     "error parsing regexp: invalid escape sequence: `\\C`"},
    {{.action = "keep", .regex = "(a)\\1"},
     "regex",
     "error parsing regexp: invalid escape sequence: `\\1`"},
    {{.action = "keep", .regex = "((((a{100}){100}){10}){10})"}, "regex", NULL},
};

START_TEST(a_bad_rule_is_told_in_upstreams_words)
{
    char why[512] = "";
    const char *key = "";
    ck_assert_ptr_null(make(&bad[_i].rule, &key, why, sizeof why));
    ck_assert_str_eq(key, bad[_i].key);
    if (bad[_i].why != NULL) {
        ck_assert_str_eq(why, bad[_i].why);
    } else {
        ck_assert_uint_gt(strlen(why), 0);
    }
}

/* Rules that double a value thirty times over must end in the limit, not in the memory. */
START_TEST(what_grows_without_end_is_too_big)
{
    static const struct rule doubling = {
        .action = "replace", .sources = "a", .regex = "(.*)", .target = "a", .replacement = "$1$1"};
    struct relabel_room *room = relabel_room_new();
    char why[64];
    const char *key;
    struct relabel_rule *rule = make(&doubling, &key, why, sizeof why);
    struct label own = {"a", "0123456789abcdef", 1, 16};
    relabel_start(room, &own, 1, NULL, 0);
    int steps = 0;
    while (relabel_apply(room, rule) == RELABEL_GOES_ON) {
        steps++;
        ck_assert_int_lt(steps, 40);
    }
    ck_assert_int_gt(steps, 10);
    relabel_start(room, &own, 1, NULL, 0); /* the next series has all the room again */
    ck_assert_int_eq(relabel_apply(room, rule), RELABEL_GOES_ON);
    relabel_rule_free(rule);
    relabel_room_free(room);
}

START_TEST(rules_that_differ_have_different_texts)
{
    static const struct rule rules[] = {
        {.action = "replace", .sources = "a,b", .regex = "x", .target = "c", .replacement = "y"},
        {.action = "replace", .sources = "a", .regex = "x", .target = "c", .replacement = "y"},
        {.action = "replace", .sources = "a,b", .regex = "x", .target = "c", .replacement = "z"},
        {.action = "replace", .sources = "a,b", .regex = "y", .target = "c", .replacement = "y"},
        {.action = "replace", .sources = "a,b", .regex = "x", .target = "d", .replacement = "y"},
        {.action = "replace",
         .sources = "a,b",
         .regex = "x",
         .target = "c",
         .replacement = "y",
         .separator = ","},
        {.action = "keep", .sources = "a,b", .regex = "x", .target = "c", .replacement = "y"},
        {.action = "hashmod",
         .sources = "a,b",
         .regex = "x",
         .target = "c",
         .replacement = "y",
         .modulus = 2},
        {.action = "hashmod",
         .sources = "a,b",
         .regex = "x",
         .target = "c",
         .replacement = "y",
         .modulus = 3}};
    char *texts[ARRAY_COUNT(rules)];
    for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
        char why[64];
        const char *key;
        struct buf text;
        buf_init(&text, TEXT_BYTES_MAX);
        struct relabel_rule *rule = make(&rules[i], &key, why, sizeof why);
        ck_assert(relabel_rule_text(rule, &text) && buf_append(&text, "", 1));
        texts[i] = mem_string((const char *)text.data);
        for (size_t k = 0; k < i; k++) {
            ck_assert_str_ne(texts[i], texts[k]);
        }
        buf_release(&text);
        relabel_rule_free(rule);
    }
    for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
        mem_free(texts[i]);
    }
}

Suite *suite_rule(void);
Suite *suite_rule(void)
{
    Suite *suite = suite_create("relabel rule");
    TCase *tcase = tcase_create("rules");
    tcase_add_loop_test(tcase, a_bad_rule_is_told_in_upstreams_words, 0, (int)ARRAY_COUNT(bad));
    tcase_add_test(tcase, what_grows_without_end_is_too_big);
    tcase_add_test(tcase, rules_that_differ_have_different_texts);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* test_relabel.c - the rules over single series, as a table: what upstream does with each. The same
 * rules go past a real Prometheus in tests/e2e/relabel.sh. */
#include "lab.h"

#include <check.h>
#include <walship/mem.h>

enum { RULES_MAX = 4, LABELS_MAX = 16 };

struct row {
    const char *labels; /* NAME=VALUE, "|" between them, by name */
    const char *external;
    struct rule rules[RULES_MAX];
    const char *expected; /* NULL: dropped */
};

#define DEFAULTS "__name__=requests|code=500|job=api|path=/a/b"

static const struct row table[] = {
    /* replace */
    {"a=1|b=2", "", {{.action = "replace", .sources = "a", .target = "c"}}, "a=1|b=2|c=1"},
    {"a=1|b=2", "", {{.action = "replace", .sources = "a,b", .target = "c"}}, "a=1|b=2|c=1;2"},
    {"a=1|b=2",
     "",
     {{.action = "replace", .sources = "a,b", .target = "c", .separator = "--"}},
     "a=1|b=2|c=1--2"},
    {"a=1|b=2",
     "",
     {{.action = "replace", .sources = "a,b", .target = "c", .separator = ""}},
     "a=1|b=2|c=12"},
    {"a=1|b=2",
     "",
     {{.action = "replace", .sources = "a,none,b", .target = "c"}},
     "a=1|b=2|c=1;;2"},
    {"a=1",
     "",
     {{.action = "replace", .sources = "none", .target = "c"}},
     "a=1"}, /* set to nothing */
    {"a=1|c=2",
     "",
     {{.action = "replace", .sources = "none", .target = "c"}},
     "a=1"}, /* and so removed */
    {"a=1", "", {{.action = "replace", .target = "c", .replacement = "fixed"}}, "a=1|c=fixed"},
    {"a=1",
     "",
     {{.action = "replace", .sources = "a", .regex = "2", .target = "c", .replacement = "x"}},
     "a=1"},
    {"a=foo",
     "",
     {{.action = "replace", .sources = "a", .regex = "f", .target = "c", .replacement = "x"}},
     "a=foo"}, /* anchored at both ends */
    {"a=foo",
     "",
     {{.action = "replace", .sources = "a", .regex = "f|foo", .target = "c", .replacement = "x"}},
     "a=foo|c=x"},
    {"a=foo",
     "",
     {{.action = "replace", .sources = "a", .regex = "f|oo", .target = "c", .replacement = "x"}},
     "a=foo"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "f(.)(.*)",
       .target = "c",
       .replacement = "$2-$1"}},
     "a=foo|c=o-o"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "f(?P<rest>.*)",
       .target = "c",
       .replacement = "${rest}$rest"}},
     "a=foo|c=oooo"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "f(?<rest>.*)",
       .target = "c",
       .replacement = "${rest}"}},
     "a=foo|c=oo"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "$1_x"}},
     "a=foo"}, /* there is no group 1_x */
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "${1}_x"}},
     "a=foo|c=f_x"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "$1-x"}},
     "a=foo|c=f-x"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "$$1"}},
     "a=foo|c=$1"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "a$"}},
     "a=foo|c=a$"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "${1"}},
     "a=foo|c=${1"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "${}"}},
     "a=foo|c=${}"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "$-$ $1"}},
     "a=foo|c=$-$ f"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "x$3y"}},
     "a=foo|c=x"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "x${3}y"}},
     "a=foo|c=xy"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "x${01}y"}},
     "a=foo|c=xy"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "$0"}},
     "a=foo|c=foo"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "x$1\xc3\xa9"}},
     "a=foo|c=x"}, /* a letter */
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "x$1\xe2\x82\xac"}},
     "a=foo|c=xf\xe2\x82\xac"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)(.*)",
       .target = "c",
       .replacement = "x${99999999999999999999}y"}},
     "a=foo|c=xy"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(x)?foo",
       .target = "c",
       .replacement = "[$1]"}},
     "a=foo|c=[]"},
    {"a=ab",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(a|ab)(b?)",
       .target = "c",
       .replacement = "$1,$2"}},
     "a=ab|c=a,b"}, /* first, not longest */
    {"a=aaa",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(a*?)(a*)",
       .target = "c",
       .replacement = "[$1][$2]"}},
     "a=aaa|c=[][aaa]"},
    {"a=aaa",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(?U)(a*)(a*)",
       .target = "c",
       .replacement = "[$1][$2]"}},
     "a=aaa|c=[][aaa]"},
    {"a=1\n2",
     "",
     {{.action = "replace", .sources = "a", .regex = "1.2", .target = "c", .replacement = "x"}},
     "a=1\n2|c=x"}, /* the dot takes all */
    {"a=FOO",
     "",
     {{.action = "replace", .sources = "a", .regex = "(?i)foo", .target = "c", .replacement = "x"}},
     "a=FOO|c=x"},
    {"a=f.o",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "\\Qf.o\\E",
       .target = "c",
       .replacement = "x"}},
     "a=f.o|c=x"},
    {"a=(?<",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "\\Q(?<\\E",
       .target = "c",
       .replacement = "x"}},
     "a=(?<|c=x"},
    {"a=<",
     "",
     {{.action = "replace", .sources = "a", .regex = "[(?<]", .target = "c", .replacement = "x"}},
     "a=<|c=x"},
    {"a=]?",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "[](?<[:digit:]]+",
       .target = "c",
       .replacement = "x"}},
     "a=]?|c=x"},
    {"a=b",
     "",
     {{.action = "replace", .sources = "a", .regex = "a)|(?:b", .target = "c", .replacement = "x"}},
     "a=b|c=x"}, /* as upstream wraps it */
    {"a=1",
     "",
     {{.action = "replace", .sources = "a", .regex = "", .target = "c", .replacement = "x"}},
     "a=1"},
    {"a=1",
     "",
     {{.action = "replace", .sources = "none", .regex = "", .target = "c", .replacement = "x"}},
     "a=1|c=x"},
    {"a=foo",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.*)",
       .target = "${1}_total",
       .replacement = "x"}},
     "a=foo|foo_total=x"},
    {"a=foo",
     "",
     {{.action = "replace", .sources = "a", .regex = "(.*)", .target = "$2", .replacement = "x"}},
     "a=foo"}, /* no name, nothing set */
    {"a=foo",
     "",
     {{.action = "replace", .sources = "a", .regex = "(.*)", .target = "b c", .replacement = "x"}},
     "a=foo|b c=x"},
    {"a=\xc3\xa9t\xc3\xa9",
     "",
     {{.action = "replace",
       .sources = "a",
       .regex = "(.)t(.)",
       .target = "$1",
       .replacement = "$2"}},
     "a=\xc3\xa9t\xc3\xa9|\xc3\xa9=\xc3\xa9"},
    {"a=1", "", {{.action = "replace", .sources = "a", .target = "a", .replacement = ""}}, ""},
    {"__name__=up|a=1",
     "",
     {{.action = "replace", .target = "__name__", .replacement = "down"}},
     "__name__=down|a=1"},
    {"__tmp=1|a=1",
     "",
     {{.action = "replace", .sources = "a", .target = "__other"}},
     "__other=1|__tmp=1|a=1"},
    /* keep, drop */
    {DEFAULTS, "", {{.action = "keep", .sources = "job", .regex = "api"}}, DEFAULTS},
    {DEFAULTS, "", {{.action = "keep", .sources = "job", .regex = "ap"}}, NULL},
    {DEFAULTS, "", {{.action = "keep", .sources = "none", .regex = ".+"}}, NULL},
    {DEFAULTS, "", {{.action = "keep", .sources = "none", .regex = ""}}, DEFAULTS},
    {DEFAULTS, "", {{.action = "keep", .sources = "job,code", .regex = "api;5.."}}, DEFAULTS},
    {DEFAULTS, "", {{.action = "drop", .sources = "job", .regex = "api"}}, NULL},
    {DEFAULTS, "", {{.action = "drop", .sources = "job", .regex = "web"}}, DEFAULTS},
    {DEFAULTS, "", {{.action = "DROP", .sources = "job", .regex = "api"}}, NULL},
    {DEFAULTS,
     "",
     {{.action = "drop", .sources = "job", .regex = "web"},
      {.action = "keep", .sources = "code", .regex = "4.."}},
     NULL},
    {DEFAULTS,
     "",
     {{.action = "drop", .sources = "job", .regex = "api"},
      {.action = "replace", .target = "job", .replacement = "web"}},
     NULL},
    {"a=1|b=1", "", {{.action = "keepequal", .sources = "a", .target = "b"}}, "a=1|b=1"},
    {"a=1|b=2", "", {{.action = "keepequal", .sources = "a", .target = "b"}}, NULL},
    {"a=1|b=1", "", {{.action = "dropequal", .sources = "a", .target = "b"}}, NULL},
    {"a=1|b=2", "", {{.action = "dropequal", .sources = "a", .target = "b"}}, "a=1|b=2"},
    {"a=1",
     "",
     {{.action = "dropequal", .sources = "none", .target = "other"}},
     NULL}, /* both empty */
    {"a=1|b=2|c=1;2",
     "",
     {{.action = "keepequal", .sources = "a,b", .target = "c"}},
     "a=1|b=2|c=1;2"},
    /* hashmod: the last eight bytes of the MD5 */
    {"a=1|b=2",
     "",
     {{.action = "hashmod", .sources = "a,b", .target = "shard", .modulus = 1000}},
     "a=1|b=2|shard=316"},
    {"a=abc",
     "",
     {{.action = "hashmod", .sources = "a", .target = "shard", .modulus = 1000}},
     "a=abc|shard=458"},
    {"a=abc",
     "",
     {{.action = "hashmod", .sources = "none", .target = "shard", .modulus = 1000}},
     "a=abc|shard=958"},
    {"a=abc",
     "",
     {{.action = "hashmod", .sources = "a", .target = "shard", .modulus = 1}},
     "a=abc|shard=0"},
    /* labelmap: the old one stays, of two that end as one the last wins */
    {"meta_a=1|meta_b=2",
     "",
     {{.action = "labelmap", .regex = "meta_(.+)"}},
     "a=1|b=2|meta_a=1|meta_b=2"},
    {"meta_a=1",
     "",
     {{.action = "labelmap", .regex = "meta_(.+)", .replacement = "x_${1}_y"}},
     "meta_a=1|x_a_y=1"},
    {"a=1|b=2|c=3",
     "",
     {{.action = "labelmap", .regex = "[ab]", .replacement = "d"}},
     "a=1|b=2|c=3|d=2"},
    {"a=1|b=2|c=3",
     "",
     {{.action = "labelmap", .regex = "[ab]", .replacement = "c"}},
     "a=1|b=2|c=2"},
    {"a=1|b=2",
     "",
     {{.action = "replace", .target = "a", .replacement = "9"},
      {.action = "labelmap", .regex = "[ab]", .replacement = "d"}},
     "a=9|b=2|d=9"}, /* a was set: it comes after what the series brought */
    {"a=1|b=2", "", {{.action = "labelmap", .regex = "a", .replacement = "$1b"}}, "a=1|b=2"},
    {"a=1|b=2", "", {{.action = "labelmap", .regex = "(a)", .replacement = "$2"}}, "a=1|b=2"},
    {"a=1|b=2", "", {{.action = "labelmap", .regex = "(.)", .replacement = "a"}}, "a=2|b=2"},
    /* labeldrop, labelkeep: by name */
    {DEFAULTS, "", {{.action = "labeldrop", .regex = "code|pa.*"}}, "__name__=requests|job=api"},
    {DEFAULTS, "", {{.action = "labelkeep", .regex = "code|pa.*"}}, "code=500|path=/a/b"},
    {DEFAULTS, "", {{.action = "labeldrop", .regex = ".*"}}, ""},
    {DEFAULTS, "", {{.action = "labelkeep", .regex = "cod"}}, ""},
    /* lowercase, uppercase: Unicode's, one character for one */
    {"a=MiXed",
     "",
     {{.action = "lowercase", .sources = "a", .target = "b"},
      {.action = "uppercase", .sources = "a", .target = "c"}},
     "a=MiXed|b=mixed|c=MIXED"},
    {"a=X|b=Y", "", {{.action = "lowercase", .sources = "a,b", .target = "b"}}, "a=X|b=x;y"},
    {"a=1", "", {{.action = "lowercase", .sources = "none", .target = "a"}}, ""},
    {"a=\xc3\x84\xd0\x96",
     "",
     {{.action = "lowercase", .sources = "a", .target = "a"}},
     "a=\xc3\xa4\xd0\xb6"},
    {"a=\xc3\xa4\xd0\xb6",
     "",
     {{.action = "uppercase", .sources = "a", .target = "a"}},
     "a=\xc3\x84\xd0\x96"},
    {"a=stra\xc3\x9f\x65",
     "",
     {{.action = "uppercase", .sources = "a", .target = "a"}},
     "a=STRA\xc3\x9f\x45"},
    {"a=\xc4\xb0", "", {{.action = "lowercase", .sources = "a", .target = "a"}}, "a=i"},
    {"a=\xf0\x90\x90\x80",
     "",
     {{.action = "lowercase", .sources = "a", .target = "a"}},
     "a=\xf0\x90\x90\xa8"},
    {"a=\xff"
     "A",
     "",
     {{.action = "lowercase", .sources = "a", .target = "a"}},
     "a=\xef\xbf\xbd"
     "a"},
    /* external labels: before the rules, and the series' own win */
    {"a=1", "b=2", {{.action = NULL}}, "a=1|b=2"},
    {"a=1|b=3", "b=2", {{.action = NULL}}, "a=1|b=3"},
    {"b=3",
     "a=1|c=2",
     {{.action = "replace", .sources = "a,b,c", .target = "d"}},
     "a=1|b=3|c=2|d=1;3;2"},
    {"b=3",
     "a=1|c=2",
     {{.action = "labelmap", .regex = "[abc]", .replacement = "d"}},
     "a=1|b=3|c=2|d=2"},
    {"b=3",
     "a=1",
     {{.action = "labelmap", .regex = "[ab]", .replacement = "d"}},
     "a=1|b=3|d=1"}, /* own ones first */
    {"b=3", "a=1", {{.action = "labeldrop", .regex = "a"}}, "b=3"},
};

/* ---- one row ---- */

static size_t labels_of(char *text, struct label *out)
{
    char *parts[LABELS_MAX];
    size_t count = cut(text, "|", parts, LABELS_MAX);
    for (size_t i = 0; i < count; i++) {
        char *value = strchr(parts[i], '=');
        ck_assert_ptr_nonnull(value);
        *value++ = 0;
        out[i] =
            (struct label){parts[i], value, (uint32_t)strlen(parts[i]), (uint32_t)strlen(value)};
    }
    return count;
}

/* The rules live until the result was looked at: it may point into their texts. */
static bool apply_all(struct relabel_room *room, const struct rule *rules,
                      struct relabel_rule **made)
{
    bool goes_on = true;
    for (size_t i = 0; i < RULES_MAX && rules[i].action != NULL && goes_on; i++) {
        char why[256] = "";
        const char *key = "";
        made[i] = make(&rules[i], &key, why, sizeof why);
        ck_assert_msg(made[i] != NULL, "%s: %s", key, why);
        enum relabel_verdict verdict = relabel_apply(room, made[i]);
        ck_assert_int_ne(verdict, RELABEL_TOO_BIG);
        goes_on = verdict == RELABEL_GOES_ON;
    }
    return goes_on;
}

static void format(const struct label *labels, size_t count, struct buf *out)
{
    ck_assert(labels_format(labels, count, out) && buf_append(out, "", 1));
}

START_TEST(a_series_ends_as_upstream_has_it)
{
    const struct row *row = &table[_i];
    struct relabel_room *room = relabel_room_new();
    struct relabel_rule *made[RULES_MAX] = {NULL};
    struct label own[LABELS_MAX];
    struct label external[LABELS_MAX];
    char *texts[3] = {mem_string(row->labels), mem_string(row->external),
                      mem_string(row->expected == NULL ? "" : row->expected)};
    size_t own_count = labels_of(texts[0], own);
    size_t external_count = labels_of(texts[1], external);
    relabel_start(room, own, own_count, external, external_count);
    bool goes_on = apply_all(room, row->rules, made);
    ck_assert_msg(goes_on == (row->expected != NULL), "row %d", _i);
    if (goes_on) {
        const struct label *result;
        struct label wanted[LABELS_MAX];
        struct buf is;
        struct buf should;
        buf_init(&is, TEXT_BYTES_MAX);
        buf_init(&should, TEXT_BYTES_MAX);
        size_t count = relabel_result(room, &result);
        format(result, count, &is);
        format(wanted, labels_canonical(wanted, labels_of(texts[2], wanted)), &should);
        ck_assert_str_eq((const char *)is.data, (const char *)should.data);
        buf_release(&is);
        buf_release(&should);
    }
    for (size_t i = 0; i < RULES_MAX; i++) {
        relabel_rule_free(made[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        mem_free(texts[i]);
    }
    relabel_room_free(room);
}

Suite *suite_relabel(void);
Suite *suite_relabel(void)
{
    Suite *suite = suite_create("relabel");
    TCase *tcase = tcase_create("rules");
    tcase_add_loop_test(tcase, a_series_ends_as_upstream_has_it, 0, (int)ARRAY_COUNT(table));
    suite_add_tcase(suite, tcase);
    return suite;
}

/* test_guard.c - does this answer of Prometheus list one of our URLs? */
#include "guard.h"

#include <check.h>

static char key_a[] = "https://a.example:8443/api/v1/write", key_b[] = "http://b.example/w";
static struct conf_endpoint endpoints[] = {{.key = key_a}, {.key = key_b}};
static struct conf_destination destination = {.endpoints = endpoints, .endpoints_count = 2};
static const struct conf conf = {.destinations = &destination, .destinations_count = 1};

#define ANSWER(yaml) "{\"status\":\"success\",\"data\":{\"yaml\":\"" yaml "\"}}"

static const struct {
    const char *answer;
    bool known;
    const char *found; /* key */
} rows[] = {
    {ANSWER("remote_write:\\n- url: https://a.example:8443/api/v1/write\\n  name: x\\n"), true,
     key_a},
    {ANSWER("remote_write:\\n- url: http://c/w\\n- url: http://b.example/w?tenant=1\\n"), true,
     key_b},
    {ANSWER("remote_write:\\n- url: http://user:%3Csecret%3E@b.example/w\\n"), true, key_b},
    {ANSWER("remote_write:\\n- url: \\\"http:\\/\\/b.example\\/w\\\"\\n"), true, key_b},
    {ANSWER("remote_write:\\n- url: http://b.example/w2\\n"), true, NULL},
    {ANSWER("remote_write:\\n- url: http://b.example/\\n"), true, NULL},
    {ANSWER("remote_write:\\n- url: http://x@y/http://b.example/w\\n"), true, NULL},
    {ANSWER("remote_read:\\n- url: http://b.example/w\\n"), true, NULL},
    {ANSWER("global:\\n  external_labels: {a: \\u00e4}\\n"), true, NULL},
    {ANSWER(""), true, NULL},
    {ANSWER("remote_write: [\\n"), false, NULL},
    {ANSWER("a\\q"), false, NULL},
    {ANSWER("a\\u12"), false, NULL},
    {"{\"data\":{\"yaml\":\"cut", false, NULL},
    {"{\"data\":{\"yaml\":\"cut\\", false, NULL},
    {"404 page not found", false, NULL},
    {"", false, NULL},
};

START_TEST(an_answer_is_understood)
{
    bool known = !rows[_i].known;
    const struct conf_endpoint *found =
        guard_find(&conf, rows[_i].answer, strlen(rows[_i].answer), &known);
    ck_assert(known == rows[_i].known);
    ck_assert_ptr_eq(found != NULL ? found->key : NULL, rows[_i].found);
}

Suite *suite_guard(void);
Suite *suite_guard(void)
{
    Suite *suite = suite_create("guard");
    TCase *tcase = tcase_create("guard");
    tcase_add_loop_test(tcase, an_answer_is_understood, 0, ARRAY_COUNT(rows));
    suite_add_tcase(suite, tcase);
    return suite;
}

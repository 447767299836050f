/* test_guard.c - does this answer of Prometheus list one of our URLs? */
#include "guard.h"

#include <check.h>
#include <walship/conf_yaml.h>
#include <walship/log.h>

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

static void note(void *context, const char *line)
{
    struct buf *out = context;
    ck_assert(buf_append(out, line, strlen(line)));
}

static int64_t no_time(void *context)
{
    (void)context;
    return 0;
}

/* Nobody listens at a port that nothing can have. */
START_TEST(the_password_of_prometheus_url_is_not_said)
{
    static const char text[] = "wal_dir: /p/wal\nuse_remote_write: true\n"
                               "prometheus_config: /p/prometheus.yml\n"
                               "prometheus_url: http://u:geheim@127.0.0.1:1/x/\n"
                               "remote_write: [{url: 'https://a/w'}]\n";
    struct conf_problems problems;
    struct buf log;
    struct err err = {.text = ""};
    buf_init(&log, 4096);
    conf_problems_init(&problems);
    struct conf_yaml *yaml = conf_yaml_parse(text, sizeof text - 1, "F", &problems);
    struct conf *bound = conf_bind(conf_yaml_root(yaml), "F", &problems);
    ck_assert_msg(bound != NULL, "%s", conf_problems_text(&problems));
    ck_assert_str_eq(bound->prometheus_url, "http://u:geheim@127.0.0.1:1/x");
    ck_assert_str_eq(bound->prometheus_shown, "http://127.0.0.1:1/x");
    log_set_sink(note, no_time, &log);
    ck_assert(guard_check(bound, &err));
    log_set_sink(NULL, NULL, NULL);
    ck_assert(buf_append(&log, "", 1));
    ck_assert_ptr_nonnull(strstr((char *)log.data, "prometheus_url=\"http://127.0.0.1:1/x\""));
    ck_assert_ptr_null(strstr((char *)log.data, "geheim"));
    conf_free(bound);
    conf_yaml_free(yaml);
    conf_problems_release(&problems);
    buf_release(&log);
}

Suite *suite_guard(void);
Suite *suite_guard(void)
{
    Suite *suite = suite_create("guard");
    TCase *tcase = tcase_create("guard");
    tcase_add_test(tcase, the_password_of_prometheus_url_is_not_said);
    tcase_add_loop_test(tcase, an_answer_is_understood, 0, ARRAY_COUNT(rows));
    suite_add_tcase(suite, tcase);
    return suite;
}

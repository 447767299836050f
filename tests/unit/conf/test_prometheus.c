/* test_prometheus.c - prometheus_config: what is taken from a prometheus.yml and how it is merged,
 * where its problems are said, and the expansion of variables. */
#include <check.h>
#include <walship/conf_yaml.h>
#include <walship/log.h>

#define OWN "wal_dir: /p/data/wal\nprometheus_config: p.yml\n"

static const char *variable(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "REGION") == 0 ? "east" : strcmp(name, "1") == 0 ? "one" : NULL;
}

static struct conf *bind(const char *own, const char *prometheus, struct conf_problems *problems)
{
    struct conf_yaml *first = conf_yaml_parse(own, strlen(own), "W", problems);
    struct conf_yaml *second = conf_yaml_parse(prometheus, strlen(prometheus), "/etc/P", problems);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(second);
    const struct conf_sources sources = {
        .prometheus = conf_yaml_root(second), .prometheus_file = "/etc/P", .variable = variable};
    struct conf *conf = conf_bind_with(conf_yaml_root(first), "W", &sources, problems);
    conf_yaml_free(first);
    conf_yaml_free(second);
    return conf;
}

static const struct {
    const char *own, *prometheus;
    const char *told;
} bad[] = {
    /* places are those of the file that is wrong */
    {OWN "remote_write: [{url: 'http://a'}]\n", "global: {external_labels: [a]}\n",
     "/etc/P:1:27: external_labels must be a map, found a list\n"},
    {OWN "remote_write: [{url: 'http://a'}]\n", "[a]\n",
     "/etc/P:1:1: the configuration must be a map, found a list\n"},
    {OWN "use_remote_write: true\n", "remote_write: [{url: 'http://a', ulr: b}]\n",
     "/etc/P:1:34: unknown key \"ulr\", did you mean \"url\"?\n"},
    {OWN "use_remote_write: true\n", "scrape_configs: [{job_name: a}]\n",
     "W:1:1: remote_write is required, and prometheus_config has none either\n"},
    {OWN "use_remote_write: true\nremote_write: [{url: 'http://a'}]\n",
     "remote_write:\n- url: http://a\n",
     "/etc/P:2:3: duplicate remote write configs are not allowed, found duplicate for URL: "
     "http://a (give them names)\n"},
    {OWN "use_remote_write: true\n", "remote_write:\n-\n",
     "/etc/P:2:2: empty or null remote write config section\n"},
};

START_TEST(a_problem_is_said_at_its_own_file)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    ck_assert_ptr_null(bind(bad[_i].own, bad[_i].prometheus, &problems));
    ck_assert(buf_append(&problems.text, "", 1));
    ck_assert_str_eq((const char *)problems.text.data, bad[_i].told);
    conf_problems_release(&problems);
}

static const char *label(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->external_labels_count; i++) {
        if (strcmp(conf->external_labels[i].name, name) == 0) {
            return conf->external_labels[i].value;
        }
    }
    return NULL;
}

START_TEST(labels_and_blocks_are_taken_over_and_the_rest_is_passed_over)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf *conf = bind(OWN "use_remote_write: true\nexternal_labels: {b: own, c: mine}\n"
                                 "remote_write: [{url: 'http://a'}]\n",
                             "global: {scrape_interval: 1s, external_labels: {a: x, b: theirs}}\n"
                             "rule_files: [r]\n"
                             "remote_write:\n- url: https://b\n  basic_auth: {username: u, "
                             "password_file: secret}\n",
                             &problems);
    ck_assert_msg(conf != NULL, "%.*s", (int)problems.text.bytes, problems.text.data);
    ck_assert_uint_eq(conf->external_labels_count, 3);
    ck_assert_str_eq(label(conf, "a"), "x");
    ck_assert_str_eq(label(conf, "b"), "own");
    ck_assert_str_eq(label(conf, "c"), "mine");
    ck_assert_uint_eq(conf->destinations_count, 2);
    ck_assert_str_eq(conf->destinations[1].name, "https://b");
    /* relative to the file it stands in */
    ck_assert_str_eq(conf->destinations[1].auth.secret_file, "/etc/secret");
    conf_free(conf);
    conf_problems_release(&problems);
}

START_TEST(without_use_remote_write_only_the_labels_are_taken)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf *conf =
        bind(OWN "remote_write: [{url: 'http://a'}]\n",
             "global: {external_labels: {a: x}}\nremote_write: [{nonsense: 1}]\n", &problems);
    ck_assert_msg(conf != NULL, "%.*s", (int)problems.text.bytes, problems.text.data);
    ck_assert_uint_eq(conf->destinations_count, 1);
    ck_assert_str_eq(label(conf, "a"), "x");
    conf_free(conf);
    conf_problems_release(&problems);
}

/* As Go's os.Expand has it. */
static const struct {
    const char *text, *value;
} expansions[] = {
    {"plain", "plain"},
    {"$REGION", "east"},
    {"${REGION}", "east"},
    {"a-${REGION}-b", "a-east-b"},
    {"$REGION-b", "east-b"},
    {"$REGIONb", NULL}, /* another name, unknown, so empty: no label */
    {"x$REGIONb", "x"},
    {"$$REGION", "$REGION"},
    {"$${REGION}", "${REGION}"},
    {"cost: 5$", "cost: 5$"},
    {"5$ each", "5$ each"},
    {"x${}y", "xy"},
    {"x${REGION", "xREGION"},
    {"$1", "one"},
    {"$12", "one2"},
    {"x${UNKNOWN}", "x"},
};

START_TEST(variables_are_expanded_as_prometheus_does)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    char own[256];
    (void)snprintf(own, sizeof own,
                   OWN "remote_write: [{url: 'http://a'}]\nexternal_labels: {v: '%s'}\n",
                   expansions[_i].text);
    struct conf *conf = bind(own, "", &problems);
    ck_assert_msg(conf != NULL, "%.*s", (int)problems.text.bytes, problems.text.data);
    if (expansions[_i].value == NULL) {
        ck_assert_ptr_null(label(conf, "v"));
    } else {
        ck_assert_ptr_nonnull(label(conf, "v"));
        ck_assert_str_eq(label(conf, "v"), expansions[_i].value);
    }
    conf_free(conf);
    conf_problems_release(&problems);
}

static void keep(void *context, const char *line)
{
    ck_assert(buf_append(context, line, strlen(line)));
}

static int64_t no_time(void *context)
{
    (void)context;
    return 0;
}

START_TEST(a_variable_without_a_value_is_told_and_no_other)
{
    struct conf_problems problems;
    struct buf said;
    buf_init(&said, 1 << 16);
    conf_problems_init(&problems);
    log_set_sink(keep, no_time, &said);
    struct conf *conf = bind(OWN "remote_write: [{url: 'http://a'}]\n"
                                 "external_labels: {v: '$REGION-${HOSTNAM}-$$'}\n",
                             "", &problems);
    log_set_sink(NULL, NULL, NULL);
    ck_assert(buf_append(&said, "", 1));
    ck_assert_str_eq((const char *)said.data,
                     "ts=1970-01-01T00:00:00.000Z level=warn msg=\"external_labels: a variable is "
                     "empty, so is what it stands for\" variable=\"HOSTNAM\"\n");
    conf_free(conf);
    conf_problems_release(&problems);
    buf_release(&said);
}

Suite *suite_prometheus(void);
Suite *suite_prometheus(void)
{
    Suite *suite = suite_create("prometheus");
    TCase *cases = tcase_create("prometheus_config");
    tcase_add_loop_test(cases, a_problem_is_said_at_its_own_file, 0, ARRAY_COUNT(bad));
    tcase_add_test(cases, labels_and_blocks_are_taken_over_and_the_rest_is_passed_over);
    tcase_add_test(cases, without_use_remote_write_only_the_labels_are_taken);
    tcase_add_loop_test(cases, variables_are_expanded_as_prometheus_does, 0,
                        ARRAY_COUNT(expansions));
    tcase_add_test(cases, a_variable_without_a_value_is_told_and_no_other);
    suite_add_tcase(suite, cases);
    return suite;
}

/* test_options.c - the emulator's configuration: what it takes, and where it says what is wrong. */
#include "options.h"

#include <check.h>
#include <walship/conf_yaml.h>

static struct options *bind(const char *text, struct conf_problems *problems)
{
    conf_problems_init(problems);
    struct conf_yaml *yaml = conf_yaml_parse(text, strlen(text), "f.yml", problems);
    ck_assert_ptr_nonnull(yaml);
    struct options *options = options_bind(conf_yaml_root(yaml), "f.yml", problems);
    conf_yaml_free(yaml);
    return options;
}

START_TEST(a_whole_file_is_bound)
{
    struct conf_problems problems;
    struct options *options = bind("listen_address: 127.0.0.1:9201\n"
                                   "database: /x/y.db\n"
                                   "commit_interval: 0\n"
                                   "max_body_bytes: 1MiB\n"
                                   "endpoints:\n"
                                   "- {name: a, path: /p/a}\n"
                                   "- {name: b, path: /p/b}\n",
                                   &problems);
    ck_assert_ptr_nonnull(options);
    ck_assert_str_eq(options->host, "127.0.0.1");
    ck_assert_uint_eq(options->port, 9201);
    ck_assert_str_eq(options->database, "/x/y.db");
    ck_assert(options->store);
    ck_assert_int_eq(options->commit_ms, 0);
    ck_assert_uint_eq(options->body_bytes_max, 1 << 20);
    ck_assert_uint_eq(options->endpoints_count, 2);
    ck_assert_str_eq(options->endpoints[1].path, "/p/b");
    options_free(options);
    conf_problems_release(&problems);
}

#define WHO "name: p, tenant: t, client_id: c, object_id: o"

START_TEST(an_azure_file_is_bound)
{
    struct conf_problems problems;
    struct options *options = bind(
        "listen_address: 127.0.0.1:9201\n"
        "database: /x/y.db\n"
        "tls: {directory: /d, listen_address: '127.0.0.1:9202', names: [x.example]}\n"
        "workspaces: [{name: w, samples_per_minute: 60, over_limit: drop, window: 5m}]\n"
        "endpoints:\n"
        "- {name: a, dce: d, dcr: dcr-1, workspace: w, role_delay: 3s, bytes_per_minute: 1GB,\n"
        "   too_large: cut, retry_after: date}\n"
        "- {name: b, dce: d, dcr: dcr-2}\n"
        "identities: [{" WHO ", roles: [a, b], sources: imds, system: true}]\n"
        "tokens: {life: 6s, expires_on: rfc3339}\n"
        "script: [{at: 10s, pair: a, do: status=429, for: 5s}]\n",
        &problems);
    ck_assert_msg(options != NULL, "%.*s", (int)problems.text.bytes,
                  (const char *)problems.text.data);
    const struct endpoint_options *a = &options->endpoints[0];
    ck_assert_str_eq(a->path, "/d/dataCollectionRules/dcr-1/streams/Microsoft-PrometheusMetrics"
                              "/api/v1/write");
    ck_assert_int_eq(a->role_delay_ms, 3000);
    ck_assert_uint_eq(a->bytes_per_minute, 1 << 30);
    ck_assert_int_eq(a->too_large, TOO_LARGE_CUT);
    ck_assert_int_eq(a->retry_after, THROTTLE_DATE);
    ck_assert_uint_eq(options->endpoints[1].body_bytes_max, 1 << 20);
    ck_assert_int_eq(options->azure.workspaces[0].over_limit, OVER_LIMIT_DROP);
    ck_assert_int_eq(options->azure.workspaces[0].window_ms, 300000);
    const struct principal_options *who = &options->azure.principals[0];
    ck_assert(who->system && texts_have(&who->roles, "b") && texts_have(&who->sources, "imds"));
    ck_assert_int_eq(options->azure.tokens.life_ms, 6000);
    ck_assert_int_eq(options->azure.tokens.expires_on, EXPIRY_RFC3339);
    ck_assert_int_eq(options->script[0].at_ms, 10000);
    ck_assert_uint_eq(options->tls.port, 9202);
    options_free(options);
    conf_problems_release(&problems);
}

START_TEST(a_sink_needs_no_database_and_ipv6_loopback_is_loopback)
{
    struct conf_problems problems;
    struct options *options = bind("listen_address: '[::1]:0'\n"
                                   "store: none\n"
                                   "endpoints: [{name: a, path: /a}]\n",
                                   &problems);
    ck_assert_ptr_nonnull(options);
    ck_assert_str_eq(options->host, "::1");
    ck_assert(!options->store);
    options_free(options);
    conf_problems_release(&problems);
}

#define HEAD "listen_address: 127.0.0.1:1\ndatabase: x\n"
#define TAIL "endpoints: [{name: a, path: /a}]\n"

struct bad_row {
    const char *text;
    const char *said;
};

static const struct bad_row BAD_ROWS[] = {
    {"databas: x\n" HEAD TAIL, "f.yml:1:1: unknown key \"databas\""},
    {"database: x\n" TAIL, "listen_address is missing"},
    {"listen_address: 127.0.0.1:1\n" TAIL, "database is missing"},
    {HEAD, "endpoints is missing"},
    {"listen_address: 10.0.0.1:1\ndatabase: x\n" TAIL, "not on loopback"},
    {"listen_address: localhost:1\ndatabase: x\n" TAIL, "f.yml:1:17: listen_address must be"},
    {"listen_address: 127.0.0.1:70000\ndatabase: x\n" TAIL, "listen_address must be"},
    {"listen_address: 127.0.0.1\ndatabase: x\n" TAIL, "listen_address must be"},
    {HEAD "commit_interval: 2h\n" TAIL, "commit_interval must be"},
    {HEAD "max_body_bytes: 0\n" TAIL, "max_body_bytes must be"},
    {HEAD "max_body_bytes: 33MiB\n" TAIL, "max_body_bytes must be"},
    {HEAD "store: maybe\n" TAIL, "store must be"},
    {HEAD "allow_remote: 1\n" TAIL, "allow_remote must be"},
    {HEAD "endpoints: []\n", "endpoints must be"},
    {HEAD "endpoints: [{name: a}]\n", "needs a name and a path"},
    {HEAD "endpoints: [{name: 'a\"', path: /a}]\n", "name may have"},
    {HEAD "endpoints: [{name: a, path: a}]\n", "path must begin"},
    {HEAD "endpoints: [{name: a, path: '/a?b=c'}]\n", "path must begin"},
    {HEAD "endpoints: [{name: a, path: /stats}]\n", "path must begin"},
    {HEAD "endpoints: [{name: a, path: /a}, {name: a, path: /b}]\n", "the same name"},
    {HEAD "endpoints: [{name: a, path: /a}, {name: b, path: /a}]\n", "the same path"},
    {HEAD "endpoints: [7]\n", "expected a map"},
    {HEAD "endpoints: [{name: a, dce: d}]\n", "needs a name and a path"},
    {HEAD "endpoints: [{name: a, path: /a, dce: d}]\n", "a dce goes with a dcr"},
    {HEAD "endpoints: [{name: a, path: /a, dce: d, dcr: r}]\n", "not both"},
    {HEAD "endpoints: [{name: a, dce: d, dcr: r}, {name: b, dce: e, dcr: R}]\n", "the same dcr"},
    {HEAD "endpoints: [{name: a, dce: d, dcr: r, workspace: w}]\n", "there is no workspace"},
    {HEAD "endpoints: [{name: a, dce: d, dcr: r, role_delay: x}]\n",
     "f.yml:3:51: role_delay must be a duration"},
    {HEAD "endpoints: [{name: a, dce: d, dcr: r, too_large: x}]\n", "too_large is none of"},
    {HEAD "endpoints: [{name: a, dce: d, dcr: r, success_status: 404}]\n", "200 to 299"},
    {HEAD TAIL "identities: [{name: p}]\n", "an identity needs"},
    {HEAD TAIL "identities: [{" WHO ", roles: [z]}]\n", "there is no endpoint \"z\""},
    {HEAD TAIL "identities: [{" WHO ", sources: [z]}]\n", "unknown source"},
    {HEAD TAIL "identities: [{" WHO "}, {" WHO "}]\n", "the same name"},
    {HEAD TAIL "identities: [{" WHO ", secrt: z}]\n", "unknown key \"secrt\""},
    {HEAD TAIL "workspaces: [{window: 1m}]\n", "a workspace needs a name"},
    {HEAD TAIL "tokens: {life: forever}\n", "life must be a duration"},
    {HEAD TAIL "tls: {names: [x]}\n", "tls needs a directory"},
    {HEAD TAIL "tls: {directory: d, listen_address: '10.0.0.1:1'}\n", "not on loopback"},
    {HEAD TAIL "tls: {directory: d, names: ['a,IP:1.2.3.4']}\n", "must be DNS names"},
    {HEAD TAIL "script: [{at: 1s}]\n", "a step needs do"},
    {"[1]\n", "expected a map"},
};

START_TEST(a_wrong_file_is_refused_with_the_place)
{
    struct conf_problems problems;
    ck_assert_ptr_null(bind(BAD_ROWS[_i].text, &problems));
    bool good = buf_append(&problems.text, "", 1);
    ck_assert(good);
    const char *said = (const char *)problems.text.data;
    ck_assert_msg(strstr(said, BAD_ROWS[_i].said) != NULL, "said: %s", said);
    conf_problems_release(&problems);
}

struct host_row {
    const char *host;
    bool loopback;
};

static const struct host_row HOST_ROWS[] = {
    {"127.0.0.1", true}, {"127.9.9.9", true},  {"::1", true}, {"0.0.0.0", false},
    {"::", false},       {"128.0.0.1", false}, {"", false},
};

START_TEST(loopback_is_told_from_the_rest)
{
    ck_assert_int_eq(host_is_loopback(HOST_ROWS[_i].host), HOST_ROWS[_i].loopback);
}

Suite *suite_options(void);
Suite *suite_options(void)
{
    Suite *suite = suite_create("options");
    TCase *tests = tcase_create("options");
    tcase_add_test(tests, a_whole_file_is_bound);
    tcase_add_test(tests, an_azure_file_is_bound);
    tcase_add_test(tests, a_sink_needs_no_database_and_ipv6_loopback_is_loopback);
    tcase_add_loop_test(tests, a_wrong_file_is_refused_with_the_place, 0, ARRAY_COUNT(BAD_ROWS));
    tcase_add_loop_test(tests, loopback_is_told_from_the_rest, 0, ARRAY_COUNT(HOST_ROWS));
    suite_add_tcase(suite, tests);
    return suite;
}

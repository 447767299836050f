/* test_web.c - web_config files: what each bad one is told, and what a good one says. */
#include <check.h>
#include <walship/conf_web.h>
#include <walship/conf_yaml.h>

#define HASH "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define TLS  "tls_server_config: {cert_file: c, key_file: k, "

static const struct {
    const char *text, *told;
} bad[] = {
    {"[a]", "/w/F:1:1: the configuration must be a map, found a list\n"},
    {"tls_config: {}", "/w/F:1:1: unknown key \"tls_config\"\n"},
    {"tls_server_config: {cert_file: c}", "/w/F:1:20: missing one of key or key_file\n"},
    {"tls_server_config: {}",
     "/w/F:1:20: missing one of cert or cert_file\n/w/F:1:20: missing one of key or key_file\n"},
    {TLS "client_auth_type: Always}",
     "/w/F:1:66: client_auth_type must be NoClientCert or RequestClientCert or RequireAnyClientCert or "
     "VerifyClientCertIfGiven or RequireAndVerifyClientCert, found \"Always\"\n"},
    {TLS "client_auth_type: RequireAndVerifyClientCert}",
     "/w/F:1:20: client_auth_type RequireAndVerifyClientCert needs client_ca_file: without it whoever "
     "has a certificate of any public CA would be let in\n"},
    {TLS "client_ca_file: ca}",
     "/w/F:1:20: client CA's have been configured without a client_auth_type that uses them\n"},
    {TLS "min_version: SSL3}", "/w/F:1:61: unknown TLS version: SSL3\n"},
    {"basic_auth_users: {a: geheim}",
     "/w/F:1:23: the password of a must be a bcrypt hash, as `htpasswd -nBC 10 \"\"` makes\n"},
    {"basic_auth_users: {'a:b': x}", "/w/F:1:20: a user must be a name without a colon\n"},
    {"basic_auth_users: [a]",
     "/w/F:1:19: basic_auth_users must be a map of at most 256 names to bcrypt hashes\n"},
};

static struct conf_web *bind(const char *text, struct conf_problems *problems)
{
    struct conf_yaml *yaml = conf_yaml_parse(text, strlen(text), "/w/F", problems);
    ck_assert_ptr_nonnull(yaml);
    struct conf_web *web = conf_web_bind(conf_yaml_root(yaml), "/w/F", problems);
    conf_yaml_free(yaml);
    return web;
}

START_TEST(a_bad_file_is_told_what_is_wrong)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    ck_assert_ptr_null(bind(bad[_i].text, &problems));
    ck_assert_str_eq(conf_problems_text(&problems), bad[_i].told);
    conf_problems_release(&problems);
}

START_TEST(a_good_file_is_understood)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf_web *web = bind(
        TLS "client_ca_file: /ca, client_auth_type: VerifyClientCertIfGiven, min_version: TLS13}\n"
            "basic_auth_users: {reader: " HASH ", other: " HASH "}\n",
        &problems);
    ck_assert_msg(web != NULL, "%s", conf_problems_text(&problems));
    ck_assert_str_eq(web->cert_file, "/w/c");
    ck_assert_str_eq(web->key_file, "/w/k");
    ck_assert_str_eq(web->client_ca_file, "/ca");
    ck_assert_int_eq(web->client_auth, CONF_WEB_VERIFY_CLIENT_CERT_IF_GIVEN);
    ck_assert_int_eq(web->min_tls, HTTP_TLS_1_3);
    ck_assert_uint_eq(web->users_count, 2);
    ck_assert_str_eq(web->users[0].name, "reader");
    ck_assert_str_eq(web->users[1].hash, HASH);
    conf_web_free(web);
    conf_problems_release(&problems);
}

START_TEST(an_empty_file_is_plain_http_for_anyone)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf_web *web = bind("", &problems);
    ck_assert_ptr_nonnull(web);
    ck_assert_ptr_null(web->cert_file);
    ck_assert_uint_eq(web->users_count, 0);
    conf_web_free(web);
    conf_problems_release(&problems);
}

Suite *suite_web(void);
Suite *suite_web(void)
{
    Suite *suite = suite_create("web");
    TCase *cases = tcase_create("web_config");
    tcase_add_loop_test(cases, a_bad_file_is_told_what_is_wrong, 0, ARRAY_COUNT(bad));
    tcase_add_test(cases, a_good_file_is_understood);
    tcase_add_test(cases, an_empty_file_is_plain_http_for_anyone);
    suite_add_tcase(suite, cases);
    return suite;
}

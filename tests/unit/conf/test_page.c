/* test_page.c - the file of --http-config: what a good one says, what a bad one is told. */
#include <check.h>
#include <walship/conf_page.h>
#include <walship/conf_yaml.h>

static const struct {
    const char *text, *told;
} bad[] = {
    {"[a]", "/w/F:1:1: the configuration must be a map, found a list\n"},
    {"authorization: {credentials: geheim}", "/w/F:1:1: unknown key \"authorization\"\n"},
    {"basic_auth: {user: reader}", "/w/F:1:14: unknown key \"user\"\n"},
    {"basic_auth: {username: reader, password: geheim, password_file: p}",
     "/w/F:1:13: at most one of basic_auth password, password_file & password_ref must be "
     "configured\n"},
    {"tls_config: {cert_file: c}",
     "/w/F:1:13: exactly one of key or key_file must be configured when a client certificate is "
     "configured\n"},
};

static struct conf_page *bind(const char *text, struct conf_problems *problems)
{
    struct conf_yaml *yaml = conf_yaml_parse(text, strlen(text), "/w/F", problems);
    ck_assert_ptr_nonnull(yaml);
    struct conf_page *page = conf_page_bind(conf_yaml_root(yaml), "/w/F", problems);
    conf_yaml_free(yaml);
    return page;
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
    struct conf_page *page = bind("basic_auth: {username: reader, password_file: secret/p}\n"
                                  "tls_config: {ca_file: /ca, cert_file: c, key_file: k}\n",
                                  &problems);
    ck_assert_msg(page != NULL, "%s", conf_problems_text(&problems));
    ck_assert_int_eq(page->auth.kind, CONF_AUTH_BASIC);
    ck_assert_str_eq(page->auth.username, "reader");
    ck_assert_str_eq(page->auth.secret_file, "/w/secret/p");
    ck_assert_str_eq(page->client.ca_file, "/ca");
    ck_assert_str_eq(page->client.key_file, "/w/k");
    conf_page_free(page);
    conf_problems_release(&problems);
}

START_TEST(an_empty_file_says_nothing)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf_page *page = bind("", &problems);
    ck_assert_ptr_nonnull(page);
    ck_assert_int_eq(page->auth.kind, CONF_AUTH_NONE);
    ck_assert_ptr_null(page->client.ca_file);
    conf_page_free(page);
    conf_problems_release(&problems);
}

Suite *suite_page(void);
Suite *suite_page(void)
{
    Suite *suite = suite_create("page");
    TCase *cases = tcase_create("page");
    tcase_add_loop_test(cases, a_bad_file_is_told_what_is_wrong, 0,
                        (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(cases, a_good_file_is_understood);
    tcase_add_test(cases, an_empty_file_says_nothing);
    suite_add_tcase(suite, cases);
    return suite;
}

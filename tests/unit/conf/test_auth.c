/* test_auth.c - the authentication blocks: what each bad one is told, and what a good one gives. */
#include <check.h>
#include <walship/conf.h>
#include <walship/conf_auth.h>
#include <walship/conf_yaml.h>

#define ID     "01234567-abcd-ef01-2345-67890abcdef0"
#define TENANT "abcdef00-1234-5687-abcd-1234567890ab"

#define NO_SIGN_IN                                                                                 \
    ": walship has no way to sign in there. Leave this destination to Prometheus' own remote_write"

static bool bind(const char *text, struct conf_auth *out, struct conf_problems *problems)
{
    struct conf_yaml *yaml = conf_yaml_parse(text, strlen(text), "/etc/w.yml", problems);
    ck_assert_ptr_nonnull(yaml);
    bool good = conf_auth_bind(conf_yaml_root(yaml), "/etc/w.yml", out, problems);
    conf_yaml_free(yaml);
    return good;
}

#define A "azuread: "
#define NONE                                                                                       \
    "must provide an Azure Managed Identity, Azure Workload Identity, Azure OAuth, Azure "         \
    "Certificate or Azure SDK in the Azure AD config"
#define MANY       "cannot provide multiple authentication methods in the Azure AD config"
#define MUST(what) "must provide an " what " in the Azure AD config"

/* Prometheus' texts, one fault a row, "" for none. */
static const struct {
    const char *text;
    const char *told;
} cases[] = {
    {"url: x", ""},
    {A "{managed_identity: {}}", ""},
    {A "{cloud: AzurePublic, managed_identity: {client_id: " ID "}}", ""},
    {A "{cloud: '', managed_identity: {client_id: ''}}", ""},
    {A "{cloud: AzureChina, oauth: {client_id: " ID ", client_secret: s, tenant_id: t.x-1}}", ""},
    {A "{sdk: {tenant_id: " TENANT "}}", ""},
    {A "{sdk: {}}", ""},
    {A "{scope: 'https://x/.default y', sdk: {}}", ""},
    {A "{cloud: azurepublic, sdk: {}}",
     "1:18: must provide a cloud in the Azure AD config: AzurePublic, AzureGovernment or "
     "AzureChina, found \"azurepublic\""},
    {A "{}", "1:10: " NONE},
    {A "{managed_identity: }", "1:10: " NONE},
    {A "{sdk: {}, managed_identity: {}}", "1:10: " MANY},
    {A "{managed_identity: {client_id: x}}",
     "1:41: the provided Azure Managed Identity client_id is invalid"},
    {A "{managed_identity: {client_id: " ID ", object_id: x}}",
     "1:29: at most one of client_id, object_id & msi_res_id must be configured"},
    {A "{managed_identity: {source: cloud}}",
     "1:38: source must be auto or imds or arc or app_service, found \"cloud\""},
    {A "{imds_endpoint: 'http://127.0.0.1', managed_identity: {source: app_service}}",
     "1:64: imds_endpoint has no meaning with source: app_service, which asks at "
     "$IDENTITY_ENDPOINT"},
    {A "{managed_identity: {clientid: x}}", "1:30: unknown key \"clientid\""},
    {A "{oauth: {client_secret: s, tenant_id: t}}", "1:18: " MUST("Azure OAuth client_id")},
    {A "{oauth: {client_id: '', client_secret: s, tenant_id: t}}",
     "1:30: " MUST("Azure OAuth client_id")},
    {A "{oauth: {client_id: x, client_secret: s, tenant_id: t}}",
     "1:30: the provided Azure OAuth client_id is invalid"},
    {A "{oauth: {client_id: " ID ", tenant_id: t}}", "1:18: " MUST("Azure OAuth client_secret")},
    {A "{oauth: {client_id: " ID ", client_secret: s, client_secret_file: f, tenant_id: t}}",
     "1:18: at most one of client_secret & client_secret_file must be configured"},
    {A "{oauth: {client_id: " ID ", client_secret: s}}", "1:18: " MUST("Azure OAuth tenant_id")},
    {A "{oauth: {client_id: " ID ", client_secret: s, tenant_id: a/b}}",
     "1:97: the provided Azure OAuth tenant_id is invalid"},
    {A "{workload_identity: {tenant_id: " TENANT "}}",
     "1:30: " MUST("Azure Workload Identity client_id")},
    {A "{workload_identity: {client_id: " ID ", tenant_id: t}}",
     "1:91: the provided Azure Workload Identity tenant_id is invalid"},
    {A "{certificate: {client_id: " ID ", tenant_id: t}}",
     "1:24: " MUST("Azure Certificate certificate_path")},
    {A "{certificate: {client_id: " ID ", certificate_path: c}}",
     "1:24: " MUST("Azure Certificate tenant_id")},
    {A "{sdk: {tenant_id: 'a b'}}", "1:28: the provided Azure OAuth tenant_id is invalid"},
    {A "{scope: 'a;b', sdk: {}}", "1:18: the provided scope contains invalid characters"},
    {A "x", "1:10: azuread must be a map, found a single value"},
    {"basic_auth: {username: u, password: p}", ""},
    {"basic_auth: {username: u, username_file: f}",
     "1:13: at most one of basic_auth username, username_file & username_ref must be configured"},
    {"basic_auth: {password: u, password_file: f}",
     "1:13: at most one of basic_auth password, password_file & password_ref must be configured"},
    {"authorization: {credentials: t}", ""},
    {"authorization: {type: basic, credentials: t}",
     "1:23: authorization type cannot be set to \"basic\", use \"basic_auth\" instead"},
    {"authorization: {credentials: t, credentials_file: f}",
     "1:16: at most one of authorization credentials & credentials_file must be configured"},
    {"authorization: {}", "1:16: authorization needs credentials or credentials_file"},
    {"oauth2: {client_id: c, token_url: u, grant_type: client_credentials}", ""},
    {"oauth2: {token_url: u}", "1:9: oauth2 client_id must be configured"},
    {"oauth2: {client_id: c}", "1:9: oauth2 token_url must be configured"},
    {"oauth2: {client_id: c, token_url: u, client_secret: s, client_secret_file: f}",
     "1:9: at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be "
     "configured"},
    {"oauth2: {client_id: c, token_url: u, grant_type: x}",
     "1:50: grant_type must be client_credentials: no other is supported"},
    {"oauth2: {client_id: c, token_url: u, scopes: a}",
     "1:46: scopes must be a list of at most 32 strings"},
    {"oauth2: {client_id: c, token_url: u, endpoint_params: {a: [b]}}",
     "1:56: an element of endpoint_params must be a string"},
    {"bearer_token: t", ""},
    {"bearer_token_file: t", ""},
    {"{bearer_token: t, bearer_token_file: f}",
     "1:16: at most one of bearer_token & bearer_token_file must be configured"},
    {"{basic_auth: {username: u}, azuread: {sdk: {}}}",
     "1:38: at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be "
     "configured. Currently configured: [basic_auth azuread]"},
    {"{basic_auth: {password: p}, authorization: {credentials: q}}",
     "1:44: at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be "
     "configured. Currently configured: [basic_auth authorization]"},
    {"sigv4: {region: x}", "1:8: sigv4 is not supported" NO_SIGN_IN},
    {"google_iam: {credentials_file: x}", "1:13: google_iam is not supported" NO_SIGN_IN},
};

START_TEST(each_fault_is_told_in_prometheus_words)
{
    struct conf_auth auth;
    struct conf_problems problems;
    char told[1024] = "";
    conf_problems_init(&problems);
    bool good = bind(cases[_i].text, &auth, &problems);
    if (cases[_i].told[0] != '\0') {
        (void)snprintf(told, sizeof told, "/etc/w.yml:%s\n", cases[_i].told);
    }
    ck_assert_msg(problems.text.bytes == strlen(told) &&
                      (problems.text.bytes == 0 ||
                       memcmp(problems.text.data, told, problems.text.bytes) == 0),
                  "%s: %.*s", cases[_i].text, (int)problems.text.bytes,
                  (const char *)problems.text.data);
    ck_assert(good == (problems.count == 0));
    ck_assert(good || auth.kind == CONF_AUTH_NONE);
    conf_auth_release(&auth);
    conf_problems_release(&problems);
}
END_TEST

static struct conf_auth good(const char *text)
{
    struct conf_auth auth;
    struct conf_problems problems;
    conf_problems_init(&problems);
    ck_assert_msg(bind(text, &auth, &problems), "%.*s", (int)problems.text.bytes,
                  (const char *)problems.text.data);
    conf_problems_release(&problems);
    return auth;
}

START_TEST(a_good_block_fills_the_struct)
{
    struct conf_auth auth =
        good("azuread:\n"
             "  cloud: AzureGovernment\n"
             "  certificate: {client_id: " ID ", tenant_id: " TENANT ", certificate_path: c.pfx,\n"
             "                certificate_key_path: /k.pem, certificate_password: p,\n"
             "                send_certificate_chain: true}\n"
             "  authority_host: http://127.0.0.1:8080\n"
             "  allow_insecure_http: true\n");
    ck_assert_int_eq(auth.kind, CONF_AUTH_CERTIFICATE);
    ck_assert_int_eq(auth.cloud, CONF_CLOUD_GOVERNMENT);
    ck_assert_str_eq(auth.client_id, ID);
    ck_assert_str_eq(auth.tenant_id, TENANT);
    ck_assert_str_eq(auth.certificate_path, "/etc/c.pfx");
    ck_assert_str_eq(auth.certificate_key_path, "/k.pem");
    ck_assert_str_eq(auth.certificate_password, "p");
    ck_assert_str_eq(auth.authority_host, "http://127.0.0.1:8080");
    ck_assert(auth.send_certificate_chain && auth.allow_insecure_http);
    ck_assert_uint_eq(auth.line, 2);
    conf_auth_release(&auth);
    ck_assert_int_eq(auth.kind, CONF_AUTH_NONE);
    ck_assert_ptr_null(auth.client_id);
}
END_TEST

START_TEST(each_block_has_its_kind)
{
    static const struct {
        const char *text;
        enum conf_auth_kind kind;
    } rows[] = {
        {"url: x", CONF_AUTH_NONE},
        {"azuread: {managed_identity: {}}", CONF_AUTH_MANAGED_IDENTITY},
        {"azuread: {managed_identity: {source: arc, object_id: o}}", CONF_AUTH_MANAGED_IDENTITY},
        {"azuread: {sdk: {}}", CONF_AUTH_SDK},
        {"azuread: {oauth: {client_id: " ID ", client_secret_file: s, tenant_id: t}}",
         CONF_AUTH_SECRET},
        {"azuread: {workload_identity: {client_id: " ID ", tenant_id: " TENANT "}}",
         CONF_AUTH_WORKLOAD_IDENTITY},
        {"basic_auth: {username: u, password_file: p}", CONF_AUTH_BASIC},
        {"authorization: {credentials: p}", CONF_AUTH_HEADER},
        {"bearer_token: p", CONF_AUTH_HEADER},
        {"oauth2: {client_id: c, token_url: u}", CONF_AUTH_OAUTH2},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct conf_auth auth = good(rows[i].text);
        ck_assert_msg(auth.kind == rows[i].kind, "%s", rows[i].text);
        conf_auth_release(&auth);
    }
}
END_TEST

START_TEST(oauth2_keeps_scopes_and_parameters_and_so_does_a_copy)
{
    struct conf_auth auth = good("oauth2: {client_id: c, token_url: u, scopes: [a, b], "
                                 "endpoint_params: {x: y, z: ''}}");
    ck_assert_uint_eq(auth.scopes_count, 2);
    ck_assert_str_eq(auth.scopes[1], "b");
    ck_assert_uint_eq(auth.params_count, 2);
    ck_assert_str_eq(auth.params[0].name, "x");
    ck_assert_str_eq(auth.params[0].value, "y");
    ck_assert_str_eq(auth.params[1].value, "");
    struct conf_auth copy;
    conf_auth_copy(&copy, &auth);
    conf_auth_release(&auth);
    ck_assert_str_eq(copy.client_id, "c");
    ck_assert_str_eq(copy.scopes[1], "b");
    ck_assert_str_eq(copy.params[0].value, "y");
    ck_assert_ptr_null(copy.tenant_id);
    conf_auth_release(&copy);
}
END_TEST

START_TEST(a_source_is_a_choice)
{
    static const char *const names[] = {"auto", "imds", "arc", "app_service"};
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "azuread: {managed_identity: {source: %s}}", names[i]);
        struct conf_auth auth = good(text);
        ck_assert_uint_eq((unsigned)auth.source, i);
        conf_auth_release(&auth);
    }
}
END_TEST

START_TEST(no_secret_is_in_a_problem)
{
    static const char *const texts[] = {
        "basic_auth: {password: [PLANTED]}",
        "azuread: {oauth: {client_secret: PLANTED, client_id: x, tenant_id: 'a b'}}",
        "azuread: {certificate: {certificate_password: PLANTED}}",
        "{bearer_token: PLANTED, basic_auth: {username: u, password: PLANTED}}",
        "oauth2: {client_secret: PLANTED, endpoint_params: {a: PLANTED, b: [c]}}",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct conf_auth auth;
        struct conf_problems problems;
        conf_problems_init(&problems);
        ck_assert(!bind(texts[i], &auth, &problems));
        ck_assert_ptr_null(memmem(problems.text.data, problems.text.bytes, "PLANTED", 7));
        conf_problems_release(&problems);
    }
}
END_TEST

Suite *suite_auth(void);
Suite *suite_auth(void)
{
    Suite *suite = suite_create("auth");
    TCase *tcase = tcase_create("auth");
    tcase_add_loop_test(tcase, each_fault_is_told_in_prometheus_words, 0, (int)ARRAY_COUNT(cases));
    tcase_add_test(tcase, a_good_block_fills_the_struct);
    tcase_add_test(tcase, each_block_has_its_kind);
    tcase_add_test(tcase, oauth2_keeps_scopes_and_parameters_and_so_does_a_copy);
    tcase_add_test(tcase, a_source_is_a_choice);
    tcase_add_test(tcase, no_secret_is_in_a_problem);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* test_source.c - which source a configuration and its surroundings lead to, and at what address.
 */
#include "lab.h"
#include "source.h"

/* Up to four variables, NULL ends. */
struct surroundings {
    const char *variables[8];
    bool arc_agent;
};

static bool resolve(struct lab *lab, const struct surroundings *around, struct conf_auth *auth,
                    struct source *out, struct err *err)
{
    for (size_t i = 0; i + 1 < ARRAY_COUNT(around->variables) && around->variables[i] != NULL;
         i += 2) {
        lab_set(lab, around->variables[i], around->variables[i + 1]);
    }
    lab->world.arc_agent_path = "/s/himds";
    if (around->arc_agent) {
        lab_file(lab, "/s/himds", "x");
    }
    return source_resolve(out, auth, &lab->world, err);
}

#define PATH  "/metadata/identity/oauth2/token"
#define FIXED "http://169.254.169.254" PATH
#define APP   "IDENTITY_ENDPOINT", "http://localhost:42356/msi/token", "IDENTITY_HEADER", "h"
#define ARC                                                                                        \
    "IDENTITY_ENDPOINT", "http://localhost:40342" PATH, "IMDS_ENDPOINT", "http://localhost:40342"
#define POD "AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:2579/"

static const struct {
    struct surroundings around;
    enum conf_auth_source source;
    enum source_kind kind;
    const char *imds_endpoint;
    const char *url; /* NULL: refused */
} managed[] = {
    {{.variables = {NULL}}, CONF_SOURCE_AUTO, SOURCE_IMDS, NULL, FIXED},
    {{.variables = {APP}},
     CONF_SOURCE_AUTO,
     SOURCE_APP_SERVICE,
     NULL,
     "http://localhost:42356/msi/token"},
    {{.variables = {"MSI_ENDPOINT", "http://127.0.0.1:41/msi/token/", "MSI_SECRET", "s"}},
     CONF_SOURCE_AUTO,
     SOURCE_APP_SERVICE_2017,
     NULL,
     "http://127.0.0.1:41/msi/token/"},
    {{.variables = {"MSI_ENDPOINT", "http://127.0.0.1:41/msi/token/"}},
     CONF_SOURCE_AUTO,
     SOURCE_IMDS,
     NULL,
     FIXED},
    {{.variables = {ARC}}, CONF_SOURCE_AUTO, SOURCE_ARC, NULL, "http://localhost:40342" PATH},
    {{.variables = {NULL}, .arc_agent = true},
     CONF_SOURCE_AUTO,
     SOURCE_ARC,
     NULL,
     "http://127.0.0.1:40342" PATH},
    {{.variables = {APP}, .arc_agent = true},
     CONF_SOURCE_AUTO,
     SOURCE_APP_SERVICE,
     NULL,
     "http://localhost:42356/msi/token"},
    /* a lone variable proves nothing */
    {{.variables = {"IDENTITY_ENDPOINT", "http://localhost:9"}},
     CONF_SOURCE_AUTO,
     SOURCE_IMDS,
     NULL,
     FIXED},
    {{.variables = {"IDENTITY_ENDPOINT", "", "IDENTITY_HEADER", ""}},
     CONF_SOURCE_AUTO,
     SOURCE_IMDS,
     NULL,
     FIXED},
    /* the pod's variable, before the others; the key, before that */
    {{.variables = {POD, APP}}, CONF_SOURCE_AUTO, SOURCE_IMDS, NULL, "http://127.0.0.1:2579" PATH},
    {{.variables = {POD, APP}},
     CONF_SOURCE_AUTO,
     SOURCE_IMDS,
     "http://127.0.0.1:8080",
     "http://127.0.0.1:8080" PATH},
    {{.variables = {NULL}},
     CONF_SOURCE_AUTO,
     SOURCE_IMDS,
     "http://127.0.0.1:8080/imds/",
     "http://127.0.0.1:8080/imds" PATH},
    /* source: makes the guessing end */
    {{.variables = {APP}, .arc_agent = true}, CONF_SOURCE_IMDS, SOURCE_IMDS, NULL, FIXED},
    {{.variables = {POD}}, CONF_SOURCE_IMDS, SOURCE_IMDS, NULL, "http://127.0.0.1:2579" PATH},
    {{.variables = {POD}},
     CONF_SOURCE_IMDS,
     SOURCE_IMDS,
     "http://127.0.0.1:8080",
     "http://127.0.0.1:8080" PATH},
    {{.variables = {NULL}}, CONF_SOURCE_ARC, SOURCE_ARC, NULL, "http://127.0.0.1:40342" PATH},
    {{.variables = {ARC}}, CONF_SOURCE_ARC, SOURCE_ARC, NULL, "http://localhost:40342" PATH},
    {{.variables = {APP}}, CONF_SOURCE_ARC, SOURCE_ARC, NULL, "http://127.0.0.1:40342" PATH},
    {{.variables = {POD}}, CONF_SOURCE_ARC, SOURCE_ARC, NULL, "http://127.0.0.1:40342" PATH},
    {{.variables = {ARC}},
     CONF_SOURCE_ARC,
     SOURCE_ARC,
     "http://127.0.0.1:8080/arc",
     "http://127.0.0.1:8080/arc" PATH},
    {{.variables = {APP}},
     CONF_SOURCE_APP_SERVICE,
     SOURCE_APP_SERVICE,
     NULL,
     "http://localhost:42356/msi/token"},
    {{.variables = {POD, APP}},
     CONF_SOURCE_APP_SERVICE,
     SOURCE_APP_SERVICE,
     NULL,
     "http://localhost:42356/msi/token"},
    {{.variables = {NULL}}, CONF_SOURCE_APP_SERVICE, SOURCE_KINDS, NULL, NULL},
    {{.variables = {APP, "IDENTITY_SERVER_THUMBPRINT", "x"}},
     CONF_SOURCE_AUTO,
     SOURCE_KINDS,
     NULL,
     NULL},
    {{.variables = {NULL}}, CONF_SOURCE_AUTO, SOURCE_KINDS, "http://10.0.0.1", NULL},
    {{.variables = {NULL}}, CONF_SOURCE_AUTO, SOURCE_KINDS, "127.0.0.1:8080", NULL},
};

START_TEST(a_managed_identity_finds_its_metadata_service)
{
    struct lab lab;
    struct source source;
    struct err err;
    lab_init(&lab);
    struct conf_auth auth = {.kind = CONF_AUTH_MANAGED_IDENTITY, .source = managed[_i].source};
    auth.imds_endpoint = lab_text(&lab, managed[_i].imds_endpoint);
    bool good = resolve(&lab, &managed[_i].around, &auth, &source, &err);
    ck_assert_msg(good == (managed[_i].url != NULL), "%s", good ? "accepted" : err.text);
    if (good) {
        ck_assert_str_eq(source.text[TEXT_URL], managed[_i].url);
        ck_assert_int_eq(source.kind, managed[_i].kind);
        source_release(&source);
    }
    lab_release(&lab);
}
END_TEST

static const struct {
    enum conf_auth_kind kind;
    enum conf_auth_cloud cloud;
    const char *authority_host;
    const char *variable; /* AZURE_AUTHORITY_HOST */
    const char *url;      /* up to the tenant; NULL: refused */
} authorities[] = {
    {CONF_AUTH_SECRET, CONF_CLOUD_PUBLIC, NULL, NULL, "https://login.microsoftonline.com"},
    {CONF_AUTH_SECRET, CONF_CLOUD_GOVERNMENT, NULL, NULL, "https://login.microsoftonline.us"},
    {CONF_AUTH_SECRET, CONF_CLOUD_CHINA, NULL, NULL, "https://login.chinacloudapi.cn"},
    {CONF_AUTH_CERTIFICATE, CONF_CLOUD_PUBLIC, NULL, NULL, "https://login.microsoftonline.com"},
    {CONF_AUTH_CERTIFICATE, CONF_CLOUD_CHINA, NULL, NULL,
     "https://login.partner.microsoftonline.cn"},
    {CONF_AUTH_WORKLOAD_IDENTITY, CONF_CLOUD_CHINA, NULL, NULL, "https://login.chinacloudapi.cn"},
    {CONF_AUTH_SECRET, CONF_CLOUD_CHINA, NULL, "https://login.microsoftonline.us/",
     "https://login.microsoftonline.us"},
    {CONF_AUTH_SECRET, CONF_CLOUD_PUBLIC, "login.partner.microsoftonline.cn", "https://b/",
     "https://login.partner.microsoftonline.cn"},
    {CONF_AUTH_SECRET, CONF_CLOUD_PUBLIC, "http://127.0.0.1:8080//", NULL, "http://127.0.0.1:8080"},
    {CONF_AUTH_SECRET, CONF_CLOUD_PUBLIC, "http://login.microsoftonline.com", NULL, NULL},
    {CONF_AUTH_SECRET, CONF_CLOUD_PUBLIC, NULL, "http://10.1.2.3", NULL},
};

START_TEST(an_application_finds_its_authority)
{
    struct lab lab;
    struct source source;
    struct err err;
    char url[256];
    const struct surroundings around = {
        .variables = {authorities[_i].variable != NULL ? "AZURE_AUTHORITY_HOST" : NULL,
                      authorities[_i].variable}};
    lab_init(&lab);
    struct conf_auth auth = {
        .kind = authorities[_i].kind,
        .cloud = authorities[_i].cloud,
        .client_id = lab_text(&lab, CLIENT),
        .tenant_id = lab_text(&lab, TENANT),
        .secret = lab_text(&lab, PLANTED),
        .certificate_path = lab_text(&lab, "/s/c.pem"),
        .authority_host = lab_text(&lab, authorities[_i].authority_host),
    };
    bool good = resolve(&lab, &around, &auth, &source, &err);
    ck_assert(good == (authorities[_i].url != NULL));
    if (good) {
        (void)snprintf(url, sizeof url, "%s/" TENANT "/oauth2/v2.0/token", authorities[_i].url);
        ck_assert_str_eq(source.text[TEXT_URL], url);
        source_release(&source);
    } else {
        ck_assert_ptr_nonnull(strstr(err.text, "allow_insecure_http"));
    }
    lab_release(&lab);
}
END_TEST

static const struct {
    enum conf_auth_kind kind;
    enum conf_auth_cloud cloud;
    const char *scope;
    const char *sent;
} scopes[] = {
    {CONF_AUTH_SECRET, CONF_CLOUD_PUBLIC, NULL, "https://monitor.azure.com//.default"},
    {CONF_AUTH_SECRET, CONF_CLOUD_GOVERNMENT, NULL, "https://monitor.azure.us//.default"},
    {CONF_AUTH_SECRET, CONF_CLOUD_CHINA, NULL, "https://monitor.azure.cn//.default"},
    {CONF_AUTH_SECRET, CONF_CLOUD_PUBLIC, "https://x/.default", "https://x/.default"},
    {CONF_AUTH_MANAGED_IDENTITY, CONF_CLOUD_PUBLIC, NULL, "https://monitor.azure.com/"},
    {CONF_AUTH_MANAGED_IDENTITY, CONF_CLOUD_GOVERNMENT, NULL, "https://monitor.azure.us/"},
    {CONF_AUTH_MANAGED_IDENTITY, CONF_CLOUD_CHINA, NULL, "https://monitor.azure.cn/"},
    {CONF_AUTH_MANAGED_IDENTITY, CONF_CLOUD_PUBLIC, "https://x//.default", "https://x/"},
    {CONF_AUTH_MANAGED_IDENTITY, CONF_CLOUD_PUBLIC, "https://x/.default", "https://x"},
    {CONF_AUTH_MANAGED_IDENTITY, CONF_CLOUD_PUBLIC, "https://x", "https://x"},
};

START_TEST(the_scope_of_the_cloud_becomes_a_resource_for_metadata_services)
{
    struct lab lab;
    struct source source;
    struct err err;
    const struct surroundings around = {.variables = {NULL}};
    lab_init(&lab);
    struct conf_auth auth = {
        .kind = scopes[_i].kind,
        .cloud = scopes[_i].cloud,
        .client_id = lab_text(&lab, CLIENT),
        .tenant_id = lab_text(&lab, TENANT),
        .secret = lab_text(&lab, PLANTED),
        .scope = lab_text(&lab, scopes[_i].scope),
    };
    ck_assert(resolve(&lab, &around, &auth, &source, &err));
    ck_assert_str_eq(source.text[TEXT_SCOPE], scopes[_i].sent);
    source_release(&source);
    lab_release(&lab);
}
END_TEST

#define APPLICATION "AZURE_CLIENT_ID", "id-of-env", "AZURE_TENANT_ID", "tenant-of-env"

static const struct {
    struct surroundings around;
    const char *tenant_id;
    enum source_kind kind;
    const char *url;
} chain[] = {
    {{.variables = {NULL}}, NULL, SOURCE_IMDS, FIXED},
    {{.variables = {"AZURE_CLIENT_ID", "id-of-env"}}, NULL, SOURCE_IMDS, FIXED},
    {{.variables = {APPLICATION}}, NULL, SOURCE_IMDS, FIXED},
    {{.variables = {APPLICATION, "AZURE_CLIENT_SECRET", "s"}},
     NULL,
     SOURCE_SECRET,
     "https://login.microsoftonline.com/tenant-of-env/oauth2/v2.0/token"},
    {{.variables = {APPLICATION, "AZURE_CLIENT_SECRET", "s"}},
     "t2",
     SOURCE_SECRET,
     "https://login.microsoftonline.com/tenant-of-env/oauth2/v2.0/token"},
    {{.variables = {APPLICATION, "AZURE_CLIENT_CERTIFICATE_PATH", "/c"}},
     NULL,
     SOURCE_CERTIFICATE,
     "https://login.microsoftonline.com/tenant-of-env/oauth2/v2.0/token"},
    {{.variables = {APPLICATION, "AZURE_FEDERATED_TOKEN_FILE", "/f"}},
     NULL,
     SOURCE_WORKLOAD,
     "https://login.microsoftonline.com/tenant-of-env/oauth2/v2.0/token"},
    {{.variables = {APPLICATION, "AZURE_FEDERATED_TOKEN_FILE", "/f"}},
     "t2",
     SOURCE_WORKLOAD,
     "https://login.microsoftonline.com/t2/oauth2/v2.0/token"},
    {{.variables = {APPLICATION, APP}},
     NULL,
     SOURCE_APP_SERVICE,
     "http://localhost:42356/msi/token"},
};

START_TEST(the_sdk_chain_takes_the_first_complete_link)
{
    struct lab lab;
    struct source source;
    struct err err;
    lab_init(&lab);
    struct conf_auth auth = {.kind = CONF_AUTH_SDK,
                             .tenant_id = lab_text(&lab, chain[_i].tenant_id)};
    ck_assert(resolve(&lab, &chain[_i].around, &auth, &source, &err));
    ck_assert_int_eq(source.kind, chain[_i].kind);
    ck_assert_str_eq(source.text[TEXT_URL], chain[_i].url);
    if (chain[_i].around.variables[0] != NULL) {
        ck_assert_str_eq(source.text[TEXT_CLIENT_ID], "id-of-env");
    }
    source_release(&source);
    lab_release(&lab);
}
END_TEST

START_TEST(a_federated_token_is_looked_for_where_the_key_then_the_variable_say)
{
    static const char *const rows[][3] = {
        {"/key", "/variable", "/key"},
        {NULL, "/variable", "/variable"},
        {NULL, NULL, "/var/run/secrets/azure/tokens/azure-identity-token"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct lab lab;
        struct source source;
        struct err err;
        const struct surroundings around = {
            .variables = {rows[i][1] != NULL ? "AZURE_FEDERATED_TOKEN_FILE" : NULL, rows[i][1]}};
        lab_init(&lab);
        struct conf_auth auth = {
            .kind = CONF_AUTH_WORKLOAD_IDENTITY,
            .client_id = lab_text(&lab, CLIENT),
            .tenant_id = lab_text(&lab, TENANT),
            .token_file_path = lab_text(&lab, rows[i][0]),
        };
        ck_assert(resolve(&lab, &around, &auth, &source, &err));
        ck_assert_str_eq(source.text[TEXT_SECRET_FILE], rows[i][2]);
        source_release(&source);
        lab_release(&lab);
    }
}
END_TEST

START_TEST(a_tenant_can_not_change_the_address)
{
    static const char *const tenants[] = {"a/b", "..%2f", "a?b", "", "a b", NULL};
    for (size_t i = 0; i < ARRAY_COUNT(tenants); i++) {
        struct lab lab;
        struct source source;
        struct err err;
        const struct surroundings around = {.variables = {NULL}};
        lab_init(&lab);
        struct conf_auth auth = {
            .kind = CONF_AUTH_SECRET,
            .client_id = lab_text(&lab, CLIENT),
            .tenant_id = lab_text(&lab, tenants[i]),
            .secret = lab_text(&lab, PLANTED),
        };
        ck_assert(!resolve(&lab, &around, &auth, &source, &err));
        lab_release(&lab);
    }
}
END_TEST

START_TEST(the_same_settings_are_one_identity)
{
    struct lab lab;
    struct err err;
    lab_init(&lab);
    struct conf_auth auth = {
        .kind = CONF_AUTH_SECRET,
        .client_id = lab_text(&lab, CLIENT),
        .tenant_id = lab_text(&lab, TENANT),
        .secret = lab_text(&lab, PLANTED),
    };
    const struct identity *first = lab_add(&lab, &auth, &err);
    struct conf_auth again = auth;
    again.secret = lab_text(&lab, PLANTED);
    ck_assert_ptr_eq(lab_add(&lab, &again, &err), first);
    again.secret = lab_text(&lab, "another");
    ck_assert_ptr_ne(lab_add(&lab, &again, &err), first);
    again = auth;
    again.scope = lab_text(&lab, "https://x/.default");
    ck_assert_ptr_ne(lab_add(&lab, &again, &err), first);
    again = (struct conf_auth){.kind = CONF_AUTH_MANAGED_IDENTITY};
    const struct identity *system = lab_add(&lab, &again, &err);
    again.client_id = lab_text(&lab, CLIENT);
    ck_assert_ptr_ne(lab_add(&lab, &again, &err), system);
    ck_assert_uint_eq(identities_count(lab.all), 5);
    ck_assert_ptr_eq(identities_at(lab.all, 0), first);
    lab_release(&lab);
}
END_TEST

Suite *suite_source(void);
Suite *suite_source(void)
{
    Suite *suite = suite_create("source");
    TCase *tcase = tcase_create("source");
    tcase_add_loop_test(tcase, a_managed_identity_finds_its_metadata_service, 0,
                        (int)ARRAY_COUNT(managed));
    tcase_add_loop_test(tcase, an_application_finds_its_authority, 0,
                        (int)ARRAY_COUNT(authorities));
    tcase_add_loop_test(tcase, the_scope_of_the_cloud_becomes_a_resource_for_metadata_services, 0,
                        (int)ARRAY_COUNT(scopes));
    tcase_add_loop_test(tcase, the_sdk_chain_takes_the_first_complete_link, 0,
                        (int)ARRAY_COUNT(chain));
    tcase_add_test(tcase, a_federated_token_is_looked_for_where_the_key_then_the_variable_say);
    tcase_add_test(tcase, a_tenant_can_not_change_the_address);
    tcase_add_test(tcase, the_same_settings_are_one_identity);
    suite_add_tcase(suite, tcase);
    return suite;
}

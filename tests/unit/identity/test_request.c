/* test_request.c - the golden bytes of each source's request. The assertion of a certificate
 * differs each time (its padding is random); test_certificate.c verifies it. */
#include "certificates.h"
#include "lab.h"

static const struct {
    const char *name;
    struct conf_auth auth; /* texts by lab_fill */
    const char *variables[4];
    const char *golden;
} requests[] = {
    {"imds, system-assigned",
     {.kind = CONF_AUTH_MANAGED_IDENTITY},
     {NULL},
     "GET http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
     "&resource=https%3A%2F%2Fmonitor.azure.com%2F direct\n"
     "Metadata: true\n\n\n"},
    {"imds, client_id",
     {.kind = CONF_AUTH_MANAGED_IDENTITY, .client_id = (char[]){CLIENT}},
     {NULL},
     "GET http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
     "&resource=https%3A%2F%2Fmonitor.azure.com%2F"
     "&client_id=01234567-abcd-ef01-2345-67890abcdef0 direct\n"
     "Metadata: true\n\n\n"},
    {"imds, object_id",
     {.kind = CONF_AUTH_MANAGED_IDENTITY, .object_id = (char[]){CLIENT}},
     {NULL},
     "GET http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
     "&resource=https%3A%2F%2Fmonitor.azure.com%2F"
     "&object_id=01234567-abcd-ef01-2345-67890abcdef0 direct\n"
     "Metadata: true\n\n\n"},
    {"imds, msi_res_id, another host with a path, Government",
     {.kind = CONF_AUTH_MANAGED_IDENTITY,
      .cloud = CONF_CLOUD_GOVERNMENT,
      .msi_res_id = (char[]){"/subscriptions/s/x y"},
      .imds_endpoint = (char[]){"http://127.0.0.1:8080/imds"}},
     {NULL},
     "GET http://127.0.0.1:8080/imds/metadata/identity/oauth2/token?api-version=2018-02-01"
     "&resource=https%3A%2F%2Fmonitor.azure.us%2F&msi_res_id=%2Fsubscriptions%2Fs%2Fx%20y direct\n"
     "Metadata: true\n\n\n"},
    {"arc, before its challenge",
     {.kind = CONF_AUTH_MANAGED_IDENTITY, .source = CONF_SOURCE_ARC, .client_id = (char[]){CLIENT}},
     {NULL},
     "GET http://127.0.0.1:40342/metadata/identity/oauth2/token?api-version=2020-06-01"
     "&resource=https%3A%2F%2Fmonitor.azure.com%2F"
     "&client_id=01234567-abcd-ef01-2345-67890abcdef0 direct\n"
     "Metadata: true\n\n\n"},
    {"app service",
     {.kind = CONF_AUTH_MANAGED_IDENTITY, .client_id = (char[]){CLIENT}},
     {"IDENTITY_ENDPOINT", "http://localhost:42356/msi/token", "IDENTITY_HEADER", PLANTED},
     "GET http://localhost:42356/msi/token?api-version=2019-08-01"
     "&resource=https%3A%2F%2Fmonitor.azure.com%2F"
     "&client_id=01234567-abcd-ef01-2345-67890abcdef0 direct\n"
     "X-IDENTITY-HEADER: " PLANTED "\n\n\n"},
    {"app service, other selectors",
     {.kind = CONF_AUTH_MANAGED_IDENTITY, .object_id = (char[]){"o"}, .msi_res_id = (char[]){"r"}},
     {"IDENTITY_ENDPOINT", "http://localhost:42356/msi/token?x=y", "IDENTITY_HEADER", PLANTED},
     "GET http://localhost:42356/msi/token?x=y&api-version=2019-08-01"
     "&resource=https%3A%2F%2Fmonitor.azure.com%2F&principal_id=o&mi_res_id=r direct\n"
     "X-IDENTITY-HEADER: " PLANTED "\n\n\n"},
    {"app service of 2017",
     {.kind = CONF_AUTH_MANAGED_IDENTITY, .client_id = (char[]){CLIENT}},
     {"MSI_ENDPOINT", "http://127.0.0.1:41741/MSI/token/", "MSI_SECRET", PLANTED},
     "GET http://127.0.0.1:41741/MSI/token/?api-version=2017-09-01"
     "&resource=https%3A%2F%2Fmonitor.azure.com%2F"
     "&clientid=01234567-abcd-ef01-2345-67890abcdef0 direct\n"
     "secret: " PLANTED "\n\n\n"},
    {"client secret",
     {.kind = CONF_AUTH_SECRET,
      .client_id = (char[]){CLIENT},
      .tenant_id = (char[]){TENANT},
      .secret = (char[]){"a+b/c=~&d"}},
     {NULL},
     "POST https://login.microsoftonline.com/" TENANT "/oauth2/v2.0/token\n"
     "Content-Type: application/x-www-form-urlencoded\n"
     "Accept: application/json\n"
     "x-client-SKU: walship\n"
     "x-client-Ver: " WALSHIP_VERSION "\n"
     "client-request-id: ID\n\n"
     "client_id=" CLIENT "&client_secret=a%2Bb%2Fc%3D~%26d&grant_type=client_credentials"
     "&scope=https%3A%2F%2Fmonitor.azure.com%2F%2F.default\n"},
    {"client secret from a file, its line end trimmed",
     {.kind = CONF_AUTH_SECRET,
      .client_id = (char[]){CLIENT},
      .tenant_id = (char[]){TENANT},
      .secret_file = (char[]){"/s/secret"}},
     {NULL},
     "POST https://login.microsoftonline.com/" TENANT "/oauth2/v2.0/token\n"
     "Content-Type: application/x-www-form-urlencoded\n"
     "Accept: application/json\n"
     "x-client-SKU: walship\n"
     "x-client-Ver: " WALSHIP_VERSION "\n"
     "client-request-id: ID\n\n"
     "client_id=" CLIENT "&client_secret=from.file&grant_type=client_credentials"
     "&scope=https%3A%2F%2Fmonitor.azure.com%2F%2F.default\n"},
    {"workload identity",
     {.kind = CONF_AUTH_WORKLOAD_IDENTITY,
      .client_id = (char[]){CLIENT},
      .tenant_id = (char[]){TENANT},
      .token_file_path = (char[]){"/s/federated"}},
     {"AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/"},
     "POST https://login.microsoftonline.us/" TENANT "/oauth2/v2.0/token\n"
     "Content-Type: application/x-www-form-urlencoded\n"
     "Accept: application/json\n"
     "x-client-SKU: walship\n"
     "x-client-Ver: " WALSHIP_VERSION "\n"
     "client-request-id: ID\n\n"
     "client_assertion=eyJ.fed.tok&client_assertion_type="
     "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
     "&client_id=" CLIENT "&grant_type=client_credentials"
     "&scope=https%3A%2F%2Fmonitor.azure.com%2F%2F.default\n"},
    {"certificate",
     {.kind = CONF_AUTH_CERTIFICATE,
      .client_id = (char[]){CLIENT},
      .tenant_id = (char[]){TENANT},
      .certificate_path = (char[]){"/s/pem"}},
     {NULL},
     "POST https://login.microsoftonline.com/" TENANT "/oauth2/v2.0/token\n"
     "Content-Type: application/x-www-form-urlencoded\n"
     "Accept: application/json\n"
     "x-client-SKU: walship\n"
     "x-client-Ver: " WALSHIP_VERSION "\n"
     "client-request-id: ID\n\n"
     "client_assertion=JWT&client_assertion_type="
     "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
     "&client_id=" CLIENT "&grant_type=client_credentials"
     "&scope=https%3A%2F%2Fmonitor.azure.com%2F%2F.default\n"},
    {"oauth2",
     {.kind = CONF_AUTH_OAUTH2,
      .client_id = (char[]){"me:1"},
      .token_url = (char[]){"https://id.example/token"},
      .secret = (char[]){"s%"},
      .scopes = (char *[]){(char[]){"a"}, (char[]){"b c"}},
      .scopes_count = 2,
      .params = (struct conf_auth_param[]){{(char[]){"audience"}, (char[]){"x&y"}}},
      .params_count = 1},
     {NULL},
     "POST https://id.example/token\n"
     "Content-Type: application/x-www-form-urlencoded\n"
     "Accept: application/json\n"
     "Authorization: Basic bWUlM0ExOnMlMjU=\n\n"
     "grant_type=client_credentials&scope=a%20b%20c&audience=x%26y\n"},
};

/* What differs from run to run is replaced by a word. */
static void mask(char *text, const char *before, const char *end, const char *word)
{
    char *at = strstr(text, before);
    if (at == NULL) {
        return;
    }
    at += strlen(before);
    size_t bytes = strcspn(at, end);
    ck_assert_uint_gt(bytes, strlen(word));
    memcpy(at, word, strlen(word));
    memmove(at + strlen(word), at + bytes, strlen(at + bytes) + 1);
}

static void put_pem(struct lab *lab)
{
    struct secret pem = {0};
    EVP_PKEY *key = make_key();
    X509 *certificate = make_certificate(key, "leaf", NULL, NULL);
    put_certificate(&pem, certificate);
    put_key(&pem, key, NULL);
    lab_file(lab, "/s/pem", pem.text);
    X509_free(certificate);
    EVP_PKEY_free(key);
    secret_reset(&pem, 0);
}

static void put_files(struct lab *lab)
{
    lab_file(lab, "/s/secret", " from.file\r\n");
    lab_file(lab, "/s/federated", "eyJ.fed.tok\n");
}

START_TEST(a_request_has_exactly_these_bytes)
{
    struct lab lab;
    struct err err;
    lab_init(&lab);
    put_files(&lab);
    if (requests[_i].auth.kind == CONF_AUTH_CERTIFICATE) {
        put_pem(&lab);
    }
    for (size_t i = 0; i < 4 && requests[_i].variables[i] != NULL; i += 2) {
        lab_set(&lab, requests[_i].variables[i], requests[_i].variables[i + 1]);
    }
    ck_assert_msg(lab_add(&lab, &requests[_i].auth, &err) != NULL, "%s", err.text);
    ck_assert(lab_want(&lab));
    lab_show_request(&lab);
    ck_assert(buf_append(&lab.trace, "", 1));
    char *text = (char *)lab.trace.data;
    if (requests[_i].auth.kind == CONF_AUTH_CERTIFICATE) {
        mask(text, "client_assertion=", "&", "JWT");
    }
    mask(text, "client-request-id: ", "\n", "ID");
    ck_assert_msg(strcmp(text, requests[_i].golden) == 0, "%s:\n%s", requests[_i].name, text);
    lab_answer(&lab, 500, "");
    lab_release(&lab);
}
END_TEST

START_TEST(every_request_has_an_id_of_its_own)
{
    struct lab lab;
    struct err err;
    char first[64];
    lab_init(&lab);
    lab_file(&lab, "/s/secret", "s");
    ck_assert_ptr_nonnull(lab_add(&lab, &requests[9].auth, &err));
    ck_assert(lab_want(&lab));
    (void)snprintf(first, sizeof first, "%s", lab.request.headers[4].value);
    ck_assert_uint_eq(strlen(first), 36);
    ck_assert_int_eq(first[14], '4');
    ck_assert_ptr_nonnull(strchr("89ab", first[19]));
    lab_answer(&lab, 500, "");
    lab_wait(&lab);
    ck_assert(lab_want(&lab));
    ck_assert_str_ne(first, lab.request.headers[4].value);
    lab_answer(&lab, 500, "");
    lab_release(&lab);
}
END_TEST

static const struct {
    struct conf_auth auth;
    const char *header; /* NULL: none */
} statics[] = {
    {{.kind = CONF_AUTH_BASIC, .username = (char[]){"Aladdin"}, .secret = (char[]){"open sesame"}},
     "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
    {{.kind = CONF_AUTH_BASIC, .username = (char[]){"u"}}, "Basic dTo="},
    {{.kind = CONF_AUTH_BASIC,
      .username_file = (char[]){"/s/federated"},
      .secret_file = (char[]){"/s/secret"}},
     "Basic ZXlKLmZlZC50b2s6ZnJvbS5maWxl"},
    {{.kind = CONF_AUTH_HEADER, .secret = (char[]){"tok"}}, "Bearer tok"},
    {{.kind = CONF_AUTH_HEADER, .type = (char[]){"Token"}, .secret_file = (char[]){"/s/secret"}},
     "Token from.file"},
    {{.kind = CONF_AUTH_HEADER, .secret = (char[]){"a\r\nX: y"}}, NULL},
    {{.kind = CONF_AUTH_HEADER, .secret_file = (char[]){"/s/missing"}}, NULL},
};

START_TEST(basic_auth_and_authorization_need_no_request)
{
    struct lab lab;
    struct err err;
    lab_init(&lab);
    put_files(&lab);
    ck_assert_ptr_nonnull(lab_add(&lab, &statics[_i].auth, &err));
    ck_assert(!lab_want(&lab));
    const char *header = identity_header(lab.one, lab.now_ms);
    if (statics[_i].header == NULL) {
        ck_assert_ptr_null(header);
    } else {
        ck_assert_ptr_nonnull(header);
        ck_assert_str_eq(header, statics[_i].header);
    }
    lab_release(&lab);
}
END_TEST

Suite *suite_request(void);
Suite *suite_request(void)
{
    Suite *suite = suite_create("request");
    TCase *tcase = tcase_create("request");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_request_has_exactly_these_bytes, 0, (int)ARRAY_COUNT(requests));
    tcase_add_test(tcase, every_request_has_an_id_of_its_own);
    tcase_add_loop_test(tcase, basic_auth_and_authorization_need_no_request, 0,
                        (int)ARRAY_COUNT(statics));
    suite_add_tcase(suite, tcase);
    return suite;
}

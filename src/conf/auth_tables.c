/* auth_tables.c - the keys of every way to authenticate. Those of `azuread` are Prometheus' own,
 * key for key, and a few more. */
#include "auth.h"
#include "client.h"

#define STRING(key_, field_)                                                                       \
    .key = (key_), .type = OPTION_CUSTOM, .bind = bind_auth_string, .kind = "string",              \
    .offset = offsetof(struct conf_auth, field_)
#define PATH(key_, field_)                                                                         \
    .key = (key_), .type = OPTION_CUSTOM, .bind = bind_auth_path, .kind = "path",                  \
    .offset = offsetof(struct conf_auth, field_)
#define LATER(key_, meaning_)                                                                      \
    {                                                                                              \
        .key = (key_), .type = OPTION_LATER, .meaning = (meaning_)                                 \
    }
#define WITHIN(key_, table_, meaning_)                                                             \
    {                                                                                              \
        .key = (key_), .type = OPTION_SECTION, .table = &(table_), .meaning = (meaning_)           \
    }
#define TABLE_OF(rows) .options = (rows), .count = ARRAY_COUNT(rows)
#define NOT_THERE      .differs = "not there"
#define FROM_FILE      .differs = "relative to the configuration file, not to the working directory"

/* ---- basic_auth, authorization ---- */

static const struct option basic_options[] = {
    {STRING("username", username), .meaning = "user name"},
    {PATH("username_file", username_file), .meaning = "file with the user name, followed"},
    {STRING("password", secret), .secret = true, .meaning = "password"},
    {PATH("password_file", secret_file), .meaning = "file with the password, followed"},
};
const struct option_table auth_basic_table = {
    .title = "`basic_auth`",
    TABLE_OF(basic_options),
    .bytes = sizeof(struct conf_auth),
    .check = check_auth_basic,
};

static const struct option header_options[] = {
    {STRING("type", type), .shown = "`Bearer`", .meaning = "the word before the credentials"},
    {STRING("credentials", secret), .secret = true, .meaning = "what stands behind it"},
    {PATH("credentials_file", secret_file), .meaning = "file with the credentials, followed"},
};
const struct option_table auth_header_table = {
    .title = "`authorization`",
    TABLE_OF(header_options),
    .bytes = sizeof(struct conf_auth),
    .check = check_auth_header,
};

/* ---- oauth2 ---- */

static const struct option oauth2_options[] = {
    {STRING("client_id", client_id), .shown = "required", .meaning = "client id"},
    {STRING("client_secret", secret), .secret = true, .meaning = "client secret"},
    {PATH("client_secret_file", secret_file), .meaning = "file with the secret, followed"},
    {STRING("token_url", token_url), .shown = "required", .meaning = "where tokens are asked for"},
    {.key = "scopes",
     .type = OPTION_CUSTOM,
     .bind = bind_auth_scopes,
     .kind = "list of strings",
     .meaning = "scopes asked for"},
    {.key = "endpoint_params",
     .type = OPTION_CUSTOM,
     .bind = bind_auth_params,
     .secret = true,
     .kind = "map of strings",
     .meaning = "further fields of the token request"},
    {.key = "grant_type",
     .type = OPTION_CUSTOM,
     .bind = bind_auth_grant,
     .kind = "string",
     .shown = "`client_credentials`",
     .meaning = "how a token is asked for",
     .differs = "client_credentials only"},
    WAY_ROWS(conf_auth),
    LATER("client_certificate_key", "jwt-bearer grant"),
    LATER("client_certificate_key_file", "jwt-bearer grant"),
    LATER("client_certificate_key_id", "jwt-bearer grant"),
    LATER("signature_algorithm", "jwt-bearer grant"),
    LATER("iss", "jwt-bearer grant"),
    LATER("audience", "jwt-bearer grant"),
    LATER("claims", "jwt-bearer grant"),
};
const struct option_table auth_oauth2_table = {
    .title = "`oauth2`",
    TABLE_OF(oauth2_options),
    .bytes = sizeof(struct conf_auth),
    .check = check_auth_oauth2,
};

/* ---- azuread ---- */

static const char *const source_choices[] = {"auto", "imds", "arc", "app_service", NULL};

static const struct option managed_options[] = {
    {STRING("client_id", client_id), .shown = "the machine's own identity",
     .meaning = "client id of a user-assigned identity"},
    {STRING("object_id", object_id), .meaning = "its object id instead", NOT_THERE},
    {STRING("msi_res_id", msi_res_id), .meaning = "its resource id instead", NOT_THERE},
    {.key = "source",
     .type = OPTION_CHOICE,
     .choices = source_choices,
     .shown = "`auto`",
     .offset = offsetof(struct conf_auth, source),
     .meaning =
         "the metadata service: found by the variables Azure sets, or this one whatever they "
         "say",
     NOT_THERE},
};
static const struct option_table managed_table = {
    .title = "`azuread.managed_identity`",
    TABLE_OF(managed_options),
    .bytes = sizeof(struct conf_auth),
};

static const struct option workload_options[] = {
    {STRING("client_id", client_id), .shown = "required",
     .meaning = "client id of the application"},
    {STRING("tenant_id", tenant_id), .shown = "required", .meaning = "its tenant"},
    {PATH("token_file_path", token_file_path),
     .shown = "`$AZURE_FEDERATED_TOKEN_FILE`, else "
              "`/var/run/secrets/azure/tokens/azure-identity-token`",
     .meaning = "the federated token, read anew at each exchange", FROM_FILE},
};
static const struct option_table workload_table = {
    .title = "`azuread.workload_identity`",
    TABLE_OF(workload_options),
    .bytes = sizeof(struct conf_auth),
};

static const struct option oauth_options[] = {
    {STRING("client_id", client_id), .shown = "required",
     .meaning = "client id of the application"},
    {STRING("client_secret", secret), .secret = true, .meaning = "its client secret"},
    {PATH("client_secret_file", secret_file), .meaning = "file with the secret, followed",
     NOT_THERE},
    {STRING("tenant_id", tenant_id), .shown = "required", .meaning = "its tenant"},
};
static const struct option_table oauth_table = {
    .title = "`azuread.oauth`",
    TABLE_OF(oauth_options),
    .bytes = sizeof(struct conf_auth),
};

static const struct option certificate_options[] = {
    {STRING("client_id", client_id), .shown = "required",
     .meaning = "client id of the application"},
    {STRING("tenant_id", tenant_id), .shown = "required", .meaning = "its tenant"},
    {PATH("certificate_path", certificate_path), .shown = "required",
     .meaning = "PEM (certificates and key in any order) or PFX, followed", FROM_FILE},
    {PATH("certificate_key_path", certificate_key_path), .meaning = "PEM of the key, when apart",
     FROM_FILE},
    {STRING("certificate_password", certificate_password), .secret = true,
     .meaning = "of the PFX file or the key"},
    {.key = "send_certificate_chain",
     .type = OPTION_BOOL,
     .shown = "`false`",
     .offset = offsetof(struct conf_auth, send_certificate_chain),
     .meaning = "send the chain (x5c), for applications that trust subject and issuer"},
};
static const struct option_table certificate_table = {
    .title = "`azuread.certificate`",
    TABLE_OF(certificate_options),
    .bytes = sizeof(struct conf_auth),
};

static const struct option sdk_options[] = {
    {STRING("tenant_id", tenant_id), .shown = "`$AZURE_TENANT_ID`",
     .meaning = "tenant, for a workload identity found by the variables"},
};
static const struct option_table sdk_table = {
    .title = "`azuread.sdk`",
    TABLE_OF(sdk_options),
    .bytes = sizeof(struct conf_auth),
};

static const struct option azuread_options[] = {
    {.key = "cloud",
     .type = OPTION_CUSTOM,
     .bind = bind_auth_cloud,
     .shown = "`AzurePublic`",
     .kind = "`AzurePublic` or `AzureGovernment` or `AzureChina`",
     .meaning = "the Azure cloud"},
    WITHIN("managed_identity", managed_table,
           "the identity of the machine or app; `{}` for its system-assigned one"),
    WITHIN("workload_identity", workload_table, "a Kubernetes service account as an application"),
    WITHIN("oauth", oauth_table, "an application with a client secret"),
    WITHIN("certificate", certificate_table, "an application with a certificate"),
    WITHIN("sdk", sdk_table,
           "what the AZURE_* variables give: an application, a workload identity, else the managed "
           "identity"),
    {STRING("scope", scope), .shown = "the cloud's", .meaning = "replaces the cloud's scope"},
    {STRING("authority_host", authority_host), .shown = "`$AZURE_AUTHORITY_HOST`, else the cloud's",
     .meaning = "where applications ask for tokens", NOT_THERE},
    {STRING("imds_endpoint", imds_endpoint),
     .shown = "`$AZURE_POD_IDENTITY_AUTHORITY_HOST`, else `http://169.254.169.254`",
     .meaning = "the metadata service; /metadata/identity/oauth2/token is put behind it",
     NOT_THERE},
    {.key = "allow_insecure_http",
     .type = OPTION_BOOL,
     .shown = "`false`",
     .offset = offsetof(struct conf_auth, allow_insecure_http),
     .meaning = "tokens may be asked for over plain http from other machines too",
     NOT_THERE},
};
const struct option_table auth_azuread_table = {
    .title = "`azuread`",
    TABLE_OF(azuread_options),
    .bytes = sizeof(struct conf_auth),
    .check = check_auth_azuread,
};

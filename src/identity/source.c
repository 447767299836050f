/* source.c - see source.h. */
#include "source.h"

#include "encode.h"

#include <walship/mem.h>

enum { PARAMS_BYTES_MAX = 8 << 10 };

/* An empty variable is as good as none: that is how they are unset in unit files. */
const char *world_variable(const struct identity_world *world, const char *name)
{
    ASSERT(world->variable != NULL && name != NULL);
    const char *value = world->variable(world->context, name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

void source_set(struct source *source, enum source_text which, const char *text)
{
    ASSERT(which < SOURCE_TEXTS);
    secret_string_free(source->text[which]);
    source->text[which] = text != NULL ? mem_string(text) : NULL;
}

void source_release(struct source *source)
{
    for (size_t i = 0; i < SOURCE_TEXTS; i++) {
        secret_string_free(source->text[i]);
        source->text[i] = NULL;
    }
}

static bool text_equal(const char *left, const char *right)
{
    if (left == NULL || right == NULL) {
        return left == right;
    }
    return strcmp(left, right) == 0;
}

bool source_equal(const struct source *left, const struct source *right)
{
    if (left->kind != right->kind || left->chain != right->chain) {
        return false;
    }
    for (size_t i = 0; i < SOURCE_TEXTS; i++) {
        if (!text_equal(left->text[i], right->text[i])) {
            return false;
        }
    }
    return true;
}

bool source_is_static(const struct source *source)
{
    return source->kind == SOURCE_BASIC || source->kind == SOURCE_HEADER;
}

bool source_is_local(const struct source *source)
{
    return source->kind == SOURCE_IMDS || source->kind == SOURCE_ARC ||
           source->kind == SOURCE_APP_SERVICE || source->kind == SOURCE_APP_SERVICE_2017;
}

const char *source_kind_name(enum source_kind kind)
{
    static const char *const names[SOURCE_KINDS] = {
        "basic_auth",  "authorization",     "imds",  "arc", "app_service", "app_service", "oauth",
        "certificate", "workload_identity", "oauth2"};
    ASSERT(kind < SOURCE_KINDS);
    return names[kind];
}

char *source_describe(const struct source *source)
{
    static const struct {
        enum source_text which;
        const char *label;
    } parts[] = {{TEXT_CLIENT_ID, "client_id"},
                 {TEXT_OBJECT_ID, "object_id"},
                 {TEXT_RESOURCE_ID, "msi_res_id"},
                 {TEXT_SCOPE, "scope"},
                 {TEXT_USERNAME, "username"}};
    char *name = mem_string(source_kind_name(source->kind));
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        const char *text = source->text[parts[i].which];
        if (text != NULL) {
            char *longer = mem_format("%s %s=%.200s", name, parts[i].label, text);
            mem_free(name);
            name = longer;
        }
    }
    return name;
}

/* ---- clouds ---- */

struct cloud {
    const char *authority;
    const char *scope; /* the double slash is meant: the token's audience ends in one */
};

/* China's first host is Prometheus' own; certificates need the newer one, whose issuer checks hold.
 */
static const struct cloud clouds[] = {
    [CONF_CLOUD_PUBLIC] = {"login.microsoftonline.com", "https://monitor.azure.com//.default"},
    [CONF_CLOUD_GOVERNMENT] = {"login.microsoftonline.us", "https://monitor.azure.us//.default"},
    [CONF_CLOUD_CHINA] = {"login.chinacloudapi.cn", "https://monitor.azure.cn//.default"},
};
#define CHINA_NEW_AUTHORITY "login.partner.microsoftonline.cn"

static const char *cloud_scope(const struct conf_auth *auth)
{
    ASSERT(auth->cloud <= CONF_CLOUD_CHINA);
    return auth->scope != NULL ? auth->scope : clouds[auth->cloud].scope;
}

static const char *cloud_authority(const struct source *source, const struct conf_auth *auth,
                                   const struct identity_world *world)
{
    if (auth->authority_host != NULL) {
        return auth->authority_host;
    }
    const char *variable = world_variable(world, "AZURE_AUTHORITY_HOST");
    if (variable != NULL) {
        return variable;
    }
    bool newer = auth->cloud == CONF_CLOUD_CHINA && source->kind == SOURCE_CERTIFICATE;
    return newer ? CHINA_NEW_AUTHORITY : clouds[auth->cloud].authority;
}

/* ---- Entra ---- */

static bool is_id(const char *text)
{
    static const char good[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.";
    return text != NULL && text[0] != '\0' && strspn(text, good) == strlen(text);
}

static bool require_safe(const struct source *source, const struct conf_auth *auth, struct err *err)
{
    const char *url = source->text[TEXT_URL];
    ASSERT(url != NULL);
    if (identity_url_is_safe(url, auth->allow_insecure_http)) {
        return true;
    }
    return err_set(err, 0,
                   "tokens are asked for over https, or http on loopback and 169.254.169.254, and "
                   "not at %.200s (allow_insecure_http: true permits it)",
                   strchr(url, '@') != NULL ? "an address with user information" : url);
}

static bool resolve_entra(struct source *out, const struct conf_auth *auth, const char *tenant,
                          const struct identity_world *world, struct err *err)
{
    if (!is_id(out->text[TEXT_CLIENT_ID]) || !is_id(tenant)) {
        return err_set(err, 0, "client_id and tenant_id must be given and well-formed");
    }
    const char *host = cloud_authority(out, auth, world);
    bool bare = strstr(host, "://") == NULL;
    size_t bytes = strlen(host);
    while (bytes > 0 && host[bytes - 1] == '/') {
        bytes--;
    }
    char *url =
        mem_format("%s%.*s/%s/oauth2/v2.0/token", bare ? "https://" : "", (int)bytes, host, tenant);
    source_set(out, TEXT_URL, url);
    mem_free(url);
    source_set(out, TEXT_SCOPE, cloud_scope(auth));
    return require_safe(out, auth, err);
}

static bool resolve_workload(struct source *out, const struct conf_auth *auth,
                             const struct identity_world *world, struct err *err)
{
    static const char usual[] = "/var/run/secrets/azure/tokens/azure-identity-token";
    const char *client = auth->client_id, *tenant = auth->tenant_id, *file = auth->token_file_path;
    out->kind = SOURCE_WORKLOAD;
    client = client != NULL ? client : world_variable(world, "AZURE_CLIENT_ID");
    tenant = tenant != NULL ? tenant : world_variable(world, "AZURE_TENANT_ID");
    file = file != NULL ? file : world_variable(world, "AZURE_FEDERATED_TOKEN_FILE");
    source_set(out, TEXT_CLIENT_ID, client);
    source_set(out, TEXT_SECRET_FILE, file != NULL ? file : usual);
    return resolve_entra(out, auth, tenant, world, err);
}

static bool resolve_certificate(struct source *out, const struct conf_auth *auth,
                                const struct identity_world *world, struct err *err)
{
    out->kind = SOURCE_CERTIFICATE;
    out->chain = auth->send_certificate_chain;
    source_set(out, TEXT_CLIENT_ID, auth->client_id);
    source_set(out, TEXT_CERTIFICATE_FILE, auth->certificate_path);
    source_set(out, TEXT_KEY_FILE, auth->certificate_key_path);
    source_set(out, TEXT_KEY_PASSWORD, auth->certificate_password);
    if (auth->certificate_path == NULL) {
        return err_set(err, 0, "certificate_path must be given");
    }
    return resolve_entra(out, auth, auth->tenant_id, world, err);
}

static bool resolve_secret(struct source *out, const struct conf_auth *auth,
                           const struct identity_world *world, struct err *err)
{
    out->kind = SOURCE_SECRET;
    source_set(out, TEXT_CLIENT_ID, auth->client_id);
    source_set(out, TEXT_SECRET, auth->secret);
    source_set(out, TEXT_SECRET_FILE, auth->secret_file);
    if (auth->secret == NULL && auth->secret_file == NULL) {
        return err_set(err, 0, "client_secret or client_secret_file must be given");
    }
    return resolve_entra(out, auth, auth->tenant_id, world, err);
}

/* EnvironmentCredential: a complete set of variables, secret before certificate. */
static bool resolve_environment(struct source *out, const struct conf_auth *auth,
                                const struct identity_world *world, struct err *err)
{
    const char *secret = world_variable(world, "AZURE_CLIENT_SECRET");
    source_set(out, TEXT_CLIENT_ID, world_variable(world, "AZURE_CLIENT_ID"));
    if (secret != NULL) {
        out->kind = SOURCE_SECRET;
        source_set(out, TEXT_SECRET, secret);
    } else {
        out->kind = SOURCE_CERTIFICATE;
        const char *chain = world_variable(world, "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN");
        out->chain = chain != NULL && (strcmp(chain, "1") == 0 || strcmp(chain, "true") == 0);
        source_set(out, TEXT_CERTIFICATE_FILE,
                   world_variable(world, "AZURE_CLIENT_CERTIFICATE_PATH"));
        source_set(out, TEXT_KEY_PASSWORD,
                   world_variable(world, "AZURE_CLIENT_CERTIFICATE_PASSWORD"));
    }
    return resolve_entra(out, auth, world_variable(world, "AZURE_TENANT_ID"), world, err);
}

/* The first link of the chain whose variables are complete is used, and no other later: sliding to
 * another identity because of a passing fault is what bit users of the SDK's chain. */
static bool resolve_sdk(struct source *out, const struct conf_auth *auth,
                        const struct identity_world *world, struct err *err)
{
    const char *client = world_variable(world, "AZURE_CLIENT_ID");
    const char *tenant = world_variable(world, "AZURE_TENANT_ID");
    if (client != NULL && tenant != NULL &&
        (world_variable(world, "AZURE_CLIENT_SECRET") != NULL ||
         world_variable(world, "AZURE_CLIENT_CERTIFICATE_PATH") != NULL)) {
        return resolve_environment(out, auth, world, err);
    }
    tenant = auth->tenant_id != NULL ? auth->tenant_id : tenant;
    if (client != NULL && tenant != NULL &&
        world_variable(world, "AZURE_FEDERATED_TOKEN_FILE") != NULL) {
        return resolve_workload(out, auth, world, err);
    }
    return source_resolve_managed(out, auth, world, err);
}

/* ---- what any remote_write user has ---- */

static bool resolve_oauth2(struct source *out, const struct conf_auth *auth, struct err *err)
{
    struct secret text = {0};
    out->kind = SOURCE_OAUTH2;
    if (auth->client_id == NULL || auth->token_url == NULL) {
        return err_set(err, 0, "oauth2 needs client_id and token_url");
    }
    source_set(out, TEXT_URL, auth->token_url);
    source_set(out, TEXT_CLIENT_ID, auth->client_id);
    source_set(out, TEXT_SECRET, auth->secret);
    source_set(out, TEXT_SECRET_FILE, auth->secret_file);
    secret_reset(&text, PARAMS_BYTES_MAX);
    for (size_t i = 0; i < auth->scopes_count; i++) {
        secret_add(&text, i > 0 ? " " : "");
        secret_add(&text, auth->scopes[i]);
    }
    bool fits = !text.cut;
    source_set(out, TEXT_SCOPE, text.bytes > 0 ? text.text : NULL);
    secret_reset(&text, PARAMS_BYTES_MAX);
    for (size_t i = 0; i < auth->params_count; i++) {
        encode_field(&text, auth->params[i].name, auth->params[i].value);
    }
    fits = fits && !text.cut;
    source_set(out, TEXT_PARAMS, text.bytes > 0 ? text.text : NULL);
    secret_reset(&text, 0);
    if (!fits) {
        return err_set(err, 0, "oauth2 scopes or endpoint_params are too long");
    }
    return require_safe(out, auth, err);
}

static bool resolve_static(struct source *out, const struct conf_auth *auth)
{
    out->kind = auth->kind == CONF_AUTH_BASIC ? SOURCE_BASIC : SOURCE_HEADER;
    source_set(out, TEXT_USERNAME, auth->username);
    source_set(out, TEXT_USERNAME_FILE, auth->username_file);
    source_set(out, TEXT_SECRET, auth->secret);
    source_set(out, TEXT_SECRET_FILE, auth->secret_file);
    if (out->kind == SOURCE_HEADER) {
        source_set(out, TEXT_SCHEME, auth->type != NULL ? auth->type : "Bearer");
    }
    return true;
}

static bool resolve(struct source *out, const struct conf_auth *auth,
                    const struct identity_world *world, struct err *err)
{
    switch (auth->kind) {
    case CONF_AUTH_BASIC:
    case CONF_AUTH_HEADER:
        return resolve_static(out, auth);
    case CONF_AUTH_OAUTH2:
        return resolve_oauth2(out, auth, err);
    case CONF_AUTH_MANAGED_IDENTITY:
        return source_resolve_managed(out, auth, world, err) && require_safe(out, auth, err);
    case CONF_AUTH_SECRET:
        return resolve_secret(out, auth, world, err);
    case CONF_AUTH_CERTIFICATE:
        return resolve_certificate(out, auth, world, err);
    case CONF_AUTH_WORKLOAD_IDENTITY:
        return resolve_workload(out, auth, world, err);
    case CONF_AUTH_SDK:
        return resolve_sdk(out, auth, world, err) && require_safe(out, auth, err);
    case CONF_AUTH_NONE:
        break;
    }
    ASSERT(false); /* an endpoint without authentication has no identity */
    return false;
}

bool source_resolve(struct source *out, const struct conf_auth *auth,
                    const struct identity_world *world, struct err *err)
{
    ASSERT(out != NULL && auth != NULL && err != NULL);
    *out = (struct source){0};
    if (resolve(out, auth, world, err)) {
        return true;
    }
    source_release(out);
    return false;
}

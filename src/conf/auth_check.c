/* auth_check.c - what must hold of the authentication blocks. The texts are Prometheus' own. */
#include "auth.h"
#include "client.h"

#include <strings.h>

/* ---- azuread ---- */

static bool is_hexadecimal(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
           (byte >= 'A' && byte <= 'F');
}

static bool is_uuid(const char *text)
{
    size_t i = 0;
    for (; i < 36 && text[i] != '\0'; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hexadecimal(text[i])) {
            return false;
        }
    }
    return i == 36 && text[36] == '\0';
}

static bool is_word(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '_';
}

static bool is_tenant(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '_' || (!is_word(*text) && *text != '-' && *text != '.')) {
            return false;
        }
    }
    return true;
}

static bool is_scope(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!is_word(*text) && strchr(" \t\n\f\r:/.-", *text) == NULL) {
            return false;
        }
    }
    return true;
}

/* Field by field: what a block must have, and in what form. */
struct rule {
    const char *block;
    const char *title;
    const char *key;
    size_t offset;                  /* into struct conf_auth */
    bool (*form)(const char *text); /* NULL: any */
    enum conf_auth_kind kind;       /* what the block makes of the whole */
    bool required;
};

#define FIELD(key_) #key_, offsetof(struct conf_auth, key_)
#define MANAGED     "managed_identity", "Azure Managed Identity"
#define WORKLOAD    "workload_identity", "Azure Workload Identity"
#define OAUTH       "oauth", "Azure OAuth"
#define CERTIFICATE "certificate", "Azure Certificate"

static const struct rule rules[] = {
    {MANAGED, FIELD(client_id), is_uuid, CONF_AUTH_MANAGED_IDENTITY, false},
    {WORKLOAD, FIELD(client_id), is_uuid, CONF_AUTH_WORKLOAD_IDENTITY, true},
    {WORKLOAD, FIELD(tenant_id), is_uuid, CONF_AUTH_WORKLOAD_IDENTITY, true},
    {OAUTH, FIELD(client_id), is_uuid, CONF_AUTH_SECRET, true},
    {OAUTH, FIELD(tenant_id), is_tenant, CONF_AUTH_SECRET, true},
    {CERTIFICATE, FIELD(client_id), is_uuid, CONF_AUTH_CERTIFICATE, true},
    {CERTIFICATE, FIELD(tenant_id), is_tenant, CONF_AUTH_CERTIFICATE, true},
    {CERTIFICATE, FIELD(certificate_path), NULL, CONF_AUTH_CERTIFICATE, true},
    {"sdk", "Azure OAuth", FIELD(tenant_id), is_tenant, CONF_AUTH_SDK, false},
};

static void check_rule(struct binder *binder, const struct rule *rule,
                       const struct conf_node *block, struct conf_auth *auth)
{
    const char *text;
    memcpy(&text, (const char *)auth + rule->offset, sizeof text);
    const struct conf_node *value = node_find(block, rule->key);
    auth->kind = rule->kind;
    if (text == NULL && rule->required && (value == NULL || value->kind == CONF_SCALAR)) {
        bind_problem(binder, value != NULL ? value : block,
                     "must provide an %s %s in the Azure AD config", rule->title, rule->key);
    } else if (text != NULL && rule->form != NULL && !rule->form(text)) {
        bind_problem(binder, value != NULL ? value : block, "the provided %s %s is invalid",
                     rule->title, rule->key);
    }
}

static void check_oauth_secret(struct binder *binder, const struct conf_node *block,
                               const struct conf_auth *auth)
{
    if (auth->secret == NULL && auth->secret_file == NULL) {
        bind_problem(binder, block,
                     "must provide an Azure OAuth client_secret in the Azure AD "
                     "config");
    } else if (auth->secret != NULL && auth->secret_file != NULL) {
        bind_problem(binder, block,
                     "at most one of client_secret & client_secret_file must be configured");
    }
}

static void check_managed(struct binder *binder, const struct conf_node *block,
                          const struct conf_auth *auth)
{
    int ids = (auth->client_id != NULL) + (auth->object_id != NULL) + (auth->msi_res_id != NULL);
    if (ids > 1) {
        bind_problem(binder, block,
                     "at most one of client_id, object_id & msi_res_id must be configured");
    }
    if (auth->source == CONF_SOURCE_APP_SERVICE && auth->imds_endpoint != NULL) {
        bind_problem(binder, block,
                     "imds_endpoint has no meaning with source: app_service, which "
                     "asks at $IDENTITY_ENDPOINT");
    }
}

static void check_method(struct binder *binder, const struct conf_node *node,
                         struct conf_auth *auth)
{
    for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
        const struct conf_node *block = node_find(node, rules[i].block);
        if (block != NULL && block->kind == CONF_MAP) {
            check_rule(binder, &rules[i], block, auth);
        }
    }
    if (auth->kind == CONF_AUTH_SECRET) {
        check_oauth_secret(binder, node_find(node, "oauth"), auth);
    } else if (auth->kind == CONF_AUTH_MANAGED_IDENTITY) {
        check_managed(binder, node_find(node, "managed_identity"), auth);
    }
}

void check_auth_azuread(struct binder *binder, const struct conf_node *node, void *target)
{
    static const char *const methods[] = {"managed_identity", "workload_identity", "oauth",
                                          "certificate", "sdk"};
    struct conf_auth *auth = target;
    size_t count = 0;
    if (node == NULL) {
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        count += node_find(node, methods[i]) != NULL;
    }
    if (count == 0) {
        bind_problem(
            binder, node,
            "must provide an Azure Managed Identity, Azure Workload Identity, Azure OAuth, "
            "Azure Certificate or Azure SDK in the Azure AD config");
    } else if (count > 1) {
        bind_problem(binder, node,
                     "cannot provide multiple authentication methods in the Azure AD config");
    } else {
        check_method(binder, node, auth);
    }
    if (auth->scope != NULL && !is_scope(auth->scope)) {
        bind_problem(binder, node_find(node, "scope"),
                     "the provided scope contains invalid characters");
    }
}

/* ---- the others ---- */

void check_auth_basic(struct binder *binder, const struct conf_node *node, void *target)
{
    struct conf_auth *auth = target;
    if (node == NULL) {
        return;
    }
    auth->kind = CONF_AUTH_BASIC;
    if (auth->username != NULL && auth->username_file != NULL) {
        bind_problem(binder, node,
                     "at most one of basic_auth username, username_file & "
                     "username_ref must be configured");
    }
    if (auth->secret != NULL && auth->secret_file != NULL) {
        bind_problem(binder, node,
                     "at most one of basic_auth password, password_file & "
                     "password_ref must be configured");
    }
}

void check_auth_header(struct binder *binder, const struct conf_node *node, void *target)
{
    struct conf_auth *auth = target;
    if (node == NULL) {
        return;
    }
    auth->kind = CONF_AUTH_HEADER;
    if (auth->type != NULL && strcasecmp(auth->type, "basic") == 0) {
        bind_problem(binder, node_find(node, "type"),
                     "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    }
    if (auth->secret != NULL && auth->secret_file != NULL) {
        bind_problem(binder, node,
                     "at most one of authorization credentials & credentials_file "
                     "must be configured");
    } else if (auth->secret == NULL && auth->secret_file == NULL) {
        bind_problem(binder, node, "authorization needs credentials or credentials_file");
    }
}

void check_auth_oauth2(struct binder *binder, const struct conf_node *node, void *target)
{
    struct conf_auth *auth = target;
    if (node == NULL) {
        return;
    }
    auth->kind = CONF_AUTH_OAUTH2;
    if (auth->client_id == NULL) {
        bind_problem(binder, node, "oauth2 client_id must be configured");
    }
    if (auth->token_url == NULL) {
        bind_problem(binder, node, "oauth2 token_url must be configured");
    }
    if (auth->secret != NULL && auth->secret_file != NULL) {
        bind_problem(binder, node,
                     "at most one of oauth2 client_secret, client_secret_file & "
                     "client_secret_ref must be configured");
    }
    check_client(binder, node, &auth->client);
}

/* ---- the whole ---- */

static void check_bearer(struct binder *binder, const struct conf_node *node,
                         struct conf_auth *auth)
{
    const struct conf_node *token = node_find(node, "bearer_token");
    const struct conf_node *file = node_find(node, "bearer_token_file");
    if (token == NULL && file == NULL) {
        return;
    }
    auth->kind = CONF_AUTH_HEADER;
    if (token != NULL && file != NULL) {
        bind_problem(binder, token,
                     "at most one of bearer_token & bearer_token_file must be configured");
    }
}

void check_auth(struct binder *binder, const struct conf_node *node, struct conf_auth *auth)
{
    static const char *const ways[] = {"basic_auth", "authorization", "oauth2",
                                       "azuread",    "bearer_token",  "bearer_token_file"};
    struct buf found;
    buf_init(&found, 256); /* all the names together are shorter */
    bool fits = true;
    size_t count = 0;
    const struct conf_node *second = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
        const struct conf_node *block = node_find(node, ways[i]);
        if (block == NULL) {
            continue;
        }
        fits = fits && buf_format(&found, "%s%s", count > 0 ? " " : "", ways[i]);
        auth->line = block->line;
        auth->column = block->column;
        second = block;
        count++;
    }
    check_bearer(binder, node, auth);
    bool both_bearer = count == 2 && node_find(node, "bearer_token") != NULL &&
                       node_find(node, "bearer_token_file") != NULL;
    if (count > 1 && !both_bearer) {
        bind_problem(binder, second,
                     "at most one of basic_auth, authorization, oauth2, sigv4, azuread or "
                     "google_iam must be configured. Currently configured: [%.*s]",
                     (int)found.bytes, (const char *)found.data);
    }
    ASSERT(fits);
    buf_release(&found);
}

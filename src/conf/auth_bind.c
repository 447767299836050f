/* auth_bind.c - the values of the authentication blocks, and the entry for those who have just a
 * map.
 *
 * Several blocks fill the same fields of one struct: more than one block is a mistake that the
 * checks name, but until then a later value must not leak the earlier one. */
#include "auth.h"
#include "client.h"

#include <walship/mem.h>

void text_wipe(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text)); /* I6: any of them may be a secret */
        mem_free(text);
    }
}

static void bind_as(struct binder *binder, const struct option *option,
                    const struct conf_node *node, void *target, enum option_type type)
{
    struct option plain = *option;
    char *old, *fresh = NULL;
    void *field = (char *)target + option->offset;
    plain.type = type;
    memcpy(&old, field, sizeof old);
    if (node->kind == CONF_SCALAR && *node->text == '\0') {
        memcpy(field, &fresh, sizeof fresh); /* empty is as good as absent */
        text_wipe(old);
        return;
    }
    bind_scalar(binder, &plain, node, target);
    memcpy(&fresh, field, sizeof fresh);
    if (fresh != old) {
        text_wipe(old);
    }
}

void bind_auth_string(struct binder *binder, const struct option *option,
                      const struct conf_node *node, void *target)
{
    bind_as(binder, option, node, target, OPTION_STRING);
}

void bind_auth_path(struct binder *binder, const struct option *option,
                    const struct conf_node *node, void *target)
{
    bind_as(binder, option, node, target, OPTION_PATH);
}

void bind_auth_never(struct binder *binder, const struct option *option,
                     const struct conf_node *node, void *target)
{
    (void)target;
    bind_problem(binder, node,
                 "%s is not supported: walship has no way to sign in there. Leave this destination "
                 "to Prometheus' own remote_write",
                 option->key);
}

void bind_auth_cloud(struct binder *binder, const struct option *option,
                     const struct conf_node *node, void *target)
{
    static const char *const clouds[] = {"AzurePublic", "AzureGovernment", "AzureChina"};
    struct conf_auth *auth = target;
    const char *text = node->kind == CONF_SCALAR ? node->text : "?";
    ASSERT(option->offset == 0);
    for (unsigned i = 0; i < ARRAY_COUNT(clouds); i++) {
        if (strcmp(text, clouds[i]) == 0 || *text == '\0') {
            auth->cloud = (enum conf_auth_cloud)i;
            return;
        }
    }
    bind_problem(binder, node,
                 "must provide a cloud in the Azure AD config: AzurePublic, AzureGovernment or "
                 "AzureChina, found \"%s\"",
                 text);
}

void bind_auth_grant(struct binder *binder, const struct option *option,
                     const struct conf_node *node, void *target)
{
    (void)target;
    if (node->kind != CONF_SCALAR || strcmp(node->text, "client_credentials") != 0) {
        bind_problem(binder, node, "%s must be client_credentials: no other is supported",
                     option->key);
    }
}

void bind_auth_scopes(struct binder *binder, const struct option *option,
                      const struct conf_node *node, void *target)
{
    struct conf_auth *auth = target;
    if (node->kind != CONF_LIST || node->count > CONF_AUTH_LIST_MAX || auth->scopes != NULL) {
        bind_problem(binder, node, "%s must be a list of at most %d strings", option->key,
                     CONF_AUTH_LIST_MAX);
        return;
    }
    auth->scopes = mem_new(node->count, sizeof(char *));
    for (size_t i = 0; i < node->count; i++) {
        const struct conf_node *scope = node->values[i];
        if (scope->kind != CONF_SCALAR || *scope->text == '\0') {
            bind_problem(binder, scope, "an element of %s must be a string", option->key);
            continue;
        }
        auth->scopes[auth->scopes_count++] = mem_string(scope->text);
    }
}

void bind_auth_params(struct binder *binder, const struct option *option,
                      const struct conf_node *node, void *target)
{
    struct conf_auth *auth = target;
    if (node->kind != CONF_MAP || node->count > CONF_AUTH_LIST_MAX || auth->params != NULL) {
        bind_problem(binder, node, "%s must be a map of at most %d strings", option->key,
                     CONF_AUTH_LIST_MAX);
        return;
    }
    auth->params = mem_new(node->count, sizeof *auth->params);
    for (size_t i = 0; i < node->count; i++) {
        const struct conf_node *name = node->keys[i], *value = node->values[i];
        if (name->kind != CONF_SCALAR || value->kind != CONF_SCALAR) {
            bind_problem(binder, name, "an element of %s must be a string", option->key);
            continue;
        }
        auth->params[auth->params_count++] =
            (struct conf_auth_param){mem_string(name->text), mem_string(value->text)};
    }
}

/* ---- the whole struct ---- */

#define AT(field_) offsetof(struct conf_auth, field_)

static const size_t texts[] = {
    AT(scope),
    AT(authority_host),
    AT(imds_endpoint),
    AT(client_id),
    AT(object_id),
    AT(msi_res_id),
    AT(tenant_id),
    AT(token_file_path),
    AT(secret),
    AT(secret_file),
    AT(username),
    AT(username_file),
    AT(type),
    AT(token_url),
    AT(certificate_path),
    AT(certificate_key_path),
    AT(certificate_password),
};

static char **text_at(struct conf_auth *auth, size_t index)
{
    return (char **)(void *)((char *)auth + texts[index]);
}

static char *text_copy(const char *text)
{
    return text != NULL ? mem_string(text) : NULL;
}

void conf_auth_copy(struct conf_auth *out, const struct conf_auth *auth)
{
    ASSERT(out != NULL && auth != NULL && out != auth);
    *out = *auth;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        char **text = text_at(out, i);
        *text = text_copy(*text);
    }
    out->scopes = mem_new(auth->scopes_count, sizeof(char *));
    for (size_t i = 0; i < auth->scopes_count; i++) {
        out->scopes[i] = mem_string(auth->scopes[i]);
    }
    out->params = mem_new(auth->params_count, sizeof *out->params);
    for (size_t i = 0; i < auth->params_count; i++) {
        out->params[i].name = mem_string(auth->params[i].name);
        out->params[i].value = mem_string(auth->params[i].value);
    }
    out->client = (struct http_client){0};
    client_inherit(&out->client, NULL, &auth->client);
}

void conf_auth_release(struct conf_auth *auth)
{
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        text_wipe(*text_at(auth, i));
    }
    for (size_t i = 0; i < auth->scopes_count; i++) {
        text_wipe(auth->scopes[i]);
    }
    for (size_t i = 0; i < auth->params_count; i++) {
        text_wipe(auth->params[i].name);
        text_wipe(auth->params[i].value);
    }
    mem_free(auth->scopes);
    mem_free(auth->params);
    client_release(&auth->client);
    *auth = (struct conf_auth){0};
}

/* options_azure.c - workspaces, identities, tokens and the rest of what makes the emulator Azure.
 */
#include "options_bind.h"

static const char *const THROTTLE[] = {"seconds", "date", "none", NULL};
static const char *const OVER_LIMIT[] = {"status", "drop", NULL};
static const char *const EXPIRY[] = {"epoch",   "string", "number", "us_date", "iso_date",
                                     "rfc3339", "empty",  "absent", NULL};
static const char *const SOURCES[] = {"imds",   "arc",         "app_service",
                                      "secret", "certificate", "federated"};

#define AT(member) offsetof(struct workspace_options, member)
static const struct field WORKSPACE_FIELDS[] = {
    {"name", FIELD_TEXT, AT(name), NULL, options_check_name},
    {"samples_per_minute", FIELD_COUNT, AT(samples_per_minute), NULL, NULL},
    {"burst", FIELD_DURATION, AT(burst_ms), NULL, NULL},
    {"active_series", FIELD_COUNT, AT(active_series), NULL, NULL},
    {"active_for", FIELD_DURATION, AT(active_for_ms), NULL, NULL},
    {"window", FIELD_DURATION, AT(window_ms), NULL, NULL},
    {"over_limit", FIELD_CHOICE, AT(over_limit), OVER_LIMIT, NULL},
    {"retry_after", FIELD_CHOICE, AT(retry_after), THROTTLE, NULL},
    {"reserved_names", FIELD_TEXTS, AT(reserved_names), NULL, NULL},
};
#undef AT

#define AT(member) offsetof(struct principal_options, member)
static const struct field IDENTITY_FIELDS[] = {
    {"name", FIELD_TEXT, AT(name), NULL, options_check_name},
    {"tenant", FIELD_TEXT, AT(tenant), NULL, options_check_name},
    {"client_id", FIELD_TEXT, AT(client_id), NULL, options_check_name},
    {"object_id", FIELD_TEXT, AT(object_id), NULL, options_check_name},
    {"msi_res_id", FIELD_TEXT, AT(resource_id), NULL, NULL},
    {"secret", FIELD_TEXT, AT(secret), NULL, NULL},
    {"expired_secret", FIELD_TEXT, AT(expired_secret), NULL, NULL},
    {"certificate", FIELD_TEXT, AT(certificate), NULL, NULL},
    {"certificate_thumbprint", FIELD_TEXT, AT(thumbprint), NULL, NULL},
    {"federated_subject", FIELD_TEXT, AT(subject), NULL, NULL},
    {"federated_tokens", FIELD_TEXTS, AT(federated_tokens), NULL, NULL},
    {"roles", FIELD_TEXTS, AT(roles), NULL, NULL},
    {"sources", FIELD_TEXTS, AT(sources), NULL, NULL},
    {"system", FIELD_FLAG, AT(system), NULL, NULL},
    {"disabled", FIELD_FLAG, AT(disabled), NULL, NULL},
};
#undef AT

#define AT(member) offsetof(struct token_options, member)
const struct field TOKEN_FIELDS[] = {
    {"life", FIELD_DURATION, AT(life_ms), NULL, NULL},
    {"refresh_in", FIELD_DURATION, AT(refresh_in_ms), NULL, NULL},
    {"keep_for", FIELD_DURATION, AT(keep_for_ms), NULL, NULL},
    {"expires_on", FIELD_CHOICE, AT(expires_on), EXPIRY, NULL},
    {"expires_in", FIELD_CHOICE, AT(expires_in), EXPIRY, NULL},
    {"body", FIELD_TEXT, AT(body), NULL, NULL},
};
#undef AT
const size_t TOKEN_FIELDS_COUNT = ARRAY_COUNT(TOKEN_FIELDS);

#define AT(member) offsetof(struct azure_options, member)
static const struct field AZURE_FIELDS[] = {
    {"audiences", FIELD_TEXTS, AT(audiences), NULL, NULL},
    {"federated_issuer", FIELD_TEXT, AT(issuer), NULL, NULL},
    {"arc_keys_directory", FIELD_TEXT, AT(arc_keys_directory), NULL, NULL},
    {"app_service_header", FIELD_TEXT, AT(app_service_header), NULL, NULL},
    {"imds_per_second", FIELD_COUNT, AT(imds_per_second), NULL, NULL},
};
#undef AT

/* It goes into a list of names that commas part. */
static const char *check_dns_name(const char *name)
{
    static const char ALLOWED[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*";
    bool good = *name != '\0' && name[strspn(name, ALLOWED)] == '\0';
    return good ? NULL : "must be DNS names";
}

#define AT(member) offsetof(struct tls_options, member)
static const struct field TLS_FIELDS[] = {
    {"directory", FIELD_TEXT, AT(directory), NULL, NULL},
    {"listen_address", FIELD_TEXT, AT(listen_address), NULL, NULL},
    {"names", FIELD_TEXTS, AT(names), NULL, check_dns_name},
};
#undef AT

#define AT(member) offsetof(struct script_step, member)
static const struct field STEP_FIELDS[] = {
    {"at", FIELD_DURATION, AT(at_ms), NULL, NULL},
    {"for", FIELD_DURATION, AT(for_ms), NULL, NULL},
    {"pair", FIELD_TEXT, AT(pair), NULL, NULL},
    {"identity", FIELD_TEXT, AT(identity), NULL, NULL},
    {"do", FIELD_TEXT, AT(action), NULL, NULL},
};
#undef AT

static bool is_list(struct binder *binder, const struct conf_node *node, size_t count_max,
                    bool again)
{
    if (node->kind != CONF_LIST || node->count > count_max || again) {
        PROBLEM(binder, node, "must be one list of at most %zu", count_max);
        return false;
    }
    return true;
}

void options_bind_workspaces(struct binder *binder, const struct conf_node *node)
{
    struct azure_options *azure = &binder->options->azure;
    if (!is_list(binder, node, WORKSPACES_COUNT_MAX, azure->workspaces != NULL)) {
        return;
    }
    azure->workspaces = mem_new(node->count + 1, sizeof *azure->workspaces);
    azure->workspaces_count = node->count;
    for (size_t index = 0; index < node->count; index++) {
        struct workspace_options *workspace = &azure->workspaces[index];
        workspace->burst_ms = 60000;
        workspace->active_for_ms = INT64_C(12) * 3600 * 1000;
        workspace->window_ms = INT64_C(20) * 60 * 1000;
        fields_bind_map(&binder->place, node->values[index], WORKSPACE_FIELDS,
                        ARRAY_COUNT(WORKSPACE_FIELDS), workspace);
        if (workspace->name == NULL) {
            PROBLEM(binder, node->values[index], "a workspace needs a name");
        }
    }
}

static void check_identity(struct binder *binder, const struct conf_node *node, size_t count)
{
    struct azure_options *azure = &binder->options->azure;
    const struct principal_options *identity = &azure->principals[count];
    if (identity->name == NULL || identity->tenant == NULL || identity->client_id == NULL ||
        identity->object_id == NULL) {
        PROBLEM(binder, node, "an identity needs a name, a tenant, a client_id and an object_id");
        return;
    }
    for (size_t index = 0; index < count; index++) {
        const char *other = azure->principals[index].name;
        if (other != NULL && strcmp(other, identity->name) == 0) {
            PROBLEM(binder, node, "two identities have the same name");
        }
    }
    for (size_t index = 0; index < identity->sources.count; index++) {
        bool known = false;
        for (size_t row = 0; row < ARRAY_COUNT(SOURCES); row++) {
            known = known || strcmp(SOURCES[row], identity->sources.items[index]) == 0;
        }
        if (!known) {
            PROBLEM(binder, node, "sources: unknown source \"%.40s\"",
                    identity->sources.items[index]);
        }
    }
}

void options_bind_identities(struct binder *binder, const struct conf_node *node)
{
    struct azure_options *azure = &binder->options->azure;
    if (!is_list(binder, node, PRINCIPALS_COUNT_MAX, azure->principals != NULL)) {
        return;
    }
    azure->principals = mem_new(node->count + 1, sizeof *azure->principals);
    azure->principals_count = node->count;
    for (size_t index = 0; index < node->count; index++) {
        fields_bind_map(&binder->place, node->values[index], IDENTITY_FIELDS,
                        ARRAY_COUNT(IDENTITY_FIELDS), &azure->principals[index]);
        check_identity(binder, node->values[index], index);
    }
}

void options_bind_script(struct binder *binder, const struct conf_node *node)
{
    struct options *options = binder->options;
    if (!is_list(binder, node, SCRIPT_STEPS_MAX, options->script != NULL)) {
        return;
    }
    options->script = mem_new(node->count + 1, sizeof *options->script);
    options->script_count = node->count;
    for (size_t index = 0; index < node->count; index++) {
        struct script_step *step = &options->script[index];
        fields_bind_map(&binder->place, node->values[index], STEP_FIELDS, ARRAY_COUNT(STEP_FIELDS),
                        step);
        if (step->action == NULL || (step->pair == NULL && step->identity == NULL)) {
            PROBLEM(binder, node->values[index],
                    "a step needs do, and a pair or an identity (or both)");
        }
    }
}

void options_bind_tokens(struct binder *binder, const struct conf_node *node)
{
    fields_bind_map(&binder->place, node, TOKEN_FIELDS, TOKEN_FIELDS_COUNT,
                    &binder->options->azure.tokens);
}

void options_bind_tls(struct binder *binder, const struct conf_node *node)
{
    fields_bind_map(&binder->place, node, TLS_FIELDS, ARRAY_COUNT(TLS_FIELDS),
                    &binder->options->tls);
    if (binder->options->tls.directory == NULL) {
        PROBLEM(binder, node, "tls needs a directory");
    }
}

static void bind_azure(struct binder *binder, const struct conf_node *node, const char *key)
{
    struct err err;
    if (!fields_set(AZURE_FIELDS, ARRAY_COUNT(AZURE_FIELDS), &binder->options->azure, node, key,
                    &err)) {
        PROBLEM(binder, node, "%s", err.text);
    }
}

void options_bind_audiences(struct binder *binder, const struct conf_node *node)
{
    bind_azure(binder, node, "audiences");
}

void options_bind_issuer(struct binder *binder, const struct conf_node *node)
{
    bind_azure(binder, node, "federated_issuer");
}

void options_bind_arc(struct binder *binder, const struct conf_node *node)
{
    bind_azure(binder, node, "arc_keys_directory");
}

void options_bind_app_service(struct binder *binder, const struct conf_node *node)
{
    bind_azure(binder, node, "app_service_header");
}

void options_bind_imds(struct binder *binder, const struct conf_node *node)
{
    bind_azure(binder, node, "imds_per_second");
}

static bool has_endpoint(const struct options *options, const char *name)
{
    for (size_t index = 0; index < options->endpoints_count; index++) {
        const char *other = options->endpoints[index].name;
        if (other != NULL && strcmp(other, name) == 0) {
            return true;
        }
    }
    return strcmp(name, "*") == 0;
}

static bool has_workspace(const struct azure_options *azure, const char *name)
{
    for (size_t index = 0; index < azure->workspaces_count; index++) {
        const char *other = azure->workspaces[index].name;
        if (other != NULL && strcmp(other, name) == 0) {
            return true;
        }
    }
    return false;
}

void options_check_azure(struct binder *binder, const struct conf_node *root)
{
    const struct options *options = binder->options;
    for (size_t index = 0; index < options->endpoints_count; index++) {
        const char *name = options->endpoints[index].workspace;
        if (name != NULL && !has_workspace(&options->azure, name)) {
            PROBLEM(binder, root, "there is no workspace \"%.40s\"", name);
        }
    }
    for (size_t index = 0; index < options->azure.principals_count; index++) {
        const struct texts *roles = &options->azure.principals[index].roles;
        for (size_t role = 0; role < roles->count; role++) {
            if (!has_endpoint(options, roles->items[role])) {
                PROBLEM(binder, root, "roles: there is no endpoint \"%.40s\"", roles->items[role]);
            }
        }
    }
}

void options_release_azure(struct options *options)
{
    fields_release(TLS_FIELDS, ARRAY_COUNT(TLS_FIELDS), &options->tls);
    struct azure_options *azure = &options->azure;
    for (size_t index = 0; index < azure->workspaces_count; index++) {
        fields_release(WORKSPACE_FIELDS, ARRAY_COUNT(WORKSPACE_FIELDS), &azure->workspaces[index]);
    }
    for (size_t index = 0; index < azure->principals_count; index++) {
        fields_release(IDENTITY_FIELDS, ARRAY_COUNT(IDENTITY_FIELDS), &azure->principals[index]);
    }
    fields_release(TOKEN_FIELDS, TOKEN_FIELDS_COUNT, &azure->tokens);
    fields_release(AZURE_FIELDS, ARRAY_COUNT(AZURE_FIELDS), azure);
    mem_free(azure->workspaces);
    mem_free(azure->principals);
}

void options_release_script(struct options *options)
{
    for (size_t index = 0; index < options->script_count; index++) {
        fields_release(STEP_FIELDS, ARRAY_COUNT(STEP_FIELDS), &options->script[index]);
    }
    mem_free(options->script);
}

/* web.c - the tables and checks of a web_config file. See conf_web.h. */
#include "auth.h"
#include "client.h"

#include <walship/conf_web.h>
#include <walship/mem.h>

#define TABLE_OF(rows) .options = (rows), .count = ARRAY_COUNT(rows)
#define PATH(key_)     .key = #key_, .type = OPTION_PATH, .offset = offsetof(struct conf_web, key_)

static const char *const client_choices[] = {"NoClientCert",
                                             "RequestClientCert",
                                             "RequireAnyClientCert",
                                             "VerifyClientCertIfGiven",
                                             "RequireAndVerifyClientCert",
                                             NULL};

static void check_tls(struct binder *binder, const struct conf_node *node, void *target)
{
    const struct conf_web *web = target;
    if (node == NULL) {
        return;
    }
    if (web->cert_file == NULL) {
        bind_problem(binder, node, "missing one of cert or cert_file");
    }
    if (web->key_file == NULL) {
        bind_problem(binder, node, "missing one of key or key_file");
    }
    bool needs_ca = web->client_auth >= CONF_WEB_VERIFY_CLIENT_CERT_IF_GIVEN;
    if (web->client_ca_file != NULL && web->client_auth == CONF_WEB_NO_CLIENT_CERT) {
        bind_problem(binder, node,
                     "client CA's have been configured without a client_auth_type that uses them");
    } else if (needs_ca && web->client_ca_file == NULL) {
        bind_problem(
            binder, node,
            "client_auth_type %s needs client_ca_file: without it whoever has a certificate "
            "of any public CA would be let in",
            client_choices[web->client_auth]);
    }
}

static const struct option tls_options[] = {
    {PATH(cert_file), .meaning = "PEM of the certificate, its chain behind it; followed"},
    {PATH(key_file), .meaning = "PEM of its key; followed"},
    {PATH(client_ca_file), .meaning = "PEM of the CAs that clients' certificates come from",
     .differs =
         "a client_auth_type that verifies needs it: Prometheus would take the system's CAs, "
         "and so anybody's certificate"},
    {.key = "client_auth_type",
     .type = OPTION_CHOICE,
     .choices = client_choices,
     .initial = "NoClientCert",
     .offset = offsetof(struct conf_web, client_auth),
     .meaning = "whether clients show a certificate"},
    {.key = "min_version",
     .type = OPTION_CUSTOM,
     .bind = bind_tls_version,
     .kind = "`TLS12` or `TLS13`",
     .shown = "`TLS12`",
     .offset = offsetof(struct conf_web, min_tls),
     .meaning = "the oldest TLS taken"},
    {.key = "max_version",
     .type = OPTION_CUSTOM,
     .bind = bind_tls_version,
     .kind = "`TLS12` or `TLS13`",
     .shown = "`TLS13`",
     .offset = offsetof(struct conf_web, max_tls),
     .meaning = "the newest TLS taken"},
};
static const struct option_table tls_table = {
    .title = "`tls_server_config`",
    TABLE_OF(tls_options),
    .bytes = sizeof(struct conf_web),
    .check = check_tls,
};

/* "$2b$10$" and 53 characters: what bcrypt makes, and crypt(3) takes. */
static bool hash_good(const char *hash)
{
    return strlen(hash) == 60 && strncmp(hash, "$2", 2) == 0 && strchr("abxy", hash[2]) != NULL &&
           hash[3] == '$' && hash[6] == '$';
}

static void bind_users(struct binder *binder, const struct option *option,
                       const struct conf_node *node, void *target)
{
    struct conf_web *web = target;
    if (node->kind != CONF_MAP || node->count > CONF_WEB_USERS_MAX) {
        bind_problem(binder, node, "%s must be a map of at most %d names to bcrypt hashes",
                     option->key, CONF_WEB_USERS_MAX);
        return;
    }
    web->users = mem_new(node->count + 1, sizeof *web->users);
    for (size_t i = 0; i < node->count; i++) {
        const struct conf_node *name = node->keys[i], *hash = node->values[i];
        if (name->kind != CONF_SCALAR || *name->text == '\0' || strchr(name->text, ':') != NULL) {
            bind_problem(binder, name, "a user must be a name without a colon");
        } else if (hash->kind != CONF_SCALAR || !hash_good(hash->text)) {
            bind_problem(binder, hash,
                         "the password of %s must be a bcrypt hash, as `htpasswd -nBC 10 \"\"` "
                         "makes",
                         name->text);
        } else {
            web->users[web->users_count++] =
                (struct conf_web_user){mem_string(name->text), mem_string(hash->text)};
        }
    }
}

static const struct option web_options[] = {
    {.key = "tls_server_config",
     .type = OPTION_SECTION,
     .table = &tls_table,
     .meaning = "TLS; without it plain HTTP"},
    {.key = "basic_auth_users",
     .type = OPTION_CUSTOM,
     .bind = bind_users,
     .secret = true,
     .kind = "map of names to bcrypt hashes",
     .shown = "`{}`: anyone",
     .meaning = "who may read the pages"},
};
const struct option_table conf_table_web = {
    .title = "The file of `web_config`",
    TABLE_OF(web_options),
    .bytes = sizeof(struct conf_web),
};

struct conf_web *conf_web_bind(const struct conf_node *root, const char *file,
                               struct conf_problems *problems)
{
    struct conf_web *web = mem_new(1, sizeof *web);
    struct binder binder = {.file = file, .root = root};
    ASSERT(root != NULL && file != NULL);
    if (bind_file(&binder, &conf_table_web, web, problems)) {
        return web;
    }
    conf_web_free(web);
    return NULL;
}

void conf_web_free(struct conf_web *web)
{
    if (web == NULL) {
        return;
    }
    for (size_t i = 0; i < web->users_count; i++) {
        mem_free(web->users[i].name);
        text_wipe(web->users[i].hash);
    }
    mem_free(web->users);
    mem_free(web->cert_file);
    mem_free(web->key_file);
    mem_free(web->client_ca_file);
    mem_free(web);
}

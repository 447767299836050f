/* http_client.c - tls_config and the proxy: their rows, and what must hold of them. The texts are
 * Prometheus' own. */
#include "auth.h"
#include "client.h"

#include <strings.h>
#include <walship/mem.h>
#include <walship/url.h>

/* ---- tls_config ---- */

void bind_tls_version(struct binder *binder, const struct option *option,
                      const struct conf_node *node, void *target)
{
    /* what is older than 1.2 is taken, and means 1.2 */
    static const struct {
        const char *name;
        enum http_tls tls;
    } versions[] = {{"TLS10", HTTP_TLS_1_2},
                    {"TLS11", HTTP_TLS_1_2},
                    {"TLS12", HTTP_TLS_1_2},
                    {"TLS13", HTTP_TLS_1_3}};
    const char *text = node->kind == CONF_SCALAR ? node->text : "?";
    bool max = strcmp(option->key, "max_version") == 0;
    for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
        if (strcmp(text, versions[i].name) != 0) {
            continue;
        }
        if (max && i < 2) {
            bind_problem(binder, node, "%s must be TLS12 or TLS13: walship speaks nothing older",
                         option->key);
        }
        memcpy((char *)target + option->offset, &versions[i].tls, sizeof versions[i].tls);
        return;
    }
    if (*text != '\0') {
        bind_problem(binder, node, "unknown TLS version: %s", text);
    }
}

/* It goes into a URL in the place of the host. */
static void bind_server_name(struct binder *binder, const struct option *option,
                             const struct conf_node *node, void *target)
{
    if (node->kind == CONF_SCALAR &&
        node->text[strspn(node->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-._:")] != '\0') {
        bind_problem(binder, node, "server_name must be a host name or an address, found \"%s\"",
                     node->text);
        return;
    }
    bind_auth_string(binder, option, node, target);
}

static void check_tls(struct binder *binder, const struct conf_node *node, void *target)
{
    const struct http_client *client = target;
    const struct {
        const char *name;
        const char *text, *file;
    } pairs[] = {{"ca", client->ca, client->ca_file},
                 {"cert", client->cert, client->cert_file},
                 {"key", client->key, client->key_file}};
    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        if (pairs[i].text != NULL && pairs[i].file != NULL) {
            bind_problem(binder, node, "at most one of %s, %s_file & %s_ref must be configured",
                         pairs[i].name, pairs[i].name, pairs[i].name);
        }
    }
    bool cert = client->cert != NULL || client->cert_file != NULL;
    bool key = client->key != NULL || client->key_file != NULL;
    if (cert != key) {
        bind_problem(binder, node,
                     "exactly one of %s or %s must be configured when a client %s is configured",
                     cert ? "key" : "cert", cert ? "key_file" : "cert_file",
                     cert ? "certificate" : "key");
    }
    if (client->max_tls != HTTP_TLS_UNSET && client->max_tls < client->min_tls) {
        bind_problem(binder, node,
                     "tls_config.max_version must be greater than or equal to "
                     "tls_config.min_version if both are specified");
    }
}

#define STRING(key_)                                                                               \
    .key = #key_, .type = OPTION_CUSTOM, .bind = bind_auth_string, .kind = "string",               \
    .offset = offsetof(struct http_client, key_)
#define PATH(key_)                                                                                 \
    .key = #key_, .type = OPTION_CUSTOM, .bind = bind_auth_path, .kind = "path",                   \
    .offset = offsetof(struct http_client, key_)
#define VERSION(key_, field_)                                                                      \
    .key = (key_), .type = OPTION_CUSTOM, .bind = bind_tls_version,                                \
    .offset = offsetof(struct http_client, field_)

static const struct option tls_options[] = {
    {STRING(ca), .shown = "the system's", .meaning = "PEM of the CAs that are trusted instead"},
    {PATH(ca_file), .meaning = "file with them, read at each new connection"},
    {STRING(cert), .meaning = "PEM of the client certificate, its chain behind it"},
    {PATH(cert_file), .meaning = "file with it, read at each new connection"},
    {STRING(key), .secret = true, .meaning = "PEM of its key"},
    {PATH(key_file), .meaning = "file with it, read at each new connection"},
    {.key = "server_name",
     .type = OPTION_CUSTOM,
     .bind = bind_server_name,
     .kind = "string",
     .offset = offsetof(struct http_client, server_name),
     .shown = "the URL's host",
     .meaning = "the name asked for (SNI) and looked for in the certificate"},
    {.key = "insecure_skip_verify",
     .type = OPTION_BOOL,
     .initial = "false",
     .offset = offsetof(struct http_client, insecure_skip_verify),
     .meaning = "trust any server: anyone on the way can read the tokens"},
    {VERSION("min_version", min_tls), .kind = "`TLS12` or `TLS13`", .shown = "`TLS12`",
     .meaning = "oldest version", .differs = "`TLS10` and `TLS11` are taken for `TLS12`"},
    {VERSION("max_version", max_tls), .kind = "`TLS12` or `TLS13`", .shown = "the newest",
     .meaning = "newest version", .differs = "`TLS10` and `TLS11` are refused"},
};
const struct option_table client_tls_table = {
    .title = "`tls_config`",
    .options = tls_options,
    .count = ARRAY_COUNT(tls_options),
    .bytes = sizeof(struct http_client),
    .check = check_tls,
};

/* ---- the proxy ---- */

static bool proxy_scheme_good(const struct url_part *scheme)
{
    static const char *const good[] = {"http", "https", "socks5", "socks5h"};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        if (strlen(good[i]) == scheme->bytes &&
            strncasecmp(good[i], scheme->text, scheme->bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* Neither the value nor a part of it is ever said: it may hold a password. */
void bind_proxy_url(struct binder *binder, const struct option *option,
                    const struct conf_node *node, void *target)
{
    struct url url;
    ASSERT(option->secret);
    if (node->kind == CONF_SCALAR && *node->text != '\0') {
        enum url_fault fault = url_parse(node->text, &url);
        /* a password for a proxy over plain http is what such proxies ask for */
        bool good = fault == URL_GOOD || fault == URL_CLEAR_SECRET || fault == URL_WRONG_SCHEME;
        if (!good || url.host.bytes == 0 || !proxy_scheme_good(&url.scheme)) {
            bind_problem(binder, node,
                         "%s must be a URL such as http://proxy.example.com:3128, of http, "
                         "https, socks5 or socks5h",
                         option->key);
            return;
        }
    }
    bind_auth_string(binder, option, node, target);
}

static void proxy_header_add(struct binder *binder, const struct option *option,
                             const struct conf_node *name, const struct conf_node *value,
                             struct http_client *client)
{
    if (value->kind != CONF_SCALAR || !header_value_good(value->text)) {
        bind_problem(binder, value, "a value of %s in %s must be a line of text", name->text,
                     option->key);
        return;
    }
    if (client->proxy_headers_count == CLIENT_PROXY_HEADERS_MAX) {
        bind_problem(binder, value, "%s has more than %d values", option->key,
                     CLIENT_PROXY_HEADERS_MAX);
        return;
    }
    client->proxy_headers = mem_grow(client->proxy_headers, client->proxy_headers_count + 1,
                                     sizeof *client->proxy_headers);
    client->proxy_headers[client->proxy_headers_count++] =
        (struct http_header){mem_string(name->text), mem_string(value->text)};
}

void bind_proxy_headers(struct binder *binder, const struct option *option,
                        const struct conf_node *node, void *target)
{
    struct http_client *client = (void *)((char *)target + option->offset);
    if (node->kind != CONF_MAP) {
        bind_problem(binder, node, "%s must be a map, found %s", option->key, node_kind_name(node));
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct conf_node *name = node->keys[i], *values = node->values[i];
        if (name->kind != CONF_SCALAR || !header_name_good(name->text)) {
            bind_problem(binder, name, "\"%s\" is not a valid header name",
                         name->kind == CONF_SCALAR ? name->text : "?");
            continue;
        }
        if (values->kind != CONF_LIST) {
            bind_problem(binder, values, "%s of %s must be a list, found %s", name->text,
                         option->key, node_kind_name(values));
            continue;
        }
        for (size_t k = 0; k < values->count; k++) {
            proxy_header_add(binder, option, name, values->values[k], client);
        }
    }
}

void check_client(struct binder *binder, const struct conf_node *node,
                  const struct http_client *client)
{
    const struct conf_node *headers = node_find(node, "proxy_connect_header");
    bool url = client->proxy_url != NULL;
    if (client->proxy_headers_count > 0 && !url && !client->proxy_from_environment) {
        bind_problem(binder, headers,
                     "if proxy_connect_header is configured, proxy_url or proxy_from_environment "
                     "must also be configured");
    }
    if (client->proxy_from_environment && url) {
        bind_problem(binder, node_find(node, "proxy_from_environment"),
                     "if proxy_from_environment is configured, proxy_url must not be configured");
    }
    if (client->proxy_from_environment && client->no_proxy != NULL) {
        bind_problem(binder, node_find(node, "proxy_from_environment"),
                     "if proxy_from_environment is configured, no_proxy must not be configured");
    } else if (client->no_proxy != NULL && node_find(node, "proxy_url") == NULL) {
        bind_problem(binder, node_find(node, "no_proxy"),
                     "if no_proxy is configured, proxy_url must also be configured");
    }
}

/* ---- the rest ---- */

/* True or false; false also when it is neither, and that was said. */
static bool bool_of(struct binder *binder, const struct option *option,
                    const struct conf_node *node)
{
    bool value = false;
    struct option plain = *option;
    plain.type = OPTION_BOOL;
    plain.offset = 0;
    bind_scalar(binder, &plain, node, &value);
    return value;
}

void bind_follow_redirects(struct binder *binder, const struct option *option,
                           const struct conf_node *node, void *target)
{
    struct http_client *client = (void *)((char *)target + option->offset);
    client->no_redirects = !bool_of(binder, option, node);
}

void bind_enable_http2(struct binder *binder, const struct option *option,
                       const struct conf_node *node, void *target)
{
    struct http_client *client = (void *)((char *)target + option->offset);
    client->http2 = bool_of(binder, option, node);
}

/* ---- copies ---- */

static char *copy(const char *text)
{
    return text != NULL ? mem_string(text) : NULL;
}

static void inherit_tls(struct http_client *client, const struct http_client *from)
{
    client->ca = copy(from->ca);
    client->ca_file = copy(from->ca_file);
    client->cert = copy(from->cert);
    client->cert_file = copy(from->cert_file);
    client->key = copy(from->key);
    client->key_file = copy(from->key_file);
    client->server_name = copy(from->server_name);
    client->insecure_skip_verify = from->insecure_skip_verify;
    client->min_tls = from->min_tls;
    client->max_tls = from->max_tls;
}

static void inherit_proxy(struct http_client *client, const struct http_client *from)
{
    client->proxy_url = copy(from->proxy_url);
    client->no_proxy = copy(from->no_proxy);
    client->proxy_from_environment = from->proxy_from_environment;
    client->proxy_headers = mem_new(from->proxy_headers_count, sizeof *client->proxy_headers);
    client->proxy_headers_count = from->proxy_headers_count;
    for (size_t i = 0; i < from->proxy_headers_count; i++) {
        client->proxy_headers[i] = (struct http_header){mem_string(from->proxy_headers[i].name),
                                                        mem_string(from->proxy_headers[i].value)};
    }
}

void client_inherit(struct http_client *client, const struct conf_node *node,
                    const struct http_client *from)
{
    static const char *const proxy_keys[] = {"proxy_url", "no_proxy", "proxy_from_environment",
                                             "proxy_connect_header"};
    bool proxy = false;
    ASSERT(client != from);
    for (size_t i = 0; i < ARRAY_COUNT(proxy_keys); i++) {
        proxy = proxy || node_find(node, proxy_keys[i]) != NULL;
    }
    if (node_find(node, "tls_config") == NULL) {
        inherit_tls(client, from);
    }
    if (!proxy) {
        inherit_proxy(client, from);
    }
    client->http2 = node_find(node, "enable_http2") != NULL ? client->http2 : from->http2;
    client->no_redirects =
        node_find(node, "follow_redirects") != NULL ? client->no_redirects : from->no_redirects;
    client->shuffle_addresses = from->shuffle_addresses;
}

bool client_differs(const struct http_client *client)
{
    return client->ca != NULL || client->ca_file != NULL || client->cert != NULL ||
           client->cert_file != NULL || client->server_name != NULL ||
           client->insecure_skip_verify || client->min_tls != HTTP_TLS_UNSET ||
           client->max_tls != HTTP_TLS_UNSET || client->http2 || client->shuffle_addresses ||
           client->no_redirects || client->proxy_url != NULL || client->proxy_from_environment;
}

void client_release(struct http_client *client)
{
    char *const texts[] = {client->ca,          client->ca_file,   client->cert,
                           client->cert_file,   client->key,       client->key_file,
                           client->server_name, client->proxy_url, client->no_proxy};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        text_wipe(texts[i]);
    }
    for (size_t i = 0; i < client->proxy_headers_count; i++) {
        text_wipe((char *)(uintptr_t)client->proxy_headers[i].name);
        text_wipe((char *)(uintptr_t)client->proxy_headers[i].value);
    }
    mem_free(client->proxy_headers);
    *client = (struct http_client){0};
}

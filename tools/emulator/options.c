/* options.c - one table of keys a level; a key that no table has is an error, never ignored. */
#include "options_bind.h"

#include <arpa/inet.h>

struct option {
    const char *key;
    void (*bind)(struct binder *binder, const struct conf_node *value);
};

static const char *scalar(struct binder *binder, const struct conf_node *node)
{
    if (node->kind != CONF_SCALAR) {
        PROBLEM(binder, node, "expected a single value");
        return NULL;
    }
    return node->text;
}

static void bind_string(struct binder *binder, const struct conf_node *node, char **out)
{
    const char *text = scalar(binder, node);
    if (text != NULL) {
        mem_free(*out);
        *out = mem_string(text);
    }
}

bool host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool host_is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* HOST:PORT, an IPv6 host in brackets. */
static bool split_address(const char *text, char **host, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] < '0' || colon[1] > '9') {
        return false;
    }
    char *end;
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || number > UINT16_MAX) {
        return false;
    }
    bool bracketed = text[0] == '[' && colon[-1] == ']';
    int bytes = (int)(colon - text) - (bracketed ? 2 : 0);
    mem_free(*host);
    *host = mem_format("%.*s", bytes, bracketed ? text + 1 : text);
    *port = (uint16_t)number;
    return host_is_numeric(*host);
}

static void bind_listen_address(struct binder *binder, const struct conf_node *node)
{
    const char *text = scalar(binder, node);
    struct options *options = binder->options;
    if (text != NULL && !split_address(text, &options->host, &options->port)) {
        PROBLEM(binder, node,
                "listen_address must be a numeric address and a port, as in 127.0.0.1:9201");
    }
}

static void bind_allow_remote(struct binder *binder, const struct conf_node *node)
{
    const char *text = scalar(binder, node);
    if (text == NULL) {
        return;
    }
    binder->options->allow_remote = strcmp(text, "true") == 0;
    if (!binder->options->allow_remote && strcmp(text, "false") != 0) {
        PROBLEM(binder, node, "allow_remote must be true or false");
    }
}

static void bind_store(struct binder *binder, const struct conf_node *node)
{
    const char *text = scalar(binder, node);
    if (text == NULL) {
        return;
    }
    binder->options->store = strcmp(text, "sqlite") == 0;
    if (!binder->options->store && strcmp(text, "none") != 0) {
        PROBLEM(binder, node, "store must be sqlite or none");
    }
}

static void bind_database(struct binder *binder, const struct conf_node *node)
{
    bind_string(binder, node, &binder->options->database);
}

static void bind_commit_interval(struct binder *binder, const struct conf_node *node)
{
    const char *text = scalar(binder, node);
    int64_t *out = &binder->options->commit_ms;
    if (text != NULL && (!conf_duration_parse(text, out) || *out > 60000)) {
        PROBLEM(binder, node, "commit_interval must be a duration of at most 1m");
    }
}

static void bind_max_body_bytes(struct binder *binder, const struct conf_node *node)
{
    const char *text = scalar(binder, node);
    uint64_t *out = &binder->options->body_bytes_max;
    if (text != NULL && (!conf_bytes_parse(text, out) || *out == 0 || *out > BODY_BYTES_MAX)) {
        PROBLEM(binder, node, "max_body_bytes must be a size of at most 32MiB");
    }
}

static const struct option OPTIONS[] = {
    {"listen_address", bind_listen_address},
    {"allow_remote", bind_allow_remote},
    {"store", bind_store},
    {"database", bind_database},
    {"commit_interval", bind_commit_interval},
    {"max_body_bytes", bind_max_body_bytes},
    {"endpoints", options_bind_endpoints},
    {"workspaces", options_bind_workspaces},
    {"identities", options_bind_identities},
    {"tokens", options_bind_tokens},
    {"audiences", options_bind_audiences},
    {"federated_issuer", options_bind_issuer},
    {"arc_keys_directory", options_bind_arc},
    {"app_service_header", options_bind_app_service},
    {"imds_per_second", options_bind_imds},
    {"script", options_bind_script},
    {"tls", options_bind_tls},
};

static void bind_map(struct binder *binder, const struct conf_node *node,
                     const struct option *options, size_t options_count)
{
    if (node->kind != CONF_MAP) {
        PROBLEM(binder, node, "expected a map of keys");
        return;
    }
    for (size_t index = 0; index < node->count; index++) {
        const struct conf_node *key = node->keys[index];
        size_t row = 0;
        while (row < options_count &&
               (key->kind != CONF_SCALAR || strcmp(key->text, options[row].key) != 0)) {
            row++;
        }
        if (row == options_count) {
            PROBLEM(binder, key, "unknown key \"%s\"", key->kind == CONF_SCALAR ? key->text : "");
        } else {
            options[row].bind(binder, node->values[index]);
        }
    }
}

/* The second address, of TLS. */
static void check_tls(struct binder *binder, const struct conf_node *root)
{
    struct tls_options *tls = &binder->options->tls;
    if (tls->directory == NULL || tls->listen_address == NULL) {
        return;
    }
    if (!split_address(tls->listen_address, &tls->host, &tls->port)) {
        PROBLEM(binder, root, "tls: listen_address must be a numeric address and a port");
    } else if (!binder->options->allow_remote && !host_is_loopback(tls->host)) {
        PROBLEM(binder, root, "tls: listen_address is not on loopback");
    }
}

static void check_whole(struct binder *binder, const struct conf_node *root)
{
    const struct options *options = binder->options;
    if (options->host == NULL) {
        PROBLEM(binder, root, "listen_address is missing");
    } else if (!options->allow_remote && !host_is_loopback(options->host)) {
        PROBLEM(binder, root,
                "listen_address is not on loopback: say allow_remote: true if that is meant");
    }
    if (options->store && options->database == NULL) {
        PROBLEM(binder, root, "database is missing (or say store: none)");
    }
    if (options->endpoints == NULL) {
        PROBLEM(binder, root, "endpoints is missing");
    }
    check_tls(binder, root);
    options_check_azure(binder, root);
}

struct options *options_bind(const struct conf_node *root, const char *file,
                             struct conf_problems *problems)
{
    ASSERT(root != NULL && file != NULL);
    struct options *options = mem_new(1, sizeof *options);
    options->store = true;
    options->commit_ms = 500;
    options->body_bytes_max = BODY_BYTES_MAX;
    options->azure.tokens.life_ms = 3600 * 1000;
    struct binder binder = {{file, problems}, options};
    bind_map(&binder, root, OPTIONS, ARRAY_COUNT(OPTIONS));
    check_whole(&binder, root);
    if (problems->count > 0) {
        options_free(options);
        return NULL;
    }
    return options;
}

void options_free(struct options *options)
{
    if (options == NULL) {
        return;
    }
    options_release_endpoints(options);
    options_release_azure(options);
    options_release_script(options);
    mem_free(options->tls.host);
    mem_free(options->database);
    mem_free(options->host);
    mem_free(options);
}

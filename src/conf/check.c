/* check.c - what concerns more than one option, and defaults that follow from others. Each check
 * runs also when something within was refused: fields may then be NULL or zero. */
#include "auth.h"
#include "client.h"

#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/url.h>

enum {
    AZURE_WINDOW_MS = 20 * 60 * 1000,   /* it drops what is older, or further ahead */
    AZURE_AGE_LIMIT_MS = 19 * 60 * 1000 /* a request may take its time */
};

void check_queue(struct binder *binder, const struct conf_node *node, void *target)
{
    struct conf_queue *queue = target;
    ASSERT(queue != NULL);
    if (node_find(node, "max_shards") != NULL && queue->max_shards > 0 &&
        queue->min_shards > queue->max_shards) {
        bind_problem(binder, node_find(node, "min_shards"),
                     "remote write queue min_shards must not be greater than max_shards");
    }
    if (queue->max_shards > REQUESTS_IN_FLIGHT_MAX) {
        queue->max_shards = REQUESTS_IN_FLIGHT_MAX; /* Prometheus' blocks often say 50 and more */
    }
    if (queue->max_backoff_ms >= queue->min_backoff_ms) {
        return;
    }
    const struct conf_node *max = node_find(node, "max_backoff");
    const struct conf_node *min = node_find(node, "min_backoff");
    bind_problem(binder, max != NULL ? max : min,
                 "remote write queue max_backoff must not be less than min_backoff");
}

/* ---- a destination ---- */

static bool destination_is_azure(const struct conf_destination *destination)
{
    for (size_t i = 0; i < destination->endpoints_count; i++) {
        struct url url;
        const char *text = destination->endpoints[i].url;
        if (text != NULL && url_parse(text, &url) == URL_GOOD && url_is_azure(&url)) {
            return true;
        }
    }
    return false;
}

/* Two endpoints with one key would be one in the saved state and in the placement of shards. */
static void check_endpoint_keys(struct binder *binder, const struct conf_destination *destination)
{
    for (size_t i = 1; i < destination->endpoints_count; i++) {
        const struct conf_endpoint *endpoint = &destination->endpoints[i];
        for (size_t j = 0; j < i && endpoint->key != NULL; j++) {
            const char *other = destination->endpoints[j].key;
            if (other == NULL || strcmp(other, endpoint->key) != 0) {
                continue;
            }
            struct conf_node at = {.line = endpoint->line, .column = endpoint->column};
            bind_problem(binder, &at,
                         "endpoint %s is already in line %u (the query does not count)",
                         endpoint->key, destination->endpoints[j].line);
            break;
        }
    }
}

/* ---- what an endpoint has from its destination ---- */

void check_endpoint(struct binder *binder, const struct conf_node *node, void *target)
{
    struct conf_endpoint *endpoint = target;
    ASSERT(endpoint != NULL);
    check_auth(binder, node, &endpoint->auth);
    check_client(binder, node, &endpoint->client);
}

static void inherit_auth(struct conf_endpoint *endpoint, const struct conf_auth *from)
{
    bool insecure = endpoint->auth.allow_insecure_http || from->allow_insecure_http;
    if (endpoint->auth.line == 0) { /* check_auth found no block of its own */
        conf_auth_release(&endpoint->auth);
        conf_auth_copy(&endpoint->auth, from);
        endpoint->auth.allow_insecure_http = insecure;
    }
}

static void check_inherited(struct binder *binder, const struct conf_node *node,
                            struct conf_destination *destination)
{
    const struct conf_node *list = node_find(node, "endpoints");
    for (size_t i = 0; i < destination->endpoints_count; i++) {
        struct conf_endpoint *endpoint = &destination->endpoints[i];
        const struct conf_node *own = list != NULL ? list->values[i] : NULL;
        inherit_auth(endpoint, &destination->auth);
        client_inherit(&endpoint->client, own, &destination->client);
        headers_inherit(binder, own != NULL ? own : node, &endpoint->headers,
                        &destination->headers);
        endpoint->has_client = client_differs(&endpoint->client);
        /* the way out is the same, but it is another server: neither the endpoint's CA nor the
         * certificate that walship shows to the endpoint is for it */
        const struct http_client *client = &endpoint->client;
        endpoint->token_client =
            (struct http_client){.proxy_url = client->proxy_url,
                                 .no_proxy = client->no_proxy,
                                 .proxy_from_environment = client->proxy_from_environment,
                                 .proxy_headers = client->proxy_headers,
                                 .proxy_headers_count = client->proxy_headers_count};
        if (client_differs(&endpoint->auth.client)) { /* oauth2 says its own */
            endpoint->token_client = endpoint->auth.client;
        }
        endpoint->has_token_client = client_differs(&endpoint->token_client);
        check_clear(binder, endpoint);
    }
}

void check_destination(struct binder *binder, const struct conf_node *node, void *target)
{
    struct conf_destination *destination = target;
    if (node == NULL) {
        return; /* was no map: said */
    }
    destination->line = node->line;
    destination->column = node->column;
    check_auth(binder, node, &destination->auth);
    check_client(binder, node, &destination->client);
    const struct conf_node *url = node_find(node, "url");
    const struct conf_node *endpoints = node_find(node, "endpoints");
    if (url == NULL && endpoints == NULL) {
        bind_problem(binder, node, "url for remote_write is empty");
        return;
    }
    if (url != NULL && endpoints != NULL) {
        bind_problem(binder, url, "at most one of url & endpoints must be configured");
        return;
    }
    check_quotas(destination);
    check_endpoint_keys(binder, destination);
    check_inherited(binder, node, destination);
    if (destination->name == NULL || *destination->name == '\0') {
        mem_free(destination->name);
        const char *key = destination->endpoints_count > 0 ? destination->endpoints[0].key : NULL;
        destination->name = key != NULL ? mem_string(key) : NULL;
    }
    if (destination_is_azure(destination)) {
        destination->window_ms = AZURE_WINDOW_MS;
        if (node_find(node, "out_of_order") == NULL) {
            destination->out_of_order = CONF_ORDER_DROP;
        }
        destination->fold_case = true; /* Azure takes names and values for the same in any case */
        const struct conf_node *queue = node_find(node, "queue_config");
        if (node_find(queue, "sample_age_limit") == NULL) {
            destination->queue.sample_age_limit_ms = AZURE_AGE_LIMIT_MS;
        }
    }
}

/* ---- the whole ---- */

static void name_twice(struct binder *binder, const struct conf_destination *destination)
{
    const char *key = destination->endpoints_count > 0 ? destination->endpoints[0].key : NULL;
    bool by_url = key != NULL && strcmp(key, destination->name) == 0;
    struct conf_node at = {.line = destination->line, .column = destination->column};
    bind_problem(binder, &at,
                 by_url ? "duplicate remote write configs are not allowed, found duplicate "
                          "for URL: %s (give them names)"
                        : "found multiple remote write configs with job name \"%s\"",
                 destination->name);
}

static bool name_known(const struct conf *conf, size_t index)
{
    const char *name = conf->destinations[index].name;
    for (size_t i = 0; i < index && name != NULL; i++) {
        const char *other = conf->destinations[i].name;
        if (other != NULL && strcmp(other, name) == 0) {
            return true;
        }
    }
    return false;
}

void check_whole(struct binder *binder, struct binder *prometheus, const struct conf *conf,
                 size_t own)
{
    ASSERT(own <= conf->destinations_count);
    for (size_t i = 1; i < conf->destinations_count; i++) {
        if (name_known(conf, i)) {
            name_twice(i < own ? binder : prometheus, &conf->destinations[i]);
        }
    }
    bool good = binder->problems_count == 0 && prometheus->problems_count == 0;
    if (conf->use_remote_write && conf->prometheus_config == NULL) {
        bind_problem(binder, node_find(binder->root, "use_remote_write"),
                     "use_remote_write needs prometheus_config, the file to take the blocks from");
    } else if (conf->destinations_count == 0 &&
               (good || node_find(binder->root, "remote_write") == NULL)) {
        bind_problem(binder, NULL, "remote_write is required%s",
                     conf->use_remote_write ? ", and prometheus_config has none either" : "");
    }
    if (conf->destinations_count > DESTINATIONS_MAX) {
        bind_problem(binder, NULL, "more than %d destinations", DESTINATIONS_MAX);
    }
    check_quota_groups(binder, conf);
}

/* HOST:PORT, [IPV6]:PORT or :PORT. Whether the host is an address of this machine shows later. */
static bool listen_good(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || text[strcspn(text, " \t/@?#")] != '\0') {
        return false;
    }
    size_t digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0') {
        return false;
    }
    unsigned long port = strtoul(colon + 1, NULL, 10);
    bool bracketed = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    bool plain = memchr(text, ':', (size_t)(colon - text)) == NULL;
    return port >= 1 && port <= 65535 && (bracketed || plain);
}

/* The directory that Prometheus owns: `wal` lies in it, or it was named itself. */
static char *data_directory(const char *wal_dir)
{
    const char *slash = strrchr(wal_dir, '/');
    if (strcmp(wal_dir, "wal") == 0) {
        return mem_string(".");
    }
    if (slash == NULL || slash == wal_dir || strcmp(slash, "/wal") != 0) {
        return mem_string(wal_dir);
    }
    return mem_format("%.*s", (int)(slash - wal_dir), wal_dir);
}

static void check_outside(struct binder *binder, const struct conf_node *node, const char *key,
                          const char *path, const char *data)
{
    const struct conf_node *at = node_find(node, key);
    if (path != NULL && path_within(path, data)) {
        bind_problem(
            binder, at != NULL ? at : node_find(node, "wal_dir"),
            "%s must not lie in Prometheus' data directory %s: walship writes nothing there", key,
            data);
    }
}

void check_top(struct binder *binder, const struct conf_node *node, void *target)
{
    struct conf *conf = target;
    const struct conf_node *listen = node_find(node, "listen_address");
    if (listen != NULL && conf->listen_address != NULL && *conf->listen_address != '\0' &&
        !listen_good(conf->listen_address)) {
        bind_problem(binder, listen, "listen_address must be HOST:PORT or empty, found \"%s\"",
                     listen->text);
    }
    if (conf->spool_dir == NULL && conf->state_dir != NULL) {
        conf->spool_dir = mem_format("%s/spool", conf->state_dir);
    }
    if (conf->wal_dir != NULL) {
        char *data = data_directory(conf->wal_dir);
        check_outside(binder, node, "state_dir", conf->state_dir, data);
        if (node_find(node, "spool_dir") != NULL) {
            check_outside(binder, node, "spool_dir", conf->spool_dir, data);
        }
        mem_free(data);
    }
}

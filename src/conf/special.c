/* special.c - options that need code of their own: URLs, maps of free keys, lists of names. */
#include "bind.h"

#include <strings.h>
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/url.h>

void bind_start_at(struct binder *binder, const struct option *option, const struct conf_node *node,
                   void *target)
{
    struct conf *conf = target;
    const char *text = node->kind == CONF_SCALAR ? node->text : "";
    ASSERT(option->offset == offsetof(struct conf, start_at));
    if (strcmp(text, "now") == 0) {
        conf->start_at = CONF_START_NOW;
    } else if (strcmp(text, "oldest") == 0) {
        conf->start_at = CONF_START_OLDEST;
    } else if (conf_duration_parse(text, &conf->start_ago_ms)) {
        conf->start_at = CONF_START_AGO;
    } else {
        bind_problem(binder, node, "start_at must be now, oldest or a duration such as 20m");
    }
}

void bind_min_free(struct binder *binder, const struct option *option, const struct conf_node *node,
                   void *target)
{
    struct conf *conf = target;
    const char *text = node->kind == CONF_SCALAR ? node->text : "";
    ASSERT(option->offset == offsetof(struct conf, spool_min_free));
    size_t digits = strspn(text, "0123456789");
    conf->spool_min_free_percent = digits > 0 && digits < 4 && strcmp(text + digits, "%") == 0;
    bool ok = conf->spool_min_free_percent || conf_bytes_parse(text, &conf->spool_min_free);
    if (conf->spool_min_free_percent) {
        conf->spool_min_free = strtoull(text, NULL, 10);
        ok = conf->spool_min_free <= 100;
    }
    if (!ok) {
        bind_problem(binder, node, "spool_min_free must be a percentage such as 10%% or bytes");
    }
}

/* ---- labels ---- */

/* Bytes of the UTF-8 character at text; 0: it is none. */
static size_t utf8_bytes(const unsigned char *text)
{
    size_t more = text[0] < 0x80   ? 0
                  : text[0] < 0xc2 ? 9
                  : text[0] < 0xe0 ? 1
                  : text[0] < 0xf0 ? 2
                  : text[0] < 0xf5 ? 3
                                   : 9;
    for (size_t i = 1; i <= more; i++) {
        if (more == 9 || (text[i] & 0xc0) != 0x80) {
            return 0; /* the terminating NUL stops here too */
        }
    }
    bool bad = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
               (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f);
    return bad ? 0 : more + 1;
}

static bool utf8_good(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t bytes = utf8_bytes(at);
        if (bytes == 0) {
            return false;
        }
        at += bytes;
    }
    return true;
}

/* A map of texts to texts; false: it is none, and that was said. */
static bool is_text_map(struct binder *binder, const struct option *option,
                        const struct conf_node *node)
{
    if (node->kind != CONF_MAP) {
        bind_problem(binder, node, "%s must be a map, found %s", option->key, node_kind_name(node));
        return false;
    }
    return true;
}

/* One pair of it. null stands for the empty text, as in Prometheus' parser. */
static bool text_pair(struct binder *binder, const struct option *option,
                      const struct conf_node *node, size_t index, const char **out)
{
    const struct conf_node *key = node->keys[index];
    const struct conf_node *value = node->values[index];
    if (key->kind != CONF_SCALAR) {
        bind_problem(binder, key, "a key of %s must be a single value, found %s", option->key,
                     node_kind_name(key));
        return false;
    }
    if (value->kind != CONF_SCALAR && value->kind != CONF_NULL) {
        bind_problem(binder, value, "%s of %s must be a single value, found %s", key->text,
                     option->key, node_kind_name(value));
        return false;
    }
    for (size_t i = 0; i < index; i++) {
        if (node->keys[i]->kind == CONF_SCALAR && strcmp(node->keys[i]->text, key->text) == 0) {
            bind_problem(binder, key, "key \"%s\" already set in line %u", key->text,
                         node->keys[i]->line);
            return false;
        }
    }
    *out = value->kind == CONF_NULL ? "" : value->text;
    return true;
}

static bool label_good(struct binder *binder, const struct conf_node *key, const char *value)
{
    if (*key->text == '\0' || !utf8_good(key->text)) {
        bind_problem(binder, key, "\"%s\" is not a valid label name", key->text);
        return false;
    }
    if (!utf8_good(value)) {
        bind_problem(binder, key, "the value of \"%s\" is not a valid label value", key->text);
        return false;
    }
    return true;
}

void bind_external_labels(struct binder *binder, const struct option *option,
                          const struct conf_node *node, void *target)
{
    struct conf *conf = target;
    if (!is_text_map(binder, option, node) || node->count == 0) {
        return;
    }
    if (node->count > LABELS_COUNT_MAX) {
        bind_problem(binder, node, "external_labels has %zu labels, the most is %d", node->count,
                     LABELS_COUNT_MAX);
        return;
    }
    size_t bytes = 0;
    conf->external_labels = mem_new(node->count, sizeof *conf->external_labels);
    for (size_t i = 0; i < node->count; i++) {
        const char *value;
        const char *name = node->keys[i]->text;
        char *expanded = NULL;
        /* an empty value is no label: left out here, labels_canonical would lose the memory */
        if (!text_pair(binder, option, node, i, &value) ||
            !label_good(binder, node->keys[i], value) ||
            (expanded = text_expand(binder, value)) == NULL || *expanded == '\0') {
            mem_free(expanded);
            continue;
        }
        conf->external_labels[conf->external_labels_count++] = (struct label){
            .name = mem_string(name),
            .value = expanded,
            .name_bytes = (uint32_t)strlen(name),
            .value_bytes = (uint32_t)strlen(expanded),
        };
        bytes += strlen(name) + strlen(expanded);
    }
    if (bytes > LABELS_BYTES_MAX) {
        bind_problem(binder, node, "external_labels has %zu bytes, the most is %d", bytes,
                     LABELS_BYTES_MAX);
    }
    size_t count = labels_canonical(conf->external_labels, conf->external_labels_count);
    ASSERT(count == conf->external_labels_count);
}

void bind_shard_by(struct binder *binder, const struct option *option, const struct conf_node *node,
                   void *target)
{
    struct conf_destination *destination = target;
    if (node->kind != CONF_LIST) {
        bind_problem(binder, node, "%s must be a list, found %s", option->key,
                     node_kind_name(node));
        return;
    }
    if (node->count == 0) {
        return;
    }
    destination->shard_by = mem_new(node->count, sizeof *destination->shard_by);
    for (size_t i = 0; i < node->count; i++) {
        const struct conf_node *name = node->values[i];
        if (name->kind != CONF_SCALAR || *name->text == '\0' || !utf8_good(name->text)) {
            bind_problem(binder, name, "an element of shard_by must be a label name");
            continue;
        }
        destination->shard_by[destination->shard_by_count++] = mem_string(name->text);
    }
}

/* ---- headers ---- */

static bool header_good(struct binder *binder, const struct conf_node *key, const char *value)
{
    if (strcasecmp(key->text, "authorization") == 0) {
        bind_problem(binder, key,
                     "authorization header must be changed via the basic_auth, authorization, "
                     "oauth2, sigv4, azuread or google_iam parameter");
        return false;
    }
    if (header_reserved(key->text)) {
        bind_problem(binder, key, "%s is a reserved header. It must not be changed", key->text);
        return false;
    }
    if (!header_name_good(key->text)) {
        bind_problem(binder, key, "\"%s\" is not a valid header name", key->text);
        return false;
    }
    if (!header_value_good(value)) {
        bind_problem(binder, key, "the value of header %s has a control character", key->text);
        return false;
    }
    return true;
}

void bind_headers(struct binder *binder, const struct option *option, const struct conf_node *node,
                  void *target)
{
    struct conf_headers *headers = (void *)((char *)target + option->offset);
    if (!is_text_map(binder, option, node)) {
        return;
    }
    if (node->count + headers->count >
        CONF_HEADERS_MAX) { /* http_headers may have put some there */
        bind_problem(binder, node, "headers has %zu entries, the most is %d", node->count,
                     CONF_HEADERS_MAX);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const char *value;
        if (!text_pair(binder, option, node, i, &value) ||
            !header_good(binder, node->keys[i], value)) {
            continue;
        }
        if (headers_have(headers, node->keys[i]->text)) {
            bind_problem(binder, node->keys[i], "header %s is set twice", node->keys[i]->text);
            continue;
        }
        struct conf_header header = {.name = mem_string(node->keys[i]->text),
                                     .value = mem_string(value)};
        headers_add(headers, &header);
    }
}

/* ---- URLs ---- */

/* The value itself is never said: a bad URL may still hold a password. */
static void url_problem(struct binder *binder, const struct conf_node *node, enum url_fault fault,
                        const struct url *url)
{
    switch (fault) {
    case URL_GOOD:
        return;
    case URL_EMPTY:
        bind_problem(binder, node, "url for remote_write is empty");
        return;
    case URL_BAD_BYTE:
        bind_problem(binder, node, "url for remote_write has a blank or control character");
        return;
    case URL_NO_SCHEME:
        bind_problem(binder, node,
                     "url for remote_write has no scheme: it must begin with http:// or https://");
        return;
    case URL_WRONG_SCHEME:
        bind_problem(binder, node, "url for remote_write: unsupported protocol scheme \"%.*s\"",
                     (int)url->scheme.bytes, url->scheme.text);
        return;
    case URL_NO_HOST:
        bind_problem(binder, node, "url for remote_write has no host");
        return;
    case URL_BAD_PORT:
        bind_problem(binder, node, "url for remote_write has an invalid port");
        return;
    case URL_CLEAR_SECRET:
        bind_problem(binder, node,
                     "url for remote_write: a password must not go over plain http to another "
                     "machine");
        return;
    }
}

void bind_url(struct binder *binder, const struct option *option, const struct conf_node *node,
              void *target)
{
    struct conf_endpoint *endpoint = target;
    struct url url;
    ASSERT(option->secret);
    endpoint->line = node->line;
    endpoint->column = node->column;
    if (node->kind != CONF_SCALAR) {
        bind_problem(binder, node, "url must be a single value, found %s", node_kind_name(node));
        return;
    }
    enum url_fault fault = url_parse(node->text, &url);
    if (fault != URL_GOOD) {
        url_problem(binder, node, fault, &url);
        return;
    }
    endpoint->url = mem_string(node->text);
    endpoint->shown = url_bare(&url);
    endpoint->key = url_bare(&url);
}

/* `url:` of a destination is a list of one endpoint, all else of it by default. */
void bind_url_alone(struct binder *binder, const struct option *option,
                    const struct conf_node *node, void *target)
{
    struct conf_destination *destination = target;
    if (destination->endpoints != NULL) {
        return; /* `endpoints` is there too: check_destination says so */
    }
    destination->endpoints = mem_new(1, option->table->bytes);
    destination->endpoints_count = 1;
    bind_push(binder, NULL, option->table, destination->endpoints);
    bind_url(binder, option, node, destination->endpoints);
}

void bind_prometheus_url(struct binder *binder, const struct option *option,
                         const struct conf_node *node, void *target)
{
    struct conf *conf = target;
    struct url url;
    if (node->kind != CONF_SCALAR || url_parse(node->text, &url) != URL_GOOD ||
        strpbrk(node->text, "?#") != NULL) {
        bind_problem(binder, node, "%s must be a URL such as http://127.0.0.1:9090", option->key);
        return;
    }
    size_t bytes = strlen(node->text);
    while (node->text[bytes - 1] == '/') {
        bytes--;
    }
    conf->prometheus_url = mem_format("%.*s", (int)bytes, node->text);
    conf->prometheus_shown = url_bare(&url);
    bytes = strlen(conf->prometheus_shown);
    while (conf->prometheus_shown[bytes - 1] == '/') {
        conf->prometheus_shown[--bytes] = '\0';
    }
}

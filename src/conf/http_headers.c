/* http_headers.c - headers of every request: which names may be set and what a value may hold, and
 * http_headers, the long form of `headers`. */
#include "bind.h"

#include <ctype.h>
#include <strings.h>
#include <walship/mem.h>

static const char *const reserved_always[] = {
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
};
static const char *const reserved_long[] = {"authorization", "x-prometheus-scrape-timeout-seconds"};

static bool in_list(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool header_reserved(const char *name)
{
    return in_list(reserved_always, ARRAY_COUNT(reserved_always), name);
}

bool header_name_good(const char *name)
{
    const char *at = name;
    while (isalnum((unsigned char)*at) || (*at != '\0' && strchr("!#$%&'*+-.^_`|~", *at) != NULL)) {
        at++;
    }
    return at > name && *at == '\0';
}

bool header_value_good(const char *value)
{
    for (; *value != '\0'; value++) {
        if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f) {
            return false; /* a line break would begin a header of its own */
        }
    }
    return true;
}

/* "x-amz-date" as "X-Amz-Date", the way Prometheus names it. */
static void canonical(const char *name, char *out, size_t room)
{
    bool first = true;
    (void)snprintf(out, room, "%s", name);
    for (; *out != '\0'; out++) {
        *out = (char)(first ? toupper((unsigned char)*out) : tolower((unsigned char)*out));
        first = *out == '-';
    }
}

static bool name_bound(struct binder *binder, const struct conf_node *key)
{
    char shown[100];
    const char *name = key->kind == CONF_SCALAR ? key->text : "?";
    if (header_reserved(name) || in_list(reserved_long, ARRAY_COUNT(reserved_long), name)) {
        canonical(name, shown, sizeof shown);
        bind_problem(binder, key, "setting header \"%s\" is not allowed", shown);
        return false;
    }
    if (key->kind != CONF_SCALAR || !header_name_good(name)) {
        bind_problem(binder, key, "\"%s\" is not a valid header name", name);
        return false;
    }
    return true;
}

static void values_bind(struct binder *binder, const struct option *option,
                        const struct conf_node *name, const struct conf_node *list,
                        struct conf_destination *destination)
{
    if (list->kind != CONF_LIST) {
        bind_problem(binder, list, "the values of %s must be a list, found %s", name->text,
                     node_kind_name(list));
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct conf_node *value = list->values[i];
        if (value->kind != CONF_SCALAR || !header_value_good(value->text)) {
            bind_problem(binder, value, "a value of header %s must be a line of text", name->text);
            continue;
        }
        if (destination->headers_count == option->max) {
            bind_problem(binder, value, "more than %llu headers", (unsigned long long)option->max);
            return;
        }
        destination->headers = mem_grow(destination->headers, destination->headers_count + 1,
                                        sizeof *destination->headers);
        destination->headers[destination->headers_count++] =
            (struct conf_header){mem_string(name->text), mem_string(value->text)};
    }
}

/* {values: [], secrets: [], files: []} of one name. */
static void header_bind(struct binder *binder, const struct option *option,
                        const struct conf_node *name, const struct conf_node *map,
                        struct conf_destination *destination)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct conf_node *key = map->keys[i], *list = map->values[i];
        const char *text = key->kind == CONF_SCALAR ? key->text : "?";
        if (strcmp(text, "files") == 0) {
            bind_problem(binder, key, "files of %s is not supported yet", option->key);
        } else if (strcmp(text, "values") != 0 && strcmp(text, "secrets") != 0) {
            bind_problem(binder, key, "unknown key \"%s\"", text);
        } else if (list->kind != CONF_NULL) {
            values_bind(binder, option, name, list, destination);
        }
    }
}

void bind_http_headers(struct binder *binder, const struct option *option,
                       const struct conf_node *node, void *target)
{
    if (node->kind != CONF_MAP) {
        bind_problem(binder, node, "%s must be a map, found %s", option->key, node_kind_name(node));
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct conf_node *name = node->keys[i], *map = node->values[i];
        if (!name_bound(binder, name) || map->kind == CONF_NULL) {
            continue;
        }
        if (map->kind != CONF_MAP) {
            bind_problem(binder, map, "%s of %s must be a map, found %s", name->text, option->key,
                         node_kind_name(map));
            continue;
        }
        header_bind(binder, option, name, map, target);
    }
}

/* http_headers.c - headers of every request: which names may be set and what a value may hold, and
 * http_headers, the long form of `headers`. */
#include "auth.h"
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

static bool headers_have_before(const struct conf_headers *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(headers->rows[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool headers_have(const struct conf_headers *headers, const char *name)
{
    return headers_have_before(headers, headers->count, name);
}

void headers_add(struct conf_headers *headers, const struct conf_header *header)
{
    ASSERT(headers->count < CONF_HEADERS_MAX && header->name != NULL);
    headers->rows = mem_grow(headers->rows, headers->count + 1, sizeof *headers->rows);
    headers->rows[headers->count++] = *header;
}

void headers_inherit(struct binder *binder, const struct conf_node *at,
                     struct conf_headers *headers, const struct conf_headers *from)
{
    size_t own = headers->count;
    for (size_t i = 0; i < from->count; i++) {
        const struct conf_header *header = &from->rows[i];
        if (headers_have_before(headers, own, header->name)) {
            continue; /* the endpoint says it otherwise */
        }
        if (headers->count == CONF_HEADERS_MAX) {
            bind_problem(binder, at, "more than %d headers", CONF_HEADERS_MAX);
            return;
        }
        struct conf_header copy = {
            .name = mem_string(header->name),
            .value = header->value != NULL ? mem_string(header->value) : NULL,
            .file = header->file != NULL ? mem_string(header->file) : NULL,
            .secret = header->secret,
        };
        headers_add(headers, &copy);
    }
}

void headers_release(struct conf_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        mem_free(headers->rows[i].name);
        text_wipe(headers->rows[i].value);
        mem_free(headers->rows[i].file);
    }
    mem_free(headers->rows);
    *headers = (struct conf_headers){0};
}

static void values_bind(struct binder *binder, const struct conf_node *name,
                        const struct conf_node *list, const char *kind,
                        struct conf_headers *headers)
{
    bool files = strcmp(kind, "files") == 0;
    if (list->kind != CONF_LIST) {
        bind_problem(binder, list, "the %s of %s must be a list, found %s", files ? kind : "values",
                     name->text, node_kind_name(list));
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct conf_node *value = list->values[i];
        if (value->kind != CONF_SCALAR || !header_value_good(value->text)) {
            bind_problem(binder, value, "a value of header %s must be a line of text", name->text);
            continue;
        }
        if (headers->count == CONF_HEADERS_MAX) {
            bind_problem(binder, value, "more than %d headers", CONF_HEADERS_MAX);
            return;
        }
        struct conf_header header = {.name = mem_string(name->text),
                                     .secret = files || strcmp(kind, "secrets") == 0};
        if (files) {
            header.file = path_resolve(binder->file, value->text);
        } else {
            header.value = mem_string(value->text);
        }
        headers_add(headers, &header);
    }
}

/* {values: [], secrets: [], files: []} of one name. */
static void header_bind(struct binder *binder, const struct conf_node *name,
                        const struct conf_node *map, struct conf_headers *headers)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct conf_node *key = map->keys[i], *list = map->values[i];
        const char *text = key->kind == CONF_SCALAR ? key->text : "?";
        bool files = strcmp(text, "files") == 0;
        if (!files && strcmp(text, "values") != 0 && strcmp(text, "secrets") != 0) {
            bind_problem(binder, key, "unknown key \"%s\"", text);
        } else if (list->kind != CONF_NULL) {
            values_bind(binder, name, list, text, headers);
        }
    }
}

void bind_http_headers(struct binder *binder, const struct option *option,
                       const struct conf_node *node, void *target)
{
    struct conf_headers *headers = (void *)((char *)target + option->offset);
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
        header_bind(binder, name, map, headers);
    }
}

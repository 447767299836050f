/* options_endpoint.c - the endpoints: the first form by its path, an Azure pair by dce and dcr. */
#include "options_bind.h"

#include <strings.h>

static const char *const TOO_LARGE[] = {"status", "cut", NULL};
static const char *const THROTTLE[] = {"seconds", "date", "none", NULL};
enum { NAME_BYTES_MAX = 100 };

static const char NAME_BYTES[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

const char *options_check_name(const char *name)
{
    bool good =
        *name != '\0' && name[strspn(name, NAME_BYTES)] == '\0' && strlen(name) <= NAME_BYTES_MAX;
    return good ? NULL : "may have letters, digits, - and _ only, 100 at most";
}

static const char *check_path(const char *path)
{
    static const char *const OWN[] = {"/stats", "/fault", "/role", "/identity", "/tokens"};
    bool own = false;
    for (size_t index = 0; index < ARRAY_COUNT(OWN); index++) {
        own = own || strcmp(path, OWN[index]) == 0;
    }
    bool good = *path == '/' && strpbrk(path, "?#\"\\ ") == NULL && !own;
    return good ? NULL : "must begin with a slash, have no query, and not be the emulator's own";
}

#define AT(member) offsetof(struct endpoint_options, member)
static const struct field FIELDS[] = {
    {"name", FIELD_TEXT, AT(name), NULL, options_check_name},
    {"path", FIELD_TEXT, AT(path), NULL, check_path},
    {"dce", FIELD_TEXT, AT(dce), NULL, options_check_name},
    {"dcr", FIELD_TEXT, AT(dcr), NULL, options_check_name},
    {"workspace", FIELD_TEXT, AT(workspace), NULL, NULL},
    {"audience", FIELD_TEXT, AT(audience), NULL, NULL},
    {"role_delay", FIELD_DURATION, AT(role_delay_ms), NULL, NULL},
    {"requests_per_minute", FIELD_COUNT, AT(requests_per_minute), NULL, NULL},
    {"bytes_per_minute", FIELD_BYTES, AT(bytes_per_minute), NULL, NULL},
    {"burst", FIELD_DURATION, AT(burst_ms), NULL, NULL},
    {"max_body_bytes", FIELD_BYTES, AT(body_bytes_max), NULL, NULL},
    {"too_large", FIELD_CHOICE, AT(too_large), TOO_LARGE, NULL},
    {"retry_after", FIELD_CHOICE, AT(retry_after), THROTTLE, NULL},
    {"success_status", FIELD_COUNT, AT(success_status), NULL, NULL},
};
#undef AT

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcasecmp(a, b) == 0;
}

static void check_azure(struct binder *binder, const struct conf_node *node,
                        struct endpoint_options *endpoint)
{
    if (endpoint->path != NULL) {
        PROBLEM(binder, node, "an endpoint has a path, or a dce and a dcr, not both");
    }
    if (endpoint->body_bytes_max == 0 || endpoint->body_bytes_max > BODY_BYTES_MAX) {
        PROBLEM(binder, node, "max_body_bytes must be a size of at most 32MiB");
    }
    if (endpoint->success_status < 200 || endpoint->success_status > 299) {
        PROBLEM(binder, node, "success_status must be 200 to 299");
    }
    mem_free(endpoint->path);
    endpoint->path = mem_format("/%s/dataCollectionRules/%s/streams/Microsoft-PrometheusMetrics"
                                "/api/v1/write",
                                endpoint->dce, endpoint->dcr);
}

static void check_endpoint(struct binder *binder, const struct conf_node *node, size_t count)
{
    struct endpoint_options *endpoint = &binder->options->endpoints[count];
    bool azure = endpoint->dce != NULL && endpoint->dcr != NULL;
    if (endpoint->name == NULL || (endpoint->path == NULL && !azure)) {
        PROBLEM(binder, node,
                "an endpoint needs a name and a path (or a dce and a dcr instead of the path)");
        return;
    }
    if (azure) {
        check_azure(binder, node, endpoint);
    } else if (endpoint->dce != NULL || endpoint->dcr != NULL) {
        PROBLEM(binder, node, "a dce goes with a dcr");
    }
    for (size_t index = 0; index < count; index++) {
        const struct endpoint_options *other = &binder->options->endpoints[index];
        bool name = other->name != NULL && strcmp(other->name, endpoint->name) == 0;
        bool path = other->path != NULL && strcmp(other->path, endpoint->path) == 0;
        if (name || path) {
            PROBLEM(binder, node, "two endpoints have the same %s", name ? "name" : "path");
        } else if (same(other->dcr, endpoint->dcr)) {
            PROBLEM(binder, node, "two endpoints have the same dcr: a DCR names one DCE");
        }
    }
}

void options_bind_endpoints(struct binder *binder, const struct conf_node *node)
{
    struct options *options = binder->options;
    if (node->kind != CONF_LIST || node->count == 0 || node->count > ENDPOINTS_COUNT_MAX ||
        options->endpoints != NULL) {
        PROBLEM(binder, node, "endpoints must be one list of 1 to %d", ENDPOINTS_COUNT_MAX);
        return;
    }
    options->endpoints = mem_new(node->count, sizeof *options->endpoints);
    options->endpoints_count = node->count;
    for (size_t index = 0; index < node->count; index++) {
        struct endpoint_options *endpoint = &options->endpoints[index];
        endpoint->burst_ms = 60000;
        endpoint->body_bytes_max = 1 << 20;
        endpoint->success_status = 204;
        fields_bind_map(&binder->place, node->values[index], FIELDS, ARRAY_COUNT(FIELDS), endpoint);
        check_endpoint(binder, node->values[index], index);
    }
}

void options_release_endpoints(struct options *options)
{
    for (size_t index = 0; index < options->endpoints_count; index++) {
        fields_release(FIELDS, ARRAY_COUNT(FIELDS), &options->endpoints[index]);
    }
    mem_free(options->endpoints);
}

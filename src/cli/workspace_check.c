/* workspace_check.c - two endpoints that can't lead to one Azure Monitor workspace. A URL names no
 * workspace, but DCE, DCR and workspace share a region, and its tenant is that of the identity; and
 * what is not Azure is another place than what is. Where that says nothing, nothing is said. */
#include "workspace_check.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <walship/assert.h>

struct part {
    const char *text;
    size_t bytes;
};

static bool same(struct part a, struct part b)
{
    return a.bytes == b.bytes && strncasecmp(a.text, b.text, a.bytes) == 0;
}

/* "eastus" of https://dce-ab.eastus-1.metrics.ingest.monitor.azure.com/...; false: not Azure. */
static bool region_of(const char *key, struct part *region, struct part *cloud)
{
    static const char service[] = ".metrics.ingest.monitor.azure.";
    const char *slashes = strstr(key, "://");
    const char *host = slashes == NULL ? key : slashes + 3;
    size_t host_bytes = strcspn(host, "/:");
    size_t at = 0;
    while (at < host_bytes && strncasecmp(host + at, service, sizeof service - 1) != 0) {
        at++;
    }
    if (at + sizeof service - 1 > host_bytes) {
        return false;
    }
    size_t from = at;
    while (from > 0 && host[from - 1] != '.') {
        from--;
    }
    *cloud = (struct part){host + at, host_bytes - at};
    size_t end = at;
    while (end > from && host[end - 1] >= '0' && host[end - 1] <= '9') {
        end--;
    }
    bool numbered = end < at && end > from && host[end - 1] == '-';
    *region = (struct part){host + from, (numbered ? end - 1 : at) - from};
    return true;
}

/* NULL: nothing speaks against one workspace. */
static const char *difference(const struct conf_endpoint *a, const struct conf_endpoint *b)
{
    struct part regions[2], clouds[2];
    bool azure = region_of(a->key, &regions[0], &clouds[0]);
    if (region_of(b->key, &regions[1], &clouds[1]) != azure) {
        return "one is Azure Monitor, the other is not";
    }
    if (!azure) {
        return NULL;
    }
    if (!same(clouds[0], clouds[1])) {
        return "they are in two clouds";
    }
    if (!same(regions[0], regions[1])) {
        return "they are in two regions";
    }
    const char *tenants[] = {a->auth.tenant_id, b->auth.tenant_id};
    return tenants[0] != NULL && tenants[1] != NULL && strcasecmp(tenants[0], tenants[1]) != 0
               ? "their identities are of two tenants"
               : NULL;
}

static void destination_check(const char *file, const struct conf_destination *destination)
{
    for (size_t i = 1; i < destination->endpoints_count; i++) {
        const struct conf_endpoint *first = &destination->endpoints[0];
        const struct conf_endpoint *other = &destination->endpoints[i];
        const char *why = difference(first, other);
        if (why != NULL) {
            printf("%s:%u:%u: warning: %s and %s are not of one workspace (%s): with placement "
                   "failover a series may end up in both; say placement: pinned, or make two "
                   "destinations of them\n",
                   file, other->line, other->column, first->shown, other->shown, why);
            return;
        }
    }
}

void workspace_check(const char *file, const struct conf *conf)
{
    ASSERT(file != NULL && conf->destinations_count > 0);
    for (size_t i = 0; i < conf->destinations_count; i++) {
        if (conf->destinations[i].placement == CONF_FAILOVER) {
            destination_check(file, &conf->destinations[i]);
        }
    }
}

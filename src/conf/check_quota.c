/* check_quota.c - a share scales quotas, they are weights where none are given, and the members of
 * a group must agree on theirs. */
#include "bind.h"

#include <walship/mem.h>

static uint64_t scaled(uint64_t quota, double share)
{
    double part = (double)quota * share;
    return quota == 0 ? 0 : part < 1 ? 1 : (uint64_t)part;
}

static void quota_scale(struct conf_quota *quota, double inherited)
{
    bool own = quota->share > 0;
    quota->share = own ? quota->share : inherited;
    if (quota->share > 0 && quota->share < 1) {
        quota->requests_per_minute = scaled(quota->requests_per_minute, quota->share);
        quota->bytes_per_minute = scaled(quota->bytes_per_minute, quota->share);
        quota->samples_per_minute = scaled(quota->samples_per_minute, quota->share);
    }
}

static uint64_t quota_of(const struct conf_quota *quota, unsigned kind)
{
    return kind == 0   ? quota->requests_per_minute
           : kind == 1 ? quota->bytes_per_minute
                       : quota->samples_per_minute;
}

/* The first kind of quota that all endpoints have; QUOTA_KINDS: none. */
enum { QUOTA_KINDS = 3 };
static unsigned common_kind(const struct conf_destination *destination)
{
    for (unsigned kind = 0; kind < QUOTA_KINDS; kind++) {
        size_t having = 0;
        for (size_t i = 0; i < destination->endpoints_count; i++) {
            having += quota_of(&destination->endpoints[i].quota, kind) > 0;
        }
        if (having == destination->endpoints_count) {
            return kind;
        }
    }
    return QUOTA_KINDS;
}

/* Unsaid is 0 till here: a weight in the file is above that. */
static void weights_fill(struct conf_destination *destination)
{
    bool said = false;
    for (size_t i = 0; i < destination->endpoints_count; i++) {
        said = said || destination->endpoints[i].weight > 0;
    }
    unsigned kind = said ? QUOTA_KINDS : common_kind(destination);
    for (size_t i = 0; i < destination->endpoints_count; i++) {
        struct conf_endpoint *endpoint = &destination->endpoints[i];
        if (!(endpoint->weight > 0)) {
            endpoint->weight = kind == QUOTA_KINDS ? 1 : (double)quota_of(&endpoint->quota, kind);
        }
        ASSERT(endpoint->weight > 0);
    }
}

void check_quotas(struct conf_destination *destination)
{
    ASSERT(destination != NULL);
    quota_scale(&destination->quota, 0);
    for (size_t i = 0; i < destination->endpoints_count; i++) {
        quota_scale(&destination->endpoints[i].quota, destination->quota.share);
    }
    weights_fill(destination);
}

static bool is_grouped(const struct conf_destination *destination)
{
    return destination->quota_group != NULL && *destination->quota_group != '\0';
}

static bool quotas_equal(const struct conf_quota *a, const struct conf_quota *b)
{
    return a->requests_per_minute == b->requests_per_minute &&
           a->bytes_per_minute == b->bytes_per_minute &&
           a->samples_per_minute == b->samples_per_minute;
}

void check_quota_groups(struct binder *binder, const struct conf *conf)
{
    for (size_t i = 0; i < conf->destinations_count; i++) {
        const struct conf_destination *destination = &conf->destinations[i];
        const struct conf_quota *quota = &destination->quota;
        struct conf_node at = {.line = destination->line, .column = destination->column};
        if (!is_grouped(destination)) {
            continue;
        }
        if (quota->requests_per_minute + quota->bytes_per_minute + quota->samples_per_minute == 0) {
            bind_problem(binder, &at, "quota_group %s: this destination has no quota to share",
                         destination->quota_group);
        }
        for (size_t j = 0; j < i; j++) {
            const struct conf_destination *other = &conf->destinations[j];
            if (is_grouped(other) && strcmp(other->quota_group, destination->quota_group) == 0 &&
                !quotas_equal(&other->quota, quota)) {
                bind_problem(binder, &at, "quota_group %s: the quota differs from that in line %u",
                             destination->quota_group, other->line);
                break;
            }
        }
    }
}

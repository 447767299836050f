/* route.c - from a label set to its final labels and its shard. The answer is kept per set. */
#include "internal.h"

/* Fixed: the shard of a series is saved state. A change of it must change the fingerprint below. */
static const struct hash_key shard_key = {0x77616c736869702du, 0x73686172642d3031u};

size_t route_labels(struct engine *engine, uint32_t set, struct label *out)
{
    const struct conf *conf = engine->conf;
    size_t count = labels_count(engine->labels, set);
    ASSERT(count <= LABELS_COUNT_MAX);
    if (conf->external_labels_count == 0) {
        return labels_get(engine->labels, set, out, LABELS_COUNT_MAX);
    }
    struct label *own = engine->label_room;
    count = labels_get(engine->labels, set, own, LABELS_COUNT_MAX);
    return labels_merge(own, count, conf->external_labels, conf->external_labels_count, out);
}

static bool shard_by_has(const struct conf_destination *conf, const struct label *label)
{
    for (size_t i = 0; i < conf->shard_by_count; i++) {
        const char *name = conf->shard_by[i];
        if (strlen(name) == label->name_bytes &&
            memcmp(name, label->name, label->name_bytes) == 0) {
            return true;
        }
    }
    return false;
}

static uint16_t route_compute(struct engine *engine, struct destination *destination, uint32_t set)
{
    const struct conf_destination *conf = destination->conf;
    struct label *labels = engine->label_room + LABELS_COUNT_MAX;
    size_t count = route_labels(engine, set, labels);
    if (conf->shard_by_count > 0) {
        size_t kept = 0;
        for (size_t i = 0; i < count; i++) {
            if (shard_by_has(conf, &labels[i])) {
                labels[kept++] = labels[i];
            }
        }
        count = kept;
    }
    return (uint16_t)(labels_hash(&shard_key, labels, count, conf->fold_case) % SHARDS_COUNT);
}

static void routes_grow(struct engine *engine, struct destination *destination, uint32_t set)
{
    uint32_t bound = labels_bound(engine->labels);
    ASSERT(set < bound);
    uint32_t count = bound + bound / 4 + 64;
    destination->routes = mem_grow(destination->routes, count, sizeof *destination->routes);
    for (uint32_t i = destination->routes_count; i < count; i++) {
        destination->routes[i] = SHARD_UNROUTED;
    }
    destination->routes_count = count;
}

uint16_t route_shard(struct engine *engine, struct destination *destination, uint32_t set)
{
    if (set >= destination->routes_count) {
        routes_grow(engine, destination, set);
    }
    uint16_t shard = destination->routes[set];
    if (shard == SHARD_UNROUTED) {
        shard = route_compute(engine, destination, set);
        destination->routes[set] = shard;
    }
    return shard;
}

void route_forget(struct engine *engine, uint32_t set)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        if (set < destination->routes_count) {
            destination->routes[set] = SHARD_UNROUTED;
        }
    }
}

void route_fingerprint(const struct engine *engine, struct destination *destination)
{
    struct buf text;
    buf_init(&text, 2 * LABELS_BYTES_MAX);
    const struct conf_destination *conf = destination->conf;
    bool fits = buf_format(&text, "hash=1 shards=%d fold=%d", SHARDS_COUNT, conf->fold_case);
    for (size_t i = 0; i < conf->shard_by_count; i++) {
        fits = fits && buf_format(&text, " by=%s", conf->shard_by[i]);
    }
    fits = fits &&
           labels_format(engine->conf->external_labels, engine->conf->external_labels_count, &text);
    ASSERT(fits);
    static const struct hash_key low = {1, 2};
    static const struct hash_key high = {3, 4};
    snprintf(destination->fingerprint, sizeof destination->fingerprint, "%016llx%016llx",
             (unsigned long long)hash_bytes(&high, text.data, text.bytes),
             (unsigned long long)hash_bytes(&low, text.data, text.bytes));
    buf_release(&text);
}

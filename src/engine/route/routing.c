/* routing.c - see routing.h: what decides labels, shards and homes, without any state. */
#include "internal.h"

enum { FINGERPRINT_BYTES_MAX = 256 << 20 };

/* Fixed: the shard of a series is saved state. A change of it must change the fingerprint below. */
static const struct hash_key shard_key = {0x77616c736869702du, 0x73686172642d3031u};

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

static uint16_t shard_of(const struct routing_room *room, const struct routing *routing)
{
    const struct conf_destination *conf = routing->conf;
    const struct label *labels = routing->labels;
    size_t count = routing->count;
    if (conf->shard_by_count > 0) {
        size_t kept = 0;
        ASSERT(count <= LABELS_FINAL_MAX);
        for (size_t i = 0; i < count; i++) {
            if (shard_by_has(conf, &labels[i])) {
                room->some[kept++] = labels[i];
            }
        }
        labels = room->some;
        count = kept;
    }
    return (uint16_t)(labels_hash(&shard_key, labels, count, conf->fold_case) % SHARDS_COUNT);
}

/* Upstream's order: external labels, then the rules. */
static enum route_end relabel(struct relabel_room *room, const struct routing *routing)
{
    const struct conf_destination *conf = routing->conf;
    relabel_start(room, routing->source, routing->source_count, routing->all->external_labels,
                  routing->all->external_labels_count);
    for (size_t i = 0; i < conf->relabel_count; i++) {
        switch (relabel_apply(room, conf->relabel[i].rule)) {
        case RELABEL_GOES_ON:
            break;
        case RELABEL_DROPPED:
            return ROUTE_DROPPED;
        case RELABEL_TOO_BIG:
            return ROUTE_TOO_BIG;
        }
    }
    return ROUTE_GOES;
}

static bool within_limits(const struct label *labels, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += (size_t)labels[i].name_bytes + labels[i].value_bytes;
    }
    return bytes <= LABELS_FINAL_BYTES_MAX;
}

void routing_room_init(struct routing_room *room)
{
    room->some = mem_new(LABELS_FINAL_MAX, sizeof *room->some);
    room->relabel = relabel_room_new();
}

void routing_room_release(struct routing_room *room)
{
    relabel_room_free(room->relabel);
    mem_free(room->some);
    *room = (struct routing_room){0};
}

/* False: nothing is configured that could change labels. */
static bool changes(const struct routing *routing)
{
    return routing->conf->relabel_count > 0 || routing->all->external_labels_count > 0;
}

void routing_make(struct routing_room *room, struct routing *routing)
{
    ASSERT(room->some != NULL && routing->conf != NULL);
    routing->end = changes(routing) ? relabel(room->relabel, routing) : ROUTE_GOES;
    routing->shard = 0;
    routing->labels = routing->source;
    routing->count = routing->source_count;
    if (routing->end == ROUTE_GOES && changes(routing)) {
        routing->count = relabel_result(room->relabel, &routing->labels);
        bool fits = within_limits(routing->labels, routing->count);
        routing->end = fits ? ROUTE_GOES : ROUTE_TOO_BIG;
    }
    if (routing->end == ROUTE_GOES) {
        routing->shard = shard_of(room, routing);
    }
}

void routing_homes(const struct conf_destination *conf, uint16_t home[SHARDS_COUNT])
{
    struct placement_endpoint places[ENDPOINTS_MAX];
    ASSERT(conf->endpoints_count > 0 && conf->endpoints_count <= ENDPOINTS_MAX);
    for (size_t i = 0; i < conf->endpoints_count; i++) {
        places[i] = (struct placement_endpoint){conf->endpoints[i].key, conf->endpoints[i].weight};
    }
    placement_homes(places, conf->endpoints_count, home, SHARDS_COUNT);
}

void route_fingerprint(const struct conf *all, const struct conf_destination *conf,
                       char out[ROUTE_FINGERPRINT_CHARS])
{
    struct buf text;
    buf_init(&text, FINGERPRINT_BYTES_MAX);
    bool fits = buf_format(&text, "hash=1 shards=%d fold=%d", SHARDS_COUNT, conf->fold_case);
    for (size_t i = 0; i < conf->shard_by_count; i++) {
        fits = fits && buf_format(&text, " by=%s", conf->shard_by[i]);
    }
    fits = fits && labels_format(all->external_labels, all->external_labels_count, &text);
    for (size_t i = 0; i < conf->relabel_count; i++) {
        fits = fits && relabel_rule_text(conf->relabel[i].rule, &text);
    }
    ASSERT(fits);
    static const struct hash_key low = {1, 2};
    static const struct hash_key high = {3, 4};
    snprintf(out, ROUTE_FINGERPRINT_CHARS, "%016llx%016llx",
             (unsigned long long)hash_bytes(&high, text.data, text.bytes),
             (unsigned long long)hash_bytes(&low, text.data, text.bytes));
    buf_release(&text);
}

/* ---- of a running engine ---- */

void engine_shard_stats(const struct engine *engine, size_t index, uint16_t shard,
                        struct engine_shard_stats *out)
{
    ASSERT(index < engine->destinations_count && shard < SHARDS_COUNT);
    const struct lane *lane = &engine->destinations[index].lanes[shard];
    *out = (struct engine_shard_stats){.home = lane->home,
                                       .endpoint = lane->endpoint,
                                       .pending = lane->count,
                                       .newest_acked_ms =
                                           lane->has_acked ? lane->newest_acked_ms : INT64_MIN};
}

const char *engine_routing_rules(const struct engine *engine, size_t index)
{
    ASSERT(index < engine->destinations_count);
    return engine->destinations[index].fingerprint;
}

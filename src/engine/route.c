/* route.c - from a source label set, as the WAL has it, to the final one, as it is sent, and to its
 * shard. The answer is kept per set and destination.
 *
 * A final set is interned like any other; its route holds one reference. Where nothing is added it
 * is the source itself, at no cost. Two sources that end as one final set share it: one series to
 * the receiver, one lane, WAL order. */
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

static uint16_t shard_of(struct engine *engine, const struct conf_destination *conf,
                         const struct label *labels, size_t count)
{
    struct label *some = engine->label_room + LABELS_FINAL_MAX;
    if (conf->shard_by_count > 0) {
        size_t kept = 0;
        for (size_t i = 0; i < count; i++) {
            if (shard_by_has(conf, &labels[i])) {
                some[kept++] = labels[i];
            }
        }
        labels = some;
        count = kept;
    }
    return (uint16_t)(labels_hash(&shard_key, labels, count, conf->fold_case) % SHARDS_COUNT);
}

/* Upstream's order: external labels, then the rules. */
static enum route_end relabel(struct engine *engine, const struct destination *destination,
                              size_t count)
{
    const struct conf_destination *conf = destination->rules;
    const struct conf *all = destination->rules_of;
    relabel_start(engine->relabel_room, engine->label_room, count, all->external_labels,
                  all->external_labels_count);
    for (size_t i = 0; i < conf->relabel_count; i++) {
        switch (relabel_apply(engine->relabel_room, conf->relabel[i].rule)) {
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

static void too_big_tell(const struct destination *destination, const struct label *labels,
                         size_t count)
{
    enum { SHOWN_BYTES = 80 };
    int shown = count == 0                            ? 0
                : labels[0].value_bytes < SHOWN_BYTES ? (int)labels[0].value_bytes
                                                      : SHOWN_BYTES;
    char *first = mem_format("%.*s", shown, shown > 0 ? labels[0].value : "");
    LOG_ERROR("a series has no labels within the limits after relabelling: its items are lost",
              LOG_STR("destination", destination->conf->name), LOG_STR("first_label", first));
    mem_free(first);
}

static struct route route_compute(struct engine *engine, const struct destination *destination,
                                  uint32_t set)
{
    const struct conf_destination *conf = destination->rules;
    size_t count = labels_get(engine->labels, set, engine->label_room, LABELS_COUNT_MAX);
    struct route route = {.set = set};
    if (conf->relabel_count == 0 && destination->rules_of->external_labels_count == 0) {
        route.shard = shard_of(engine, conf, engine->label_room, count);
        return route;
    }
    enum route_end end = relabel(engine, destination, count);
    const struct label *final;
    size_t final_count = relabel_result(engine->relabel_room, &final);
    if (end == ROUTE_GOES && !within_limits(final, final_count)) {
        end = ROUTE_TOO_BIG;
    }
    if (end == ROUTE_TOO_BIG) {
        too_big_tell(destination, engine->label_room, count);
    }
    route.end = (uint16_t)end;
    if (end != ROUTE_GOES) {
        return route;
    }
    route.shard = shard_of(engine, conf, final, final_count);
    route.set = labels_intern(engine->labels, final, final_count);
    if (route.set == set) { /* nothing changed: the source's own references suffice */
        bool gone = labels_release(engine->labels, set);
        ASSERT(!gone);
    }
    return route;
}

static void routes_grow(struct engine *engine, struct destination *destination)
{
    uint32_t bound = labels_bound(engine->labels);
    uint32_t count = bound + bound / 4 + 64;
    destination->routes = mem_grow(destination->routes, count, sizeof *destination->routes);
    for (uint32_t i = destination->routes_count; i < count; i++) {
        destination->routes[i] = (struct route){.set = LABELS_NONE};
    }
    destination->routes_count = count;
}

const struct route *route_of(struct engine *engine, struct destination *destination, uint32_t set)
{
    ASSERT(set < labels_bound(engine->labels));
    if (set >= destination->routes_count) {
        routes_grow(engine, destination);
    }
    struct route *route = &destination->routes[set];
    if (route->set == LABELS_NONE) {
        *route = route_compute(engine, destination, set);
        if (route->end == ROUTE_GOES) {
            folded_note(engine, destination, route->set);
        }
    }
    return route;
}

static void route_drop(struct engine *engine, struct destination *destination, uint32_t set)
{
    struct route *route = &destination->routes[set];
    if (route->set != LABELS_NONE && route->set != set) {
        labels_release(engine->labels, route->set);
    }
    *route = (struct route){.set = LABELS_NONE};
}

/* By what the refs mean, not by the sets that died: a final set may be a source as well, even each
 * the other's, and counting alone would keep such a pair for ever. */
void routes_sweep(struct engine *engine)
{
    uint32_t bound = labels_bound(engine->labels);
    uint8_t *used = mem_new((size_t)bound + 1, 1);
    series_mark_sets(engine->series, used);
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (uint32_t set = 0; set < bound && set < destination->routes_count; set++) {
            if (!used[set]) {
                route_drop(engine, destination, set);
            }
        }
    }
    mem_free(used);
}

void routes_release(struct engine *engine, struct destination *destination)
{
    for (uint32_t set = 0; set < destination->routes_count; set++) {
        route_drop(engine, destination, set);
    }
    mem_free(destination->routes);
    destination->routes = NULL;
    destination->routes_count = 0;
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

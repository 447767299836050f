/* route.c - from a source label set, as the WAL has it, to the final one, as it is sent, and to its
 * shard (routing.c). The answer is kept per set and destination.
 *
 * A final set is interned like any other; its route holds one reference. Where nothing is added it
 * is the source itself, at no cost. Two sources that end as one final set share it: one series to
 * the receiver, one lane, WAL order. */
#include "internal.h"

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
    size_t count = labels_get(engine->labels, set, engine->label_room, LABELS_COUNT_MAX);
    struct routing routing = {.all = destination->rules_of,
                              .conf = destination->rules,
                              .source = engine->label_room,
                              .source_count = count};
    routing_make(&engine->routing, &routing);
    struct route route = {.set = set, .shard = routing.shard, .end = (uint16_t)routing.end};
    if (routing.end == ROUTE_TOO_BIG) {
        too_big_tell(destination, engine->label_room, count);
    }
    if (routing.end != ROUTE_GOES || routing.labels == routing.source) {
        return route;
    }
    route.set = labels_intern(engine->labels, routing.labels, routing.count);
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
            metadata_rename(engine, destination, set, route);
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

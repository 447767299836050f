/* park.c - items whose series record was not seen yet. A second appender of Prometheus may log
 * items of a series that a first one has created but not logged: the record follows within
 * milliseconds. While an item is parked its record stays open in the ring, so no saved position
 * passes it (I1). */
#include "internal.h"

static void parked_close(struct domain *domain, const struct parked *parked)
{
    struct ring_record *record = ring_at(&domain->ring, parked->sequence);
    ASSERT(record->open > 0 && record->late > 0 && domain->late_open > 0);
    record->open--;
    record->late--;
    domain->late_open--;
}

static struct item parked_item(const struct parked *parked)
{
    return (struct item){.t_ms = parked->t_ms,
                         .bits = parked->bits,
                         .record = (uint32_t)parked->sequence,
                         .index = parked->index,
                         .kind = parked->kind,
                         .late = true};
}

/* It goes nowhere. */
static void parked_end(struct domain *domain, const struct parked *parked)
{
    struct item item = parked_item(parked);
    item_give(domain, &item);
    parked_close(domain, parked);
}

static struct position parked_position(const struct domain *domain, const struct parked *parked)
{
    struct position at = ring_at(&domain->ring, parked->sequence)->at;
    at.item = parked->index;
    return at;
}

static void parked_give_up(struct engine *engine, struct domain *domain,
                           const struct parked *parked)
{
    struct destination *destination = domain->destination;
    struct lane *account = &destination->lanes[LANE_UNKNOWN];
    struct position at = parked_position(domain, parked);
    /* an earlier life may have given it up already; the account is the first domain's */
    if (domain->index == 0 && !position_before(&at, &account->settled)) {
        struct loss loss = {.reason = LOSS_UNKNOWN_REF,
                            .from = at,
                            .to = at,
                            .items = 1,
                            .time_min_ms = parked->t_ms,
                            .time_max_ms = parked->t_ms};
        destination->counts[STORE_READ]++;
        ledger_add(engine, destination, &loss);
        at.item++;
        if (position_before(&account->settled, &at)) {
            account->settled = at;
            account->dirty = true;
        }
    }
    parked_end(domain, parked);
}

void park_add(struct engine *engine, struct domain *domain, uint64_t ref, const struct item *item)
{
    struct ring_record *record = ring_at(&domain->ring, domain->record_sequence);
    if (domain->parked_count == PARKED_ITEMS_MAX) {
        parked_give_up(engine, domain, &domain->parked[0]);
        domain->parked_count--;
        memmove(&domain->parked[0], &domain->parked[1],
                domain->parked_count * sizeof *domain->parked);
    }
    if (domain->parked_count == domain->parked_capacity) {
        domain->parked_capacity = domain->parked_capacity == 0 ? 64 : domain->parked_capacity * 2;
        domain->parked = mem_grow(domain->parked, domain->parked_capacity, sizeof *domain->parked);
    }
    domain->parked[domain->parked_count++] = (struct parked){.ref = ref,
                                                             .t_ms = item->t_ms,
                                                             .bits = item->bits,
                                                             .sequence = domain->record_sequence,
                                                             .index = item->index,
                                                             .kind = item->kind,
                                                             .since_ms = engine->now_ms};
    item_take(domain, item);
    record->open++;
    record->late++;
    domain->late_open++;
    trace_line(engine, "%s: parked ref %llu", domain->destination->conf->name,
               (unsigned long long)ref);
}

static void parked_send(struct engine *engine, struct domain *domain, const struct parked *parked,
                        uint32_t set)
{
    const struct route *route = route_of(engine, domain->destination, set);
    struct position at = parked_position(domain, parked);
    if (route->end != ROUTE_GOES) {
        struct ended ended = {(enum route_end)route->end, at, parked->t_ms, true};
        domain_end_item(engine, domain, &ended);
        parked_end(domain, parked);
        return;
    }
    struct lane *lane = domain_lane(domain, route);
    if (lane == NULL || position_before(&at, &lane->resumed)) {
        parked_end(domain, parked); /* another domain's, or settled in an earlier life */
        return;
    }
    struct item item = parked_item(parked);
    item.set = route->set;
    lane_push(engine, lane, &item); /* which takes over its payload */
    domain->pending++;
    domain->destination->counts[STORE_READ]++;
}

void park_retry(struct engine *engine, struct domain *domain, const struct position *at)
{
    size_t kept = 0;
    for (size_t i = 0; i < domain->parked_count; i++) {
        const struct parked parked = domain->parked[i];
        uint32_t set = series_resolve(engine->series, parked.ref, at);
        if (set == LABELS_NONE) {
            domain->parked[kept++] = parked;
        } else {
            parked_send(engine, domain, &parked, set);
        }
    }
    domain->parked_count = kept;
}

void park_expire(struct engine *engine, struct domain *domain, bool all)
{
    size_t gone = 0;
    while (gone < domain->parked_count &&
           (all || engine->now_ms - domain->parked[gone].since_ms >= PARKED_MS_MAX)) {
        parked_give_up(engine, domain, &domain->parked[gone]);
        gone++;
    }
    if (gone == 0) {
        return;
    }
    domain->parked_count -= gone;
    memmove(&domain->parked[0], &domain->parked[gone],
            domain->parked_count * sizeof *domain->parked);
    ring_trim(&domain->ring, domain->has_record_entry ? domain->record_sequence : UINT64_MAX);
    engine->dirty = true; /* this domain's watermark moves, also where another keeps the account */
    LOG_WARN("items without a series record are lost",
             LOG_STR("destination", domain->destination->conf->name), LOG_U64("items", gone));
}

void park_release(struct domain *domain)
{
    for (size_t i = 0; i < domain->parked_count; i++) {
        struct item item = parked_item(&domain->parked[i]);
        item_give(domain, &item);
    }
    mem_free(domain->parked);
    domain->parked = NULL;
    domain->parked_count = 0;
}

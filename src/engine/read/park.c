/* park.c - items whose series record was not seen yet. A second appender of Prometheus may log
 * items of a series that a first one has created but not logged: the record follows within
 * milliseconds. While an item is parked its record stays open in the ring, so no saved position
 * passes it (I1).
 *
 * An item is given up when its time is over AND everything before it is settled: then the ledger
 * row and the watermark that passes it are in one commit. No account of single items must be kept:
 * what lies behind the watermark is on the books, what lies before it is looked at anew by the next
 * life, whatever that knows of series. */
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

/* The oldest `count`, all of one segment, with a loss of their own. The first domain keeps the
 * account, since nobody knows whose they are; but what another one misses it may know, from an
 * earlier life that had the series record: so that one says at least that there is something. So it
 * is with what the first domain itself passed before there were other domains: it may have known
 * them then. */
static void give_up(struct engine *engine, struct domain *domain, size_t first, size_t count)
{
    struct destination *destination = domain->destination;
    const struct parked *parked = &domain->parked[first];
    const struct position *known = &destination->lanes[LANE_UNKNOWN].resumed;
    uint64_t highest = 0;
    struct loss loss = {.reason = LOSS_UNKNOWN_REF,
                        .from = parked_position(domain, parked),
                        .to = parked_position(domain, parked + count - 1),
                        .time_min_ms = INT64_MAX,
                        .time_max_ms = INT64_MIN};
    for (size_t i = 0; i < count; i++) {
        struct position at = parked_position(domain, &parked[i]);
        int64_t t_ms = parked[i].t_ms;
        if (domain->index == 0 && !position_before(&at, known)) {
            loss.items++;
            kinds_add(&loss.kinds, parked[i].kind, 1);
            kinds_add(&destination->kinds.read, parked[i].kind, 1);
        }
        loss.series += parked[i].ref > highest; /* surely different ones */
        highest = parked[i].ref > highest ? parked[i].ref : highest;
        loss.time_min_ms = t_ms < loss.time_min_ms ? t_ms : loss.time_min_ms;
        loss.time_max_ms = t_ms > loss.time_max_ms ? t_ms : loss.time_max_ms;
        parked_end(domain, &parked[i]);
    }
    destination->counts[STORE_READ] += loss.items;
    ledger_add(engine, destination, &loss);
    engine->dirty = true; /* this domain's watermark moves, also where another keeps the account */
}

/* How many of the parked, from `first` on and before `end`, are of one segment. */
static size_t together(const struct domain *domain, size_t first, size_t end)
{
    ASSERT(first < end && end <= domain->parked_count);
    struct position from = parked_position(domain, &domain->parked[first]);
    size_t count = 1;
    for (; first + count < end; count++) {
        struct position at = parked_position(domain, &domain->parked[first + count]);
        if (!position_together(&at, &from)) {
            break;
        }
    }
    return count;
}

static void given_up(struct domain *domain, size_t count)
{
    domain->parked_count -= count;
    memmove(&domain->parked[0], &domain->parked[count],
            domain->parked_count * sizeof *domain->parked);
    ring_trim(&domain->ring, domain->has_record_entry ? domain->record_sequence : UINT64_MAX);
    LOG_WARN("items without a series record are lost",
             LOG_STR("destination", domain->destination->conf->name), LOG_U64("items", count));
}

/* No room (I4): the oldest go at once. Their ledger row may be saved before the watermark passes
 * them, and then they are counted again after a crash: rather twice than not at all. */
static void overflow(struct engine *engine, struct domain *domain)
{
    enum { COUNT = PARKED_ITEMS_MAX / 4 };
    size_t gone = 0;
    while (gone < COUNT) {
        size_t count = together(domain, gone, COUNT);
        give_up(engine, domain, gone, count);
        gone += count;
    }
    given_up(domain, COUNT);
}

void park_add(struct engine *engine, struct domain *domain, uint64_t ref, const struct item *item)
{
    struct ring_record *record = ring_at(&domain->ring, domain->record_sequence);
    if (domain->parked_count == PARKED_ITEMS_MAX) {
        overflow(engine, domain);
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
        struct ended ended = {(enum route_end)route->end, parked->kind, at, parked->t_ms, true};
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
    kinds_add(&domain->destination->kinds.read, item.kind, 1);
}

/* Up to where a definition is one of this item's ref: another life of the WAL may use the number
 * for another series. What holds for both lives has its place in the earlier one (past_common). A
 * generation that was begun since some place was not found is the same life: its series record may
 * be yet to come. */
static struct position known_up_to(const struct engine *engine, const struct domain *domain,
                                   const struct parked *parked, const struct position *at)
{
    uint32_t own = ring_at(&domain->ring, parked->sequence)->at.generation;
    bool same = own == at->generation || own >= engine->refs_from;
    ASSERT(own <= at->generation);
    return same ? *at : (struct position){own, UINT32_MAX, UINT32_MAX, UINT32_MAX};
}

void park_retry(struct engine *engine, struct domain *domain, const struct position *at)
{
    size_t kept = 0;
    for (size_t i = 0; i < domain->parked_count; i++) {
        const struct parked parked = domain->parked[i];
        struct position place = known_up_to(engine, domain, &parked, at);
        uint32_t set = ref_means(engine, parked.ref, &place);
        if (set == LABELS_NONE) {
            domain->parked[kept++] = parked;
        } else {
            parked_send(engine, domain, &parked, set);
        }
    }
    domain->parked_count = kept;
}

void park_enter(struct engine *engine, struct domain *domain, const struct position *at)
{
    if (!position_together(at, &domain->next.at) && domain->parked_count > 0) {
        park_retry(engine, domain, at);
    }
}

/* How many, from `first` on, are all that is open of the oldest record; 0: it has to wait. */
static size_t releasable(const struct engine *engine, const struct domain *domain, size_t first,
                         bool all)
{
    const struct ring *ring = &domain->ring;
    size_t count = 0;
    if (ring->first == ring->next ||
        (domain->has_record_entry && domain->record_sequence == ring->first)) {
        return 0;
    }
    for (size_t i = first; i < domain->parked_count; i++) {
        const struct parked *parked = &domain->parked[i];
        bool old = all || engine->now_ms - parked->since_ms >= PARKED_MS_MAX;
        if (!old || parked->sequence != ring->first) {
            break;
        }
        count++;
    }
    return count == ring_at(ring, ring->first)->open ? count : 0;
}

void park_expire(struct engine *engine, struct domain *domain, bool all)
{
    size_t gone = 0;
    size_t count;
    while ((count = releasable(engine, domain, gone, all)) > 0) {
        give_up(engine, domain, gone, count);
        gone += count;
        ring_trim(&domain->ring, domain->has_record_entry ? domain->record_sequence : UINT64_MAX);
    }
    if (gone > 0) {
        given_up(domain, gone);
    }
}

void park_shift(struct domain *domain, int64_t ms)
{
    ASSERT(ms >= 0);
    for (size_t i = 0; i < domain->parked_count; i++) {
        domain->parked[i].since_ms += ms;
    }
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

/* domain.c - one failure domain: takes the items of the records it reads into its lanes, and
 * settles them from there. Pending items are bounded; a full domain stops reading (I4). */
#include "internal.h"

/* For more than a chunk of items as much room for their payload as half of all. */
bool domain_has_room(const struct domain *domain, size_t items)
{
    size_t payload = items > DECODE_ITEMS ? PENDING_PAYLOAD_BYTES_MAX / 2
                                          : CHUNK_PAYLOAD_BYTES + 2 * PAYLOAD_BYTES_MAX;
    return domain->pending + domain->parked_count + items <= PENDING_ITEMS_MAX &&
           domain->payload_bytes + payload <= PENDING_PAYLOAD_BYTES_MAX;
}

/* NULL when another domain of the destination carries it. */
struct lane *domain_lane(struct domain *domain, const struct route *route)
{
    struct lane *lane = &domain->destination->lanes[route->shard];
    return lane->domain == domain->index ? lane : NULL;
}

/* The first domain keeps the account of what belongs to no shard. True: this item is to be counted;
 * an earlier life may have done it already. A late one lies before the others. */
bool domain_account(struct engine *engine, struct domain *domain, const struct position *at,
                    unsigned kind, bool late)
{
    struct lane *account = &domain->destination->lanes[LANE_DROPPED];
    const struct position *known = late ? &account->resumed : &account->settled;
    if (domain->index != 0 || position_before(at, known)) {
        return false;
    }
    if (!position_before(at, &account->settled)) {
        account->settled = *at;
        account->settled.item++;
    }
    account->dirty = true;
    engine->dirty = true;
    domain->destination->counts[STORE_READ]++;
    kinds_add(&domain->destination->kinds.read, kind, 1);
    return true;
}

/* start_at: a duration. */
bool domain_drop_old(struct engine *engine, struct domain *domain, int64_t t_ms, unsigned kind,
                     const struct position *at)
{
    struct destination *destination = domain->destination;
    if (t_ms >= destination->start_from_ms) {
        return false;
    }
    if (domain_account(engine, domain, at, kind, false)) {
        destination->counts[STORE_DROPPED]++;
    }
    return true;
}

void domain_end_item(struct engine *engine, struct domain *domain, const struct ended *ended)
{
    ASSERT(ended->end != ROUTE_GOES);
    if (!domain_account(engine, domain, &ended->at, ended->kind, ended->late)) {
        return;
    }
    if (ended->end == ROUTE_DROPPED) {
        domain->destination->counts[STORE_DROPPED]++;
        kinds_add(&domain->destination->kinds.dropped, ended->kind, 1);
        return;
    }
    struct loss loss = {.reason = LOSS_LABELS,
                        .from = ended->at,
                        .to = ended->at,
                        .items = 1,
                        .series = 1,
                        .time_min_ms = ended->t_ms,
                        .time_max_ms = ended->t_ms};
    kinds_add(&loss.kinds, ended->kind, 1);
    ledger_add(engine, domain->destination, &loss);
}

/* set: the source. */
static void deliver_item(struct engine *engine, struct domain *domain, struct item *item,
                         const struct position *at, uint32_t set)
{
    const struct route *route = route_of(engine, domain->destination, set);
    if (route->end != ROUTE_GOES) {
        struct ended ended = {
            .end = (enum route_end)route->end, .kind = item->kind, .at = *at, .t_ms = item->t_ms};
        domain_end_item(engine, domain, &ended);
        return;
    }
    struct lane *lane = domain_lane(domain, route);
    if (lane == NULL) {
        return;
    }
    if (position_before(at, &lane->resumed)) {
        return; /* settled in an earlier life */
    }
    item->set = route->set;
    item->record = (uint32_t)domain->record_sequence;
    lane_push(engine, lane, item);
    item_take(domain, item);
    ring_at(&domain->ring, domain->record_sequence)->open++;
    domain->pending++;
    domain->destination->counts[STORE_READ]++;
    kinds_add(&domain->destination->kinds.read, item->kind, 1);
}

void domain_deliver(struct engine *engine, struct domain *domain, struct reader *reader)
{
    struct destination *destination = domain->destination;
    if (!domain->has_record_entry) {
        domain->record_sequence = ring_push(&domain->ring, &domain->next, engine->now_ms);
        domain->has_record_entry = true;
    }
    struct position at = reader->out.at;
    for (size_t i = 0; i < reader->chunk_count; i++) {
        const struct wal_sample *sample = &reader->samples[i];
        at.item = reader->chunk_first + (uint32_t)i;
        if (at.item < domain->next.at.item ||
            domain_drop_old(engine, domain, sample->t_ms, reader->kind, &at)) {
            continue;
        }
        struct item item = {.t_ms = sample->t_ms,
                            .bits = sample->bits,
                            .index = at.item,
                            .set = reader->sets[i], /* the source's; the final one in a lane */
                            .kind = (uint8_t)reader->kind};
        bool plain = item.kind == ITEM_FLOAT && sample->st_ms == 0; /* the hot path */
        if (!plain && !kind_taken(engine, domain, sample, &item, &at)) {
            continue;
        }
        if (reader->sets[i] == LABELS_NONE) {
            park_add(engine, domain, sample->ref, &item);
            kind_done(&item);
            continue;
        }
        deliver_item(engine, domain, &item, &at, reader->sets[i]);
        kind_done(&item);
        if (item.kind == ITEM_EXEMPLAR) {
            continue; /* its time says nothing about how far its series is */
        }
        if (sample->t_ms > domain->newest_read_ms) {
            domain->newest_read_ms = sample->t_ms;
        }
        if (sample->t_ms > destination->newest_read_ms) {
            destination->newest_read_ms = sample->t_ms;
        }
    }
    if (domain->next.at.item <= at.item) { /* a record is decoded from its start: no way back */
        domain->next.at.item = at.item + 1;
    }
}

void domain_at_end(struct domain *domain, bool at_end)
{
    domain->at_end = at_end;
    if (at_end && domain->doubting) {
        domain->doubting = false; /* what comes now was written in this life */
        domain->doubt_end = domain->next.at;
    }
}

void domain_record_done(struct domain *domain, const struct mark *next)
{
    domain->next = *next;
    domain->has_record_entry = false;
    ring_trim(&domain->ring, UINT64_MAX);
}

/* The first `count` items of the lane have found their end. */
void domain_settle(struct engine *engine, struct domain *domain, struct lane *lane, uint32_t count)
{
    ASSERT(count <= lane->count && count <= domain->pending);
    struct lane_walk walk;
    lane_walk_start(&walk, lane);
    struct position settled = lane->settled;
    struct ended_items ended = judge_begin();
    for (uint32_t i = 0; i < count; i++) {
        const struct item *item = lane_walk_next(&walk);
        struct ring_record *record = ring_of(&domain->ring, item->record);
        ASSERT(record->open > 0); /* I1 */
        record->open--;
        if (item->late) {
            ASSERT(record->late > 0 && domain->late_open > 0);
            record->late--;
            domain->late_open--;
        }
        item_give(domain, item);
        bool sent = item_end_sent((enum item_end)item->end);
        if (sent && item->kind != ITEM_EXEMPLAR && item->t_ms > lane->newest_ms) {
            lane->newest_ms = item->t_ms;
        }
        /* A late one too: all of the lane before it are settled or late themselves, and while there
         * are such domain_cap holds back what is saved. */
        struct position behind = record->at;
        struct position at = record->at;
        at.item = item->index;
        judge_ended(engine, domain->destination, &ended, item, &at);
        behind.item = item->index + 1;
        if (position_before(&settled, &behind)) {
            settled = behind;
        }
    }
    lane->settled = settled;
    lane->dirty = true;
    engine->dirty = true;
    lane_drop(engine, lane, count);
    domain->pending -= count;
    judge_account(engine, domain->destination, &ended);
    ring_trim(&domain->ring, domain->has_record_entry ? domain->record_sequence : UINT64_MAX);
}

void domain_watermark(const struct domain *domain, struct mark *out)
{
    const struct ring *ring = &domain->ring;
    if (ring->first == ring->next) {
        *out = domain->next;
        return;
    }
    const struct ring_record *record = ring_at(ring, ring->first);
    *out = (struct mark){record->at, record->offset, record->previous_crc};
}

bool domain_cap(const struct domain *domain, struct position *out)
{
    if (domain->late_open == 0) {
        return false;
    }
    for (uint64_t i = domain->ring.first; i < domain->ring.next; i++) {
        const struct ring_record *record = ring_at(&domain->ring, i);
        if (record->late > 0) {
            *out = record->at;
            return true;
        }
    }
    ASSERT(!"a late item has a record in the ring");
    return false;
}

/* oracle.c - the record: series, items and their fates, and when a life of walship begins. */
#include "oracle.h"

#include <walship/hash.h>
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/wal_record.h>

/* Values are small normal doubles whose low bits are the item's number. */
static const uint64_t value_tag = 0x4059000000000000u;

/* The shard of a series is saved state: hash, key and number of shards may not change unnoticed.
 * They stand here a second time on purpose. */
static uint16_t shard_of(const struct label *labels, size_t count, bool fold)
{
    static const struct hash_key key = {0x77616c736869702du, 0x73686172642d3031u};
    return (uint16_t)(labels_hash(&key, labels, count, fold) % 256);
}

void oracle_init(struct oracle *oracle, struct report *report, const struct conf *conf)
{
    *oracle =
        (struct oracle){.report = report, .conf = conf, .names_used = 1, .ids = label_ids_new()};
    oracle->destinations = mem_new(conf->destinations_count, sizeof *oracle->destinations);
    for (size_t i = 0; i < conf->destinations_count; i++) {
        oracle->destinations[i].conf = &conf->destinations[i];
        oracle->destinations[i].saved_name = conf->destinations[i].name;
    }
}

void oracle_ready(struct oracle *oracle, struct fake_http *http, struct fake_store *store)
{
    oracle->http = http;
    oracle->store = store;
    oracle->now_ms = http->now_ms;
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        struct oracle_destination *to = &oracle->destinations[i];
        to->receiver_first = http->receivers_count;
        to->receivers_count = to->conf->endpoints_count;
        for (size_t k = 0; k < to->conf->endpoints_count; k++) {
            (void)fake_http_receive(http, to->conf->endpoints[k].url);
        }
    }
}

void oracle_release(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        mem_free(oracle->destinations[i].fates);
        mem_free(oracle->destinations[i].lanes);
        mem_free(oracle->destinations[i].unsure);
        mem_free(oracle->destinations[i].counted);
    }
    mem_free(oracle->destinations);
    mem_free(oracle->items);
    mem_free(oracle->series);
    label_ids_free(oracle->ids);
}

static void lanes_grow(struct oracle_destination *destination, size_t count)
{
    destination->lanes = mem_grow(destination->lanes, count, sizeof *destination->lanes);
    for (size_t i = destination->lanes_count; i < count; i++) {
        destination->lanes[i] = (struct lane_fate){0};
    }
    destination->lanes_count = count;
}

uint32_t oracle_series_add(struct oracle *oracle, const struct label *labels, size_t count)
{
    uint32_t series = label_ids_of(oracle->ids, labels, count);
    if (series < oracle->series_count) {
        return series;
    }
    size_t bound = (size_t)series + 1;
    oracle->series = mem_grow(oracle->series, bound, sizeof *oracle->series);
    for (size_t i = oracle->series_count; i < bound; i++) {
        oracle->series[i] =
            (struct oracle_series){.first = ORACLE_NONE, .last = ORACLE_NONE, .of = (uint32_t)i};
        for (size_t k = 0; k < ORACLE_NAMES_MAX; k++) {
            oracle->series[i].names[k] = (uint32_t)i;
        }
    }
    oracle->series_count = bound;
    oracle->series[series].shard[0] = shard_of(labels, count, false);
    oracle->series[series].shard[1] = shard_of(labels, count, true);
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        lanes_grow(&oracle->destinations[i], bound);
    }
    return series;
}

void oracle_series_drop(struct oracle *oracle, uint32_t series)
{
    ASSERT(series < oracle->series_count && oracle->series[series].first == ORACLE_NONE);
    oracle->series[series].dropped = true;
}

static void items_grow(struct oracle *oracle)
{
    uint32_t capacity = oracle->items_capacity * 2 + 1024;
    oracle->items = mem_grow(oracle->items, capacity, sizeof *oracle->items);
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        struct oracle_destination *destination = &oracle->destinations[i];
        destination->fates = mem_grow(destination->fates, capacity, sizeof *destination->fates);
        memset(destination->fates + oracle->items_capacity, 0,
               (capacity - oracle->items_capacity) * sizeof *destination->fates);
    }
    oracle->items_capacity = capacity;
}

uint64_t oracle_bits(const struct oracle *oracle)
{
    return value_tag | oracle->items_count;
}

uint32_t oracle_item_add(struct oracle *oracle, const struct oracle_item *item)
{
    if (oracle->items_count == oracle->items_capacity) {
        items_grow(oracle);
    }
    uint32_t number = oracle->items_count++;
    ASSERT(item->bits == WAL_STALE_BITS || item->bits == (value_tag | number));
    ASSERT(item->series < oracle->series_count);
    struct oracle_item *to = &oracle->items[number];
    *to = *item;
    to->state = ITEM_QUEUED;
    to->lived_after = oracle->lived_after;
    to->lived_until = 0;
    oracle->parks = oracle->parks || item->late || item->unknown;
    to->dropped = oracle->series[item->series].dropped;
    to->next = ORACLE_NONE;
    struct oracle_series *series = &oracle->series[item->series];
    if (series->first == ORACLE_NONE) {
        series->first = number;
    } else {
        oracle->items[series->last].next = number;
    }
    series->last = number;
    return number;
}

void oracle_item_visible(struct oracle *oracle, uint32_t item)
{
    ASSERT(oracle->items[item].state == ITEM_QUEUED);
    oracle->items[item].state = ITEM_VISIBLE;
    oracle->visible_count++;
}

void oracle_item_torn(struct oracle *oracle, uint32_t item)
{
    ASSERT(oracle->items[item].state == ITEM_QUEUED);
    oracle->items[item].state = ITEM_TORN;
}

void oracle_item_lost(struct oracle *oracle, uint32_t item)
{
    if (oracle->items[item].state == ITEM_VISIBLE) {
        oracle->items[item].state = ITEM_LOST;
    }
}

void oracle_power_loss(struct oracle *oracle, uint32_t segment)
{
    if (!oracle->power_lost || segment < oracle->power_segment) {
        oracle->power_segment = segment;
    }
    oracle->power_lost = true;
    oracle->forgetful = true;
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        oracle->destinations[i].capped = true;
    }
}

void oracle_source_unknown(struct oracle *oracle, uint32_t source)
{
    oracle->parks = true;
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        struct oracle_item *item = &oracle->items[i];
        item->unknown = item->unknown || item->source == source;
    }
}

void oracle_source_forgotten(struct oracle *oracle, uint32_t source, uint32_t checkpoint)
{
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        struct oracle_item *item = &oracle->items[i];
        bool left = item->source == source && item->segment > checkpoint;
        item->forgotten = item->forgotten || left;
    }
}

void oracle_segment_damaged(struct oracle *oracle, uint32_t segment)
{
    if (!oracle->damaged || segment < oracle->damaged_from) {
        oracle->damaged_from = segment;
    }
    if (!oracle->damaged || segment > oracle->damaged_to) {
        oracle->damaged_to = segment;
    }
    oracle->damaged = true;
}

void oracle_segment_closed(struct oracle *oracle)
{
    oracle->closed_items = oracle->items_count;
}

void oracle_segment_removed(struct oracle *oracle, uint32_t segment)
{
    oracle->parks = true;
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        if (oracle->items[i].segment == segment && !oracle->items[i].gone) {
            oracle->items[i].removed = true;
        }
    }
}

void oracle_segment_kept(struct oracle *oracle, uint32_t segment, bool defined)
{
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        if (oracle->items[i].segment == segment && !oracle->items[i].gone) {
            oracle->items[i].kept = true;
            oracle->items[i].defined = defined;
        }
    }
}

/* ---- lives of the WAL ---- */

static bool item_behind(const struct oracle_item *item, uint32_t segment, uint32_t record)
{
    return item->segment > segment || (item->segment == segment && item->record >= record);
}

static void life_begins(struct oracle *oracle, uint32_t segment)
{
    oracle->cut_segment =
        !oracle->relived || segment < oracle->cut_segment ? segment : oracle->cut_segment;
    oracle->relived = true;
    oracle->parks = true;
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        oracle->destinations[i].capped = true;
    }
}

/* All there was is another WAL's by now. */
static void lives_end(struct oracle *oracle)
{
    uint32_t known = oracle_generation_known(oracle);
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        struct oracle_item *item = &oracle->items[i];
        item->lived_until = item->lived_until == 0 ? known : item->lived_until;
    }
    oracle->lived_after = known;
}

static void item_goes(struct oracle *oracle, uint32_t number)
{
    struct oracle_item *item = &oracle->items[number];
    ASSERT(!item->gone && !item->removed);
    item->gone = true;
    item->removed = true;
    if (!item->kept) {
        oracle_item_lost(oracle, number);
    }
}

void oracle_wal_cut(struct oracle *oracle, uint32_t segment, uint32_t record)
{
    life_begins(oracle, segment);
    bool left = false;
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        struct oracle_item *item = &oracle->items[i];
        if (item->gone || item->removed) {
            continue;
        }
        if (item_behind(item, segment, record)) {
            item_goes(oracle, i);
        }
        item->kept = item->kept && item->gone;
        left = left || !item->gone;
    }
    if (!left) {
        lives_end(oracle);
    }
}

void oracle_wal_copied(struct oracle *oracle)
{
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        struct oracle_item *item = &oracle->items[i];
        item->copied = item->state != ITEM_TORN && !item->gone && !item->removed;
    }
}

/* What comes back was lost, or is settled long since: it may arrive again. */
void oracle_wal_restored(struct oracle *oracle)
{
    life_begins(oracle, 0);
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        struct oracle_item *item = &oracle->items[i];
        if (!item->copied && !item->gone && !item->removed) {
            item_goes(oracle, i);
        } else if (item->copied && (item->gone || item->removed) && !item->kept) {
            oracle_item_lost(oracle, i);
        }
        item->back = item->back || (item->copied && item->removed);
        item->gone = item->gone && !item->copied;
        item->lived_until = item->copied ? 0 : item->lived_until;
        item->removed = item->removed && !item->copied;
        item->kept = item->kept && item->gone; /* what is there again is kept anew, or not */
    }
}

void oracle_source_orphan(struct oracle *oracle, uint32_t source)
{
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        struct oracle_item *item = &oracle->items[i];
        item->orphan = item->orphan || item->source == source;
    }
}

uint32_t oracle_find(const struct oracle *oracle, const struct fake_sample *sample)
{
    if (sample->series >= oracle->series_count) {
        return ORACLE_NONE;
    }
    uint32_t series = oracle_series_of(oracle, sample->series);
    if (sample->bits != WAL_STALE_BITS) {
        uint64_t number = sample->bits ^ value_tag;
        if (number >= oracle->items_count) {
            return ORACLE_NONE;
        }
        const struct oracle_item *item = &oracle->items[number];
        bool same = item->series == series && item->t_ms == sample->t_ms &&
                    item->bits == sample->bits && item->kind == sample->kind;
        return same ? (uint32_t)number : ORACLE_NONE;
    }
    uint32_t number = oracle->series[series].first;
    while (number != ORACLE_NONE && (oracle->items[number].bits != sample->bits ||
                                     oracle->items[number].t_ms != sample->t_ms)) {
        number = oracle->items[number].next;
    }
    return number;
}

enum oracle_take oracle_takes(const struct oracle_destination *destination,
                              const struct oracle_item *item)
{
    const struct conf_destination *conf = destination->conf;
    /* a rule is asked only when the series is known */
    enum oracle_take goes = item->dropped && !item->unknown ? ORACLE_DROPS : ORACLE_TAKES;
    switch (item->kind) {
    case RW_DECODED_FLOAT:
        break;
    case RW_DECODED_HISTOGRAM:
        if (!conf->send_native_histograms) {
            return ORACLE_DROPS;
        }
        return item->custom && conf->protobuf == RW_1 && goes == ORACLE_TAKES ? ORACLE_CANNOT
                                                                              : goes;
    case RW_DECODED_EXEMPLAR:
        return conf->send_exemplars ? goes : ORACLE_DROPS;
    }
    return goes;
}

const char *oracle_item_text(struct oracle *oracle, uint32_t number)
{
    const struct oracle_item *item = &oracle->items[number];
    static const char *const states[] = {"queued", "visible", "torn", "lost"};
    static const char *const kinds[] = {"", "histogram, ", "exemplar, "};
    snprintf(oracle->text, sizeof oracle->text,
             "item %u (segment %u record %u item %u, t=%lld, %s%s%s%s, {%s})", number,
             item->segment, item->record, item->item, (long long)item->t_ms, kinds[item->kind],
             states[item->state], item->unknown ? ", no series record" : "",
             item->removed ? ", segment deleted" : "", label_ids_text(oracle->ids, item->series));
    return oracle->text;
}

/* What the last life knew and did not make durable is forgotten. */
static void acks_forget(struct oracle *oracle, struct oracle_destination *destination)
{
    uint32_t cap = oracle_cap(oracle, destination);
    if (oracle_regenerated(oracle, destination) || oracle->damaged || oracle->forgetful ||
        oracle->relived) {
        cap = 0; /* positions of another generation prove nothing: rather twice than not at all */
    }
    destination->capped = destination->capped || (oracle->life > 1 && cap != UINT32_MAX);
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        struct fate *fate = &destination->fates[i];
        if (fate->acked_life != 0 && fate->acked_event >= oracle->durable_event) {
            fate->acked_life = fate->durable ? 1 : 0;
            fate->acked_event = 0;
            fate->maybe_forgotten = fate->durable;
        } else if (fate->acked_life != 0 && i >= cap) {
            fate->maybe_forgotten = true;
        }
    }
}

/* What no file has any more by then, no walship was to read. Where the WAL had several lives that
 * is not only what lies before the first item that is left: a copy brings older ones back. */
static void starts_anew(const struct oracle *oracle, struct oracle_destination *destination)
{
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        const struct oracle_item *item = &oracle->items[i];
        struct fate *fate = &destination->fates[i];
        fate->early = fate->early || (item->removed && !item->kept);
    }
}

/* A life that finds no state begins by start_at, and may send by it though nothing of it is ever
 * saved: what it left out is known from its own start only. */
static void starts_at(const struct oracle *oracle, struct oracle_destination *destination,
                      int64_t wall_ms)
{
    if (destination->committed || oracle->state_lost) {
        return;
    }
    if (oracle->conf->start_at == CONF_START_NOW) {
        destination->began = oracle->visible_count;
    } else if (oracle->conf->start_at == CONF_START_AGO) {
        destination->start_from_ms = wall_ms - oracle->conf->start_ago_ms;
    }
}

void oracle_started(struct oracle *oracle, int64_t wall_ms)
{
    oracle->life++;
    oracle->runs = true;
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        struct oracle_destination *destination = &oracle->destinations[i];
        acks_forget(oracle, destination);
        if (!destination->committed) {
            starts_anew(oracle, destination);
        }
        destination->unsure_count = 0;
        for (size_t k = 0; k < destination->lanes_count; k++) {
            destination->lanes[k].in_flight = 0;
            destination->lanes[k].unsure = 0;
            destination->lanes[k].again = 0;
        }
        if (oracle->life == 1 && oracle->conf->start_at == CONF_START_NOW) {
            destination->never_before = oracle->visible_count;
        }
        starts_at(oracle, destination, wall_ms);
    }
}

void oracle_life_ended(struct oracle *oracle, int64_t now_ms)
{
    ASSERT(oracle->life > 0 && oracle->runs);
    oracle->runs = false;
    oracle->ended_ms = now_ms;
}

void oracle_reconfigured(struct oracle *oracle, size_t index)
{
    struct oracle_destination *destination = &oracle->destinations[index];
    for (size_t i = 0; i < destination->lanes_count; i++) {
        destination->lanes[i].endpoints = 0;
    }
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        destination->fates[i].maybe_forgotten = destination->fates[i].acked_life != 0;
    }
    destination->capped = true;
}

void oracle_reloaded(struct oracle *oracle, size_t index, bool rewound, bool resharded)
{
    struct oracle_destination *destination = &oracle->destinations[index];
    destination->reloaded = true;
    destination->rewound = destination->rewound || rewound;
    if (rewound) {
        oracle_rewound(oracle, destination);
    }
    destination->resharded = destination->resharded || resharded;
    destination->reruled = destination->reruled || resharded;
    destination->capped = destination->capped || rewound;
}

void oracle_state_lost(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        struct oracle_destination *destination = &oracle->destinations[i];
        for (uint32_t k = 0; k < oracle->items_count; k++) {
            destination->fates[k].acked_life = 0;
            destination->fates[k].passed = false;
            destination->fates[k].durable = false;
            destination->fates[k].maybe_forgotten = false;
        }
        destination->unpassed = 0;
        bool now = oracle->conf->start_at == CONF_START_NOW;
        destination->skipped =
            now && destination->committed ? destination->start_item : destination->began;
        destination->skipped_ms = destination->start_from_ms;
        destination->start_item = 0;
        destination->never_before = 0;
        destination->committed = false;
        destination->saved_name = destination->conf->name;
        destination->capped = true;
    }
    for (uint32_t k = 0; k < oracle->items_count; k++) {
        oracle->items[k].spent = oracle->items[k].spent || oracle->items[k].removed;
        oracle->items[k].lived_after = 0; /* numbers may be given again */
    }
    oracle->lived_after = 0;
    oracle->state_lost = true;
}

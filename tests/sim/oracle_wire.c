/* oracle_wire.c - what is sent, and in which order: I2, and nothing twice without need. */
#include "oracle.h"

#include <walship/limits.h>
#include <walship/mem.h>

static struct oracle_destination *
destination_of(struct oracle *oracle, const struct fake_request *request, uint32_t *endpoint)
{
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        struct oracle_destination *destination = &oracle->destinations[i];
        size_t index = request->receiver - destination->receiver_first;
        if (request->receiver >= destination->receiver_first &&
            index < destination->receivers_count) {
            *endpoint = (uint32_t)index;
            return destination;
        }
    }
    ASSERT(!"every receiver belongs to a destination");
    return NULL;
}

static uint64_t body_hash(const struct fake_request *request)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < request->body_bytes; i++) {
        hash = (hash ^ request->body[i]) * 0x100000001b3u;
    }
    return hash;
}

static bool accepted(const struct fake_request *request)
{
    return request->plan.outcome == HTTP_ANSWERED && request->plan.status / 100 == 2;
}

static void item_posted(struct oracle *oracle, const struct oracle_destination *destination,
                        uint32_t number, uint32_t labels, const struct fake_request *request)
{
    const struct oracle_item *item = &oracle->items[number];
    const struct fate *fate = &destination->fates[number];
    const char *why = NULL;
    if (labels != oracle_name_of(oracle, item->series)) {
        why = "was sent by labels of another life";
    } else if (item->state == ITEM_TORN || item->unknown) {
        why = "was sent though it is no whole item of a known series";
    } else if (oracle_takes(destination, item) != ORACLE_TAKES) {
        why = "was sent though the destination does not take its kind";
    } else if (oracle->damaged || oracle_fussy(destination) ||
               (oracle->power_lost && item->segment >= oracle->power_segment) ||
               (oracle->relived && item->segment >= oracle->cut_segment)) {
        why = NULL; /* rather twice than not at all; pieces may come again */
    } else if (number < destination->never_before) {
        why = "was sent though it is older than the start (start_at: now)";
    } else if (destination->rewound && oracle->parks) {
        why = NULL; /* what was parked held the places back to which it was rewound */
    } else if (fate->acked_life == oracle->life && oracle_rewound_past(oracle, destination)) {
        why =
            NULL; /* as after a restart: lanes of an earlier generation hide nothing in this one */
    } else if (fate->acked_life == oracle->life) {
        why = "was sent again after it was acked in the same life";
    } else if (fate->acked_life != 0 && !fate->maybe_forgotten) {
        why = "was sent again though the commit that settled it was durable before the crash";
    }
    if (why != NULL && !oracle->report->failed) {
        oracle_positions_print(oracle, destination, number);
        report_line(oracle->report, "    acked in life %u of %u, event %u", fate->acked_life,
                    oracle->life, fate->acked_event);
        report_violation(oracle->report, "%s: %s %s (request %llu to %s)", destination->conf->name,
                         oracle_item_text(oracle, number), why,
                         (unsigned long long)request->sequence, request->url);
    }
}

/* Siblings may have a part of a request that was taken apart. */
static bool lends(const struct oracle_destination *destination)
{
    return destination->conf->placement == CONF_FAILOVER && destination->receivers_count > 1 &&
           !destination->calm;
}

/* What of the series leads in this request where that item must: exemplars come behind the others
 * of their TimeSeries, and lead among themselves. */
static uint32_t leader(const struct oracle *oracle, const struct fake_request *request,
                       uint32_t must)
{
    bool exemplar = oracle->items[must].kind == RW_DECODED_EXEMPLAR;
    for (size_t i = 0; i < request->samples_count; i++) {
        const struct fake_sample *sample = &request->samples[i];
        if (oracle_series_of(oracle, sample->series) == oracle->items[must].series &&
            (sample->kind == RW_DECODED_EXEMPLAR) == exemplar) {
            return oracle_find(oracle, sample);
        }
    }
    return ORACLE_NONE;
}

/* To be read again from other domains' places, and its bytes were damaged meanwhile, or are gone
 * with a power loss, or where no spool keeps them. */
static bool unreadable(const struct oracle *oracle, const struct oracle_destination *destination,
                       uint32_t number)
{
    const struct oracle_item *item = &oracle->items[number];
    bool damaged = oracle->damaged && item->segment >= oracle->damaged_from &&
                   item->segment <= oracle->damaged_to;
    bool gone = item->state == ITEM_LOST || (item->removed && !item->kept);
    return destination->rewound && (damaged || gone);
}

/* It may be too old now, or given up with its segment. */
static bool may_expire(const struct oracle *oracle, const struct oracle_destination *destination)
{
    return destination->conf->queue.sample_age_limit_ms > 0 || oracle->budgets;
}

/* Unknown to one life, while the series came on under another ref; known to the next, or in the
 * same life before a rewind. */
static bool forgotten_before(const struct oracle *oracle, uint32_t number, uint32_t newest)
{
    return oracle->items[number].forgotten &&
           oracle->items[number].source != oracle->items[newest].source;
}

/* Must that item lead, which left in a request with an unknown end? number: what does. After a
 * rewind an earlier one may: parked then, for a late series record or a damaged one that a
 * checkpoint has by now. And what the newest checkpoint lacks, though the series lives on under
 * another ref, nobody can know when it is read again: what was read of it had its labels (hold.c),
 * which a rewind lets go with the item. */
static bool must_lead(const struct oracle *oracle, const struct oracle_destination *destination,
                      uint32_t must, uint32_t number)
{
    bool ages = may_expire(oracle, destination);
    bool parked = oracle->parks || oracle->damaged;
    bool back = destination->rewound && parked && number <= must;
    bool forgotten = destination->rewound && forgotten_before(oracle, must, number);
    return !ages && !back && !forgotten && !oracle_fussy(destination) &&
           !unreadable(oracle, destination, must);
}

/* number: the first item of the series in this request. */
static void series_posted(struct oracle *oracle, struct oracle_destination *destination,
                          uint32_t number, uint32_t endpoint, const struct fake_request *request)
{
    uint32_t series = oracle->items[number].series;
    struct lane_fate *lane = &destination->lanes[series];
    if (lane->in_flight == request->sequence) {
        return;
    }
    if (lane->in_flight != 0) {
        report_violation(oracle->report, "I2: %s: {%s} is in requests %llu and %llu at once",
                         destination->conf->name, label_ids_text(oracle->ids, series),
                         (unsigned long long)lane->in_flight,
                         (unsigned long long)request->sequence);
    }
    lane->in_flight = request->sequence;
    lane->endpoints |= (uint64_t)1 << endpoint;
    bool several = (lane->endpoints & (lane->endpoints - 1)) != 0 && !destination->reloaded;
    if (several && (destination->calm || destination->conf->placement == CONF_PINNED)) {
        report_violation(oracle->report, "I2: %s: {%s} went to several endpoints without cause",
                         destination->conf->name, label_ids_text(oracle->ids, series));
    }
    if (lane->apart) { /* its culprits may be given up, and the pieces need fewer failures */
        lane->again = 0;
        lane->unsure = 0;
    }
    if (lane->again != 0 && leader(oracle, request, lane->again - 1) != lane->again - 1 &&
        must_lead(oracle, destination, lane->again - 1, number)) {
        report_violation(oracle->report,
                         "I2: %s: request %llu leads {%s} with item %u, not with %u",
                         destination->conf->name, (unsigned long long)request->sequence,
                         label_ids_text(oracle->ids, series), number, lane->again - 1);
    }
    lane->again = 0;
    if (lane->unsure == 0) {
        return;
    }
    struct unsure *unsure = &destination->unsure[lane->unsure - 1];
    lane->unsure = 0;
    if (unsure->endpoint != endpoint || oracle_fussy(destination)) {
        unsure->broken = true;
    } else if (may_expire(oracle, destination)) {
        unsure->broken = true; /* it may go without what is too old by now */
    } else if (!unsure->broken && !lends(destination) && !destination->reloaded &&
               unsure->hash != body_hash(request)) {
        report_violation(
            oracle->report,
            "I2: %s: request %llu repeats {%s} after an ambiguous end with other bytes",
            destination->conf->name, (unsigned long long)request->sequence,
            label_ids_text(oracle->ids, series));
    }
}

static void size_check(struct oracle *oracle, const struct oracle_destination *destination,
                       const struct fake_request *request)
{
    const struct conf_queue *queue = &destination->conf->queue;
    uint32_t samples_max = destination->throttled ? BATCH_SAMPLES_MAX : queue->max_samples_per_send;
    if (request->samples_count > samples_max ||
        (request->samples_count > 1 && request->body_bytes > queue->max_bytes_per_send)) {
        report_violation(oracle->report, "%s: request %llu is too large: %zu samples, %zu bytes",
                         destination->conf->name, (unsigned long long)request->sequence,
                         request->samples_count, request->body_bytes);
    }
}

void oracle_posted(void *context, const struct fake_request *request)
{
    struct oracle *oracle = context;
    uint32_t endpoint = 0;
    struct oracle_destination *destination = destination_of(oracle, request, &endpoint);
    oracle->event++;
    size_check(oracle, destination, request);
    for (size_t i = 0; i < request->samples_count; i++) {
        const struct fake_sample *sample = &request->samples[i];
        uint32_t number = oracle_find(oracle, sample);
        if (number == ORACLE_NONE) {
            report_violation(oracle->report, "%s: a sample nobody wrote: {%s} t=%lld bits %016llx",
                             destination->conf->name, label_ids_text(oracle->ids, sample->series),
                             (long long)sample->t_ms, (unsigned long long)sample->bits);
            return;
        }
        int64_t start_ms = request->version == RW_2 ? oracle->items[number].st_ms : 0;
        if (sample->st_ms != start_ms || request->version != destination->conf->protobuf) {
            report_violation(oracle->report, "%s: %s has start time %lld in version %d",
                             destination->conf->name, oracle_item_text(oracle, number),
                             (long long)sample->st_ms, (int)request->version + 1);
        }
        item_posted(oracle, destination, number, sample->series, request);
        series_posted(oracle, destination, number, endpoint, request);
    }
}

/* Left out once, may be: too old, or not newer than one before it. */
static bool left_out(const struct oracle *oracle, const struct oracle_destination *destination,
                     uint32_t number)
{
    enum { DATE_MS = 2000 };
    int64_t limit_ms = destination->conf->queue.sample_age_limit_ms;
    int64_t age_ms = *oracle->now_ms + oracle->clock_ms - oracle->items[number].t_ms;
    bool backwards = false;
    for (uint32_t i = oracle->series[oracle->items[number].series].first; i != number;
         i = oracle->items[i].next) {
        backwards = backwards || oracle->items[i].t_ms >= oracle->items[number].t_ms;
    }
    return (limit_ms > 0 && age_ms + DATE_MS > limit_ms) ||
           (backwards && destination->conf->out_of_order == CONF_ORDER_DROP);
}

/* An item that rightly arrives behind later ones of its series. */
static bool late_arrival(const struct oracle *oracle, const struct oracle_destination *destination,
                         const struct fake_request *request, uint32_t number, uint32_t newest)
{
    /* a request that was given up may come late, and its items be beyond a second sending */
    bool anew = oracle->conf->start_at == CONF_START_NOW && !destination->committed;
    bool orphan = request->end != FAKE_OPEN &&
                  (oracle->items[number].removed || oracle->items[number].state == ITEM_LOST ||
                   number < destination->start_item || anew || oracle->budgets ||
                   oracle->conf->start_at == CONF_START_AGO);
    /* of before the start, but the WAL lost the place from which it was to be read */
    orphan = orphan || oracle->items[number].back ||
             (oracle->relived && number < destination->start_item);
    /* given up, then forgotten by a crash, and the spool had room */
    orphan = orphan || (oracle->budgets && oracle->life > 1 && number < oracle->closed_items);
    /* refused, then forgotten by a crash, then liked */
    bool again = oracle_fussy(destination) && oracle_refuses(oracle, destination, number);
    /* then forgotten by a crash, and sent while neither clock nor newest were known */
    /* and where a series record is lost, its items wait while those of another ref go */
    return orphan || again || forgotten_before(oracle, number, newest) ||
           left_out(oracle, destination, number);
}

static void first_arrival(struct oracle *oracle, const struct oracle_destination *destination,
                          const struct fake_request *request, uint32_t number,
                          struct arrivals *so_far)
{
    bool exemplar = oracle->items[number].kind == RW_DECODED_EXEMPLAR;
    uint32_t newest =
        exemplar || so_far->exemplar > so_far->newest ? so_far->exemplar : so_far->newest;
    if (number + 1 < newest && !oracle->damaged && !oracle->state_lost &&
        !late_arrival(oracle, destination, request, number, newest - 1)) {
        report_violation(oracle->report, "I2: %s: %s arrived after item %u of its series",
                         destination->conf->name, oracle_item_text(oracle, number), newest - 1);
    }
    uint32_t *last = exemplar ? &so_far->exemplar : &so_far->newest;
    *last = *last > number + 1 ? *last : number + 1;
}

/* By any name of its series, and by this one: to a receiver each is a series of its own. */
static void item_delivered(struct oracle *oracle, struct oracle_destination *destination,
                           const struct fake_sample *sample, const struct fake_request *request)
{
    uint32_t number = oracle_find(oracle, sample);
    struct fate *fate = &destination->fates[number];
    uint32_t name = 0;
    while (oracle->series[oracle->items[number].series].names[name] != sample->series) {
        name++;
        ASSERT(name < ORACLE_NAMES_MAX);
    }
    destination->arrivals++;
    destination->doubled += fate->arrived;
    if (!fate->arrived) {
        fate->arrived = true;
        first_arrival(oracle, destination, request, number,
                      &destination->lanes[oracle->items[number].series].any);
    }
    if ((fate->arrived_as & (1 << name)) == 0) {
        fate->arrived_as |= (uint8_t)(1 << name);
        first_arrival(oracle, destination, request, number,
                      &destination->lanes[sample->series].named);
    }
}

void oracle_delivered(void *context, const struct fake_request *request)
{
    struct oracle *oracle = context;
    uint32_t endpoint = 0;
    struct oracle_destination *destination = destination_of(oracle, request, &endpoint);
    oracle->event++;
    for (size_t i = 0; i < request->samples_count && !oracle->report->failed; i++) {
        if (request->refused != NULL && request->refused[i]) {
            continue;
        }
        item_delivered(oracle, destination, &request->samples[i], request);
    }
}

static struct lane_fate *lane_of(const struct oracle *oracle,
                                 const struct oracle_destination *destination,
                                 const struct fake_sample *sample)
{
    return &destination->lanes[oracle_series_of(oracle, sample->series)];
}

static uint32_t unsure_add(struct oracle_destination *destination,
                           const struct fake_request *request, uint32_t endpoint)
{
    destination->unsure =
        mem_grow(destination->unsure, destination->unsure_count + 1, sizeof *destination->unsure);
    destination->unsure[destination->unsure_count] =
        (struct unsure){body_hash(request), endpoint, false};
    return (uint32_t)++destination->unsure_count;
}

/* Those of the series that had most: it brings them into the request, and takes all of it apart. */
static uint32_t failures_before(const struct oracle *oracle,
                                const struct oracle_destination *destination,
                                const struct fake_request *request)
{
    uint32_t most = 0;
    for (size_t i = 0; i < request->samples_count; i++) {
        const struct lane_fate *lane = lane_of(oracle, destination, &request->samples[i]);
        most =
            lane->in_flight == request->sequence && lane->failures > most ? lane->failures : most;
    }
    return most;
}

void oracle_ended(void *context, const struct fake_request *request)
{
    struct oracle *oracle = context;
    uint32_t endpoint = 0;
    struct oracle_destination *destination = destination_of(oracle, request, &endpoint);
    oracle->event++;
    oracle_quota_ended(oracle, destination, request);
    bool taken = request->end == FAKE_TAKEN;
    bool answered = taken && request->plan.outcome == HTTP_ANSWERED;
    destination->throttled = destination->throttled || (answered && request->plan.status == 429);
    bool refused = answered && request->plan.status == 400;
    uint32_t failures = failures_before(oracle, destination, request);
    uint32_t unsure = 0;
    if (taken && request->plan.outcome == HTTP_AMBIGUOUS) {
        unsure = unsure_add(destination, request, endpoint);
    }
    for (size_t i = 0; i < request->samples_count && !oracle->report->failed; i++) {
        struct lane_fate *lane = lane_of(oracle, destination, &request->samples[i]);
        uint32_t number = oracle_find(oracle, &request->samples[i]);
        if (lane->in_flight == request->sequence) {
            lane->in_flight = 0;
            lane->failures = taken && accepted(request) ? 0 : failures + 1;
            lane->apart = lane->apart || refused || lane->failures >= STUMBLES ||
                          (unsure > 0 && request->samples_count >= LARGE);
            lane->unsure = unsure;
            lane->again = unsure == 0 || number == ORACLE_NONE ? 0 : number + 1;
        }
        if (taken && accepted(request) && number != ORACLE_NONE) {
            struct fate *fate = &destination->fates[number];
            fate->durable = fate->durable ||
                            (fate->acked_life != 0 && fate->acked_event < oracle->durable_event);
            fate->acked_life = oracle->life;
            fate->acked_event = oracle->event;
            fate->maybe_forgotten = lane->apart; /* out of order, no position tells of it */
        }
    }
}

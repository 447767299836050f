/* oracle_books.c - what is durable, held against what was written and what arrived: I1 at every
 * commit, and the whole account at the end (I3). */
#include "oracle.h"

#include <walship/engine.h>
#include <walship/limits.h>
#include <walship/mem.h>

/* What the durable image says of one destination. */
struct books {
    const struct store_destination *row;
    const struct store_watermark *lowest;
    const struct store_lane *lanes[LANES_COUNT];
    const struct store_watermark *marks[LANES_COUNT]; /* of the lane's domain */
};

static bool books_read(const struct oracle *oracle, const struct oracle_destination *destination,
                       struct books *out)
{
    const char *name = destination->saved_name;
    const struct fake_rows *rows = &oracle->store->durable;
    *out = (struct books){.row = fake_store_destination(oracle->store, name)};
    for (size_t i = 0; i < rows->watermarks_count; i++) {
        const struct store_watermark *mark = &rows->watermarks[i];
        if (strcmp(mark->destination, name) == 0 &&
            (out->lowest == NULL || position_before(&mark->at, &out->lowest->at))) {
            out->lowest = mark;
        }
    }
    for (size_t i = 0; i < rows->lanes_count; i++) {
        const struct store_lane *lane = &rows->lanes[i];
        if (strcmp(lane->destination, name) == 0) {
            out->lanes[lane->lane] = lane;
            out->marks[lane->lane] = fake_store_watermark(oracle->store, name, lane->domain);
        }
    }
    return out->row != NULL && out->lowest != NULL;
}

static bool before(const struct oracle_item *item, const struct position *position)
{
    struct position at = {position->generation, item->segment, item->record, item->item};
    return position_before(&at, position);
}

/* Does a saved position of this destination pass the item? */
static bool passed(const struct oracle *oracle, const struct oracle_destination *destination,
                   const struct books *books, const struct oracle_item *item)
{
    if (before(item, &books->lowest->at)) {
        return true;
    }
    if (destination->conf->shard_by_count > 0 || destination->resharded || item->unknown) {
        return false; /* which lane, the oracle does not know; or one domain keeps the account */
    }
    /* A lane goes on behind a gap; the gap is on the books with the watermark that passes it. What
     * was deleted and nobody kept can't come back: a next life meets the same gap. */
    if (item->removed && !item->kept) {
        return false;
    }
    uint16_t shard = oracle_shard(oracle, destination, item->series);
    /* what was deleted unread is on the books when the watermark passes it, and not before */
    bool gap = item->removed && !item->kept;
    return (!gap && books->lanes[shard] != NULL && before(item, &books->lanes[shard]->settled)) ||
           (books->marks[shard] != NULL && before(item, &books->marks[shard]->at));
}

/* Written to a WAL that began when the generation of the row's beginning was known, that commits
 * told of, and that was over before the generation of its end was: places compare by generation
 * first, so all of it lies between, whatever the numbers of its segments are. */
static bool lived_between(const struct store_loss *loss, const struct oracle_item *item)
{
    return loss->reason == LOSS_TRUNCATED && loss->from.generation <= item->lived_after &&
           item->lived_after < item->lived_until && item->lived_until < loss->to.generation;
}

/* One that reaches into a later generation covers all of the earlier behind its beginning. */
static bool covers(const struct store_loss *loss, const struct oracle_item *item)
{
    bool behind = loss->from.segment <= item->segment;
    bool before = item->segment <= loss->to.segment;
    return loss->from.generation == loss->to.generation
               ? behind && before
               : behind || before || lived_between(loss, item);
}

static bool lost_as(const struct oracle *oracle, const struct oracle_destination *destination,
                    const struct oracle_item *item, enum loss_reason reason)
{
    const struct fake_rows *rows = &oracle->store->durable;
    for (size_t i = 0; i < rows->losses_count; i++) {
        const struct store_loss *loss = &rows->losses[i];
        if (loss->reason == reason && strcmp(loss->destination, destination->conf->name) == 0 &&
            covers(loss, item)) {
            return true;
        }
    }
    return false;
}

enum excuse {
    EXCUSE_NONE,
    EXCUSE_TORN,
    EXCUSE_START,
    EXCUSE_DROPPED,
    EXCUSE_UNSUPPORTED,
    EXCUSE_UNKNOWN,
    EXCUSE_REFUSED,
    EXCUSE_JUDGED,
    EXCUSE_BUDGET,
    EXCUSE_GONE
};

/* Not sent because the destination would drop it: not newer than one before it, or too old. */
static bool judged_out(const struct oracle *oracle, const struct oracle_destination *destination,
                       const struct books *books, uint32_t number)
{
    enum { DATE_MS = 2000 }; /* how far the engine may be off */
    const struct conf_destination *conf = destination->conf;
    const struct oracle_item *item = &oracle->items[number];
    (void)books;
    for (uint32_t i = oracle->series[item->series].first;
         i != number && conf->out_of_order == CONF_ORDER_DROP; i = oracle->items[i].next) {
        if (oracle->items[i].t_ms >= item->t_ms) {
            return true;
        }
    }
    int64_t age_ms = *oracle->now_ms + oracle->clock_ms - item->t_ms;
    return conf->queue.sample_age_limit_ms > 0 &&
           age_ms + DATE_MS > conf->queue.sample_age_limit_ms &&
           lost_as(oracle, destination, item, LOSS_TOO_OLD);
}

/* Only what is in closed segments is given up, and for its bytes only what Prometheus has no more:
 * but for what lies before something that only the spool has, or that was put back in another file.
 */
static bool given_up(const struct oracle *oracle, const struct oracle_destination *destination,
                     uint32_t number)
{
    bool gone = oracle->items[number].removed || oracle->relived || oracle->repaired ||
                oracle->conf->spool_max_age_ms > 0;
    return oracle->budgets && gone && number < oracle->closed_items &&
           lost_as(oracle, destination, &oracle->items[number], LOSS_BUDGET);
}

/* To be sent only since the state was lost: it lies before the start that was saved. */
static enum excuse skipped_out(const struct oracle_destination *destination,
                               const struct oracle_item *item, uint32_t number)
{
    if (number >= destination->skipped && item->t_ms >= destination->skipped_ms) {
        return EXCUSE_NONE;
    }
    if (item->spent && item->removed) {
        return EXCUSE_START; /* it was settled, and so the spool need not have had it any more */
    }
    /* a receiver has newer ones of the series: whether it had this one, too, nobody can know */
    bool newer = destination->lanes[item->series].any.newest > number + 1;
    return destination->judge.order != FAKE_ORDER_ANY && newer ? EXCUSE_REFUSED : EXCUSE_NONE;
}

/* Its checkpoint lacks the living series, which went on under another ref: unknown to one life, it
 * was parked while those went, for nobody can know whose it is; known to the next one, from files
 * of before that checkpoint, it was refused for its time. What is refused so may as well be there.
 */
static bool overtaken_unknown(const struct oracle *oracle,
                              const struct oracle_destination *destination, uint32_t number)
{
    const struct oracle_item *item = &oracle->items[number];
    uint32_t newest = destination->lanes[item->series].any.newest;
    return oracle->life > 1 && item->forgotten && newest > number + 1 &&
           destination->judge.order != FAKE_ORDER_ANY &&
           oracle->items[newest - 1].source != item->source;
}

/* Why an item that did not arrive is no loss, or one that is on the books. */
static enum excuse excuse_of(const struct oracle *oracle,
                             const struct oracle_destination *destination,
                             const struct books *books, uint32_t number)
{
    const struct oracle_item *item = &oracle->items[number];
    if (item->state == ITEM_TORN || item->state == ITEM_LOST) {
        return EXCUSE_TORN;
    }
    if (number < destination->start_item || destination->fates[number].early) {
        return EXCUSE_START;
    }
    enum oracle_take take = oracle_takes(destination, item);
    if (item->t_ms < books->row->start_from_ms || take == ORACLE_DROPS) {
        return EXCUSE_DROPPED;
    }
    if (take == ORACLE_CANNOT && lost_as(oracle, destination, item, LOSS_UNSUPPORTED)) {
        return EXCUSE_UNSUPPORTED;
    }
    if (item->unknown && lost_as(oracle, destination, item, LOSS_UNKNOWN_REF)) {
        return EXCUSE_UNKNOWN;
    }
    if (oracle_fussy(destination) && oracle_refuses(oracle, destination, number) &&
        (destination->judge.order != FAKE_ORDER_ANY ||
         lost_as(oracle, destination, item, LOSS_REJECTED) ||
         lost_as(oracle, destination, item, LOSS_SERVER_ERROR))) {
        return EXCUSE_REFUSED;
    }
    enum excuse skipped = skipped_out(destination, item, number);
    if (skipped != EXCUSE_NONE) {
        return skipped;
    }
    if (overtaken_unknown(oracle, destination, number)) {
        return EXCUSE_REFUSED;
    }
    /* the state was lost, and with it that earlier lives had other lanes: what they sent is
     * searched for as if it had left in the order of these */
    if (oracle->state_lost && destination->reruled && destination->judge.order != FAKE_ORDER_ANY &&
        books->row->counts[STORE_ALREADY_THERE] > 0) {
        return EXCUSE_REFUSED;
    }
    if (judged_out(oracle, destination, books, number)) {
        return EXCUSE_JUDGED;
    }
    /* read before it was deleted, but its series record was deleted before that */
    /* an item without its series record may lie anywhere behind the damage */
    if ((oracle->forgetful || oracle->damaged) &&
        lost_as(oracle, destination, item, LOSS_UNKNOWN_REF)) {
        return EXCUSE_GONE;
    }
    if (lost_as(oracle, destination, item, LOSS_SERVER_ERROR)) {
        return EXCUSE_GONE; /* the only one of its request, which failed too often */
    }
    if (oracle->damaged && item->segment >= oracle->damaged_from &&
        item->segment <= oracle->damaged_to && lost_as(oracle, destination, item, LOSS_DAMAGED)) {
        return EXCUSE_GONE;
    }
    if (item->removed && !item->kept && lost_as(oracle, destination, item, LOSS_TRUNCATED)) {
        return EXCUSE_GONE;
    }
    if (given_up(oracle, destination, number)) {
        return EXCUSE_BUDGET;
    }
    if (((item->removed && !item->defined) || item->orphan) &&
        lost_as(oracle, destination, item, LOSS_UNKNOWN_REF)) {
        return EXCUSE_GONE;
    }
    return EXCUSE_NONE;
}

static void position_print(struct oracle *oracle, const char *what, const struct position *at)
{
    report_line(oracle->report, "    %s: generation %u segment %u record %u item %u", what,
                at->generation, at->segment, at->record, at->item);
}

static void positions_print(struct oracle *oracle, const struct oracle_destination *destination,
                            const struct books *books, uint32_t number)
{
    if (books->lowest != NULL) {
        position_print(oracle, "lowest watermark", &books->lowest->at);
    }
    if (destination->conf->shard_by_count > 0 || books->lowest == NULL) {
        return;
    }
    uint16_t shard = oracle_shard(oracle, destination, oracle->items[number].series);
    report_line(oracle->report, "    shard %u", (unsigned)shard);
    if (books->lanes[shard] != NULL) {
        position_print(oracle, "its lane", &books->lanes[shard]->settled);
    }
    if (books->marks[shard] != NULL) {
        position_print(oracle, books->marks[shard]->domain, &books->marks[shard]->at);
    }
}

void oracle_positions_print(struct oracle *oracle, const struct oracle_destination *destination,
                            uint32_t number)
{
    struct books books;
    (void)books_read(oracle, destination, &books);
    positions_print(oracle, destination, &books, number);
}

static void positions_check(struct oracle *oracle, struct oracle_destination *destination,
                            const struct books *books)
{
    bool all = true; /* so far, all items are passed */
    if (oracle->damaged || oracle->forgetful || oracle->relived) {
        return; /* damaged records have no number; what is unknown only one domain accounts for */
    }
    for (uint32_t i = destination->unpassed; i < oracle->items_count; i++) {
        struct fate *fate = &destination->fates[i];
        if (!fate->passed && passed(oracle, destination, books, &oracle->items[i])) {
            fate->passed = true;
            bool there = oracle_fussy(destination) && fate->arrived;
            if (fate->acked_life == 0 && !there &&
                excuse_of(oracle, destination, books, i) == EXCUSE_NONE) {
                positions_print(oracle, destination, books, i);
                report_violation(oracle->report,
                                 "I1: %s: a durable position passes %s, which was not accepted "
                                 "and is on no account",
                                 destination->conf->name, oracle_item_text(oracle, i));
                return;
            }
        }
        all = all && fate->passed;
        destination->unpassed += all;
    }
}

void oracle_commit_taken(void *context)
{
    struct oracle *oracle = context;
    oracle->taken_event = ++oracle->event;
    oracle->taken_items = oracle->items_count;
    uint32_t gone = 0; /* what was deleted before there was a place to start at */
    while (gone < oracle->items_count && oracle->items[gone].removed) {
        gone++;
    }
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        struct oracle_destination *destination = &oracle->destinations[i];
        if (!destination->committed && destination->start_item < gone) {
            destination->start_item = gone;
        }
    }
}

void oracle_commit_applied(void *context)
{
    struct oracle *oracle = context;
    oracle->durable_event = oracle->taken_event;
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        struct oracle_destination *destination = &oracle->destinations[i];
        struct books books;
        destination->saved_name = destination->conf->name;
        if (!books_read(oracle, destination, &books)) {
            report_violation(oracle->report, "%s: a commit without its row or its watermark",
                             destination->conf->name);
            return;
        }
        if (!destination->committed && oracle->conf->start_at == CONF_START_NOW &&
            !oracle->state_lost) {
            destination->start_item = oracle->taken_items;
        }
        destination->committed = true;
        destination->start_from_ms = books.row->start_from_ms;
        positions_check(oracle, destination, &books);
    }
}

/* A position held back by an item may be its record's. */
static uint32_t record_start(const struct oracle *oracle, uint32_t number)
{
    const struct oracle_item *item = &oracle->items[number];
    return number - item->item;
}

/* Does any domain wait for the series record of this item, or will one again? */
static bool unknown_open(const struct books *books, const struct oracle_item *item)
{
    return books->lowest == NULL || !before(item, &books->lowest->at);
}

uint32_t oracle_cap(const struct oracle *oracle, const struct oracle_destination *destination)
{
    struct books books;
    (void)books_read(oracle, destination, &books);
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        const struct oracle_item *item = &oracle->items[i];
        const struct fate *fate = &destination->fates[i];
        enum oracle_take take = oracle_takes(destination, item);
        bool dropped = item->dropped && !item->unknown; /* parked, till its series record comes */
        bool open = item->unknown || dropped || take == ORACLE_CANNOT
                        ? unknown_open(&books, item)
                        : fate->acked_life == 0 || fate->maybe_forgotten ||
                              fate->acked_event >= oracle->durable_event;
        /* one whose series record was deleted is unknown, too */
        bool parked = item->unknown || item->late || item->removed;
        if (parked && (dropped || take != ORACLE_DROPS) && item->state == ITEM_VISIBLE && open) {
            return record_start(oracle, i);
        }
    }
    return UINT32_MAX;
}

uint32_t oracle_generation(const struct oracle *oracle)
{
    uint32_t newest = 0;
    for (size_t i = 0; i < oracle->store->durable.watermarks_count; i++) {
        uint32_t generation = oracle->store->durable.watermarks[i].at.generation;
        newest = generation > newest ? generation : newest;
    }
    return newest;
}

uint32_t oracle_generation_known(const struct oracle *oracle)
{
    uint32_t newest = 0;
    for (size_t i = 0; i < oracle->store->durable.segments_count; i++) {
        uint32_t generation = oracle->store->durable.segments[i].generation;
        newest = generation > newest ? generation : newest;
    }
    return newest;
}

static bool generation_after(const struct oracle *oracle, uint32_t generation)
{
    return oracle_generation_known(oracle) > generation;
}

bool oracle_regenerated(const struct oracle *oracle, const struct oracle_destination *destination)
{
    struct books books;
    return books_read(oracle, destination, &books) &&
           generation_after(oracle, books.lowest->at.generation);
}

void oracle_rewound(const struct oracle *oracle, struct oracle_destination *destination)
{
    struct books books;
    if (books_read(oracle, destination, &books)) {
        uint32_t from = books.lowest->at.generation;
        bool lower = destination->rewound_from == 0 || from < destination->rewound_from;
        destination->rewound_from = lower ? from : destination->rewound_from;
    }
}

bool oracle_rewound_past(const struct oracle *oracle, const struct oracle_destination *destination)
{
    return destination->rewound_from != 0 && generation_after(oracle, destination->rewound_from);
}

uint32_t oracle_segment_needed(const struct oracle *oracle)
{
    uint32_t needed = UINT32_MAX;
    if (oracle->relived) {
        return 0; /* of which life its place is, the oracle does not know */
    }
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        struct books books;
        if (!books_read(oracle, &oracle->destinations[i], &books)) {
            return 0;
        }
        if (books.lowest->at.segment < needed) {
            needed = books.lowest->at.segment;
        }
    }
    return needed;
}

/* ---- the end ---- */

struct totals {
    uint64_t visible, arrived, dropped, unsupported, unknown, refused, gone, start;
    uint64_t refusable; /* arrived or not: a life that quarantines a series may follow another */
    uint64_t budget;    /* given up, and they never arrived */
    uint64_t unheard;   /* arrived, but no answer was ever heard */
    uint64_t early;     /* as if given up, but before any commit told where its start was */
    uint64_t blurred;   /* items whose account a crash may rightly have moved */
};

static void item_count(struct oracle *oracle, const struct oracle_destination *destination,
                       const struct books *books, uint32_t number, struct totals *totals)
{
    const struct fate *fate = &destination->fates[number];
    const struct oracle_item *item = &oracle->items[number];
    enum excuse excuse = excuse_of(oracle, destination, books, number);
    totals->visible += item->state == ITEM_VISIBLE;
    totals->refusable += oracle_fussy(destination) && oracle_refuses(oracle, destination, number);
    if (fate->arrived) {
        totals->arrived++;
        totals->unheard += fate->acked_life == 0;
        /* sent in an early life, then forgotten by a crash and out of reach for the next */
        totals->blurred += item->removed || excuse == EXCUSE_DROPPED || excuse == EXCUSE_START ||
                           excuse == EXCUSE_JUDGED || /* in a later life */
                           excuse == EXCUSE_GONE;     /* stored, but the answer was a failure */
        return;
    }
    totals->dropped += excuse == EXCUSE_DROPPED;
    totals->unsupported += excuse == EXCUSE_UNSUPPORTED;
    totals->unknown += excuse == EXCUSE_UNKNOWN;
    totals->refused += excuse == EXCUSE_REFUSED;
    totals->gone += excuse == EXCUSE_GONE;
    totals->start += excuse == EXCUSE_START;
    totals->budget += excuse == EXCUSE_BUDGET;
    totals->early += excuse == EXCUSE_START && number >= destination->never_before &&
                     given_up(oracle, destination, number);
    totals->blurred += excuse == EXCUSE_GONE || excuse == EXCUSE_START || excuse == EXCUSE_JUDGED;
    /* of what nobody sends it is not seen here whether it was read before it went */
    bool silent = excuse == EXCUSE_DROPPED || oracle_takes(destination, item) != ORACLE_TAKES;
    totals->blurred += silent && (item->removed || oracle->damaged || oracle->forgetful);
    if (excuse == EXCUSE_NONE) {
        report_violation(oracle->report, "%s: %s never arrived and is on no account",
                         destination->conf->name, oracle_item_text(oracle, number));
    }
}

static void count_check(struct oracle *oracle, const struct oracle_destination *destination,
                        const char *what, uint64_t said, uint64_t true_count)
{
    if (said != true_count) {
        report_violation(oracle->report,
                         "I3: %s: the saved count of items %s is %llu, true is %llu",
                         destination->conf->name, what, (unsigned long long)said,
                         (unsigned long long)true_count);
    }
}

/* Only what the receivers refuse is lost, and nothing that is there. */
static void refusals_check(struct oracle *oracle, const struct oracle_destination *destination,
                           const uint64_t *counts, const struct totals *totals)
{
    uint64_t lost = totals->unknown + totals->unsupported + totals->refusable;
    if (counts[STORE_LOST] > lost) {
        report_violation(oracle->report, "%s: %llu items lost, though only %llu may be",
                         destination->conf->name, (unsigned long long)counts[STORE_LOST],
                         (unsigned long long)lost);
    }
    count_check(oracle, destination, "dropped", counts[STORE_DROPPED], totals->dropped);
}

/* Each one that is given up is in the ledger, and nothing else is: but what arrived without
 * anybody's hearing of it, and what a start from now may have read or not. Where other rows may
 * cover the same places, nobody can tell them apart.
 */
static void budget_check(struct oracle *oracle, const struct oracle_destination *destination,
                         const struct totals *totals)
{
    uint64_t most = totals->budget + totals->unheard + totals->early;
    uint64_t said = 0;
    bool others = oracle->relived || oracle->forgetful || destination->capped;
    for (size_t i = 0; i < oracle->store->durable.losses_count; i++) {
        const struct store_loss *loss = &oracle->store->durable.losses[i];
        bool ours = strcmp(loss->destination, destination->conf->name) == 0;
        said += ours && loss->reason == LOSS_BUDGET ? loss->items : 0;
        others = others || (ours && loss->reason != LOSS_BUDGET);
    }
    if (!others && (said < totals->budget || said > most)) {
        report_violation(oracle->report,
                         "I3: %s: the ledger has %llu items of the budget, %llu never arrived, of "
                         "%llu that did nobody heard",
                         destination->conf->name, (unsigned long long)said,
                         (unsigned long long)totals->budget, (unsigned long long)totals->unheard);
    }
}

static void destination_final(struct oracle *oracle, const struct oracle_destination *destination)
{
    struct books books;
    if (!books_read(oracle, destination, &books)) {
        report_violation(oracle->report, "%s: nothing of it was ever saved",
                         destination->conf->name);
        return;
    }
    struct totals totals = {0};
    /* what arrived in spite of its age may be on either account */
    totals.blurred = destination->conf->queue.sample_age_limit_ms > 0;
    for (uint32_t i = 0; i < oracle->items_count && !oracle->report->failed; i++) {
        item_count(oracle, destination, &books, i, &totals);
    }
    const uint64_t *counts = books.row->counts;
    count_check(oracle, destination, "read (the sum of all fates)", counts[STORE_READ],
                counts[STORE_ACKED] + counts[STORE_ALREADY_THERE] + counts[STORE_DROPPED] +
                    counts[STORE_LOST]);
    uint64_t lost = 0;
    for (size_t i = 0; i < oracle->store->durable.losses_count; i++) {
        const struct store_loss *loss = &oracle->store->durable.losses[i];
        lost += strcmp(loss->destination, destination->conf->name) == 0 ? loss->items : 0;
    }
    count_check(oracle, destination, "lost (the sum of the ledger)", counts[STORE_LOST], lost);
    budget_check(oracle, destination, &totals);
    totals.blurred += totals.budget + (oracle->budgets ? totals.unheard : 0);
    if (totals.blurred == 0 && !destination->capped && oracle_fussy(destination)) {
        refusals_check(oracle, destination, counts, &totals);
    } else if (totals.blurred == 0 && !destination->capped) {
        count_check(oracle, destination, "acked", counts[STORE_ACKED], totals.arrived);
        count_check(oracle, destination, "dropped", counts[STORE_DROPPED], totals.dropped);
        count_check(oracle, destination, "lost", counts[STORE_LOST],
                    totals.unknown + totals.unsupported);
    }
    report_line(oracle->report,
                "books of %s: %llu visible, %llu arrived, %llu dropped, %llu unknown, %llu gone, "
                "%llu before start, %llu arrivals, %llu doubled",
                destination->conf->name, (unsigned long long)totals.visible,
                (unsigned long long)totals.arrived, (unsigned long long)totals.dropped,
                (unsigned long long)totals.unknown, (unsigned long long)totals.gone,
                (unsigned long long)totals.start, (unsigned long long)destination->arrivals,
                (unsigned long long)destination->doubled);
}

void oracle_final(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->conf->destinations_count && !oracle->report->failed; i++) {
        destination_final(oracle, &oracle->destinations[i]);
        oracle_quota_final(oracle, &oracle->destinations[i]);
    }
    for (uint32_t i = 0; i < oracle->items_count; i++) {
        ASSERT(oracle->items[i].state != ITEM_QUEUED); /* the actor ends with all written */
    }
}

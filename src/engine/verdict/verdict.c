/* verdict.c - what an answer makes of a batch that was not simply taken: it is sifted (sift.c),
 * waits, or is lost. Whatever the pieces bring, the account is made when the last of them is
 * settled, and all lanes of the batch in one step (I3): a crash before that begins anew. */
#include "sift.h"

enum {
    FAILURES_MAX = 8, /* of a whole batch, before it is sifted */
    REFUSALS_MAX = 3, /* of all of a batch, with nothing else taken: the endpoint is held */
    WAIT_MS = 500,    /* for others to be taken; doubled so often: */
    WAIT_DOUBLINGS = 6,
    DETAILS_MAX = 16 /* series that are named in the ledger, of one batch */
};

static struct progress progress_of(const struct engine *engine, const struct sender *sender)
{
    ASSERT(sender->taken <= engine->next_request && sender->ill <= engine->next_request);
    return (struct progress){engine->next_request, sender->taken, sender->ill};
}

static const char *shown(const struct sender *sender)
{
    return sender->conf->shown;
}

/* ---- the account of a sifted batch ---- */

static bool is_lost(enum fate fate)
{
    return fate == FATE_REFUSED || fate == FATE_FAILED || fate == FATE_BANNED || fate == FATE_LATE;
}

struct placed {
    const struct item *item;
    struct position at;
};

struct account {
    const struct sift *sift;
    struct placed *items; /* by their place in the batch */
    uint32_t named;       /* series, so far */
};

static struct placed *items_placed(const struct destination *destination, const struct batch *batch)
{
    struct placed *items = mem_new(batch->sift->items, sizeof *items);
    uint32_t place = 0;
    for (size_t i = 0; i < batch->parts_count; i++) {
        const struct lane *lane = &destination->lanes[batch->parts[i].lane];
        const struct domain *domain = destination->domains[lane->domain];
        struct lane_walk walk;
        lane_walk_start(&walk, lane);
        for (uint32_t k = 0; k < batch->parts[i].count; k++, place++) {
            const struct item *item = lane_walk_next(&walk);
            items[place] = (struct placed){item, ring_of(&domain->ring, item->record)->at};
            items[place].at.item = item->index;
        }
    }
    ASSERT(place == batch->sift->items);
    return items;
}

/* Labels and the receiver's words, for the ledger. */
static char *detail_of(struct engine *engine, uint32_t set, const char *words)
{
    enum { DETAIL_BYTES_MAX = 1000 };
    struct label *labels = engine->label_room;
    struct buf text;
    buf_init(&text, 2 * LABELS_BYTES_MAX);
    size_t count = labels_get(engine->labels, set, labels, LABELS_FINAL_MAX);
    bool fits = buf_format(&text, "%s: ", words) && labels_format(labels, count, &text);
    (void)fits; /* it is cut in any case */
    if (text.bytes > DETAIL_BYTES_MAX) {
        text.bytes = DETAIL_BYTES_MAX;
        while (text.bytes > 0 && (text.data[text.bytes] & 0xc0) == 0x80) {
            text.bytes--; /* not within a character */
        }
    }
    for (size_t i = 0; i < text.bytes; i++) {
        text.data[i] = text.data[i] < ' ' || text.data[i] == 0x7f ? '?' : text.data[i];
    }
    char *detail = mem_format("%.*s", (int)text.bytes, (const char *)text.data);
    buf_release(&text);
    return detail;
}

static uint32_t first_lost(const struct sift *sift, uint32_t place)
{
    while (place != NOBODY && !is_lost((enum fate)sift->fates[place])) {
        place = sift->next[place];
    }
    return place;
}

/* Into the ledger, a row for each segment. */
static void rows_write(struct engine *engine, struct destination *destination,
                       const struct account *account, uint32_t first, struct losses *losses)
{
    const struct sift *sift = account->sift;
    for (uint32_t i = first; i != NOBODY; i = first_lost(sift, sift->next[i])) {
        const struct placed *placed = &account->items[i];
        ledger_gather(engine, destination, losses, placed->item, &placed->at);
    }
    ledger_gathered(engine, destination, losses);
    ASSERT(losses->items > 0);
}

/* first: the first item of the series that is lost. */
static void series_lost(struct engine *engine, struct destination *destination,
                        struct account *account, uint32_t first)
{
    uint32_t set = account->sift->sets[first];
    enum fate fate = (enum fate)account->sift->fates[first];
    const char *words = account->sift->words;
    struct losses losses = {.row.reason = LOSS_REJECTED};
    if (fate == FATE_FAILED) {
        losses.row.reason = LOSS_SERVER_ERROR;
    } else if (fate == FATE_BANNED) {
        words = quarantine_words(destination, set, &losses.row.reason);
    }
    bool named = account->named++ < DETAILS_MAX;
    char *detail = named ? detail_of(engine, set, words) : NULL;
    losses.row.detail = detail;
    rows_write(engine, destination, account, first, &losses);
    if (fate != FATE_BANNED && fate != FATE_LATE) {
        struct refused_series refused = {set, (uint32_t)losses.items, losses.row.reason, words};
        quarantine_note(engine, destination, &refused);
    }
    if (named && fate != FATE_BANNED) {
        LOG_WARN("samples are refused for good and lost",
                 LOG_STR("destination", destination->conf->name), LOG_U64("samples", losses.items),
                 LOG_STR("detail", detail));
    }
    mem_free(detail);
}

static void losses_write(struct engine *engine, struct destination *destination,
                         const struct batch *batch, struct sender *sender)
{
    const struct sift *sift = batch->sift;
    struct account account = {sift, items_placed(destination, batch), 0};
    for (uint32_t i = 0; i < sift->items; i++) {
        uint32_t first = sift->heads[i] == i ? first_lost(sift, i) : NOBODY;
        if (is_lost((enum fate)sift->fates[i])) {
            kinds_add(&sender->kinds.failed, account.items[i].item->kind, 1);
        }
        if (first != NOBODY) {
            series_lost(engine, destination, &account, first);
        }
    }
    mem_free(account.items);
}

static void batch_end(struct engine *engine, struct destination *destination, struct batch *batch)
{
    for (size_t i = 0; i < batch->parts_count; i++) {
        struct lane *lane = &destination->lanes[batch->parts[i].lane];
        uint32_t count = batch->parts[i].count;
        ASSERT(lane->in_flight == count);
        lane->in_flight = 0;
        domain_settle(engine, destination->domains[lane->domain], lane, count);
    }
    buf_release(&batch->body);
    sift_free(batch->sift);
    batch->sift = NULL;
    batch->state = BATCH_FREE;
}

static void sift_finish(struct engine *engine, struct destination *destination,
                        struct sender *sender, struct batch *batch)
{
    uint64_t counts[FATE_JUDGED + 1] = {0};
    for (uint32_t i = 0; i < batch->sift->items; i++) {
        counts[batch->sift->fates[i]]++;
    }
    ASSERT(counts[FATE_OPEN] == 0 && counts[FATE_APART] == 0);
    uint64_t lost = batch->sift->items - counts[FATE_ACKED] - counts[FATE_THERE] -
                    counts[FATE_JUDGED]; /* domain_settle has the account of those */
    trace_line(engine, "%s: batch %llu is sifted: %llu acked, %llu already there, %llu lost",
               shown(sender), (unsigned long long)batch->number,
               (unsigned long long)counts[FATE_ACKED], (unsigned long long)counts[FATE_THERE],
               (unsigned long long)lost);
    losses_write(engine, destination, batch, sender);
    destination->counts[STORE_ACKED] += counts[FATE_ACKED];
    destination->counts[STORE_ALREADY_THERE] += counts[FATE_THERE];
    sender->samples += counts[FATE_ACKED];
    if (counts[FATE_ACKED] > 0 && batch->newest_ms > sender->newest_acked_ms) {
        sender->newest_acked_ms = batch->newest_ms;
    }
    batch_end(engine, destination, batch);
}

/* Marks the items of lanes in which something is still to be done; their number of lanes. */
static size_t busy_lanes(const struct batch *batch, uint8_t *busy, bool *lanes)
{
    const struct sift *sift = batch->sift;
    uint32_t place = 0;
    size_t count = 0;
    for (size_t i = 0; i < batch->parts_count; i++) {
        lanes[i] = false;
        for (uint32_t k = 0; k < batch->parts[i].count; k++) {
            enum fate fate = (enum fate)sift->fates[place + k];
            lanes[i] = lanes[i] || fate == FATE_OPEN || fate == FATE_APART;
        }
        memset(&busy[place], lanes[i], batch->parts[i].count);
        place += batch->parts[i].count;
        count += lanes[i];
    }
    return count;
}

static void parts_keep(struct batch *batch, const bool *lanes, bool which)
{
    size_t kept = 0;
    batch->samples = 0;
    for (size_t i = 0; i < batch->parts_count; i++) {
        if (lanes[i] == which) {
            batch->samples += batch->parts[i].count;
            batch->parts[kept++] = batch->parts[i];
        }
    }
    batch->parts_count = kept;
}

/* Lanes that are done leave the batch: only the others wait for the culprit. */
static void lanes_leave(struct engine *engine, struct destination *destination,
                        struct sender *sender, struct batch *batch)
{
    struct sift *sift = batch->sift;
    bool lanes[SHARDS_COUNT] = {false};
    uint8_t *busy = mem_new(sift->items, 1);
    size_t count = busy_lanes(batch, busy, lanes);
    if (count > 0 && count < batch->parts_count) {
        struct batch done = *batch;
        parts_keep(&done, lanes, false);
        parts_keep(batch, lanes, true);
        batch->sift = sift_part(sift, destination, batch, busy);
        for (uint32_t i = 0; i < sift->items; i++) {
            busy[i] = !busy[i];
        }
        done.sift = sift_part(sift, destination, &done, busy);
        buf_init(&done.body, 1); /* the body is the other's */
        sift_finish(engine, destination, sender, &done);
        sift_free(sift);
    }
    mem_free(busy);
}

/* ---- the next piece ---- */

static void piece_encode(struct engine *engine, struct destination *destination,
                         struct sender *sender, struct batch *batch)
{
    struct sift *sift = batch->sift;
    uint32_t fitting;
    while (!encode_batch(engine, destination, batch, &fitting)) {
        ASSERT(sift->wanted_count > 1 && sift->piece == PIECE_FRONT);
        sift->piece_max = sift->wanted_count / 2; /* less of it, but packed worse */
        struct progress progress = progress_of(engine, sender);
        enum choice choice = sift_choose(sift, &progress);
        ASSERT(choice == CHOICE_PIECE);
    }
    if (sift->piece == PIECE_APART) {
        quarantine_tried(engine, destination, sift->sets[sift->place]);
    }
    overtake_note(engine, destination, batch);
    batch->attempts = 0;
    batch->retry_at_ms = 0;
}

/* Something is refused, and nothing else was taken since: it may not be the samples' fault. */
static void wait_for_others(struct engine *engine, struct sender *sender, struct batch *batch)
{
    uint32_t doublings = batch->refusals < WAIT_DOUBLINGS ? batch->refusals : WAIT_DOUBLINGS;
    bool several = batch->sift->alone_count >= ALONE_SEVERAL || batch->refusals >= REFUSALS_MAX;
    batch->refusals++;
    batch->retry_at_ms = engine->now_ms + ((int64_t)WAIT_MS << doublings);
    if (!batch->sift->taken && several) {
        endpoint_hold(&sender->endpoint, engine->now_ms);
    }
    trace_line(engine, "%s: batch %llu, nothing else is taken", shown(sender),
               (unsigned long long)batch->number);
}

static void go_on(struct engine *engine, struct destination *destination, struct sender *sender,
                  struct batch *batch)
{
    ASSERT(batch->state == BATCH_READY && batch->sift != NULL);
    lanes_leave(engine, destination, sender, batch);
    struct progress progress = progress_of(engine, sender);
    switch (sift_choose(batch->sift, &progress)) {
    case CHOICE_PIECE:
        piece_encode(engine, destination, sender, batch);
        return;
    case CHOICE_WAIT:
        piece_encode(engine, destination, sender, batch);
        wait_for_others(engine, sender, batch);
        return;
    case CHOICE_NONE:
        sift_finish(engine, destination, sender, batch);
        return;
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

bool verdict_prepare(struct engine *engine, struct destination *destination, struct batch *batch)
{
    ASSERT(batch->sift == NULL);
    if (destination->quarantine.banned == 0) {
        return true;
    }
    struct sift *sift = sift_new(destination, batch);
    uint32_t banned = 0;
    for (uint32_t i = 0; i < sift->items; i++) {
        uint32_t head = sift->heads[i];
        enum quarantine_state state = quarantine_state(engine, destination, sift->sets[head]);
        if (state != QUARANTINE_FREE && sift->fates[i] == FATE_OPEN) {
            sift->fates[i] = state == QUARANTINE_BANNED ? FATE_BANNED : FATE_APART;
            banned++;
        }
    }
    if (banned == 0) {
        sift_free(sift);
        return true;
    }
    sift_compact(sift);
    batch->sift = sift;
    struct progress progress = {0}; /* nothing was refused yet */
    return sift_choose(sift, &progress) == CHOICE_PIECE;
}

void verdict_finish(struct engine *engine, struct destination *destination, struct sender *sender,
                    struct batch *batch)
{
    ASSERT(batch->sift != NULL && batch->carried == 0);
    sift_finish(engine, destination, sender, batch);
}

/* ---- answers ---- */

/* Some of it may have been delivered by an earlier life, or from another batch. */
static bool lanes_doubtful(const struct destination *destination, const struct batch *batch)
{
    bool doubtful = false;
    for (size_t i = 0; i < batch->parts_count; i++) {
        const struct lane *lane = &destination->lanes[batch->parts[i].lane];
        const struct domain *domain = destination->domains[lane->domain];
        struct lane_walk walk;
        lane_walk_start(&walk, lane);
        struct position at = ring_of(&domain->ring, lane_walk_next(&walk)->record)->at;
        doubtful = doubtful || lane->unsure > 0 || domain_doubts(domain, &at);
    }
    return doubtful;
}

static void sift_begin(const struct destination *destination, struct batch *batch)
{
    ASSERT(batch->sift == NULL);
    batch->sift = sift_new(destination, batch);
    sift_want(batch->sift, PIECE_FRONT, batch->sift->items);
    batch->sift->whole = batch->maybe;
}

void verdict_acked(struct engine *engine, struct destination *destination, struct sender *sender,
                   struct batch *batch)
{
    struct sift *sift = batch->sift;
    ASSERT(sift != NULL && sift->wanted_count > 0);
    sender->bytes += batch->body.bytes;
    if (sift->piece == PIECE_APART) {
        quarantine_lift(engine, destination, sift->sets[sift->place]);
    }
    if (sift->asking) {
        there_taken(sift);
    } else {
        sift_settle(sift, NULL, FATE_ACKED);
    }
    if (sift->piece_grows && sift->piece_max <= BATCH_SAMPLES_MAX / 2) {
        sift->piece_max *= 2;
    }
    go_on(engine, destination, sender, batch);
}

/* Refused for its time: of what may have been delivered it is asked how much is there. */
static void too_late(const struct destination *destination, const struct progress *progress,
                     struct batch *batch, bool rest_taken)
{
    struct sift *sift = batch->sift;
    bool by_lane = lanes_doubtful(destination, batch);
    bool whole = sift->maybe || (sift->whole && !sift->disproved);
    bool doubtful = by_lane || whole || batch->maybe || rest_taken;
    bool ask = sift->piece == PIECE_FRONT && (there_unasked(sift) || sift->maybe);
    enum there there = rest_taken ? THERE_REST : by_lane || !whole ? THERE_LANE : THERE_WHOLE;
    struct refusal_seen seen = {FATE_LATE, *progress, .sure = true};
    if (sift->asking) {
        there_refused(sift);
    } else if (doubtful && sift->piece == PIECE_APART) {
        sift_settle(sift, NULL, FATE_THERE);
    } else if (doubtful && sift->wanted_count == 1) {
        sift->there = sift->asked ? sift->there : there;
        there_alone(sift, sift_first_wanted(sift));
        sift->asking = sift->asked; /* what follows it is as likely to be there */
    } else if (doubtful && ask) {
        there_begin(sift, there);
    } else {
        sift_refused(sift, &seen);
    }
}

void verdict_refused(struct engine *engine, struct destination *destination, struct sender *sender,
                     struct batch *batch, enum verdict verdict)
{
    bool time = verdict == VERDICT_THERE || verdict == VERDICT_THERE_TAKEN;
    if (batch->sift == NULL && time && batch->parts_count > 1 &&
        lanes_doubtful(destination, batch)) {
        pack_halve(engine, destination, batch); /* lane by lane, side by side */
        sender->lanes_max = (uint32_t)batch->parts_count;
        return;
    }
    if (batch->sift == NULL) {
        sift_begin(destination, batch);
    }
    snprintf(batch->sift->words, sizeof batch->sift->words, "%s", sender->endpoint.last_error);
    struct progress progress = progress_of(engine, sender);
    if (time) {
        too_late(destination, &progress, batch, verdict == VERDICT_THERE_TAKEN);
    } else {
        struct refusal_seen seen = {FATE_REFUSED, progress, .sure = false};
        sift_refused(batch->sift, &seen);
    }
    go_on(engine, destination, sender, batch);
}

void verdict_unsure(struct batch *batch)
{
    batch->maybe = true;
    if (batch->sift != NULL) {
        batch->sift->maybe = true;
    }
}

/* Not a piece that would be lost as a whole, nor one by which is asked for what is there. */
static bool divisible(const struct sift *sift)
{
    return sift == NULL ||
           (!sift->asking && (sift->piece == PIECE_FRONT || sift->piece == PIECE_OTHERS));
}

/* It may be the size: rather than to wait for the same end again. */
static void try_smaller(struct engine *engine, struct destination *destination,
                        struct sender *sender, struct batch *batch, uint32_t samples)
{
    if (batch->sift == NULL) {
        sift_begin(destination, batch);
    }
    ASSERT(samples > 0 && samples < batch->carried);
    batch->sift->suspect = 0;
    batch->sift->piece_max = samples;
    batch->sift->piece_grows = true;
    go_on(engine, destination, sender, batch);
}

void verdict_failed(struct engine *engine, struct destination *destination, struct sender *sender,
                    struct batch *batch)
{
    verdict_unsure(batch);
    batch->failures++;
    uint32_t piece = size_piece(destination, sender, batch);
    if (piece > 0 && divisible(batch->sift)) {
        try_smaller(engine, destination, sender, batch, piece);
        return;
    }
    if (batch->sift == NULL && batch->failures < FAILURES_MAX) {
        return;
    }
    if (batch->sift == NULL) {
        sift_begin(destination, batch);
        batch->sift->suspect = batch->sift->items;
        go_on(engine, destination, sender, batch);
        return;
    }
    snprintf(batch->sift->words, sizeof batch->sift->words, "%s", sender->endpoint.last_error);
    struct progress progress = progress_of(engine, sender);
    if (sift_failed(batch->sift, &progress)) {
        go_on(engine, destination, sender, batch);
    }
}

/* In a row: of the piece, or of the whole. */
uint32_t verdict_failures(const struct batch *batch)
{
    return batch->sift != NULL ? batch->sift->failures : batch->failures;
}

/* As Prometheus: a 429 is final. */
void verdict_given_up(struct engine *engine, struct destination *destination, struct sender *sender,
                      struct batch *batch)
{
    if (batch->sift == NULL) {
        sift_begin(destination, batch);
    }
    snprintf(batch->sift->words, sizeof batch->sift->words, "%s", sender->endpoint.last_error);
    sift_settle(batch->sift, NULL, FATE_LATE);
    go_on(engine, destination, sender, batch);
}

bool verdict_smaller(struct engine *engine, struct destination *destination, struct sender *sender,
                     struct batch *batch)
{
    struct sift *sift = batch->sift;
    if (sift == NULL || sift->wanted_count == 1 || sift->piece != PIECE_FRONT) {
        return false;
    }
    sift->piece_max = (sift->wanted_count + 1) / 2;
    sift->piece_grows = false;
    go_on(engine, destination, sender, batch);
    return true;
}

/* What has a good end keeps it: at once in front of its lane, else when all before it have theirs.
 */
void verdict_leave(struct engine *engine, struct destination *destination, struct sender *sender,
                   struct batch *batch)
{
    const struct sift *sift = batch->sift;
    uint32_t place = 0;
    for (size_t i = 0; i < batch->parts_count; i++) {
        struct batch_part *part = &batch->parts[i];
        struct lane *lane = &destination->lanes[part->lane];
        uint32_t ended = 0;
        struct lane_walk walk;
        lane_walk_start(&walk, lane);
        for (uint32_t k = 0; k < part->count; k++, place++) {
            struct item *item = lane_walk_edit(&walk);
            enum fate fate = (enum fate)sift->fates[place];
            if (fate == FATE_ACKED || fate == FATE_THERE) {
                item->end = fate == FATE_ACKED ? ITEM_ACKED : ITEM_THERE;
                sender->samples += fate == FATE_ACKED;
            }
            ended += ended == k && item->end != ITEM_GOES;
        }
        part->count -= ended;
        lane->in_flight = part->count;
        if (ended > 0) {
            domain_settle(engine, destination->domains[lane->domain], lane, ended);
        }
    }
    sift_free(batch->sift);
    batch->sift = NULL;
}

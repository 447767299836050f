/* pack.c - which lanes make the next batch of an endpoint. At a low rate one request per deadline
 * carries all lanes; while catching up a lane fills requests of its own, so that a series' labels
 * are sent once for many samples. A lane is in at most one batch (I2). */
#include "internal.h"

struct candidate {
    uint16_t lane;
    bool urgent;
    uint32_t waiting;
    int64_t since_ms;
};

static uint32_t lane_waiting(const struct lane *lane)
{
    return lane->in_flight > 0 ? 0 : lane->count;
}

/* Overdue lanes first, the oldest of them first; then the fullest. */
static int candidate_compare(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    if (a->urgent != b->urgent) {
        return a->urgent ? -1 : 1;
    }
    if (a->urgent && a->since_ms != b->since_ms) {
        return a->since_ms < b->since_ms ? -1 : 1;
    }
    if (a->waiting != b->waiting) {
        return a->waiting > b->waiting ? -1 : 1;
    }
    return a->lane < b->lane ? -1 : a->lane > b->lane;
}

struct choice {
    struct shape shape;
    struct candidate lanes[SHARDS_COUNT];
    size_t count;
    uint64_t waiting; /* items of all */
    uint32_t largest;
    bool urgent;
};

static void choice_make(const struct engine *engine, const struct destination *destination,
                        const struct sender *sender, struct choice *choice)
{
    quota_shape(destination, sender, &choice->shape);
    int64_t deadline_ms = choice->shape.deadline_ms;
    uint16_t endpoint = (uint16_t)(sender - destination->senders);
    choice->count = 0;
    choice->waiting = 0;
    choice->largest = 0;
    choice->urgent = false;
    for (uint16_t i = 0; i < SHARDS_COUNT; i++) {
        const struct lane *lane = &destination->lanes[i];
        uint32_t waiting = lane->endpoint == endpoint ? lane_waiting(lane) : 0;
        if (waiting == 0) {
            continue;
        }
        bool urgent = lane->waiting_since_ms + deadline_ms <= engine->now_ms;
        choice->lanes[choice->count++] =
            (struct candidate){i, urgent, waiting, lane->waiting_since_ms};
        choice->waiting += waiting;
        choice->urgent = choice->urgent || urgent;
        if (waiting > choice->largest) {
            choice->largest = waiting;
        }
    }
}

/* Nothing more is coming soon to fill these lanes: the reader is at the end, or rests. */
static bool sender_settles_for_mixed(const struct destination *destination, bool *ended)
{
    bool mixed = true;
    *ended = true;
    for (size_t i = 0; i < destination->domains_count; i++) {
        const struct domain *domain = destination->domains[i];
        bool full = !domain_has_room(domain, DECODE_ITEMS);
        mixed = mixed && (domain->at_end || full || domain->reader == NULL);
        *ended = *ended && domain->at_end;
    }
    return mixed;
}

static bool choice_is_due(const struct engine *engine, const struct destination *destination,
                          const struct choice *choice)
{
    bool ended;
    bool mixed = sender_settles_for_mixed(destination, &ended);
    if (choice->count == 0) {
        return false;
    }
    if (choice->urgent || choice->largest >= choice->shape.samples_max) {
        return true;
    }
    if (ended && engine->options.once) {
        return true; /* nothing more will come */
    }
    return mixed && choice->waiting >= choice->shape.samples_max;
}

static void batch_take(struct destination *destination, struct batch *batch, uint16_t number,
                       uint32_t count)
{
    struct lane *lane = &destination->lanes[number];
    ASSERT(lane->in_flight == 0 && count > 0 && count <= lane->count); /* I2 */
    lane->in_flight = count;
    batch->parts[batch->parts_count++] = (struct batch_part){number, count};
    batch->failures = lane->failures > batch->failures ? lane->failures : batch->failures;
    lane->failures = 0;
    batch->samples += count;
}

/* Fewer samples: the rest goes back to waiting, from the end, so that order holds. */
static void batch_cut(struct destination *destination, struct batch *batch, uint32_t samples)
{
    ASSERT(samples > 0);
    while (batch->samples > samples) {
        struct batch_part *part = &batch->parts[batch->parts_count - 1];
        struct lane *lane = &destination->lanes[part->lane];
        uint32_t excess = batch->samples - samples;
        uint32_t cut = excess < part->count ? excess : part->count;
        if (batch->maybe && lane->unsure < part->count) {
            lane->unsure = part->count; /* what is cut off may have been delivered, too */
        }
        part->count -= cut;
        batch->samples -= cut;
        lane->in_flight = part->count;
        if (part->count == 0) {
            batch->parts_count--;
        }
    }
}

static void batch_encode(struct engine *engine, struct destination *destination,
                         struct batch *batch)
{
    uint32_t fitting;
    batch->carried = 0;
    batch->after_commit = 0;
    while (verdict_prepare(engine, destination, batch) &&
           !encode_batch(engine, destination, batch, &fitting)) {
        ASSERT(fitting > 0 && fitting < batch->samples);
        sift_free(batch->sift);
        batch->sift = NULL;
        batch_cut(destination, batch, fitting);
        batch->carried = 0; /* what is left of it may all be in quarantine */
    }
    if (batch->sift != NULL) {
        overtake_note(engine, destination, batch);
    }
}

bool pack_batch(struct engine *engine, struct destination *destination, struct sender *sender,
                struct batch *batch)
{
    struct choice choice;
    choice_make(engine, destination, sender, &choice);
    if (!choice_is_due(engine, destination, &choice)) {
        return false;
    }
    qsort(choice.lanes, choice.count, sizeof choice.lanes[0], candidate_compare);
    batch->parts_count = 0;
    batch->samples = 0;
    batch->failures = 0;
    size_t lanes_max = sender->lanes_max > 0 ? sender->lanes_max : SHARDS_COUNT;
    for (size_t i = 0; i < choice.count && batch->samples < choice.shape.samples_max &&
                       batch->parts_count < lanes_max;
         i++) {
        struct lane *lane = &destination->lanes[choice.lanes[i].lane];
        judge_front(engine, destination, sender, lane);
        uint32_t room = choice.shape.samples_max - batch->samples;
        uint32_t count = lane->count < room ? lane->count : room;
        if (count > 0) {
            judge_some(engine, destination, sender, lane, count);
            batch_take(destination, batch, choice.lanes[i].lane, count);
        }
    }
    if (batch->samples == 0) {
        return false;
    }
    batch->unclocked = !sender->clock_known;
    batch->state = BATCH_READY;
    batch->attempts = 0;
    batch->retry_at_ms = 0;
    batch->refusals = 0;
    batch->maybe = false;
    batch_encode(engine, destination, batch);
    return true;
}

void pack_undo(struct engine *engine, struct destination *destination, struct sender *sender,
               struct batch *batch)
{
    int64_t due_ms = engine->now_ms - quota_patience_ms(destination);
    /* pieces of it have been sent, and what lies behind an open item may be there */
    bool sent = batch->attempts > 0 || batch->maybe || batch->sift != NULL;
    ASSERT(batch->state == BATCH_READY);
    if (batch->sift != NULL) {
        verdict_leave(engine, destination, sender, batch);
    }
    for (size_t i = 0; i < batch->parts_count; i++) {
        struct lane *lane = &destination->lanes[batch->parts[i].lane];
        ASSERT(lane->in_flight == batch->parts[i].count);
        lane->in_flight = 0;
        lane->failures = batch->failures; /* a poison body does not get well by moving */
        lane->waiting_since_ms = due_ms;
        if (sent && lane->unsure < batch->parts[i].count) {
            lane->unsure = batch->parts[i].count;
        }
    }
    batch->parts_count = 0;
    batch->samples = 0;
    buf_release(&batch->body);
    batch->state = BATCH_FREE;
}

void pack_halve(struct engine *engine, struct destination *destination, struct batch *batch)
{
    uint32_t samples = 0;
    ASSERT(batch->state == BATCH_READY && batch->sift == NULL && batch->parts_count > 1);
    for (size_t i = 0; i < batch->parts_count / 2; i++) {
        samples += batch->parts[i].count;
    }
    batch_cut(destination, batch, samples);
    batch_encode(engine, destination, batch);
}

void pack_trim(struct engine *engine, struct destination *destination, struct batch *batch,
               uint32_t samples)
{
    ASSERT(batch->state == BATCH_READY && samples > 0);
    if (batch->sift == NULL && !batch->maybe && batch->samples > samples) {
        batch_cut(destination, batch, samples);
        batch_encode(engine, destination, batch);
    }
}

/* What is not to be sent at the front of a part is settled; false: that was all of it. */
static bool part_refresh(struct engine *engine, struct destination *destination,
                         const struct sender *sender, struct batch_part *part)
{
    struct lane *lane = &destination->lanes[part->lane];
    uint32_t pending = lane->count;
    judge_some(engine, destination, sender, lane, part->count);
    lane->in_flight = 0;
    judge_front(engine, destination, sender, lane);
    uint32_t ended = pending - lane->count;
    part->count = ended < part->count ? part->count - ended : 0;
    lane->in_flight = part->count;
    return part->count > 0;
}

bool pack_refresh(struct engine *engine, struct destination *destination, struct sender *sender,
                  struct batch *batch)
{
    ASSERT(batch->state == BATCH_READY);
    if (batch->sift != NULL || !judge_batch_old(engine, destination, sender, batch)) {
        return true;
    }
    size_t kept = 0;
    batch->samples = 0;
    for (size_t i = 0; i < batch->parts_count; i++) {
        struct batch_part part = batch->parts[i];
        if (part_refresh(engine, destination, sender, &part)) {
            batch->parts[kept++] = part;
            batch->samples += part.count;
        }
    }
    batch->parts_count = kept;
    trace_line(engine, "%s: batch %llu goes on without what is too old", sender->conf->shown,
               (unsigned long long)batch->number);
    if (kept == 0) {
        buf_release(&batch->body);
        batch->state = BATCH_FREE;
        return false;
    }
    batch_encode(engine, destination, batch);
    if (batch->carried == 0) {
        verdict_finish(engine, destination, sender, batch);
    }
    return batch->state != BATCH_FREE;
}

void pack_shrink(struct engine *engine, struct destination *destination, struct batch *batch,
                 uint32_t samples)
{
    ASSERT(batch->state == BATCH_READY && samples < batch->samples);
    batch_cut(destination, batch, samples);
    batch_encode(engine, destination, batch);
}

int64_t pack_deadline(const struct engine *engine, const struct destination *destination,
                      const struct sender *sender)
{
    struct choice choice;
    choice_make(engine, destination, sender, &choice);
    if (choice.count == 0) {
        return INT64_MAX;
    }
    if (choice_is_due(engine, destination, &choice)) {
        return engine->now_ms;
    }
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < choice.count; i++) {
        int64_t at = choice.lanes[i].since_ms + choice.shape.deadline_ms;
        deadline = at < deadline ? at : deadline;
    }
    return deadline;
}

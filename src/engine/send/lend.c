/* lend.c - shards of an endpoint that can't send are lent to its siblings, and given back.
 *
 * Only a lane that is in no request moves. A batch that waits for its retry is undone first: its
 * items wait in front of their lanes again, so whoever gets a lane sends those first, in the same
 * order (I2). A request on its way is waited for. Nothing of this is saved: lane positions belong
 * to the destination, and a restart begins with all lanes at home.
 *
 * An endpoint that recovers, or one that is down and may probe, gets one of its own lanes at a
 * time that has something to send: else nothing would ever prove that it is well. */
#include "internal.h"

enum {
    MOVES_DOWN = 32, /* lanes at a look: all of them leave within two seconds */
    MOVES_AILING = 4,
    MOVES_HOME = 8,
    STAY_MS_MIN = 2000,  /* between two moves of a lane, but from one that is down */
    TRIALS_MAX = 4,      /* lanes with which a recovering endpoint proves itself */
    TRIAL_OWN_MS = 10000 /* its own having nothing to send for so long, it gets another's */
};
static_assert(ENDPOINTS_MAX <= 64, "a set of endpoints is one word");

static bool lends(const struct destination *destination)
{
    return destination->conf->placement == CONF_FAILOVER && destination->senders_count > 1;
}

static bool sender_able(const struct engine *engine, const struct sender *sender)
{
    return sender->endpoint.state == ENDPOINT_OPEN && auth_ready(engine, sender);
}

static const char *name_of(const struct destination *destination, uint16_t endpoint)
{
    return destination->senders[endpoint].conf->shown;
}

/* ---- looking ---- */

static void ages(const struct engine *engine, const struct destination *destination,
                 int64_t out[ENDPOINTS_MAX])
{
    memset(out, 0, ENDPOINTS_MAX * sizeof *out);
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        const struct lane *lane = &destination->lanes[i];
        int64_t age_ms = lane_age_ms(engine, destination, lane);
        if (age_ms > out[lane->endpoint]) {
            out[lane->endpoint] = age_ms;
        }
    }
}

static bool has_items(const struct destination *destination)
{
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        if (destination->lanes[i].count > 0) {
            return true;
        }
    }
    return false;
}

static void changed(const struct engine *engine, const struct sender *sender)
{
    enum lending_state state = sender->lending.state;
    const char *name = sender->conf->shown;
    trace_line(engine, "%s: is %s", name, lending_state_name(state));
    if (state == LENDING_DOWN || state == LENDING_AILING) {
        LOG_WARN("shards of this endpoint go to its siblings until it is well again",
                 LOG_STR("url", name), LOG_STR("state", lending_state_name(state)));
    } else if (state == LENDING_WELL) {
        LOG_INFO("the endpoint is well, its shards come home", LOG_STR("url", name));
    }
}

static void look(struct engine *engine, struct destination *destination)
{
    int64_t age_ms[ENDPOINTS_MAX];
    ages(engine, destination, age_ms);
    bool items = has_items(destination);
    for (size_t i = 0; i < destination->senders_count; i++) {
        struct sender *sender = &destination->senders[i];
        struct lending_view view = {.able = sender_able(engine, sender) ||
                                            sender->samples != sender->samples_seen,
                                    .failed = sender->failures != sender->failures_seen,
                                    .strained = !quota_has_room(sender),
                                    .proven = sender->samples != sender->samples_seen,
                                    .idle = !items && sender_may_send(engine, sender),
                                    .age_ms = age_ms[i]};
        sender->failures_seen = sender->failures;
        sender->samples_seen = sender->samples;
        if (lending_look(&sender->lending, &view, engine->now_ms)) {
            changed(engine, sender);
        }
    }
}

/* ---- moving ---- */

static void lane_move(const struct engine *engine, struct lane *lane, uint16_t endpoint)
{
    ASSERT(lane->in_flight == 0); /* I2 */
    ASSERT(lane->endpoint != endpoint);
    lane->endpoint = endpoint;
    lane->moved_ms = engine->now_ms;
}

/* Bit sets of the siblings that would take a lane: gladly, and at all. */
struct takers {
    uint64_t roomy, able;
    struct placement_endpoint places[ENDPOINTS_MAX];
};

static void takers_find(const struct engine *engine, const struct destination *destination,
                        struct takers *takers)
{
    *takers = (struct takers){0};
    for (size_t i = 0; i < destination->senders_count; i++) {
        const struct sender *sender = &destination->senders[i];
        uint64_t bit = (uint64_t)1 << i;
        takers->able |= lending_takes(&sender->lending) ? bit : 0;
        bool roomy = lending_roomy(&sender->lending, engine->now_ms) && quota_has_room(sender);
        takers->roomy |= roomy ? bit : 0;
        takers->places[i] = (struct placement_endpoint){sender->conf->key, sender->conf->weight};
    }
}

/* False: none takes it. */
static bool taker_of(const struct destination *destination, const struct takers *takers,
                     const struct lane *lane, uint16_t *out)
{
    uint64_t self = (uint64_t)1 << lane->endpoint;
    uint64_t mask = takers->roomy & ~self;
    if (mask == 0 && destination->senders[lane->endpoint].lending.state == LENDING_DOWN) {
        mask = takers->able & ~self;
    }
    if (mask == 0) {
        return false;
    }
    bool home = (mask >> lane->home & 1) != 0;
    uint16_t shard = (uint16_t)(lane - destination->lanes);
    *out =
        home ? lane->home : placement_pick(takers->places, destination->senders_count, mask, shard);
    return true;
}

/* A waiting batch goes as a whole: its lanes leave together, or it stays. */
static size_t batches_lend(struct engine *engine, struct destination *destination,
                           struct sender *sender, const struct takers *takers)
{
    size_t moved = 0;
    for (size_t i = 0; i < sender->batches_count; i++) {
        struct batch *batch = &sender->batches[i];
        if (batch->state != BATCH_READY) {
            continue;
        }
        struct batch_part parts[SHARDS_COUNT];
        size_t count = batch->parts_count;
        memcpy(parts, batch->parts, count * sizeof *parts);
        trace_line(engine, "%s: batch %llu is taken apart", sender->conf->shown,
                   (unsigned long long)batch->number);
        pack_undo(engine, destination, sender, batch);
        for (size_t k = 0; k < count; k++) {
            struct lane *lane = &destination->lanes[parts[k].lane];
            uint16_t to;
            if (taker_of(destination, takers, lane, &to)) {
                lane_move(engine, lane, to);
                moved++;
            }
        }
    }
    return moved;
}

static size_t lend_all(struct engine *engine, struct destination *destination,
                       struct sender *sender, const struct takers *takers)
{
    uint16_t self = (uint16_t)(sender - destination->senders);
    if ((takers->able & ~((uint64_t)1 << self)) == 0) {
        return 0; /* all are ill: its batches stay as they are */
    }
    size_t moved = batches_lend(engine, destination, sender, takers);
    for (size_t i = 0; i < SHARDS_COUNT && moved < MOVES_DOWN; i++) {
        struct lane *lane = &destination->lanes[i];
        uint16_t to;
        if (lane->endpoint == self && lane->in_flight == 0 &&
            taker_of(destination, takers, lane, &to)) {
            lane_move(engine, lane, to);
            moved++;
        }
    }
    return moved;
}

/* Of the lanes with old items, those with the oldest. */
static size_t lend_some(struct engine *engine, struct destination *destination,
                        struct sender *sender, const struct takers *takers)
{
    uint16_t self = (uint16_t)(sender - destination->senders);
    size_t moved = 0;
    while (!sender->lending.draining && moved < MOVES_AILING) {
        struct lane *oldest = NULL;
        int64_t oldest_ms = LENDING_AGE_MS - 1;
        for (size_t i = 0; i < SHARDS_COUNT; i++) {
            struct lane *lane = &destination->lanes[i];
            int64_t age_ms = lane_age_ms(engine, destination, lane);
            if (lane->endpoint == self && lane->in_flight == 0 && age_ms > oldest_ms &&
                lane->moved_ms + STAY_MS_MIN <= engine->now_ms) {
                oldest = lane;
                oldest_ms = age_ms;
            }
        }
        uint16_t to;
        if (oldest == NULL || !taker_of(destination, takers, oldest, &to)) {
            break;
        }
        lane_move(engine, oldest, to);
        moved++;
    }
    return moved;
}

static size_t give_back(struct engine *engine, struct destination *destination,
                        const struct sender *sender)
{
    uint16_t self = (uint16_t)(sender - destination->senders);
    size_t moved = 0;
    for (size_t i = 0; i < SHARDS_COUNT && moved < MOVES_HOME; i++) {
        struct lane *lane = &destination->lanes[i];
        if (lane->home == self && lane->endpoint != self && lane->in_flight == 0 &&
            lane->moved_ms + STAY_MS_MIN <= engine->now_ms) {
            lane_move(engine, lane, self);
            moved++;
        }
    }
    return moved;
}

static void move(struct engine *engine, struct destination *destination)
{
    struct takers takers;
    takers_find(engine, destination, &takers);
    for (size_t i = 0; i < destination->senders_count; i++) {
        struct sender *sender = &destination->senders[i];
        size_t moved = 0;
        switch (sender->lending.state) {
        case LENDING_DOWN:
            moved = lend_all(engine, destination, sender, &takers);
            break;
        case LENDING_AILING:
            moved = lend_some(engine, destination, sender, &takers);
            break;
        case LENDING_WELL:
            moved = sender->lending.able ? give_back(engine, destination, sender) : 0;
            break;
        case LENDING_RECOVERING:
            break;
        }
        if (moved > 0) {
            trace_line(engine, "%s: %zu shards %s", name_of(destination, (uint16_t)i), moved,
                       sender->lending.state == LENDING_WELL ? "come home" : "are lent");
        }
    }
}

/* ---- trials ---- */

/* May this sender have a lane of its own to prove itself with? */
static bool wants_trial(const struct engine *engine, const struct destination *destination,
                        const struct sender *sender)
{
    uint16_t self = (uint16_t)(sender - destination->senders);
    size_t present = 0;
    if (sender->lending.state == LENDING_WELL || sender->lending.state == LENDING_AILING ||
        !sender_may_send(engine, sender)) {
        return false;
    }
    for (size_t i = 0; i < sender->batches_count; i++) {
        if (sender->batches[i].state != BATCH_FREE) {
            return false; /* something is on trial already */
        }
    }
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        const struct lane *lane = &destination->lanes[i];
        if (lane->endpoint == self && lane->count > 0) {
            return false;
        }
        present += lane->endpoint == self;
    }
    return !sender->lending.proven || present < TRIALS_MAX;
}

static bool fit_for_trial(const struct engine *engine, const struct destination *destination,
                          const struct sender *sender, const struct lane *lane)
{
    uint16_t self = (uint16_t)(sender - destination->senders);
    bool own = lane->home == self;
    bool waited = engine->now_ms - sender->trial_since_ms >= TRIAL_OWN_MS;
    return (own || waited) && lane->endpoint != self && lane->in_flight == 0 && lane->count > 0 &&
           lane->unsure == 0;
}

static void try_out(struct engine *engine, struct destination *destination, struct sender *sender)
{
    uint16_t self = (uint16_t)(sender - destination->senders);
    for (uint16_t i = 0; i < SHARDS_COUNT; i++) {
        uint16_t shard = (uint16_t)((sender->trial_next + i) % SHARDS_COUNT);
        struct lane *lane = &destination->lanes[shard];
        if (fit_for_trial(engine, destination, sender, lane)) {
            trace_line(engine, "%s: shard %u on trial", sender->conf->shown, shard);
            lane_move(engine, lane, self);
            lane->waiting_since_ms = engine->now_ms - quota_patience_ms(destination); /* at once */
            sender->trial_next = (uint16_t)(shard + 1);
            return;
        }
    }
}

/* ---- the turn ---- */

static bool all_home(const struct destination *destination)
{
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        if (destination->lanes[i].endpoint != destination->lanes[i].home) {
            return false;
        }
    }
    return true;
}

static bool quiet(const struct engine *engine, const struct destination *destination)
{
    for (size_t i = 0; i < destination->senders_count; i++) {
        if (!lending_quiet(&destination->senders[i].lending, engine->now_ms)) {
            return false;
        }
    }
    return all_home(destination);
}

/* Whether all is as at the last look is cheap to see, and asked each turn. */
static bool disturbed(const struct engine *engine, const struct destination *destination)
{
    for (size_t i = 0; i < destination->senders_count; i++) {
        const struct sender *sender = &destination->senders[i];
        if (sender->failures != sender->failures_seen || !sender_able(engine, sender) ||
            !quota_has_room(sender)) {
            return true;
        }
    }
    return false;
}

static void destination_lend(struct engine *engine, struct destination *destination)
{
    if (destination->lend_at_ms == INT64_MAX && !disturbed(engine, destination)) {
        return;
    }
    if (destination->lend_at_ms == INT64_MAX || engine->now_ms >= destination->lend_at_ms) {
        look(engine, destination);
        move(engine, destination);
        bool done = quiet(engine, destination);
        destination->lend_at_ms = done ? INT64_MAX : engine->now_ms + LENDING_STEP_MS;
    }
    for (size_t i = 0; i < destination->senders_count; i++) {
        struct sender *sender = &destination->senders[i];
        if (sender->endpoint.in_flight > 0 || sender->lending.state == LENDING_WELL) {
            sender->trial_since_ms = INT64_MAX; /* not so by a trial that came to nothing */
        }
        if (!wants_trial(engine, destination, sender)) {
            continue;
        }
        if (sender->trial_since_ms == INT64_MAX) {
            sender->trial_since_ms = engine->now_ms;
        }
        try_out(engine, destination, sender);
    }
}

void lend_run(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count && !engine->stopping; i++) {
        if (lends(&engine->destinations[i])) {
            destination_lend(engine, &engine->destinations[i]);
        }
    }
}

int64_t lend_deadline(const struct engine *engine)
{
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < engine->destinations_count && !engine->stopping; i++) {
        const struct destination *destination = &engine->destinations[i];
        if (lends(destination) && destination->lend_at_ms < deadline) {
            deadline = destination->lend_at_ms;
        }
    }
    return deadline;
}

/* budget.c - the spool never takes more of the disk than it may: over the budget the oldest go.
 *
 * What has to go is everything before a segment. It is not skipped but settled: the domains read on
 * through it as ever, and what stands in their lanes before the limit is entered in the ledger
 * instead of being sent. So each item is counted, the watermark passes it in one transaction with
 * the ledger, and the pin goes by the same rule as every other (I1, I3). A segment that Prometheus
 * still has costs nothing and is never given up for its bytes. */
#include "internal.h"

enum { SPACE_LOOK_MS = 1000 };

bool budget_is_shared(const struct engine *engine, const struct pin *pin)
{
    const struct waldir_segment *segment = waldir_find(engine->dir, pin->number);
    return segment != NULL && !segment->pinned && segment->device == pin->device &&
           segment->inode == pin->inode;
}

/* Dropping it gives space back. */
static bool frees(const struct engine *engine, const struct pin *pin)
{
    bool has = pin->state == PIN_KEPT || pin->fd >= 0;
    return has && !pin->over && (pin->copy || !budget_is_shared(engine, pin));
}

/* A link of the same file under an older generation was counted already. */
static bool counted(const struct engine *engine, const struct pin *pin)
{
    const struct pins *pins = &engine->pins;
    for (size_t i = 0; i < pins->pasts_count && pins->pasts[i].generation < pin->generation; i++) {
        const struct pin *older =
            pins_find((struct pins *)(uintptr_t)pins, pins->pasts[i].generation, pin->number);
        if (older != NULL && !older->copy && !pin->copy && older->device == pin->device &&
            older->inode == pin->inode && !older->over) {
            return true;
        }
    }
    return false;
}

static uint64_t pin_bytes(const struct engine *engine, const struct pin *pin)
{
    return frees(engine, pin) && !counted(engine, pin) ? pin->bytes : 0;
}

uint64_t budget_used(const struct engine *engine)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < engine->pins.count; i++) {
        bytes += pin_bytes(engine, &engine->pins.pins[i]);
    }
    for (size_t i = 0; i < engine->snapshots.count; i++) {
        bytes += engine->snapshots.files[i].bytes;
    }
    return bytes;
}

static int64_t left(uint64_t limit, uint64_t used)
{
    uint64_t most = INT64_MAX;
    return limit >= used ? (int64_t)(limit - used < most ? limit - used : most)
                         : -(int64_t)(used - limit < most ? used - limit : most);
}

void budget_room(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    const struct conf *conf = engine->conf;
    if (engine->now_ms >= pins->space_ms) {
        pins->space_ms = engine->now_ms + SPACE_LOOK_MS;
        if (pins->spool->space(pins->spool, &pins->free_bytes, &pins->all_bytes) != 0) {
            pins->free_bytes = UINT64_MAX; /* not known: no reason to lose anything */
        }
    }
    uint64_t min_free = conf->spool_min_free_percent ? pins->all_bytes / 100 * conf->spool_min_free
                                                     : conf->spool_min_free;
    int64_t bytes = left(conf->spool_max_bytes, budget_used(engine));
    int64_t space = left(pins->free_bytes, min_free);
    pins->room = bytes < space ? bytes : space;
}

bool budget_is_spare(const struct engine *engine, const struct pin *pin)
{
    return pin->copy && frees(engine, pin) && budget_is_shared(engine, pin);
}

/* Copies of what Prometheus still has go first, and nothing is lost by that (pins_run.c). */
static int64_t spare_bytes(const struct engine *engine)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < engine->pins.count; i++) {
        const struct pin *pin = &engine->pins.pins[i];
        bytes += budget_is_spare(engine, pin) ? pin->bytes : 0;
    }
    return (int64_t)bytes;
}

void budget_look(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    int64_t age_ms = engine->conf->spool_max_age_ms;
    budget_room(engine);
    int64_t room = pins->room < 0 ? pins->room + spare_bytes(engine) : 0;
    for (size_t i = 0; i < pins->count; i++) {
        const struct pin *pin = &pins->pins[i];
        bool old = age_ms > 0 && engine->now_ms - pin->closed_ms >= age_ms;
        uint64_t bytes = budget_is_spare(engine, pin) ? 0 : pin_bytes(engine, pin);
        struct position limit = {.generation = pin->generation, .segment = pin->number + 1};
        if (!pin->closed || pin->over || (!old && (room >= 0 || bytes == 0))) {
            continue;
        }
        room += (int64_t)bytes;
        if (position_before(&pins->limit, &limit)) {
            pins->limit = limit;
            LOG_ERROR("the spool is over its budget: the oldest samples that no receiver took are "
                      "given up; see walship losses",
                      LOG_U64("segment", pin->number), LOG_STR("spool_dir", pins->directory),
                      LOG_U64("free_bytes", pins->free_bytes));
            trace_line(engine, "budget: all before %u/%u goes", limit.generation, limit.segment);
        }
    }
}

/* ---- letting go ---- */

static bool lane_is_before(const struct engine *engine, const struct domain *domain,
                           const struct lane *lane)
{
    struct lane_walk walk;
    if (lane->count == 0) {
        return false;
    }
    lane_walk_start(&walk, lane);
    const struct item *first = lane_walk_next(&walk);
    return position_before(&ring_of(&domain->ring, first->record)->at, &engine->pins.limit);
}

static bool batch_is_before(const struct engine *engine, const struct destination *destination,
                            const struct batch *batch)
{
    for (size_t i = 0; i < batch->parts_count; i++) {
        const struct lane *lane = &destination->lanes[batch->parts[i].lane];
        if (lane_is_before(engine, destination->domains[lane->domain], lane)) {
            return true;
        }
    }
    return false;
}

/* A batch that waits for its next try is taken apart; one under way finishes first. */
static void batches_undo(struct engine *engine, struct destination *destination)
{
    for (size_t i = 0; i < destination->senders_count; i++) {
        struct sender *sender = &destination->senders[i];
        for (size_t k = 0; k < sender->batches_count; k++) {
            struct batch *batch = &sender->batches[k];
            if (batch->state == BATCH_READY && batch_is_before(engine, destination, batch)) {
                pack_undo(engine, destination, sender, batch);
            }
        }
    }
}

/* How many at the front of the lane lie before the limit. What has its end already is on another
 * account, to which settling it brings it. */
static uint32_t lane_before(struct engine *engine, const struct domain *domain,
                            const struct lane *lane, struct losses *losses)
{
    struct lane_walk walk;
    lane_walk_start(&walk, lane);
    for (uint32_t count = 0; count < lane->count; count++) {
        const struct item *item = lane_walk_next(&walk);
        struct position at = ring_of(&domain->ring, item->record)->at;
        at.item = item->index;
        if (!position_before(&at, &engine->pins.limit)) {
            return count;
        }
        if (item->end == ITEM_GOES) {
            ledger_gather(engine, domain->destination, losses, item, &at);
        }
    }
    return lane->count;
}

static void lane_give_up(struct engine *engine, struct domain *domain, struct lane *lane)
{
    struct losses losses = {.row.reason = LOSS_BUDGET};
    uint32_t count = lane->in_flight > 0 ? 0 : lane_before(engine, domain, lane, &losses);
    ledger_gathered(engine, domain->destination, &losses);
    if (count > 0) {
        domain_settle(engine, domain, lane, count);
        engine->work_left = true; /* there is room to read on */
    }
}

void budget_run(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            struct domain *domain = destination->domains[k];
            struct mark mark;
            domain_watermark(domain, &mark);
            if (domain->pending == 0 || !position_before(&mark.at, &engine->pins.limit)) {
                continue;
            }
            batches_undo(engine, destination);
            for (size_t l = 0; l < SHARDS_COUNT; l++) {
                struct lane *lane = &destination->lanes[l];
                if (lane->domain == domain->index && lane->count > 0) {
                    lane_give_up(engine, domain, lane);
                }
            }
        }
    }
}

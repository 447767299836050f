/* judge.c - what a destination will not take though it could be sent: samples too old or too far
 * ahead for it, and those that are not newer than the newest already taken of their series.
 * Azure answers 2xx to such a request and drops them, so they are better skipped and on the books.
 * And what its protocol can't carry, which may become another while an item waits.
 *
 * An item is judged when it is packed, not when it is read: it may become too old while it waits.
 * What is skipped stays in its lane, with its end noted, and is settled in its turn: so the account
 * and the positions are saved together, and nothing is counted twice after a crash.
 *
 * Age is by the receiver's clock, known from the Date of its answers. Where that is not known (no
 * answer yet, or the local clock was stepped) nothing is skipped: a wrong clock here must not cost
 * a sample there. What the receiver must have dropped of such a request is seen at its answer. */
#include "internal.h"

#include <walship/endpoint.h>

enum {
    STEP_MS = 2000, /* of the wall clock against the monotonic one; slewing is far slower */
    DATE_MS = 1000  /* a Date is cut to the second */
};

static bool has_rules(const struct destination *destination)
{
    const struct conf_destination *conf = destination->conf;
    return destination->uncarried || conf->queue.sample_age_limit_ms > 0 || conf->window_ms > 0 ||
           conf->out_of_order == CONF_ORDER_DROP;
}

/* ---- the clock ---- */

void judge_clock(const struct engine *engine, struct sender *sender,
                 const struct http_result *result)
{
    int64_t date_ms;
    if (result->outcome != HTTP_ANSWERED || result->date == NULL ||
        !http_date_parse(result->date, &date_ms)) {
        return;
    }
    sender->clock_known = true;
    sender->clock_offset_ms = date_ms - engine->now_ms;
}

void judge_clock_step(struct engine *engine)
{
    int64_t offset_ms = engine->os->wall_ms(engine->os) - engine->now_ms;
    int64_t step_ms = offset_ms - engine->wall_offset_ms;
    engine->wall_offset_ms = offset_ms;
    if (step_ms > -STEP_MS && step_ms < STEP_MS) {
        return;
    }
    bool known = false;
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->senders_count; k++) {
            known = known || destination->senders[k].clock_known;
            destination->senders[k].clock_known = false;
        }
    }
    if (known) {
        trace_line(engine, "the clock was stepped: ages count from the next answers on");
        LOG_WARN("the clock was stepped, or the machine slept: no sample is skipped as too old "
                 "until the endpoints answer again",
                 LOG_I64("step_ms", step_ms));
    }
}

/* ---- one item ---- */

static enum item_end end_by_time(const struct engine *engine, const struct conf_destination *conf,
                                 const struct sender *sender, int64_t t_ms)
{
    int64_t limit_ms = conf->queue.sample_age_limit_ms;
    if (!sender->clock_known) {
        return ITEM_GOES;
    }
    int64_t now_ms = engine->now_ms + sender->clock_offset_ms;
    if (limit_ms > 0 && t_ms < now_ms - limit_ms) {
        return ITEM_TOO_OLD;
    }
    bool ahead = conf->window_ms > 0 && t_ms > now_ms + DATE_MS + conf->window_ms;
    return ahead ? ITEM_TOO_FAR_AHEAD : ITEM_GOES;
}

static int64_t *newest_of(const struct engine *engine, struct destination *destination,
                          uint32_t set)
{
    if (set >= destination->newest_count) {
        uint32_t bound = labels_bound(engine->labels);
        uint32_t count = bound + bound / 4 + 64;
        destination->newest_ms =
            mem_grow(destination->newest_ms, count, sizeof *destination->newest_ms);
        for (uint32_t i = destination->newest_count; i < count; i++) {
            destination->newest_ms[i] = INT64_MIN;
        }
        destination->newest_count = count;
    }
    return &destination->newest_ms[set];
}

void judge_forget(struct engine *engine, uint32_t set)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        if (set < engine->destinations[i].newest_count) {
            engine->destinations[i].newest_ms[set] = INT64_MIN;
        }
    }
}

static void judge_item(const struct engine *engine, struct destination *destination,
                       const struct sender *sender, struct item *item)
{
    const struct conf_destination *conf = destination->conf;
    if (item->end != ITEM_GOES) {
        return;
    }
    if (!payload_carried(item, destination->version)) {
        item->end = ITEM_UNSUPPORTED;
        return;
    }
    enum item_end end = end_by_time(engine, conf, sender, item->t_ms);
    if (end != ITEM_GOES || item->taken || item->kind == ITEM_EXEMPLAR ||
        conf->out_of_order == CONF_ORDER_SEND) {
        item->end = (uint8_t)end;
        return;
    }
    int64_t *newest_ms = newest_of(engine, destination, item->set);
    if (item->t_ms <= *newest_ms) {
        item->end = ITEM_OUT_OF_ORDER;
    } else {
        *newest_ms = item->t_ms;
        item->taken = true;
    }
}

/* ---- a lane, a batch ---- */

void judge_front(struct engine *engine, struct destination *destination,
                 const struct sender *sender, struct lane *lane)
{
    ASSERT(lane->in_flight == 0);
    bool rules = has_rules(destination);
    uint32_t ended = 0;
    struct lane_walk walk;
    lane_walk_start(&walk, lane);
    while (ended < lane->count) {
        struct item *item = lane_walk_edit(&walk);
        if (rules) {
            judge_item(engine, destination, sender, item);
        }
        if (item->end == ITEM_GOES) {
            break;
        }
        ended++;
    }
    if (ended > 0) {
        domain_settle(engine, destination->domains[lane->domain], lane, ended);
    }
}

void judge_some(struct engine *engine, struct destination *destination, const struct sender *sender,
                struct lane *lane, uint32_t count)
{
    ASSERT(count <= lane->count);
    if (!has_rules(destination)) {
        return;
    }
    struct lane_walk walk;
    lane_walk_start(&walk, lane);
    for (uint32_t i = 0; i < count; i++) {
        judge_item(engine, destination, sender, lane_walk_edit(&walk));
    }
}

bool judge_batch_old(const struct engine *engine, const struct destination *destination,
                     const struct sender *sender, const struct batch *batch)
{
    return end_by_time(engine, destination->conf, sender, batch->oldest_ms) == ITEM_TOO_OLD;
}

/* It was packed without a clock: what the receiver's own window excludes it has dropped. */
void judge_unclocked(struct engine *engine, struct destination *destination,
                     const struct sender *sender, struct batch *batch)
{
    int64_t window_ms = destination->conf->window_ms;
    if (!batch->unclocked || !sender->clock_known || window_ms == 0) {
        return;
    }
    int64_t now_ms = engine->now_ms + sender->clock_offset_ms;
    for (size_t i = 0; i < batch->parts_count; i++) {
        struct lane_walk walk;
        lane_walk_start(&walk, &destination->lanes[batch->parts[i].lane]);
        for (uint32_t k = 0; k < batch->parts[i].count; k++) {
            struct item *item = lane_walk_edit(&walk);
            bool old = item->t_ms < now_ms - window_ms;
            bool ahead = item->t_ms > now_ms + DATE_MS + window_ms;
            if (item->end == ITEM_GOES && (old || ahead)) {
                item->end = old ? ITEM_TOO_OLD : ITEM_TOO_FAR_AHEAD;
                batch->carried--;
            }
        }
    }
}

/* ---- the account ---- */

struct ended_items judge_begin(void)
{
    return (struct ended_items){.old.row.reason = LOSS_TOO_OLD,
                                .ahead.row.reason = LOSS_TOO_FAR_AHEAD,
                                .unsupported.row.reason = LOSS_UNSUPPORTED,
                                .rejected.row.reason = LOSS_REJECTED};
}

void judge_ended(struct engine *engine, struct destination *destination, struct ended_items *ended,
                 const struct item *item, const struct position *at)
{
    switch ((enum item_end)item->end) {
    case ITEM_GOES:
        return;
    case ITEM_OUT_OF_ORDER:
        ended->out_of_order++;
        kinds_add(&ended->stale, item->kind, 1);
        return;
    case ITEM_TOO_OLD:
        ledger_gather(engine, destination, &ended->old, item, at);
        return;
    case ITEM_TOO_FAR_AHEAD:
        ledger_gather(engine, destination, &ended->ahead, item, at);
        return;
    case ITEM_UNSUPPORTED:
        ledger_gather(engine, destination, &ended->unsupported, item, at);
        return;
    case ITEM_REJECTED:
        ledger_gather(engine, destination, &ended->rejected, item, at);
        return;
    case ITEM_THERE:
        ended->there++;
        return;
    case ITEM_ACKED:
        ended->acked++;
        return;
    }
}

/* Once in the log: which series they are is the operator's to find out. */
static void say_unsupported(struct destination *destination)
{
    if (!destination->said_unsupported) {
        destination->said_unsupported = true;
        LOG_WARN("histograms that this protobuf_message can't carry are lost as unsupported; those "
                 "with custom buckets need io.prometheus.write.v2.Request",
                 LOG_STR("destination", destination->conf->name));
    }
}

static void account_outside(struct engine *engine, struct destination *destination,
                            struct losses *losses)
{
    ledger_gathered(engine, destination, losses);
    if (losses->items == 0) {
        return;
    }
    LOG_WARN("samples are outside the time that the destination takes: not sent, in the ledger",
             LOG_STR("destination", destination->conf->name),
             LOG_STR("why", loss_reason_name(losses->row.reason)), LOG_U64("items", losses->items));
}

void judge_account(struct engine *engine, struct destination *destination,
                   struct ended_items *ended)
{
    destination->counts[STORE_DROPPED] += ended->out_of_order;
    destination->out_of_order += ended->out_of_order;
    kinds_sum(&destination->kinds.stale, &ended->stale);
    destination->counts[STORE_ALREADY_THERE] += ended->there;
    destination->counts[STORE_ACKED] += ended->acked;
    ledger_gathered(engine, destination, &ended->unsupported);
    if (ended->unsupported.items > 0) {
        say_unsupported(destination);
    }
    ledger_gathered(engine, destination, &ended->rejected); /* said where it was found out */
    account_outside(engine, destination, &ended->old);
    account_outside(engine, destination, &ended->ahead);
}

/* ledger.c - what is lost is written down: who, when, how much, why. Rows wait here until a commit
 * carries them; equal neighbours are merged, so a flood makes few rows. While commits fail for long
 * the rows that wait are bounded too: then only the reason must be the same. */
#include "internal.h"

static const char *const reason_names[LOSS_REASONS] = {
    [LOSS_UNKNOWN_REF] = "unknown_ref", [LOSS_DAMAGED] = "damaged",
    [LOSS_TRUNCATED] = "truncated",     [LOSS_LABELS] = "labels",
    [LOSS_REJECTED] = "rejected",       [LOSS_UNSUPPORTED] = "unsupported",
    [LOSS_TOO_OLD] = "too_old",         [LOSS_TOO_FAR_AHEAD] = "too_far_ahead",
    [LOSS_BUDGET] = "budget",           [LOSS_SERVER_ERROR] = "server_error",
    [LOSS_CRASH_SKIP] = "crash_skip",
};

const char *loss_reason_name(enum loss_reason reason)
{
    ASSERT((unsigned)reason < LOSS_REASONS);
    return reason_names[reason];
}

static bool mergeable(const struct store_loss *row, const struct loss *loss, bool crowded)
{
    if (crowded && row->reason == loss->reason) {
        return true;
    }
    return row->reason == loss->reason && position_together(&row->from, &loss->from) &&
           (loss->detail == NULL || *loss->detail == 0);
}

static void merge(struct store_loss *row, const struct loss *loss)
{
    if (position_before(&loss->from, &row->from)) {
        row->from = loss->from;
    }
    if (position_before(&row->to, &loss->to)) {
        row->to = loss->to;
    }
    row->items += loss->items;
    /* which ones is not known any more: at least so many */
    row->series = row->series > loss->series ? row->series : loss->series;
    row->bytes += loss->bytes;
    if (loss->time_min_ms < row->time_min_ms) {
        row->time_min_ms = loss->time_min_ms;
    }
    if (loss->time_max_ms > row->time_max_ms) {
        row->time_max_ms = loss->time_max_ms;
    }
}

void ledger_add(struct engine *engine, struct destination *destination, const struct loss *loss)
{
    destination->counts[STORE_LOST] += loss->items;
    destination->lost[loss->reason] += loss->items;
    kinds_sum(&destination->kinds.lost[loss->reason], &loss->kinds);
    engine->dirty = true;
    /* rows that a running commit carries must not change under it */
    size_t index = (size_t)(destination - engine->destinations);
    size_t open = engine->committing ? engine->committing_losses[index] : 0;
    bool crowded = destination->losses_count >= LEDGER_OPEN_MAX;
    for (size_t i = destination->losses_count; i > open; i--) {
        if (mergeable(&destination->losses[i - 1], loss, crowded)) {
            merge(&destination->losses[i - 1], loss);
            return;
        }
    }
    if (destination->losses_count == destination->losses_capacity) {
        destination->losses_capacity = destination->losses_capacity * 2 + 8;
        destination->losses = mem_grow(destination->losses, destination->losses_capacity,
                                       sizeof *destination->losses);
    }
    destination->losses[destination->losses_count++] =
        (struct store_loss){.destination = destination->conf->name,
                            .reason = loss->reason,
                            .from = loss->from,
                            .to = loss->to,
                            .items = loss->items,
                            .series = loss->series,
                            .bytes = loss->bytes,
                            .time_min_ms = loss->time_min_ms,
                            .time_max_ms = loss->time_max_ms,
                            .seen_ms = engine->os->wall_ms(engine->os),
                            .detail = mem_string(loss->detail == NULL ? "" : loss->detail)};
    trace_line(engine, "%s: lost %llu items, %s", destination->conf->name,
               (unsigned long long)loss->items, loss_reason_name(loss->reason));
}

/* ---- item by item ---- */

static void widen(struct loss *row, const struct item *item, const struct position *at)
{
    bool first = row->items++ == 0;
    kinds_add(&row->kinds, item->kind, 1);
    row->series = 1; /* at least */
    row->from = first || position_before(at, &row->from) ? *at : row->from;
    row->to = first || position_before(&row->to, at) ? *at : row->to;
    row->time_min_ms = first || item->t_ms < row->time_min_ms ? item->t_ms : row->time_min_ms;
    row->time_max_ms = first || item->t_ms > row->time_max_ms ? item->t_ms : row->time_max_ms;
}

void ledger_gather(struct engine *engine, struct destination *destination, struct losses *losses,
                   const struct item *item, const struct position *at)
{
    if (losses->row.items > 0 && !position_together(&losses->row.from, at)) {
        ledger_gathered(engine, destination, losses);
    }
    widen(&losses->row, item, at);
    losses->items++;
    ASSERT(position_together(&losses->row.from, &losses->row.to));
}

void ledger_gathered(struct engine *engine, struct destination *destination, struct losses *losses)
{
    ASSERT(losses->row.items <= losses->items);
    if (losses->row.items > 0) {
        ledger_add(engine, destination, &losses->row);
        losses->row = (struct loss){.reason = losses->row.reason, .detail = losses->row.detail};
    }
}

/* ---- losses that wait ---- */

void ledger_defer(struct engine *engine, struct domain *domain, const struct loss *loss)
{
    ASSERT(loss->detail == NULL && loss->items == 0);
    struct loss told = *loss;
    told.bytes = domain->index == 0 ? loss->bytes : 0; /* the first domain counts */
    if (domain->ring.first == domain->ring.next) {
        ledger_add(engine, domain->destination, &told);
        return;
    }
    if (domain->deferred_count == LEDGER_OPEN_MAX) { /* early; a crash may count it again */
        ledger_add(engine, domain->destination, &domain->deferred[0].loss);
        domain->deferred_count--;
        memmove(&domain->deferred[0], &domain->deferred[1],
                domain->deferred_count * sizeof *domain->deferred);
    }
    if (domain->deferred_count == domain->deferred_capacity) {
        domain->deferred_capacity = domain->deferred_capacity * 2 + 8;
        domain->deferred =
            mem_grow(domain->deferred, domain->deferred_capacity, sizeof *domain->deferred);
    }
    domain->deferred[domain->deferred_count++] =
        (struct deferred){.behind = domain->ring.next, .loss = told};
}

void ledger_release(struct engine *engine, struct domain *domain)
{
    size_t gone = 0;
    while (gone < domain->deferred_count && domain->deferred[gone].behind <= domain->ring.first) {
        ledger_add(engine, domain->destination, &domain->deferred[gone].loss);
        gone++;
    }
    if (gone > 0) {
        domain->deferred_count -= gone;
        memmove(&domain->deferred[0], &domain->deferred[gone],
                domain->deferred_count * sizeof *domain->deferred);
    }
}

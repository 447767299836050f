/* quota_save.c - an account across restarts: what was spent in the last minute, by seconds, and how
 * much more may have been spent before the next save. The wall clock is asked for this only. */
#include <assert.h>
#include <walship/assert.h>
#include <walship/quota.h>

static_assert(STORE_QUOTA_DIMENSIONS == (int)QUOTA_DIMENSIONS, "a column for each");
static_assert(STORE_QUOTA_SECONDS * 1000 > QUOTA_MINUTE_MS, "a minute and the present second");

enum { SLOTS_A_SECOND = 1000 / QUOTA_SLOT_MS };

static const struct quota_slot *slot_aged(const struct quota *quota, int64_t age)
{
    int64_t index = (quota->newest_slot - age) % QUOTA_SLOTS;
    return &quota->slots[index < 0 ? index + QUOTA_SLOTS : index];
}

static struct quota_amount ahead_of(const struct quota *quota)
{
    struct quota_amount ahead = {{0}};
    int64_t ahead_ms = quota->save_ms * 2;
    ahead_ms = ahead_ms < QUOTA_AHEAD_MS_MIN ? QUOTA_AHEAD_MS_MIN : ahead_ms;
    ahead_ms = ahead_ms > QUOTA_AHEAD_MS_MAX ? QUOTA_AHEAD_MS_MAX : ahead_ms;
    for (unsigned i = 0; i < QUOTA_DIMENSIONS; i++) {
        uint64_t limit = quota_limit(quota, (enum quota_dimension)i);
        uint64_t part = (uint64_t)((double)limit * (double)ahead_ms / QUOTA_MINUTE_MS);
        ahead.of[i] = limit > 0 && part == 0 ? 1 : part;
    }
    return ahead;
}

void quota_save(struct quota *quota, struct store_quota *out, bool clean, int64_t now_ms)
{
    ASSERT(quota->ran_ms == now_ms && !quota->taken.is_set);
    quota->taken = (struct quota_mark){
        .is_set = true, .at_ms = now_ms, .total = quota->total, .ahead = ahead_of(quota)};
    out->clean = clean;
    for (size_t i = 0; i < QUOTA_DIMENSIONS; i++) {
        ASSERT(!clean || quota->open.of[i] == 0);
        out->open[i] = clean ? 0 : quota->open.of[i] + quota->taken.ahead.of[i];
        out->learned[i] = (uint64_t)quota->learners[i].limit;
        for (size_t second = 0; second < STORE_QUOTA_SECONDS; second++) {
            out->seconds[second][i] = 0;
        }
        for (int64_t age = 0; age < QUOTA_SLOTS; age++) {
            out->seconds[age / SLOTS_A_SECOND][i] += slot_aged(quota, age)->spent.of[i];
        }
    }
    if (clean) {
        quota->taken.ahead = (struct quota_amount){{0}};
    }
}

void quota_saved(struct quota *quota, bool durable, int64_t now_ms)
{
    if (quota->taken.is_set) { /* up at once, down slowly */
        int64_t took_ms = now_ms - quota->taken.at_ms;
        int64_t slower_ms = quota->save_ms * 15 / 16;
        quota->save_ms = took_ms > slower_ms ? took_ms : slower_ms;
    }
    if (quota->taken.is_set && durable) {
        quota->durable = quota->taken;
    }
    quota->taken.is_set = false;
}

bool quota_wants_save(const struct quota *quota)
{
    const struct quota_mark *last = quota->taken.is_set ? &quota->taken : &quota->durable;
    for (unsigned i = 0; i < QUOTA_DIMENSIONS; i++) {
        uint64_t since = quota->total.of[i] - last->total.of[i];
        if (quota_limit(quota, (enum quota_dimension)i) > 0 && since > 0 &&
            since * 2 >= last->ahead.of[i]) {
            return true;
        }
    }
    return false;
}

/* ---- restored ---- */

static void spent_at(struct quota *quota, int64_t age_slots, size_t dimension, uint64_t amount)
{
    int64_t index = (quota->newest_slot - age_slots) % QUOTA_SLOTS;
    quota->slots[index < 0 ? index + QUOTA_SLOTS : index].spent.of[dimension] += amount;
    quota->spent.of[dimension] += amount;
}

/* What may have been spent right before this start. */
static uint64_t unknown_spent(const struct quota *quota, const struct store_quota *row, size_t i,
                              bool trusted)
{
    uint64_t limit = quota_limit(quota, (enum quota_dimension)i);
    if (trusted) {
        return row->open[i];
    }
    return limit > quota->spent.of[i] ? limit - quota->spent.of[i] : 0;
}

static void history_restore(struct quota *quota, const struct store_quota *row, int64_t age_ms)
{
    for (int64_t second = 0; second < STORE_QUOTA_SECONDS; second++) {
        int64_t age = (age_ms / 1000 + second) * SLOTS_A_SECOND; /* its youngest slot */
        for (size_t i = 0; age < QUOTA_SLOTS && i < QUOTA_DIMENSIONS; i++) {
            spent_at(quota, age, i, row->seconds[second][i]);
        }
    }
}

void quota_restore(struct quota *quota, const struct store_quota *row, bool lost, int64_t wall_ms,
                   int64_t now_ms)
{
    ASSERT(quota->ran_ms == now_ms && quota->total.of[QUOTA_REQUESTS] == 0);
    int64_t age_ms = row != NULL ? wall_ms - row->wall_ms : 0;
    for (size_t i = 0; row != NULL && i < QUOTA_DIMENSIONS; i++) {
        quota->learners[i].limit = (double)row->learned[i];
        quota->learners[i].base = (double)row->learned[i];
    }
    bool trusted =
        row == NULL ? !lost
                    : row->clean || (age_ms >= 0 && age_ms < QUOTA_BLIND_MS - QUOTA_BLIND_SLACK_MS);
    if (row != NULL) {
        /* a wall clock that went back says nothing: as if no time had passed */
        history_restore(quota, row, age_ms > 0 ? age_ms : 0);
    }
    for (size_t i = 0; i < QUOTA_DIMENSIONS; i++) {
        if (row != NULL || !trusted) {
            spent_at(quota, 0, i, unknown_spent(quota, row, i, trusted));
        }
    }
    /* a further restart before the first save of this life would read the same row: what it would
     * not see is not spent, unless it would take the whole minute for spent anyway */
    bool doubted = row != NULL && !row->clean && age_ms > 0;
    quota->durable.at_ms = doubted ? now_ms - age_ms : now_ms;
}

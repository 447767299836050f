/* quota.c - the sliding minute, the even spread, and what may go before the next save.
 *
 * Why the end of a request and not its post: take any minute of the server's and the request in it
 * that was posted last. All others in it had ended no more than 60 s before that post, or had not
 * ended at all, so all of them were in the account when it was let through. */
#include <walship/assert.h>
#include <walship/quota.h>

static int64_t slot_of(int64_t now_ms)
{
    int64_t slot = now_ms / QUOTA_SLOT_MS;
    return now_ms % QUOTA_SLOT_MS < 0 ? slot - 1 : slot;
}

static struct quota_slot *slot_at(struct quota *quota, int64_t slot)
{
    int64_t index = slot % QUOTA_SLOTS;
    return &quota->slots[index < 0 ? index + QUOTA_SLOTS : index];
}

static const struct quota_slot *slot_look(const struct quota *quota, int64_t slot)
{
    int64_t index = slot % QUOTA_SLOTS;
    return &quota->slots[index < 0 ? index + QUOTA_SLOTS : index];
}

static void amount_add(struct quota_amount *to, const struct quota_amount *amount)
{
    for (size_t i = 0; i < QUOTA_DIMENSIONS; i++) {
        to->of[i] += amount->of[i];
    }
}

static void amount_take(struct quota_amount *from, const struct quota_amount *amount)
{
    for (size_t i = 0; i < QUOTA_DIMENSIONS; i++) {
        ASSERT(from->of[i] >= amount->of[i]);
        from->of[i] -= amount->of[i];
    }
}

/* ---- limits ---- */

static uint64_t aim_of(uint64_t configured)
{
    uint64_t aim =
        configured / 100 * QUOTA_AIM_PERCENT + configured % 100 * QUOTA_AIM_PERCENT / 100;
    return configured > 0 && aim == 0 ? 1 : aim;
}

uint64_t quota_limit(const struct quota *quota, enum quota_dimension dimension)
{
    uint64_t aim = quota->aim.of[dimension];
    uint64_t learned = (uint64_t)quota->learners[dimension].limit;
    return learned > 0 && (aim == 0 || learned < aim) ? learned : aim;
}

bool quota_is_limited(const struct quota *quota)
{
    for (unsigned i = 0; i < QUOTA_DIMENSIONS; i++) {
        if (quota_limit(quota, (enum quota_dimension)i) > 0) {
            return true;
        }
    }
    return false;
}

uint64_t quota_used(const struct quota *quota, enum quota_dimension dimension)
{
    return quota->spent.of[dimension] + quota->open.of[dimension];
}

void quota_init(struct quota *quota, const struct quota_amount *configured, int64_t now_ms)
{
    *quota = (struct quota){.newest_slot = slot_of(now_ms),
                            .spread_ms = QUOTA_SPREAD_MS,
                            .tight = true, /* met at an even pace until it is known better */
                            .calm_since_ms = now_ms,
                            .burst_until_ms = now_ms,
                            .ran_ms = now_ms,
                            .durable = {.is_set = true, .at_ms = now_ms}};
    for (size_t i = 0; i < QUOTA_DIMENSIONS; i++) {
        quota->aim.of[i] = aim_of(configured->of[i]);
        quota->due_us[i] = INT64_MIN;
        quota->learners[i].since_ms = INT64_MIN;
    }
}

void quota_configure(struct quota *quota, const struct quota_amount *configured)
{
    for (size_t i = 0; i < QUOTA_DIMENSIONS; i++) {
        quota->aim.of[i] = aim_of(configured->of[i]);
    }
}

/* ---- time ---- */

static void slots_run(struct quota *quota, int64_t now_ms)
{
    int64_t slot = slot_of(now_ms);
    if (slot - quota->newest_slot > QUOTA_SLOTS) {
        quota->newest_slot = slot - QUOTA_SLOTS; /* all of them are old */
    }
    while (quota->newest_slot < slot) {
        struct quota_slot *oldest = slot_at(quota, ++quota->newest_slot);
        amount_take(&quota->spent, &oldest->spent);
        amount_take(&quota->accepted, &oldest->accepted);
        *oldest = (struct quota_slot){0};
    }
}

/* The fullest dimension, in percent. */
static unsigned used_percent(const struct quota *quota)
{
    double most = 0;
    for (unsigned i = 0; i < QUOTA_DIMENSIONS; i++) {
        enum quota_dimension dimension = (enum quota_dimension)i;
        uint64_t limit = quota_limit(quota, dimension);
        double used = limit > 0 ? (double)quota_used(quota, dimension) / (double)limit : 0;
        most = used > most ? used : most;
    }
    return most >= 10 ? 1000 : (unsigned)(most * 100);
}

/* Load that fits needs no spreading: its bursts go at once again. A window that fills up is seen by
 * quota_spend. */
static void spread_run(struct quota *quota, int64_t now_ms)
{
    if (!quota->tight) {
        return;
    }
    if (quota->spread_ms < QUOTA_SPREAD_MS && now_ms - quota->spread_since_ms >= QUOTA_EASE_MS) {
        int64_t doubled_ms = quota->spread_ms * 2;
        quota->spread_ms = doubled_ms < QUOTA_SPREAD_MS ? doubled_ms : QUOTA_SPREAD_MS;
        quota->spread_since_ms = now_ms;
    }
    if (used_percent(quota) >= QUOTA_CALM_PERCENT || now_ms < quota->burst_until_ms) {
        quota->calm_since_ms = now_ms;
    } else if (now_ms - quota->calm_since_ms >= QUOTA_MINUTE_MS) {
        quota->tight = false;
    }
}

void quota_run(struct quota *quota, int64_t now_ms)
{
    ASSERT(now_ms >= quota->ran_ms);
    slots_run(quota, now_ms);
    quota_learn_run(quota, now_ms - quota->ran_ms);
    spread_run(quota, now_ms);
    quota->ran_ms = now_ms;
}

/* ---- may it go? ---- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t window_ready_at(const struct quota *quota, enum quota_dimension dimension,
                               uint64_t cost, int64_t now_ms)
{
    uint64_t limit = quota_limit(quota, dimension);
    uint64_t used = quota_used(quota, dimension);
    uint64_t allowed = cost < limit ? limit - cost : 0; /* too much for any minute: after nothing */
    if (limit == 0 || used <= allowed) {
        return now_ms;
    }
    for (int64_t slot = quota->newest_slot - QUOTA_SLOTS + 1; slot <= quota->newest_slot; slot++) {
        used -= slot_look(quota, slot)->spent.of[dimension];
        if (used <= allowed) {
            return (slot + QUOTA_SLOTS) * QUOTA_SLOT_MS;
        }
    }
    return INT64_MAX; /* requests in flight must end first */
}

static int64_t spread_ready_at(const struct quota *quota, enum quota_dimension dimension,
                               int64_t now_ms)
{
    int64_t due_us = quota->due_us[dimension];
    if (!quota->tight || quota_limit(quota, dimension) == 0 || due_us == INT64_MIN) {
        return now_ms;
    }
    return due_us / 1000 - quota->spread_ms + 1;
}

static int64_t mark_ready_at(const struct quota *quota, const struct quota_mark *mark,
                             const struct quota_amount *cost, int64_t now_ms)
{
    bool within = true;
    for (unsigned i = 0; mark->is_set && i < QUOTA_DIMENSIONS; i++) {
        uint64_t since = quota->total.of[i] + cost->of[i] - mark->total.of[i];
        bool limited = quota_limit(quota, (enum quota_dimension)i) > 0;
        within = within && (!limited || since <= mark->ahead.of[i]);
    }
    return within ? now_ms : mark->at_ms + QUOTA_BLIND_MS;
}

int64_t quota_ready_at(const struct quota *quota, const struct quota_amount *cost, int64_t now_ms)
{
    ASSERT(quota->ran_ms == now_ms || !quota_is_limited(quota));
    int64_t at = now_ms;
    for (unsigned i = 0; i < QUOTA_DIMENSIONS; i++) {
        enum quota_dimension dimension = (enum quota_dimension)i;
        at = later(at, window_ready_at(quota, dimension, cost->of[i], now_ms));
        at = later(at, spread_ready_at(quota, dimension, now_ms));
    }
    at = later(at, mark_ready_at(quota, &quota->durable, cost, now_ms));
    return later(at, mark_ready_at(quota, &quota->taken, cost, now_ms));
}

/* ---- spent ---- */

static void spread_spend(struct quota *quota, enum quota_dimension dimension, uint64_t cost,
                         int64_t now_ms)
{
    uint64_t limit = quota_limit(quota, dimension);
    if (limit == 0) {
        return;
    }
    double us = (double)cost * QUOTA_MINUTE_MS * 1000.0 / (double)limit;
    double most = 10.0 * QUOTA_MINUTE_MS * 1000.0;
    quota->due_us[dimension] =
        later(quota->due_us[dimension], now_ms * 1000) + (int64_t)(us < most ? us : most);
    bool filled = quota_used(quota, dimension) + cost > limit; /* the next one of its kind waits */
    if (!quota->tight && filled) {
        quota->tight = true;
        quota->calm_since_ms = now_ms;
        for (size_t i = 0; i < QUOTA_DIMENSIONS; i++) {
            quota->due_us[i] = now_ms * 1000;
        }
    }
}

void quota_spend(struct quota *quota, const struct quota_amount *cost, int64_t now_ms)
{
    ASSERT(quota->ran_ms == now_ms);
    amount_add(&quota->open, cost);
    amount_add(&quota->total, cost);
    for (unsigned i = 0; i < QUOTA_DIMENSIONS; i++) {
        spread_spend(quota, (enum quota_dimension)i, cost->of[i], now_ms);
    }
}

bool quota_ended(struct quota *quota, const struct quota_amount *cost, enum quota_end end,
                 enum quota_dimension dimension, int64_t posted_ms, int64_t now_ms)
{
    ASSERT(quota->ran_ms == now_ms && posted_ms <= now_ms);
    struct quota_slot *slot = slot_at(quota, quota->newest_slot);
    amount_take(&quota->open, cost);
    amount_add(&quota->spent, cost);
    amount_add(&slot->spent, cost);
    switch (end) {
    case QUOTA_ACCEPTED:
        amount_add(&quota->accepted, cost);
        amount_add(&slot->accepted, cost);
        amount_add(&quota->total_accepted, cost);
        quota_learn_accepted(quota, posted_ms);
        return false;
    case QUOTA_REFUSED:
        quota->refused++;
        quota->tight = true; /* the server may count shorter times than a minute */
        quota->burst_until_ms = now_ms + QUOTA_BURST_MS;
        quota->spread_since_ms = now_ms;
        quota->calm_since_ms = now_ms;
        if (!quota_learn_refused(quota, dimension, cost, posted_ms, now_ms)) {
            return false;
        }
        quota->spread_ms = later(quota->spread_ms / 2, QUOTA_SPREAD_MS_MIN);
        return true;
    case QUOTA_FAILED:
        return false;
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

const char *quota_dimension_name(enum quota_dimension dimension)
{
    static const char *const names[] = {
        [QUOTA_REQUESTS] = "requests", [QUOTA_BYTES] = "bytes", [QUOTA_SAMPLES] = "samples"};
    ASSERT(dimension < QUOTA_DIMENSIONS);
    return names[dimension];
}

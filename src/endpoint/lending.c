/* lending.c - how an endpoint falls ill, and recovers.
 *
 *     WELL --unable for LENDING_DOWN_MS--> DOWN --able--> RECOVERING --patience--> WELL
 *       \--items age under a strain--> AILING --younger, or no strain--/
 *
 * One that has nothing to prove itself with, for long, counts as able: its shards cost nothing at
 * home, and the first request shows whether the trust was right.
 *
 * Patience doubles with each relapse, so that an endpoint which keeps failing moves its shards ever
 * more seldom. */
#include <walship/assert.h>
#include <walship/lending.h>

void lending_init(struct lending *lending, int64_t now_ms)
{
    ASSERT(now_ms >= 0);
    *lending = (struct lending){.state = LENDING_WELL,
                                .able = true,
                                .since_ms = now_ms,
                                .busy_ms = now_ms,
                                .strained_ms = INT64_MIN,
                                .failed_ms = INT64_MIN,
                                .well_ms = INT64_MIN,
                                .patience_ms = LENDING_PATIENCE_MS_MIN};
}

const char *lending_state_name(enum lending_state state)
{
    switch (state) {
    case LENDING_WELL:
        return "well";
    case LENDING_RECOVERING:
        return "recovering";
    case LENDING_AILING:
        return "ailing";
    case LENDING_DOWN:
        return "down";
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

static bool strained_lately(const struct lending *lending, int64_t now_ms)
{
    return lending->strained_ms != INT64_MIN && now_ms - lending->strained_ms < LENDING_STRAIN_MS;
}

/* A relapse of one that was well for a short time only makes the next recovery longer. */
static void falls_ill(struct lending *lending, int64_t now_ms)
{
    if (lending->state != LENDING_WELL) {
        return; /* the same illness */
    }
    bool relapse = lending->well_ms != INT64_MIN && now_ms - lending->well_ms < LENDING_RELAPSE_MS;
    int64_t doubled = lending->patience_ms * 2;
    if (!relapse) {
        lending->patience_ms = LENDING_PATIENCE_MS_MIN;
    } else {
        lending->patience_ms =
            doubled < LENDING_PATIENCE_MS_MAX ? doubled : LENDING_PATIENCE_MS_MAX;
    }
}

static void note(struct lending *lending, const struct lending_view *view, int64_t now_ms)
{
    lending->busy_ms = view->idle ? lending->busy_ms : now_ms;
    bool trusted = now_ms - lending->busy_ms >= LENDING_IDLE_MS;
    bool able = view->able || trusted;
    if (able != lending->able) {
        lending->able = able;
        lending->since_ms = now_ms;
        lending->proven = false;
    }
    lending->proven = lending->proven || trusted || (view->able && view->proven);
    bool failed = view->failed || !able;
    lending->failed_ms = failed ? now_ms : lending->failed_ms;
    lending->strained_ms = failed || view->strained ? now_ms : lending->strained_ms;
    lending->strained = view->strained;
    lending->draining = view->age_ms < lending->age_ms;
    lending->age_ms = view->age_ms;
}

/* Recovering without a failure for as long as patience asks; or for much longer with one now and
 * then, as some endpoints never do without. A quota that is tight at times is no illness: but
 * shards come home while there is room. Old items alone do not say that there is none: without a
 * strain what they wait for is not this endpoint's (a quota that siblings share, a long backlog),
 * and may never end. */
static bool has_recovered(const struct lending *lending, int64_t now_ms)
{
    int64_t last_ms = lending->state_ms;
    if (lending->failed_ms > last_ms) {
        last_ms = lending->failed_ms;
    }
    bool quiet = now_ms - last_ms >= lending->patience_ms && !lending->strained;
    bool good_enough = now_ms - lending->state_ms >= lending->patience_ms * 3;
    bool room = lending->age_ms < LENDING_ROOMY_AGE_MS || !strained_lately(lending, now_ms);
    return lending->proven && room && (quiet || good_enough);
}

static enum lending_state state_next(const struct lending *lending, int64_t now_ms)
{
    bool strain = strained_lately(lending, now_ms);
    if (!lending->able) {
        bool long_enough = now_ms - lending->since_ms >= LENDING_DOWN_MS;
        return long_enough ? LENDING_DOWN : lending->state;
    }
    if (lending->age_ms >= LENDING_AGE_MS && strain) {
        return LENDING_AILING;
    }
    switch (lending->state) {
    case LENDING_WELL:
        return LENDING_WELL;
    case LENDING_DOWN:
        return LENDING_RECOVERING;
    case LENDING_AILING:
        return strain && lending->age_ms >= LENDING_ROOMY_AGE_MS ? LENDING_AILING
                                                                 : LENDING_RECOVERING;
    case LENDING_RECOVERING:
        return has_recovered(lending, now_ms) ? LENDING_WELL : LENDING_RECOVERING;
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

bool lending_look(struct lending *lending, const struct lending_view *view, int64_t now_ms)
{
    ASSERT(view->age_ms >= 0);
    ASSERT(now_ms >= lending->since_ms);
    note(lending, view, now_ms);
    enum lending_state next = state_next(lending, now_ms);
    if (next == lending->state) {
        return false;
    }
    falls_ill(lending, now_ms);
    if (next == LENDING_WELL) {
        lending->well_ms = now_ms;
    }
    lending->state_ms = now_ms;
    lending->state = next;
    return true;
}

bool lending_takes(const struct lending *lending)
{
    return lending->able && lending->state != LENDING_DOWN;
}

bool lending_roomy(const struct lending *lending, int64_t now_ms)
{
    return lending->able && lending->state == LENDING_WELL &&
           lending->age_ms < LENDING_ROOMY_AGE_MS && !strained_lately(lending, now_ms);
}

bool lending_quiet(const struct lending *lending, int64_t now_ms)
{
    return lending->able && lending->state == LENDING_WELL && !strained_lately(lending, now_ms);
}

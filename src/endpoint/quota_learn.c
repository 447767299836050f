/* quota_learn.c - the rate that a server really lets through, from its 429s.
 *
 * What is accepted between two 429s is what the server had to give in that time, whatever it
 * counts in: a token bucket was empty at both ends, a window of a minute was full at both. So
 *
 *     rate = accepted since an earlier 429 / time since then
 *
 * One alone, with none before it for minutes, teaches nothing where no limit is known: Retry-After
 * is kept to, that is all. Where one is known, what was accepted in the last minute is the measure:
 * that may be too much by the server's burst; the next 429s mend it within seconds. The limit is
 * set LOWERED below that rate, at once (a multiplicative decrease, by no more than half while the
 * measure is short), once a burst of 429s: again only after a request that was posted later was
 * accepted.
 *
 * Upwards by time, slowly near the known rate and faster when no 429 came for long, for others may
 * have gone: base * (1 + (t / unit)^3 / 100), and only while the limit is what holds requests
 * back. A unit is the time of some hundred requests, so that a try costs far less than 1 % of them.
 */
#include <walship/assert.h>
#include <walship/quota.h>

static const double LOWERED = 0.98;

enum {
    ANCHOR_MS_MAX = 120000, /* older measures are of other times */
    ANCHOR_MS = 60000,      /* long enough: begin anew with the next 429 */
    SURE_MS = 20000,        /* a measure so long, or of so many requests, is believed at once */
    SURE_REQUESTS = 50,
    SHORT_MS = 1000, /* nothing can be said of less since a 429, */
    BEGUN_MS = 5000, /* nor of less since requests began */
    UNIT_REQUESTS = 300,
    UNIT_MS_MIN = 60000,
    UNIT_MS_MAX = 120000,
    UNSURE_PART = 3,  /* of a unit, where the measure was short: the next 429 makes it sure */
    REQUESTS_MIN = 30 /* a minute: lower than that is not learned, retries do the rest */
};

static double at_least(double value, double least)
{
    return value > least ? value : least;
}

/* Time that the accepted requests in the window were sent in: a whole minute, or since it began. */
static int64_t window_span_ms(const struct quota *quota)
{
    for (int64_t age = QUOTA_SLOTS - 1; age > 0; age--) {
        int64_t index = (quota->newest_slot - age) % QUOTA_SLOTS;
        const struct quota_slot *slot = &quota->slots[index < 0 ? index + QUOTA_SLOTS : index];
        if (slot->spent.of[QUOTA_REQUESTS] > 0) {
            return age * QUOTA_SLOT_MS;
        }
    }
    return 0;
}

/* Per minute; 0: too early to say. *sure: it can't be far off. */
static double rate_measured(const struct quota *quota, enum quota_dimension dimension,
                            const struct quota_amount *cost, int64_t now_ms, bool *sure)
{
    const struct quota_learner *learner = &quota->learners[dimension];
    int64_t elapsed_ms = learner->has_anchor ? now_ms - learner->anchor_ms : INT64_MAX;
    *sure = false;
    if (elapsed_ms > ANCHOR_MS_MAX) {
        int64_t span_ms = window_span_ms(quota);
        double accepted = (double)quota->accepted.of[dimension];
        bool known = quota_limit(quota, dimension) > 0;
        return span_ms < BEGUN_MS || !known ? 0 : accepted * QUOTA_MINUTE_MS / (double)span_ms;
    }
    if (elapsed_ms < SHORT_MS) {
        return 0;
    }
    double unit = at_least((double)cost->of[dimension], 1);
    double accepted = (double)(quota->total_accepted.of[dimension] - learner->anchor_accepted);
    *sure = elapsed_ms >= SURE_MS || accepted >= unit * SURE_REQUESTS;
    /* the ends are known to about one request each, and of those in flight some were accepted:
     * rather too much than too little, for the next 429 mends that at once */
    double unsure = 2 * unit + (double)quota->open.of[dimension];
    return (accepted + unsure) * QUOTA_MINUTE_MS / (double)elapsed_ms;
}

static double floor_of(enum quota_dimension dimension, const struct quota_amount *cost)
{
    return REQUESTS_MIN * at_least((double)cost->of[dimension], 1);
}

static bool lower(struct quota *quota, enum quota_dimension dimension,
                  const struct quota_amount *cost, int64_t now_ms)
{
    struct quota_learner *learner = &quota->learners[dimension];
    double before = (double)quota_limit(quota, dimension);
    bool sure;
    double limit = LOWERED * rate_measured(quota, dimension, cost, now_ms, &sure);
    if (limit <= 0) {
        return false;
    }
    if (before > 0) {
        limit = sure ? limit : at_least(limit, before / 2);
        limit = limit < LOWERED * before ? limit : LOWERED * before;
    }
    learner->limit = at_least(limit, floor_of(dimension, cost));
    learner->base = learner->limit;
    learner->grown_ms = 0;
    learner->sure = sure;
    return true;
}

bool quota_learn_refused(struct quota *quota, enum quota_dimension dimension,
                         const struct quota_amount *cost, int64_t posted_ms, int64_t now_ms)
{
    ASSERT(dimension < QUOTA_DIMENSIONS);
    struct quota_learner *learner = &quota->learners[dimension];
    bool first = learner->since_ms == INT64_MIN;
    if (!first && (posted_ms <= learner->since_ms || !learner->accepted_since)) {
        return false; /* of the same burst */
    }
    bool lowered = lower(quota, dimension, cost, now_ms);
    learner->since_ms = now_ms;
    learner->accepted_since = false;
    if (!learner->has_anchor || now_ms - learner->anchor_ms >= ANCHOR_MS) {
        learner->has_anchor = true;
        learner->anchor_ms = now_ms;
        learner->anchor_accepted = quota->total_accepted.of[dimension];
    }
    return lowered;
}

void quota_learn_accepted(struct quota *quota, int64_t posted_ms)
{
    for (size_t i = 0; i < QUOTA_DIMENSIONS; i++) {
        struct quota_learner *learner = &quota->learners[i];
        learner->accepted_since = learner->accepted_since || posted_ms > learner->since_ms;
    }
}

static double unit_ms(const struct quota *quota)
{
    double requests = (double)quota->spent.of[QUOTA_REQUESTS]; /* a minute */
    double unit = UNIT_REQUESTS * (double)QUOTA_MINUTE_MS / at_least(requests, 1);
    return unit > UNIT_MS_MAX ? UNIT_MS_MAX : at_least(unit, UNIT_MS_MIN);
}

void quota_learn_run(struct quota *quota, int64_t elapsed_ms)
{
    for (unsigned i = 0; i < QUOTA_DIMENSIONS; i++) {
        struct quota_learner *learner = &quota->learners[i];
        enum quota_dimension dimension = (enum quota_dimension)i;
        bool binds =
            (double)quota_used(quota, dimension) * 100 >= learner->limit * QUOTA_CALM_PERCENT;
        if (learner->limit <= 0 || !binds) {
            continue;
        }
        learner->grown_ms += elapsed_ms < 1000 ? elapsed_ms : 1000; /* a long sleep is no proof */
        double units =
            (double)learner->grown_ms / unit_ms(quota) * (learner->sure ? 1 : UNSURE_PART);
        double grown = learner->base * (1 + units * units * units / 100);
        learner->limit = grown > learner->limit ? grown : learner->limit;
        if (quota->aim.of[i] > 0 && learner->limit >= (double)quota->aim.of[i]) {
            learner->limit = 0; /* all that is configured is there again */
        }
    }
}

enum quota_dimension quota_named(const char *body, size_t body_bytes)
{
    static const struct {
        const char *word;
        enum quota_dimension dimension;
    } words[] = {{"requests", QUOTA_REQUESTS}, {"samples", QUOTA_SAMPLES},
                 {"events", QUOTA_SAMPLES},    {"bytes", QUOTA_BYTES},
                 {"data volume", QUOTA_BYTES}, {"data per minute", QUOTA_BYTES}};
    enum { LOOKED_AT_MAX = 2048 };
    char text[LOOKED_AT_MAX + 1];
    size_t bytes = body_bytes < LOOKED_AT_MAX ? body_bytes : LOOKED_AT_MAX;
    for (size_t i = 0; i < bytes; i++) {
        text[i] = (char)(body[i] >= 'A' && body[i] <= 'Z' ? body[i] + ('a' - 'A') : body[i]);
        text[i] = text[i] == '\0' ? ' ' : text[i];
    }
    text[bytes] = '\0';
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (strstr(text, words[i].word) != NULL) {
            return words[i].dimension;
        }
    }
    return QUOTA_REQUESTS;
}

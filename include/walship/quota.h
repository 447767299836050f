/* quota.h - what an endpoint, or several that share a quota, may still send this minute. Pure:
 * time, requests and answers in; "now", "then" or "after an answer" out. Knows no HTTP and does not
 * wait.
 *
 * The account is a sliding window, not a bucket: in no 60 s, wherever they begin, is more than
 * QUOTA_AIM_PERCENT of a quota spent. A request counts from its post until 60 s after its END, for
 * the server counted it at a time between the two that nobody here knows; whatever became of it.
 * Below the quota all may go at once; when the window was full, requests are spread evenly.
 *
 * What is not configured, and what others leave of what is, is learned from 429s: see
 * src/endpoint/quota_learn.c.
 *
 * A restart: the saved history says what was spent, and how much more may have been before the next
 * save (`ahead`): no more than that is let through until the next save is durable, or until the
 * last one is so old (QUOTA_BLIND_MS) that a restart takes the whole minute for spent.
 *
 * A plain value, about 12 KB. Times are monotonic ms unless called wall. */
#ifndef WALSHIP_QUOTA_H
#define WALSHIP_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/store.h>

enum quota_dimension { QUOTA_REQUESTS, QUOTA_BYTES, QUOTA_SAMPLES, QUOTA_DIMENSIONS };

enum {
    QUOTA_MINUTE_MS = 60000,
    QUOTA_SLOT_MS = 250,
    QUOTA_SLOTS = QUOTA_MINUTE_MS / QUOTA_SLOT_MS + 1,
    QUOTA_AIM_PERCENT = 97,     /* of what is configured */
    QUOTA_CALM_PERCENT = 87,    /* below it for a minute: no need to spread any more */
    QUOTA_SPREAD_MS = 1000,     /* how far requests may run ahead of an even spread; halved */
    QUOTA_SPREAD_MS_MIN = 62,   /* with each lesson down to this: the server's bucket is small */
    QUOTA_EASE_MS = 30000,      /* and doubled again with each such time without a 429 */
    QUOTA_BURST_MS = 600000,    /* after a 429 they are spread for so long */
    QUOTA_AHEAD_MS_MIN = 5000,  /* what an even spread sends in so long may be spent between two */
    QUOTA_AHEAD_MS_MAX = 10000, /* saves; more where saves take long, at most this */
    QUOTA_BLIND_MS = 10000,     /* a restart trusts what was saved no longer ago than that, */
    QUOTA_BLIND_SLACK_MS = 1000 /* less this, for two clocks are compared */
};

struct quota_amount {
    uint64_t of[QUOTA_DIMENSIONS]; /* as a limit: 0 is none */
};

enum quota_end {
    QUOTA_ACCEPTED, /* 2xx */
    QUOTA_REFUSED,  /* 429 */
    QUOTA_FAILED    /* anything else, lost answers too */
};

struct quota_slot {
    struct quota_amount spent, accepted;
};

struct quota_learner {
    double limit;     /* per minute; 0: nothing learned */
    double base;      /* the limit after the last decrease */
    int64_t since_ms; /* of that decrease; INT64_MIN: none in this life */
    int64_t grown_ms; /* since then, while the limit was what held requests back */
    bool sure;        /* measured over some time: to be left slowly */
    bool has_anchor;
    int64_t anchor_ms; /* of an earlier 429: what was accepted since tells the server's rate */
    uint64_t anchor_accepted;
    bool accepted_since; /* a request posted after the decrease: a further 429 is news */
};

/* A save: requests after it are let through up to `ahead`. */
struct quota_mark {
    bool is_set;
    int64_t at_ms;
    struct quota_amount total, ahead;
};

struct quota {
    struct quota_amount aim; /* what is configured, less the margin; 0: none */
    struct quota_slot slots[QUOTA_SLOTS];
    int64_t newest_slot;
    struct quota_amount spent, accepted; /* in the slots */
    struct quota_amount open;            /* of requests in flight */
    struct quota_amount total;           /* ever posted */
    struct quota_amount total_accepted;
    int64_t due_us[QUOTA_DIMENSIONS]; /* the even spread */
    int64_t spread_ms, spread_since_ms;
    bool tight;             /* spread */
    int64_t calm_since_ms;  /* tight: since when it needs not be */
    int64_t burst_until_ms; /* tight at least until then */
    int64_t ran_ms;
    struct quota_learner learners[QUOTA_DIMENSIONS];
    struct quota_mark durable, taken;
    int64_t save_ms;  /* how long a save takes */
    uint64_t refused; /* 429s ever */
};

/* configured: per minute, 0 none. Until quota_restore or a save nothing is let through for
 * QUOTA_BLIND_MS where there is a limit. */
void quota_init(struct quota *quota, const struct quota_amount *configured, int64_t now_ms);
/* Other limits; what was spent and learned stays. */
void quota_configure(struct quota *quota, const struct quota_amount *configured);
/* Lets time pass; before any other call of that time. */
void quota_run(struct quota *quota, int64_t now_ms);
/* The present limit per minute, configured or learned; 0: none. */
uint64_t quota_limit(const struct quota *quota, enum quota_dimension dimension);
bool quota_is_limited(const struct quota *quota);
/* Spent of it in the last minute, in flight included. */
uint64_t quota_used(const struct quota *quota, enum quota_dimension dimension);
/* When a request of this cost may go, as far as time alone decides: <= now, at once; INT64_MAX: an
 * answer must come first. A cost beyond a limit goes when nothing else was spent for a minute. */
int64_t quota_ready_at(const struct quota *quota, const struct quota_amount *cost, int64_t now_ms);
void quota_spend(struct quota *quota, const struct quota_amount *cost, int64_t now_ms);
/* The request posted at posted_ms ended. dimension: what a 429 is about. True: a limit was learned
 * or lowered. */
bool quota_ended(struct quota *quota, const struct quota_amount *cost, enum quota_end end,
                 enum quota_dimension dimension, int64_t posted_ms, int64_t now_ms);
/* What the text of a 429 says it is about; QUOTA_REQUESTS when it says nothing. */
enum quota_dimension quota_named(const char *body, size_t body_bytes);
const char *quota_dimension_name(enum quota_dimension dimension);

/* ---- saved ---- */

/* clean: nothing is in flight and nothing will be sent any more. out->account is the caller's. */
void quota_save(struct quota *quota, struct store_quota *out, bool clean, int64_t now_ms);
/* How that ended; without a save under way nothing. */
void quota_saved(struct quota *quota, bool durable, int64_t now_ms);
/* It should be saved soon: half of what may go before the next save is spent. */
bool quota_wants_save(const struct quota *quota);
/* row: what was saved at row->wall_ms, or NULL: never; lost: there was a state and it is gone. */
void quota_restore(struct quota *quota, const struct store_quota *row, bool lost, int64_t wall_ms,
                   int64_t now_ms);

/* ---- quota_learn.c, for quota.c only ---- */
void quota_learn_run(struct quota *quota, int64_t elapsed_ms);
void quota_learn_accepted(struct quota *quota, int64_t posted_ms);
bool quota_learn_refused(struct quota *quota, enum quota_dimension dimension,
                         const struct quota_amount *cost, int64_t posted_ms, int64_t now_ms);

#endif

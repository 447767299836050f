/* lending.h - when an endpoint's shards may be lent to its siblings, and when they go home again.
 *
 * A state machine per endpoint, looked at now and then (LENDING_STEP_MS), and pure: what is seen of
 * the endpoint goes in, whether it gives, takes or waits comes out. Which shards move, and that
 * order holds, is the engine's matter. An endpoint that is only slow keeps its shards: what counts
 * is that it fails or is throttled, and for how long. */
#ifndef WALSHIP_LENDING_H
#define WALSHIP_LENDING_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LENDING_STEP_MS = 250,
    LENDING_DOWN_MS = 2000,      /* unable for so long without a break: all its shards go */
    LENDING_AGE_MS = 10000,      /* an item that old, and a strain: some of its shards go */
    LENDING_ROOMY_AGE_MS = 5000, /* a sibling whose items are older takes none for that */
    LENDING_STRAIN_MS = 15000,   /* so long a failure or an exhausted quota is remembered */
    LENDING_PATIENCE_MS_MIN = 5000,
    LENDING_PATIENCE_MS_MAX = 60000,
    LENDING_IDLE_MS = 60000,    /* so long nothing to prove itself with: trusted again */
    LENDING_RELAPSE_MS = 300000 /* down again so soon after it was well: patience doubles */
};

enum lending_state {
    LENDING_WELL,       /* its shards are at home, or on their way there */
    LENDING_RECOVERING, /* works again; proves it with a few shards until patience has passed */
    LENDING_AILING,     /* works, yet less than its shards need: sheds some */
    LENDING_DOWN        /* lends all */
};

struct lending_view {
    bool able;      /* a request would be let through: open, with a token */
    bool failed;    /* a request did, since the last look */
    bool strained;  /* its own quota is, or nearly, used up: less of an illness than a failure */
    bool proven;    /* something was accepted since the last look */
    bool idle;      /* a request would go out, as a probe at least, and there is none to make */
    int64_t age_ms; /* of its oldest pending item, since it was read; 0: none */
};

struct lending {
    enum lending_state state;
    bool able;
    bool proven;         /* accepted something since it is able again */
    bool draining;       /* its oldest item is younger than at the last look */
    int64_t since_ms;    /* able, or unable, since then */
    int64_t busy_ms;     /* last seen not idle */
    int64_t state_ms;    /* `state` since then */
    bool strained;       /* at the last look */
    int64_t strained_ms; /* last seen strained or failing; INT64_MIN: never */
    int64_t failed_ms;   /* last seen failing; INT64_MIN: never */
    int64_t well_ms;     /* became well at; INT64_MIN: was so from the start */
    int64_t patience_ms; /* of the next recovery */
    int64_t age_ms;
};

/* Starts well: an unknown peer is trusted. */
void lending_init(struct lending *lending, int64_t now_ms);
/* True: the state is another one than before. */
bool lending_look(struct lending *lending, const struct lending_view *view, int64_t now_ms);
/* Takes shards of a sibling that is down, if need be. */
bool lending_takes(const struct lending *lending);
/* Has room to spare: takes shards gladly. */
bool lending_roomy(const struct lending *lending, int64_t now_ms);
/* Nothing to be done or awaited: no further look is needed until something fails. */
bool lending_quiet(const struct lending *lending, int64_t now_ms);
const char *lending_state_name(enum lending_state state);

#endif

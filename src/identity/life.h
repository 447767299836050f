/* life.h - private: one identity whole, and the two halves of its life: asking (identity.c) and
 * taking what came (answer.c). */
#ifndef WALSHIP_SRC_IDENTITY_LIFE_H
#define WALSHIP_SRC_IDENTITY_LIFE_H

#include "challenge.h"
#include "credential.h"
#include "failure.h"
#include "request.h"

#include <walship/rng.h>

enum life_step {
    LIFE_RESTING,   /* until ask_at_ms */
    LIFE_ASKED,     /* a request is in flight */
    LIFE_CHALLENGED /* Arc: the second request goes at once, with the key in `challenge` */
};

struct identity {
    struct source source;
    const struct identity_world *world;
    unsigned *local_in_flight; /* of all identities, at metadata services */
    char *name;
    struct rng rng;

    enum life_step step;
    struct request request; /* in flight */
    bool second;            /* Arc: it is the answer to a challenge */
    char challenge[CHALLENGE_PATH_BYTES];
    bool secret_in_body; /* oauth2: what the server took last */
    bool style_known;    /* oauth2: ... and that is sure */
    struct credential credential;

    struct secret header; /* the Authorization value */
    uint64_t revision;
    int64_t valid_until_ms;
    int64_t ask_at_ms;
    int64_t files_at_ms;      /* when files are looked at between requests */
    bool forced;              /* a refresh for a rejected token is due */
    int64_t rejected_next_ms; /* no forced refresh before */
    int64_t rejected_wait_ms;
    int64_t rejected_last_ms;
    int64_t skew_ms; /* the token server's clock less ours */

    enum failure_kind failed_by;
    uint64_t failed_kind_in_row;
    uint64_t failed_in_row;
    uint64_t successes, failures;
    char problem[IDENTITY_PROBLEM_BYTES];
    char warning[IDENTITY_PROBLEM_BYTES];
};

/* Both pointers are borrowed for the identity's life. */
void identity_init(struct identity *identity, struct source *take,
                   const struct identity_world *world, unsigned *local_in_flight);
void identity_release(struct identity *identity);
const struct source *identity_source(const struct identity *identity);

/* answer.c */
void life_take_result(struct identity *identity, const struct http_result *result, int64_t now_ms,
                      int64_t wall_ms);
/* The next attempt waits; says it once per change. */
void life_fail(struct identity *identity, const struct failure *failure, int64_t now_ms);
void life_succeed(struct identity *identity);
/* A new header: *take is left empty. The same text is not news. */
void life_set_header(struct identity *identity, struct secret *take);

#endif

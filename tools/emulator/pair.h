/* pair.h - an Azure pair's front door: which pair a request is for, and whether it may come in.
 *
 * One port stands for many DCEs: the DCE is chosen by the first path segment, or else by the first
 * label of the Host header (dce-a.localhost, or a real host name that resolves to loopback). Paths
 * are matched without regard to case. Loop thread only. */
#ifndef EMULATOR_PAIR_H
#define EMULATOR_PAIR_H

#include "emulator.h"

struct refusal {
    int status;
    const char *code; /* x-ms-error-code; NULL: plain text */
    char text[1024];  /* of the answer */
    char retry_after[64];
    bool challenge;  /* WWW-Authenticate */
    const char *why; /* for the database: short, no secret; NULL: the text */
};

enum pair_found {
    PAIR_ELSEWHERE, /* no DCR path */
    PAIR_FOUND,
    PAIR_REFUSED /* the refusal says why */
};

struct pair_route {
    struct pair *pair;
    bool foreign; /* called through another DCE than its own */
};

enum pair_found pair_find(struct emulator *emulator, const struct exchange *exchange,
                          struct pair_route *route, struct refusal *refusal);
/* Query, token, role, then the request and byte buckets. False: refused. */
MUST_USE bool pair_admit(struct emulator *emulator, const struct pair_route *route,
                         const struct exchange *exchange, struct refusal *refusal);

/* Always false. `format` is the answer's text. */
bool refuse(struct refusal *refusal, int status, const char *code, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* The Retry-After header in this form (enum throttle). */
void retry_after_write(int form, int64_t wait_ms, int64_t wall_ms, char out[64]);
/* The refusal as Azure's front end writes it. */
void refusal_write(struct azure *azure, const struct refusal *refusal, struct answer *answer);

#endif

/* failure.h - private: what a failed token request means: how long to wait, and what to tell the
 * operator. Pure. */
#ifndef WALSHIP_SRC_IDENTITY_FAILURE_H
#define WALSHIP_SRC_IDENTITY_FAILURE_H

#include "source.h"

enum failure_kind {
    FAILURE_NETWORK,   /* no answer */
    FAILURE_BUSY,      /* 429 */
    FAILURE_UPDATING,  /* IMDS 410: back within 70 s */
    FAILURE_TRANSIENT, /* passes by itself */
    FAILURE_FINAL,     /* someone must mend something; asked again all the same, rarely */
    FAILURE_ANSWER,    /* a 200 that is no token */
    FAILURE_LOCAL,     /* a file */
    FAILURE_KINDS
};

struct failure {
    enum failure_kind kind;
    int64_t retry_after_ms; /* 0: not said */
    char text[IDENTITY_PROBLEM_BYTES];
};

/* An answer that is neither a token nor Arc's challenge. */
void failure_judge(struct failure *out, const struct source *source,
                   const struct http_result *result, int64_t wall_ms);
void failure_set(struct failure *out, enum failure_kind kind, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Before jitter; in_row: failures of this kind before this one, without another between. */
int64_t failure_wait_ms(const struct failure *failure, const struct source *source,
                        uint64_t in_row);

#endif

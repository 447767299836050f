/* store_quota.h - a row of the store (store.h): an account of quota.h as it was at a commit. */
#ifndef WALSHIP_STORE_QUOTA_H
#define WALSHIP_STORE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

enum { STORE_QUOTA_SECONDS = 61, STORE_QUOTA_DIMENSIONS = 3 /* requests, bytes, samples */ };

/* What was sent in the minute before a commit, of one account (quota.h), and what is known of it.
 */
struct store_quota {
    const char *account;
    int64_t wall_ms;                          /* of the commit */
    bool clean;                               /* nothing was sent after it */
    uint64_t open[STORE_QUOTA_DIMENSIONS];    /* else: what at most was, in flight included */
    uint64_t learned[STORE_QUOTA_DIMENSIONS]; /* limits a minute; 0: none */
    uint64_t seconds[STORE_QUOTA_SECONDS][STORE_QUOTA_DIMENSIONS]; /* the present one first */
};

#endif

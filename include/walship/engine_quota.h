/* engine_quota.h - how much of its quotas the engine has used: for metrics, pages and tests. */
#ifndef WALSHIP_ENGINE_QUOTA_H
#define WALSHIP_ENGINE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/quota.h>

struct engine;

#define ENGINE_QUOTA_SHARED SIZE_MAX /* in place of an endpoint: the destination's or its group's  \
                                      */

/* By enum quota_dimension, per minute. */
struct engine_quota_stats {
    uint64_t limit[QUOTA_DIMENSIONS]; /* what is kept to: 97 % of the quota, or learned; 0: none */
    uint64_t used[QUOTA_DIMENSIONS];  /* in the last minute, in flight included */
    uint64_t learned[QUOTA_DIMENSIONS]; /* from 429s; 0: nothing */
    uint64_t refused;                   /* 429s of this life */
    int64_t waited_ms;                  /* that requests which were due waited for it */
};

/* False: there is no such account (a destination without a quota of its own). */
bool engine_quota_stats(const struct engine *engine, size_t destination, size_t endpoint,
                        struct engine_quota_stats *out);

#endif

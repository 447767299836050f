/* engine_quota.h - how much of a quota is used: a part of engine_endpoint_stats and, for what its
 * endpoints share, of engine_destination_stats. */
#ifndef WALSHIP_ENGINE_QUOTA_H
#define WALSHIP_ENGINE_QUOTA_H

#include <stdint.h>
#include <walship/quota.h>

/* By enum quota_dimension, per minute. All 0: no account, or no limit known. */
struct engine_quota_stats {
    uint64_t limit[QUOTA_DIMENSIONS];   /* kept to: 97 % of the quota, or learned; 0: none */
    uint64_t used[QUOTA_DIMENSIONS];    /* in the last minute, in flight included */
    uint64_t learned[QUOTA_DIMENSIONS]; /* from 429s; 0: nothing */
    uint64_t refused;                   /* 429s of this life */
    int64_t waited_ms;                  /* that requests which were due waited for it */
};

#endif

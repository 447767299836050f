/* bucket.h - a token bucket: so much a minute, and a burst of it at once.
 *
 * What is larger than the whole bucket passes when the bucket is full, and leaves it in debt: a
 * limit that nothing could ever meet would be a limit of another kind. Times are monotonic ms. A
 * plain value; pure. */
#ifndef EMULATOR_BUCKET_H
#define EMULATOR_BUCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/assert.h>

struct bucket {
    double per_ms; /* 0: no limit */
    double room;   /* when full */
    double level;
    int64_t at_ms;
};

/* per_minute 0: no limit. The bucket holds what flows in burst_ms, but at least 1. */
void bucket_init(struct bucket *bucket, uint64_t per_minute, int64_t burst_ms);
/* Milliseconds until `cost` would pass; 0: now. Nothing is taken. */
MUST_USE int64_t bucket_wait_ms(struct bucket *bucket, double cost, int64_t now_ms);
void bucket_take(struct bucket *bucket, double cost);

#endif

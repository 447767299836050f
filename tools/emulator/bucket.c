/* bucket.c - levels as doubles: a test's minute is far below their precision. */
#include "bucket.h"

void bucket_init(struct bucket *bucket, uint64_t per_minute, int64_t burst_ms)
{
    ASSERT(burst_ms >= 0);
    *bucket = (struct bucket){.per_ms = (double)per_minute / 60000.0, .at_ms = INT64_MIN};
    double room = bucket->per_ms * (double)burst_ms;
    bucket->room = room < 1.0 ? 1.0 : room;
    bucket->level = bucket->room;
}

int64_t bucket_wait_ms(struct bucket *bucket, double cost, int64_t now_ms)
{
    ASSERT(cost >= 0.0);
    if (bucket->per_ms <= 0.0) {
        return 0;
    }
    if (bucket->at_ms != INT64_MIN && now_ms > bucket->at_ms) {
        bucket->level += (double)(now_ms - bucket->at_ms) * bucket->per_ms;
        bucket->level = bucket->level > bucket->room ? bucket->room : bucket->level;
    }
    bucket->at_ms = now_ms;
    double needed = cost < bucket->room ? cost : bucket->room;
    if (bucket->level >= needed) {
        return 0;
    }
    double wait_ms = (needed - bucket->level) / bucket->per_ms;
    int64_t whole_ms = (int64_t)wait_ms;
    return whole_ms + ((double)whole_ms < wait_ms);
}

void bucket_take(struct bucket *bucket, double cost)
{
    if (bucket->per_ms > 0.0) {
        bucket->level -= cost;
    }
}

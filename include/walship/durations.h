/* durations.h - how long requests took, as a histogram with Prometheus' own bounds. */
#ifndef WALSHIP_DURATIONS_H
#define WALSHIP_DURATIONS_H

#include <stdint.h>

enum { ENGINE_DURATION_BOUNDS = 15 };
extern const double engine_duration_bounds[ENGINE_DURATION_BOUNDS]; /* seconds */

struct engine_durations { /* of requests, until answered or given up; a histogram */
    uint64_t counts[ENGINE_DURATION_BOUNDS + 1];
    double sum_seconds;
};

#endif

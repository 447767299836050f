/* faults.h - the weather over endpoints and store: what becomes of each request and each commit.
 *
 * Every endpoint has weather of its own that changes with time, or they are ill in turn; calm ones
 * never have any. After faults_end there is none anywhere. */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "fake_http.h"
#include "fake_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/rng.h>

enum weather {
    WEATHER_GOOD,
    WEATHER_DOWN,  /* refused */
    WEATHER_FLAKY, /* resets, before or after delivery */
    WEATHER_SLOW,
    WEATHER_TIMEOUTS,  /* no answer in time; the body may still arrive, maybe late */
    WEATHER_THROTTLED, /* 429, mostly with Retry-After */
    WEATHER_ERRORS,    /* 5xx and 408; stored now and then */
    WEATHER_HELD,      /* a 4xx that only an operator mends */
    WEATHERS
};

struct faults_endpoint {
    enum weather weather;
    int64_t until_ms;
    bool calm;
    bool orderly;     /* its receiver takes samples in order only: no 400 without a cause */
    size_t bytes_max; /* 413 above; 0: none. Stays after faults_end */
    bool cuts;        /* above it the connection is cut, without an answer */
};

struct faults {
    const int64_t *now_ms;
    struct rng rng, store_rng;
    struct faults_endpoint *endpoints; /* by receiver */
    size_t endpoints_count;
    unsigned good_percent; /* of the weather changes */
    unsigned commit_fail_percent;
    int64_t commit_ms_max;
    bool nothing_goes;    /* until the end */
    int64_t spell_ms_max; /* of one weather */
    int64_t turn_ms; /* one endpoint after the other is dead, throttled, refusing; 0: by dice */
    bool ended;
};

void faults_init(struct faults *faults, const int64_t *now_ms, size_t endpoints, uint64_t seed);
void faults_release(struct faults *faults);
void faults_end(struct faults *faults);
/* Hooks. */
void faults_request(void *faults, const struct fake_request *request, struct fake_plan *out);
void faults_commit(void *faults, struct fake_commit_plan *out);

#endif

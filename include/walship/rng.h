/* rng.h - a small seeded generator (splitmix64): jitter, tests, the simulator. Not for secrets. */
#ifndef WALSHIP_RNG_H
#define WALSHIP_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* 0 .. bound-1; bound > 0. The bias is below 2^-32 for bounds below 2^32. */
static inline uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    return rng_next(rng) % bound;
}

#endif

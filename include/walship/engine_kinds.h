/* engine_kinds.h - what the engine counts by kind of item, as Prometheus' metrics of remote write
 * do: parts of engine_endpoint_stats and engine_destination_stats. Counted since the process
 * started, other than the accounts there, which go on over restarts. */
#ifndef WALSHIP_ENGINE_KINDS_H
#define WALSHIP_ENGINE_KINDS_H

#include <stdint.h>
#include <walship/store.h>

struct engine_kinds {
    uint64_t samples, histograms, exemplars;
};

/* Of an endpoint; repeats are counted again. */
struct engine_kinds_sent {
    struct engine_kinds attempted; /* in requests */
    struct engine_kinds retried;   /* in those that failed and are repeated */
    struct engine_kinds failed;    /* refused for good */
    struct engine_kinds pending;   /* waiting, in flight included */
};

/* Of a destination. */
struct engine_kinds_taken {
    struct engine_kinds read;    /* from the WAL, those that it does not want too */
    struct engine_kinds dropped; /* by write_relabel_configs */
    struct engine_kinds stale;   /* not newer than the newest taken of their series */
    struct engine_kinds lost[LOSS_REASONS];
    struct engine_kinds refused; /* of those, by an endpoint: the sum of their `failed` */
};

/* Types and help texts: over 1.0 in requests of their own, over 2.0 with each series. */
struct engine_metadata_stats {
    uint64_t sent;    /* 1.0: taken; 2.0: in requests */
    uint64_t failed;  /* 1.0: refused */
    uint64_t retried; /* 1.0: not taken for now, they go again in the next round */
    uint64_t bytes;   /* 1.0: compressed, of what was taken */
};

#endif

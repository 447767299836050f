/* routing.h - where a series goes: the engine's own way from labels to shard and home, for those
 * that ask (walship explain), and what a running engine says of its shards.
 *
 * routing_make and routing_homes are pure: the same configuration and labels give the same answer
 * in every process, and it is the one by which the engine sends. */
#ifndef WALSHIP_ROUTING_H
#define WALSHIP_ROUTING_H

#include <walship/conf.h>
#include <walship/limits.h>

enum { ROUTE_FINGERPRINT_CHARS = 33 };

enum route_end {
    ROUTE_GOES,
    ROUTE_DROPPED, /* by a rule */
    ROUTE_TOO_BIG  /* no final labels within the limits */
};

struct routing_room { /* owned by whoever has it */
    struct label *some;
    struct relabel_room *relabel;
};
void routing_room_init(struct routing_room *room);
void routing_room_release(struct routing_room *room);

struct routing {
    /* in */
    const struct conf *all;
    const struct conf_destination *conf; /* of `all`, or of what was in use with it */
    const struct label *source;          /* canonical, as the WAL has it */
    size_t source_count;
    /* out */
    enum route_end end;
    uint16_t shard;
    const struct label *labels; /* final: `source` itself, or until the next call with this room */
    size_t count;
};
void routing_make(struct routing_room *room, struct routing *routing);
/* Of all that decides final labels and shards. */
void route_fingerprint(const struct conf *all, const struct conf_destination *conf,
                       char out[ROUTE_FINGERPRINT_CHARS]);
/* home[shard]: index of an endpoint. */
void routing_homes(const struct conf_destination *conf, uint16_t home[SHARDS_COUNT]);

/* ---- of a running engine ---- */

struct engine;

struct engine_shard_stats {
    uint16_t home, endpoint; /* where it belongs, where it is */
    uint32_t pending;        /* items */
    int64_t newest_acked_ms; /* sample time, in this life; INT64_MIN: none yet */
};
/* shard < SHARDS_COUNT. */
void engine_shard_stats(const struct engine *engine, size_t destination, uint16_t shard,
                        struct engine_shard_stats *out);
/* Fingerprint of the rules by which this destination is read now. */
const char *engine_routing_rules(const struct engine *engine, size_t destination);

#endif

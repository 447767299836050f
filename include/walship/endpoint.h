/* endpoint.h - health of one URL as a state machine: may a request go now, and what does an answer mean?
 * And placement: which shard is at home where. Pure: time and answers in, verdicts out. */
#ifndef WALSHIP_ENDPOINT_H
#define WALSHIP_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <walship/http.h>
#include <walship/rng.h>

/* What the engine does with the batch. */
enum verdict {
    VERDICT_ACKED,  /* settled */
    VERDICT_RETRY,  /* the same batch again, when endpoint_may_send says so */
    VERDICT_SMALLER /* 413: cut it in half (a batch of one item: VERDICT_HOLD's wait, loudly) */
};

enum endpoint_state {
    ENDPOINT_OPEN,    /* requests go */
    ENDPOINT_BACKOFF, /* waits until retry_at_ms; then one probe */
    ENDPOINT_HELD     /* an answer that the operator must mend (4xx): probes each HOLD_MS */
};

struct endpoint_conf {
    int64_t min_backoff_ms, max_backoff_ms;
    uint32_t in_flight_max;
};

struct endpoint {
    struct endpoint_conf conf;
    enum endpoint_state state;
    int64_t backoff_ms;      /* the next wait, before jitter */
    int64_t retry_at_ms;
    uint32_t in_flight;
    uint32_t allowed;        /* slow start: requests that may be in flight now */
    int last_status;         /* 0: none yet or network */
    char last_error[160];    /* one line for the operator; no secret */
    struct rng rng;          /* jitter */
};

void endpoint_init(struct endpoint *endpoint, const struct endpoint_conf *conf, uint64_t seed);
/* May one more request start at `now`? */
bool endpoint_may_send(const struct endpoint *endpoint, int64_t now_ms);
void endpoint_sent(struct endpoint *endpoint, int64_t now_ms);
/* The answer to one request. wall_ms: for Retry-After as a date. The state moves; the verdict says
 * what becomes of the batch. Logs once per change of state, not per request. */
enum verdict endpoint_answered(struct endpoint *endpoint, const struct http_result *result,
                               int64_t now_ms, int64_t wall_ms);
/* When may_send can change by time alone; INT64_MAX: not by time. */
int64_t endpoint_deadline(const struct endpoint *endpoint);
const char *endpoint_state_name(enum endpoint_state state);

/* Retry-After: integer seconds or an IMF-fixdate; false: unparsable. Past dates give 0. */
bool retry_after_parse(const char *text, int64_t wall_ms, int64_t *out_ms);
/* IMF-fixdate ("Sun, 06 Nov 1994 08:49:37 GMT") to Unix ms. */
bool http_date_parse(const char *text, int64_t *out_ms);

/* ---- placement ---- */

struct placement_endpoint {
    const char *key;
    double weight; /* > 0 */
};
/* home[shard] = index of its endpoint, by weighted rendezvous with bounded load: none gets more than
 * ceil(its share). Deterministic in the keys; adding or removing one endpoint moves few shards. */
void placement_homes(const struct placement_endpoint *endpoints, size_t endpoints_count,
                     uint16_t *home, size_t shards_count);

#endif

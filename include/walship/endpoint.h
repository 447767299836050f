/* endpoint.h - health of one URL as a state machine: may a request go now, and what does an answer
 * mean? And placement: which shard is at home where. Pure: time and answers in, verdicts out. */
#ifndef WALSHIP_ENDPOINT_H
#define WALSHIP_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/buf.h>
#include <walship/http.h>
#include <walship/rng.h>

/* What the engine does with the batch. */
enum verdict {
    VERDICT_ACKED,   /* settled */
    VERDICT_RETRY,   /* the same batch again, when endpoint_may_send says so */
    VERDICT_FAILED,  /* the same, but it may be the batch's own fault: 5xx, timeout, reset */
    VERDICT_SMALLER, /* 413: cut it in half; what a batch of one item does is the caller's to say */
    VERDICT_REFUSED, /* something in it is refused for good; nothing may be assumed of the rest */
    VERDICT_THERE,   /* refused whole, since the receiver has something as new as a part of it */
    VERDICT_THERE_TAKEN, /* the same, but what it could take it has taken */
    VERDICT_GIVEN_UP     /* 429 with retry_on_http_429: false: lost, as Prometheus has it */
};

enum endpoint_state {
    ENDPOINT_OPEN,    /* requests go */
    ENDPOINT_BACKOFF, /* waits until retry_at_ms; then one probe */
    ENDPOINT_HELD,    /* an answer that the operator must mend (4xx): probes each HOLD_MS */
    ENDPOINT_STATES
};

struct endpoint_conf {
    int64_t min_backoff_ms, max_backoff_ms; /* 0 < min <= max */
    uint32_t in_flight_max;
    bool gives_up_on_429; /* retry_on_http_429: false */
    const char *shown;    /* names the endpoint in the log; borrowed; no secret; NULL: unnamed */
};

enum {
    ENDPOINT_HOLD_MS_MIN = 30000, /* before jitter, which takes up to half: probes each 15-60 s */
    ENDPOINT_HOLD_MS_MAX = 60000,
    ENDPOINT_ERROR_BYTES_MAX = 160
};

struct endpoint {
    struct endpoint_conf conf;
    enum endpoint_state state;
    int64_t backoff_ms; /* the next wait, before jitter */
    int64_t hold_ms;    /* the same for HELD */
    int64_t retry_at_ms;
    uint32_t in_flight;  /* all; of them `stragglers` were sent before the last failure: their */
    uint32_t stragglers; /* answers say nothing new about the endpoint and move no state */
    uint64_t last_id;    /* of the newest request */
    uint64_t barrier_id; /* of the newest request at the last failure */
    bool probing;        /* not OPEN: the one probe is out */
    uint32_t allowed;    /* slow start: requests that may be in flight now, stragglers apart */
    int last_status;     /* 0: none yet or network */
    char last_error[ENDPOINT_ERROR_BYTES_MAX]; /* one line for the operator; no secret */
    struct rng rng;                            /* jitter */
};

/* Starts OPEN with one request allowed: an unknown peer is met by one request, not by a burst. */
void endpoint_init(struct endpoint *endpoint, const struct endpoint_conf *conf, uint64_t seed);
/* Another configuration; what was learned stays. */
void endpoint_reconfigure(struct endpoint *endpoint, const struct endpoint_conf *conf);
/* May one more request start at `now`? */
bool endpoint_may_send(const struct endpoint *endpoint, int64_t now_ms);
/* A request was accepted by http; needs endpoint_may_send. id: as in the request, rising from one
 * request to the next: that tells a probe's answer from a straggler's. */
void endpoint_sent(struct endpoint *endpoint, uint64_t id, int64_t now_ms);
/* The request was cancelled: no answer will come, nothing was learned. */
void endpoint_cancelled(struct endpoint *endpoint, uint64_t id);
/* The answer to one request. wall_ms: for Retry-After as a date, where the answer has no Date. The
 * state moves; the verdict says what becomes of the batch. Logs once per change of state, not per
 * request. */
enum verdict endpoint_answered(struct endpoint *endpoint, const struct http_result *result,
                               int64_t now_ms, int64_t wall_ms);
/* What it waited for has changed (a new token): the next probe may go at once. */
void endpoint_retry_now(struct endpoint *endpoint, int64_t now_ms);
/* It refuses everything it gets: as an answer that the operator must mend. */
void endpoint_hold(struct endpoint *endpoint, int64_t now_ms);
/* When may_send can change by time alone; INT64_MAX: not by time. */
int64_t endpoint_deadline(const struct endpoint *endpoint);
const char *endpoint_state_name(enum endpoint_state state);
/* An answer with this status stays until somebody mends it. */
bool endpoint_holds(int status);
/* What an operator can do about an answer with this status; NULL: nothing. */
const char *endpoint_advice(int status);

/* docs/VERDICTS.md, from the tables. False: `out` is too small. */
bool endpoint_document(struct buf *out);

/* Retry-After: integer seconds or an IMF-fixdate; false: unparsable. Past dates give 0. */
bool retry_after_parse(const char *text, int64_t wall_ms, int64_t *out_ms);
/* IMF-fixdate ("Sun, 06 Nov 1994 08:49:37 GMT") to Unix ms. */
bool http_date_parse(const char *text, int64_t *out_ms);

/* ---- placement ---- */

struct placement_endpoint {
    const char *key;
    double weight; /* > 0 */
};
/* home[shard] = index of its endpoint, by weighted rendezvous with bounded load: none gets more
 * than ceil(its share). Deterministic in the keys; adding or removing one endpoint moves few
 * shards. */
void placement_homes(const struct placement_endpoint *endpoints, size_t endpoints_count,
                     uint16_t *home, size_t shards_count);
/* Of the endpoints in `mask` (bit i: endpoint i; not empty, at most 64 of them) the one that this
 * shard prefers, by the same score and without bounds: what one lends spreads over the others as
 * their weights say. */
uint16_t placement_pick(const struct placement_endpoint *endpoints, size_t endpoints_count,
                        uint64_t mask, uint16_t shard);

#endif

/* fake_http.h - the network as the tests want it: the http seam over receivers in memory, with
 * simulated time and a plan for what becomes of each request.
 *
 * A request is decoded when it is posted (its shape and every sample checked), delivered to the
 * receiver of its URL when its time comes (or never), and its result is handed out later. The plan
 * of a request is the next scripted one of its URL, else the plan hook's, else "204 after 2 ms".
 * Life of a request: posted -> delivered? -> ended (result taken, cancelled, or its client
 * crashed); a delivery may come after the end. Ownership: bodies and samples are copied; the label
 * ids table is borrowed. */
#ifndef LIB_FAKE_HTTP_H
#define LIB_FAKE_HTTP_H

#include "label_ids.h"
#include "rw_decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/err.h>
#include <walship/http.h>
#include <walship/rng.h>

struct fake_plan {
    bool refused_by_post; /* post itself says no: nothing else happens */
    enum http_outcome
        outcome;          /* a result_ms beyond the request's timeout makes it HTTP_AMBIGUOUS */
    int status;           /* when answered */
    bool stored;          /* reaches the receiver, whatever the client is told */
    int64_t deliver_ms;   /* after the post */
    int64_t result_ms;    /* after the post */
    char retry_after[40]; /* "" for none */
    bool mute;            /* a 2.0 request: says nothing of what was written */
    bool no_exemplars;    /* a 2.0 request: all but its exemplars are written */
    char body[64];        /* "": "no" for a status from 300 on */
    char location[64];    /* "" for none */
};

struct fake_sample {
    uint32_t series; /* label id */
    int64_t t_ms;
    uint64_t bits; /* of a histogram: its sum's */
    int64_t st_ms;
    enum rw_decoded_kind kind;
    int32_t schema; /* of a histogram */
};

enum fake_end { FAKE_OPEN, FAKE_TAKEN, FAKE_CANCELLED, FAKE_CRASHED };

struct fake_request {
    uint64_t sequence; /* of all posts, from 1 */
    uint64_t id;       /* the client's */
    const char *url;   /* owned by the receiver: compare pointers of one fake_http */
    size_t receiver;   /* index */
    int64_t posted_ms, timeout_ms;
    uint8_t *body;
    size_t body_bytes;
    struct fake_sample *samples;
    size_t samples_count;
    uint8_t *refused; /* samples that the receiver did not keep; NULL: it kept all */
    size_t metadata;  /* families of a 1.0 request */
    enum rw_version version;
    struct fake_plan plan;
    int64_t deliver_at_ms, result_at_ms;
    bool delivered;
    enum fake_end end;
};

struct fake_http_hooks {
    void *context;
    void (*plan)(void *context, const struct fake_request *request, struct fake_plan *out);
    /* When it arrives: may change status and body, and say by `refused` what is not kept. */
    void (*judged)(void *context, struct fake_request *request);
    void (*posted)(void *context, const struct fake_request *request);
    void (*delivered)(void *context, const struct fake_request *request);
    void (*ended)(void *context, const struct fake_request *request);
};

struct fake_arrival {
    uint64_t request; /* sequence */
    int64_t at_ms;
    struct fake_sample sample;
};

struct fake_receiver {
    char *url;
    struct fake_arrival *arrivals; /* in order */
    size_t arrivals_count, arrivals_capacity;
    uint64_t requests;
    struct fake_plan *script; /* played before the hook is asked */
    size_t script_count, script_next;
    bool dated; /* its answers carry a Date: the simulated clock and so much */
    int64_t clock_offset_ms;
};

struct fake_http {
    struct http seam; /* first: the seam's functions get this pointer */
    const int64_t *now_ms;
    struct label_ids *ids;
    struct fake_http_hooks hooks;
    struct fake_receiver *receivers;
    size_t receivers_count;
    struct fake_request **requests; /* not both ended and delivered */
    size_t requests_count, requests_capacity;
    uint64_t sequence;
    struct fake_request *handed; /* whose result was given out last */
    struct err problem;          /* the first malformed request; code != 0 when there is one */
    struct http_header response[4];
    char written[3][24];
    char date[40];
};

/* now_ms: the simulated clock, read when needed. hooks may be NULL. */
struct fake_http *fake_http_new(const int64_t *now_ms, struct label_ids *ids,
                                const struct fake_http_hooks *hooks);
void fake_http_free(struct fake_http *http);
/* Makes a receiver; other URLs are refused by post. Its index. */
size_t fake_http_receive(struct fake_http *http, const char *url);
/* Appends to the script of a receiver. */
void fake_http_script(struct fake_http *http, size_t receiver, const struct fake_plan *plan);
/* "204 after 2 ms". */
struct fake_plan fake_plan_good(void);
/* Deliveries that are due now. */
void fake_http_run(struct fake_http *http);
/* When the next delivery or result is due; INT64_MAX: none. */
int64_t fake_http_deadline(const struct fake_http *http);
/* The client died: nothing it posted will give it a result; what was on its way may still arrive.
 */
void fake_http_crash(struct fake_http *http, struct rng *rng);
/* Requests whose result the client waits for. */
size_t fake_http_in_flight(const struct fake_http *http);

#endif

/* senders.h - endpoints with their batches: what is packed, encoded, admitted, sent, lent. Private
 * to the engine, included by internal.h only. */
#ifndef ENGINE_SENDERS_H
#define ENGINE_SENDERS_H

#include "items.h"

#include <walship/endpoint.h>
#include <walship/engine.h>
#include <walship/identity.h>
#include <walship/store.h>

enum batch_state { BATCH_FREE, BATCH_READY, BATCH_SENT };

struct batch_part {
    uint16_t lane;
    uint32_t count;
};

struct batch {
    enum batch_state state;
    uint64_t number; /* from the engine's count, for the trace and for order */
    uint64_t id;     /* of its present request */
    uint32_t attempts;
    uint32_t samples; /* items of all kinds, those that have an end already too */
    uint32_t carried; /* in the body; of them: */
    uint32_t histograms, exemplars;
    uint32_t metadata;            /* series in the body that have theirs with them (2.0) */
    enum rw_version version;      /* of the body */
    uint32_t missing;             /* that its receiver says it did not write */
    int64_t retry_at_ms;          /* not before */
    uint64_t after_commit;        /* nor before the commit of this number is durable */
    int64_t oldest_ms, newest_ms; /* sample time */
    bool unclocked;               /* packed when the receiver's clock was not known */
    struct batch_part parts[SHARDS_COUNT];
    size_t parts_count;
    uint64_t revision;           /* of the token its request carries */
    int64_t begun_ms, posted_ms; /* its first request, its present one */
    struct sift *sift;           /* sift.h; NULL: its items share one end */
    uint32_t failures, refusals; /* 5xx, timeouts and resets; times that all of it was refused */
    bool maybe;                  /* it may have been delivered: an end was ambiguous */
    struct buf body;             /* kept until settled: a retry sends the same bytes (I2) */
};

/* What is in its body. */
static inline struct engine_kinds batch_kinds(const struct batch *batch)
{
    ASSERT(batch->carried >= batch->histograms + batch->exemplars);
    return (struct engine_kinds){batch->carried - batch->histograms - batch->exemplars,
                                 batch->histograms, batch->exemplars};
}

/* How many requests in flight the load needs, from rates of the last half minute. */
struct demand {
    int64_t since_ms; /* this window; 0: none yet */
    uint64_t acked, pending;
    int64_t busy_ms; /* of its batches, from the first request to the ack; all windows */
    int64_t busy_before_ms;
    double in, out, busy; /* a second, smoothed */
    double desired;
};

/* The content of a header's file, as last read. */
struct header_file {
    char *value; /* NULL: never read */
    int64_t read_ms;
};

/* Series that are refused again and again: quarantine.c. */
enum { BANS_MAX = 1024 }; /* a destination */
struct quarantine {
    struct ban *bans; /* sorted by set */
    size_t count, banned;
};

/* What was learned of the size of its requests; the result is samples_max. */
struct size {
    uint32_t good;        /* the largest that was taken since it last shrank; 0: none */
    uint32_t cuts;        /* ends without an answer, with none so large taken since */
    uint32_t cut_samples; /* the smallest of them */
    bool smaller_taken;   /* since the first of them, one of half that size */
    int64_t wait_ms, grow_at_ms;
};

struct sender { /* an endpoint with its batches */
    struct endpoint endpoint;
    const struct conf_endpoint *conf;
    struct header_file *header_files; /* one for each header of conf; owned, wiped */
    struct redirects *redirects;      /* NULL: never redirected */
    const struct conf *all;           /* that `conf` is of */
    /* How it and its token requests connect; NULL: all defaults. The same place as long as it says
     * the same, for connections belong to the place: perhaps of an earlier configuration. */
    const struct http_client *client, *token_client;
    const struct conf *client_of;
    struct identity *identity; /* NULL: none needed; the registry's */
    uint64_t refused_revision; /* token that got a 401 and was not replaced since; 0: none */
    struct batch batches[REQUESTS_IN_FLIGHT_MAX];
    size_t batches_count;
    uint32_t samples_max; /* of a batch; shrinks on 413 (size.c) */
    struct size size;
    uint32_t lanes_max; /* of a batch, after one that is partly there; 0: any */
    bool clock_known;
    int64_t clock_offset_ms; /* the receiver's clock less ours, the monotonic one */
    uint32_t shards;         /* at home here */
    struct lending lending;
    struct quota_account *quota;          /* the engine's */
    uint64_t failures_seen, samples_seen; /* by lend.c, at its last look */
    uint16_t trial_next;                  /* shard that the next trial begins its search with */
    int64_t trial_since_ms;               /* it wants a lane for a trial; INT64_MAX: it does not */
    uint64_t acks, refusals;              /* requests taken; refused for what is in them */
    uint64_t taken;                       /* serial of the last posted of those that were taken */
    uint64_t ill;                         /* of the last posted by anyone, when it last failed */
    uint64_t samples, requests, failures, retries, bytes;
    struct engine_kinds_sent kinds; /* but `pending` */
    struct engine_metadata_stats metadata;
    int64_t newest_acked_ms;
    uint64_t token_revision;
    int64_t token_since_ms; /* when that was first seen */
    struct engine_durations durations;
    struct demand demand;
};

/* pack.c, encode.c */
bool pack_batch(struct engine *engine, struct destination *destination, struct sender *sender,
                struct batch *batch);
/* No more than so many samples, unless some may have been delivered: a probe is small. */
void pack_trim(struct engine *engine, struct destination *destination, struct batch *batch,
               uint32_t samples);
/* A batch of several lanes keeps half of them. */
void pack_halve(struct engine *engine, struct destination *destination, struct batch *batch);
void pack_shrink(struct engine *engine, struct destination *destination, struct batch *batch,
                 uint32_t samples);
/* A batch that is not in flight is no more: its items wait again, in front of their lanes. */
void pack_undo(struct engine *engine, struct destination *destination, struct sender *sender,
               struct batch *batch);
/* Before it is sent again: what has become too old meanwhile is left out. False: that was all of
 * it, and it is no more. */
bool pack_refresh(struct engine *engine, struct destination *destination, struct sender *sender,
                  struct batch *batch);
/* Monotonic ms when a partial batch of this sender is due; INT64_MAX: nothing waits. */
int64_t pack_deadline(const struct engine *engine, const struct destination *destination,
                      const struct sender *sender);
struct encode *encode_new(const struct hash_key *key);
void encode_free(struct encode *encode);
/* Fills batch->body from its parts; false: too big, *fitting says how many samples would do. */
bool encode_batch(struct engine *engine, struct destination *destination, struct batch *batch,
                  uint32_t *fitting);

/* quota.c */
struct shape { /* of the next batch */
    uint32_t samples_max;
    int64_t deadline_ms; /* how long an item may wait for it to fill */
};
void quotas_open(struct engine *engine, const struct store_image *image);
/* After another configuration: accounts of what there is now, with what they know. */
void quotas_reconfigure(struct engine *engine);
void quotas_free(struct engine *engine);
void quotas_run(struct engine *engine); /* first in a turn */
/* When this batch (NULL: any) may go, by time alone; <= now: at once; INT64_MAX: not by time. */
int64_t quota_ready(const struct engine *engine, const struct destination *destination,
                    const struct sender *sender, const struct batch *batch);
/* Something is due (this batch; NULL: any) and a quota refuses it until then; 0: nothing of the
 * kind. */
void quota_waits(const struct engine *engine, const struct sender *sender,
                 const struct batch *batch, int64_t until_ms);
void quota_posted(const struct engine *engine, const struct destination *destination,
                  const struct sender *sender, const struct batch *batch);
void quota_answered(const struct engine *engine, const struct destination *destination,
                    const struct sender *sender, const struct batch *batch,
                    const struct http_result *result);
bool quotas_shared(const struct engine *engine); /* any of them */
/* Its own quota lets more through than it sends now: it may take over shards. One that it shares
 * with its siblings is as tight for them. */
bool quota_has_room(const struct sender *sender);
/* The longest that an item waits for its batch to fill: what waited so long is due. */
int64_t quota_patience_ms(const struct destination *destination);
void quota_shape(const struct destination *destination, const struct sender *sender,
                 struct shape *out);
/* Rows of a commit, at most quotas_count of them; then how it ended. */
size_t quotas_rows(struct engine *engine, struct store_quota *rows);
void quotas_saved(struct engine *engine, bool durable);
int64_t quotas_before(const struct engine *engine);
/* NULL: all 0. */
void quota_stats(const struct quota_account *account, struct engine_quota_stats *out);

/* size.c */
/* 413: how many samples are left. */
uint32_t size_refused(const struct engine *engine, struct sender *sender,
                      const struct batch *batch);
void size_unanswered(const struct engine *engine, struct sender *sender, const struct batch *batch);
void size_taken(const struct engine *engine, const struct destination *destination,
                struct sender *sender, const struct batch *batch);
/* It ended without an answer: how large a piece of it may be now; 0: as large as it is. */
uint32_t size_piece(const struct destination *destination, const struct sender *sender,
                    const struct batch *batch);

/* lend.c */
void lend_run(struct engine *engine);
int64_t lend_deadline(const struct engine *engine);

/* auth.c */
bool auth_open(struct engine *engine, struct err *err);
bool auth_check(struct engine *engine, const struct conf *conf, struct err *err);
/* Before another configuration is checked: identities that nobody has any more go. */
void auth_sweep(struct engine *engine);
void auth_attach(struct engine *engine, struct sender *sender);
void auth_run(struct engine *engine);
bool auth_result(struct engine *engine, const struct http_result *result); /* false: not its own */
int64_t auth_deadline(const struct engine *engine);
bool auth_ready(const struct engine *engine, const struct sender *sender);
const char *auth_header(const struct engine *engine, struct sender *sender, struct batch *batch);
void auth_refused(struct engine *engine, struct sender *sender, const struct batch *batch);

/* send.c */
struct batch *batch_ready(const struct engine *engine, const struct sender *sender);
bool sender_may_send(const struct engine *engine, const struct sender *sender);
/* The request of batch->id with its headers; false: not accepted, no result will come. */
bool sender_post(struct engine *engine, struct destination *destination, struct sender *sender,
                 struct batch *batch, struct err *err);
void send_results(struct engine *engine);
void send_batches(struct engine *engine);
bool send_carries(const struct sender *sender, uint64_t last_request); /* one up to that serial */
bool send_idle(const struct engine *engine);                           /* nothing in flight */

/* headers.c: those of the configuration behind `*count`. False: a file can't be read yet. */
bool headers_fill(struct engine *engine, struct sender *sender, struct http_header *out,
                  size_t *count, struct err *err);
void headers_forget(struct sender *sender);

/* redirects.c */
const char *redirects_url(struct sender *sender, const struct batch *batch); /* where it goes */
/* To each answer. True: the same bytes at once again, to another place of the same origin. */
bool redirects_followed(const struct engine *engine, struct sender *sender, struct batch *batch,
                        struct http_result *result);
void redirects_forget(struct sender *sender);

/* demand.c */
void demand_begun(const struct engine *engine, struct sender *sender, struct batch *batch);
void demand_answered(const struct engine *engine, struct sender *sender, const struct batch *batch);
void demand_acked(const struct engine *engine, struct sender *sender, const struct batch *batch);
void demand_run(struct engine *engine);

/* stats.c */
void endpoint_newest(const struct engine *engine, const struct destination *destination,
                     const struct sender *sender, struct engine_endpoint_stats *out);

#endif

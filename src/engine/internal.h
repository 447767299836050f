/* internal.h - the engine's own structures, shared by the files of this folder only.
 *
 *   reader   one tail in the WAL, with the domains that stand at its position (they share a decode)
 *   domain   a failure domain of a destination: its cursor, its ring of unsettled records, its
 * lanes lane     one ordered queue of pending items: a shard, or the account of dropped or unknown
 * items batch    the first items of one or more lanes of one endpoint, as a request body
 *
 * Who owns what: engine -> destinations -> domains, endpoints -> batches. A lane belongs to a
 * domain (fixed) and to an endpoint (its home, or the sibling it is lent to). Everything has a
 * maximum in limits.h. */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "pins.h"

#include <walship/assert.h>
#include <walship/engine.h>
#include <walship/engine_quota.h>
#include <walship/identity.h>
#include <walship/labels.h>
#include <walship/limits.h>
#include <walship/log.h>
#include <walship/mem.h>
#include <walship/relabel.h>
#include <walship/rw.h>
#include <walship/series.h>
#include <walship/tail.h>
#include <walship/wal_record.h>

enum {
    LANE_DROPPED = SHARDS_COUNT,     /* account of what rules drop, not a queue */
    LANE_UNKNOWN = SHARDS_COUNT + 1, /* account of items given up for want of a series record */
    CHUNK_ITEMS = 63,
    DECODE_ITEMS = 1024, /* samples decoded at a time */
    DOMAINS_MAX = ENDPOINTS_MAX,
    READERS_MAX = 64
};

static_assert(DECODE_ITEMS < PENDING_ITEMS_MAX / 4, "a chunk always fits an emptied domain");

enum item_kind {
    ITEM_FLOAT,       /* bits: the value, IEEE-754. Of the others: the payload, see item_payload */
    ITEM_FLOAT_START, /* a float with a start time, for a destination that sends those */
    ITEM_HISTOGRAM,
    ITEM_EXEMPLAR,
    ITEM_KINDS
};

/* What an item can't hold itself. Shared by the destinations' items that are the same one; counted
 * by its users. In `data`: the bytes of a Histogram message; an exemplar's labels, their strings
 * behind them. */
struct payload {
    uint32_t uses;
    uint32_t bytes; /* all in all, as counted against PENDING_PAYLOAD_BYTES_MAX */
    uint32_t count; /* bytes of a histogram, labels of an exemplar */
    bool custom;    /* a histogram of custom buckets: 2.0 only */
    int64_t st_ms;  /* start time; 0: none */
    uint64_t bits;  /* value of a float or an exemplar */
    uint64_t data[];
};

/* An item on its way. 32 bytes: there may be PENDING_ITEMS_MAX of them in a domain. */
struct item {
    int64_t t_ms;
    uint64_t bits;
    uint32_t set;    /* FINAL label set (route.c); hold.c says what keeps it alive */
    uint32_t record; /* low half of the ring sequence of its record */
    uint32_t index;  /* in the record */
    uint8_t kind;    /* enum item_kind: what `bits` are */
    bool late;       /* was parked */
};

static_assert(sizeof(struct item) == 32, "PENDING_ITEMS_MAX of them are the memory of a domain");

struct chunk {
    struct chunk *next;
    uint64_t reserved;
    struct item items[CHUNK_ITEMS];
};

struct lane {
    struct chunk *head, *tail;
    uint32_t head_index;      /* first pending item in head */
    uint32_t tail_count;      /* items in tail */
    uint32_t count;           /* pending, in flight included */
    uint32_t in_flight;       /* the first so many are in a batch */
    int64_t waiting_since_ms; /* when the first one not in flight arrived */
    struct position settled;  /* all its items before this are settled */
    struct position
        resumed;       /* `settled` at the start: what lies before it an earlier life settled */
    uint16_t domain;   /* index in the destination */
    uint16_t home;     /* endpoint */
    uint16_t endpoint; /* where it is now: at home, or lent (lend.c) */
    uint32_t unsure;   /* the first so many left in a request whose end is not known */
    int64_t moved_ms;  /* last time that `endpoint` changed */
    bool dirty;        /* settled moved since the last commit was built */
};

/* A record of which some item is not settled. */
struct ring_record {
    struct position at;
    uint64_t offset;
    uint32_t previous_crc;
    uint32_t open; /* items not settled */
    uint32_t late; /* of them, parked or once parked */
    int64_t read_ms;
};

/* Sequence numbers first..next-1, in a power-of-two array. The front one has open > 0 or is the
 * record being delivered. */
struct ring {
    struct ring_record *records;
    uint32_t capacity;
    uint64_t first, next;
};

struct parked {
    uint64_t ref;
    int64_t t_ms;
    uint64_t bits;
    uint64_t sequence; /* its record in the ring */
    uint32_t index;
    uint8_t kind; /* as of an item */
    int64_t since_ms;
};

enum anchor {
    ANCHOR_OLDEST, /* from the first segment */
    ANCHOR_NOW,    /* from the end */
    ANCHOR_MARK,   /* from `mark`, to be verified by the scan */
    ANCHOR_PLACED  /* `next` is right */
};

/* A place with what proves it (see store_watermark). */
struct mark {
    struct position at;
    uint64_t offset;
    uint32_t previous_crc;
};

struct domain {
    struct destination *destination;
    uint16_t index;
    char *key;             /* "" for failover */
    struct reader *reader; /* NULL: resting (full) or not placed yet */
    enum anchor anchor;
    struct mark next;         /* where it reads on; item granular */
    uint64_t record_sequence; /* ring entry of the record being delivered, when has_record_entry */
    bool has_record_entry;
    bool at_end;
    struct ring ring;
    uint32_t pending;       /* items in its lanes */
    size_t payload_bytes;   /* of its items, the parked ones too */
    int64_t newest_read_ms; /* sample time */
    uint64_t stalls;
    uint32_t late_open;    /* unsettled items that are or were parked */
    struct parked *parked; /* oldest first */
    size_t parked_count, parked_capacity;
};

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
    uint32_t samples; /* items of all kinds; of them: */
    uint32_t histograms, exemplars;
    enum rw_version version; /* of the body */
    int64_t retry_at_ms;     /* not before */
    int64_t newest_ms;       /* sample time */
    struct batch_part parts[SHARDS_COUNT];
    size_t parts_count;
    uint64_t revision;           /* of the token its request carries */
    int64_t begun_ms, posted_ms; /* its first request, its present one */
    struct buf body;             /* kept until settled: a retry sends the same bytes (I2) */
};

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

struct sender { /* an endpoint with its batches */
    struct endpoint endpoint;
    const struct conf_endpoint *conf;
    struct header_file *header_files; /* one for each header of conf; owned, wiped */
    struct identity *identity;        /* NULL: none needed; the registry's */
    uint64_t refused_revision;        /* token that got a 401 and was not replaced since; 0: none */
    struct batch batches[REQUESTS_IN_FLIGHT_MAX];
    size_t batches_count;
    uint32_t samples_max; /* of a batch; shrinks on 413 */
    uint32_t shards;      /* at home here */
    struct lending lending;
    struct quota_account *quota;          /* the engine's */
    uint64_t failures_seen, samples_seen; /* by lend.c, at its last look */
    uint16_t trial_next;                  /* shard that the next trial begins its search with */
    int64_t trial_since_ms;               /* it wants a lane for a trial; INT64_MAX: it does not */
    uint64_t samples, requests, failures, retries, bytes;
    uint64_t attempted, retried, failed; /* samples */
    int64_t newest_acked_ms;
    uint64_t token_revision;
    int64_t token_since_ms; /* when that was first seen */
    struct engine_durations durations;
    struct demand demand;
};

/* Where the items of a source set go, and as what. */
struct route {
    uint32_t set;   /* final; LABELS_NONE: not known yet. Referenced, unless it is the source itself
                     */
    uint16_t shard; /* of the final set */
    uint16_t end;   /* enum route_end */
};

enum route_end {
    ROUTE_GOES,
    ROUTE_DROPPED, /* by a rule */
    ROUTE_TOO_BIG  /* no final labels within the limits */
};

struct destination {
    const struct conf_destination *conf;
    char fingerprint[33];
    struct domain *domains[DOMAINS_MAX];
    size_t domains_count;
    struct sender *senders;
    size_t senders_count;
    struct lane lanes[LANES_COUNT];
    struct route *routes; /* by source set */
    uint32_t routes_count;
    uint64_t counts[STORE_COUNTS]; /* READ includes what is pending */
    uint64_t lost[LOSS_REASONS];
    struct store_loss *losses; /* not committed yet; details owned */
    size_t losses_count, losses_capacity;
    int64_t first_start_ms, start_from_ms;
    int64_t newest_read_ms;
    struct quota_account *quota; /* shared by its endpoints, or with its group; NULL: none */
    uint64_t undecodable;
    int64_t lend_at_ms; /* next look at its endpoints; INT64_MAX: all is well and at home */
    bool said_unsupported;
    bool discard_lanes; /* the saved rows are of another layout: replace them all */
};

struct reader {
    struct tail *tail;
    bool past; /* in an earlier generation */
    struct domain *domains[DOMAINS_MAX];
    size_t domains_count;
    bool has_record; /* out is a record of items, partly delivered */
    struct tail_out out;
    enum item_kind kind; /* of its items */
    bool wanted;         /* of that kind: some domain takes them */
    union {
        struct wal_sample_iter samples;
        struct wal_histogram_iter histograms;
        struct wal_exemplar_iter exemplars;
    } iter;
    struct wal_sample samples[DECODE_ITEMS]; /* bits of other kinds: the payload, 0: none made */
    uint32_t sets[DECODE_ITEMS];
    size_t chunk_count;   /* decoded and not delivered to all yet */
    uint32_t chunk_first; /* item index of samples[0] */
    bool at_end;
};

enum scan_state { SCAN_DONE, SCAN_PAST, SCAN_CHECKPOINT, SCAN_SEGMENTS };
enum { SCAN_TRIES_MAX = 10, RETRY_IO_MS = 1000 };

/* Loading series up to where the domains start, and finding their places on the way. */
struct scan {
    enum scan_state state;
    struct tail *tail;
    size_t past;           /* SCAN_PAST: index of the earlier generation */
    struct position until; /* series up to here are wanted, also when all domains have a place */
    uint32_t checkpoint;
    uint32_t tries;
    bool second;   /* a mark did not fit: new generation, unfitting marks get a fallback */
    bool has_last; /* the last record seen */
    uint32_t last_segment, last_records, last_crc;
    struct mark behind; /* the place behind it; damage may follow there */
    bool has_damage;    /* in damaged_segment, the last one that had any */
    uint32_t damaged_segment;
    bool waiting; /* a segment may be growing still (repair): since waiting_since_ms */
    int64_t waiting_since_ms;
    int64_t retry_at_ms;
};

/* Reading a new checkpoint to see which refs live on. */
struct collect {
    struct tail *tail;
    bool seen_any;
    uint32_t checkpoint; /* newest one dealt with */
};

struct engine {
    const struct conf *conf;
    struct engine_options options;
    struct os *os;
    struct http *http;
    struct store *store;
    struct identities *identities;
    struct waldir *dir;
    struct labels *labels;
    struct series *series;
    struct destination *destinations;
    size_t destinations_count;
    struct reader *readers[READERS_MAX];
    size_t readers_count;
    struct scan scan;
    struct collect collect;
    struct pins pins;
    uint32_t *held; /* label sets of items that were on their way at the last collection */
    size_t held_count;
    struct label *label_room;
    struct relabel_room *relabel_room;
    struct chunk *free_chunks;
    size_t chunks;
    struct encode *encode;
    struct buf payload_room;
    struct quota_account *quotas;
    size_t quotas_count;
    size_t send_first; /* whose turn it is to be the first, where quotas are shared */
    struct store_segment *saved_segments; /* identities of an earlier life, for the scan */
    size_t saved_segments_count;
    uint64_t next_batch, next_request;
    int64_t now_ms;
    int64_t refresh_at_ms; /* list the directory by then */
    int64_t refreshed_ms;
    int64_t failed_until_ms; /* after an I/O error */
    bool refresh_wanted;
    bool work_left; /* this turn left something runnable */
    bool stopping;
    int64_t stop_deadline_ms;
    bool committing;
    bool dirty;                /* something changed since the last commit was built */
    uint32_t save_failures;    /* in a row */
    size_t *committing_losses; /* per destination: how many the running commit carries */
    int64_t commit_at_ms;
    uint64_t commits, commit_failures;
    uint64_t records, record_bytes, damage_bytes;
    uint64_t records_by_type[WAL_TYPES];
    int64_t grown_wall_ms; /* when the WAL was last seen to grow */
    engine_trace_fn *trace;
    void *trace_context;
    const char *forget; /* a destination that leaves the state with the next commit */
    bool adopting;      /* the next commit renames a destination, as the options say */
};

/* ring.c */
void ring_release(struct ring *ring);
uint64_t ring_push(struct ring *ring, const struct mark *mark, int64_t now_ms);
struct ring_record *ring_at(const struct ring *ring, uint64_t sequence);
struct ring_record *ring_of(const struct ring *ring, uint32_t low); /* by the low half */
/* Drops settled records at the front; `keep` is one that may not go (UINT64_MAX: none). */
void ring_trim(struct ring *ring, uint64_t keep);

/* lane.c */
void lane_push(struct engine *engine, struct lane *lane, const struct item *item);
void lane_drop(struct engine *engine, struct lane *lane, uint32_t count); /* from the front */
struct lane_walk {
    const struct chunk *chunk;
    uint32_t index;
};
void lane_walk_start(struct lane_walk *walk, const struct lane *lane);
const struct item *lane_walk_next(struct lane_walk *walk);
/* Ms since its oldest pending item was read; 0: none. */
int64_t lane_age_ms(const struct engine *engine, const struct destination *destination,
                    const struct lane *lane);
void lane_clear(struct engine *engine, struct lane *lane);
void chunks_free(struct engine *engine);

/* route.c */
/* Valid until the next call. */
const struct route *route_of(struct engine *engine, struct destination *destination, uint32_t set);
/* After a collection, before anything is interned: routes whose source no ref means any more. */
void routes_sweep(struct engine *engine);
void routes_release(struct engine *engine, struct destination *destination);
void route_fingerprint(const struct engine *engine, struct destination *destination);

/* domain.c: items into lanes, and out again */
struct ended {
    enum route_end end;
    struct position at;
    int64_t t_ms;
    bool late; /* was parked */
};
struct lane *domain_lane(struct domain *domain, const struct route *route);
/* Counts an item as read that goes to no lane; false: it was counted before, or is another's. */
bool domain_account(struct engine *engine, struct domain *domain, const struct position *at,
                    bool late);
bool domain_drop_old(struct engine *engine, struct domain *domain, int64_t t_ms,
                     const struct position *at);
/* An item of a series that goes nowhere (route->end says why) is accounted for. */
void domain_end_item(struct engine *engine, struct domain *domain, const struct ended *ended);
void domain_record_done(struct domain *domain, const struct mark *next);
bool domain_has_room(const struct domain *domain, size_t items);
void domain_deliver(struct engine *engine, struct domain *domain, struct reader *reader);
void domain_settle(struct engine *engine, struct domain *domain, struct lane *lane, uint32_t count);
void domain_watermark(const struct domain *domain, struct mark *out);
/* What no lane position may pass while parked items are open; false: nothing of the kind. */
bool domain_cap(const struct domain *domain, struct position *out);

/* payload.c */
struct payload *item_payload(const struct item *item);
/* NULL: above PAYLOAD_BYTES_MAX, or a schema that remote write does not know. */
struct payload *payload_histogram(struct engine *engine, const struct wal_histogram *histogram);
struct payload *payload_exemplar(const struct wal_exemplar *exemplar);
struct payload *payload_start(const struct wal_sample *sample);
struct rw_exemplar payload_as_exemplar(const struct item *item);
void payload_release(struct payload *payload);
/* An item that a domain takes over, and gives up again. */
void payload_take(struct domain *domain, const struct item *item);
void payload_give(struct domain *domain, const struct item *item);
static inline void item_take(struct domain *domain, const struct item *item)
{
    if (item->kind != ITEM_FLOAT) {
        payload_take(domain, item);
    }
}
static inline void item_give(struct domain *domain, const struct item *item)
{
    if (item->kind != ITEM_FLOAT) {
        payload_give(domain, item);
    }
}

/* kinds.c: records of items, of every kind */
bool record_has_items(enum wal_type type);
void record_begin(struct reader *reader);
void record_decode(struct engine *engine, struct reader *reader); /* the next chunk */
void record_end(struct reader *reader);                           /* also when there is none */
/* Makes the item what this destination takes it as; false: it doesn't, and it is accounted for. */
bool kind_taken(struct engine *engine, struct domain *domain, const struct wal_sample *sample,
                struct item *item, const struct position *at);
void kind_done(const struct item *item); /* after a true, when it is queued or not */

/* park.c */
void park_add(struct engine *engine, struct domain *domain, uint64_t ref, const struct item *item);
void park_release(struct domain *domain);
/* After new definitions at `at`: parked items whose ref is known by now go to their lanes. */
void park_retry(struct engine *engine, struct domain *domain, const struct position *at);
void park_expire(struct engine *engine, struct domain *domain, bool all);

/* ledger.c */
struct loss {
    enum loss_reason reason;
    struct position from, to;
    uint64_t items, series, bytes;
    int64_t time_min_ms, time_max_ms;
    const char *detail;
};
void ledger_add(struct engine *engine, struct destination *destination, const struct loss *loss);

/* reader.c */
struct reader *reader_new(struct engine *engine, const struct mark *at);
void reader_free(struct engine *engine, struct reader *reader);
void reader_attach(struct reader *reader, struct domain *domain);
void readers_run(struct engine *engine);
void readers_place(struct engine *engine); /* gives placed domains with room a reader */
void readers_drop_all(struct engine *engine);
void series_apply(struct engine *engine, const struct tail_out *out, const struct position *at,
                  struct reader *reader);

/* scan.c */
void scan_start(struct engine *engine);
void scan_run(struct engine *engine);
void collect_run(struct engine *engine);

/* hold.c */
void sets_hold(struct engine *engine);

/* pack.c, encode.c */
bool pack_batch(struct engine *engine, struct destination *destination, struct sender *sender,
                struct batch *batch);
void pack_shrink(struct engine *engine, struct destination *destination, struct sender *sender,
                 struct batch *batch, uint32_t samples);
/* A batch that is not in flight is no more: its items wait again, in front of their lanes. */
void pack_undo(const struct engine *engine, struct destination *destination, struct batch *batch);
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
void quotas_free(struct engine *engine);
void quotas_run(struct engine *engine); /* first in a turn */
/* When this batch (NULL: any) may go, by time alone; <= now: at once; INT64_MAX: not by time. */
int64_t quota_ready(const struct engine *engine, const struct destination *destination,
                    const struct sender *sender, const struct batch *batch);
/* Something is due and its quota refuses it. */
void quota_waits(const struct engine *engine, const struct sender *sender, int64_t until_ms);
void quota_posted(const struct engine *engine, const struct destination *destination,
                  const struct sender *sender, const struct batch *batch);
void quota_answered(const struct engine *engine, const struct destination *destination,
                    const struct sender *sender, const struct batch *batch,
                    const struct http_result *result);
/* Its own quota lets more through than it sends now: it may take over shards. */
bool quota_has_room(const struct sender *sender);
void quota_shape(const struct destination *destination, const struct sender *sender,
                 struct shape *out);
/* Rows of a commit, at most quotas_count of them; then how it ended. */
size_t quotas_rows(struct engine *engine, struct store_quota *rows);
void quotas_saved(struct engine *engine, bool durable);
int64_t quotas_before(const struct engine *engine);

/* lend.c */
void lend_run(struct engine *engine);
int64_t lend_deadline(const struct engine *engine);

/* auth.c */
bool auth_open(struct engine *engine, struct err *err);
void auth_run(struct engine *engine);
bool auth_result(struct engine *engine, const struct http_result *result); /* false: not its own */
int64_t auth_deadline(const struct engine *engine);
bool auth_ready(const struct engine *engine, const struct sender *sender);
const char *auth_header(const struct engine *engine, struct sender *sender, struct batch *batch);
void auth_refused(struct engine *engine, struct sender *sender, const struct batch *batch);

/* send.c */
struct batch *batch_ready(const struct engine *engine, const struct sender *sender);
bool sender_may_send(const struct engine *engine, const struct sender *sender);
void send_results(struct engine *engine);
void send_batches(struct engine *engine);
bool send_idle(const struct engine *engine); /* nothing in flight */

/* save.c */
void save_results(struct engine *engine);
void save_run(struct engine *engine);
bool save_clean(const struct engine *engine); /* what is true now is durable */

/* engine.c */
bool engine_settled(const struct engine *engine);

/* headers.c: those of the configuration behind `*count`. False: a file can't be read yet. */
bool headers_fill(struct engine *engine, struct sender *sender, struct http_header *out,
                  size_t *count, struct err *err);
void headers_forget(struct sender *sender);

/* demand.c */
void demand_begun(const struct engine *engine, struct sender *sender, struct batch *batch);
void demand_answered(const struct engine *engine, struct sender *sender, const struct batch *batch);
void demand_acked(const struct engine *engine, struct sender *sender, const struct batch *batch);
void demand_run(struct engine *engine);

/* stats.c */
void endpoint_newest(const struct engine *engine, const struct destination *destination,
                     const struct sender *sender, struct engine_endpoint_stats *out);

/* start.c */
const char *start_saved_name(const struct engine *engine, const char *name);
bool start_load(struct engine *engine, struct err *err);

/* trace.c */
void trace_line(const struct engine *engine, const char *format, ...) PRINTF_LIKE(2, 3);

#endif

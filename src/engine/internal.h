/* internal.h - the engine's own structures, shared by the files of this folder only.
 *
 *   reader   (readers.h) one tail in the WAL, with the domains that stand at its position
 *   domain   a failure domain of a destination: cursor, ring of unsettled records, lanes
 *   lane     (items.h) an ordered queue of items: a shard, or an account of what goes nowhere
 *   batch    (senders.h) the first items of some lanes of one endpoint, as a request body
 *
 * Who owns what: engine -> destinations -> domains, endpoints -> batches. A lane belongs to a
 * domain (fixed) and to an endpoint (its home, or the sibling it is lent to). Everything has a
 * maximum in limits.h. */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "items.h"
#include "metadata.h"
#include "pins.h"
#include "readers.h"
#include "reload.h"
#include "senders.h"
#include "snapshot.h"
#include "verdict.h"

#include <walship/assert.h>
#include <walship/engine.h>
#include <walship/identity.h>
#include <walship/labels.h>
#include <walship/limits.h>
#include <walship/log.h>
#include <walship/mem.h>
#include <walship/relabel.h>
#include <walship/routing.h>
#include <walship/rw.h>
#include <walship/series.h>
#include <walship/tail.h>
#include <walship/wal_record.h>

enum {
    LANE_DROPPED = SHARDS_COUNT,    /* account of what rules drop, not a queue */
    LANE_UNKNOWN = SHARDS_COUNT + 1 /* where its domain was: items given up before are counted */
};

struct loss {
    enum loss_reason reason;
    struct position from, to;
    uint64_t items, series, bytes;
    struct engine_kinds kinds; /* of the items; none: not known */
    int64_t time_min_ms, time_max_ms;
    const char *detail;
};

/* What is lost item by item, for one reason: a row for each segment of each life. */
struct losses {
    struct loss row; /* being gathered; reason and detail are given before */
    uint64_t items;  /* of all its rows */
};

struct deferred {
    uint64_t behind; /* ring sequence: all records below it are before the loss */
    struct loss loss;
};

enum anchor {
    ANCHOR_OLDEST, /* from the first segment */
    ANCHOR_NOW,    /* from the end */
    ANCHOR_MARK,   /* from `mark`, to be verified by the scan */
    ANCHOR_PLACED  /* `next` is right */
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
    bool doubting; /* an earlier life may have sent what is read, till the end of the WAL is met */
    struct position doubt_end; /* else: what lies before this */
    uint32_t pending;          /* items in its lanes */
    size_t payload_bytes;      /* of its items, the parked ones too */
    int64_t newest_read_ms;    /* sample time */
    uint64_t stalls;
    uint32_t late_open;    /* unsettled items that are or were parked */
    struct parked *parked; /* oldest first */
    size_t parked_count, parked_capacity;
    struct deferred *deferred; /* losses that wait for the watermark, in order */
    size_t deferred_count, deferred_capacity;
};

/* Where the items of a source set go, and as what. */
struct route {
    uint32_t set;   /* final; LABELS_NONE: not known yet. Referenced, unless it is the source itself
                     */
    uint16_t shard; /* of the final set */
    uint16_t end;   /* enum route_end */
};

struct destination {
    const struct conf_destination *conf;
    const struct conf *all; /* that `conf` is of */
    /* What decides labels and shards: `conf`, or that of before until the fence is reached. */
    const struct conf_destination *rules;
    const struct conf *rules_of;
    const struct conf_destination *awaited; /* when nothing is in flight nor scanned; or NULL */
    const struct conf *awaited_of;
    struct sender **retired; /* endpoints that are no more, with requests in flight */
    size_t retired_count;
    uint64_t leaves_at_commit;                           /* 0: something is in flight still */
    char fingerprint[ROUTE_FINGERPRINT_CHARS];           /* of `rules` */
    char saved_fingerprint[ROUTE_FINGERPRINT_CHARS + 1]; /* the same, with a + while relaid */
    struct domain *domains[DOMAINS_MAX];
    size_t domains_count;
    bool inherited; /* those are the saved state's: `awaited` has others, when all have places */
    bool unsorted;  /* and which of them had the items of a lane is not known */
    struct sender *senders;
    size_t senders_count;
    struct lane lanes[LANES_COUNT];
    struct route *routes; /* by source set */
    uint32_t routes_count;
    uint64_t counts[STORE_COUNTS]; /* READ includes what is pending */
    uint64_t lost[LOSS_REASONS];
    struct engine_kinds_taken kinds; /* but `refused` */
    struct store_loss *losses;       /* not committed yet; details owned */
    size_t losses_count, losses_capacity;
    struct quarantine quarantine;
    int64_t first_start_ms, start_from_ms;
    int64_t newest_read_ms;
    int64_t *newest_ms; /* taken, by final set; only where out_of_order says drop */
    uint32_t newest_count;
    uint64_t out_of_order;
    struct refmap *folded; /* hash with letters folded -> final set; NULL: none yet */
    uint64_t case_collisions;
    struct quota_account *quota; /* shared by its endpoints, or with its group; NULL: none */
    uint64_t undecodable;
    int64_t lend_at_ms; /* next look at its endpoints; INT64_MAX: all is well and at home */
    bool fenced;        /* nothing is read until all is settled: then the rules change */
    bool unloaded;      /* new: its saved state, if there is any, is not known yet */
    bool leaving;       /* not configured any more: goes when its state is saved */
    bool said_unsupported;
    enum rw_version version; /* protobuf_message, or what a 415 made of it */
    bool uncarried;          /* what waits may be more than that carries */
    struct metadata_sending metadata;
    bool discarding;    /* by the commit under way */
    bool discard_lanes; /* the saved rows are of another layout: replace them all */
    bool rules_new;     /* not durable yet: nothing is sent by them till then */
    /* An earlier life had its series in other lanes, or items in them that can't be read any more:
     * their order proves nothing. */
    bool relaid;
};

struct engine {
    const struct conf *conf;
    struct old_conf *olds;
    size_t olds_count;
    uint64_t *token_posts; /* by identity: serial of its request in flight; 0: none */
    size_t token_posts_count;
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
    struct guard guard;
    struct snapshots snapshots;
    uint32_t *held; /* label sets of items that were on their way at the last collection */
    size_t held_count;
    struct label *label_room;
    struct routing_room routing;
    struct chunk *free_chunks;
    size_t chunks;
    struct encode *encode;
    struct buf payload_room;
    struct metadata metadata;
    struct quota_account *quotas;
    size_t quotas_count;
    struct quota_account *quotas_before; /* while it is reconfigured */
    size_t quotas_before_count;
    size_t send_first;              /* whose turn it is to be the first, where quotas are shared */
    struct store_segment *segments; /* ascending; segments.c */
    size_t segments_count;
    bool generation_proven; /* what the directory knows of segments is of its generation */
    uint32_t refs_from;     /* since this generation no other files came: a ref means the same */
    uint64_t next_batch, next_request;
    int64_t now_ms;
    int64_t wall_offset_ms; /* wall clock less monotonic clock, at the last turn */
    int64_t refresh_at_ms;  /* list the directory by then */
    int64_t refreshed_ms;
    int64_t failed_until_ms; /* after an I/O error */
    bool refresh_wanted;
    bool looked;    /* at the directory, since it was told what the spool keeps */
    bool work_left; /* this turn left something runnable */
    bool stopping;
    int64_t stop_deadline_ms;
    bool committing;
    bool dirty;                /* something changed since the last commit was built */
    uint32_t save_failures;    /* in a row */
    size_t *committing_losses; /* per destination: how many the running commit carries */
    int64_t commit_at_ms;
    uint64_t commits, commit_failures;
    uint64_t commits_built, commits_durable; /* numbers: of the last one built, and saved */
    uint64_t records, record_bytes, damage_bytes;
    uint64_t records_by_type[WAL_TYPES];
    int64_t grown_wall_ms; /* when the WAL was last seen to grow */
    engine_trace_fn *trace;
    void *trace_context;
    const char *forget; /* a destination that leaves the state with the next commit */
    bool adopting;      /* the next commit renames a destination, as the options say */
};

/* route.c */
/* Valid until the next call. */
const struct route *route_of(struct engine *engine, struct destination *destination, uint32_t set);
/* After a collection, before anything is interned: routes whose source no ref means any more. */
void routes_sweep(struct engine *engine);
void routes_release(struct engine *engine, struct destination *destination);

/* domain.c: items into lanes, and out again */
struct ended {
    enum route_end end;
    uint8_t kind;
    struct position at;
    int64_t t_ms;
    bool late; /* was parked */
};
struct lane *domain_lane(struct domain *domain, const struct route *route);
/* Counts an item as read that goes to no lane; false: it was counted before, or is another's. */
bool domain_account(struct engine *engine, struct domain *domain, const struct position *at,
                    unsigned kind, bool late);
bool domain_drop_old(struct engine *engine, struct domain *domain, int64_t t_ms, unsigned kind,
                     const struct position *at);
/* An item of a series that goes nowhere (route->end says why) is accounted for. */
void domain_end_item(struct engine *engine, struct domain *domain, const struct ended *ended);
void domain_at_end(struct domain *domain, bool at_end);
void domain_record_done(struct domain *domain, const struct mark *next);
bool domain_has_room(const struct domain *domain, size_t items);
void domain_deliver(struct engine *engine, struct domain *domain, struct reader *reader);
void domain_settle(struct engine *engine, struct domain *domain, struct lane *lane, uint32_t count);
void domain_watermark(const struct domain *domain, struct mark *out);
/* What no lane position may pass while parked items are open; false: nothing of the kind. */
bool domain_cap(const struct domain *domain, struct position *out);

/* park.c */
void park_add(struct engine *engine, struct domain *domain, uint64_t ref, const struct item *item);
void park_release(struct domain *domain);
void park_shift(struct domain *domain, int64_t ms); /* so long nobody could have come */
/* After new definitions at `at`: parked items whose ref is known by now go to their lanes. */
void park_retry(struct engine *engine, struct domain *domain, const struct position *at);
/* Before the domain goes on at `at`: what a checkpoint defines holds from the start of a segment,
 * and no record says so. */
void park_enter(struct engine *engine, struct domain *domain, const struct position *at);
void park_expire(struct engine *engine, struct domain *domain, bool all);

/* ledger.c */
void ledger_add(struct engine *engine, struct destination *destination, const struct loss *loss);
/* One more item. A row that is of another segment, or of another life, is added first. */
void ledger_gather(struct engine *engine, struct destination *destination, struct losses *losses,
                   const struct item *item, const struct position *at);
void ledger_gathered(struct engine *engine, struct destination *destination,
                     struct losses *losses); /* all: adds the last row */
/* A range of unknown items that the domain passed over. It goes on the books with the watermark
 * that passes it, so that no later life meets it again. */
void ledger_defer(struct engine *engine, struct domain *domain, const struct loss *loss);
void ledger_release(struct engine *engine, struct domain *domain); /* what the watermark passed */

/* folded.c */
void folded_note(struct engine *engine, struct destination *destination, uint32_t set);
void folded_forget(struct engine *engine, uint32_t set);
void folded_release(struct destination *destination);

/* judge.c: what the destination would drop is not sent */
struct ended_items { /* settled together */
    uint64_t out_of_order, there, acked;
    struct engine_kinds stale; /* out of order */
    struct losses old, ahead, unsupported, rejected;
};
void judge_clock(const struct engine *engine, struct sender *sender,
                 const struct http_result *result);
void judge_clock_step(struct engine *engine);
void judge_forget(struct engine *engine, uint32_t set); /* the label set is gone */
/* Settles what is not to be sent at the front of a lane that is in no batch. */
void judge_front(struct engine *engine, struct destination *destination,
                 const struct sender *sender, struct lane *lane);
/* The first `count` items. */
void judge_some(struct engine *engine, struct destination *destination, const struct sender *sender,
                struct lane *lane, uint32_t count);
bool judge_batch_old(const struct engine *engine, const struct destination *destination,
                     const struct sender *sender, const struct batch *batch);
void judge_unclocked(struct engine *engine, struct destination *destination,
                     const struct sender *sender, struct batch *batch);
struct ended_items judge_begin(void);
void judge_ended(struct engine *engine, struct destination *destination, struct ended_items *ended,
                 const struct item *item, const struct position *at);
void judge_account(struct engine *engine, struct destination *destination,
                   struct ended_items *ended);

/* proof.c */
/* The highest place that a lane has settled beyond its domain's; false: none. */
bool proof_top(const struct engine *engine, struct position *out);
/* All has been read up to there, and is what it was. */
bool proof_holds(const struct engine *engine);

/* past.c: the same record's place in the oldest generation that has it, too: there the items of all
 * of them find what it defines. */
struct position past_common(const struct engine *engine, const struct position *at);
/* meaning.c: the set that a ref means there; LABELS_NONE: nothing. */
uint32_t ref_means(const struct engine *engine, uint64_t ref, const struct position *at);
/* What is settled in a later generation than the one that is read on is so in that one, as far as
 * both have it. */
void past_align(const struct engine *engine, struct destination *destination);
/* Who starts at the oldest there is starts in the oldest generation that is kept. */
void past_oldest(const struct engine *engine, struct domain *domain);
/* And whose place is of a generation that nobody kept, here in the next one that is, unless the
 * place itself is found there. False: what lay behind the place may have been deleted unread. */
bool past_nearest(const struct engine *engine, const struct past *past, const struct position *at,
                  struct position *out);

/* hold.c */
void sets_hold(struct engine *engine);

/* save.c */
void save_results(struct engine *engine);
void save_run(struct engine *engine);
bool save_clean(const struct engine *engine); /* what is true now is durable */

/* engine.c */
void destination_init(struct engine *engine, struct destination *destination,
                      const struct conf_destination *conf);
void destination_release(struct engine *engine, struct destination *destination);
void domains_init(struct destination *destination);
struct domain *domain_new(struct destination *destination, size_t index, const char *key);
void domain_free(struct domain *domain);
void sender_init(struct engine *engine, struct sender *sender, const struct conf_destination *conf,
                 const struct conf_endpoint *endpoint);
struct endpoint_conf sender_endpoint(const struct conf_destination *conf,
                                     const struct conf_endpoint *endpoint);
bool engine_settled(const struct engine *engine);

/* resume.c: from the rows that the image has of `name`. */
void destination_resume(struct destination *destination, const struct store_image *image,
                        const char *name, bool lanes_valid);

/* start.c */
const char *start_saved_name(const struct engine *engine, const char *name);
/* A destination that came while it runs: where an earlier configuration left it, or at the start.
 */
bool start_late(struct engine *engine, struct destination *destination, struct err *err);
bool start_load(struct engine *engine, struct err *err);

/* trace.c */
void trace_line(const struct engine *engine, const char *format, ...) PRINTF_LIKE(2, 3);

#endif

/* oracle.h - what must be true, judged by the simulator's own record: every item the Prometheus
 * actor wrote, and every request, answer, delivery and commit that passed the seams. Knows nothing
 * of the engine's inside but one saved fact: which shard a series belongs to (see oracle_shard).
 *
 *   I1  a durable position passes no item that is neither accepted nor accounted for
 *   I2  per destination and series: at most one request in flight, first arrivals in WAL order, no
 *       second endpoint without cause; after an ambiguous end the same items lead, and where there
 *       is no sibling that could have got a part of them, as the same bytes
 *   I3  a pin of the first life goes only after the commit that passes its segment is durable
 *   and nothing acked is sent again, but for what a crash may forget: what was acked after the
 *   contents of the last durable commit were taken.
 *
 * Positions are compared by segment, record and item: within one life of the WAL the actor only
 * ever loses records that were never whole, so a number names the same record in every generation.
 *
 *   another life (oracle_wal_cut, oracle_wal_restored): what the spool had when the files went must
 *   arrive or be on the books, the rest of it may arrive; order holds over all lives, but for what
 *   came back with a copy; positions prove nothing any more, the end does (oracle_final)
 *   all of it within 200 s after the faults (world.h); where receivers take samples in order only,
 *   200 s after the last item that got its end, and 1,500 s in all: what may have been delivered
 *   unheard is asked for item by item, each request as late as the endpoint's quota lets it go
 *   (world.c, search_look), so the time grows with what was in flight
 *   budgets: only items of closed segments may be lost as such, and the ledger has each of them and
 *   none that somebody heard of as accepted
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "fake_http.h"
#include "fake_judge.h"
#include "fake_os.h"
#include "fake_store.h"
#include "label_ids.h"
#include "report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/conf.h>

#define ORACLE_NONE UINT32_MAX

enum {
    ORACLE_NAMES_MAX = 3, /* final labels of a series, by the external ones of walship's lives */
    STUMBLES = 8,         /* a request that fails so often is taken apart */
    LARGE = 50            /* samples: one without an answer may be taken apart for its size */
};

enum item_state {
    ITEM_QUEUED,  /* logged, not all of its record is in the file yet */
    ITEM_VISIBLE, /* must arrive */
    ITEM_TORN,    /* its record never became whole: must not arrive */
    ITEM_LOST     /* whole and maybe read, then gone with a power loss: may arrive */
};

struct oracle_item {
    uint32_t series;
    uint32_t segment, record, item;
    uint32_t next;   /* of the series, in WAL order */
    uint32_t source; /* the actor's own: its series */
    int64_t t_ms;
    uint64_t bits;
    enum item_state state;
    bool unknown;   /* no series record exists for its ref */
    bool late;      /* its series record comes after it */
    bool forgotten; /* no checkpoint has its series record any more, though the series lives */
    bool removed;   /* its segment was deleted */
    bool kept;      /* and the spool had it then: no excuse */
    bool defined;   /* and all series known before it */
    bool spent;     /* as the state was lost: what had settled it need not have kept it */
    bool gone;      /* with an earlier life of the WAL: no file of its name has it any more */
    bool copied;    /* the copy of the directory has it */
    bool back;      /* it was gone, and came back with the copy */
    bool orphan;    /* its series record is, while it is not */
    bool dropped;   /* its series is */
    enum rw_decoded_kind kind;
    /* The newest generation that a commit had told of when the WAL that it was written to began,
     * and when that was over: its own lies behind the one and not behind the other. 0: not known.
     */
    uint32_t lived_after, lived_until;
    int64_t st_ms; /* start time; 0: none */
    bool custom;   /* a histogram of custom buckets: 2.0 only */
};

/* By final label set: that of the first life has what is known of the series, the others tell whose
 * they are. */
struct oracle_series {
    uint32_t first, last; /* items */
    uint32_t of;          /* whose labels these are: its own, mostly */
    uint32_t names[ORACLE_NAMES_MAX];
    uint16_t shard[2]; /* of these labels: plain; with letters folded */
    bool dropped;      /* by a relabelling rule, at every destination */
};

/* One per item and destination. */
struct fate {
    uint32_t acked_life; /* 0: never, or forgotten by a crash */
    uint32_t acked_event;
    bool arrived;
    uint8_t arrived_as;   /* bit set of the names that it did by */
    bool durable;         /* an earlier ack was made durable, before the last one */
    bool early;           /* deleted and not kept, when a life began for which nothing was saved */
    bool maybe_forgotten; /* acked, but a parked item may have held the positions back */
    bool passed; /* below a durable watermark and found well: need not be looked at again */
};

/* A request body whose delivery is uncertain. */
struct unsure {
    uint64_t hash;
    uint32_t endpoint;
    bool broken; /* a part of it went elsewhere meanwhile */
};

/* The newest of the first ones, item + 1. */
struct arrivals {
    uint32_t newest;   /* floats and histograms */
    uint32_t exemplar; /* within a TimeSeries those come last */
};

/* One per series and destination; by other labels of it only what arrived is counted. */
struct lane_fate {
    uint64_t in_flight; /* sequence of the request; 0: none */
    uint32_t failures;  /* of its requests, in a row */
    bool apart; /* once refused, STUMBLES of them, or a LARGE one without an answer: sifted */
    struct arrivals any;   /* by whatever labels */
    struct arrivals named; /* by these */
    uint32_t unsure;       /* index + 1 */
    uint32_t again;        /* item + 1 that must lead: its end is not known */
    uint64_t endpoints;    /* bit set of those that carried it, this layout */
};

/* A request as the server's quota has it. */
struct counted {
    int64_t at_ms;
    uint32_t endpoint;
};

struct oracle_destination {
    const struct conf_destination *conf;
    const char *saved_name; /* that the durable rows have; a configured one */
    size_t receiver_first;  /* of fake_http; its endpoints follow each other */
    size_t receivers_count;
    bool calm;               /* no fault ever: a series has one endpoint */
    bool reloaded;           /* live: what waited was taken apart, shards moved between requests */
    bool rewound;            /* live, by other domains: what was parked held some of it back */
    uint32_t rewound_from;   /* the lowest generation it ever was to; 0: never */
    bool resharded;          /* live: which lane is saved for a series, the oracle does not know */
    struct fake_judge judge; /* what the receivers like, but for its memory; see oracle_fussy */
    bool reruled;            /* the rules that decide the shard were others once */
    bool throttled;          /* a 429, or it has quotas: batches may be fuller than configured */
    struct fate *fates;
    struct lane_fate *lanes;
    size_t lanes_count;
    struct counted *counted;
    size_t counted_count;
    struct unsure *unsure;
    size_t unsure_count;
    uint32_t start_item;   /* items before it need not (start_at: now) */
    uint32_t never_before; /* items before it must not arrive */
    uint32_t began;        /* items then, when a life last found no state and started at now */
    uint32_t skipped;      /* what such lives left out, until the state was lost */
    int64_t start_from_ms; /* times before it are dropped: as saved, or as of a life that did not */
    int64_t skipped_ms;    /* start_from_ms, until the state was lost */
    bool committed;        /* a durable commit knows it */
    uint32_t unpassed;     /* items before it are all passed */
    uint32_t
        capped_from; /* at the last start, an item parked or late held the positions back (I1) */
    bool capped;     /* it ever did: what was acked beyond it is counted again */
    uint64_t arrivals, doubled;
};

struct oracle {
    struct report *report;
    const int64_t *now_ms;
    int64_t clock_ms; /* the receivers' clock, and the samples', less now */
    const struct conf *conf;
    struct fake_http *http;
    struct fake_store *store;
    struct label_ids *ids;
    struct oracle_item *items;
    uint32_t items_count, items_capacity;
    uint32_t visible_count;
    struct oracle_series *series;
    size_t series_count;
    uint32_t name;       /* which of its names each series has in this life of walship */
    uint32_t names_used; /* bit set: that some life had */
    struct oracle_destination *destinations;
    bool state_lost;                   /* once: start_at counts no more */
    bool damaged;                      /* any segment was */
    uint32_t damaged_from, damaged_to; /* all of them lie between */
    bool parks;                        /* some item came before its series record, or lost it */
    bool power_lost;
    uint32_t power_segment; /* the lowest that lost its end */
    uint32_t closed_items;  /* items before it are in closed segments */
    bool budgets;           /* the spool has: closed segments may be given up */
    bool relived;           /* the WAL had another life */
    bool repaired;          /* Prometheus moved a torn segment aside: only the spool has it */
    uint32_t cut_segment;   /* the lowest from which on it was another one */
    uint32_t lived_after;   /* of the items to come */
    bool forgetful;         /* series records may be lost: any item may be unknown */
    uint32_t life;          /* of walship, from 1 */
    bool runs;              /* it has not ended */
    int64_t ended_ms;       /* when the last one did */
    uint32_t event;         /* counts what passes the seams */
    uint32_t taken_event;   /* when the commit under way was taken */
    uint32_t durable_event; /* when the last durable one was */
    uint32_t
        forgotten_event;  /* durable_event at the last start: acks before it are not forgotten */
    uint32_t taken_items; /* items_count then */
    char text[512];
};

void oracle_init(struct oracle *oracle, struct report *report, const struct conf *conf);
void oracle_release(struct oracle *oracle);
void oracle_ready(struct oracle *oracle, struct fake_http *http, struct fake_store *store);

/* ---- told by the actor ---- */
/* A label set with its final labels (external ones merged in), sorted. Its series number. */
uint32_t oracle_series_add(struct oracle *oracle, const struct label *labels, size_t count);
void oracle_series_drop(struct oracle *oracle, uint32_t series); /* a rule does, everywhere */
/* Its labels in lives with these external ones; name: above 0. */
void oracle_series_name(struct oracle *oracle, uint32_t series, uint32_t name,
                        const struct label *labels, size_t count);
/* Returns the item's number; its value's bits must be oracle_bits of the number to come, or the
 * stale marker with a time of its own. */
uint32_t oracle_item_add(struct oracle *oracle, const struct oracle_item *item);
uint64_t oracle_bits(const struct oracle *oracle); /* for the next item */
void oracle_item_visible(struct oracle *oracle, uint32_t item);
void oracle_item_torn(struct oracle *oracle, uint32_t item);
void oracle_item_lost(struct oracle *oracle, uint32_t item);
/* The end of this segment is gone. What is left of it may come twice, and series records of it may
 * be gone that were read. */
void oracle_power_loss(struct oracle *oracle, uint32_t segment);
/* The items of this source have no series record after all. */
void oracle_source_unknown(struct oracle *oracle, uint32_t source);
/* A checkpoint lacks the series record of this source: what is not in the segments that it replaces
 * may be unknown to one life and known to the next, from what an older file says. */
void oracle_source_forgotten(struct oracle *oracle, uint32_t source, uint32_t checkpoint);
/* Bytes of it changed: records of it may be lost, and with them the series they defined. From then
 * on positions prove nothing to the oracle, and what is near the damage may come twice. */
void oracle_segment_damaged(struct oracle *oracle, uint32_t segment);
/* Another life of the WAL begins: all from this record on is gone, and what comes under these
 * numbers is new. What the spool has of it (oracle_segment_kept) must arrive still; the rest may.
 */
void oracle_wal_cut(struct oracle *oracle, uint32_t segment, uint32_t record);
void oracle_wal_copied(struct oracle *oracle);   /* as it is now */
void oracle_wal_restored(struct oracle *oracle); /* to what was copied */
/* The series record of this source went with it. */
void oracle_source_orphan(struct oracle *oracle, uint32_t source);
/* All that was logged up to now is in segments that get no more. */
void oracle_segment_closed(struct oracle *oracle);
void oracle_segment_removed(struct oracle *oracle, uint32_t segment);
/* As it is deleted the spool has it; defined: and the definitions it needs. */
void oracle_segment_kept(struct oracle *oracle, uint32_t segment, bool defined);

/* ---- told by the seams ---- */
void oracle_started(struct oracle *oracle, int64_t wall_ms); /* a life begins; its own clock */
void oracle_life_ended(struct oracle *oracle, int64_t now_ms);
/* Another configuration: homes move; shards or domains may, and then what lies between the
 * watermark and the lanes is sent again. */
void oracle_reconfigured(struct oracle *oracle, size_t destination);
/* It has another name now, by which the next commit saves it (--adopt); nothing else of it changes.
 */
void oracle_adopted(struct oracle *oracle, size_t destination);
/* Other external labels, everywhere: all series and shards are others, by this name, and what lies
 * between the watermark and the lanes is sent again. */
void oracle_renamed(struct oracle *oracle, uint32_t name);
/* Live: rewound, when other domains read it now; resharded. */
void oracle_reloaded(struct oracle *oracle, size_t destination, bool rewound, bool resharded);
/* The state is gone: all begins anew, from the oldest segment. */
void oracle_state_lost(struct oracle *oracle);
void oracle_posted(void *oracle, const struct fake_request *request);
void oracle_delivered(void *oracle, const struct fake_request *request);
void oracle_ended(void *oracle, const struct fake_request *request);
void oracle_commit_taken(void *oracle);
void oracle_commit_applied(void *oracle);

/* The first item that no durable position may pass, for it was parked and is not settled. */
uint32_t oracle_cap(const struct oracle *oracle, const struct oracle_destination *destination);

/* What is durable about the item's shard, into the trace. */
void oracle_positions_print(struct oracle *oracle, const struct oracle_destination *destination,
                            uint32_t number);

/* The newest that a durable position is of. */
uint32_t oracle_generation(const struct oracle *oracle);

/* The newest that is durably known: the WAL's own, if there was a commit since it began. */
uint32_t oracle_generation_known(const struct oracle *oracle);

/* The WAL was repaired or replaced after some of the durable positions were saved. */
bool oracle_regenerated(const struct oracle *oracle, const struct oracle_destination *destination);

/* It is rewound now. And: so it was to a place of an earlier generation than the newest there is.
 */
void oracle_rewound(const struct oracle *oracle, struct oracle_destination *destination);
bool oracle_rewound_past(const struct oracle *oracle, const struct oracle_destination *destination);

/* ---- oracle_quota.c ---- */
void oracle_quota_ended(struct oracle *oracle, struct oracle_destination *destination,
                        const struct fake_request *request);
void oracle_quota_final(struct oracle *oracle, struct oracle_destination *destination);

/* ---- asked ---- */
enum oracle_take { ORACLE_TAKES, ORACLE_DROPS, ORACLE_CANNOT };
/* Does the destination send items of this kind? */
/* Its receivers refuse something: pieces of a batch may follow it, and come again. */
bool oracle_fussy(const struct oracle_destination *destination);
/* They refuse this item, or another of its series, or have a newer one: it may be lost. */
bool oracle_refuses(const struct oracle *oracle, const struct oracle_destination *destination,
                    uint32_t item);
enum oracle_take oracle_takes(const struct oracle_destination *destination,
                              const struct oracle_item *item);
/* Everything settled and saved: the books must agree to the item. */
void oracle_final(struct oracle *oracle);
/* A file of the spool, which is in `os`, is about to go. */
void oracle_pin_dropped(struct oracle *oracle, const struct fake_os *os, const char *name);
/* Oldest segment that a durable watermark still needs; 0 when a destination has none. */
uint32_t oracle_segment_needed(const struct oracle *oracle);
/* The series that has these labels in some life; and those that it has in this one. */
uint32_t oracle_series_of(const struct oracle *oracle, uint32_t labels);
uint32_t oracle_name_of(const struct oracle *oracle, uint32_t series);
uint16_t oracle_shard(const struct oracle *oracle, const struct oracle_destination *destination,
                      uint32_t series);
/* The item that a sample is; ORACLE_NONE: nobody wrote it. */
uint32_t oracle_find(const struct oracle *oracle, const struct fake_sample *sample);
/* "series {...} t=.. seg 3 rec 17 item 2", for messages; valid until the next call. */
const char *oracle_item_text(struct oracle *oracle, uint32_t item);

#endif

/* store.h - the seam to durable memory: what every destination has accepted.
 *
 * adapter/store_sqlite is the real one. `load` is synchronous, before the loop starts; `commit` is
 * taken whole and applied in ONE transaction (I3) by a thread of the adapter's own; its result
 * comes by next_result. At most one commit is under way. Commits are durable in order. Loop thread
 * only. All pointers in a commit are borrowed for the call (the adapter copies).
 *
 * How the rows are keyed: destination by name; lane by (destination, lane); watermark by
 * (destination, domain); segment by (generation, number). */
#ifndef WALSHIP_STORE_H
#define WALSHIP_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/err.h>
#include <walship/position.h>
#include <walship/store_quota.h>

/* Items of a destination by fate. I3: READ = ACKED + ALREADY_THERE + DROPPED + LOST + pending. */
enum store_count {
    STORE_READ,
    STORE_ACKED,
    STORE_ALREADY_THERE,
    STORE_DROPPED,
    STORE_LOST,
    STORE_COUNTS
};

/* Why items were lost; the names are in engine/ledger.c and in the metrics. */
enum loss_reason {
    LOSS_UNKNOWN_REF, /* no series record within PARKED_MS_MAX */
    LOSS_DAMAGED,     /* bytes that could not be decoded: items unknown, `bytes` set */
    LOSS_TRUNCATED,   /* segments deleted before they were read: items unknown */
    LOSS_LABELS,      /* the series' labels are beyond the limits or not decodable */
    LOSS_REJECTED,    /* the receiver refused them for good */
    LOSS_UNSUPPORTED, /* the protocol in use can't carry them */
    LOSS_TOO_OLD,     /* sample_age_limit */
    LOSS_TOO_FAR_AHEAD,
    LOSS_BUDGET, /* the spool's budget */
    LOSS_SERVER_ERROR,
    LOSS_CRASH_SKIP, /* the third abort at one position */
    LOSS_REASONS
};

struct store_destination {
    const char *name;
    const char *fingerprint; /* hex; of all that decides shard and labels */
    int64_t first_start_ms;  /* wall clock of its first start ever */
    int64_t start_from_ms;   /* items older than this are dropped by rule (start_at: a duration) */
    uint64_t counts[STORE_COUNTS]; /* totals so far */
    bool replaces; /* of a commit: its lanes and watermarks of before are removed first */
};

/* A place to resume at, and how to know it again. */
struct store_watermark {
    const char *destination;
    const char *domain; /* failure domain: "" for failover, the endpoint's key when pinned */
    struct position at; /* oldest item not settled, or the next to read */
    uint64_t offset;    /* hint: byte offset of record at.record */
    uint32_t
        previous_crc; /* CRC-32C of the decompressed record before at.record, when that is > 0 */
};

struct store_lane {
    const char *destination;
    uint16_t lane;           /* < LANES_COUNT */
    const char *domain;      /* the domain it was read by */
    struct position settled; /* all its items before this are settled */
    int64_t newest_ms;       /* sample time: none of those is newer; INT64_MIN: nothing is known */
    bool mixed;              /* of what lies behind, a later item may have left before an earlier */
};

struct store_segment {
    uint32_t generation;
    uint32_t number;
    uint64_t device;
    uint64_t inode;
    uint32_t first_crc; /* waldir_segment.identity: its first records, up to one with times */
};

/* Added to the ledger; merged into the row of the same destination, reason and segment. */
struct store_loss {
    const char *destination;
    enum loss_reason reason;
    struct position from, to;
    uint64_t items;                   /* 0: unknown */
    uint64_t series;                  /* at least so many; 0: unknown */
    uint64_t bytes;                   /* of the WAL, when items are unknown */
    int64_t time_min_ms, time_max_ms; /* of the samples; min > max: unknown */
    int64_t seen_ms;                  /* wall clock */
    const char *detail;               /* e.g. one label set; may be "" */
};

struct store_commit {
    const struct store_destination *destinations;
    size_t destinations_count;
    const struct store_watermark *watermarks;
    size_t watermarks_count;
    const struct store_lane *lanes; /* only those that changed */
    size_t lanes_count;
    const struct store_segment *segments; /* new ones */
    size_t segments_count;
    const struct store_loss *losses;
    size_t losses_count;
    const struct store_quota *quotas; /* only those that changed */
    size_t quotas_count;
    int64_t quotas_before_ms; /* accounts not saved since then are forgotten */
    bool has_segments_before;
    struct position segments_before; /* segments below this one are forgotten */
    const char *adopt_old;           /* a destination that is called adopt_new from now on, with */
    const char *adopt_new;           /* its ledger; done first. Both or NULL */
    const char *forget;              /* a destination removed with all its rows, or NULL */
};

struct store_loss_total {
    const char *destination;
    enum loss_reason reason;
    uint64_t items;
};

/* What load found. All pointers live until the caller calls image->release(image). */
struct store_image {
    void (*release)(struct store_image *image);
    void *memory;
    struct store_destination *destinations;
    size_t destinations_count;
    struct store_watermark *watermarks;
    size_t watermarks_count;
    struct store_lane *lanes;
    size_t lanes_count;
    struct store_segment *segments;
    size_t segments_count;
    struct store_loss_total *losses;
    size_t losses_count;
    struct store_quota *quotas;
    size_t quotas_count;
    bool lost; /* an earlier state is known to have been lost: start at the oldest segment */
};

struct store {
    bool (*load)(struct store *store, struct store_image *out, struct err *err);
    /* False: one is under way. */
    bool (*commit)(struct store *store, const struct store_commit *commit);
    /* True: the commit under way has ended; *ok tells how, err why not. */
    bool (*next_result)(struct store *store, bool *ok, struct err *err);
};

#endif

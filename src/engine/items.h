/* items.h - what is on its way: items and their payloads, the lanes they wait in, the ring of
 * records that are not settled yet. Private to the engine, included by internal.h only. */
#ifndef ENGINE_ITEMS_H
#define ENGINE_ITEMS_H

#include <walship/assert.h>
#include <walship/engine_kinds.h>
#include <walship/limits.h>
#include <walship/position.h>
#include <walship/rw.h>
#include <walship/wal_record.h>

struct engine;
struct destination;
struct domain;

enum { CHUNK_ITEMS = 63 };

enum item_kind {
    ITEM_FLOAT,       /* bits: the value, IEEE-754. Of the others: the payload, see item_payload */
    ITEM_FLOAT_START, /* a float with a start time, for a destination that sends those */
    ITEM_HISTOGRAM,
    ITEM_EXEMPLAR,
    ITEM_KINDS
};

/* By which protocols a payload can go. */
enum carrier {
    CARRIER_BOTH,
    CARRIER_RW_2, /* a histogram of custom buckets */
    CARRIER_NONE  /* above PAYLOAD_BYTES_MAX, or a schema that has no receiver: it holds nothing */
};

static inline void kinds_add(struct engine_kinds *kinds, unsigned kind, uint64_t count)
{
    switch ((enum item_kind)kind) {
    case ITEM_HISTOGRAM:
        kinds->histograms += count;
        return;
    case ITEM_EXEMPLAR:
        kinds->exemplars += count;
        return;
    case ITEM_FLOAT:
    case ITEM_FLOAT_START:
    case ITEM_KINDS:
        break;
    }
    kinds->samples += count;
}

static inline void kinds_sum(struct engine_kinds *sum, const struct engine_kinds *more)
{
    sum->samples += more->samples;
    sum->histograms += more->histograms;
    sum->exemplars += more->exemplars;
}

/* What an item can't hold itself. Shared by the destinations' items that are the same one; counted
 * by its users. In `data`: the bytes of a Histogram message; an exemplar's labels, their strings
 * behind them. */
struct payload {
    uint32_t uses;
    uint32_t bytes; /* all in all, as counted against PENDING_PAYLOAD_BYTES_MAX */
    uint32_t count; /* bytes of a histogram, labels of an exemplar */
    enum carrier carrier;
    int64_t st_ms; /* start time; 0: none */
    uint64_t bits; /* value of a float or an exemplar */
    uint64_t data[];
};

/* Why an item in a lane is not sent; it is accounted for when it is settled. */
enum item_end {
    ITEM_GOES,
    ITEM_OUT_OF_ORDER,
    ITEM_TOO_OLD,
    ITEM_TOO_FAR_AHEAD,
    ITEM_UNSUPPORTED, /* by the protocol that is spoken */
    ITEM_REJECTED,    /* sent, but not among what the receiver says it wrote */
    ITEM_THERE,       /* the same, and maybe since it was there before; or so a search found */
    ITEM_ACKED /* in a piece of a batch that was undone; earlier ones of its lane wait still */
};

/* The receiver has seen it, or will. */
static inline bool item_end_sent(enum item_end end)
{
    return end == ITEM_GOES || end >= ITEM_REJECTED;
}

/* An item on its way. 32 bytes: there may be PENDING_ITEMS_MAX of them in a domain. */
struct item {
    int64_t t_ms;
    uint64_t bits;
    uint32_t set;    /* FINAL label set (route.c); hold.c says what keeps it alive */
    uint32_t record; /* low half of the ring sequence of its record */
    uint32_t index;  /* in the record */
    uint8_t kind;    /* enum item_kind: what `bits` are */
    bool late;       /* was parked */
    bool taken;      /* its series' newest when it was judged (judge.c) */
    uint8_t end;     /* enum item_end */
};

static_assert(sizeof(struct item) == 32, "PENDING_ITEMS_MAX of them are the memory of a domain");

struct chunk {
    struct chunk *next;
    uint64_t reserved;
    struct item items[CHUNK_ITEMS];
};

struct lane {
    struct chunk *head, *tail;
    uint32_t head_index; /* first pending item in head */
    uint32_t tail_count; /* items in tail */
    uint32_t count;      /* pending, in flight included; of them: */
    uint32_t histograms, exemplars;
    uint32_t in_flight;       /* the first so many are in a batch */
    int64_t waiting_since_ms; /* when the first one not in flight arrived */
    struct position settled;  /* all its items before this are settled */
    struct position
        resumed;           /* `settled` at the start: what lies before it an earlier life settled */
    uint16_t domain;       /* index in the destination */
    uint16_t home;         /* endpoint */
    uint16_t endpoint;     /* where it is now: at home, or lent (lend.c) */
    uint32_t failures;     /* of the batch it was last in, when that was undone */
    uint32_t unsure;       /* the first so many left in a request whose end is not known */
    uint32_t mixed;        /* of the first so many some left before others (overtake.c) */
    uint64_t mixed_commit; /* the number of the commit that says so */
    bool mixed_before;     /* so an earlier life left it */
    int64_t newest_ms;     /* sample time: none that was settled is newer; INT64_MIN: not known */
    int64_t moved_ms;      /* last time that `endpoint` changed */
    bool dirty;            /* settled moved since the last commit was built */
    bool has_acked;
    int64_t newest_acked_ms; /* sample time; in this life, of batches taken whole */
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

/* A place with what proves it (see store_watermark). */
struct mark {
    struct position at;
    uint64_t offset;
    uint32_t previous_crc;
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
    struct chunk *chunk;
    uint32_t index;
};
void lane_walk_start(struct lane_walk *walk, const struct lane *lane);
const struct item *lane_walk_next(struct lane_walk *walk);
struct item *lane_walk_edit(struct lane_walk *walk);
/* Ms since its oldest pending item was read; 0: none. */
int64_t lane_age_ms(const struct engine *engine, const struct destination *destination,
                    const struct lane *lane);
/* The first `count` items were taken by their receiver. */
void lane_acked(struct lane *lane, uint32_t count);
void lane_clear(struct engine *engine, struct lane *lane);
void chunks_free(struct engine *engine);

/* payload.c */
struct payload *item_payload(const struct item *item);
struct payload *payload_histogram(struct engine *engine, const struct wal_histogram *histogram);
struct payload *payload_exemplar(const struct wal_exemplar *exemplar);
struct payload *payload_start(const struct wal_sample *sample);
bool payload_carried(const struct item *item, enum rw_version version);
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

#endif

/* readers.h - how the WAL is read: readers with their domains, the scan for places and series, the
 * collection of series. Private to the engine, included by internal.h only. */
#ifndef ENGINE_READERS_H
#define ENGINE_READERS_H

#include "items.h"

#include <walship/tail.h>

enum {
    DECODE_ITEMS = 1024, /* samples decoded at a time */
    DOMAINS_MAX = ENDPOINTS_MAX,
    READERS_MAX = 64
};

static_assert(DECODE_ITEMS < PENDING_ITEMS_MAX / 4, "a chunk always fits an emptied domain");

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

enum scan_state {
    SCAN_DONE,
    SCAN_LOOK,
    SCAN_FORK,
    SCAN_SERIES,
    SCAN_PAST,
    SCAN_CHECKPOINT,
    SCAN_SEGMENTS
};
enum { SCAN_TRIES_MAX = 10, RETRY_IO_MS = 1000 };

/* Loading series up to where the domains start, and finding their places on the way. */
struct scan {
    enum scan_state state;
    struct tail *tail;
    struct tail *other; /* SCAN_FORK: in the next generation */
    size_t complete; /* SCAN_FORK: so many earlier generations, from the last, have all of theirs */
    uint32_t proven; /* segments below it can prove no more by their content */
    bool has_other;  /* a record of it waits to be compared */
    bool other_ended; /* its segment has no more; `ended`: nor has the one before */
    bool ended;
    uint32_t other_crc;
    size_t series; /* SCAN_SERIES: index of the file */
    struct waldir *series_dir;
    struct position series_at;
    size_t past;           /* SCAN_PAST: index of the earlier generation */
    struct position until; /* series up to here are wanted, also when all domains have a place */
    uint32_t checkpoint;
    bool below_gone; /* the checkpoint before the newest can't be read */
    uint32_t tries;
    bool again;    /* for the series only, while all have their places */
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
    /* Below it definitions may have their places in an earlier generation (past_common), also when
     * that is over. */
    struct position own_from;
};

/* kinds.c: records of items, of every kind */
bool record_has_items(enum wal_type type);
/* Whatever it holds: false when the destination takes no items of its kind. */
bool record_concerns(const struct destination *destination, enum wal_type type);
void record_begin(struct reader *reader);
void record_decode(struct engine *engine, struct reader *reader); /* the next chunk */
void record_end(struct reader *reader);                           /* also when there is none */
/* Makes the item what this destination takes it as; false: it doesn't, and it is accounted for. */
bool kind_taken(struct engine *engine, struct domain *domain, const struct wal_sample *sample,
                struct item *item, const struct position *at);
void kind_done(const struct item *item); /* after a true, when it is queued or not */

/* reader.c */
struct reader *reader_new(struct engine *engine, const struct mark *at);
void reader_free(struct engine *engine, struct reader *reader);
void reader_attach(struct reader *reader, struct domain *domain);
void reader_leave(struct domain *domain); /* may stand nowhere */
void readers_run(struct engine *engine);
void readers_place(struct engine *engine); /* gives placed domains with room a reader */
void readers_drop_all(struct engine *engine);
void series_apply(struct engine *engine, const struct tail_out *out, const struct position *at,
                  struct reader *reader);

/* segments.c: what was read of the segments of each generation, in this life and earlier ones */
void segments_load(struct engine *engine, const struct store_image *image);
void segments_take(struct engine *engine); /* up to now; before it is asked for */
/* NULL: nothing was read of it, or nobody needs it any more. */
const struct store_segment *segment_known(const struct engine *engine, uint32_t generation,
                                          uint32_t number);
/* In that generation, or in the last one before it that says something of this number: a file that
 * an earlier and a later life of the WAL have was there in between, unless one of those had another
 * file below it (the directory was emptied, then a copy put back). NULL: nothing is said. */
const struct store_segment *segment_last_known(const struct engine *engine, uint32_t generation,
                                               uint32_t number);
/* A later one has it, and it was that generation's, too. */
void segment_adopted(struct engine *engine, uint32_t generation,
                     const struct waldir_segment *segment);
void segments_forget(struct engine *engine, const struct position *before);
/* How many of engine->segments are of this generation or an earlier one: the first so many. */
size_t segments_up_to(const struct engine *engine, uint32_t generation);
/* The directory has another life from now on; or, where no file of it was replaced, places in it
 * are counted anew, and what was parked may still find its series. */
void generation_begin(struct engine *engine, bool replaced);

/* kinship.c: what a segment of a later life is to that of its number in an earlier generation */
enum kinship {              /* ascending */
               KIN_UNKNOWN, /* nothing tells, or it is not read yet */
               KIN_OTHER,
               KIN_ALIKE, /* it begins as that one did; how far it goes on so is not told */
               KIN_SAME   /* it is that file */
};
enum kinship kin_of(struct engine *engine, const struct waldir_segment *segment,
                    uint32_t generation);
/* By their beginnings alone, as where a place in the segment is looked for: what is kept may be
 * what is looked at. NULL: unknown. */
enum kinship kin_begins(const struct engine *engine, const struct waldir_segment *segment,
                        uint32_t generation);
/* The same of the segment of a later life that `at` is in. It need not be there any more. */
enum kinship kin_told(const struct engine *engine, const struct position *at, uint32_t generation);
/* Of which generation is the beginning of this segment to be read, so that it can tell: that one,
 * or the next? 0: neither. */
uint32_t kin_unread(struct engine *engine, const struct waldir_segment *segment,
                    uint32_t generation);

/* scan.c */
void scan_start(struct engine *engine);
/* Series were defined in what was deleted unread: they are in the checkpoint that replaced it. */
void scan_again(struct engine *engine);
void scan_run(struct engine *engine);

/* places.c: domains whose place is before or at `here` get it; `end`: nothing follows. False: the
 * scan began again. */
bool places_find(struct engine *engine, const struct mark *here, bool end);
/* The same in the earlier generation that is scanned, for places in still earlier ones of which
 * nothing is left. */
void places_find_past(struct engine *engine, const struct mark *here, bool end);
void places_anew(struct engine *engine);        /* all of them, in a new generation */
bool places_found(const struct engine *engine); /* of all domains */

/* fork.c */
bool fork_step(struct engine *engine); /* false: all are known */
void fork_end(struct engine *engine);
void collect_run(struct engine *engine);

#endif

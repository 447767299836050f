/* snapshot.h - what of series has to outlive Prometheus' checkpoints, for the files of this folder
 * only. */
#ifndef ENGINE_SNAPSHOT_H
#define ENGINE_SNAPSHOT_H

#include <walship/spool.h>
#include <walship/tail.h>

enum {
    SNAPSHOT_FILES_MAX = 64,
    SNAPSHOT_DELTAS_MAX = 16, /* then all is written anew */
    SNAPSHOT_RECORD_BYTES = 64 << 10,
    SNAPSHOT_PIECE_BYTES = 1 << 20
};

/* Definitions that were made before the segment: all of them, or those since the file before. Or
 * what is known of those below a gap: what lies between the file before and the gap may not have
 * been read yet, so it covers nothing. */
struct snapshot_file {
    uint32_t generation, segment;
    bool full;
    bool gap;
    bool stray; /* of a life that neither the saved state nor a pin knows: never used */
    uint64_t bytes;
    uint64_t job; /* it is being dropped; 0: not */
};

struct snapshot_item {
    uint64_t ref;
    uint32_t set;
};

struct snapshots {
    struct snapshot_file files[SNAPSHOT_FILES_MAX]; /* ascending */
    size_t count;
    size_t loaded; /* how many of them an earlier life left, to be read by the scan */
    bool has_base;
    bool outdated; /* they have series that were let go since: another life would know them again */
    struct position covered; /* what was defined before it is in the files */
    struct position gapped;  /* what was defined in gaps before it is, too */
    bool looked;             /* whether there is a lag */
    bool lagging;
    int64_t due_ms;  /* then it is old enough for a first file */
    int64_t over_ms; /* then it has been over for long enough to let them go */
    int64_t retry_ms;
    /* the one being written */
    bool writing, begun, abandoned;
    struct snapshot_file next;
    uint64_t job;
    struct snapshot_item *items; /* each holds its set */
    size_t items_count, items_capacity, items_done;
};

struct engine;

bool snapshot_load(struct engine *engine, const struct spool_entry *entry); /* false: not one */
/* After all loads. A lost state leaves files of generations above the newest that is known; their
 * numbers will be given again, so they go before anything else is written. */
void snapshots_sort(struct engine *engine, uint32_t newest);
/* What the scan is to read next (NULL: no more), and where its definitions belong. False: it can't
 * be looked at for now. */
bool snapshot_open(struct engine *engine, size_t index, struct waldir **out, struct position *at,
                   struct err *err);
void snapshots_run(struct engine *engine);
int64_t snapshots_deadline(const struct engine *engine);
bool snapshot_result(struct engine *engine, const struct spool_result *result);
/* May the pin of this segment go, as far as definitions are concerned? */
bool snapshot_covers(const struct engine *engine, uint32_t generation, uint32_t segment);
void snapshots_release(struct engine *engine);

#endif

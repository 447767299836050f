/* prometheus.h - Prometheus as an actor: what its head does to the WAL directory, step by step.
 *
 * Scrapes commit a series record and samples records (other types in between), appenders
 * interleave, refs change, series come and go; segments roll, checkpoints are written and old
 * segments deleted by the rules of the reference; it stops cleanly, is killed with a torn record,
 * repairs at its start. Every whole item is told to the oracle, under the number of its record.
 * Each step has its own time, so that walship's turns fall between them. */
#ifndef SIM_PROMETHEUS_H
#define SIM_PROMETHEUS_H

#include "fake_os.h"
#include "oracle.h"
#include "wal_writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/rng.h>

enum { SET_LABELS_MAX = 8, TARGETS_MAX = 6, RECORDS_QUEUED_MAX = 512, KEPT_BYTES_MAX = 64 << 20 };

/* External labels of walship; ascending. */
struct externals {
    struct label *labels;
    size_t count;
};

/* How lively it is; filled by the scenario. */
struct prometheus_conf {
    size_t targets;
    size_t series_per_target; /* label sets; not all at once */
    int64_t scrape_ms_min, scrape_ms_max;
    size_t segment_bytes;      /* rolls above it */
    int64_t truncate_ms;       /* between checkpoints; 0: never */
    bool truncate_unread;      /* deletes what walship has not read */
    int64_t restart_ms;        /* mean between restarts; 0: never */
    unsigned crash_percent;    /* of the restarts */
    unsigned torn_percent;     /* of the crashes: inside a record */
    unsigned power_percent;    /* of the crashes: whole records that were read are gone, too */
    unsigned churn_percent;    /* chance of a set to vanish, a scrape */
    unsigned late_percent;     /* chance that a series record comes after its samples */
    unsigned unknown_permille; /* samples of a ref that has no series record */
    unsigned partial_percent;  /* chance that a write is seen in parts */
    unsigned v2_percent, backwards_percent, stale_percent, other_percent;
    unsigned kinds_percent; /* records of histograms and exemplars */
    bool
        in_order; /* each sample of a series is newer than the one before, whatever its kind: as a
                     head has them, and as a receiver that takes them in order only must get them */
    unsigned failed_write_percent; /* of the records that cross a page: the disk refuses the rest */
    unsigned slow_repair_percent;  /* of the repairs: the new file is seen growing */
    bool forgetful; /* its checkpoints lack some living series (a bug there): no labels may be mixed
                       up */
    /* Of its starts: see prom_lives.c. */
    unsigned rot_percent, emptied_percent, restored_percent;
    bool flips;         /* bytes of segments change under everybody */
    bool relabels;      /* every destination has the rules of scenario_rules.c */
    int64_t history_ms; /* it ran so long before walship */
};

/* One label set; the series of it that the head knows now, if any. */
struct prom_set {
    char text[160];
    struct label labels[SET_LABELS_MAX];
    size_t labels_count;
    uint32_t series;  /* oracle's */
    bool alive;       /* scraped now */
    uint32_t current; /* index of prom_series; ORACLE_NONE */
    int64_t newest_ms;
};

struct prom_series {
    uint64_t ref;
    uint32_t set;
    bool defined;          /* its record is logged */
    bool lost;             /* its record is torn: the head does not know */
    bool dropped;          /* in no checkpoint or segment any more */
    uint32_t used_segment; /* newest with a record of it */
    uint32_t defined_segment, defined_record;
    uint32_t untold_life; /* of walship, when its segment went and the spool did not say it; or 0 */
    int64_t untold_ms;
};

struct prom_target {
    size_t set_first, sets_count;
    int64_t next_ms;
};

struct prom_file {
    char *path;
    struct buf bytes;
};

/* What was there when the copy was made. */
struct prom_backup {
    bool taken;
    struct prom_file *files;
    size_t files_count;
    struct prom_series *series;
    size_t series_count;
    uint32_t first_segment, segment, checkpoint;
    bool has_checkpoint;
};

/* A record that is logged but maybe not wholly in the file yet. */
struct prom_record {
    size_t start, end;                   /* in the segment */
    size_t kept;                         /* where it starts in prometheus.kept */
    uint32_t item_first, item_count;     /* oracle's */
    uint32_t series_first, series_count; /* that it defines, in prometheus.series */
};

enum prom_state {
    PROM_RUNNING,
    PROM_CHECKPOINT, /* built, not renamed yet */
    PROM_DELETING,   /* old segments go, one a step */
    PROM_DOWN,
    PROM_REPLAYING,        /* the new segment is there */
    PROM_REPAIRING,        /* the torn segment was moved aside */
    PROM_REPAIRING_SLOWLY, /* and a part of its copy written */
    PROM_DONE
};

struct prometheus {
    struct prometheus_conf conf;
    struct fake_os *os;
    struct oracle *oracle;
    struct report *report;
    struct rng rng;
    const char *dir;
    int64_t clock_ms; /* from monotonic to its wall clock, which never jumps */
    enum prom_state state;
    int64_t step_ms; /* of the state; monotonic, as all times here */
    int64_t truncate_at_ms, restart_at_ms, flush_at_ms, flip_at_ms;
    struct prom_set *sets;
    size_t sets_count;
    struct prom_series *series;
    size_t series_count, series_capacity;
    struct prom_target targets[TARGETS_MAX];
    uint64_t next_ref, next_ghost;
    uint32_t ghost;                  /* oracle's series of the refs that have no series record */
    uint32_t first_segment, segment; /* on disk */
    uint32_t records;                /* in the segment */
    struct wal_writer writer;
    size_t written; /* bytes of it in the file */
    struct prom_record queue[RECORDS_QUEUED_MAX];
    size_t queue_count;
    struct prom_record history[RECORDS_QUEUED_MAX]; /* of the segment, the first ones */
    size_t history_count;
    bool refs_again; /* refs of a lost tail are given out again, to other series */
    bool has_checkpoint, has_old_checkpoint, torn;
    uint32_t torn_segment;
    struct rng lives_rng;
    uint32_t lives;      /* that ended */
    struct buf *archive; /* as `kept`, of closed segments; by number */
    size_t archive_count;
    struct prom_backup backup;
    int64_t backup_at_ms;
    uint32_t checkpoint, old_checkpoint, checkpoint_next;
    struct buf record;
    struct buf kept;  /* the segment's records as logged, each after its length */
    struct buf whole; /* those of a torn segment that are whole */
    enum wal_writer_compression repair_compression;
    uint32_t series_logged, series_logged_count; /* defined by the record being logged */
    uint32_t late_series;                        /* one series record held back; ORACLE_NONE */
    int64_t late_at_ms;
    bool ending;
    uint64_t restarts, crashes, repairs, checkpoints;
};

void prometheus_init(struct prometheus *prom, const struct prometheus_conf *conf, uint64_t seed);
void prometheus_release(struct prometheus *prom);
/* Makes the directory and the first segment. os, oracle, report and dir are set.
 * externals: those of the oracle's names, from 0 on. With `conf.relabels` the final labels are
 * those after the rules of scenario_rules.c. */
void prometheus_start(struct prometheus *prom, const struct externals *externals, size_t count);
/* When it does something next; INT64_MAX: never again. */
int64_t prometheus_deadline(const struct prometheus *prom);
/* Does what is due; true: files changed. */
bool prometheus_step(struct prometheus *prom, int64_t now_ms);
/* Goes on with few scrapes and no mischief. */
void prometheus_calm(struct prometheus *prom);
/* No new scrapes, restarts and truncations: what was begun is finished, then PROM_DONE. */
void prometheus_end(struct prometheus *prom);

/* ---- prom_sets.c ---- */
void sets_make(struct prometheus *prom, const struct externals *externals, size_t count);

/* ---- prom_records.c ---- */
enum { SAMPLES_MAX = 512 };
struct scrape {
    struct wal_sample samples[SAMPLES_MAX];
    uint32_t source[SAMPLES_MAX]; /* prom series; ORACLE_NONE: a ghost */
    size_t count, logged;
    uint32_t series_first; /* new ones: to the end of prom->series */
};
void records_kind(struct prometheus *prom, const struct scrape *scrape, bool exemplars);
void records_other(struct prometheus *prom);

/* ---- prom_disk.c ---- */
void disk_path(const struct prometheus *prom, char *out, size_t bytes, const char *format,
               uint32_t number);
/* Logs prom->record; its items have the numbers from item_first on, the series it defines are
 * prom->series_logged. */
void disk_log(struct prometheus *prom, uint32_t item_first);
/* Brings the file up to `bytes` of the segment, SIZE_MAX: all. */
void disk_push(struct prometheus *prom, size_t bytes);
void disk_push_part(struct prometheus *prom);
void disk_roll(struct prometheus *prom);
void disk_stop(struct prometheus *prom);
void disk_kill(struct prometheus *prom);
void disk_segment_new(struct prometheus *prom, uint32_t number);
void disk_repair_begin(struct prometheus *prom);
void disk_repair_part(struct prometheus *prom);
void disk_repair_end(struct prometheus *prom);
/* A byte of some segment is another one from now on. */
void disk_flip(struct prometheus *prom);

/* ---- prom_lives.c ---- */
/* The records of a segment that gets no more. */
void lives_keep(struct prometheus *prom, uint32_t number, const struct buf *records);
/* At a start, what somebody did to the directory meanwhile. The number of the next segment. */
uint32_t lives_next(struct prometheus *prom);
void lives_begin(struct prometheus *prom); /* the head runs */
/* Before the files from this segment on go: what the spool has of them is told. */
void lives_going(struct prometheus *prom, uint32_t segment);
/* A record can't be read: true, and from there on all is to be repaired away. */
bool lives_rot(struct prometheus *prom);
/* Before its file goes: whether the spool has it is told. */
void lives_segment_deleted(struct prometheus *prom, uint32_t number);
/* A new checkpoint lacks it. */
void lives_series_dropped(struct prometheus *prom, uint32_t series);
void lives_release(struct prometheus *prom);

/* ---- prom_backup.c ---- */
void backup_take(struct prometheus *prom);
void backup_restore(struct prometheus *prom); /* while the head is down */
void backup_release(struct prometheus *prom);

/* ---- prom_checkpoint.c ---- */
bool checkpoint_build(struct prometheus *prom); /* false: nothing to do by the rules */
void checkpoint_rename(struct prometheus *prom);
bool checkpoint_delete_one(struct prometheus *prom); /* false: all done */
void checkpoint_clean(struct prometheus *prom);

#endif

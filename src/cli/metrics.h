/* metrics.h - what /metrics says: one table (metrics_table.c) makes the page, docs/METRICS.md and
 * the test. A row is a field of a struct of engine.h or of struct metrics_process, or a function
 * where there are more labels than those of its scope.
 *
 * A new metric: a field in engine_*_stats, filled in src/engine/stats.c, and one row. Then
 * `WALSHIP_GOLDEN_WRITE=1 build/dev/test_cli` and read the difference. */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

#include <walship/engine.h>
#include <walship/expo.h>

/* Of walship itself, not of its engine. */
struct metrics_process {
    double cpu_seconds;
    double started_seconds; /* Unix time */
    uint64_t resident_bytes;
    uint64_t open_files;
    bool reload_good;        /* the configuration file, when last read */
    double reloaded_seconds; /* Unix time of the last good one */
};

/* Everything a page is made of, taken once. */
struct metrics_view {
    struct metrics_process process;
    struct engine_stats engine;
    struct engine_destination_stats *destinations; /* engine.destinations_count */
    struct engine_endpoint_stats *endpoints;       /* of all of them, one after another */
    size_t endpoints_count;
};

enum metric_scope {
    METRIC_PROCESS,
    METRIC_ENGINE,
    METRIC_DESTINATION, /* remote_name */
    METRIC_CONSUMER,    /* of a destination too, named as Prometheus' WAL watcher does: consumer */
    METRIC_QUEUE,       /* of a destination, but with the url of its first endpoint: Prometheus has
                           one url a queue, and its alerts join on both labels */
    METRIC_ENDPOINT,    /* remote_name, url */
    METRIC_CUSTOM
};

enum metric_kind { METRIC_U64, METRIC_U32, METRIC_I64, METRIC_BOOL, METRIC_DOUBLE };

typedef bool metric_write_fn(const struct metrics_view *view, const struct expo_metric *metric,
                             struct buf *out);

struct metric {
    struct expo_metric head;
    enum metric_scope scope;
    enum metric_kind kind;
    size_t offset;
    double divide;          /* 0: as it is; 1000: ms to seconds */
    metric_write_fn *write; /* METRIC_CUSTOM */
};

/* metrics_quota.c: by dimension */
metric_write_fn metrics_quota_used, metrics_quota_limit, metrics_quota_learned,
    metrics_quota_shared;

/* metrics_kinds.c: of samples, histograms and exemplars one by one */
metric_write_fn metrics_samples_in, metrics_histograms_in, metrics_exemplars_in;
metric_write_fn metrics_samples_dropped, metrics_histograms_dropped, metrics_exemplars_dropped;
metric_write_fn metrics_samples_failed, metrics_histograms_failed, metrics_exemplars_failed;

extern const struct metric metrics_table[];
extern const size_t metrics_count;

void metrics_take(struct metrics_view *view, const struct engine *engine,
                  const struct metrics_process *process);
void metrics_release(struct metrics_view *view);
MUST_USE bool metrics_page(const struct metrics_view *view, struct buf *out);
MUST_USE bool metrics_document(struct buf *out); /* docs/METRICS.md */

/* Endpoint by endpoint with its destination, for rows of their own: from {0}. */
struct metrics_walk {
    const struct engine_destination_stats *destination;
    const struct engine_endpoint_stats *endpoint;
    struct expo_label labels[3]; /* remote_name, url, and room for one more */
    size_t at, all;              /* endpoints so far: of this destination, of all */
    size_t next;                 /* destination behind this one */
};
/* False: there is none more. */
bool metrics_next(const struct metrics_view *view, struct metrics_walk *walk);
/* One line with remote_name and url. */
bool metrics_here(const struct metrics_walk *walk, const struct expo_metric *metric,
                  struct buf *out, double value);

#endif

/* plan.h - what the load of a WAL needs of a receiver: counted and encoded from its records, no
 * network. Two walks: plan_learn over all records, then plan_record over those of the segments in
 * order, then plan_end. Owns what it allocates. */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include "catalog.h"

#include <walship/buf.h>

enum { PLAN_WINDOW = 1 << 16, PLAN_TOP = 10, PLAN_MINUTES_MAX = 1 << 20 };

struct plan_options {
    uint32_t samples_max; /* of a request */
    uint32_t bytes_max;   /* of its compressed body */
    int64_t deadline_ms;  /* batch_send_deadline */
};

/* What a value of a label sends. */
struct plan_share {
    struct label label; /* of the catalog's strings; an empty value: series without it */
    uint64_t samples, series;
};

struct plan_item {
    uint32_t set;
    uint32_t order;
    uint32_t shard;
    int64_t t_ms;
    uint64_t bits;
    size_t histogram, histogram_bytes; /* in the room; 0 bytes: a float */
};

struct plan {
    struct plan_options options;
    struct catalog catalog;
    uint64_t *samples_of; /* by set */
    uint8_t *shard_of;
    uint32_t sets; /* room of it */
    struct refmap *minutes;
    uint32_t *minute_counts;
    size_t minutes_count;
    uint64_t minutes_beyond; /* samples of minutes beyond the room */
    struct plan_item *items; /* of the requests in the making: PLAN_WINDOW */
    uint32_t items_count;
    struct buf histograms, raw, compressed;
    /* what was found */
    uint64_t samples, unknown, undecodable, requests, bytes;
    uint64_t full, full_pieces;    /* requests full by samples, and how many bodies they made */
    uint64_t peak, series, active; /* peak: samples of the busiest minute */
    int64_t first_ms, last_ms;
    struct plan_share metrics[PLAN_TOP], jobs[PLAN_TOP];
    size_t metrics_count, jobs_count;
    struct plan_share metrics_by_series[PLAN_TOP], jobs_by_series[PLAN_TOP];
};

void plan_init(struct plan *plan, const struct plan_options *options);
void plan_release(struct plan *plan);
void plan_learn(struct plan *plan, struct view record, const struct position *at);
void plan_record(struct plan *plan, struct view record, const struct position *at);
void plan_end(struct plan *plan);

/* ---- plan_needs.c ---- */

/* Azure Monitor's published limits, a minute, and what walship aims at of them (quota.h). */
#define PLAN_REQUESTS_MAX 15000u
#define PLAN_BYTES_MAX    (50ull << 30)
#define PLAN_SAMPLES_MAX  1000000u
#define PLAN_SERIES_MAX   1000000u

struct plan_needs {
    double samples_mean, samples_peak; /* a minute */
    double sample_bytes;               /* compressed, labels included */
    double request_samples;            /* in a full request */
    double requests_mean;              /* by one pair at that deadline, part-filled ones included */
    double requests_peak;              /* in the busiest minute, all full */
    double bytes_peak;
    uint64_t workspaces, pairs;
};

void plan_needs(const struct plan *plan, struct plan_needs *out);
/* False: out is full. */
bool plan_text(const struct plan *plan, struct buf *out);
bool plan_json(const struct plan *plan, struct buf *out);

#endif

/* metrics_kinds.c - what Prometheus counts of samples, histograms and exemplars one by one: taken
 * in, dropped, failed. */
#include "metrics.h"

typedef uint64_t kind_fn(const struct engine_kinds *kinds);

static uint64_t samples(const struct engine_kinds *kinds)
{
    return kinds->samples;
}

static uint64_t histograms(const struct engine_kinds *kinds)
{
    return kinds->histograms;
}

static uint64_t exemplars(const struct engine_kinds *kinds)
{
    return kinds->exemplars;
}

/* ---- in: Prometheus counts once what all its queues are given ---- */

static bool in_write(const struct metrics_view *view, const struct expo_metric *metric,
                     struct buf *out, kind_fn *kind)
{
    uint64_t most = 0;
    for (size_t i = 0; i < view->engine.destinations_count; i++) {
        uint64_t read = kind(&view->destinations[i].kinds.read);
        most = read > most ? read : most;
    }
    return expo_value(out, metric, NULL, 0, (double)most);
}

bool metrics_samples_in(const struct metrics_view *view, const struct expo_metric *metric,
                        struct buf *out)
{
    return in_write(view, metric, out, samples);
}

bool metrics_histograms_in(const struct metrics_view *view, const struct expo_metric *metric,
                           struct buf *out)
{
    return in_write(view, metric, out, histograms);
}

bool metrics_exemplars_in(const struct metrics_view *view, const struct expo_metric *metric,
                          struct buf *out)
{
    return in_write(view, metric, out, exemplars);
}

/* ---- dropped ---- */

/* What Prometheus calls dropped, not failed. */
static bool is_dropped(enum loss_reason reason)
{
    return reason == LOSS_TOO_OLD || reason == LOSS_UNKNOWN_REF || reason == LOSS_UNSUPPORTED;
}

static bool dropped_of(const struct metrics_view *view, const struct expo_metric *metric,
                       struct buf *out, kind_fn *kind, size_t destination, const char *url)
{
    const struct engine_destination_stats *stats = &view->destinations[destination];
    const struct {
        const char *reason;
        uint64_t count;
    } rows[] = {{"too_old", kind(&stats->kinds.lost[LOSS_TOO_OLD])},
                {"dropped_series", kind(&stats->kinds.dropped)},
                {"unintentionally_dropped_series", kind(&stats->kinds.lost[LOSS_UNKNOWN_REF])},
                {"nhcb_in_rw1_not_supported", kind(&stats->kinds.lost[LOSS_UNSUPPORTED])},
                {"out_of_order", kind(&stats->kinds.stale)}};
    bool ok = true;
    for (size_t i = 0; ok && i < ARRAY_COUNT(rows); i++) {
        const struct expo_label labels[] = {
            {"remote_name", stats->name}, {"url", url}, {"reason", rows[i].reason}};
        ok = expo_value(out, metric, labels, ARRAY_COUNT(labels), (double)rows[i].count);
    }
    return ok;
}

static bool dropped_write(const struct metrics_view *view, const struct expo_metric *metric,
                          struct buf *out, kind_fn *kind)
{
    size_t first = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < view->engine.destinations_count; i++) {
        ok = dropped_of(view, metric, out, kind, i, view->endpoints[first].url);
        first += view->destinations[i].endpoints_count;
    }
    return ok;
}

bool metrics_samples_dropped(const struct metrics_view *view, const struct expo_metric *metric,
                             struct buf *out)
{
    return dropped_write(view, metric, out, samples);
}

bool metrics_histograms_dropped(const struct metrics_view *view, const struct expo_metric *metric,
                                struct buf *out)
{
    return dropped_write(view, metric, out, histograms);
}

bool metrics_exemplars_dropped(const struct metrics_view *view, const struct expo_metric *metric,
                               struct buf *out)
{
    return dropped_write(view, metric, out, exemplars);
}

/* ---- failed ---- */

/* What no endpoint refused (over the budget, an endpoint that is no more) is counted with the first
 * one, so that the alert on failures sees it. */
static uint64_t failed_of(const struct engine_destination_stats *destination,
                          const struct engine_endpoint_stats *endpoint, bool first, kind_fn *kind)
{
    uint64_t failed = 0;
    for (unsigned i = 0; i < LOSS_REASONS; i++) {
        failed += is_dropped((enum loss_reason)i) ? 0 : kind(&destination->kinds.lost[i]);
    }
    uint64_t refused = kind(&destination->kinds.refused);
    ASSERT(refused <= failed); /* each is a loss too */
    return kind(&endpoint->kinds.failed) + (first ? failed - refused : 0);
}

static bool failed_write(const struct metrics_view *view, const struct expo_metric *metric,
                         struct buf *out, kind_fn *kind)
{
    struct metrics_walk walk = {0};
    bool ok = true;
    while (ok && metrics_next(view, &walk)) {
        uint64_t failed = failed_of(walk.destination, walk.endpoint, walk.at == 1, kind);
        ok = metrics_here(&walk, metric, out, (double)failed);
    }
    return ok;
}

bool metrics_samples_failed(const struct metrics_view *view, const struct expo_metric *metric,
                            struct buf *out)
{
    return failed_write(view, metric, out, samples);
}

bool metrics_histograms_failed(const struct metrics_view *view, const struct expo_metric *metric,
                               struct buf *out)
{
    return failed_write(view, metric, out, histograms);
}

bool metrics_exemplars_failed(const struct metrics_view *view, const struct expo_metric *metric,
                              struct buf *out)
{
    return failed_write(view, metric, out, exemplars);
}

/* metrics_quota.c - how much of the quotas is used, and what was learned of them: one sample for
 * each dimension that has a limit. */
#include "metrics.h"

typedef double quota_value_fn(const struct engine_quota_stats *stats, unsigned dimension);

static double used_ratio(const struct engine_quota_stats *stats, unsigned dimension)
{
    return stats->limit[dimension] == 0
               ? 0
               : (double)stats->used[dimension] / (double)stats->limit[dimension];
}

static double limit(const struct engine_quota_stats *stats, unsigned dimension)
{
    return (double)stats->limit[dimension];
}

static double learned(const struct engine_quota_stats *stats, unsigned dimension)
{
    return (double)stats->learned[dimension];
}

/* labels: room for one more behind labels_count. */
static bool dimensions_write(const struct expo_metric *metric,
                             const struct engine_quota_stats *stats, struct expo_label labels[3],
                             quota_value_fn *value, struct buf *out)
{
    size_t count = labels[1].name == NULL ? 1 : 2;
    bool ok = true;
    for (unsigned i = 0; ok && i < QUOTA_DIMENSIONS; i++) {
        bool shown = value == learned ? stats->learned[i] > 0 : stats->limit[i] > 0;
        labels[count] =
            (struct expo_label){"dimension", quota_dimension_name((enum quota_dimension)i)};
        ok = !shown || expo_value(out, metric, labels, count + 1, value(stats, i));
    }
    return ok;
}

static bool by_endpoint(const struct metrics_view *view, const struct expo_metric *metric,
                        quota_value_fn *value, struct buf *out)
{
    struct metrics_walk walk = {0};
    bool ok = true;
    while (ok && metrics_next(view, &walk)) {
        ok = dimensions_write(metric, &walk.endpoint->quota, walk.labels, value, out);
    }
    return ok;
}

bool metrics_quota_used(const struct metrics_view *view, const struct expo_metric *metric,
                        struct buf *out)
{
    return by_endpoint(view, metric, used_ratio, out);
}

bool metrics_quota_limit(const struct metrics_view *view, const struct expo_metric *metric,
                         struct buf *out)
{
    return by_endpoint(view, metric, limit, out);
}

bool metrics_quota_learned(const struct metrics_view *view, const struct expo_metric *metric,
                           struct buf *out)
{
    return by_endpoint(view, metric, learned, out);
}

bool metrics_quota_shared(const struct metrics_view *view, const struct expo_metric *metric,
                          struct buf *out)
{
    bool ok = true;
    for (size_t i = 0; ok && i < view->engine.destinations_count; i++) {
        const struct engine_destination_stats *destination = &view->destinations[i];
        struct expo_label labels[3] = {{"remote_name", destination->name}};
        ok = dimensions_write(metric, &destination->quota, labels, used_ratio, out);
    }
    return ok;
}

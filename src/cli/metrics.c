/* metrics.c - the page and its documentation, from the table. */
#include "metrics.h"

#include <walship/mem.h>

void metrics_take(struct metrics_view *view, const struct engine *engine,
                  const struct metrics_process *process)
{
    *view = (struct metrics_view){.process = *process};
    engine_stats(engine, &view->engine);
    size_t count = view->engine.destinations_count;
    view->destinations = mem_new(count + 1, sizeof *view->destinations);
    for (size_t i = 0; i < count; i++) {
        engine_destination_stats(engine, i, &view->destinations[i]);
        view->endpoints_count += view->destinations[i].endpoints_count;
    }
    view->endpoints = mem_new(view->endpoints_count + 1, sizeof *view->endpoints);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < view->destinations[i].endpoints_count; k++) {
            engine_endpoint_stats(engine, i, k, &view->endpoints[at++]);
        }
    }
    ASSERT(at == view->endpoints_count);
}

void metrics_release(struct metrics_view *view)
{
    mem_free(view->destinations);
    mem_free(view->endpoints);
    *view = (struct metrics_view){0};
}

bool metrics_next(const struct metrics_view *view, struct metrics_walk *walk)
{
    while (walk->destination == NULL || walk->at == walk->destination->endpoints_count) {
        if (walk->next == view->engine.destinations_count) {
            return false;
        }
        walk->destination = &view->destinations[walk->next++];
        walk->at = 0;
    }
    ASSERT(walk->all < view->endpoints_count);
    walk->endpoint = &view->endpoints[walk->all++];
    walk->at++;
    walk->labels[0] = (struct expo_label){"remote_name", walk->destination->name};
    walk->labels[1] = (struct expo_label){"url", walk->endpoint->url};
    return true;
}

bool metrics_here(const struct metrics_walk *walk, const struct expo_metric *metric,
                  struct buf *out, double value)
{
    return expo_value(out, metric, walk->labels, 2, value);
}

static double value_of(const struct metric *row, const void *from)
{
    const void *at = (const char *)from + row->offset;
    double value = 0;
    switch (row->kind) {
    case METRIC_U64:
        value = (double)*(const uint64_t *)at;
        break;
    case METRIC_U32:
        value = (double)*(const uint32_t *)at;
        break;
    case METRIC_I64:
        value = (double)*(const int64_t *)at;
        break;
    case METRIC_BOOL:
        value = *(const bool *)at ? 1 : 0;
        break;
    case METRIC_DOUBLE:
        value = *(const double *)at;
        break;
    }
    return row->divide > 0 ? value / row->divide : value;
}

static bool by_destination(const struct metrics_view *view, const struct metric *row,
                           struct buf *out)
{
    bool ok = true;
    size_t first = 0; /* its first endpoint */
    for (size_t i = 0; ok && i < view->engine.destinations_count; i++) {
        const struct engine_destination_stats *stats = &view->destinations[i];
        struct expo_label labels[2] = {
            {row->scope == METRIC_CONSUMER ? "consumer" : "remote_name", stats->name}};
        size_t labels_count = 1;
        if (row->scope == METRIC_QUEUE) {
            labels[labels_count++] = (struct expo_label){"url", view->endpoints[first].url};
        }
        ok = expo_value(out, &row->head, labels, labels_count, value_of(row, stats));
        first += stats->endpoints_count;
    }
    return ok;
}

static bool by_endpoint(const struct metrics_view *view, const struct metric *row, struct buf *out)
{
    struct metrics_walk walk = {0};
    bool ok = true;
    while (ok && metrics_next(view, &walk)) {
        ok = metrics_here(&walk, &row->head, out, value_of(row, walk.endpoint));
    }
    return ok;
}

static bool row_write(const struct metrics_view *view, const struct metric *row, struct buf *out)
{
    switch (row->scope) {
    case METRIC_PROCESS:
        return expo_value(out, &row->head, NULL, 0, value_of(row, &view->process));
    case METRIC_ENGINE:
        return expo_value(out, &row->head, NULL, 0, value_of(row, &view->engine));
    case METRIC_DESTINATION:
    case METRIC_CONSUMER:
    case METRIC_QUEUE:
        return by_destination(view, row, out);
    case METRIC_ENDPOINT:
        return by_endpoint(view, row, out);
    case METRIC_CUSTOM:
        return row->write(view, &row->head, out);
    }
    ASSERT(!"a row of the table has a known scope");
    return false;
}

bool metrics_page(const struct metrics_view *view, struct buf *out)
{
    bool ok = true;
    for (size_t i = 0; ok && i < metrics_count; i++) {
        ok = expo_head(out, &metrics_table[i].head) && row_write(view, &metrics_table[i], out);
    }
    return ok;
}

static const char *labels_of(const struct metric *row)
{
    switch (row->scope) {
    case METRIC_PROCESS:
    case METRIC_ENGINE:
        return "";
    case METRIC_DESTINATION:
        return "remote_name";
    case METRIC_CONSUMER:
        return "consumer";
    case METRIC_QUEUE:
        return "remote_name, url of the first endpoint";
    case METRIC_ENDPOINT:
        return "remote_name, url";
    case METRIC_CUSTOM:
        return "see there";
    }
    ASSERT(!"a row of the table has a known scope");
    return "";
}

bool metrics_document(struct buf *out)
{
    bool ok = buf_format(
        out, "# Metrics\n\nMade from the table in src/cli/metrics_table.c; served at `/metrics` of "
             "`listen_address`. Names that begin with `prometheus_` mean what they mean in "
             "Prometheus, so that its alerts and dashboards for remote write work with the job of "
             "walship. Where a destination has several endpoints, each is a `url` of its own; what "
             "concerns the destination as a whole carries the `url` of the first.\n\n"
             "| name | type | labels | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; ok && i < metrics_count; i++) {
        const struct metric *row = &metrics_table[i];
        ok = buf_format(out, "| `%s` | %s | %s | %s |\n", row->head.name,
                        expo_type_name(row->head.type), labels_of(row), row->head.help);
    }
    return ok;
}

/* pages.c - which page is which, and whether walship is ready. */
#include "pages.h"

#include "process.h"
#include "shards.h"

static bool metrics_write(struct pages *pages, struct buf *out)
{
    struct metrics_view view;
    process_read(&pages->process);
    metrics_take(&view, pages->engine, &pages->process);
    bool ok = metrics_page(&view, out);
    metrics_release(&view);
    return ok;
}

/* One line for each endpoint that does not take requests, of a destination without any other. */
static bool destination_ready(const struct engine *engine, size_t index, struct buf *why)
{
    struct engine_destination_stats destination;
    struct engine_endpoint_stats stats;
    engine_destination_stats(engine, index, &destination);
    for (size_t k = 0; k < destination.endpoints_count; k++) {
        engine_endpoint_stats(engine, index, k, &stats);
        if (stats.state == ENDPOINT_OPEN && (!stats.has_identity || stats.token_valid)) {
            return true;
        }
    }
    for (size_t k = 0; k < destination.endpoints_count; k++) {
        engine_endpoint_stats(engine, index, k, &stats);
        bool token = stats.state == ENDPOINT_OPEN;
        if (!buf_format(why, "%s: %s: %s%s%s\n", destination.name, stats.url,
                        token ? "no valid token" : endpoint_state_name(stats.state),
                        token || *stats.last_error == 0 ? "" : ": ",
                        token ? "" : stats.last_error)) {
            break; /* the page says enough */
        }
    }
    return false;
}

bool pages_ready(const struct engine *engine, struct buf *why)
{
    struct engine_stats all;
    engine_stats(engine, &all);
    if (all.scanning) {
        bool ok = buf_format(why, "loading the series of the WAL\n");
        ASSERT(ok);
        return false;
    }
    bool ready = true;
    for (size_t i = 0; i < all.destinations_count; i++) {
        ready = destination_ready(engine, i, why) && ready;
    }
    return ready;
}

static bool ready_write(struct pages *pages, struct status_page *out)
{
    if (pages_ready(pages->engine, out->body)) {
        return buf_format(out->body, "walship is ready\n");
    }
    out->status = 503;
    return true;
}

static bool metrics_page_write(struct pages *pages, struct status_page *out)
{
    out->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return metrics_write(pages, out->body);
}

static bool status_write(struct pages *pages, struct status_page *out)
{
    out->content_type = "application/json";
    return pages_status(pages->engine, out->body);
}

static bool shards_page_write(struct pages *pages, struct status_page *out)
{
    return shards_write(pages->engine, out->body);
}

static bool healthy_write(struct pages *pages, struct status_page *out)
{
    (void)pages;
    return buf_format(out->body, "walship is healthy\n");
}

static bool reload_write(struct pages *pages, struct status_page *out)
{
    if (pages->reload == NULL) {
        out->status = 501;
        return buf_format(out->body, "no reload here\n");
    }
    out->status = pages->reload(pages->context, out->body) ? 200 : 500;
    return true;
}

/* What the Azure side car took. A Prometheus that still sends there would be told nothing by a 2xx
 * and would lose its samples by a 4xx; 503 keeps it asking, and this line in its log. */
static bool write_write(struct pages *pages, struct status_page *out)
{
    (void)pages;
    out->status = 503;
    return buf_format(out->body,
                      "walship takes no remote write: it reads Prometheus' WAL. Remove the "
                      "remote_write block whose url ends in /api/v1/write at this port from "
                      "prometheus.yml\n");
}

typedef bool page_fn(struct pages *pages, struct status_page *out);

static const struct row {
    const char *path;
    enum status_method method;
    bool guarded; /* from this machine or as a user only, and not by a browser for some site */
    page_fn *write;
} rows[] = {
    {"/metrics", STATUS_GET, false, metrics_page_write},
    {"/status", STATUS_GET, false, status_write},
    {"/api/v1/shards", STATUS_GET, true, shards_page_write},
    {"/-/healthy", STATUS_GET, false, healthy_write},
    {"/health", STATUS_GET, false, healthy_write},
    {"/-/ready", STATUS_GET, false, ready_write},
    {"/ready", STATUS_GET, false, ready_write},
    {"/-/reload", STATUS_POST, true, reload_write},
    {"/api/v1/write", STATUS_POST, false, write_write},
};

bool pages_write(void *context, const struct status_request *request, struct status_page *out)
{
    struct pages *pages = context;
    ASSERT(pages->engine != NULL);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        if (strcmp(request->path, row->path) != 0) {
            continue;
        }
        if (request->method != row->method) {
            out->status = 405;
            return buf_format(out->body, "only %s here\n",
                              row->method == STATUS_GET ? "GET" : "POST");
        }
        if (row->guarded && !request->is_local && !request->authenticated) {
            out->status = 403;
            return buf_format(out->body, "only from this machine, or as a user of web_config\n");
        }
        if (row->guarded && request->by_web_page) {
            out->status = 403;
            return buf_format(out->body, "not for a web page\n");
        }
        return row->write(pages, out);
    }
    return false;
}

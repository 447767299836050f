/* pages.c - which page is which, and whether walship is ready. */
#include "pages.h"

#include "process.h"

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

static bool ready_write(const struct engine *engine, struct status_page *out)
{
    if (pages_ready(engine, out->body)) {
        return buf_format(out->body, "walship is ready\n");
    }
    out->status = 503;
    return true;
}

bool pages_write(void *context, const char *path, struct status_page *out)
{
    struct pages *pages = context;
    ASSERT(pages->engine != NULL);
    if (strcmp(path, "/metrics") == 0) {
        out->content_type = "text/plain; version=0.0.4; charset=utf-8";
        return metrics_write(pages, out->body);
    }
    if (strcmp(path, "/status") == 0) {
        out->content_type = "application/json";
        return pages_status(pages->engine, out->body);
    }
    if (strcmp(path, "/-/healthy") == 0 || strcmp(path, "/health") == 0) {
        return buf_format(out->body, "walship is healthy\n");
    }
    if (strcmp(path, "/-/ready") == 0 || strcmp(path, "/ready") == 0) {
        return ready_write(pages->engine, out);
    }
    return false;
}

/* pages.h - what walship serves: GET /metrics, /status (JSON), /api/v1/shards (shards.h),
 * /-/healthy, /-/ready (also /health and /ready), POST /-/reload, and a POST /api/v1/write that
 * says why it takes nothing. */
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include "metrics.h"

#include <walship/engine.h>
#include <walship/status_mhd.h>

struct pages {
    const struct engine *engine; /* borrowed */
    struct metrics_process process;
    /* POST /-/reload. False: nothing changed, the reason is in *said. */
    bool (*reload)(void *context, struct buf *said);
    void *context;
};

/* context: a struct pages. */
bool pages_write(void *context, const struct status_request *request, struct status_page *out);
/* The status as JSON; false: out is full. */
bool pages_status(const struct engine *engine, struct buf *out);
/* Ready: the series are loaded and each destination has an endpoint that takes requests. Else *why
 * gets a line for each thing that is not so. */
bool pages_ready(const struct engine *engine, struct buf *why);

#endif

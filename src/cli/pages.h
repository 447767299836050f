/* pages.h - what walship serves: /metrics, /status (JSON), /-/healthy, /-/ready. */
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include <walship/engine.h>
#include <walship/status_mhd.h>

/* context: the struct engine. */
bool pages_write(void *context, const char *path, struct status_page *out);
/* The status as JSON; false: out is full. */
bool pages_status(const struct engine *engine, struct buf *out);
/* Why it is not ready; NULL: it is. */
const char *pages_not_ready(const struct engine *engine);

#endif

/* workspace.h - what an Azure Monitor workspace does with samples after they were accepted: limits,
 * the time window, order, duplicates, all without regard to case.
 *
 * Shared by the pairs that name it. A sample that is dropped gets the reason under which Azure
 * counts it (TimeSeriesSamplesDropped). Per series only the newest timestamp is remembered: an
 * equal one is a Duplicate, an older one OutOfOrder. Memory: the folded labels of each series, at
 * most WORKSPACE_KEY_BYTES_MAX (then all is forgotten). Loop thread only. */
#ifndef EMULATOR_WORKSPACE_H
#define EMULATOR_WORKSPACE_H

#include "options.h"

#include <walship/view.h>

enum { WORKSPACE_KEY_BYTES_MAX = 1 << 30, SERIES_LABELS_MAX = 63 };
enum { LABEL_NAME_BYTES_MAX = 511, LABEL_VALUE_BYTES_MAX = 1023 };

enum drop_reason {
    DROP_NONE,
    DROP_DUPLICATE,
    DROP_OUT_OF_ORDER,
    DROP_LIMIT,
    DROP_FUTURE,
    DROP_OLD,
    DROP_RESERVED,
    DROP_BAD,
    DROPS_COUNT
};

/* Azure's names; NULL for DROP_NONE. */
extern const char *const DROP_NAMES[DROPS_COUNT];

struct workspace;

struct workspace *workspace_new(const struct workspace_options *options);
void workspace_free(struct workspace *workspace); /* NULL-safe */

struct workspace_request {
    struct view samples; /* a checked WriteRequest */
    uint64_t samples_count;
    int64_t now_ms;  /* monotonic, of the buckets */
    int64_t wall_ms; /* Unix, of the window */
};

struct workspace_result {
    uint64_t dropped;
    int64_t wait_ms;   /* refused: when to come again */
    const char *limit; /* refused: which */
};

/* Appends one reason a sample. False: the whole request is refused (429), and nothing of it was
 * remembered. */
MUST_USE bool workspace_judge(struct workspace *workspace, const struct workspace_request *request,
                              struct buf *reasons, struct workspace_result *result);
uint64_t workspace_dropped(const struct workspace *workspace, enum drop_reason reason);
uint64_t workspace_active_series(const struct workspace *workspace);
const struct workspace_options *workspace_options(const struct workspace *workspace);

#endif

/* walscan.h - all records of a WAL directory once, from a frozen end: for dump, stat and plan.
 *
 * Order: the newest checkpoint (if asked for), then the segments. Damage and gaps are passed on and
 * reading continues; a directory that changes under the scan is reported as a failure.
 * Owns the directory, one tail and the progress line. */
#ifndef CLI_WALSCAN_H
#define CLI_WALSCAN_H

#include "progress.h"

#include <walship/tail.h>

enum walscan_read { WALSCAN_RECORD, WALSCAN_DAMAGE, WALSCAN_GAP, WALSCAN_END, WALSCAN_FAILED };

struct walscan {
    struct os *os; /* owned */
    struct waldir *dir;
    struct tail *tail;  /* NULL: not begun */
    bool in_checkpoint; /* the record last given is a checkpoint's */
    bool begun;
    bool has_checkpoint;
    uint32_t checkpoint;
    uint64_t bytes; /* all segments, as frozen */
    uint64_t passes_done_bytes;
    struct progress progress;
};

/* passes: how often the caller will go through it (for the progress line). */
bool walscan_open(struct walscan *scan, const char *path, unsigned passes, bool busy_stdout,
                  struct err *err);
void walscan_close(struct walscan *scan);
/* Back to the start; with_checkpoint: the checkpoint's records come first. */
void walscan_begin(struct walscan *scan, bool with_checkpoint);
/* out is of RECORD, DAMAGE or GAP; err of FAILED. */
enum walscan_read walscan_next(struct walscan *scan, struct tail_out *out, struct err *err);

#endif

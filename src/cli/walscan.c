/* walscan.c - the checkpoint's tail, then the segments' tail. */
#include "walscan.h"

#include <walship/os_linux.h>

static bool open_frozen(struct walscan *scan, const char *path, struct err *err)
{
    bool changed;
    bool replaced;
    scan->dir = waldir_open(scan->os, path, err);
    if (scan->dir == NULL) {
        return false;
    }
    /* twice: what is sealed shows only in a second look */
    for (int look = 0; look < 2; look++) {
        if (!waldir_refresh(scan->dir, &changed, &replaced, err)) {
            return false;
        }
    }
    waldir_freeze(scan->dir);
    return true;
}

bool walscan_open(struct walscan *scan, const char *path, unsigned passes, bool busy_stdout,
                  struct err *err)
{
    ASSERT(passes > 0);
    *scan = (struct walscan){.os = os_linux_new()};
    if (!open_frozen(scan, path, err)) {
        walscan_close(scan);
        return false;
    }
    scan->has_checkpoint = waldir_checkpoint(scan->dir, &scan->checkpoint);
    for (size_t i = 0; i < waldir_count(scan->dir); i++) {
        scan->bytes += waldir_at(scan->dir, i)->bytes;
    }
    progress_start(&scan->progress, scan->os, passes * scan->bytes, busy_stdout);
    return true;
}

void walscan_close(struct walscan *scan)
{
    progress_end(&scan->progress);
    tail_free(scan->tail);
    waldir_free(scan->dir);
    os_linux_free(scan->os);
    *scan = (struct walscan){0};
}

static void tail_place(struct walscan *scan, bool in_checkpoint)
{
    tail_free(scan->tail);
    scan->in_checkpoint = in_checkpoint;
    scan->tail =
        in_checkpoint ? tail_new_checkpoint(scan->dir, scan->checkpoint) : tail_new(scan->dir);
}

void walscan_begin(struct walscan *scan, bool with_checkpoint)
{
    ASSERT(scan->dir != NULL);
    scan->passes_done_bytes += scan->begun ? scan->bytes : 0;
    scan->begun = true;
    tail_place(scan, with_checkpoint && scan->has_checkpoint);
}

static void show(struct walscan *scan)
{
    if (scan->in_checkpoint || !scan->progress.shown) {
        return;
    }
    uint64_t behind = tail_behind_bytes(scan->tail);
    uint64_t done = scan->bytes > behind ? scan->bytes - behind : 0;
    progress_at(&scan->progress, scan->passes_done_bytes + done);
}

enum walscan_read walscan_next(struct walscan *scan, struct tail_out *out, struct err *err)
{
    ASSERT(scan->tail != NULL);
    for (;;) {
        show(scan);
        switch (tail_next(scan->tail, out, err)) {
        case TAIL_WAIT: /* the end of the checkpoint, or of all: a frozen directory never grows */
            if (!scan->in_checkpoint) {
                return WALSCAN_END;
            }
            tail_place(scan, false);
            break;
        case TAIL_RECORD:
            return WALSCAN_RECORD;
        case TAIL_DAMAGE:
            return WALSCAN_DAMAGE;
        case TAIL_GAP:
            return WALSCAN_GAP;
        case TAIL_FAILED:
            return WALSCAN_FAILED;
        }
    }
}

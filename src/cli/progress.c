/* progress.c - one line, redrawn in place. */
#include "progress.h"

#include <inttypes.h>
#include <unistd.h>
#include <walship/assert.h>

enum { FIRST_MS = 1000, STEP_MS = 200, MIB = 1 << 20 };

void progress_start(struct progress *progress, struct os *os, uint64_t total_bytes,
                    bool busy_stdout)
{
    ASSERT(progress != NULL && os != NULL);
    bool stdout_too = busy_stdout && isatty(STDOUT_FILENO) == 1;
    int64_t now_ms = os->now_ms(os);
    *progress = (struct progress){.os = os,
                                  .shown = isatty(STDERR_FILENO) == 1 && !stdout_too,
                                  .start_ms = now_ms,
                                  .next_ms = now_ms + FIRST_MS,
                                  .total_bytes = total_bytes};
}

static void draw(struct progress *progress, uint64_t done_bytes, int64_t now_ms)
{
    uint64_t spent_ms = (uint64_t)(now_ms - progress->start_ms) + 1;
    uint64_t total = progress->total_bytes > done_bytes ? progress->total_bytes : done_bytes;
    uint64_t per_second = done_bytes / spent_ms * 1000 + 1;
    uint64_t left_s = (total - done_bytes) / per_second;
    fprintf(stderr,
            "\r%" PRIu64 " of %" PRIu64 " MiB read (%" PRIu64 " %%), %" PRIu64 " MiB/s, %" PRIu64
            " s left \033[K",
            done_bytes / MIB, total / MIB, total == 0 ? 100 : done_bytes * 100 / total,
            per_second / MIB, left_s);
    fflush(stderr);
    progress->drawn = true;
}

void progress_at(struct progress *progress, uint64_t done_bytes)
{
    if (!progress->shown) {
        return;
    }
    int64_t now_ms = progress->os->now_ms(progress->os);
    if (now_ms < progress->next_ms) {
        return;
    }
    progress->next_ms = now_ms + STEP_MS;
    draw(progress, done_bytes, now_ms);
}

void progress_end(struct progress *progress)
{
    if (progress->drawn) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
        progress->drawn = false;
    }
}

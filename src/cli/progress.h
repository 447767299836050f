/* progress.h - how far a long read of a WAL is, on stderr: bytes, rate, time left. Only on a
 * terminal, and only after a second, so that short work says nothing. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/os.h>

struct progress {
    struct os *os;
    bool shown; /* stderr is a terminal */
    bool drawn; /* a line stands there */
    int64_t start_ms, next_ms;
    uint64_t total_bytes;
};

/* busy_stdout: stdout is a terminal too and lines go there: then nothing is drawn. */
void progress_start(struct progress *progress, struct os *os, uint64_t total_bytes,
                    bool busy_stdout);
/* Cheap enough for every record; draws a few times a second. */
void progress_at(struct progress *progress, uint64_t done_bytes);
void progress_end(struct progress *progress); /* wipes the line */

#endif

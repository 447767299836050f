/* process.h - walship as the kernel sees it, for /metrics. */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include "metrics.h"

/* Fills cpu_seconds, resident_bytes, open_files; what can't be read stays as it is. */
void process_read(struct metrics_process *process);

#endif

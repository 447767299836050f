/* report.h - what a run of one seed has to say: the last trace lines and the first violation.
 *
 * It lies in memory shared with the parent process, so that it outlives an abort of the engine.
 * A violation does not stop the code that finds it: the world looks at report_failed between steps.
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/assert.h>

enum { REPORT_LINES = 60, REPORT_LINE_BYTES = 240 };

struct report {
    uint64_t seed;
    bool echo; /* --trace: lines go to stdout at once */
    bool failed;
    bool finished;
    char violation[1024];
    char scenario[512];
    uint64_t lines; /* ever written */
    char ring[REPORT_LINES][REPORT_LINE_BYTES];
    uint64_t items, arrivals, crashes, turns; /* for the summary */
    int64_t settled_after_ms;                 /* from the end of the faults */
};

void report_line(struct report *report, const char *format, ...) PRINTF_LIKE(2, 3);
/* Only the first one is kept. */
void report_violation(struct report *report, const char *format, ...) PRINTF_LIKE(2, 3);
void report_print(const struct report *report);

#endif

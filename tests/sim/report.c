/* report.c - a ring of lines, and the sentence that says what went wrong. */
#include "report.h"

#include <stdarg.h>

void report_line(struct report *report, const char *format, ...)
{
    char *line = report->ring[report->lines++ % REPORT_LINES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, REPORT_LINE_BYTES, format, args);
    va_end(args);
    size_t bytes = strlen(line);
    if (bytes > 0 && line[bytes - 1] == '\n') {
        line[bytes - 1] = '\0';
    }
    if (report->echo) {
        puts(line);
        (void)fflush(stdout);
    }
}

void report_violation(struct report *report, const char *format, ...)
{
    if (report->failed) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(report->violation, sizeof report->violation, format, args);
    va_end(args);
    report->failed = true;
    report_line(report, "VIOLATION %s", report->violation);
}

void report_print(const struct report *report)
{
    printf("---- seed %llu: %s\n     scenario: %s\n", (unsigned long long)report->seed,
           report->failed ? report->violation : "the process ended abnormally (assert?)",
           report->scenario);
    uint64_t first = report->lines > REPORT_LINES ? report->lines - REPORT_LINES : 0;
    for (uint64_t i = first; i < report->lines && !report->echo; i++) {
        printf("     %s\n", report->ring[i % REPORT_LINES]);
    }
    (void)fflush(stdout);
}

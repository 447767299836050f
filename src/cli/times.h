/* times.h - a moment given on the command line: Unix milliseconds, or RFC 3339 in UTC. */
#ifndef CLI_TIMES_H
#define CLI_TIMES_H

#include <stdbool.h>
#include <stdint.h>

/* "1700000000000", "2023-11-14T22:13:20Z", "2023-11-14T22:13:20.5Z". */
bool time_parse(const char *text, int64_t *out_ms);

#endif

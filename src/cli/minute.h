/* minute.h - the line that the Azure side car logs each minute, so that what reads its log goes on
 * reading: "Metric packets published in last 1 minute". */
#ifndef CLI_MINUTE_H
#define CLI_MINUTE_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/engine.h>

struct minute {
    bool wanted;
    int64_t at_ms;
    uint64_t requests, failures, bytes; /* at the last line */
    double seconds;
};

void minute_begin(struct minute *minute, int64_t now_ms, bool wanted);
void minute_run(struct minute *minute, const struct engine *engine, int64_t now_ms);
int64_t minute_deadline(const struct minute *minute);

#endif

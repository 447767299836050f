/* minute.h - the line that the Azure side car logs each minute, so that what reads its log goes on
 * reading: "Metric packets published in last 1 minute". */
#ifndef CLI_MINUTE_H
#define CLI_MINUTE_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/engine.h>

/* Of all endpoints, since the start. */
struct minute_sums {
    uint64_t answers, acks, failures;
    uint64_t bytes; /* compressed, of acked requests */
    double seconds; /* of the requests answered */
};

struct minute {
    bool wanted;
    int64_t at_ms;
    struct minute_sums last; /* at the last line */
};

void minute_begin(struct minute *minute, int64_t now_ms, bool wanted);
void minute_run(struct minute *minute, const struct engine *engine, int64_t now_ms);
int64_t minute_deadline(const struct minute *minute);
/* The line, when it is due: what minute_run does with the engine's figures. */
void minute_say(struct minute *minute, const struct minute_sums *now, int64_t now_ms);

#endif

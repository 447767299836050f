/* fault.h - what a test may make an endpoint do wrong, for a while.
 *
 * A fault is set by keys and values (the query of POST /fault):
 *   status=503        answer this instead of 204; the samples are not kept
 *   store=1           with status: keep the samples all the same (an answer that lies)
 *   delay=2s          answer that much later; the samples are kept on arrival
 *   cut=before|after  close the connection without an answer, before or after keeping the samples
 *   retry_after=2     the header, verbatim: seconds or a date
 *   body=TEXT         of the answer
 *   holding=TEXT      only for requests that hold this somewhere, as a label's value
 *   for=10s           until then; for ever without it
 *   count=3           for so many requests
 * A plain value without pointers; pure. */
#ifndef EMULATOR_FAULT_H
#define EMULATOR_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/err.h>

enum fault_cut { CUT_NONE, CUT_BEFORE, CUT_AFTER };

struct fault {
    bool armed;
    int status; /* 0: none */
    bool store;
    enum fault_cut cut;
    int64_t delay_ms;
    int64_t until_ms; /* monotonic; INT64_MAX: for ever */
    uint64_t remaining;
    char retry_after[64];
    char body[256];
    char holding[64]; /* "": any */
};

/* A fault that does nothing yet, for as long as nothing else is said. */
void fault_init(struct fault *fault);
/* One key; false and err for an unknown key or a value that makes no sense. */
MUST_USE bool fault_set(struct fault *fault, const char *key, const char *value, int64_t now_ms,
                        struct err *err);
/* Whether it speaks of requests with this message (decompressed). */
bool fault_concerns(const struct fault *fault, const void *raw, size_t bytes);
/* For one request: true and a copy when the fault applies, and counts it. */
MUST_USE bool fault_take(struct fault *fault, int64_t now_ms, struct fault *out);

#endif

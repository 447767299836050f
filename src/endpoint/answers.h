/* answers.h - what an HTTP status means to us: a table, so that a later, finer one is data too. */
#ifndef ENDPOINT_ANSWERS_H
#define ENDPOINT_ANSWERS_H

#include <stddef.h>

enum answer_class {
    ANSWER_ACKED,
    ANSWER_RETRY,   /* the endpoint's own trouble: backoff */
    ANSWER_SMALLER, /* the request's size */
    ANSWER_HOLD     /* will not pass by itself: slow probes, and somebody must look */
};

struct answer_row {
    int first, last; /* statuses, both included */
    enum answer_class class;
    const char *advice; /* for the log; NULL where nothing can be done */
};

/* The first row that holds `status`; never NULL: the last row holds all. */
const struct answer_row *answer_row(int status);
/* First line of a response body, fit for a log: printable ASCII, credentials that a peer may echo
 * (Bearer, Basic, JWTs) blotted out, cut to `room`. Always terminated. */
void answer_line(const char *body, size_t body_bytes, char *out, size_t room);

#endif

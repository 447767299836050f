/* answers.h - what an HTTP answer means to us: tables, from which docs/VERDICTS.md is made too. */
#ifndef ENDPOINT_ANSWERS_H
#define ENDPOINT_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>

enum answer_class {
    ANSWER_ACKED,
    ANSWER_RETRY,     /* the endpoint's own trouble: backoff */
    ANSWER_THROTTLED, /* the same, unless retry_on_http_429 says that it is final */
    ANSWER_SMALLER,   /* the request's size */
    ANSWER_REFUSED,   /* something in the request: its text says what (answer_refusal) */
    ANSWER_HOLD       /* will not pass by itself: slow probes, and somebody must look */
};

struct answer_row {
    int first, last; /* statuses, both included */
    enum answer_class class;
    const char *advice; /* for the log; NULL where nothing can be done */
};

/* Why a receiver refused something in a request. */
enum refusal {
    REFUSAL_CONTENT,    /* it would refuse it again */
    REFUSAL_THERE,      /* it has something as new or newer; it took nothing of this request */
    REFUSAL_THERE_TAKEN /* the same, and what it could take of this request it has taken */
};

struct refusal_text {
    const char *text; /* somewhere in the body, letters of either case */
    enum refusal refusal;
    const char *said_by;
};

/* The first row that holds `status`; never NULL: the last row holds all. */
const struct answer_row *answer_row(int status);
/* Row by row, NULL behind the last; for the document and the tests. */
const struct answer_row *answer_row_at(size_t index);
const struct refusal_text *refusal_text_at(size_t index);
/* By the first text of the table that the body holds, else REFUSAL_CONTENT. */
enum refusal answer_refusal(const char *body, size_t body_bytes);
/* First line of a response body, fit for a log: printable ASCII, credentials that a peer may echo
 * (Bearer, Basic, JWTs) blotted out, cut to `room`. Always terminated. */
void answer_line(const char *body, size_t body_bytes, char *out, size_t room);

#endif

/* exchange.h - one HTTP request and its answer, as the handlers see them.
 *
 * server.c fills and sends them; handlers (ingest.c, control.c, later the identity endpoints) are
 * plain functions from one to the other and know nothing of the HTTP library, so that a test calls
 * them directly. All pointers are borrowed for the call. */
#ifndef EMULATOR_EXCHANGE_H
#define EMULATOR_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/buf.h>
#include <walship/view.h>

enum { QUERY_COUNT_MAX = 16, ANSWER_BYTES_MAX = 4 << 20, ANSWER_HEADERS_MAX = 8 };

enum exchange_body {
    BODY_WHOLE,
    BODY_TOO_LARGE, /* beyond max_body_bytes; not read */
    BODY_NO_ROOM    /* too many bytes are being received at once; not kept */
};

struct exchange_param {
    const char *key;
    const char *value;
};

struct exchange {
    const char *method;
    const char *path; /* without the query */
    struct exchange_param query[QUERY_COUNT_MAX];
    size_t query_count; /* QUERY_COUNT_MAX + 1: there were more */
    const char *(*header)(void *context, const char *name); /* NULL: absent */
    void *header_context;
    enum exchange_body body_state;
    struct view body;
    int64_t now_ms;  /* monotonic */
    int64_t wall_ms; /* Unix */
};

struct answer {
    int status;
    const char *content_type; /* of the body; static */
    struct buf body;
    char retry_after[64]; /* "": none */
    int64_t delay_ms;
    bool cut; /* close the connection, no answer */
    struct answer_field {
        const char *name; /* static */
        char value[640];
    } headers[ANSWER_HEADERS_MAX];
    size_t headers_count;
};

/* Status and a line of text. */
void answer_text(struct answer *answer, int status, const char *format, ...) PRINTF_LIKE(3, 4);
/* One more header; too long a value is cut. */
void answer_header(struct answer *answer, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

static inline const char *exchange_header(const struct exchange *exchange, const char *name)
{
    return exchange->header(exchange->header_context, name);
}

#endif

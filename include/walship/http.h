/* http.h - the seam to the network: a request goes in, its result comes out later.
 *
 * adapter/http_curl is the real one. Loop thread only; nothing blocks. Every accepted request gives
 * exactly one result. Secrets (header values, bodies) are never logged by the adapter (I6). */
#ifndef WALSHIP_HTTP_H
#define WALSHIP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/err.h>

enum http_method { HTTP_GET, HTTP_POST };

struct http_client; /* http_client.h */

struct http_header {
    const char *name;
    const char *value;
};

/* Borrowed for the call only, but for `body`: it must stay until the result of `id` was taken. */
struct http_request {
    uint64_t id; /* the caller's; comes back in the result */
    enum http_method method;
    const char *url;
    const struct http_header *headers;
    size_t headers_count;
    const void *body;
    size_t body_bytes;
    int64_t timeout_ms;
    const struct http_client *client; /* http_client.h; NULL: defaults. Lives as long as the seam */
    size_t response_bytes_max;        /* 0: HTTP_RESPONSE_BYTES_MAX */
    bool direct;                      /* no proxy, whatever the client says: metadata services */
};

/* What became of it. */
enum http_outcome {
    HTTP_ANSWERED, /* a whole response: `status` and the rest are set */
    HTTP_NOT_SENT, /* surely nothing reached the peer (no connection, name, TLS) */
    HTTP_AMBIGUOUS /* it may have been delivered (reset, timeout, cut answer) */
};

struct http_result {
    uint64_t id;
    enum http_outcome outcome;
    int status;
    const char
        *body; /* up to the request's limit, NUL-terminated; owned by http until the next call */
    size_t body_bytes;
    const char *retry_after; /* raw header values; NULL when absent */
    const char *date;
    const char *content_type;
    const char *www_authenticate;
    const char *location;
    const char *error; /* one line, when not answered */
    int64_t elapsed_ms;
    bool repeated; /* the library sent it again by itself: an earlier copy may have arrived */
    const struct http_header *headers; /* all, for what is not named above */
    size_t headers_count;
};

struct http {
    /* False: not accepted, err says why (bad URL, too many); no result will come. */
    bool (*post)(struct http *http, const struct http_request *request, struct err *err);
    /* False: none ready. */
    bool (*next_result)(struct http *http, struct http_result *out);
    /* Gives it up: no result will come, the body may be freed. */
    void (*cancel)(struct http *http, uint64_t id);
};

#endif

/* request.h - private: the bytes of each source's token request. Everything a request points to
 * lives in it until it is released, which wipes it. */
#ifndef WALSHIP_SRC_IDENTITY_REQUEST_H
#define WALSHIP_SRC_IDENTITY_REQUEST_H

#include "credential.h"
#include "source.h"

enum { REQUEST_ID_BYTES = 37 };

struct request {
    enum http_method method;
    struct secret url;
    struct secret body;
    struct secret authorization;
    char id[REQUEST_ID_BYTES]; /* client-request-id, for Entra's support */
    struct http_header headers[IDENTITY_HEADERS_MAX];
    size_t headers_count;
    int64_t timeout_ms;
};

/* What differs from one request of a source to the next. */
struct request_terms {
    const char *arc_key; /* SOURCE_ARC: the content of the challenge's file; NULL: first request */
    bool secret_in_body; /* SOURCE_OAUTH2: client_id and secret as form fields, not as Basic */
    int64_t server_ms;   /* Unix time of the token server, as well as we know */
    const char *id;      /* a fresh UUID */
};

/* *out must be zeroed or released. */
MUST_USE bool request_build(struct request *out, const struct source *source,
                            const struct credential *credential, const struct request_terms *terms,
                            struct err *err);
void request_release(struct request *request);
/* The Authorization value of a static source. */
MUST_USE bool request_static(struct secret *out, const struct source *source,
                             const struct credential *credential, struct err *err);

#endif

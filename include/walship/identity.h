/* identity.h - who walship is at an endpoint: the value of its Authorization header, kept fresh.
 *
 * One `struct identity` per (source, identity, scope), shared by every endpoint that says the same
 * thing; one request in flight each. It never sends anything itself: identity_want gives the next
 * request, the engine posts it and hands the result to identity_answered. Nothing blocks; files are
 * read through the os seam, which is the only side effect.
 *
 * Life of a token: asked for at the first turn, again at half of its life (less up to a tenth,
 * at random), again and again with backoff while that fails. The old token serves as long as it is
 * valid. Nothing is ever given up; the backoff depends on the source and on the answer.
 *
 * Ownership: the registry owns the identities and copies all it needs of a struct conf_auth. The
 * world is borrowed for the registry's whole life. Loop thread only.
 * Secrets (I6): wiped when replaced or released, never in an err, a log line or a status. Requests
 * carry them in `url` (never), `headers` and `body`: the http adapter wipes its own copies, must
 * not log them and must not follow redirects with them. */
#ifndef WALSHIP_IDENTITY_H
#define WALSHIP_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/conf_auth.h>
#include <walship/err.h>
#include <walship/http.h>
#include <walship/os.h>

enum {
    IDENTITIES_MAX = 2048,
    IDENTITY_TOKEN_BYTES_MAX = 32 << 10,
    IDENTITY_FILE_BYTES_MAX = 256 << 10, /* certificate, secret or token file */
    IDENTITY_BODY_BYTES_MAX = 192 << 10,
    IDENTITY_HEADERS_MAX = 6,
    IDENTITY_FILES_POLL_MS = 5000,
    IDENTITY_PROBLEM_BYTES = 320
};

/* The process around it. Tests and the simulator give their own. */
struct identity_world {
    struct os *os;
    /* an environment variable; NULL: unset. Read in identities_add only. */
    const char *(*variable)(void *context, const char *name);
    void *context;
    const char *arc_keys_dir;   /* NULL: /var/opt/azcmagent/tokens */
    const char *arc_agent_path; /* its presence means Azure Arc; NULL: /opt/azcmagent/bin/himds */
};

struct identity;
struct identities;

struct identities *identities_new(const struct identity_world *world);
void identities_free(struct identities *identities); /* NULL-safe; wipes */

/* The identity of one endpoint, the same pointer for the same settings. auth->kind is not NONE.
 * NULL: refused (a secret would go over plain http, a variable is missing): err is a sentence for
 * the operator. A file that can't be read yet is no reason to refuse. */
struct identity *identities_add(struct identities *identities, const struct conf_auth *auth,
                                struct err *err);
/* Places, and who is there; NULL: nobody since a sweep. One stays at its place. */
size_t identities_count(const struct identities *identities);
struct identity *identities_at(const struct identities *identities, size_t index);
/* All but these are released; none of those may have a request in flight. */
void identities_sweep(struct identities *identities, struct identity *const *kept, size_t count);

/* ---- the turn ---- */

/* All pointers are the identity's, valid until identity_answered. */
struct identity_request {
    enum http_method method;
    const char *url;
    const struct http_header *headers;
    size_t headers_count;
    const void *body;
    size_t body_bytes;
    int64_t timeout_ms;
    bool direct; /* local metadata service: no proxy, whatever is configured */
};

/* Call it each turn once identity_deadline has come. True: post *out; exactly one identity_answered
 * must follow. Also re-reads files. wall_ms: Unix time, for assertions. */
bool identity_want(struct identity *identity, int64_t now_ms, int64_t wall_ms,
                   struct identity_request *out);
/* The result of the request in flight. A post that http refused is an HTTP_NOT_SENT with its error.
 */
void identity_answered(struct identity *identity, const struct http_result *result, int64_t now_ms,
                       int64_t wall_ms);
/* When identity_want should be called next; INT64_MAX: only after identity_answered. */
int64_t identity_deadline(const struct identity *identity);

/* ---- its use ---- */

/* The value of the Authorization header; NULL: none valid now, hold the request (never lose it).
 * Good until the next call of identity_want or identity_answered. */
const char *identity_header(const struct identity *identity, int64_t now_ms);
/* Rises with every header that differs from the one before; 0: none yet. */
uint64_t identity_revision(const struct identity *identity);
/* An endpoint answered 401 to a request that carried `revision`. The first forces a refresh at
 * once; further ones wait a growing time. An outdated revision changes nothing. The token stays in
 * use: other endpoints may be content with it. Hold that endpoint until the revision changes or its
 * own backoff passes. */
void identity_rejected(struct identity *identity, uint64_t revision, int64_t now_ms);

enum identity_state {
    IDENTITY_FIRST, /* no header yet, nothing went wrong */
    IDENTITY_GOOD,
    IDENTITY_FAILING, /* the last attempt failed; a header may still be valid */
    IDENTITY_STATES
};

/* What may be shown to anyone: no secret in it. Pointers are the identity's. */
struct identity_status {
    const char *name; /* "imds client_id=... scope=..." */
    enum identity_state state;
    const char *problem;          /* what is wrong and what to do; "" when nothing is */
    const char *warning;          /* a broken new file, whose older content still serves; "" */
    bool valid;                   /* a header is there */
    int64_t expires_in_ms;        /* of the header; INT64_MAX: never */
    int64_t next_try_ms;          /* from now, 0 while in flight */
    int64_t clock_skew_ms;        /* the token server's clock less ours, as last seen */
    uint64_t successes, failures; /* of attempts; failures_in_row since the last success */
    uint64_t failures_in_row;
};
void identity_status(const struct identity *identity, int64_t now_ms, struct identity_status *out);
const char *identity_state_name(enum identity_state state);

/* May a token or secret go to this URL? https, or http to loopback or 169.254.169.254, or anything
 * http(s) when allowed. Never a URL with user information in it. */
bool identity_url_is_safe(const char *url, bool allow_insecure_http);

#endif

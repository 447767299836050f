/* certificate.h - private: a client certificate with its RSA key, from PEM or PFX bytes, and the
 * signed assertion made with it. OpenSSL behind three calls; the bytes are hostile, the password
 * secret. */
#ifndef WALSHIP_SRC_IDENTITY_CERTIFICATE_H
#define WALSHIP_SRC_IDENTITY_CERTIFICATE_H

#include "secret.h"

#include <walship/err.h>

enum { CERTIFICATE_CHAIN_MAX = 8 };

struct certificate {
    void *key;            /* EVP_PKEY; NULL: nothing loaded */
    struct secret header; /* of the assertion: {"alg":...}, with x5t#S256 and perhaps x5c */
};

/* PEM: certificates and one key in any order, the key perhaps encrypted. Else PFX. `key` (may be
 * empty) is a separate PEM key, read as if it stood behind the certificates. The leaf is the
 * certificate that belongs to the key. On false *out is unchanged and err names what is wrong,
 * never the content. */
MUST_USE bool certificate_load(struct certificate *out, const struct secret *bytes,
                               const struct secret *key, const char *password, bool chain,
                               struct err *err);
void certificate_release(struct certificate *certificate);

struct assertion {
    const char *audience; /* the token endpoint */
    const char *client_id;
    const char *id; /* jti: never the same twice */
    int64_t now_ms; /* Unix time, as the token server has it */
};

enum {
    ASSERTION_LEAD_S = 60, /* "not before" lies this far back, for clocks that run ahead */
    ASSERTION_LIFE_S = 600
};

/* The JWT: PS256 over header.claims. False: OpenSSL failed, or it is too long for out's room. */
MUST_USE bool certificate_sign(const struct certificate *certificate,
                               const struct assertion *assertion, struct secret *out,
                               struct err *err);

/* Signs a word with the one EVP_PKEY and verifies it with the other: false also for a damaged key.
 */
MUST_USE bool certificate_pair_works(void *key, void *public);

#endif

/* jwt.h - JSON web tokens signed and checked with RSA: what the emulator issues (RS256) and what
 * clients assert with their certificates (PS256, RS256).
 *
 * Shares nothing with walship's own assertions on purpose: a witness must not repeat the mistakes
 * of what it judges. Owns nothing but what jwt_split puts into its struct. Pure but for the keys'
 * randomness. Limits: JWT_BYTES_MAX a token. */
#ifndef EMULATOR_JWT_H
#define EMULATOR_JWT_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <walship/buf.h>
#include <walship/err.h>
#include <walship/view.h>

enum { JWT_BYTES_MAX = 64 << 10, JWT_KEY_BITS = 2048 };

struct jwt {
    struct buf header; /* JSON, decoded */
    struct buf claims;
    struct buf signature;
    struct view signed_text; /* goes into the token */
};

EVP_PKEY *jwt_key_new(void);
/* Appends HEADER.CLAIMS.SIGNATURE; claims is a JSON object. */
void jwt_sign(EVP_PKEY *key, const char *key_id, const struct buf *claims, struct buf *out);
/* False: not three parts of base64url with JSON objects in front. Release it either way. */
MUST_USE bool jwt_split(struct view token, struct jwt *out, struct err *err);
void jwt_release(struct jwt *jwt);
/* Whether this key signed it, by the algorithm its header names (RS256 or PS256, nothing else). */
MUST_USE bool jwt_verify(const struct jwt *jwt, EVP_PKEY *key);
/* Whether the header's x5t#S256 (or x5t) names this certificate; both base64 alphabets, with or
 * without padding, because documents say one and the SDK sends the other. */
MUST_USE bool jwt_names_certificate(const struct jwt *jwt, X509 *certificate);
/* The first certificate of the header's x5c; NULL: none. */
X509 *jwt_leaf(const struct jwt *jwt);

/* Either alphabet, padding optional; false: other characters or an impossible length. */
MUST_USE bool base64_any_decode(struct view text, struct buf *out);
void base64_url_encode(const void *bytes, size_t count, struct buf *out);

#endif

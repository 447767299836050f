/* assertion.c - the signed JWT a certificate makes. See certificate.h. */
#include "certificate.h"
#include "encode.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum { CLAIMS_BYTES_MAX = 4096, SIGNATURE_BYTES_MAX = 2048 /* RSA of 16384 bits */ };

static void add_claim(struct secret *out, const char *name, const char *text)
{
    secret_add(out, out->bytes == 0 ? "{" : ",");
    encode_json(out, name);
    secret_add(out, ":");
    encode_json(out, text);
}

static void add_time(struct secret *out, const char *name, int64_t seconds)
{
    secret_add(out, ",");
    encode_json(out, name);
    secret_add(out, ":");
    secret_number(out, seconds);
}

static void make_claims(struct secret *out, const struct assertion *assertion)
{
    int64_t from = assertion->now_ms / 1000 - ASSERTION_LEAD_S;
    add_claim(out, "aud", assertion->audience);
    add_claim(out, "iss", assertion->client_id);
    add_claim(out, "sub", assertion->client_id);
    add_claim(out, "jti", assertion->id);
    add_time(out, "nbf", from);
    add_time(out, "iat", from);
    add_time(out, "exp", from + ASSERTION_LIFE_S);
    secret_add(out, "}");
}

/* PS256, as RFC 7518 has it: the salt is as long as the digest. */
static bool use_pss(EVP_PKEY_CTX *padding)
{
    return EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool sign(EVP_PKEY *key, const struct secret *text, unsigned char *out, size_t *bytes)
{
    EVP_PKEY_CTX *padding = NULL; /* owned by `digest` */
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    ASSERT(digest != NULL); /* out of memory */
    bool good =
        EVP_DigestSignInit(digest, &padding, EVP_sha256(), NULL, key) == 1 && use_pss(padding) &&
        EVP_DigestSign(digest, out, bytes, (const unsigned char *)text->text, text->bytes) == 1;
    EVP_MD_CTX_free(digest);
    ERR_clear_error();
    return good;
}

bool certificate_pair_works(void *key, void *public)
{
    char word[] = "walship";
    const struct secret text = {.text = word, .bytes = sizeof word - 1};
    unsigned char signature[SIGNATURE_BYTES_MAX];
    size_t bytes = sizeof signature;
    EVP_PKEY_CTX *padding = NULL;
    ASSERT(key != NULL && public != NULL);
    if (!sign(key, &text, signature, &bytes)) {
        return false;
    }
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    ASSERT(digest != NULL); /* out of memory */
    bool good =
        EVP_DigestVerifyInit(digest, &padding, EVP_sha256(), NULL, public) == 1 &&
        use_pss(padding) &&
        EVP_DigestVerify(digest, signature, bytes, (const unsigned char *)word, text.bytes) == 1;
    EVP_MD_CTX_free(digest);
    ERR_clear_error();
    return good;
}

bool certificate_sign(const struct certificate *certificate, const struct assertion *assertion,
                      struct secret *out, struct err *err)
{
    unsigned char signature[SIGNATURE_BYTES_MAX];
    size_t bytes = sizeof signature;
    struct secret claims = {0};
    ASSERT(certificate->key != NULL && out->text != NULL && out->bytes == 0);
    secret_reset(&claims, CLAIMS_BYTES_MAX);
    make_claims(&claims, assertion);
    encode_base64(out, certificate->header.text, certificate->header.bytes, BASE64_URL);
    secret_add(out, ".");
    encode_base64(out, claims.text, claims.bytes, BASE64_URL);
    bool fits = !claims.cut && !out->cut;
    secret_reset(&claims, 0);
    if (!fits || !sign(certificate->key, out, signature, &bytes)) {
        return err_set(err, 0, "the assertion can't be signed: OpenSSL refused, or it is too long");
    }
    secret_add(out, ".");
    encode_base64(out, signature, bytes, BASE64_URL);
    return !out->cut || err_set(err, 0, "the assertion is too long");
}

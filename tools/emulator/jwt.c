/* jwt.c - base64 in both alphabets, and OpenSSL's digests over the first two parts. */
#include "jwt.h"

#include "claims.h"

#include <openssl/rsa.h>
#include <walship/mem.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64_url_encode(const void *bytes, size_t count, struct buf *out)
{
    const uint8_t *at = bytes;
    ASSERT(at != NULL || count == 0);
    for (size_t index = 0; index < count; index += 3) {
        size_t left = count - index < 3 ? count - index : 3;
        uint32_t group = (uint32_t)at[index] << 16;
        group |= left > 1 ? (uint32_t)at[index + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)at[index + 2] : 0;
        char text[4];
        for (unsigned part = 0; part < 4; part++) {
            text[part] = ALPHABET[group >> (18 - 6 * part) & 63];
        }
        bool fits = buf_append(out, text, left + 1);
        ASSERT(fits);
    }
}

static int digit(uint8_t byte)
{
    if (byte == '+' || byte == '/') {
        return byte == '+' ? 62 : 63;
    }
    const char *found = byte == '\0' ? NULL : strchr(ALPHABET, byte);
    return found == NULL ? -1 : (int)(found - ALPHABET);
}

bool base64_any_decode(struct view text, struct buf *out)
{
    while (view_left(&text) > 0 && text.end[-1] == '=') {
        text.end--;
    }
    if (view_left(&text) % 4 == 1) {
        return false;
    }
    uint32_t bits = 0;
    unsigned bits_count = 0;
    while (view_left(&text) > 0) {
        int value = digit(view_u8(&text));
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        bits_count += 6;
        if (bits_count >= 8) {
            bits_count -= 8;
            uint8_t byte = (uint8_t)(bits >> bits_count);
            if (!buf_append(out, &byte, 1)) {
                return false;
            }
        }
    }
    return true;
}

EVP_PKEY *jwt_key_new(void)
{
    EVP_PKEY *key = EVP_RSA_gen(JWT_KEY_BITS);
    ASSERT(key != NULL);
    return key;
}

void jwt_sign(EVP_PKEY *key, const char *key_id, const struct buf *claims, struct buf *out)
{
    ASSERT(key != NULL && out->bytes == 0);
    struct buf header;
    buf_init(&header, 1024);
    bool fits = buf_format(&header, "{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"%s\"}", key_id);
    ASSERT(fits);
    base64_url_encode(header.data, header.bytes, out);
    fits = buf_append(out, ".", 1);
    ASSERT(fits);
    base64_url_encode(claims->data, claims->bytes, out);
    uint8_t signature[JWT_KEY_BITS / 8];
    size_t signature_bytes = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key);
    ASSERT(good == 1);
    good = EVP_DigestSign(context, signature, &signature_bytes, out->data, out->bytes);
    ASSERT(good == 1);
    EVP_MD_CTX_free(context);
    fits = buf_append(out, ".", 1);
    ASSERT(fits);
    base64_url_encode(signature, signature_bytes, out);
    buf_release(&header);
}

static bool take_part(struct view *token, struct buf *out)
{
    const uint8_t *dot = memchr(token->at, '.', view_left(token));
    const uint8_t *end = dot == NULL ? token->end : dot;
    struct view part = view_take(token, (uint64_t)(end - token->at));
    if (dot != NULL) {
        token->at++;
    }
    return view_left(&part) > 0 && base64_any_decode(part, out);
}

bool jwt_split(struct view token, struct jwt *out, struct err *err)
{
    buf_init(&out->header, JWT_BYTES_MAX);
    buf_init(&out->claims, JWT_BYTES_MAX);
    buf_init(&out->signature, JWT_BYTES_MAX);
    out->signed_text = view_of(token.at, 0);
    if (view_left(&token) > JWT_BYTES_MAX) {
        return err_set(err, 0, "the token is too long");
    }
    const uint8_t *start = token.at;
    if (!take_part(&token, &out->header) || !take_part(&token, &out->claims) || token.at == start) {
        return err_set(err, 0, "the token is not a JWT");
    }
    out->signed_text = view_of(start, (size_t)(token.at - start) - 1);
    if (!take_part(&token, &out->signature) || view_left(&token) != 0) {
        return err_set(err, 0, "the token is not a JWT");
    }
    struct view header = view_of(out->header.data, out->header.bytes);
    struct view claims = view_of(out->claims.data, out->claims.bytes);
    return (claims_valid(header) && claims_valid(claims)) ||
           err_set(err, 0, "the token is not made of JSON objects");
}

void jwt_release(struct jwt *jwt)
{
    buf_release(&jwt->header);
    buf_release(&jwt->claims);
    buf_release(&jwt->signature);
}

static bool verify_with(EVP_MD_CTX *context, const struct jwt *jwt, EVP_PKEY *key, bool pss)
{
    EVP_PKEY_CTX *settings = NULL;
    if (EVP_DigestVerifyInit(context, &settings, EVP_sha256(), NULL, key) != 1) {
        return false;
    }
    if (pss && (EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) != 1 ||
                EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) != 1)) {
        return false;
    }
    return EVP_DigestVerify(context, jwt->signature.data, jwt->signature.bytes, jwt->signed_text.at,
                            view_left(&jwt->signed_text)) == 1;
}

bool jwt_verify(const struct jwt *jwt, EVP_PKEY *key)
{
    ASSERT(jwt != NULL && key != NULL);
    char algorithm[16];
    struct view header = view_of(jwt->header.data, jwt->header.bytes);
    if (!claims_text(header, "alg", algorithm, sizeof algorithm)) {
        return false;
    }
    bool pss = strcmp(algorithm, "PS256") == 0;
    if ((!pss && strcmp(algorithm, "RS256") != 0) || EVP_PKEY_is_a(key, "RSA") != 1) {
        return false;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = verify_with(context, jwt, key, pss);
    EVP_MD_CTX_free(context);
    return good;
}

static bool thumbprint_is(const struct jwt *jwt, const char *name, X509 *certificate,
                          const EVP_MD *digest)
{
    char text[128];
    uint8_t expected[EVP_MAX_MD_SIZE];
    unsigned expected_bytes = 0;
    struct view header = view_of(jwt->header.data, jwt->header.bytes);
    if (!claims_text(header, name, text, sizeof text) ||
        X509_digest(certificate, digest, expected, &expected_bytes) != 1) {
        return false;
    }
    struct buf given;
    buf_init(&given, 128);
    bool same = base64_any_decode(view_of(text, strlen(text)), &given) &&
                given.bytes == expected_bytes && memcmp(given.data, expected, expected_bytes) == 0;
    buf_release(&given);
    return same;
}

bool jwt_names_certificate(const struct jwt *jwt, X509 *certificate)
{
    ASSERT(certificate != NULL);
    return thumbprint_is(jwt, "x5t#S256", certificate, EVP_sha256()) ||
           thumbprint_is(jwt, "x5t", certificate, EVP_sha1());
}

X509 *jwt_leaf(const struct jwt *jwt)
{
    char *text = mem_new(JWT_BYTES_MAX, 1);
    struct view header = view_of(jwt->header.data, jwt->header.bytes);
    struct buf der;
    buf_init(&der, JWT_BYTES_MAX);
    X509 *leaf = NULL;
    if (claims_text(header, "x5c", text, JWT_BYTES_MAX) &&
        base64_any_decode(view_of(text, strlen(text)), &der) && der.bytes > 0) {
        const unsigned char *at = der.data;
        leaf = d2i_X509(NULL, &at, (long)der.bytes);
    }
    buf_release(&der);
    mem_free(text);
    return leaf;
}

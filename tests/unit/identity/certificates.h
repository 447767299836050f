/* certificates.h - keys and certificates made by OpenSSL while the tests run: none is in the tree.
 */
#ifndef TEST_IDENTITY_CERTIFICATES_H
#define TEST_IDENTITY_CERTIFICATES_H

#include "secret.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <walship/assert.h>

static inline EVP_PKEY *make_key(void)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    ck_assert_ptr_nonnull(key);
    return key;
}

/* Signed by `issuer`'s key; NULL: by its own. */
static inline X509 *make_certificate(EVP_PKEY *key, const char *name, X509 *issuer,
                                     EVP_PKEY *issuer_key)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    ck_assert(X509_set_version(certificate, 2) == 1);
    ck_assert(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(certificate), -60));
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    ck_assert(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name,
                                         -1, -1, 0) == 1);
    ck_assert(X509_set_issuer_name(certificate,
                                   issuer != NULL ? X509_get_subject_name(issuer) : subject) == 1);
    ck_assert(X509_set_pubkey(certificate, key) == 1);
    ck_assert_int_gt(X509_sign(certificate, issuer_key != NULL ? issuer_key : key, EVP_sha256()),
                     0);
    return certificate;
}

static inline void take_bio(struct secret *out, BIO *bio)
{
    char *data = NULL;
    long bytes = BIO_get_mem_data(bio, &data);
    ck_assert_int_gt(bytes, 0);
    struct secret more = {0};
    secret_reset(&more, out->bytes + (size_t)bytes);
    if (out->bytes > 0) {
        secret_append(&more, out->text, out->bytes);
    }
    secret_append(&more, data, (size_t)bytes);
    secret_take(out, &more);
    BIO_free(bio);
}

/* Both append to *out. */
static inline void put_certificate(struct secret *out, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    ck_assert(PEM_write_bio_X509(bio, certificate) == 1);
    take_bio(out, bio);
}

static inline void put_key(struct secret *out, EVP_PKEY *key, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = password != NULL ? EVP_aes_128_cbc() : NULL;
    ck_assert(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, password,
                                            password != NULL ? (int)strlen(password) : 0, NULL,
                                            NULL) == 1);
    take_bio(out, bio);
}

static inline void put_pfx(struct secret *out, EVP_PKEY *key, X509 *leaf, STACK_OF(X509) * others,
                           const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PKCS12 *pfx = PKCS12_create(password, "walship", key, leaf, others, 0, 0, 1000, 1000, 0);
    ck_assert_ptr_nonnull(pfx);
    ck_assert(i2d_PKCS12_bio(bio, pfx) == 1);
    PKCS12_free(pfx);
    take_bio(out, bio);
}

/* base64url without padding, in place; bytes written. */
static inline size_t base64url_decode(char *text)
{
    size_t used = 0;
    uint32_t bits = 0, count = 0;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (const char *at = text; *at != '\0'; at++) {
        const char *found = strchr(alphabet, *at);
        ck_assert_ptr_nonnull(found);
        bits = bits << 6 | (uint32_t)(found - alphabet);
        count += 6;
        if (count >= 8) {
            count -= 8;
            text[used++] = (char)(bits >> count & 0xFF);
        }
    }
    text[used] = '\0';
    return used;
}

#endif

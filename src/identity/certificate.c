/* certificate.c - see certificate.h. Reading is gather, then choose: all certificates and the one
 * key are collected from whichever form, then the leaf is found by its public key, because files
 * put them in any order. OpenSSL's error queue is left empty by every call, so that no later one
 * reads it. */
#include "certificate.h"

#include "encode.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

enum {
    CERTIFICATES_READ_MAX = 64,
    CERTIFICATE_DER_MAX = 16 << 10,
    HEADER_BYTES_MAX = CERTIFICATE_CHAIN_MAX * CERTIFICATE_DER_MAX * 4 / 3 + 1024,
    RSA_BITS_MIN = 2048,
    PFX_ITERATIONS_MAX = 10 * 1000 * 1000
};

struct gathered {
    EVP_PKEY *key;
    STACK_OF(X509) * certificates;
};

static void gathered_release(struct gathered *gathered)
{
    EVP_PKEY_free(gathered->key);
    sk_X509_pop_free(gathered->certificates, X509_free);
    *gathered = (struct gathered){0};
    ERR_clear_error();
}

/* Takes the certificate, or frees it when there are too many. */
static void gather(struct gathered *gathered, X509 *take)
{
    if (take == NULL) {
        return;
    }
    if (sk_X509_num(gathered->certificates) >= CERTIFICATES_READ_MAX ||
        sk_X509_push(gathered->certificates, take) <= 0) {
        X509_free(take);
    }
}

/* ---- PEM ---- */

static int give_password(char *out, int room, int writing, void *context)
{
    const char *password = context;
    (void)writing;
    if (password == NULL || room <= 0 || strlen(password) > (size_t)room) {
        return -1;
    }
    memcpy(out, password, strlen(password));
    return (int)strlen(password);
}

static BIO *bio_of(const struct secret *bytes)
{
    BIO *bio = BIO_new_mem_buf(bytes->text, (int)bytes->bytes);
    ASSERT(bio != NULL); /* out of memory */
    return bio;
}

static EVP_PKEY *pem_key(const struct secret *bytes, const char *password)
{
    BIO *bio = bio_of(bytes);
    union {
        const char *in;
        void *out;
    } context = {.in = password};
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_password, context.out);
    BIO_free(bio);
    return key;
}

static bool pem_gather(struct gathered *out, const struct secret *bytes, const struct secret *key,
                       const char *password, struct err *err)
{
    BIO *bio = bio_of(bytes);
    for (int i = 0; i < CERTIFICATES_READ_MAX; i++) {
        X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (certificate == NULL) {
            break;
        }
        gather(out, certificate);
    }
    BIO_free(bio);
    ERR_clear_error();
    const struct secret *holder = key->bytes > 0 ? key : bytes;
    out->key = pem_key(holder, password);
    if (sk_X509_num(out->certificates) == 0) {
        return err_set(err, 0, "no certificate in the file");
    }
    if (out->key != NULL) {
        return true;
    }
    if (memmem(holder->text, holder->bytes, "PRIVATE KEY-----", 16) == NULL) {
        return err_set(err, 0, "no private key in the file: add it, or give certificate_key_path");
    }
    return err_set(err, 0,
                   "the private key can't be read: it is damaged, or certificate_password is "
                   "%s",
                   password == NULL ? "missing" : "wrong");
}

/* ---- PFX ---- */

static bool pfx_is_sane(PKCS12 *pfx)
{
    const ASN1_INTEGER *iterations = NULL;
    PKCS12_get0_mac(NULL, NULL, NULL, &iterations, pfx);
    int64_t count = 1;
    if (iterations != NULL && ASN1_INTEGER_get_int64(&count, iterations) != 1) {
        return false;
    }
    return count >= 0 && count <= PFX_ITERATIONS_MAX;
}

static bool pfx_refuse(const char *password, struct err *err)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    if (reason == PKCS12_R_MAC_VERIFY_FAILURE) {
        return err_set(err, 0, "certificate_password is %s for this PFX file",
                       password == NULL ? "missing" : "wrong");
    }
    return err_set(err, 0,
                   "the PFX file is damaged or uses an old cipher (RC2): export it again, or "
                   "convert it to PEM");
}

static bool pfx_gather(struct gathered *out, const struct secret *bytes, const char *password,
                       struct err *err)
{
    const unsigned char *at = (const unsigned char *)bytes->text;
    PKCS12 *pfx = d2i_PKCS12(NULL, &at, (long)bytes->bytes);
    if (pfx == NULL || !pfx_is_sane(pfx)) {
        PKCS12_free(pfx);
        return err_set(err, 0, "the file is neither PEM nor PFX");
    }
    X509 *leaf = NULL;
    STACK_OF(X509) *others = NULL;
    ERR_clear_error();
    int parsed = PKCS12_parse(pfx, password, &out->key, &leaf, &others);
    PKCS12_free(pfx);
    if (parsed != 1) {
        return pfx_refuse(password, err);
    }
    gather(out, leaf);
    while (sk_X509_num(others) > 0) {
        gather(out, sk_X509_shift(others));
    }
    sk_X509_free(others);
    if (out->key == NULL || sk_X509_num(out->certificates) == 0) {
        return err_set(err, 0, "the PFX file has no %s", out->key == NULL ? "key" : "certificate");
    }
    return true;
}

/* ---- choosing ---- */

static X509 *find_leaf(const struct gathered *gathered)
{
    for (int i = 0; i < sk_X509_num(gathered->certificates); i++) {
        X509 *certificate = sk_X509_value(gathered->certificates, i);
        EVP_PKEY *public = X509_get0_pubkey(certificate);
        if (public != NULL && EVP_PKEY_eq(public, gathered->key) == 1) {
            return certificate;
        }
    }
    return NULL;
}

static X509 *find_issuer(const struct gathered *gathered, X509 *certificate)
{
    if (X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(certificate)) == 0) {
        return NULL; /* its own */
    }
    for (int i = 0; i < sk_X509_num(gathered->certificates); i++) {
        X509 *other = sk_X509_value(gathered->certificates, i);
        if (other != certificate &&
            X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(other)) == 0) {
            return other;
        }
    }
    return NULL;
}

static bool add_der(struct secret *header, X509 *certificate)
{
    unsigned char *der = NULL;
    int bytes = i2d_X509(certificate, &der);
    bool good = bytes > 0 && bytes <= CERTIFICATE_DER_MAX;
    if (good) {
        secret_add(header, "\"");
        encode_base64(header, der, (size_t)bytes, BASE64_STANDARD);
        secret_add(header, "\"");
    }
    OPENSSL_free(der);
    return good;
}

/* Leaf first, then each one's issuer, as far as the file has them. */
static bool add_chain(struct secret *header, const struct gathered *gathered, X509 *leaf)
{
    secret_add(header, ",\"x5c\":[");
    X509 *next = leaf;
    for (int i = 0; i < CERTIFICATE_CHAIN_MAX && next != NULL; i++) {
        secret_add(header, i > 0 ? "," : "");
        if (!add_der(header, next)) {
            return false;
        }
        next = find_issuer(gathered, next);
    }
    secret_add(header, "]");
    return true;
}

static bool make_header(struct secret *header, const struct gathered *gathered, X509 *leaf,
                        bool chain)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    if (X509_digest(leaf, EVP_sha256(), digest, &bytes) != 1) {
        return false;
    }
    secret_reset(header, HEADER_BYTES_MAX);
    secret_add(header, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"");
    encode_base64(header, digest, bytes, BASE64_URL);
    secret_add(header, "\"");
    if (chain && !add_chain(header, gathered, leaf)) {
        return false;
    }
    secret_add(header, "}");
    return !header->cut;
}

static bool choose(struct certificate *fresh, struct gathered *gathered, bool chain,
                   struct err *err)
{
    if (EVP_PKEY_get_base_id(gathered->key) != EVP_PKEY_RSA) {
        return err_set(err, 0, "the key is not RSA: Entra takes PS256 assertions only");
    }
    if (EVP_PKEY_get_bits(gathered->key) < RSA_BITS_MIN) {
        return err_set(err, 0, "the RSA key is shorter than %d bits", RSA_BITS_MIN);
    }
    X509 *leaf = find_leaf(gathered);
    if (leaf == NULL) {
        return err_set(err, 0, "the private key belongs to none of the certificates");
    }
    if (!certificate_pair_works(gathered->key, X509_get0_pubkey(leaf))) {
        return err_set(err, 0, "the private key is damaged: it can't sign");
    }
    if (!make_header(&fresh->header, gathered, leaf, chain)) {
        return err_set(err, 0, "the certificate or its chain is too large");
    }
    fresh->key = gathered->key;
    gathered->key = NULL;
    return true;
}

bool certificate_load(struct certificate *out, const struct secret *bytes, const struct secret *key,
                      const char *password, bool chain, struct err *err)
{
    ASSERT(out != NULL && bytes != NULL && key != NULL);
    if (bytes->bytes == 0) {
        return err_set(err, 0, "the file is empty");
    }
    struct gathered gathered = {.certificates = sk_X509_new_null()};
    struct certificate fresh = {0};
    ASSERT(gathered.certificates != NULL); /* out of memory */
    ERR_clear_error();
    bool pem = memmem(bytes->text, bytes->bytes, "-----BEGIN", 10) != NULL;
    bool good = pem ? pem_gather(&gathered, bytes, key, password, err)
                    : pfx_gather(&gathered, bytes, password, err);
    good = good && choose(&fresh, &gathered, chain, err);
    gathered_release(&gathered);
    if (!good) {
        certificate_release(&fresh);
        return false;
    }
    certificate_release(out);
    *out = fresh;
    return true;
}

void certificate_release(struct certificate *certificate)
{
    EVP_PKEY_free(certificate->key); /* OpenSSL wipes private numbers */
    secret_reset(&certificate->header, 0);
    certificate->key = NULL;
}

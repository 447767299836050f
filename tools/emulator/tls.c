/* tls.c - OpenSSL's X.509 calls in the order of a certificate's fields. */
#include "tls.h"

#include "jwt.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>
#include <walship/mem.h>

enum { DAYS = 30, NAMES_BYTES_MAX = 256 << 10 };

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
};

static bool fail(struct err *err, const char *directory, const char *name)
{
    return err_set(err, errno, "tls: %s/%s: %s", directory, name,
                   errno == 0 ? "not usable" : strerror(errno));
}

static FILE *open_file(const char *directory, const char *name, const char *mode)
{
    char *path = mem_format("%s/%s", directory, name);
    errno = 0;
    int flags = mode[0] == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC;
    int fd = open(path, flags | O_CLOEXEC, strstr(name, ".key") == NULL ? 0644 : 0600);
    mem_free(path);
    return fd < 0 ? NULL : fdopen(fd, mode);
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context = {0}; /* no configuration database */
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ASSERT(extension != NULL);
    int good = X509_add_ext(certificate, extension, -1);
    ASSERT(good == 1);
    X509_EXTENSION_free(extension);
}

static X509 *new_certificate(EVP_PKEY *key, const char *name, X509_NAME *issuer)
{
    X509 *certificate = X509_new();
    uint64_t serial = 0;
    int good = RAND_bytes((unsigned char *)&serial, sizeof serial);
    ASSERT(certificate != NULL && good == 1);
    good = X509_set_version(certificate, 2) +
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1);
    ASSERT(good == 2);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), DAYS * 24L * 3600);
    X509_NAME *subject = X509_get_subject_name(certificate);
    good = X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                      -1, 0) +
           X509_set_issuer_name(certificate, issuer == NULL ? subject : issuer) +
           X509_set_pubkey(certificate, key);
    ASSERT(good == 3);
    return certificate;
}

static void sign(X509 *certificate, EVP_PKEY *key)
{
    int bytes = X509_sign(certificate, key, EVP_sha256());
    ASSERT(bytes > 0);
}

static bool write_pair(const char *directory, const char *name, EVP_PKEY *key, X509 *certificate,
                       struct err *err)
{
    char file_name[32];
    (void)snprintf(file_name, sizeof file_name, "%s.key", name);
    FILE *file = open_file(directory, file_name, "w");
    if (file == NULL) {
        return fail(err, directory, file_name);
    }
    int good = PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    if (fclose(file) != 0 || good != 1) {
        return fail(err, directory, file_name);
    }
    (void)snprintf(file_name, sizeof file_name, "%s.pem", name);
    file = open_file(directory, file_name, "w");
    if (file == NULL) {
        return fail(err, directory, file_name);
    }
    good = PEM_write_X509(file, certificate);
    return (fclose(file) == 0 && good == 1) || fail(err, directory, file_name);
}

/* Both files of an authority made before; NULLs when they are not both there and sound. */
static struct authority read_authority(const char *directory)
{
    struct authority authority = {NULL, NULL};
    FILE *file = open_file(directory, "ca.key", "r");
    if (file != NULL) {
        authority.key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
        (void)fclose(file);
    }
    file = open_file(directory, "ca.pem", "r");
    if (file != NULL) {
        authority.certificate = PEM_read_X509(file, NULL, NULL, NULL);
        (void)fclose(file);
    }
    bool good = authority.key != NULL && authority.certificate != NULL &&
                X509_check_private_key(authority.certificate, authority.key) == 1 &&
                X509_cmp_current_time(X509_get0_notAfter(authority.certificate)) > 0;
    if (!good) {
        EVP_PKEY_free(authority.key);
        X509_free(authority.certificate);
        authority = (struct authority){NULL, NULL};
    }
    return authority;
}

static bool make_authority(const char *directory, struct authority *out, struct err *err)
{
    *out = read_authority(directory);
    if (out->key != NULL) {
        return true;
    }
    out->key = jwt_key_new();
    out->certificate = new_certificate(out->key, "walship-emulator CA", NULL);
    add_extension(out->certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add_extension(out->certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(out->certificate, NID_subject_key_identifier, "hash");
    sign(out->certificate, out->key);
    return write_pair(directory, "ca", out->key, out->certificate, err);
}

static bool write_names(const struct options *options, struct buf *out)
{
    bool good = buf_format(out, "DNS:localhost,IP:127.0.0.1,IP:::1");
    for (size_t index = 0; good && index < options->endpoints_count; index++) {
        const char *dce = options->endpoints[index].dce;
        good = dce == NULL || buf_format(out, ",DNS:%s.localhost", dce);
    }
    for (size_t index = 0; good && index < options->tls.names.count; index++) {
        good = buf_format(out, ",DNS:%s", options->tls.names.items[index]);
    }
    return good && buf_append(out, "", 1);
}

static char *key_text(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int good = PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    ASSERT(good == 1 && BIO_write(bio, "", 1) == 1);
    char *data;
    (void)BIO_get_mem_data(bio, &data);
    char *text = mem_string(data);
    (void)BIO_free(bio);
    return text;
}

static char *certificate_text(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int good = PEM_write_bio_X509(bio, certificate);
    ASSERT(good == 1 && BIO_write(bio, "", 1) == 1);
    char *data;
    (void)BIO_get_mem_data(bio, &data);
    char *text = mem_string(data);
    (void)BIO_free(bio);
    return text;
}

static bool make_server(const struct options *options, const struct authority *authority,
                        struct tls_files *out, struct err *err)
{
    struct buf names;
    buf_init(&names, NAMES_BYTES_MAX);
    if (!write_names(options, &names)) {
        buf_release(&names);
        return err_set(err, 0, "tls: too many names");
    }
    EVP_PKEY *key = jwt_key_new();
    X509 *certificate =
        new_certificate(key, "walship-emulator", X509_get_subject_name(authority->certificate));
    add_extension(certificate, NID_subject_alt_name, (const char *)names.data);
    add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate, NID_ext_key_usage, "serverAuth");
    sign(certificate, authority->key);
    out->key_pem = key_text(key);
    out->certificate_pem = certificate_text(certificate);
    bool good = write_pair(options->tls.directory, "server", key, certificate, err);
    EVP_PKEY_free(key);
    X509_free(certificate);
    buf_release(&names);
    return good;
}

bool tls_open(const struct options *options, struct tls_files *out, struct err *err)
{
    ASSERT(options->tls.directory != NULL);
    *out = (struct tls_files){NULL, NULL};
    struct authority authority;
    bool good = make_authority(options->tls.directory, &authority, err) &&
                make_server(options, &authority, out, err);
    EVP_PKEY_free(authority.key);
    X509_free(authority.certificate);
    return good;
}

void tls_release(struct tls_files *files)
{
    mem_free(files->key_pem);
    mem_free(files->certificate_pem);
    *files = (struct tls_files){NULL, NULL};
}

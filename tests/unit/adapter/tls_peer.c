/* tls_peer.c - see tls_peer.h. Blocking sockets and threads, as http_peer. */
#include "tls_peer.h"

#include <arpa/inet.h>
#include <http_peer.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>
#include <walship/assert.h>
#include <walship/mem.h>

enum { CONNECTIONS_MAX = 64, HEAD_BYTES = 8192 };

struct connection {
    struct tls_peer *peer;
    pthread_t thread;
    int fd;
};

struct tls_peer {
    int listener;
    unsigned port;
    pthread_t thread;
    SSL_CTX *tls; /* NULL: a proxy */
    bool refuse;
    atomic_size_t connections, requests;
    struct connection all[CONNECTIONS_MAX];
    char head[HEAD_BYTES];
};

/* ---- certificates ---- */

static char *text_of(BIO *bio)
{
    char *data;
    long bytes = BIO_get_mem_data(bio, &data);
    char *text = mem_format("%.*s", (int)bytes, data);
    BIO_free(bio);
    return text;
}

static X509 *read_certificate(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    ASSERT(certificate != NULL);
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *read_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    ASSERT(key != NULL);
    BIO_free(bio);
    return key;
}

static void put_extension(X509 *certificate, int kind, const char *text)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, text);
    ASSERT(extension != NULL);
    int code = X509_add_ext(certificate, extension, -1);
    ASSERT(code == 1);
    X509_EXTENSION_free(extension);
}

static void fill(X509 *certificate, EVP_PKEY *key, const char *common_name)
{
    static atomic_long serial = 1;
    X509_NAME *subject = X509_get_subject_name(certificate);
    int code = X509_set_version(certificate, 2) &&
               ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++) &&
               X509_gmtime_adj(X509_getm_notBefore(certificate), -60) != NULL &&
               X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != NULL &&
               X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                          (const unsigned char *)common_name, -1, -1, 0) &&
               X509_set_pubkey(certificate, key);
    ASSERT(code == 1);
}

struct tls_identity tls_identity_make(const char *common_name, const char *names,
                                      const struct tls_identity *issuer)
{
    X509 *certificate = X509_new(), *above = NULL;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *signer = key;
    fill(certificate, key, common_name);
    if (issuer != NULL) {
        above = read_certificate(issuer->certificate);
        signer = read_key(issuer->key);
    } else {
        put_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    }
    if (names != NULL) {
        put_extension(certificate, NID_subject_alt_name, names);
    }
    int code = X509_set_issuer_name(certificate,
                                    X509_get_subject_name(above != NULL ? above : certificate));
    ASSERT(code == 1);
    code = X509_sign(certificate, signer, EVP_sha256());
    ASSERT(code > 0);
    BIO *certificate_text = BIO_new(BIO_s_mem()), *key_text = BIO_new(BIO_s_mem());
    code = PEM_write_bio_X509(certificate_text, certificate) &&
           PEM_write_bio_PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL);
    ASSERT(code == 1);
    struct tls_identity identity = {text_of(certificate_text), text_of(key_text)};
    if (signer != key) {
        EVP_PKEY_free(signer);
    }
    X509_free(above);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return identity;
}

void tls_identity_free(struct tls_identity *identity)
{
    mem_free(identity->certificate);
    mem_free(identity->key);
}

/* ---- the HTTPS server ---- */

/* "Content-Length" bytes follow a head. */
static size_t promised(const char *head)
{
    const char *at = strcasestr(head, "\r\nContent-Length:");
    return at != NULL ? strtoul(at + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

static bool hear(SSL *tls, char *head)
{
    size_t have = 0;
    for (;;) {
        int got = SSL_read(tls, head + have, (int)(HEAD_BYTES - 1 - have));
        if (got <= 0) {
            return false;
        }
        have += (size_t)got;
        head[have] = '\0';
        const char *end = strstr(head, "\r\n\r\n");
        if (end != NULL && have >= (size_t)(end - head) + 4 + promised(head)) {
            return true;
        }
    }
}

static bool say_seen(SSL *tls, const char *head, bool last)
{
    char name[100] = "none";
    X509 *client = SSL_get1_peer_certificate(tls);
    if (client != NULL) {
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName, name,
                                        sizeof name);
        X509_free(client);
    }
    const char *sni = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
    char *body = mem_format("tls=%s sni=%s client=%s\n%s", SSL_get_version(tls),
                            sni != NULL ? sni : "none", name, head);
    char *answer = mem_format("HTTP/1.1 200 OK\r\nConnection: %s\r\nContent-Length: %zu\r\n\r\n%s",
                              last ? "close" : "keep-alive", strlen(body), body);
    bool said = SSL_write(tls, answer, (int)strlen(answer)) > 0;
    mem_free(body);
    mem_free(answer);
    return said;
}

static void serve_tls(struct connection *connection)
{
    char head[HEAD_BYTES];
    SSL *tls = SSL_new(connection->peer->tls);
    int code = SSL_set_fd(tls, connection->fd);
    ASSERT(code == 1);
    if (SSL_accept(tls) == 1) {
        while (hear(tls, head)) {
            connection->peer->requests++;
            bool last = strstr(head, " /quit ") != NULL;
            if (!say_seen(tls, head, last) || last) {
                (void)SSL_shutdown(tls);
                break;
            }
        }
    }
    SSL_free(tls);
}

/* ---- the proxy ---- */

static int connect_to(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* False: one side is gone. */
static bool carry(int from, int to)
{
    char bytes[16384];
    ssize_t got = recv(from, bytes, sizeof bytes, 0);
    return got > 0 && send(to, bytes, (size_t)got, MSG_NOSIGNAL) == got;
}

static void pump(int left, int right)
{
    bool open = true;
    while (open) {
        struct pollfd fds[2] = {{.fd = left, .events = POLLIN}, {.fd = right, .events = POLLIN}};
        open = poll(fds, 2, -1) > 0;
        open = open && (fds[0].revents == 0 || carry(left, right));
        open = open && (fds[1].revents == 0 || carry(right, left));
    }
}

static void say_plain(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void serve_proxy(struct connection *connection)
{
    struct tls_peer *peer = connection->peer;
    char head[HEAD_BYTES] = "";
    size_t have = 0;
    while (strstr(head, "\r\n\r\n") == NULL) {
        ssize_t got = recv(connection->fd, head + have, sizeof head - 1 - have, 0);
        if (got <= 0) {
            return;
        }
        have += (size_t)got;
        head[have] = '\0';
    }
    memcpy(peer->head, head, sizeof head);
    peer->requests++;
    if (peer->refuse) {
        say_plain(connection->fd, "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    const char *colon = strchr(head, ':');
    int onward = colon != NULL ? connect_to((unsigned)strtoul(colon + 1, NULL, 10)) : -1;
    if (onward < 0) {
        return;
    }
    say_plain(connection->fd, "HTTP/1.1 200 Go\r\n\r\n");
    pump(connection->fd, onward);
    (void)close(onward);
}

/* ---- life ---- */

static void *serve(void *context)
{
    struct connection *connection = context;
    if (connection->peer->tls != NULL) {
        serve_tls(connection);
    } else {
        serve_proxy(connection);
    }
    (void)shutdown(connection->fd, SHUT_RDWR); /* closed by stop */
    return NULL;
}

static void *accept_all(void *context)
{
    struct tls_peer *peer = context;
    for (;;) {
        int fd = accept(peer->listener, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        size_t index = peer->connections;
        ASSERT(index < CONNECTIONS_MAX);
        peer->all[index] = (struct connection){.peer = peer, .fd = fd};
        peer->connections++;
        int code = pthread_create(&peer->all[index].thread, NULL, serve, &peer->all[index]);
        ASSERT(code == 0);
    }
}

static void listen_low(struct tls_peer *peer)
{
    peer->port = http_peer_dead_port(&peer->listener);
    int code = listen(peer->listener, 16);
    ASSERT(code == 0);
}

static void start(struct tls_peer *peer)
{
    listen_low(peer);
    int code = pthread_create(&peer->thread, NULL, accept_all, peer);
    ASSERT(code == 0);
}

static SSL_CTX *context_make(const struct tls_peer_options *options)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    X509 *certificate = read_certificate(options->identity->certificate);
    EVP_PKEY *key = read_key(options->identity->key);
    int code = SSL_CTX_use_certificate(context, certificate) &&
               SSL_CTX_use_PrivateKey(context, key) &&
               SSL_CTX_set_max_proto_version(context, options->version_max);
    ASSERT(code == 1);
    SSL_CTX_set_security_level(context, 0); /* else TLS 1.1 is not even offered */
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (options->clients != NULL) {
        X509 *ca = read_certificate(options->clients->certificate);
        code = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
        ASSERT(code == 1);
        X509_free(ca);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return context;
}

struct tls_peer *tls_peer_start(const struct tls_peer_options *options)
{
    struct tls_peer *peer = mem_new(1, sizeof *peer);
    peer->tls = context_make(options);
    start(peer);
    return peer;
}

struct tls_peer *tls_proxy_start(bool refuse)
{
    struct tls_peer *peer = mem_new(1, sizeof *peer);
    peer->refuse = refuse;
    start(peer);
    return peer;
}

void tls_peer_stop(struct tls_peer *peer)
{
    (void)shutdown(peer->listener, SHUT_RDWR); /* wakes accept */
    (void)pthread_join(peer->thread, NULL);
    for (size_t i = 0; i < peer->connections; i++) {
        (void)shutdown(peer->all[i].fd, SHUT_RDWR);
        (void)pthread_join(peer->all[i].thread, NULL);
        (void)close(peer->all[i].fd);
    }
    (void)close(peer->listener);
    SSL_CTX_free(peer->tls);
    mem_free(peer);
}

unsigned tls_peer_port(const struct tls_peer *peer)
{
    return peer->port;
}

size_t tls_peer_connections(const struct tls_peer *peer)
{
    return peer->connections;
}

size_t tls_peer_requests(const struct tls_peer *peer)
{
    return peer->requests;
}

const char *tls_peer_head(const struct tls_peer *peer)
{
    return peer->head;
}

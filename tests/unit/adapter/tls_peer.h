/* tls_peer.h - certificates made while the tests run, an HTTPS server that says what it saw, and a
 * CONNECT proxy; all on loopback, a thread a connection, joined by stop. */
#ifndef TESTS_ADAPTER_TLS_PEER_H
#define TESTS_ADAPTER_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>

/* A key and its certificate, PEM; `names` as OpenSSL's subjectAltName has them. */
struct tls_identity {
    char *certificate, *key;
};
/* issuer NULL: a CA, signed by itself. */
struct tls_identity tls_identity_make(const char *common_name, const char *names,
                                      const struct tls_identity *issuer);
void tls_identity_free(struct tls_identity *identity);

struct tls_peer_options {
    const struct tls_identity *identity;
    const struct tls_identity *clients; /* CA of the certificates demanded; NULL: none */
    int version_max;                    /* 0: any */
};

/* Answers each request with 200 and a body "tls=TLSv1.3 sni=NAME client=CN\n" and the request's
 * head; "/quit" is answered and the connection closed. */
struct tls_peer;
struct tls_peer *tls_peer_start(const struct tls_peer_options *options);
/* A proxy: any CONNECT goes to its port on 127.0.0.1. refuse: 407 instead. */
struct tls_peer *tls_proxy_start(bool refuse);
void tls_peer_stop(struct tls_peer *peer);
unsigned tls_peer_port(const struct tls_peer *peer);
size_t tls_peer_connections(const struct tls_peer *peer);
size_t tls_peer_requests(const struct tls_peer *peer);
/* The last CONNECT a proxy read whole. Only while no request is under way. */
const char *tls_peer_head(const struct tls_peer *peer);

#endif

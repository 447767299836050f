/* server.h - the HTTP side: libmicrohttpd without its threads, driven from the program's own loop.
 *
 * Owns the connections and the bodies being received. Limits: CONNECTIONS_COUNT_MAX connections,
 * BODIES_BYTES_MAX of bodies at once (beyond: 503), listener->body_bytes_max a body (beyond: 413).
 * Loop thread only. */
#ifndef EMULATOR_SERVER_H
#define EMULATOR_SERVER_H

#include "emulator.h"

enum { CONNECTIONS_COUNT_MAX = 1024, BODIES_BYTES_MAX = 256 << 20, CONNECTION_IDLE_S_MAX = 300 };

struct server;

struct listener {
    const char *host; /* numeric */
    uint16_t port;    /* 0: a free one */
    uint64_t body_bytes_max;
    const char *key_pem; /* NULL: plain HTTP; both must outlive the server */
    const char *certificate_pem;
};

/* emulator must outlive it. NULL: err says why (address in use, ...). */
struct server *server_open(const struct listener *listener, struct emulator *emulator,
                           struct err *err);
/* Cuts every connection. */
void server_close(struct server *server);

uint16_t server_port(const struct server *server);
/* Readable when server_run has something to do. */
int server_fd(const struct server *server);
/* Bounded work; now_ms is monotonic, wall_ms Unix time. */
void server_run(struct server *server, int64_t now_ms, int64_t wall_ms);
/* When server_run should be called next even if the fd is quiet; INT64_MAX: no hurry. */
int64_t server_deadline(const struct server *server, int64_t now_ms);

#endif

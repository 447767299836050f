/* http_peer.c - see http_peer.h. Blocking sockets and threads: it shares nothing with what it
 * tests. */
#include "http_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>
#include <walship/assert.h>
#include <walship/mem.h>

enum { CONNECTIONS_MAX = 256, REQUEST_BYTES_MAX = 8 << 20, HEAD_BYTES_MAX = 16384 };

struct connection {
    struct http_peer *peer;
    pthread_t thread;
    int fd;        /* -1: closed; changed and closed under the peer's lock */
    char *request; /* head and body, terminated */
    size_t request_bytes;
    char path[256];
    unsigned served;
};

struct http_peer {
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    atomic_bool stopping;
    atomic_uint_fast64_t requests, connections, closed;
    struct connection *all[CONNECTIONS_MAX];
    size_t all_count; /* the accepting thread's, until it is joined */
};

/* ---- ports ---- */

/* Below the ephemeral range, so that no client's port collides, and above those that the end-to-end
 * tests choose from (scripts/lib.sh), which may run beside. */
static int bind_low(unsigned *port)
{
    for (unsigned i = 0; i < 10000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT(fd >= 0);
        *port = 30000 + ((unsigned)getpid() * 13 + i * 7) % 2700;
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)*port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
            return fd;
        }
        (void)close(fd);
    }
    ASSERT(false);
}

unsigned http_peer_dead_port(int *fd)
{
    unsigned port = 0;
    *fd = bind_low(&port);
    return port;
}

/* ---- one connection ---- */

static bool say(struct connection *connection, const void *bytes, size_t count)
{
    const char *at = bytes;
    while (count > 0) {
        ssize_t sent = send(connection->fd, at, count, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        at += sent;
        count -= (size_t)sent;
    }
    return true;
}

static bool say_text(struct connection *connection, const char *text)
{
    return say(connection, text, strlen(text));
}

/* Body bytes that the head promises. */
static size_t promised(const char *head)
{
    const char *at = strcasestr(head, "\r\nContent-Length:");
    return at != NULL ? strtoul(at + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

/* A whole request into connection->request; false: the peer is gone. */
static bool hear(struct connection *connection)
{
    char *request = connection->request;
    size_t have = 0, need = SIZE_MAX;
    while (have < need) {
        ssize_t got = recv(connection->fd, request + have, REQUEST_BYTES_MAX - have, 0);
        if (got <= 0) {
            return false;
        }
        have += (size_t)got;
        request[have] = '\0';
        const char *end = need == SIZE_MAX ? strstr(request, "\r\n\r\n") : NULL;
        if (end != NULL) {
            need = (size_t)(end - request) + 4 + promised(request);
            ASSERT(need < REQUEST_BYTES_MAX);
        }
    }
    connection->request_bytes = have;
    return sscanf(request, "%*s %255s", connection->path) == 1;
}

static void hang_up(struct connection *connection, bool reset)
{
    if (reset) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    (void)pthread_mutex_lock(&connection->peer->lock);
    (void)close(connection->fd);
    connection->fd = -1;
    (void)pthread_mutex_unlock(&connection->peer->lock);
    connection->peer->closed++;
}

static bool answer_bytes(struct connection *connection, const void *body, size_t count)
{
    char head[100];
    (void)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", count);
    return say_text(connection, head) && say(connection, body, count);
}

static bool answer_fill(struct connection *connection, size_t count)
{
    char *body = mem_new(count + 1, 1);
    memset(body, 'x', count);
    bool ok = answer_bytes(connection, body, count);
    mem_free(body);
    return ok;
}

/* Until the client has had enough; the pause is the behaviour under test, not a wait for something.
 */
static bool answer_endless(struct connection *connection, size_t chunk, unsigned pause_us)
{
    char bytes[4096];
    ASSERT(chunk <= sizeof bytes);
    memset(bytes, 'x', sizeof bytes);
    bool ok = say_text(connection, "HTTP/1.1 200 OK\r\n\r\n");
    while (ok && !connection->peer->stopping) {
        ok = say(connection, bytes, chunk);
        if (pause_us > 0) {
            (void)usleep(pause_us);
        }
    }
    return false;
}

static bool answer_headers(struct connection *connection)
{
    char line[3000];
    bool ok = say_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-First: 1\r\n");
    size_t used = (size_t)snprintf(line, sizeof line, "Location: http://x/");
    memset(line + used, 'a', 2000);
    (void)snprintf(line + used + 2000, 3, "\r\n");
    ok = ok && say_text(connection, line);
    for (int i = 0; ok && i < 100; i++) {
        (void)snprintf(line, sizeof line, "X-Many-%d: %d\r\n", i, i);
        ok = say_text(connection, line);
    }
    return ok && say_text(connection, "\r\n");
}

static const struct {
    const char *path;
    const char *text;
    bool stays;
} fixed[] = {
    {"/204", "HTTP/1.1 204 No Content\r\n\r\n", true},
    {"/mortal", "HTTP/1.1 204 No Content\r\n\r\n", true},
    {"/quit", "HTTP/1.1 204 No Content\r\n\r\n", false},
    {"/429",
     "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
     "Content-Type: text/plain\r\nwww-authenticate: Bearer realm=\"x\"\r\nX-Other: y\r\n"
     "Content-Length: 9\r\n\r\nslow down",
     true},
    {"/get", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true},
    {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789", false},
    {"/redirect", "HTTP/1.1 302 Found\r\nLocation: /204\r\nContent-Length: 0\r\n\r\n", true},
    {"/continue", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", true},
    {"/garbage", "hello, who is there?\r\n\r\n", false},
    {"/close", "", false},
};

/* False: the connection is to be closed. */
static bool answer(struct connection *connection)
{
    const char *path = connection->path;
    if (strcmp(path, "/mortal") == 0 && connection->served > 1) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_COUNT(fixed); i++) {
        if (strcmp(path, fixed[i].path) == 0) {
            return say_text(connection, fixed[i].text) && fixed[i].stays;
        }
    }
    if (strcmp(path, "/echo") == 0) {
        return answer_bytes(connection, connection->request, connection->request_bytes);
    }
    if (strncmp(path, "/bytes/", 7) == 0) {
        return answer_fill(connection, strtoul(path + 7, NULL, 10));
    }
    if (strcmp(path, "/slow") == 0) {
        return answer_endless(connection, 1, 20000);
    }
    if (strcmp(path, "/huge") == 0) {
        return answer_endless(connection, 4096, 0);
    }
    if (strcmp(path, "/headers") == 0) {
        return answer_headers(connection);
    }
    if (strcmp(path, "/hang") == 0) {
        char nothing = 0;
        (void)recv(connection->fd, &nothing, 1, 0); /* until the client goes */
        return false;
    }
    return say_text(connection, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

static void *serve(void *context)
{
    struct connection *connection = context;
    bool stays = true;
    while (stays && hear(connection)) {
        connection->served++;
        connection->peer->requests++;
        stays = strcmp(connection->path, "/reset") != 0 && answer(connection);
    }
    hang_up(connection, strcmp(connection->path, "/reset") == 0);
    return NULL;
}

/* ---- the peer ---- */

static void *accept_all(void *context)
{
    struct http_peer *peer = context;
    for (;;) {
        int fd = accept(peer->listener, NULL, NULL);
        if (fd < 0 || peer->stopping) {
            if (fd >= 0) {
                (void)close(fd);
            }
            return NULL;
        }
        ASSERT(peer->all_count < CONNECTIONS_MAX);
        struct connection *connection = mem_new(1, sizeof *connection);
        connection->peer = peer;
        connection->fd = fd;
        connection->request = mem_new(REQUEST_BYTES_MAX + 1, 1);
        peer->all[peer->all_count++] = connection;
        peer->connections++;
        int code = pthread_create(&connection->thread, NULL, serve, connection);
        ASSERT(code == 0);
    }
}

struct http_peer *http_peer_start(void)
{
    struct http_peer *peer = mem_new(1, sizeof *peer);
    peer->listener = bind_low(&peer->port);
    int code = pthread_mutex_init(&peer->lock, NULL);
    ASSERT(code == 0);
    code = listen(peer->listener, 128);
    ASSERT(code == 0);
    code = pthread_create(&peer->thread, NULL, accept_all, peer);
    ASSERT(code == 0);
    return peer;
}

void http_peer_stop(struct http_peer *peer)
{
    peer->stopping = true;
    (void)shutdown(peer->listener, SHUT_RDWR); /* wakes accept */
    (void)pthread_join(peer->thread, NULL);
    for (size_t i = 0; i < peer->all_count; i++) {
        struct connection *connection = peer->all[i];
        (void)pthread_mutex_lock(&peer->lock);
        if (connection->fd >= 0) {
            (void)shutdown(connection->fd, SHUT_RDWR); /* wakes recv and send */
        }
        (void)pthread_mutex_unlock(&peer->lock);
        (void)pthread_join(connection->thread, NULL);
        mem_free(connection->request);
        mem_free(connection);
    }
    (void)close(peer->listener);
    (void)pthread_mutex_destroy(&peer->lock);
    mem_free(peer);
}

unsigned http_peer_port(const struct http_peer *peer)
{
    return peer->port;
}

uint64_t http_peer_requests(const struct http_peer *peer)
{
    return peer->requests;
}

uint64_t http_peer_connections(const struct http_peer *peer)
{
    return peer->connections;
}

uint64_t http_peer_closed(const struct http_peer *peer)
{
    return peer->closed;
}

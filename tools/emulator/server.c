/* server.c - libmicrohttpd's callbacks turned into one exchange and one answer a request.
 *
 * The library calls `handle` for a request several times: once with the headers, for each piece of
 * the body, once at its end, and once more after a delayed answer's connection was resumed. A
 * request that waits for its delay is in one list and its connection is suspended. */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <walship/mem.h>

#define NOT_COUNTED INT64_MIN

struct request {
    struct MHD_Connection *connection;
    struct buf body;
    enum exchange_body body_state;
    struct answer answer;
    bool answered;     /* the handler has run */
    bool delayed;      /* in the list, the connection suspended */
    int64_t resume_ms; /* while delayed; NOT_COUNTED until the next turn */
    struct request *next;
};

struct server {
    struct MHD_Daemon *daemon;
    struct emulator *emulator;
    uint64_t body_bytes_max;
    size_t bodies_bytes; /* of all requests */
    struct request *delayed;
    int64_t now_ms;
    int64_t wall_ms;
};

static const char *find_header(void *context, const char *name)
{
    return MHD_lookup_connection_value(context, MHD_HEADER_KIND, name);
}

static enum MHD_Result add_param(void *context, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
    (void)kind;
    struct exchange *exchange = context;
    if (exchange->query_count < QUERY_COUNT_MAX) {
        exchange->query[exchange->query_count] =
            (struct exchange_param){key, value == NULL ? "" : value};
        exchange->query_count++;
        return MHD_YES;
    }
    exchange->query_count = QUERY_COUNT_MAX + 1;
    return MHD_NO;
}

static struct request *request_new(struct server *server, struct MHD_Connection *connection,
                                   const char *path)
{
    struct request *request = mem_new(1, sizeof *request);
    struct exchange head = {.path = path, .header = find_header, .header_context = connection};
    uint64_t bytes_max = emulator_body_bytes_max(server->emulator, &head, server->body_bytes_max);
    request->connection = connection;
    buf_init(&request->body, (size_t)bytes_max);
    buf_init(&request->answer.body, ANSWER_BYTES_MAX);
    const char *length = find_header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (length != NULL && strtoull(length, NULL, 10) > bytes_max) {
        request->body_state = BODY_TOO_LARGE;
    }
    return request;
}

static void request_drop_body(struct server *server, struct request *request)
{
    ASSERT(server->bodies_bytes >= request->body.bytes);
    server->bodies_bytes -= request->body.bytes;
    size_t limit = request->body.limit;
    buf_release(&request->body);
    buf_init(&request->body, limit);
}

static void request_append(struct server *server, struct request *request, const char *data,
                           size_t bytes)
{
    if (request->body_state != BODY_WHOLE) {
        return;
    }
    if (bytes > BODIES_BYTES_MAX - server->bodies_bytes) {
        request->body_state = BODY_NO_ROOM;
    } else if (!buf_append(&request->body, data, bytes)) {
        request->body_state = BODY_TOO_LARGE;
    } else {
        server->bodies_bytes += bytes;
        return;
    }
    request_drop_body(server, request);
}

static void request_run(struct server *server, struct request *request, const char *path,
                        const char *method)
{
    struct exchange exchange = {
        .method = method,
        .path = path,
        .header = find_header,
        .header_context = request->connection,
        .body_state = request->body_state,
        .body = view_of(request->body.data, request->body.bytes),
        .now_ms = server->now_ms,
        .wall_ms = server->wall_ms,
    };
    (void)MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, add_param,
                                    &exchange);
    emulator_answer(server->emulator, &exchange, &request->answer);
    request->answered = true;
    request_drop_body(server, request);
}

static void request_delay(struct server *server, struct request *request)
{
    ASSERT(!request->delayed);
    request->resume_ms = NOT_COUNTED;
    request->delayed = true;
    request->next = server->delayed;
    server->delayed = request;
    MHD_suspend_connection(request->connection);
}

static enum MHD_Result request_send(struct request *request)
{
    const struct answer *answer = &request->answer;
    if (answer->cut) {
        return MHD_NO;
    }
    ASSERT(answer->status >= 200 && answer->status <= 599);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body.bytes, answer->body.data, MHD_RESPMEM_MUST_COPY);
    ASSERT(response != NULL);
    if (answer->content_type != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    }
    if (answer->retry_after[0] != '\0') {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, answer->retry_after);
    }
    for (size_t index = 0; index < answer->headers_count; index++) {
        (void)MHD_add_response_header(response, answer->headers[index].name,
                                      answer->headers[index].value);
    }
    enum MHD_Result result =
        MHD_queue_response(request->connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data,
                              size_t *data_bytes, void **state)
{
    (void)version;
    struct server *server = context;
    struct request *request = *state;
    if (request == NULL) {
        request = request_new(server, connection, path);
        *state = request;
        if (request->body_state != BODY_TOO_LARGE) {
            return MHD_YES;
        }
    } else if (*data_bytes > 0) {
        request_append(server, request, data, *data_bytes);
        *data_bytes = 0;
        return MHD_YES;
    }
    if (!request->answered) {
        request_run(server, request, path, method);
    }
    if (request->answer.delay_ms > 0) {
        request_delay(server, request);
        return MHD_YES;
    }
    return request_send(request);
}

static void unlink_delayed(struct server *server, struct request *request)
{
    struct request **at = &server->delayed;
    while (*at != NULL && *at != request) {
        at = &(*at)->next;
    }
    ASSERT(*at == request);
    *at = request->next;
    request->next = NULL;
    request->delayed = false;
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct server *server = context;
    struct request *request = *state;
    if (request == NULL) {
        return;
    }
    if (request->delayed) {
        unlink_delayed(server, request);
    }
    request_drop_body(server, request);
    buf_release(&request->body);
    buf_release(&request->answer.body);
    mem_free(request);
    *state = NULL;
}

static void ignore_log(void *context, const char *format, va_list arguments)
{
    (void)context;
    (void)format;
    (void)arguments;
}

static bool make_address(const struct listener *listener, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    if (inet_pton(AF_INET, listener->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(listener->port);
        return false;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    int good = inet_pton(AF_INET6, listener->host, &v6->sin6_addr);
    ASSERT(good == 1);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(listener->port);
    return true;
}

/* The library's options are plain pointers; it only reads these. */
static void *unconst(const char *text)
{
    return (void *)(uintptr_t)text;
}

struct server *server_open(const struct listener *listener, struct emulator *emulator,
                           struct err *err)
{
    ASSERT(listener->host != NULL && listener->body_bytes_max <= BODY_BYTES_MAX);
    struct server *server = mem_new(1, sizeof *server);
    server->emulator = emulator;
    server->body_bytes_max = listener->body_bytes_max;
    struct sockaddr_storage address;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    flags |= make_address(listener, &address) ? MHD_USE_IPv6 : 0;
    bool secure = listener->key_pem != NULL;
    flags |= secure ? MHD_USE_TLS : 0;
    struct MHD_OptionItem tls[] = {
        {secure ? MHD_OPTION_HTTPS_MEM_KEY : MHD_OPTION_END, 0, unconst(listener->key_pem)},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, unconst(listener->certificate_pem)},
        {MHD_OPTION_END, 0, NULL},
    };
    errno = 0;
    server->daemon = MHD_start_daemon(
        flags, listener->port, NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, ignore_log,
        NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_NOTIFY_COMPLETED,
        completed, server, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_COUNT_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_IDLE_S_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(128 << 10), MHD_OPTION_LISTEN_BACKLOG_SIZE,
        (unsigned)CONNECTIONS_COUNT_MAX, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (server->daemon == NULL) {
        err_set(err, errno, "listen on %s port %u: %s", listener->host, listener->port,
                errno == 0 ? "failed" : strerror(errno));
        mem_free(server);
        return NULL;
    }
    return server;
}

static void resume(struct server *server, struct request *request)
{
    request->answer.delay_ms = 0;
    unlink_delayed(server, request);
    MHD_resume_connection(request->connection);
}

/* A delay is at least what was asked for: it counts from the turn after the one that read the
 * request, whose time was taken before the request came. */
static void resume_due(struct server *server)
{
    struct request *next;
    for (struct request *request = server->delayed; request != NULL; request = next) {
        next = request->next;
        if (request->resume_ms == NOT_COUNTED) {
            request->resume_ms = server->now_ms + 1 + request->answer.delay_ms; /* 1: rounding */
        } else if (request->resume_ms <= server->now_ms) {
            resume(server, request);
        }
    }
}

void server_close(struct server *server)
{
    ASSERT(server != NULL);
    while (server->delayed != NULL) { /* the library wants none suspended */
        resume(server, server->delayed);
    }
    MHD_stop_daemon(server->daemon);
    ASSERT(server->delayed == NULL && server->bodies_bytes == 0);
    mem_free(server);
}

uint16_t server_port(const struct server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    ASSERT(info != NULL);
    return info->port;
}

int server_fd(const struct server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    ASSERT(info != NULL);
    return info->epoll_fd;
}

void server_run(struct server *server, int64_t now_ms, int64_t wall_ms)
{
    server->now_ms = now_ms;
    server->wall_ms = wall_ms;
    resume_due(server);
    enum MHD_Result result = MHD_run(server->daemon);
    ASSERT(result == MHD_YES);
}

int64_t server_deadline(const struct server *server, int64_t now_ms)
{
    int64_t deadline = INT64_MAX;
    MHD_UNSIGNED_LONG_LONG wait_ms;
    if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES) {
        deadline = now_ms + (int64_t)wait_ms;
    }
    for (const struct request *request = server->delayed; request != NULL;
         request = request->next) {
        deadline = request->resume_ms < deadline ? request->resume_ms : deadline;
    }
    return deadline;
}

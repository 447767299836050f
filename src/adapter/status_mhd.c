/* status_mhd.c - see status_mhd.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <walship/mem.h>
#include <walship/status_mhd.h>

struct status {
    struct MHD_Daemon *daemon;
    status_page_fn *page;
    void *context;
};

static enum MHD_Result answer(struct MHD_Connection *connection, int code, const char *type,
                              struct buf *body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->bytes, body->data, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result = MHD_add_response_header(response, "Content-Type", type);
    if (result == MHD_YES) {
        result = MHD_queue_response(connection, (unsigned)code, response);
    }
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **state)
{
    struct status *status = context;
    (void)version;
    (void)upload;
    (void)upload_bytes;
    (void)state;
    struct buf body;
    buf_init(&body, STATUS_PAGE_BYTES_MAX);
    struct status_page page = {200, "text/plain; charset=utf-8", &body};
    bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    bool ok = true;
    if (!get) {
        page.status = 405;
        ok = buf_format(&body, "only GET here\n");
    } else if (!status->page(status->context, url, &page)) {
        page = (struct status_page){404, "text/plain; charset=utf-8", &body};
        buf_clear(&body);
        ok = buf_format(&body, "no such page; there are /metrics /status /-/healthy /-/ready\n");
    }
    ASSERT(ok);
    enum MHD_Result result = answer(connection, page.status, page.content_type, &body);
    buf_release(&body);
    return result;
}

/* HOST:PORT apart; host is empty for all addresses. */
static bool address_split(const char *address, char host[256], char port[16], struct err *err)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == 0 || strlen(colon + 1) >= 16 || colon - address >= 256) {
        return err_set(err, EINVAL, "listen_address %s: must be HOST:PORT", address);
    }
    size_t bytes = (size_t)(colon - address);
    snprintf(port, 16, "%s", colon + 1);
    if (bytes >= 2 && address[0] == '[' && address[bytes - 1] == ']') {
        address++;
        bytes -= 2;
    }
    memcpy(host, address, bytes);
    host[bytes] = 0;
    return true;
}

static struct MHD_Daemon *listen_at(struct status *status, const struct addrinfo *info)
{
    unsigned flags = MHD_USE_EPOLL | (info->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0u);
    return MHD_start_daemon(flags, 0, NULL, NULL, handle, status, MHD_OPTION_SOCK_ADDR,
                            info->ai_addr, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)STATUS_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, 10u,
                            MHD_OPTION_END);
}

struct status *status_mhd_open(const char *address, status_page_fn *page, void *context,
                               struct err *err)
{
    char host[256] = "";
    char port[16] = "";
    if (!address_split(address, host, port, err)) {
        return NULL;
    }
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *info = NULL;
    int code = getaddrinfo(*host == 0 ? NULL : host, port, &hints, &info);
    if (code != 0) {
        err_set(err, 0, "listen_address %s: %s", address, gai_strerror(code));
        return NULL;
    }
    struct status *status = mem_new(1, sizeof *status);
    status->page = page;
    status->context = context;
    status->daemon = listen_at(status, info);
    freeaddrinfo(info);
    if (status->daemon == NULL) {
        err_set(err, errno,
                "listen_address %s: can't listen there (%s); is another walship running?", address,
                strerror(errno));
        mem_free(status);
        return NULL;
    }
    return status;
}

void status_mhd_close(struct status *status)
{
    if (status != NULL) {
        MHD_stop_daemon(status->daemon);
        mem_free(status);
    }
}

void status_mhd_run(struct status *status)
{
    MHD_run(status->daemon);
}

int status_mhd_fd(const struct status *status)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(status->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    ASSERT(info != NULL);
    return info->epoll_fd;
}

int status_mhd_timeout(struct status *status)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    if (MHD_get_timeout(status->daemon, &timeout_ms) != MHD_YES) {
        return -1;
    }
    return timeout_ms > 60000 ? 60000 : (int)timeout_ms;
}

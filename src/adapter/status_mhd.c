/* status_mhd.c - see status_mhd.h. The listening socket is our own: when certificates change, the
 * next daemon takes it over and no client is refused meanwhile. */
#include "status_mhd_web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>
#include <walship/assert.h>
#include <walship/mem.h>
#include <walship/status_mhd.h>

struct status {
    struct MHD_Daemon *daemon;
    int socket; /* the daemon has a copy of its own */
    const struct conf_web *web;
    struct status_users users;
    status_page_fn *page;
    void *context;
};

/* ---- requests ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, const struct status_page *page)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(page->body->bytes, page->body->data, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result = MHD_add_response_header(response, "Content-Type", page->content_type);
    if (result == MHD_YES && page->status == MHD_HTTP_UNAUTHORIZED) {
        result = MHD_queue_basic_auth_fail_response(connection, "walship", response);
    } else if (result == MHD_YES) {
        result = MHD_queue_response(connection, (unsigned)page->status, response);
    }
    MHD_destroy_response(response);
    return result;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const void *)address;
    const uint8_t *bytes = in6->sin6_addr.s6_addr;
    return address->sa_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
            (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && bytes[12] == 127));
}

static enum status_method method_of(const char *text)
{
    if (strcmp(text, "GET") == 0 || strcmp(text, "HEAD") == 0) {
        return STATUS_GET;
    }
    return strcmp(text, "POST") == 0 || strcmp(text, "PUT") == 0 ? STATUS_POST : STATUS_OTHER;
}

/* False: the page says why not. */
static bool may_see(struct status *status, struct MHD_Connection *connection,
                    struct status_request *request, struct status_page *page)
{
    const struct conf_web *web = status->web;
    if (web == NULL) {
        return true;
    }
    if (!status_tls_client_good(web, connection)) {
        page->status = MHD_HTTP_FORBIDDEN;
        return !buf_format(page->body, "a client certificate is needed\n");
    }
    if (web->users_count == 0) {
        return true;
    }
    switch (status_users_check(&status->users, web, connection)) {
    case STATUS_USER_GOOD:
        request->authenticated = true;
        return true;
    case STATUS_USER_BAD:
        page->status = MHD_HTTP_UNAUTHORIZED;
        return !buf_format(page->body, "Unauthorized\n");
    case STATUS_USER_LATER:
        page->status = MHD_HTTP_TOO_MANY_REQUESTS;
        return !buf_format(page->body, "too soon after a wrong password\n");
    }
    ASSERT(!"status_users_check gave no known result");
    return false;
}

static void page_make(struct status *status, struct MHD_Connection *connection,
                      struct status_request *request, struct status_page *page)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    request->is_local = info != NULL && is_loopback(info->client_addr);
    request->by_web_page =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin") != NULL;
    if (!may_see(status, connection, request, page)) {
        return;
    }
    if (!status->page(status->context, request, page)) {
        page->status = MHD_HTTP_NOT_FOUND;
        page->content_type = "text/plain; charset=utf-8";
        buf_clear(page->body);
        bool ok = buf_format(page->body,
                             "no such page; there are /metrics /status /-/healthy /-/ready\n");
        ASSERT(ok);
    }
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **state)
{
    static char begun;
    (void)version;
    (void)upload;
    if (*state == NULL) { /* headers only; the body, if any, comes in further calls */
        *state = &begun;
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        *upload_bytes = 0; /* read and thrown away */
        return MHD_YES;
    }
    struct buf body;
    buf_init(&body, STATUS_PAGE_BYTES_MAX);
    struct status_page page = {200, "text/plain; charset=utf-8", &body};
    struct status_request request = {.path = url, .method = method_of(method)};
    page_make(context, connection, &request, &page);
    enum MHD_Result result = answer(connection, &page);
    buf_release(&body);
    return result;
}

/* ---- its life ---- */

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

static int socket_at(const struct addrinfo *info)
{
    static const int on = 1, off = 0;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6) { /* all addresses: those of IPv4 too */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, STATUS_CONNECTIONS_MAX) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* For all addresses IPv6 comes first: its socket serves both. */
static int socket_open(const char *address, struct err *err)
{
    char host[256] = "";
    char port[16] = "";
    if (!address_split(address, host, port, err)) {
        return -1;
    }
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(*host == 0 ? NULL : host, port, &hints, &found);
    if (code != 0) {
        err_set(err, 0, "listen_address %s: %s", address, gai_strerror(code));
        return -1;
    }
    int fd = -1;
    for (int pass = 0; pass < 2 && fd < 0; pass++) {
        for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
            bool first = *host != 0 || at->ai_family == AF_INET6;
            if (first == (pass == 0)) {
                fd = socket_at(at);
            }
        }
    }
    freeaddrinfo(found);
    if (fd < 0) {
        const char *hint = errno == EADDRINUSE      ? "; is another walship running?"
                           : errno == EADDRNOTAVAIL ? "; this machine has no such address"
                           : errno == EACCES        ? "; ports below 1024 are for root"
                                                    : "";
        err_set(err, errno, "listen_address %s: can't listen there (%s)%s", address,
                strerror(errno), hint);
    }
    return fd;
}

static void connection_begins(void *context, struct MHD_Connection *connection, void **own,
                              enum MHD_ConnectionNotificationCode code)
{
    const struct status *status = context;
    (void)own;
    if (code == MHD_CONNECTION_NOTIFY_STARTED && status->web != NULL) {
        status_tls_ask(status->web, connection);
    }
}

static struct MHD_Daemon *daemon_new(struct status *status, const struct conf_web *web,
                                     struct err *err)
{
    struct status_tls tls = {0};
    struct MHD_OptionItem options[8] = {{MHD_OPTION_END, 0, NULL}};
    size_t count = 0;
    bool secure = web != NULL && web->cert_file != NULL;
    if (secure) {
        if (!status_tls_read(&tls, web, err)) {
            return NULL;
        }
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, tls.cert};
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, tls.key};
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, tls.priorities};
        if (tls.ca != NULL) {
            options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, tls.ca};
        }
        options[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    }
    int fd = fcntl(status->socket, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) { /* all descriptors are taken, which may pass */
        status_tls_release(&tls);
        err_set(err, errno, "the status pages can't be served: %s", strerror(errno));
        return NULL;
    }
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | (secure ? (unsigned)MHD_USE_TLS : 0u), 0, NULL, NULL, handle, status,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)STATUS_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_NOTIFY_CONNECTION, connection_begins, status,
        MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    status_tls_release(&tls);
    if (daemon == NULL) {
        close(fd);
        err_set(err, 0, "the status pages can't be served%s",
                secure ? " with this web_config" : "");
    }
    return daemon;
}

struct status *status_mhd_open(const char *address, const struct conf_web *web,
                               status_page_fn *page, void *context, struct err *err)
{
    struct status *status = mem_new(1, sizeof *status);
    status->page = page;
    status->context = context;
    status->web = web;
    status->socket = socket_open(address, err);
    if (status->socket >= 0) {
        status->daemon = daemon_new(status, web, err);
    }
    if (status->daemon == NULL) {
        status_mhd_close(status);
        return NULL;
    }
    return status;
}

bool status_mhd_check(const struct conf_web *web, struct err *err)
{
    struct status_tls tls = {0};
    bool good = web->cert_file == NULL || status_tls_read(&tls, web, err);
    status_tls_release(&tls);
    return good;
}

bool status_mhd_renew(struct status *status, const struct conf_web *web, struct err *err)
{
    struct MHD_Daemon *daemon = daemon_new(status, web, err);
    if (daemon == NULL) {
        return false;
    }
    MHD_stop_daemon(status->daemon);
    status->daemon = daemon;
    status->web = web;
    status_users_release(&status->users);
    return true;
}

void status_mhd_close(struct status *status)
{
    if (status == NULL) {
        return;
    }
    if (status->daemon != NULL) {
        MHD_stop_daemon(status->daemon);
    }
    if (status->socket >= 0) {
        close(status->socket);
    }
    status_users_release(&status->users);
    mem_free(status);
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

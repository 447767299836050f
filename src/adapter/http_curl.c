/* http_curl.c - http.h over libcurl's multi interface.
 *
 * A transfer is one easy handle with what it needs, kept for re-use: FREE -> ACTIVE (libcurl has
 * it) -> READY (finished, waits to be taken) -> TAKEN (its strings are lent to the caller until the
 * next next_result) -> FREE.
 *
 * What reached the peer? libcurl calls the prereq function each time it is about to write a request
 * on a ready connection. Never called: surely nothing was sent. Called twice: libcurl repeated the
 * request by itself (a kept-alive connection had died), so an earlier copy may have arrived.
 * Counting is honest and needs no guess from error codes, of which several can mean either.
 *
 * Connections belong to a client: each has a cache of its own (a libcurl share), as libcurl would
 * not tell apart two that differ in their key or their proxy's password. Requests without a client
 * use the cache of the multi handle. */
#include "http_curl_cache.h"
#include "http_curl_client.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <signal.h>
#include <strings.h>
#include <walship/buf.h>
#include <walship/http_curl.h>
#include <walship/limits.h>
#include <walship/log.h>
#include <walship/mem.h>

enum { BODY_BYTES_KEPT = 4096 }; /* a larger buffer is not kept with a free transfer */

enum transfer_state { TRANSFER_FREE, TRANSFER_ACTIVE, TRANSFER_READY, TRANSFER_TAKEN };

struct transfer {
    enum transfer_state state;
    struct transfer *next; /* in the free list or the ready list */
    CURL *easy;
    uint64_t id;
    struct curl_slist *headers;
    const struct http_client *client;
    struct http_curl_lists lists; /* the client's */
    struct buf body;
    bool cut;        /* the answer's body was longer than we take */
    uint32_t starts; /* times the request was begun on a connection */
    CURLcode code;
    char error[CURL_ERROR_SIZE];
};

struct http_curl {
    struct http http; /* first: the seam's pointer is ours */
    CURLM *multi;
    CURLU *url; /* for checking */
    struct http_curl_caches caches;
    struct transfer *all[HTTP_CURL_REQUESTS_MAX];
    size_t all_count;
    struct transfer *free;
    struct transfer *ready, *ready_last;
    struct transfer *taken;
    struct http_header headers[HTTP_CURL_HEADERS_MAX]; /* of `taken` */
};

static struct http_curl *from(struct http *http)
{
    ASSERT(http != NULL);
    return (struct http_curl *)http;
}

/* ---- callbacks of libcurl ---- */

static int on_start(void *context, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
    struct transfer *transfer = context;
    (void)peer_ip, (void)own_ip, (void)peer_port, (void)own_port;
    transfer->starts++;
    buf_clear(&transfer->body); /* should the first try have brought some of an answer */
    return CURL_PREREQFUNC_OK;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t room = transfer->body.limit - 1 - transfer->body.bytes;
    ASSERT(one == 1);
    transfer->cut = count > room;
    bool kept = buf_append(&transfer->body, bytes, transfer->cut ? room : count);
    ASSERT(kept);                     /* the limit is one above the request's */
    return transfer->cut ? 0 : count; /* 0: libcurl ends the transfer */
}

/* ---- transfers ---- */

#define SET(easy, option, value)                                                                   \
    do {                                                                                           \
        CURLcode set_code_ = curl_easy_setopt((easy), (option), (value));                          \
        ASSERT(set_code_ == CURLE_OK);                                                             \
    } while (0)

/* What is the same for every request. */
static void set_policy(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    SET(easy, CURLOPT_PRIVATE, transfer);
    SET(easy, CURLOPT_ERRORBUFFER, transfer->error);
    SET(easy, CURLOPT_PREREQFUNCTION, on_start);
    SET(easy, CURLOPT_PREREQDATA, transfer);
    SET(easy, CURLOPT_WRITEFUNCTION, on_body);
    SET(easy, CURLOPT_WRITEDATA, transfer);
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_QUICK_EXIT, 1L); /* a pending name lookup must not hold up the exit */
    SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_PROXY, ""); /* none from the environment, unless a client says so */
    SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(easy, CURLOPT_USERAGENT, "walship/" WALSHIP_VERSION);
    SET(easy, CURLOPT_MAXAGE_CONN, (long)HTTP_CURL_IDLE_S_MAX);
    SET(easy, CURLOPT_MAXLIFETIME_CONN, (long)HTTP_CURL_LIFE_S_MAX);
    SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
}

static struct transfer *transfer_new(struct http_curl *curl)
{
    ASSERT(curl->all_count < HTTP_CURL_REQUESTS_MAX);
    struct transfer *transfer = mem_new(1, sizeof *transfer);
    transfer->easy = curl_easy_init();
    ASSERT(transfer->easy != NULL);                         /* only for want of memory */
    buf_init(&transfer->body, HTTP_RESPONSE_BYTES_MAX + 1); /* and the terminator */
    set_policy(transfer);
    curl->all[curl->all_count++] = transfer;
    return transfer;
}

/* NULL: too many. */
static struct transfer *transfer_get(struct http_curl *curl)
{
    struct transfer *transfer = curl->free;
    if (transfer != NULL) {
        curl->free = transfer->next;
    } else if (curl->all_count < HTTP_CURL_REQUESTS_MAX) {
        transfer = transfer_new(curl);
    } else {
        return NULL;
    }
    ASSERT(transfer->state == TRANSFER_FREE && transfer->headers == NULL);
    transfer->state = TRANSFER_ACTIVE;
    return transfer;
}

/* Back to the free list; nothing borrowed stays behind. */
static void transfer_put(struct http_curl *curl, struct transfer *transfer)
{
    ASSERT(transfer->state != TRANSFER_FREE);
    SET(transfer->easy, CURLOPT_HTTPHEADER, NULL);
    SET(transfer->easy, CURLOPT_POSTFIELDS, NULL);
    if (transfer->client != NULL) {
        curl_easy_reset(transfer->easy);
        SET(transfer->easy, CURLOPT_SHARE, NULL); /* the one thing that outlives a reset */
        set_policy(transfer);
        http_curl_lists_free(&transfer->lists);
        transfer->client = NULL;
    }
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    buf_clear(&transfer->body);
    if (transfer->body.capacity > BODY_BYTES_KEPT) {
        buf_release(&transfer->body);
    }
    transfer->body.limit = HTTP_RESPONSE_BYTES_MAX + 1;
    transfer->state = TRANSFER_FREE;
    transfer->next = curl->free;
    curl->free = transfer;
}

/* ---- a request goes in ---- */

static bool url_check(struct http_curl *curl, const char *url, struct err *err)
{
    /* The text of the URL stays out of the error: it may carry a password or a key (I6). */
    CURLUcode code = curl_url_set(curl->url, CURLUPART_URL, url, 0);
    if (code != CURLUE_OK) {
        return err_set(err, 0, "bad URL: %s", curl_url_strerror(code));
    }
    char *scheme = NULL;
    code = curl_url_get(curl->url, CURLUPART_SCHEME, &scheme, 0);
    bool known =
        code == CURLUE_OK && (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0);
    curl_free(scheme);
    return known || err_set(err, 0, "bad URL: the scheme is neither http nor https");
}

static bool is_one_line(const char *text)
{
    return text[strcspn(text, "\r\n")] == '\0';
}

static void header_add(struct transfer *transfer, const char *line)
{
    struct curl_slist *list = curl_slist_append(transfer->headers, line);
    ASSERT(list != NULL); /* only for want of memory */
    transfer->headers = list;
}

static bool headers_add(struct transfer *transfer, const struct http_request *request,
                        struct err *err)
{
    for (size_t i = 0; i < request->headers_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (!is_one_line(header->name) || !is_one_line(header->value)) {
            return err_set(err, 0, "a header contains a line break");
        }
        /* libcurl's own syntax: "Name;" is an empty value, "Name:" would take the header away */
        bool empty = header->value[0] == '\0';
        char *line = empty ? mem_format("%s;", header->name)
                           : mem_format("%s: %s", header->name, header->value);
        header_add(transfer, line);
        mem_free(line);
    }
    header_add(transfer, "Expect:"); /* no 100-continue: it costs a round trip or a second */
    return true;
}

/* curl->url is the request's, parsed. */
static bool client_set(struct http_curl *curl, struct transfer *transfer,
                       const struct http_request *request, struct err *err)
{
    CURLSH *share = http_curl_cache_of(&curl->caches, request->client);
    if (share == NULL) {
        return err_set(err, 0, "too many different clients (%d)", HTTP_CURL_CLIENTS_MAX);
    }
    transfer->client = request->client;
    SET(transfer->easy, CURLOPT_SHARE, share);
    if (!http_curl_client_set(transfer->easy, curl->url, request, &transfer->lists, err)) {
        return false;
    }
    for (const struct curl_slist *at = transfer->lists.request_headers; at != NULL; at = at->next) {
        header_add(transfer, at->data);
    }
    return true;
}

static void method_set(struct transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    switch (request->method) {
    case HTTP_GET:
        SET(easy, CURLOPT_HTTPGET, 1L);
        return;
    case HTTP_POST:
        SET(easy, CURLOPT_POST, 1L);
        /* no pointer would mean a read callback */
        SET(easy, CURLOPT_POSTFIELDS, request->body_bytes > 0 ? request->body : "");
        SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        return;
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

/* The client may have changed the host's name. */
static void url_set(struct http_curl *curl, struct transfer *transfer,
                    const struct http_request *request)
{
    char *url = NULL;
    if (transfer->lists.connect_to == NULL) {
        SET(transfer->easy, CURLOPT_URL, request->url);
        return;
    }
    CURLUcode code = curl_url_get(curl->url, CURLUPART_URL, &url, 0);
    ASSERT(code == CURLUE_OK);
    SET(transfer->easy, CURLOPT_URL, url);
    curl_free(url);
}

static void transfer_fill(struct transfer *transfer, const struct http_request *request)
{
    int64_t connect_ms = request->timeout_ms < HTTP_CURL_CONNECT_MS_MAX ? request->timeout_ms
                                                                        : HTTP_CURL_CONNECT_MS_MAX;
    ASSERT(request->timeout_ms > 0);
    transfer->id = request->id;
    transfer->starts = 0;
    transfer->cut = false;
    transfer->error[0] = '\0';
    SET(transfer->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    SET(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    SET(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    method_set(transfer, request);
}

static bool curl_post(struct http *http, const struct http_request *request, struct err *err)
{
    struct http_curl *curl = from(http);
    if (!url_check(curl, request->url, err)) {
        return false;
    }
    struct transfer *transfer = transfer_get(curl);
    if (transfer == NULL) {
        return err_set(err, 0, "too many requests in flight (%d)", HTTP_CURL_REQUESTS_MAX);
    }
    if (!headers_add(transfer, request, err) ||
        (request->client != NULL && !client_set(curl, transfer, request, err))) {
        transfer_put(curl, transfer);
        return false;
    }
    url_set(curl, transfer, request);
    transfer_fill(transfer, request);
    CURLMcode code = curl_multi_add_handle(curl->multi, transfer->easy);
    ASSERT(code == CURLM_OK); /* only for want of memory, or misuse */
    return true;
}

/* ---- a result comes out ---- */

static enum http_outcome outcome_of(const struct transfer *transfer)
{
    if (transfer->code == CURLE_OK || transfer->cut) {
        return HTTP_ANSWERED;
    }
    return transfer->starts == 0 ? HTTP_NOT_SENT : HTTP_AMBIGUOUS;
}

/* libcurl's text names hosts and ports, never userinfo or a query; but it may quote the peer. */
static const char *error_line(struct transfer *transfer)
{
    char *text = transfer->error;
    if (text[0] == '\0') {
        (void)snprintf(text, sizeof transfer->error, "%s", curl_easy_strerror(transfer->code));
    }
    for (char *c = text; *c != '\0'; c++) {
        *c = (char)(*c >= 0x20 && *c < 0x7F ? *c : '?');
    }
    return text;
}

static void name_header(struct http_result *out, const struct http_header *header)
{
    const struct {
        const char *name;
        const char **value;
    } named[] = {{"Retry-After", &out->retry_after},
                 {"Date", &out->date},
                 {"Content-Type", &out->content_type},
                 {"WWW-Authenticate", &out->www_authenticate},
                 {"Location", &out->location}};
    for (size_t i = 0; i < ARRAY_COUNT(named); i++) {
        if (*named[i].value == NULL && strcasecmp(header->name, named[i].name) == 0) {
            *named[i].value = header->value; /* of several, the first */
        }
    }
}

/* Over-long values are left out whole: half a URL or half a challenge is worse than none. */
static void read_headers(struct http_curl *curl, struct transfer *transfer, struct http_result *out)
{
    struct curl_header *at = NULL;
    out->headers = curl->headers;
    while (out->headers_count < HTTP_CURL_HEADERS_MAX &&
           (at = curl_easy_nextheader(transfer->easy, CURLH_HEADER, -1, at)) != NULL) {
        if (strlen(at->value) <= HTTP_HEADER_VALUE_BYTES_MAX) {
            struct http_header *header = &curl->headers[out->headers_count++];
            *header = (struct http_header){.name = at->name, .value = at->value};
            name_header(out, header);
        }
    }
}

static void read_answer(struct http_curl *curl, struct transfer *transfer, struct http_result *out)
{
    long status = 0;
    CURLcode code = curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    ASSERT(code == CURLE_OK);
    size_t bytes = transfer->body.bytes;
    bool terminated = buf_append(&transfer->body, "", 1);
    ASSERT(terminated);
    out->status = (int)status;
    out->body = (const char *)transfer->body.data;
    out->body_bytes = bytes;
    read_headers(curl, transfer, out);
}

static void give_back(struct http_curl *curl)
{
    if (curl->taken != NULL) {
        ASSERT(curl->taken->state == TRANSFER_TAKEN);
        transfer_put(curl, curl->taken);
        curl->taken = NULL;
    }
}

static struct transfer *ready_pop(struct http_curl *curl)
{
    struct transfer *transfer = curl->ready;
    if (transfer != NULL) {
        ASSERT(transfer->state == TRANSFER_READY);
        curl->ready = transfer->next;
        curl->ready_last = curl->ready != NULL ? curl->ready_last : NULL;
    }
    return transfer;
}

static bool curl_next_result(struct http *http, struct http_result *out)
{
    struct http_curl *curl = from(http);
    give_back(curl);
    struct transfer *transfer = ready_pop(curl);
    if (transfer == NULL) {
        return false;
    }
    transfer->state = TRANSFER_TAKEN;
    curl->taken = transfer;
    curl_off_t elapsed_us = 0;
    CURLcode code = curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &elapsed_us);
    ASSERT(code == CURLE_OK);
    *out = (struct http_result){.id = transfer->id,
                                .outcome = outcome_of(transfer),
                                .elapsed_ms = elapsed_us / 1000,
                                .repeated = transfer->starts > 1};
    if (out->outcome == HTTP_ANSWERED) {
        read_answer(curl, transfer, out);
    } else {
        out->error = error_line(transfer);
    }
    return true;
}

static void ready_unlink(struct http_curl *curl, const struct transfer *transfer)
{
    struct transfer *before = NULL;
    for (struct transfer *at = curl->ready; at != transfer; at = at->next) {
        ASSERT(at != NULL);
        before = at;
    }
    if (before != NULL) {
        before->next = transfer->next;
    } else {
        curl->ready = transfer->next;
    }
    if (curl->ready_last == transfer) {
        curl->ready_last = before;
    }
}

static void forget(struct http_curl *curl, struct transfer *transfer)
{
    CURLMcode code = curl_multi_remove_handle(curl->multi, transfer->easy);
    ASSERT(code == CURLM_OK);
}

/* Rare (stop, a changed configuration), so a walk will do. */
static void curl_cancel(struct http *http, uint64_t id)
{
    struct http_curl *curl = from(http);
    for (size_t i = 0; i < curl->all_count; i++) {
        struct transfer *transfer = curl->all[i];
        if (transfer->id != id ||
            (transfer->state != TRANSFER_ACTIVE && transfer->state != TRANSFER_READY)) {
            continue;
        }
        if (transfer->state == TRANSFER_ACTIVE) {
            forget(curl, transfer);
        } else {
            ready_unlink(curl, transfer);
        }
        transfer_put(curl, transfer);
        return;
    }
}

/* ---- the loop ---- */

static void finish(struct http_curl *curl, const CURLMsg *message)
{
    char *private = NULL;
    CURLcode code = curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
    ASSERT(code == CURLE_OK && private != NULL);
    struct transfer *transfer = (void *)private;
    ASSERT(transfer->state == TRANSFER_ACTIVE);
    transfer->code = message->data.result; /* before the removal: it frees the message */
    forget(curl, transfer);
    transfer->state = TRANSFER_READY;
    transfer->next = NULL;
    if (curl->ready_last != NULL) {
        curl->ready_last->next = transfer;
    } else {
        curl->ready = transfer;
    }
    curl->ready_last = transfer;
}

void http_curl_run(struct http *http)
{
    struct http_curl *curl = from(http);
    int running = 0, queued = 0;
    CURLMcode code = curl_multi_perform(curl->multi, &running);
    ASSERT(code == CURLM_OK); /* single transfers fail by their messages */
    for (CURLMsg *message; (message = curl_multi_info_read(curl->multi, &queued)) != NULL;) {
        ASSERT(message->msg == CURLMSG_DONE);
        finish(curl, message);
    }
}

void http_curl_wait(struct http *http, struct pollfd *fds, size_t fds_count, int timeout_ms)
{
    struct http_curl *curl = from(http);
    struct curl_waitfd extra[HTTP_CURL_FDS_MAX];
    ASSERT(fds_count <= HTTP_CURL_FDS_MAX);
    for (size_t i = 0; i < fds_count; i++) {
        int wanted = ((fds[i].events & POLLIN) != 0 ? CURL_WAIT_POLLIN : 0) |
                     ((fds[i].events & POLLPRI) != 0 ? CURL_WAIT_POLLPRI : 0) |
                     ((fds[i].events & POLLOUT) != 0 ? CURL_WAIT_POLLOUT : 0);
        extra[i] = (struct curl_waitfd){.fd = fds[i].fd, .events = (short)wanted};
    }
    /* Work that is ready must not sleep: a result nobody took yet may free the way for a request.
     */
    bool runnable = curl->ready != NULL || timeout_ms < 0;
    CURLMcode code =
        curl_multi_poll(curl->multi, extra, (unsigned)fds_count, runnable ? 0 : timeout_ms, NULL);
    if (code != CURLM_OK) { /* never seen; a loop that spins would be worse than one that limps */
        LOG_ERROR("can't wait for the network", LOG_STR("error", curl_multi_strerror(code)));
        (void)poll(NULL, 0, runnable ? 0 : 10);
    }
    /* libcurl tells nothing of a hang-up on our descriptors; this does. */
    if (fds_count > 0 && poll(fds, (nfds_t)fds_count, 0) < 0) {
        for (size_t i = 0; i < fds_count; i++) {
            fds[i].revents = 0;
        }
    }
}

/* ---- life ---- */

struct http *http_curl_new(void)
{
    CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
    ASSERT(global == CURLE_OK);
    (void)signal(SIGPIPE, SIG_IGN);
    struct http_curl *curl = mem_new(1, sizeof *curl);
    curl->http =
        (struct http){.post = curl_post, .next_result = curl_next_result, .cancel = curl_cancel};
    curl->multi = curl_multi_init();
    curl->url = curl_url();
    ASSERT(curl->multi != NULL && curl->url != NULL);
    /* The default, four times the transfers running, would drop kept-alive connections in a lull.
     */
    CURLMcode code =
        curl_multi_setopt(curl->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CURL_REQUESTS_MAX);
    ASSERT(code == CURLM_OK);
    return &curl->http;
}

void http_curl_free(struct http *http)
{
    struct http_curl *curl = from(http);
    for (size_t i = 0; i < curl->all_count; i++) {
        struct transfer *transfer = curl->all[i];
        if (transfer->state == TRANSFER_ACTIVE) {
            forget(curl, transfer);
        }
        curl_easy_cleanup(transfer->easy);
        curl_slist_free_all(transfer->headers);
        http_curl_lists_free(&transfer->lists);
        buf_release(&transfer->body);
        mem_free(transfer);
    }
    (void)curl_multi_cleanup(curl->multi);
    http_curl_caches_release(&curl->caches);
    curl_url_cleanup(curl->url);
    mem_free(curl);
    curl_global_cleanup();
}

void http_curl_forget(struct http *http, const struct http_client *client)
{
    ASSERT(client != NULL);
    http_curl_cache_forget(&from(http)->caches, client);
}

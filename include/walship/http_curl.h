/* http_curl.h - the real network behind http.h: libcurl's multi interface, driven by the one loop.
 *
 *     http_curl_run(http);              moves transfers; finished ones wait in next_result
 *     ...take results, post more...
 *     http_curl_wait(http, fds, n, ms); the loop's only sleep
 *
 * Policy, the same for all requests: http and https only, no redirect followed (Location is in the
 * result), no cookies, HTTP/1.1 unless a client offers HTTP/2, TLS >= 1.2, connections kept alive
 * but closed when idle for HTTP_CURL_IDLE_S_MAX (a peer that closes first costs an unsure request)
 * and made anew after HTTP_CURL_LIFE_S_MAX. Without a client (http_client.h): the system's CAs, no
 * proxy, not even the environment's. With one: its files are read at each new connection, and its
 * connections carry only its own requests. A proxy that refuses is HTTP_NOT_SENT. An answer longer
 * than HTTP_RESPONSE_BYTES_MAX is cut there and still counts as answered: its status is known.
 * libcurl repeats a request by itself when a kept-alive connection turns out dead; each start of a
 * request is counted, and a second one is said in http_result.repeated.
 * Ignores SIGPIPE for the whole process (TLS writes have no MSG_NOSIGNAL). Loop thread only. */
#ifndef WALSHIP_HTTP_CURL_H
#define WALSHIP_HTTP_CURL_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/assert.h>
#include <walship/http.h>

enum {
    HTTP_CURL_REQUESTS_MAX = 2048, /* in flight or not taken; more are not accepted */
    HTTP_CURL_CLIENTS_MAX = 4096,  /* different struct http_client at once */
    HTTP_CURL_HEADERS_MAX = 64,    /* of an answer; the rest is passed over */
    HTTP_CURL_CONNECT_MS_MAX = 10000,
    HTTP_CURL_IDLE_S_MAX = 20,
    HTTP_CURL_LIFE_S_MAX = 300,
    HTTP_CURL_FDS_MAX = 64 /* extra descriptors of a wait */
};

struct http *http_curl_new(void);
/* Gives up what is in flight: no results; the bodies may be freed afterwards. */
void http_curl_free(struct http *http);
/* This client comes no more, its memory may be freed: none of its requests is in flight or waits to
 * be taken. Its connections close. */
void http_curl_forget(struct http *http, const struct http_client *client);
void http_curl_run(struct http *http);
/* Sleeps until a transfer moves, one of fds is ready (revents is filled) or timeout_ms passed; not
 * at all while a result waits to be taken, or a request that was just accepted to be started. */
void http_curl_wait(struct http *http, struct pollfd *fds, size_t fds_count, int timeout_ms);

#endif

/* http_curl_client.h - private to http_curl: a struct http_client as options of one libcurl handle.
 */
#ifndef WALSHIP_SRC_ADAPTER_HTTP_CURL_CLIENT_H
#define WALSHIP_SRC_ADAPTER_HTTP_CURL_CLIENT_H

#include <curl/curl.h>
#include <walship/http_client.h>

/* Parts of a parsed URL; the port is always there, a literal IPv6 host has no brackets. */
struct http_curl_host {
    char *scheme, *name, *port;
};

/* What libcurl reads while the transfer lasts. */
struct http_curl_lists {
    struct curl_slist *connect_to;
    struct curl_slist *proxy_headers;
    struct curl_slist *request_headers; /* to be put with the request's own */
};

/* Sets what the client says on a handle that has none of it; curl_easy_reset takes it away again.
 * `url` is the request's, parsed; it is changed when the client has a server_name, and must be the
 * one to ask for afterwards. False: the client can't be used, err says why. */
bool http_curl_client_set(CURL *easy, CURLU *url, const struct http_request *request,
                          struct http_curl_lists *lists, struct err *err);
void http_curl_lists_free(struct http_curl_lists *lists);

/* http_curl_proxy.c: the proxy for a host; NULL: none. Borrowed from the client or environment. */
const char *http_curl_proxy(const struct http_client *client, const struct http_curl_host *host);
/* False: libcurl could not use it; err says why, and nothing of what it holds. */
bool http_curl_proxy_good(const char *proxy, struct err *err);

#endif

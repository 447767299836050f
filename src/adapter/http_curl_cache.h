/* http_curl_cache.h - private: a cache of connections for each client, as libcurl would not tell
 * apart two that differ in their key or their proxy's password. */
#ifndef ADAPTER_HTTP_CURL_CACHE_H
#define ADAPTER_HTTP_CURL_CACHE_H

#include <curl/curl.h>
#include <walship/http_client.h>

struct http_curl_cache {
    const struct http_client *client; /* NULL: forgotten, but still in use */
    CURLSH *share;
};

struct http_curl_caches {
    struct http_curl_cache *rows;
    size_t count, room;
};

/* NULL: too many. */
CURLSH *http_curl_cache_of(struct http_curl_caches *caches, const struct http_client *client);
void http_curl_cache_forget(struct http_curl_caches *caches, const struct http_client *client);
/* No transfer is left. */
void http_curl_caches_release(struct http_curl_caches *caches);

#endif

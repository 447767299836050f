/* http_curl_cache.c - see http_curl_cache.h. */
#include "http_curl_cache.h"

#include <walship/http_curl.h>
#include <walship/mem.h>

static CURLSH *share_new(void)
{
    CURLSH *share = curl_share_init();
    ASSERT(share != NULL);
    CURLSHcode code = curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT);
    ASSERT(code == CURLSHE_OK);
    return share;
}

CURLSH *http_curl_cache_of(struct http_curl_caches *caches, const struct http_client *client)
{
    ASSERT(client != NULL);
    for (size_t i = 0; i < caches->count; i++) {
        if (caches->rows[i].client == client) {
            return caches->rows[i].share;
        }
    }
    if (caches->count == HTTP_CURL_CLIENTS_MAX) {
        return NULL;
    }
    if (caches->count == caches->room) {
        caches->room = caches->room == 0 ? 8 : caches->room * 2;
        caches->rows = mem_grow(caches->rows, caches->room, sizeof *caches->rows);
    }
    CURLSH *share = share_new();
    caches->rows[caches->count++] = (struct http_curl_cache){client, share};
    return share;
}

/* One that a transfer still uses goes with a later call. */
void http_curl_cache_forget(struct http_curl_caches *caches, const struct http_client *client)
{
    for (size_t i = caches->count; i > 0; i--) {
        struct http_curl_cache *row = &caches->rows[i - 1];
        if (row->client != NULL && row->client != client) {
            continue;
        }
        row->client = NULL;
        if (curl_share_cleanup(row->share) == CURLSHE_OK) {
            *row = caches->rows[--caches->count];
        }
    }
}

void http_curl_caches_release(struct http_curl_caches *caches)
{
    for (size_t i = 0; i < caches->count; i++) {
        CURLSHcode code = curl_share_cleanup(caches->rows[i].share);
        ASSERT(code == CURLSHE_OK); /* no transfer is left that uses it */
    }
    mem_free(caches->rows);
    *caches = (struct http_curl_caches){0};
}

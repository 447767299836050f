/* http_curl_client.c - a struct http_client as libcurl options.
 *
 * server_name: libcurl takes SNI, the name to verify and the Host header from the URL. So the URL
 * is given the server's name, the connection is told to go to the real host instead
 * (CURLOPT_CONNECT_TO, also through a proxy), and the Host header is put right. */
#include "http_curl_client.h"

#include <strings.h>
#include <walship/mem.h>

#define SET(easy, option, value)                                                                   \
    do {                                                                                           \
        CURLcode set_code_ = curl_easy_setopt((easy), (option), (value));                          \
        ASSERT(set_code_ == CURLE_OK);                                                             \
    } while (0)

static void list_add(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);
    ASSERT(longer != NULL); /* only for want of memory */
    *list = longer;
}

/* Not copied: the client lives as long as we do, and a key is better in one place only. */
static struct curl_blob blob_of(char *text)
{
    return (struct curl_blob){.data = text, .len = strlen(text), .flags = CURL_BLOB_NOCOPY};
}

/* ---- TLS ---- */

/* A CA of the client's replaces the system's: file and directory. The proxy, when it speaks TLS
 * itself, is held to the same. */
static void set_ca(CURL *easy, const struct http_client *client)
{
    SET(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* the file may change: no parsed copy of it */
    SET(easy, CURLOPT_CAPATH, NULL);
    SET(easy, CURLOPT_PROXY_CAPATH, NULL);
    if (client->ca_file != NULL) {
        SET(easy, CURLOPT_CAINFO, client->ca_file);
        SET(easy, CURLOPT_PROXY_CAINFO, client->ca_file);
        return;
    }
    struct curl_blob blob = blob_of(client->ca);
    SET(easy, CURLOPT_CAINFO_BLOB, &blob);
    SET(easy, CURLOPT_PROXY_CAINFO_BLOB, &blob);
}

static void set_certificate(CURL *easy, const struct http_client *client)
{
    ASSERT(client->key != NULL || client->key_file != NULL);
    if (client->cert_file != NULL) {
        SET(easy, CURLOPT_SSLCERT, client->cert_file);
    } else {
        struct curl_blob blob = blob_of(client->cert);
        SET(easy, CURLOPT_SSLCERT_BLOB, &blob);
    }
    if (client->key_file != NULL) {
        SET(easy, CURLOPT_SSLKEY, client->key_file);
    } else {
        struct curl_blob blob = blob_of(client->key);
        SET(easy, CURLOPT_SSLKEY_BLOB, &blob);
    }
}

static long version_of(enum http_tls tls, long unset, long tls_1_2, long tls_1_3)
{
    switch (tls) {
    case HTTP_TLS_UNSET:
        return unset;
    case HTTP_TLS_1_2:
        return tls_1_2;
    case HTTP_TLS_1_3:
        return tls_1_3;
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

static void set_tls(CURL *easy, const struct http_client *client)
{
    long min = version_of(client->min_tls, CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_2,
                          CURL_SSLVERSION_TLSv1_3);
    long max = version_of(client->max_tls, CURL_SSLVERSION_MAX_DEFAULT, CURL_SSLVERSION_MAX_TLSv1_2,
                          CURL_SSLVERSION_MAX_TLSv1_3);
    SET(easy, CURLOPT_SSLVERSION, min | max);
    SET(easy, CURLOPT_PROXY_SSLVERSION, min | max);
    /* a resumed session would skip the check of a certificate against a newer CA file */
    SET(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    if (client->ca != NULL || client->ca_file != NULL) {
        set_ca(easy, client);
    }
    if (client->cert != NULL || client->cert_file != NULL) {
        set_certificate(easy, client);
    }
    if (client->any_name) {
        SET(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (client->insecure_skip_verify) {
        SET(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        SET(easy, CURLOPT_SSL_VERIFYHOST, 0L);
        SET(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 0L);
        SET(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 0L);
    }
}

/* ---- the proxy ---- */

static bool set_proxy(CURL *easy, const struct http_client *client,
                      const struct http_curl_host *host, struct http_curl_lists *lists,
                      struct err *err)
{
    const char *proxy = http_curl_proxy(client, host);
    if (proxy != NULL && !http_curl_proxy_good(proxy, err)) {
        return false;
    }
    SET(easy, CURLOPT_PROXY, proxy != NULL ? proxy : "");
    SET(easy, CURLOPT_NOPROXY,
        ""); /* the choice is made: libcurl's reading of $no_proxy is not asked */
    SET(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* no token to the proxy */
    if (proxy == NULL || strcasecmp(host->scheme, "https") != 0) {
        return true; /* there is no CONNECT to put headers on */
    }
    for (size_t i = 0; i < client->proxy_headers_count; i++) {
        const struct http_header *header = &client->proxy_headers[i];
        bool empty = header->value[0] == '\0';
        char *line = empty ? mem_format("%s;", header->name)
                           : mem_format("%s: %s", header->name, header->value);
        list_add(&lists->proxy_headers, line);
        mem_free(line);
    }
    SET(easy, CURLOPT_PROXYHEADER, lists->proxy_headers);
    return true;
}

/* ---- the server's name ---- */

static CURLUcode set_server_name(CURL *easy, CURLU *url, const struct http_client *client,
                                 const struct http_curl_host *host, struct http_curl_lists *lists)
{
    bool colons = strchr(host->name, ':') != NULL; /* an IPv6 address stands in brackets */
    const char *open = colons ? "[" : "", *close = colons ? "]" : "";
    bool name_colons = strchr(client->server_name, ':') != NULL;
    char *name =
        mem_format("%s%s%s", name_colons ? "[" : "", client->server_name, name_colons ? "]" : "");
    CURLUcode code = curl_url_set(url, CURLUPART_HOST, name, 0);
    if (code != CURLUE_OK) {
        mem_free(name);
        return code;
    }
    bool usual = strcmp(host->port, "443") == 0;
    char *to = mem_format("%s:%s:%s%s%s:%s", name, host->port, open, host->name, close, host->port);
    char *header = mem_format("Host: %s%s%s%s%s", open, host->name, close, usual ? "" : ":",
                              usual ? "" : host->port);
    list_add(&lists->connect_to, to);
    list_add(&lists->request_headers, header);
    SET(easy, CURLOPT_CONNECT_TO, lists->connect_to);
    mem_free(name);
    mem_free(to);
    mem_free(header);
    return CURLUE_OK;
}

/* ---- the whole ---- */

static void host_of(CURLU *url, struct http_curl_host *host)
{
    CURLUcode code = curl_url_get(url, CURLUPART_SCHEME, &host->scheme, 0);
    ASSERT(code == CURLUE_OK);
    code = curl_url_get(url, CURLUPART_HOST, &host->name, 0);
    ASSERT(code == CURLUE_OK);
    code = curl_url_get(url, CURLUPART_PORT, &host->port, CURLU_DEFAULT_PORT);
    ASSERT(code == CURLUE_OK);
    size_t bytes = strlen(host->name);
    if (host->name[0] == '[' && host->name[bytes - 1] == ']') {
        memmove(host->name, host->name + 1, bytes - 2);
        host->name[bytes - 2] = '\0';
    }
}

bool http_curl_client_set(CURL *easy, CURLU *url, const struct http_request *request,
                          struct http_curl_lists *lists, struct err *err)
{
    const struct http_client *client = request->client;
    struct http_curl_host host = {0};
    CURLUcode code = CURLUE_OK;
    bool proxy_good = true;
    ASSERT(client != NULL && lists->connect_to == NULL && lists->proxy_headers == NULL);
    host_of(url, &host);
    set_tls(easy, client);
    if (client->http2) {
        SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    }
    if (client->shuffle_addresses) {
        SET(easy, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
    }
    if (request->direct) {
        SET(easy, CURLOPT_PROXY, "");
        SET(easy, CURLOPT_NOPROXY, "*");
    } else {
        proxy_good = set_proxy(easy, client, &host, lists, err);
    }
    if (proxy_good && client->server_name != NULL && strcasecmp(host.scheme, "https") == 0) {
        code = set_server_name(easy, url, client, &host, lists);
    }
    curl_free(host.scheme);
    curl_free(host.name);
    curl_free(host.port);
    if (!proxy_good) {
        return false;
    }
    return code == CURLUE_OK || err_set(err, 0, "bad server_name: %s", curl_url_strerror(code));
}

void http_curl_lists_free(struct http_curl_lists *lists)
{
    curl_slist_free_all(lists->connect_to);
    curl_slist_free_all(lists->proxy_headers);
    curl_slist_free_all(lists->request_headers);
    *lists = (struct http_curl_lists){0};
}

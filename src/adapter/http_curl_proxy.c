/* http_curl_proxy.c - which proxy, if any: the rules of Go's golang.org/x/net/http/httpproxy, which
 * Prometheus follows and libcurl's own differ from (ports, ".example.com", loopback). And whether
 * one can be used, before libcurl says it in words that hold the password. */
#include "http_curl_client.h"

#include <arpa/inet.h>
#include <strings.h>
#include <walship/mem.h>

struct address {
    int family; /* 0: not a literal address */
    unsigned char bytes[16];
};

static struct address address_of(const char *text)
{
    struct address address = {.family = AF_INET};
    if (inet_pton(AF_INET, text, address.bytes) == 1) {
        return address;
    }
    address.family = inet_pton(AF_INET6, text, address.bytes) == 1 ? AF_INET6 : 0;
    return address;
}

static bool is_loopback(const struct http_curl_host *host)
{
    static const unsigned char one[16] = {[15] = 1};
    struct address address = address_of(host->name);
    return strcasecmp(host->name, "localhost") == 0 ||
           (address.family == AF_INET && address.bytes[0] == 127) ||
           (address.family == AF_INET6 && memcmp(address.bytes, one, sizeof one) == 0);
}

/* "10.0.0.0/8" against 10.1.2.3. */
static bool network_has(const char *network, const char *digits, const char *name)
{
    struct address address = address_of(name);
    struct address base = address_of(network);
    char *end;
    unsigned long bits = strtoul(digits, &end, 10);
    if (base.family == 0 || base.family != address.family || *digits == '\0' || *end != '\0' ||
        bits > (base.family == AF_INET ? 32 : 128)) {
        return false;
    }
    size_t whole = bits / 8;
    unsigned rest = bits % 8;
    unsigned char mask = (unsigned char)(0xff00u >> rest);
    return memcmp(base.bytes, address.bytes, whole) == 0 &&
           (rest == 0 || ((base.bytes[whole] ^ address.bytes[whole]) & mask) == 0);
}

/* ".example.com" and "*.example.com": what is below it; "example.com": it too. */
static bool domain_has(const char *domain, const char *name)
{
    const char *below = strncmp(domain, "*.", 2) == 0 ? domain + 1 : domain;
    size_t bytes = strlen(below), name_bytes = strlen(name);
    if (*below != '.' && strcasecmp(below, name) == 0) {
        return true;
    }
    if (bytes == 0 || name_bytes <= bytes || strcasecmp(name + name_bytes - bytes, below) != 0) {
        return false;
    }
    return *below == '.' || name[name_bytes - bytes - 1] == '.';
}

/* Takes ":8080" off "host:8080" or "[::1]:8080", and the brackets; the port, or NULL. */
static char *port_cut(char **entry)
{
    char *at = *entry;
    char *colon = strrchr(at, ':');
    if (*at == '[') {
        char *close = strchr(at, ']');
        if (close == NULL) {
            return NULL;
        }
        *close = '\0';
        *entry = at + 1;
        return close[1] == ':' ? close + 2 : NULL;
    }
    if (colon == NULL || strchr(at, ':') != colon) {
        return NULL; /* none, or an IPv6 address as it is */
    }
    *colon = '\0';
    return colon + 1;
}

static bool entry_has(char *entry, const struct http_curl_host *host)
{
    char *slash = strchr(entry, '/');
    if (strcmp(entry, "*") == 0) {
        return true;
    }
    if (slash != NULL) {
        *slash = '\0';
        return network_has(entry, slash + 1, host->name);
    }
    const char *port = port_cut(&entry);
    if (port != NULL && strcmp(port, host->port) != 0) {
        return false;
    }
    struct address wanted = address_of(entry);
    struct address address = address_of(host->name);
    if (wanted.family != 0) {
        return wanted.family == address.family &&
               memcmp(wanted.bytes, address.bytes, sizeof wanted.bytes) == 0;
    }
    return address.family == 0 && domain_has(entry, host->name);
}

static bool list_has(const char *list, const struct http_curl_host *host)
{
    char *copy = mem_string(list);
    char *rest = copy;
    bool found = false;
    for (char *entry; !found && (entry = strsep(&rest, ",")) != NULL;) {
        entry += strspn(entry, " \t");
        entry[strcspn(entry, " \t")] = '\0';
        found = *entry != '\0' && entry_has(entry, host);
    }
    mem_free(copy);
    return found;
}

static const char *variable(const char *upper, const char *lower)
{
    const char *value = getenv(upper);
    value = value != NULL && *value != '\0' ? value : getenv(lower);
    return value != NULL && *value != '\0' ? value : NULL;
}

const char *http_curl_proxy(const struct http_client *client, const struct http_curl_host *host)
{
    const char *proxy = client->proxy_url;
    const char *without = client->no_proxy;
    ASSERT(host->scheme != NULL && host->name != NULL && host->port != NULL);
    if (client->proxy_from_environment) {
        ASSERT(proxy == NULL);
        proxy = strcasecmp(host->scheme, "https") == 0 ? variable("HTTPS_PROXY", "https_proxy")
                                                       : variable("HTTP_PROXY", "http_proxy");
        without = variable("NO_PROXY", "no_proxy");
    }
    /* a proxy_url alone is for every host; with exceptions of any kind loopback is one */
    bool exceptions = client->proxy_from_environment || without != NULL;
    if (proxy == NULL || (exceptions && is_loopback(host))) {
        return NULL;
    }
    return without != NULL && list_has(without, host) ? NULL : proxy;
}

/* ---- can it be used ---- */

static bool scheme_good(const char *scheme)
{
    static const char *const good[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        if (strcasecmp(scheme, good[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The user and the password are read as libcurl will: where it can't, it would go without any
 * proxy. */
static const char *fault_of(CURLU *url)
{
    static const CURLUPart parts[] = {CURLUPART_USER, CURLUPART_PASSWORD};
    char *scheme = NULL;
    CURLUcode code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    bool good = code == CURLUE_OK && scheme_good(scheme);
    curl_free(scheme);
    if (!good) {
        return "the scheme is not http, https or one of socks";
    }
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        char *text = NULL;
        code = curl_url_get(url, parts[i], &text, CURLU_URLDECODE);
        curl_free(text);
        if (code != CURLUE_OK && code != CURLUE_NO_USER && code != CURLUE_NO_PASSWORD) {
            return "its user or password has a bad escape";
        }
    }
    return NULL;
}

/* libcurl quotes a proxy that it can't read, its password too, and one with a slash in the
 * password it reads as another host: neither is left to it (I6). */
bool http_curl_proxy_good(const char *proxy, struct err *err)
{
    const char *slashes = strstr(proxy, "://");
    const char *authority = slashes != NULL ? slashes + 3 : proxy;
    if (strchr(authority + strcspn(authority, "/?#"), '@') != NULL) {
        return err_set(err, 0, "bad proxy URL: a / ? or # of its password must be escaped");
    }
    CURLU *url = curl_url();
    ASSERT(url != NULL); /* only for want of memory */
    CURLUcode code =
        curl_url_set(url, CURLUPART_URL, proxy, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME);
    const char *fault = code != CURLUE_OK ? curl_url_strerror(code) : fault_of(url);
    curl_url_cleanup(url);
    return fault == NULL || err_set(err, 0, "bad proxy URL: %s", fault);
}

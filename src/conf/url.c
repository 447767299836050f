/* url.c - splits a URL by RFC 3986's delimiters; see url.h. What a host name or path may hold is
 * left to libcurl: only what would leak a secret or can't work at all is refused here. */
#include <strings.h>
#include <walship/assert.h>
#include <walship/mem.h>
#include <walship/url.h>

static bool part_is(const struct url_part *part, const char *text)
{
    return part->bytes == strlen(text) && strncasecmp(part->text, text, part->bytes) == 0;
}

/* "https" of "https://x"; no bytes when there is none. A "localhost:9090/x" has none either. */
static struct url_part scheme_of(const char *text)
{
    struct url_part scheme = {text, 0};
    size_t bytes =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    if (strncmp(text + bytes, "://", 3) == 0) {
        scheme.bytes = bytes;
    }
    return scheme;
}

static void split_authority(const char *text, size_t bytes, struct url *out)
{
    const char *host = text;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '@') {
            host = text + i + 1;
        }
    }
    if (host > text) {
        out->userinfo = (struct url_part){text, (size_t)(host - text) - 1};
    }
    const char *end = text + bytes;
    const char *scan = host;
    if (scan < end && *scan == '[') { /* the colons of an IPv6 address are not a port's */
        while (scan < end && *scan != ']') {
            scan++;
        }
    }
    const char *colon = scan < end ? memchr(scan, ':', (size_t)(end - scan)) : NULL;
    const char *host_end = colon != NULL ? colon : end;
    out->host = (struct url_part){host, (size_t)(host_end - host)};
    if (colon != NULL) {
        out->port = (struct url_part){colon + 1, (size_t)(end - colon) - 1};
    }
}

static bool port_good(const struct url_part *port)
{
    if (port->text == NULL) {
        return true;
    }
    unsigned value = 0;
    for (size_t i = 0; i < port->bytes; i++) {
        if (port->text[i] < '0' || port->text[i] > '9' || value > 65535) {
            return false;
        }
        value = value * 10 + (unsigned)(port->text[i] - '0');
    }
    return value >= 1 && value <= 65535;
}

static bool host_is_loopback(const struct url_part *host)
{
    return part_is(host, "localhost") || part_is(host, "[::1]") ||
           (host->bytes > 4 && strncmp(host->text, "127.", 4) == 0 &&
            strspn(host->text, "0123456789.") >= host->bytes);
}

static bool has_bad_byte(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f) {
            return true;
        }
    }
    return false;
}

enum url_fault url_parse(const char *text, struct url *out)
{
    ASSERT(text != NULL && out != NULL);
    *out = (struct url){0};
    if (*text == '\0') {
        return URL_EMPTY;
    }
    if (has_bad_byte(text)) {
        return URL_BAD_BYTE;
    }
    out->scheme = scheme_of(text);
    if (out->scheme.bytes == 0) {
        return URL_NO_SCHEME;
    }
    const char *authority = text + out->scheme.bytes + 3;
    size_t authority_bytes = strcspn(authority, "/?#");
    split_authority(authority, authority_bytes, out);
    out->path.text = authority + authority_bytes;
    out->path.bytes = strcspn(out->path.text, "?#");
    if (!part_is(&out->scheme, "http") && !part_is(&out->scheme, "https")) {
        return URL_WRONG_SCHEME;
    }
    if (out->host.bytes == 0) {
        return URL_NO_HOST;
    }
    if (!port_good(&out->port)) {
        return URL_BAD_PORT;
    }
    if (out->userinfo.text != NULL && url_is_clear(out)) {
        return URL_CLEAR_SECRET;
    }
    return URL_GOOD;
}

bool url_is_clear(const struct url *url)
{
    ASSERT(url->host.text != NULL);
    return part_is(&url->scheme, "http") && !host_is_loopback(&url->host);
}

char *url_bare(const struct url *url)
{
    ASSERT(url->scheme.bytes > 0 && url->host.bytes > 0);
    bool port = url->port.text != NULL;
    return mem_format("%.*s://%.*s%s%.*s%.*s", (int)url->scheme.bytes, url->scheme.text,
                      (int)url->host.bytes, url->host.text, port ? ":" : "",
                      port ? (int)url->port.bytes : 0, port ? url->port.text : "",
                      (int)url->path.bytes, url->path.text);
}

bool url_is_azure(const struct url *url)
{
    static const char service[] = ".metrics.ingest.monitor.azure.";
    ASSERT(url->host.text != NULL);
    for (size_t i = 1; i + sizeof service - 1 <= url->host.bytes; i++) {
        if (strncasecmp(url->host.text + i, service, sizeof service - 1) == 0) {
            return true;
        }
    }
    return false;
}

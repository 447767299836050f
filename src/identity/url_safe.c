/* url_safe.c - where a secret may go (I6). Stricter than a URL parser on purpose: what two parsers
 * could read differently is refused, so that the host judged here is the host curl connects to. */
#include <strings.h>
#include <walship/identity.h>

/* Only dotted quads as everyone writes them: 127.1 or 0x7f.0.0.1 are not taken for loopback. */
static bool is_loopback_quad(const char *host, size_t bytes)
{
    unsigned dots = 0, digits = 0, number = 0;
    if (bytes < 9 || strncmp(host, "127.", 4) != 0) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (host[i] == '.') {
            if (digits == 0) {
                return false;
            }
            dots++;
            digits = number = 0;
            continue;
        }
        if (host[i] < '0' || host[i] > '9' || (digits > 0 && number == 0)) {
            return false; /* a leading zero may mean octal */
        }
        number = number * 10 + (unsigned)(host[i] - '0');
        digits++;
        if (digits > 3 || number > 255) {
            return false;
        }
    }
    return dots == 3 && digits > 0;
}

static bool host_is(const char *host, size_t bytes, const char *name)
{
    return bytes == strlen(name) && strncasecmp(host, name, bytes) == 0;
}

static bool is_local(const char *host, size_t bytes)
{
    return host_is(host, bytes, "localhost") || host_is(host, bytes, "[::1]") ||
           host_is(host, bytes, "169.254.169.254") || is_loopback_quad(host, bytes);
}

static bool is_plain(const char *url)
{
    for (; *url != '\0'; url++) {
        if (*url <= ' ' || *url > '~' || *url == '\\') {
            return false;
        }
    }
    return true;
}

static bool port_is_good(const char *from, size_t bytes)
{
    if (bytes == 0) {
        return true;
    }
    if (from[0] != ':' || bytes < 2 || bytes > 6) {
        return false;
    }
    return strspn(from + 1, "0123456789") >= bytes - 1;
}

bool identity_url_is_safe(const char *url, bool allow_insecure_http)
{
    ASSERT(url != NULL);
    bool https = strncasecmp(url, "https://", 8) == 0;
    if ((!https && strncasecmp(url, "http://", 7) != 0) || !is_plain(url)) {
        return false;
    }
    const char *host = url + (https ? 8 : 7);
    size_t authority = strcspn(host, "/?#");
    if (authority == 0 || memchr(host, '@', authority) != NULL) {
        return false;
    }
    size_t bytes = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    if (bytes == 0 || bytes > authority || !port_is_good(host + bytes, authority - bytes)) {
        return false;
    }
    return https || allow_insecure_http || is_local(host, bytes);
}

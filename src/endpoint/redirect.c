/* redirect.c - resolves a Location as RFC 3986 (5.2) has it, but for dot segments, which libcurl
 * removes; see redirect.h. A Location is hostile until it was shown to be harmless. */
#include <string.h>
#include <strings.h>
#include <walship/assert.h>
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/redirect.h>
#include <walship/url.h>

/* A backslash is a slash to some parsers and not to others: it has no good use here. */
static bool is_harmless(const char *location)
{
    size_t bytes = strnlen(location, HTTP_HEADER_VALUE_BYTES_MAX + 1);
    if (bytes == 0 || bytes > HTTP_HEADER_VALUE_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (location[i] <= ' ' || location[i] > '~' || location[i] == '\\') {
            return false;
        }
    }
    return location[0] != '#';
}

static bool same_part(const struct url_part *a, const struct url_part *b)
{
    return a->bytes == b->bytes && strncasecmp(a->text, b->text, a->bytes) == 0;
}

static bool is_https(const struct url *url)
{
    return url->scheme.bytes == 5;
}

static unsigned port_of(const struct url *url)
{
    unsigned port = 0;
    for (size_t i = 0; i < url->port.bytes; i++) {
        port = port * 10 + (unsigned)(url->port.text[i] - '0');
    }
    return url->port.text != NULL ? port : is_https(url) ? 443 : 80;
}

static bool may_follow(const struct url *asked, const struct url *target)
{
    if (!same_part(&asked->host, &target->host)) {
        return false;
    }
    unsigned from = port_of(asked), to = port_of(target);
    if (is_https(asked) == is_https(target)) {
        return from == to;
    }
    return is_https(target) && (to == 443 || (to == from && to != 80));
}

/* Scheme and authority of `asked`, userinfo and all; https where the target is that. */
static char *url_built(const struct url *asked, const struct url *target, const char *path)
{
    const struct url_part *user = &asked->userinfo;
    char port[16] = "";
    size_t tail = strcspn(path, "#");
    if (target->port.text != NULL) {
        (void)snprintf(port, sizeof port, ":%u", port_of(target));
    }
    char *url = mem_format("%s://%.*s%s%.*s%s%s%.*s", is_https(target) ? "https" : "http",
                           (int)user->bytes, user->text != NULL ? user->text : "",
                           user->text != NULL ? "@" : "", (int)asked->host.bytes, asked->host.text,
                           port, path[0] == '/' ? "" : "/", (int)tail, path);
    if (strlen(url) > REDIRECT_URL_BYTES_MAX) {
        mem_free(url);
        return NULL;
    }
    return url;
}

static enum redirect absolute(const struct url *asked, const char *text, char **out)
{
    struct url target;
    if (url_parse(text, &target) != URL_GOOD || target.userinfo.text != NULL) {
        return REDIRECT_UNUSABLE;
    }
    if (!may_follow(asked, &target)) {
        *out = mem_format("%s://%.*s:%u", is_https(&target) ? "https" : "http",
                          (int)target.host.bytes, target.host.text, port_of(&target));
        return REDIRECT_ELSEWHERE;
    }
    *out = url_built(asked, &target, target.path.text);
    return *out != NULL ? REDIRECT_FOLLOWS : REDIRECT_UNUSABLE;
}

/* Within the origin: a path, a name beside the one that was asked, or another query of it. */
static enum redirect relative(const struct url *asked, const char *location, char **out)
{
    size_t kept = 0;
    if (location[0] == '?') {
        kept = asked->path.bytes;
    } else if (location[0] != '/') {
        for (size_t i = 0; i < asked->path.bytes; i++) {
            kept = asked->path.text[i] == '/' ? i + 1 : kept;
        }
    }
    char *path = mem_format("%.*s%s%s", (int)kept, asked->path.text,
                            kept == 0 && location[0] != '/' ? "/" : "", location);
    *out = url_built(asked, asked, path);
    mem_free(path);
    return *out != NULL ? REDIRECT_FOLLOWS : REDIRECT_UNUSABLE;
}

enum redirect redirect_resolve(const char *asked, const char *location, char **out)
{
    struct url url;
    *out = NULL;
    if (location == NULL || !is_harmless(location) || url_parse(asked, &url) != URL_GOOD) {
        return REDIRECT_UNUSABLE;
    }
    if (strncmp(location, "//", 2) == 0) {
        char *text = mem_format("%s:%s", is_https(&url) ? "https" : "http", location);
        enum redirect result = absolute(&url, text, out);
        mem_free(text);
        return result;
    }
    size_t head = strcspn(location, ":/?#");
    return location[head] == ':' ? absolute(&url, location, out) : relative(&url, location, out);
}

/* url.h - just enough of a URL to know, show and check an endpoint. Pure. */
#ifndef WALSHIP_URL_H
#define WALSHIP_URL_H

#include <stdbool.h>
#include <stddef.h>

enum url_fault {
    URL_GOOD,
    URL_EMPTY,
    URL_BAD_BYTE, /* a blank or control character */
    URL_NO_SCHEME,
    URL_WRONG_SCHEME, /* neither http nor https */
    URL_NO_HOST,
    URL_BAD_PORT,
    URL_CLEAR_SECRET /* userinfo over plain http to another machine (I6) */
};

struct url_part {
    const char *text;
    size_t bytes;
};

struct url {
    struct url_part scheme, userinfo, host, port, path;
};

/* Parts point into text. */
enum url_fault url_parse(const char *text, struct url *out);
/* Without userinfo, query and fragment; the caller frees it. The URL must be good. */
char *url_bare(const struct url *url);
/* What goes there can be read on the way: plain http to another machine. */
bool url_is_clear(const struct url *url);
/* A host of the Azure Monitor ingestion service, any cloud. */
bool url_is_azure(const struct url *url);

#endif

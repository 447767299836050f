/* live.h - a page of the walship that runs, asked for over its listen_address without any proxy. */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include <walship/buf.h>
#include <walship/err.h>

/* listen_address as a URL, path included; all addresses are reached by loopback. NULL: it does not
 * listen. To be freed. */
char *live_url(const char *address, const char *path);
/* Appends the page to out. False, with why: no answer within seconds, another status than 200, or a
 * page of bytes_max or more. */
bool live_fetch(const char *url, size_t bytes_max, struct buf *out, struct err *why);

#endif

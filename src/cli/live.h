/* live.h - a page of the walship that runs, asked for over its listen_address without any proxy.
 * With a web_config as that says: over TLS, where its certificate is the one that is trusted,
 * whatever its name; as the user and with the client certificate of the file of --http-config. */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include <walship/buf.h>
#include <walship/conf.h>
#include <walship/conf_page.h>
#include <walship/err.h>

struct live_ask {
    const struct conf *conf;
    const struct conf_page *page; /* NULL: as nobody */
    const char *url;
    size_t bytes_max;
};

/* listen_address as a URL, path included; all addresses are reached by loopback. NULL: it does not
 * listen. To be freed. */
char *live_url(const struct conf *conf, const char *path);
/* The file of --http-config; NULL path: none. False: what is wrong was said to stderr. */
bool live_page(const char *path, struct conf_page **out);
/* Appends the page to out. False, with why and what to do: no answer within seconds, another status
 * than 200, or a page of bytes_max or more. */
bool live_fetch(const struct live_ask *ask, struct buf *out, struct err *why);

#endif

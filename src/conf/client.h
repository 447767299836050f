/* client.h - private to src/conf: TLS and proxy as rows for the table of a destination or of an
 * endpoint. They fill a struct http_client, the field `client` of that struct; check_client, called
 * by that table's check, sees to what concerns several of them. */
#ifndef WALSHIP_SRC_CONF_CLIENT_H
#define WALSHIP_SRC_CONF_CLIENT_H

#include "bind.h"

#include <walship/http_client.h>

enum { CLIENT_PROXY_HEADERS_MAX = 32 };

extern const struct option_table client_tls_table;

/* min_version, max_version: an enum http_tls */
void bind_tls_version(struct binder *binder, const struct option *option,
                      const struct conf_node *node, void *target);
void bind_proxy_url(struct binder *binder, const struct option *option,
                    const struct conf_node *node, void *target);
void bind_proxy_headers(struct binder *binder, const struct option *option,
                        const struct conf_node *node, void *target);
void bind_follow_redirects(struct binder *binder, const struct option *option,
                           const struct conf_node *node, void *target);
void bind_enable_http2(struct binder *binder, const struct option *option,
                       const struct conf_node *node, void *target);

/* Of a whole destination or endpoint; node NULL: of one that is only a URL. */
/* Of an endpoint that has all it inherits. */
void check_clear(struct binder *binder, const struct conf_endpoint *endpoint);
void check_client(struct binder *binder, const struct conf_node *node,
                  const struct http_client *client);
/* What an endpoint does not say itself it has from its destination: all of tls_config, all of the
 * proxy. The nodes are those maps; `node` may be NULL. */
void client_inherit(struct http_client *client, const struct conf_node *node,
                    const struct http_client *from);
/* False: it says nothing that is not the default. */
bool client_differs(const struct http_client *client);
/* NULL-safe for every field; wipes what is secret. */
void client_release(struct http_client *client);

#define WAY_ROWS(type_)                                                                            \
    {.key = "tls_config",                                                                          \
     .type = OPTION_SECTION,                                                                       \
     .table = &client_tls_table,                                                                   \
     .offset = offsetof(struct type_, client),                                                     \
     .meaning = "TLS of the connection"},                                                          \
        {.key = "proxy_url",                                                                       \
         .type = OPTION_CUSTOM,                                                                    \
         .bind = bind_proxy_url,                                                                   \
         .kind = "URL",                                                                            \
         .secret = true,                                                                           \
         .offset = offsetof(struct type_, client.proxy_url),                                       \
         .shown = "none",                                                                          \
         .meaning = "the proxy: http, https, socks5 or socks5h; never for metadata services"},     \
        {.key = "no_proxy",                                                                        \
         .type = OPTION_CUSTOM,                                                                    \
         .bind = bind_auth_string,                                                                 \
         .kind = "string",                                                                         \
         .offset = offsetof(struct type_, client.no_proxy),                                        \
         .shown = "none",                                                                          \
         .meaning = "hosts without it, comma-separated: names, addresses, networks, with a port "  \
                    "or not"},                                                                     \
        {.key = "proxy_from_environment",                                                          \
         .type = OPTION_BOOL,                                                                      \
         .initial = "false",                                                                       \
         .offset = offsetof(struct type_, client.proxy_from_environment),                          \
         .meaning = "the proxy of `$HTTPS_PROXY`, `$HTTP_PROXY` and `$NO_PROXY`"},                 \
    {                                                                                              \
        .key = "proxy_connect_header", .type = OPTION_CUSTOM, .bind = bind_proxy_headers,          \
        .kind = "map of names to lists of values", .secret = true,                                 \
        .offset = offsetof(struct type_, client), .shown = "`{}`",                                 \
        .meaning = "headers of the CONNECT request"                                                \
    }

/* Of a destination or an endpoint. */
#define CLIENT_ROWS(type_)                                                                         \
    WAY_ROWS(type_),                                                                               \
        {.key = "follow_redirects",                                                                \
         .type = OPTION_CUSTOM,                                                                    \
         .bind = bind_follow_redirects,                                                            \
         .kind = "true or false",                                                                  \
         .shown = "`true`",                                                                        \
         .offset = offsetof(struct type_, client),                                                 \
         .meaning = "whether a 307 or 308 within the same origin is followed (docs/VERDICTS.md)",  \
         .differs = "others are followed there too"},                                              \
    {                                                                                              \
        .key = "enable_http2", .type = OPTION_CUSTOM, .bind = bind_enable_http2,                   \
        .kind = "true or false", .shown = "`false`", .offset = offsetof(struct type_, client),     \
        .meaning = "whether HTTP/2 is offered"                                                     \
    }

#endif

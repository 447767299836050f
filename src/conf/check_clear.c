/* check_clear.c - I6: nothing secret over plain http to another machine, but where it was allowed.
 * Loopback is no other machine, until a proxy of another one carries the request there: what goes
 * to the proxy is the whole of it, and the loopback that it is for is then the proxy's. */
#include "client.h"

#include <strings.h>
#include <walship/url.h>

static bool has_secret(const struct conf_endpoint *endpoint, const struct url *url)
{
    bool found = endpoint->auth.line != 0 || url->userinfo.text != NULL;
    for (size_t i = 0; i < endpoint->headers.count; i++) {
        found = found || endpoint->headers.rows[i].secret;
    }
    return found;
}

/* With exceptions of any kind loopback is one, those of the environment always. */
static bool proxy_elsewhere(const struct http_client *client)
{
    struct url proxy;
    if (client->proxy_url == NULL || client->no_proxy != NULL) {
        return false;
    }
    (void)url_parse(client->proxy_url, &proxy); /* its scheme may be one of socks */
    if (proxy.host.text == NULL) {
        return true;
    }
    proxy.scheme = (struct url_part){"http", 4};
    return url_is_clear(&proxy);
}

static bool is_plain(const struct url *url)
{
    return url->scheme.bytes == 4;
}

/* Metadata services are asked directly. A bare authority_host means https. */
static bool tokens_by_proxy(const struct conf_endpoint *endpoint)
{
    const struct conf_auth *auth = &endpoint->auth;
    bool entra = auth->kind == CONF_AUTH_SECRET || auth->kind == CONF_AUTH_CERTIFICATE ||
                 auth->kind == CONF_AUTH_WORKLOAD_IDENTITY || auth->kind == CONF_AUTH_SDK;
    const char *where = auth->kind == CONF_AUTH_OAUTH2 ? auth->token_url
                        : entra                        ? auth->authority_host
                                                       : NULL;
    struct url url;
    return where != NULL && url_parse(where, &url) == URL_GOOD && is_plain(&url) &&
           proxy_elsewhere(&endpoint->token_client);
}

void check_clear(struct binder *binder, const struct conf_endpoint *endpoint)
{
    struct conf_node at = {.line = endpoint->line, .column = endpoint->column};
    struct url url;
    if (endpoint->auth.allow_insecure_http || endpoint->url == NULL ||
        url_parse(endpoint->url, &url) != URL_GOOD || !has_secret(endpoint, &url)) {
        return;
    }
    if (url_is_clear(&url)) {
        bind_problem(binder, &at,
                     "url for remote_write: credentials must not go over plain http to another "
                     "machine, unless allow_insecure_http is true");
    } else if ((is_plain(&url) && proxy_elsewhere(&endpoint->client)) ||
               tokens_by_proxy(endpoint)) {
        bind_problem(binder, &at,
                     "url for remote_write: credentials must not go over plain http through a "
                     "proxy on another machine: give no_proxy (loopback then goes without one), "
                     "or set allow_insecure_http to true");
    }
}

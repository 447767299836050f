/* http_client.h - how a request connects: TLS and the proxy, as the configuration says it.
 *
 * Plain data, lent with each request (http.h): it must live, unchanged and at its place, as long as
 * the http seam. Connections are shared only between requests with the same pointer, so two clients
 * never meet on one connection, and a client's proxy password or certificate serves it alone.
 * Files are not read here: the adapter has them read anew at each new connection, and a connection
 * lives for HTTP_CURL_LIFE_S_MAX at the most. A file that is broken then fails the connection; what
 * is open goes on. Texts that were not given are NULL, never empty. */
#ifndef WALSHIP_HTTP_CLIENT_H
#define WALSHIP_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <walship/http.h>

/* TLS 1.2 is the floor whatever is said, so older versions have no name here. */
enum http_tls { HTTP_TLS_UNSET, HTTP_TLS_1_2, HTTP_TLS_1_3 };

struct http_client {
    /* PEM, inline or in a file: at most one of each pair. No CA: the system's. A CA replaces them.
     */
    char *ca, *ca_file;
    char *cert, *cert_file;
    char *key, *key_file; /* key: secret */
    char *server_name;    /* in SNI and in the certificate, instead of the URL's host */
    bool any_name;        /* whoever the CA vouches for is right, whatever the certificate's name */
    bool insecure_skip_verify;
    enum http_tls min_tls, max_tls;
    bool http2;             /* offer it */
    bool shuffle_addresses; /* round_robin_dns */
    bool no_redirects; /* follow_redirects: false; for whoever asks, nobody below http follows */

    char *proxy_url;                   /* may carry a password: never shown */
    char *no_proxy;                    /* hosts that need none, comma-separated, as in $NO_PROXY */
    bool proxy_from_environment;       /* $HTTPS_PROXY or $HTTP_PROXY, and $NO_PROXY */
    struct http_header *proxy_headers; /* of CONNECT only; values are secret */
    size_t proxy_headers_count;
};

#endif

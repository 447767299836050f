/* conf_endpoint.h - one URL of a destination as the configuration says it: conf.h's inner part. */
#ifndef WALSHIP_CONF_ENDPOINT_H
#define WALSHIP_CONF_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/conf_auth.h>
#include <walship/http_client.h>

struct conf_quota { /* 0: unset */
    uint64_t samples_per_minute;
    uint64_t requests_per_minute;
    uint64_t bytes_per_minute;
    double share; /* of them for this walship; conf_bind has applied it */
};

struct conf_header {
    char *name;
    char *value; /* secret; NULL: in the file */
    char *file;
    bool secret; /* of `secrets` or `files` */
};
struct conf_headers {
    struct conf_header *rows;
    size_t count; /* at most CONF_HEADERS_MAX */
};
enum { CONF_HEADERS_MAX = 64 };

struct conf_endpoint {
    char *url;   /* secret parts (userinfo) never printed: use `shown` */
    char *shown; /* for logs and metrics: no userinfo, no query */
    char *key;   /* identity: URL without query */
    double weight;
    struct conf_quota quota;
    struct conf_headers headers; /* its own, and those of its destination */
    /* Its own, else the destination's: the authentication as a whole, tls_config, the proxy. */
    struct conf_auth auth;
    struct http_client client;
    /* Of token requests: what oauth2 says, else the proxy only; borrows their texts. */
    struct http_client token_client;
    bool has_client, has_token_client; /* false: all defaults, for http.h no client at all */
    unsigned line, column;
};

#endif

/* conf_web.h - the `web_config` file: TLS and basic auth of walship's own pages, in the form that
 * Prometheus' exporters have. Only strings and choices: the adapter reads the files.
 * Ownership: conf_web_bind allocates, conf_web_free frees (NULL-safe). */
#ifndef WALSHIP_CONF_WEB_H
#define WALSHIP_CONF_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <walship/buf.h>
#include <walship/conf_node.h>
#include <walship/http_client.h>

struct conf_problems;

enum conf_web_client { /* client_auth_type */
                       CONF_WEB_NO_CLIENT_CERT,
                       CONF_WEB_REQUEST_CLIENT_CERT,
                       CONF_WEB_REQUIRE_ANY_CLIENT_CERT,
                       CONF_WEB_VERIFY_CLIENT_CERT_IF_GIVEN,
                       CONF_WEB_REQUIRE_AND_VERIFY_CLIENT_CERT
};

enum { CONF_WEB_USERS_MAX = 256 };

struct conf_web_user {
    char *name;
    char *hash; /* bcrypt */
};

struct conf_web {
    char *cert_file, *key_file; /* both or none: no TLS */
    char *client_ca_file;
    enum conf_web_client client_auth;
    enum http_tls min_tls, max_tls;
    struct conf_web_user *users; /* none: anyone */
    size_t users_count;
};

/* NULL: problems tell. */
struct conf_web *conf_web_bind(const struct conf_node *root, const char *file,
                               struct conf_problems *problems);
void conf_web_free(struct conf_web *web);

#endif

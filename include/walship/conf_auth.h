/* conf_auth.h - how an endpoint authenticates, as the configuration says it: one block, `azuread`
 * or one of Prometheus' generic ones, of a destination or of one endpoint.
 *
 * Only strings and choices: nothing is read or asked here. identity.h makes a token source of it.
 * Ownership: conf_auth_bind allocates, conf_auth_release wipes what is secret and frees. A field
 * that was not given is NULL, never empty. */
#ifndef WALSHIP_CONF_AUTH_H
#define WALSHIP_CONF_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <walship/buf.h>
#include <walship/http_client.h>

struct conf_node; /* conf.h, which has a conf_auth in its structs */
struct conf_problems;

enum conf_auth_kind {
    CONF_AUTH_NONE,
    CONF_AUTH_BASIC,            /* basic_auth */
    CONF_AUTH_HEADER,           /* authorization, bearer_token */
    CONF_AUTH_OAUTH2,           /* oauth2: client credentials */
    CONF_AUTH_MANAGED_IDENTITY, /* the rest: blocks within azuread */
    CONF_AUTH_SECRET,           /* oauth */
    CONF_AUTH_CERTIFICATE,
    CONF_AUTH_WORKLOAD_IDENTITY,
    CONF_AUTH_SDK
};

enum conf_auth_cloud { CONF_CLOUD_PUBLIC, CONF_CLOUD_GOVERNMENT, CONF_CLOUD_CHINA };

/* Where a managed identity asks. AUTO: as documented by Azure, which a stray variable can hijack.
 */
enum conf_auth_source {
    CONF_SOURCE_AUTO,
    CONF_SOURCE_IMDS,
    CONF_SOURCE_ARC,
    CONF_SOURCE_APP_SERVICE
};

enum { CONF_AUTH_LIST_MAX = 32 }; /* scopes, endpoint_params */

struct conf_auth_param {
    char *name;
    char *value;
};

struct conf_auth {
    enum conf_auth_kind kind;
    enum conf_auth_cloud cloud;
    enum conf_auth_source source;
    unsigned line, column;    /* of the block; 0: none */
    bool allow_insecure_http; /* secrets over plain http to other machines too */
    bool send_certificate_chain;

    /* azuread */
    char *scope;          /* replaces the cloud's */
    char *authority_host; /* replaces the cloud's and $AZURE_AUTHORITY_HOST */
    char *imds_endpoint;  /* replaces 169.254.169.254 and what variables say */
    char *client_id;      /* oauth2 too */
    char *object_id;
    char *msi_res_id;
    char *tenant_id;
    char *token_file_path;
    char *certificate_path;
    char *certificate_key_path;
    char *certificate_password; /* secret */

    /* a secret, or the file it stands in: client_secret, password, credentials */
    char *secret; /* secret */
    char *secret_file;

    /* basic_auth */
    char *username;
    char *username_file;
    /* authorization: the word before the credentials; NULL: Bearer */
    char *type;
    /* oauth2 */
    char *token_url;
    char **scopes;
    size_t scopes_count;
    struct conf_auth_param *params; /* values may be secret */
    size_t params_count;
    struct http_client client; /* its own way to token_url */
};

/* Reads the blocks of one map, a destination or an endpoint; its other keys are passed over. With
 * no block the kind is CONF_AUTH_NONE. False: problems were added; *out is then CONF_AUTH_NONE. */
MUST_USE bool conf_auth_bind(const struct conf_node *map, const char *file, struct conf_auth *out,
                             struct conf_problems *problems);
/* A copy of its own, for endpoints that take their destination's. */
void conf_auth_copy(struct conf_auth *out, const struct conf_auth *auth);
/* NULL-safe for every field; leaves CONF_AUTH_NONE. */
void conf_auth_release(struct conf_auth *auth);

#endif

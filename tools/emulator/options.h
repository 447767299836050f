/* options.h - the emulator's configuration file, bound and checked.
 *
 * README.md lists every key. Two kinds of endpoints: the first form has a `path` and takes what
 * comes; an Azure pair has a `dce` and a `dcr`, and with them tokens, quotas and a workspace.
 * Zeroed structs mean the defaults of the first form (tests rely on it).
 *
 * Every error is said as FILE:LINE:COLUMN: text. Owns its strings. */
#ifndef EMULATOR_OPTIONS_H
#define EMULATOR_OPTIONS_H

#include "option_fields.h"

enum {
    ENDPOINTS_COUNT_MAX = 1024,
    PRINCIPALS_COUNT_MAX = 256,
    WORKSPACES_COUNT_MAX = 64,
    SCRIPT_STEPS_MAX = 1024,
    BODY_BYTES_MAX = 32 << 20
};

enum too_large { TOO_LARGE_STATUS, TOO_LARGE_CUT };
enum throttle { THROTTLE_SECONDS, THROTTLE_DATE, THROTTLE_NONE };
enum over_limit { OVER_LIMIT_STATUS, OVER_LIMIT_DROP };
enum expiry_form {
    EXPIRY_EPOCH, /* as the source has it: a string from IMDS, a number from Entra */
    EXPIRY_STRING,
    EXPIRY_NUMBER,
    EXPIRY_US, /* 11/22/2026 05:00:00 */
    EXPIRY_ISO,
    EXPIRY_RFC3339,
    EXPIRY_EMPTY,
    EXPIRY_ABSENT
};

struct endpoint_options {
    char *name; /* letters, digits, - and _: it is printed in JSON and SQL as it is */
    char *path; /* begins with a slash, no query; made from dce and dcr for an Azure pair */
    char *dce;  /* NULL: the first form */
    char *dcr;
    char *workspace; /* NULL: nothing is dropped after acceptance */
    char *audience;  /* NULL: any of the three clouds */
    int64_t role_delay_ms;
    uint64_t requests_per_minute; /* 0: no limit */
    uint64_t bytes_per_minute;
    int64_t burst_ms;
    uint64_t body_bytes_max;
    int too_large;   /* enum too_large */
    int retry_after; /* enum throttle */
    uint64_t success_status;
};

struct workspace_options {
    char *name;
    uint64_t samples_per_minute; /* 0: no limit */
    int64_t burst_ms;
    uint64_t active_series; /* 0: no limit */
    int64_t active_for_ms;
    int64_t window_ms; /* 0: any time */
    int over_limit;    /* enum over_limit */
    int retry_after;   /* enum throttle */
    struct texts reserved_names;
};

struct principal_options {
    char *name;
    char *tenant;
    char *client_id;
    char *object_id;
    char *resource_id; /* as msi_res_id asks for it */
    char *secret;
    char *expired_secret;
    char *certificate;             /* PEM file, read at each use */
    char *thumbprint;              /* SHA-256 in hex: then the assertion must bring its x5c */
    char *subject;                 /* of the federated token */
    struct texts federated_tokens; /* taken as they are */
    struct texts roles;            /* pairs, or * */
    struct texts sources;          /* which may hand out its token; empty: all */
    bool system;                   /* the system-assigned one of the machine */
    bool disabled;
};

struct token_options {
    int64_t life_ms;
    int64_t refresh_in_ms; /* 0: not said */
    int64_t keep_for_ms;   /* a metadata service gives the same token for so long; 0: a new one */
    int expires_on;        /* enum expiry_form */
    int expires_in;        /* EPOCH, STRING, NUMBER, EMPTY or ABSENT */
    char *body;            /* instead of the JSON: garbage */
};

struct azure_options {
    struct workspace_options *workspaces;
    size_t workspaces_count;
    struct principal_options *principals;
    size_t principals_count;
    struct token_options tokens;
    struct texts audiences;   /* further resources that tokens may be asked for */
    char *issuer;             /* of federated tokens */
    char *arc_keys_directory; /* NULL: no Arc */
    char *app_service_header; /* NULL: no App Service */
    uint64_t imds_per_second; /* 0: no limit */
};

struct script_step {
    int64_t at_ms;  /* after the start */
    int64_t for_ms; /* 0: for ever */
    char *pair;     /* its name, a source's, or * */
    char *identity; /* of grant, revoke, disable and enable */
    char *action;   /* one of those four, clear, or keys of a fault: status=429&retry_after=5 */
};

struct tls_options {
    char *directory;      /* NULL: plain HTTP */
    char *listen_address; /* NULL: the only address speaks TLS */
    struct texts names;   /* further DNS names */
    char *host;           /* from listen_address */
    uint16_t port;
};

struct options {
    char *host; /* numeric */
    uint16_t port;
    bool allow_remote;
    bool store;
    char *database;
    int64_t commit_ms;
    uint64_t body_bytes_max;
    struct endpoint_options *endpoints;
    size_t endpoints_count;
    struct azure_options azure;
    struct tls_options tls;
    struct script_step *script;
    size_t script_count;
};

/* NULL when there is any problem. */
struct options *options_bind(const struct conf_node *root, const char *file,
                             struct conf_problems *problems);
void options_free(struct options *options);
/* Whether a numeric host is on the loopback interface. */
bool host_is_loopback(const char *host);

/* What POST /tokens may change. */
extern const struct field TOKEN_FIELDS[];
extern const size_t TOKEN_FIELDS_COUNT;

#endif

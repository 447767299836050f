/* azure.h - what makes the emulator Azure: identities and their roles, the keys that sign, and what
 * each token source does wrong at the moment.
 *
 * Tokens are JWTs signed by a key that is made at each start: a restart makes every token that is
 * out worthless (401), as a lost cache would. Opened only when the configuration lists identities.
 * Borrows the options. Loop thread only. */
#ifndef EMULATOR_AZURE_H
#define EMULATOR_AZURE_H

#include "bucket.h"
#include "exchange.h"
#include "fault.h"
#include "jwt.h"
#include "options.h"

enum token_source {
    SOURCE_IMDS,
    SOURCE_ARC,
    SOURCE_APP_SERVICE,
    SOURCE_SECRET,
    SOURCE_CERTIFICATE,
    SOURCE_FEDERATED,
    SOURCES_COUNT
};

/* The endpoints that hand out tokens: what a fault is set on, by these names. */
enum token_door { DOOR_IMDS, DOOR_ARC, DOOR_APP_SERVICE, DOOR_ENTRA, DOORS_COUNT };

enum { ARC_KEYS_MAX = 64, REPLAYS_MAX = 1024, CLAIM_BYTES_MAX = 128 };

struct grant {
    bool held;
    int64_t from_ms; /* monotonic; 403 until then */
};

struct principal {
    const struct principal_options *options;
    char *secret; /* as it is now: POST /identity changes it */
    char *expired_secret;
    bool disabled;
    struct grant *grants; /* one a pair */
    struct kept_token {
        char audience[CLAIM_BYTES_MAX];
        char *text; /* NULL: none */
        int64_t from_ms;
        int64_t life_ms;
    } kept; /* what the metadata services gave last */
};

struct azure {
    const struct azure_options *options;
    struct token_options tokens; /* as they are now: POST /tokens changes them */
    EVP_PKEY *key;
    EVP_PKEY *issuer_key; /* signs federated tokens */
    struct principal *principals;
    size_t principals_count;
    struct fault faults[DOORS_COUNT];
    struct bucket imds;
    uint64_t serial;               /* of answers and tokens */
    uint64_t replays[REPLAYS_MAX]; /* hashes of the jti that came by */
    size_t replays_next;
    struct arc_key {
        char name[40]; /* of the file, without .key; "": free */
        char value[44];
    } arc_keys[ARC_KEYS_MAX];
    size_t arc_keys_next;
};

void azure_open(struct azure *azure, const struct options *options);
/* Role delays count from here. */
void azure_start(struct azure *azure, size_t pairs_count, int64_t now_ms);
void azure_close(struct azure *azure); /* also of a zeroed one */

const char *token_source_name(enum token_source source);
const char *token_door_name(enum token_door door);
/* DOORS_COUNT: no such name. */
enum token_door token_door_find(const char *name);
bool principal_may_use(const struct principal *principal, enum token_source source);
/* NULL: none. */
struct principal *azure_principal(struct azure *azure, const char *name);
struct principal *azure_client(struct azure *azure, const char *tenant, const char *client_id);
/* A GUID-like text that no other call gives. */
void azure_guid(struct azure *azure, char out[37]);

/* ---- tokens ---- */

/* What an accepted token says. */
struct token_claims {
    char audience[CLAIM_BYTES_MAX];
    char object_id[CLAIM_BYTES_MAX];
    char client_id[CLAIM_BYTES_MAX];
    char tenant[CLAIM_BYTES_MAX];
};

enum token_verdict { TOKEN_GOOD, TOKEN_MALFORMED, TOKEN_FOREIGN, TOKEN_EXPIRED };

struct token_request {
    struct principal *principal;
    const char *audience; /* as asked for, below CLAIM_BYTES_MAX */
    enum token_source source;
    int64_t wall_ms;
};

/* Whether a token may be asked for this resource. */
bool token_audience_known(const struct azure *azure, const char *audience);
/* The JSON of a token as this source writes it, with status 200. */
void token_answer(struct azure *azure, const struct token_request *request, struct answer *answer);
enum token_verdict token_check(const struct azure *azure, struct view token, int64_t wall_ms,
                               struct token_claims *out);
/* A federated token: signed by the issuer key. */
struct federated_claims {
    const char *issuer;
    const char *subject;
    const char *audience;
    int64_t from_ms; /* Unix */
    int64_t until_ms;
};
void token_federated(struct azure *azure, const struct federated_claims *claims, struct buf *out);

/* ---- the doors, one file each; `who` becomes the name of the identity or "" ---- */

struct door_result {
    const char *identity;
    enum token_source source;
    char note[160];
};

void imds_answer(struct azure *azure, const struct exchange *exchange, struct answer *answer,
                 struct door_result *result);
void arc_answer(struct azure *azure, const struct exchange *exchange, struct answer *answer,
                struct door_result *result);
void app_service_answer(struct azure *azure, const struct exchange *exchange, struct answer *answer,
                        struct door_result *result);
void entra_answer(struct azure *azure, const struct exchange *exchange, struct answer *answer,
                  struct door_result *result);
void issuer_answer(struct azure *azure, const struct exchange *exchange, struct answer *answer);
/* Whether a path is Entra's: /{tenant}/oauth2/v2.0/token; tenant gets that part. */
bool entra_path(const char *path, char tenant[CLAIM_BYTES_MAX]);

/* {"error":...,"error_description":...}, as the metadata services say it; notes it too. */
void door_refuse(struct answer *answer, struct door_result *result, int status, const char *error,
                 const char *format, ...) PRINTF_LIKE(5, 6);
/* The identity that the query of a metadata service asks for, by its own names of the selectors;
 * NULL: refused. */
struct door_selectors {
    const char *client_id;
    const char *object_id;
    const char *resource_id;
};
struct principal *door_select(struct azure *azure, const struct exchange *exchange,
                              const struct door_selectors *selectors, enum token_source source);
const char *exchange_query(const struct exchange *exchange, const char *key); /* NULL: absent */

/* The answer of an entra error, for a fault as well. */
struct entra_error {
    int status;
    const char *error;
    unsigned code; /* AADSTS */
    const char *text;
};
void entra_refuse(struct azure *azure, const struct entra_error *error, int64_t wall_ms,
                  struct answer *answer);

#endif

/* assertions.h - client assertions: a JWT signed with the app's certificate, or a federated token
 * of the issuer that the app trusts. Pure but for reading the certificate's file. */
#ifndef EMULATOR_ASSERTIONS_H
#define EMULATOR_ASSERTIONS_H

#include "azure.h"

struct assertion_question {
    const struct principal *principal;
    const char *host; /* of the request; NULL: unknown */
    const char *text;
    int64_t wall_ms;
};

enum { ASSERTION_LIFE_S_MAX = 24 * 3600 };

/* NULL: it proves that the client is this principal. Which kind it is goes to *source. */
const struct entra_error *assertion_check(struct azure *azure,
                                          const struct assertion_question *question,
                                          enum token_source *source);

#endif

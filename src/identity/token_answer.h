/* token_answer.h - private: what a token server said, from hostile bytes. Pure.
 * The error answer keeps only what is known to be harmless: the protocol's own error word and the
 * AADSTS number. Descriptions may quote what was sent, so they go no further (I6). */
#ifndef WALSHIP_SRC_IDENTITY_TOKEN_ANSWER_H
#define WALSHIP_SRC_IDENTITY_TOKEN_ANSWER_H

#include "secret.h"

#include <walship/err.h>

enum { TOKEN_FIELD_BYTES = 512, TOKEN_WORD_BYTES = 64 };

struct token_answer {
    struct secret token;
    char type[TOKEN_WORD_BYTES]; /* these are "" when absent */
    char expires_on[TOKEN_WORD_BYTES];
    char expires_in[TOKEN_WORD_BYTES];
    char refresh_in[TOKEN_WORD_BYTES];
    char client_id[TOKEN_FIELD_BYTES]; /* whose token it is, where the server says so */
    char object_id[TOKEN_FIELD_BYTES];
    char msi_res_id[TOKEN_FIELD_BYTES];
};

/* A whole token fit to stand in a header, of type Bearer or untyped. *out must be zeroed before and
 * is released by token_answer_release after either result. */
MUST_USE bool token_answer_parse(const char *body, size_t bytes, struct token_answer *out,
                                 struct err *err);
void token_answer_release(struct token_answer *answer);

struct token_refusal {
    char error[TOKEN_WORD_BYTES]; /* lower-case letters, digits and _ ; "" */
    uint32_t aadsts;              /* 0: none */
    bool no_identity;             /* IMDS: none of that id is assigned to the machine */
    bool which_identity;          /* IMDS: several are, and none was named */
};

/* Anything: what can't be read leaves *out empty. */
void token_refusal_parse(const char *body, size_t bytes, struct token_refusal *out);

/* One line for the operator, naming what to mend. *transient: it passes by itself. Unknown numbers
 * give NULL. */
const char *aadsts_advice(uint32_t code, bool *transient);

#endif

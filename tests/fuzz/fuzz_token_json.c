/* fuzz_token_json.c - any bytes as a token server's answer, good or bad. What comes out may stand
 * in a header, a log line and a status page. */
#include "../../src/identity/token_answer.h"

#include <walship/identity.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_word(const char *word)
{
    size_t bytes = strlen(word);
    ASSERT(bytes < TOKEN_WORD_BYTES);
    ASSERT(strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_") == bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct token_answer answer = {0};
    struct token_refusal refusal;
    struct err err = {0};
    bool transient;
    if (token_answer_parse((const char *)data, size, &answer, &err)) {
        ASSERT(answer.token.bytes > 0 && answer.token.bytes <= IDENTITY_TOKEN_BYTES_MAX);
        ASSERT(strlen(answer.token.text) == answer.token.bytes);
        ASSERT(secret_is_printable(&answer.token));
    } else {
        ASSERT(err.text[0] != '\0');
    }
    token_answer_release(&answer);
    token_refusal_parse((const char *)data, size, &refusal);
    check_word(refusal.error);
    (void)aadsts_advice(refusal.aadsts, &transient);
    return 0;
}

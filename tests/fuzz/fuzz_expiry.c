/* fuzz_expiry.c - up to three texts, parted by newlines: expires_on, expires_in, a Retry-After. */
#include "../../src/identity/expiry.h"

#include <walship/mem.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cuts the next line off; "" when there is none left. */
static char *next_line(char **at)
{
    char *line = *at;
    *at += strcspn(line, "\n");
    if (**at != '\0') {
        *(*at)++ = '\0';
    }
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_new(size + 1, 1);
    if (size > 0) {
        memcpy(text, data, size);
    }
    char *at = text;
    const char *on = next_line(&at), *in = next_line(&at), *after = next_line(&at);
    int64_t life_ms, ms;
    bool assumed;
    if (expiry_life(on, in, 1795000000000, &life_ms, &assumed)) {
        ASSERT(life_ms > 0 && life_ms <= EXPIRY_LIFE_MS_MAX);
    }
    if (expiry_time_parse(on, &ms)) {
        ASSERT(ms > -(int64_t)86400000 && ms < (int64_t)1000 * 1000 * 1000 * 1000 * 1000);
    }
    if (expiry_retry_after_parse(after, 1795000000000, &ms)) {
        ASSERT(ms >= 0);
    }
    mem_free(text);
    return 0;
}

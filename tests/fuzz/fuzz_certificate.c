/* fuzz_certificate.c - any bytes as a certificate file. The first byte: bit 0 sends the chain, bit
 * 1 gives a password, bit 2 takes what follows the first NUL for the separate key file. What loads
 * must be able to sign. */
#include "../../src/identity/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_signs(const struct certificate *certificate)
{
    const struct assertion assertion = {.audience = "a", .client_id = "b", .id = "c"};
    struct secret text = {0};
    struct err err;
    secret_reset(&text, 192 << 10);
    ASSERT(certificate_sign(certificate, &assertion, &text, &err));
    secret_reset(&text, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct certificate certificate = {0};
    struct secret bytes = {0}, key = {0};
    struct err err = {0};
    if (size == 0) {
        return 0;
    }
    const uint8_t flags = data[0];
    const char *text = (const char *)data + 1;
    const char *cut = (flags & 4) != 0 ? memchr(text, '\0', size - 1) : NULL;
    size_t first = cut != NULL ? (size_t)(cut - text) : size - 1;
    secret_set(&bytes, text, first);
    if (cut != NULL) {
        secret_set(&key, cut + 1, size - 2 - first);
    }
    if (certificate_load(&certificate, &bytes, &key, (flags & 2) != 0 ? "sesame" : NULL,
                         (flags & 1) != 0, &err)) {
        check_signs(&certificate);
    } else {
        ASSERT(certificate.key == NULL && err.text[0] != '\0');
    }
    certificate_release(&certificate);
    secret_reset(&bytes, 0);
    secret_reset(&key, 0);
    return 0;
}

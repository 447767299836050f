/* utf8.h - one character of UTF-8 at a time, strictly: no overlong forms, surrogates or values
 * above U+10FFFF. For escaping what may hold anything (log values, label values); nothing to own.
 */
#ifndef WALSHIP_UTF8_H
#define WALSHIP_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed character at `at` (1 .. 4), its number in *rune; 0 when malformed or cut
 * short (Go then takes one byte as U+FFFD). `count` is what is left, at least 1. */
static inline size_t utf8_decode(const uint8_t *at, size_t count, uint32_t *rune)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (at[0] < 0x80) {
        *rune = at[0];
        return 1;
    }
    size_t bytes = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc0 || at[0] >= 0xf8 || count < bytes) {
        return 0;
    }
    uint32_t value = at[0] & (0xffu >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (at[i] & 0x3f);
    }
    if (value < smallest[bytes] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
        return 0;
    }
    *rune = value;
    return bytes;
}

#endif

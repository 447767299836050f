/* utf8.c - the check a strict protobuf receiver makes of every string. Mostly ASCII comes by, so
 * eight bytes at a time are passed while none has its high bit set. */
#include "write_request.h"

/* Bytes that follow a lead byte; 0: not a lead byte. */
static size_t utf8_tail(uint8_t lead)
{
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 1;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        return 2;
    }
    return lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
}

/* The second byte's range is narrower for some leads: overlong forms, surrogates, beyond U+10FFFF.
 */
static bool utf8_second_allowed(uint8_t lead, uint8_t second)
{
    switch (lead) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second <= 0x9f;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second <= 0x8f;
    default:
        return true;
    }
}

/* Length of the character at the start, 0 when it is none. */
static size_t utf8_character(const uint8_t *at, size_t left)
{
    if (at[0] < 0x80) {
        return 1;
    }
    size_t tail = utf8_tail(at[0]);
    if (tail == 0 || tail >= left || !utf8_second_allowed(at[0], at[1])) {
        return 0;
    }
    for (size_t index = 1; index <= tail; index++) {
        if ((at[index] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return tail + 1;
}

bool utf8_valid(const char *bytes, size_t count)
{
    ASSERT(bytes != NULL || count == 0);
    const uint8_t *at = (const uint8_t *)bytes;
    size_t left = count;
    while (left > 0) {
        uint64_t eight;
        if (left >= sizeof eight) {
            memcpy(&eight, at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                left -= sizeof eight;
                continue;
            }
        }
        size_t step = utf8_character(at, left);
        if (step == 0) {
            return false;
        }
        ASSERT(step <= left);
        at += step;
        left -= step;
    }
    return true;
}

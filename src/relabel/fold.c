/* fold.c - a text in lower or upper case as Go's strings.ToLower and ToUpper make it: one character
 * for one, without regard to language. */
#include "case_table.h"
#include "inside.h"

#include <walship/utf8.h>

enum { RUNE_BYTES_MAX = 4, RUNE_BAD = 0xfffd };

static uint32_t rune_fold(uint32_t rune, bool upper)
{
    const struct case_range *ranges = upper ? to_upper : to_lower;
    size_t low = 0;
    size_t high = upper ? ARRAY_COUNT(to_upper) : ARRAY_COUNT(to_lower);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rune > ranges[middle].last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    size_t count = upper ? ARRAY_COUNT(to_upper) : ARRAY_COUNT(to_lower);
    if (low == count || rune < ranges[low].first ||
        (rune - ranges[low].first) % ranges[low].stride != 0) {
        return rune;
    }
    return (uint32_t)((int32_t)rune + ranges[low].delta);
}

static size_t rune_put(uint32_t rune, char *out)
{
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    size_t bytes = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
    for (size_t i = bytes - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (rune & 0x3f));
        rune >>= 6;
    }
    out[0] = (char)((0xf00u >> bytes & 0xf0) | rune);
    return bytes;
}

static bool is_ascii(const struct span *text)
{
    for (size_t i = 0; i < text->bytes; i++) {
        if ((text->at[i] & 0x80) != 0) {
            return false;
        }
    }
    return true;
}

bool fold_text(const struct span *text, bool upper, struct scratch *scratch, struct span *out)
{
    size_t room = is_ascii(text) ? text->bytes : text->bytes * RUNE_BYTES_MAX;
    char *made = scratch_take(scratch, room);
    if (made == NULL) {
        return false;
    }
    const uint8_t *at = (const uint8_t *)text->at;
    const uint8_t *end = at + text->bytes;
    size_t used = 0;
    while (at < end) {
        uint32_t rune;
        size_t bytes = utf8_decode(at, (size_t)(end - at), &rune);
        if (bytes == 0) { /* as Go: one byte that is no character */
            rune = RUNE_BAD;
            bytes = 1;
        }
        used += rune_put(rune_fold(rune, upper), made + used);
        at += bytes;
    }
    ASSERT(used <= room);
    *out = (struct span){made, used};
    return true;
}

/* number_text.c - shortest digits by trying: for a normal number, if any text of up to 15 digits
 * parses back then the one of exactly 15 does and only ends in zeros; otherwise 16, otherwise 17.
 * Subnormal numbers have less precision than that and are tried from one digit on. */
#include "number_text.h"

#include <stdbool.h>
#include <walship/assert.h>

enum { DIGITS_MAX = 17, DIGITS_SAFE = 15, EXPONENT_FIXED_MIN = -4, EXPONENT_FIXED_MAX = 5 };

#define EXPONENT_BITS 0x7FF0000000000000u
#define FRACTION_BITS 0x000FFFFFFFFFFFFFu
#define SIGN_BIT      0x8000000000000000u

struct decimal {
    char digits[DIGITS_MAX + 1];
    int count;
    int exponent; /* of the first digit */
};

static size_t copy(char *out, const char *text)
{
    size_t bytes = strlen(text);
    memcpy(out, text, bytes + 1);
    return bytes;
}

/* "d.ddde-dd" at so many digits, correctly rounded. */
static void round_to(uint64_t bits, int count, char text[NUMBER_TEXT_BYTES_MAX])
{
    char format[] = {'%', '.', (char)('0' + (count - 1) / 10), (char)('0' + (count - 1) % 10),
                     'e', '\0'};
    double value;
    memcpy(&value, &bits, sizeof value);
    int written = strfromd(text, NUMBER_TEXT_BYTES_MAX, format, value);
    ASSERT(written > 0 && written < NUMBER_TEXT_BYTES_MAX);
}

static bool parses_back(const char *text, uint64_t bits)
{
    double back = strtod(text, NULL);
    uint64_t back_bits;
    memcpy(&back_bits, &back, sizeof back_bits);
    return back_bits == bits;
}

/* One more in the last digit. False where that would carry. */
static bool round_up(char *text)
{
    char *last = strchr(text, 'e');
    ASSERT(last != NULL && last > text);
    last--;
    if (*last < '0' || *last > '8') {
        return false;
    }
    (*last)++;
    return true;
}

/* Below a power of two numbers lie twice as dense: rounded down it may be nearer to its neighbour,
 * while the next text above still is its own. */
static bool try_digits(uint64_t bits, int count, char text[NUMBER_TEXT_BYTES_MAX])
{
    round_to(bits, count, text);
    return parses_back(text, bits) ||
           ((bits & FRACTION_BITS) == 0 && round_up(text) && parses_back(text, bits));
}

static void take_apart(const char *text, struct decimal *out)
{
    const char *exponent = strchr(text, 'e');
    ASSERT(exponent != NULL);
    out->count = 0;
    for (const char *at = text; at < exponent; at++) {
        if (*at != '.') {
            out->digits[out->count++] = *at;
        }
    }
    ASSERT(out->count > 0 && out->count <= DIGITS_MAX);
    out->exponent = (int)strtol(exponent + 1, NULL, 10);
    while (out->count > 1 && out->digits[out->count - 1] == '0') {
        out->count--;
    }
}

static void shortest(uint64_t bits, struct decimal *out)
{
    char text[NUMBER_TEXT_BYTES_MAX];
    int count = (bits & EXPONENT_BITS) == 0 ? 1 : DIGITS_SAFE;
    while (!try_digits(bits, count, text)) {
        count++;
        ASSERT(count <= DIGITS_MAX);
    }
    take_apart(text, out);
}

static size_t put_exponent(const struct decimal *decimal, char *out)
{
    size_t at = 0;
    out[at++] = decimal->digits[0];
    if (decimal->count > 1) {
        out[at++] = '.';
        memcpy(out + at, decimal->digits + 1, (size_t)decimal->count - 1);
        at += (size_t)decimal->count - 1;
    }
    unsigned exponent = (unsigned)abs(decimal->exponent);
    out[at++] = 'e';
    out[at++] = decimal->exponent < 0 ? '-' : '+';
    if (exponent >= 100) {
        out[at++] = (char)('0' + exponent / 100);
    }
    out[at++] = (char)('0' + exponent / 10 % 10);
    out[at++] = (char)('0' + exponent % 10);
    out[at] = '\0';
    return at;
}

static size_t put_fixed(const struct decimal *decimal, char *out)
{
    size_t at = 0;
    int point = decimal->exponent + 1; /* digits before the point; none or less: zeros after it */
    if (point <= 0) {
        out[at++] = '0';
        out[at++] = '.';
        for (int i = point; i < 0; i++) {
            out[at++] = '0';
        }
    }
    for (int i = 0; i < decimal->count || i < point; i++) {
        if (i == point && point > 0) {
            out[at++] = '.';
        }
        out[at++] = i < decimal->count ? decimal->digits[i] : '0';
    }
    out[at] = '\0';
    return at;
}

size_t number_text(uint64_t bits, char out[NUMBER_TEXT_BYTES_MAX])
{
    ASSERT(out != NULL);
    bool negative = (bits & SIGN_BIT) != 0;
    if ((bits & EXPONENT_BITS) == EXPONENT_BITS) {
        return copy(out, (bits & FRACTION_BITS) != 0 ? "NaN" : negative ? "-Inf" : "+Inf");
    }
    size_t at = 0;
    bits &= ~SIGN_BIT;
    if (negative) {
        out[at++] = '-';
    }
    if (bits == 0) {
        return at + copy(out + at, "0");
    }
    struct decimal decimal;
    shortest(bits, &decimal);
    bool fixed = decimal.exponent >= EXPONENT_FIXED_MIN && decimal.exponent <= EXPONENT_FIXED_MAX;
    return at + (fixed ? put_fixed(&decimal, out + at) : put_exponent(&decimal, out + at));
}

/* format.c - a label set as Prometheus' own tools print it: Go's strconv.Quote, to the byte, so
 * that dumps can be compared. */
#include "printable.h"

#include <inttypes.h>
#include <walship/labels.h>
#include <walship/utf8.h>

/* Go's IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space. */
static bool is_printable(uint32_t rune)
{
    if (rune < 0x80) {
        return rune >= 0x20 && rune < 0x7f;
    }
    size_t low = 0;
    size_t high = ARRAY_COUNT(printable);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rune > printable[middle].last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ARRAY_COUNT(printable) && rune >= printable[low].first;
}

/* The letter after the backslash, or 0. */
static char short_escape(uint32_t rune)
{
    switch (rune) {
    case '\a':
        return 'a';
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    case '"':
    case '\\':
        return (char)rune;
    default:
        return 0;
    }
}

static bool put_escaped(struct buf *out, uint32_t rune)
{
    char letter = short_escape(rune);
    if (letter != 0) {
        return buf_format(out, "\\%c", letter);
    }
    if (rune < 0x20 || rune == 0x7f) {
        return buf_format(out, "\\x%02" PRIx32, rune);
    }
    return rune < 0x10000 ? buf_format(out, "\\u%04" PRIx32, rune)
                          : buf_format(out, "\\U%08" PRIx32, rune);
}

static bool put_quoted(struct buf *out, const char *text, uint32_t count)
{
    const uint8_t *at = (const uint8_t *)text;
    const uint8_t *end = at + count;
    bool fits = buf_append(out, "\"", 1);
    while (at < end && fits) {
        uint32_t rune = 0;
        size_t bytes = utf8_decode(at, (size_t)(end - at), &rune);
        if (bytes == 0) {
            fits = buf_format(out, "\\x%02x", (unsigned)*at);
            bytes = 1;
        } else if (is_printable(rune) && short_escape(rune) == 0) {
            fits = buf_append(out, at, bytes);
        } else {
            fits = put_escaped(out, rune);
        }
        at += bytes;
    }
    ASSERT(at <= end);
    return fits && buf_append(out, "\"", 1);
}

static bool is_plain_name(const struct label *label)
{
    for (uint32_t i = 0; i < label->name_bytes; i++) {
        char c = label->name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return label->name_bytes > 0;
}

bool labels_format(const struct label *labels, size_t count, struct buf *out)
{
    ASSERT(labels != NULL || count == 0);
    bool fits = buf_append(out, "{", 1);
    for (size_t i = 0; i < count && fits; i++) {
        const struct label *label = &labels[i];
        fits = (i == 0 || buf_append(out, ", ", 2)) &&
               (is_plain_name(label) ? buf_append(out, label->name, label->name_bytes)
                                     : put_quoted(out, label->name, label->name_bytes)) &&
               buf_append(out, "=", 1) && put_quoted(out, label->value, label->value_bytes);
    }
    return fits && buf_append(out, "}", 1);
}

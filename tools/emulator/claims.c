/* claims.c - a scanner over bounded views: each function takes one value from the front. */
#include "claims.h"

#include <stdio.h>
#include <stdlib.h>

static void skip_space(struct view *at)
{
    while (view_left(at) > 0 &&
           (*at->at == ' ' || *at->at == '\t' || *at->at == '\n' || *at->at == '\r')) {
        at->at++;
    }
}

/* Takes "...", the bytes between the quotes as they are. */
static bool take_string(struct view *at, struct view *out)
{
    if (view_u8(at) != '"') {
        view_fail(at);
        return false;
    }
    const uint8_t *start = at->at;
    while (view_left(at) > 0) {
        uint8_t byte = view_u8(at);
        if (byte == '\\') {
            (void)view_u8(at);
        } else if (byte == '"') {
            *out = view_of(start, (size_t)(at->at - start) - 1);
            return true;
        } else if (byte < ' ') {
            break;
        }
    }
    view_fail(at);
    return false;
}

static void take_bare(struct view *at)
{
    const uint8_t *start = at->at;
    while (view_left(at) > 0 && strchr(",]} \t\r\n", *at->at) == NULL && *at->at > ' ' &&
           *at->at != '"' && *at->at != '{' && *at->at != '[') {
        at->at++;
    }
    if (at->at == start) {
        view_fail(at);
    }
}

/* Takes {...} or [...] by its brackets alone. */
static void take_nest(struct view *at)
{
    char closers[CLAIMS_DEPTH_MAX];
    unsigned depth = 0;
    do {
        struct view ignored;
        uint8_t byte = view_left(at) > 0 ? *at->at : 0;
        if (byte == '"') {
            (void)take_string(at, &ignored);
            continue;
        }
        (void)view_u8(at);
        if (byte == '{' || byte == '[') {
            if (depth == CLAIMS_DEPTH_MAX) {
                view_fail(at);
                return;
            }
            closers[depth++] = byte == '{' ? '}' : ']';
        } else if ((byte == '}' || byte == ']') && (char)byte != closers[--depth]) {
            view_fail(at);
        }
    } while (depth > 0 && view_ok(at));
}

static struct view take_value(struct view *at)
{
    struct view ignored;
    const uint8_t *start = at->at;
    uint8_t first = view_left(at) > 0 ? *at->at : 0;
    if (first == '"') {
        (void)take_string(at, &ignored);
    } else if (first == '{' || first == '[') {
        take_nest(at);
    } else {
        take_bare(at);
    }
    return view_ok(at) ? view_of(start, (size_t)(at->at - start)) : view_of(NULL, 0);
}

/* Enters the object; false: it is none. */
static bool enter(struct view *object)
{
    skip_space(object);
    return view_u8(object) == '{';
}

/* The next member; false at the end or when malformed (the view tells). */
static bool next_member(struct view *object, bool first, struct view *name, struct view *value)
{
    skip_space(object);
    if (view_left(object) > 0 && *object->at == '}') {
        object->at++;
        return false;
    }
    if (!first && view_u8(object) != ',') {
        view_fail(object);
        return false;
    }
    skip_space(object);
    if (!take_string(object, name)) {
        return false;
    }
    skip_space(object);
    if (view_u8(object) != ':') {
        view_fail(object);
        return false;
    }
    skip_space(object);
    *value = take_value(object);
    return view_ok(object);
}

bool claims_valid(struct view object)
{
    struct view name, value;
    bool first = true;
    if (!enter(&object)) {
        return false;
    }
    while (next_member(&object, first, &name, &value)) {
        first = false;
    }
    skip_space(&object);
    return view_ok(&object) && view_left(&object) == 0;
}

static bool find(struct view object, const char *wanted, struct view *value)
{
    struct view name;
    bool first = true;
    if (!enter(&object)) {
        return false;
    }
    while (next_member(&object, first, &name, value)) {
        if (view_left(&name) == strlen(wanted) && memcmp(name.at, wanted, view_left(&name)) == 0) {
            return true;
        }
        first = false;
    }
    return false;
}

static size_t put_rune(unsigned rune, char out[3])
{
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (char)(0xc0 | rune >> 6);
        out[1] = (char)(0x80 | (rune & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | rune >> 12);
    out[1] = (char)(0x80 | (rune >> 6 & 0x3f));
    out[2] = (char)(0x80 | (rune & 0x3f));
    return 3;
}

static size_t unescape(struct view *at, char out[3])
{
    static const char FROM[] = "\"\\/bfnrt";
    static const char TO[] = "\"\\/\b\f\n\r\t";
    uint8_t byte = view_u8(at);
    if (byte == 'u') {
        struct view digits = view_take(at, 4);
        char text[5] = "";
        if (view_left(&digits) == 4) {
            memcpy(text, digits.at, 4);
        }
        return put_rune((unsigned)strtoul(text, NULL, 16), out);
    }
    const char *found = byte == 0 ? NULL : strchr(FROM, byte);
    if (found == NULL) {
        view_fail(at);
        return 0;
    }
    out[0] = TO[found - FROM];
    return 1;
}

/* The text between the quotes, with a NUL; false: it does not fit, or holds a NUL itself. */
static bool copy_string(struct view text, char *out, size_t room)
{
    size_t used = 0;
    while (view_left(&text) > 0) {
        char piece[3] = {(char)view_u8(&text)};
        size_t bytes = 1;
        if (piece[0] == '\\') {
            bytes = unescape(&text, piece);
        }
        if (!view_ok(&text) || used + bytes >= room || piece[0] == '\0') {
            return false;
        }
        memcpy(out + used, piece, bytes);
        used += bytes;
    }
    ASSERT(used < room);
    out[used] = '\0';
    return true;
}

/* A string or each string of a list, one a call; `value` shrinks. */
static bool next_string(struct view *value, struct view *out)
{
    skip_space(value);
    while (view_left(value) > 0 && (*value->at == '[' || *value->at == ',')) {
        value->at++;
        skip_space(value);
    }
    return view_left(value) > 0 && *value->at == '"' && take_string(value, out);
}

bool claims_text(struct view object, const char *name, char *out, size_t room)
{
    ASSERT(room > 0);
    struct view value, text;
    return find(object, name, &value) && next_string(&value, &text) && copy_string(text, out, room);
}

bool claims_has(struct view object, const char *name, const char *text)
{
    struct view value, element;
    char copy[1024];
    if (!find(object, name, &value)) {
        return false;
    }
    while (next_string(&value, &element)) {
        if (copy_string(element, copy, sizeof copy) && strcmp(copy, text) == 0) {
            return true;
        }
    }
    return false;
}

bool claims_integer(struct view object, const char *name, int64_t *out)
{
    struct view value;
    char text[32];
    if (!find(object, name, &value) || view_left(&value) >= sizeof text) {
        return false;
    }
    memcpy(text, value.at, view_left(&value));
    text[view_left(&value)] = '\0';
    char *end;
    *out = strtoll(text, &end, 10);
    if (*end == '.') {
        end += 1 + strspn(end + 1, "0123456789");
    }
    return end != text && *end == '\0' && text[0] != '"';
}

bool claims_quote(struct buf *out, const char *text)
{
    bool good = buf_append(out, "\"", 1);
    for (; good && *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            good = buf_format(out, "\\%c", *text);
        } else if ((unsigned char)*text < ' ') {
            good = buf_format(out, "\\u%04x", (unsigned)(unsigned char)*text);
        } else {
            good = buf_append(out, text, 1);
        }
    }
    return good && buf_append(out, "\"", 1);
}

/* json_text.c - the escapes of a JSON string. See json_flat.h. */
#include "json_flat.h"

static void expect(struct view *view, uint8_t byte)
{
    if (view_u8(view) != byte) {
        view_fail(view);
    }
}

static uint32_t take_hex4(struct view *view)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t byte = view_u8(view);
        uint8_t lower = byte | 0x20;
        if (byte >= '0' && byte <= '9') {
            code = code << 4 | (uint32_t)(byte - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            code = code << 4 | (uint32_t)(lower - 'a' + 10);
        } else {
            view_fail(view);
        }
    }
    return code;
}

/* A \u escape, a surrogate pair being one code point; 0 and lone surrogates are malformed. */
static uint32_t take_code_point(struct view *view)
{
    uint32_t code = take_hex4(view);
    if (code >= 0xD800 && code < 0xDC00) {
        expect(view, '\\');
        expect(view, 'u');
        uint32_t low = take_hex4(view);
        if (low < 0xDC00 || low > 0xDFFF) {
            view_fail(view);
        }
        return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code == 0 || (code >= 0xDC00 && code <= 0xDFFF)) {
        view_fail(view);
    }
    return code;
}

static size_t put_utf8(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = count - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)((0xF00u >> count & 0xF0) | code);
    return count;
}

static size_t take_escape(struct view *view, char out[4])
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t byte = view_u8(view);
    if (byte == 'u') {
        uint32_t code = take_code_point(view);
        return view_ok(view) ? put_utf8(code, out) : 0;
    }
    const char *found = byte != '\0' ? strchr(from, byte) : NULL;
    if (found == NULL) {
        view_fail(view);
        return 0;
    }
    out[0] = to[found - from];
    return 1;
}

bool json_text(const struct json_member *member, char *out, size_t room, size_t *bytes)
{
    struct view view = member->value;
    size_t used = 0;
    ASSERT(member->kind != JSON_OTHER && room > 0);
    while (view_left(&view) > 0) {
        char unit[4];
        size_t count = 1;
        unit[0] = (char)view_u8(&view);
        if (unit[0] == '\\') {
            count = take_escape(&view, unit);
        }
        if (!view_ok(&view) || count >= room - used) {
            return false;
        }
        memcpy(out + used, unit, count);
        used += count;
    }
    out[used] = '\0';
    if (bytes != NULL) {
        *bytes = used;
    }
    return true;
}

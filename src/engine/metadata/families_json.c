/* families_json.c - the answer of Prometheus' /api/v1/metadata, read from bytes that may be hostile
 * or cut:
 *
 *     {"status": "success", "data": {"NAME": [{"type": "counter", "help": "..", "unit": ".."}]}}
 *
 * Only this shape is followed; whatever else lies beside it is stepped over. Of several entries of
 * a family the first is taken. No recursion, nothing is allocated but the texts. */
#include "families.h"

#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/view.h>

enum { NESTING_MAX = 64, TEXTS = 3 };

/* Texts with their escapes resolved. */
struct texts {
    struct buf name, type, help, unit;
};

static int peek(struct view *view)
{
    while (view->at < view->end &&
           (*view->at == ' ' || *view->at == '\t' || *view->at == '\n' || *view->at == '\r')) {
        view->at++;
    }
    return view->at < view->end ? *view->at : -1;
}

static bool take(struct view *view, char byte)
{
    if (peek(view) != byte) {
        return false;
    }
    view->at++;
    return true;
}

static uint32_t take_hex(struct view *view)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t byte = view_u8(view);
        uint8_t letter = byte | 0x20;
        if (byte >= '0' && byte <= '9') {
            value = value << 4 | (uint32_t)(byte - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            value = value << 4 | (uint32_t)(letter - 'a' + 10);
        } else {
            view_fail(view);
        }
    }
    return value;
}

static bool put_rune(struct buf *out, uint32_t rune)
{
    uint8_t bytes[4];
    size_t count = 0;
    if (rune < 0x80) {
        bytes[count++] = (uint8_t)rune;
    } else if (rune < 0x800) {
        bytes[count++] = (uint8_t)(0xC0 | rune >> 6);
    } else if (rune < 0x10000) {
        bytes[count++] = (uint8_t)(0xE0 | rune >> 12);
        bytes[count++] = (uint8_t)(0x80 | (rune >> 6 & 0x3F));
    } else {
        bytes[count++] = (uint8_t)(0xF0 | rune >> 18);
        bytes[count++] = (uint8_t)(0x80 | (rune >> 12 & 0x3F));
        bytes[count++] = (uint8_t)(0x80 | (rune >> 6 & 0x3F));
    }
    if (rune >= 0x80) {
        bytes[count++] = (uint8_t)(0x80 | (rune & 0x3F));
    }
    return buf_append(out, bytes, count);
}

static bool take_unicode(struct view *view, struct buf *out)
{
    uint32_t rune = take_hex(view);
    if (rune >= 0xD800 && rune < 0xDC00 && view_left(view) >= 6 && view->at[0] == '\\' &&
        view->at[1] == 'u') {
        view->at += 2;
        uint32_t low = take_hex(view);
        bool pair = low >= 0xDC00 && low < 0xE000;
        rune = pair ? 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
    } else if (rune >= 0xD800 && rune < 0xE000) {
        rune = 0xFFFD;
    }
    return view_ok(view) && put_rune(out, rune);
}

static bool take_escape(struct view *view, struct buf *out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    uint8_t byte = view_u8(view);
    if (byte == 'u') {
        return take_unicode(view, out);
    }
    const char *found = byte == 0 ? NULL : strchr(from, byte);
    return found != NULL && buf_append(out, &to[found - from], 1);
}

/* out NULL: stepped over. */
static bool take_string(struct view *view, struct buf *out)
{
    if (!take(view, '"')) {
        return false;
    }
    while (view_left(view) > 0) {
        uint8_t byte = view_u8(view);
        if (byte == '"') {
            return true;
        }
        if (byte == '\\' && out == NULL) {
            (void)view_u8(view);
        } else if (byte == '\\') {
            if (!take_escape(view, out)) {
                return false;
            }
        } else if (out != NULL && !buf_append(out, &byte, 1)) {
            return false;
        }
    }
    return false;
}

/* Any value; only its brackets are looked at. */
static bool skip_value(struct view *view)
{
    unsigned depth = 0;
    do {
        int byte = peek(view);
        if (byte == '"') {
            if (!take_string(view, NULL)) {
                return false;
            }
        } else if (byte == '{' || byte == '[') {
            depth++;
            view->at++;
        } else if (byte == '}' || byte == ']') {
            if (depth == 0) {
                return false;
            }
            depth--;
            view->at++;
        } else if (byte < 0 || (depth == 0 && (byte == ',' || byte == ':'))) {
            return false;
        } else {
            view->at++;
            while (depth == 0 && view->at < view->end && strchr(",]} \t\r\n", *view->at) == NULL) {
                view->at++;
            }
        }
    } while (depth > 0 && depth < NESTING_MAX);
    return depth == 0;
}

static uint8_t type_of(const struct buf *type)
{
    static const char *const names[] = {"unknown",        "counter", "gauge", "histogram",
                                        "gaugehistogram", "summary", "info",  "stateset"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (type->bytes == strlen(names[i]) && memcmp(type->data, names[i], type->bytes) == 0) {
            return (uint8_t)i;
        }
    }
    return 0;
}

static struct rw_text text_of(const struct buf *buf)
{
    return (struct rw_text){buf->bytes == 0 ? "" : (const char *)buf->data, buf->bytes};
}

/* {"type": .., "help": .., "unit": ..} */
static bool read_entry(struct view *view, struct texts *texts)
{
    struct buf *fields[TEXTS] = {&texts->type, &texts->help, &texts->unit};
    static const char *const names[TEXTS] = {"type", "help", "unit"};
    struct buf key;
    bool good = take(view, '{');
    buf_init(&key, METADATA_TEXT_BYTES_MAX);
    for (size_t i = 0; good && !take(view, '}'); i++) {
        buf_clear(&key);
        good = (i == 0 || take(view, ',')) && take_string(view, &key) && take(view, ':');
        size_t which = 0;
        while (good && which < TEXTS &&
               (key.bytes != 4 || memcmp(key.data, names[which], 4) != 0)) {
            which++;
        }
        if (good && which < TEXTS && peek(view) == '"') {
            buf_clear(fields[which]);
            good = take_string(view, fields[which]);
        } else {
            good = good && skip_value(view);
        }
    }
    buf_release(&key);
    return good;
}

/* "NAME": [entry, ...] */
static bool read_family(struct view *view, struct texts *texts, struct families *families)
{
    buf_clear(&texts->name);
    buf_clear(&texts->type);
    buf_clear(&texts->help);
    buf_clear(&texts->unit);
    if (!take_string(view, &texts->name) || !take(view, ':') || !take(view, '[')) {
        return false;
    }
    if (take(view, ']')) {
        return true;
    }
    if (!read_entry(view, texts)) {
        return false;
    }
    struct rw_metadata metadata = {.type = type_of(&texts->type),
                                   .family = text_of(&texts->name),
                                   .help = text_of(&texts->help),
                                   .unit = text_of(&texts->unit)};
    (void)families_put(families, &metadata); /* one without room is passed over */
    while (take(view, ',')) {
        if (!skip_value(view)) {
            return false;
        }
    }
    return take(view, ']');
}

static bool read_data(struct view *view, struct texts *texts, struct families *families)
{
    if (!take(view, '{')) {
        return false;
    }
    for (size_t i = 0; !take(view, '}'); i++) {
        if ((i > 0 && !take(view, ',')) || !read_family(view, texts, families)) {
            return false;
        }
    }
    return true;
}

bool families_read_json(struct families *families, const void *text, size_t bytes)
{
    struct view view = view_of(text, bytes);
    struct texts texts;
    buf_init(&texts.name, METADATA_TEXT_BYTES_MAX);
    buf_init(&texts.type, METADATA_TEXT_BYTES_MAX);
    buf_init(&texts.help, METADATA_TEXT_BYTES_MAX);
    buf_init(&texts.unit, METADATA_TEXT_BYTES_MAX);
    bool has_data = false;
    bool good = take(&view, '{');
    for (size_t i = 0; good && !take(&view, '}'); i++) {
        buf_clear(&texts.name);
        good = (i == 0 || take(&view, ',')) && take_string(&view, &texts.name) && take(&view, ':');
        bool data = good && texts.name.bytes == 4 && memcmp(texts.name.data, "data", 4) == 0;
        good = good && (data ? read_data(&view, &texts, families) : skip_value(&view));
        has_data = has_data || data;
    }
    buf_release(&texts.name);
    buf_release(&texts.type);
    buf_release(&texts.help);
    buf_release(&texts.unit);
    return good && has_data && peek(&view) < 0;
}

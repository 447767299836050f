/* json.c - a JSON writer: no tree, control characters escaped, and what is not UTF-8 replaced: one
 * malformed byte would cost the whole document. */
#include <walship/expo.h>
#include <walship/utf8.h>

void json_init(struct json *json, struct buf *out)
{
    *json = (struct json){.out = out};
}

static void put(struct json *json, const char *text, size_t bytes)
{
    json->failed = json->failed || !buf_append(json->out, text, bytes);
}

static void quoted(struct json *json, const char *text, size_t bytes)
{
    put(json, "\"", 1);
    for (size_t left = bytes, taken; left > 0; text += taken, left -= taken) {
        unsigned char c = (unsigned char)*text;
        uint32_t rune;
        taken = utf8_decode((const uint8_t *)text, left, &rune);
        if (c == '"' || c == '\\') {
            put(json, "\\", 1);
            put(json, text, 1);
        } else if (c < 0x20) {
            json->failed = json->failed || !buf_format(json->out, "\\u%04x", c);
        } else if (taken == 0) {
            json->replaced = true;
            put(json, "\xef\xbf\xbd", 3);
        } else {
            put(json, text, taken);
        }
        taken = taken == 0 ? 1 : taken;
    }
    put(json, "\"", 1);
}

static void begin(struct json *json, const char *key)
{
    if (json->comma) {
        put(json, ",", 1);
    }
    if (key != NULL) {
        quoted(json, key, strlen(key));
        put(json, ":", 1);
    }
    json->comma = true;
}

void json_open(struct json *json, const char *key, char bracket)
{
    ASSERT(bracket == '{' || bracket == '[');
    begin(json, key);
    put(json, &bracket, 1);
    json->comma = false;
    json->depth++;
}

void json_close(struct json *json, char bracket)
{
    ASSERT(json->depth > 0 && (bracket == '}' || bracket == ']'));
    put(json, &bracket, 1);
    json->comma = true;
    json->depth--;
}

void json_string(struct json *json, const char *key, const char *value)
{
    begin(json, key);
    quoted(json, value, strlen(value));
}

void json_bytes(struct json *json, const char *key, const char *text, size_t bytes)
{
    ASSERT(text != NULL || bytes == 0);
    begin(json, key);
    quoted(json, text != NULL ? text : "", bytes);
}

void json_decimal(struct json *json, const char *key, double value)
{
    begin(json, key);
    json->failed = json->failed || !buf_format(json->out, "%.3f", value);
}

void json_i64(struct json *json, const char *key, int64_t value)
{
    begin(json, key);
    json->failed = json->failed || !buf_format(json->out, "%lld", (long long)value);
}

void json_u64(struct json *json, const char *key, uint64_t value)
{
    begin(json, key);
    json->failed = json->failed || !buf_format(json->out, "%llu", (unsigned long long)value);
}

bool json_ok(const struct json *json)
{
    return !json->failed && json->depth == 0;
}

/* json.c - a JSON writer: no tree, control characters escaped. */
#include <walship/expo.h>

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
    for (const char *end = text + bytes; text < end; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            put(json, "\\", 1);
            put(json, text, 1);
        } else if (c < 0x20) {
            json->failed = json->failed || !buf_format(json->out, "\\u%04x", c);
        } else {
            put(json, text, 1);
        }
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

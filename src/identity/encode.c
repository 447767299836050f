/* encode.c - see encode.h. */
#include "encode.h"

static bool is_unreserved(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void encode_percent(struct secret *out, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    ASSERT(text != NULL);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (is_unreserved(byte)) {
            secret_append(out, text, 1);
            continue;
        }
        char escape[3] = {'%', hex[byte >> 4], hex[byte & 15]};
        secret_append(out, escape, sizeof escape);
    }
}

void encode_field(struct secret *out, const char *name, const char *value)
{
    ASSERT(name != NULL && value != NULL);
    if (out->bytes > 0 && out->text[out->bytes - 1] != '?') {
        secret_add(out, "&");
    }
    encode_percent(out, name);
    secret_add(out, "=");
    encode_percent(out, value);
}

void encode_base64(struct secret *out, const void *bytes, size_t count, enum base64_kind kind)
{
    static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const unsigned char *from = bytes;
    const char *last_two = kind == BASE64_URL ? "-_" : "+/";
    for (size_t at = 0; at < count; at += 3) {
        size_t left = count - at < 3 ? count - at : 3;
        uint32_t group = (uint32_t)from[at] << 16;
        group |= left > 1 ? (uint32_t)from[at + 1] << 8 : 0;
        group |= left > 2 ? from[at + 2] : 0;
        char four[4];
        for (unsigned i = 0; i < 4; i++) {
            uint32_t six = group >> (18 - 6 * i) & 63;
            four[i] = i > left ? '=' : six < 62 ? common[six] : last_two[six - 62];
        }
        secret_append(out, four, kind == BASE64_URL ? left + 1 : sizeof four);
        explicit_bzero(four, sizeof four);
    }
}

void encode_json(struct secret *out, const char *text)
{
    ASSERT(text != NULL);
    secret_add(out, "\"");
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            secret_add(out, "\\");
            secret_append(out, text, 1);
        } else if (byte < ' ') {
            char escape[8];
            int count = snprintf(escape, sizeof escape, "\\u%04x", byte);
            ASSERT(count == 6);
            secret_append(out, escape, 6);
        } else {
            secret_append(out, text, 1);
        }
    }
    secret_add(out, "\"");
}

/* json_flat.c - see json_flat.h. */
#include "json_flat.h"

static void skip_blanks(struct view *view)
{
    while (view->at < view->end &&
           (*view->at == ' ' || *view->at == '\t' || *view->at == '\n' || *view->at == '\r')) {
        view->at++;
    }
}

static int peek(const struct view *view)
{
    return view->at < view->end ? *view->at : -1;
}

static void expect(struct view *view, uint8_t byte)
{
    if (view_u8(view) != byte) {
        view_fail(view);
    }
}

void json_flat_init(struct json_flat *json, const void *text, size_t bytes)
{
    ASSERT(json != NULL && (text != NULL || bytes == 0));
    *json = (struct json_flat){.view = view_of(text, bytes)};
    skip_blanks(&json->view);
    expect(&json->view, '{');
}

/* From the opening quote to behind the closing one; gives what is between. */
static struct view take_string(struct view *view)
{
    expect(view, '"');
    const uint8_t *start = view->at;
    while (view->at < view->end && *view->at != '"') {
        if (*view->at < ' ') {
            view_fail(view);
            break;
        }
        view->at += *view->at == '\\' && view_left(view) > 1 ? 2 : 1;
    }
    struct view text = view_of(start, view_ok(view) ? (size_t)(view->at - start) : 0);
    expect(view, '"');
    return text;
}

static bool in_word(int byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '+' || byte == '-' || byte == '.';
}

/* A number, true, false or null; which one, nobody asks. */
static void skip_word(struct view *view)
{
    if (!in_word(peek(view))) {
        view_fail(view);
    }
    while (in_word(peek(view))) {
        view->at++;
    }
}

/* Anything nested: the brackets must balance, the commas and colons are not judged. `closing` is a
 * stack of a bit a level: 1 for ], 0 for }. */
static void skip_nested(struct view *view)
{
    uint64_t closing = 0;
    unsigned depth = 0;
    do {
        int byte = peek(view);
        if (byte == '{' || byte == '[') {
            if (++depth > JSON_DEPTH_MAX) {
                view_fail(view);
                return;
            }
            closing = closing << 1 | (byte == '[');
            view->at++;
        } else if (byte == '}' || byte == ']') {
            if ((closing & 1) != (byte == ']')) {
                view_fail(view);
                return;
            }
            closing >>= 1;
            depth--;
            view->at++;
        } else if (byte == ',' || byte == ':') {
            view->at++;
        } else if (byte == '"') {
            (void)take_string(view);
        } else {
            skip_word(view);
        }
        if (depth > 0) {
            skip_blanks(view);
        }
    } while (depth > 0 && view_ok(view));
}

static void take_value(struct view *view, struct json_member *out)
{
    int byte = peek(view);
    if (byte == '"') {
        out->kind = JSON_STRING;
        out->value = take_string(view);
        return;
    }
    const uint8_t *start = view->at;
    bool number = byte == '-' || (byte >= '0' && byte <= '9');
    out->kind = number ? JSON_NUMBER : JSON_OTHER;
    if (byte == '{' || byte == '[') {
        skip_nested(view);
    } else {
        skip_word(view);
    }
    out->value = view_of(start, view_ok(view) ? (size_t)(view->at - start) : 0);
}

bool json_flat_next(struct json_flat *json, struct json_member *out)
{
    struct view *view = &json->view;
    ASSERT(!json->ended && out != NULL);
    skip_blanks(view);
    if (json->members == 0 ? peek(view) == '}' : peek(view) != ',') {
        expect(view, '}');
        skip_blanks(view);
        json->ended = view_ok(view) && view_left(view) == 0;
        return false;
    }
    if (json->members > 0) {
        expect(view, ',');
        skip_blanks(view);
    }
    if (++json->members > JSON_MEMBERS_MAX) {
        view_fail(view);
    }
    out->name = take_string(view);
    skip_blanks(view);
    expect(view, ':');
    skip_blanks(view);
    take_value(view, out);
    return view_ok(view);
}

bool json_flat_ok(const struct json_flat *json)
{
    return json->ended;
}

bool json_name_is(const struct json_member *member, const char *name)
{
    size_t bytes = strlen(name);
    return view_left(&member->name) == bytes && memcmp(member->name.at, name, bytes) == 0;
}

/* selector.c - a hand-written parser of one line; strings are unescaped into one buffer that never
 * moves (its room is taken at the start), so matchers point into it. */
#include "selector.h"

#include <walship/buf.h>
#include <walship/mem.h>
#include <walship/regex.h>

enum match { MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX };

struct text {
    const char *bytes;
    size_t count;
};

struct matcher {
    struct text name, value;
    enum match match;
    struct regex *regex;
};

struct selector {
    struct matcher matchers[SELECTOR_MATCHERS_MAX];
    size_t count;
    struct buf strings;
};

struct parser {
    const char *start, *at;
    struct selector *selector;
    struct err *err;
};

static bool fail(const struct parser *parser, const char *what)
{
    return err_set(parser->err, 0, "selector: %s at character %zu of %s", what,
                   (size_t)(parser->at - parser->start) + 1, parser->start);
}

static void skip_blanks(struct parser *parser)
{
    while (*parser->at != '\0' && strchr(" \t\n", *parser->at) != NULL) {
        parser->at++;
    }
}

static bool take(struct parser *parser, char wanted)
{
    skip_blanks(parser);
    if (*parser->at != wanted) {
        return false;
    }
    parser->at++;
    return true;
}

/* Bytes into the buffer of strings; at most as many as the selector's text has, which were
 * reserved. */
static void keep(struct parser *parser, const char *bytes, size_t count)
{
    bool done = buf_append(&parser->selector->strings, bytes, count);
    ASSERT(done);
}

static struct text text_since(const struct parser *parser, size_t start)
{
    const struct buf *strings = &parser->selector->strings;
    return (struct text){(const char *)strings->data + start, strings->bytes - start};
}

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (!first && c >= '0' && c <= '9');
}

static bool read_identifier(struct parser *parser, struct text *out)
{
    size_t start = parser->selector->strings.bytes;
    skip_blanks(parser);
    if (!is_name(*parser->at, true)) {
        return false;
    }
    for (; is_name(*parser->at, false); parser->at++) {
        keep(parser, parser->at, 1);
    }
    *out = text_since(parser, start);
    return true;
}

/* ---- strings ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void keep_rune(struct parser *parser, uint32_t rune)
{
    char bytes[4];
    size_t count = rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
    static const uint32_t lead[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    for (size_t i = count; i-- > 1; rune >>= 6) {
        bytes[i] = (char)(0x80 | (rune & 0x3F));
    }
    bytes[0] = (char)(lead[count] | rune);
    keep(parser, bytes, count);
}

/* \xHH is a byte, \uHHHH and \UHHHHHHHH are characters. */
static bool read_hex(struct parser *parser, int digits)
{
    uint32_t value = 0;
    for (int i = 0; i < digits; i++) {
        int digit = hex_digit(*++parser->at);
        if (digit < 0) {
            return fail(parser, "not a hexadecimal digit");
        }
        value = value << 4 | (uint32_t)digit;
    }
    if (digits == 2) {
        char byte = (char)value;
        keep(parser, &byte, 1);
    } else if (value > 0x10FFFF) {
        return fail(parser, "no such character");
    } else {
        keep_rune(parser, value);
    }
    return true;
}

/* `at` is on the character behind the backslash, and is left on the last one of the escape. */
static bool read_escape(struct parser *parser)
{
    static const char letters[] = "abfnrtv\\\"'";
    static const char bytes[] = "\a\b\f\n\r\t\v\\\"'";
    char c = *parser->at;
    const char *found = c == '\0' ? NULL : strchr(letters, c);
    if (found != NULL) {
        keep(parser, &bytes[found - letters], 1);
        return true;
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        return read_hex(parser, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    }
    return fail(parser, "an unknown escape");
}

static bool read_string(struct parser *parser, struct text *out)
{
    size_t start = parser->selector->strings.bytes;
    skip_blanks(parser);
    char quote = *parser->at;
    if (quote != '"' && quote != '\'' && quote != '`') {
        return fail(parser, "a quoted string is wanted");
    }
    for (parser->at++; *parser->at != quote; parser->at++) {
        if (*parser->at == '\0') {
            return fail(parser, "a string without its end");
        }
        if (*parser->at == '\\' && quote != '`') {
            parser->at++;
            if (!read_escape(parser)) {
                return false;
            }
        } else {
            keep(parser, parser->at, 1);
        }
    }
    parser->at++;
    *out = text_since(parser, start);
    return true;
}

/* ---- matchers ---- */

static bool read_operator(struct parser *parser, enum match *out)
{
    static const struct {
        const char *text;
        enum match match;
    } operators[] = {
        {"=~", MATCH_REGEX}, {"!~", MATCH_NOT_REGEX}, {"!=", MATCH_NOT_EQUAL}, {"=", MATCH_EQUAL}};
    skip_blanks(parser);
    for (size_t i = 0; i < ARRAY_COUNT(operators); i++) {
        size_t bytes = strlen(operators[i].text);
        if (strncmp(parser->at, operators[i].text, bytes) == 0) {
            parser->at += bytes;
            *out = operators[i].match;
            return true;
        }
    }
    return false;
}

static bool add(struct parser *parser, const struct matcher *matcher)
{
    struct selector *selector = parser->selector;
    if (selector->count == SELECTOR_MATCHERS_MAX) {
        return fail(parser, "too many matchers");
    }
    struct matcher *added = &selector->matchers[selector->count];
    *added = *matcher;
    if (matcher->match == MATCH_REGEX || matcher->match == MATCH_NOT_REGEX) {
        char why[200];
        added->regex = regex_new(matcher->value.bytes, matcher->value.count, why, sizeof why);
        if (added->regex == NULL) {
            return fail(parser, why);
        }
    }
    selector->count++;
    return true;
}

static bool add_name(struct parser *parser, struct text name)
{
    struct matcher matcher = {{"__name__", 8}, name, MATCH_EQUAL, NULL};
    return add(parser, &matcher);
}

static bool read_matcher(struct parser *parser)
{
    struct matcher matcher = {0};
    bool plain = read_identifier(parser, &matcher.name);
    if (!plain && !read_string(parser, &matcher.name)) {
        return false;
    }
    if (!read_operator(parser, &matcher.match)) {
        return plain ? fail(parser, "one of = != =~ !~ is wanted")
                     : add_name(parser, matcher.name); /* {"metric name"} */
    }
    return read_string(parser, &matcher.value) && add(parser, &matcher);
}

static bool read_braces(struct parser *parser)
{
    while (!take(parser, '}')) {
        if (!read_matcher(parser)) {
            return false;
        }
        if (!take(parser, ',')) {
            return take(parser, '}') || fail(parser, "a comma or } is wanted");
        }
    }
    return true;
}

static bool parse(struct parser *parser)
{
    struct text name;
    bool named = read_identifier(parser, &name);
    if (named && !add_name(parser, name)) {
        return false;
    }
    bool braces = take(parser, '{');
    if (!named && !braces) {
        return fail(parser, "a metric name or { is wanted");
    }
    if (braces && !read_braces(parser)) {
        return false;
    }
    skip_blanks(parser);
    return *parser->at == '\0' || fail(parser, "more text than a selector");
}

struct selector *selector_new(const char *text, struct err *err)
{
    size_t bytes = strlen(text);
    if (bytes > SELECTOR_BYTES_MAX) {
        err_set(err, 0, "selector: longer than %d bytes", SELECTOR_BYTES_MAX);
        return NULL;
    }
    struct selector *selector = mem_new(1, sizeof *selector);
    struct parser parser = {text, text, selector, err};
    buf_init(&selector->strings, SELECTOR_BYTES_MAX + 1);
    bool reserved = buf_reserve(&selector->strings, bytes + 1);
    ASSERT(reserved);
    if (!parse(&parser)) {
        selector_free(selector);
        return NULL;
    }
    return selector;
}

void selector_free(struct selector *selector)
{
    if (selector == NULL) {
        return;
    }
    for (size_t i = 0; i < selector->count; i++) {
        regex_free(selector->matchers[i].regex);
    }
    buf_release(&selector->strings);
    mem_free(selector);
}

/* ---- matching ---- */

static struct text value_of(struct text name, const struct label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (labels[i].name_bytes == name.count &&
            memcmp(labels[i].name, name.bytes, name.count) == 0) {
            return (struct text){labels[i].value, labels[i].value_bytes};
        }
    }
    return (struct text){"", 0};
}

static bool matcher_matches(const struct matcher *matcher, struct text value)
{
    bool equal = value.count == matcher->value.count &&
                 memcmp(value.bytes, matcher->value.bytes, value.count) == 0;
    switch (matcher->match) {
    case MATCH_EQUAL:
        return equal;
    case MATCH_NOT_EQUAL:
        return !equal;
    case MATCH_REGEX:
        return regex_matches(matcher->regex, value.bytes, value.count);
    case MATCH_NOT_REGEX:
        return !regex_matches(matcher->regex, value.bytes, value.count);
    }
    return false;
}

bool selector_matches(const struct selector *selector, const struct label *labels, size_t count)
{
    ASSERT(selector != NULL);
    for (size_t i = 0; i < selector->count; i++) {
        const struct matcher *matcher = &selector->matchers[i];
        if (!matcher_matches(matcher, value_of(matcher->name, labels, count))) {
            return false;
        }
    }
    return true;
}

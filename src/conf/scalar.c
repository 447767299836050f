/* scalar.c - options that are one value: the text of a node into the field of a struct. */
#include "bind.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <walship/mem.h>

/* What was found, for a message; nothing of a secret. */
static const char *shown(const struct option *option, const struct conf_node *node)
{
    return option->secret ? "(not shown)" : node->text;
}

/* As Prometheus' parser: underscores are passed over, 0x and a leading 0 give the base. */
static bool parse_count(const char *text, uint64_t *out)
{
    char plain[32];
    size_t bytes = 0;
    for (; *text != '\0'; text++) {
        if (*text == '_' && bytes > 0) {
            continue;
        }
        if (bytes == sizeof plain - 1 || !isalnum((unsigned char)*text)) {
            return false;
        }
        plain[bytes++] = *text;
    }
    plain[bytes] = '\0';
    char *end = plain;
    errno = 0;
    *out = strtoull(plain, &end, 0);
    return bytes > 0 && errno == 0 && *end == '\0' && *out <= INT64_MAX;
}

static bool parse_number(const char *text, double *out)
{
    /* strtod also takes hexadecimal, "inf" and blanks: none of these is a weight */
    if (*text == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0') {
        return false;
    }
    char *end;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

/* The words YAML 1.1 has for them, as Prometheus' parser takes them. */
static bool parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                      "on",   "On",   "ON",   "y",   "Y"};
    static const char *const no[] = {"false", "False", "FALSE", "no", "No", "NO",
                                     "off",   "Off",   "OFF",   "n",  "N"};
    static_assert(ARRAY_COUNT(yes) == ARRAY_COUNT(no), "pairs");
    for (size_t i = 0; i < ARRAY_COUNT(yes); i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static void out_of_range(struct binder *binder, const struct option *option,
                         const struct conf_node *node)
{
    if (option->range_text != NULL) {
        bind_problem(binder, node, "%s", option->range_text);
        return;
    }
    if (option->max == 0) { /* no bound but that of the field, and none has more digits */
        bind_problem(binder, node, "%s must be at least %llu", option->key,
                     (unsigned long long)option->min);
        return;
    }
    ASSERT(option->min <= option->max);
    bind_problem(binder, node, "%s must be between %llu and %llu", option->key,
                 (unsigned long long)option->min, (unsigned long long)option->max);
}

static bool in_range(const struct option *option, uint64_t value)
{
    return value >= option->min && (option->max == 0 || value <= option->max);
}

/* Counts and sizes, into a field of 32 or 64 bits. */
static void bind_unsigned(struct binder *binder, const struct option *option,
                          const struct conf_node *node, void *field)
{
    bool sized = option->type == OPTION_BYTES || option->type == OPTION_BYTES32;
    bool narrow = option->type == OPTION_COUNT32 || option->type == OPTION_BYTES32;
    uint64_t value = 0;
    if (!sized && node->text[0] == '-' && parse_count(node->text + 1, &value)) {
        out_of_range(binder, option, node);
        return;
    }
    bool good = sized ? conf_bytes_parse(node->text, &value)
                      : !node->quoted && parse_count(node->text, &value);
    if (!good) {
        bind_problem(binder, node, "%s must be %s, found \"%s\"", option->key,
                     sized ? "a size such as 1048576 or 10MB" : "a whole number",
                     shown(option, node));
        return;
    }
    if (!in_range(option, value) || (narrow && value > UINT32_MAX)) {
        out_of_range(binder, option, node);
        return;
    }
    if (narrow) {
        uint32_t small = (uint32_t)value;
        memcpy(field, &small, sizeof small);
    } else {
        memcpy(field, &value, sizeof value);
    }
}

static void bind_number(struct binder *binder, const struct option *option,
                        const struct conf_node *node, void *field)
{
    double value = 0;
    if (!parse_number(node->text, &value)) {
        bind_problem(binder, node, "%s must be a number, found \"%s\"", option->key,
                     shown(option, node));
        return;
    }
    if (value <= 0 || value > (double)option->max) {
        bind_problem(binder, node, "%s must be above 0 and at most %llu", option->key,
                     (unsigned long long)option->max);
        return;
    }
    memcpy(field, &value, sizeof value);
}

static void bind_duration(struct binder *binder, const struct option *option,
                          const struct conf_node *node, void *field)
{
    int64_t value = 0;
    if (*node->text == '\0') {
        bind_problem(binder, node, "%s: empty duration string", option->key);
        return;
    }
    if (!conf_duration_parse(node->text, &value)) {
        bind_problem(binder, node, "%s: not a valid duration string: \"%s\"", option->key,
                     shown(option, node));
        return;
    }
    if (!in_range(option, (uint64_t)value)) {
        out_of_range(binder, option, node);
        return;
    }
    memcpy(field, &value, sizeof value);
}

static void bind_choice(struct binder *binder, const struct option *option,
                        const struct conf_node *node, void *field)
{
    char list[256] = "";
    size_t used = 0;
    for (unsigned i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], node->text) == 0) {
            memcpy(field, &i, sizeof i);
            return;
        }
        int count = snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? " or " : "",
                             option->choices[i]);
        ASSERT(count > 0 && (size_t)count < sizeof list - used);
        used += (size_t)count;
    }
    if (option->range_text != NULL) {
        bind_problem(binder, node, "%s", option->range_text);
        return;
    }
    bind_problem(binder, node, "%s must be %s, found \"%s\"", option->key, list,
                 shown(option, node));
}

static void bind_text(struct binder *binder, const struct option *option,
                      const struct conf_node *node, void *field)
{
    char *text;
    if (option->type == OPTION_STRING) {
        text = mem_string(node->text);
    } else if (*node->text == '\0') {
        bind_problem(binder, node, "%s must not be empty", option->key);
        return;
    } else {
        text = path_resolve(binder->file, node->text);
    }
    memcpy(field, &text, sizeof text);
}

static void bind_bool(struct binder *binder, const struct option *option,
                      const struct conf_node *node, bool *field)
{
    if (node->quoted || !parse_bool(node->text, field)) {
        bind_problem(binder, node, "%s must be true or false, found \"%s\"", option->key,
                     shown(option, node));
    }
}

void bind_scalar(struct binder *binder, const struct option *option, const struct conf_node *node,
                 void *target)
{
    static_assert(sizeof(enum conf_placement) == sizeof(unsigned), "a choice is an unsigned");
    void *field = (char *)target + option->offset;
    if (node->kind != CONF_SCALAR) {
        bind_problem(binder, node, "%s must be a single value, found %s", option->key,
                     node_kind_name(node));
        return;
    }
    switch (option->type) {
    case OPTION_STRING:
    case OPTION_PATH:
        bind_text(binder, option, node, field);
        return;
    case OPTION_COUNT:
    case OPTION_COUNT32:
    case OPTION_BYTES:
    case OPTION_BYTES32:
        bind_unsigned(binder, option, node, field);
        return;
    case OPTION_NUMBER:
        bind_number(binder, option, node, field);
        return;
    case OPTION_BOOL:
        bind_bool(binder, option, node, field);
        return;
    case OPTION_DURATION:
        bind_duration(binder, option, node, field);
        return;
    case OPTION_CHOICE:
        bind_choice(binder, option, node, field);
        return;
    case OPTION_SECTION:
    case OPTION_LIST:
    case OPTION_CUSTOM:
    case OPTION_LATER:
        break;
    }
    ASSERT(option->type < OPTION_SECTION); /* bind_option sends no other here */
}

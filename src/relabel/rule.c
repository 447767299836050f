/* rule.c - one rule: upstream's checks in upstream's order, then made ready to run. */
#include "inside.h"

#include <stdarg.h>
#include <strings.h>
#include <walship/mem.h>
#include <walship/utf8.h>

static const char *const action_names[RELABEL_ACTIONS] = {
    [RELABEL_REPLACE] = "replace",     [RELABEL_KEEP] = "keep",
    [RELABEL_DROP] = "drop",           [RELABEL_KEEPEQUAL] = "keepequal",
    [RELABEL_DROPEQUAL] = "dropequal", [RELABEL_HASHMOD] = "hashmod",
    [RELABEL_LABELMAP] = "labelmap",   [RELABEL_LABELDROP] = "labeldrop",
    [RELABEL_LABELKEEP] = "labelkeep", [RELABEL_LOWERCASE] = "lowercase",
    [RELABEL_UPPERCASE] = "uppercase",
};

/* What is wrong with a spec, and with which of its options. */
struct complaint {
    const char *key;
    char *why;
    size_t why_bytes;
};

static bool complain(struct complaint *complaint, const char *key, const char *format, ...)
    PRINTF_LIKE(3, 4);

static bool complain(struct complaint *complaint, const char *key, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(complaint->why, complaint->why_bytes, format, arguments);
    va_end(arguments);
    complaint->key = key;
    return false;
}

/* Version 3: anything in UTF-8 but the empty text. */
static bool name_good(const char *name)
{
    const uint8_t *at = (const uint8_t *)name;
    size_t left = strlen(name);
    if (left == 0) {
        return false;
    }
    while (left > 0) {
        uint32_t rune;
        size_t bytes = utf8_decode(at, left, &rune);
        if (bytes == 0) {
            return false;
        }
        at += bytes;
        left -= bytes;
    }
    return true;
}

static bool action_find(const struct relabel_spec *spec, enum relabel_action *out,
                        struct complaint *complaint)
{
    for (size_t i = 0; i < RELABEL_ACTIONS; i++) {
        if (strcasecmp(spec->action, action_names[i]) == 0) {
            *out = (enum relabel_action)i;
            return true;
        }
    }
    return complain(complaint, "action", "unknown relabel action \"%s\"", spec->action);
}

static bool in(enum relabel_action action, unsigned set)
{
    return (set >> action & 1) != 0;
}

#define ACTION(name) (1u << RELABEL_##name)

enum {
    EQUALS = ACTION(KEEPEQUAL) | ACTION(DROPEQUAL),
    CASES = ACTION(LOWERCASE) | ACTION(UPPERCASE),
    BY_NAME = ACTION(LABELDROP) | ACTION(LABELKEEP),
    TARGETED = ACTION(REPLACE) | ACTION(HASHMOD) | EQUALS | CASES
};

static bool target_good(const struct relabel_spec *spec, enum relabel_action action,
                        struct complaint *complaint)
{
    const char *name = action_names[action];
    if (in(action, TARGETED) && *spec->target_label == 0) {
        return complain(complaint, "target_label",
                        "relabel configuration for %s action requires 'target_label' value", name);
    }
    if (in(action, TARGETED) && !name_good(spec->target_label)) {
        return complain(complaint, "target_label", "\"%s\" is invalid 'target_label' for %s action",
                        spec->target_label, name);
    }
    return true;
}

static bool replacement_good(const struct relabel_spec *spec, enum relabel_action action,
                             struct complaint *complaint)
{
    const char *name = action_names[action];
    if (in(action, CASES | EQUALS) && strcmp(spec->replacement, RELABEL_REPLACEMENT) != 0) {
        return complain(complaint, "replacement", "'replacement' can not be set for %s action",
                        name);
    }
    if (action == RELABEL_LABELMAP && !name_good(spec->replacement)) {
        return complain(complaint, "replacement", "\"%s\" is invalid 'replacement' for %s action",
                        spec->replacement, name);
    }
    return true;
}

/* The first option that this action does not take; NULL: none. */
static const char *other_field(const struct relabel_spec *spec, enum relabel_action action)
{
    bool by_name = in(action, BY_NAME);
    if (by_name && spec->has_source_labels) {
        return "source_labels";
    }
    if (by_name && *spec->target_label != 0) {
        return "target_label";
    }
    if (!by_name && strcmp(spec->regex, RELABEL_REGEX) != 0) {
        return "regex";
    }
    if (spec->modulus != 0) {
        return "modulus";
    }
    if (strcmp(spec->separator, RELABEL_SEPARATOR) != 0) {
        return "separator";
    }
    return strcmp(spec->replacement, RELABEL_REPLACEMENT) != 0 ? "replacement" : NULL;
}

static bool fields_good(const struct relabel_spec *spec, enum relabel_action action,
                        struct complaint *complaint)
{
    const char *other = in(action, EQUALS | BY_NAME) ? other_field(spec, action) : NULL;
    if (other == NULL) {
        return true;
    }
    return complain(
        complaint, other,
        in(action, EQUALS)
            ? "%s action requires only 'source_labels' and `target_label`, and no other "
              "fields"
            : "%s action requires only 'regex', and no other fields",
        action_names[action]);
}

static bool spec_good(const struct relabel_spec *spec, enum relabel_action *action,
                      struct complaint *complaint)
{
    if (spec->action == NULL) {
        return complain(complaint, "action", "relabel action cannot be empty");
    }
    if (!action_find(spec, action, complaint)) {
        return false;
    }
    for (size_t i = 0; i < spec->source_labels_count; i++) {
        if (!name_good(spec->source_labels[i])) {
            return complain(complaint, "source_labels", "\"%s\" is not a valid label name",
                            spec->source_labels[i]);
        }
    }
    if (*action == RELABEL_HASHMOD && spec->modulus == 0) {
        return complain(complaint, "modulus",
                        "relabel configuration for hashmod requires non-zero modulus");
    }
    return target_good(spec, *action, complaint) && replacement_good(spec, *action, complaint) &&
           fields_good(spec, *action, complaint);
}

static struct span span_copy(const char *text)
{
    char *copy = mem_string(text);
    return (struct span){copy, strlen(copy)};
}

static void span_free(const struct span *span)
{
    mem_free((void *)(uintptr_t)span->at);
}

static struct regex *pattern_compile(const struct relabel_spec *spec, struct complaint *complaint)
{
    struct regex *regex =
        regex_new(spec->regex, strlen(spec->regex), complaint->why, complaint->why_bytes);
    if (regex == NULL) {
        complaint->key = "regex";
    } else if (regex_groups(regex) > REGEX_GROUPS_MAX) {
        complain(complaint, "regex", "error parsing regexp: more than %d groups", REGEX_GROUPS_MAX);
        regex_free(regex);
        return NULL;
    }
    return regex;
}

struct relabel_rule *relabel_rule_new(const struct relabel_spec *spec, const char **key, char *why,
                                      size_t why_bytes)
{
    ASSERT(spec->regex != NULL && spec->separator != NULL && spec->replacement != NULL &&
           spec->target_label != NULL);
    struct complaint complaint = {"action", why, why_bytes};
    enum relabel_action action = RELABEL_REPLACE;
    struct regex *regex = pattern_compile(spec, &complaint);
    if (regex == NULL || !spec_good(spec, &action, &complaint)) {
        regex_free(regex);
        *key = complaint.key;
        return NULL;
    }
    struct relabel_rule *rule = mem_new(1, sizeof *rule);
    rule->action = action;
    rule->sources_count = spec->source_labels_count;
    rule->sources = mem_new(rule->sources_count + 1, sizeof *rule->sources);
    for (size_t i = 0; i < rule->sources_count; i++) {
        rule->sources[i] = span_copy(spec->source_labels[i]);
    }
    rule->separator = span_copy(spec->separator);
    rule->regex = regex;
    rule->modulus = spec->modulus;
    rule->target_label = span_copy(spec->target_label);
    rule->pattern = mem_string(spec->regex);
    expansion_init(&rule->target, spec->target_label, regex);
    expansion_init(&rule->replacement, spec->replacement, regex);
    return rule;
}

void relabel_rule_free(struct relabel_rule *rule)
{
    if (rule == NULL) {
        return;
    }
    for (size_t i = 0; i < rule->sources_count; i++) {
        span_free(&rule->sources[i]);
    }
    mem_free(rule->sources);
    span_free(&rule->separator);
    span_free(&rule->target_label);
    expansion_release(&rule->target);
    expansion_release(&rule->replacement);
    regex_free(rule->regex);
    mem_free(rule->pattern);
    mem_free(rule);
}

/* Lengths first, so that no two rules have one text. */
static bool put_text(struct buf *out, const char *text)
{
    return buf_format(out, " %zu:%s", strlen(text), text);
}

bool relabel_rule_text(const struct relabel_rule *rule, struct buf *out)
{
    bool fits = buf_format(out, " %s %llu %zu", action_names[rule->action],
                           (unsigned long long)rule->modulus, rule->sources_count);
    for (size_t i = 0; i < rule->sources_count && fits; i++) {
        fits = put_text(out, rule->sources[i].at);
    }
    return fits && put_text(out, rule->separator.at) && put_text(out, rule->pattern) &&
           put_text(out, rule->target_label.at) && put_text(out, rule->replacement.text) &&
           buf_append(out, "\n", 1);
}

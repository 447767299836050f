/* lab.c - see lab.h. */
#include "lab.h"

#include <check.h>
#include <walship/mem.h>

size_t cut(char *text, const char *separators, char **out, size_t room)
{
    size_t count = 0;
    for (char *next = text; next != NULL && *text != 0;) {
        ck_assert_uint_lt(count, room);
        out[count++] = strsep(&next, separators);
    }
    return count;
}

static char *text_or(const char *text, const char *other)
{
    return (char *)(uintptr_t)(text == NULL ? other : text);
}

struct relabel_rule *make(const struct rule *rule, const char **key, char *why, size_t why_bytes)
{
    char *sources[SOURCES_MAX];
    char *list = mem_string(rule->sources == NULL ? "" : rule->sources);
    struct relabel_spec spec = {.action = text_or(rule->action, NULL),
                                .source_labels = sources,
                                .source_labels_count = cut(list, ",", sources, SOURCES_MAX),
                                .has_source_labels = rule->sources != NULL,
                                .separator = text_or(rule->separator, RELABEL_SEPARATOR),
                                .regex = text_or(rule->regex, RELABEL_REGEX),
                                .target_label = text_or(rule->target, ""),
                                .replacement = text_or(rule->replacement, RELABEL_REPLACEMENT),
                                .modulus = rule->modulus};
    struct relabel_rule *made = relabel_rule_new(&spec, key, why, why_bytes);
    mem_free(list);
    return made;
}

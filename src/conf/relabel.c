/* relabel.c - write_relabel_configs: the keys of a rule, and the checks, which are those of
 * src/relabel. As in upstream's parser a key with nothing behind it means the empty text here, not
 * the default: `regex:` matches only what is empty. */
#include "relabel.h"

#include <walship/limits.h>
#include <walship/mem.h>

#define FIELD(key_) .key = #key_, .offset = offsetof(struct conf_relabel, spec.key_)

static void bind_sources(struct binder *binder, const struct option *option,
                         const struct conf_node *node, void *target)
{
    struct relabel_spec *spec = &((struct conf_relabel *)target)->spec;
    if (node->kind != CONF_LIST) {
        bind_problem(binder, node, "%s must be a list, found %s", option->key,
                     node_kind_name(node));
        return;
    }
    spec->has_source_labels = true;
    if (node->count > RELABEL_SOURCES_MAX) {
        bind_problem(binder, node, "%s has %zu labels, the most is %d", option->key, node->count,
                     RELABEL_SOURCES_MAX);
        return;
    }
    spec->source_labels = mem_new(node->count + 1, sizeof *spec->source_labels);
    for (size_t i = 0; i < node->count; i++) {
        const struct conf_node *name = node->values[i];
        if (name->kind == CONF_SCALAR) {
            spec->source_labels[spec->source_labels_count++] = mem_string(name->text);
        } else {
            bind_problem(binder, name, "an element of %s must be a label name, found %s",
                         option->key, node_kind_name(name));
        }
    }
}

static const struct option relabel_options[] = {
    {.key = "source_labels",
     .type = OPTION_CUSTOM,
     .bind = bind_sources,
     .shown = "`[]`",
     .kind = "list of label names",
     .meaning = "the labels whose values are looked at"},
    {FIELD(separator), .type = OPTION_STRING, .initial = RELABEL_SEPARATOR,
     .meaning = "what stands between their values"},
    {FIELD(regex), .type = OPTION_STRING, .initial = RELABEL_REGEX,
     .meaning = "regular expression (Go's syntax, anchored at both ends) for the joined values, or "
                "for label names"},
    {FIELD(modulus), .type = OPTION_COUNT, .shown = "none",
     .meaning = "for `hashmod`: the number of shares"},
    {FIELD(target_label), .type = OPTION_STRING, .initial = "", .shown = "none",
     .meaning = "the label that is set, or compared with"},
    {FIELD(replacement), .type = OPTION_STRING, .initial = RELABEL_REPLACEMENT,
     .meaning = "what it is set to, or its new name; `$1`, `${1}`, `${name}` stand for groups"},
    {FIELD(action), .type = OPTION_STRING, .initial = RELABEL_ACTION,
     .meaning = "`replace`, `keep`, `drop`, `keepequal`, `dropequal`, `hashmod`, `labelmap`, "
                "`labeldrop`, `labelkeep`, `lowercase` or `uppercase`",
     .differs = "label names may be any UTF-8, as there by default since version 3"},
};

static bool is_null(const struct conf_node *map, const char *key)
{
    for (size_t i = 0; map != NULL && i < map->count; i++) {
        if (map->keys[i]->kind == CONF_SCALAR && strcmp(map->keys[i]->text, key) == 0) {
            return map->values[i]->kind == CONF_NULL;
        }
    }
    return false;
}

static void null_is_empty(const struct conf_node *node, const char *key, char **text)
{
    if (is_null(node, key)) {
        mem_free(*text);
        *text = mem_string("");
    }
}

static void check_relabel(struct binder *binder, const struct conf_node *node, void *target)
{
    struct conf_relabel *relabel = target;
    struct relabel_spec *spec = &relabel->spec;
    null_is_empty(node, "separator", &spec->separator);
    null_is_empty(node, "regex", &spec->regex);
    null_is_empty(node, "replacement", &spec->replacement);
    if (is_null(node, "action")) {
        mem_free(spec->action);
        spec->action = NULL;
    }
    bool has_action = spec->action != NULL || is_null(node, "action");
    if (!has_action || spec->separator == NULL || spec->regex == NULL ||
        spec->replacement == NULL || spec->target_label == NULL) {
        return; /* of another kind than a text: that was said */
    }
    enum { WHY_BYTES = 1024 };
    char why[WHY_BYTES];
    const char *key;
    relabel->rule = relabel_rule_new(spec, &key, why, sizeof why);
    if (relabel->rule == NULL) {
        const struct conf_node *at = node_find(node, key);
        bind_problem(binder, at != NULL ? at : node, "%s", why);
    }
}

const struct option_table conf_table_relabel = {
    .title = "`write_relabel_configs` elements",
    .options = relabel_options,
    .count = ARRAY_COUNT(relabel_options),
    .bytes = sizeof(struct conf_relabel),
    .check = check_relabel,
};

void bind_relabel(struct binder *binder, const struct option *option, const struct conf_node *node,
                  void *target)
{
    struct conf_destination *destination = target;
    if (node->kind != CONF_LIST) {
        bind_problem(binder, node, "%s must be a list, found %s", option->key,
                     node_kind_name(node));
        return;
    }
    if (node->count > RELABEL_RULES_MAX) {
        bind_problem(binder, node, "%s has %zu rules, the most is %d", option->key, node->count,
                     RELABEL_RULES_MAX);
        return;
    }
    destination->relabel = mem_new(node->count + 1, sizeof *destination->relabel);
    for (size_t i = 0; i < node->count; i++) {
        const struct conf_node *rule = node->values[i];
        if (rule->kind == CONF_NULL) {
            bind_problem(binder, rule, "empty or null relabeling rule in remote write config");
        } else if (rule->kind != CONF_MAP) {
            bind_problem(binder, rule, "an element of %s must be a map, found %s", option->key,
                         node_kind_name(rule));
        } else {
            bind_push(binder, rule, &conf_table_relabel,
                      &destination->relabel[destination->relabel_count++]);
        }
    }
}

void free_relabel(struct conf_destination *destination)
{
    for (size_t i = 0; i < destination->relabel_count; i++) {
        struct relabel_spec *spec = &destination->relabel[i].spec;
        for (size_t k = 0; k < spec->source_labels_count; k++) {
            mem_free(spec->source_labels[k]);
        }
        mem_free(spec->source_labels);
        mem_free(spec->separator);
        mem_free(spec->regex);
        mem_free(spec->target_label);
        mem_free(spec->replacement);
        mem_free(spec->action);
        relabel_rule_free(destination->relabel[i].rule);
    }
    mem_free(destination->relabel);
}

/* scenario_rules.c - relabelling of a scenario: the same few rules at every destination, so that
 * the actor can say in other words what they make of a series (prometheus.c, relabelled). */
#include "scenario.h"

#include <walship/mem.h>

enum { RULES = 3 };

static const struct {
    const char *action, *source, *regex, *target, *replacement;
} table[RULES] = {
    {"drop", "__name__", "go_.*", "", RELABEL_REPLACEMENT},
    {"labeldrop", NULL, "no(te|thing)", "", RELABEL_REPLACEMENT},
    {"replace", "job", "(n.*)", "job", "j_$1"},
};

static struct relabel_rule *rule_make(size_t index)
{
    char why[200];
    const char *key;
    char *texts[] = {mem_string(table[index].action),      mem_string(RELABEL_SEPARATOR),
                     mem_string(table[index].regex),       mem_string(table[index].target),
                     mem_string(table[index].replacement), NULL};
    char *source = mem_string(table[index].source == NULL ? "" : table[index].source);
    struct relabel_spec spec = {.action = texts[0],
                                .separator = texts[1],
                                .regex = texts[2],
                                .target_label = texts[3],
                                .replacement = texts[4],
                                .source_labels = &source,
                                .source_labels_count = table[index].source != NULL,
                                .has_source_labels = table[index].source != NULL};
    struct relabel_rule *rule = relabel_rule_new(&spec, &key, why, sizeof why);
    ASSERT(rule != NULL);
    for (size_t i = 0; texts[i] != NULL; i++) {
        mem_free(texts[i]);
    }
    mem_free(source);
    return rule;
}

void rules_make(struct conf *conf)
{
    for (size_t i = 0; i < conf->destinations_count; i++) {
        struct conf_destination *to = &conf->destinations[i];
        to->relabel = mem_new(RULES, sizeof *to->relabel);
        for (size_t k = 0; k < RULES; k++) {
            to->relabel[to->relabel_count++].rule = rule_make(k);
        }
    }
}

void rules_release(struct conf_destination *destination)
{
    for (size_t k = 0; k < destination->relabel_count; k++) {
        relabel_rule_free(destination->relabel[k].rule);
    }
    mem_free(destination->relabel);
}

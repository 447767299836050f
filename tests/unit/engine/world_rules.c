/* world_rules.c - external labels and relabelling of a golden trace; see world.h. */
#include "world_rules.h"

#include <check.h>
#include <walship/mem.h>

void world_external(struct world *world, const char *name, const char *value)
{
    world->external = (struct label){mem_string(name), mem_string(value), (uint32_t)strlen(name),
                                     (uint32_t)strlen(value)};
    world->conf.external_labels = &world->external;
    world->conf.external_labels_count = 1;
}

void world_relabel(struct conf_destination *destination, char *line)
{
    enum { WORDS = 5 };
    char *words[WORDS] = {NULL};
    char *next = line;
    for (size_t i = 0; i < WORDS && next != NULL; i++) {
        words[i] = strsep(&next, " ");
    }
    ck_assert_ptr_nonnull(words[2]);
    char why[200];
    const char *key;
    char separator[] = RELABEL_SEPARATOR;
    char empty[] = "";
    char replacement[] = RELABEL_REPLACEMENT;
    struct relabel_spec spec = {.action = words[0],
                                .source_labels = &words[1],
                                .source_labels_count = strcmp(words[1], "-") != 0,
                                .separator = separator,
                                .regex = words[2],
                                .target_label = words[3] == NULL ? empty : words[3],
                                .replacement = words[4] == NULL ? replacement : words[4]};
    destination->relabel = mem_grow(destination->relabel, destination->relabel_count + 1,
                                    sizeof *destination->relabel);
    struct relabel_rule *rule = relabel_rule_new(&spec, &key, why, sizeof why);
    ck_assert_msg(rule != NULL, "%s", why);
    destination->relabel[destination->relabel_count++] = (struct conf_relabel){.rule = rule};
}

void world_relabel_release(struct conf_destination *destination)
{
    for (size_t i = 0; i < destination->relabel_count; i++) {
        relabel_rule_free(destination->relabel[i].rule);
    }
    mem_free(destination->relabel);
}

void world_rules_release(struct world *world)
{
    mem_free((void *)(uintptr_t)world->external.name);
    mem_free((void *)(uintptr_t)world->external.value);
    for (size_t i = 0; i < world->conf.destinations_count; i++) {
        world_relabel_release(&world->destinations[i]);
    }
}

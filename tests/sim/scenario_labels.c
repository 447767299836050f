/* scenario_labels.c - the external labels of a scenario: those that it begins with, and the others
 * that a restart may have. */
#include "scenario.h"

#include <walship/mem.h>

enum { RENAMES_PERCENT = 1, EXTERNALS_MAX = 2 };

static struct label label_of(const char *name, const char *value)
{
    return (struct label){mem_string(name), mem_string(value), (uint32_t)strlen(name),
                          (uint32_t)strlen(value)};
}

static void externals_fill(struct externals *to, const char *cluster, const char *zone)
{
    to->labels = mem_new(EXTERNALS_MAX, sizeof *to->labels);
    if (cluster != NULL) {
        to->labels[to->count++] = label_of("cluster", cluster);
    }
    if (zone != NULL) {
        to->labels[to->count++] = label_of("zone", zone);
    }
}

/* Of a stream of its own. One of the others gives each series other labels, the other one only
 * those without a cluster of their own: the rest stay what they are, in the company of others. */
void externals_make(struct scenario *scenario, uint64_t seed)
{
    struct rng rng = {seed * 0xd1342543de82ef95u + 263};
    struct conf *conf = scenario->conf;
    scenario->externals[0] = (struct externals){conf->external_labels, conf->external_labels_count};
    scenario->renames = rng_below(&rng, 100) < RENAMES_PERCENT && !scenario->flood;
    if (scenario->renames) {
        externals_fill(&scenario->externals[1], "prod", "b");
        externals_fill(&scenario->externals[2], "test",
                       conf->external_labels_count > 0 ? "a" : NULL);
    }
}

void externals_release(struct scenario *scenario)
{
    for (size_t i = 0; i < ORACLE_NAMES_MAX; i++) {
        struct externals *externals = &scenario->externals[i];
        for (size_t k = 0; k < externals->count; k++) {
            mem_free((void *)(uintptr_t)externals->labels[k].name);
            mem_free((void *)(uintptr_t)externals->labels[k].value);
        }
        mem_free(externals->labels);
    }
}

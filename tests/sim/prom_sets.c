/* prom_sets.c - the label sets that Prometheus scrapes, and what walship is to make of them. */
#include "prometheus.h"

static bool chance(struct prometheus *prom, unsigned percent)
{
    return rng_below(&prom->rng, 100) < percent;
}

static void label_put(struct prom_set *set, size_t *used, const char *name, const char *value)
{
    ASSERT(set->labels_count < SET_LABELS_MAX && *used + strlen(value) < sizeof set->text);
    char *copy = set->text + *used;
    size_t bytes = strlen(value);
    memcpy(copy, value, bytes + 1);
    *used += bytes + 1;
    set->labels[set->labels_count++] =
        (struct label){name, copy, (uint32_t)strlen(name), (uint32_t)bytes};
}

struct final {
    struct label labels[2 * SET_LABELS_MAX];
    size_t count;
};

/* The rules of scenario_rules.c in other words. False: the series is dropped. */
static bool relabelled(struct label *all, size_t *count)
{
    static const char job[] = "j_node";
    bool goes = true;
    for (size_t i = *count; i > 0; i--) {
        struct label *label = &all[i - 1];
        if (strcmp(label->name, "note") == 0) {
            *label = all[--*count];
        } else if (strcmp(label->name, "job") == 0 && label->value[0] == 'n') {
            label->value = job;
            label->value_bytes = sizeof job - 1;
        } else if (strcmp(label->name, "__name__") == 0) {
            goes = strcmp(label->value, "go_goroutines") != 0;
        }
    }
    return goes;
}

/* The final labels, by the rule that the series' own win. Simple, and not the production's merge.
 * False: the series is dropped. */
static bool final_labels(const struct prometheus *prom, const struct prom_set *set,
                         const struct externals *externals, struct final *out)
{
    struct label *all = out->labels;
    size_t count = 0;
    for (size_t i = 0; i < set->labels_count; i++) {
        all[count++] = set->labels[i];
    }
    for (size_t i = 0; i < externals->count; i++) {
        bool own = false;
        for (size_t k = 0; k < set->labels_count; k++) {
            own = own || strcmp(externals->labels[i].name, set->labels[k].name) == 0;
        }
        if (!own) {
            all[count++] = externals->labels[i];
        }
    }
    bool goes = !prom->conf.relabels || relabelled(all, &count);
    for (size_t i = 1; i < count; i++) {
        for (size_t k = i; k > 0 && strcmp(all[k - 1].name, all[k].name) > 0; k--) {
            struct label swap = all[k];
            all[k] = all[k - 1];
            all[k - 1] = swap;
        }
    }
    out->count = count;
    return goes;
}

static uint32_t series_of(struct prometheus *prom, const struct prom_set *set,
                          const struct externals *externals)
{
    struct final final;
    bool goes = final_labels(prom, set, externals, &final);
    uint32_t series = oracle_series_add(prom->oracle, final.labels, final.count);
    if (!goes) {
        oracle_series_drop(prom->oracle, series);
    }
    return series;
}

/* What the rules look at, no external label decides. */
static void series_name(struct prometheus *prom, const struct prom_set *set,
                        const struct externals *externals, uint32_t name)
{
    struct final final;
    bool goes = final_labels(prom, set, externals, &final);
    ASSERT(goes == !prom->oracle->series[set->series].dropped);
    oracle_series_name(prom->oracle, set->series, name, final.labels, final.count);
}

void sets_make(struct prometheus *prom, const struct externals *externals, size_t count)
{
    static const char *const names[] = {"up", "http_requests_total", "Node_CPU_seconds_total",
                                        "go_goroutines"};
    for (size_t i = 0; i < prom->sets_count; i++) {
        struct prom_set *set = &prom->sets[i];
        char text[32];
        size_t used = 0;
        label_put(set, &used, "__name__", names[rng_below(&prom->rng, ARRAY_COUNT(names))]);
        if (chance(prom, 20)) {
            label_put(set, &used, "cluster", "own"); /* may meet an external label */
        }
        snprintf(text, sizeof text, "i%zu:9100", i);
        label_put(set, &used, "instance", text);
        if (chance(prom, 50)) {
            label_put(set, &used, "job", i % 2 == 0 ? "node" : "Node");
        }
        if (chance(prom, 10)) {
            label_put(set, &used, "note", "a rather long value, \xc3\xa9 \"quoted\" \\ and so on");
        }
        set->current = ORACLE_NONE;
        set->alive = chance(prom, 70);
        set->series = series_of(prom, set, &externals[0]);
    }
    for (size_t i = 0; i < prom->sets_count; i++) {
        for (uint32_t name = 1; name < count; name++) {
            series_name(prom, &prom->sets[i], &externals[name], name);
        }
    }
    const struct externals none = {0};
    struct prom_set ghost = {0};
    size_t used = 0;
    label_put(&ghost, &used, "__name__", "ghost");
    prom->ghost = series_of(prom, &ghost, &none);
}

/* prometheus.c - what is taken from a prometheus.yml: its external labels, and with
 * use_remote_write its remote_write blocks. All else in that file is Prometheus' business and
 * passed over; what is taken is as strict as in walship's own file. */
#include "bind.h"

#include <walship/limits.h>
#include <walship/mem.h>

#define FIELD(type_, key_) .key = #key_, .offset = offsetof(struct type_, key_)
#define TABLE_OF(rows)     .options = (rows), .count = ARRAY_COUNT(rows)

static const struct option global_options[] = {
    {FIELD(conf, external_labels), .type = OPTION_CUSTOM, .bind = bind_external_labels},
};
static const struct option_table global_table = {
    TABLE_OF(global_options),
    .bytes = sizeof(struct conf),
    .open = true,
};

static const struct option labels_options[] = {
    {.key = "global", .type = OPTION_SECTION, .table = &global_table},
};
static const struct option_table labels_only_table = {
    TABLE_OF(labels_options),
    .bytes = sizeof(struct conf),
    .open = true,
};

static const struct option all_options[] = {
    {.key = "global", .type = OPTION_SECTION, .table = &global_table},
    {.key = "remote_write",
     .offset = offsetof(struct conf, destinations),
     .count_offset = offsetof(struct conf, destinations_count),
     .type = OPTION_LIST,
     .max = DESTINATIONS_MAX,
     .table = &conf_table_destination},
};
static const struct option_table all_table = {
    TABLE_OF(all_options),
    .bytes = sizeof(struct conf),
    .open = true,
};

const struct option_table *prometheus_table(bool use_remote_write)
{
    return use_remote_write ? &all_table : &labels_only_table;
}

static bool has_label(const struct conf *conf, const struct label *label)
{
    for (size_t i = 0; i < conf->external_labels_count; i++) {
        const struct label *own = &conf->external_labels[i];
        if (own->name_bytes == label->name_bytes &&
            memcmp(own->name, label->name, label->name_bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* A label that walship's own file has too is walship's. */
static void external_merge(struct conf *conf, struct conf *from)
{
    size_t count = conf->external_labels_count + from->external_labels_count;
    if (from->external_labels_count == 0) {
        return;
    }
    conf->external_labels = mem_grow(conf->external_labels, count, sizeof *conf->external_labels);
    size_t kept = 0;
    for (size_t i = 0; i < from->external_labels_count; i++) {
        struct label label = from->external_labels[i];
        if (has_label(conf, &label)) {
            from->external_labels[kept++] = label; /* freed with `from` */
        } else {
            conf->external_labels[conf->external_labels_count++] = label;
        }
    }
    from->external_labels_count = kept;
    count = labels_canonical(conf->external_labels, conf->external_labels_count);
    ASSERT(count == conf->external_labels_count);
}

void prometheus_merge(struct conf *conf, struct conf *from)
{
    ASSERT(conf != from);
    external_merge(conf, from);
    if (from->destinations_count == 0) {
        return;
    }
    size_t count = conf->destinations_count + from->destinations_count;
    conf->destinations = mem_grow(conf->destinations, count, sizeof *conf->destinations);
    memcpy(conf->destinations + conf->destinations_count, from->destinations,
           from->destinations_count * sizeof *from->destinations);
    conf->destinations_count = count;
    from->destinations_count = 0;
}

char *conf_prometheus_path(const struct conf_node *root, const char *file)
{
    const struct conf_node *node =
        root->kind == CONF_MAP ? node_find(root, "prometheus_config") : NULL;
    bool named = node != NULL && node->kind == CONF_SCALAR && *node->text != '\0';
    return named ? path_resolve(file, node->text) : NULL;
}

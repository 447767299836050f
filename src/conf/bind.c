/* bind.c - matches a tree of nodes to the option tables and collects every problem. See bind.h. */
#include "bind.h"

#include <stdarg.h>
#include <walship/limits.h>
#include <walship/mem.h>

enum {
    PROBLEMS_MAX = 200, /* said; more only say that there are more */
    OPTIONS_MAX = 64,   /* of one table */
    KEY_BYTES_MAX = 64, /* compared when looking for the nearest known key */
    PROBLEM_BYTES_MAX = 2048
};

/* ---- problems ---- */

static void problem_add(struct binder *binder, unsigned line, unsigned column, const char *text)
{
    if (binder->problems_count == PROBLEMS_MAX) {
        binder->problems_cut = true;
        return;
    }
    if (binder->problems_count == binder->problems_room) {
        binder->problems_room = binder->problems_room == 0 ? 16 : binder->problems_room * 2;
        binder->problems =
            mem_grow(binder->problems, binder->problems_room, sizeof *binder->problems);
    }
    binder->problems[binder->problems_count] = (struct bind_problem){
        .line = line,
        .column = column,
        .ordinal = binder->problems_count,
        .text = mem_string(text),
    };
    binder->problems_count++;
}

void bind_problem(struct binder *binder, const struct conf_node *node, const char *format, ...)
{
    ASSERT(binder != NULL && format != NULL);
    char text[PROBLEM_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ASSERT(count >= 0);
    problem_add(binder, node != NULL ? node->line : 1, node != NULL ? node->column : 1, text);
}

static int problem_compare(const void *left, const void *right)
{
    const struct bind_problem *a = left;
    const struct bind_problem *b = right;
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    if (a->column != b->column) {
        return a->column < b->column ? -1 : 1;
    }
    return a->ordinal < b->ordinal ? -1 : 1;
}

/* Hands the problems over in the order of the file. */
static void problems_say(struct binder *binder, struct conf_problems *out)
{
    if (binder->problems_count > 1) {
        qsort(binder->problems, binder->problems_count, sizeof *binder->problems, problem_compare);
    }
    for (size_t i = 0; i < binder->problems_count; i++) {
        const struct bind_problem *problem = &binder->problems[i];
        conf_problem(out, binder->file, problem->line, problem->column, "%s", problem->text);
        mem_free(problem->text);
    }
    if (binder->problems_cut) {
        conf_problem(out, binder->file, 1, 1, "more problems are not shown");
    }
    mem_free(binder->problems);
}

/* ---- keys ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance of two short texts. */
static size_t distance(const char *a, const char *b)
{
    size_t a_bytes = strlen(a);
    size_t b_bytes = strlen(b);
    if (a_bytes > KEY_BYTES_MAX || b_bytes > KEY_BYTES_MAX) {
        return KEY_BYTES_MAX;
    }
    size_t row[KEY_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_bytes; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = least(least(row[j], row[j - 1]) + 1, change);
        }
    }
    return row[b_bytes];
}

/* NULL when none is near enough to be what was meant. */
static const char *nearest_key(const struct option_table *table, const char *key)
{
    size_t bytes = strlen(key);
    size_t edits_max = bytes < 3 ? 1 : bytes < 8 ? 2 : 3;
    const char *best = NULL;
    for (size_t i = 0; i < table->count; i++) {
        size_t edits = distance(key, table->options[i].key);
        if (edits < edits_max || (edits == edits_max && best == NULL)) {
            best = table->options[i].key;
            edits_max = edits;
        }
    }
    return best;
}

static void unknown_key(struct binder *binder, const struct option_table *table,
                        const struct conf_node *key)
{
    const char *nearest = nearest_key(table, key->text);
    if (nearest != NULL) {
        bind_problem(binder, key, "unknown key \"%s\", did you mean \"%s\"?", key->text, nearest);
    } else {
        bind_problem(binder, key, "unknown key \"%s\"", key->text);
    }
}

const struct conf_node *node_find(const struct conf_node *map, const char *key)
{
    if (map == NULL || map->kind != CONF_MAP) {
        return NULL;
    }
    for (size_t i = 0; i < map->count; i++) {
        if (map->keys[i]->kind == CONF_SCALAR && strcmp(map->keys[i]->text, key) == 0) {
            return map->values[i]->kind == CONF_NULL ? NULL : map->values[i];
        }
    }
    return NULL;
}

const char *node_kind_name(const struct conf_node *node)
{
    switch (node->kind) {
    case CONF_NULL:
        return "nothing";
    case CONF_SCALAR:
        return "a single value";
    case CONF_MAP:
        return "a map";
    case CONF_LIST:
        return "a list";
    }
    return "something else";
}

/* ---- options ---- */

void bind_push(struct binder *binder, const struct conf_node *node,
               const struct option_table *table, void *target)
{
    ASSERT(target != NULL && table->count <= OPTIONS_MAX);
    if (binder->work_count == binder->work_room) {
        binder->work_room = binder->work_room == 0 ? 32 : binder->work_room * 2;
        binder->work = mem_grow(binder->work, binder->work_room, sizeof *binder->work);
    }
    binder->work[binder->work_count++] = (struct bind_work){node, table, target};
}

static void bind_section(struct binder *binder, const struct option *option,
                         const struct conf_node *node, void *target)
{
    if (node != NULL && node->kind != CONF_MAP) {
        bind_problem(binder, node, "%s must be a map, found %s", option->key, node_kind_name(node));
        node = NULL;
    }
    bind_push(binder, node, option->table, (char *)target + option->offset);
}

static void bind_element(struct binder *binder, const struct option *option,
                         const struct conf_node *node, void *target)
{
    const struct option_table *table = option->table;
    if (node->kind == CONF_NULL && table->null_text != NULL) {
        bind_problem(binder, node, "%s", table->null_text);
    } else if (node->kind != CONF_MAP) {
        bind_problem(binder, node, "an element of %s must be a map, found %s", option->key,
                     node_kind_name(node));
    }
    bind_push(binder, node->kind == CONF_MAP ? node : NULL, table, target);
}

static void bind_list(struct binder *binder, const struct option *option,
                      const struct conf_node *node, void *target)
{
    ASSERT(option->max > 0 && option->table->bytes > 0);
    if (node->kind != CONF_LIST) {
        bind_problem(binder, node, "%s must be a list, found %s", option->key,
                     node_kind_name(node));
        return;
    }
    if (node->count == 0) {
        bind_problem(binder, node, "%s must have at least one element", option->key);
        return;
    }
    char *elements;
    void *list = (char *)target + option->offset;
    void *list_count = (char *)target + option->count_offset;
    memcpy(&elements, list, sizeof elements);
    if (elements != NULL) {
        return; /* `url` made it already: check_destination says so */
    }
    size_t count = node->count;
    if (count > option->max) {
        bind_problem(binder, node, "%s has %zu elements, the most is %llu", option->key, count,
                     (unsigned long long)option->max);
        count = (size_t)option->max;
    }
    elements = mem_new(count, option->table->bytes);
    memcpy(list, &elements, sizeof elements);
    memcpy(list_count, &count, sizeof count);
    for (size_t i = 0; i < count; i++) {
        bind_element(binder, option, node->values[i], elements + i * option->table->bytes);
    }
}

static void bind_option(struct binder *binder, const struct option *option,
                        const struct conf_node *key, const struct conf_node *node, void *target)
{
    switch (option->type) {
    case OPTION_STRING:
    case OPTION_PATH:
    case OPTION_COUNT:
    case OPTION_COUNT32:
    case OPTION_BYTES:
    case OPTION_BYTES32:
    case OPTION_NUMBER:
    case OPTION_BOOL:
    case OPTION_DURATION:
    case OPTION_CHOICE:
        bind_scalar(binder, option, node, target);
        return;
    case OPTION_SECTION:
        bind_section(binder, option, node, target);
        return;
    case OPTION_LIST:
        bind_list(binder, option, node, target);
        return;
    case OPTION_CUSTOM:
        option->bind(binder, option, node, target);
        return;
    case OPTION_LATER:
        bind_problem(binder, key, "%s is not supported yet", option->key);
        return;
    }
}

/* The default goes the way of a value in the file: it can't be of another form than the option. */
static void bind_default(struct binder *binder, const struct option *option, void *target)
{
    if (option->type == OPTION_SECTION) {
        bind_section(binder, option, NULL, target);
        return;
    }
    if (option->initial == NULL) {
        return;
    }
    size_t before = binder->problems_count;
    struct conf_node node = {.kind = CONF_SCALAR, .line = 1, .column = 1, .text = option->initial};
    bind_option(binder, option, &node, &node, target);
    ASSERT(binder->problems_count == before);
}

static const struct option *option_find(const struct option_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->options[i].key, key) == 0) {
            return &table->options[i];
        }
    }
    return NULL;
}

/* Binds the keys that are there; marks in `seen` those that have a value. */
static void bind_keys(struct binder *binder, const struct bind_work *work,
                      const struct conf_node **seen)
{
    const struct option_table *table = work->table;
    for (size_t i = 0; i < work->node->count; i++) {
        const struct conf_node *key = work->node->keys[i];
        const struct conf_node *value = work->node->values[i];
        if (key->kind != CONF_SCALAR) {
            bind_problem(binder, key, "a key must be a single value, found %s",
                         node_kind_name(key));
            continue;
        }
        const struct option *option = option_find(table, key->text);
        if (option == NULL && table->open) {
            continue;
        }
        if (option == NULL) {
            unknown_key(binder, table, key);
            continue;
        }
        size_t index = (size_t)(option - table->options);
        if (seen[index] != NULL) {
            bind_problem(binder, key, "key \"%s\" already set in line %u", key->text,
                         seen[index]->line);
            continue;
        }
        if (value->kind == CONF_NULL && option->type != OPTION_LATER) {
            continue; /* as if it were not there */
        }
        seen[index] = key;
        bind_option(binder, option, key, value, work->target);
    }
}

static void bind_table(struct binder *binder, const struct bind_work *work)
{
    const struct conf_node *seen[OPTIONS_MAX] = {0};
    const struct option_table *table = work->table;
    ASSERT(table->count <= OPTIONS_MAX);
    ASSERT(work->node == NULL || work->node->kind == CONF_MAP);
    if (work->node != NULL) {
        bind_keys(binder, work, seen);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        if (seen[i] != NULL) {
            continue;
        }
        if (option->missing_text != NULL && work->node != NULL) {
            bind_problem(binder, work->node, "%s", option->missing_text);
        }
        bind_default(binder, option, work->target);
    }
}

static void bind_all(struct binder *binder)
{
    for (size_t i = 0; i < binder->work_count; i++) {
        struct bind_work work = binder->work[i]; /* the list may move */
        bind_table(binder, &work);
    }
    for (size_t i = binder->work_count; i > 0; i--) {
        const struct bind_work *work = &binder->work[i - 1];
        if (work->table->check != NULL) {
            work->table->check(binder, work->node, work->target);
        }
    }
}

/* A tree that is no map is said; an empty file is an empty map. */
static void bind_tree(struct binder *binder, const struct option_table *table, void *target)
{
    static const struct conf_node nothing = {.kind = CONF_MAP, .line = 1, .column = 1};
    const struct conf_node *top = binder->root->kind == CONF_NULL ? &nothing : binder->root;
    if (top->kind != CONF_MAP) {
        bind_problem(binder, top, "the configuration must be a map, found %s", node_kind_name(top));
        return;
    }
    bind_push(binder, top, table, target);
    bind_all(binder);
}

bool bind_file(struct binder *binder, const struct option_table *table, void *target,
               struct conf_problems *problems)
{
    bind_tree(binder, table, target);
    bool good = binder->problems_count == 0;
    problems_say(binder, problems);
    mem_free(binder->work);
    return good;
}

struct conf *conf_bind_with(const struct conf_node *root, const char *file,
                            const struct conf_sources *sources, struct conf_problems *problems)
{
    ASSERT(root != NULL && file != NULL && sources != NULL && problems != NULL);
    struct conf *conf = mem_new(1, sizeof *conf);
    struct conf *taken = mem_new(1, sizeof *taken);
    struct binder own = {.file = file,
                         .root = root,
                         .variable = sources->variable,
                         .variable_context = sources->context};
    struct binder prometheus = own;
    bind_tree(&own, &conf_table_top, conf);
    size_t own_count = conf->destinations_count;
    if (sources->prometheus != NULL) {
        prometheus.file = sources->prometheus_file;
        prometheus.root = sources->prometheus;
        bind_tree(&prometheus, prometheus_table(conf->use_remote_write), taken);
        prometheus_merge(conf, taken);
    }
    check_whole(&own, &prometheus, conf, own_count);
    bool good = own.problems_count == 0 && prometheus.problems_count == 0;
    problems_say(&own, problems);
    problems_say(&prometheus, problems);
    mem_free(own.work);
    mem_free(prometheus.work);
    conf_free(taken);
    if (!good) {
        conf_free(conf);
        return NULL;
    }
    return conf;
}

struct conf *conf_bind(const struct conf_node *root, const char *file,
                       struct conf_problems *problems)
{
    const struct conf_sources none = {0};
    return conf_bind_with(root, file, &none, problems);
}

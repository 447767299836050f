/* auth.c - the authentication of one map by itself, for those who have no table around it. */
#include "auth.h"

#include <walship/mem.h>

struct alone {
    struct conf_auth auth;
};

static const struct option alone_options[] = {AUTH_ROWS(alone)};
static const struct option_table alone_table = {
    .title = "authentication",
    .options = alone_options,
    .count = ARRAY_COUNT(alone_options),
    .bytes = sizeof(struct alone),
};

static const struct option *find(const struct option_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->options[i].key, key) == 0) {
            return &table->options[i];
        }
    }
    return NULL;
}

static void bind_one(struct binder *binder, const struct option *option,
                     const struct conf_node *node, void *target)
{
    if (option->type == OPTION_CUSTOM) {
        option->bind(binder, option, node, target);
    } else if (option->type == OPTION_LATER) {
        bind_problem(binder, node, "%s is not supported yet", option->key);
    } else if (option->type != OPTION_SECTION) {
        bind_scalar(binder, option, node, target);
    } else if (node->kind == CONF_MAP) {
        bind_push(binder, node, option->table, (char *)target + option->offset);
    } else {
        bind_problem(binder, node, "%s must be a map, found %s", option->key, node_kind_name(node));
    }
}

static void bind_map(struct binder *binder, const struct bind_work *work)
{
    for (size_t i = 0; i < work->node->count; i++) {
        const struct conf_node *key = work->node->keys[i], *value = work->node->values[i];
        const struct option *option =
            key->kind == CONF_SCALAR ? find(work->table, key->text) : NULL;
        if (option == NULL && work->table != &alone_table) {
            bind_problem(binder, key, "unknown key \"%s\"",
                         key->kind == CONF_SCALAR ? key->text : "?");
        } else if (option != NULL && value->kind != CONF_NULL) {
            bind_one(binder, option, value, work->target);
        }
    }
}

static void hand_over(struct binder *binder, struct conf_problems *problems)
{
    for (size_t i = 0; i < binder->problems_count; i++) {
        const struct bind_problem *problem = &binder->problems[i];
        conf_problem(problems, binder->file, problem->line, problem->column, "%s", problem->text);
        mem_free(problem->text);
    }
    mem_free(binder->problems);
    mem_free(binder->work);
}

bool conf_auth_bind(const struct conf_node *map, const char *file, struct conf_auth *out,
                    struct conf_problems *problems)
{
    struct alone alone = {0};
    struct binder binder = {.file = file, .root = map};
    ASSERT(map != NULL && map->kind == CONF_MAP && out != NULL);
    bind_push(&binder, map, &alone_table, &alone);
    for (size_t i = 0; i < binder.work_count; i++) {
        struct bind_work work = binder.work[i]; /* the list may move */
        bind_map(&binder, &work);
    }
    for (size_t i = binder.work_count; i > 0; i--) {
        const struct bind_work *work = &binder.work[i - 1];
        if (work->table->check != NULL) {
            work->table->check(&binder, work->node, work->target);
        }
    }
    check_auth(&binder, map, &alone.auth);
    bool good = binder.problems_count == 0;
    hand_over(&binder, problems);
    if (!good) {
        conf_auth_release(&alone.auth);
    }
    *out = alone.auth;
    return good;
}

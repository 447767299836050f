/* option_fields.c - one function a type. */
#include "option_fields.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <walship/mem.h>

static void texts_release(struct texts *texts)
{
    for (size_t index = 0; index < texts->count; index++) {
        mem_free(texts->items[index]);
    }
    mem_free(texts->items);
    *texts = (struct texts){0};
}

bool texts_have(const struct texts *texts, const char *text)
{
    for (size_t index = 0; index < texts->count; index++) {
        if (strcasecmp(texts->items[index], text) == 0) {
            return true;
        }
    }
    return false;
}

static const char *set_text(char **out, const char *text)
{
    mem_free(*out);
    *out = mem_string(text);
    return NULL;
}

static const char *set_texts(struct texts *out, const struct conf_node *node,
                             const struct field *field)
{
    size_t count = node->kind == CONF_LIST ? node->count : 1;
    texts_release(out);
    if ((node->kind != CONF_LIST && node->kind != CONF_SCALAR) || count > FIELD_TEXTS_MAX) {
        return "must be a list of single values";
    }
    out->items = mem_new(count + 1, sizeof *out->items);
    for (size_t index = 0; index < count; index++) {
        const struct conf_node *item = node->kind == CONF_LIST ? node->values[index] : node;
        if (item->kind != CONF_SCALAR) {
            return "must be a list of single values";
        }
        out->items[out->count++] = mem_string(item->text);
        const char *problem = field->check == NULL ? NULL : field->check(item->text);
        if (problem != NULL) {
            return problem;
        }
    }
    return NULL;
}

static const char *set_flag(bool *out, const char *text)
{
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0 ? NULL : "must be true or false";
}

static const char *set_count(uint64_t *out, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > INT64_MAX) {
        return "must be a number";
    }
    *out = value;
    return NULL;
}

static const char *set_choice(int *out, const char *text, const char *const *choices)
{
    for (int index = 0; choices[index] != NULL; index++) {
        if (strcmp(choices[index], text) == 0) {
            *out = index;
            return NULL;
        }
    }
    return "is none of the values that it may have";
}

/* What is wrong with the value, NULL when it was set. */
static const char *set_field(const struct field *field, const struct conf_node *node, void *base)
{
    void *at = (char *)base + field->offset;
    if (field->type == FIELD_TEXTS) {
        return set_texts(at, node, field);
    }
    if (node->kind != CONF_SCALAR) {
        return "must be a single value";
    }
    switch (field->type) {
    case FIELD_TEXT:
        (void)set_text(at, node->text);
        return field->check == NULL ? NULL : field->check(node->text);
    case FIELD_FLAG:
        return set_flag(at, node->text);
    case FIELD_DURATION:
        return conf_duration_parse(node->text, at) ? NULL : "must be a duration";
    case FIELD_COUNT:
        return set_count(at, node->text);
    case FIELD_BYTES:
        return conf_bytes_parse(node->text, at) ? NULL : "must be a size";
    case FIELD_CHOICE:
        return set_choice(at, node->text, field->choices);
    case FIELD_TEXTS:
        break;
    }
    ASSERT(false);
    return NULL;
}

static const struct field *find_field(const struct field *fields, size_t fields_count,
                                      const char *key)
{
    for (size_t index = 0; index < fields_count; index++) {
        if (strcmp(fields[index].key, key) == 0) {
            return &fields[index];
        }
    }
    return NULL;
}

bool fields_set(const struct field *fields, size_t fields_count, void *base,
                const struct conf_node *value, const char *key, struct err *err)
{
    ASSERT(base != NULL && key != NULL);
    const struct field *field = find_field(fields, fields_count, key);
    if (field == NULL) {
        return err_set(err, 0, "unknown key \"%.40s\"", key);
    }
    const char *problem = set_field(field, value, base);
    return problem == NULL || err_set(err, 0, "%s %s", field->key, problem);
}

void fields_bind_map(const struct field_place *place, const struct conf_node *node,
                     const struct field *fields, size_t fields_count, void *base)
{
    if (node->kind != CONF_MAP) {
        conf_problem(place->problems, place->file, node->line, node->column,
                     "expected a map of keys");
        return;
    }
    for (size_t index = 0; index < node->count; index++) {
        const struct conf_node *key = node->keys[index];
        const struct conf_node *value = node->values[index];
        struct err err;
        const char *text = key->kind == CONF_SCALAR ? key->text : "";
        bool known = find_field(fields, fields_count, text) != NULL;
        if (!fields_set(fields, fields_count, base, value, text, &err)) {
            const struct conf_node *where = known ? value : key;
            conf_problem(place->problems, place->file, where->line, where->column, "%s", err.text);
        }
    }
}

void fields_release(const struct field *fields, size_t fields_count, void *base)
{
    for (size_t index = 0; index < fields_count; index++) {
        void *at = (char *)base + fields[index].offset;
        if (fields[index].type == FIELD_TEXT) {
            mem_free(*(char **)at);
            *(char **)at = NULL;
        } else if (fields[index].type == FIELD_TEXTS) {
            texts_release(at);
        }
    }
}

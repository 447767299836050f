/* option_fields.h - a table of keys bound to the fields of one struct, for the emulator's
 * configuration and for what may be changed over HTTP by the same keys.
 *
 * A field is named by its offset; its type says how text becomes a value. A key that the table does
 * not have is an error. Strings are copied to the heap and freed by fields_release. Pure. */
#ifndef EMULATOR_OPTION_FIELDS_H
#define EMULATOR_OPTION_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/conf.h>

struct texts {
    char **items;
    size_t count;
};

enum field_type {
    FIELD_TEXT,     /* char * */
    FIELD_TEXTS,    /* struct texts; a single value is a list of one */
    FIELD_FLAG,     /* bool */
    FIELD_DURATION, /* int64_t, milliseconds */
    FIELD_COUNT,    /* uint64_t */
    FIELD_BYTES,    /* uint64_t */
    FIELD_CHOICE    /* int: the index in choices */
};

enum { FIELD_TEXTS_MAX = 1024 };

struct field {
    const char *key;
    enum field_type type;
    size_t offset;
    const char *const *choices;         /* NULL-terminated */
    const char *(*check)(const char *); /* of each text: what is wrong, or NULL */
};

struct field_place {
    const char *file;
    struct conf_problems *problems;
};

void fields_bind_map(const struct field_place *place, const struct conf_node *node,
                     const struct field *fields, size_t fields_count, void *base);
/* One field by its key, from text alone; false: no such key or a bad value, err says. */
MUST_USE bool fields_set(const struct field *fields, size_t fields_count, void *base,
                         const struct conf_node *value, const char *key, struct err *err);
void fields_release(const struct field *fields, size_t fields_count, void *base);
bool texts_have(const struct texts *texts, const char *text);

#endif

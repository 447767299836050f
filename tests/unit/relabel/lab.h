/* lab.h - rules in short, for the tables. */
#ifndef TEST_RELABEL_LAB_H
#define TEST_RELABEL_LAB_H

#include "inside.h"

enum { SOURCES_MAX = 4, TEXT_BYTES_MAX = 1 << 16 };

/* What is NULL has its default. */
struct rule {
    const char *action, *sources, *regex, *target, *replacement, *separator;
    uint64_t modulus;
};

/* Cuts a text in place; the count. */
size_t cut(char *text, const char *separators, char **out, size_t room);
struct relabel_rule *make(const struct rule *rule, const char **key, char *why, size_t why_bytes);

#endif

/* inside.h - private to src/relabel: a compiled rule and what it is made of. */
#ifndef RELABEL_INSIDE_H
#define RELABEL_INSIDE_H

#include <walship/limits.h>
#include <walship/regex.h>
#include <walship/relabel.h>

/* Texts made for the series at hand. They are pointed to, so the memory never moves. */
struct scratch {
    char *bytes; /* RELABEL_BYTES_MAX */
    size_t used;
    bool full;
};

/* NULL: full; nothing may be made any more until the next series. */
char *scratch_take(struct scratch *scratch, size_t bytes);

/* A replacement with its variables: literal text and groups in turn. */
struct expansion_part {
    const char *literal; /* NULL: a group */
    size_t bytes;
    size_t group;
};

struct expansion {
    char *text;
    struct expansion_part *parts;
    size_t count;
};

struct span {
    const char *at;
    size_t bytes;
};

/* Go's regexp.Expand: $1 ${1} $name ${name} $$; an unknown group is empty; a $ before anything else
 * stands for itself. */
void expansion_init(struct expansion *expansion, const char *text, const struct regex *regex);
void expansion_release(struct expansion *expansion);
/* False: the scratch is full. */
bool expansion_expand(const struct expansion *expansion, const struct regex_group *groups,
                      struct scratch *scratch, struct span *out);

struct relabel_rule {
    enum relabel_action action;
    struct span *sources;
    size_t sources_count;
    struct span separator;
    struct regex *regex;
    uint64_t modulus;
    struct expansion target; /* only replace expands it */
    struct expansion replacement;
    struct span target_label;
    char *pattern; /* the regex as configured */
};

/* Go's strings.ToLower and ToUpper. False: the scratch is full. */
bool fold_text(const struct span *text, bool upper, struct scratch *scratch, struct span *out);

enum { MD5_BYTES = 16 };
void md5(const void *bytes, size_t count, uint8_t out[MD5_BYTES]);

#endif

/* bind.h - private to src/conf: what a table of options looks like, and the binder that walks one.
 *
 * A table describes one struct of conf.h. The binder goes over a list of work (node, table, target)
 * instead of calling itself: tables push the tables within them. Afterwards the tables' checks run
 * in reverse order, so that an outer check sees its inner structs complete. Problems are collected
 * with their place and said in the order of the file. */
#ifndef WALSHIP_SRC_CONF_BIND_H
#define WALSHIP_SRC_CONF_BIND_H

#include <walship/conf.h>

enum option_type {
    OPTION_STRING,   /* char * */
    OPTION_PATH,     /* char *, made relative to the configuration file, "." and ".." taken out */
    OPTION_COUNT,    /* uint64_t */
    OPTION_COUNT32,  /* uint32_t */
    OPTION_BYTES,    /* uint64_t, with a unit */
    OPTION_BYTES32,  /* uint32_t, with a unit */
    OPTION_NUMBER,   /* double */
    OPTION_BOOL,     /* bool */
    OPTION_DURATION, /* int64_t milliseconds */
    OPTION_CHOICE,   /* an enum; choices in its order */
    OPTION_SECTION,  /* a struct within, described by `table` */
    OPTION_LIST,     /* pointer at `offset` and size_t at `count_offset`, elements by `table` */
    OPTION_CUSTOM,   /* by `bind` */
    OPTION_LATER     /* known, refused for now */
};

struct binder;
struct option;

/* Node is a scalar, map or list, never null. */
typedef void option_bind_fn(struct binder *binder, const struct option *option,
                            const struct conf_node *node, void *target);

struct option {
    const char *key;
    enum option_type type;
    bool secret;              /* its value is in no message */
    const char *missing_text; /* required: said when it is absent or null */
    size_t offset;
    size_t count_offset;    /* OPTION_LIST */
    const char *initial;    /* the default as it would stand in the file; NULL: the struct's zero */
    const char *shown;      /* the default as the documentation says it, when not `initial` */
    uint64_t min, max;      /* numbers; max 0: none. Lists: max elements */
    const char *range_text; /* what is said instead of "must be between" */
    const char *const *choices; /* NULL ends */
    const struct option_table *table;
    option_bind_fn *bind;
    const char *kind; /* the type in words; NULL: from `type` */
    const char *meaning;
    const char *differs; /* from Prometheus; NULL: it doesn't, or has no such key */
};

struct option_table {
    const char *title;     /* "`remote_write` elements" */
    const char *null_text; /* said when an element of a list of these is null */
    const struct option *options;
    size_t count;
    size_t bytes; /* of the struct */
    bool open;    /* keys that are not listed are passed over */
    /* After all within is bound. node NULL: the section is absent. */
    void (*check)(struct binder *binder, const struct conf_node *node, void *target);
};

extern const struct option_table conf_table_top;
extern const struct option_table conf_table_destination;
extern const struct option_table conf_table_web;
extern const struct option_table conf_table_page;

struct bind_work {
    const struct conf_node *node; /* a map, or NULL: defaults only */
    const struct option_table *table;
    void *target;
};

struct bind_problem {
    unsigned line, column;
    size_t ordinal; /* keeps the order of problems at one place */
    char *text;
};

struct binder {
    const char *file;
    const struct conf_node *root;
    const char *(*variable)(void *context, const char *name); /* see conf_sources */
    void *variable_context;
    struct bind_work *work;
    size_t work_count, work_room;
    struct bind_problem *problems;
    size_t problems_count, problems_room;
    bool problems_cut;
};

/* Where a problem is: node NULL means the top of the file. */
void bind_problem(struct binder *binder, const struct conf_node *node, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* A whole file of its own: binds, says the problems, releases the binder. */
bool bind_file(struct binder *binder, const struct option_table *table, void *target,
               struct conf_problems *problems);
void bind_push(struct binder *binder, const struct conf_node *node,
               const struct option_table *table, void *target);
/* A scalar option into its field. `target` is the struct's start. */
void bind_scalar(struct binder *binder, const struct option *option, const struct conf_node *node,
                 void *target);
/* The value of a key of a map; NULL: absent or null, or node is no map. */
const struct conf_node *node_find(const struct conf_node *map, const char *key);
const char *node_kind_name(const struct conf_node *node);

/* value.c */
char *path_resolve(const char *file, const char *path);
/* True: `path` is `directory` or below it. Both as path_resolve gives them. */
bool path_within(const char *path, const char *directory);

/* expand.c: a copy with its variables replaced; NULL: it grew too long. */
char *text_expand(const struct binder *binder, const char *text);

/* prometheus.c */
const struct option_table *prometheus_table(bool use_remote_write);
/* Takes over what `from` has and `conf` lacks; the rest of `from` is the caller's to free. */
void prometheus_merge(struct conf *conf, struct conf *from);

/* special.c: the options that need code of their own */
void bind_start_at(struct binder *binder, const struct option *option, const struct conf_node *node,
                   void *target);
void bind_min_free(struct binder *binder, const struct option *option, const struct conf_node *node,
                   void *target);
void bind_external_labels(struct binder *binder, const struct option *option,
                          const struct conf_node *node, void *target);
void bind_headers(struct binder *binder, const struct option *option, const struct conf_node *node,
                  void *target);
void bind_prometheus_url(struct binder *binder, const struct option *option,
                         const struct conf_node *node, void *target);
void bind_shard_by(struct binder *binder, const struct option *option, const struct conf_node *node,
                   void *target);
void bind_url_alone(struct binder *binder, const struct option *option,
                    const struct conf_node *node, void *target);
void bind_url(struct binder *binder, const struct option *option, const struct conf_node *node,
              void *target);

/* http_headers.c */
bool header_reserved(const char *name);
bool header_name_good(const char *name);
bool header_value_good(const char *value);
void bind_http_headers(struct binder *binder, const struct option *option,
                       const struct conf_node *node, void *target);
bool headers_have(const struct conf_headers *headers, const char *name);
/* Takes the strings over. */
void headers_add(struct conf_headers *headers, const struct conf_header *header);
/* Those of `from` whose names `headers` has not. */
void headers_inherit(struct binder *binder, const struct conf_node *at,
                     struct conf_headers *headers, const struct conf_headers *from);
void headers_release(struct conf_headers *headers);

/* check.c: what concerns more than one option */
void check_top(struct binder *binder, const struct conf_node *node, void *target);
void check_endpoint(struct binder *binder, const struct conf_node *node, void *target);
void check_destination(struct binder *binder, const struct conf_node *node, void *target);
/* When both files are bound. own: how many destinations are of walship's own file. */
void check_whole(struct binder *binder, struct binder *prometheus, const struct conf *conf,
                 size_t own);
void check_queue(struct binder *binder, const struct conf_node *node, void *target);

/* ---- check_quota.c ---- */
/* Applies the shares, and gives weights to endpoints that have none. */
void check_quotas(struct conf_destination *destination);
void check_quota_groups(struct binder *binder, const struct conf *conf);

#endif

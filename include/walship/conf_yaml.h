/* conf_yaml.h - a YAML file as the neutral tree of conf.h. Adapter over libyaml; knows no option.
 *
 * Anchors and aliases are resolved by copying, so the tree is a tree; what a copy may grow to is
 * bounded like everything else: a file of more than CONF_YAML_BYTES_MAX, nesting deeper than
 * CONF_YAML_DEPTH_MAX or more than CONF_YAML_NODES_MAX nodes (aliases counted as what they stand
 * for) is refused. Merge keys (<<) and tags are not supported. One document a file.
 * Ownership: the tree lives until conf_yaml_free. Not thread-safe per object; pure but for _load.
 */
#ifndef WALSHIP_CONF_YAML_H
#define WALSHIP_CONF_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <walship/conf.h>
#include <walship/conf_page.h>

enum { CONF_YAML_BYTES_MAX = 1 << 20, CONF_YAML_DEPTH_MAX = 32, CONF_YAML_NODES_MAX = 100000 };

struct conf_yaml;

/* NULL: problems tell. file: for the messages only. */
struct conf_yaml *conf_yaml_parse(const void *bytes, size_t count, const char *file,
                                  struct conf_problems *problems);
void conf_yaml_free(struct conf_yaml *yaml); /* NULL-safe */
/* An empty file is a node of kind CONF_NULL. */
const struct conf_node *conf_yaml_root(const struct conf_yaml *yaml);

/* The same of a file. */
struct conf_yaml *conf_yaml_read(const char *path, struct conf_problems *problems);
/* A web_config file; NULL: problems tell. */
struct conf_web *conf_yaml_web(const char *path, struct conf_problems *problems);
/* The file of --http-config. */
struct conf_page *conf_yaml_page(const char *path, struct conf_problems *problems);
/* Binds a tree, with the file that its prometheus_config names and the variables of the
 * environment. path: of the tree. NULL: problems tell. */
struct conf *conf_yaml_bind(const struct conf_node *root, const char *path,
                            struct conf_problems *problems);
/* Reads, parses and binds a file. False: problems tell; *out is NULL then. */
MUST_USE bool conf_yaml_load(const char *path, struct conf_problems *problems, struct conf **out);

#endif

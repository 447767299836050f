/* conf_node.h - a configuration file as a neutral tree: what an adapter makes of its syntax, and
 * conf.h's binder reads. Owned by who made it. */
#ifndef WALSHIP_CONF_NODE_H
#define WALSHIP_CONF_NODE_H

#include <stdbool.h>
#include <stddef.h>

enum conf_kind { CONF_NULL, CONF_SCALAR, CONF_MAP, CONF_LIST };

struct conf_node {
    enum conf_kind kind;
    unsigned line, column;     /* from 1 */
    const char *text;          /* scalar */
    bool quoted;               /* a quoted scalar is always a string */
    struct conf_node **keys;   /* map */
    struct conf_node **values; /* map, list */
    size_t count;
};

#endif

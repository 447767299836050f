/* relabel.h - private to src/conf: write_relabel_configs. */
#ifndef WALSHIP_SRC_CONF_RELABEL_H
#define WALSHIP_SRC_CONF_RELABEL_H

#include "bind.h"

extern const struct option_table conf_table_relabel;

void bind_relabel(struct binder *binder, const struct option *option, const struct conf_node *node,
                  void *target);
void free_relabel(struct conf_destination *destination);

#endif

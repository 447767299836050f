/* workspace_check.h - for `walship check`. */
#ifndef CLI_WORKSPACE_CHECK_H
#define CLI_WORKSPACE_CHECK_H

#include <walship/conf.h>

/* Prints a line for each destination that fails over between endpoints of which it can be seen that
 * they are no pairs of one workspace: then a series' samples end up in two places. */
void workspace_check(const char *file, const struct conf *conf);

#endif

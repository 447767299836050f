/* spool_check.h - for `walship check`. */
#ifndef CLI_SPOOL_CHECK_H
#define CLI_SPOOL_CHECK_H

#include <walship/conf.h>

/* Prints a line: hard links, or why not and what is done instead; none without a segment to try. */
void spool_check(const struct conf *conf);

#endif

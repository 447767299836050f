/* forget_check.h - whether --forget NAME can do what it says, told before anything is touched. */
#ifndef CLI_FORGET_CHECK_H
#define CLI_FORGET_CHECK_H

#include <walship/conf.h>

/* name: NULL, nothing is to be forgotten. False: err says why not. A name that nothing is saved of
 * is a warning only, so that a unit that keeps the option starts again. */
MUST_USE bool forget_check(const struct conf *conf, const char *name, struct err *err);

#endif

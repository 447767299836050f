/* files_check.h - for `walship check`. */
#ifndef CLI_FILES_CHECK_H
#define CLI_FILES_CHECK_H

#include <walship/conf.h>

/* Prints a line for each file of a secret, a header or a certificate that can't be read by who runs
 * the check. No error: `run` starts without them and looks again for each request. */
void files_check(const char *file, const struct conf *conf);

#endif

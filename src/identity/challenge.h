/* challenge.h - private: Azure Arc's challenge names a file that only root and group himds can
 * read; its content is the key of the second request. The name comes from the network, so what may
 * be opened is narrow: a .key file directly in the one directory, at most 4096 bytes. Pure. */
#ifndef WALSHIP_SRC_IDENTITY_CHALLENGE_H
#define WALSHIP_SRC_IDENTITY_CHALLENGE_H

#include <walship/err.h>

enum { CHALLENGE_PATH_BYTES = 512, CHALLENGE_KEY_BYTES_MAX = 4096 };

/* The path in `WWW-Authenticate: Basic realm=PATH` (bare or quoted). False: err says what is odd.
 */
MUST_USE bool challenge_parse(const char *header, const char *directory,
                              char path[CHALLENGE_PATH_BYTES], struct err *err);

#endif

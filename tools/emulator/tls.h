/* tls.h - a certification authority for tests: made once in a directory, and a server certificate
 * signed by it, new at each start.
 *
 * Files: ca.pem (what clients trust), ca.key, server.pem, server.key (keys readable by the owner
 * only). An authority that is there is used again, so that clients may keep ca.pem. The names are
 * localhost, 127.0.0.1, ::1, DCE.localhost of every DCE, and what the configuration lists. */
#ifndef EMULATOR_TLS_H
#define EMULATOR_TLS_H

#include "options.h"

struct tls_files {
    char *certificate_pem;
    char *key_pem;
};

/* False: err says which file. Release it either way. */
MUST_USE bool tls_open(const struct options *options, struct tls_files *out, struct err *err);
void tls_release(struct tls_files *files);

#endif

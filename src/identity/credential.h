/* credential.h - private: what a source proves itself with, from the configuration or from files
 * that are read again at every use. A file that turned bad keeps what was read before. */
#ifndef WALSHIP_SRC_IDENTITY_CREDENTIAL_H
#define WALSHIP_SRC_IDENTITY_CREDENTIAL_H

#include "certificate.h"
#include "source.h"

struct watched_file {
    struct secret content; /* the last good one; text NULL: none yet */
};

struct credential {
    struct watched_file secret;
    struct watched_file username;
    struct watched_file certificate;
    struct watched_file key;
    struct certificate loaded; /* from the last good pair of files */
    bool refused;              /* the files as they stand now did not load */
};

enum credential_news {
    CREDENTIAL_SAME,    /* usable, as before */
    CREDENTIAL_CHANGED, /* usable, and new */
    CREDENTIAL_KEPT,    /* a file is broken, the older content is used: err says why */
    CREDENTIAL_NONE     /* nothing usable: err says why */
};

/* Reads every file of the source. */
enum credential_news credential_load(struct credential *credential, const struct source *source,
                                     struct os *os, struct err *err);
void credential_release(struct credential *credential);
bool credential_has_files(const struct source *source);
/* The secret or user name in force; "" when there is none. After a load that was not NONE. */
const char *credential_secret(const struct credential *credential, const struct source *source);
const char *credential_username(const struct credential *credential, const struct source *source);

/* A whole file, at most `bytes_max` long, into *out (wiped first). */
MUST_USE bool file_read(struct os *os, const char *path, size_t bytes_max, struct secret *out,
                        struct err *err);

#endif

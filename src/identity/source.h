/* source.h - private: a struct conf_auth resolved against the process' variables into one kind of
 * token source, everything copied. Two sources with equal fields are one identity. */
#ifndef WALSHIP_SRC_IDENTITY_SOURCE_H
#define WALSHIP_SRC_IDENTITY_SOURCE_H

#include "secret.h"

#include <walship/identity.h>

enum source_kind {
    SOURCE_BASIC, /* made here, nothing is asked: */
    SOURCE_HEADER,
    SOURCE_IMDS, /* local metadata services: */
    SOURCE_ARC,
    SOURCE_APP_SERVICE,
    SOURCE_APP_SERVICE_2017,
    SOURCE_SECRET, /* token servers: */
    SOURCE_CERTIFICATE,
    SOURCE_WORKLOAD,
    SOURCE_OAUTH2,
    SOURCE_KINDS
};

enum source_text {
    TEXT_URL,   /* where tokens are asked for */
    TEXT_SCOPE, /* of a metadata service: the resource */
    TEXT_CLIENT_ID,
    TEXT_OBJECT_ID,
    TEXT_RESOURCE_ID,
    TEXT_USERNAME,
    TEXT_USERNAME_FILE,
    TEXT_SECRET,      /* client secret, password, credentials or the App Service header */
    TEXT_SECRET_FILE, /* the federated token too */
    TEXT_CERTIFICATE_FILE,
    TEXT_KEY_FILE,
    TEXT_KEY_PASSWORD,
    TEXT_SCHEME, /* SOURCE_HEADER: the word before the credentials */
    TEXT_PARAMS, /* SOURCE_OAUTH2: further form fields, encoded */
    SOURCE_TEXTS
};

struct source {
    enum source_kind kind;
    bool chain;               /* send the certificate chain */
    char *text[SOURCE_TEXTS]; /* NULL: not given; all are wiped, few are secret */
};

MUST_USE bool source_resolve(struct source *out, const struct conf_auth *auth,
                             const struct identity_world *world, struct err *err);
void source_release(struct source *source);
bool source_equal(const struct source *left, const struct source *right);
const char *source_kind_name(enum source_kind kind);
/* "imds client_id=... scope=...": for people; no secret. The caller frees it. */
char *source_describe(const struct source *source);
bool source_is_static(const struct source *source);
bool source_is_local(const struct source *source);

/* managed.c: which metadata service, and its URL. */
MUST_USE bool source_resolve_managed(struct source *out, const struct conf_auth *auth,
                                     const struct identity_world *world, struct err *err);
const char *world_variable(const struct identity_world *world, const char *name);
void source_set(struct source *source, enum source_text which, const char *text);

#endif

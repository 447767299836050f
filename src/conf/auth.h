/* auth.h - private to src/conf: the ways to authenticate, as rows for the table of a destination or
 * an endpoint. All of them fill one struct conf_auth, a field `auth` of that struct; check_auth,
 * called by that table's check, sees to it that there is only one. */
#ifndef WALSHIP_SRC_CONF_AUTH_H
#define WALSHIP_SRC_CONF_AUTH_H

#include "bind.h"

#include <walship/conf_auth.h>

extern const struct option_table auth_basic_table;
extern const struct option_table auth_header_table;
extern const struct option_table auth_oauth2_table;
extern const struct option_table auth_azuread_table;

/* auth_bind.c */
void text_wipe(char *text); /* overwrites and frees; NULL-safe */
void bind_auth_string(struct binder *binder, const struct option *option,
                      const struct conf_node *node, void *target);
void bind_auth_path(struct binder *binder, const struct option *option,
                    const struct conf_node *node, void *target);
void bind_auth_never(struct binder *binder, const struct option *option,
                     const struct conf_node *node, void *target);
void bind_auth_cloud(struct binder *binder, const struct option *option,
                     const struct conf_node *node, void *target);
void bind_auth_grant(struct binder *binder, const struct option *option,
                     const struct conf_node *node, void *target);
void bind_auth_scopes(struct binder *binder, const struct option *option,
                      const struct conf_node *node, void *target);
void bind_auth_params(struct binder *binder, const struct option *option,
                      const struct conf_node *node, void *target);

/* auth_check.c. Of a whole destination or endpoint: */
void check_auth(struct binder *binder, const struct conf_node *node, struct conf_auth *auth);
/* of the blocks, as option_table has them: */
void check_auth_basic(struct binder *binder, const struct conf_node *node, void *target);
void check_auth_header(struct binder *binder, const struct conf_node *node, void *target);
void check_auth_oauth2(struct binder *binder, const struct conf_node *node, void *target);
void check_auth_azuread(struct binder *binder, const struct conf_node *node, void *target);

#define AUTH_SECTION(type_, key_, table_, meaning_)                                                \
    {                                                                                              \
        .key = (key_), .type = OPTION_SECTION, .table = &(table_),                                 \
        .offset = offsetof(struct type_, auth), .meaning = (meaning_)                              \
    }
#define AUTH_NEVER(key_, meaning_)                                                                 \
    {                                                                                              \
        .key = (key_), .type = OPTION_CUSTOM, .bind = bind_auth_never, .kind = "refused",          \
        .meaning = (meaning_), .differs = "not supported"                                          \
    }

#define AUTH_ROWS(type_)                                                                           \
    AUTH_SECTION(type_, "azuread", auth_azuread_table, "Microsoft Entra ID"),                      \
        AUTH_SECTION(type_, "basic_auth", auth_basic_table, "user name and password"),             \
        AUTH_SECTION(type_, "authorization", auth_header_table, "an Authorization header"),        \
        AUTH_SECTION(type_, "oauth2", auth_oauth2_table, "OAuth 2.0 client credentials"),          \
        {.key = "bearer_token",                                                                    \
         .type = OPTION_CUSTOM,                                                                    \
         .bind = bind_auth_string,                                                                 \
         .kind = "string",                                                                         \
         .secret = true,                                                                           \
         .offset = offsetof(struct type_, auth.secret),                                            \
         .meaning = "old form of `authorization.credentials`"},                                    \
        {.key = "bearer_token_file",                                                               \
         .type = OPTION_CUSTOM,                                                                    \
         .bind = bind_auth_path,                                                                   \
         .kind = "path",                                                                           \
         .offset = offsetof(struct type_, auth.secret_file),                                       \
         .meaning = "old form of `authorization.credentials_file`"},                               \
        {.key = "allow_insecure_http",                                                             \
         .type = OPTION_BOOL,                                                                      \
         .shown = "`false`",                                                                       \
         .offset = offsetof(struct type_, auth.allow_insecure_http),                               \
         .meaning = "secrets and tokens may go over plain http to other machines too",             \
         .differs = "not there: plain http is always taken"},                                      \
        AUTH_NEVER("sigv4", "AWS Signature 4"), AUTH_NEVER("google_iam", "Google Cloud IAM")

#endif

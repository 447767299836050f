/* options_bind.h - what options.c and its parts for Azure share while they bind one file. */
#ifndef EMULATOR_OPTIONS_BIND_H
#define EMULATOR_OPTIONS_BIND_H

#include "options.h"

#include <walship/mem.h>

struct binder {
    struct field_place place;
    struct options *options;
};

#define PROBLEM(binder, node, ...)                                                                 \
    conf_problem((binder)->place.problems, (binder)->place.file, (node)->line, (node)->column,     \
                 __VA_ARGS__)

/* Letters, digits, - and _; what is wrong otherwise. */
const char *options_check_name(const char *name);

void options_bind_endpoints(struct binder *binder, const struct conf_node *node);
void options_bind_workspaces(struct binder *binder, const struct conf_node *node);
void options_bind_identities(struct binder *binder, const struct conf_node *node);
void options_bind_tokens(struct binder *binder, const struct conf_node *node);
void options_bind_audiences(struct binder *binder, const struct conf_node *node);
void options_bind_issuer(struct binder *binder, const struct conf_node *node);
void options_bind_arc(struct binder *binder, const struct conf_node *node);
void options_bind_app_service(struct binder *binder, const struct conf_node *node);
void options_bind_imds(struct binder *binder, const struct conf_node *node);
void options_bind_script(struct binder *binder, const struct conf_node *node);
void options_bind_tls(struct binder *binder, const struct conf_node *node);
/* What only the whole file shows: names that nothing has. */
void options_check_azure(struct binder *binder, const struct conf_node *root);
void options_release_endpoints(struct options *options);
void options_release_azure(struct options *options);
void options_release_script(struct options *options);

#endif

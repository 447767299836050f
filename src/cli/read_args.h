/* read_args.h - the command line of those that read what a walship has: status, losses, explain. */
#ifndef CLI_READ_ARGS_H
#define CLI_READ_ARGS_H

#include <walship/conf.h>

struct read_args {
    const char *command;
    const char *file;        /* NULL: by the environment, as the Azure side car */
    const char *http_config; /* NULL: asks as nobody */
    const char *text;        /* what the command is about; NULL: it takes nothing */
    bool json;
};

/* wanted: what one argument must be, NULL: there is none. 0, or the exit code of a usage error,
 * which was said. Borrows from argv. */
int read_args_parse(struct read_args *args, int argc, char **argv, const char *wanted);
/* Says what is wrong with the arguments; the exit code. */
int read_args_usage(const struct read_args *args, const char *text, const char *value);
/* Their configuration; NULL: what is wrong with it was said. The caller's. */
struct conf *read_args_conf(const struct read_args *args);

#endif

/* run.h - what `walship run` is made of, for the files of that command: cmd_run.c (arguments,
 * start, end), run_loop.c (the loop), chores.c (what is due now and then), run_reload.c, sidecar.c.
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "chores.h"
#include "pages.h"
#include "run_reload.h"

#include <walship/conf.h>
#include <walship/engine.h>
#include <walship/http.h>
#include <walship/notify_systemd.h>
#include <walship/os.h>

struct run_args {
    const char *config; /* NULL: from the environment, as the Azure side car */
    int64_t timeout_ms; /* --once; 0: none */
    struct engine_options options;
    char *adopt; /* OLD, owned; options point into it */
};

struct run {
    const struct run_args *args;
    struct conf *conf;
    struct conf_web *web; /* what the pages are served with; taken out of conf */
    struct retired retired;
    struct os *os;
    struct http *http;
    struct store *store;
    struct spool *spool;
    struct engine *engine;
    struct status *status;
    struct notify *notify;
    struct pages pages;
    struct chores chores;
    int signal_fd;
};

/* False: --timeout passed first. */
bool run_loop(struct run *run);
/* The configuration anew, from where it came. NULL: problems tell. */
struct conf *run_conf(const struct run_args *args, struct conf_problems *problems);

#endif

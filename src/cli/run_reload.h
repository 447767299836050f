/* run_reload.h - another configuration while walship runs: SIGHUP, POST /-/reload, or a
 * prometheus_config that changed. All or nothing. */
#ifndef CLI_RUN_RELOAD_H
#define CLI_RUN_RELOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <walship/buf.h>
#include <walship/conf.h>

struct run;

enum { RELOAD_RETIRED_MAX = 64 };

/* Configurations that were in use once and may be borrowed still. */
struct retired {
    struct conf *list[RELOAD_RETIRED_MAX];
    int count;
};

/* False: nothing changed. What became of it is logged, and said in *said. */
bool run_reload(struct run *run, const char *why, struct buf *said);
/* Frees what nobody borrows any more. */
void run_reload_tidy(struct run *run);
void run_reload_release(struct run *run); /* the engine is gone */

#endif

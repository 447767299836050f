/* chores.h - what the loop does now and then besides turning the engine: systemd's watchdog and
 * status, the side car's line each minute, and following files that need no reload. */
#ifndef CLI_CHORES_H
#define CLI_CHORES_H

#include "minute.h"
#include "watch.h"

struct run;

struct chores {
    int64_t watchdog_at_ms, status_at_ms, watch_at_ms;
    bool ready_said;
    bool web_stale; /* conf has another `web` than the pages are served with */
    struct minute minute;
    struct watch web;        /* web_config and the files it names */
    struct watch prometheus; /* prometheus_config */
};

void chores_begin(struct run *run, int64_t now_ms);
/* After a reload: the pages change with the next chores, not within the request that asked. */
void chores_web_changed(struct run *run);
void chores_run(struct run *run, int64_t now_ms);
int64_t chores_deadline(const struct run *run);
void chores_end(struct run *run);

#endif

/* world.h - one seed, from the first scrape to the last account: the parts, and walship's lives
 * among them. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "fake_spool.h"
#include "scenario.h"

#include <walship/engine.h>
#include <walship/limits.h>

enum {
    LIVENESS_MS = 200000, /* after the faults; a held endpoint is probed each 60 s at most */
    SEARCH_MS = 1500000,  /* ... in all; see search_look */
    SETTLED_MS = 2500,    /* so long nothing new: polling would have seen it */
    FINISH_MS = STOP_FLUSH_MS_MAX + 6000,
    IDLE_STEPS_MAX = 20000, /* without time passing: it spins */
    CHECK_EVERY = 50,
    CONFS_MAX = 64,
    LAG_MS_MAX = 500, /* beyond batch_send_deadline, where nothing ever fails */
    MEMORY_BYTES_MAX = 64 << 20,
    SPOOL_FREE_BYTES = 1 << 30,
    SERIES_MS = 15000 /* with a lag so long the spool has the series of what it keeps */
};

enum phase {
    PHASE_HISTORY,
    PHASE_LIVELY,
    PHASE_HEAL,
    PHASE_DRAIN,
    PHASE_STOP,
    PHASE_AGAIN,
    PHASE_OVER
};

struct world {
    struct report *report;
    struct scenario scenario;
    struct rng rng;
    struct rng layouts;   /* what domains a restart has */
    struct rng externals; /* and which external labels */
    struct rng adoptions; /* who gets another name */
    int64_t now_ms;
    struct fake_os *os;
    struct label_ids *ids;
    struct oracle oracle;
    struct faults faults;
    struct fake_http *http;
    struct fake_store *store;
    struct fake_spool *spool; /* NULL: none */
    struct prometheus prom;
    struct engine *engine; /* NULL: walship is down */
    bool stopping;
    int64_t life_ms; /* when it is killed, told to stop, or started */
    bool life_stop;  /* told to stop, then */
    int64_t stop_ms; /* when it last was */
    bool crash_now;
    enum phase phase;
    int64_t phase_ms;   /* when it ends, or must have */
    int64_t settled_ms; /* since when; -1 */
    int64_t healed_ms;  /* when the faults ended */
    uint64_t progress;  /* of searches, at the last look: search_progress */
    int64_t jump_ms;    /* of the wall clock */
    int64_t suspend_ms; /* when the machine is, next */
    int64_t lag_ms;     /* since when segments wait in a sound spool for somebody to settle them */
    bool files_changed;
    bool signalled;                /* a turn is due whatever the deadlines say */
    struct conf *confs[CONFS_MAX]; /* that the engine may still need */
    size_t confs_count;
    int64_t reload_ms; /* the next live change */
    uint64_t idle_steps, turns_max;
    uint64_t posts_before;
};

/* turns: of walship in the lively part; 0: as the scenario has it. */
void world_run(struct report *report, uint64_t turns);

/* ---- world_make.c ---- */
void world_init(struct world *world, struct report *report);
void world_release(struct world *world);
void world_trace(void *world, const char *line);
int64_t world_between(struct world *world, int64_t low, int64_t high);

/* ---- world_reload.c ---- */
const struct conf *conf_copy(struct world *world);
void confs_sweep(struct world *world); /* frees those that nobody needs */
void life_reload(struct world *world);

/* ---- world_life.c ---- */
void life_start(struct world *world, bool once);
void life_crash(struct world *world);
void life_stop(struct world *world);
/* Its time has come: killed, stopped, started, or the stop took too long. */
void life_step(struct world *world);
bool turn_due(const struct world *world);
void turn(struct world *world);
void io_faults_clear(struct world *world);

#endif

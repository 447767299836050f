/* reload.h - another configuration while it runs: reload.c, refit.c, rewind.c. Private to the
 * engine, included by internal.h only. */
#ifndef ENGINE_RELOAD_H
#define ENGINE_RELOAD_H

#include <walship/engine.h>

struct destination;
struct domain;
struct engine;
struct sender;

/* A configuration that was in use; who has it may free it when nothing of it is. */
struct old_conf {
    const struct conf *conf;
    uint64_t last_request; /* serial: those up to it may carry something of it */
};

void reload_run(struct engine *engine);
/* Nothing is sent for it now. */
bool reload_halts(const struct engine *engine, const struct destination *destination);
/* Nothing is read for it now, but the rest of a record that it has begun. */
bool reload_rests(const struct domain *domain);

bool refit_idle(const struct destination *destination); /* nothing in flight */
/* The endpoints of `conf`, those that are the same with all they know and hold. */
void refit_senders(struct engine *engine, struct destination *destination,
                   const struct conf_destination *conf, const struct conf *all);
void refit_undo(struct engine *engine, struct destination *destination); /* what may be undone */
/* An answer to a request of a retired sender was dealt with. */
void refit_ended(struct engine *engine, struct destination *destination, struct sender *sender);

/* Is it known which of the places of its domains is the earliest? Not while a scan is under way. */
bool rewind_compares(struct engine *engine, const struct destination *destination);
/* As a restart would: every lane goes on where it is settled, read by the domains of `conf`. Not
 * while a scan is under way. */
void rewind_destination(struct engine *engine, struct destination *destination,
                        const struct conf_destination *conf, const struct conf *all);

#endif

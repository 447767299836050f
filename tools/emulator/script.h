/* script.h - the configuration's `script`: at T, this pair, source or identity does that for so
 * long.
 *
 * Steps run when they are due, in any order of the file; a step with `for` that is no fault (a
 * fault ends itself) is undone by its reverse. Borrows the options. Loop thread only. */
#ifndef EMULATOR_SCRIPT_H
#define EMULATOR_SCRIPT_H

#include "emulator.h"

struct script;

/* NULL: a step makes no sense, err says which. */
struct script *script_new(const struct options *options, struct err *err);
void script_free(struct script *script); /* NULL-safe */
void script_start(struct script *script, int64_t now_ms);
void script_run(struct script *script, struct emulator *emulator, int64_t now_ms);
int64_t script_deadline(const struct script *script);

#endif

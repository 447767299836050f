/* world.h - one seed, from the first scrape to the last account. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "report.h"

/* turns: of walship in the lively part; 0: as the scenario has it. */
void world_run(struct report *report, uint64_t turns);

#endif

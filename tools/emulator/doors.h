/* doors.h - which requests are for a token source, and what is the same for all of them: faults and
 * the row in the database. */
#ifndef EMULATOR_DOORS_H
#define EMULATOR_DOORS_H

#include "emulator.h"

/* False: the path is none of theirs. */
MUST_USE bool doors_answer(struct emulator *emulator, const struct exchange *exchange,
                           struct answer *answer);

#endif

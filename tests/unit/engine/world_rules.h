/* world_rules.h - what changes labels, in a golden trace's world. */
#ifndef TEST_ENGINE_WORLD_RULES_H
#define TEST_ENGINE_WORLD_RULES_H

#include "world.h"

void world_external(struct world *world, const char *name, const char *value);
/* ACTION LABEL REGEX [TARGET [REPLACEMENT]]; LABEL "-": none. */
void world_relabel(struct conf_destination *destination, char *line);
void world_relabel_release(struct conf_destination *destination);
void world_rules_release(struct world *world);

#endif

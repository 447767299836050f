/* oracle_pins.c - a pin goes only after the commit that passes it is durable (I3). */
#include "oracle.h"

#include <stdio.h>
#include <string.h>

/* Left out: another life of the WAL lets go what is the same in the directory, and a budget what it
 * gives up. */
void oracle_pin_dropped(struct oracle *oracle, const char *name)
{
    const struct fake_rows *rows = &oracle->store->durable;
    bool pin = strstr(name, ".wal") != NULL || strstr(name, ".copy") != NULL;
    uint32_t generation = 0;
    uint32_t number = 0;
    if (!pin || oracle->relived || oracle->budgets ||
        sscanf(name, "%u-%08u", &generation, &number) != 2) {
        return;
    }
    for (size_t i = 0; i < rows->watermarks_count; i++) {
        const struct store_watermark *mark = &rows->watermarks[i];
        if (mark->at.generation == generation && mark->at.segment <= number) {
            report_violation(oracle->report,
                             "I3: the pin of segment %u goes, and %s is at segment %u, as far as "
                             "is durable",
                             number, mark->destination, mark->at.segment);
        }
    }
}

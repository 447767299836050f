/* oracle_pins.c - a pin goes only after the commit that passes it is durable (I3). */
#include "oracle.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 128 };

struct pin_file {
    const struct fake_os *os;
    const char *name;
    uint32_t generation, number;
    bool again; /* a later generation keeps the same */
};

static bool name_parse(const char *name, uint32_t *generation, uint32_t *number)
{
    bool pin = strstr(name, ".wal") != NULL || strstr(name, ".copy") != NULL;
    return pin && sscanf(name, "%u-%08u", generation, number) == 2;
}

static bool again_look(void *context, const char *name)
{
    struct pin_file *file = context;
    char going[PATH_BYTES];
    char other[PATH_BYTES];
    uint32_t generation;
    uint32_t number;
    if (!name_parse(name, &generation, &number) || number != file->number ||
        generation <= file->generation) {
        return true;
    }
    snprintf(going, sizeof going, "/spool/%s", file->name);
    snprintf(other, sizeof other, "/spool/%s", name);
    uint64_t bytes = fake_os_bytes(file->os, going);
    bool same = fake_os_bytes(file->os, other) == bytes &&
                (bytes == 0 ||
                 memcmp(fake_os_data(file->os, going), fake_os_data(file->os, other), bytes) == 0);
    file->again = file->again || same;
    return true;
}

/* A power loss is another life to walship: what the directory still has it keeps under the next
 * generation, and a restart finds the place there. It must be in the spool by then. */
static bool is_kept_again(struct pin_file *file)
{
    fake_os_names(file->os, "/spool", again_look, file);
    return file->again;
}

/* Left out: another life of the WAL lets go what is the same in the directory, and a budget what it
 * gives up. */
void oracle_pin_dropped(struct oracle *oracle, const struct fake_os *os, const char *name)
{
    const struct fake_rows *rows = &oracle->store->durable;
    struct pin_file file = {.os = os, .name = name};
    if (oracle->relived || oracle->budgets || !name_parse(name, &file.generation, &file.number)) {
        return;
    }
    for (size_t i = 0; i < rows->watermarks_count; i++) {
        const struct store_watermark *mark = &rows->watermarks[i];
        bool needed = mark->at.generation == file.generation && mark->at.segment <= file.number;
        if (needed && !is_kept_again(&file)) {
            report_violation(oracle->report,
                             "I3: the pin of segment %u goes, and %s is at segment %u, as far as "
                             "is durable",
                             file.number, mark->destination, mark->at.segment);
        }
    }
}

/* pins.c - the table of pins: names in the spool, what an earlier life left there, and what the
 * directories are told. */
#include "internal.h"

static const char link_form[] = "%u-%08u.wal";
static const char copy_form[] = "%u-%08u-%llx-%llx.copy"; /* with the segment's device and inode */

const char *pin_name(const struct pin *pin, bool copy, char *out)
{
    int bytes = copy ? snprintf(out, SPOOL_NAME_BYTES, copy_form, pin->generation, pin->number,
                                (unsigned long long)pin->device, (unsigned long long)pin->inode)
                     : snprintf(out, SPOOL_NAME_BYTES, link_form, pin->generation, pin->number);
    ASSERT(bytes > 0 && bytes < SPOOL_NAME_BYTES);
    return out;
}

/* Index of the first one not below. */
static size_t pin_index(const struct pins *pins, uint32_t generation, uint32_t number)
{
    size_t low = 0;
    size_t high = pins->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct pin *pin = &pins->pins[middle];
        if (pin->generation < generation ||
            (pin->generation == generation && pin->number < number)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct pin *pins_find(struct pins *pins, uint32_t generation, uint32_t number)
{
    size_t index = pin_index(pins, generation, number);
    if (index == pins->count) {
        return NULL;
    }
    struct pin *pin = &pins->pins[index];
    return pin->generation == generation && pin->number == number ? pin : NULL;
}

struct pin *pins_add(struct pins *pins, uint32_t generation, uint32_t number)
{
    ASSERT(generation > 0 && pins->count < PINS_MAX);
    if (pins->count == pins->capacity) {
        pins->capacity = pins->capacity * 2 + 16;
        pins->pins = mem_grow(pins->pins, pins->capacity, sizeof *pins->pins);
    }
    size_t index = pin_index(pins, generation, number);
    memmove(&pins->pins[index + 1], &pins->pins[index], (pins->count - index) * sizeof *pins->pins);
    pins->count++;
    pins->pins[index] =
        (struct pin){.generation = generation, .number = number, .linkable = true, .fd = -1};
    return &pins->pins[index];
}

void pins_remove(struct engine *engine, struct pin *pin)
{
    struct pins *pins = &engine->pins;
    size_t index = (size_t)(pin - pins->pins);
    ASSERT(index < pins->count);
    if (pin->fd >= 0) {
        engine->os->close(engine->os, pin->fd);
        pins->held--;
    }
    pins->count--;
    memmove(pin, pin + 1, (pins->count - index) * sizeof *pin);
}

/* ---- what the directories are told ---- */

char *pin_path(const struct engine *engine, const struct pin *pin)
{
    char name[SPOOL_NAME_BYTES];
    ASSERT(pin->state == PIN_KEPT || pin->fd >= 0);
    return pin->state == PIN_KEPT
               ? mem_format("%s/%s", engine->pins.directory, pin_name(pin, pin->copy, name))
               : mem_format("/proc/self/fd/%d", pin->fd);
}

void pin_show(struct engine *engine, const struct pin *pin)
{
    struct waldir *dir = dir_of(engine, pin->generation);
    if (dir == NULL || pin->over || (pin->state != PIN_KEPT && pin->fd < 0)) {
        return;
    }
    char *path = pin_path(engine, pin);
    struct waldir_pin shown = {pin->number, pin->device, pin->inode, path};
    waldir_pin(dir, &shown);
    mem_free(path);
}

void pin_hide(struct engine *engine, const struct pin *pin)
{
    struct waldir *dir = dir_of(engine, pin->generation);
    if (dir != NULL) {
        waldir_unpin(dir, pin->number);
    }
}

/* ---- an earlier life ---- */

/* False: not the name of a pin. */
static bool name_parse(const char *name, struct pin *out)
{
    char again[SPOOL_NAME_BYTES];
    unsigned long long device = 0;
    unsigned long long inode = 0;
    *out = (struct pin){.state = PIN_KEPT, .closed = true, .fd = -1};
    out->copy = strstr(name, ".copy") != NULL;
    int found = out->copy ? sscanf(name, copy_form, &out->generation, &out->number, &device, &inode)
                          : sscanf(name, link_form, &out->generation, &out->number);
    out->device = device;
    out->inode = inode;
    return found == (out->copy ? 4 : 2) && out->generation > 0 &&
           strcmp(pin_name(out, out->copy, again), name) == 0;
}

static void load_entry(void *context, const struct spool_entry *entry)
{
    struct engine *engine = context;
    struct pins *pins = &engine->pins;
    struct pin found;
    if (snapshot_load(engine, entry)) {
        return;
    }
    if (!name_parse(entry->name, &found) || pins->count == PINS_MAX) {
        return;
    }
    if (pins_find(pins, found.generation, found.number) != NULL) {
        return; /* a link and a copy of one segment: either will do */
    }
    struct pin *pin = pins_add(pins, found.generation, found.number);
    *pin = found;
    pin->bytes = entry->bytes;
    pin->closed_ms = engine->now_ms;
    if (!pin->copy) {
        pin->device = entry->device;
        pin->inode = entry->inode;
    }
}

static void low_meet(struct pins *pins, const struct position *at)
{
    if (!pins->has_low || position_before(at, &pins->low)) {
        pins->low = *at;
        pins->has_low = true;
    }
}

/* The lowest place that is saved: what lies before it nobody needs. Who starts at the oldest there
 * is may need all, until it has its place. */
static void low_load(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    struct position saved = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            const struct domain *domain = destination->domains[k];
            struct position at = {0};
            if (domain->anchor == ANCHOR_NOW) {
                continue;
            }
            if (domain->anchor == ANCHOR_MARK) {
                at = domain->next.at;
                saved = position_before(&at, &saved) ? at : saved;
            }
            low_meet(pins, &at);
        }
    }
    pins->saved = saved;
}

void pins_placed(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    if (pins->spool == NULL || (pins->has_low && pins->low.generation > 0)) {
        return;
    }
    pins->low = pins->saved;
    pins->has_low = true;
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            low_meet(pins, &destination->domains[k]->next.at);
        }
    }
    pins->look = true;
}

bool pins_load(struct engine *engine, uint32_t *generation, struct err *err)
{
    struct pins *pins = &engine->pins;
    pins->spool = engine->options.spool;
    pins->directory = engine->conf->spool_dir;
    if (pins->spool == NULL) {
        return true;
    }
    int status = pins->spool->list(pins->spool, load_entry, engine);
    if (status != 0) {
        return err_set(err, -status, "spool_dir %s can't be listed, and it may keep samples: %s",
                       pins->directory, strerror(-status));
    }
    for (size_t i = 0; i < pins->count; i++) {
        const struct pin *pin = &pins->pins[i];
        *generation = pin->generation > *generation ? pin->generation : *generation;
    }
    snapshots_sort(engine, *generation);
    if (pins->count > 0) {
        LOG_INFO("segments are kept in the spool", LOG_U64("segments", pins->count),
                 LOG_U64("from", pins->pins[0].number));
    }
    return true;
}

void pins_show(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    pasts_load(engine);
    for (size_t i = 0; i < pins->count; i++) {
        pin_show(engine, &pins->pins[i]);
        /* a copy keeps no inode: while nobody looked, its number may have been given to another
         * file of that name (an older copy was put back), which need not have all of it */
        if (pins->pins[i].generation == waldir_generation(engine->dir) &&
            pin_is_other(engine, &pins->pins[i])) {
            waldir_set_replaced(engine->dir);
        }
    }
    engine->looked = false; /* the directory has not seen them yet */
    low_load(engine);
    pins->look = true;
}

void pins_release(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    while (pins->count > 0) {
        pins_remove(engine, &pins->pins[pins->count - 1]);
    }
    for (size_t i = 0; i < pins->pasts_count; i++) {
        waldir_free(pins->pasts[i].dir);
    }
    mem_free(pins->pins);
    pins->pasts_count = 0;
    snapshots_release(engine);
}

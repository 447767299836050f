/* pins_run.c - each pin from one state to the next.
 *
 * A link is made as soon as a segment is seen: it is the same file, so one made early keeps all
 * that is written later. Where links are impossible the open file keeps the bytes as long as
 * walship lives, and what is closed and still not settled a little later is copied, so that it
 * outlives walship too. A pin goes when the commit that passes it is durable (I3). */
#include "internal.h"

#include <errno.h>

enum { PIN_LOOK_MS = 1000 };

static void due(struct pins *pins, int64_t at_ms)
{
    pins->due_ms = at_ms < pins->due_ms ? at_ms : pins->due_ms;
}

static bool below_low(const struct pins *pins, uint32_t generation, uint32_t number)
{
    return pins->has_low && (generation < pins->low.generation ||
                             (generation == pins->low.generation && number < pins->low.segment));
}

static bool submit(struct engine *engine, struct pin *pin, struct spool_job *job)
{
    struct pins *pins = &engine->pins;
    char name[SPOOL_NAME_BYTES];
    bool copy = job->kind == SPOOL_COPY || (job->kind == SPOOL_DROP && pin->copy);
    job->id = pins->jobs + 1;
    job->name = pin_name(pin, copy, name);
    if (!pins->spool->submit(pins->spool, job)) {
        return false; /* the next result brings us back */
    }
    pin->job = ++pins->jobs;
    return true;
}

static void pin_link(struct engine *engine, struct pin *pin)
{
    char *path = mem_format("%s/%08u", waldir_path(engine->dir), pin->number);
    struct spool_job job = {
        .kind = SPOOL_LINK, .path = path, .device = pin->device, .inode = pin->inode};
    if (submit(engine, pin, &job)) {
        pin->state = PIN_LINKING;
    }
    mem_free(path);
}

static void room_said(struct pins *pins, const struct pin *pin)
{
    if (!pins->said_full && !below_low(pins, pin->generation, pin->number)) {
        LOG_WARN("the spool has no room for copies: what is not sent is held open only, and lost "
                 "if Prometheus deletes it while walship does not run",
                 LOG_U64("segment", pin->number), LOG_STR("spool_dir", pins->directory),
                 LOG_U64("free_bytes", pins->free_bytes));
        pins->said_full = true;
    }
}

/* What Prometheus still has is copied only where there is room: the open file keeps it, too. */
static void pin_copy(struct engine *engine, struct pin *pin)
{
    struct pins *pins = &engine->pins;
    struct spool_job job = {.kind = SPOOL_COPY, .fd = pin->fd};
    bool shared = budget_is_shared(engine, pin);
    if (shared && pins->room < (int64_t)pin->bytes) {
        pin->retry_ms = engine->now_ms + PIN_RETRY_MS;
        due(pins, pin->retry_ms);
        room_said(pins, pin);
    } else if (submit(engine, pin, &job)) {
        pin->state = PIN_COPYING;
        pins->room -= (int64_t)pin->bytes;
        pins->said_full = pins->said_full && !shared;
    }
}

static void pin_drop(struct engine *engine, struct pin *pin)
{
    struct spool_job job = {.kind = SPOOL_DROP};
    pin_hide(engine, pin);
    if (submit(engine, pin, &job)) {
        pin->state = PIN_DROPPING;
        trace_line(engine, "pin %u/%u goes", pin->generation, pin->number);
    }
}

static void pin_held(struct engine *engine, struct pin *pin, int fd)
{
    ASSERT(pin->fd < 0 && fd >= 0);
    pin->fd = fd;
    pin->state = PIN_HELD;
    engine->pins.held++;
    pin_show(engine, pin);
    trace_line(engine, "pin %u/%u: held", pin->generation, pin->number);
}

/* The directory's own file of that number, if it is still the one of `device` and `inode`: -ENOENT
 * when it is not. */
static int live_open(const struct engine *engine, uint32_t number, uint64_t device, uint64_t inode)
{
    struct os *os = engine->os;
    struct os_stat stat;
    char *path = mem_format("%s/%08u", waldir_path(engine->dir), number);
    int fd = os->open(os, path);
    mem_free(path);
    if (fd < 0) {
        return fd;
    }
    int status = os->stat_fd(os, fd, &stat);
    if (status != 0 || stat.device != device || stat.inode != inode) {
        os->close(os, fd);
        return -ENOENT;
    }
    return fd;
}

/* False: the segment is no longer there, or another file. */
static bool pin_hold(struct engine *engine, struct pin *pin)
{
    if (engine->pins.held >= PINS_HELD_MAX) {
        pin->retry_ms = engine->now_ms + PIN_RETRY_MS;
        return true;
    }
    int fd = live_open(engine, pin->number, pin->device, pin->inode);
    if (fd == -ENOENT) {
        return false;
    }
    if (fd < 0) {
        pin->retry_ms = engine->now_ms + PIN_RETRY_MS;
        return true;
    }
    pin_held(engine, pin, fd);
    return true;
}

static int kept_open(struct engine *engine, uint32_t generation, uint32_t number)
{
    const struct pin *pin = pins_find(&engine->pins, generation, number);
    if (pin == NULL || (pin->state != PIN_KEPT && pin->fd < 0)) {
        return -ENOENT;
    }
    char *path = pin_path(engine, pin);
    int fd = engine->os->open(engine->os, path);
    mem_free(path);
    return fd;
}

/* The file that Prometheus has is held open before its copy goes. */
static void pin_uncopy(struct engine *engine, struct pin *pin)
{
    struct pins *pins = &engine->pins;
    struct spool_job job = {.kind = SPOOL_DROP};
    ASSERT(pin->state == PIN_KEPT && pin->copy && pin->fd < 0);
    if (engine->now_ms < pin->retry_ms || pins->held >= PINS_HELD_MAX ||
        !pin_is_there(engine, pin)) {
        return;
    }
    int fd = live_open(engine, pin->number, pin->device, pin->inode);
    if (fd < 0) {
        return;
    }
    if (!submit(engine, pin, &job)) {
        engine->os->close(engine->os, fd);
        return;
    }
    pin_held(engine, pin, fd);
    pin->state = PIN_DROPPING;
    pins->room += (int64_t)pin->bytes;
}

bool pin_adopt(struct engine *engine, uint32_t generation, uint32_t from,
               const struct waldir_segment *segment)
{
    struct pins *pins = &engine->pins;
    ASSERT(generation < from && pins_find(pins, generation, segment->number) == NULL);
    if (pins->held >= PINS_HELD_MAX || pins->count >= PINS_MAX) {
        return true; /* it can't be */
    }
    int fd = segment->pinned ? kept_open(engine, from, segment->number)
                             : live_open(engine, segment->number, segment->device, segment->inode);
    if (fd < 0) {
        return fd == -ENOENT;
    }
    struct pin *pin = pins_add(pins, generation, segment->number);
    pin->device = segment->device;
    pin->inode = segment->inode;
    pin->bytes = segment->bytes;
    pin->closed = true;
    pin->closed_ms = engine->now_ms;
    pin_held(engine, pin, fd);
    pins->look = true;
    return true;
}

/* ---- results ---- */

/* It is in the spool, and so nothing needs the open file. */
static void pin_is_kept(struct engine *engine, struct pin *pin)
{
    pin->state = PIN_KEPT;
    pin_show(engine, pin);
    if (pin->fd >= 0) {
        engine->os->close(engine->os, pin->fd);
        pin->fd = -1;
        engine->pins.held--;
    }
}

static void pin_kept(struct engine *engine, struct pin *pin, const struct spool_result *result)
{
    bool copy = pin->state == PIN_COPYING;
    pin->copy = copy;
    pin->bytes = result->bytes;
    pin_is_kept(engine, pin);
    trace_line(engine, "pin %u/%u: %s", pin->generation, pin->number, copy ? "copied" : "linked");
}

static void pin_failed(struct engine *engine, struct pin *pin, const struct spool_result *result)
{
    struct pins *pins = &engine->pins;
    pins->failures++;
    pin->retry_ms = engine->now_ms + PIN_RETRY_MS;
    if (pin->state == PIN_DROPPING) {
        pin_is_kept(engine, pin);
    } else {
        pin->state = pin->fd >= 0 ? PIN_HELD : PIN_WANTED;
    }
    LOG_ERROR(result->status == SPOOL_FULL
                  ? "the spool's disk is full: segments that Prometheus deletes can't be kept"
                  : "the spool does not work, trying again",
              LOG_STR("err", strerror(result->error)), LOG_STR("spool_dir", pins->directory),
              LOG_U64("segment", pin->number));
}

static void links_refused(struct engine *engine, const struct spool_result *result)
{
    struct pins *pins = &engine->pins;
    if (!pins->links_refused) {
        LOG_WARN("no hard links from the WAL into spool_dir: what is not sent is held open and "
                 "copied when Prometheus is about to delete it",
                 LOG_STR("why", strerror(result->error)), LOG_STR("spool_dir", pins->directory));
        trace_line(engine, "links are refused");
    }
    pins->links_refused = true;
}

static void result_take(struct engine *engine, struct pin *pin, const struct spool_result *result)
{
    bool dropping = pin->state == PIN_DROPPING;
    switch (result->status) {
    case SPOOL_DONE:
        if (dropping && pin->fd >= 0 && !pin->over) {
            pin->state = PIN_HELD; /* only the copy was in the way */
            pin->copy = false;
        } else if (dropping) {
            pins_remove(engine, pin);
        } else {
            pin_kept(engine, pin, result);
        }
        return;
    case SPOOL_GONE:
        pin->state = pin->fd >= 0 ? PIN_HELD : PIN_WANTED;
        if (pin->fd < 0) {
            pins_remove(engine, pin); /* if it is listed again it is wanted again */
        } else {
            pin->linkable = false; /* a copy once it is closed */
        }
        return;
    case SPOOL_REFUSED:
        links_refused(engine, result);
        pin->state = pin->fd >= 0 ? PIN_HELD : PIN_WANTED;
        return;
    case SPOOL_FULL:
    case SPOOL_FAILED:
        pin_failed(engine, pin, result);
        if (pin->state == PIN_WANTED && !pin_hold(engine, pin)) {
            pins_remove(engine, pin);
        }
        return;
    }
    ASSERT(!"all results are above");
}

static void results(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    struct spool_result result;
    while (pins->spool->next_result(pins->spool, &result)) {
        pins->look = true;
        if (snapshot_result(engine, &result)) {
            continue;
        }
        for (size_t i = 0; i < pins->count; i++) {
            if (pins->pins[i].job == result.id) {
                pins->pins[i].job = 0;
                result_take(engine, &pins->pins[i], &result);
                break;
            }
        }
    }
}

/* ---- what is to do ---- */

/* The one before the lowest place stays too: if a crash tore its end, the repair that follows is
 * told from it, and nothing is sent twice. Unless the budget wants it. */
static bool is_over(const struct pins *pins, const struct pin *pin)
{
    struct position behind = {.generation = pin->generation, .segment = pin->number + 1};
    return below_low(pins, pin->generation, pin->number + 1) ||
           (below_low(pins, pin->generation, pin->number) &&
            !position_before(&pins->limit, &behind));
}

/* Segments of the directory that nobody keeps yet, and which of the kept ones are closed. Until the
 * first scan has ended they may be of another life than the generation they would be kept under. */
static void discover(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    uint32_t generation = waldir_generation(engine->dir);
    size_t count = waldir_count(engine->dir);
    bool known = engine->generation_proven && !waldir_is_replaced(engine->dir);
    for (size_t i = 0; i < count && known; i++) {
        const struct waldir_segment *segment = waldir_at(engine->dir, i);
        if (segment->pinned || !pins->has_low || below_low(pins, generation, segment->number)) {
            continue;
        }
        struct pin *pin = pins_find(pins, generation, segment->number);
        if (pin == NULL && pins->count < PINS_MAX) {
            pin = pins_add(pins, generation, segment->number);
            pin->device = segment->device;
            pin->inode = segment->inode;
        }
        if (pin != NULL) {
            pin->bytes = segment->bytes;
        }
    }
    for (size_t i = 0; count > 0 && i < pins->count; i++) {
        struct pin *pin = &pins->pins[i];
        bool newest = pin->generation == generation &&
                      pin->number >= waldir_at(engine->dir, count - 1)->number;
        pin->over = pin->over || is_over(pins, pin);
        pin->closed_ms = !newest && !pin->closed ? engine->now_ms : pin->closed_ms;
        pin->closed = !newest;
    }
}

bool pins_only_here(const struct engine *engine, const struct position *at)
{
    const struct waldir_segment *segment = waldir_find(engine->dir, at->segment);
    bool here = at->generation == waldir_generation(engine->dir);
    return at->generation > 0 && (!here || segment == NULL || segment->pinned);
}

/* No restart can need it: the place that is durable has passed it (I3), or the file is in the spool
 * under the generation that reads it now. Until then that one may yet fail to link it: a repair may
 * have put another file in its place. */
static bool is_needless(struct pins *pins, const struct pin *pin)
{
    const struct pin *heir = pin->heir == 0 ? NULL : pins_find(pins, pin->heir, pin->number);
    return below_low(pins, pin->generation, pin->number) ||
           (heir != NULL && heir->state == PIN_KEPT);
}

/* True: the pin was removed. */
static bool pin_over(struct engine *engine, struct pin *pin)
{
    if (pin->state == PIN_KEPT) {
        bool covered = snapshot_covers(engine, pin->generation, pin->number);
        if (!covered || !is_needless(&engine->pins, pin)) {
            return false; /* what was defined in it is not written yet, or it may be read again */
        }
        if (engine->now_ms >= pin->retry_ms) {
            pin_drop(engine, pin);
        } else {
            due(&engine->pins, pin->retry_ms);
        }
    } else if (pin->state == PIN_WANTED || pin->state == PIN_HELD) {
        pin_hide(engine, pin);
        pins_remove(engine, pin);
        return true;
    }
    return false;
}

/* True: the pin was removed. */
static bool pin_step(struct engine *engine, struct pin *pin)
{
    struct pins *pins = &engine->pins;
    if (pin->over) {
        return pin_over(engine, pin);
    }
    bool here = pin->generation == waldir_generation(engine->dir);
    struct position at = {.generation = pin->generation, .segment = pin->number};
    int64_t copy_ms = pins_only_here(engine, &at) ? 0 : pin->closed_ms + PIN_LAG_MS;
    if (pin->state == PIN_WANTED) {
        if (engine->now_ms < pin->retry_ms) {
            due(pins, pin->retry_ms);
        } else if (here && !pins->links_refused) {
            pin_link(engine, pin);
        } else if (!here || !pin_hold(engine, pin)) {
            pins_remove(engine, pin);
            return true;
        }
    } else if (pin->state == PIN_HELD) {
        bool again = here && pin->linkable && !pins->links_refused;
        int64_t at_ms = again || pin->retry_ms > copy_ms ? pin->retry_ms : copy_ms;
        if (!again && !pin->closed) {
            return false; /* the newest one may yet grow */
        }
        if (engine->now_ms < at_ms) {
            due(pins, at_ms);
        } else if (again) {
            pin_link(engine, pin);
        } else {
            pin_copy(engine, pin);
        }
    }
    return false;
}

/* Those last that Prometheus deletes first. */
static void spares_drop(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    for (size_t i = pins->count; i > 0 && pins->room < 0; i--) {
        struct pin *pin = &pins->pins[i - 1];
        if (pin->state == PIN_KEPT && budget_is_spare(engine, pin)) {
            pin_uncopy(engine, pin);
        }
    }
}

void pins_run(struct engine *engine)
{
    struct pins *pins = &engine->pins;
    if (pins->spool == NULL) {
        return;
    }
    results(engine);
    budget_run(engine);
    if (!pins->look && engine->now_ms < pins->due_ms) {
        return;
    }
    pins->look = false;
    pins->due_ms = INT64_MAX;
    discover(engine);
    budget_room(engine);
    for (size_t i = 0; i < pins->count;) {
        i += pin_step(engine, &pins->pins[i]) ? 0 : 1;
    }
    spares_drop(engine);
    pasts_run(engine);
    snapshots_run(engine);
    budget_look(engine);
    guard_run(engine);
    due(pins, snapshots_deadline(engine));
}

int64_t pins_deadline(const struct engine *engine)
{
    const struct pins *pins = &engine->pins;
    return pins->spool == NULL ? INT64_MAX : pins->look ? engine->now_ms : pins->due_ms;
}

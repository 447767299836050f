/* collect.c - series that a new checkpoint no longer has are let go, once nobody can need them. */
#include "internal.h"

enum { COLLECT_STEPS = 64 };

static struct position slowest_watermark(const struct engine *engine)
{
    struct position slowest = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            struct mark mark;
            domain_watermark(destination->domains[k], &mark);
            if (position_before(&mark.at, &slowest)) {
                slowest = mark.at;
            }
        }
    }
    return slowest;
}

static void collect_start(struct engine *engine)
{
    struct collect *collect = &engine->collect;
    uint32_t number;
    if (!waldir_checkpoint(engine->dir, &number) ||
        (collect->seen_any && number <= collect->checkpoint)) {
        return;
    }
    struct position slowest = slowest_watermark(engine);
    if (slowest.generation != waldir_generation(engine->dir) || slowest.segment <= number) {
        return; /* somebody may still need what the checkpoint dropped */
    }
    struct position behind = {.generation = slowest.generation, .segment = number + 1};
    if (position_before(&behind, &collect->own_from)) {
        return; /* what both lives have behind the checkpoint has its place before it */
    }
    collect->seen_any = true;
    collect->checkpoint = number;
    collect->tail = tail_new_checkpoint(engine->dir, number);
    series_collect_begin(engine->series);
}

static void collect_take(struct engine *engine, const struct tail_out *out)
{
    struct wal_series_iter iter;
    struct wal_series found;
    uint64_t items;
    if (wal_record_type(out->record) != WAL_SERIES || !wal_record_check(out->record, &items)) {
        return;
    }
    wal_series_init(&iter, out->record);
    while (wal_series_next(&iter, engine->label_room, &found)) {
        series_collect_mark(engine->series, found.ref);
    }
}

static void collect_end(struct engine *engine)
{
    struct position before = {.generation = waldir_generation(engine->dir),
                              .segment = engine->collect.checkpoint + 1};
    struct position slowest = slowest_watermark(engine);
    if (position_before(&slowest, &before)) {
        before = slowest;
    }
    sets_hold(engine);
    size_t removed = series_collect_end(engine->series, &before, NULL, NULL);
    engine->snapshots.outdated = engine->snapshots.outdated || removed > 0;
    routes_sweep(engine);
    LOG_DEBUG("series collected", LOG_U64("checkpoint", engine->collect.checkpoint),
              LOG_U64("removed", removed), LOG_U64("left", series_refs(engine->series)));
    tail_free(engine->collect.tail);
    engine->collect.tail = NULL;
}

void collect_run(struct engine *engine)
{
    struct collect *collect = &engine->collect;
    if (engine->scan.state != SCAN_DONE) {
        return;
    }
    if (collect->tail == NULL) {
        collect_start(engine);
    }
    for (int i = 0; collect->tail != NULL && i < COLLECT_STEPS; i++) {
        struct tail_out out;
        struct err err = {0};
        switch (tail_next(collect->tail, &out, &err)) {
        case TAIL_RECORD:
            collect_take(engine, &out);
            break;
        case TAIL_WAIT:
            collect_end(engine);
            return;
        case TAIL_GAP:
        case TAIL_DAMAGE: /* then the list is not whole: collect nothing this time */
        case TAIL_FAILED:
            LOG_DEBUG("a checkpoint can't be read, nothing collected", LOG_STR("err", err.text));
            tail_free(collect->tail);
            collect->tail = NULL;
            return;
        }
    }
    engine->work_left = engine->work_left || collect->tail != NULL;
}

/* guard.c - how long until Prometheus deletes what is not sent, judged by its own rhythm: how often
 * it has cut its WAL off below, and how many segments went each time. With a spool nothing is lost
 * then; it is the time from when the spool is needed. */
#include "internal.h"

enum { GUARD_SAY_MS = 60000 };

/* The lowest segment that the directory itself has; false: none. */
static bool first_live(const struct engine *engine, uint32_t *out)
{
    for (size_t i = 0; i < waldir_count(engine->dir); i++) {
        const struct waldir_segment *segment = waldir_at(engine->dir, i);
        if (!segment->pinned) {
            *out = segment->number;
            return true;
        }
    }
    return false;
}

void guard_look(struct engine *engine)
{
    struct guard *guard = &engine->guard;
    uint32_t first;
    if (!first_live(engine, &first)) {
        return;
    }
    if (guard->has_first && first > guard->first) {
        guard->interval_ms = guard->cut_ms > 0 ? engine->now_ms - guard->cut_ms : 0;
        guard->segments = first - guard->first;
        guard->cut_ms = engine->now_ms;
    }
    guard->has_first = true;
    guard->first = first;
}

int64_t guard_left_ms(const struct engine *engine)
{
    const struct guard *guard = &engine->guard;
    const struct position *low = &engine->pins.low;
    if (guard->interval_ms == 0 || !engine->pins.has_low) {
        return -1;
    }
    if (low->generation < waldir_generation(engine->dir) || low->segment < guard->first) {
        return 0;
    }
    int64_t cuts = (low->segment - guard->first) / guard->segments + 1;
    int64_t left_ms = guard->cut_ms + cuts * guard->interval_ms - engine->now_ms;
    return left_ms > 0 ? left_ms : 0;
}

void guard_run(struct engine *engine)
{
    struct guard *guard = &engine->guard;
    int64_t left_ms = guard_left_ms(engine);
    if (!engine->snapshots.lagging || left_ms < 0 || left_ms > guard->interval_ms ||
        engine->now_ms < guard->say_ms) {
        return;
    }
    guard->say_ms = engine->now_ms + GUARD_SAY_MS;
    LOG_WARN("Prometheus is about to delete what is not sent, or has: the spool keeps it",
             LOG_I64("seconds_left", left_ms / 1000), LOG_U64("spool_bytes", budget_used(engine)),
             LOG_U64("segment", engine->pins.low.segment));
}

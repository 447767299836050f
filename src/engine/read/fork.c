/* fork.c - where the next generation leaves the one before.
 *
 * A repair writes the damaged segment anew, record by record, up to the damage: what is the same as
 * in the file that was read needs not be sent again. Both are read side by side for as long as the
 * checksums of their records agree; it is the first thing a scan does, before anybody reads. */
#include "internal.h"

enum { FORK_RECORDS = 4096 }; /* a turn */

static const struct waldir_segment *segment_of(struct engine *engine, uint32_t generation,
                                               uint32_t number)
{
    const struct waldir *dir = dir_of(engine, generation);
    return dir == NULL ? NULL : waldir_find(dir, number);
}

static struct tail *tail_at(struct engine *engine, uint32_t generation, uint32_t segment)
{
    struct position at = {.generation = generation, .segment = segment};
    struct tail *tail = tail_new(dir_of(engine, generation));
    tail_seek(tail, &at);
    return tail;
}

/* Its next record in the segment; TAIL_WAIT: no more. */
static enum tail_status record_of(struct engine *engine, struct tail *tail, uint32_t segment,
                                  struct tail_out *out)
{
    struct err err = {0};
    enum tail_status status;
    do {
        status = tail_next(tail, out, &err);
    } while (status == TAIL_DAMAGE && out->at.segment == segment);
    if (status == TAIL_FAILED) {
        LOG_WARN("comparing a segment with what was read of it failed, trying again",
                 LOG_STR("err", err.text));
        engine->scan.retry_at_ms = engine->now_ms + RETRY_IO_MS;
        return status;
    }
    return status == TAIL_RECORD && out->at.segment == segment ? TAIL_RECORD : TAIL_WAIT;
}

/* Reads the beginning of one segment that only its content can tell. False: there is no more. */
static bool prove_next(struct engine *engine, const struct past *past)
{
    struct scan *scan = &engine->scan;
    struct tail_out out;
    const struct waldir *dir = dir_of(engine, past_after(engine, past->generation));
    size_t i = 0;
    while (i < waldir_count(dir) &&
           (waldir_at(dir, i)->number < scan->proven ||
            kin_unread(engine, waldir_at(dir, i), past->generation) == 0)) {
        i++;
    }
    if (i == waldir_count(dir)) {
        return false;
    }
    uint32_t number = waldir_at(dir, i)->number;
    uint32_t generation = kin_unread(engine, waldir_at(dir, i), past->generation);
    struct tail *tail = tail_at(engine, generation, number);
    enum tail_status status = TAIL_RECORD;
    while (status == TAIL_RECORD &&
           kin_unread(engine, waldir_find(dir, number), past->generation) == generation) {
        status = record_of(engine, tail, number, &out);
    }
    tail_free(tail);
    scan->proven = status == TAIL_WAIT ? number + 1 : number;
    return true;
}

/* A step towards that each has all that is left of it. From the last one on, for what is adopted
 * may be handed down. False: they have. */
static bool complete_next(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    for (; scan->complete < engine->pins.pasts_count; scan->complete++) {
        size_t last = engine->pins.pasts_count - 1;
        struct past *past = &engine->pins.pasts[last - scan->complete];
        if (!past->has_fork && prove_next(engine, past)) {
            return true;
        }
        scan->proven = 0;
        if (!past->has_fork && !past_complete(engine, past)) {
            scan->retry_at_ms = engine->now_ms + RETRY_IO_MS;
            return true;
        }
    }
    return false;
}

/* A step towards the next earlier generation whose fork is not known to the record; false: there is
 * none. */
static bool fork_next(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    for (; scan->past < engine->pins.pasts_count; scan->past++) {
        uint32_t crc;
        struct past *past = &engine->pins.pasts[scan->past];
        struct position next = past_next(engine, past->generation, &crc);
        bool both = segment_of(engine, past->generation, past->fork) != NULL &&
                    segment_of(engine, next.generation, past->fork) != NULL;
        if (past->fork_known || !both) {
            past->fork_known = true;
            continue;
        }
        past->fork_record = 0; /* of a comparison that was broken off */
        past->fork_crc = 0;
        scan->tail = tail_at(engine, past->generation, past->fork);
        scan->other = tail_at(engine, next.generation, past->fork);
        return true;
    }
    return false;
}

void fork_end(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    tail_free(scan->tail);
    tail_free(scan->other);
    scan->tail = NULL;
    scan->other = NULL;
    scan->has_other = false;
    scan->other_ended = false;
    scan->ended = false;
}

/* One record of both. TAIL_WAIT: here they part, or both segments end. What was read of one waits
 * for the other. */
static enum tail_status compare(struct engine *engine, struct past *past)
{
    struct scan *scan = &engine->scan;
    struct tail_out out;
    if (!scan->has_other && !scan->other_ended) {
        enum tail_status status = record_of(engine, scan->other, past->fork, &out);
        if (status == TAIL_FAILED) {
            return status;
        }
        scan->has_other = status == TAIL_RECORD;
        scan->other_ended = status != TAIL_RECORD;
        scan->other_crc = out.crc;
    }
    enum tail_status status = record_of(engine, scan->tail, past->fork, &out);
    if (status != TAIL_RECORD) {
        scan->ended = status == TAIL_WAIT && scan->other_ended;
        return status;
    }
    if (scan->other_ended || out.crc != scan->other_crc) {
        return TAIL_WAIT;
    }
    scan->has_other = false;
    past->fork_record++;
    past->fork_crc = out.crc;
    return TAIL_RECORD;
}

/* A copy of the directory was put back: the whole segment is the same, and the next may be. */
static bool fork_goes_on(struct engine *engine, struct past *past)
{
    uint32_t next = past->fork + 1;
    bool both = segment_of(engine, past->generation, next) != NULL &&
                segment_of(engine, past_successor(engine, past), next) != NULL;
    if (!engine->scan.ended || !both) {
        return false;
    }
    past->fork = next;
    return true;
}

bool fork_step(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    if (scan->tail == NULL) {
        return complete_next(engine) || fork_next(engine);
    }
    struct past *past = &engine->pins.pasts[scan->past];
    enum tail_status status = TAIL_RECORD;
    for (int i = 0; i < FORK_RECORDS && status == TAIL_RECORD; i++) {
        status = compare(engine, past);
    }
    if (status == TAIL_WAIT) {
        trace_line(engine, "generation %u: the first %u records of segment %u are the same",
                   past_successor(engine, past), past->fork_record, past->fork);
        past->fork_known = !fork_goes_on(engine, past);
        fork_end(engine);
    }
    return true;
}

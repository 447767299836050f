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

/* The next earlier generation whose fork is not known to the record; false: none. */
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

void fork_end(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    tail_free(scan->tail);
    tail_free(scan->other);
    scan->tail = NULL;
    scan->other = NULL;
    scan->has_other = false;
}

/* One record of both. TAIL_WAIT: here they part. What was read of one waits for the other. */
static enum tail_status compare(struct engine *engine, struct past *past)
{
    struct scan *scan = &engine->scan;
    struct tail_out out;
    if (!scan->has_other) {
        enum tail_status status = record_of(engine, scan->other, past->fork, &out);
        if (status != TAIL_RECORD) {
            return status;
        }
        scan->has_other = true;
        scan->other_crc = out.crc;
    }
    enum tail_status status = record_of(engine, scan->tail, past->fork, &out);
    if (status != TAIL_RECORD) {
        return status;
    }
    if (out.crc != scan->other_crc) {
        return TAIL_WAIT;
    }
    scan->has_other = false;
    past->fork_record++;
    past->fork_crc = out.crc;
    return TAIL_RECORD;
}

bool fork_step(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    if (scan->tail == NULL && !fork_next(engine)) {
        return false;
    }
    struct past *past = &engine->pins.pasts[scan->past];
    enum tail_status status = TAIL_RECORD;
    for (int i = 0; i < FORK_RECORDS && status == TAIL_RECORD; i++) {
        status = compare(engine, past);
    }
    if (status == TAIL_WAIT) {
        trace_line(engine, "generation %u: the first %u records of segment %u are the same",
                   past->generation + 1, past->fork_record, past->fork);
        past->fork_known = true;
        fork_end(engine);
    }
    return true;
}

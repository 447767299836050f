/* meaning.c - which series a ref means where it stands.
 *
 * What an earlier life of the WAL says behind the records that it has in common with the next one
 * holds only there: the head of the next life did not read it, and gave the ref to another series.
 * Its own definition may come later (an item can precede it), or lie in a segment that is lost;
 * then the ref means what was said before the lives parted, or nothing. */
#include "internal.h"

/* Was it said where a life between it and `at` had left the one before? `*fork`: there. Only lives
 * on the way from there to here count: one that was passed over (past_fork) parts from the next in
 * a place of its own, and who comes from before it doesn't read what follows that place anew. */
static bool is_parted(const struct engine *engine, const struct position *said,
                      const struct position *at, struct position *fork)
{
    uint32_t life = said->generation;
    for (size_t i = 0; i < engine->pins.pasts_count && life < at->generation; i++) {
        const struct past *past = &engine->pins.pasts[i]; /* ascending */
        if (past->generation < life) {
            continue;
        }
        life = past_successor(engine, past);
        *fork = (struct position){said->generation, past->fork, past->fork_record, 0};
        if (life <= at->generation && !position_before(said, fork)) {
            ASSERT(past->has_fork); /* that is the first thing of a scan */
            return true;
        }
    }
    return false;
}

static struct position just_before(const struct position *record)
{
    struct position before = {record->generation, record->segment, record->record - 1, UINT32_MAX};
    if (record->record == 0) {
        before.record = UINT32_MAX;
        before.segment--;
        before.generation -= record->segment == 0;
    }
    ASSERT(position_before(&before, record));
    return before;
}

uint32_t ref_means(const struct engine *engine, uint64_t ref, const struct position *at)
{
    struct position said;
    struct position fork;
    if (engine->pins.pasts_count == 0) { /* each sample comes here: no life parts from another */
        return series_resolve(engine->series, ref, at);
    }
    uint32_t set = series_said(engine->series, ref, at, &said);
    ASSERT(set == LABELS_NONE || !position_before(at, &said));
    /* what a checkpoint or the spool told of is older than its place */
    while (set != LABELS_NONE && said.generation > 0 && said.record != UINT32_MAX &&
           said.generation < at->generation && is_parted(engine, &said, at, &fork)) {
        struct position before = just_before(&fork);
        set = series_said(engine->series, ref, &before, &said);
    }
    return set;
}

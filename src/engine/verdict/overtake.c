/* overtake.c - items of a lane that leave before others of it.
 *
 * Lanes leave in order, and after a crash that tells how much of them a receiver has
 * (sift_there.c). A search for a culprit must break it at times: what stays behind is asked for
 * later. Before anything overtakes, it is made durable that the order of this lane proves nothing,
 * until what it holds now is settled. While the state can't be saved, that which would overtake
 * waits; all that leaves in order goes on. What is quarantined is passed over as if it were
 * settled.
 */
#include "sift.h"

bool domain_doubts(const struct domain *domain, const struct position *at)
{
    return domain->doubting || position_before(at, &domain->doubt_end);
}

bool lane_mixed(const struct domain *domain, const struct lane *lane)
{
    return lane->mixed > 0 || (lane->mixed_before && domain_doubts(domain, &lane->settled));
}

/* Of the items from `place` on, one is to leave now, and an earlier one later or never. */
static bool overtakes(const struct sift *sift, uint32_t place, uint32_t count)
{
    bool behind = false;
    for (uint32_t i = place; i < place + count; i++) {
        enum fate fate = (enum fate)sift->fates[i];
        bool ended = fate == FATE_ACKED || fate == FATE_THERE || fate == FATE_JUDGED;
        if (sift->wanted[i] && behind) {
            return true;
        }
        behind = behind || (!sift->wanted[i] && !ended && fate != FATE_BANNED);
    }
    return false;
}

void overtake_note(struct engine *engine, struct destination *destination, struct batch *batch)
{
    uint32_t place = 0;
    ASSERT(batch->sift != NULL && batch->sift->stretches_count == batch->parts_count);
    batch->after_commit = 0;
    for (size_t i = 0; i < batch->parts_count; i++) {
        struct lane *lane = &destination->lanes[batch->parts[i].lane];
        uint32_t count = batch->parts[i].count;
        if (overtakes(batch->sift, place, count)) {
            lane->mixed_commit = lane->mixed > 0 ? lane->mixed_commit : engine->commits_built + 1;
            lane->mixed = lane->mixed > count ? lane->mixed : count;
            lane->dirty = true;
            batch->sift->stretches[i].ordered = false;
            if (lane->mixed_commit > batch->after_commit) {
                batch->after_commit = lane->mixed_commit;
            }
        }
        place += count;
    }
    if (overtake_waits(engine, batch)) {
        engine->dirty = true;
        engine->commit_at_ms = engine->now_ms;
        trace_line(engine, "batch %llu waits for a commit", (unsigned long long)batch->number);
    }
}

bool overtake_waits(const struct engine *engine, const struct batch *batch)
{
    return batch->after_commit > engine->commits_durable;
}

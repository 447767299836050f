/* places.c - where in this WAL is the place that was saved? The scan asks before each record: a
 * place is proven by its ordinal and the CRC of the record before it. */
#include "internal.h"

enum { PLACE_WAIT_MS = 5000 };

/* In another life of the WAL: what is read again is not newer than what was settled, and yet in
 * order. */
static void lanes_begin_anew(const struct domain *domain)
{
    for (size_t i = 0; i < LANES_COUNT; i++) {
        struct lane *lane = &domain->destination->lanes[i];
        if (lane->domain == domain->index) {
            lane->newest_ms = INT64_MIN;
        }
    }
}

static void place(struct engine *engine, struct domain *domain, const struct mark *at,
                  const char *why)
{
    uint32_t item = domain->anchor == ANCHOR_MARK && at->at.segment == domain->next.at.segment &&
                            at->at.record == domain->next.at.record
                        ? domain->next.at.item
                        : 0;
    if (domain->anchor == ANCHOR_MARK && domain->next.at.generation != at->at.generation) {
        lanes_begin_anew(domain);
        domain->destination->relaid = true; /* what was sent of the other WAL is not in this one */
    }
    ASSERT(dir_of(engine, at->at.generation) != NULL);
    domain->next = *at;
    domain->next.at.item = item;
    domain->anchor = ANCHOR_PLACED;
    domain->doubting = true;
    engine->dirty = true;
    trace_line(engine, "%s: starts at segment %u record %u, %s", domain->destination->conf->name,
               at->at.segment, at->at.record, why);
    LOG_INFO("place in the WAL found", LOG_STR("destination", domain->destination->conf->name),
             LOG_U64("segment", at->at.segment), LOG_U64("record", at->at.record),
             LOG_STR("why", why));
}

/* Is segment `number` on disk the one that was read in the mark's generation, as far as its first
 * records tell? Then what it holds is what was read of it, or the beginning of that: Prometheus
 * never adds to a segment after a restart. A place that was found in a generation of which no
 * commit told yet is told by the one before: what was there then, and is now, was there between. */
static bool same_segment(const struct engine *engine, const struct mark *mark, uint32_t number)
{
    const struct waldir_segment *now = waldir_find(engine->dir, number);
    return kin_begins(engine, now, mark->at.generation) == KIN_ALIKE;
}

/* The record before a place is the same in two lives of a WAL where it carries no times; those that
 * do tell the segments apart, as soon as one was read in both. Nothing is passed over before. */
static bool other_segment(const struct engine *engine, const struct mark *mark)
{
    const struct waldir_segment *now = waldir_find(engine->dir, mark->at.segment);
    return kin_begins(engine, now, mark->at.generation) == KIN_OTHER;
}

/* The start of a segment is proven by the nearest one before it that has an identity; where there
 * is none on disk, nothing can be passed over. */
static bool start_fits(const struct engine *engine, const struct mark *mark)
{
    ASSERT(mark->at.record == 0);
    for (size_t i = waldir_count(engine->dir); i > 0; i--) {
        const struct waldir_segment *segment = waldir_at(engine->dir, i - 1);
        if (segment->number < mark->at.segment &&
            (segment->has_identity ||
             segment_known(engine, mark->at.generation, segment->number) != NULL)) {
            return same_segment(engine, mark, segment->number);
        }
    }
    return true;
}

/* The record that the scan passed last is the one before the place. Where bytes of the segment are
 * damaged, records that came since may be counted in the place of those that are lost, and one
 * without times is like another: then no byte of it may lie behind the place, either. */
static bool last_proves(const struct engine *engine, const struct mark *mark)
{
    const struct scan *scan = &engine->scan;
    bool damaged = scan->has_damage && scan->damaged_segment == mark->at.segment;
    bool known = mark->offset != TAIL_OFFSET_UNKNOWN;
    ASSERT(!scan->has_last || scan->behind.offset != TAIL_OFFSET_UNKNOWN);
    return scan->has_last && scan->last_segment == mark->at.segment &&
           scan->last_records == mark->at.record && scan->last_crc == mark->previous_crc &&
           (!damaged || (known && mark->offset >= scan->behind.offset));
}

/* The scan is at the place's record. */
static bool place_fits(const struct engine *engine, const struct mark *mark,
                       const struct mark *here)
{
    ASSERT(here->at.segment == mark->at.segment && here->at.record == mark->at.record);
    return mark->at.record == 0 ? start_fits(engine, mark)
                                : last_proves(engine, mark) && !other_segment(engine, mark);
}

static struct mark mark_start_of(const struct engine *engine, uint32_t segment)
{
    struct mark mark = {.at = {.generation = waldir_generation(engine->dir), .segment = segment}};
    return mark;
}

static uint32_t first_segment(const struct engine *engine)
{
    return waldir_count(engine->dir) == 0 ? 0 : waldir_at(engine->dir, 0)->number;
}

/* Where to begin when the mark's own place is gone: at its segment when that is still what was
 * read, else behind the newest one below it that is, else at the oldest. */
static struct mark nearest(const struct engine *engine, const struct mark *mark, bool *same)
{
    const struct scan *scan = &engine->scan;
    size_t count = waldir_count(engine->dir);
    size_t first = 0; /* index of the segment to begin with */
    *same = false;
    for (size_t i = 0; i < count; i++) {
        uint32_t number = waldir_at(engine->dir, i)->number;
        if (number <= mark->at.segment && same_segment(engine, mark, number)) {
            *same = true;
            first = number < mark->at.segment ? i + 1 : i;
        }
    }
    if (first < count) {
        return mark_start_of(engine, waldir_at(engine->dir, first)->number);
    }
    bool read = count > 0 && scan->has_last &&
                scan->last_segment == waldir_at(engine->dir, count - 1)->number;
    return read ? scan->behind : mark_start_of(engine, first_segment(engine));
}

void places_anew(struct engine *engine)
{
    ASSERT(!engine->scan.second);
    engine->scan.second = true;
    generation_begin(engine, waldir_is_replaced(engine->dir));
    LOG_WARN("the WAL is not what was read before (repaired, restored or another one): looking for "
             "the place anew",
             LOG_U64("generation", waldir_generation(engine->dir)));
    scan_start(engine);
}

/* What lay between the two, if anything did, nobody can tell any more; nor what an earlier life
 * sent of it, which shows up at the receiver only. */
static void place_lost(struct engine *engine, struct domain *domain, const struct mark *here)
{
    struct loss loss = {.reason = LOSS_TRUNCATED,
                        .from = domain->next.at,
                        .to = here->at,
                        .time_min_ms = INT64_MAX,
                        .time_max_ms = INT64_MIN};
    domain->destination->relaid = true;
    ledger_defer(engine, domain, &loss);
}

/* A saved place that can't be found. The first time the scan begins again under a new generation,
 * so that no old lane position hides an item; then the nearest safe place: rather twice than not at
 * all. */
static void place_mismatch(struct engine *engine, struct domain *domain)
{
    if (!engine->scan.second) {
        places_anew(engine);
        return;
    }
    bool same;
    struct mark at = nearest(engine, &domain->next, &same);
    LOG_ERROR(
        same
            ? "the place in this WAL is gone: going on at the first segment that is not what was sent"
            : "this is another WAL than the saved state was made for: sending it from its oldest segment",
        LOG_STR("destination", domain->destination->conf->name), LOG_U64("segment", at.at.segment));
    if (!same) {
        place_lost(engine, domain, &at);
    }
    domain->next.at.item = 0; /* of a record that is gone */
    place(engine, domain, &at, same ? "segment changed" : "another WAL");
}

static void place_gone(struct engine *engine, struct domain *domain, const struct mark *here)
{
    place_lost(engine, domain, here);
    LOG_ERROR("segments were deleted before they were read: what they held is lost",
              LOG_STR("destination", domain->destination->conf->name),
              LOG_U64("from", domain->next.at.segment), LOG_U64("to", here->at.segment));
}

static void place_truncated(struct engine *engine, struct domain *domain, const struct mark *here)
{
    place_gone(engine, domain, here);
    place(engine, domain, here, "earlier segments are gone");
}

/* Behind the record that proves the saved place, before whatever follows: a cursor must meet the
 * damage that lies there, or nobody would account for it. What it met before the mark was saved,
 * the mark's offset tells, and it is on the books already: damage ends at a page. `end`: what lies
 * behind it in the segment. */
static struct mark place_proven(const struct engine *engine, const struct mark *mark, uint64_t end)
{
    if (mark->at.record == 0) {
        return mark_start_of(engine, mark->at.segment);
    }
    ASSERT(engine->scan.has_last && engine->scan.last_records == mark->at.record);
    struct mark at = engine->scan.behind;
    bool beyond = mark->offset != TAIL_OFFSET_UNKNOWN && mark->offset > at.offset;
    if (beyond && mark->offset <= end && mark->offset % WAL_PAGE_BYTES == 0 &&
        mark->at.generation == waldir_generation(engine->dir)) {
        at.offset = mark->offset;
    }
    return at;
}

/* The newest segment has fewer records than were read of it, or is gone: it is being copied
 * (repair), or bytes of it can't be read for now. It may yet get them. */
static bool place_waits(struct engine *engine, const struct mark *mark)
{
    struct scan *scan = &engine->scan;
    size_t count = waldir_count(engine->dir);
    uint32_t newest = count == 0 ? 0 : waldir_at(engine->dir, count - 1)->number;
    bool aside = count == 0 || (newest < mark->at.segment && same_segment(engine, mark, newest));
    if (engine->options.once || (newest != mark->at.segment && !aside)) {
        return false;
    }
    if (!scan->waiting) {
        scan->waiting = true;
        scan->waiting_since_ms = engine->now_ms;
    }
    return engine->now_ms - scan->waiting_since_ms < PLACE_WAIT_MS;
}

/* Records are missing from the count where bytes are damaged, or can't be read for now: then some
 * below the place may be unread. Not in a segment that ends before the place's bytes: what is left
 * of it was read, though its end is torn. */
static bool has_unread(const struct engine *engine, const struct waldir_segment *segment,
                       const struct mark *mark, const struct mark *here)
{
    const struct scan *scan = &engine->scan;
    bool known = mark->offset != TAIL_OFFSET_UNKNOWN;
    bool longer = known && segment->bytes > mark->offset;
    bool damaged = scan->has_damage && scan->damaged_segment == mark->at.segment;
    return (damaged && !known) || (longer && (damaged || here->at.segment == mark->at.segment));
}

/* The scan is at `here`, in a later segment than the saved place (or at the end of all). */
static void place_passed(struct engine *engine, struct domain *domain, const struct mark *here)
{
    const struct scan *scan = &engine->scan;
    const struct mark *mark = &domain->next;
    bool last_here = scan->has_last && scan->last_segment == mark->at.segment;
    const struct waldir_segment *segment = waldir_find(engine->dir, mark->at.segment);
    bool fewer = segment == NULL || (last_here ? scan->last_records : 0) < mark->at.record;
    if (fewer && place_waits(engine, mark)) {
        return;
    }
    bool damaged = segment != NULL && has_unread(engine, segment, mark, here);
    if (segment == NULL) {
        if (waldir_count(engine->dir) > 0 && mark->at.segment < here->at.segment) {
            place_truncated(engine, domain, here);
        } else {
            place_mismatch(engine, domain);
        }
    } else if (!last_here && mark->at.record == 0 && start_fits(engine, mark)) {
        struct mark start = mark_start_of(engine, mark->at.segment);
        place(engine, domain, &start, "empty segment");
    } else if (last_proves(engine, mark) && !other_segment(engine, mark)) {
        struct mark at = place_proven(engine, mark, segment->bytes);
        place(engine, domain, &at, "resumed");
    } else if (last_here && scan->last_records < mark->at.record && !damaged &&
               same_segment(engine, mark, mark->at.segment)) {
        if (!scan->second) {
            place_mismatch(engine,
                           domain); /* lane positions beyond the cut must not hide new items */
            return;
        }
        LOG_WARN("a segment is shorter than what was sent of it (power loss?): going on behind it",
                 LOG_U64("segment", mark->at.segment));
        place(engine, domain, here, "segment shortened");
    } else {
        place_mismatch(engine, domain);
    }
}

/* Before a record is taken. False: the scan began again. */
bool places_find(struct engine *engine, const struct mark *here, bool end)
{
    uint32_t generation = waldir_generation(engine->dir);
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            struct domain *domain = destination->domains[k];
            const struct mark *mark = &domain->next;
            if (domain->anchor == ANCHOR_OLDEST) {
                struct mark oldest = mark_start_of(engine, first_segment(engine));
                place(engine, domain, &oldest, "oldest segment");
            } else if (domain->anchor == ANCHOR_NOW && end) {
                place(engine, domain, here, "now");
            } else if (domain->anchor != ANCHOR_MARK) {
                continue;
            } else if (here->at.segment == mark->at.segment && here->at.record == mark->at.record) {
                if (place_fits(engine, mark, here)) {
                    struct mark at = place_proven(engine, mark, here->offset);
                    place(engine, domain, &at, "resumed");
                } else {
                    place_mismatch(engine, domain);
                }
            } else if (end || here->at.segment > mark->at.segment) {
                place_passed(engine, domain, here);
            }
            if (generation != waldir_generation(engine->dir)) {
                return false;
            }
        }
    }
    return true;
}

bool places_found(const struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            if (destination->domains[k]->anchor != ANCHOR_PLACED) {
                return false;
            }
        }
    }
    return true;
}

/* What is left of a later life has the segment of this number that the mark's had. */
static bool same_in(const struct engine *engine, const struct mark *mark, uint32_t generation)
{
    struct position later = {.generation = generation, .segment = mark->at.segment};
    return kin_told(engine, &later, mark->at.generation) == KIN_ALIKE;
}

/* It lies behind all that is kept there, in a segment that is still the one of then. */
static bool place_beyond(const struct engine *engine, const struct past *past,
                         const struct mark *mark)
{
    uint32_t number = mark->at.segment;
    struct position at = {.generation = past->generation, .segment = number};
    bool same = past_is(engine, mark->at.generation) || same_segment(engine, mark, number);
    for (size_t i = 0; i < engine->pins.pasts_count; i++) {
        const struct past *other = &engine->pins.pasts[i];
        same = same ||
               (other->generation > past->generation && same_in(engine, mark, other->generation));
    }
    return same && !past_has(engine, &at);
}

/* Nothing is left of the place's own life. If its segment is, in this later one: behind the record
 * that proves it, or where a power loss cut it off; as among those of the WAL. */
static void place_past(struct engine *engine, struct domain *domain, const struct past *past,
                       const struct mark *here)
{
    const struct scan *scan = &engine->scan;
    const struct mark *mark = &domain->next;
    const struct waldir_segment *segment = waldir_find(past->dir, mark->at.segment);
    bool same = segment != NULL && same_in(engine, mark, past->generation);
    bool last_here = same && scan->has_last && scan->last_segment == mark->at.segment;
    if (same && last_proves(engine, mark)) {
        place(engine, domain, &scan->behind, "kept");
    } else if (last_here && scan->last_records < mark->at.record &&
               !has_unread(engine, segment, mark, here)) {
        place(engine, domain, here, "kept, but shortened");
    } else {
        struct mark at = {.offset = 0}; /* the start of a segment */
        if (!past_nearest(engine, past, &mark->at, &at.at)) {
            place_gone(engine, domain, &at);
        }
        domain->next.at.item = same && mark->at.record == 0 ? mark->at.item : 0;
        place(engine, domain, &at, "its life is gone");
    }
}

void places_find_past(struct engine *engine, const struct mark *here, bool end)
{
    const struct past *past = &engine->pins.pasts[engine->scan.past];
    for (size_t i = 0; i < engine->destinations_count && waldir_count(past->dir) > 0; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            struct domain *domain = destination->domains[k];
            struct mark *mark = &domain->next;
            struct position at = {past->generation, mark->at.segment, mark->at.record, 0};
            if (domain->anchor != ANCHOR_MARK || mark->at.generation >= past->generation ||
                (!end && position_before(&here->at, &at)) || place_beyond(engine, past, mark)) {
                continue;
            }
            place_past(engine, domain, past, here);
        }
    }
}

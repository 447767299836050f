/* scan.c - before anything is read for sending: the series of the newest checkpoint, then those of
 * the segments up to where the domains start. On the way every saved place is verified by its
 * ordinal and the CRC of the record before it. The same pass serves the start and a new generation
 * (repair, restore, emptied directory). */
#include "internal.h"

enum { SCAN_STEPS = 4096, SCAN_WAIT_MS = 5000, SCAN_RETRY_MS = 100 };

static void scan_tail(struct engine *engine, struct tail *tail)
{
    if (engine->scan.tail != NULL) {
        tail_free(engine->scan.tail);
    }
    engine->scan.tail = tail;
}

static void scan_take(struct engine *engine, const struct tail_out *out, const struct position *at)
{
    uint64_t items;
    if (wal_record_type(out->record) == WAL_SERIES && wal_record_check(out->record, &items)) {
        series_apply(engine, out, at, NULL);
    } else if (wal_record_type(out->record) == WAL_METADATA) {
        metadata_record(engine, out->record, at);
    }
}

static void scan_live(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    if (waldir_checkpoint(engine->dir, &scan->checkpoint)) {
        scan->state = SCAN_CHECKPOINT;
        scan_tail(engine, tail_new_checkpoint(engine->dir, scan->checkpoint));
    } else {
        scan->state = SCAN_SEGMENTS;
        scan_tail(engine, tail_new(engine->dir));
    }
}

/* All series of what is left of earlier generations, one after the other; then what is there now.
 */
static void scan_past(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    if (scan->past < engine->pins.pasts_count) {
        scan->state = SCAN_PAST;
        scan_tail(engine, tail_new(engine->pins.pasts[scan->past].dir));
    } else {
        scan_live(engine);
    }
}

/* What was kept of series, file by file; only at the start, since then the table has it. */
static void scan_series(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    struct waldir *dir = snapshot_open(engine, scan->series, &scan->series_at);
    scan_tail(engine, dir == NULL ? NULL : tail_new(dir));
    waldir_free(scan->series_dir);
    scan->series_dir = dir;
    if (dir != NULL) {
        scan->state = SCAN_SERIES;
    } else {
        scan_past(engine);
    }
}

static void scan_begin(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    scan->has_last = false;
    scan->has_damage = false;
    fork_end(engine);
    scan->past = 0;
    scan->state = SCAN_PLACES;
}

/* True: all of it is read. */
static bool scan_take_old(struct engine *engine, enum tail_status status,
                          const struct tail_out *out, const struct position *at)
{
    if (status == TAIL_RECORD) {
        scan_take(engine, out, at);
    } else if (status == TAIL_DAMAGE) {
        LOG_ERROR("what was kept in the spool is damaged", LOG_U64("generation", at->generation),
                  LOG_U64("segment", at->segment), LOG_U64("bytes", out->damage_bytes));
    }
    return status == TAIL_WAIT;
}

/* Where the definitions of the checkpoint belong: as early as can be, unless there are older ones
 * that they must not hide or replace. */
static struct position checkpoint_place(const struct engine *engine)
{
    struct position at = {0};
    if (engine->pins.pasts_count > 0 || engine->snapshots.has_base) {
        at = (struct position){waldir_generation(engine->dir), engine->scan.checkpoint, UINT32_MAX,
                               0};
    }
    return at;
}

/* A place in an earlier generation needs no search: the pins are its own files. Its offset is kept,
 * since bytes below it may be damaged by now, and then records can't be counted up to it. */
static void scan_place_past(struct engine *engine, struct domain *domain)
{
    if (domain->anchor != ANCHOR_MARK || !past_has(engine, &domain->next.at)) {
        return;
    }
    domain->anchor = ANCHOR_PLACED;
    trace_line(engine, "%s: goes on in generation %u, segment %u record %u",
               domain->destination->conf->name, domain->next.at.generation, domain->next.at.segment,
               domain->next.at.record);
}

/* False: what there is can't be told for now. Whoever looked for his place in a part of it would
 * take the rest for deleted. */
static bool scan_places(struct engine *engine)
{
    if (!engine->looked) {
        engine->scan.retry_at_ms = engine->refresh_at_ms;
        return false;
    }
    if (!pasts_look(engine)) {
        engine->scan.retry_at_ms = engine->now_ms + RETRY_IO_MS;
        return false;
    }
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            scan_place_past(engine, destination->domains[k]);
        }
    }
    engine->scan.state = SCAN_FORK;
    return true;
}

void scan_start(struct engine *engine)
{
    readers_drop_all(engine);
    segments_take(engine);
    engine->scan.until = (struct position){0};
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            struct domain *domain = destination->domains[k];
            if (domain->anchor == ANCHOR_PLACED) {
                domain->anchor = ANCHOR_MARK;
            }
            /* what is left of a record begun in the old generation is read under a new entry */
            domain->has_record_entry = false;
            ring_trim(&domain->ring, UINT64_MAX);
        }
    }
    engine->scan.tries = 0;
    engine->scan.again = false;
    scan_begin(engine);
}

void scan_again(struct engine *engine)
{
    ASSERT(engine->scan.state == SCAN_DONE);
    engine->scan.until = (struct position){0}; /* all have their places */
    engine->scan.tries = 0;
    engine->scan.again = true;
    engine->work_left = true;
    scan_begin(engine);
}

static void place(struct engine *engine, struct domain *domain, const struct mark *at,
                  const char *why)
{
    uint32_t item = domain->anchor == ANCHOR_MARK && at->at.segment == domain->next.at.segment &&
                            at->at.record == domain->next.at.record
                        ? domain->next.at.item
                        : 0;
    domain->next = *at;
    domain->next.at.item = item;
    domain->next.at.generation = waldir_generation(engine->dir);
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
 * never adds to a segment after a restart. */
static bool same_segment(const struct engine *engine, const struct mark *mark, uint32_t number)
{
    const struct store_segment *known = segment_known(engine, mark->at.generation, number);
    const struct waldir_segment *now = waldir_find(engine->dir, number);
    return known != NULL && now != NULL && now->has_identity && known->first_crc == now->identity;
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

/* A saved place that can't be found. The first time the scan begins again under a new generation,
 * so that no old lane position hides an item; then the nearest safe place: rather twice than not at
 * all. */
static void scan_mismatch(struct engine *engine, struct domain *domain)
{
    if (!engine->scan.second) {
        engine->scan.second = true;
        generation_begin(engine);
        LOG_WARN(
            "the WAL is not what was read before (repaired, restored or another one): looking for the place anew",
            LOG_STR("destination", domain->destination->conf->name),
            LOG_U64("generation", waldir_generation(engine->dir)));
        scan_start(engine);
        return;
    }
    bool same;
    struct mark at = nearest(engine, &domain->next, &same);
    LOG_ERROR(
        same
            ? "the place in this WAL is gone: going on at the first segment that is not what was sent"
            : "this is another WAL than the saved state was made for: sending it from its oldest segment",
        LOG_STR("destination", domain->destination->conf->name), LOG_U64("segment", at.at.segment));
    domain->next.at.item = 0; /* of a record that is gone */
    place(engine, domain, &at, same ? "segment changed" : "another WAL");
}

static void scan_truncated(struct engine *engine, struct domain *domain, const struct mark *here)
{
    struct loss loss = {.reason = LOSS_TRUNCATED,
                        .from = domain->next.at,
                        .to = here->at,
                        .time_min_ms = INT64_MAX,
                        .time_max_ms = INT64_MIN};
    ledger_defer(engine, domain, &loss);
    LOG_ERROR("segments were deleted before they were read: what they held is lost",
              LOG_STR("destination", domain->destination->conf->name),
              LOG_U64("from", domain->next.at.segment), LOG_U64("to", here->at.segment));
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
static bool scan_waits(struct engine *engine, const struct mark *mark)
{
    struct scan *scan = &engine->scan;
    ASSERT(waldir_count(engine->dir) > 0);
    const struct waldir_segment *newest = waldir_at(engine->dir, waldir_count(engine->dir) - 1);
    bool aside = newest->number < mark->at.segment && same_segment(engine, mark, newest->number);
    if (engine->options.once || (newest->number != mark->at.segment && !aside)) {
        return false;
    }
    if (!scan->waiting) {
        scan->waiting = true;
        scan->waiting_since_ms = engine->now_ms;
    }
    return engine->now_ms - scan->waiting_since_ms < SCAN_WAIT_MS;
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
static void scan_passed(struct engine *engine, struct domain *domain, const struct mark *here)
{
    const struct scan *scan = &engine->scan;
    const struct mark *mark = &domain->next;
    bool last_here = scan->has_last && scan->last_segment == mark->at.segment;
    const struct waldir_segment *segment = waldir_find(engine->dir, mark->at.segment);
    bool fewer = segment == NULL || (last_here ? scan->last_records : 0) < mark->at.record;
    if (waldir_count(engine->dir) > 0 && fewer && scan_waits(engine, mark)) {
        return;
    }
    bool damaged = segment != NULL && has_unread(engine, segment, mark, here);
    if (segment == NULL) {
        if (waldir_count(engine->dir) > 0 && mark->at.segment < here->at.segment) {
            scan_truncated(engine, domain, here);
        } else {
            scan_mismatch(engine, domain);
        }
    } else if (!last_here && mark->at.record == 0 && start_fits(engine, mark)) {
        struct mark start = mark_start_of(engine, mark->at.segment);
        place(engine, domain, &start, "empty segment");
    } else if (last_here && scan->last_records == mark->at.record &&
               scan->last_crc == mark->previous_crc) {
        struct mark at = place_proven(engine, mark, segment->bytes);
        place(engine, domain, &at, "resumed");
    } else if (last_here && scan->last_records < mark->at.record && !damaged &&
               same_segment(engine, mark, mark->at.segment)) {
        if (!scan->second) {
            scan_mismatch(engine,
                          domain); /* lane positions beyond the cut must not hide new items */
            return;
        }
        LOG_WARN("a segment is shorter than what was sent of it (power loss?): going on behind it",
                 LOG_U64("segment", mark->at.segment));
        place(engine, domain, here, "segment shortened");
    } else {
        scan_mismatch(engine, domain);
    }
}

/* Before a record is taken. False: the scan began again. */
static bool scan_marks(struct engine *engine, const struct mark *here, bool end)
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
                if (mark->at.record == 0 ? start_fits(engine, mark)
                                         : here->previous_crc == mark->previous_crc) {
                    struct mark at = place_proven(engine, mark, here->offset);
                    place(engine, domain, &at, "resumed");
                } else {
                    scan_mismatch(engine, domain);
                }
            } else if (end || here->at.segment > mark->at.segment) {
                scan_passed(engine, domain, here);
            }
            if (generation != waldir_generation(engine->dir)) {
                return false;
            }
        }
    }
    return true;
}

static bool all_placed(const struct engine *engine)
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

/* What was parked may be known now. */
static void scan_unpark(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            park_retry(engine, destination->domains[k], &destination->domains[k]->next.at);
        }
    }
}

static void scan_finish(struct engine *engine)
{
    engine->scan.state = SCAN_DONE;
    if (engine->scan.again) {
        scan_unpark(engine);
    }
    engine->scan.second = false;
    engine->generation_proven = true;
    engine->scan.waiting = false;
    scan_tail(engine, NULL);
    LOG_INFO("series loaded", LOG_U64("refs", series_refs(engine->series)),
             LOG_U64("sets", labels_sets(engine->labels)));
    readers_place(engine);
    engine->work_left = true;
}

static void scan_failed(struct engine *engine, const struct err *err)
{
    struct scan *scan = &engine->scan;
    bool changed;
    bool replaced;
    struct err ignored;
    LOG_WARN("reading the series failed, trying again", LOG_STR("err", err->text),
             LOG_U64("tries", scan->tries));
    scan->tries++;
    scan->retry_at_ms = engine->now_ms + (scan->tries < SCAN_TRIES_MAX ? 10 : RETRY_IO_MS);
    /* a checkpoint that vanished has a successor: look again */
    if (waldir_refresh(engine->dir, &changed, &replaced, &ignored)) {
        scan_begin(engine);
    }
}

static void checkpoint_end(struct engine *engine)
{
    engine->collect.checkpoint = engine->scan.checkpoint;
    engine->collect.seen_any = true;
    engine->scan.state = SCAN_SEGMENTS;
    scan_tail(engine, tail_new(engine->dir));
}

static void checkpoint_step(struct engine *engine, enum tail_status status,
                            const struct tail_out *out)
{
    if (status == TAIL_RECORD) {
        struct position place = checkpoint_place(engine);
        scan_take(engine, out, &place);
    } else if (status == TAIL_DAMAGE) {
        LOG_ERROR("damaged bytes in the checkpoint: items of series that only it has are lost",
                  LOG_U64("checkpoint", engine->scan.checkpoint),
                  LOG_U64("bytes", out->damage_bytes), LOG_STR("why", out->damage_text));
    } else if (status == TAIL_WAIT) {
        checkpoint_end(engine);
    }
}

/* One record. False: over for this turn. */
static bool scan_step(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    struct tail_out out;
    struct err err = {0};
    enum tail_status status = tail_next(scan->tail, &out, &err);
    if (status == TAIL_FAILED) {
        scan_failed(engine, &err);
        return false;
    }
    if (status == TAIL_WAIT && waldir_is_replaced(engine->dir)) {
        scan->retry_at_ms = engine->now_ms + SCAN_RETRY_MS;
        return false; /* not the end: what is there now is about to be told */
    }
    if (scan->state == SCAN_SERIES) {
        if (scan_take_old(engine, status, &out, &scan->series_at)) {
            scan->series++;
            scan_series(engine);
        }
        return true;
    }
    if (scan->state == SCAN_PAST) {
        if (scan_take_old(engine, status, &out, &out.at)) {
            scan->past++;
            scan_past(engine);
        }
        return true;
    }
    if (scan->state == SCAN_CHECKPOINT) {
        checkpoint_step(engine, status, &out);
        return true;
    }
    if (status == TAIL_DAMAGE) {
        scan->has_damage = true;
        scan->damaged_segment = out.at.segment;
    }
    if (status != TAIL_RECORD && status != TAIL_WAIT) {
        return true; /* gaps and damage are told when a cursor meets them */
    }
    struct mark here = {out.at, out.offset, out.previous_crc};
    if (status == TAIL_WAIT) {
        tail_mark(scan->tail, &here.at, &here.offset, &here.previous_crc);
    }
    if (!scan_marks(engine, &here, status == TAIL_WAIT)) {
        return true;
    }
    bool placed = all_placed(engine);
    if (placed && (status == TAIL_WAIT || !position_before(&here.at, &scan->until))) {
        scan_finish(engine);
        return false;
    }
    if (status == TAIL_WAIT) { /* scan_waits */
        ASSERT(scan->waiting);
        scan->retry_at_ms = engine->now_ms + SCAN_RETRY_MS;
        return false;
    }
    scan->has_last = true;
    scan->last_segment = out.at.segment;
    scan->last_records = out.at.record + 1;
    scan->last_crc = out.crc;
    tail_mark(scan->tail, &scan->behind.at, &scan->behind.offset, &scan->behind.previous_crc);
    scan_take(engine, &out, &out.at);
    return true;
}

/* Who reads an earlier generation goes on at the fork: up to there the series are wanted now. */
static void scan_until(struct engine *engine)
{
    const struct pins *pins = &engine->pins;
    engine->scan.until = (struct position){0};
    if (pins->pasts_count > 0) {
        uint32_t crc;
        engine->scan.until = past_next(engine, pins->pasts[pins->pasts_count - 1].generation, &crc);
    }
}

void scan_run(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    if (scan->state == SCAN_DONE || engine->now_ms < scan->retry_at_ms) {
        return;
    }
    if (scan->state == SCAN_PLACES && !scan_places(engine)) {
        return;
    }
    if (scan->state == SCAN_FORK) {
        if (waldir_is_replaced(engine->dir)) {
            scan->retry_at_ms = engine->now_ms + SCAN_RETRY_MS;
            return;
        }
        if (fork_step(engine)) {
            engine->work_left = engine->work_left || engine->now_ms >= scan->retry_at_ms;
            return;
        }
        scan->past = 0;
        scan_until(engine);
        scan_series(engine);
    }
    for (int i = 0; i < SCAN_STEPS && scan->state > SCAN_FORK; i++) { /* it may begin again */
        if (!scan_step(engine)) {
            return;
        }
    }
    engine->work_left = true;
}

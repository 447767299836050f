/* scan.c - before anything is read for sending: the series of the newest checkpoint, then those of
 * the segments up to where the domains start. On the way every saved place is verified by its
 * ordinal and the CRC of the record before it. The same pass serves the start and a new generation
 * (repair, restore, emptied directory). */
#include "internal.h"

#include <errno.h>

enum { SCAN_STEPS = 4096, SCAN_RETRY_MS = 100 };

static void scan_tail(struct engine *engine, struct tail *tail)
{
    if (engine->scan.tail != NULL) {
        tail_free(engine->scan.tail);
    }
    engine->scan.tail = tail;
}

/* A record whose definitions belong there. */
static void scan_define(struct engine *engine, const struct tail_out *out,
                        const struct position *place)
{
    uint64_t items;
    if (wal_record_type(out->record) == WAL_SERIES && wal_record_check(out->record, &items)) {
        series_apply(engine, out, place, NULL);
    } else if (wal_record_type(out->record) == WAL_METADATA) {
        metadata_record(engine, out->record, place);
    }
}

static void scan_take(struct engine *engine, const struct tail_out *out, const struct position *at)
{
    struct position common = past_common(engine, at);
    scan_define(engine, out, wal_record_type(out->record) == WAL_SERIES ? &common : at);
}

/* Does anybody go on before the end of what the checkpoint replaces? Then refs that it lacks were
 * not collected (collect.c), and what it lacks may be needed. */
static bool is_needed_below(const struct engine *engine, uint32_t checkpoint)
{
    struct position behind = {.generation = waldir_generation(engine->dir),
                              .segment = checkpoint + 1};
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            const struct domain *domain = destination->domains[k];
            bool placed = domain->anchor == ANCHOR_MARK || domain->anchor == ANCHOR_PLACED;
            if (domain->anchor == ANCHOR_OLDEST ||
                (placed && position_before(&domain->next.at, &behind))) {
                return true;
            }
        }
    }
    return false;
}

static void scan_checkpoint(struct engine *engine, uint32_t number)
{
    engine->scan.state = SCAN_CHECKPOINT;
    engine->scan.checkpoint = number;
    scan_tail(engine, tail_new_checkpoint(engine->dir, number));
}

/* While Prometheus deletes what a checkpoint replaces, the one before is there, too. It defines
 * what the newer one lacks, and a place may lie behind items of that; where the spool has kept all
 * of it already, nobody needs it. */
static void scan_live(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    uint32_t number;
    uint32_t below;
    scan->has_last = false;
    scan->has_damage = false;
    if (waldir_checkpoint(engine->dir, &number)) {
        bool both = waldir_checkpoint_below(engine->dir, &below) && !scan->below_gone &&
                    !engine->snapshots.has_base && is_needed_below(engine, number);
        scan_checkpoint(engine, both ? below : number);
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
        scan->has_last = false;
        scan->has_damage = false;
        scan_tail(engine, tail_new(engine->pins.pasts[scan->past].dir));
    } else {
        scan_live(engine);
    }
}

static void scan_begin(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    scan->has_last = false;
    scan->has_damage = false;
    fork_end(engine);
    scan->past = 0;
    scan->complete = 0;
    scan->proven = 0;
    scan->state = SCAN_LOOK;
}

/* What was kept of series, file by file; only at the start, since then the table has it. */
static void scan_series(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    struct waldir *dir;
    struct err err = {0};
    if (!snapshot_open(engine, scan->series, &dir, &scan->series_at, &err)) {
        LOG_WARN("what was kept of series can't be read, trying again", LOG_STR("err", err.text));
        scan->retry_at_ms = engine->now_ms + RETRY_IO_MS;
        scan_begin(engine);
        return;
    }
    scan_tail(engine, dir == NULL ? NULL : tail_new(dir));
    waldir_free(scan->series_dir);
    scan->series_dir = dir;
    if (dir != NULL) {
        scan->state = SCAN_SERIES;
    } else {
        scan_past(engine);
    }
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

/* Do segments lack below this one, of whose definitions not all are kept? Below the first one that
 * is left, of those that came behind what is kept. */
static bool is_gap(const struct engine *engine, const struct waldir *dir, size_t index)
{
    const struct snapshots *snapshots = &engine->snapshots;
    const struct position *covered = &snapshots->covered;
    struct position at = {.generation = waldir_generation(dir),
                          .segment = waldir_at(dir, index)->number};
    bool kept = !position_before(covered, &at) || !position_before(&snapshots->gapped, &at);
    if (snapshots->has_base && kept) {
        return false;
    }
    return index > 0 ? waldir_at(dir, index - 1)->number + 1 < at.segment
                     : snapshots->has_base && covered->generation == at.generation;
}

/* The segment behind the lowest gap; 0: there is none. */
static uint32_t gap_end(const struct engine *engine, const struct waldir *dir)
{
    for (size_t i = 0; dir != NULL && i < waldir_count(dir); i++) {
        if (is_gap(engine, dir, i)) {
            return waldir_at(dir, i)->number;
        }
    }
    return 0;
}

/* Where the definitions of the checkpoint belong: as early as can be, unless there are older ones
 * that they must not hide or replace. Behind a gap nobody else has those that were made in it; else
 * what is kept needs none of them, and they may be another life's: that its segments were common is
 * only told as long as they are there. Never below what is kept: they would be taken for a part of
 * it, and go with this life. */
static struct position checkpoint_place(struct engine *engine)
{
    const struct pins *pins = &engine->pins;
    const struct snapshots *snapshots = &engine->snapshots;
    uint32_t now = waldir_generation(engine->dir);
    uint32_t oldest = pins->pasts_count > 0 ? pins->pasts[0].generation : now;
    struct position own = {now, engine->scan.checkpoint, UINT32_MAX, 0};
    struct position at = past_common(engine, &own);
    uint32_t ends[] = {gap_end(engine, engine->dir),
                       gap_end(engine, dir_of(engine, at.generation))};
    if (!snapshots->has_base && at.generation == oldest) {
        return (struct position){0};
    }
    if (snapshots->has_base && ends[0] == 0 && ends[1] == 0) {
        return own;
    }
    for (size_t i = 0; i < 2; i++) {
        at.segment = ends[i] > 0 && ends[i] - 1 < at.segment ? ends[i] - 1 : at.segment;
    }
    return snapshots->has_base && position_before(&at, &snapshots->covered) ? snapshots->covered
                                                                            : at;
}

/* A place in an earlier generation needs no search: the pins are its own files. Its offset is kept,
 * since bytes below it may be damaged by now, and then records can't be counted up to it. */
static void scan_place_past(struct engine *engine, struct domain *domain)
{
    if (domain->anchor != ANCHOR_MARK || !past_has(engine, &domain->next.at)) {
        return;
    }
    domain->anchor = ANCHOR_PLACED;
    domain->doubting = true;
    trace_line(engine, "%s: goes on in generation %u, segment %u record %u",
               domain->destination->conf->name, domain->next.at.generation, domain->next.at.segment,
               domain->next.at.record);
}

/* False: what there is can't be told for now. Whoever looked for his place in a part of it would
 * take the rest for deleted. */
static bool scan_looks(struct engine *engine)
{
    if (!engine->looked) {
        engine->scan.retry_at_ms = engine->refresh_at_ms;
        return false;
    }
    if (!pasts_look(engine)) {
        engine->scan.retry_at_ms = engine->now_ms + RETRY_IO_MS;
        return false;
    }
    engine->scan.state = SCAN_FORK;
    return true;
}

/* Once it is known what is left of earlier generations. */
static void scan_places_past(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            past_oldest(engine, destination->domains[k]);
            scan_place_past(engine, destination->domains[k]);
        }
        past_align(engine, destination);
    }
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
    engine->scan.below_gone = false;
    engine->scan.again = false;
    scan_begin(engine);
}

void scan_again(struct engine *engine)
{
    ASSERT(engine->scan.state == SCAN_DONE);
    engine->scan.until = (struct position){0}; /* all have their places */
    engine->scan.tries = 0;
    engine->scan.below_gone = false;
    engine->scan.again = true;
    engine->work_left = true;
    scan_begin(engine);
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
    if (!engine->scan.second && !proof_holds(engine)) {
        places_anew(engine);
        return;
    }
    engine->scan.state = SCAN_DONE;
    if (engine->scan.again) {
        scan_unpark(engine);
    }
    engine->scan.second = false;
    engine->generation_proven = true;
    pins_placed(engine);
    engine->pins.look = true; /* they waited for that */
    engine->scan.waiting = false;
    scan_tail(engine, NULL);
    LOG_INFO("series loaded", LOG_U64("refs", series_refs(engine->series)),
             LOG_U64("sets", labels_sets(engine->labels)));
    readers_place(engine);
    engine->work_left = true;
}

/* It is the one before the newest that is read. */
static bool is_below(const struct engine *engine, uint32_t *newest)
{
    return waldir_checkpoint(engine->dir, newest) && engine->scan.checkpoint < *newest;
}

static void scan_failed(struct engine *engine, const struct err *err)
{
    struct scan *scan = &engine->scan;
    bool changed;
    bool replaced;
    struct err ignored;
    uint32_t newest;
    LOG_WARN("reading the series failed, trying again", LOG_STR("err", err->text),
             LOG_U64("tries", scan->tries));
    bool is_checkpoint = scan->state == SCAN_CHECKPOINT;
    scan->tries++;
    /* the one below is half deleted, perhaps, and so for as long as Prometheus is away */
    scan->below_gone =
        scan->below_gone || (is_checkpoint && is_below(engine, &newest) && err->code != EIO);
    scan->retry_at_ms = engine->now_ms + (scan->tries < SCAN_TRIES_MAX ? 10 : RETRY_IO_MS);
    /* a checkpoint that vanished has a successor: look again */
    if (waldir_refresh(engine->dir, &changed, &replaced, &ignored)) {
        scan_begin(engine);
    }
}

static void checkpoint_end(struct engine *engine)
{
    uint32_t newest;
    if (is_below(engine, &newest)) {
        scan_checkpoint(engine, newest);
        return;
    }
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
        scan_define(engine, out, &place);
    } else if (status == TAIL_DAMAGE) {
        LOG_ERROR("damaged bytes in the checkpoint: items of series that only it has are lost",
                  LOG_U64("checkpoint", engine->scan.checkpoint),
                  LOG_U64("bytes", out->damage_bytes), LOG_STR("why", out->damage_text));
    } else if (status == TAIL_WAIT) {
        checkpoint_end(engine);
    }
}

/* Where the tail was before it gave this. */
static struct mark scan_mark(const struct scan *scan, enum tail_status status,
                             const struct tail_out *out)
{
    struct mark here = {out->at, out->offset, out->previous_crc};
    if (status == TAIL_WAIT) {
        tail_mark(scan->tail, &here.at, &here.offset, &here.previous_crc);
    }
    return here;
}

static void scan_passed(struct scan *scan, const struct tail_out *out)
{
    scan->has_last = true;
    scan->last_segment = out->at.segment;
    scan->last_records = out->at.record + 1;
    scan->last_crc = out->crc;
    tail_mark(scan->tail, &scan->behind.at, &scan->behind.offset, &scan->behind.previous_crc);
}

static void scan_damaged(struct scan *scan, const struct position *at)
{
    scan->has_damage = true;
    scan->damaged_segment = at->segment;
}

static void scan_past_step(struct engine *engine, enum tail_status status,
                           const struct tail_out *out)
{
    struct scan *scan = &engine->scan;
    if (status == TAIL_RECORD || status == TAIL_WAIT) {
        struct mark here = scan_mark(scan, status, out);
        places_find_past(engine, &here, status == TAIL_WAIT);
    }
    if (status == TAIL_DAMAGE) {
        scan_damaged(scan, &out->at);
    }
    if (scan_take_old(engine, status, out, &out->at)) {
        scan->past++;
        scan_past(engine);
    } else if (status == TAIL_RECORD) {
        scan_passed(scan, out);
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
        scan_past_step(engine, status, &out);
        return true;
    }
    if (scan->state == SCAN_CHECKPOINT) {
        checkpoint_step(engine, status, &out);
        return true;
    }
    if (status == TAIL_DAMAGE) {
        struct mark start = {.at = {.generation = out.at.generation, .segment = out.at.segment}};
        if (!places_find(engine, &start, false)) { /* who goes on there must meet it */
            return true;
        }
        scan->has_damage = true;
        scan->damaged_segment = out.at.segment;
    }
    if (status != TAIL_RECORD && status != TAIL_WAIT) {
        return true; /* gaps are told when a cursor meets them, as damage is */
    }
    struct mark here = scan_mark(scan, status, &out);
    if (!places_find(engine, &here, status == TAIL_WAIT)) {
        return true;
    }
    bool placed = places_found(engine);
    if (placed && (status == TAIL_WAIT || !position_before(&here.at, &scan->until))) {
        scan_finish(engine);
        return false;
    }
    if (status == TAIL_WAIT) { /* place_waits */
        ASSERT(scan->waiting);
        scan->retry_at_ms = engine->now_ms + SCAN_RETRY_MS;
        return false;
    }
    scan_passed(scan, &out);
    scan_take(engine, &out, &out.at);
    return true;
}

/* Who reads an earlier generation goes on at the fork: up to there the series are wanted now. And
 * up to what lanes have settled beyond the marks the segments must prove that they are the same. */
static void scan_until(struct engine *engine)
{
    const struct pins *pins = &engine->pins;
    struct position top;
    engine->scan.until = (struct position){0};
    for (size_t i = 0; i < pins->pasts_count; i++) {
        uint32_t crc;
        struct position next = past_next(engine, pins->pasts[i].generation, &crc);
        engine->scan.until =
            position_before(&engine->scan.until, &next) ? next : engine->scan.until;
    }
    if (pins->pasts_count > 0) {
        engine->collect.own_from = engine->scan.until;
    }
    if (proof_top(engine, &top) && position_before(&engine->scan.until, &top)) {
        engine->scan.until = top;
    }
}

void scan_run(struct engine *engine)
{
    struct scan *scan = &engine->scan;
    if (scan->state == SCAN_DONE || engine->now_ms < scan->retry_at_ms) {
        return;
    }
    if (scan->state == SCAN_LOOK && !scan_looks(engine)) {
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
        scan_places_past(engine);
        scan_until(engine);
        scan_series(engine);
    }
    for (int i = 0; i < SCAN_STEPS && scan->state > SCAN_FORK; i++) { /* it may begin again */
        if (!scan_step(engine)) {
            return;
        }
    }
    engine->work_left = engine->work_left || engine->now_ms >= scan->retry_at_ms;
}

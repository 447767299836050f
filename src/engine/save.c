/* save.c - what is settled becomes durable: counters, watermarks, lane positions, segment
 * identities and ledger rows of all destinations, in one commit (I3). The commit is built from the
 * state as it is; a failed one is simply followed by the next, which says the newest state again.
 */
#include "internal.h"

enum { SAVE_RETRY_MS = 1000 };

struct rows {
    struct store_destination *destinations;
    struct store_watermark *watermarks;
    struct store_lane *lanes;
    struct store_loss *losses;
    struct store_quota *quotas;
    size_t destinations_count, watermarks_count, lanes_count, losses_count;
};

/* Before every domain has its place there is nothing true to say about it; nor about lanes that may
 * be of any of them. */
static bool all_known(const struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            enum anchor anchor = destination->domains[k]->anchor;
            if (anchor == ANCHOR_OLDEST || anchor == ANCHOR_NOW) {
                return false;
            }
        }
        if (destination->unsorted) {
            return false;
        }
    }
    return true;
}

static void lanes_all_dirty(struct destination *destination)
{
    for (size_t i = 0; i < LANES_COUNT; i++) {
        destination->lanes[i].dirty = true;
    }
}

static void rows_lanes(struct destination *destination, struct rows *rows)
{
    struct position caps[DOMAINS_MAX];
    bool has_cap[DOMAINS_MAX] = {false};
    for (size_t i = 0; i < destination->domains_count; i++) {
        has_cap[i] = domain_cap(destination->domains[i], &caps[i]); /* a walk along the ring */
    }
    for (uint16_t i = 0; i < LANES_COUNT; i++) {
        struct lane *lane = &destination->lanes[i];
        const struct domain *domain = destination->domains[lane->domain];
        const struct position *cap = &caps[lane->domain];
        /* while parked items are open every lane is written, so that none is ahead of them (I1) */
        bool capped = has_cap[lane->domain];
        if (!lane->dirty && !capped) {
            continue;
        }
        struct store_lane *row = &rows->lanes[rows->lanes_count++];
        *row = (struct store_lane){.destination = destination->conf->name,
                                   .lane = i,
                                   .domain = domain->key,
                                   .settled = lane->settled,
                                   .newest_ms = lane->newest_ms,
                                   .mixed = lane_mixed(domain, lane)};
        lane->dirty = capped; /* the true place is still to be written */
        if (capped && position_before(cap, &row->settled)) {
            /* what an earlier life saved stays true, though its parked items are parked again */
            row->settled = position_before(cap, &lane->resumed) ? lane->resumed : *cap;
        }
    }
}

/* Until all that earlier lives may have sent is settled. */
static void relaid_look(struct destination *destination)
{
    bool settled = true;
    for (size_t i = 0; i < destination->domains_count; i++) {
        const struct domain *domain = destination->domains[i];
        struct mark mark;
        domain_watermark(domain, &mark);
        settled = settled && !domain->doubting && !position_before(&mark.at, &domain->doubt_end);
    }
    destination->relaid = destination->relaid && !settled;
    snprintf(destination->saved_fingerprint, sizeof destination->saved_fingerprint, "%s%s",
             destination->fingerprint, destination->relaid ? "+" : "");
}

static void rows_destination(struct destination *destination, struct rows *rows)
{
    relaid_look(destination);
    if (destination->discard_lanes) {
        lanes_all_dirty(destination);
    }
    struct store_destination *row = &rows->destinations[rows->destinations_count++];
    *row = (struct store_destination){.name = destination->conf->name,
                                      .fingerprint = destination->saved_fingerprint,
                                      .first_start_ms = destination->first_start_ms,
                                      .start_from_ms = destination->start_from_ms,
                                      .replaces = destination->discard_lanes};
    destination->discarding = destination->discard_lanes;
    memcpy(row->counts, destination->counts, sizeof row->counts);
    /* what is pending will be read again after a restart */
    row->counts[STORE_READ] = row->counts[STORE_ACKED] + row->counts[STORE_ALREADY_THERE] +
                              row->counts[STORE_DROPPED] + row->counts[STORE_LOST];
    for (size_t i = 0; i < destination->domains_count; i++) {
        struct mark mark;
        domain_watermark(destination->domains[i], &mark);
        rows->watermarks[rows->watermarks_count++] =
            (struct store_watermark){destination->conf->name, destination->domains[i]->key, mark.at,
                                     mark.offset, mark.previous_crc};
    }
    rows_lanes(destination, rows);
    for (size_t i = 0; i < destination->losses_count; i++) {
        rows->losses[rows->losses_count++] = destination->losses[i];
    }
}

/* Of the places to be saved. */
static uint32_t oldest_generation(const struct rows *rows)
{
    uint32_t oldest = UINT32_MAX;
    for (size_t i = 0; i < rows->watermarks_count; i++) {
        uint32_t generation = rows->watermarks[i].at.generation;
        oldest = generation < oldest ? generation : oldest;
    }
    return oldest;
}

static uint32_t newest_generation(const struct rows *rows)
{
    uint32_t newest = 0;
    for (size_t i = 0; i < rows->watermarks_count; i++) {
        uint32_t generation = rows->watermarks[i].at.generation;
        newest = generation > newest ? generation : newest;
    }
    return newest;
}

/* Below it no segment comes back in this life of the WAL: Prometheus deletes what a checkpoint
 * replaces. What is missing without one is being written anew (a repair), and will have to be known
 * again. */
static uint32_t first_needed(const struct waldir *dir)
{
    uint32_t first = waldir_at(dir, 0)->number;
    uint32_t checkpoint;
    if (!waldir_checkpoint(dir, &checkpoint)) {
        return 0;
    }
    return checkpoint < first ? checkpoint + 1 : first;
}

/* Identities of the segments that a saved place may lie in. While a scan runs nothing is forgotten:
 * what is there now may not be what the places are of. */
static void rows_segments(struct engine *engine, const struct rows *rows,
                          struct store_commit *commit)
{
    uint32_t newest = newest_generation(rows);
    segments_take(engine);
    if (engine->scan.state == SCAN_DONE && waldir_count(engine->dir) > 0) {
        uint32_t oldest = oldest_generation(rows);
        newest = waldir_generation(engine->dir);
        commit->has_segments_before = true;
        commit->segments_before = (struct position){
            .generation = oldest, .segment = oldest == newest ? first_needed(engine->dir) : 0};
        segments_forget(engine, &commit->segments_before);
    }
    commit->segments = engine->segments;
    commit->segments_count = segments_up_to(engine, newest);
}

static void rows_init(const struct engine *engine, struct rows *rows)
{
    size_t domains = 0;
    size_t losses = 0;
    for (size_t i = 0; i < engine->destinations_count; i++) {
        domains += engine->destinations[i].domains_count;
        losses += engine->destinations[i].losses_count;
    }
    *rows = (struct rows){0};
    rows->destinations = mem_new(engine->destinations_count + 1, sizeof *rows->destinations);
    rows->watermarks = mem_new(domains + 1, sizeof *rows->watermarks);
    rows->lanes = mem_new(engine->destinations_count * LANES_COUNT + 1, sizeof *rows->lanes);
    rows->quotas = mem_new(engine->quotas_count + 1, sizeof *rows->quotas);
    rows->losses = mem_new(losses + 1, sizeof *rows->losses);
}

static void rows_release(struct rows *rows)
{
    mem_free(rows->destinations);
    mem_free(rows->watermarks);
    mem_free(rows->lanes);
    mem_free(rows->quotas);
    mem_free(rows->losses);
}

/* The place before which nobody needs the WAL, once these rows are durable. */
static struct position rows_low(const struct rows *rows)
{
    struct position low = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < rows->watermarks_count; i++) {
        if (position_before(&rows->watermarks[i].at, &low)) {
            low = rows->watermarks[i].at;
        }
    }
    return low;
}

static void losses_release(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            ledger_release(engine, destination->domains[k]);
        }
    }
}

static void save_start(struct engine *engine)
{
    struct rows rows;
    losses_release(engine);
    rows_init(engine, &rows);
    for (size_t i = 0; i < engine->destinations_count; i++) {
        rows_destination(&engine->destinations[i], &rows);
        engine->committing_losses[i] = engine->destinations[i].losses_count;
    }
    struct store_commit commit = {.destinations = rows.destinations,
                                  .destinations_count = rows.destinations_count,
                                  .watermarks = rows.watermarks,
                                  .watermarks_count = rows.watermarks_count,
                                  .lanes = rows.lanes,
                                  .lanes_count = rows.lanes_count,
                                  .losses = rows.losses,
                                  .losses_count = rows.losses_count,
                                  .quotas = rows.quotas,
                                  .quotas_count = quotas_rows(engine, rows.quotas),
                                  .quotas_before_ms = quotas_before(engine),
                                  .adopt_old = engine->adopting ? engine->options.adopt_old : NULL,
                                  .adopt_new = engine->adopting ? engine->options.adopt_new : NULL,
                                  .forget = engine->forget};
    rows_segments(engine, &rows, &commit);
    engine->commits_built++;
    engine->committing = engine->store->commit(engine->store, &commit);
    ASSERT(engine->committing); /* only one is ever under way */
    engine->pins.committing_low = rows_low(&rows);
    engine->dirty = false;
    rows_release(&rows);
    trace_line(engine, "commit");
}

static void losses_durable(struct destination *destination, size_t count)
{
    ASSERT(count <= destination->losses_count);
    if (count == 0) {
        return; /* there may be no array yet */
    }
    for (size_t i = 0; i < count; i++) {
        mem_free((void *)(uintptr_t)destination->losses[i].detail);
    }
    destination->losses_count -= count;
    memmove(destination->losses, destination->losses + count,
            destination->losses_count * sizeof *destination->losses);
}

static void save_succeeded(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        losses_durable(destination, engine->committing_losses[i]);
        if (destination->discarding) {
            destination->discarding = false;
            destination->discard_lanes = false;
            destination->rules_new = false;
        }
        engine->dirty = engine->dirty || destination->discard_lanes;
    }
    engine->forget = NULL;
    engine->adopting = false;
    engine->commits++;
    engine->commits_durable = engine->commits_built;
    engine->pins.low = engine->pins.committing_low;
    engine->pins.has_low = true;
    engine->pins.look = true;
    if (engine->save_failures > 0) {
        LOG_INFO("the state is saved again", LOG_U64("failures", engine->save_failures));
    }
    engine->save_failures = 0;
}

void save_results(struct engine *engine)
{
    bool ok;
    struct err err = {0};
    if (!engine->committing || !engine->store->next_result(engine->store, &ok, &err)) {
        return;
    }
    engine->committing = false;
    quotas_saved(engine, ok);
    if (ok) {
        trace_line(engine, "commit is durable");
        save_succeeded(engine);
        return;
    }
    trace_line(engine, "commit failed");
    engine->commit_failures++;
    engine->save_failures++;
    engine->dirty = true;
    for (size_t i = 0; i < engine->destinations_count; i++) {
        lanes_all_dirty(&engine->destinations[i]);
        engine->destinations[i].rules_new = false; /* shipping goes on */
    }
    engine->commit_at_ms = engine->now_ms + SAVE_RETRY_MS;
    LOG_ERROR(
        "the state can't be saved; shipping goes on, a crash now would send again what was sent since",
        LOG_STR("err", err.text), LOG_U64("failures", engine->save_failures));
}

bool save_clean(const struct engine *engine)
{
    return !engine->dirty && !engine->committing && engine->save_failures == 0;
}

void save_run(struct engine *engine)
{
    bool last = engine->stopping ? send_idle(engine) : engine_settled(engine);
    bool due = engine->now_ms >= engine->commit_at_ms || (last && engine->save_failures == 0);
    if (engine->committing || !engine->dirty || !due || !all_known(engine)) {
        return;
    }
    engine->commit_at_ms = engine->now_ms + COMMIT_INTERVAL_MS;
    save_start(engine);
}

/* rewind.c - other domains for the same lanes: placement changed, or the endpoints of a pinned
 * destination did. What a restart would do from the saved state is done from the live one: each
 * lane goes on where it is settled, each domain reads from where the oldest of its lanes was. Items
 * that wait are read again, nothing that was settled is sent again, and since nothing may be in
 * flight, order holds (I2). */
#include "internal.h"

struct bases {
    struct mark mark[DOMAINS_MAX]; /* of the domains of before */
    struct position cap[DOMAINS_MAX];
    bool has_cap[DOMAINS_MAX];
    enum anchor anchor[DOMAINS_MAX];
    bool doubting; /* of any of them */
    struct position doubt_end;
};

static void later(struct position *at, const struct position *other)
{
    *at = position_before(at, other) ? *other : *at;
}

/* What two lives of the WAL have in common is read in the earlier one: only there it is known which
 * of two places is the earlier. */
static struct mark mark_of(struct engine *engine, const struct domain *domain)
{
    struct mark mark;
    domain_watermark(domain, &mark);
    struct position at = past_common(engine, &mark.at);
    const struct waldir *dir = dir_of(engine, at.generation);
    bool there = dir != NULL && waldir_find(dir, at.segment) != NULL;
    if (at.generation != mark.at.generation && there) {
        mark.at = at;
        mark.offset = TAIL_OFFSET_UNKNOWN;
    }
    return mark;
}

/* Any of them may have had the items of a lane. */
static void bases_level(struct bases *bases, size_t count)
{
    struct mark earliest = bases->mark[0];
    for (size_t i = 1; i < count; i++) {
        earliest = position_before(&bases->mark[i].at, &earliest.at) ? bases->mark[i] : earliest;
    }
    for (size_t i = 0; i < count; i++) {
        bases->mark[i] = earliest;
    }
}

static void bases_take(struct engine *engine, const struct destination *destination,
                       struct bases *bases)
{
    *bases = (struct bases){0};
    for (size_t i = 0; i < destination->domains_count; i++) {
        struct domain *domain = destination->domains[i];
        ledger_release(engine, domain); /* what its place passes is not met again */
        bases->mark[i] = mark_of(engine, domain);
        bases->has_cap[i] = domain_cap(domain, &bases->cap[i]);
        bases->cap[i] = past_common(engine, &bases->cap[i]);
        bases->anchor[i] = domain->anchor;
        bases->doubting = bases->doubting || domain->doubting;
        later(&bases->doubt_end, &domain->next.at);
        later(&bases->doubt_end, &domain->doubt_end);
    }
    if (destination->unsorted) {
        bases_level(bases, destination->domains_count);
    }
}

/* What was read may have been sent, whether or not its end is known: a receiver that has it already
 * is to be believed. */
static void domains_doubt(struct destination *destination, const struct bases *bases)
{
    for (size_t i = 0; i < destination->domains_count; i++) {
        destination->domains[i]->doubting = bases->doubting;
        destination->domains[i]->doubt_end = bases->doubt_end;
    }
}

/* As save.c has it: not beyond what is parked, not before what an earlier life saved. */
static void lane_settle(const struct engine *engine, struct lane *lane, const struct bases *bases)
{
    uint16_t domain = lane->domain;
    const struct position *base = &bases->mark[domain].at;
    lane->settled = past_common(engine, &lane->settled);
    lane->resumed = past_common(engine, &lane->resumed);
    if (bases->has_cap[domain] && position_before(&bases->cap[domain], &lane->settled)) {
        const struct position *cap = &bases->cap[domain];
        lane->settled = position_before(cap, &lane->resumed) ? lane->resumed : *cap;
    }
    if (position_before(&lane->settled, base)) {
        lane->settled = *base;
    }
    lane->resumed = lane->settled;
    lane->dirty = true;
}

static void domain_base(struct domain *domain, const struct bases *bases, uint16_t from)
{
    bool first = domain->anchor == ANCHOR_OLDEST; /* of its lanes: as it was made */
    if (first || position_before(&bases->mark[from].at, &domain->next.at)) {
        domain->next = bases->mark[from];
        domain->anchor = bases->anchor[from];
    }
}

/* What was read of an earlier generation may be open still while its files are gone, or are called
 * by a later one. */
static bool is_lost(const struct engine *engine, const struct position *at)
{
    return at->generation != waldir_generation(engine->dir) && !past_has(engine, at);
}

bool rewind_compares(struct engine *engine, const struct destination *destination)
{
    bool lost = false;
    ASSERT(engine->scan.state == SCAN_DONE);
    for (size_t i = 0; i < destination->domains_count; i++) {
        struct mark mark = mark_of(engine, destination->domains[i]);
        lost = lost || is_lost(engine, &mark.at);
    }
    return !lost || destination->domains_count == 1;
}

/* The place is looked for as after a restart. */
static void places_check(struct engine *engine, const struct destination *destination)
{
    bool lost = false;
    for (size_t i = 0; i < destination->domains_count; i++) {
        ASSERT(destination->domains[i]->anchor == ANCHOR_PLACED);
        lost = lost || is_lost(engine, &destination->domains[i]->next.at);
    }
    if (lost) {
        scan_start(engine);
    }
}

void rewind_destination(struct engine *engine, struct destination *destination,
                        const struct conf_destination *conf, const struct conf *all)
{
    struct bases bases;
    struct domain *before[DOMAINS_MAX];
    size_t before_count = destination->domains_count;
    ASSERT(refit_idle(destination) && engine->scan.state == SCAN_DONE);
    metadata_recall(engine, destination);
    refit_undo(engine, destination);
    bases_take(engine, destination, &bases);
    memcpy(before, destination->domains, before_count * sizeof(struct domain *));
    for (size_t i = 0; i < before_count; i++) {
        ASSERT(destination->counts[STORE_READ] >= before[i]->pending);
        destination->counts[STORE_READ] -= before[i]->pending;
    }
    mem_free(destination->newest_ms); /* what was judged is read and judged again */
    destination->newest_ms = NULL;
    destination->newest_count = 0;
    for (size_t i = 0; i < LANES_COUNT; i++) {
        struct lane *lane = &destination->lanes[i];
        lane->mixed_before = lane_mixed(before[lane->domain], lane);
        lane_clear(engine, lane);
        lane->endpoint = lane->home; /* nothing is lent any more */
        lane_settle(engine, lane, &bases);
    }
    refit_senders(engine, destination, conf, all);
    domains_init(destination);
    for (size_t i = 0; i < LANES_COUNT; i++) {
        struct lane *lane = &destination->lanes[i];
        uint16_t from = lane->domain;
        lane->domain = conf->placement == CONF_PINNED && i < SHARDS_COUNT ? lane->home : 0;
        domain_base(destination->domains[lane->domain], &bases, from);
    }
    for (size_t i = 0; i < destination->domains_count; i++) {
        if (destination->domains[i]->anchor == ANCHOR_OLDEST) {
            domain_base(destination->domains[i], &bases, 0); /* one without a lane: anywhere */
        }
    }
    domains_doubt(destination, &bases);
    for (size_t i = 0; i < before_count; i++) {
        domain_free(before[i]);
    }
    destination->inherited = false;
    destination->unsorted = false;
    destination->discard_lanes = true;
    destination->discarding = false;
    engine->dirty = true;
    trace_line(engine, "%s: %zu domains, read again from what is settled", conf->name,
               destination->domains_count);
    places_check(engine, destination);
}

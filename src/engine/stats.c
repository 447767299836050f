/* stats.c - what the engine is doing, and the check of its invariants for tests. */
#include "internal.h"

void engine_stats(const struct engine *engine, struct engine_stats *out)
{
    *out = (struct engine_stats){.records = engine->records,
                                 .record_bytes = engine->record_bytes,
                                 .damage_bytes = engine->damage_bytes,
                                 .series = labels_sets(engine->labels),
                                 .refs = series_refs(engine->series),
                                 .commits = engine->commits,
                                 .commit_failures = engine->commit_failures,
                                 .generation = waldir_generation(engine->dir),
                                 .scanning = engine->scan.state != SCAN_DONE,
                                 .destinations_count = engine->destinations_count};
    out->spool_copies = engine->pins.links_refused;
    out->spool_bytes = budget_used(engine);
    out->spool_segments = engine->pins.count;
    out->spool_failures = engine->pins.failures;
    out->truncation_guard_ms = guard_left_ms(engine);
    out->memory_bytes = labels_bytes(engine->labels) + series_bytes(engine->series) +
                        engine->chunks * sizeof(struct chunk);
    memcpy(out->records_by_type, engine->records_by_type, sizeof out->records_by_type);
    size_t segments = waldir_count(engine->dir);
    out->newest_segment = segments > 0 ? waldir_at(engine->dir, segments - 1)->number : 0;
    for (size_t i = 0; i < engine->readers_count; i++) {
        struct position at = tail_position(engine->readers[i]->tail);
        out->segment = at.segment > out->segment ? at.segment : out->segment;
    }
}

static void domain_stats(const struct engine *engine, const struct domain *domain,
                         struct engine_destination_stats *out)
{
    struct mark mark;
    domain_watermark(domain, &mark);
    if (domain->index == 0 || position_before(&mark.at, &out->watermark)) {
        out->watermark = mark.at;
    }
    if (domain->index == 0 || position_before(&domain->next.at, &out->reading)) {
        out->reading = domain->next.at;
    }
    out->stalls += domain->stalls;
    out->pending += domain->pending;
    out->parked += domain->parked_count;
    if (domain->reader != NULL) {
        uint64_t behind = tail_behind_bytes(domain->reader->tail);
        out->behind_bytes = behind > out->behind_bytes ? behind : out->behind_bytes;
    }
    (void)engine;
}

void engine_destination_stats(const struct engine *engine, size_t index,
                              struct engine_destination_stats *out)
{
    ASSERT(index < engine->destinations_count);
    const struct destination *destination = &engine->destinations[index];
    *out = (struct engine_destination_stats){.name = destination->conf->name,
                                             .newest_read_ms = destination->newest_read_ms,
                                             .undecodable = destination->undecodable,
                                             .out_of_order = destination->out_of_order,
                                             .case_collisions = destination->case_collisions,
                                             .kinds = destination->kinds,
                                             .endpoints_count = destination->senders_count};
    quota_stats(destination->quota, &out->quota);
    memcpy(out->counts, destination->counts, sizeof out->counts);
    memcpy(out->lost, destination->lost, sizeof out->lost);
    for (size_t i = 0; i < destination->senders_count; i++) {
        kinds_sum(&out->kinds.refused, &destination->senders[i].kinds.failed);
    }
    for (size_t i = 0; i < destination->domains_count; i++) {
        domain_stats(engine, destination->domains[i], out);
    }
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        const struct lane *lane = &destination->lanes[i];
        int64_t age = lane_age_ms(engine, destination, lane);
        out->lag_ms = age > out->lag_ms ? age : out->lag_ms;
    }
}

void endpoint_newest(const struct engine *engine, const struct destination *destination,
                     const struct sender *sender, struct engine_endpoint_stats *out)
{
    size_t index = (size_t)(sender - destination->senders);
    ASSERT(index < destination->senders_count && destination->domains_count > 0);
    const struct domain *domain = destination->domains[index % destination->domains_count];
    struct engine_kinds pending = {0};
    out->pending = 0;
    out->shards_present = 0;
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        bool present = destination->lanes[i].endpoint == index;
        if (!present) {
            continue;
        }
        const struct lane *lane = &destination->lanes[i];
        pending.exemplars += lane->exemplars;
        pending.histograms += lane->histograms;
        out->pending += lane->count;
        out->shards_present++;
    }
    pending.samples = out->pending - pending.histograms - pending.exemplars;
    out->kinds.pending = pending;
    bool behind = domain->reader == NULL || tail_behind_bytes(domain->reader->tail) > 0;
    out->newest_done_ms = out->pending == 0 ? domain->newest_read_ms : sender->newest_acked_ms;
    out->newest_due_ms = domain->newest_read_ms;
    if (behind && engine->grown_wall_ms > out->newest_due_ms) {
        out->newest_due_ms = engine->grown_wall_ms; /* what is unread may be as new as this */
    }
}

static void endpoint_token(const struct engine *engine, const struct sender *sender,
                           struct engine_endpoint_stats *out)
{
    out->has_identity = sender->identity != NULL;
    if (sender->identity == NULL) {
        return;
    }
    struct identity_status status;
    identity_status(sender->identity, engine->now_ms, &status);
    out->token_valid = status.valid;
    out->token_expires_in_ms = status.valid ? status.expires_in_ms : 0;
    out->token_age_ms = sender->token_revision > 0 ? engine->now_ms - sender->token_since_ms : 0;
}

void engine_endpoint_stats(const struct engine *engine, size_t destination_index,
                           size_t endpoint_index, struct engine_endpoint_stats *out)
{
    ASSERT(destination_index < engine->destinations_count);
    const struct destination *destination = &engine->destinations[destination_index];
    ASSERT(endpoint_index < destination->senders_count);
    const struct sender *sender = &destination->senders[endpoint_index];
    *out = (struct engine_endpoint_stats){.url = sender->conf->shown,
                                          .state = sender->endpoint.state,
                                          .last_error = sender->endpoint.last_error,
                                          .samples = sender->samples,
                                          .requests = sender->requests,
                                          .acks = sender->acks,
                                          .failures = sender->failures + sender->refusals,
                                          .retries = sender->retries,
                                          .bytes = sender->bytes,
                                          .kinds = sender->kinds,
                                          .metadata = sender->metadata,
                                          .durations = sender->durations,
                                          .in_flight = sender->endpoint.in_flight,
                                          .allowed = sender->endpoint.allowed,
                                          .slots = sender->endpoint.conf.in_flight_max,
                                          .desired = sender->demand.desired,
                                          .samples_max = sender->samples_max,
                                          .shards = sender->shards,
                                          .lending = sender->lending.state,
                                          .newest_acked_ms = sender->newest_acked_ms};
    quota_stats(sender->quota, &out->quota);
    endpoint_newest(engine, destination, sender, out);
    endpoint_token(engine, sender, out);
}

/* ---- invariants ---- */

static void check_lanes(const struct destination *destination, const struct domain *domain,
                        uint64_t *pending)
{
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        const struct lane *lane = &destination->lanes[i];
        if (lane->domain != domain->index) {
            continue;
        }
        struct lane_walk walk;
        struct mark watermark;
        domain_watermark(domain, &watermark);
        ASSERT(lane->in_flight <= lane->count);
        *pending += lane->count;
        uint32_t histograms = 0, exemplars = 0;
        lane_walk_start(&walk, lane);
        for (uint32_t k = 0; k < lane->count; k++) {
            const struct item *item = lane_walk_next(&walk);
            const struct ring_record *record = ring_of(&domain->ring, item->record);
            ASSERT(record->open > 0);                             /* I1 */
            ASSERT(!position_before(&record->at, &watermark.at)); /* I1 */
            histograms += item->kind == ITEM_HISTOGRAM;
            exemplars += item->kind == ITEM_EXEMPLAR;
        }
        ASSERT(histograms == lane->histograms && exemplars == lane->exemplars);
    }
}

static void check_batches(const struct destination *destination)
{
    uint32_t busy[SHARDS_COUNT] = {0};
    for (size_t i = 0; i < destination->senders_count; i++) {
        const struct sender *sender = &destination->senders[i];
        uint32_t sent = 0;
        for (size_t k = 0; k < sender->batches_count; k++) {
            const struct batch *batch = &sender->batches[k];
            sent += batch->state == BATCH_SENT;
            for (size_t p = 0; batch->state != BATCH_FREE && p < batch->parts_count; p++) {
                uint16_t lane = batch->parts[p].lane;
                ASSERT(busy[lane] == 0); /* I2: one batch a shard */
                busy[lane] = batch->parts[p].count;
                ASSERT(destination->lanes[lane].endpoint == i);
            }
        }
        ASSERT(sent == sender->endpoint.in_flight);
    }
    for (size_t i = 0; i < destination->retired_count; i++) {
        const struct sender *sender = destination->retired[i];
        for (size_t k = 0; k < sender->batches_count; k++) {
            const struct batch *batch = &sender->batches[k];
            for (size_t p = 0; batch->state != BATCH_FREE && p < batch->parts_count; p++) {
                ASSERT(busy[batch->parts[p].lane] == 0); /* I2 */
                busy[batch->parts[p].lane] = batch->parts[p].count;
            }
        }
    }
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        ASSERT(busy[i] == destination->lanes[i].in_flight);
    }
}

void engine_check(const struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        const uint64_t *counts = destination->counts;
        uint64_t all = 0;
        for (size_t k = 0; k < destination->domains_count; k++) {
            const struct domain *domain = destination->domains[k];
            uint64_t pending = 0;
            check_lanes(destination, domain, &pending);
            ASSERT(pending == domain->pending);
            ASSERT(pending + domain->parked_count <= PENDING_ITEMS_MAX); /* I4 */
            ASSERT(domain->parked_count <= PARKED_ITEMS_MAX);            /* I4 */
            all += pending;
        }
        ASSERT(counts[STORE_READ] == counts[STORE_ACKED] + counts[STORE_ALREADY_THERE] +
                                         counts[STORE_DROPPED] + counts[STORE_LOST] + all); /* I3 */
        check_batches(destination);
    }
}

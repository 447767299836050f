/* reader.c - readers: a tail and the domains that stand at its position. One decode serves them
 * all; a domain that is full while others are not leaves the reader and comes back with one of its
 * own, and readers that meet at a position become one. */
#include "internal.h"

struct reader *reader_new(struct engine *engine, const struct mark *at)
{
    ASSERT(engine->readers_count < READERS_MAX);
    struct reader *reader = mem_new(1, sizeof *reader);
    struct waldir *dir = dir_of(engine, at->at.generation);
    ASSERT(dir != NULL);
    reader->past = dir != engine->dir;
    reader->tail = tail_new(dir);
    struct position record = at->at;
    record.item = 0;
    tail_seek_offset(reader->tail, &record, at->offset, at->previous_crc);
    engine->readers[engine->readers_count++] = reader;
    return reader;
}

void reader_free(struct engine *engine, struct reader *reader)
{
    for (size_t i = 0; i < engine->readers_count; i++) {
        if (engine->readers[i] == reader) {
            engine->readers[i] = engine->readers[--engine->readers_count];
            break;
        }
    }
    for (size_t i = 0; i < reader->domains_count; i++) {
        reader->domains[i]->reader = NULL;
    }
    record_end(reader);
    tail_free(reader->tail);
    mem_free(reader);
}

void reader_attach(struct reader *reader, struct domain *domain)
{
    ASSERT(domain->reader == NULL && reader->domains_count < DOMAINS_MAX);
    reader->domains[reader->domains_count++] = domain;
    domain->reader = reader;
    domain->at_end = false;
}

static void reader_detach(struct reader *reader, size_t index)
{
    reader->domains[index]->reader = NULL;
    reader->domains[index] = reader->domains[--reader->domains_count];
}

void reader_leave(struct domain *domain)
{
    struct reader *reader = domain->reader;
    for (size_t i = 0; reader != NULL && i < reader->domains_count; i++) {
        if (reader->domains[i] == domain) {
            reader_detach(reader, i);
            break;
        }
    }
    ASSERT(domain->reader == NULL);
}

static struct mark reader_mark(const struct reader *reader)
{
    struct mark mark;
    tail_mark(reader->tail, &mark.at, &mark.offset, &mark.previous_crc);
    return mark;
}

/* The tail stands at a record boundary: all its domains go on from there. */
static void reader_boundary(struct engine *engine, struct reader *reader)
{
    struct mark mark = reader_mark(reader);
    for (size_t i = 0; i < reader->domains_count; i++) {
        park_enter(engine, reader->domains[i], &mark.at);
        domain_record_done(reader->domains[i], &mark);
    }
    record_end(reader);
    engine->dirty = true;
}

/* Items of unknown times where the reader stands. */
static struct loss loss_here(const struct reader *reader, enum loss_reason reason, uint64_t bytes)
{
    return (struct loss){.reason = reason,
                         .from = reader->out.at,
                         .to = reader->out.at,
                         .bytes = bytes,
                         .time_min_ms = INT64_MAX,
                         .time_max_ms = INT64_MIN};
}

static void reader_lost(struct engine *engine, struct reader *reader, enum loss_reason reason,
                        uint64_t bytes)
{
    struct loss loss = loss_here(reader, reason, bytes);
    if (reason == LOSS_TRUNCATED) {
        loss.from.segment = reader->out.gap_from;
        loss.to.segment = reader->out.gap_to;
    }
    for (size_t i = 0; i < reader->domains_count; i++) {
        struct domain *domain = reader->domains[i];
        /* an earlier life may have sent from here what shows up at the receiver only */
        domain->destination->relaid =
            domain->destination->relaid || domain_doubts(domain, &loss.from);
        ledger_defer(engine, domain, &loss);
    }
}

static void reader_gap(struct engine *engine, struct reader *reader)
{
    ASSERT(reader->out.gap_from <= reader->out.gap_to);
    LOG_ERROR("segments were deleted before they were read", LOG_U64("from", reader->out.gap_from),
              LOG_U64("to", reader->out.gap_to));
    reader_lost(engine, reader, LOSS_TRUNCATED, 0);
}

void series_apply(struct engine *engine, const struct tail_out *out, const struct position *at,
                  struct reader *reader)
{
    struct wal_series_iter iter;
    struct wal_series found;
    struct position place = *at;
    wal_series_init(&iter, out->record);
    while (wal_series_next(&iter, engine->label_room, &found)) {
        size_t count = labels_canonical(found.labels, found.labels_count);
        uint32_t set = labels_intern(engine->labels, found.labels, count);
        series_define(engine->series, found.ref, set, &place);
        place.item++;
    }
    for (size_t i = 0; reader != NULL && i < reader->domains_count; i++) {
        if (reader->domains[i]->parked_count > 0) {
            park_retry(engine, reader->domains[i], &place);
        }
    }
}

/* Who takes such items loses them; how many they are nobody knows. To the others it is nothing: so
 * they are silent about custom buckets, which Prometheus 3.0 and 3.1 wrote without their bounds. */
static void record_undecodable(struct engine *engine, struct reader *reader, enum wal_type type)
{
    struct loss loss = loss_here(reader, LOSS_DAMAGED, view_left(&reader->out.record));
    bool concerns = false;
    for (size_t i = 0; i < reader->domains_count; i++) {
        struct domain *domain = reader->domains[i];
        if (record_concerns(domain->destination, type)) {
            concerns = true;
            domain->destination->undecodable += domain->index == 0; /* it keeps the account */
            ledger_defer(engine, domain, &loss);
        }
    }
    if (concerns) {
        LOG_ERROR("a record can't be decoded, its items are lost",
                  LOG_STR("type", wal_type_name(type)), LOG_U64("segment", reader->out.at.segment),
                  LOG_U64("record", reader->out.at.record));
    }
}

static void reader_record(struct engine *engine, struct reader *reader)
{
    struct tail_out *out = &reader->out;
    engine->records++;
    engine->record_bytes += view_left(&out->record);
    enum wal_type type = wal_record_type(out->record);
    engine->records_by_type[type]++;
    bool has_items = record_has_items(type);
    uint64_t items = 0;
    if ((has_items || type == WAL_SERIES) && !wal_record_check(out->record, &items)) {
        record_undecodable(engine, reader, type);
    } else if (type == WAL_SERIES) {
        series_apply(engine, out, &out->at, reader);
    } else if (has_items && items > 0) {
        for (size_t i = 0; i < reader->domains_count; i++) {
            struct domain *domain = reader->domains[i];
            uint32_t item = domain->next.at.item; /* resumed in the middle of this record */
            park_enter(engine, domain, &out->at);
            domain->next = (struct mark){out->at, out->offset, out->previous_crc};
            domain->next.at.item = item;
        }
        record_begin(reader);
        return;
    } else if (type == WAL_METADATA) {
        metadata_record(engine, out->record, &out->at);
    } else if (type == WAL_UNKNOWN) {
        LOG_WARN(
            "a record of an unknown type is passed over; is this walship too old for this Prometheus?",
            LOG_U64("segment", out->at.segment), LOG_U64("record", out->at.record));
    }
    reader_boundary(engine, reader);
}

/* On to the next segment, in which there is nothing yet. */
static bool reader_moved(const struct reader *reader)
{
    struct position at = tail_position(reader->tail);
    return reader->domains_count > 0 && reader->domains[0]->next.at.segment != at.segment;
}

static bool reader_fetch(struct engine *engine, struct reader *reader)
{
    struct err err = {0};
    switch (tail_next(reader->tail, &reader->out, &err)) {
    case TAIL_RECORD:
        reader->at_end = false;
        reader_record(engine, reader);
        return true;
    case TAIL_WAIT:
        if (!reader->at_end || reader_moved(reader)) {
            reader->at_end = true;
            reader_boundary(engine, reader); /* the end of one segment is the start of the next */
        }
        return false;
    case TAIL_GAP:
        reader_gap(engine, reader);
        reader_boundary(engine, reader);
        scan_again(engine);
        return true;
    case TAIL_DAMAGE:
        LOG_ERROR(
            "damaged bytes in the WAL are passed over", LOG_U64("segment", reader->out.at.segment),
            LOG_U64("bytes", reader->out.damage_bytes), LOG_STR("why", reader->out.damage_text));
        engine->damage_bytes += reader->out.damage_bytes;
        reader_lost(engine, reader, LOSS_DAMAGED, reader->out.damage_bytes);
        reader_boundary(engine, reader);
        return true;
    case TAIL_FAILED:
        LOG_ERROR("the WAL can't be read, trying again", LOG_STR("err", err.text));
        engine->failed_until_ms = engine->now_ms + RETRY_IO_MS;
        return false;
    }
    ASSERT(!"tail_next gave no known status");
    return false;
}

/* May these items go on to this domain? */
static bool domain_takes(const struct domain *domain, size_t items)
{
    return domain_has_room(domain, items) && !reload_rests(domain);
}

/* False: all are full. Else those that are full leave. */
static bool reader_make_room(struct engine *engine, struct reader *reader)
{
    size_t roomy = 0;
    for (size_t i = 0; i < reader->domains_count; i++) {
        bool room = domain_takes(reader->domains[i], reader->chunk_count);
        roomy += room;
        reader->domains[i]->stalls += !room;
    }
    if (roomy == 0) {
        return false;
    }
    for (size_t i = reader->domains_count; i > 0; i--) {
        if (!domain_takes(reader->domains[i - 1], reader->chunk_count)) {
            trace_line(engine, "%s: full, rests", reader->domains[i - 1]->destination->conf->name);
            reader_detach(reader, i - 1);
        }
    }
    return true;
}

/* One step: a record, or up to DECODE_ITEMS of its items. Returns the work done, 0: nothing to do.
 */
static size_t reader_step(struct engine *engine, struct reader *reader)
{
    if (!reader->has_record) {
        return reader_fetch(engine, reader) ? 64 : 0;
    }
    if (reader->chunk_count == 0) {
        record_decode(engine, reader);
        ASSERT(reader->chunk_count > 0);
    }
    if (!reader_make_room(engine, reader)) {
        return 0;
    }
    for (size_t i = 0; i < reader->domains_count; i++) {
        domain_deliver(engine, reader->domains[i], reader);
    }
    size_t done = reader->chunk_count;
    record_decode(engine, reader);
    if (reader->chunk_count == 0) {
        reader_boundary(engine, reader);
    }
    return done;
}

/* Between records, at this very place. Its ordinal alone does not tell: records that one reader has
 * seen may be damaged by the time that another one counts. */
static bool stands_at(const struct reader *reader, const struct mark *mark)
{
    struct mark here = reader_mark(reader);
    return !reader->has_record && position_compare(&here.at, &mark->at) == 0 &&
           here.offset == mark->offset;
}

/* Readers at the same place become one. */
static void readers_merge(struct engine *engine)
{
    for (size_t i = 0; i < engine->readers_count; i++) {
        struct reader *reader = engine->readers[i];
        struct mark here = reader_mark(reader);
        for (size_t k = engine->readers_count; !reader->has_record && k > i + 1; k--) {
            struct reader *other = engine->readers[k - 1];
            if (!stands_at(other, &here)) {
                continue;
            }
            while (other->domains_count > 0) {
                struct domain *domain = other->domains[0];
                reader_detach(other, 0);
                reader_attach(reader, domain);
            }
            reader_free(engine, other);
            trace_line(engine, "readers meet at segment %u record %u", here.at.segment,
                       here.at.record);
        }
    }
}

/* What is missing between what is left of an earlier generation and where the next one is read. */
static void reader_past_gaps(struct engine *engine, struct reader *reader,
                             const struct position *next)
{
    struct position end = tail_position(reader->tail);
    uint32_t from;
    uint32_t to;
    if (past_broken_off(engine, &end, next, &from, &to)) {
        reader->out =
            (struct tail_out){.at = {.generation = end.generation}, .gap_from = from, .gap_to = to};
        reader_gap(engine, reader);
    }
    if (past_gap(engine, &end, next, &from)) {
        reader->out = (struct tail_out){
            .at = {.generation = next->generation}, .gap_from = from, .gap_to = next->segment - 1};
        reader_gap(engine, reader);
    }
}

/* All that is left of an earlier generation was read: on to the next one. */
static void reader_leave_past(struct engine *engine, struct reader *reader)
{
    struct mark next = {.offset = TAIL_OFFSET_UNKNOWN};
    struct position at = tail_position(reader->tail);
    next.at = past_next(engine, at.generation, &next.previous_crc);
    reader_past_gaps(engine, reader, &next.at);
    for (size_t i = 0; i < reader->domains_count; i++) {
        struct domain *domain = reader->domains[i];
        park_enter(engine, domain, &next.at);
        domain_record_done(domain, &next);
        trace_line(engine, "%s: goes on in generation %u, segment %u record %u",
                   domain->destination->conf->name, next.at.generation, next.at.segment,
                   next.at.record);
    }
    reader_free(engine, reader);
    engine->work_left = true;
    engine->dirty = true;
}

void readers_run(struct engine *engine)
{
    size_t budget = TURN_ITEMS_MAX;
    size_t idle = 0;
    for (size_t i = 0; engine->scan.state == SCAN_DONE && engine->readers_count > 0 && budget > 0 &&
                       idle < engine->readers_count;
         i = (i + 1) % engine->readers_count) {
        struct reader *reader = engine->readers[i % engine->readers_count];
        size_t done = reader_step(engine, reader);
        idle = done == 0 ? idle + 1 : 0;
        budget -= done < budget ? done : budget;
    }
    if (idle == 0 && engine->readers_count > 0) {
        engine->work_left = true;
    }
    if (engine->readers_count > 1) {
        readers_merge(engine);
    }
    for (size_t i = engine->readers_count; i > 0; i--) {
        struct reader *reader = engine->readers[i - 1];
        if (reader->domains_count == 0) {
            reader_free(engine, reader);
            continue;
        }
        bool at_end = reader->at_end && !reader->has_record;
        if (at_end && reader->past) {
            reader_leave_past(engine, reader);
            continue;
        }
        for (size_t k = 0; k < reader->domains_count; k++) {
            domain_at_end(reader->domains[k], at_end);
        }
    }
}

static void domain_place(struct engine *engine, struct domain *domain)
{
    for (size_t i = 0; i < engine->readers_count; i++) {
        if (stands_at(engine->readers[i], &domain->next)) {
            reader_attach(engine->readers[i], domain);
            return;
        }
    }
    if (engine->readers_count < READERS_MAX) {
        reader_attach(reader_new(engine, &domain->next), domain);
    }
}

void readers_place(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            struct domain *domain = destination->domains[k];
            /* half empty before it comes back: few decodes of the same records */
            if (domain->reader == NULL && domain->anchor == ANCHOR_PLACED &&
                !reload_rests(domain) && domain_has_room(domain, PENDING_ITEMS_MAX / 2)) {
                domain_place(engine, domain);
            }
        }
    }
}

void readers_drop_all(struct engine *engine)
{
    while (engine->readers_count > 0) {
        reader_free(engine, engine->readers[0]);
    }
}

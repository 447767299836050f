/* kinds.c - records of items, of every kind: decoded a chunk at a time into one form, and which
 * destination takes which. What nobody takes gets no payload; it is counted all the same. */
#include "internal.h"

bool record_has_items(enum wal_type type)
{
    switch (type) {
    case WAL_SAMPLES:
    case WAL_SAMPLES_V2:
    case WAL_EXEMPLARS:
    case WAL_HISTOGRAMS:
    case WAL_FLOAT_HISTOGRAMS:
    case WAL_CUSTOM_HISTOGRAMS:
    case WAL_CUSTOM_FLOAT_HISTOGRAMS:
    case WAL_HISTOGRAMS_V2:
    case WAL_FLOAT_HISTOGRAMS_V2:
        return true;
    case WAL_UNKNOWN:
    case WAL_SERIES:
    case WAL_TOMBSTONES:
    case WAL_MMAP_MARKERS:
    case WAL_METADATA:
    case WAL_TYPES:
        break;
    }
    return false;
}

static bool destination_takes(const struct destination *destination, enum item_kind kind)
{
    switch (kind) {
    case ITEM_HISTOGRAM:
        return destination->conf->send_native_histograms;
    case ITEM_EXEMPLAR:
        return destination->conf->send_exemplars;
    case ITEM_FLOAT:
    case ITEM_FLOAT_START:
    case ITEM_KINDS:
        break;
    }
    return true;
}

/* Of a record of items. */
static enum item_kind kind_of(enum wal_type type)
{
    ASSERT(record_has_items(type));
    if (type == WAL_SAMPLES || type == WAL_SAMPLES_V2) {
        return ITEM_FLOAT;
    }
    return type == WAL_EXEMPLARS ? ITEM_EXEMPLAR : ITEM_HISTOGRAM;
}

bool record_concerns(const struct destination *destination, enum wal_type type)
{
    return !record_has_items(type) || destination_takes(destination, kind_of(type));
}

void record_begin(struct reader *reader)
{
    enum wal_type type = wal_record_type(reader->out.record);
    ASSERT(!reader->has_record);
    reader->kind = kind_of(type);
    if (reader->kind == ITEM_FLOAT) {
        wal_sample_init(&reader->iter.samples, reader->out.record);
    } else if (reader->kind == ITEM_EXEMPLAR) {
        wal_exemplar_init(&reader->iter.exemplars, reader->out.record);
    } else {
        wal_histogram_init(&reader->iter.histograms, reader->out.record);
    }
    reader->wanted = false;
    for (size_t i = 0; i < reader->domains_count; i++) {
        reader->wanted =
            reader->wanted || destination_takes(reader->domains[i]->destination, reader->kind);
    }
    reader->has_record = true;
    reader->chunk_first = 0;
    reader->chunk_count = 0;
}

/* The payload's address where a float has its value; it fits: payload.c. */
static uint64_t as_bits(const struct payload *payload)
{
    return (uint64_t)(uintptr_t)payload;
}

static bool histogram_next(struct engine *engine, struct reader *reader, struct wal_sample *out)
{
    struct wal_histogram histogram;
    if (!wal_histogram_next(&reader->iter.histograms, &histogram)) {
        return false;
    }
    struct payload *payload = reader->wanted ? payload_histogram(engine, &histogram) : NULL;
    *out = (struct wal_sample){histogram.ref, histogram.t_ms, 0, as_bits(payload)};
    return true;
}

static bool exemplar_next(struct engine *engine, struct reader *reader, struct wal_sample *out)
{
    struct wal_exemplar exemplar;
    if (!wal_exemplar_next(&reader->iter.exemplars, engine->label_room, &exemplar)) {
        return false;
    }
    struct payload *payload = reader->wanted ? payload_exemplar(&exemplar) : NULL;
    *out = (struct wal_sample){exemplar.ref, exemplar.t_ms, 0, as_bits(payload)};
    return true;
}

static struct payload *chunk_payload(const struct reader *reader, size_t index)
{
    struct item item = {.kind = (uint8_t)reader->kind, .bits = reader->samples[index].bits};
    return item.bits == 0 ? NULL : item_payload(&item);
}

static void chunk_release(struct reader *reader)
{
    for (size_t i = 0; reader->kind != ITEM_FLOAT && i < reader->chunk_count; i++) {
        payload_release(chunk_payload(reader, i));
    }
    reader->chunk_count = 0;
}

static size_t chunk_of_payloads(struct engine *engine, struct reader *reader)
{
    size_t count = 0;
    size_t bytes = 0;
    while (count < DECODE_ITEMS && bytes < CHUNK_PAYLOAD_BYTES) {
        struct wal_sample *out = &reader->samples[count];
        bool more = reader->kind == ITEM_HISTOGRAM ? histogram_next(engine, reader, out)
                                                   : exemplar_next(engine, reader, out);
        if (!more) {
            break;
        }
        const struct payload *payload = chunk_payload(reader, count++);
        bytes += payload == NULL ? 0 : payload->bytes;
    }
    return count;
}

void record_decode(struct engine *engine, struct reader *reader)
{
    ASSERT(reader->has_record);
    reader->chunk_first += (uint32_t)reader->chunk_count;
    chunk_release(reader);
    reader->chunk_count =
        reader->kind == ITEM_FLOAT
            ? wal_sample_next(&reader->iter.samples, reader->samples, DECODE_ITEMS)
            : chunk_of_payloads(engine, reader);
    for (size_t i = 0; i < reader->chunk_count; i++) {
        reader->sets[i] = ref_means(engine, reader->samples[i].ref, &reader->out.at);
    }
}

void record_end(struct reader *reader)
{
    if (!reader->has_record) {
        return;
    }
    chunk_release(reader);
    if (reader->kind == ITEM_HISTOGRAM) {
        wal_histogram_release(&reader->iter.histograms);
    }
    reader->has_record = false;
}

bool kind_taken(struct engine *engine, struct domain *domain, const struct wal_sample *sample,
                struct item *item, const struct position *at)
{
    struct destination *destination = domain->destination;
    if (item->kind == ITEM_FLOAT) {
        if (sample->st_ms != 0 && destination->version == RW_2) {
            item->kind = ITEM_FLOAT_START;
            item->bits = as_bits(payload_start(sample));
        }
        return true;
    }
    if (destination_takes(destination, item->kind)) {
        destination->uncarried =
            destination->uncarried || !payload_carried(item, destination->version);
        return true;
    }
    if (domain_account(engine, domain, at, item->kind, false)) {
        destination->counts[STORE_DROPPED]++;
    }
    return false;
}

void kind_done(const struct item *item)
{
    if (item->kind == ITEM_FLOAT_START) {
        payload_release(item_payload(item));
    }
}

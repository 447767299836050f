/* payload.c - what an item of another kind than a float carries: made once when it is read, shared
 * by all destinations that queue it, gone with the last of them. Its bytes count in each domain
 * that holds it (I4). */
#include "internal.h"

static_assert(sizeof(uintptr_t) <= sizeof(uint64_t), "a payload's address fits an item's bits");

struct payload *item_payload(const struct item *item)
{
    ASSERT(item->kind != ITEM_FLOAT && item->kind < ITEM_KINDS && item->bits != 0);
    return (struct payload *)(uintptr_t)item->bits; // NOLINT(performance-no-int-to-ptr)
}

static struct payload *payload_new(size_t data_bytes)
{
    size_t bytes = sizeof(struct payload) + data_bytes;
    ASSERT(bytes <= UINT32_MAX);
    struct payload *payload = mem_new(bytes, 1);
    payload->uses = 1;
    payload->bytes = (uint32_t)bytes;
    return payload;
}

void payload_release(struct payload *payload)
{
    if (payload == NULL) {
        return;
    }
    ASSERT(payload->uses > 0);
    payload->uses--;
    if (payload->uses == 0) {
        mem_free(payload);
    }
}

/* An item that can't be sent is on its way like any other: whether its series is dropped by rule,
 * or known at all, is not to be told yet. */
static struct payload *payload_hollow(void)
{
    struct payload *payload = payload_new(0);
    payload->carrier = CARRIER_NONE;
    return payload;
}

/* The schemas between that upstream keeps for a later day (-9..-5, 9..52) have no receiver. */
static bool schema_sendable(int32_t schema)
{
    return schema == HISTOGRAM_SCHEMA_CUSTOM ||
           (schema >= HISTOGRAM_SCHEMA_MIN && schema <= HISTOGRAM_SCHEMA_MAX);
}

struct payload *payload_histogram(struct engine *engine, const struct wal_histogram *histogram)
{
    struct buf *room = &engine->payload_room;
    buf_clear(room);
    if (!schema_sendable(histogram->schema) || !rw_histogram(room, histogram)) {
        return payload_hollow();
    }
    struct payload *payload = payload_new(room->bytes);
    payload->count = (uint32_t)room->bytes;
    payload->carrier = histogram->schema == HISTOGRAM_SCHEMA_CUSTOM ? CARRIER_RW_2 : CARRIER_BOTH;
    payload->st_ms = histogram->st_ms;
    memcpy(payload->data, room->data, room->bytes);
    return payload;
}

static char *put_text(char *at, const char *bytes, uint32_t count)
{
    if (count > 0) {
        memcpy(at, bytes, count);
    }
    return at + count;
}

struct payload *payload_exemplar(const struct wal_exemplar *exemplar)
{
    size_t count = labels_canonical(exemplar->labels, exemplar->labels_count);
    size_t bytes = count * sizeof(struct label);
    for (size_t i = 0; i < count; i++) {
        bytes += (size_t)exemplar->labels[i].name_bytes + exemplar->labels[i].value_bytes;
    }
    if (bytes > PAYLOAD_BYTES_MAX) {
        return payload_hollow();
    }
    struct payload *payload = payload_new(bytes);
    payload->count = (uint32_t)count;
    payload->bits = exemplar->bits;
    struct label *labels = (struct label *)payload->data;
    char *text = (char *)(labels + count);
    for (size_t i = 0; i < count; i++) {
        labels[i] = exemplar->labels[i];
        labels[i].name = text;
        text = put_text(text, exemplar->labels[i].name, labels[i].name_bytes);
        labels[i].value = text;
        text = put_text(text, exemplar->labels[i].value, labels[i].value_bytes);
    }
    ASSERT(text == (char *)payload + payload->bytes);
    return payload;
}

struct payload *payload_start(const struct wal_sample *sample)
{
    struct payload *payload = payload_new(0);
    payload->bits = sample->bits;
    payload->st_ms = sample->st_ms;
    return payload;
}

bool payload_carried(const struct item *item, enum rw_version version)
{
    if (item->kind == ITEM_FLOAT) {
        return true;
    }
    enum carrier carrier = item_payload(item)->carrier;
    return carrier == CARRIER_BOTH || (carrier == CARRIER_RW_2 && version == RW_2);
}

struct rw_exemplar payload_as_exemplar(const struct item *item)
{
    const struct payload *payload = item_payload(item);
    ASSERT(item->kind == ITEM_EXEMPLAR);
    return (struct rw_exemplar){(const struct label *)payload->data, payload->count, item->t_ms,
                                payload->bits};
}

void payload_take(struct domain *domain, const struct item *item)
{
    struct payload *payload = item_payload(item);
    payload->uses++;
    domain->payload_bytes += payload->bytes;
}

void payload_give(struct domain *domain, const struct item *item)
{
    struct payload *payload = item_payload(item);
    ASSERT(domain->payload_bytes >= payload->bytes);
    domain->payload_bytes -= payload->bytes;
    payload_release(payload);
}

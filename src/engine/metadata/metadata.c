/* metadata.c - types and help texts of metrics, beside the samples: learned from the WAL's metadata
 * records and from Prometheus' API, sent over 1.0 in requests of their own (over 2.0 they ride on
 * each series, encode.c). Whatever fails here waits for the next round; no sample waits for it.
 *
 * Ids of these requests have the second highest bit set: the API's, and one a destination. */
#include "families.h"
#include "internal.h"

enum { API_INDEX = 0xffff, INDEX_BITS = 16, API_TIMEOUT_MS = 10000, COMPRESS_SLACK = 1 << 16 };
static const uint64_t metadata_bit = (uint64_t)1 << 62;
static_assert((int)DESTINATIONS_MAX < (int)API_INDEX, "an id names its destination");

static bool destination_wants(const struct destination *destination)
{
    return destination->version == RW_2 || destination->conf->metadata.send;
}

void metadata_recall(struct engine *engine, struct destination *destination)
{
    struct metadata_sending *sending = &destination->metadata;
    if (sending->batch.state == BATCH_SENT) {
        engine->http->cancel(engine->http, sending->batch.id);
        sending->batch.state = BATCH_FREE;
    }
    buf_release(&sending->batch.body);
    sending->sender = NULL;
}

void metadata_reconfigure(struct engine *engine)
{
    struct metadata *metadata = &engine->metadata;
    metadata->wanted = false;
    metadata->interval_ms = INT64_MAX;
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        int64_t interval_ms = destination->conf->metadata.send_interval_ms;
        int64_t due_ms = engine->now_ms + interval_ms;
        bool sooner = destination->metadata.due_ms > 0 && destination->metadata.due_ms < due_ms;
        destination->metadata.due_ms = sooner ? destination->metadata.due_ms : due_ms;
        if (destination_wants(destination)) {
            metadata->wanted = true;
            metadata->interval_ms =
                interval_ms < metadata->interval_ms ? interval_ms : metadata->interval_ms;
        }
    }
    bool asks = metadata->wanted && engine->conf->prometheus_url != NULL;
    metadata->ask_ms = asks ? engine->now_ms : INT64_MAX;
}

void metadata_open(struct engine *engine)
{
    engine->metadata.families = families_new(&engine->options.key);
    engine->metadata.renamed = families_new(&engine->options.key);
    metadata_reconfigure(engine);
}

void metadata_free(struct engine *engine)
{
    families_free(engine->metadata.families);
    families_free(engine->metadata.renamed);
    if (engine->metadata.asking) {
        engine->http->cancel(engine->http, engine->metadata.id);
    }
    for (size_t i = 0; i < engine->destinations_count; i++) {
        metadata_recall(engine, &engine->destinations[i]);
    }
}

/* ---- from the WAL ---- */

static struct rw_text name_of(const struct label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (labels[i].name_bytes == 8 && memcmp(labels[i].name, "__name__", 8) == 0) {
            return (struct rw_text){labels[i].value, labels[i].value_bytes};
        }
    }
    return (struct rw_text){"", 0};
}

/* Over 2.0 what is told of a series goes with it, whatever rules make of its name: Prometheus has
 * it by ref. Here it is known by names, so by the one that it gets too. Whatever the destination
 * speaks now: that may change while its routes stay. */
void metadata_rename(struct engine *engine, const struct destination *destination, uint32_t set,
                     const struct route *route)
{
    struct metadata *metadata = &engine->metadata;
    struct rw_metadata known;
    ASSERT(metadata->families != NULL && metadata->renamed != NULL);
    if (destination->rules->relabel_count == 0 || route->end != ROUTE_GOES || route->set == set ||
        families_count(metadata->families) == 0) {
        return;
    }
    size_t count = labels_get(engine->labels, set, engine->label_room, LABELS_COUNT_MAX);
    struct rw_text name = name_of(engine->label_room, count);
    if (!families_find(metadata->families, name, &known)) {
        return;
    }
    count = labels_get(engine->labels, route->set, engine->label_room, LABELS_FINAL_MAX);
    known.family = name_of(engine->label_room, count);
    if (known.family.count != name.count ||
        memcmp(known.family.bytes, name.bytes, name.count) != 0) {
        (void)families_put(metadata->renamed, &known);
    }
}

void metadata_record(struct engine *engine, struct view record, const struct position *at)
{
    struct wal_metadata_iter iter;
    struct wal_metadata item;
    uint64_t items;
    if (!engine->metadata.wanted || !wal_record_check(record, &items)) {
        return; /* one that can't be decoded holds no samples */
    }
    wal_metadata_init(&iter, record);
    while (wal_metadata_next(&iter, &item)) {
        uint32_t set = ref_means(engine, item.ref, at);
        if (set == LABELS_NONE) {
            continue;
        }
        size_t count = labels_get(engine->labels, set, engine->label_room, LABELS_COUNT_MAX);
        struct rw_text name = name_of(engine->label_room, count);
        struct rw_metadata metadata = {.type = item.type,
                                       .family = families_name(name, item.type),
                                       .help = {(const char *)item.help.at, view_left(&item.help)},
                                       .unit = {(const char *)item.unit.at, view_left(&item.unit)}};
        (void)families_put(engine->metadata.families, &metadata);
        for (size_t i = 0; i < engine->destinations_count; i++) {
            struct destination *destination = &engine->destinations[i];
            metadata_rename(engine, destination, set, route_of(engine, destination, set));
        }
    }
}

bool metadata_of(const struct engine *engine, const struct label *labels, size_t count,
                 struct rw_metadata *out)
{
    const struct metadata *metadata = &engine->metadata;
    struct rw_text name = name_of(labels, count);
    return (families_count(metadata->families) > 0 &&
            families_find(metadata->families, name, out)) ||
           (families_count(metadata->renamed) > 0 && families_find(metadata->renamed, name, out));
}

/* ---- from the API ---- */

static void api_ask(struct engine *engine)
{
    struct metadata *metadata = &engine->metadata;
    struct err err = {0};
    char *url = mem_format("%s/api/v1/metadata", engine->conf->prometheus_url);
    metadata->id = metadata_bit | (++engine->next_request << INDEX_BITS) | API_INDEX;
    struct http_request request = {.id = metadata->id,
                                   .method = HTTP_GET,
                                   .url = url,
                                   .timeout_ms = API_TIMEOUT_MS,
                                   .response_bytes_max = METADATA_RESPONSE_BYTES_MAX};
    metadata->asking = engine->http->post(engine->http, &request, &err);
    metadata->asked = !metadata->asking;
    metadata->ask_ms = engine->now_ms + metadata->interval_ms;
    trace_line(engine, "metadata: asks %s", engine->conf->prometheus_shown);
    mem_free(url);
}

static void api_answered(struct engine *engine, const struct http_result *result)
{
    struct metadata *metadata = &engine->metadata;
    metadata->asking = false;
    metadata->asked = true;
    bool answered = result->outcome == HTTP_ANSWERED && result->status == 200;
    if (!answered || !families_read_json(metadata->families, result->body, result->body_bytes)) {
        LOG_WARN("Prometheus' metadata can't be had, trying again later",
                 LOG_STR("prometheus_url", engine->conf->prometheus_shown),
                 LOG_I64("status", result->status));
    }
    trace_line(engine, "metadata: %zu families", families_count(metadata->families));
}

/* ---- to the destinations ---- */

/* The next families into the batch's body. */
static void batch_fill(struct engine *engine, struct destination *destination)
{
    struct metadata_sending *sending = &destination->metadata;
    const struct families *families = engine->metadata.families;
    struct buf raw;
    uint32_t count = 0;
    buf_init(&raw, BATCH_RAW_BYTES_MAX);
    buf_release(&sending->batch.body);
    buf_init(&sending->batch.body, BATCH_RAW_BYTES_MAX + BATCH_RAW_BYTES_MAX / 6 + COMPRESS_SLACK);
    while (count < destination->conf->metadata.max_samples_per_send &&
           sending->next + count < families_count(families)) {
        struct rw_metadata one = families_at(families, sending->next + count);
        if (!rw1_metadata(&raw, &one)) {
            break;
        }
        count++;
    }
    ASSERT(count > 0);
    bool fits = rw_compress(&raw, &sending->batch.body);
    ASSERT(fits);
    sending->count = count;
    sending->batch.version = RW_1;
    sending->batch.attempts = 0;
    buf_release(&raw);
}

/* An endpoint that works and has nothing better to do with its quota; NULL: none now. */
static struct sender *sender_for(const struct engine *engine, const struct destination *destination)
{
    for (size_t i = 0; i < destination->senders_count; i++) {
        struct sender *sender = &destination->senders[i];
        if (sender->endpoint.state == ENDPOINT_OPEN && auth_ready(engine, sender) &&
            quota_ready(engine, destination, sender, &destination->metadata.batch) <=
                engine->now_ms) {
            return sender;
        }
    }
    return NULL;
}

static void round_ends(struct engine *engine, struct destination *destination)
{
    destination->metadata.next = 0;
    destination->metadata.rounds++;
    destination->metadata.due_ms = engine->now_ms + destination->conf->metadata.send_interval_ms;
}

/* Also when it is sent to where an answer redirects it. */
static void batch_post(struct engine *engine, struct destination *destination)
{
    struct metadata_sending *sending = &destination->metadata;
    struct sender *sender = sending->sender;
    struct err err = {0};
    ASSERT(sender != NULL && sending->batch.state != BATCH_SENT);
    sending->batch.id = metadata_bit | (++engine->next_request << INDEX_BITS) |
                        (uint64_t)(destination - engine->destinations);
    quota_posted(engine, destination, sender, &sending->batch);
    trace_line(engine, "%s: metadata, %u families -> post", sender->conf->shown, sending->count);
    if (sender_post(engine, destination, sender, &sending->batch, &err)) {
        sending->batch.state = BATCH_SENT;
    } else {
        sending->batch.state = BATCH_FREE;
        round_ends(engine, destination);
    }
}

static void destination_send(struct engine *engine, struct destination *destination)
{
    struct metadata_sending *sending = &destination->metadata;
    size_t families = families_count(engine->metadata.families);
    if (sending->next >= families) {
        round_ends(engine, destination);
        return;
    }
    struct sender *sender = sender_for(engine, destination);
    if (sender == NULL) {
        round_ends(engine, destination);
        return;
    }
    batch_fill(engine, destination);
    sending->batch.number = engine->next_request + 1;
    sending->sender = sender;
    batch_post(engine, destination);
}

static void answer_count(const struct metadata_sending *sending, const struct http_result *result,
                         bool good)
{
    struct engine_metadata_stats *stats = &sending->sender->metadata;
    int status = result->outcome == HTTP_ANSWERED ? result->status : 0;
    bool later = status / 100 != 4 || status == 408 || status == 429;
    stats->sent += good ? sending->count : 0;
    stats->bytes += good ? sending->batch.body.bytes : 0;
    stats->retried += !good && later ? sending->count : 0;
    stats->failed += !good && !later ? sending->count : 0;
}

static void destination_answered(struct engine *engine, struct destination *destination,
                                 const struct http_result *result)
{
    struct metadata_sending *sending = &destination->metadata;
    ASSERT(sending->batch.state == BATCH_SENT && sending->batch.id == result->id);
    sending->batch.state = BATCH_READY;
    struct http_result answer = *result; /* of which a redirect may be made to say more */
    if (redirects_followed(engine, sending->sender, &sending->batch, &answer)) {
        batch_post(engine, destination);
        return;
    }
    sending->batch.state = BATCH_FREE;
    bool good = result->outcome == HTTP_ANSWERED && result->status / 100 == 2;
    trace_line(engine, "%s: metadata, %d", sending->sender->conf->shown, result->status);
    answer_count(sending, result, good);
    buf_release(&sending->batch.body);
    sending->next += sending->count;
    if (good && sending->next < families_count(engine->metadata.families)) {
        return; /* the next part at once */
    }
    if (!good) {
        LOG_WARN("metadata was not accepted, it is sent again in the next round; samples go on",
                 LOG_STR("endpoint", sending->sender->conf->shown),
                 LOG_I64("status", result->status));
    }
    round_ends(engine, destination);
}

/* ---- the engine's steps ---- */

/* --once: when the WAL is read, something in it was new, and the API has said what it knows; else
 * by the clock. */
static bool is_due(const struct engine *engine, const struct destination *destination)
{
    const struct metadata_sending *sending = &destination->metadata;
    if (!destination->conf->metadata.send || destination->version != RW_1 ||
        sending->batch.state == BATCH_SENT || engine->scan.state != SCAN_DONE ||
        reload_halts(engine, destination)) {
        return false;
    }
    if (!engine->options.once) {
        return engine->now_ms >= sending->due_ms || sending->next > 0;
    }
    bool known = engine->metadata.ask_ms == INT64_MAX || engine->metadata.asked;
    return known && engine->records > 0 && engine_settled(engine) && sending->rounds == 0;
}

void metadata_run(struct engine *engine)
{
    if (engine->stopping || !engine->metadata.wanted) {
        return;
    }
    if (engine->now_ms >= engine->metadata.ask_ms && !engine->metadata.asking) {
        api_ask(engine);
    }
    for (size_t i = 0; i < engine->destinations_count; i++) {
        if (is_due(engine, &engine->destinations[i])) {
            destination_send(engine, &engine->destinations[i]);
        }
    }
}

bool metadata_result(struct engine *engine, const struct http_result *result)
{
    if ((result->id & metadata_bit) == 0) {
        return false;
    }
    size_t index = result->id & ((1u << INDEX_BITS) - 1);
    if (index == API_INDEX) {
        api_answered(engine, result);
        return true;
    }
    ASSERT(index < engine->destinations_count);
    destination_answered(engine, &engine->destinations[index], result);
    return true;
}

int64_t metadata_deadline(const struct engine *engine)
{
    int64_t deadline = engine->metadata.asking ? INT64_MAX : engine->metadata.ask_ms;
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        if (is_due(engine, destination)) {
            return engine->now_ms;
        }
        bool waits = destination->conf->metadata.send && destination->version == RW_1 &&
                     !engine->options.once && destination->metadata.batch.state != BATCH_SENT;
        if (waits && destination->metadata.due_ms < deadline) {
            deadline = destination->metadata.due_ms;
        }
    }
    return deadline;
}

/* --once: each destination had its round. */
bool metadata_settled(const struct engine *engine)
{
    if (engine->metadata.asking) {
        return false;
    }
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        if (destination->metadata.batch.state == BATCH_SENT || is_due(engine, destination)) {
            return false;
        }
    }
    return true;
}

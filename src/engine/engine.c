/* engine.c - the engine's life and its turn, a fixed sequence of named steps. */
#include "internal.h"

enum {
    POLL_HINTED_MS = 1000,  /* look at the directory at least so often, though inotify works */
    POLL_BLIND_MS = 200,    /* without it */
    PAUSE_MS_MIN = 5000,    /* between turns: several times the longest sleep while reading */
    REFRESH_GAP_MS_MIN = 20 /* and never more often than this: appends come in bursts */
};

static void lanes_init(struct destination *destination)
{
    uint16_t home[SHARDS_COUNT];
    const struct conf_destination *conf = destination->conf;
    routing_homes(conf, home);
    for (uint16_t i = 0; i < LANES_COUNT; i++) {
        struct lane *lane = &destination->lanes[i];
        lane->dirty = true;
        lane->newest_ms = INT64_MIN;
        if (i < SHARDS_COUNT) {
            lane->home = home[i];
            lane->endpoint = home[i];
            lane->domain = conf->placement == CONF_PINNED ? home[i] : 0;
            destination->senders[home[i]].shards++;
        }
    }
}

struct domain *domain_new(struct destination *destination, size_t index, const char *key)
{
    struct domain *domain = mem_new(1, sizeof *domain);
    ASSERT(index < DOMAINS_MAX);
    domain->destination = destination;
    domain->index = (uint16_t)index;
    domain->key = mem_string(key);
    return domain;
}

void domains_init(struct destination *destination)
{
    const struct conf_destination *conf = destination->conf;
    destination->domains_count = conf->placement == CONF_PINNED ? conf->endpoints_count : 1;
    for (size_t i = 0; i < destination->domains_count; i++) {
        const char *key = conf->placement == CONF_PINNED ? conf->endpoints[i].key : "";
        destination->domains[i] = domain_new(destination, i, key);
    }
}

struct endpoint_conf sender_endpoint(const struct conf_destination *conf,
                                     const struct conf_endpoint *endpoint)
{
    uint32_t slots = conf->queue.max_shards;
    return (struct endpoint_conf){
        .min_backoff_ms = conf->queue.min_backoff_ms,
        .max_backoff_ms = conf->queue.max_backoff_ms,
        .in_flight_max = slots < REQUESTS_IN_FLIGHT_MAX ? slots : REQUESTS_IN_FLIGHT_MAX,
        .gives_up_on_429 = !conf->queue.retry_on_http_429,
        .shown = endpoint->shown};
}

void sender_init(struct engine *engine, struct sender *sender, const struct conf_destination *conf,
                 const struct conf_endpoint *endpoint)
{
    struct endpoint_conf settings = sender_endpoint(conf, endpoint);
    *sender =
        (struct sender){.conf = endpoint,
                        .client = endpoint->has_client ? &endpoint->client : NULL,
                        .token_client = endpoint->has_token_client ? &endpoint->token_client : NULL,
                        .samples_max = conf->queue.max_samples_per_send,
                        .batches_count = settings.in_flight_max,
                        .trial_since_ms = INT64_MAX};
    endpoint_init(&sender->endpoint, &settings, engine->os->random(engine->os));
    lending_init(&sender->lending, engine->now_ms);
}

static void senders_init(struct engine *engine, struct destination *destination)
{
    const struct conf_destination *conf = destination->conf;
    destination->senders_count = conf->endpoints_count;
    destination->senders = mem_new(conf->endpoints_count, sizeof *destination->senders);
    for (size_t i = 0; i < conf->endpoints_count; i++) {
        struct sender *sender = &destination->senders[i];
        sender_init(engine, sender, conf, &conf->endpoints[i]);
        sender->all = destination->all;
        sender->client_of = destination->all;
    }
}

static void set_gone(void *context, uint32_t set)
{
    judge_forget(context, set);
    folded_forget(context, set);
}

void destination_init(struct engine *engine, struct destination *destination,
                      const struct conf_destination *conf)
{
    ASSERT(conf >= engine->conf->destinations &&
           conf < engine->conf->destinations + engine->conf->destinations_count);
    *destination = (struct destination){.conf = conf,
                                        .version = conf->protobuf,
                                        .all = engine->conf,
                                        .rules = conf,
                                        .rules_of = engine->conf};
    senders_init(engine, destination);
    domains_init(destination);
    lanes_init(destination);
    route_fingerprint(engine->conf, conf, destination->fingerprint);
}

struct engine *engine_new(const struct conf *conf, const struct engine_options *options,
                          struct os *os, struct http *http, struct store *store)
{
    ASSERT(conf->destinations_count > 0 && conf->destinations_count <= DESTINATIONS_MAX);
    struct engine *engine = mem_new(1, sizeof *engine);
    engine->conf = conf;
    engine->options = *options;
    engine->os = os;
    engine->http = http;
    engine->store = store;
    engine->labels = labels_new(&options->key);
    labels_on_gone(engine->labels, set_gone, engine);
    engine->series = series_new(engine->labels, options->key.k0);
    routing_room_init(&engine->routing);
    engine->encode = encode_new(&options->key);
    buf_init(&engine->payload_room, PAYLOAD_BYTES_MAX);
    engine->label_room = mem_new(LABELS_FINAL_MAX, sizeof *engine->label_room);
    engine->destinations_count = conf->destinations_count;
    engine->destinations = mem_new(conf->destinations_count, sizeof *engine->destinations);
    engine->committing_losses = mem_new(conf->destinations_count, sizeof(size_t));
    for (size_t i = 0; i < conf->destinations_count; i++) {
        destination_init(engine, &engine->destinations[i], &conf->destinations[i]);
    }
    return engine;
}

void domain_free(struct domain *domain)
{
    reader_leave(domain);
    ring_release(&domain->ring);
    park_release(domain);
    mem_free(domain->deferred);
    mem_free(domain->key);
    mem_free(domain);
}

static void sender_release(struct engine *engine, struct sender *sender)
{
    for (size_t k = 0; k < sender->batches_count; k++) {
        struct batch *batch = &sender->batches[k];
        if (batch->state == BATCH_SENT) {
            engine->http->cancel(engine->http, batch->id);
        }
        buf_release(&batch->body);
        sift_free(batch->sift);
    }
    headers_forget(sender);
    redirects_forget(sender);
}

void destination_release(struct engine *engine, struct destination *destination)
{
    for (size_t i = 0; i < LANES_COUNT; i++) {
        lane_clear(engine, &destination->lanes[i]);
    }
    for (size_t i = 0; i < destination->domains_count; i++) {
        domain_free(destination->domains[i]);
    }
    for (size_t i = 0; i < destination->senders_count; i++) {
        sender_release(engine, &destination->senders[i]);
    }
    for (size_t i = 0; i < destination->retired_count; i++) {
        sender_release(engine, destination->retired[i]);
        mem_free(destination->retired[i]);
    }
    mem_free(destination->retired);
    for (size_t i = 0; i < destination->losses_count; i++) {
        mem_free((void *)(uintptr_t)destination->losses[i].detail);
    }
    mem_free(destination->losses);
    quarantine_release(engine, destination);
    mem_free(destination->senders);
    routes_release(engine, destination);
    folded_release(destination);
    mem_free(destination->newest_ms);
    destination->newest_ms = NULL;
    destination->newest_count = 0;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    readers_drop_all(engine);
    metadata_free(engine);
    for (size_t i = 0; i < engine->destinations_count; i++) {
        destination_release(engine, &engine->destinations[i]);
    }
    chunks_free(engine);
    if (engine->scan.tail != NULL) {
        tail_free(engine->scan.tail);
    }
    if (engine->collect.tail != NULL) {
        tail_free(engine->collect.tail);
    }
    quotas_free(engine);
    identities_free(engine->identities);
    tail_free(engine->scan.other);
    waldir_free(engine->scan.series_dir);
    pins_release(engine);
    waldir_free(engine->dir);
    mem_free(engine->held); /* the labels go as a whole */
    series_free(engine->series);
    labels_free(engine->labels);
    encode_free(engine->encode);
    routing_room_release(&engine->routing);
    buf_release(&engine->payload_room);
    mem_free(engine->label_room);
    mem_free(engine->destinations);
    mem_free(engine->committing_losses);
    mem_free(engine->olds);
    mem_free(engine->token_posts);
    mem_free(engine->segments);
    mem_free(engine);
}

bool engine_start(struct engine *engine, struct err *err)
{
    engine->now_ms = engine->os->now_ms(engine->os);
    engine->dir = waldir_open(engine->os, engine->conf->wal_dir, err);
    if (engine->dir == NULL || !auth_open(engine, err) || !start_load(engine, err)) {
        return false;
    }
    if (engine->options.once) {
        waldir_freeze(engine->dir);
    }
    metadata_open(engine);
    engine->os->watch(engine->os, waldir_path(engine->dir));
    scan_start(engine);
    return true;
}

/* ---- a turn ---- */

static void refresh_failed(struct engine *engine, const struct err *err)
{
    LOG_ERROR("the WAL directory can't be listed, trying again", LOG_STR("err", err->text));
    engine->refresh_at_ms = engine->now_ms + RETRY_IO_MS;
}

/* The directory has another life now (repair, restore, emptied): find every place anew. */
static void generation_next(struct engine *engine)
{
    uint32_t generation = waldir_generation(engine->dir) + 1;
    LOG_WARN("segments of the WAL were replaced (repair or restore): finding the place anew",
             LOG_U64("generation", generation));
    trace_line(engine, "generation %u", generation);
    generation_begin(engine, true);
    engine->scan.second = true;
    scan_start(engine);
}

static void refresh(struct engine *engine)
{
    enum os_hint hint = engine->os->hint(engine->os);
    engine->refresh_wanted = engine->refresh_wanted || hint == OS_HINT_CHANGED;
    bool due = engine->now_ms >= engine->refresh_at_ms;
    bool early = engine->now_ms < engine->refreshed_ms + REFRESH_GAP_MS_MIN;
    if (!due && (!engine->refresh_wanted || early)) {
        return;
    }
    bool changed = false;
    bool replaced = false;
    struct err err = {0};
    engine->refresh_wanted = false;
    engine->refreshed_ms = engine->now_ms;
    engine->refresh_at_ms =
        engine->now_ms + (hint == OS_HINT_UNAVAILABLE ? POLL_BLIND_MS : POLL_HINTED_MS);
    if (!waldir_refresh(engine->dir, &changed, &replaced, &err)) {
        refresh_failed(engine, &err);
        return;
    }
    engine->looked = true;
    if (changed) {
        engine->grown_wall_ms = engine->os->wall_ms(engine->os);
        engine->pins.look = true;
        guard_look(engine);
    }
    if (replaced) {
        generation_next(engine);
    }
}

static void parked_run(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            struct domain *domain = destination->domains[k];
            if (domain->parked_count > 0 && !destination->leaving) {
                park_expire(engine, domain, engine->options.once && domain->at_end);
            }
        }
    }
}

/* A turn that comes so late was kept from running, and Prometheus maybe too (a suspended or frozen
 * machine): parked items have not waited all that time for their series record. */
static void parked_shift(struct engine *engine, int64_t gap_ms)
{
    for (size_t i = 0; gap_ms > PAUSE_MS_MIN && i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            park_shift(destination->domains[k], gap_ms);
        }
    }
}

static void read_run(struct engine *engine)
{
    if (engine->stopping) {
        return;
    }
    refresh(engine);
    scan_run(engine);
    if (engine->scan.state != SCAN_DONE) {
        return;
    }
    readers_place(engine);
    if (engine->now_ms >= engine->failed_until_ms) {
        readers_run(engine);
    }
    collect_run(engine);
    parked_run(engine);
}

void engine_turn(struct engine *engine, int64_t now_ms)
{
    ASSERT(engine->dir != NULL && now_ms >= engine->now_ms);
    parked_shift(engine, now_ms - engine->now_ms);
    engine->now_ms = now_ms;
    engine->work_left = false;
    quotas_run(engine);
    judge_clock_step(engine);
    send_results(engine);
    save_results(engine);
    auth_run(engine);
    reload_run(engine);
    read_run(engine);
    pins_run(engine);
    lend_run(engine);
    send_batches(engine);
    metadata_run(engine);
    demand_run(engine);
    save_run(engine);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t sender_deadline(const struct engine *engine, const struct destination *destination,
                               const struct sender *sender)
{
    if (reload_halts(engine, destination)) {
        return INT64_MAX; /* an answer ends that */
    }
    if (!endpoint_may_send(&sender->endpoint, engine->now_ms)) {
        return endpoint_deadline(&sender->endpoint);
    }
    if (!auth_ready(engine, sender)) {
        return INT64_MAX; /* until its identity has a token */
    }
    int64_t quota_ms = quota_ready(engine, destination, sender, batch_ready(engine, sender));
    if (quota_ms > engine->now_ms) {
        return quota_ms;
    }
    int64_t deadline = INT64_MAX;
    bool has_free = false;
    for (size_t i = 0; i < sender->batches_count; i++) {
        const struct batch *batch = &sender->batches[i];
        has_free = has_free || batch->state == BATCH_FREE;
        if (batch->state == BATCH_READY && !overtake_waits(engine, batch)) {
            deadline = earlier(deadline, batch->retry_at_ms);
        }
    }
    return has_free ? earlier(deadline, pack_deadline(engine, destination, sender)) : deadline;
}

int64_t engine_deadline(const struct engine *engine, int64_t now_ms)
{
    if (engine->work_left) {
        return now_ms;
    }
    int64_t deadline = engine->stopping ? engine->stop_deadline_ms : engine->refresh_at_ms;
    deadline = earlier(deadline, auth_deadline(engine));
    deadline = engine->stopping ? deadline : earlier(deadline, metadata_deadline(engine));
    deadline = earlier(deadline, pins_deadline(engine));
    if (engine->scan.state != SCAN_DONE && !engine->stopping) {
        deadline = earlier(deadline, engine->scan.retry_at_ms);
    }
    deadline = earlier(deadline, lend_deadline(engine));
    if (engine->dirty && !engine->committing) {
        deadline = earlier(deadline, engine->commit_at_ms);
    }
    if (engine->refresh_wanted && !engine->stopping) {
        deadline = earlier(deadline, engine->refreshed_ms + REFRESH_GAP_MS_MIN);
    }
    for (size_t i = 0; !engine->stopping && i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->senders_count; k++) {
            deadline =
                earlier(deadline, sender_deadline(engine, destination, &destination->senders[k]));
        }
    }
    return deadline;
}

void engine_stop(struct engine *engine, int64_t now_ms)
{
    if (!engine->stopping) {
        engine->stopping = true;
        engine->save_failures = 0; /* the last save gets its own tries */
        engine->stop_deadline_ms = now_ms + STOP_FLUSH_MS_MAX;
        trace_line(engine, "stopping");
    }
}

/* --once: all that there was is settled. */
bool engine_settled(const struct engine *engine)
{
    if (!engine->options.once || engine->scan.state != SCAN_DONE || engine->work_left) {
        return false;
    }
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            const struct domain *domain = destination->domains[k];
            if (!domain->at_end || domain->pending > 0 || domain->parked_count > 0) {
                return false;
            }
        }
    }
    return true;
}

bool engine_finished(const struct engine *engine)
{
    if (!engine->stopping) {
        return engine_settled(engine) && save_clean(engine) && metadata_settled(engine);
    }
    if (engine->now_ms >= engine->stop_deadline_ms) {
        return true;
    }
    bool given_up = engine->save_failures > 2 && !engine->committing;
    return send_idle(engine) && (save_clean(engine) || given_up);
}

/* refit.c - the endpoints of a destination after a change of the configuration.
 *
 * An endpoint is the same when its URL without the query is: then health, batches, tokens and
 * connections stay. One that is no more is retired while requests of it are in flight; what does
 * not end well goes back in front of its lanes, and from there to their new homes (I2). */
#include "internal.h"

enum { NOWHERE = UINT16_MAX };

/* ---- does a client say the same? ---- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_client(const struct http_client *a, const struct http_client *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    bool same = same_text(a->ca, b->ca) && same_text(a->ca_file, b->ca_file) &&
                same_text(a->cert, b->cert) && same_text(a->cert_file, b->cert_file) &&
                same_text(a->key, b->key) && same_text(a->key_file, b->key_file) &&
                same_text(a->server_name, b->server_name) &&
                a->insecure_skip_verify == b->insecure_skip_verify &&
                a->no_redirects == b->no_redirects && a->min_tls == b->min_tls &&
                a->max_tls == b->max_tls && same_text(a->proxy_url, b->proxy_url) &&
                same_text(a->no_proxy, b->no_proxy) &&
                a->proxy_from_environment == b->proxy_from_environment &&
                a->proxy_headers_count == b->proxy_headers_count;
    for (size_t i = 0; same && i < a->proxy_headers_count; i++) {
        same = same_text(a->proxy_headers[i].name, b->proxy_headers[i].name) &&
               same_text(a->proxy_headers[i].value, b->proxy_headers[i].value);
    }
    return same;
}

/* ---- one endpoint ---- */

static bool sender_in_flight(const struct sender *sender)
{
    for (size_t i = 0; i < sender->batches_count; i++) {
        if (sender->batches[i].state == BATCH_SENT) {
            return true;
        }
    }
    return false;
}

static void sender_undo(struct engine *engine, struct destination *destination,
                        struct sender *sender)
{
    for (size_t i = 0; i < sender->batches_count; i++) {
        if (sender->batches[i].state == BATCH_READY) {
            pack_undo(engine, destination, sender, &sender->batches[i]);
        }
    }
}

static void clients_take(const struct engine *engine, struct sender *sender,
                         const struct conf_endpoint *endpoint, const struct conf *all)
{
    const struct http_client *client = endpoint->has_client ? &endpoint->client : NULL;
    const struct http_client *tokens = endpoint->has_token_client ? &endpoint->token_client : NULL;
    bool same = same_client(sender->client, client) && same_client(sender->token_client, tokens);
    if (same && (sender->client != NULL || sender->token_client != NULL)) {
        return;
    }
    sender->client = client;
    sender->token_client = tokens;
    sender->client_of = all;
    if (!same) {
        trace_line(engine, "%s: connects anew", endpoint->shown);
    }
}

/* The same endpoint by another configuration; `before` is the destination's present one. */
static void sender_take(struct engine *engine, struct sender *sender,
                        const struct conf_destination *before, const struct conf_destination *conf,
                        const struct conf_endpoint *endpoint)
{
    struct endpoint_conf settings = sender_endpoint(conf, endpoint);
    size_t used = 0;
    for (size_t i = 0; i < sender->batches_count; i++) {
        used = sender->batches[i].state != BATCH_FREE ? i + 1 : used;
    }
    headers_forget(sender);
    redirects_forget(sender);
    sender->conf = endpoint;
    sender->batches_count = used > settings.in_flight_max ? used : settings.in_flight_max;
    if (before->queue.max_samples_per_send != conf->queue.max_samples_per_send) {
        sender->samples_max = conf->queue.max_samples_per_send; /* else: what a 413 taught stays */
        sender->size = (struct size){0};
    }
    endpoint_reconfigure(&sender->endpoint, &settings);
    auth_attach(engine, sender);
}

static void sender_retire(struct engine *engine, struct destination *destination,
                          struct sender *sender)
{
    sender_undo(engine, destination, sender);
    if (!sender_in_flight(sender)) {
        headers_forget(sender);
        redirects_forget(sender);
        return;
    }
    struct sender *retired = mem_new(1, sizeof *retired);
    *retired = *sender;
    retired->identity = NULL; /* it posts no more */
    destination->retired =
        mem_grow(destination->retired, destination->retired_count + 1, sizeof(struct sender *));
    destination->retired[destination->retired_count++] = retired;
    trace_line(engine, "%s: retires", sender->conf->shown);
}

/* ---- all of them ---- */

/* For each endpoint of before its place in `conf`, or NOWHERE. */
static void places_map(const struct destination *destination, const struct conf_destination *conf,
                       uint16_t to[ENDPOINTS_MAX])
{
    bool taken[ENDPOINTS_MAX] = {false};
    for (size_t i = 0; i < destination->senders_count; i++) {
        to[i] = NOWHERE;
        for (uint16_t k = 0; k < conf->endpoints_count && to[i] == NOWHERE; k++) {
            if (!taken[k] &&
                strcmp(destination->senders[i].conf->key, conf->endpoints[k].key) == 0) {
                taken[k] = true;
                to[i] = k;
            }
        }
    }
}

/* Where a lane that is in no request is now; one that is in one waits for its answer. */
static uint16_t lane_place(const struct lane *lane, const uint16_t *to, uint16_t home)
{
    bool lent = lane->endpoint != lane->home;
    uint16_t place = to[lane->endpoint];
    return place != NOWHERE && (lent || lane->in_flight > 0) ? place : home;
}

static void lanes_move(struct engine *engine, struct destination *destination,
                       const struct conf_destination *conf, const uint16_t *to)
{
    uint16_t home[SHARDS_COUNT];
    size_t moved = 0;
    routing_homes(conf, home);
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        struct lane *lane = &destination->lanes[i];
        moved += to[lane->home] != home[i];
        uint16_t place = lane_place(lane, to, home[i]);
        if (place != to[lane->endpoint]) {
            lane->moved_ms = engine->now_ms;
        }
        lane->endpoint = place;
        lane->home = home[i];
    }
    trace_line(engine, "%s: %zu endpoints, %zu shards have another home", conf->name,
               conf->endpoints_count, moved);
}

/* A batch that waits goes on as it is where its lanes stay; else its lanes part. */
static void batches_part(struct engine *engine, struct destination *destination,
                         const struct conf_destination *conf, const uint16_t *to)
{
    uint16_t home[SHARDS_COUNT];
    routing_homes(conf, home);
    for (size_t i = 0; i < destination->senders_count; i++) {
        struct sender *sender = &destination->senders[i];
        bool stay = to[i] != NOWHERE;
        for (size_t k = 0; k < SHARDS_COUNT && stay; k++) {
            const struct lane *lane = &destination->lanes[k];
            stay = lane->endpoint != i || lane->endpoint != lane->home || home[k] == to[i];
        }
        if (!stay) {
            sender_undo(engine, destination, sender);
        }
    }
}

void refit_senders(struct engine *engine, struct destination *destination,
                   const struct conf_destination *conf, const struct conf *all)
{
    uint16_t to[ENDPOINTS_MAX] = {0}; /* all that is looked at is set by places_map */
    bool filled[ENDPOINTS_MAX] = {false};
    struct sender *senders = mem_new(conf->endpoints_count, sizeof *senders);
    places_map(destination, conf, to);
    batches_part(engine, destination, conf, to);
    for (size_t i = 0; i < destination->senders_count; i++) {
        struct sender *sender = &destination->senders[i];
        if (to[i] == NOWHERE) {
            sender_retire(engine, destination, sender);
            continue;
        }
        senders[to[i]] = *sender;
        filled[to[i]] = true;
        sender_take(engine, &senders[to[i]], destination->conf, conf, &conf->endpoints[to[i]]);
    }
    for (size_t i = 0; i < conf->endpoints_count; i++) {
        if (!filled[i]) {
            sender_init(engine, &senders[i], conf, &conf->endpoints[i]);
            senders[i].client_of = all;
            auth_attach(engine, &senders[i]);
        }
        clients_take(engine, &senders[i], &conf->endpoints[i], all);
        senders[i].all = all;
        senders[i].shards = 0;
    }
    lanes_move(engine, destination, conf, to);
    mem_free(destination->senders);
    destination->senders = senders;
    destination->senders_count = conf->endpoints_count;
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        senders[destination->lanes[i].home].shards++;
    }
    for (size_t i = 0; i < destination->losses_count; i++) {
        destination->losses[i].destination = conf->name; /* the same text in another place */
    }
    bool lends = conf->placement == CONF_FAILOVER && conf->endpoints_count > 1;
    for (size_t i = 0; i < conf->endpoints_count && !lends; i++) {
        lending_init(&senders[i].lending, engine->now_ms);
    }
    destination->conf = conf;
    destination->all = all;
    version_set(destination, conf->protobuf);
    destination->lend_at_ms = engine->now_ms;
}

bool refit_idle(const struct destination *destination)
{
    for (size_t i = 0; i < destination->senders_count; i++) {
        if (sender_in_flight(&destination->senders[i])) {
            return false;
        }
    }
    return destination->retired_count == 0;
}

void refit_undo(struct engine *engine, struct destination *destination)
{
    for (size_t i = 0; i < destination->senders_count; i++) {
        sender_undo(engine, destination, &destination->senders[i]);
    }
}

void refit_ended(struct engine *engine, struct destination *destination, struct sender *sender)
{
    for (size_t i = 0; i < destination->retired_count; i++) {
        if (destination->retired[i] != sender) {
            continue;
        }
        sender_undo(engine, destination, sender);
        if (!sender_in_flight(sender)) {
            trace_line(engine, "%s: is gone", sender->conf->shown);
            headers_forget(sender);
            redirects_forget(sender);
            mem_free(sender);
            destination->retired[i] = destination->retired[--destination->retired_count];
        }
        return;
    }
}

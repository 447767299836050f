/* auth.c - the identities of the endpoints. Their requests go through the same http seam as the
 * batches; ids with the top bit set are theirs. An endpoint without a valid token waits: its
 * batches stay, nothing is lost, the others go on (I7). */
#include "internal.h"

enum { AUTH_INDEX_BITS = 16 };
static const uint64_t auth_bit = (uint64_t)1 << 63;
static_assert(IDENTITIES_MAX <= 1 << AUTH_INDEX_BITS, "an id names its identity");

/* Without a world of the caller's there are no environment variables. */
static const char *no_variable(void *context, const char *name)
{
    (void)context;
    ASSERT(name != NULL);
    return NULL;
}

/* The identities of a configuration are known from now on; one that no endpoint has does nothing.
 */
bool auth_check(struct engine *engine, const struct conf *conf, struct err *err)
{
    for (size_t i = 0; i < conf->destinations_count; i++) {
        for (size_t k = 0; k < conf->destinations[i].endpoints_count; k++) {
            const struct conf_endpoint *endpoint = &conf->destinations[i].endpoints[k];
            if (endpoint->auth.kind != CONF_AUTH_NONE &&
                identities_add(engine->identities, &endpoint->auth, err) == NULL) {
                return err_wrap(err, "endpoint %s", endpoint->shown);
            }
        }
    }
    size_t count = identities_count(engine->identities);
    engine->token_posts = mem_grow(engine->token_posts, count + 1, sizeof *engine->token_posts);
    for (; engine->token_posts_count < count; engine->token_posts_count++) {
        engine->token_posts[engine->token_posts_count] = 0;
    }
    return true;
}

struct kept {
    struct identity **list;
    size_t count, room;
};

static void keep(struct kept *kept, struct identity *identity)
{
    if (identity == NULL) {
        return;
    }
    if (kept->count == kept->room) {
        kept->room = kept->room * 2 + 64;
        kept->list = mem_grow(kept->list, kept->room, sizeof(struct identity *));
    }
    kept->list[kept->count++] = identity;
}

static void keep_senders(struct kept *kept, const struct destination *destination)
{
    for (size_t i = 0; i < destination->senders_count; i++) {
        keep(kept, destination->senders[i].identity);
    }
    for (size_t i = 0; i < destination->retired_count; i++) {
        keep(kept, destination->retired[i]->identity);
    }
}

/* The present configuration's, those of endpoints that still go by an earlier one, and those with a
 * request on its way. A reload that changes a secret each time must not fill the registry. */
void auth_sweep(struct engine *engine)
{
    struct kept kept = {0};
    struct err err = {0};
    const struct conf *conf = engine->conf;
    for (size_t i = 0; i < engine->destinations_count; i++) {
        keep_senders(&kept, &engine->destinations[i]);
    }
    for (size_t i = 0; i < conf->destinations_count; i++) { /* some may take effect later */
        for (size_t k = 0; k < conf->destinations[i].endpoints_count; k++) {
            const struct conf_auth *auth = &conf->destinations[i].endpoints[k].auth;
            if (auth->kind != CONF_AUTH_NONE) {
                keep(&kept, identities_add(engine->identities, auth, &err));
            }
        }
    }
    for (size_t i = 0; i < identities_count(engine->identities); i++) {
        if (i < engine->token_posts_count && engine->token_posts[i] != 0) {
            keep(&kept, identities_at(engine->identities, i));
        }
    }
    identities_sweep(engine->identities, kept.list, kept.count);
    mem_free(kept.list);
}

/* Its identity, which auth_check has seen. What a token of another one was refused for is past. */
void auth_attach(struct engine *engine, struct sender *sender)
{
    struct err err = {0};
    struct identity *before = sender->identity;
    sender->identity = NULL;
    if (sender->conf->auth.kind != CONF_AUTH_NONE) {
        sender->identity = identities_add(engine->identities, &sender->conf->auth, &err);
        ASSERT(sender->identity != NULL);
    }
    if (sender->identity != before) {
        sender->refused_revision = 0;
        sender->token_revision = 0;
        endpoint_retry_now(&sender->endpoint, engine->now_ms);
    }
}

bool auth_open(struct engine *engine, struct err *err)
{
    struct identity_world world = {.variable = no_variable};
    if (engine->options.world != NULL) {
        world = *engine->options.world;
    }
    world.os = engine->os;
    engine->identities = identities_new(&world);
    if (!auth_check(engine, engine->conf, err)) {
        return false;
    }
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->senders_count; k++) {
            auth_attach(engine, &destination->senders[k]);
        }
    }
    return true;
}

/* An identity goes the way of the first endpoint that uses it: its proxy and its CAs. NULL: no
 * endpoint does, since the configuration changed. */
static const struct sender *auth_user(const struct engine *engine, const struct identity *identity)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->senders_count; k++) {
            if (destination->senders[k].identity == identity) {
                return &destination->senders[k];
            }
        }
    }
    return NULL;
}

static void auth_post(struct engine *engine, size_t index, const struct sender *user,
                      const struct identity_request *wanted)
{
    struct identity *identity = user->identity;
    ASSERT(index < engine->token_posts_count && engine->token_posts[index] == 0);
    struct err err = {0};
    struct http_request request = {.id = auth_bit | (++engine->next_request << AUTH_INDEX_BITS) |
                                         index,
                                   .method = wanted->method,
                                   .url = wanted->url,
                                   .headers = wanted->headers,
                                   .headers_count = wanted->headers_count,
                                   .body = wanted->body,
                                   .body_bytes = wanted->body_bytes,
                                   .timeout_ms = wanted->timeout_ms,
                                   .client = wanted->direct ? NULL : user->token_client,
                                   .direct = wanted->direct};
    engine->token_posts[index] = engine->next_request;
    if (!engine->http->post(engine->http, &request, &err)) {
        engine->token_posts[index] = 0;
        struct http_result refused = {.outcome = HTTP_NOT_SENT, .error = err.text};
        identity_answered(identity, &refused, engine->now_ms, engine->os->wall_ms(engine->os));
    }
}

/* A new token lifts the hold of every endpoint that refused the one before. */
static void senders_released(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->senders_count; k++) {
            struct sender *sender = &destination->senders[k];
            if (sender->refused_revision != 0 &&
                identity_revision(sender->identity) != sender->refused_revision) {
                sender->refused_revision = 0;
                endpoint_retry_now(&sender->endpoint, engine->now_ms);
                trace_line(engine, "%s: new token, trying at once", sender->conf->shown);
            }
        }
    }
}

void auth_run(struct engine *engine)
{
    for (size_t i = 0; i < identities_count(engine->identities); i++) {
        struct identity *identity = identities_at(engine->identities, i);
        struct identity_request wanted;
        if (identity == NULL || identity_deadline(identity) > engine->now_ms) {
            continue;
        }
        const struct sender *user = auth_user(engine, identity);
        if (user != NULL &&
            identity_want(identity, engine->now_ms, engine->os->wall_ms(engine->os), &wanted)) {
            auth_post(engine, i, user, &wanted);
        }
    }
    senders_released(engine);
}

bool auth_result(struct engine *engine, const struct http_result *result)
{
    if ((result->id & auth_bit) == 0) {
        return false;
    }
    size_t index = result->id & ((1u << AUTH_INDEX_BITS) - 1);
    ASSERT(index < identities_count(engine->identities));
    ASSERT(engine->token_posts[index] != 0); /* so it was not swept */
    engine->token_posts[index] = 0;
    identity_answered(identities_at(engine->identities, index), result, engine->now_ms,
                      engine->os->wall_ms(engine->os));
    return true;
}

int64_t auth_deadline(const struct engine *engine)
{
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < identities_count(engine->identities); i++) {
        const struct identity *identity = identities_at(engine->identities, i);
        if (identity == NULL) {
            continue;
        }
        int64_t at = identity_deadline(identity);
        bool idle = at <= engine->now_ms && auth_user(engine, identity) == NULL;
        deadline = at < deadline && !idle ? at : deadline;
    }
    return deadline;
}

bool auth_ready(const struct engine *engine, const struct sender *sender)
{
    return sender->identity == NULL || identity_header(sender->identity, engine->now_ms) != NULL;
}

/* The header of a request that starts now, and which token it is: a 401 speaks of that one only. */
const char *auth_header(const struct engine *engine, struct sender *sender, struct batch *batch)
{
    if (sender->identity == NULL) {
        return NULL;
    }
    batch->revision = identity_revision(sender->identity);
    if (batch->revision != sender->token_revision) {
        sender->token_revision = batch->revision;
        sender->token_since_ms = engine->now_ms;
    }
    return identity_header(sender->identity, engine->now_ms);
}

void auth_refused(struct engine *engine, struct sender *sender, const struct batch *batch)
{
    if (sender->identity != NULL) {
        sender->refused_revision = batch->revision;
        identity_rejected(sender->identity, batch->revision, engine->now_ms);
    }
}

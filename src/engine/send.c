/* send.c - batches out, answers in. A retry sends the same bytes to the same endpoint; its lanes
 * stay busy until the batch is settled, so nothing can overtake (I2). */
#include "internal.h"

enum { ID_DESTINATION = 16, ID_SENDER = 8, ID_SERIAL = 24, ALONE_TOO_BIG_MS = 60000 };
static_assert(DESTINATIONS_MAX <= 256 && ENDPOINTS_MAX <= 256 && REQUESTS_IN_FLIGHT_MAX <= 256,
              "the id of a batch names its place in three bytes");

/* The serial in the upper part makes ids rise and never repeat. */
static uint64_t request_id(struct engine *engine, const struct destination *destination,
                           const struct sender *sender, const struct batch *batch)
{
    return (++engine->next_request << ID_SERIAL) |
           ((uint64_t)(destination - engine->destinations) << ID_DESTINATION) |
           ((uint64_t)(sender - destination->senders) << ID_SENDER) |
           (uint64_t)(batch - sender->batches);
}

static const char *sender_name(const struct sender *sender)
{
    return sender->conf->shown;
}

static void batch_acked(struct engine *engine, struct destination *destination,
                        struct sender *sender, struct batch *batch)
{
    for (size_t i = 0; i < batch->parts_count; i++) {
        struct lane *lane = &destination->lanes[batch->parts[i].lane];
        uint32_t count = batch->parts[i].count;
        ASSERT(lane->in_flight == count);
        lane->in_flight = 0;
        domain_settle(engine, destination->domains[lane->domain], lane, count);
    }
    destination->counts[STORE_ACKED] += batch->samples;
    sender->samples += batch->samples;
    sender->bytes += batch->body.bytes;
    if (batch->newest_ms > sender->newest_acked_ms) {
        sender->newest_acked_ms = batch->newest_ms;
    }
    buf_release(&batch->body);
    batch->state = BATCH_FREE;
}

static void batch_too_big(struct engine *engine, struct destination *destination,
                          struct sender *sender, struct batch *batch)
{
    if (batch->samples == 1) {
        LOG_ERROR("the endpoint refuses even a single sample as too big; trying again each minute",
                  LOG_STR("endpoint", sender_name(sender)));
        batch->retry_at_ms = engine->now_ms + ALONE_TOO_BIG_MS;
        return;
    }
    pack_shrink(engine, destination, sender, batch, (batch->samples + 1) / 2);
    LOG_WARN("request too big for the endpoint, halving", LOG_STR("endpoint", sender_name(sender)),
             LOG_U64("samples", batch->samples));
}

static void batch_answered(struct engine *engine, struct destination *destination,
                           struct sender *sender, struct batch *batch,
                           const struct http_result *result)
{
    int64_t wall_ms = engine->os->wall_ms(engine->os);
    unsigned long long serial = batch->number;
    batch->state = BATCH_READY;
    demand_answered(engine, sender, batch);
    quota_answered(engine, destination, sender, batch, result);
    if (result->outcome == HTTP_ANSWERED && result->status == 401) {
        auth_refused(engine, sender, batch);
    }
    switch (endpoint_answered(&sender->endpoint, result, engine->now_ms, wall_ms)) {
    case VERDICT_ACKED:
        trace_line(engine, "%s: batch %llu, %d -> %u acked", sender_name(sender), serial,
                   result->status, batch->samples);
        demand_acked(engine, sender, batch);
        batch_acked(engine, destination, sender, batch);
        return;
    case VERDICT_RETRY:
    case VERDICT_FAILED:
        sender->failures++;
        sender->retried += batch->samples;
        trace_line(engine, "%s: batch %llu, %s %d -> %s until %lld", sender_name(sender), serial,
                   result->outcome == HTTP_ANSWERED ? "answer" : "no answer", result->status,
                   endpoint_state_name(sender->endpoint.state),
                   (long long)sender->endpoint.retry_at_ms);
        return;
    case VERDICT_REFUSED:
    case VERDICT_THERE:
    case VERDICT_THERE_TAKEN:
    case VERDICT_GIVEN_UP:
        sender->failures++;
        endpoint_hold(&sender->endpoint, engine->now_ms);
        return;
    case VERDICT_SMALLER:
        sender->failures++;
        trace_line(engine, "%s: batch %llu, %d -> smaller", sender_name(sender), serial,
                   result->status);
        batch_too_big(engine, destination, sender, batch);
        return;
    }
}

void send_results(struct engine *engine)
{
    struct http_result result;
    while (engine->http->next_result(engine->http, &result)) {
        if (auth_result(engine, &result)) {
            continue;
        }
        size_t destination_index = (result.id >> ID_DESTINATION) & 0xff;
        size_t sender_index = (result.id >> ID_SENDER) & 0xff;
        size_t batch_index = result.id & 0xff;
        ASSERT(destination_index < engine->destinations_count);
        struct destination *destination = &engine->destinations[destination_index];
        ASSERT(sender_index < destination->senders_count);
        struct sender *sender = &destination->senders[sender_index];
        ASSERT(batch_index < sender->batches_count);
        struct batch *batch = &sender->batches[batch_index];
        ASSERT(batch->state == BATCH_SENT && batch->id == result.id);
        batch_answered(engine, destination, sender, batch, &result);
    }
}

static void batch_post(struct engine *engine, struct destination *destination,
                       struct sender *sender, struct batch *batch)
{
    enum { FIXED = 3, EXTRA_MAX = CONF_HEADERS_MAX, OPTIONAL = 2 };
    static const char *const types[] = {
        [RW_1] = "application/x-protobuf",
        [RW_2] = "application/x-protobuf;proto=io.prometheus.write.v2.Request"};
    static const char *const versions[] = {[RW_1] = "0.1.0", [RW_2] = "2.0.0"};
    struct http_header headers[FIXED + EXTRA_MAX + OPTIONAL] = {
        {"Content-Type", types[batch->version]},
        {"Content-Encoding", "snappy"},
        {"X-Prometheus-Remote-Write-Version", versions[batch->version]}};
    size_t count = FIXED;
    struct err err = {0};
    bool complete = headers_fill(engine, sender, headers, &count, &err);
    const char *authorization = auth_header(engine, sender, batch);
    if (authorization != NULL) {
        headers[count++] = (struct http_header){"Authorization", authorization};
    }
    char attempt[16];
    if (batch->attempts > 0) {
        snprintf(attempt, sizeof attempt, "%u", batch->attempts);
        headers[count++] = (struct http_header){"Retry-Attempt", attempt};
        sender->retries++;
    }
    batch->id = request_id(engine, destination, sender, batch);
    struct http_request request = {.id = batch->id,
                                   .method = HTTP_POST,
                                   .url = sender->conf->url,
                                   .headers = headers,
                                   .headers_count = count,
                                   .body = batch->body.data,
                                   .body_bytes = batch->body.bytes,
                                   .timeout_ms = destination->conf->remote_timeout_ms,
                                   .client =
                                       sender->conf->has_client ? &sender->conf->client : NULL};
    demand_begun(engine, sender, batch);
    quota_posted(engine, destination, sender, batch);
    sender->requests++;
    batch->attempts++;
    batch->state = BATCH_SENT;
    endpoint_sent(&sender->endpoint, batch->id, engine->now_ms);
    trace_line(engine, "%s: batch %llu, %zu shards, %u samples, attempt %u -> post",
               sender_name(sender), (unsigned long long)batch->number, batch->parts_count,
               batch->samples, batch->attempts);
    if (!complete || !engine->http->post(engine->http, &request, &err)) {
        struct http_result refused = {.id = batch->id, .outcome = HTTP_NOT_SENT, .error = err.text};
        batch_answered(engine, destination, sender, batch, &refused);
    }
}

bool sender_may_send(const struct engine *engine, const struct sender *sender)
{
    return endpoint_may_send(&sender->endpoint, engine->now_ms) && auth_ready(engine, sender);
}

/* The one that waits longest for its next try; NULL: none may go now. */
struct batch *batch_ready(const struct engine *engine, const struct sender *sender)
{
    const struct batch *oldest = NULL;
    for (size_t i = 0; i < sender->batches_count; i++) {
        const struct batch *batch = &sender->batches[i];
        if (batch->state == BATCH_READY && batch->retry_at_ms <= engine->now_ms &&
            (oldest == NULL || batch->number < oldest->number)) {
            oldest = batch;
        }
    }
    return (struct batch *)(uintptr_t)oldest;
}

static struct batch *batch_new(struct engine *engine, struct destination *destination,
                               struct sender *sender)
{
    for (size_t i = 0; i < sender->batches_count; i++) {
        struct batch *batch = &sender->batches[i];
        if (batch->state != BATCH_FREE) {
            continue;
        }
        if (!pack_batch(engine, destination, sender, batch)) {
            return NULL;
        }
        batch->number = ++engine->next_batch;
        return batch;
    }
    return NULL;
}

/* Something to post that is due and that the quota admits; NULL: nothing now. */
static struct batch *batch_next(struct engine *engine, struct destination *destination,
                                struct sender *sender)
{
    struct batch *batch = batch_ready(engine, sender);
    int64_t at_ms = quota_ready(engine, destination, sender, batch);
    if (batch == NULL && at_ms <= engine->now_ms) {
        batch = batch_new(engine, destination, sender);
        at_ms = batch == NULL ? at_ms : quota_ready(engine, destination, sender, batch);
    }
    if (at_ms <= engine->now_ms) {
        return batch;
    }
    if (batch != NULL || pack_deadline(engine, destination, sender) <= engine->now_ms) {
        engine->send_first++;
        quota_waits(engine, sender, at_ms);
    }
    return NULL;
}

static void sender_run(struct engine *engine, struct destination *destination,
                       struct sender *sender)
{
    while (sender_may_send(engine, sender)) {
        struct batch *batch = batch_next(engine, destination, sender);
        if (batch == NULL) {
            break;
        }
        batch_post(engine, destination, sender, batch);
    }
}

/* Where a quota is shared, whoever comes first gets it: each is first in turn. */
void send_batches(struct engine *engine)
{
    size_t turn = engine->send_first;
    for (size_t i = 0; !engine->stopping && i < engine->destinations_count; i++) {
        size_t place = (turn + i) % engine->destinations_count;
        struct destination *destination = &engine->destinations[place];
        for (size_t k = 0; k < destination->senders_count; k++) {
            size_t first = destination->quota == NULL ? 0 : turn;
            size_t which = (first + k) % destination->senders_count;
            sender_run(engine, destination, &destination->senders[which]);
        }
    }
}

bool send_idle(const struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->senders_count; k++) {
            if (destination->senders[k].endpoint.in_flight > 0) {
                return false;
            }
        }
    }
    return true;
}

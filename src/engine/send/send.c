/* send.c - batches out, answers in. A retry sends the same bytes to the same endpoint; its lanes
 * stay busy until the batch is settled, so nothing can overtake (I2). */
#include "internal.h"

enum {
    ID_DESTINATION = 16,
    ID_SENDER = 8,
    ID_SERIAL = 24,
    ALONE_TOO_BIG_MS = 60000,
    PROBE_SAMPLES_MAX = 100
};
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

/* What was taken whole had nothing that was there: the next may be of twice as many lanes. */
static void lanes_more(struct sender *sender, const struct batch *batch)
{
    if (sender->lanes_max > 0 && batch->parts_count >= sender->lanes_max) {
        sender->lanes_max = sender->lanes_max < SHARDS_COUNT / 2 ? sender->lanes_max * 2 : 0;
    }
}

static void batch_acked(struct engine *engine, struct destination *destination,
                        struct sender *sender, struct batch *batch)
{
    written_settle(destination, batch);
    lanes_more(sender, batch);
    judge_unclocked(engine, destination, sender, batch);
    for (size_t i = 0; i < batch->parts_count; i++) {
        struct lane *lane = &destination->lanes[batch->parts[i].lane];
        uint32_t count = batch->parts[i].count;
        ASSERT(lane->in_flight == count);
        lane->in_flight = 0;
        lane_acked(lane, count);
        domain_settle(engine, destination->domains[lane->domain], lane, count);
    }
    destination->counts[STORE_ACKED] += batch->carried;
    sender->samples += batch->carried;
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
    if (batch->carried == 1 || batch->sift != NULL) {
        LOG_ERROR("the endpoint refuses even a single sample as too big; trying again each minute",
                  LOG_STR("endpoint", sender_name(sender)));
        batch->retry_at_ms = engine->now_ms + ALONE_TOO_BIG_MS;
        return;
    }
    pack_shrink(engine, destination, batch, size_refused(engine, sender, batch));
}

/* Twice the wait with each failure; never longer than the endpoint's own, which is jittered. */
static int64_t batch_wait_ms(const struct destination *destination, const struct batch *batch)
{
    const struct conf_queue *queue = &destination->conf->queue;
    int64_t wait_ms = queue->min_backoff_ms;
    uint32_t failures = verdict_failures(batch);
    for (uint32_t i = 1; i < failures && wait_ms < queue->max_backoff_ms; i++) {
        wait_ms *= 2;
    }
    return (wait_ms < queue->max_backoff_ms ? wait_ms : queue->max_backoff_ms) / 2;
}

static void answer_trace(const struct engine *engine, const struct sender *sender,
                         const struct batch *batch, const struct http_result *result)
{
    trace_line(engine, "%s: batch %llu, %s %d -> %s until %lld", sender_name(sender),
               (unsigned long long)batch->number,
               result->outcome == HTTP_ANSWERED ? "answer" : "no answer", result->status,
               endpoint_state_name(sender->endpoint.state),
               (long long)sender->endpoint.retry_at_ms);
}

static void batch_taken(struct engine *engine, struct destination *destination,
                        struct sender *sender, struct batch *batch, int status)
{
    trace_line(engine, "%s: batch %llu, %d -> %u acked", sender_name(sender),
               (unsigned long long)batch->number, status, batch->carried);
    sender->acks++;
    uint64_t serial = batch->id >> ID_SERIAL;
    sender->taken = serial > sender->taken ? serial : sender->taken;
    size_taken(engine, destination, sender, batch);
    demand_acked(engine, sender, batch);
    if (batch->sift != NULL) {
        verdict_acked(engine, destination, sender, batch);
    } else {
        batch_acked(engine, destination, sender, batch);
    }
}

static void batch_failed(struct engine *engine, struct destination *destination,
                         struct sender *sender, struct batch *batch, enum verdict verdict)
{
    sender->failures++;
    struct engine_kinds kinds = batch_kinds(batch);
    kinds_sum(&sender->kinds.retried, &kinds);
    sender->ill = engine->next_request; /* any batch's next refusal may be a part of it */
    if (verdict == VERDICT_FAILED) {
        verdict_failed(engine, destination, sender, batch);
        if (batch->state == BATCH_READY) {
            batch->retry_at_ms = engine->now_ms + batch_wait_ms(destination, batch);
        }
    }
}

static void batch_answered(struct engine *engine, struct destination *destination,
                           struct sender *sender, struct batch *batch,
                           const struct http_result *given)
{
    int64_t wall_ms = engine->os->wall_ms(engine->os);
    struct http_result answer = *given;
    const struct http_result *result = &answer;
    batch->state = BATCH_READY;
    written_judge(batch, &answer);
    if (result->repeated || (result->outcome == HTTP_ANSWERED && result->status == 408)) {
        verdict_unsure(
            batch); /* a proxy that would not wait: what is behind it may have stored it */
    }
    demand_answered(engine, sender, batch);
    judge_clock(engine, sender, result);
    if (result->outcome == HTTP_AMBIGUOUS) {
        size_unanswered(engine, sender, batch);
    }
    quota_answered(engine, destination, sender, batch, result);
    if (result->outcome == HTTP_ANSWERED && result->status == 401) {
        auth_refused(engine, sender, batch);
    }
    if (written_fallback(engine, destination, batch, result)) {
        endpoint_cancelled(&sender->endpoint, batch->id);
        pack_undo(engine, destination, sender, batch);
        return;
    }
    if (redirects_followed(engine, sender, batch, &answer)) {
        endpoint_cancelled(&sender->endpoint, batch->id);
        return;
    }
    enum verdict verdict = endpoint_answered(&sender->endpoint, result, engine->now_ms, wall_ms);
    switch (verdict) {
    case VERDICT_ACKED:
        batch_taken(engine, destination, sender, batch, result->status);
        return;
    case VERDICT_RETRY:
    case VERDICT_FAILED:
        answer_trace(engine, sender, batch, result);
        batch_failed(engine, destination, sender, batch, verdict);
        return;
    case VERDICT_REFUSED:
    case VERDICT_THERE:
    case VERDICT_THERE_TAKEN:
        trace_line(engine, "%s: batch %llu, %d -> %u refused%s", sender_name(sender),
                   (unsigned long long)batch->number, result->status, batch->carried,
                   verdict == VERDICT_REFUSED ? "" : " for their time");
        sender->refusals++;
        verdict_refused(engine, destination, sender, batch, verdict);
        return;
    case VERDICT_GIVEN_UP:
        sender->failures++;
        answer_trace(engine, sender, batch, result);
        verdict_given_up(engine, destination, sender, batch);
        return;
    case VERDICT_SMALLER:
        sender->failures++;
        trace_line(engine, "%s: batch %llu, %d -> smaller", sender_name(sender),
                   (unsigned long long)batch->number, result->status);
        if (!verdict_smaller(engine, destination, sender, batch)) {
            batch_too_big(engine, destination, sender, batch);
        }
        return;
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

/* Whose answer it is. */
struct place {
    struct destination *destination;
    struct sender *sender;
    struct batch *batch;
};

static bool place_in(struct sender *sender, size_t index, uint64_t id, struct place *out)
{
    struct batch *batch = &sender->batches[index];
    out->sender = sender;
    out->batch = batch;
    return index < sender->batches_count && batch->state == BATCH_SENT && batch->id == id;
}

/* The id says where it was posted; since then another configuration may have moved it. */
static void place_search(struct engine *engine, uint64_t id, struct place *out)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        out->destination = &engine->destinations[i];
        for (size_t k = 0; k < out->destination->senders_count; k++) {
            if (place_in(&out->destination->senders[k], id & 0xff, id, out)) {
                return;
            }
        }
        for (size_t k = 0; k < out->destination->retired_count; k++) {
            if (place_in(out->destination->retired[k], id & 0xff, id, out)) {
                return;
            }
        }
    }
    assert_failed("an answer has a batch that waits for it", __FILE__, __LINE__);
}

static void place_find(struct engine *engine, uint64_t id, struct place *out)
{
    size_t destination = (id >> ID_DESTINATION) & 0xff;
    size_t sender = (id >> ID_SENDER) & 0xff;
    if (destination < engine->destinations_count &&
        sender < engine->destinations[destination].senders_count) {
        out->destination = &engine->destinations[destination];
        if (place_in(&out->destination->senders[sender], id & 0xff, id, out)) {
            return;
        }
    }
    place_search(engine, id, out);
}

void send_results(struct engine *engine)
{
    struct http_result result;
    while (engine->http->next_result(engine->http, &result)) {
        if (auth_result(engine, &result) || metadata_result(engine, &result)) {
            continue;
        }
        struct place place;
        place_find(engine, result.id, &place);
        batch_answered(engine, place.destination, place.sender, place.batch, &result);
        refit_ended(engine, place.destination, place.sender);
    }
}

bool sender_post(struct engine *engine, struct destination *destination, struct sender *sender,
                 struct batch *batch, struct err *err)
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
    if (!headers_fill(engine, sender, headers, &count, err)) {
        return false;
    }
    const char *authorization = auth_header(engine, sender, batch);
    if (authorization != NULL) {
        headers[count++] = (struct http_header){"Authorization", authorization};
    }
    char attempt[16];
    if (batch->attempts > 0) {
        snprintf(attempt, sizeof attempt, "%u", batch->attempts);
        headers[count++] = (struct http_header){"Retry-Attempt", attempt};
    }
    struct http_request request = {.id = batch->id,
                                   .method = HTTP_POST,
                                   .url = redirects_url(sender, batch),
                                   .headers = headers,
                                   .headers_count = count,
                                   .body = batch->body.data,
                                   .body_bytes = batch->body.bytes,
                                   .timeout_ms = destination->conf->remote_timeout_ms,
                                   .client = sender->client};
    return engine->http->post(engine->http, &request, err);
}

static void batch_post(struct engine *engine, struct destination *destination,
                       struct sender *sender, struct batch *batch)
{
    struct err err = {0};
    batch->id = request_id(engine, destination, sender, batch);
    demand_begun(engine, sender, batch);
    quota_posted(engine, destination, sender, batch);
    sender->requests++;
    sender->retries += batch->attempts > 0;
    batch->state = BATCH_SENT;
    endpoint_sent(&sender->endpoint, batch->id, engine->now_ms);
    trace_line(engine, "%s: batch %llu, %zu shards, %u samples, attempt %u -> post",
               sender_name(sender), (unsigned long long)batch->number, batch->parts_count,
               batch->carried, batch->attempts + 1);
    bool accepted = sender_post(engine, destination, sender, batch, &err);
    batch->attempts++;
    if (!accepted) {
        struct http_result refused = {.id = batch->id, .outcome = HTTP_NOT_SENT, .error = err.text};
        batch_answered(engine, destination, sender, batch, &refused);
    }
}

bool sender_may_send(const struct engine *engine, const struct sender *sender)
{
    return endpoint_may_send(&sender->endpoint, engine->now_ms) && auth_ready(engine, sender);
}

/* Which of two waiting batches goes first: the older one, but as a probe the one that failed less
 * often, so that a poison body does not make a sound endpoint look dead. */
static bool goes_before(const struct sender *sender, const struct batch *a, const struct batch *b)
{
    uint32_t a_failures = a->failures + a->refusals;
    uint32_t b_failures = b->failures + b->refusals;
    if (sender->endpoint.state != ENDPOINT_OPEN && a_failures != b_failures) {
        return a_failures < b_failures;
    }
    return a->number < b->number;
}

/* NULL: none may go now. */
struct batch *batch_ready(const struct engine *engine, const struct sender *sender)
{
    const struct batch *first = NULL;
    for (size_t i = 0; i < sender->batches_count; i++) {
        const struct batch *batch = &sender->batches[i];
        if (batch->state == BATCH_READY && batch->retry_at_ms <= engine->now_ms &&
            !overtake_waits(engine, batch) &&
            (first == NULL || goes_before(sender, batch, first))) {
            first = batch;
        }
    }
    return (struct batch *)(uintptr_t)first;
}

static struct batch *batch_new(struct engine *engine, struct destination *destination,
                               struct sender *sender)
{
    for (size_t i = 0; i < sender->batches_count; i++) {
        struct batch *batch = &sender->batches[i];
        if (batch->state != BATCH_FREE) {
            continue;
        }
        while (pack_batch(engine, destination, sender, batch)) {
            batch->number = ++engine->next_batch;
            if (batch->carried > 0) {
                return overtake_waits(engine, batch) ? NULL : batch;
            }
            verdict_finish(engine, destination, sender, batch); /* quarantined, all of it */
        }
        return NULL;
    }
    return NULL;
}

/* Something to post that is due and that the quota admits; NULL: nothing now. */
static struct batch *batch_next(struct engine *engine, struct destination *destination,
                                struct sender *sender)
{
    enum { FAILED_OFTEN = 3 };
    struct batch *batch = batch_ready(engine, sender);
    while (batch != NULL && batch->attempts > 0 &&
           !pack_refresh(engine, destination, sender, batch)) {
        batch = batch_ready(engine, sender);
    }
    int64_t at_ms = quota_ready(engine, destination, sender, batch);
    /* a probe that has failed often, or was refused, lets a new batch go first */
    bool steps_back = batch != NULL && sender->endpoint.state != ENDPOINT_OPEN &&
                      (batch->refusals > 0 || batch->failures >= FAILED_OFTEN);
    if ((batch == NULL || steps_back) && at_ms <= engine->now_ms) {
        struct batch *fresh = batch_new(engine, destination, sender);
        batch = fresh != NULL ? fresh : batch;
        at_ms = batch == NULL ? at_ms : quota_ready(engine, destination, sender, batch);
    }
    bool refused = at_ms > engine->now_ms;
    bool due =
        batch != NULL || (refused && pack_deadline(engine, destination, sender) <= engine->now_ms);
    quota_waits(engine, sender, batch, refused && due ? at_ms : 0);
    return refused ? NULL : batch;
}

static void sender_run(struct engine *engine, struct destination *destination,
                       struct sender *sender)
{
    while (!reload_halts(engine, destination) && sender_may_send(engine, sender)) {
        struct batch *batch = batch_next(engine, destination, sender);
        if (batch == NULL) {
            break;
        }
        if (sender->endpoint.state == ENDPOINT_HELD) {
            pack_trim(engine, destination, batch, PROBE_SAMPLES_MAX);
        }
        batch_post(engine, destination, sender, batch);
    }
}

/* Where a quota is shared, whoever comes first gets it: each in turn is the first. */
void send_batches(struct engine *engine)
{
    uint64_t before = engine->next_request;
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
    engine->send_first += engine->next_request != before && quotas_shared(engine);
}

bool send_carries(const struct sender *sender, uint64_t last_request)
{
    for (size_t i = 0; i < sender->batches_count; i++) {
        const struct batch *batch = &sender->batches[i];
        if (batch->state == BATCH_SENT && batch->id >> ID_SERIAL <= last_request) {
            return true;
        }
    }
    return false;
}

bool send_idle(const struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        if (!refit_idle(destination)) {
            return false;
        }
    }
    return true;
}

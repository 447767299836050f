/* fake_http.c - one list of requests, scanned; there are never more than a few hundred. */
#include "fake_http.h"

#include <strings.h>
#include <time.h>
#include <walship/limits.h>
#include <walship/mem.h>

/* Headers every remote write request must carry, by version; User-Agent is the adapter's. */
enum { REQUIRED_HEADERS = 3 };
static const struct http_header required_headers[][REQUIRED_HEADERS] = {
    [RW_1] = {{"Content-Encoding", "snappy"},
              {"Content-Type", "application/x-protobuf"},
              {"X-Prometheus-Remote-Write-Version", "0.1.0"}},
    [RW_2] = {{"Content-Encoding", "snappy"},
              {"Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
              {"X-Prometheus-Remote-Write-Version", "2.0.0"}},
};

static enum rw_version version_of(const struct http_request *request)
{
    for (size_t i = 0; i < request->headers_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (strcasecmp(header->name, "Content-Type") == 0) {
            return strstr(header->value, "write.v2") != NULL ? RW_2 : RW_1;
        }
    }
    return RW_1;
}

struct fake_plan fake_plan_good(void)
{
    return (struct fake_plan){
        .outcome = HTTP_ANSWERED, .status = 204, .stored = true, .deliver_ms = 1, .result_ms = 2};
}

static void problem_note(struct fake_http *http, const struct err *err)
{
    if (http->problem.code == 0) {
        http->problem = *err;
        http->problem.code = 1;
    }
}

static void headers_check(struct fake_http *http, const struct http_request *request,
                          enum rw_version version)
{
    for (size_t i = 0; i < REQUIRED_HEADERS; i++) {
        const struct http_header *wanted = &required_headers[version][i];
        size_t seen = 0;
        for (size_t j = 0; j < request->headers_count; j++) {
            const struct http_header *header = &request->headers[j];
            if (strcasecmp(header->name, wanted->name) == 0) {
                seen += strcmp(header->value, wanted->value) == 0 ? 1 : 2;
            }
        }
        if (seen != 1) {
            struct err err;
            (void)err_set(&err, 0, "request %llu: header %s is missing, doubled or wrong",
                          (unsigned long long)request->id, wanted->name);
            problem_note(http, &err);
        }
    }
}

struct decoding {
    struct fake_http *http;
    struct fake_request *request;
    size_t capacity;
};

static bool series_take(void *context, const struct rw_decoded_series *series, struct err *err)
{
    struct decoding *decoding = context;
    struct fake_request *request = decoding->request;
    (void)err;
    uint32_t id = label_ids_of(decoding->http->ids, series->labels, series->labels_count);
    for (size_t i = 0; i < series->samples_count; i++) {
        if (request->samples_count == decoding->capacity) {
            decoding->capacity = decoding->capacity * 2 + 16;
            request->samples =
                mem_grow(request->samples, decoding->capacity, sizeof *request->samples);
        }
        request->samples[request->samples_count++] =
            (struct fake_sample){id,
                                 series->samples[i].t_ms,
                                 series->samples[i].bits,
                                 series->samples[i].st_ms,
                                 series->samples[i].kind,
                                 series->samples[i].schema};
    }
    return true;
}

static void request_decode(struct fake_http *http, struct fake_request *request)
{
    struct decoding decoding = {http, request, 0};
    struct rw_decoding reading = {.version = request->version,
                                  .bytes_max = BATCH_RAW_BYTES_MAX,
                                  .each = series_take,
                                  .context = &decoding};
    struct err err;
    if (!rw_decode_body(request->body, request->body_bytes, &reading, &err)) {
        problem_note(http, &err);
    }
    request->metadata = reading.metadata;
}

static void request_free(struct fake_request *request)
{
    mem_free(request->body);
    mem_free(request->samples);
    mem_free(request->refused);
    mem_free(request);
}

static struct fake_receiver *receiver_find(struct fake_http *http, const char *url)
{
    for (size_t i = 0; i < http->receivers_count; i++) {
        if (strcmp(http->receivers[i].url, url) == 0) {
            return &http->receivers[i];
        }
    }
    return NULL;
}

static struct fake_plan plan_of(struct fake_http *http, const struct fake_request *request)
{
    struct fake_receiver *receiver = &http->receivers[request->receiver];
    if (receiver->script_next < receiver->script_count) {
        return receiver->script[receiver->script_next++];
    }
    struct fake_plan plan = fake_plan_good();
    if (http->hooks.plan != NULL) {
        http->hooks.plan(http->hooks.context, request, &plan);
    }
    return plan;
}

static void plan_apply(struct fake_request *request, int64_t now_ms)
{
    struct fake_plan *plan = &request->plan;
    ASSERT(plan->deliver_ms >= 0 && plan->result_ms >= 0);
    if (plan->result_ms >= request->timeout_ms) {
        plan->result_ms = request->timeout_ms;
        plan->outcome = HTTP_AMBIGUOUS;
    }
    ASSERT(plan->outcome != HTTP_NOT_SENT || !plan->stored);
    ASSERT(plan->outcome != HTTP_ANSWERED || plan->deliver_ms <= plan->result_ms);
    request->deliver_at_ms = now_ms + plan->deliver_ms;
    request->result_at_ms = now_ms + plan->result_ms;
    request->delivered = !plan->stored; /* nothing to wait for */
}

static void requests_add(struct fake_http *http, struct fake_request *request)
{
    if (http->requests_count == http->requests_capacity) {
        http->requests_capacity = http->requests_capacity * 2 + 16;
        http->requests = mem_grow(http->requests, http->requests_capacity, sizeof *http->requests);
    }
    http->requests[http->requests_count++] = request;
}

static struct fake_request *request_new(struct fake_http *http, const struct http_request *request,
                                        size_t receiver)
{
    struct fake_request *copy = mem_new(1, sizeof *copy);
    copy->id = request->id;
    copy->url = http->receivers[receiver].url;
    copy->receiver = receiver;
    copy->posted_ms = *http->now_ms;
    copy->timeout_ms = request->timeout_ms;
    copy->body = mem_new(request->body_bytes + 1, 1);
    memcpy(copy->body, request->body, request->body_bytes);
    copy->body_bytes = request->body_bytes;
    return copy;
}

static bool fake_post(struct http *seam, const struct http_request *request, struct err *err)
{
    struct fake_http *http = (struct fake_http *)seam;
    struct fake_receiver *receiver = receiver_find(http, request->url);
    if (receiver == NULL) {
        return err_set(err, 0, "no such host: %s", request->url);
    }
    ASSERT(request->method == HTTP_POST && request->timeout_ms > 0);
    for (size_t i = 0; i < http->requests_count; i++) {
        ASSERT(http->requests[i]->end != FAKE_OPEN || http->requests[i]->id != request->id);
    }
    struct fake_request *copy = request_new(http, request, (size_t)(receiver - http->receivers));
    copy->version = version_of(request);
    headers_check(http, request, copy->version);
    request_decode(http, copy);
    copy->plan = plan_of(http, copy);
    if (copy->plan.refused_by_post) {
        request_free(copy);
        return err_set(err, 0, "too many requests under way");
    }
    copy->sequence = ++http->sequence;
    plan_apply(copy, *http->now_ms);
    requests_add(http, copy);
    if (http->hooks.posted != NULL) {
        http->hooks.posted(http->hooks.context, copy);
    }
    return true;
}

static void receiver_store(struct fake_http *http, const struct fake_request *request)
{
    struct fake_receiver *receiver = &http->receivers[request->receiver];
    receiver->requests++;
    size_t needed = receiver->arrivals_count + request->samples_count;
    if (needed > receiver->arrivals_capacity) {
        receiver->arrivals_capacity = needed * 2;
        receiver->arrivals =
            mem_grow(receiver->arrivals, receiver->arrivals_capacity, sizeof *receiver->arrivals);
    }
    for (size_t i = 0; i < request->samples_count; i++) {
        if (request->refused == NULL || !request->refused[i]) {
            receiver->arrivals[receiver->arrivals_count++] =
                (struct fake_arrival){request->sequence, *http->now_ms, request->samples[i]};
        }
    }
}

static void requests_sweep(struct fake_http *http)
{
    size_t kept = 0;
    for (size_t i = 0; i < http->requests_count; i++) {
        struct fake_request *request = http->requests[i];
        if (request->end != FAKE_OPEN && request->delivered && request != http->handed) {
            request_free(request);
        } else {
            http->requests[kept++] = request;
        }
    }
    http->requests_count = kept;
}

/* The due, undelivered request that was to arrive first. */
static struct fake_request *next_delivery(const struct fake_http *http)
{
    struct fake_request *first = NULL;
    for (size_t i = 0; i < http->requests_count; i++) {
        struct fake_request *request = http->requests[i];
        if (!request->delivered && request->deliver_at_ms <= *http->now_ms &&
            (first == NULL || request->deliver_at_ms < first->deliver_at_ms)) {
            first = request;
        }
    }
    return first;
}

void fake_http_run(struct fake_http *http)
{
    struct fake_request *request;
    while ((request = next_delivery(http)) != NULL) {
        request->delivered = true;
        if (http->hooks.judged != NULL) {
            http->hooks.judged(http->hooks.context, request);
        }
        receiver_store(http, request);
        if (http->hooks.delivered != NULL) {
            http->hooks.delivered(http->hooks.context, request);
        }
    }
    requests_sweep(http);
}

static void request_end(struct fake_http *http, struct fake_request *request, enum fake_end end)
{
    ASSERT(request->end == FAKE_OPEN && end != FAKE_OPEN);
    request->end = end;
    if (http->hooks.ended != NULL) {
        http->hooks.ended(http->hooks.context, request);
    }
}

static void date_fill(struct fake_http *http, const struct fake_receiver *receiver,
                      struct http_result *out)
{
    if (!receiver->dated) {
        return;
    }
    time_t seconds = (time_t)((*http->now_ms + receiver->clock_offset_ms) / 1000);
    struct tm parts;
    ASSERT(gmtime_r(&seconds, &parts) != NULL);
    ASSERT(strftime(http->date, sizeof http->date, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
    out->date = http->date;
}

/* As the specification asks of 2.0 receivers, on errors too. */
static void written_fill(struct fake_http *http, const struct fake_request *request,
                         struct http_result *out)
{
    static const char *const names[] = {"X-Prometheus-Remote-Write-Samples-Written",
                                        "x-prometheus-remote-write-histograms-written",
                                        "X-Prometheus-Remote-Write-Exemplars-Written"};
    size_t counts[ARRAY_COUNT(names)] = {0};
    for (size_t i = 0; i < request->samples_count && request->plan.stored; i++) {
        enum rw_decoded_kind kind = request->samples[i].kind;
        counts[kind] += kind != RW_DECODED_EXEMPLAR || !request->plan.no_exemplars;
    }
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        (void)snprintf(http->written[i], sizeof http->written[i], "%zu", counts[i]);
        http->response[out->headers_count++] = (struct http_header){names[i], http->written[i]};
    }
    out->headers = http->response;
}

static void result_fill(struct fake_http *http, const struct fake_request *request,
                        struct http_result *out)
{
    const struct fake_plan *plan = &request->plan;
    *out = (struct http_result){.id = request->id, .outcome = plan->outcome, .body = ""};
    out->elapsed_ms = *http->now_ms - request->posted_ms;
    if (plan->outcome != HTTP_ANSWERED) {
        out->error = plan->outcome == HTTP_NOT_SENT ? "connection refused" : "connection reset";
        return;
    }
    out->status = plan->status;
    out->body = plan->status < 300 ? "" : plan->body[0] != '\0' ? plan->body : "no";
    out->body_bytes = strlen(out->body);
    date_fill(http, &http->receivers[request->receiver], out);
    out->location = plan->location[0] != '\0' ? plan->location : NULL;
    if (plan->retry_after[0] != '\0') {
        out->retry_after = request->plan.retry_after;
        http->response[0] = (struct http_header){"retry-after", request->plan.retry_after};
        out->headers = http->response;
        out->headers_count = 1;
    }
    if (request->version == RW_2 && !plan->mute) {
        written_fill(http, request, out);
    }
}

static bool fake_next_result(struct http *seam, struct http_result *out)
{
    struct fake_http *http = (struct fake_http *)seam;
    http->handed = NULL;
    fake_http_run(http); /* an answer never overtakes its own delivery */
    struct fake_request *first = NULL;
    for (size_t i = 0; i < http->requests_count; i++) {
        struct fake_request *request = http->requests[i];
        if (request->end == FAKE_OPEN && request->result_at_ms <= *http->now_ms &&
            (first == NULL || request->result_at_ms < first->result_at_ms)) {
            first = request;
        }
    }
    if (first == NULL) {
        return false;
    }
    http->handed = first;
    result_fill(http, first, out);
    request_end(http, first, FAKE_TAKEN);
    return true;
}

static void fake_cancel(struct http *seam, uint64_t id)
{
    struct fake_http *http = (struct fake_http *)seam;
    for (size_t i = 0; i < http->requests_count; i++) {
        if (http->requests[i]->end == FAKE_OPEN && http->requests[i]->id == id) {
            request_end(http, http->requests[i], FAKE_CANCELLED);
            return;
        }
    }
}

struct fake_http *fake_http_new(const int64_t *now_ms, struct label_ids *ids,
                                const struct fake_http_hooks *hooks)
{
    struct fake_http *http = mem_new(1, sizeof *http);
    http->seam = (struct http){fake_post, fake_next_result, fake_cancel};
    http->now_ms = now_ms;
    http->ids = ids;
    if (hooks != NULL) {
        http->hooks = *hooks;
    }
    return http;
}

void fake_http_free(struct fake_http *http)
{
    if (http == NULL) {
        return;
    }
    for (size_t i = 0; i < http->requests_count; i++) {
        request_free(http->requests[i]);
    }
    for (size_t i = 0; i < http->receivers_count; i++) {
        mem_free(http->receivers[i].url);
        mem_free(http->receivers[i].arrivals);
        mem_free(http->receivers[i].script);
    }
    mem_free(http->receivers);
    mem_free(http->requests);
    mem_free(http);
}

size_t fake_http_receive(struct fake_http *http, const char *url)
{
    ASSERT(receiver_find(http, url) == NULL);
    http->receivers = mem_grow(http->receivers, http->receivers_count + 1, sizeof *http->receivers);
    http->receivers[http->receivers_count] = (struct fake_receiver){.url = mem_string(url)};
    return http->receivers_count++;
}

void fake_http_script(struct fake_http *http, size_t receiver, const struct fake_plan *plan)
{
    ASSERT(receiver < http->receivers_count);
    struct fake_receiver *to = &http->receivers[receiver];
    to->script = mem_grow(to->script, to->script_count + 1, sizeof *to->script);
    to->script[to->script_count++] = *plan;
}

int64_t fake_http_deadline(const struct fake_http *http)
{
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < http->requests_count; i++) {
        const struct fake_request *request = http->requests[i];
        if (!request->delivered && request->deliver_at_ms < deadline) {
            deadline = request->deliver_at_ms;
        }
        if (request->end == FAKE_OPEN && request->result_at_ms < deadline) {
            deadline = request->result_at_ms;
        }
    }
    return deadline;
}

void fake_http_crash(struct fake_http *http, struct rng *rng)
{
    http->handed = NULL;
    for (size_t i = 0; i < http->requests_count; i++) {
        struct fake_request *request = http->requests[i];
        if (request->end != FAKE_OPEN) {
            continue;
        }
        if (rng != NULL && rng_below(rng, 2) == 0) {
            request->delivered = true; /* never */
        }
        request_end(http, request, FAKE_CRASHED);
    }
    requests_sweep(http);
}

size_t fake_http_in_flight(const struct fake_http *http)
{
    size_t count = 0;
    for (size_t i = 0; i < http->requests_count; i++) {
        count += http->requests[i]->end == FAKE_OPEN;
    }
    return count;
}

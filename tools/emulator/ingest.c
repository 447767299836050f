/* ingest.c - a remote write request: headers, snappy, protobuf, then every item kept. One of
 * version 2.0 is made a 1.0 request first (write_v2.h), and answered with what was written; an
 * Azure pair takes 1.0 only.
 *
 * All or nothing: a request is checked whole before its first sample is kept. A fault comes before
 * the checks, as a broken front end would. Each request, taken or not, leaves a row. */
#include "pair.h"
#include "workspace.h"
#include "write_request.h"
#include "write_v2.h"

#include <walship/rw.h>

/* What one request came to, until it is recorded and answered. */
struct verdict {
    struct refusal refusal; /* status 0: cut, or not refused: `kept` tells */
    struct view samples;    /* what to keep */
    struct write_totals totals;
    uint64_t dropped;
    bool has_reasons; /* the emulator's `reasons` are of this request */
    bool v2;
};

/* Status and words of the first form; an Azure pair says it in JSON, and knows no 415. */
static bool refuse_body(struct verdict *verdict, int status, const char *text)
{
    return refuse(&verdict->refusal, status, NULL, "%s", text);
}

/* The media type before any parameter. */
static bool is_protobuf(const char *content_type)
{
    static const char TYPE[] = "application/x-protobuf";
    size_t bytes = strcspn(content_type, "; ");
    return bytes == sizeof TYPE - 1 && strncasecmp(content_type, TYPE, bytes) == 0;
}

static bool is_v2(const char *content_type)
{
    return strstr(content_type, "proto=io.prometheus.write.v2.Request") != NULL;
}

static bool check_headers(const struct pair *pair, const struct exchange *exchange,
                          struct verdict *verdict)
{
    if (strcmp(exchange->method, "POST") != 0) {
        return refuse_body(verdict, 405, "only POST");
    }
    const char *type = exchange_header(exchange, "Content-Type");
    if (type == NULL || !is_protobuf(type)) {
        return refuse_body(verdict, 415, "Content-Type must be application/x-protobuf");
    }
    verdict->v2 = is_v2(type);
    if (verdict->v2 && pair->options->dcr != NULL) {
        return refuse_body(verdict, 415, "remote write 2.0 is not taken here");
    }
    const char *encoding = exchange_header(exchange, "Content-Encoding");
    if (encoding == NULL || strcasecmp(encoding, "snappy") != 0) {
        return refuse_body(verdict, 415, "Content-Encoding must be snappy");
    }
    const char *version = exchange_header(exchange, "X-Prometheus-Remote-Write-Version");
    const char *wanted = verdict->v2 ? "2.0." : "0.1.";
    if (version == NULL || strncmp(version, wanted, 4) != 0) {
        return refuse_body(verdict, 400, "X-Prometheus-Remote-Write-Version does not fit the type");
    }
    return true;
}

static bool check_body(struct emulator *emulator, const struct exchange *exchange,
                       bool needs_labels, struct verdict *verdict)
{
    if (exchange->body_state == BODY_TOO_LARGE) {
        return refuse_body(verdict, 413, "the body is too large");
    }
    if (exchange->body_state == BODY_NO_ROOM) {
        return refuse_body(verdict, 503, "too many requests at once");
    }
    if (!rw_decompress(exchange->body.at, view_left(&exchange->body), &emulator->raw)) {
        return refuse_body(verdict, 400, "the body is not a snappy block of at most 32 MiB");
    }
    struct view raw = view_of(emulator->raw.data, emulator->raw.bytes);
    bool full = emulator->recorder != NULL || needs_labels;
    struct err err;
    if (verdict->v2) {
        buf_clear(&emulator->raw_v1);
        if (!write_v2_as_v1(raw, &emulator->raw_v1, &err)) {
            return refuse_body(verdict, 400, err.text);
        }
        raw = view_of(emulator->raw_v1.data, emulator->raw_v1.bytes);
    }
    if (!write_request_check(raw, full ? WRITE_FULL : WRITE_COUNT, &verdict->totals, &err)) {
        return refuse_body(verdict, 400, err.text);
    }
    verdict->samples = raw;
    return true;
}

static int64_t retry_attempt(const struct exchange *exchange)
{
    const char *text = exchange_header(exchange, "Retry-Attempt");
    return text == NULL ? 0 : (int64_t)strtol(text, NULL, 10);
}

static void record(struct emulator *emulator, const struct pair *pair,
                   const struct exchange *exchange, const struct verdict *verdict)
{
    if (emulator->recorder == NULL || emulator->failed) {
        return;
    }
    const struct refusal *refusal = &verdict->refusal;
    struct recorder_request request = {
        .pair = pair->id,
        .wall_ms = exchange->wall_ms,
        .now_ms = exchange->now_ms,
        .bytes = view_left(&exchange->body),
        .status = refusal->status,
        .samples = verdict->totals.samples,
        .retry_attempt = retry_attempt(exchange),
        .note = refusal->why == NULL ? refusal->text : refusal->why,
    };
    struct recorder_drops drops = {NULL, DROP_NAMES};
    if (verdict->has_reasons) {
        drops.reasons = emulator->reasons.data;
    }
    if (!recorder_write(emulator->recorder, &request, verdict->samples, &drops, &emulator->err)) {
        emulator->failed = true;
    }
}

static void count(struct pair_counts *counts, const struct exchange *exchange,
                  const struct verdict *verdict, bool kept)
{
    counts->requests++;
    counts->bytes += view_left(&exchange->body);
    counts->arrival_ms = exchange->wall_ms;
    if (!kept) {
        return;
    }
    counts->samples += verdict->totals.samples - verdict->dropped;
    counts->dropped += verdict->dropped;
    counts->exemplars += verdict->totals.exemplars;
    counts->histograms += verdict->totals.histograms;
    counts->metadata += verdict->totals.metadata;
    if (verdict->totals.samples > 0 && verdict->totals.newest_ms > counts->newest_ms) {
        counts->newest_ms = verdict->totals.newest_ms;
    }
}

/* What the workspace behind the pair drops of an accepted request, or refuses. */
static bool check_workspace(struct emulator *emulator, const struct pair *pair,
                            const struct exchange *exchange, struct verdict *verdict)
{
    if (pair->workspace == NULL) {
        return true;
    }
    struct workspace_request request = {
        .samples = verdict->samples,
        .samples_count = verdict->totals.samples,
        .now_ms = exchange->now_ms,
        .wall_ms = exchange->wall_ms,
    };
    struct workspace_result result;
    buf_clear(&emulator->reasons);
    if (!workspace_judge(pair->workspace, &request, &emulator->reasons, &result)) {
        (void)refuse(&verdict->refusal, 429, "TooManyRequests",
                     "The Azure Monitor workspace's limit of %s is exceeded", result.limit);
        retry_after_write(workspace_options(pair->workspace)->retry_after, result.wait_ms,
                          exchange->wall_ms, verdict->refusal.retry_after);
        verdict->samples = view_of(NULL, 0);
        return false;
    }
    verdict->dropped = result.dropped;
    verdict->has_reasons = verdict->totals.samples > 0;
    return true;
}

static bool check_size(const struct pair *pair, const struct exchange *exchange,
                       struct verdict *verdict)
{
    const char *length = exchange_header(exchange, "Content-Length");
    if (exchange->body_state != BODY_TOO_LARGE) {
        return true;
    }
    return refuse(&verdict->refusal, 413, "ContentLengthLimitExceeded",
                  "Maximum allowed content length: %llu bytes. Provided content length: %.20s "
                  "bytes.",
                  (unsigned long long)pair->options->body_bytes_max,
                  length == NULL ? "unknown" : length);
}

/* Everything but faults: true when the samples are to be kept. */
static bool judge_request(struct emulator *emulator, const struct pair_route *route,
                          const struct exchange *exchange, struct verdict *verdict)
{
    const struct pair *pair = route->pair;
    bool azure = pair->options->dcr != NULL;
    if (azure && (!check_size(pair, exchange, verdict) ||
                  !pair_admit(emulator, route, exchange, &verdict->refusal))) {
        return false;
    }
    if (!check_headers(pair, exchange, verdict) ||
        !check_body(emulator, exchange, pair->workspace != NULL, verdict) ||
        !check_workspace(emulator, pair, exchange, verdict)) {
        verdict->totals = (struct write_totals){0};
        return false;
    }
    return true;
}

/* Decides: true when the samples are to be kept. */
static bool judge(struct emulator *emulator, const struct pair_route *route,
                  const struct exchange *exchange, const struct fault *fault,
                  struct verdict *verdict)
{
    uint64_t success = route->pair->options->success_status;
    *verdict = (struct verdict){.refusal = {.status = success == 0 ? 204 : (int)success}};
    if (fault != NULL && fault->cut == CUT_BEFORE) {
        return refuse_body(verdict, 0, "fault: cut before");
    }
    if (fault != NULL && fault->status != 0 && !fault->store) {
        return refuse_body(verdict, fault->status, "fault: status");
    }
    if (!judge_request(emulator, route, exchange, verdict)) {
        return false;
    }
    if (fault != NULL && fault->cut == CUT_AFTER) {
        return !refuse_body(verdict, 0, "fault: cut after");
    }
    if (fault != NULL && fault->status != 0) {
        return !refuse_body(verdict, fault->status, "fault: kept, but answered otherwise");
    }
    return true;
}

/* The code that goes with a status which was asked for, or that the first form's checks gave. */
static const char *code_of(int status)
{
    switch (status) {
    case 401:
        return "InvalidToken";
    case 403:
        return "OperationFailed";
    case 404:
        return "NotFound";
    case 413:
        return "ContentLengthLimitExceeded";
    case 429:
        return "TooManyRequests";
    case 503:
        return "ServiceUnavailable";
    default:
        return status < 500 ? "InvalidRequest" : "InternalServerError";
    }
}

/* Statuses and words as an Azure front end would have them. */
static void write_azure(struct azure *azure, const struct refusal *refusal, bool refused,
                        struct answer *answer)
{
    if (!refused && refusal->text[0] == '\0') {
        char id[37];
        azure_guid(azure, id);
        answer->status = refusal->status;
        answer_header(answer, "x-ms-request-id", "%s", id);
        return;
    }
    struct refusal full = *refusal;
    if (full.code == NULL) {
        full.status = full.status == 415 || full.status == 405 ? 400 : full.status;
        full.code = code_of(full.status);
        full.challenge = full.status == 401;
    }
    refusal_write(azure, &full, answer);
}

/* The specification asks for these of 2.0 receivers. */
static void write_counts(const struct verdict *verdict, struct answer *answer)
{
    if (verdict->v2) {
        answer_header(answer, "X-Prometheus-Remote-Write-Samples-Written", "%llu",
                      (unsigned long long)verdict->totals.samples);
        answer_header(answer, "X-Prometheus-Remote-Write-Histograms-Written", "%llu",
                      (unsigned long long)verdict->totals.histograms);
        answer_header(answer, "X-Prometheus-Remote-Write-Exemplars-Written", "%llu",
                      (unsigned long long)verdict->totals.exemplars);
    }
}

static void write_answer(struct emulator *emulator, const struct pair *pair,
                         const struct verdict *verdict, const struct fault *fault,
                         struct answer *answer)
{
    const struct refusal *refusal = &verdict->refusal;
    if (fault != NULL) {
        answer->delay_ms = fault->delay_ms;
        answer->cut = fault->cut != CUT_NONE;
        memcpy(answer->retry_after, fault->retry_after, sizeof answer->retry_after);
    }
    bool good = refusal->text[0] == '\0';
    if (refusal->status == 0) {
        answer->status = 500; /* the connection is cut: never sent */
    } else if (fault != NULL && fault->body[0] != '\0' && !good) {
        answer_text(answer, refusal->status, "%s", fault->body);
    } else if (pair->options->dcr != NULL) {
        write_azure(&emulator->azure, refusal, !good, answer);
    } else if (refusal->status == 204) {
        answer->status = 204;
    } else {
        answer_text(answer, refusal->status, "%s", refusal->text);
    }
}

/* A fault that speaks of certain requests only has to look into them. */
static bool concerned(struct emulator *emulator, const struct exchange *exchange,
                      const struct fault *fault)
{
    if (fault->holding[0] == '\0') {
        return true;
    }
    return exchange->body_state == BODY_WHOLE &&
           rw_decompress(exchange->body.at, view_left(&exchange->body), &emulator->raw) &&
           fault_concerns(fault, emulator->raw.data, emulator->raw.bytes);
}

void ingest_answer(struct emulator *emulator, const struct pair_route *route,
                   const struct exchange *exchange, struct answer *answer)
{
    struct pair *pair = route->pair;
    ASSERT(pair != NULL && pair->name != NULL);
    struct fault taken;
    bool applies = concerned(emulator, exchange, &pair->fault) &&
                   fault_take(&pair->fault, exchange->now_ms, &taken);
    const struct fault *fault = applies ? &taken : NULL;
    struct verdict verdict;
    bool kept = judge(emulator, route, exchange, fault, &verdict);
    if (exchange->body_state == BODY_TOO_LARGE && pair->options->dcr != NULL &&
        pair->options->too_large == TOO_LARGE_CUT) {
        answer->cut = true;
        verdict.refusal.status = 0;
    }
    record(emulator, pair, exchange, &verdict);
    count(&pair->counts, exchange, &verdict, kept);
    bool taken_over = fault != NULL && (fault->cut != CUT_NONE || fault->status != 0);
    pair->counts.accepted += kept && !taken_over;
    pair->counts.faulted += taken_over;
    pair->counts.refused += !kept && !taken_over;
    bool cut = answer->cut;
    const char *id = exchange_header(exchange, "x-ms-client-request-id");
    if (id != NULL && pair->options->dcr != NULL) {
        answer_header(answer, "x-ms-client-request-id", "%s", id);
    }
    write_counts(&verdict, answer);
    write_answer(emulator, pair, &verdict, fault, answer);
    answer->cut = answer->cut || cut;
}

/* ingest.c - a remote write 1.0 request: headers, snappy, protobuf, then every sample kept.
 *
 * All or nothing: a request is checked whole before its first sample is kept. A fault comes before
 * the checks, as a broken front end would. Each request, taken or not, leaves a row. */
#include "emulator.h"
#include "write_request.h"

#include <walship/rw.h>

/* What one request came to, until it is recorded and answered. */
struct verdict {
    int status;
    struct view samples; /* what to keep */
    struct write_totals totals;
    struct err note; /* why it was refused */
};

static bool refuse(struct verdict *verdict, int status, const char *text)
{
    verdict->status = status;
    return err_set(&verdict->note, 0, "%s", text);
}

/* The media type before any parameter, and a version 2 message is not one of ours. */
static bool is_write_1(const char *content_type)
{
    static const char TYPE[] = "application/x-protobuf";
    size_t bytes = strcspn(content_type, "; ");
    return bytes == sizeof TYPE - 1 && strncasecmp(content_type, TYPE, bytes) == 0 &&
           strstr(content_type, "write.v2") == NULL;
}

static bool check_headers(const struct exchange *exchange, struct verdict *verdict)
{
    if (strcmp(exchange->method, "POST") != 0) {
        return refuse(verdict, 405, "only POST");
    }
    const char *type = exchange_header(exchange, "Content-Type");
    if (type == NULL || !is_write_1(type)) {
        return refuse(verdict, 415, "Content-Type must be application/x-protobuf");
    }
    const char *encoding = exchange_header(exchange, "Content-Encoding");
    if (encoding == NULL || strcasecmp(encoding, "snappy") != 0) {
        return refuse(verdict, 415, "Content-Encoding must be snappy");
    }
    const char *version = exchange_header(exchange, "X-Prometheus-Remote-Write-Version");
    if (version == NULL || strncmp(version, "0.1.", 4) != 0) {
        return refuse(verdict, 400, "X-Prometheus-Remote-Write-Version must be 0.1.0");
    }
    return true;
}

static bool check_body(struct emulator *emulator, const struct exchange *exchange,
                       struct verdict *verdict)
{
    if (exchange->body_state == BODY_TOO_LARGE) {
        return refuse(verdict, 413, "the body is too large");
    }
    if (exchange->body_state == BODY_NO_ROOM) {
        return refuse(verdict, 503, "too many requests at once");
    }
    if (!rw_decompress(exchange->body.at, view_left(&exchange->body), &emulator->raw)) {
        return refuse(verdict, 400, "the body is not a snappy block of at most 32 MiB");
    }
    struct view raw = view_of(emulator->raw.data, emulator->raw.bytes);
    enum write_depth depth = emulator->recorder == NULL ? WRITE_COUNT : WRITE_FULL;
    if (!write_request_check(raw, depth, &verdict->totals, &verdict->note)) {
        verdict->status = 400;
        return false;
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
    struct recorder_request request = {
        .pair = pair->id,
        .wall_ms = exchange->wall_ms,
        .bytes = view_left(&exchange->body),
        .status = verdict->status,
        .samples = verdict->totals.samples,
        .retry_attempt = retry_attempt(exchange),
        .note = verdict->note.text,
    };
    if (!recorder_write(emulator->recorder, &request, verdict->samples, exchange->now_ms,
                        &emulator->err)) {
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
    counts->samples += verdict->totals.samples;
    counts->exemplars += verdict->totals.exemplars;
    counts->histograms += verdict->totals.histograms;
    counts->metadata += verdict->totals.metadata;
    if (verdict->totals.samples > 0 && verdict->totals.newest_ms > counts->newest_ms) {
        counts->newest_ms = verdict->totals.newest_ms;
    }
}

/* Decides: true when the samples are to be kept. */
static bool judge(struct emulator *emulator, const struct exchange *exchange,
                  const struct fault *fault, struct verdict *verdict)
{
    *verdict = (struct verdict){.status = 204};
    if (fault != NULL && fault->cut == CUT_BEFORE) {
        return refuse(verdict, 0, "fault: cut before");
    }
    if (fault != NULL && fault->status != 0 && !fault->store) {
        return refuse(verdict, fault->status, "fault: status");
    }
    if (!check_headers(exchange, verdict) || !check_body(emulator, exchange, verdict)) {
        verdict->totals = (struct write_totals){0};
        return false;
    }
    if (fault != NULL && fault->cut == CUT_AFTER) {
        return !refuse(verdict, 0, "fault: cut after");
    }
    if (fault != NULL && fault->status != 0) {
        return !refuse(verdict, fault->status, "fault: kept, but answered otherwise");
    }
    return true;
}

static void write_answer(const struct verdict *verdict, const struct fault *fault,
                         struct answer *answer)
{
    const char *text = verdict->note.text;
    if (fault != NULL) {
        text = fault->body[0] != '\0' ? fault->body : text;
        answer->delay_ms = fault->delay_ms;
        answer->cut = fault->cut != CUT_NONE;
        memcpy(answer->retry_after, fault->retry_after, sizeof answer->retry_after);
    }
    if (verdict->status == 204) {
        answer->status = 204;
    } else {
        answer_text(answer, verdict->status, "%s", text);
    }
}

void ingest_answer(struct emulator *emulator, struct pair *pair, const struct exchange *exchange,
                   struct answer *answer)
{
    ASSERT(pair != NULL && pair->name != NULL);
    struct fault taken;
    const struct fault *fault = fault_take(&pair->fault, exchange->now_ms, &taken) ? &taken : NULL;
    struct verdict verdict;
    bool kept = judge(emulator, exchange, fault, &verdict);
    record(emulator, pair, exchange, &verdict);
    count(&pair->counts, exchange, &verdict, kept);
    bool taken_over = fault != NULL && (fault->cut != CUT_NONE || fault->status != 0);
    pair->counts.accepted += kept && !taken_over;
    pair->counts.faulted += taken_over;
    pair->counts.refused += !kept && !taken_over;
    write_answer(&verdict, fault, answer);
}

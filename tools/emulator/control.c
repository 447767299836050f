/* control.c - what a test or the demo asks the emulator itself: GET /stats, POST and DELETE /fault.
 */
#include "emulator.h"

static bool write_pair(struct buf *out, const struct pair *pair)
{
    const struct pair_counts *counts = &pair->counts;
    /* names and paths were checked to need no escaping */
    return buf_format(out, "{\"name\":\"%s\",\"path\":\"%s\"", pair->name, pair->path) &&
           buf_format(out, ",\"requests\":%llu,\"accepted\":%llu,\"refused\":%llu,\"faulted\":%llu",
                      (unsigned long long)counts->requests, (unsigned long long)counts->accepted,
                      (unsigned long long)counts->refused, (unsigned long long)counts->faulted) &&
           buf_format(
               out, ",\"samples\":%llu,\"exemplars\":%llu,\"histograms\":%llu,\"metadata\":%llu",
               (unsigned long long)counts->samples, (unsigned long long)counts->exemplars,
               (unsigned long long)counts->histograms, (unsigned long long)counts->metadata) &&
           buf_format(out, ",\"bytes\":%llu,\"last_arrival_ms\":%lld,\"newest_sample_ms\":%lld}",
                      (unsigned long long)counts->bytes, (long long)counts->arrival_ms,
                      (long long)counts->newest_ms);
}

void stats_answer(const struct emulator *emulator, struct answer *answer)
{
    struct buf *out = &answer->body;
    size_t series = emulator->recorder == NULL ? 0 : recorder_series_count(emulator->recorder);
    bool good = buf_format(out, "{\"series\":%zu,\"endpoints\":[", series);
    for (size_t index = 0; good && index < emulator->pairs_count; index++) {
        good = (index == 0 || buf_append(out, ",", 1)) && write_pair(out, &emulator->pairs[index]);
    }
    good = good && buf_format(out, "]}\n");
    if (!good) {
        answer_text(answer, 500, "the answer is too long");
        return;
    }
    answer->status = 200;
    answer->content_type = "application/json";
}

/* The pairs a control request is about: `endpoint` is a name, or * for all. */
static bool is_meant(const struct exchange *exchange, const struct pair *pair)
{
    for (size_t index = 0; index < exchange->query_count; index++) {
        const struct exchange_param *param = &exchange->query[index];
        if (strcmp(param->key, "endpoint") == 0) {
            return strcmp(param->value, "*") == 0 || strcmp(param->value, pair->name) == 0;
        }
    }
    return false;
}

static bool read_fault(const struct exchange *exchange, struct fault *out, struct err *err)
{
    fault_init(out);
    for (size_t index = 0; index < exchange->query_count; index++) {
        const struct exchange_param *param = &exchange->query[index];
        if (strcmp(param->key, "endpoint") != 0 &&
            !fault_set(out, param->key, param->value, exchange->now_ms, err)) {
            return false;
        }
    }
    return true;
}

void fault_answer(struct emulator *emulator, const struct exchange *exchange, struct answer *answer)
{
    bool clear = strcmp(exchange->method, "DELETE") == 0;
    if (!clear && strcmp(exchange->method, "POST") != 0) {
        answer_text(answer, 405, "POST sets a fault, DELETE clears it");
        return;
    }
    struct fault fault;
    struct err err;
    if (exchange->query_count > QUERY_COUNT_MAX) {
        answer_text(answer, 400, "too many parameters");
        return;
    }
    if (!read_fault(exchange, &fault, &err)) {
        answer_text(answer, 400, "%s", err.text);
        return;
    }
    if (clear || !fault.armed) {
        fault_init(&fault);
    }
    size_t meant = 0;
    for (size_t index = 0; index < emulator->pairs_count; index++) {
        if (is_meant(exchange, &emulator->pairs[index])) {
            emulator->pairs[index].fault = fault;
            meant++;
        }
    }
    answer_text(answer, meant > 0 ? 200 : 404, "%zu endpoints", meant);
}

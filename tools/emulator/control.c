/* control.c - what a test or the demo asks the emulator itself: GET /stats, POST and DELETE /fault.
 */
#include "emulator.h"
#include "workspace.h"

#include <walship/mem.h>

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
           buf_format(
               out,
               ",\"dropped\":%llu,\"bytes\":%llu,\"last_arrival_ms\":%lld,\"newest_sample_ms\":%lld}",
               (unsigned long long)counts->dropped, (unsigned long long)counts->bytes,
               (long long)counts->arrival_ms, (long long)counts->newest_ms);
}

static bool write_workspace(struct buf *out, const struct workspace *workspace)
{
    bool good = buf_format(out, "{\"name\":\"%s\",\"active_series\":%llu",
                           workspace_options(workspace)->name,
                           (unsigned long long)workspace_active_series(workspace));
    for (unsigned reason = DROP_NONE + 1; good && reason < DROPS_COUNT; reason++) {
        good =
            buf_format(out, ",\"%s\":%llu", DROP_NAMES[reason],
                       (unsigned long long)workspace_dropped(workspace, (enum drop_reason)reason));
    }
    return good && buf_append(out, "}", 1);
}

void stats_answer(const struct emulator *emulator, struct answer *answer)
{
    struct buf *out = &answer->body;
    size_t series = emulator->recorder == NULL ? 0 : recorder_series_count(emulator->recorder);
    bool good = buf_format(out, "{\"series\":%zu,\"endpoints\":[", series);
    for (size_t index = 0; good && index < emulator->pairs_count; index++) {
        good = (index == 0 || buf_append(out, ",", 1)) && write_pair(out, &emulator->pairs[index]);
    }
    good = good && buf_format(out, "],\"workspaces\":[");
    for (size_t index = 0; good && index < emulator->workspaces_count; index++) {
        good = (index == 0 || buf_append(out, ",", 1)) &&
               write_workspace(out, emulator->workspaces[index]);
    }
    good = good && buf_format(out, "]}\n");
    if (!good) {
        answer_text(answer, 500, "the answer is too long");
        return;
    }
    answer->status = 200;
    answer->content_type = "application/json";
}

static bool is_meant(const char *name, const char *pair)
{
    return strcmp(name, "*") == 0 || strcmp(name, pair) == 0;
}

size_t emulator_set_fault(struct emulator *emulator, const char *name, const struct fault *fault)
{
    size_t meant = 0;
    for (size_t index = 0; index < emulator->pairs_count; index++) {
        if (is_meant(name, emulator->pairs[index].name)) {
            emulator->pairs[index].fault = *fault;
            meant++;
        }
    }
    enum token_door door = token_door_find(name);
    if (meant == 0 && door != DOORS_COUNT) {
        emulator->azure.faults[door] = *fault;
        meant++;
    }
    return meant;
}

size_t emulator_set_role(struct emulator *emulator, const char *identity, const char *pair,
                         const struct grant *grant)
{
    size_t meant = 0;
    struct azure *azure = &emulator->azure;
    for (size_t who = 0; who < azure->principals_count; who++) {
        for (size_t index = 0; index < emulator->pairs_count; index++) {
            if (is_meant(identity, azure->principals[who].options->name) &&
                is_meant(pair, emulator->pairs[index].name)) {
                azure->principals[who].grants[index] = *grant;
                meant++;
            }
        }
    }
    return meant;
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
    const char *name = exchange_query(exchange, "endpoint");
    size_t meant = name == NULL ? 0 : emulator_set_fault(emulator, name, &fault);
    answer_text(answer, meant > 0 ? 200 : 404, "%zu endpoints", meant);
}

/* POST /role?identity=NAME&endpoint=NAME[&delay=30s] grants, DELETE revokes; * means all. */
void role_answer(struct emulator *emulator, const struct exchange *exchange, struct answer *answer)
{
    bool grants = strcmp(exchange->method, "POST") == 0;
    const char *identity = exchange_query(exchange, "identity");
    const char *endpoint = exchange_query(exchange, "endpoint");
    const char *delay = exchange_query(exchange, "delay");
    int64_t delay_ms = 0;
    if (!grants && strcmp(exchange->method, "DELETE") != 0) {
        answer_text(answer, 405, "POST grants, DELETE revokes");
        return;
    }
    if (identity == NULL || endpoint == NULL ||
        (delay != NULL && !conf_duration_parse(delay, &delay_ms))) {
        answer_text(answer, 400, "needs identity and endpoint; delay is a duration");
        return;
    }
    struct grant grant = {grants, exchange->now_ms + delay_ms};
    size_t meant = emulator_set_role(emulator, identity, endpoint, &grant);
    answer_text(answer, meant > 0 ? 200 : 404, "%zu roles", meant);
}

/* One key of POST /identity. False: unknown, or a bad value. */
static bool set_identity(struct principal *principal, const char *key, const char *value)
{
    if (strcmp(key, "disabled") == 0) {
        principal->disabled = strcmp(value, "true") == 0;
        return principal->disabled || strcmp(value, "false") == 0;
    }
    char **out = strcmp(key, "secret") == 0           ? &principal->secret
                 : strcmp(key, "expired_secret") == 0 ? &principal->expired_secret
                                                      : NULL;
    if (out == NULL) {
        return strcmp(key, "name") == 0;
    }
    mem_free(*out);
    *out = mem_string(value);
    return true;
}

/* POST /identity?name=NAME&disabled=true|secret=TEXT|expired_secret=TEXT */
void identity_answer(struct emulator *emulator, const struct exchange *exchange,
                     struct answer *answer)
{
    const char *name = exchange_query(exchange, "name");
    struct principal *principal = name == NULL ? NULL : azure_principal(&emulator->azure, name);
    if (strcmp(exchange->method, "POST") != 0 || exchange->query_count > QUERY_COUNT_MAX) {
        answer_text(answer, 405, "POST changes an identity");
        return;
    }
    if (principal == NULL) {
        answer_text(answer, 404, "no identity has this name");
        return;
    }
    for (size_t index = 0; index < exchange->query_count; index++) {
        const struct exchange_param *param = &exchange->query[index];
        if (!set_identity(principal, param->key, param->value)) {
            answer_text(answer, 400, "disabled=true|false, secret=TEXT or expired_secret=TEXT");
            return;
        }
    }
    answer_text(answer, 200, "1 identities");
}

/* POST /tokens?life=6s&expires_on=rfc3339...: the keys of `tokens` in the configuration. */
void tokens_answer(struct emulator *emulator, const struct exchange *exchange,
                   struct answer *answer)
{
    if (strcmp(exchange->method, "POST") != 0 || exchange->query_count > QUERY_COUNT_MAX) {
        answer_text(answer, 405, "POST changes what tokens are like");
        return;
    }
    for (size_t index = 0; index < exchange->query_count; index++) {
        const struct exchange_param *param = &exchange->query[index];
        struct conf_node value = {.kind = CONF_SCALAR, .text = param->value};
        struct err err;
        if (!fields_set(TOKEN_FIELDS, TOKEN_FIELDS_COUNT, &emulator->azure.tokens, &value,
                        param->key, &err)) {
            answer_text(answer, 400, "%s", err.text);
            return;
        }
    }
    answer_text(answer, 200, "tokens changed");
}

/* emulator.c - opening, closing and the choice of the handler. */
#include "emulator.h"

#include "doors.h"
#include "pair.h"
#include "script.h"
#include "workspace.h"

#include <stdarg.h>
#include <walship/mem.h>

static bool open_recorder(struct emulator *emulator, const struct options *options, struct err *err)
{
    if (!options->store) {
        return true;
    }
    emulator->recorder = recorder_open(options->database, options->commit_ms, err);
    if (emulator->recorder == NULL) {
        return false;
    }
    for (size_t index = 0; index < emulator->pairs_count; index++) {
        struct pair *pair = &emulator->pairs[index];
        pair->id = recorder_pair(emulator->recorder, pair->name, pair->path, err);
        if (pair->id == 0) {
            return false;
        }
    }
    return true;
}

static struct workspace *find_workspace(const struct emulator *emulator, const char *name)
{
    for (size_t index = 0; name != NULL && index < emulator->workspaces_count; index++) {
        if (strcmp(workspace_options(emulator->workspaces[index])->name, name) == 0) {
            return emulator->workspaces[index];
        }
    }
    ASSERT(name == NULL);
    return NULL;
}

static void open_pair(struct emulator *emulator, struct pair *pair,
                      const struct endpoint_options *options)
{
    pair->name = options->name;
    pair->path = options->path;
    pair->options = options;
    pair->workspace = find_workspace(emulator, options->workspace);
    fault_init(&pair->fault);
    bucket_init(&pair->requests, options->requests_per_minute, options->burst_ms);
    bucket_init(&pair->bytes, options->bytes_per_minute, options->burst_ms);
}

static void open_workspaces(struct emulator *emulator, const struct azure_options *azure)
{
    emulator->workspaces_count = azure->workspaces_count;
    emulator->workspaces = mem_new(azure->workspaces_count + 1, sizeof *emulator->workspaces);
    for (size_t index = 0; index < azure->workspaces_count; index++) {
        emulator->workspaces[index] = workspace_new(&azure->workspaces[index]);
    }
}

bool emulator_open(struct emulator *emulator, const struct options *options, struct err *err)
{
    ASSERT(options->endpoints_count > 0);
    *emulator = (struct emulator){.pairs_count = options->endpoints_count};
    buf_init(&emulator->raw, REQUEST_RAW_BYTES_MAX);
    buf_init(&emulator->raw_v1, REQUEST_V1_BYTES_MAX);
    buf_init(&emulator->reasons, REQUEST_RAW_BYTES_MAX);
    azure_open(&emulator->azure, options);
    open_workspaces(emulator, &options->azure);
    emulator->pairs = mem_new(emulator->pairs_count, sizeof *emulator->pairs);
    for (size_t index = 0; index < emulator->pairs_count; index++) {
        open_pair(emulator, &emulator->pairs[index], &options->endpoints[index]);
    }
    emulator->script = script_new(options, err);
    if (emulator->script != NULL && open_recorder(emulator, options, err)) {
        return true;
    }
    struct err ignored;
    (void)emulator_close(emulator, &ignored);
    return false;
}

bool emulator_close(struct emulator *emulator, struct err *err)
{
    bool good = emulator->recorder == NULL || recorder_close(emulator->recorder, err);
    for (size_t index = 0; index < emulator->workspaces_count; index++) {
        workspace_free(emulator->workspaces[index]);
    }
    mem_free(emulator->workspaces);
    azure_close(&emulator->azure);
    script_free(emulator->script);
    mem_free(emulator->pairs);
    buf_release(&emulator->raw);
    buf_release(&emulator->raw_v1);
    buf_release(&emulator->reasons);
    *emulator = (struct emulator){0};
    return good;
}

void emulator_start(struct emulator *emulator, int64_t now_ms)
{
    azure_start(&emulator->azure, emulator->pairs_count, now_ms);
    script_start(emulator->script, now_ms);
}

uint64_t emulator_body_bytes_max(struct emulator *emulator, const struct exchange *exchange,
                                 uint64_t otherwise)
{
    struct pair_route route;
    struct refusal refusal;
    if (pair_find(emulator, exchange, &route, &refusal) != PAIR_FOUND) {
        return otherwise;
    }
    const struct endpoint_options *options = route.pair->options;
    return options->body_bytes_max < otherwise ? options->body_bytes_max : otherwise;
}

struct pair *emulator_pair(struct emulator *emulator, const char *path)
{
    for (size_t index = 0; index < emulator->pairs_count; index++) {
        if (strcmp(emulator->pairs[index].path, path) == 0) {
            return &emulator->pairs[index];
        }
    }
    return NULL;
}

void answer_text(struct answer *answer, int status, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    ASSERT(bytes >= 0);
    answer->status = status;
    answer->content_type = "text/plain; charset=utf-8";
    buf_clear(&answer->body);
    bool fits = buf_format(&answer->body, "%s\n", line);
    ASSERT(fits);
}

void answer_header(struct answer *answer, const char *name, const char *format, ...)
{
    ASSERT(answer->headers_count < ANSWER_HEADERS_MAX);
    struct answer_field *field = &answer->headers[answer->headers_count++];
    field->name = name;
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(field->value, sizeof field->value, format, arguments);
    va_end(arguments);
    ASSERT(bytes >= 0);
}

struct control {
    const char *path;
    void (*answer)(struct emulator *emulator, const struct exchange *exchange,
                   struct answer *answer);
};

static const struct control CONTROLS[] = {
    {"/fault", fault_answer},
    {"/role", role_answer},
    {"/identity", identity_answer},
    {"/tokens", tokens_answer},
};

static bool control_answer(struct emulator *emulator, const struct exchange *exchange,
                           struct answer *answer)
{
    for (size_t index = 0; index < ARRAY_COUNT(CONTROLS); index++) {
        if (strcmp(CONTROLS[index].path, exchange->path) == 0) {
            CONTROLS[index].answer(emulator, exchange, answer);
            return true;
        }
    }
    return false;
}

void emulator_answer(struct emulator *emulator, const struct exchange *exchange,
                     struct answer *answer)
{
    ASSERT(exchange->path != NULL && exchange->method != NULL);
    answer->headers_count = 0;
    struct pair_route route = {emulator_pair(emulator, exchange->path), false};
    struct refusal refusal;
    if (route.pair != NULL && route.pair->options->dcr == NULL) {
        ingest_answer(emulator, &route, exchange, answer);
        return;
    }
    if (strcmp(exchange->path, "/stats") == 0) {
        stats_answer(emulator, answer);
        return;
    }
    if (control_answer(emulator, exchange, answer) || doors_answer(emulator, exchange, answer)) {
        return;
    }
    switch (pair_find(emulator, exchange, &route, &refusal)) {
    case PAIR_FOUND:
        ingest_answer(emulator, &route, exchange, answer);
        break;
    case PAIR_REFUSED:
        refusal_write(&emulator->azure, &refusal, answer);
        break;
    case PAIR_ELSEWHERE:
        answer_text(answer, 404, "no endpoint has this path");
        break;
    }
}

void emulator_run(struct emulator *emulator, int64_t now_ms)
{
    script_run(emulator->script, emulator, now_ms);
    if (emulator->recorder != NULL && !emulator->failed) {
        emulator->failed = !recorder_run(emulator->recorder, now_ms, &emulator->err);
    }
}

int64_t emulator_deadline(const struct emulator *emulator)
{
    int64_t deadline = script_deadline(emulator->script);
    int64_t commit = emulator->recorder == NULL ? INT64_MAX : recorder_deadline(emulator->recorder);
    return commit < deadline ? commit : deadline;
}

/* emulator.c - opening, closing and the choice of the handler. */
#include "emulator.h"

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

bool emulator_open(struct emulator *emulator, const struct options *options, struct err *err)
{
    ASSERT(options->endpoints_count > 0);
    *emulator = (struct emulator){.pairs_count = options->endpoints_count};
    buf_init(&emulator->raw, REQUEST_RAW_BYTES_MAX);
    emulator->pairs = mem_new(emulator->pairs_count, sizeof *emulator->pairs);
    for (size_t index = 0; index < emulator->pairs_count; index++) {
        struct pair *pair = &emulator->pairs[index];
        pair->name = options->endpoints[index].name;
        pair->path = options->endpoints[index].path;
        fault_init(&pair->fault);
    }
    if (open_recorder(emulator, options, err)) {
        return true;
    }
    struct err ignored;
    (void)emulator_close(emulator, &ignored);
    return false;
}

bool emulator_close(struct emulator *emulator, struct err *err)
{
    bool good = emulator->recorder == NULL || recorder_close(emulator->recorder, err);
    mem_free(emulator->pairs);
    buf_release(&emulator->raw);
    *emulator = (struct emulator){0};
    return good;
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

void emulator_answer(struct emulator *emulator, const struct exchange *exchange,
                     struct answer *answer)
{
    ASSERT(exchange->path != NULL && exchange->method != NULL);
    struct pair *pair = emulator_pair(emulator, exchange->path);
    if (pair != NULL) {
        ingest_answer(emulator, pair, exchange, answer);
    } else if (strcmp(exchange->path, "/stats") == 0) {
        stats_answer(emulator, answer);
    } else if (strcmp(exchange->path, "/fault") == 0) {
        fault_answer(emulator, exchange, answer);
    } else {
        answer_text(answer, 404, "no endpoint has this path");
    }
}

void emulator_run(struct emulator *emulator, int64_t now_ms)
{
    if (emulator->recorder != NULL && !emulator->failed) {
        emulator->failed = !recorder_run(emulator->recorder, now_ms, &emulator->err);
    }
}

int64_t emulator_deadline(const struct emulator *emulator)
{
    return emulator->recorder == NULL ? INT64_MAX : recorder_deadline(emulator->recorder);
}

/* script.c - each step has the next time at which something is to be done: first itself, then its
 * reverse, then nothing. */
#include "script.h"

#include <stdio.h>
#include <walship/log.h>
#include <walship/mem.h>

enum { ACTION_BYTES_MAX = 512 };

enum phase { PHASE_WAITS, PHASE_HOLDS, PHASE_DONE };

struct progress {
    enum phase phase;
    int64_t due_ms;
};

struct script {
    const struct script_step *steps;
    size_t count;
    struct progress *progress;
};

struct reverse {
    const char *action;
    const char *reverse;
};

static const struct reverse REVERSES[] = {
    {"revoke", "grant"}, {"grant", "revoke"}, {"disable", "enable"}, {"enable", "disable"}};

static const char *reverse_of(const char *action)
{
    for (size_t index = 0; index < ARRAY_COUNT(REVERSES); index++) {
        if (strcmp(REVERSES[index].action, action) == 0) {
            return REVERSES[index].reverse;
        }
    }
    return NULL;
}

/* key=value pairs with & or blanks between. */
static bool read_fault(const struct script_step *step, int64_t now_ms, struct fault *out,
                       struct err *err)
{
    char text[ACTION_BYTES_MAX];
    fault_init(out);
    if (strlen(step->action) >= sizeof text) {
        return err_set(err, 0, "the action is too long");
    }
    memcpy(text, step->action, strlen(step->action) + 1);
    char *rest = text;
    while (*rest != '\0') {
        char *key = rest;
        rest += strcspn(rest, "& ");
        if (*rest != '\0') {
            *rest++ = '\0';
        }
        char *equals = strchr(key, '=');
        if (*key == '\0') {
            continue;
        }
        if (equals == NULL) {
            return err_set(err, 0, "\"%.60s\" is no action", key);
        }
        *equals = '\0';
        if (!fault_set(out, key, equals + 1, now_ms, err)) {
            return false;
        }
    }
    if (step->for_ms > 0) {
        out->until_ms = now_ms + step->for_ms;
    }
    return true;
}

static bool check_step(const struct script_step *step, struct err *err)
{
    struct fault ignored;
    if (reverse_of(step->action) == NULL) {
        bool fault = step->pair != NULL && step->identity == NULL;
        return (fault && strcmp(step->action, "clear") == 0) ||
               (fault ? read_fault(step, 0, &ignored, err)
                      : err_set(err, 0, "a fault needs a pair and no identity"));
    }
    bool role = strcmp(step->action, "grant") == 0 || strcmp(step->action, "revoke") == 0;
    return (step->identity != NULL && (!role || step->pair != NULL)) ||
           err_set(err, 0, "%s needs an identity%s", step->action, role ? " and a pair" : "");
}

struct script *script_new(const struct options *options, struct err *err)
{
    for (size_t index = 0; index < options->script_count; index++) {
        if (!check_step(&options->script[index], err)) {
            err_wrap(err, "script: step %zu", index + 1);
            return NULL;
        }
    }
    struct script *script = mem_new(1, sizeof *script);
    script->steps = options->script;
    script->count = options->script_count;
    script->progress = mem_new(script->count + 1, sizeof *script->progress);
    script_start(script, 0);
    return script;
}

void script_free(struct script *script)
{
    if (script != NULL) {
        mem_free(script->progress);
        mem_free(script);
    }
}

void script_start(struct script *script, int64_t now_ms)
{
    for (size_t index = 0; index < script->count; index++) {
        script->progress[index] =
            (struct progress){PHASE_WAITS, now_ms + script->steps[index].at_ms};
    }
}

static size_t act(struct emulator *emulator, const struct script_step *step, const char *action,
                  int64_t now_ms)
{
    struct grant grant = {strcmp(action, "grant") == 0, now_ms};
    if (grant.held || strcmp(action, "revoke") == 0) {
        return emulator_set_role(emulator, step->identity, step->pair, &grant);
    }
    if (reverse_of(action) != NULL) {
        struct principal *principal = azure_principal(&emulator->azure, step->identity);
        if (principal != NULL) {
            principal->disabled = strcmp(action, "disable") == 0;
        }
        return principal != NULL;
    }
    struct fault fault;
    struct err err;
    fault_init(&fault);
    bool good = strcmp(action, "clear") == 0 || read_fault(step, now_ms, &fault, &err);
    ASSERT(good);
    return emulator_set_fault(emulator, step->pair, &fault);
}

static void run_step(struct emulator *emulator, const struct script_step *step,
                     struct progress *progress, int64_t now_ms)
{
    bool first = progress->phase == PHASE_WAITS;
    const char *reverse = reverse_of(step->action);
    const char *action = first ? step->action : reverse;
    ASSERT(action != NULL);
    size_t meant = act(emulator, step, action, now_ms);
    LOG_INFO("script", LOG_STR("do", action), LOG_STR("pair", step->pair == NULL ? "" : step->pair),
             LOG_STR("identity", step->identity == NULL ? "" : step->identity),
             LOG_U64("meant", meant));
    bool holds = first && step->for_ms > 0 && reverse != NULL;
    progress->phase = holds ? PHASE_HOLDS : PHASE_DONE;
    progress->due_ms = holds ? now_ms + step->for_ms : INT64_MAX;
}

void script_run(struct script *script, struct emulator *emulator, int64_t now_ms)
{
    for (size_t index = 0; index < script->count; index++) {
        struct progress *progress = &script->progress[index];
        if (progress->phase != PHASE_DONE && progress->due_ms <= now_ms) {
            run_step(emulator, &script->steps[index], progress, now_ms);
        }
    }
}

int64_t script_deadline(const struct script *script)
{
    int64_t deadline = INT64_MAX;
    for (size_t index = 0; index < script->count; index++) {
        const struct progress *progress = &script->progress[index];
        deadline = progress->due_ms < deadline ? progress->due_ms : deadline;
    }
    return deadline;
}

/* failure.c - see failure.h. The waits are the documented ones: IMDS advises 2, 4, 8, 16 s and so
 * on up to 60 for 404, 429 and 5xx, and is back within 70 s after a 410; Entra's 429 says 60 s.
 * What only the operator can mend is asked again too, but rarely: a daemon that gave up would need
 * a restart. */
#include "failure.h"

#include "expiry.h"
#include "token_answer.h"

#include <stdarg.h>
#include <walship/limits.h>

struct pace {
    int64_t first_ms;
    int64_t max_ms;
};

static const struct pace paces[FAILURE_KINDS] = {
    [FAILURE_NETWORK] = {1000, 60000},  [FAILURE_BUSY] = {2000, 60000},
    [FAILURE_UPDATING] = {2000, 10000}, [FAILURE_TRANSIENT] = {2000, 60000},
    [FAILURE_FINAL] = {30000, 300000},  [FAILURE_ANSWER] = {5000, 60000},
    [FAILURE_LOCAL] = {5000, 60000},
};
enum { ENTRA_BUSY_MS = 60000 };

int64_t failure_wait_ms(const struct failure *failure, const struct source *source, uint64_t in_row)
{
    ASSERT(failure->kind < FAILURE_KINDS);
    const struct pace *pace = &paces[failure->kind];
    int64_t wait = pace->first_ms;
    for (uint64_t i = 0; i < in_row && wait < pace->max_ms; i++) {
        wait *= 2;
    }
    wait = wait > pace->max_ms ? pace->max_ms : wait;
    if (failure->retry_after_ms > 0) {
        int64_t asked = failure->retry_after_ms;
        asked = asked > RETRY_AFTER_MS_MAX ? RETRY_AFTER_MS_MAX : asked;
        return asked > wait || failure->kind == FAILURE_BUSY ? asked : wait;
    }
    bool entra = !source_is_local(source);
    return failure->kind == FAILURE_BUSY && entra ? ENTRA_BUSY_MS : wait;
}

static void set_list(struct failure *out, enum failure_kind kind, const char *format, va_list list)
    __attribute__((format(printf, 3, 0)));
static void set_list(struct failure *out, enum failure_kind kind, const char *format, va_list list)
{
    int bytes = vsnprintf(out->text, sizeof out->text, format, list);
    ASSERT(bytes >= 0);
    out->kind = kind;
}

void failure_set(struct failure *out, enum failure_kind kind, const char *format, ...)
{
    va_list list;
    ASSERT(out != NULL && kind < FAILURE_KINDS);
    va_start(list, format);
    set_list(out, kind, format, list);
    va_end(list);
}

/* ---- by status ---- */

static bool metadata_is_transient(const struct source *source, int status)
{
    if (status == 408 || status >= 500) {
        return true;
    }
    /* an IMDS or Arc agent that starts, or pod identity while nothing is bound yet */
    return status == 404 && (source->kind == SOURCE_IMDS || source->kind == SOURCE_ARC);
}

static enum failure_kind kind_of(const struct source *source, int status)
{
    if (status == 429) {
        return FAILURE_BUSY;
    }
    if (status == 410 && (source->kind == SOURCE_IMDS || source->kind == SOURCE_ARC)) {
        return FAILURE_UPDATING;
    }
    bool transient = source_is_local(source) ? metadata_is_transient(source, status)
                                             : status == 408 || status >= 500;
    return transient ? FAILURE_TRANSIENT : FAILURE_FINAL;
}

static const char *metadata_advice(const struct source *source, int status,
                                   const struct token_refusal *refusal)
{
    if (refusal->no_identity) {
        return source->text[TEXT_CLIENT_ID] != NULL
                   ? "this identity is not assigned to the machine: assign it (Identity, User "
                     "assigned), or correct client_id"
                   : "the machine has no identity: switch its system-assigned one on, or assign one "
                     "and give client_id";
    }
    if (refusal->which_identity) {
        return "the machine has several identities: say which by client_id";
    }
    if (strcmp(refusal->error, "invalid_resource") == 0) {
        return "the resource is unknown: check cloud and scope";
    }
    if (status == 410) {
        return "the metadata service is being updated and back within 70 s";
    }
    if (status == 404) {
        return "no identity is bound yet, or the metadata service is starting";
    }
    if (status == 502 || status == 504) {
        return "a proxy seems to stand before the metadata service";
    }
    if (status == 429) {
        return "the machine asks the metadata service too often";
    }
    if (status >= 500) {
        return "the metadata service has a fault";
    }
    if (source->kind == SOURCE_ARC && status == 401) {
        return "the Arc agent refused the key of its own challenge";
    }
    return source->kind == SOURCE_APP_SERVICE || source->kind == SOURCE_APP_SERVICE_2017
               ? "is an identity assigned to the app, and IDENTITY_HEADER that of its last start?"
               : "is a managed identity assigned to the machine?";
}

static const char *entra_advice(int status, const struct token_refusal *refusal, bool *transient)
{
    const char *advice = aadsts_advice(refusal->aadsts, transient);
    if (advice != NULL) {
        return advice;
    }
    if (strcmp(refusal->error, "temporarily_unavailable") == 0) {
        *transient = true;
        return "the token server is briefly unavailable";
    }
    if (status == 429) {
        return "the token server is asked too often";
    }
    if (status >= 500) {
        return "the token server has a fault";
    }
    return status >= 300 && status < 400 ? "a redirect is not followed: check the address"
                                         : "check client_id, the credential and the address";
}

static void judge_status(struct failure *out, const struct source *source,
                         const struct http_result *result)
{
    struct token_refusal refusal;
    char code[32] = "";
    bool transient = false;
    token_refusal_parse(result->body, result->body_bytes, &refusal);
    enum failure_kind kind = kind_of(source, result->status);
    const char *advice = source_is_local(source)
                             ? metadata_advice(source, result->status, &refusal)
                             : entra_advice(result->status, &refusal, &transient);
    if (transient && kind == FAILURE_FINAL) {
        kind = FAILURE_TRANSIENT;
    }
    if (refusal.aadsts != 0) {
        int bytes = snprintf(code, sizeof code, " AADSTS%u", refusal.aadsts);
        ASSERT(bytes > 0 && (size_t)bytes < sizeof code);
    }
    failure_set(out, kind, "answered %d%s%s%s: %s", result->status,
                refusal.error[0] != '\0' ? " " : "", refusal.error, code, advice);
}

void failure_judge(struct failure *out, const struct source *source,
                   const struct http_result *result, int64_t wall_ms)
{
    ASSERT(out != NULL && result != NULL);
    *out = (struct failure){0};
    if (result->outcome != HTTP_ANSWERED) {
        failure_set(out, FAILURE_NETWORK, "no answer: %.200s",
                    result->error != NULL ? result->error : "the request failed");
        return;
    }
    judge_status(out, source, result);
    if (result->retry_after != NULL &&
        !expiry_retry_after_parse(result->retry_after, wall_ms, &out->retry_after_ms)) {
        out->retry_after_ms = 0;
    }
}

/* doors.c - paths of the token sources, and the documented body of each status that a fault may ask
 * for. */
#include "doors.h"

#include <stdio.h>
#include <strings.h>

static const char IMDS_PATH[] = "/metadata/identity/oauth2/token";

struct failure {
    int status;
    const char *error;
    const char *text;
};

/* The last line stands for every other status. */
static const struct failure FAILURES[] = {
    {400, "invalid_request", "Identity not found"},
    {401, "unknown_source", "Unknown Source"},
    {403, "access_denied", "The resource owner or authorization server denied the request."},
    {404, "not_found", "IMDS endpoint is updating."},
    {410, "gone", "IMDS is going through updates. It will be available within 70 seconds."},
    {429, "too_many_requests", "IMDS throttle limit reached."},
    {500, "unknown", "Failed to retrieve token from the Active directory. For details see logs."},
    {0, "temporarily_unavailable", "The service is not available."},
};

static const struct entra_error ENTRA_FAILURE = {
    0, "temporarily_unavailable", 90033, "A transient error has occurred. Please try again."};

static enum token_door find_door(const char *path)
{
    char tenant[CLAIM_BYTES_MAX];
    static const char ARC[] = "/arc", IMDS[] = "/imds";
    if (strncmp(path, ARC, sizeof ARC - 1) == 0 && strcmp(path + sizeof ARC - 1, IMDS_PATH) == 0) {
        return DOOR_ARC;
    }
    const char *rest = strncmp(path, IMDS, sizeof IMDS - 1) == 0 ? path + sizeof IMDS - 1 : path;
    if (strcmp(rest, IMDS_PATH) == 0) {
        return DOOR_IMDS;
    }
    if (strcmp(path, "/msi/token") == 0) {
        return DOOR_APP_SERVICE;
    }
    return entra_path(path, tenant) ? DOOR_ENTRA : DOORS_COUNT;
}

static void fail(struct azure *azure, enum token_door door, int status, int64_t wall_ms,
                 struct answer *answer, struct door_result *result)
{
    if (door == DOOR_ENTRA) {
        struct entra_error error = ENTRA_FAILURE;
        error.status = status;
        entra_refuse(azure, &error, wall_ms, answer);
        return;
    }
    size_t row = 0;
    while (FAILURES[row].status != 0 && FAILURES[row].status != status) {
        row++;
    }
    door_refuse(answer, result, status, FAILURES[row].error, "%s", FAILURES[row].text);
}

/* True: the fault is the whole answer. */
static bool apply_fault(struct azure *azure, enum token_door door, const struct exchange *exchange,
                        struct answer *answer, struct door_result *result)
{
    struct fault fault;
    if (!fault_take(&azure->faults[door], exchange->now_ms, &fault)) {
        return false;
    }
    answer->delay_ms = fault.delay_ms;
    answer->cut = fault.cut != CUT_NONE;
    memcpy(answer->retry_after, fault.retry_after, sizeof answer->retry_after);
    (void)snprintf(result->note, sizeof result->note, "fault");
    if (answer->cut) {
        return true;
    }
    if (fault.status == 0 && fault.body[0] == '\0') {
        return false;
    }
    answer->status = fault.status == 0 ? 200 : fault.status;
    if (fault.body[0] != '\0' || answer->status < 400) {
        answer->content_type = "application/json; charset=utf-8";
        bool fits = buf_format(&answer->body, "%s", fault.body);
        ASSERT(fits);
        return true;
    }
    fail(azure, door, fault.status, exchange->wall_ms, answer, result);
    if (door == DOOR_ENTRA && fault.status == 429 && fault.retry_after[0] == '\0') {
        (void)snprintf(answer->retry_after, sizeof answer->retry_after, "60");
    }
    return true;
}

static void ask(struct azure *azure, enum token_door door, const struct exchange *exchange,
                struct answer *answer, struct door_result *result)
{
    switch (door) {
    case DOOR_IMDS:
        imds_answer(azure, exchange, answer, result);
        break;
    case DOOR_ARC:
        arc_answer(azure, exchange, answer, result);
        break;
    case DOOR_APP_SERVICE:
        app_service_answer(azure, exchange, answer, result);
        break;
    case DOOR_ENTRA:
        entra_answer(azure, exchange, answer, result);
        break;
    case DOORS_COUNT:
        ASSERT(false);
        break;
    }
}

static void record(struct emulator *emulator, enum token_door door, const struct exchange *exchange,
                   const struct answer *answer, const struct door_result *result)
{
    if (emulator->recorder == NULL || emulator->failed) {
        return;
    }
    struct recorder_token token = {
        .wall_ms = exchange->wall_ms,
        .source = door == DOOR_ENTRA ? token_source_name(result->source) : token_door_name(door),
        .identity = result->identity,
        .status = answer->cut ? 0 : answer->status,
        .note = result->note,
    };
    emulator->failed =
        !recorder_token(emulator->recorder, &token, exchange->now_ms, &emulator->err);
}

bool doors_answer(struct emulator *emulator, const struct exchange *exchange, struct answer *answer)
{
    ASSERT(emulator != NULL && exchange->path != NULL);
    struct azure *azure = &emulator->azure;
    if (azure->principals_count == 0) {
        return false;
    }
    if (strcmp(exchange->path, "/issuer/token") == 0) {
        issuer_answer(azure, exchange, answer);
        return true;
    }
    enum token_door door = find_door(exchange->path);
    if (door == DOORS_COUNT) {
        return false;
    }
    struct door_result result = {"", SOURCE_SECRET, ""};
    if (!apply_fault(azure, door, exchange, answer, &result)) {
        ask(azure, door, exchange, answer, &result);
    }
    char id[37];
    azure_guid(azure, id);
    answer_header(answer, "x-ms-request-id", "%s", id);
    record(emulator, door, exchange, answer, &result);
    return true;
}

/* token_door.c - see token_door.h. */
#include "token_door.h"

#include <walship/assert.h>

static bool post(struct http *seam, const struct http_request *request, struct err *err)
{
    struct token_door *door = (struct token_door *)seam;
    if (strstr(request->url, "/oauth2/v2.0/token") == NULL) {
        for (size_t i = 0; i < request->headers_count; i++) {
            if (strcmp(request->headers[i].name, "Authorization") == 0) {
                snprintf(door->last_authorization, sizeof door->last_authorization, "%s",
                         request->headers[i].value);
            }
        }
        return door->inner->post(door->inner, request, err);
    }
    ASSERT(door->open_count < TOKEN_DOOR_OPEN_MAX);
    door->open[door->open_count].id = request->id;
    door->open[door->open_count].at_ms = *door->now_ms + TOKEN_DOOR_MS;
    door->open_count++;
    door->asked++;
    return true;
}

static void token_answer(struct token_door *door, struct http_result *out)
{
    *out = (struct http_result){.id = door->open[0].id, .outcome = HTTP_ANSWERED};
    out->content_type = "application/json";
    if (door->fail_status != 0) {
        out->status = door->fail_status;
        snprintf(door->body, sizeof door->body, "{\"error\":\"temporarily_unavailable\"}");
    } else {
        out->status = 200;
        snprintf(door->body, sizeof door->body,
                 "{\"token_type\":\"Bearer\",\"expires_in\":%lld,\"access_token\":\"t%u\"}",
                 (long long)door->life_s, ++door->given);
    }
    out->body = door->body;
    out->body_bytes = strlen(door->body);
    door->open_count--;
    memmove(&door->open[0], &door->open[1], door->open_count * sizeof door->open[0]);
}

static bool next_result(struct http *seam, struct http_result *out)
{
    struct token_door *door = (struct token_door *)seam;
    if (door->open_count > 0 && door->open[0].at_ms <= *door->now_ms) {
        token_answer(door, out);
        return true;
    }
    return door->inner->next_result(door->inner, out);
}

static void cancel(struct http *seam, uint64_t id)
{
    struct token_door *door = (struct token_door *)seam;
    door->inner->cancel(door->inner, id);
}

void token_door_init(struct token_door *door, struct http *inner, const int64_t *now_ms)
{
    *door = (struct token_door){
        .seam = {post, next_result, cancel}, .inner = inner, .now_ms = now_ms, .life_s = 3600};
}

void token_door_crash(struct token_door *door)
{
    door->open_count = 0;
}

int64_t token_door_deadline(const struct token_door *door)
{
    return door->open_count == 0 ? INT64_MAX : door->open[0].at_ms;
}

/* redirects.c - requests that follow a 307 or 308 within the origin of their endpoint (redirect.h).
 *
 * A 308 moves the endpoint until the next configuration or start, a 307 this batch only, and so
 * does what follows a 307. A place that then refuses or can't be reached is forgotten: the next
 * try asks the configured URL again. */
#include "internal.h"

#include <walship/redirect.h>

enum { HOPS_MAX = 5, SAID_BYTES_MAX = 128, DETOURS = REQUESTS_IN_FLIGHT_MAX + 1 };

struct detour { /* of the batch in the same place; the last one: of metadata */
    uint64_t batch;
    unsigned hops;
    uint64_t asked_move; /* `moves` when it was posted */
    char *url;           /* NULL: where its endpoint is */
};

struct redirects {
    char *moved; /* NULL: nowhere */
    uint64_t moves;
    char said[SAID_BYTES_MAX]; /* in place of the body of what is not followed */
    struct detour detours[DETOURS];
};

static void detour_forget(struct detour *detour)
{
    mem_free(detour->url);
    *detour = (struct detour){0};
}

void redirects_forget(struct sender *sender)
{
    if (sender->redirects == NULL) {
        return;
    }
    for (size_t i = 0; i < DETOURS; i++) {
        detour_forget(&sender->redirects->detours[i]);
    }
    mem_free(sender->redirects->moved);
    mem_free(sender->redirects);
    sender->redirects = NULL;
}

static bool is_own(const struct sender *sender, const struct batch *batch)
{
    return batch >= sender->batches && batch < sender->batches + REQUESTS_IN_FLIGHT_MAX;
}

static struct detour *detour_of(const struct sender *sender, const struct batch *batch)
{
    size_t index = is_own(sender, batch) ? (size_t)(batch - sender->batches) : DETOURS - 1;
    struct detour *detour = &sender->redirects->detours[index];
    if (detour->batch != batch->number) {
        detour_forget(detour);
        detour->batch = batch->number;
    }
    return detour;
}

static const char *url_now(const struct sender *sender, const struct detour *detour)
{
    const struct redirects *redirects = sender->redirects;
    if (detour->url != NULL) {
        return detour->url;
    }
    return redirects->moved != NULL ? redirects->moved : sender->conf->url;
}

const char *redirects_url(struct sender *sender, const struct batch *batch)
{
    if (sender->redirects == NULL) {
        return sender->conf->url;
    }
    struct detour *detour = detour_of(sender, batch);
    detour->asked_move = sender->redirects->moves;
    return url_now(sender, detour);
}

static bool is_redirect(const struct http_result *result)
{
    return result->outcome == HTTP_ANSWERED && result->status / 100 == 3;
}

/* The place it was asked at: forgotten when it is of no use, and so the hops that led there. */
static void place_judge(struct sender *sender, struct detour *detour,
                        const struct http_result *result)
{
    struct redirects *redirects = sender->redirects;
    bool refuses = result->outcome == HTTP_ANSWERED && endpoint_holds(result->status);
    if (refuses || result->outcome == HTTP_NOT_SENT) {
        redirects->moves += redirects->moved != NULL;
        mem_free(redirects->moved);
        redirects->moved = NULL;
        detour_forget(detour);
    }
    detour->hops = 0;
}

static void place_take(struct sender *sender, struct detour *detour, int status, char *url)
{
    struct redirects *redirects = sender->redirects;
    detour->hops++;
    if (status == 308 && detour->url == NULL) {
        mem_free(redirects->moved);
        redirects->moved = url;
        redirects->moves++;
        LOG_INFO("the endpoint has moved for good: put its new URL into the configuration",
                 LOG_STR("endpoint", sender->conf->shown));
    } else {
        mem_free(detour->url);
        detour->url = url;
    }
}

/* False: not followed, and `said` tells why. */
static bool follows(struct sender *sender, struct detour *detour, const struct http_result *result)
{
    struct redirects *redirects = sender->redirects;
    char *said = redirects->said, *url = NULL;
    bool followed = result->status == 307 || result->status == 308;
    bool stays = sender->client != NULL && sender->client->no_redirects;
    if (followed && !stays && detour->url == NULL && detour->asked_move != redirects->moves &&
        detour->hops < HOPS_MAX) {
        detour->hops++; /* another batch has learned meanwhile where it is */
        return true;
    }
    enum redirect where = redirect_resolve(url_now(sender, detour), result->location, &url);
    if (where == REDIRECT_UNUSABLE) {
        snprintf(said, SAID_BYTES_MAX, "redirected to nowhere");
    } else if (where == REDIRECT_ELSEWHERE) {
        snprintf(said, SAID_BYTES_MAX, "redirected to %.*s", SAID_BYTES_MAX / 2, url);
    } else if (followed && !stays && detour->hops < HOPS_MAX) {
        place_take(sender, detour, result->status, url);
        return true;
    } else {
        snprintf(said, SAID_BYTES_MAX, "redirected %s",
                 detour->hops < HOPS_MAX ? "to another path of its own" : "again and again");
    }
    mem_free(url);
    return false;
}

static void follow_trace(const struct engine *engine, const struct sender *sender,
                         const struct batch *batch, int status)
{
    if (is_own(sender, batch)) {
        trace_line(engine, "%s: batch %llu, %d -> follows", sender->conf->shown,
                   (unsigned long long)batch->number, status);
    } else {
        trace_line(engine, "%s: metadata, %d -> follows", sender->conf->shown, status);
    }
}

bool redirects_followed(const struct engine *engine, struct sender *sender, struct batch *batch,
                        struct http_result *result)
{
    bool redirected = is_redirect(result);
    ASSERT(batch->state == BATCH_READY);
    if (sender->redirects == NULL) {
        if (!redirected) {
            return false;
        }
        sender->redirects = mem_new(1, sizeof *sender->redirects);
    }
    struct detour *detour = detour_of(sender, batch);
    if (redirected && follows(sender, detour, result)) {
        follow_trace(engine, sender, batch, result->status);
        return true;
    }
    if (redirected) {
        result->body = sender->redirects->said;
        result->body_bytes = strlen(result->body);
    }
    place_judge(sender, detour, result);
    return false;
}

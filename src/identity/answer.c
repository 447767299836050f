/* answer.c - what an identity makes of a token server's answer. See life.h. */
#include "expiry.h"
#include "life.h"
#include "token_answer.h"

#include <strings.h>
#include <walship/log.h>

enum {
    MARGIN_MS_MAX = 30 * 1000, /* a token this near to its end is not sent any more */
    REFRESH_MS_MIN = 1000,
    UNSAID_LIFE_MS = 3600 * 1000, /* oauth2 servers need not say how long a token lives */
    SKEW_MS_MIN = 2000            /* a Date has whole seconds, and the answer took its time */
};

/* ---- outcomes ---- */

void life_fail(struct identity *identity, const struct failure *failure, int64_t now_ms)
{
    bool same = identity->failed_in_row > 0 && identity->failed_by == failure->kind;
    identity->failed_kind_in_row = same ? identity->failed_kind_in_row + 1 : 0;
    identity->failed_by = failure->kind;
    identity->failed_in_row++;
    identity->failures++;
    int64_t wait = failure_wait_ms(failure, &identity->source, identity->failed_kind_in_row);
    ASSERT(wait > 0);
    wait += (int64_t)rng_below(&identity->rng, (uint64_t)wait / 10 + 1);
    identity->step = LIFE_RESTING;
    identity->ask_at_ms = now_ms + wait;
    identity->files_at_ms = now_ms + IDENTITY_FILES_POLL_MS;
    if (strcmp(identity->problem, failure->text) != 0) {
        memcpy(identity->problem, failure->text, sizeof identity->problem);
        LOG_WARN("no new token", LOG_STR("identity", identity->name),
                 LOG_STR("problem", identity->problem), LOG_I64("retry_ms", wait));
    }
}

void life_succeed(struct identity *identity)
{
    if (identity->failed_in_row > 0) {
        LOG_INFO("token again", LOG_STR("identity", identity->name),
                 LOG_U64("failures", identity->failed_in_row));
    }
    identity->successes++;
    identity->failed_in_row = identity->failed_kind_in_row = 0;
    identity->problem[0] = '\0';
    identity->step = LIFE_RESTING;
}

void life_set_header(struct identity *identity, struct secret *take)
{
    ASSERT(take->bytes > 0 && take->text[take->bytes] == '\0');
    if (identity->header.text != NULL && secret_equal(&identity->header, take)) {
        secret_reset(take, 0);
        return;
    }
    secret_take(&identity->header, take);
    identity->revision++;
}

/* ---- clocks ---- */

/* The token server's time when it answered: its Date, else our clock as last corrected. */
static int64_t server_time(struct identity *identity, const struct http_result *result,
                           int64_t wall_ms)
{
    int64_t date;
    if (result->date == NULL || !expiry_time_parse(result->date, &date)) {
        return wall_ms + identity->skew_ms;
    }
    int64_t skew = date - wall_ms;
    identity->skew_ms = skew > -SKEW_MS_MIN && skew < SKEW_MS_MIN ? 0 : skew;
    return date;
}

/* Half of its life less up to a tenth, or sooner when the server asks for it. */
static int64_t refresh_after(struct identity *identity, const struct token_answer *answer,
                             int64_t life_ms)
{
    int64_t asked;
    int64_t after = life_ms / 2;
    if (expiry_seconds_parse(answer->refresh_in, &asked) && asked > 0 && asked < after) {
        after = asked;
    }
    after -= (int64_t)rng_below(&identity->rng, (uint64_t)life_ms / 10 + 1);
    return after < REFRESH_MS_MIN ? REFRESH_MS_MIN : after;
}

/* ---- a token ---- */

/* Old Arc agents know no user-assigned identity and hand out the machine's own, silently: a token
 * is only used when the answer names the identity that was asked for. */
static bool arc_confirms(const struct source *source, const struct token_answer *answer)
{
    if (source->text[TEXT_CLIENT_ID] != NULL) {
        return strcasecmp(source->text[TEXT_CLIENT_ID], answer->client_id) == 0;
    }
    if (source->text[TEXT_OBJECT_ID] != NULL) {
        return strcasecmp(source->text[TEXT_OBJECT_ID], answer->object_id) == 0;
    }
    return source->text[TEXT_RESOURCE_ID] == NULL ||
           strcasecmp(source->text[TEXT_RESOURCE_ID], answer->msi_res_id) == 0;
}

static bool find_life(struct identity *identity, const struct token_answer *answer,
                      int64_t server_ms, int64_t *life_ms)
{
    bool assumed = false;
    if (expiry_life(answer->expires_on, answer->expires_in, server_ms, life_ms, &assumed)) {
        if (assumed) {
            LOG_WARN("a new token looks expired: is this machine's clock right?",
                     LOG_STR("identity", identity->name));
        }
        return true;
    }
    *life_ms = UNSAID_LIFE_MS;
    return identity->source.kind == SOURCE_OAUTH2 && answer->expires_in[0] == '\0' &&
           answer->expires_on[0] == '\0';
}

static void use_token(struct identity *identity, struct token_answer *answer, int64_t life_ms,
                      int64_t from_ms)
{
    struct secret header = {0};
    ASSERT(life_ms > 0 && answer->token.bytes > 0);
    int64_t margin = life_ms / 10 < MARGIN_MS_MAX ? life_ms / 10 : MARGIN_MS_MAX;
    secret_reset(&header, answer->token.bytes + sizeof "Bearer " - 1);
    secret_add(&header, "Bearer ");
    secret_append(&header, answer->token.text, answer->token.bytes);
    ASSERT(!header.cut);
    life_set_header(identity, &header);
    identity->valid_until_ms = from_ms + life_ms - margin;
    identity->ask_at_ms = from_ms + refresh_after(identity, answer, life_ms);
    life_succeed(identity);
    LOG_DEBUG("token", LOG_STR("identity", identity->name), LOG_I64("life_ms", life_ms));
}

static void take_token(struct identity *identity, const struct http_result *result, int64_t now_ms,
                       int64_t wall_ms)
{
    struct token_answer answer = {0};
    struct failure failure = {0};
    struct err err;
    int64_t life_ms;
    int64_t server_ms = server_time(identity, result, wall_ms);
    if (!token_answer_parse(result->body, result->body_bytes, &answer, &err)) {
        failure_set(&failure, FAILURE_ANSWER, "answered 200, but %.200s", err.text);
    } else if (identity->source.kind == SOURCE_ARC && !arc_confirms(&identity->source, &answer)) {
        failure_set(&failure, FAILURE_FINAL,
                    "the Arc agent did not confirm the identity that was asked for: it is too old "
                    "for user-assigned identities, leave client_id out or update it");
    } else if (!find_life(identity, &answer, server_ms, &life_ms)) {
        failure_set(&failure, FAILURE_ANSWER,
                    "answered 200, but neither expires_on nor expires_in can be read");
    } else {
        /* life is counted from the asking, not from the answer: rather too short */
        int64_t elapsed = result->elapsed_ms > 0 ? result->elapsed_ms : 0;
        int64_t from = now_ms - (elapsed < life_ms / 2 ? elapsed : life_ms / 2);
        use_token(identity, &answer, life_ms, from);
    }
    token_answer_release(&answer);
    if (failure.text[0] != '\0') {
        life_fail(identity, &failure, now_ms);
    }
    if (identity->ask_at_ms <= now_ms) {
        identity->ask_at_ms = now_ms + REFRESH_MS_MIN; /* a slow server of short lives */
    }
}

/* ---- Arc ---- */

static void take_challenge(struct identity *identity, const struct http_result *result,
                           int64_t now_ms)
{
    const struct identity_world *world = identity->world;
    struct failure failure = {0};
    struct err err = {.text = "it has no WWW-Authenticate header"};
    const char *directory =
        world->arc_keys_dir != NULL ? world->arc_keys_dir : "/var/opt/azcmagent/tokens";
    if (result->www_authenticate != NULL &&
        challenge_parse(result->www_authenticate, directory, identity->challenge, &err)) {
        identity->step = LIFE_CHALLENGED;
        identity->ask_at_ms = now_ms;
        return;
    }
    failure_set(&failure, FAILURE_ANSWER, "the Arc agent's challenge is refused: %.200s", err.text);
    life_fail(identity, &failure, now_ms);
}

/* The first answer of an Arc agent must be its challenge: a 200 there means that something else
 * listens on the port. True: the result is dealt with. */
static bool take_arc_first(struct identity *identity, const struct http_result *result,
                           int64_t now_ms)
{
    struct failure failure = {0};
    if (result->status == 401) {
        take_challenge(identity, result, now_ms);
        return true;
    }
    if (result->status == 200) {
        failure_set(&failure, FAILURE_ANSWER,
                    "answered 200 where the Arc agent would challenge: what listens there?");
        life_fail(identity, &failure, now_ms);
        return true;
    }
    return false;
}

/* ---- oauth2 ---- */

/* Servers want client_id and secret either as Basic or in the form. Until one has worked, each
 * attempt tries both, as Prometheus' library does. */
static bool try_other_style(struct identity *identity, const struct http_result *result,
                            int64_t now_ms)
{
    bool refused = result->status == 400 || result->status == 401;
    if (identity->source.kind != SOURCE_OAUTH2 || identity->style_known || !refused) {
        return false;
    }
    identity->secret_in_body = !identity->secret_in_body;
    if (!identity->secret_in_body) {
        return false; /* that was the second */
    }
    identity->step = LIFE_RESTING;
    identity->ask_at_ms = now_ms;
    return true;
}

void life_take_result(struct identity *identity, const struct http_result *result, int64_t now_ms,
                      int64_t wall_ms)
{
    struct failure failure;
    bool answered = result->outcome == HTTP_ANSWERED;
    ASSERT(identity->step == LIFE_ASKED);
    identity->forced = false;
    if (answered && identity->source.kind == SOURCE_ARC && !identity->second &&
        take_arc_first(identity, result, now_ms)) {
        return;
    }
    if (answered && result->status == 200) {
        identity->style_known = true;
        take_token(identity, result, now_ms, wall_ms);
        return;
    }
    if (answered && try_other_style(identity, result, now_ms)) {
        return;
    }
    (void)server_time(identity, result, wall_ms);
    failure_judge(&failure, &identity->source, result, wall_ms);
    life_fail(identity, &failure, now_ms);
}

/* endpoint.c - the state machine of one endpoint.
 *
 *     OPEN --failure--> BACKOFF --probe ok--> OPEN
 *       \----refusal--> HELD ----probe ok-----/      (BACKOFF and HELD change into each other by
 * the answer of their probe) Only two kinds of answer move it: any answer while OPEN, and the
 * probe's while not. A straggler (sent before the last failure) tells of the time before it: its
 * success must not lift a Retry-After that came later, its failure must not double a wait that one
 * outage has doubled already. */
#include "answers.h"

#include <inttypes.h>
#include <walship/endpoint.h>
#include <walship/limits.h>
#include <walship/log.h>

void endpoint_init(struct endpoint *endpoint, const struct endpoint_conf *conf, uint64_t seed)
{
    ASSERT(conf->min_backoff_ms > 0);
    ASSERT(conf->max_backoff_ms >= conf->min_backoff_ms);
    ASSERT(conf->in_flight_max > 0);
    *endpoint = (struct endpoint){.conf = *conf,
                                  .state = ENDPOINT_OPEN,
                                  .backoff_ms = conf->min_backoff_ms,
                                  .hold_ms = ENDPOINT_HOLD_MS_MIN,
                                  .allowed = 1,
                                  .rng = {.state = seed}};
}

static int64_t clamped(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

void endpoint_reconfigure(struct endpoint *endpoint, const struct endpoint_conf *conf)
{
    ASSERT(conf->min_backoff_ms > 0 && conf->max_backoff_ms >= conf->min_backoff_ms);
    ASSERT(conf->in_flight_max > 0);
    endpoint->conf = *conf;
    endpoint->backoff_ms =
        clamped(endpoint->backoff_ms, conf->min_backoff_ms, conf->max_backoff_ms);
    endpoint->allowed = (uint32_t)clamped(endpoint->allowed, 1, conf->in_flight_max);
}

const char *endpoint_state_name(enum endpoint_state state)
{
    switch (state) {
    case ENDPOINT_OPEN:
        return "open";
    case ENDPOINT_BACKOFF:
        return "backoff";
    case ENDPOINT_HELD:
        return "held";
    case ENDPOINT_STATES:
        break;
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

bool endpoint_may_send(const struct endpoint *endpoint, int64_t now_ms)
{
    ASSERT(endpoint->stragglers <= endpoint->in_flight);
    if (endpoint->in_flight >= endpoint->conf.in_flight_max) {
        return false;
    }
    if (endpoint->state == ENDPOINT_OPEN) {
        return endpoint->in_flight - endpoint->stragglers < endpoint->allowed;
    }
    return !endpoint->probing && now_ms >= endpoint->retry_at_ms;
}

int64_t endpoint_deadline(const struct endpoint *endpoint)
{
    bool by_time = endpoint->state != ENDPOINT_OPEN && !endpoint->probing;
    return by_time ? endpoint->retry_at_ms : INT64_MAX;
}

void endpoint_sent(struct endpoint *endpoint, uint64_t id, int64_t now_ms)
{
    ASSERT(endpoint_may_send(endpoint, now_ms));
    ASSERT(id > endpoint->last_id);
    endpoint->last_id = id;
    endpoint->in_flight++;
    endpoint->probing = endpoint->state != ENDPOINT_OPEN;
}

/* One request less in flight. True: it was sent after the last failure, so it counts. */
static bool take_back(struct endpoint *endpoint, uint64_t id)
{
    ASSERT(endpoint->in_flight > 0);
    ASSERT(id <= endpoint->last_id);
    endpoint->in_flight--;
    if (id > endpoint->barrier_id) {
        return true;
    }
    ASSERT(endpoint->stragglers > 0);
    endpoint->stragglers--;
    return false;
}

void endpoint_cancelled(struct endpoint *endpoint, uint64_t id)
{
    if (take_back(endpoint, id)) {
        endpoint->probing = false; /* the next may probe at once: the wait is over already */
    }
}

/* Half to all of `wait_ms`: endpoints that failed together must not come back together. */
static int64_t jittered(struct endpoint *endpoint, int64_t wait_ms)
{
    ASSERT(wait_ms > 0);
    int64_t half = wait_ms / 2;
    return wait_ms - half + (int64_t)rng_below(&endpoint->rng, (uint64_t)half + 1);
}

static int64_t doubled(int64_t wait_ms, int64_t max_ms)
{
    ASSERT(wait_ms <= max_ms);
    return wait_ms > max_ms / 2 ? max_ms : wait_ms * 2;
}

/* The receiver's own Date is the better "now" for its Retry-After date: our clock may be wrong. */
static int64_t asked_wait_ms(const struct http_result *result, int64_t wall_ms)
{
    int64_t wait_ms = 0, date_ms = wall_ms;
    if (result->date != NULL && !http_date_parse(result->date, &date_ms)) {
        date_ms = wall_ms;
    }
    if (result->retry_after == NULL || !retry_after_parse(result->retry_after, date_ms, &wait_ms)) {
        return 0;
    }
    return wait_ms < RETRY_AFTER_MS_MAX ? wait_ms : RETRY_AFTER_MS_MAX;
}

static const char *shown(const struct endpoint *endpoint)
{
    return endpoint->conf.shown != NULL ? endpoint->conf.shown : "";
}

/* Every request of before is a straggler from now on. */
static void close_for(struct endpoint *endpoint, enum endpoint_state state, int64_t until_ms)
{
    ASSERT(state != ENDPOINT_OPEN);
    endpoint->state = state;
    endpoint->retry_at_ms = until_ms;
    endpoint->probing = false;
    endpoint->allowed = 1;
    endpoint->barrier_id = endpoint->last_id;
    endpoint->stragglers = endpoint->in_flight;
}

static void open_again(struct endpoint *endpoint)
{
    if (endpoint->state != ENDPOINT_OPEN) {
        LOG_INFO("endpoint takes requests again", LOG_STR("url", shown(endpoint)));
        endpoint->state = ENDPOINT_OPEN;
        endpoint->probing = false;
        endpoint->backoff_ms = endpoint->conf.min_backoff_ms;
        endpoint->hold_ms = ENDPOINT_HOLD_MS_MIN;
    }
    uint32_t max = endpoint->conf.in_flight_max;
    endpoint->allowed = endpoint->allowed > max / 2 ? max : endpoint->allowed * 2;
}

static void back_off(struct endpoint *endpoint, int64_t asked_ms, int64_t now_ms,
                     const char *advice)
{
    bool news = endpoint->state != ENDPOINT_BACKOFF;
    int64_t wait_ms = jittered(endpoint, endpoint->backoff_ms);
    endpoint->backoff_ms = doubled(endpoint->backoff_ms, endpoint->conf.max_backoff_ms);
    wait_ms = asked_ms > wait_ms ? asked_ms : wait_ms;
    close_for(endpoint, ENDPOINT_BACKOFF, now_ms + wait_ms);
    if (news) {
        LOG_WARN("endpoint fails, requests wait", LOG_STR("url", shown(endpoint)),
                 LOG_I64("status", endpoint->last_status), LOG_STR("error", endpoint->last_error),
                 LOG_STR("advice", advice != NULL ? advice : "it is tried again by itself"));
    }
}

/* news: also when it was held for another reason before, which asks for another remedy. */
static void hold(struct endpoint *endpoint, int64_t asked_ms, int64_t now_ms, bool news,
                 const char *advice)
{
    int64_t wait_ms = jittered(endpoint, endpoint->hold_ms);
    endpoint->hold_ms = doubled(endpoint->hold_ms, ENDPOINT_HOLD_MS_MAX);
    wait_ms = asked_ms > wait_ms ? asked_ms : wait_ms;
    close_for(endpoint, ENDPOINT_HELD, now_ms + wait_ms);
    if (news) {
        LOG_ERROR("endpoint refuses, requests wait until this is mended",
                  LOG_STR("url", shown(endpoint)), LOG_I64("status", endpoint->last_status),
                  LOG_STR("error", endpoint->last_error), LOG_STR("advice", advice));
    }
}

static void note(struct endpoint *endpoint, const struct http_result *result)
{
    char *error = endpoint->last_error;
    size_t room = sizeof endpoint->last_error;
    if (result->outcome == HTTP_ANSWERED) {
        endpoint->last_status = result->status;
        answer_line(result->body, result->body != NULL ? result->body_bytes : 0, error, room);
    } else {
        endpoint->last_status = 0;
        const char *text = result->error != NULL ? result->error : "";
        answer_line(text, strlen(text), error, room);
    }
}

static const struct answer_row *row_of(const struct http_result *result)
{
    switch (result->outcome) {
    case HTTP_ANSWERED:
        return answer_row(result->status);
    case HTTP_NOT_SENT:
    case HTTP_AMBIGUOUS:
        return answer_row(503); /* the network's trouble is as passing as an overloaded server */
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

/* What the answer does to the endpoint, whoever's batch it was. */
static void move(struct endpoint *endpoint, const struct http_result *result,
                 const struct answer_row *row, int64_t now_ms, int64_t wall_ms)
{
    int64_t asked_ms = asked_wait_ms(result, wall_ms);
    int status_before = endpoint->last_status;
    switch (row->class) {
    case ANSWER_ACKED:
        endpoint->last_status = result->status;
        open_again(endpoint);
        return;
    case ANSWER_SMALLER: /* it works: only this request was too big, or held something bad */
    case ANSWER_REFUSED:
        note(endpoint, result);
        open_again(endpoint);
        return;
    case ANSWER_RETRY:
    case ANSWER_THROTTLED:
        note(endpoint, result);
        back_off(endpoint, asked_ms, now_ms, row->advice);
        return;
    case ANSWER_HOLD:
        note(endpoint, result);
        hold(endpoint, asked_ms, now_ms,
             endpoint->state != ENDPOINT_HELD || endpoint->last_status != status_before,
             row->advice);
        return;
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

/* A straggler moves no state, but a longer Retry-After binds whoever brings it. */
static void heed_straggler(struct endpoint *endpoint, const struct http_result *result,
                           int64_t now_ms, int64_t wall_ms)
{
    int64_t until_ms = now_ms + asked_wait_ms(result, wall_ms);
    if (endpoint->state != ENDPOINT_OPEN && until_ms > endpoint->retry_at_ms) {
        endpoint->retry_at_ms = until_ms;
    }
}

static enum verdict refused_how(const struct http_result *result)
{
    switch (answer_refusal(result->body, result->body != NULL ? result->body_bytes : 0)) {
    case REFUSAL_CONTENT:
        return VERDICT_REFUSED;
    case REFUSAL_THERE:
        return VERDICT_THERE;
    case REFUSAL_THERE_TAKEN:
        return VERDICT_THERE_TAKEN;
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

static enum verdict verdict_of(const struct endpoint *endpoint, const struct http_result *result,
                               enum answer_class class)
{
    bool reached = result->outcome != HTTP_NOT_SENT;
    switch (class) {
    case ANSWER_ACKED:
        return VERDICT_ACKED;
    case ANSWER_SMALLER:
        return VERDICT_SMALLER;
    case ANSWER_REFUSED:
        return refused_how(result);
    case ANSWER_RETRY:
        return reached && result->status != 408 ? VERDICT_FAILED : VERDICT_RETRY;
    case ANSWER_THROTTLED:
        return endpoint->conf.gives_up_on_429 ? VERDICT_GIVEN_UP : VERDICT_RETRY;
    case ANSWER_HOLD:
        return VERDICT_RETRY;
    }
    assert_failed("an enum has a value that its switch does not know", __FILE__, __LINE__);
}

enum verdict endpoint_answered(struct endpoint *endpoint, const struct http_result *result,
                               int64_t now_ms, int64_t wall_ms)
{
    const struct answer_row *row = row_of(result);
    if (take_back(endpoint, result->id)) {
        move(endpoint, result, row, now_ms, wall_ms);
    } else {
        heed_straggler(endpoint, result, now_ms, wall_ms);
    }
    ASSERT(endpoint->allowed >= 1 && endpoint->allowed <= endpoint->conf.in_flight_max);
    ASSERT(!endpoint->probing || endpoint->state != ENDPOINT_OPEN);
    return verdict_of(endpoint, result, row->class);
}

void endpoint_hold(struct endpoint *endpoint, int64_t now_ms)
{
    hold(endpoint, 0, now_ms, endpoint->state != ENDPOINT_HELD,
         "the receiver refuses everything: see its reason");
}

void endpoint_retry_now(struct endpoint *endpoint, int64_t now_ms)
{
    if (endpoint->state != ENDPOINT_OPEN && !endpoint->probing && endpoint->retry_at_ms > now_ms) {
        endpoint->retry_at_ms = now_ms;
    }
}

bool endpoint_holds(int status)
{
    return answer_row(status)->class == ANSWER_HOLD;
}

const char *endpoint_advice(int status)
{
    return answer_row(status)->advice;
}

/* lab.h - one identity over a fake clock, fake files and fake variables, and the text of its steps.
 */
#ifndef TEST_IDENTITY_LAB_H
#define TEST_IDENTITY_LAB_H

#include "fake_os.h"

#include <check.h>
#include <walship/buf.h>
#include <walship/identity.h>
#include <walship/log.h>

enum { LAB_VARIABLES = 16, LAB_TEXT_BYTES = 256 << 10 };
#define LAB_WALL_MS INT64_C(1795000000000) /* 2026-11-18 */
#define CLIENT      "01234567-abcd-ef01-2345-67890abcdef0"
#define TENANT      "abcdef00-1234-5687-abcd-1234567890ab"
#define PLANTED     "AbCDefgh1234578~zxcv.09875dslkhjKLHJHLKJ"

struct lab {
    struct fake_os *fake;
    struct identity_world world;
    const char *variables[LAB_VARIABLES][2];
    size_t variables_count;
    struct identities *all;
    struct identity *one;
    struct identity_request request; /* the last that was wanted */
    int64_t now_ms, wall_ms;
    struct buf trace;
    char problem[IDENTITY_PROBLEM_BYTES]; /* last noted */
    struct buf log;                       /* every line the identity logged */
    char strings[32][512];                /* what conf_auth fields point to */
    size_t strings_count;
};

static inline const char *lab_variable(void *context, const char *name)
{
    const struct lab *lab = context;
    for (size_t i = 0; i < lab->variables_count; i++) {
        if (strcmp(lab->variables[i][0], name) == 0) {
            return lab->variables[i][1];
        }
    }
    return NULL;
}

static inline void lab_log(void *context, const char *line)
{
    struct lab *lab = context;
    ck_assert(buf_append(&lab->log, line, strlen(line)));
}

static inline int64_t lab_log_clock(void *context)
{
    const struct lab *lab = context;
    return lab->wall_ms;
}

static inline void lab_init(struct lab *lab)
{
    *lab = (struct lab){.fake = fake_os_new(7), .wall_ms = LAB_WALL_MS};
    lab->world = (struct identity_world){
        .os = fake_os_seam(lab->fake), .variable = lab_variable, .context = lab};
    buf_init(&lab->trace, LAB_TEXT_BYTES);
    buf_init(&lab->log, LAB_TEXT_BYTES);
    log_set_sink(lab_log, lab_log_clock, lab);
    log_set_level(LOG_LEVEL_DEBUG);
    fake_os_mkdir(lab->fake, "/s");
}

static inline void lab_release(struct lab *lab)
{
    identities_free(lab->all);
    log_set_sink(NULL, NULL, NULL);
    buf_release(&lab->trace);
    buf_release(&lab->log);
    fake_os_free(lab->fake);
}

static inline void lab_set(struct lab *lab, const char *name, const char *value)
{
    ck_assert_uint_lt(lab->variables_count, LAB_VARIABLES);
    lab->variables[lab->variables_count][0] = name;
    lab->variables[lab->variables_count++][1] = value;
}

/* A writable copy, as the configuration has them. NULL stays NULL. */
static inline char *lab_text(struct lab *lab, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    ck_assert_uint_lt(lab->strings_count, 32);
    char *copy = lab->strings[lab->strings_count++];
    ck_assert_int_lt(snprintf(copy, 512, "%s", text), 512);
    return copy;
}

static inline void lab_file(struct lab *lab, const char *path, const char *text)
{
    fake_os_replace(lab->fake, path, text, strlen(text));
}

/* The identity under test; refused: NULL, and err says why. */
static inline struct identity *lab_add(struct lab *lab, const struct conf_auth *auth,
                                       struct err *err)
{
    if (lab->all == NULL) {
        lab->all = identities_new(&lab->world);
    }
    lab->one = identities_add(lab->all, auth, err);
    return lab->one;
}

static inline void lab_say(struct lab *lab, const char *text)
{
    ck_assert(buf_append(&lab->trace, text, strlen(text)));
}

static inline const char *lab_trace(struct lab *lab)
{
    ck_assert(buf_append(&lab->trace, "", 1));
    return (const char *)lab->trace.data;
}

/* Time passes up to the identity's deadline. */
static inline void lab_wait(struct lab *lab)
{
    int64_t deadline = identity_deadline(lab->one);
    ck_assert_int_lt(deadline, INT64_MAX);
    if (deadline > lab->now_ms) {
        lab->wall_ms += deadline - lab->now_ms;
        lab->now_ms = deadline;
    }
}

static inline void lab_pass(struct lab *lab, int64_t ms)
{
    lab->now_ms += ms;
    lab->wall_ms += ms;
}

static inline bool lab_want(struct lab *lab)
{
    return identity_want(lab->one, lab->now_ms, lab->wall_ms, &lab->request);
}

static inline void lab_give(struct lab *lab, const struct http_result *result)
{
    identity_answered(lab->one, result, lab->now_ms, lab->wall_ms);
}

static inline void lab_answer(struct lab *lab, int status, const char *body)
{
    struct http_result result = {
        .outcome = HTTP_ANSWERED, .status = status, .body = body, .body_bytes = strlen(body)};
    lab_give(lab, &result);
}

/* A token whose life only expires_in says. */
static inline void lab_answer_token(struct lab *lab, const char *token, int life_s)
{
    char body[512];
    int count = snprintf(body, sizeof body,
                         "{\"token_type\":\"Bearer\",\"expires_in\":%d,\"access_token\":\"%s\"}",
                         life_s, token);
    ck_assert_int_lt(count, (int)sizeof body);
    lab_answer(lab, 200, body);
}

/* One step of the trace: when, the state, what is served, when it acts next; what it tells the
 * operator, when that is new. */
static inline void lab_note(struct lab *lab, const char *what)
{
    struct identity_status status;
    identity_status(lab->one, lab->now_ms, &status);
    const char *header = identity_header(lab->one, lab->now_ms);
    ck_assert(buf_format(&lab->trace, "[%7lld] %s -> %s, %s, next in %lld\n",
                         (long long)lab->now_ms, what, identity_state_name(status.state),
                         header != NULL ? header : "no header", (long long)status.next_try_ms));
    if (strcmp(lab->problem, status.problem) != 0) {
        ck_assert(buf_format(&lab->trace, "          %s\n",
                             status.problem[0] != '\0' ? status.problem : "all is well"));
        (void)snprintf(lab->problem, sizeof lab->problem, "%s", status.problem);
    }
}

/* The request in flight as text, as golden tests compare it. */
static inline void lab_show_request(struct lab *lab)
{
    const struct identity_request *request = &lab->request;
    ck_assert(buf_format(&lab->trace, "%s %s%s\n", request->method == HTTP_GET ? "GET" : "POST",
                         request->url, request->direct ? " direct" : ""));
    for (size_t i = 0; i < request->headers_count; i++) {
        ck_assert(buf_format(&lab->trace, "%s: %s\n", request->headers[i].name,
                             request->headers[i].value));
    }
    ck_assert(buf_format(&lab->trace, "\n%.*s\n", (int)request->body_bytes,
                         request->body != NULL ? (const char *)request->body : ""));
}

static inline void lab_start(struct lab *lab, enum conf_auth_kind kind,
                             enum conf_auth_source source)
{
    struct err err;
    const struct conf_auth auth = {
        .kind = kind,
        .source = source,
        .client_id = (char[]){CLIENT},
        .tenant_id = (char[]){TENANT},
        .secret = (char[]){PLANTED},
        .token_url = (char[]){"https://id.example/token"},
    };
    lab_init(lab);
    lab->world.arc_keys_dir = "/s";
    ck_assert_msg(lab_add(lab, &auth, &err) != NULL, "%s", err.text);
}

/* Waits until it asks, answers, notes. */
static inline void lab_turn(struct lab *lab, int status, const char *body, const char *retry_after)
{
    char what[64];
    struct http_result result = {.outcome = HTTP_ANSWERED,
                                 .status = status,
                                 .body = body,
                                 .body_bytes = strlen(body),
                                 .retry_after = retry_after};
    lab_wait(lab);
    ck_assert(lab_want(lab));
    lab_give(lab, &result);
    (void)snprintf(what, sizeof what, "%d%s%s", status, retry_after != NULL ? " after " : "",
                   retry_after != NULL ? retry_after : "");
    lab_note(lab, what);
}

static inline void lab_turn_token(struct lab *lab, const char *token, int life_s)
{
    char body[256];
    (void)snprintf(body, sizeof body, "{\"access_token\":\"%s\",\"expires_in\":\"%d\"}", token,
                   life_s);
    lab_turn(lab, 200, body, NULL);
}

static inline void lab_expect(struct lab *lab, const char *golden)
{
    const char *trace = lab_trace(lab);
    ck_assert_msg(strcmp(trace, golden) == 0, "the trace is now\n%s", trace);
}

#endif

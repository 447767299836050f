/* identity.c - when an identity asks, and what it gives. See identity.h and life.h.
 *
 * All waiting is by the monotonic clock. The wall clock is only read where a server's time stands
 * in an answer or an assertion, corrected by the Date that server last sent. */
#include "life.h"

#include <walship/identity.h>
#include <walship/log.h>
#include <walship/mem.h>

enum {
    REJECTED_FIRST_MS = 30 * 1000, /* from a forced refresh to the next */
    REJECTED_MAX_MS = 300 * 1000,
    REJECTED_FORGET_MS = 600 * 1000,
    /* IMDS serves five at a time of all programs on the machine */
    LOCAL_IN_FLIGHT_MAX = 2,
    LOCAL_WAIT_MS = 250
};

void identity_init(struct identity *identity, struct source *take,
                   const struct identity_world *world, unsigned *local_in_flight)
{
    ASSERT(identity != NULL && world->os != NULL && local_in_flight != NULL);
    *identity = (struct identity){.source = *take,
                                  .world = world,
                                  .local_in_flight = local_in_flight,
                                  .ask_at_ms = INT64_MIN};
    *take = (struct source){0};
    identity->rng.state = world->os->random(world->os);
    identity->name = source_describe(&identity->source);
}

void identity_release(struct identity *identity)
{
    request_release(&identity->request);
    credential_release(&identity->credential);
    secret_reset(&identity->header, 0);
    source_release(&identity->source);
    mem_free(identity->name);
    *identity = (struct identity){0};
}

const struct source *identity_source(const struct identity *identity)
{
    return &identity->source;
}

/* ---- files ---- */

static void warn_kept(struct identity *identity, const char *text)
{
    char line[IDENTITY_PROBLEM_BYTES];
    (void)snprintf(line, sizeof line, "%.240s; the older one still serves", text);
    if (strcmp(identity->warning, line) != 0) {
        memcpy(identity->warning, line, sizeof identity->warning);
        LOG_WARN("a new credential is broken", LOG_STR("identity", identity->name),
                 LOG_STR("problem", identity->warning));
    }
}

/* Reads the files. NONE leaves the err for the caller to say. */
static enum credential_news load(struct identity *identity, struct err *err)
{
    struct os *os = identity->world->os;
    enum credential_news news = credential_load(&identity->credential, &identity->source, os, err);
    if (news == CREDENTIAL_KEPT) {
        warn_kept(identity, err->text);
    } else {
        identity->warning[0] = '\0';
    }
    return news;
}

static void fail_locally(struct identity *identity, const char *text, int64_t now_ms)
{
    struct failure failure = {0};
    failure_set(&failure, FAILURE_LOCAL, "%.300s", text);
    life_fail(identity, &failure, now_ms);
}

static bool is_watching(const struct identity *identity)
{
    return credential_has_files(&identity->source) && identity->step == LIFE_RESTING &&
           (source_is_static(&identity->source) || identity->failed_in_row > 0 ||
            identity->warning[0] != '\0');
}

/* basic_auth and authorization: no request, only files to follow. */
static void turn_static(struct identity *identity, int64_t now_ms)
{
    struct secret header = {0};
    struct err err;
    identity->files_at_ms = now_ms + IDENTITY_FILES_POLL_MS;
    identity->ask_at_ms = INT64_MAX;
    enum credential_news news = load(identity, &err);
    if (news == CREDENTIAL_NONE ||
        !request_static(&header, &identity->source, &identity->credential, &err)) {
        fail_locally(identity, err.text, now_ms);
        identity->ask_at_ms = INT64_MAX; /* the files' own pace */
        return;
    }
    life_set_header(identity, &header);
    identity->valid_until_ms = INT64_MAX;
    if (identity->successes == 0 || identity->failed_in_row > 0) {
        life_succeed(identity);
    }
}

/* A file that was mended or rotated cuts the wait after a failure short. */
static void watch_files(struct identity *identity, int64_t now_ms)
{
    struct err err;
    identity->files_at_ms = now_ms + IDENTITY_FILES_POLL_MS;
    if (load(identity, &err) == CREDENTIAL_CHANGED && identity->ask_at_ms > now_ms) {
        identity->ask_at_ms = now_ms;
    }
}

/* ---- asking ---- */

static void make_id(struct os *os, char out[REQUEST_ID_BYTES])
{
    uint64_t high = os->random(os), low = os->random(os);
    high = (high & ~UINT64_C(0xF000)) | 0x4000;
    low = (low & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
    int bytes =
        snprintf(out, REQUEST_ID_BYTES, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                 (unsigned)(high >> 16 & 0xFFFF), (unsigned)(high & 0xFFFF), (unsigned)(low >> 48),
                 (unsigned long long)(low & 0xFFFFFFFFFFFF));
    ASSERT(bytes == REQUEST_ID_BYTES - 1);
}

/* Made for this one challenge: read, used and wiped. */
static bool read_arc_key(const struct identity *identity, struct secret *out, struct err *err)
{
    if (!file_read(identity->world->os, identity->challenge, CHALLENGE_KEY_BYTES_MAX, out, err)) {
        return err_wrap(err, "Arc's key file (readable for root and the group himds)");
    }
    while (out->bytes > 0 && strchr("\r\n", out->text[out->bytes - 1]) != NULL) {
        out->text[--out->bytes] = '\0';
    }
    return out->bytes > 0 || err_set(err, 0, "Arc's key file is empty");
}

static bool build(struct identity *identity, int64_t wall_ms, struct err *err)
{
    char id[REQUEST_ID_BYTES];
    struct secret key = {0};
    make_id(identity->world->os, id);
    struct request_terms terms = {
        .secret_in_body = identity->secret_in_body,
        .server_ms = wall_ms + identity->skew_ms,
        .id = id,
    };
    if (load(identity, err) == CREDENTIAL_NONE) {
        return false;
    }
    identity->second = identity->step == LIFE_CHALLENGED;
    if (identity->second) {
        if (!read_arc_key(identity, &key, err)) {
            return false;
        }
        terms.arc_key = key.text;
    }
    bool good =
        request_build(&identity->request, &identity->source, &identity->credential, &terms, err);
    secret_reset(&key, 0);
    return good;
}

/* True: others of ours keep the metadata service busy; a little later, then. */
static bool must_queue(struct identity *identity, int64_t now_ms)
{
    if (!source_is_local(&identity->source) || *identity->local_in_flight < LOCAL_IN_FLIGHT_MAX) {
        return false;
    }
    identity->ask_at_ms = now_ms + LOCAL_WAIT_MS;
    return true;
}

static void give(const struct identity *identity, struct identity_request *out)
{
    const struct request *request = &identity->request;
    *out = (struct identity_request){
        .method = request->method,
        .url = request->url.text,
        .headers = request->headers,
        .headers_count = request->headers_count,
        .body = request->body.text,
        .body_bytes = request->body.bytes,
        .timeout_ms = request->timeout_ms,
        .direct = source_is_local(&identity->source),
    };
}

bool identity_want(struct identity *identity, int64_t now_ms, int64_t wall_ms,
                   struct identity_request *out)
{
    struct err err = {0};
    ASSERT(identity != NULL && out != NULL);
    if (identity->step == LIFE_ASKED) {
        return false;
    }
    bool due = now_ms >= identity->ask_at_ms;
    bool watch = is_watching(identity) && now_ms >= identity->files_at_ms;
    if (source_is_static(&identity->source)) {
        if (due || watch) {
            turn_static(identity, now_ms);
        }
        return false;
    }
    if (!due && watch) {
        watch_files(identity, now_ms);
        due = now_ms >= identity->ask_at_ms;
    }
    if (!due || must_queue(identity, now_ms)) {
        return false;
    }
    if (!build(identity, wall_ms, &err)) {
        fail_locally(identity, err.text, now_ms);
        return false;
    }
    identity->step = LIFE_ASKED;
    *identity->local_in_flight += source_is_local(&identity->source);
    give(identity, out);
    return true;
}

void identity_answered(struct identity *identity, const struct http_result *result, int64_t now_ms,
                       int64_t wall_ms)
{
    ASSERT(identity->step == LIFE_ASKED && result != NULL);
    request_release(&identity->request);
    if (source_is_local(&identity->source)) {
        ASSERT(*identity->local_in_flight > 0);
        --*identity->local_in_flight;
    }
    life_take_result(identity, result, now_ms, wall_ms);
    ASSERT(identity->step != LIFE_ASKED);
}

int64_t identity_deadline(const struct identity *identity)
{
    if (identity->step == LIFE_ASKED) {
        return INT64_MAX;
    }
    int64_t files = is_watching(identity) ? identity->files_at_ms : INT64_MAX;
    return files < identity->ask_at_ms ? files : identity->ask_at_ms;
}

/* ---- its use ---- */

const char *identity_header(const struct identity *identity, int64_t now_ms)
{
    bool valid = identity->header.bytes > 0 && now_ms < identity->valid_until_ms;
    return valid ? identity->header.text : NULL;
}

uint64_t identity_revision(const struct identity *identity)
{
    return identity->revision;
}

/* When the next forced refresh may be: at once, then after pauses that double, and at once again
 * when all has been well for a while. */
static int64_t forced_at(struct identity *identity, int64_t now_ms)
{
    if (identity->rejected_wait_ms == 0 ||
        now_ms - identity->rejected_last_ms > REJECTED_FORGET_MS) {
        identity->rejected_wait_ms = REJECTED_FIRST_MS;
        identity->rejected_next_ms = now_ms;
    }
    int64_t at = identity->rejected_next_ms > now_ms ? identity->rejected_next_ms : now_ms;
    identity->rejected_next_ms = at + identity->rejected_wait_ms;
    identity->rejected_wait_ms *= 2;
    if (identity->rejected_wait_ms > REJECTED_MAX_MS) {
        identity->rejected_wait_ms = REJECTED_MAX_MS;
    }
    return at;
}

void identity_rejected(struct identity *identity, uint64_t revision, int64_t now_ms)
{
    ASSERT(revision <= identity->revision);
    if (source_is_static(&identity->source)) {
        return; /* its files are followed anyway */
    }
    if (revision != identity->revision || identity->step != LIFE_RESTING || identity->forced ||
        identity->failed_in_row > 0) {
        return; /* a newer one is there or under way */
    }
    int64_t at = forced_at(identity, now_ms);
    identity->rejected_last_ms = now_ms;
    identity->forced = true;
    if (at < identity->ask_at_ms) {
        identity->ask_at_ms = at;
    }
}

void identity_status(const struct identity *identity, int64_t now_ms, struct identity_status *out)
{
    int64_t deadline = identity_deadline(identity);
    bool valid = identity_header(identity, now_ms) != NULL;
    bool endless = identity->valid_until_ms == INT64_MAX;
    *out = (struct identity_status){
        .name = identity->name,
        .state = identity->failed_in_row > 0 ? IDENTITY_FAILING
                 : identity->revision > 0    ? IDENTITY_GOOD
                                             : IDENTITY_FIRST,
        .problem = identity->problem,
        .warning = identity->warning,
        .valid = valid,
        .expires_in_ms = endless ? INT64_MAX
                         : valid ? identity->valid_until_ms - now_ms
                                 : 0,
        .next_try_ms = deadline == INT64_MAX || deadline <= now_ms ? 0 : deadline - now_ms,
        .clock_skew_ms = identity->skew_ms,
        .successes = identity->successes,
        .failures = identity->failures,
        .failures_in_row = identity->failed_in_row,
    };
}

const char *identity_state_name(enum identity_state state)
{
    static const char *const names[IDENTITY_STATES] = {"first", "good", "failing"};
    ASSERT(state < IDENTITY_STATES);
    return names[state];
}

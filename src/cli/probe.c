/* probe.c - see probe.h. The same identities and the same HTTP adapter as `run`, but no engine: one
 * request an endpoint, and whatever goes wrong is said instead of tried again. */
#include "probe.h"

#include "probe_headers.h"

#include <inttypes.h>
#include <walship/endpoint.h>
#include <walship/http_curl.h>
#include <walship/identity.h>
#include <walship/limits.h>
#include <walship/log.h>
#include <walship/mem.h>
#include <walship/os_linux.h>

enum { TURN_MS = 100, TEXT_BYTES = 600 };
static const uint64_t token_bit = (uint64_t)1 << 63;

/* A request without series. Of 1.0 that is no bytes at all, which snappy writes as the length 0; of
 * 2.0 the empty string as its first symbol, two bytes as a literal. */
static const uint8_t empty_1[] = {0};
static const uint8_t empty_2[] = {2, 1 << 2, 0x22, 0};
static const struct protocol {
    const char *type, *version;
    const uint8_t *body;
    size_t bytes;
} protocols[] = {[RW_1] = {"application/x-protobuf", "0.1.0", empty_1, sizeof empty_1},
                 [RW_2] = {"application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0",
                           empty_2, sizeof empty_2}};

struct target {
    const struct conf_destination *destination;
    const struct conf_endpoint *conf;
    struct identity *identity; /* NULL: none needed, or refused */
    bool posted, done, ok;
    char text[TEXT_BYTES];
};

struct probe {
    struct os *os;
    struct http *http;
    struct identities *identities;
    struct target *targets;
    size_t count;
    size_t open;
};

static void no_log(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static int64_t no_time(void *context)
{
    (void)context;
    return 0;
}

static const char *variable(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

static void target_done(struct probe *probe, struct target *target, bool ok)
{
    ASSERT(!target->done && probe->open > 0);
    target->done = true;
    target->ok = ok;
    probe->open--;
}

static void target_answered(struct probe *probe, struct target *target,
                            const struct http_result *result)
{
    struct endpoint endpoint;
    struct endpoint_conf conf = {.min_backoff_ms = 1, .max_backoff_ms = 1, .in_flight_max = 1};
    int64_t now_ms = probe->os->now_ms(probe->os);
    endpoint_init(&endpoint, &conf, 1);
    endpoint_sent(&endpoint, result->id, now_ms);
    if (endpoint_answered(&endpoint, result, now_ms, probe->os->wall_ms(probe->os)) ==
        VERDICT_ACKED) {
        snprintf(target->text, TEXT_BYTES, "ok (%d, %" PRId64 " ms)", result->status,
                 result->elapsed_ms);
        target_done(probe, target, true);
        return;
    }
    const char *advice = "check host, port and network";
    char status[32] = "no answer";
    if (result->outcome == HTTP_ANSWERED) {
        snprintf(status, sizeof status, "%d", result->status);
        advice = endpoint_advice(result->status);
    }
    snprintf(target->text, TEXT_BYTES, "%s: %s%s%s", status, endpoint.last_error,
             advice == NULL ? "" : "; ", advice == NULL ? "" : advice);
    target_done(probe, target, false);
}

static void target_post(struct probe *probe, struct target *target, const char *authorization)
{
    const struct conf_endpoint *endpoint = target->conf;
    const struct protocol *protocol = &protocols[target->destination->protobuf];
    struct http_header headers[4 + CONF_HEADERS_MAX] = {
        {"Content-Type", protocol->type},
        {"Content-Encoding", "snappy"},
        {"X-Prometheus-Remote-Write-Version", protocol->version}};
    size_t count = 3;
    if (authorization != NULL) {
        headers[count++] = (struct http_header){"Authorization", authorization};
    }
    struct probe_headers own;
    struct err err = {0};
    bool good = probe_headers_fill(&own, &endpoint->headers, headers, &count, &err);
    struct http_request request = {.id = (uint64_t)(target - probe->targets) + 1,
                                   .method = HTTP_POST,
                                   .url = endpoint->url,
                                   .headers = headers,
                                   .headers_count = count,
                                   .body = protocol->body,
                                   .body_bytes = protocol->bytes,
                                   .timeout_ms = target->destination->remote_timeout_ms,
                                   .client = endpoint->has_client ? &endpoint->client : NULL};
    target->posted = true;
    if (!good || !probe->http->post(probe->http, &request, &err)) {
        snprintf(target->text, TEXT_BYTES, "%s", err.text);
        target_done(probe, target, false);
    }
    probe_headers_release(&own); /* the adapter has copied them */
}

/* Goes on when its token is there; ends when the first try to get one failed. */
static void target_turn(struct probe *probe, struct target *target)
{
    int64_t now_ms = probe->os->now_ms(probe->os);
    if (target->done || target->posted) {
        return;
    }
    if (target->identity == NULL) {
        target_post(probe, target, NULL);
        return;
    }
    const char *authorization = identity_header(target->identity, now_ms);
    struct identity_status status;
    identity_status(target->identity, now_ms, &status);
    if (authorization != NULL) {
        target_post(probe, target, authorization);
    } else if (status.state == IDENTITY_FAILING) {
        snprintf(target->text, TEXT_BYTES, "no token from %s: %s", status.name, status.problem);
        target_done(probe, target, false);
    }
}

/* As in `run`: the way of the first endpoint that uses it. */
static const struct http_client *token_client(const struct probe *probe,
                                              const struct identity *identity)
{
    for (size_t i = 0; i < probe->count; i++) {
        const struct target *target = &probe->targets[i];
        if (target->identity == identity) {
            return target->conf->has_token_client ? &target->conf->token_client : NULL;
        }
    }
    return NULL;
}

static void identities_turn(struct probe *probe)
{
    int64_t now_ms = probe->os->now_ms(probe->os);
    int64_t wall_ms = probe->os->wall_ms(probe->os);
    for (size_t i = 0; i < identities_count(probe->identities); i++) {
        struct identity *identity = identities_at(probe->identities, i);
        struct identity_request wanted;
        if (identity_deadline(identity) > now_ms ||
            !identity_want(identity, now_ms, wall_ms, &wanted)) {
            continue;
        }
        struct err err = {0};
        struct http_request request = {.id = token_bit | i,
                                       .method = wanted.method,
                                       .url = wanted.url,
                                       .headers = wanted.headers,
                                       .headers_count = wanted.headers_count,
                                       .body = wanted.body,
                                       .body_bytes = wanted.body_bytes,
                                       .timeout_ms = wanted.timeout_ms,
                                       .client =
                                           wanted.direct ? NULL : token_client(probe, identity),
                                       .direct = wanted.direct};
        if (!probe->http->post(probe->http, &request, &err)) {
            struct http_result refused = {.outcome = HTTP_NOT_SENT, .error = err.text};
            identity_answered(identity, &refused, now_ms, wall_ms);
        }
    }
}

static void results_take(struct probe *probe)
{
    struct http_result result;
    while (probe->http->next_result(probe->http, &result)) {
        if ((result.id & token_bit) != 0) {
            identity_answered(identities_at(probe->identities, (size_t)(result.id & ~token_bit)),
                              &result, probe->os->now_ms(probe->os), probe->os->wall_ms(probe->os));
        } else {
            target_answered(probe, &probe->targets[result.id - 1], &result);
        }
    }
}

static void targets_make(struct probe *probe, const struct conf *conf)
{
    for (size_t i = 0; i < conf->destinations_count; i++) {
        const struct conf_destination *destination = &conf->destinations[i];
        for (size_t k = 0; k < destination->endpoints_count; k++) {
            struct target *target = &probe->targets[probe->count++];
            struct err err = {0};
            target->destination = destination;
            target->conf = &destination->endpoints[k];
            probe->open++;
            if (target->conf->auth.kind == CONF_AUTH_NONE) {
                continue;
            }
            target->identity = identities_add(probe->identities, &target->conf->auth, &err);
            if (target->identity == NULL) {
                snprintf(target->text, TEXT_BYTES, "%s", err.text);
                target_done(probe, target, false);
            }
        }
    }
}

static bool targets_print(const struct probe *probe)
{
    bool all = true;
    for (size_t i = 0; i < probe->count; i++) {
        const struct target *target = &probe->targets[i];
        printf("%s %s: %s\n", target->destination->name, target->conf->shown,
               target->done ? target->text : "no answer in time");
        all = all && target->ok;
    }
    return all;
}

bool probe_endpoints(const struct conf *conf)
{
    log_set_sink(no_log, no_time, NULL); /* what goes wrong is said on the endpoint's own line */
    struct probe probe = {.os = os_linux_new(), .http = http_curl_new()};
    struct identity_world world = {.os = probe.os, .variable = variable};
    probe.identities = identities_new(&world);
    probe.targets = mem_new((size_t)DESTINATIONS_MAX * ENDPOINTS_MAX, sizeof *probe.targets);
    targets_make(&probe, conf);
    int64_t until_ms = probe.os->now_ms(probe.os) + PROBE_MS_MAX;
    while (probe.open > 0 && probe.os->now_ms(probe.os) < until_ms) {
        identities_turn(&probe);
        for (size_t i = 0; i < probe.count; i++) {
            target_turn(&probe, &probe.targets[i]);
        }
        http_curl_run(probe.http);
        results_take(&probe);
        http_curl_wait(probe.http, NULL, 0, TURN_MS);
    }
    bool all = targets_print(&probe);
    log_set_sink(NULL, NULL, NULL);
    http_curl_free(probe.http);
    identities_free(probe.identities);
    mem_free(probe.targets);
    os_linux_free(probe.os);
    return all;
}

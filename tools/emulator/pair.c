/* pair.c - the checks of a pair in the order in which a front end can make them. */
#include "pair.h"

#include "claims.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

enum { SEGMENTS_MAX = 8 };

/* The path's segments as views; more than SEGMENTS_MAX: 0. */
static size_t split_path(const char *path, struct view segments[SEGMENTS_MAX])
{
    size_t count = 0;
    while (*path == '/') {
        const char *end = path + 1 + strcspn(path + 1, "/");
        if (count == SEGMENTS_MAX) {
            return 0;
        }
        segments[count++] = view_of(path + 1, (size_t)(end - path) - 1);
        path = end;
    }
    return *path == '\0' ? count : 0;
}

static bool is_text(const struct view *segment, const char *text)
{
    size_t bytes = strlen(text);
    return view_left(segment) == bytes && strncasecmp((const char *)segment->at, text, bytes) == 0;
}

static const char *find_dce(const struct emulator *emulator, const struct view *name)
{
    for (size_t index = 0; index < emulator->pairs_count; index++) {
        const char *dce = emulator->pairs[index].options->dce;
        if (dce != NULL && is_text(name, dce)) {
            return dce;
        }
    }
    return NULL;
}

static struct pair *find_dcr(struct emulator *emulator, const struct view *id)
{
    for (size_t index = 0; index < emulator->pairs_count; index++) {
        const char *dcr = emulator->pairs[index].options->dcr;
        if (dcr != NULL && is_text(id, dcr)) {
            return &emulator->pairs[index];
        }
    }
    return NULL;
}

static const char *dce_of_host(const struct emulator *emulator, const struct exchange *exchange)
{
    const char *host = exchange_header(exchange, "Host");
    if (host == NULL) {
        return NULL;
    }
    struct view label = view_of(host, strcspn(host, ".:"));
    return find_dce(emulator, &label);
}

/* dataCollectionRules/DCR/streams/STREAM/api/v1/write */
static bool has_shape(const struct view *segments, size_t count)
{
    return count == 7 && is_text(&segments[0], "dataCollectionRules") &&
           is_text(&segments[2], "streams") && is_text(&segments[4], "api") &&
           is_text(&segments[5], "v1") && is_text(&segments[6], "write");
}

enum pair_found pair_find(struct emulator *emulator, const struct exchange *exchange,
                          struct pair_route *route, struct refusal *refusal)
{
    struct view segments[SEGMENTS_MAX];
    size_t count = split_path(exchange->path, segments);
    const struct view *rest = segments;
    const char *dce = count > 0 ? find_dce(emulator, &segments[0]) : NULL;
    if (dce != NULL) {
        rest++;
        count--;
    } else {
        dce = dce_of_host(emulator, exchange);
    }
    bool shaped = has_shape(rest, count);
    if (dce == NULL && !shaped) {
        return PAIR_ELSEWHERE;
    }
    if (dce == NULL) {
        (void)refuse(refusal, 404, "NotFound",
                     "No data collection endpoint: put its name in front of the path, or into "
                     "the Host header");
        return PAIR_REFUSED;
    }
    route->pair = shaped ? find_dcr(emulator, &rest[1]) : NULL;
    if (route->pair == NULL || !is_text(&rest[3], "Microsoft-PrometheusMetrics")) {
        (void)refuse(refusal, 404, "NotFound", "%s",
                     !shaped               ? "The resource was not found"
                     : route->pair == NULL ? "Data collection rule with this immutable Id not found"
                                           : "The stream is not configured in the data collection "
                                             "rule");
        return PAIR_REFUSED;
    }
    route->foreign = strcasecmp(dce, route->pair->options->dce) != 0;
    return PAIR_FOUND;
}

bool refuse(struct refusal *refusal, int status, const char *code, const char *format, ...)
{
    *refusal = (struct refusal){.status = status, .code = code};
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(refusal->text, sizeof refusal->text, format, arguments);
    va_end(arguments);
    ASSERT(bytes >= 0);
    return false;
}

void retry_after_write(int form, int64_t wait_ms, int64_t wall_ms, char out[64])
{
    struct tm parts;
    time_t at = (time_t)((wall_ms + wait_ms + 999) / 1000);
    out[0] = '\0';
    switch ((enum throttle)form) {
    case THROTTLE_SECONDS:
        (void)snprintf(out, 64, "%lld", (long long)((wait_ms + 999) / 1000));
        break;
    case THROTTLE_DATE:
        (void)gmtime_r(&at, &parts);
        (void)strftime(out, 64, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        break;
    case THROTTLE_NONE:
        break;
    }
}

static bool refuse_token(struct refusal *refusal, const char *code, const char *text)
{
    (void)refuse(refusal, 401, code, "%s", text);
    refusal->challenge = true;
    return false;
}

static bool audience_fits(const struct endpoint_options *options, const char *audience)
{
    static const char *const CLOUDS[] = {"https://monitor.azure.com", "https://monitor.azure.us",
                                         "https://monitor.azure.cn"};
    for (size_t index = 0; index < ARRAY_COUNT(CLOUDS); index++) {
        const char *known = options->audience == NULL ? CLOUDS[index] : options->audience;
        size_t bytes = strlen(known);
        bytes -= bytes > 0 && known[bytes - 1] == '/';
        if (strncasecmp(audience, known, bytes) == 0 &&
            (audience[bytes] == '\0' || strcmp(audience + bytes, "/") == 0)) {
            return true;
        }
    }
    return false;
}

static bool check_token(const struct emulator *emulator, const struct endpoint_options *options,
                        const struct exchange *exchange, struct token_claims *claims,
                        struct refusal *refusal)
{
    static const char BEARER[] = "Bearer ";
    const char *header = exchange_header(exchange, "Authorization");
    if (header == NULL || strncasecmp(header, BEARER, sizeof BEARER - 1) != 0) {
        return refuse_token(refusal, "MissingToken",
                            "Authentication token is missing: a Bearer token is required");
    }
    header += sizeof BEARER - 1;
    switch (
        token_check(&emulator->azure, view_of(header, strlen(header)), exchange->wall_ms, claims)) {
    case TOKEN_MALFORMED:
        return refuse_token(refusal, "InvalidToken", "The authentication token is not valid");
    case TOKEN_FOREIGN:
        return refuse_token(refusal, "InvalidToken",
                            "The signature of the authentication token is not valid");
    case TOKEN_EXPIRED:
        return refuse_token(refusal, "ExpiredToken", "The authentication token has expired");
    case TOKEN_GOOD:
        break;
    }
    return audience_fits(options, claims->audience) ||
           refuse_token(refusal, "InvalidAudience",
                        "The authentication token was issued for another audience");
}

static bool refuse_access(const struct pair_route *route, const struct token_claims *claims,
                          struct refusal *refusal)
{
    const struct endpoint_options *options = route->pair->options;
    return refuse(refusal, 403, "OperationFailed",
                  "The authentication token provided does not have access to ingest data for the "
                  "data collection rule with immutable Id '%s' PipelineAccessResult: "
                  "AccessGranted: False, IsRbacPresent: %s, IsDcrDceBindingValid: %s, DcrArmId: "
                  "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/emulator/"
                  "providers/Microsoft.Insights/dataCollectionRules/%s, Message: %s tenantId %.60s "
                  "objectId %.60s on resourceId /subscriptions/"
                  "00000000-0000-0000-0000-000000000000/resourceGroups/emulator/providers/"
                  "Microsoft.Insights/dataCollectionRules/%s ConfigurationId: %s.",
                  options->dcr, route->foreign ? "True" : "False", route->foreign ? "False" : "",
                  options->name,
                  route->foreign ? "The data collection rule is not bound to this endpoint for"
                                 : "Required authorization action was not found for",
                  claims->tenant, claims->object_id, options->name, options->dcr);
}

static bool has_role(const struct emulator *emulator, const struct pair *pair,
                     const struct token_claims *claims, int64_t now_ms)
{
    size_t index = (size_t)(pair - emulator->pairs);
    for (size_t who = 0; who < emulator->azure.principals_count; who++) {
        const struct principal *principal = &emulator->azure.principals[who];
        if (strcasecmp(principal->options->object_id, claims->object_id) == 0) {
            const struct grant *grant = &principal->grants[index];
            return grant->held && now_ms >= grant->from_ms;
        }
    }
    return false;
}

/* Takes from both buckets or from none. */
static bool check_quota(struct pair *pair, const struct exchange *exchange, struct refusal *refusal)
{
    double bytes = (double)view_left(&exchange->body);
    int64_t requests_ms = bucket_wait_ms(&pair->requests, 1.0, exchange->now_ms);
    int64_t bytes_ms = bucket_wait_ms(&pair->bytes, bytes, exchange->now_ms);
    int64_t wait_ms = requests_ms > bytes_ms ? requests_ms : bytes_ms;
    if (wait_ms == 0) {
        bucket_take(&pair->requests, 1.0);
        bucket_take(&pair->bytes, bytes);
        return true;
    }
    (void)refuse(refusal, 429, "TooManyRequests",
                 "The data collection rule's limit of %s per minute is exceeded",
                 requests_ms >= bytes_ms ? "requests" : "bytes");
    retry_after_write(pair->options->retry_after, wait_ms, exchange->wall_ms, refusal->retry_after);
    return false;
}

static bool check_version(const struct exchange *exchange, struct refusal *refusal)
{
    static const char *const VERSIONS[] = {"2023-04-24", "2021-11-01-preview"};
    const char *version = exchange_query(exchange, "api-version");
    for (size_t index = 0; version != NULL && index < ARRAY_COUNT(VERSIONS); index++) {
        if (strcmp(version, VERSIONS[index]) == 0) {
            return true;
        }
    }
    return refuse(refusal, 400, "InvalidApiVersion", "The api-version is missing or unknown");
}

bool pair_admit(struct emulator *emulator, const struct pair_route *route,
                const struct exchange *exchange, struct refusal *refusal)
{
    ASSERT(route->pair != NULL && route->pair->options->dcr != NULL);
    struct token_claims claims;
    if (!check_version(exchange, refusal)) {
        return false;
    }
    if (emulator->azure.principals_count > 0) {
        if (!check_token(emulator, route->pair->options, exchange, &claims, refusal)) {
            return false;
        }
        if (route->foreign || !has_role(emulator, route->pair, &claims, exchange->now_ms)) {
            (void)refuse_access(route, &claims, refusal);
            refusal->why = route->foreign ? "foreign DCE" : "no role";
            return false;
        }
    } else if (route->foreign) {
        claims = (struct token_claims){.tenant = "", .object_id = ""};
        (void)refuse_access(route, &claims, refusal);
        refusal->why = "foreign DCE";
        return false;
    }
    return check_quota(route->pair, exchange, refusal);
}

void refusal_write(struct azure *azure, const struct refusal *refusal, struct answer *answer)
{
    ASSERT(refusal->code != NULL && refusal->status >= 200);
    char id[37];
    azure_guid(azure, id);
    answer->status = refusal->status;
    answer->content_type = "application/json; charset=utf-8";
    buf_clear(&answer->body);
    bool good =
        buf_format(&answer->body, "{\"error\":{\"code\":\"%s\",\"message\":", refusal->code) &&
        claims_quote(&answer->body, refusal->text) && buf_append(&answer->body, "}}", 2);
    ASSERT(good);
    answer_header(answer, "x-ms-error-code", "%s", refusal->code);
    answer_header(answer, "x-ms-request-id", "%s", id);
    if (refusal->challenge) {
        answer_header(answer, "WWW-Authenticate",
                      "Bearer authorization_uri=\"https://login.microsoftonline.com/\", "
                      "error=\"invalid_token\"");
    }
    if (answer->retry_after[0] == '\0') {
        memcpy(answer->retry_after, refusal->retry_after, sizeof answer->retry_after);
    }
}

/* imds.c - the instance metadata service of a VM, and what the other metadata services share.
 *
 * Order of the refusals: those of the service itself (the header, a proxy's trace, the query), then
 * those of the token request. */
#include "azure.h"
#include "claims.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

void door_refuse(struct answer *answer, struct door_result *result, int status, const char *error,
                 const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ASSERT(bytes >= 0 && status >= 400);
    answer->status = status;
    answer->content_type = "application/json; charset=utf-8";
    buf_clear(&answer->body);
    bool good = buf_format(&answer->body, "{\"error\":\"%s\",\"error_description\":", error) &&
                claims_quote(&answer->body, text) && buf_append(&answer->body, "}", 1);
    ASSERT(good);
    (void)snprintf(result->note, sizeof result->note, "%s: %.100s", error, text);
}

static bool matches(const char *wanted, const char *own)
{
    return wanted == NULL || (own != NULL && strcasecmp(wanted, own) == 0);
}

struct principal *door_select(struct azure *azure, const struct exchange *exchange,
                              const struct door_selectors *selectors, enum token_source source)
{
    const char *client_id = exchange_query(exchange, selectors->client_id);
    const char *object_id = exchange_query(exchange, selectors->object_id);
    const char *resource_id = exchange_query(exchange, selectors->resource_id);
    bool named = client_id != NULL || object_id != NULL || resource_id != NULL;
    struct principal *found = NULL;
    size_t found_count = 0;
    for (size_t index = 0; index < azure->principals_count; index++) {
        struct principal *principal = &azure->principals[index];
        const struct principal_options *options = principal->options;
        if (!principal_may_use(principal, source) || principal->disabled ||
            !matches(client_id, options->client_id) || !matches(object_id, options->object_id) ||
            !matches(resource_id, options->resource_id)) {
            continue;
        }
        if (!named && options->system) {
            return principal;
        }
        found = principal;
        found_count++;
    }
    /* one user-assigned identity alone is the default; of several, one must be named */
    return found_count == 1 || (named && found_count > 0) ? found : NULL;
}

static bool has_double_name(const struct exchange *exchange)
{
    for (size_t index = 0; index < exchange->query_count; index++) {
        for (size_t other = 0; other < index; other++) {
            if (strcasecmp(exchange->query[index].key, exchange->query[other].key) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void refuse_version(struct answer *answer, struct door_result *result)
{
    door_refuse(answer, result, 400, "Bad request. api-version is invalid or was not specified",
                "api-version");
    buf_clear(&answer->body);
    bool fits = buf_format(
        &answer->body, "{\"error\":\"Bad request. api-version is invalid or was not specified in "
                       "the request.\",\"newest-versions\":[\"2021-12-13\",\"2021-11-15\","
                       "\"2021-11-01\"]}");
    ASSERT(fits);
}

static bool is_version(const char *text)
{
    return text != NULL && strlen(text) >= 10 && text[4] == '-' && text[7] == '-' &&
           strcmp(text, "2018-02-01") >= 0;
}

/* What the service refuses before it looks at tokens; true: go on. */
static bool check_service(const struct exchange *exchange, struct answer *answer,
                          struct door_result *result)
{
    const char *metadata = exchange_header(exchange, "Metadata");
    if (strcmp(exchange->method, "GET") != 0) {
        door_refuse(answer, result, 405, "method_not_allowed", "only GET");
    } else if (exchange_header(exchange, "X-Forwarded-For") != NULL) {
        door_refuse(answer, result, 400, "bad_request",
                    "The request has an X-Forwarded-For header: proxies are not allowed");
    } else if (metadata == NULL || strcasecmp(metadata, "true") != 0) {
        door_refuse(answer, result, 400, "bad_request_102",
                    "Required metadata header not specified");
    } else if (exchange->query_count > QUERY_COUNT_MAX || has_double_name(exchange)) {
        door_refuse(answer, result, 400, "bad_request", "A query parameter occurs twice");
    } else if (!is_version(exchange_query(exchange, "api-version"))) {
        refuse_version(answer, result);
    } else {
        return true;
    }
    return false;
}

void imds_answer(struct azure *azure, const struct exchange *exchange, struct answer *answer,
                 struct door_result *result)
{
    static const struct door_selectors SELECTORS = {"client_id", "object_id", "msi_res_id"};
    result->source = SOURCE_IMDS;
    if (!check_service(exchange, answer, result)) {
        return;
    }
    if (bucket_wait_ms(&azure->imds, 1.0, exchange->now_ms) > 0) {
        door_refuse(answer, result, 429, "too_many_requests", "More than %llu requests a second",
                    (unsigned long long)azure->options->imds_per_second);
        return;
    }
    bucket_take(&azure->imds, 1.0);
    const char *resource = exchange_query(exchange, "resource");
    if (resource == NULL || *resource == '\0') {
        door_refuse(answer, result, 400, "invalid_request",
                    "Required query variable 'resource' is missing");
        return;
    }
    struct principal *principal = door_select(azure, exchange, &SELECTORS, SOURCE_IMDS);
    if (principal == NULL) {
        door_refuse(answer, result, 400, "invalid_request", "Identity not found");
        return;
    }
    result->identity = principal->options->name;
    if (!token_audience_known(azure, resource)) {
        door_refuse(answer, result, 400, "invalid_resource",
                    "AADSTS50001: The application named %.200s was not found in the tenant named "
                    "%s. This can happen if the application has not been installed by the "
                    "administrator of the tenant.",
                    resource, principal->options->tenant);
        return;
    }
    struct token_request request = {principal, resource, SOURCE_IMDS, exchange->wall_ms};
    token_answer(azure, &request, answer);
}

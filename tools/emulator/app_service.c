/* app_service.c - the identity endpoint of App Service and Container Apps: both versions of its
 * protocol, which name the header and the selectors differently. */
#include "azure.h"

#include <stdio.h>

struct dialect {
    const char *version;
    const char *header;
    struct door_selectors selectors;
    int expires_on; /* enum expiry_form where the configuration says nothing */
};

static const struct dialect DIALECTS[] = {
    {"2019-08-01", "X-IDENTITY-HEADER", {"client_id", "principal_id", "mi_res_id"}, EXPIRY_EPOCH},
    {"2017-09-01", "secret", {"clientid", "object_id", "mi_res_id"}, EXPIRY_US},
};

static const struct dialect *find_dialect(const char *version)
{
    for (size_t index = 0; version != NULL && index < ARRAY_COUNT(DIALECTS); index++) {
        if (strcmp(DIALECTS[index].version, version) == 0) {
            return &DIALECTS[index];
        }
    }
    return NULL;
}

void app_service_answer(struct azure *azure, const struct exchange *exchange, struct answer *answer,
                        struct door_result *result)
{
    const char *expected = azure->options->app_service_header;
    const char *resource = exchange_query(exchange, "resource");
    const struct dialect *dialect = find_dialect(exchange_query(exchange, "api-version"));
    result->source = SOURCE_APP_SERVICE;
    if (expected == NULL) {
        door_refuse(answer, result, 404, "not_found", "app_service_header is not configured");
        return;
    }
    if (dialect == NULL) {
        door_refuse(answer, result, 400, "invalid_request", "api-version is missing or unknown");
        return;
    }
    const char *header = exchange_header(exchange, dialect->header);
    if (header == NULL || strcmp(header, expected) != 0) {
        door_refuse(answer, result, 401, "unauthorized", "%s is missing or wrong", dialect->header);
        return;
    }
    if (resource == NULL || !token_audience_known(azure, resource)) {
        door_refuse(answer, result, 400, "invalid_resource", "the resource is unknown");
        return;
    }
    struct principal *principal =
        door_select(azure, exchange, &dialect->selectors, SOURCE_APP_SERVICE);
    if (principal == NULL) {
        door_refuse(answer, result, 400, "invalid_request",
                    "No managed identity found for specified parameters");
        return;
    }
    result->identity = principal->options->name;
    struct token_request request = {principal, resource, SOURCE_APP_SERVICE, exchange->wall_ms};
    int configured = azure->tokens.expires_on;
    azure->tokens.expires_on = configured == EXPIRY_EPOCH ? dialect->expires_on : configured;
    token_answer(azure, &request, answer);
    azure->tokens.expires_on = configured;
}

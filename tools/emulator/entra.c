/* entra.c - the token endpoint of a tenant: client credentials by secret, certificate or federated
 * token. The checks go in the order in which the real one seems to have them: tenant, grant,
 * client, scope, then the credential. */
#include "assertions.h"
#include "azure.h"
#include "claims.h"
#include "form.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <walship/mem.h>

static const char ASSERTION_TYPE[] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

static const struct entra_error UNKNOWN_TENANT = {
    400, "invalid_request", 90002,
    "Tenant not found. Check to make sure you have the correct tenant ID and are signing into the "
    "correct cloud."};
static const struct entra_error BAD_FORM = {400, "invalid_request", 900144,
                                            "The request body is not a form with the parameters "
                                            "'grant_type', 'client_id' and 'scope'."};
static const struct entra_error BAD_GRANT = {400, "unsupported_grant_type", 70003,
                                             "The app requested an unsupported grant type."};
static const struct entra_error UNKNOWN_CLIENT = {
    400, "unauthorized_client", 700016,
    "Application with this identifier was not found in the directory. This can happen if the "
    "application has not been installed by the administrator of the tenant."};
static const struct entra_error DISABLED_CLIENT = {400, "unauthorized_client", 7000112,
                                                   "Application is disabled."};
static const struct entra_error BAD_SCOPE = {
    400, "invalid_scope", 70011,
    "The provided request must include a 'scope' input parameter. The provided value for the input "
    "parameter 'scope' is not valid: it must be a resource with /.default behind it."};
static const struct entra_error UNKNOWN_RESOURCE = {
    400, "invalid_resource", 500011,
    "The resource principal of the scope was not found in the tenant. This can happen if the "
    "application has not been installed by the administrator of the tenant."};
static const struct entra_error NO_CREDENTIAL = {
    401, "invalid_client", 7000218,
    "The request body must contain the following parameter: 'client_assertion' or "
    "'client_secret'."};
static const struct entra_error WRONG_SECRET = {
    401, "invalid_client", 7000215,
    "Invalid client secret provided. Ensure the secret being sent in the request is the client "
    "secret value, not the client secret ID, for a secret added to the app."};
static const struct entra_error EXPIRED_SECRET = {
    401, "invalid_client", 7000222,
    "The provided client secret keys for the app are expired. Create new keys for the app in the "
    "portal."};

bool entra_path(const char *path, char tenant[CLAIM_BYTES_MAX])
{
    static const char REST[] = "/oauth2/v2.0/token";
    const char *slash = path[0] == '/' ? strchr(path + 1, '/') : NULL;
    if (slash == NULL || strcasecmp(slash, REST) != 0 || slash - path > CLAIM_BYTES_MAX - 1) {
        return false;
    }
    size_t bytes = (size_t)(slash - path) - 1;
    memcpy(tenant, path + 1, bytes);
    tenant[bytes] = '\0';
    return bytes > 0;
}

void entra_refuse(struct azure *azure, const struct entra_error *error, int64_t wall_ms,
                  struct answer *answer)
{
    char trace[37], correlation[37], stamp[32], text[1024];
    time_t at = (time_t)(wall_ms / 1000);
    struct tm parts;
    (void)gmtime_r(&at, &parts);
    (void)strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%SZ", &parts);
    azure_guid(azure, trace);
    azure_guid(azure, correlation);
    (void)snprintf(text, sizeof text, "AADSTS%u: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
                   error->code, error->text, trace, correlation, stamp);
    answer->status = error->status;
    answer->content_type = "application/json; charset=utf-8";
    buf_clear(&answer->body);
    struct buf *out = &answer->body;
    bool good =
        buf_format(out, "{\"error\":\"%s\",\"error_description\":", error->error) &&
        claims_quote(out, text) &&
        buf_format(out, ",\"error_codes\":[%u],\"timestamp\":\"%s\"", error->code, stamp) &&
        buf_format(out, ",\"trace_id\":\"%s\",\"correlation_id\":\"%s\"", trace, correlation) &&
        buf_format(out,
                   ",\"error_uri\":\"https://login.microsoftonline.com/error?code=%u"
                   "\"}",
                   error->code);
    ASSERT(good);
}

/* The client id and the secret: from the form, or from a Basic header (both form-encoded). */
struct client {
    char basic[2048];
    const char *id;
    const char *secret;
};

static bool read_basic(const struct exchange *exchange, struct client *client)
{
    const char *header = exchange_header(exchange, "Authorization");
    if (header == NULL || strncasecmp(header, "Basic ", 6) != 0) {
        return false;
    }
    struct buf text;
    buf_init(&text, sizeof client->basic - 1);
    bool good = base64_any_decode(view_of(header + 6, strlen(header + 6)), &text) &&
                text.bytes > 0 && memchr(text.data, '\0', text.bytes) == NULL;
    if (good) {
        memcpy(client->basic, text.data, text.bytes);
    }
    buf_release(&text);
    char *colon = good ? strchr(client->basic, ':') : NULL;
    if (colon == NULL) {
        return false;
    }
    *colon = '\0';
    client->id = client->basic;
    client->secret = colon + 1;
    return form_decode(client->basic) && form_decode(colon + 1);
}

static void read_client(const struct exchange *exchange, const struct form *form,
                        struct client *out)
{
    memset(out->basic, 0, sizeof out->basic);
    if (!read_basic(exchange, out)) {
        out->id = form_get(form, "client_id");
        out->secret = form_get(form, "client_secret");
    }
}

static const struct entra_error *check_secret(const struct principal *principal, const char *secret)
{
    if (principal_may_use(principal, SOURCE_SECRET)) {
        if (principal->secret != NULL && strcmp(principal->secret, secret) == 0) {
            return NULL;
        }
        if (principal->expired_secret != NULL && strcmp(principal->expired_secret, secret) == 0) {
            return &EXPIRED_SECRET;
        }
    }
    return &WRONG_SECRET;
}

/* The resource of `scope`: what stands before /.default, so that a double slash leaves one. */
static const struct entra_error *check_scope(const struct azure *azure, const char *scope,
                                             char audience[CLAIM_BYTES_MAX])
{
    static const char DEFAULT[] = "/.default";
    size_t bytes = scope == NULL ? 0 : strlen(scope);
    if (bytes <= sizeof DEFAULT - 1 || bytes >= CLAIM_BYTES_MAX ||
        strcmp(scope + bytes - (sizeof DEFAULT - 1), DEFAULT) != 0) {
        return &BAD_SCOPE;
    }
    memcpy(audience, scope, bytes);
    audience[bytes - (sizeof DEFAULT - 1)] = '\0';
    return token_audience_known(azure, audience) ? NULL : &UNKNOWN_RESOURCE;
}

static bool knows_tenant(const struct azure *azure, const char *tenant)
{
    for (size_t index = 0; index < azure->principals_count; index++) {
        if (strcasecmp(azure->principals[index].options->tenant, tenant) == 0) {
            return true;
        }
    }
    return false;
}

static const struct entra_error *
check_credential(struct azure *azure, const struct exchange *exchange, const struct form *form,
                 const struct client *client, struct token_request *request)
{
    const char *assertion = form_get(form, "client_assertion");
    const char *type = form_get(form, "client_assertion_type");
    if (assertion == NULL && client->secret == NULL) {
        return &NO_CREDENTIAL;
    }
    if (assertion == NULL) {
        request->source = SOURCE_SECRET;
        return check_secret(request->principal, client->secret);
    }
    if (type == NULL || strcmp(type, ASSERTION_TYPE) != 0) {
        return &NO_CREDENTIAL;
    }
    struct assertion_question question = {
        .principal = request->principal,
        .host = exchange_header(exchange, "Host"),
        .text = assertion,
        .wall_ms = exchange->wall_ms,
    };
    return assertion_check(azure, &question, &request->source);
}

static const struct entra_error *check(struct azure *azure, const struct exchange *exchange,
                                       const struct form *form, struct token_request *request,
                                       char audience[CLAIM_BYTES_MAX])
{
    char tenant[CLAIM_BYTES_MAX];
    bool known = entra_path(exchange->path, tenant) && knows_tenant(azure, tenant);
    if (!known) {
        return &UNKNOWN_TENANT;
    }
    struct client client;
    read_client(exchange, form, &client);
    const char *grant = form_get(form, "grant_type");
    if (grant == NULL || client.id == NULL) {
        return &BAD_FORM;
    }
    if (strcmp(grant, "client_credentials") != 0) {
        return &BAD_GRANT;
    }
    request->principal = azure_client(azure, tenant, client.id);
    if (request->principal == NULL) {
        return &UNKNOWN_CLIENT;
    }
    if (request->principal->disabled) {
        return &DISABLED_CLIENT;
    }
    const struct entra_error *error = check_scope(azure, form_get(form, "scope"), audience);
    if (error == NULL) {
        error = check_credential(azure, exchange, form, &client, request);
    }
    explicit_bzero(client.basic, sizeof client.basic);
    return error;
}

void entra_answer(struct azure *azure, const struct exchange *exchange, struct answer *answer,
                  struct door_result *result)
{
    struct form form;
    struct err err;
    char audience[CLAIM_BYTES_MAX] = "";
    struct token_request request = {
        .audience = audience, .source = SOURCE_SECRET, .wall_ms = exchange->wall_ms};
    result->source = SOURCE_SECRET;
    if (strcmp(exchange->method, "POST") != 0) {
        entra_refuse(azure, &BAD_FORM, exchange->wall_ms, answer);
        return;
    }
    const struct entra_error *error = &BAD_FORM;
    if (form_parse(exchange->body, &form, &err)) {
        error = check(azure, exchange, &form, &request, audience);
    }
    form_release(&form);
    result->source = request.source;
    result->identity = request.principal == NULL ? "" : request.principal->options->name;
    if (error == NULL) {
        token_answer(azure, &request, answer);
        return;
    }
    entra_refuse(azure, error, exchange->wall_ms, answer);
    (void)snprintf(result->note, sizeof result->note, "AADSTS%u %s", error->code, error->error);
}

/* request.c - see request.h. */
#include "request.h"

#include "encode.h"

enum {
    URL_BYTES_MAX = 8 << 10,
    HEADER_BYTES_MAX = 16 << 10,
    /* pod identity's node agent keeps a request up to 80 s while nothing is bound yet */
    METADATA_TIMEOUT_MS = 90 * 1000,
    TOKEN_TIMEOUT_MS = 30 * 1000
};

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

static void add_header(struct request *out, const char *name, const char *value)
{
    ASSERT(out->headers_count < IDENTITY_HEADERS_MAX && value != NULL);
    out->headers[out->headers_count++] = (struct http_header){.name = name, .value = value};
}

static void add_selector(struct request *out, const char *name, const char *value)
{
    if (value != NULL) {
        encode_field(&out->url, name, value);
    }
}

/* ---- metadata services: a GET with a query ---- */

/* What the fields are called differs from service to service. */
struct dialect {
    const char *version;
    const char *client_id, *object_id, *resource_id;
};

static const struct dialect *dialect_of(enum source_kind kind)
{
    static const struct dialect imds = {"2018-02-01", "client_id", "object_id", "msi_res_id"};
    static const struct dialect arc = {"2020-06-01", "client_id", "object_id", "msi_res_id"};
    static const struct dialect app = {"2019-08-01", "client_id", "principal_id", "mi_res_id"};
    static const struct dialect old = {"2017-09-01", "clientid", "principal_id", "mi_res_id"};
    ASSERT(kind >= SOURCE_IMDS && kind <= SOURCE_APP_SERVICE_2017);
    return kind == SOURCE_IMDS          ? &imds
           : kind == SOURCE_ARC         ? &arc
           : kind == SOURCE_APP_SERVICE ? &app
                                        : &old;
}

static void build_metadata(struct request *out, const struct source *source,
                           const struct request_terms *terms)
{
    const struct dialect *dialect = dialect_of(source->kind);
    const char *url = source->text[TEXT_URL];
    out->method = HTTP_GET;
    out->timeout_ms = METADATA_TIMEOUT_MS;
    secret_add(&out->url, url);
    secret_add(&out->url, strchr(url, '?') == NULL ? "?" : "");
    encode_field(&out->url, "api-version", dialect->version);
    encode_field(&out->url, "resource", source->text[TEXT_SCOPE]);
    add_selector(out, dialect->client_id, source->text[TEXT_CLIENT_ID]);
    add_selector(out, dialect->object_id, source->text[TEXT_OBJECT_ID]);
    add_selector(out, dialect->resource_id, source->text[TEXT_RESOURCE_ID]);
    if (source->kind == SOURCE_APP_SERVICE) {
        add_header(out, "X-IDENTITY-HEADER", source->text[TEXT_SECRET]);
        return;
    }
    if (source->kind == SOURCE_APP_SERVICE_2017) {
        add_header(out, "secret", source->text[TEXT_SECRET]);
        return;
    }
    add_header(out, "Metadata", "true");
    if (terms->arc_key != NULL) {
        ASSERT(source->kind == SOURCE_ARC);
        secret_add(&out->authorization, "Basic ");
        secret_add(&out->authorization, terms->arc_key);
        add_header(out, "Authorization", out->authorization.text);
    }
}

/* ---- token servers: a POST with a form ---- */

static void start_form(struct request *out, const struct source *source)
{
    out->method = HTTP_POST;
    out->timeout_ms = TOKEN_TIMEOUT_MS;
    secret_add(&out->url, source->text[TEXT_URL]);
    add_header(out, "Content-Type", "application/x-www-form-urlencoded");
    add_header(out, "Accept", "application/json");
}

static bool add_assertion(struct request *out, const struct source *source,
                          const struct credential *credential, const struct request_terms *terms,
                          struct err *err)
{
    struct secret signed_text = {0};
    if (source->kind == SOURCE_WORKLOAD) {
        encode_field(&out->body, "client_assertion", credential_secret(credential, source));
        return true;
    }
    const struct assertion assertion = {
        .audience = source->text[TEXT_URL],
        .client_id = source->text[TEXT_CLIENT_ID],
        .id = terms->id,
        .now_ms = terms->server_ms,
    };
    secret_reset(&signed_text, IDENTITY_BODY_BYTES_MAX);
    bool good = certificate_sign(&credential->loaded, &assertion, &signed_text, err);
    if (good) {
        encode_field(&out->body, "client_assertion", signed_text.text);
    }
    secret_reset(&signed_text, 0);
    return good;
}

static bool build_entra(struct request *out, const struct source *source,
                        const struct credential *credential, const struct request_terms *terms,
                        struct err *err)
{
    start_form(out, source);
    add_header(out, "x-client-SKU", "walship");
    add_header(out, "x-client-Ver", WALSHIP_VERSION);
    add_header(out, "client-request-id", out->id);
    bool asserts = source->kind != SOURCE_SECRET;
    if (asserts) {
        if (!add_assertion(out, source, credential, terms, err)) {
            return false;
        }
        encode_field(&out->body, "client_assertion_type", ASSERTION_TYPE);
    }
    encode_field(&out->body, "client_id", source->text[TEXT_CLIENT_ID]);
    if (!asserts) {
        encode_field(&out->body, "client_secret", credential_secret(credential, source));
    }
    encode_field(&out->body, "grant_type", "client_credentials");
    encode_field(&out->body, "scope", source->text[TEXT_SCOPE]);
    return true;
}

static void add_basic(struct secret *out, const char *user, const char *password)
{
    struct secret pair = {0};
    secret_reset(&pair, strlen(user) + strlen(password) + 1);
    secret_add(&pair, user);
    secret_add(&pair, ":");
    secret_add(&pair, password);
    secret_add(out, "Basic ");
    encode_base64(out, pair.text, pair.bytes, BASE64_STANDARD);
    secret_reset(&pair, 0);
}

/* RFC 6749 2.3.1: both are form-encoded before they are joined. */
static void add_client_basic(struct secret *out, const char *client, const char *secret)
{
    struct secret user = {0}, password = {0};
    secret_reset(&user, strlen(client) * 3 + 1);
    secret_reset(&password, strlen(secret) * 3 + 1);
    encode_percent(&user, client);
    encode_percent(&password, secret);
    add_basic(out, user.text, password.text);
    secret_reset(&user, 0);
    secret_reset(&password, 0);
}

static void build_oauth2(struct request *out, const struct source *source,
                         const struct credential *credential, const struct request_terms *terms)
{
    const char *secret = credential_secret(credential, source);
    start_form(out, source);
    if (terms->secret_in_body) {
        encode_field(&out->body, "client_id", source->text[TEXT_CLIENT_ID]);
        encode_field(&out->body, "client_secret", secret);
    } else {
        add_client_basic(&out->authorization, source->text[TEXT_CLIENT_ID], secret);
        add_header(out, "Authorization", out->authorization.text);
    }
    encode_field(&out->body, "grant_type", "client_credentials");
    if (source->text[TEXT_SCOPE] != NULL) {
        encode_field(&out->body, "scope", source->text[TEXT_SCOPE]);
    }
    if (source->text[TEXT_PARAMS] != NULL) {
        secret_add(&out->body, "&");
        secret_add(&out->body, source->text[TEXT_PARAMS]);
    }
}

/* What variables and files gave must not end a header line. */
static bool headers_are_printable(const struct request *request)
{
    for (size_t i = 0; i < request->headers_count; i++) {
        for (const char *at = request->headers[i].value; *at != '\0'; at++) {
            if (*at < ' ' || *at > '~') {
                return false;
            }
        }
    }
    return true;
}

bool request_build(struct request *out, const struct source *source,
                   const struct credential *credential, const struct request_terms *terms,
                   struct err *err)
{
    ASSERT(out->url.text == NULL && !source_is_static(source));
    secret_reset(&out->url, URL_BYTES_MAX);
    secret_reset(&out->authorization, HEADER_BYTES_MAX);
    (void)snprintf(out->id, sizeof out->id, "%s", terms->id);
    bool good = true;
    if (source_is_local(source)) {
        build_metadata(out, source, terms);
    } else {
        secret_reset(&out->body, IDENTITY_BODY_BYTES_MAX);
        if (source->kind == SOURCE_OAUTH2) {
            build_oauth2(out, source, credential, terms);
        } else {
            good = build_entra(out, source, credential, terms, err);
        }
    }
    if (good && (out->url.cut || out->body.cut || out->authorization.cut)) {
        good = err_set(err, 0, "the token request would be too long");
    }
    if (good && !headers_are_printable(out)) {
        good = err_set(err, 0, "a key or variable has bytes that can't stand in a header");
    }
    if (!good) {
        request_release(out);
    }
    return good;
}

void request_release(struct request *request)
{
    secret_reset(&request->url, 0);
    secret_reset(&request->body, 0);
    secret_reset(&request->authorization, 0);
    *request = (struct request){0};
}

bool request_static(struct secret *out, const struct source *source,
                    const struct credential *credential, struct err *err)
{
    const char *secret = credential_secret(credential, source);
    ASSERT(source_is_static(source));
    secret_reset(out, HEADER_BYTES_MAX);
    if (source->kind == SOURCE_BASIC) {
        add_basic(out, credential_username(credential, source), secret);
    } else {
        secret_add(out, source->text[TEXT_SCHEME]);
        secret_add(out, " ");
        secret_add(out, secret);
    }
    if (out->cut || !secret_is_printable(out)) {
        secret_reset(out, 0);
        return err_set(err, 0,
                       "the credentials are too long, or have bytes that can't stand in a "
                       "header");
    }
    return true;
}

/* tokens.c - what the emulator issues, and what it takes back at a pair.
 *
 * The claims are those of a version 1 access token for an app, as Azure Monitor's are. */
#include "azure.h"
#include "claims.h"

#include <strings.h>
#include <time.h>
#include <walship/mem.h>

static const char KEY_ID[] = "walship-emulator";

/* Each also with a slash at its end. The last two are real resources that no pair accepts. */
static const char *const AUDIENCES[] = {
    "https://monitor.azure.com",    "https://monitor.azure.us",
    "https://monitor.azure.cn",     "https://prometheus.monitor.azure.com",
    "https://management.azure.com",
};

static bool is_audience(const char *known, const char *text)
{
    size_t bytes = strlen(known);
    return strncasecmp(known, text, bytes) == 0 &&
           (text[bytes] == '\0' || strcmp(text + bytes, "/") == 0);
}

bool token_audience_known(const struct azure *azure, const char *audience)
{
    if (strlen(audience) >= CLAIM_BYTES_MAX) {
        return false;
    }
    for (size_t index = 0; index < ARRAY_COUNT(AUDIENCES); index++) {
        if (is_audience(AUDIENCES[index], audience)) {
            return true;
        }
    }
    return texts_have(&azure->options->audiences, audience);
}

static void add(struct buf *out, bool *first, const char *name, const char *value)
{
    bool good = buf_format(out, "%s\"%s\":", *first ? "{" : ",", name) && claims_quote(out, value);
    ASSERT(good);
    *first = false;
}

static void add_number(struct buf *out, bool *first, const char *name, int64_t value)
{
    bool good = buf_format(out, "%s\"%s\":%lld", *first ? "{" : ",", name, (long long)value);
    ASSERT(good);
    *first = false;
}

/* A new token as text; the caller wipes and frees it. */
static char *make_token(struct azure *azure, const struct token_request *request)
{
    const struct principal_options *who = request->principal->options;
    struct buf claims;
    char issuer[CLAIM_BYTES_MAX * 2], id[37];
    bool first = true;
    buf_init(&claims, JWT_BYTES_MAX / 2);
    azure_guid(azure, id);
    (void)snprintf(issuer, sizeof issuer, "https://sts.windows.net/%s/", who->tenant);
    add(&claims, &first, "aud", request->audience);
    add(&claims, &first, "iss", issuer);
    add_number(&claims, &first, "iat", request->wall_ms / 1000);
    add_number(&claims, &first, "nbf", request->wall_ms / 1000);
    add_number(&claims, &first, "exp", (request->wall_ms + azure->tokens.life_ms) / 1000);
    add(&claims, &first, "appid", who->client_id);
    add(&claims, &first, "oid", who->object_id);
    add(&claims, &first, "sub", who->object_id);
    add(&claims, &first, "tid", who->tenant);
    add(&claims, &first, "idtyp", "app");
    add(&claims, &first, "uti", id);
    add(&claims, &first, "ver", "1.0");
    bool good = buf_append(&claims, "}", 1);
    ASSERT(good);
    struct buf token;
    buf_init(&token, JWT_BYTES_MAX);
    jwt_sign(azure->key, KEY_ID, &claims, &token);
    good = buf_append(&token, "", 1);
    ASSERT(good);
    char *text = mem_string((const char *)token.data);
    explicit_bzero(token.data, token.bytes);
    buf_release(&token);
    buf_release(&claims);
    return text;
}

/* The token to hand out: a metadata service keeps one for a while, Entra makes a new one each time.
 */
static const struct kept_token *find_token(struct azure *azure, const struct token_request *request)
{
    struct kept_token *kept = &request->principal->kept;
    bool fresh = request->source < SOURCE_SECRET && kept->text != NULL &&
                 strcmp(kept->audience, request->audience) == 0 &&
                 request->wall_ms - kept->from_ms < azure->tokens.keep_for_ms &&
                 request->wall_ms - kept->from_ms < kept->life_ms;
    if (!fresh) {
        mem_free(kept->text);
        kept->text = make_token(azure, request);
        kept->from_ms = request->wall_ms;
        kept->life_ms = azure->tokens.life_ms;
        (void)snprintf(kept->audience, sizeof kept->audience, "%s", request->audience);
    }
    return kept;
}

/* A time in one of the forms that have been seen in the wild; UTC. */
static void write_time(int form, int64_t at_s, char out[64])
{
    struct tm parts;
    time_t at = (time_t)at_s;
    (void)gmtime_r(&at, &parts);
    if (form == EXPIRY_US) {
        (void)strftime(out, 64, "%m/%d/%Y %H:%M:%S", &parts);
    } else if (form == EXPIRY_ISO) {
        (void)strftime(out, 64, "%Y-%m-%d %H:%M:%S", &parts);
    } else if (form == EXPIRY_RFC3339) {
        (void)strftime(out, 64, "%Y-%m-%dT%H:%M:%SZ", &parts);
    } else {
        (void)snprintf(out, 64, "%lld", (long long)at_s);
    }
}

static void add_expires_on(struct buf *out, bool *first, int form, int64_t at_s)
{
    char text[64] = "";
    if (form == EXPIRY_NUMBER) {
        add_number(out, first, "expires_on", at_s);
    } else if (form != EXPIRY_ABSENT) {
        if (form != EXPIRY_EMPTY) {
            write_time(form, at_s, text);
        }
        add(out, first, "expires_on", text);
    }
}

static void add_seconds(struct buf *out, bool *first, const char *name, int form, int64_t seconds)
{
    char text[32] = "";
    if (form == EXPIRY_NUMBER) {
        add_number(out, first, name, seconds);
    } else if (form != EXPIRY_ABSENT) {
        if (form != EXPIRY_EMPTY) {
            (void)snprintf(text, sizeof text, "%lld", (long long)seconds);
        }
        add(out, first, name, text);
    }
}

/* Strings where the metadata services have them, numbers from Entra; App Service has no
 * expires_in. */
static void add_expiry(const struct azure *azure, const struct token_request *request,
                       int64_t until_ms, struct buf *out, bool *first)
{
    const struct token_options *tokens = &azure->tokens;
    bool entra = request->source >= SOURCE_SECRET;
    int64_t seconds = (until_ms - request->wall_ms) / 1000;
    int form = tokens->expires_in;
    if (form == EXPIRY_EPOCH) {
        form = entra ? EXPIRY_NUMBER : EXPIRY_STRING;
        form = request->source == SOURCE_APP_SERVICE ? EXPIRY_ABSENT : form;
    }
    add_seconds(out, first, "expires_in", form, seconds);
    if (request->source != SOURCE_APP_SERVICE) {
        add_seconds(out, first, "ext_expires_in", form, seconds);
    }
    if (!entra) {
        add_expires_on(out, first, tokens->expires_on, until_ms / 1000);
    }
    if (tokens->refresh_in_ms > 0) {
        add_seconds(out, first, "refresh_in", entra ? EXPIRY_NUMBER : EXPIRY_STRING,
                    tokens->refresh_in_ms / 1000);
    }
}

void token_answer(struct azure *azure, const struct token_request *request, struct answer *answer)
{
    ASSERT(request->principal != NULL && request->audience != NULL);
    bool first = true;
    struct buf *out = &answer->body;
    answer->status = 200;
    answer->content_type = "application/json; charset=utf-8";
    if (azure->tokens.body != NULL && azure->tokens.body[0] != '\0') {
        bool fits = buf_format(out, "%s", azure->tokens.body);
        ASSERT(fits);
        return;
    }
    const struct kept_token *token = find_token(azure, request);
    add(out, &first, "token_type", "Bearer");
    add(out, &first, "access_token", token->text);
    add_expiry(azure, request, token->from_ms + token->life_ms, out, &first);
    if (request->source < SOURCE_SECRET) {
        char epoch[32];
        (void)snprintf(epoch, sizeof epoch, "%lld", (long long)(token->from_ms / 1000));
        add(out, &first, "not_before", epoch);
        add(out, &first, "resource", request->audience);
        add(out, &first, "client_id", request->principal->options->client_id);
    }
    bool good = buf_append(out, "}", 1);
    ASSERT(good);
}

static enum token_verdict check_claims(struct view claims, int64_t wall_ms,
                                       struct token_claims *out)
{
    int64_t from_s, until_s;
    if (!claims_integer(claims, "nbf", &from_s) || !claims_integer(claims, "exp", &until_s) ||
        !claims_text(claims, "aud", out->audience, sizeof out->audience) ||
        !claims_text(claims, "oid", out->object_id, sizeof out->object_id) ||
        !claims_text(claims, "appid", out->client_id, sizeof out->client_id) ||
        !claims_text(claims, "tid", out->tenant, sizeof out->tenant)) {
        return TOKEN_MALFORMED;
    }
    bool timely = wall_ms / 1000 >= from_s && wall_ms / 1000 < until_s;
    return timely ? TOKEN_GOOD : TOKEN_EXPIRED;
}

enum token_verdict token_check(const struct azure *azure, struct view token, int64_t wall_ms,
                               struct token_claims *out)
{
    ASSERT(azure->key != NULL);
    struct jwt jwt;
    struct err ignored;
    *out = (struct token_claims){0};
    enum token_verdict verdict = TOKEN_MALFORMED;
    if (jwt_split(token, &jwt, &ignored)) {
        verdict = TOKEN_FOREIGN;
        if (jwt_verify(&jwt, azure->key)) {
            verdict = check_claims(view_of(jwt.claims.data, jwt.claims.bytes), wall_ms, out);
        }
    }
    jwt_release(&jwt);
    return verdict;
}

void token_federated(struct azure *azure, const struct federated_claims *given, struct buf *out)
{
    struct buf claims;
    char id[37];
    bool first = true;
    buf_init(&claims, JWT_BYTES_MAX / 2);
    azure_guid(azure, id);
    add(&claims, &first, "iss", given->issuer);
    add(&claims, &first, "sub", given->subject);
    bool good = buf_format(&claims, ",\"aud\":[") && claims_quote(&claims, given->audience) &&
                buf_append(&claims, "]", 1);
    ASSERT(good);
    add_number(&claims, &first, "iat", given->from_ms / 1000);
    add_number(&claims, &first, "nbf", given->from_ms / 1000);
    add_number(&claims, &first, "exp", given->until_ms / 1000);
    add(&claims, &first, "jti", id);
    good = buf_append(&claims, "}", 1);
    ASSERT(good);
    jwt_sign(azure->issuer_key, "walship-issuer", &claims, out);
    buf_release(&claims);
}

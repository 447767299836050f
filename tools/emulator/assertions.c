/* assertions.c - which kind an assertion is, its issuer tells: an app that signs for itself names
 * itself there. */
#include "assertions.h"

#include "claims.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <strings.h>
#include <walship/hash.h>

static const struct entra_error MALFORMED = {401, "invalid_client", 50027,
                                             "The client assertion is not a valid JWT token."};
static const struct entra_error BAD_SIGNATURE = {
    401, "invalid_client", 700027,
    "Client assertion failed signature validation: the certificate with the identifier used to "
    "sign the client assertion is not registered on the application, or the signature is wrong."};
static const struct entra_error BAD_AUDIENCE = {
    401, "invalid_client", 50012,
    "Authentication failed: the client assertion audience claim does not match the realm issuer."};
static const struct entra_error BAD_SUBJECT = {
    401, "invalid_client", 50012,
    "Authentication failed: issuer and subject of the client assertion must be the client id."};
static const struct entra_error NO_ID = {
    401, "invalid_client", 50012,
    "Authentication failed: the client assertion has no jti, or one that was used before."};
static const struct entra_error UNTIMELY = {401, "invalid_client", 700024,
                                            "Client assertion is not within its valid time range."};
static const struct entra_error NO_FEDERATION = {
    400, "invalid_request", 70021,
    "No matching federated identity record found for presented assertion."};

/* nbf may be missing; exp may not, and not be days away. */
static bool is_timely(struct view claims, int64_t wall_ms)
{
    int64_t from_s = 0, until_s;
    int64_t now_s = wall_ms / 1000;
    if (!claims_integer(claims, "nbf", &from_s)) {
        from_s = 0;
    }
    return claims_integer(claims, "exp", &until_s) && from_s <= now_s && now_s < until_s &&
           until_s - now_s <= ASSERTION_LIFE_S_MAX;
}

/* scheme://HOST/TENANT/oauth2/v2.0/token: the host that was asked, or one of Entra's own. */
static bool is_token_endpoint(const char *audience, const struct assertion_question *question)
{
    static const char *const HOSTS[] = {"login.microsoftonline.com", "login.microsoftonline.us",
                                        "login.partner.microsoftonline.cn",
                                        "login.chinacloudapi.cn"};
    char expected[512];
    const char *host = strstr(audience, "://");
    if (host == NULL || strncmp(audience, "http", 4) != 0) {
        return false;
    }
    const char *tenant = question->principal->options->tenant;
    for (size_t index = 0; index <= ARRAY_COUNT(HOSTS); index++) {
        const char *known = index < ARRAY_COUNT(HOSTS) ? HOSTS[index] : question->host;
        if (known == NULL) {
            continue;
        }
        (void)snprintf(expected, sizeof expected, "%s/%s/oauth2/v2.0/token", known, tenant);
        if (strcasecmp(expected, host + 3) == 0) {
            return true;
        }
    }
    return false;
}

static X509 *read_certificate(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return NULL;
    }
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    (void)fclose(file);
    return certificate;
}

static bool thumbprint_is(X509 *certificate, const char *hex)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    char text[EVP_MAX_MD_SIZE * 2 + 1] = "";
    if (X509_digest(certificate, EVP_sha256(), digest, &digest_bytes) != 1) {
        return false;
    }
    for (unsigned index = 0; index < digest_bytes; index++) {
        (void)snprintf(text + 2 * index, 3, "%02x", digest[index]);
    }
    return strcasecmp(text, hex) == 0;
}

/* The certificate that the app has registered and the assertion names; the caller frees it. */
static X509 *find_certificate(const struct principal_options *options, const struct jwt *jwt)
{
    X509 *certificate = NULL;
    if (options->certificate != NULL) {
        certificate = read_certificate(options->certificate);
        if (certificate != NULL && jwt_names_certificate(jwt, certificate)) {
            return certificate;
        }
        X509_free(certificate);
    }
    if (options->thumbprint == NULL) {
        return NULL;
    }
    certificate = jwt_leaf(jwt);
    if (certificate != NULL && thumbprint_is(certificate, options->thumbprint)) {
        return certificate;
    }
    X509_free(certificate);
    return NULL;
}

static bool is_signed(const struct principal_options *options, const struct jwt *jwt)
{
    X509 *certificate = find_certificate(options, jwt);
    bool good = certificate != NULL && jwt_verify(jwt, X509_get0_pubkey(certificate));
    X509_free(certificate);
    return good;
}

/* Remembers the last REPLAYS_MAX; false: this one was among them, or there is none. */
static bool take_id(struct azure *azure, struct view claims)
{
    static const struct hash_key KEY = {1, 2};
    char id[CLAIM_BYTES_MAX];
    if (!claims_text(claims, "jti", id, sizeof id) || id[0] == '\0') {
        return false;
    }
    uint64_t hash = hash_bytes(&KEY, id, strlen(id));
    for (size_t index = 0; index < REPLAYS_MAX; index++) {
        if (azure->replays[index] == hash) {
            return false;
        }
    }
    azure->replays[azure->replays_next] = hash;
    azure->replays_next = (azure->replays_next + 1) % REPLAYS_MAX;
    return true;
}

static const struct entra_error *check_certificate(struct azure *azure, const struct jwt *jwt,
                                                   const struct assertion_question *question)
{
    const struct principal_options *options = question->principal->options;
    struct view claims = view_of(jwt->claims.data, jwt->claims.bytes);
    char audience[512], subject[CLAIM_BYTES_MAX];
    if (!principal_may_use(question->principal, SOURCE_CERTIFICATE) || !is_signed(options, jwt)) {
        return &BAD_SIGNATURE;
    }
    if (!is_timely(claims, question->wall_ms)) {
        return &UNTIMELY;
    }
    if (!claims_text(claims, "aud", audience, sizeof audience) ||
        !is_token_endpoint(audience, question)) {
        return &BAD_AUDIENCE;
    }
    if (!claims_text(claims, "sub", subject, sizeof subject) ||
        strcasecmp(subject, options->client_id) != 0) {
        return &BAD_SUBJECT;
    }
    return take_id(azure, claims) ? NULL : &NO_ID;
}

static const struct entra_error *check_federated(const struct azure *azure, const struct jwt *jwt,
                                                 const struct assertion_question *question)
{
    const struct principal_options *options = question->principal->options;
    struct view claims = view_of(jwt->claims.data, jwt->claims.bytes);
    char subject[1024];
    if (azure->options->issuer == NULL || options->subject == NULL ||
        !claims_has(claims, "iss", azure->options->issuer) ||
        !claims_text(claims, "sub", subject, sizeof subject) ||
        strcmp(subject, options->subject) != 0 ||
        !claims_has(claims, "aud", "api://AzureADTokenExchange")) {
        return &NO_FEDERATION;
    }
    if (!jwt_verify(jwt, azure->issuer_key)) {
        return &BAD_SIGNATURE;
    }
    return is_timely(claims, question->wall_ms) ? NULL : &UNTIMELY;
}

static bool is_listed(const struct texts *texts, const char *text)
{
    for (size_t index = 0; index < texts->count; index++) {
        if (strcmp(texts->items[index], text) == 0) {
            return true;
        }
    }
    return false;
}

const struct entra_error *assertion_check(struct azure *azure,
                                          const struct assertion_question *question,
                                          enum token_source *source)
{
    const struct principal_options *options = question->principal->options;
    bool federated = principal_may_use(question->principal, SOURCE_FEDERATED);
    *source = SOURCE_FEDERATED;
    if (federated && is_listed(&options->federated_tokens, question->text)) {
        return NULL;
    }
    struct jwt jwt;
    struct err ignored;
    char issuer[1024];
    const struct entra_error *error = &MALFORMED;
    if (jwt_split(view_of(question->text, strlen(question->text)), &jwt, &ignored)) {
        struct view claims = view_of(jwt.claims.data, jwt.claims.bytes);
        if (claims_text(claims, "iss", issuer, sizeof issuer) &&
            strcasecmp(issuer, options->client_id) == 0) {
            *source = SOURCE_CERTIFICATE;
            error = check_certificate(azure, &jwt, question);
        } else {
            error = federated ? check_federated(azure, &jwt, question) : &NO_FEDERATION;
        }
    }
    jwt_release(&jwt);
    return error;
}

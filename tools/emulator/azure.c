/* azure.c - identities by name and by client, and the state that is shared by the token sources. */
#include "azure.h"

#include <openssl/rand.h>
#include <strings.h>
#include <walship/mem.h>

static const char *const SOURCE_NAMES[SOURCES_COUNT] = {
    "imds", "arc", "app_service", "secret", "certificate", "federated",
};

static const char *const DOOR_NAMES[DOORS_COUNT] = {"imds", "arc", "app_service", "entra"};

const char *token_source_name(enum token_source source)
{
    ASSERT(source < SOURCES_COUNT);
    return SOURCE_NAMES[source];
}

const char *token_door_name(enum token_door door)
{
    ASSERT(door < DOORS_COUNT);
    return DOOR_NAMES[door];
}

enum token_door token_door_find(const char *name)
{
    for (unsigned door = 0; door < DOORS_COUNT; door++) {
        if (strcmp(DOOR_NAMES[door], name) == 0) {
            return (enum token_door)door;
        }
    }
    return DOORS_COUNT;
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : mem_string(text);
}

static void open_principal(struct principal *principal, const struct options *options,
                           const struct principal_options *own)
{
    principal->options = own;
    principal->secret = copy(own->secret);
    principal->expired_secret = copy(own->expired_secret);
    principal->disabled = own->disabled;
    principal->grants = mem_new(options->endpoints_count, sizeof *principal->grants);
    for (size_t pair = 0; pair < options->endpoints_count; pair++) {
        const struct endpoint_options *endpoint = &options->endpoints[pair];
        principal->grants[pair].held =
            texts_have(&own->roles, endpoint->name) || texts_have(&own->roles, "*");
        principal->grants[pair].from_ms = endpoint->role_delay_ms;
    }
}

void azure_open(struct azure *azure, const struct options *options)
{
    const struct azure_options *own = &options->azure;
    *azure = (struct azure){.options = own, .tokens = own->tokens};
    azure->tokens.body = copy(own->tokens.body);
    if (azure->tokens.life_ms == 0) {
        azure->tokens.life_ms = INT64_C(3600) * 1000;
    }
    for (size_t door = 0; door < DOORS_COUNT; door++) {
        fault_init(&azure->faults[door]);
    }
    bucket_init(&azure->imds, own->imds_per_second * 60, 1000);
    azure->principals_count = own->principals_count;
    if (own->principals_count == 0) {
        return;
    }
    azure->key = jwt_key_new();
    azure->issuer_key = jwt_key_new();
    azure->principals = mem_new(own->principals_count, sizeof *azure->principals);
    for (size_t index = 0; index < own->principals_count; index++) {
        open_principal(&azure->principals[index], options, &own->principals[index]);
    }
}

void azure_start(struct azure *azure, size_t pairs_count, int64_t now_ms)
{
    for (size_t index = 0; index < azure->principals_count; index++) {
        for (size_t pair = 0; pair < pairs_count; pair++) {
            azure->principals[index].grants[pair].from_ms += now_ms;
        }
    }
}

void azure_close(struct azure *azure)
{
    for (size_t index = 0; index < azure->principals_count; index++) {
        mem_free(azure->principals[index].secret);
        mem_free(azure->principals[index].expired_secret);
        mem_free(azure->principals[index].grants);
        mem_free(azure->principals[index].kept.text);
    }
    mem_free(azure->principals);
    mem_free(azure->tokens.body);
    EVP_PKEY_free(azure->key);
    EVP_PKEY_free(azure->issuer_key);
    *azure = (struct azure){0};
}

bool principal_may_use(const struct principal *principal, enum token_source source)
{
    const struct texts *sources = &principal->options->sources;
    return sources->count == 0 || texts_have(sources, token_source_name(source));
}

struct principal *azure_principal(struct azure *azure, const char *name)
{
    for (size_t index = 0; index < azure->principals_count; index++) {
        if (strcmp(azure->principals[index].options->name, name) == 0) {
            return &azure->principals[index];
        }
    }
    return NULL;
}

struct principal *azure_client(struct azure *azure, const char *tenant, const char *client_id)
{
    for (size_t index = 0; index < azure->principals_count; index++) {
        const struct principal_options *options = azure->principals[index].options;
        if (strcasecmp(options->tenant, tenant) == 0 &&
            strcasecmp(options->client_id, client_id) == 0) {
            return &azure->principals[index];
        }
    }
    return NULL;
}

void azure_guid(struct azure *azure, char out[37])
{
    uint8_t bytes[16];
    int good = RAND_bytes(bytes, sizeof bytes);
    ASSERT(good == 1);
    azure->serial++;
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    size_t used = 0;
    for (size_t index = 0; index < sizeof bytes; index++) {
        if (index == 4 || index == 6 || index == 8 || index == 10) {
            out[used++] = '-';
        }
        (void)snprintf(out + used, 37 - used, "%02x", bytes[index]);
        used += 2;
    }
    ASSERT(used == 36);
}

const char *exchange_query(const struct exchange *exchange, const char *key)
{
    size_t count =
        exchange->query_count < QUERY_COUNT_MAX ? exchange->query_count : QUERY_COUNT_MAX;
    for (size_t index = 0; index < count; index++) {
        if (strcmp(exchange->query[index].key, key) == 0) {
            return exchange->query[index].value;
        }
    }
    return NULL;
}

/* arc.c - the agent of an Azure Arc machine: the first request gets a challenge that names a file,
 * and whoever can read that file repeats the request with its content.
 *
 * A key is good once. The last ARC_KEYS_MAX files are kept; an older one is removed with its
 * challenge. */
#include "azure.h"

#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 512 };

static bool key_path(const struct azure *azure, const char *name, char out[PATH_BYTES_MAX])
{
    int bytes =
        snprintf(out, PATH_BYTES_MAX, "%s/%s.key", azure->options->arc_keys_directory, name);
    return bytes > 0 && bytes < PATH_BYTES_MAX;
}

static void drop_key(struct azure *azure, struct arc_key *key)
{
    char path[PATH_BYTES_MAX];
    if (key->name[0] != '\0' && key_path(azure, key->name, path)) {
        (void)unlink(path);
    }
    *key = (struct arc_key){0};
}

static bool write_key(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0) {
        return false;
    }
    size_t bytes = strlen(value);
    bool good = write(fd, value, bytes) == (ssize_t)bytes;
    return close(fd) == 0 && good;
}

static void challenge(struct azure *azure, struct answer *answer, struct door_result *result)
{
    struct arc_key *key = &azure->arc_keys[azure->arc_keys_next];
    azure->arc_keys_next = (azure->arc_keys_next + 1) % ARC_KEYS_MAX;
    drop_key(azure, key);
    char path[PATH_BYTES_MAX], value[37];
    azure_guid(azure, value);
    azure_guid(azure, key->name);
    (void)snprintf(key->value, sizeof key->value, "%s", value);
    if (!key_path(azure, key->name, path) || !write_key(path, key->value)) {
        *key = (struct arc_key){0};
        door_refuse(answer, result, 500, "unknown", "the key file can't be written");
        return;
    }
    door_refuse(answer, result, 401, "unauthorized", "read the key file that the realm names");
    answer_header(answer, "WWW-Authenticate", "Basic realm=%s", path);
}

/* Whether the header has the content of a key file; that key is used up. */
static bool take_key(struct azure *azure, const char *authorization)
{
    static const char BASIC[] = "Basic ";
    if (strncasecmp(authorization, BASIC, sizeof BASIC - 1) != 0) {
        return false;
    }
    for (size_t index = 0; index < ARC_KEYS_MAX; index++) {
        struct arc_key *key = &azure->arc_keys[index];
        if (key->name[0] != '\0' && strcmp(key->value, authorization + sizeof BASIC - 1) == 0) {
            drop_key(azure, key);
            return true;
        }
    }
    return false;
}

void arc_answer(struct azure *azure, const struct exchange *exchange, struct answer *answer,
                struct door_result *result)
{
    static const struct door_selectors SELECTORS = {"client_id", "object_id", "msi_res_id"};
    const char *metadata = exchange_header(exchange, "Metadata");
    const char *authorization = exchange_header(exchange, "Authorization");
    const char *resource = exchange_query(exchange, "resource");
    const char *version = exchange_query(exchange, "api-version");
    result->source = SOURCE_ARC;
    if (azure->options->arc_keys_directory == NULL) {
        door_refuse(answer, result, 404, "not_found", "arc_keys_directory is not configured");
    } else if (strcmp(exchange->method, "GET") != 0) {
        door_refuse(answer, result, 405, "method_not_allowed", "only GET");
    } else if (metadata == NULL || strcasecmp(metadata, "true") != 0) {
        door_refuse(answer, result, 400, "bad_request_102",
                    "Required metadata header not specified");
    } else if (version == NULL || strlen(version) != 10) {
        door_refuse(answer, result, 400, "invalid_request", "api-version is missing");
    } else if (authorization == NULL) {
        challenge(azure, answer, result);
    } else if (!take_key(azure, authorization)) {
        door_refuse(answer, result, 403, "forbidden", "the challenge was not met");
    } else if (resource == NULL || !token_audience_known(azure, resource)) {
        door_refuse(answer, result, 400, "invalid_resource", "the resource is unknown");
    } else {
        struct principal *principal = door_select(azure, exchange, &SELECTORS, SOURCE_ARC);
        if (principal == NULL) {
            door_refuse(answer, result, 400, "invalid_request", "Identity not found");
            return;
        }
        result->identity = principal->options->name;
        struct token_request request = {principal, resource, SOURCE_ARC, exchange->wall_ms};
        token_answer(azure, &request, answer);
    }
}

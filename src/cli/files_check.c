/* files_check.c - what endpoints authenticate and encrypt with may lie in files; a path with a typo
 * would be found by the first request only. */
#include "files_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <walship/assert.h>

static void look(const char *file, const struct conf_endpoint *endpoint, const char *path)
{
    if (path != NULL && access(path, R_OK) != 0) {
        printf("%s:%u:%u: warning: %s can't be read by user %u (%s): requests to %s wait until it "
               "can\n",
               file, endpoint->line, endpoint->column, path, (unsigned)getuid(), strerror(errno),
               endpoint->shown);
    }
}

static void client_look(const char *file, const struct conf_endpoint *endpoint,
                        const struct http_client *client)
{
    look(file, endpoint, client->ca_file);
    look(file, endpoint, client->cert_file);
    look(file, endpoint, client->key_file);
}

static bool same(const char *a, const char *b)
{
    return a == NULL ? b == NULL : b != NULL && strcmp(a, b) == 0;
}

static void endpoint_look(const char *file, const struct conf_endpoint *endpoint)
{
    const struct conf_auth *auth = &endpoint->auth;
    look(file, endpoint, auth->secret_file);
    look(file, endpoint, auth->username_file);
    look(file, endpoint, auth->token_file_path);
    look(file, endpoint, auth->certificate_path);
    if (!same(auth->certificate_key_path, auth->certificate_path)) {
        look(file, endpoint, auth->certificate_key_path);
    }
    for (size_t i = 0; i < endpoint->headers.count; i++) {
        look(file, endpoint, endpoint->headers.rows[i].file);
    }
    client_look(file, endpoint, &endpoint->client);
    if (auth->kind == CONF_AUTH_OAUTH2) {
        client_look(file, endpoint, &auth->client);
    }
}

void files_check(const char *file, const struct conf *conf)
{
    ASSERT(file != NULL && conf->destinations_count > 0);
    for (size_t i = 0; i < conf->destinations_count; i++) {
        const struct conf_destination *destination = &conf->destinations[i];
        for (size_t k = 0; k < destination->endpoints_count; k++) {
            endpoint_look(file, &destination->endpoints[k]);
        }
    }
}

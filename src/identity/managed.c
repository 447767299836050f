/* managed.c - which metadata service gives a managed identity's tokens, and at what URL.
 *
 * What is written in the configuration comes first; then the variables, in the order Azure
 * documents; then the file of the Arc agent; then the fixed address. `source:` skips the guessing.
 */
#include "source.h"

#include <walship/mem.h>

#define IMDS_HOST  "http://169.254.169.254"
#define ARC_HOST   "http://127.0.0.1:40342"
#define TOKEN_PATH "/metadata/identity/oauth2/token"
#define ARC_AGENT  "/opt/azcmagent/bin/himds"

/* The variables that choose, read once. */
struct hints {
    const char *pod_host;
    const char *endpoint, *header, *imds_endpoint, *thumbprint;
    const char *msi_endpoint, *msi_secret;
};

static struct hints hints_read(const struct identity_world *world)
{
    return (struct hints){
        .pod_host = world_variable(world, "AZURE_POD_IDENTITY_AUTHORITY_HOST"),
        .endpoint = world_variable(world, "IDENTITY_ENDPOINT"),
        .header = world_variable(world, "IDENTITY_HEADER"),
        .imds_endpoint = world_variable(world, "IMDS_ENDPOINT"),
        .thumbprint = world_variable(world, "IDENTITY_SERVER_THUMBPRINT"),
        .msi_endpoint = world_variable(world, "MSI_ENDPOINT"),
        .msi_secret = world_variable(world, "MSI_SECRET"),
    };
}

/* A host, with or without a path, and the token path behind it. */
static bool use_host(struct source *out, enum source_kind kind, const char *host)
{
    size_t bytes = strlen(host);
    while (bytes > 0 && host[bytes - 1] == '/') {
        bytes--;
    }
    char *url = mem_format("%.*s" TOKEN_PATH, (int)bytes, host);
    out->kind = kind;
    source_set(out, TEXT_URL, url);
    mem_free(url);
    return true;
}

static bool use_app_service(struct source *out, const struct hints *hints, struct err *err)
{
    if (hints->endpoint != NULL && hints->header != NULL) {
        if (hints->thumbprint != NULL) {
            return err_set(err, 0,
                           "Service Fabric's identity endpoint is not supported: unset "
                           "IDENTITY_SERVER_THUMBPRINT or say source: imds");
        }
        out->kind = SOURCE_APP_SERVICE;
        source_set(out, TEXT_URL, hints->endpoint);
        source_set(out, TEXT_SECRET, hints->header);
        return true;
    }
    if (hints->msi_endpoint != NULL && hints->msi_secret != NULL) {
        out->kind = SOURCE_APP_SERVICE_2017;
        source_set(out, TEXT_URL, hints->msi_endpoint);
        source_set(out, TEXT_SECRET, hints->msi_secret);
        return true;
    }
    return err_set(err, 0,
                   "source: app_service needs the variables IDENTITY_ENDPOINT and "
                   "IDENTITY_HEADER");
}

/* IDENTITY_ENDPOINT with IDENTITY_HEADER is an App Service's, not the Arc agent's. */
static bool use_arc(struct source *out, const struct hints *hints)
{
    if (hints->endpoint != NULL && (hints->imds_endpoint != NULL || hints->header == NULL)) {
        out->kind = SOURCE_ARC;
        source_set(out, TEXT_URL, hints->endpoint);
        return true;
    }
    return use_host(out, SOURCE_ARC, ARC_HOST);
}

static bool arc_agent_is_there(const struct identity_world *world)
{
    struct os_stat stat;
    const char *path = world->arc_agent_path != NULL ? world->arc_agent_path : ARC_AGENT;
    return world->os->stat_path(world->os, path, &stat) == 0;
}

static bool detect(struct source *out, const struct identity_world *world,
                   const struct hints *hints, struct err *err)
{
    if (hints->pod_host != NULL) {
        return use_host(out, SOURCE_IMDS, hints->pod_host);
    }
    if ((hints->endpoint != NULL && hints->header != NULL) ||
        (hints->msi_endpoint != NULL && hints->msi_secret != NULL)) {
        return use_app_service(out, hints, err);
    }
    if ((hints->endpoint != NULL && hints->imds_endpoint != NULL) || arc_agent_is_there(world)) {
        return use_arc(out, hints);
    }
    return use_host(out, SOURCE_IMDS, IMDS_HOST);
}

static bool choose(struct source *out, const struct conf_auth *auth,
                   const struct identity_world *world, struct err *err)
{
    const struct hints hints = hints_read(world);
    switch (auth->source) {
    case CONF_SOURCE_AUTO:
        return auth->imds_endpoint != NULL ? use_host(out, SOURCE_IMDS, auth->imds_endpoint)
                                           : detect(out, world, &hints, err);
    case CONF_SOURCE_IMDS:
        return use_host(out, SOURCE_IMDS,
                        auth->imds_endpoint != NULL ? auth->imds_endpoint
                        : hints.pod_host != NULL    ? hints.pod_host
                                                    : IMDS_HOST);
    case CONF_SOURCE_ARC:
        return auth->imds_endpoint != NULL ? use_host(out, SOURCE_ARC, auth->imds_endpoint)
                                           : use_arc(out, &hints);
    case CONF_SOURCE_APP_SERVICE:
        return use_app_service(out, &hints, err);
    }
    return false;
}

/* The resource a metadata service wants is the scope without /.default: the double slash leaves
 * one. */
static void set_resource(struct source *out, const struct conf_auth *auth)
{
    static const char *const resources[] = {
        [CONF_CLOUD_PUBLIC] = "https://monitor.azure.com/",
        [CONF_CLOUD_GOVERNMENT] = "https://monitor.azure.us/",
        [CONF_CLOUD_CHINA] = "https://monitor.azure.cn/",
    };
    static const char suffix[] = "/.default";
    const char *scope = auth->scope;
    if (scope == NULL) {
        source_set(out, TEXT_SCOPE, resources[auth->cloud]);
        return;
    }
    size_t bytes = strlen(scope), tail = sizeof suffix - 1;
    if (bytes > tail && strcmp(scope + bytes - tail, suffix) == 0) {
        bytes -= tail;
    }
    char *resource = mem_format("%.*s", (int)bytes, scope);
    source_set(out, TEXT_SCOPE, resource);
    mem_free(resource);
}

bool source_resolve_managed(struct source *out, const struct conf_auth *auth,
                            const struct identity_world *world, struct err *err)
{
    ASSERT(out != NULL && auth->cloud <= CONF_CLOUD_CHINA);
    const char *client = auth->client_id;
    if (auth->kind == CONF_AUTH_SDK) {
        client = world_variable(world, "AZURE_CLIENT_ID"); /* as the SDK's chain does */
    }
    source_set(out, TEXT_CLIENT_ID, client);
    source_set(out, TEXT_OBJECT_ID, auth->object_id);
    source_set(out, TEXT_RESOURCE_ID, auth->msi_res_id);
    set_resource(out, auth);
    return choose(out, auth, world, err);
}

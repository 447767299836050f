/* sidecar.c - see sidecar.h. The variables are written as a configuration in JSON, which is YAML,
 * and go through the same binder as any file: what is checked there is checked here. */
#include "sidecar.h"

#include <stdlib.h>
#include <strings.h>
#include <walship/conf_yaml.h>
#include <walship/expo.h>
#include <walship/mem.h>

enum { CONF_BYTES_MAX = 1 << 20 };
const char sidecar_source[] = "environment";

static const char *variable(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : otherwise;
}

bool sidecar_wanted(void)
{
    return variable("INGESTION_URL", NULL) != NULL;
}

const char *sidecar_hint(void)
{
    return "Prometheus' data volume must be mounted into walship's container (read-only will do), "
           "and WAL_DIR must name its wal directory";
}

static void text_if(struct json *json, const char *key, const char *name)
{
    const char *value = variable(name, NULL);
    if (value != NULL) {
        json_string(json, key, value);
    }
}

static void problem(struct conf_problems *problems, const char *name, const char *text)
{
    conf_problem(problems, sidecar_source, 1, 1, "%s %s", name, text);
}

/* ---- who walship is ---- */

static void managed(struct json *json)
{
    json_open(json, "managed_identity", '{');
    text_if(json, "client_id", "AZURE_CLIENT_ID");
    json_close(json, '}');
}

static void system_assigned(struct json *json)
{
    json_open(json, "managed_identity", '{');
    json_close(json, '}');
}

static void application(struct json *json)
{
    json_open(json, "certificate", '{');
    text_if(json, "client_id", "AZURE_CLIENT_ID");
    text_if(json, "tenant_id", "AZURE_TENANT_ID");
    text_if(json, "certificate_path", "AZURE_CLIENT_CERTIFICATE_PATH");
    json_close(json, '}');
}

static void workload(struct json *json)
{
    json_open(json, "workload_identity", '{');
    text_if(json, "client_id", "AZURE_CLIENT_ID");
    text_if(json, "tenant_id", "AZURE_TENANT_ID");
    json_close(json, '}');
}

static const struct kind {
    const char *name;
    void (*write)(struct json *json);
    const char *needs[3];
} kinds[] = {
    {"userAssigned", managed, {"AZURE_CLIENT_ID"}},
    {"systemAssigned", system_assigned, {NULL}},
    {"aadApplication",
     application,
     {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_CERTIFICATE_PATH"}},
    {"workloadIdentity", workload, {"AZURE_CLIENT_ID", "AZURE_TENANT_ID"}},
};

static const struct cloud {
    const char *name, *cloud;
    bool own_host; /* what signs in is not the public cloud's: it must be named */
} clouds[] = {{"AZUREPUBLIC", "AzurePublic", false},
              {"AZUREGOVERNMENT", "AzureGovernment", false},
              {"AZURECHINA", "AzureChina", false},
              {"AZURECUSTOM", "AzurePublic", true}};

static const struct kind *kind_of(struct conf_problems *problems)
{
    const char *name = variable("IDENTITY_TYPE", "");
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (strcasecmp(name, kinds[i].name) != 0) {
            continue;
        }
        for (size_t k = 0; k < ARRAY_COUNT(kinds[i].needs) && kinds[i].needs[k] != NULL; k++) {
            if (variable(kinds[i].needs[k], NULL) == NULL) {
                conf_problem(problems, sidecar_source, 1, 1,
                             "%s is missing: IDENTITY_TYPE %s needs it", kinds[i].needs[k],
                             kinds[i].name);
            }
        }
        return &kinds[i];
    }
    problem(problems, "IDENTITY_TYPE",
            "must be userAssigned, systemAssigned, aadApplication or workloadIdentity");
    return NULL;
}

static void cloud_write(struct json *json, struct conf_problems *problems)
{
    const char *name = variable("CLOUD", "AZUREPUBLIC");
    for (size_t i = 0; i < ARRAY_COUNT(clouds); i++) {
        if (strcasecmp(name, clouds[i].name) != 0) {
            continue;
        }
        json_string(json, "cloud", clouds[i].cloud);
        if (clouds[i].own_host && variable("AAD_HOST_ENDPOINT", NULL) == NULL) {
            problem(problems, "AAD_HOST_ENDPOINT", "is missing: CLOUD AZURECUSTOM needs it");
        }
        return;
    }
    problem(problems, "CLOUD", "must be AZUREPUBLIC, AZUREGOVERNMENT, AZURECHINA or AZURECUSTOM");
}

static void azuread(struct json *json, struct conf_problems *problems)
{
    const struct kind *kind = kind_of(problems);
    const char *audience = variable("INGESTION_AAD_AUDIENCE", NULL);
    json_open(json, "azuread", '{');
    cloud_write(json, problems);
    text_if(json, "authority_host", "AAD_HOST_ENDPOINT");
    if (audience != NULL) {
        char *scope = mem_format("%s/.default", audience);
        json_string(json, "scope", scope);
        mem_free(scope);
    }
    if (kind != NULL) {
        kind->write(json);
    }
    json_close(json, '}');
}

/* ---- the whole ---- */

/* Several URLs stand apart by white space. */
static void endpoints(struct json *json)
{
    char *urls = mem_string(variable("INGESTION_URL", ""));
    char *rest = urls;
    json_open(json, "endpoints", '[');
    for (char *url; (url = strsep(&rest, " \t\r\n")) != NULL;) {
        if (*url != '\0') {
            json_open(json, NULL, '{');
            json_string(json, "url", url);
            json_close(json, '}');
        }
    }
    json_close(json, ']');
    mem_free(urls);
}

/* A sentence of its own: who sets a port has never heard of listen_address. */
static char *listen_address(struct conf_problems *problems)
{
    const char *port = variable("LISTENING_PORT", "8081");
    unsigned long number = strtoul(port, NULL, 10);
    if (port[strspn(port, "0123456789")] != '\0' || number < 1 || number > 65535) {
        conf_problem(problems, sidecar_source, 1, 1,
                     "LISTENING_PORT must be a port from 1 to 65535, found \"%s\"", port);
    }
    return mem_format(":%s", port);
}

static void whole(struct json *json, struct conf_problems *problems)
{
    char *listen = listen_address(problems);
    json_open(json, NULL, '{');
    json_string(json, "wal_dir", variable("WAL_DIR", "/prometheus/wal"));
    json_string(json, "listen_address", listen);
    text_if(json, "state_dir", "STATE_DIR");
    text_if(json, "start_at", "START_AT");
    text_if(json, "prometheus_config", "PROMETHEUS_CONFIG");
    text_if(json, "web_config", "WEB_CONFIG");
    if (variable("CLUSTER", NULL) != NULL) {
        json_open(json, "external_labels", '{');
        json_string(json, "cluster", variable("CLUSTER", NULL));
        json_close(json, '}');
    }
    json_open(json, "remote_write", '[');
    json_open(json, NULL, '{');
    json_string(json, "name", "azure-monitor");
    endpoints(json);
    azuread(json, problems);
    json_close(json, '}');
    json_close(json, ']');
    json_close(json, '}');
    mem_free(listen);
}

struct conf *sidecar_conf(struct conf_problems *problems)
{
    struct buf text;
    struct json json;
    struct conf *conf = NULL;
    buf_init(&text, CONF_BYTES_MAX);
    json_init(&json, &text);
    whole(&json, problems);
    if (problems->count == 0) {
        struct conf_yaml *yaml = NULL;
        if (!json_ok(&json)) {
            problem(problems, "the variables", "are too long");
        } else if (json.replaced) { /* a label or a path would not be what was meant */
            problem(problems, "the variables", "must be UTF-8");
        } else {
            yaml = conf_yaml_parse(text.data, text.bytes, sidecar_source, problems);
        }
        conf = yaml != NULL ? conf_yaml_bind(conf_yaml_root(yaml), sidecar_source, problems) : NULL;
        conf_yaml_free(yaml);
    }
    buf_release(&text);
    return conf;
}

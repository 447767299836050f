/* free.c - gives back what conf_bind allocated, also when it stopped half-way. */
#include "auth.h"
#include "client.h"
#include "relabel.h"

#include <walship/mem.h>

/* struct label only borrows; these strings are the configuration's own. */
static void free_label(const struct label *label)
{
    mem_free((void *)(uintptr_t)label->name);
    mem_free((void *)(uintptr_t)label->value);
}

static void free_destination(struct conf_destination *destination)
{
    for (size_t i = 0; i < destination->endpoints_count; i++) {
        struct conf_endpoint *endpoint = &destination->endpoints[i];
        text_wipe(endpoint->url);
        mem_free(endpoint->shown);
        mem_free(endpoint->key);
        headers_release(&endpoint->headers);
        conf_auth_release(&endpoint->auth);
        client_release(&endpoint->client); /* token_client only borrows */
    }
    for (size_t i = 0; i < destination->shard_by_count; i++) {
        mem_free(destination->shard_by[i]);
    }
    headers_release(&destination->headers);
    free_relabel(destination);
    conf_auth_release(&destination->auth);
    client_release(&destination->client);
    mem_free(destination->endpoints);
    mem_free(destination->shard_by);
    mem_free(destination->name);
    mem_free(destination->quota_group);
}

void conf_free(struct conf *conf)
{
    if (conf == NULL) {
        return;
    }
    for (size_t i = 0; i < conf->external_labels_count; i++) {
        free_label(&conf->external_labels[i]);
    }
    for (size_t i = 0; i < conf->destinations_count; i++) {
        free_destination(&conf->destinations[i]);
    }
    mem_free(conf->external_labels);
    mem_free(conf->destinations);
    mem_free(conf->wal_dir);
    mem_free(conf->state_dir);
    mem_free(conf->spool_dir);
    mem_free(conf->prometheus_config);
    text_wipe(conf->prometheus_url);
    mem_free(conf->prometheus_shown);
    mem_free(conf->web_config);
    conf_web_free(conf->web);
    mem_free(conf->listen_address);
    mem_free(conf);
}

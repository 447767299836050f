/* world_conf.c - a destination from its line in a script. */
#include "world.h"

#include <check.h>
#include <walship/mem.h>

static bool has_receiver(const struct world *world, const char *url)
{
    for (size_t i = 0; i < world->http->receivers_count; i++) {
        if (strcmp(world->http->receivers[i].url, url) == 0) {
            return true;
        }
    }
    return false;
}

/* A secret each, so that no two share a token. */
static void endpoints_auth(struct conf_destination *destination)
{
    for (size_t i = 0; i < destination->endpoints_count; i++) {
        struct conf_auth *auth = &destination->endpoints[i].auth;
        auth->kind = CONF_AUTH_SECRET;
        auth->client_id = mem_format("%s-client-%zu", destination->name, i);
        auth->tenant_id = mem_string("tenant");
        auth->secret = mem_string("secret");
        auth->authority_host = mem_string("http://127.0.0.1:9/");
    }
}

void world_destination(struct world *world, struct conf_destination *destination, char *line)
{
    *destination = (struct conf_destination){.name = mem_string(world_word(&line)),
                                             .remote_timeout_ms = 1000,
                                             .queue = {.max_shards = 2,
                                                       .max_samples_per_send = 100,
                                                       .max_bytes_per_send = 1 << 20,
                                                       .batch_send_deadline_ms = 100,
                                                       .min_backoff_ms = 100,
                                                       .max_backoff_ms = 1000,
                                                       .retry_on_http_429 = true}};
    destination->endpoints = mem_new(8, sizeof *destination->endpoints);
    char *urls = world_word(&line);
    for (char *url = urls; url != NULL && *url != 0;) {
        char *end = url + strcspn(url, ",");
        char *next = *end == 0 ? end : end + 1;
        *end = 0;
        char *copy = mem_string(url);
        destination->endpoints[destination->endpoints_count++] =
            (struct conf_endpoint){.url = copy, .shown = copy, .key = copy, .weight = 1};
        if (!has_receiver(world, url)) {
            fake_http_receive(world->http, url);
        }
        url = next;
    }
    for (char *option = world_word(&line); option != NULL; option = world_word(&line)) {
        if (strcmp(option, "pinned") == 0) {
            destination->placement = CONF_PINNED;
        } else if (strcmp(option, "fold") == 0) {
            destination->fold_case = true;
        } else if (strcmp(option, "azure") == 0) {
            destination->window_ms = 20 * 60 * 1000;
            destination->out_of_order = CONF_ORDER_DROP;
        } else if (strcmp(option, "age") == 0) {
            destination->queue.sample_age_limit_ms = world_number(&line);
        } else if (strcmp(option, "auth") == 0) {
            endpoints_auth(destination);
        } else if (strcmp(option, "tenant") == 0) {
            mem_free(destination->endpoints[0].auth.tenant_id);
            destination->endpoints[0].auth.tenant_id = mem_string(world_word(&line));
        } else if (world_kinds_option(destination, option)) {
            continue;
        } else if (strcmp(option, "by") == 0) {
            destination->shard_by = mem_new(1, sizeof *destination->shard_by);
            destination->shard_by[destination->shard_by_count++] = mem_string(world_word(&line));
        } else if (strcmp(option, "deadline") == 0) {
            destination->queue.batch_send_deadline_ms = world_number(&line);
        } else if (strcmp(option, "quota") == 0) {
            destination->endpoints[0].quota.requests_per_minute = (uint64_t)world_number(&line);
        } else if (strcmp(option, "samples") == 0) {
            destination->queue.max_samples_per_send = (uint32_t)world_number(&line);
        } else {
            ck_abort_msg("no such option: %s", option);
        }
    }
}

void world_destination_release(struct conf_destination *destination)
{
    for (size_t k = 0; k < destination->endpoints_count; k++) {
        mem_free(destination->endpoints[k].url);
        conf_auth_release(&destination->endpoints[k].auth);
    }
    for (size_t k = 0; k < destination->shard_by_count; k++) {
        mem_free(destination->shard_by[k]);
    }
    mem_free(destination->shard_by);
    mem_free(destination->endpoints);
    mem_free(destination->name);
}

void world_start_at(struct world *world, char *line)
{
    char *when = world_word(&line);
    if (strcmp(when, "oldest") == 0) {
        world->conf.start_at = CONF_START_OLDEST;
    } else if (strcmp(when, "now") == 0) {
        world->conf.start_at = CONF_START_NOW;
    } else {
        world->conf.start_at = CONF_START_AGO;
        world->conf.start_ago_ms = strtoll(when, NULL, 10);
    }
}

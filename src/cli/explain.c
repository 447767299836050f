/* explain.c - see explain.h. What is said here is asked of routing.h, never worked out anew. */
#include "explain.h"

#include "state.h"

#include <walship/mem.h>

static const char *const end_names[] = {"goes", "dropped by rule", "beyond the limits"};

void explain_init(struct explain *explain, const struct conf *conf, struct buf *out)
{
    uint16_t *home = mem_new(conf->destinations_count, SHARDS_COUNT * sizeof *home);
    *explain = (struct explain){.conf = conf, .out = out, .home = home};
    explain->rules = mem_new(conf->destinations_count, sizeof *explain->rules);
    for (size_t i = 0; i < conf->destinations_count; i++) {
        routing_homes(&conf->destinations[i], &home[i * SHARDS_COUNT]);
        route_fingerprint(conf, &conf->destinations[i], explain->rules[i]);
    }
    routing_room_init(&explain->room);
    buf_init(&explain->labels, 2 * (size_t)STATE_TEXT_BYTES_MAX);
}

void explain_release(struct explain *explain)
{
    routing_room_release(&explain->room);
    buf_release(&explain->labels);
    mem_free(explain->rules);
    mem_free((void *)(uintptr_t)explain->home);
    *explain = (struct explain){0};
}

/* Quoted and escaped: nothing in a label can look like something else. Until the next call. */
static const char *labels_text(struct explain *explain, const struct label *labels, size_t count)
{
    buf_clear(&explain->labels);
    bool fits =
        labels_format(labels, count, &explain->labels) && buf_append(&explain->labels, "", 1);
    ASSERT(fits);
    return (const char *)explain->labels.data;
}

static void put(struct explain *explain, const char *text)
{
    bool fits = buf_append(explain->out, text, strlen(text));
    ASSERT(fits);
}

static bool lending_is(const struct shards_endpoint *endpoint, enum lending_state state)
{
    return strcmp(endpoint->lending, lending_state_name(state)) == 0;
}

/* To be freed. */
static char *trouble_of(const struct shards_endpoint *endpoint)
{
    return mem_format("%s is %s (%s%s%s)", endpoint->url, endpoint->lending, endpoint->state,
                      *endpoint->error == '\0' ? "" : ": ", endpoint->error);
}

static char *why_of(const struct shards_destination *live, const struct engine_shard_stats *shard)
{
    const struct shards_endpoint *home = &live->endpoints[shard->home];
    if (shard->endpoint == shard->home) {
        if (lending_is(home, LENDING_WELL) && strcmp(home->state, "open") == 0) {
            return mem_string("at home");
        }
        char *trouble = trouble_of(home);
        char *why = mem_format("at home, though %s", trouble);
        mem_free(trouble);
        return why;
    }
    if (lending_is(home, LENDING_WELL)) {
        return mem_format("lent, and on its way home: %s is well again", home->url);
    }
    char *trouble = trouble_of(home);
    char *why = mem_format("lent, since %s", trouble);
    mem_free(trouble);
    return why;
}

/* What the running one says of this destination, when it goes by the same rules. */
static const struct shards_destination *live_of(const struct explain *explain, size_t index)
{
    const struct shards_destination *live =
        explain->live == NULL ? NULL
                              : shards_find(explain->live, explain->conf->destinations[index].name);
    return live != NULL && strcmp(live->rules, explain->rules[index]) == 0 ? live : NULL;
}

static void text_live(struct explain *explain, const struct shards_destination *live,
                      uint16_t shard)
{
    const struct engine_shard_stats *stats = &live->shards[shard];
    char *why = why_of(live, stats);
    put(explain, "    now at ");
    put(explain, live->endpoints[stats->endpoint].url);
    put(explain, ": ");
    put(explain, why);
    put(explain, "\n    ");
    if (stats->newest_acked_ms == INT64_MIN) {
        put(explain, "nothing of this shard acked since walship started");
    } else {
        put(explain, "shard acked up to ");
        state_time(explain->out, stats->newest_acked_ms);
    }
    state_text(explain->out, ", %u items of it wait\n", stats->pending);
    mem_free(why);
}

static void text_destination(struct explain *explain, size_t index, const struct routing *routing)
{
    const struct conf_destination *conf = &explain->conf->destinations[index];
    const struct shards_destination *live = live_of(explain, index);
    put(explain, "  ");
    put(explain, conf->name);
    put(explain, ": ");
    if (routing->end != ROUTE_GOES) {
        put(explain, end_names[routing->end]);
        put(explain, "\n");
        return;
    }
    uint16_t home = live != NULL ? live->shards[routing->shard].home
                                 : explain->home[index * SHARDS_COUNT + routing->shard];
    put(explain, labels_text(explain, routing->labels, routing->count));
    state_text(explain->out, "\n    shard %u, home ", routing->shard);
    put(explain, live != NULL ? live->endpoints[home].url : conf->endpoints[home].shown);
    put(explain, conf->placement == CONF_PINNED ? " (pinned)\n" : "\n");
    if (live != NULL) {
        text_live(explain, live, routing->shard);
    } else if (explain->live != NULL) {
        put(explain, "    the running walship has another configuration for this destination\n");
    }
}

static void json_destination(struct explain *explain, size_t index, const struct routing *routing)
{
    const struct conf_destination *conf = &explain->conf->destinations[index];
    const struct shards_destination *live = live_of(explain, index);
    struct json *json = explain->json;
    json_open(json, NULL, '{');
    json_string(json, "name", conf->name);
    json_string(json, "end", end_names[routing->end]);
    if (routing->end == ROUTE_GOES) {
        uint16_t home = explain->home[index * SHARDS_COUNT + routing->shard];
        json_string(json, "labels", labels_text(explain, routing->labels, routing->count));
        json_u64(json, "shard", routing->shard);
        if (live == NULL) {
            json_string(json, "home", conf->endpoints[home].shown);
        } else {
            const struct engine_shard_stats *stats = &live->shards[routing->shard];
            char *why = why_of(live, stats);
            json_string(json, "home", live->endpoints[stats->home].url);
            json_string(json, "endpoint", live->endpoints[stats->endpoint].url);
            json_string(json, "why", why);
            json_u64(json, "pending", stats->pending);
            if (stats->newest_acked_ms != INT64_MIN) {
                json_i64(json, "shard_acked_ms", stats->newest_acked_ms);
            }
            mem_free(why);
        }
    }
    json_close(json, '}');
}

void explain_series(struct explain *explain, const struct label *labels, size_t count)
{
    struct json *json = explain->json;
    if (json != NULL) {
        json_open(json, NULL, '{');
        json_string(json, "labels", labels_text(explain, labels, count));
        json_open(json, "destinations", '[');
    } else {
        put(explain, labels_text(explain, labels, count));
        put(explain, "\n");
    }
    for (size_t i = 0; i < explain->conf->destinations_count; i++) {
        struct routing routing = {.all = explain->conf,
                                  .conf = &explain->conf->destinations[i],
                                  .source = labels,
                                  .source_count = count};
        routing_make(&explain->room, &routing);
        if (json != NULL) {
            json_destination(explain, i, &routing);
        } else {
            text_destination(explain, i, &routing);
        }
    }
    if (json != NULL) {
        json_close(json, ']');
        json_close(json, '}');
    }
}

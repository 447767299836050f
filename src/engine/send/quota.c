/* quota.c - the quotas of endpoints, destinations and groups between the packing and the posting: a
 * request goes when its endpoint's account and the one it shares (with its siblings, or with other
 * destinations) both have room; it is charged to both. As the request quota nears, batches get
 * fuller and wait longer (quota_shape). See quota.h for the accounts. */
#include "internal.h"

#include <walship/quota.h>

enum {
    SAVED_AGE_MS_MAX = 5000, /* also of an idle account: a restart must know that it was idle */
    FORGET_MS = 7 * 24 * 3600 * 1000,
    STRETCH_MS = 8000,    /* the most that a batch waits to fill, for the quota's sake */
    SHAPE_FROM = 50,      /* percent of the request quota: below it batches are as configured, */
    SHAPE_TO = 90,        /* from here on as full as they may be */
    ROOM_PERCENT = 90,    /* below it there is room to take over a sibling's shards */
    MINUTE_PARTS_MIN = 4, /* a batch is at most such a part of a minute's quota */
    FULL_PERCENT = 90     /* of max_bytes_per_send: what is aimed at */
};

struct quota_account {
    char *name;
    struct quota quota;
    bool restored;
    bool dirty;       /* spent since the last row */
    bool clean_saved; /* the last durable row says that nothing more was sent */
    bool clean_taken;
    int64_t saved_ms; /* when the last row was taken; INT64_MIN: never */
    int64_t waited_ms;
    bool waiting;     /* of an endpoint: something is due and waits, for it or for one it shares */
    bool short_of_it; /* for it */
};

/* ---- accounts ---- */

static struct quota_amount amount_of(const struct conf_quota *conf)
{
    return (struct quota_amount){
        {conf->requests_per_minute, conf->bytes_per_minute, conf->samples_per_minute}};
}

static bool is_set(const struct conf_quota *conf)
{
    return conf->requests_per_minute > 0 || conf->bytes_per_minute > 0 ||
           conf->samples_per_minute > 0;
}

static struct quota_account *account_find(const struct engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->quotas_count; i++) {
        if (strcmp(engine->quotas[i].name, name) == 0) {
            return &engine->quotas[i];
        }
    }
    return NULL;
}

static const struct store_quota *row_find(const struct store_image *image, const char *account)
{
    for (size_t i = 0; i < image->quotas_count; i++) {
        if (strcmp(image->quotas[i].account, account) == 0) {
            return &image->quotas[i];
        }
    }
    return NULL;
}

/* Takes the name. */
static struct quota_account *account_open(struct engine *engine, char *name,
                                          const struct conf_quota *conf)
{
    struct quota_account *account = account_find(engine, name);
    if (account != NULL) {
        mem_free(name);
        return account;
    }
    struct quota_amount configured = amount_of(conf);
    account = &engine->quotas[engine->quotas_count++];
    for (size_t i = 0; i < engine->quotas_before_count; i++) {
        if (strcmp(engine->quotas_before[i].name, name) == 0) {
            *account = engine->quotas_before[i];
            account->name = name;
            quota_configure(&account->quota, &configured);
            return account;
        }
    }
    account->name = name;
    account->saved_ms = INT64_MIN;
    quota_init(&account->quota, &configured, engine->now_ms);
    return account;
}

/* saved: the name under which the state knows the same account; taken. image: NULL when it came
 * while walship runs. */
static void account_restore(const struct engine *engine, struct quota_account *account, char *saved,
                            const struct store_image *image)
{
    int64_t wall_ms = engine->os->wall_ms(engine->os);
    if (!account->restored && image != NULL) {
        quota_restore(&account->quota, row_find(image, saved), image->lost, wall_ms,
                      engine->now_ms);
        account->restored = true;
    }
    mem_free(saved);
}

static void destination_quotas(struct engine *engine, struct destination *destination,
                               const struct store_image *image)
{
    const struct conf_destination *conf = destination->conf;
    const char *saved = start_saved_name(engine, conf->name);
    if (conf->quota_group != NULL && *conf->quota_group != '\0') {
        char *name = mem_format("group %s", conf->quota_group);
        destination->quota = account_open(engine, mem_string(name), &conf->quota);
        account_restore(engine, destination->quota, name, image);
    } else if (is_set(&conf->quota)) {
        char *name = mem_format("destination %s", conf->name);
        destination->quota = account_open(engine, name, &conf->quota);
        account_restore(engine, destination->quota, mem_format("destination %s", saved), image);
    }
    for (size_t i = 0; i < destination->senders_count; i++) {
        struct sender *sender = &destination->senders[i];
        char *name = mem_format("endpoint %s %s", conf->name, sender->conf->key);
        sender->quota = account_open(engine, name, &sender->conf->quota);
        name = mem_format("endpoint %s %s", saved, sender->conf->key);
        account_restore(engine, sender->quota, name, image);
    }
}

void quotas_open(struct engine *engine, const struct store_image *image)
{
    size_t most = engine->destinations_count;
    for (size_t i = 0; i < engine->destinations_count; i++) {
        most += engine->destinations[i].senders_count + engine->destinations[i].retired_count;
    }
    ASSERT(engine->quotas == NULL);
    engine->quotas = mem_new(most, sizeof *engine->quotas);
    for (size_t i = 0; i < engine->destinations_count; i++) {
        destination_quotas(engine, &engine->destinations[i], image);
    }
    ASSERT(engine->quotas_count <= most);
}

void quotas_reconfigure(struct engine *engine)
{
    engine->quotas_before = engine->quotas;
    engine->quotas_before_count = engine->quotas_count;
    engine->quotas = NULL;
    engine->quotas_count = 0;
    quotas_open(engine, NULL);
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->retired_count; k++) {
            struct sender *sender = destination->retired[k];
            char *name = mem_format("endpoint %s %s", destination->conf->name, sender->conf->key);
            sender->quota = account_open(engine, name, &sender->conf->quota);
        }
    }
    for (size_t i = 0; i < engine->quotas_before_count; i++) {
        mem_free(engine->quotas_before[i].name);
    }
    mem_free(engine->quotas_before);
    engine->quotas_before = NULL;
    engine->quotas_before_count = 0;
}

void quotas_free(struct engine *engine)
{
    for (size_t i = 0; i < engine->quotas_count; i++) {
        mem_free(engine->quotas[i].name);
    }
    mem_free(engine->quotas);
    engine->quotas = NULL;
    engine->quotas_count = 0;
}

/* ---- time ---- */

/* No request is out and none will follow. */
static bool all_sent(const struct engine *engine)
{
    return send_idle(engine) && (engine->stopping || engine_settled(engine));
}

void quotas_run(struct engine *engine)
{
    bool ending = all_sent(engine);
    for (size_t i = 0; i < engine->quotas_count; i++) {
        struct quota_account *account = &engine->quotas[i];
        int64_t elapsed_ms = engine->now_ms - account->quota.ran_ms;
        account->waited_ms += account->waiting ? elapsed_ms : 0;
        quota_run(&account->quota, engine->now_ms);
        bool wants = quota_wants_save(&account->quota) ||
                     (ending && !account->clean_saved && !account->quota.taken.is_set);
        engine->dirty = engine->dirty || (wants && quota_is_limited(&account->quota));
    }
}

/* ---- may it go ---- */

static struct quota_amount cost_of(const struct batch *batch)
{
    struct quota_amount cost = {{1, 0, 0}};
    if (batch != NULL) {
        cost.of[QUOTA_BYTES] = batch->body.bytes;
        cost.of[QUOTA_SAMPLES] = batch->carried;
    }
    return cost;
}

int64_t quota_ready(const struct engine *engine, const struct destination *destination,
                    const struct sender *sender, const struct batch *batch)
{
    struct quota_amount cost = cost_of(batch);
    int64_t own_ms = quota_ready_at(&sender->quota->quota, &cost, engine->now_ms);
    if (destination->quota == NULL) {
        return own_ms;
    }
    int64_t shared_ms = quota_ready_at(&destination->quota->quota, &cost, engine->now_ms);
    return own_ms > shared_ms ? own_ms : shared_ms;
}

void quota_waits(const struct engine *engine, const struct sender *sender,
                 const struct batch *batch, int64_t until_ms)
{
    struct quota_amount cost = cost_of(batch);
    if (until_ms != 0 && !sender->quota->waiting) {
        trace_line(engine, "%s: waits for its quota until %lld", sender->conf->shown,
                   (long long)until_ms);
    }
    sender->quota->waiting = until_ms != 0;
    sender->quota->short_of_it = until_ms != 0 && quota_ready_at(&sender->quota->quota, &cost,
                                                                 engine->now_ms) > engine->now_ms;
}

void quota_posted(const struct engine *engine, const struct destination *destination,
                  const struct sender *sender, const struct batch *batch)
{
    struct quota_amount cost = cost_of(batch);
    sender->quota->waiting = false;
    sender->quota->short_of_it = false;
    sender->quota->dirty = true;
    quota_spend(&sender->quota->quota, &cost, engine->now_ms);
    if (destination->quota != NULL) {
        destination->quota->dirty = true;
        quota_spend(&destination->quota->quota, &cost, engine->now_ms);
    }
}

static enum quota_end end_of(const struct http_result *result)
{
    if (result->outcome != HTTP_ANSWERED) {
        return QUOTA_FAILED;
    }
    if (result->status == 429) {
        return QUOTA_REFUSED;
    }
    return result->status >= 200 && result->status <= 299 ? QUOTA_ACCEPTED : QUOTA_FAILED;
}

void quota_answered(const struct engine *engine, const struct destination *destination,
                    const struct sender *sender, const struct batch *batch,
                    const struct http_result *result)
{
    struct quota_amount cost = cost_of(batch);
    struct quota *quota = &sender->quota->quota;
    enum quota_end end = end_of(result);
    enum quota_dimension dimension =
        quota_named(result->body, result->body != NULL ? result->body_bytes : 0);
    sender->quota->dirty = true;
    if (quota_ended(quota, &cost, end, dimension, batch->posted_ms, engine->now_ms)) {
        unsigned long long limit = quota_limit(quota, dimension);
        trace_line(engine, "%s: learned %llu %s a minute", sender->conf->shown, limit,
                   quota_dimension_name(dimension));
        LOG_WARN("the endpoint's quota is smaller than what is sent: keeping below it",
                 LOG_STR("url", sender->conf->shown),
                 LOG_STR("of", quota_dimension_name(dimension)), LOG_U64("per_minute", limit));
    }
    if (destination->quota != NULL) { /* it shares no 429: which of its limits was it? */
        end = end == QUOTA_REFUSED ? QUOTA_FAILED : end;
        destination->quota->dirty = true;
        (void)quota_ended(&destination->quota->quota, &cost, end, dimension, batch->posted_ms,
                          engine->now_ms);
    }
    if (result->repeated) { /* two of them may have arrived */
        quota_posted(engine, destination, sender, batch);
        (void)quota_ended(quota, &cost, QUOTA_FAILED, dimension, engine->now_ms, engine->now_ms);
        if (destination->quota != NULL) {
            (void)quota_ended(&destination->quota->quota, &cost, QUOTA_FAILED, dimension,
                              engine->now_ms, engine->now_ms);
        }
    }
}

/* ---- how full ---- */

static unsigned percent_used(const struct quota *quota, enum quota_dimension dimension)
{
    uint64_t limit = quota_limit(quota, dimension);
    uint64_t used = quota_used(quota, dimension);
    return limit == 0 ? 0 : used >= limit ? 100 : (unsigned)((double)used * 100 / (double)limit);
}

static unsigned most_used(const struct quota_account *account)
{
    unsigned most = 0;
    for (unsigned i = 0; account != NULL && i < QUOTA_DIMENSIONS; i++) {
        unsigned percent = percent_used(&account->quota, (enum quota_dimension)i);
        most = percent > most ? percent : most;
    }
    return most;
}

bool quotas_shared(const struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        if (engine->destinations[i].quota != NULL) {
            return true;
        }
    }
    return false;
}

bool quota_has_room(const struct sender *sender)
{
    return !sender->quota->short_of_it && most_used(sender->quota) < ROOM_PERCENT;
}

/* Samples that fill so many bytes, as far as its past requests tell. */
static uint64_t samples_filling(const struct sender *sender, uint64_t bytes)
{
    if (sender->samples == 0 || sender->bytes == 0) {
        return BATCH_SAMPLES_MAX;
    }
    double each = (double)sender->bytes / (double)sender->samples;
    double count = (double)bytes / each;
    return count >= BATCH_SAMPLES_MAX ? BATCH_SAMPLES_MAX : count < 1 ? 1 : (uint64_t)count;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A batch beyond a part of the minute's quota would stop all others for long. */
static uint64_t samples_allowed(const struct quota_account *account, const struct sender *sender)
{
    uint64_t samples = quota_limit(&account->quota, QUOTA_SAMPLES) / MINUTE_PARTS_MIN;
    uint64_t bytes = quota_limit(&account->quota, QUOTA_BYTES) / MINUTE_PARTS_MIN;
    uint64_t allowed = samples > 0 ? samples : BATCH_SAMPLES_MAX;
    allowed = bytes > 0 ? smaller(allowed, samples_filling(sender, bytes)) : allowed;
    return allowed > 0 ? allowed : 1;
}

int64_t quota_patience_ms(const struct destination *destination)
{
    int64_t deadline_ms = destination->conf->queue.batch_send_deadline_ms;
    return deadline_ms < STRETCH_MS ? STRETCH_MS : deadline_ms;
}

void quota_shape(const struct destination *destination, const struct sender *sender,
                 struct shape *out)
{
    const struct conf_queue *queue = &destination->conf->queue;
    unsigned own = percent_used(&sender->quota->quota, QUOTA_REQUESTS);
    unsigned shared =
        destination->quota == NULL ? 0 : percent_used(&destination->quota->quota, QUOTA_REQUESTS);
    unsigned used = own > shared ? own : shared;
    unsigned part = used <= SHAPE_FROM ? 0
                    : used >= SHAPE_TO ? 100
                                       : (used - SHAPE_FROM) * 100 / (SHAPE_TO - SHAPE_FROM);
    int64_t deadline_ms = queue->batch_send_deadline_ms;
    int64_t stretch_ms = deadline_ms < STRETCH_MS ? STRETCH_MS - deadline_ms : 0;
    uint64_t most =
        smaller(BATCH_SAMPLES_MAX,
                samples_filling(sender, (uint64_t)queue->max_bytes_per_send * FULL_PERCENT / 100));
    uint64_t samples = sender->samples_max;
    if (samples >= queue->max_samples_per_send && most > samples) { /* 413 taught it no less */
        samples += (most - samples) * part / 100;
    }
    samples = smaller(samples, samples_allowed(sender->quota, sender));
    if (destination->quota != NULL) {
        samples = smaller(samples, samples_allowed(destination->quota, sender));
    }
    *out = (struct shape){.samples_max = (uint32_t)samples,
                          .deadline_ms = deadline_ms + stretch_ms * part / 100};
    ASSERT(out->samples_max > 0 && out->samples_max <= BATCH_SAMPLES_MAX);
}

/* ---- saved ---- */

size_t quotas_rows(struct engine *engine, struct store_quota *rows)
{
    int64_t wall_ms = engine->os->wall_ms(engine->os);
    bool clean = all_sent(engine);
    size_t count = 0;
    for (size_t i = 0; i < engine->quotas_count; i++) {
        struct quota_account *account = &engine->quotas[i];
        bool old = account->saved_ms == INT64_MIN ||
                   engine->now_ms - account->saved_ms >= SAVED_AGE_MS_MAX;
        if (!quota_is_limited(&account->quota) ||
            (!account->dirty && !old && clean == account->clean_taken)) {
            continue;
        }
        struct store_quota *row = &rows[count++];
        *row = (struct store_quota){.account = account->name, .wall_ms = wall_ms};
        quota_save(&account->quota, row, clean, engine->now_ms);
        account->dirty = false;
        account->saved_ms = engine->now_ms;
        account->clean_taken = clean;
    }
    return count;
}

void quotas_saved(struct engine *engine, bool durable)
{
    for (size_t i = 0; i < engine->quotas_count; i++) {
        struct quota_account *account = &engine->quotas[i];
        bool taken = account->quota.taken.is_set;
        quota_saved(&account->quota, durable, engine->now_ms);
        account->clean_saved = taken && durable ? account->clean_taken : account->clean_saved;
        account->dirty = account->dirty || (taken && !durable);
    }
}

int64_t quotas_before(const struct engine *engine)
{
    int64_t wall_ms = engine->os->wall_ms(engine->os);
    return engine->commits == 0 && wall_ms > FORGET_MS ? wall_ms - FORGET_MS : 0;
}

/* ---- shown ---- */

void quota_stats(const struct quota_account *account, struct engine_quota_stats *out)
{
    *out = (struct engine_quota_stats){0};
    if (account == NULL) {
        return;
    }
    for (unsigned i = 0; i < QUOTA_DIMENSIONS; i++) {
        out->limit[i] = quota_limit(&account->quota, (enum quota_dimension)i);
        out->used[i] = quota_used(&account->quota, (enum quota_dimension)i);
        out->learned[i] = (uint64_t)account->quota.learners[i].limit;
    }
    out->refused = account->quota.refused;
    out->waited_ms = account->waited_ms;
}

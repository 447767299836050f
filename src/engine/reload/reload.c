/* reload.c - another configuration while it runs.
 *
 * Three kinds of change, by destination:
 *   at once       endpoints, weights, authentication, queues, headers, timeouts (refit.c)
 *   when idle     what makes other domains: placement, endpoints of a pinned destination (rewind.c)
 *   at a fence    what decides labels or shards. Nothing more is read until all that was is
 * settled; then the rules change with the fingerprint, in one commit. So no item is ever looked for
 * in a lane of the other rules, not after a crash either, and a series that changes its lane can't
 * overtake itself. A new destination waits for a moment without a commit to ask for its saved
 * state; one that is gone stays until its last positions are saved. */
#include "internal.h"

enum { LEAVING_MAX = 64 };

/* It goes, has not begun, or its new rules are not durable yet. */
static bool is_between(const struct destination *destination)
{
    return destination->leaving || destination->unloaded || destination->rules_new;
}

/* Other domains wait for the end of a scan, which may take long: what was read before it goes on
 * out meanwhile, as it was configured then. */
bool reload_halts(const struct engine *engine, const struct destination *destination)
{
    bool drains = destination->awaited != NULL && engine->scan.state == SCAN_DONE;
    return drains || is_between(destination);
}

/* Others read further, or an earlier life or other domains did: what lies between is settled in
 * part, lane by lane, by the rules of then. */
static bool is_behind(const struct domain *domain)
{
    const struct destination *destination = domain->destination;
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        if (position_before(&domain->next.at, &destination->lanes[i].settled)) {
            return true;
        }
    }
    for (size_t i = 0; i < destination->domains_count; i++) {
        if (position_before(&domain->next.at, &destination->domains[i]->next.at)) {
            return true;
        }
    }
    return false;
}

bool reload_rests(const struct domain *domain)
{
    const struct destination *destination = domain->destination;
    if (destination->awaited != NULL || is_between(destination)) {
        return true;
    }
    /* all domains stop at one place, between records, and with nothing parked: a series record may
     * still be to come */
    return destination->fenced && !domain->has_record_entry && domain->parked_count == 0 &&
           !is_behind(domain);
}

/* ---- taking a configuration ---- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool may_change(const struct conf *old, const struct conf *conf, struct err *err)
{
    const char *what = !same_text(old->wal_dir, conf->wal_dir)                 ? "wal_dir"
                       : !same_text(old->state_dir, conf->state_dir)           ? "state_dir"
                       : !same_text(old->spool_dir, conf->spool_dir)           ? "spool_dir"
                       : !same_text(old->listen_address, conf->listen_address) ? "listen_address"
                                                                               : NULL;
    return what == NULL || err_set(err, 0, "%s can't change while it runs: restart walship", what);
}

static bool same_domains(const struct conf_destination *a, const struct conf_destination *b)
{
    if (a->placement != b->placement) {
        return false;
    }
    if (a->placement == CONF_FAILOVER) {
        return true;
    }
    uint16_t home_a[SHARDS_COUNT], home_b[SHARDS_COUNT];
    bool same = a->endpoints_count == b->endpoints_count;
    for (size_t i = 0; same && i < a->endpoints_count; i++) {
        same = strcmp(a->endpoints[i].key, b->endpoints[i].key) == 0;
    }
    if (!same) {
        return false;
    }
    routing_homes(a, home_a);
    routing_homes(b, home_b);
    return memcmp(home_a, home_b, sizeof home_a) == 0;
}

/* The rules are those of `conf` when they say the same; else a fence goes up, or stays. */
static void fence_look(struct engine *engine, struct destination *destination)
{
    char fingerprint[ROUTE_FINGERPRINT_CHARS];
    route_fingerprint(destination->all, destination->conf, fingerprint);
    bool same = strcmp(fingerprint, destination->fingerprint) == 0;
    if (!same && !destination->fenced) {
        trace_line(engine, "%s: labels or shards change when all is settled",
                   destination->conf->name);
    }
    destination->fenced = !same;
    if (same) {
        destination->rules = destination->conf;
        destination->rules_of = destination->all;
    }
}

static void destination_take(struct engine *engine, struct destination *destination,
                             const struct conf_destination *conf)
{
    destination->leaving = false;
    destination->leaves_at_commit = 0;
    destination->awaited = NULL;
    destination->awaited_of = NULL;
    if (destination->unloaded) { /* not begun: it begins with this one */
        destination_release(engine, destination);
        destination_init(engine, destination, conf);
        destination->unloaded = true;
        return;
    }
    if (destination->inherited || !same_domains(destination->conf, conf)) {
        destination->awaited = conf;
        destination->awaited_of = engine->conf;
        return;
    }
    refit_senders(engine, destination, conf, engine->conf);
    fence_look(engine, destination);
}

static void destination_leave(struct engine *engine, struct destination *destination)
{
    if (destination->leaving) {
        return;
    }
    LOG_WARN("a destination is configured no more; its state is kept, --forget removes it",
             LOG_STR("destination", destination->conf->name));
    trace_line(engine, "%s: leaves", destination->conf->name);
    destination->leaving = true;
    destination->unloaded = destination->unloaded || destination->unsorted; /* stays as saved */
    for (size_t i = 0; i < destination->domains_count; i++) {
        reader_leave(destination->domains[i]);
    }
    refit_undo(engine, destination);
}

static struct destination *destination_find(struct engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        if (destination->conf != NULL && strcmp(destination->conf->name, name) == 0) {
            return &engine->destinations[i];
        }
    }
    return NULL;
}

static void destinations_relink(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->domains_count; k++) {
            destination->domains[k]->destination = destination;
        }
    }
}

/* In the order of the configuration, then those that leave. */
static void destinations_arrange(struct engine *engine)
{
    const struct conf *conf = engine->conf;
    size_t room = conf->destinations_count + engine->destinations_count;
    struct destination *all = mem_new(room, sizeof *all);
    size_t *losses = mem_new(room, sizeof *losses);
    size_t count = 0;
    for (size_t i = 0; i < conf->destinations_count; i++, count++) {
        struct destination *old = destination_find(engine, conf->destinations[i].name);
        if (old == NULL) {
            destination_init(engine, &all[count], &conf->destinations[i]);
            all[count].unloaded = true;
            trace_line(engine, "%s: is new", conf->destinations[i].name);
            continue;
        }
        losses[count] = engine->committing_losses[old - engine->destinations];
        all[count] = *old;
        old->conf = NULL; /* moved */
    }
    for (size_t i = 0; i < engine->destinations_count; i++) {
        if (engine->destinations[i].conf != NULL) {
            losses[count] = engine->committing_losses[i];
            all[count++] = engine->destinations[i];
        }
    }
    mem_free(engine->destinations);
    mem_free(engine->committing_losses);
    engine->destinations = all;
    engine->committing_losses = losses;
    engine->destinations_count = count;
    destinations_relink(engine);
}

static void old_conf_add(struct engine *engine)
{
    engine->olds = mem_grow(engine->olds, engine->olds_count + 1, sizeof *engine->olds);
    engine->olds[engine->olds_count++] = (struct old_conf){engine->conf, engine->next_request};
}

bool engine_reconfigure(struct engine *engine, const struct conf *conf, struct err *err)
{
    ASSERT(conf != engine->conf && engine->dir != NULL);
    ASSERT(conf->destinations_count > 0 && conf->destinations_count <= DESTINATIONS_MAX);
    if (engine->stopping || engine->options.once) {
        return err_set(err, 0, "it is about to end");
    }
    if (engine->destinations_count > LEAVING_MAX) {
        return err_set(err, 0, "too many destinations wait for their last commit, try again later");
    }
    auth_sweep(engine);
    if (!may_change(engine->conf, conf, err) || !auth_check(engine, conf, err)) {
        return false;
    }
    old_conf_add(engine);
    engine->conf = conf;
    engine->pins.directory = conf->spool_dir;
    for (size_t i = 0; i < engine->destinations_count; i++) {
        metadata_recall(engine, &engine->destinations[i]);
    }
    trace_line(engine, "another configuration");
    destinations_arrange(engine);
    for (size_t i = 0; i < engine->destinations_count; i++) {
        struct destination *destination = &engine->destinations[i];
        if (i < conf->destinations_count) {
            destination_take(engine, destination, &conf->destinations[i]);
        } else {
            destination_leave(engine, destination);
        }
    }
    quotas_reconfigure(engine);
    metadata_reconfigure(engine);
    engine->dirty = true;
    return true;
}

/* ---- what takes more than a moment ---- */

static void late_start(struct engine *engine, struct destination *destination)
{
    struct err err = {0};
    if (engine->committing || engine->now_ms < engine->failed_until_ms) {
        return;
    }
    if (!start_late(engine, destination, &err)) {
        LOG_ERROR("the state can't be read, trying again", LOG_STR("err", err.text));
        engine->failed_until_ms = engine->now_ms + RETRY_IO_MS;
        return;
    }
    for (size_t i = 0; i < destination->senders_count; i++) {
        auth_attach(engine, &destination->senders[i]);
    }
    scan_start(engine); /* finds its place, with the series that it needs */
}

static bool is_drained(const struct destination *destination)
{
    const struct position *at = &destination->domains[0]->next.at;
    for (size_t i = 0; i < destination->domains_count; i++) {
        const struct domain *domain = destination->domains[i];
        if (domain->pending > 0 || domain->parked_count > 0 || domain->has_record_entry ||
            domain->anchor != ANCHOR_PLACED || position_compare(at, &domain->next.at) != 0 ||
            is_behind(domain)) {
            return false;
        }
    }
    return true;
}

/* May some of what comes have been sent before, in lanes of the old rules? */
static bool doubts(const struct destination *destination)
{
    for (size_t i = 0; i < destination->domains_count; i++) {
        const struct domain *domain = destination->domains[i];
        if (domain->doubting || position_before(&domain->next.at, &domain->doubt_end)) {
            return true;
        }
    }
    return false;
}

/* All before this place is settled by the old rules; what comes goes by the new. */
static void fence_pass(struct engine *engine, struct destination *destination)
{
    int64_t newest_ms = INT64_MIN;
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        int64_t lane_ms = destination->lanes[i].newest_ms;
        newest_ms = lane_ms > newest_ms ? lane_ms : newest_ms;
    }
    for (size_t i = 0; i < SHARDS_COUNT; i++) {
        struct lane *lane = &destination->lanes[i];
        ASSERT(lane->count == 0);
        lane->settled = destination->domains[lane->domain]->next.at;
        lane->has_acked = false; /* it has other series from now on */
        lane->newest_ms = newest_ms;
    }
    routes_release(engine, destination);
    destination->rules = destination->conf;
    destination->rules_of = destination->all;
    route_fingerprint(destination->all, destination->conf, destination->fingerprint);
    destination->fenced = false;
    destination->discard_lanes = true;
    destination->discarding = false;
    destination->rules_new = true;
    destination->relaid = destination->relaid || doubts(destination);
    engine->dirty = true;
    trace_line(engine, "%s: other labels or shards from here on", destination->conf->name);
    LOG_INFO("labels and shards are the new ones from here on",
             LOG_STR("destination", destination->conf->name));
}

/* True: it is no more. */
static bool leave_step(struct engine *engine, size_t index)
{
    struct destination *destination = &engine->destinations[index];
    if (destination->leaves_at_commit == 0) {
        if (destination->unloaded || refit_idle(destination)) {
            engine->dirty = true;
            destination->leaves_at_commit = engine->commits + (engine->committing ? 2 : 1);
        }
        return false;
    }
    if (!destination->unloaded &&
        (engine->commits < destination->leaves_at_commit || engine->committing)) {
        return false;
    }
    if (engine->committing) {
        return false; /* its rows are numbered by destination */
    }
    trace_line(engine, "%s: is gone", destination->conf->name);
    destination_release(engine, destination);
    engine->destinations_count--;
    memmove(destination, destination + 1,
            (engine->destinations_count - index) * sizeof *destination);
    destinations_relink(engine);
    return true;
}

/* Which of two places is the earlier is known when all were found, not while a scan looks for some
 * of them. A place in a life of the WAL of which nothing is left is looked for first, by the
 * domains that there are. */
static void awaited_take(struct engine *engine, struct destination *destination)
{
    if (!refit_idle(destination) || engine->scan.state != SCAN_DONE) {
        return;
    }
    bool compares = rewind_compares(engine, destination);
    if (!compares && destination->inherited) {
        scan_start(engine); /* nothing was read yet */
        return;
    }
    if (!compares) {
        rewind_destination(engine, destination, destination->conf, destination->all);
        return;
    }
    rewind_destination(engine, destination, destination->awaited, destination->awaited_of);
    destination->awaited = NULL;
    destination->awaited_of = NULL;
    quotas_reconfigure(engine);
    fence_look(engine, destination);
}

static void destination_run(struct engine *engine, struct destination *destination)
{
    if (destination->unloaded) {
        late_start(engine, destination);
    }
    if (destination->awaited != NULL) {
        awaited_take(engine, destination);
    }
    if (destination->fenced && is_drained(destination)) {
        fence_pass(engine, destination);
    }
}

void reload_run(struct engine *engine)
{
    for (size_t i = 0; i < engine->destinations_count;) {
        if (!engine->destinations[i].leaving) {
            destination_run(engine, &engine->destinations[i++]);
        } else if (!leave_step(engine, i)) {
            i++;
        }
    }
}

/* ---- who still needs an earlier one ---- */

static bool sender_borrows(const struct sender *sender, const struct conf *conf)
{
    return sender->all == conf || sender->client_of == conf;
}

static bool destination_borrows(const struct destination *destination, const struct conf *conf)
{
    if (destination->all == conf || destination->rules_of == conf ||
        destination->awaited_of == conf) {
        return true;
    }
    for (size_t i = 0; i < destination->senders_count; i++) {
        if (sender_borrows(&destination->senders[i], conf)) {
            return true;
        }
    }
    for (size_t i = 0; i < destination->retired_count; i++) {
        if (sender_borrows(destination->retired[i], conf)) {
            return true;
        }
    }
    return false;
}

/* Is a request on its way that began before the configuration changed? */
static bool requests_borrow(const struct engine *engine, uint64_t last_request)
{
    for (size_t i = 0; i < engine->token_posts_count; i++) {
        if (engine->token_posts[i] != 0 && engine->token_posts[i] <= last_request) {
            return true;
        }
    }
    for (size_t i = 0; i < engine->destinations_count; i++) {
        const struct destination *destination = &engine->destinations[i];
        for (size_t k = 0; k < destination->senders_count; k++) {
            if (send_carries(&destination->senders[k], last_request)) {
                return true;
            }
        }
    }
    return false;
}

bool engine_borrows(struct engine *engine, const struct conf *conf)
{
    if (engine->conf == conf) {
        return true;
    }
    for (size_t i = 0; i < engine->destinations_count; i++) {
        if (destination_borrows(&engine->destinations[i], conf)) {
            return true;
        }
    }
    for (size_t i = 0; i < engine->olds_count; i++) {
        if (engine->olds[i].conf != conf) {
            continue;
        }
        if (requests_borrow(engine, engine->olds[i].last_request)) {
            return true;
        }
        engine->olds[i] = engine->olds[--engine->olds_count];
        return false;
    }
    return false;
}

/* prometheus.c - the head: scrapes, restarts, and when the files are told. */
#include "prometheus.h"

#include <walship/limits.h>
#include <walship/mem.h>

enum { RECORD_BYTES_MAX = 1 << 20, CALM_SCRAPE_MS = 1000 };

static bool chance(struct prometheus *prom, unsigned percent)
{
    return rng_below(&prom->rng, 100) < percent;
}

static int64_t between(struct prometheus *prom, int64_t low, int64_t high)
{
    ASSERT(low <= high);
    return low + (int64_t)rng_below(&prom->rng, (uint64_t)(high - low) + 1);
}

static int64_t around(struct prometheus *prom, int64_t mean_ms)
{
    return mean_ms == 0 ? INT64_MAX
                        : fake_os_now(prom->os) + between(prom, mean_ms / 2, mean_ms * 2);
}

void prometheus_init(struct prometheus *prom, const struct prometheus_conf *conf, uint64_t seed)
{
    ASSERT(conf->targets > 0 && conf->targets <= TARGETS_MAX);
    *prom = (struct prometheus){.conf = *conf,
                                .rng = {seed},
                                .lives_rng = {seed * 0x9e3779b97f4a7c15u + 21},
                                .late_series = ORACLE_NONE};
    buf_init(&prom->record, RECORD_BYTES_MAX);
    buf_init(&prom->kept, KEPT_BYTES_MAX);
    buf_init(&prom->whole, KEPT_BYTES_MAX);
    prom->next_ref = 1;
    prom->next_ghost = (uint64_t)1 << 40;
    prom->sets_count = conf->targets * conf->series_per_target;
    prom->sets = mem_new(prom->sets_count, sizeof *prom->sets);
}

void prometheus_release(struct prometheus *prom)
{
    wal_writer_release(&prom->writer);
    buf_release(&prom->record);
    buf_release(&prom->kept);
    buf_release(&prom->whole);
    lives_release(prom);
    backup_release(prom);
    mem_free(prom->sets);
    mem_free(prom->series);
}

void prometheus_start(struct prometheus *prom, const struct externals *externals, size_t count)
{
    int64_t now_ms = fake_os_now(prom->os);
    struct os *os = fake_os_seam(prom->os);
    prom->clock_ms = os->wall_ms(os) - now_ms;
    sets_make(prom, externals, count);
    for (size_t i = 0; i < prom->conf.targets; i++) {
        prom->targets[i] =
            (struct prom_target){i * prom->conf.series_per_target, prom->conf.series_per_target,
                                 now_ms + between(prom, 1, 1000)};
    }
    wal_writer_init(&prom->writer, (enum wal_writer_compression)rng_below(&prom->rng, 3));
    prom->first_segment = (uint32_t)rng_below(&prom->rng, 3);
    disk_segment_new(prom, prom->first_segment);
    prom->truncate_at_ms = around(prom, prom->conf.truncate_ms);
    prom->restart_at_ms = around(prom, prom->conf.restart_ms);
    prom->flush_at_ms = INT64_MAX;
    prom->late_at_ms = INT64_MAX;
    prom->step_ms = INT64_MAX;
    prom->flip_at_ms = prom->conf.flips ? around(prom, 4000) : INT64_MAX;
    prom->backup_at_ms = INT64_MAX;
    lives_begin(prom);
}

/* ---- a scrape ---- */

static uint32_t series_new(struct prometheus *prom, uint32_t set)
{
    if (prom->series_count == prom->series_capacity) {
        prom->series_capacity = prom->series_capacity * 2 + 64;
        prom->series = mem_grow(prom->series, prom->series_capacity, sizeof *prom->series);
    }
    prom->series[prom->series_count] = (struct prom_series){.ref = prom->next_ref, .set = set};
    prom->next_ref += 1 + rng_below(&prom->rng, 3);
    return (uint32_t)prom->series_count++;
}

static void sample_add(struct prometheus *prom, struct scrape *scrape, uint32_t number,
                       int64_t t_ms, bool stale)
{
    struct prom_set *set = &prom->sets[number];
    ASSERT(scrape->count < SAMPLES_MAX);
    if (set->current == ORACLE_NONE) {
        set->current = series_new(prom, number);
    }
    if (t_ms <= set->newest_ms) {
        t_ms = set->newest_ms + 1;
    }
    set->newest_ms = t_ms;
    if (!stale && chance(prom, prom->conf.backwards_percent)) {
        t_ms -= between(prom, 1, 5000);
    }
    scrape->source[scrape->count] = set->current;
    scrape->samples[scrape->count++] = (struct wal_sample){
        .ref = prom->series[set->current].ref, .t_ms = t_ms, .bits = stale ? WAL_STALE_BITS : 0};
}

static void ghost_add(struct prometheus *prom, struct scrape *scrape, int64_t t_ms)
{
    scrape->source[scrape->count] = ORACLE_NONE;
    scrape->samples[scrape->count++] = (struct wal_sample){.ref = prom->next_ghost++, .t_ms = t_ms};
}

static void scrape_collect(struct prometheus *prom, const struct prom_target *target,
                           struct scrape *scrape, int64_t t_ms)
{
    for (size_t i = 0; i < target->sets_count; i++) {
        uint32_t number = (uint32_t)(target->set_first + i);
        struct prom_set *set = &prom->sets[number];
        bool changes = chance(prom, prom->conf.churn_percent);
        bool was_alive = set->alive;
        set->alive = set->alive != changes;
        if (set->alive) {
            sample_add(prom, scrape, number, t_ms, chance(prom, prom->conf.stale_percent));
        } else if (was_alive && set->current != ORACLE_NONE) {
            sample_add(prom, scrape, number, t_ms, true);
            if (chance(prom, 50) && set->current != prom->late_series) {
                set->current = ORACLE_NONE; /* collected: back under a new ref */
            }
        }
        if (rng_below(&prom->rng, 1000) < prom->conf.unknown_permille) {
            ghost_add(prom, scrape, t_ms);
        }
    }
}

static void series_log(struct prometheus *prom, uint32_t first, uint32_t count)
{
    struct wal_series items[SAMPLES_MAX];
    ASSERT(count <= SAMPLES_MAX);
    if (count == 0) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct prom_series *series = &prom->series[first + i];
        struct prom_set *set = &prom->sets[series->set];
        items[i] = (struct wal_series){series->ref, set->labels_count, set->labels};
        series->defined = true;
        series->used_segment = prom->segment;
        series->defined_segment = prom->segment;
        series->defined_record = prom->records;
    }
    wal_put_series(&prom->record, items, count);
    prom->series_logged = first;
    prom->series_logged_count = count;
    disk_log(prom, prom->oracle->items_count);
}

static void samples_log(struct prometheus *prom, struct scrape *scrape, size_t first, size_t count)
{
    uint32_t item_first = prom->oracle->items_count;
    enum wal_type type = chance(prom, prom->conf.v2_percent) ? WAL_SAMPLES_V2 : WAL_SAMPLES;
    for (size_t i = 0; i < count; i++) {
        struct wal_sample *sample = &scrape->samples[first + i];
        uint32_t source = scrape->source[first + i];
        bool ghost = source == ORACLE_NONE;
        if (sample->bits != WAL_STALE_BITS) {
            sample->bits = oracle_bits(prom->oracle);
        }
        /* of some series of those records */
        sample->st_ms = type == WAL_SAMPLES_V2 && sample->ref % 3 == 0 ? sample->t_ms - 1000 : 0;
        if (!ghost) {
            prom->series[source].used_segment = prom->segment;
        }
        struct oracle_item item = {.series = ghost ? prom->ghost
                                                   : prom->sets[prom->series[source].set].series,
                                   .segment = prom->segment,
                                   .record = prom->records,
                                   .item = (uint32_t)i,
                                   .source = source,
                                   .t_ms = sample->t_ms,
                                   .bits = sample->bits,
                                   .st_ms = sample->st_ms,
                                   .unknown = ghost || prom->series[source].lost,
                                   .late = !ghost && !prom->series[source].defined,
                                   .forgotten = !ghost && prom->series[source].dropped};
        (void)oracle_item_add(prom->oracle, &item);
    }
    wal_put_samples(&prom->record, type, scrape->samples + first, count);
    disk_log(prom, item_first);
}

/* Series first, but for one that another appender created and has not logged yet. */
static void scrape_log(struct prometheus *prom, struct scrape *scrape)
{
    uint32_t count = (uint32_t)prom->series_count - scrape->series_first;
    if (count > 0 && prom->late_series == ORACLE_NONE && chance(prom, prom->conf.late_percent)) {
        count--;
        prom->late_series = scrape->series_first + count;
        prom->late_at_ms = fake_os_now(prom->os) + between(prom, 0, 3000);
    }
    series_log(prom, scrape->series_first, count);
    size_t done = 0;
    while (done < scrape->count) {
        size_t left = scrape->count - done;
        size_t part = chance(prom, 70) ? left : 1 + (size_t)rng_below(&prom->rng, left);
        samples_log(prom, scrape, done, part);
        done += part;
        scrape->logged = done;
        if (chance(prom, prom->conf.other_percent)) {
            records_other(prom);
        }
        if (prom->conf.kinds_percent > 0 && chance(prom, prom->conf.kinds_percent)) {
            records_kind(prom, scrape, chance(prom, 50));
        }
    }
}

static void late_log(struct prometheus *prom)
{
    uint32_t series = prom->late_series;
    prom->late_series = ORACLE_NONE;
    prom->late_at_ms = INT64_MAX;
    series_log(prom, series, 1);
}

static void push(struct prometheus *prom)
{
    if (chance(prom, prom->conf.partial_percent)) {
        disk_push_part(prom);
        prom->flush_at_ms = fake_os_now(prom->os) + between(prom, 1, 300);
        return;
    }
    disk_push(prom, SIZE_MAX);
    prom->flush_at_ms = INT64_MAX;
}

static void scrape_run(struct prometheus *prom, struct prom_target *target)
{
    int64_t now_ms = fake_os_now(prom->os);
    struct scrape scrape = {.series_first = (uint32_t)prom->series_count};
    target->next_ms = now_ms + between(prom, prom->conf.scrape_ms_min, prom->conf.scrape_ms_max);
    scrape_collect(prom, target, &scrape, now_ms + prom->clock_ms);
    if (prom->writer.bytes.bytes > prom->conf.segment_bytes) {
        disk_roll(prom);
    }
    scrape_log(prom, &scrape);
    push(prom);
}

/* ---- restarts ---- */

/* A series record that was never logged dies with the process: its samples have no labels. */
static void late_die(struct prometheus *prom)
{
    uint32_t series = prom->late_series;
    prom->late_series = ORACLE_NONE;
    prom->late_at_ms = INT64_MAX;
    oracle_source_unknown(prom->oracle, series);
}

static void go_down(struct prometheus *prom)
{
    bool crash = !prom->ending && chance(prom, prom->conf.crash_percent);
    if (prom->late_series != ORACLE_NONE && (!crash || chance(prom, 50))) {
        late_log(prom);
    }
    if (crash) {
        disk_kill(prom);
        prom->crashes++;
    } else {
        disk_stop(prom);
    }
    if (prom->late_series != ORACLE_NONE) {
        late_die(prom);
    }
    if (prom->ending && prom->conf.flips) {
        disk_segment_new(prom,
                         prom->segment + 1); /* or the tail would wait for what it can't read */
    }
    prom->flush_at_ms = INT64_MAX;
    prom->restarts++;
    prom->state = prom->ending ? PROM_DONE : PROM_DOWN;
    prom->step_ms = prom->ending ? INT64_MAX : fake_os_now(prom->os) + between(prom, 0, 3000);
}

/* Replay keeps the ref met first of each label set; a collected one may come back. */
static void replay(struct prometheus *prom)
{
    for (size_t i = 0; i < prom->sets_count; i++) {
        prom->sets[i].current = ORACLE_NONE;
    }
    uint64_t highest = prom->next_ref - 1; /* also that of samples whose series record was lost */
    for (size_t i = prom->series_count; i > 0; i--) {
        const struct prom_series *series = &prom->series[i - 1];
        if (series->defined && !series->dropped) {
            prom->sets[series->set].current = (uint32_t)(i - 1);
        }
    }
    prom->next_ref = highest + 1;
    if (prom->refs_again) { /* refs of a lost tail get other labels */
        prom->next_ref = 1;
        for (size_t i = 0; i < prom->series_count; i++) {
            const struct prom_series *series = &prom->series[i];
            if (series->defined && series->ref >= prom->next_ref) {
                prom->next_ref = series->ref + 1;
            }
        }
        prom->refs_again = false;
    }
    prom->writer.compression = (enum wal_writer_compression)rng_below(&prom->rng, 3);
}

static void come_up(struct prometheus *prom)
{
    int64_t now_ms = fake_os_now(prom->os);
    replay(prom);
    prom->state = PROM_RUNNING;
    prom->step_ms = INT64_MAX;
    prom->restart_at_ms = around(prom, prom->conf.restart_ms);
    prom->truncate_at_ms = around(prom, prom->conf.truncate_ms);
    lives_begin(prom);
    for (size_t i = 0; i < prom->conf.targets; i++) {
        prom->targets[i].next_ms = now_ms + between(prom, 1, prom->conf.scrape_ms_max);
    }
}

static void state_step(struct prometheus *prom)
{
    int64_t now_ms = fake_os_now(prom->os);
    switch (prom->state) {
    case PROM_CHECKPOINT:
        checkpoint_rename(prom);
        prom->state = PROM_DELETING;
        prom->step_ms = now_ms + between(prom, 0, 100);
        return;
    case PROM_DELETING:
        if (checkpoint_delete_one(prom)) {
            prom->step_ms = now_ms + between(prom, 0, 100);
            return;
        }
        prom->state = PROM_RUNNING;
        prom->step_ms = INT64_MAX;
        return;
    case PROM_DOWN:
        checkpoint_clean(prom);
        disk_segment_new(prom, lives_next(prom));
        prom->state = PROM_REPLAYING;
        prom->step_ms = now_ms + between(prom, 1, 800);
        return;
    case PROM_REPLAYING:
        if (!prom->torn && !lives_rot(prom)) {
            come_up(prom);
            return;
        }
        disk_repair_begin(prom);
        prom->repair_compression = (enum wal_writer_compression)rng_below(&prom->rng, 3);
        prom->state = PROM_REPAIRING;
        prom->step_ms = now_ms + between(prom, 0, 50);
        return;
    case PROM_REPAIRING:
        if (chance(prom, prom->conf.slow_repair_percent)) {
            disk_repair_part(prom);
            prom->state = PROM_REPAIRING_SLOWLY;
            prom->step_ms = now_ms + between(prom, 0, 500);
            return;
        }
        disk_repair_end(prom);
        come_up(prom);
        return;
    case PROM_REPAIRING_SLOWLY:
        disk_repair_end(prom);
        come_up(prom);
        return;
    case PROM_RUNNING:
    case PROM_DONE:
        break;
    }
    ASSERT(!"a state without a step has no time of its own");
}

static bool scraping(const struct prometheus *prom)
{
    return prom->state == PROM_RUNNING || prom->state == PROM_CHECKPOINT ||
           prom->state == PROM_DELETING;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t prometheus_deadline(const struct prometheus *prom)
{
    int64_t deadline = prom->step_ms;
    if (!scraping(prom)) {
        return deadline;
    }
    deadline = earlier(deadline, earlier(prom->flush_at_ms, prom->late_at_ms));
    deadline = earlier(deadline, earlier(prom->restart_at_ms, prom->flip_at_ms));
    if (prom->state == PROM_RUNNING) {
        deadline = earlier(deadline, earlier(prom->truncate_at_ms, prom->backup_at_ms));
    }
    for (size_t i = 0; i < prom->conf.targets; i++) {
        deadline = earlier(deadline, prom->targets[i].next_ms);
    }
    return deadline;
}

static void running_step(struct prometheus *prom, int64_t now_ms)
{
    if (now_ms >= prom->flush_at_ms) {
        push(prom);
    }
    if (now_ms >= prom->late_at_ms) {
        late_log(prom);
        push(prom);
    }
    for (size_t i = 0; i < prom->conf.targets; i++) {
        if (now_ms >= prom->targets[i].next_ms) {
            scrape_run(prom, &prom->targets[i]);
        }
    }
    if (prom->state == PROM_RUNNING && now_ms >= prom->truncate_at_ms) {
        prom->truncate_at_ms = around(prom, prom->conf.truncate_ms);
        if (checkpoint_build(prom)) {
            prom->state = PROM_CHECKPOINT;
            prom->step_ms = now_ms + between(prom, 0, 300);
        }
    }
    if (prom->state == PROM_RUNNING && now_ms >= prom->backup_at_ms) {
        prom->backup_at_ms = INT64_MAX;
        backup_take(prom);
    }
    if (now_ms >= prom->flip_at_ms) {
        disk_flip(prom);
        prom->flip_at_ms = around(prom, 4000);
    }
    if (now_ms >= prom->restart_at_ms) {
        go_down(prom);
    }
}

bool prometheus_step(struct prometheus *prom, int64_t now_ms)
{
    if (now_ms < prometheus_deadline(prom)) {
        return false;
    }
    if (now_ms >= prom->step_ms) {
        state_step(prom);
    }
    if (scraping(prom)) {
        running_step(prom, now_ms);
    }
    return true;
}

void prometheus_calm(struct prometheus *prom)
{
    prom->truncate_at_ms = INT64_MAX;
    prom->backup_at_ms = INT64_MAX;
    prom->flip_at_ms = INT64_MAX;
    prom->restart_at_ms = INT64_MAX;
    prom->conf.truncate_ms = 0;
    prom->conf.restart_ms = 0;
    if (prom->conf.scrape_ms_min < CALM_SCRAPE_MS) {
        prom->conf.scrape_ms_min = CALM_SCRAPE_MS;
    }
    if (prom->conf.scrape_ms_max < 2 * CALM_SCRAPE_MS) {
        prom->conf.scrape_ms_max = 2 * CALM_SCRAPE_MS;
    }
}

void prometheus_end(struct prometheus *prom)
{
    prom->ending = true;
    prom->truncate_at_ms = INT64_MAX;
    prom->backup_at_ms = INT64_MAX;
    prom->flip_at_ms = INT64_MAX;
    prom->conf.truncate_ms = 0;
    prom->conf.restart_ms = 1; /* at once, and for the last time */
    prom->conf.partial_percent = 0;
    prom->restart_at_ms = fake_os_now(prom->os);
}

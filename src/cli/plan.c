/* plan.c - counts the items of a WAL and makes the requests that would carry them: what was sampled
 * within one batch_send_deadline goes together, shard by shard, as many as a request takes, grouped
 * by series, encoded and compressed as encode.c does. So one pair would send it that keeps up. */
#include "plan.h"

#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/rw.h>
#include <walship/wal_record.h>

static_assert(SHARDS_COUNT == 256, "a shard is a byte here");
enum { ITEMS_AT_ONCE = 256, COMPRESS_SLACK = 1 << 16, MINUTE_MS = 60000 };

void plan_init(struct plan *plan, const struct plan_options *options)
{
    ASSERT(options->samples_max > 0 && options->samples_max <= BATCH_SAMPLES_MAX);
    *plan = (struct plan){.options = *options};
    catalog_init(&plan->catalog, 0x77616C73686970u);
    plan->minutes = refmap_new(1);
    plan->items = mem_new(PLAN_WINDOW, sizeof *plan->items);
    buf_init(&plan->histograms, BATCH_RAW_BYTES_MAX);
    buf_init(&plan->raw, BATCH_RAW_BYTES_MAX);
    buf_init(&plan->compressed, BATCH_RAW_BYTES_MAX + BATCH_RAW_BYTES_MAX / 6 + COMPRESS_SLACK);
}

void plan_release(struct plan *plan)
{
    catalog_release(&plan->catalog);
    refmap_free(plan->minutes);
    mem_free(plan->minute_counts);
    mem_free(plan->samples_of);
    mem_free(plan->shard_of);
    mem_free(plan->items);
    buf_release(&plan->histograms);
    buf_release(&plan->raw);
    buf_release(&plan->compressed);
}

void plan_learn(struct plan *plan, struct view record, const struct position *at)
{
    uint64_t items;
    if (wal_record_type(record) == WAL_SERIES && wal_record_check(record, &items)) {
        catalog_learn(&plan->catalog, record, at);
    }
}

/* ---- requests ---- */

static int item_compare(const void *left, const void *right)
{
    const struct plan_item *a = left;
    const struct plan_item *b = right;
    if (a->shard != b->shard) {
        return a->shard < b->shard ? -1 : 1;
    }
    if (a->set != b->set) {
        return a->set < b->set ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

/* A series with its items from `first` on; how many they are. False: no room. */
static bool series_write(struct plan *plan, uint32_t first, uint32_t end, uint32_t *count)
{
    const struct plan_item *items = &plan->items[first];
    struct rw_sample samples[ITEMS_AT_ONCE];
    struct rw_histogram histograms[ITEMS_AT_ONCE];
    struct rw_series series = {
        .labels = plan->catalog.room, .samples = samples, .histograms = histograms};
    uint32_t most = end - first;
    for (*count = 0; *count < most && *count < ITEMS_AT_ONCE && items[*count].set == items->set;
         (*count)++) {
        const struct plan_item *item = &items[*count];
        if (item->histogram_bytes == 0) {
            samples[series.samples_count++] = (struct rw_sample){item->t_ms, item->bits};
        } else {
            histograms[series.histograms_count++] = (struct rw_histogram){
                plan->histograms.data + item->histogram, item->histogram_bytes, 0};
        }
    }
    series.labels_count =
        labels_get(plan->catalog.labels, items->set, plan->catalog.room, LABELS_COUNT_MAX);
    return rw1_write(&plan->raw, &series);
}

static void request_make(struct plan *plan, uint32_t first, uint32_t end)
{
    bool full = end - first == plan->options.samples_max;
    bool whole = true;
    buf_clear(&plan->raw);
    for (uint32_t count = 0; whole && first < end; first += count) {
        whole = series_write(plan, first, end, &count);
    }
    bool compressed = rw_compress(&plan->raw, &plan->compressed);
    ASSERT(compressed);
    uint64_t bytes = plan->compressed.bytes;
    uint64_t pieces = (bytes + plan->options.bytes_max - 1) / plan->options.bytes_max;
    pieces += whole ? 0 : 1; /* a body too large goes in pieces */
    plan->requests += pieces;
    plan->bytes += bytes;
    plan->full += full;
    plan->full_pieces += full ? pieces : 0;
}

static void window_end(struct plan *plan)
{
    qsort(plan->items, plan->items_count, sizeof *plan->items, item_compare);
    for (uint32_t first = 0, end; first < plan->items_count; first = end) {
        uint32_t left = plan->items_count - first;
        end = first + (left < plan->options.samples_max ? left : plan->options.samples_max);
        request_make(plan, first, end);
    }
    plan->items_count = 0;
    buf_clear(&plan->histograms);
}

static bool window_takes(const struct plan *plan, int64_t t_ms)
{
    if (plan->items_count == 0) {
        return true;
    }
    /* times of one scrape; an older one is of this moment all the same */
    return plan->items_count < PLAN_WINDOW &&
           t_ms - plan->items[0].t_ms < plan->options.deadline_ms;
}

static void item_add(struct plan *plan, const struct plan_item *item)
{
    struct plan_item *added = &plan->items[plan->items_count];
    ASSERT(plan->items_count < PLAN_WINDOW);
    *added = *item;
    added->order = plan->items_count++;
    added->shard = plan->shard_of[item->set];
}

/* ---- counts ---- */

static void count_minute(struct plan *plan, int64_t t_ms)
{
    uint64_t minute = (uint64_t)(t_ms / MINUTE_MS);
    uint32_t place = refmap_get(plan->minutes, minute);
    if (place == REFMAP_NONE && plan->minutes_count == PLAN_MINUTES_MAX) {
        plan->minutes_beyond++;
        return;
    }
    if (place == REFMAP_NONE) {
        place = (uint32_t)plan->minutes_count++;
        plan->minute_counts =
            mem_grow(plan->minute_counts, plan->minutes_count, sizeof *plan->minute_counts);
        plan->minute_counts[place] = 0;
        refmap_put(plan->minutes, minute, place);
    }
    uint64_t count = ++plan->minute_counts[place];
    plan->peak = count > plan->peak ? count : plan->peak;
}

/* False: its series is not known. */
static bool count_item(struct plan *plan, uint64_t ref, const struct position *at,
                       struct plan_item *item)
{
    item->set = catalog_set(&plan->catalog, ref, at);
    plan->first_ms =
        plan->samples == 0 || item->t_ms < plan->first_ms ? item->t_ms : plan->first_ms;
    plan->last_ms = plan->samples == 0 || item->t_ms > plan->last_ms ? item->t_ms : plan->last_ms;
    plan->samples++;
    count_minute(plan, item->t_ms);
    if (item->set == LABELS_NONE) {
        plan->unknown++;
        return false;
    }
    if (item->set >= plan->sets) {
        uint32_t sets = labels_bound(plan->catalog.labels);
        plan->samples_of = mem_grow(plan->samples_of, sets, sizeof *plan->samples_of);
        memset(plan->samples_of + plan->sets, 0, (sets - plan->sets) * sizeof *plan->samples_of);
        plan->sets = sets;
        plan->shard_of = mem_grow(plan->shard_of, sets, sizeof *plan->shard_of);
    }
    if (plan->samples_of[item->set]++ == 0) {
        size_t count =
            labels_get(plan->catalog.labels, item->set, plan->catalog.room, LABELS_COUNT_MAX);
        uint64_t hash = labels_hash(&(struct hash_key){0}, plan->catalog.room, count, false);
        plan->shard_of[item->set] = (uint8_t)hash;
    }
    return true;
}

static void samples(struct plan *plan, struct view record, const struct position *at)
{
    struct wal_sample found[ITEMS_AT_ONCE];
    struct wal_sample_iter iter;
    wal_sample_init(&iter, record);
    size_t count = wal_sample_next(&iter, found, ITEMS_AT_ONCE);
    for (; count > 0; count = wal_sample_next(&iter, found, ITEMS_AT_ONCE)) {
        for (size_t i = 0; i < count; i++) {
            struct plan_item item = {.t_ms = found[i].t_ms, .bits = found[i].bits};
            if (!count_item(plan, found[i].ref, at, &item)) {
                continue;
            }
            if (!window_takes(plan, item.t_ms)) {
                window_end(plan);
            }
            item_add(plan, &item);
        }
    }
}

static void histograms(struct plan *plan, struct view record, const struct position *at)
{
    struct wal_histogram_iter iter;
    struct wal_histogram found;
    wal_histogram_init(&iter, record);
    while (wal_histogram_next(&iter, &found)) {
        struct plan_item item = {.t_ms = found.t_ms};
        if (!count_item(plan, found.ref, at, &item)) {
            continue;
        }
        if (!window_takes(plan, item.t_ms)) {
            window_end(plan);
        }
        item.histogram = plan->histograms.bytes;
        if (!rw_histogram(&plan->histograms, &found)) {
            window_end(plan); /* the room is full */
            item.histogram = 0;
            if (!rw_histogram(&plan->histograms, &found)) {
                continue; /* larger than any request */
            }
        }
        item.histogram_bytes = plan->histograms.bytes - item.histogram;
        item_add(plan, &item);
    }
    wal_histogram_release(&iter);
}

void plan_record(struct plan *plan, struct view record, const struct position *at)
{
    enum wal_type type = wal_record_type(record);
    uint64_t items;
    if (!wal_record_check(record, &items)) {
        plan->undecodable += type == WAL_UNKNOWN ? 0 : 1;
        return;
    }
    if (type == WAL_SAMPLES || type == WAL_SAMPLES_V2) {
        samples(plan, record, at);
    } else if (type >= WAL_HISTOGRAMS && type < WAL_TYPES) {
        histograms(plan, record, at);
    }
}

/* ---- who eats it ---- */

static int label_values(const struct plan_share *a, const struct plan_share *b)
{
    size_t least =
        a->label.value_bytes < b->label.value_bytes ? a->label.value_bytes : b->label.value_bytes;
    int order = least == 0 ? 0 : memcmp(a->label.value, b->label.value, least);
    if (order != 0) {
        return order;
    }
    return a->label.value_bytes < b->label.value_bytes   ? -1
           : a->label.value_bytes > b->label.value_bytes ? 1
                                                         : 0;
}

static int by_value(const void *left, const void *right)
{
    return label_values(left, right);
}

static int by_samples(const void *left, const void *right)
{
    const struct plan_share *a = left;
    const struct plan_share *b = right;
    return a->samples != b->samples ? (a->samples > b->samples ? -1 : 1) : label_values(a, b);
}

static int by_series(const void *left, const void *right)
{
    const struct plan_share *a = left;
    const struct plan_share *b = right;
    return a->series != b->series ? (a->series > b->series ? -1 : 1) : label_values(a, b);
}

static struct plan_share share_of(struct plan *plan, uint32_t set, const char *name)
{
    struct plan_share share = {.samples = plan->samples_of[set], .series = 1};
    size_t count = labels_get(plan->catalog.labels, set, plan->catalog.room, LABELS_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct label *label = &plan->catalog.room[i];
        if (label->name_bytes == strlen(name) &&
            memcmp(label->name, name, label->name_bytes) == 0) {
            share.label = *label;
        }
    }
    return share;
}

/* One row a value; their number. */
static size_t shares_merge(struct plan_share *shares, size_t count)
{
    size_t kept = 0;
    qsort(shares, count, sizeof *shares, by_value);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && label_values(&shares[kept - 1], &shares[i]) == 0) {
            shares[kept - 1].samples += shares[i].samples;
            shares[kept - 1].series += shares[i].series;
        } else {
            shares[kept++] = shares[i];
        }
    }
    return kept;
}

static size_t top(struct plan *plan, const char *name, struct plan_share *samples_top,
                  struct plan_share *series_top)
{
    struct plan_share *shares = mem_new(plan->active + 1, sizeof *shares);
    size_t count = 0;
    for (uint32_t set = 0; set < plan->sets; set++) {
        if (plan->samples_of[set] > 0) {
            shares[count++] = share_of(plan, set, name);
        }
    }
    ASSERT(count == plan->active);
    count = shares_merge(shares, count);
    size_t shown = count < PLAN_TOP ? count : PLAN_TOP;
    qsort(shares, count, sizeof *shares, by_samples);
    memcpy(samples_top, shares, shown * sizeof *shares);
    qsort(shares, count, sizeof *shares, by_series);
    memcpy(series_top, shares, shown * sizeof *shares);
    mem_free(shares);
    return shown;
}

void plan_end(struct plan *plan)
{
    window_end(plan);
    plan->series = labels_sets(plan->catalog.labels);
    for (uint32_t set = 0; set < plan->sets; set++) {
        plan->active += plan->samples_of[set] > 0;
    }
    plan->metrics_count = top(plan, "__name__", plan->metrics, plan->metrics_by_series);
    plan->jobs_count = top(plan, "job", plan->jobs, plan->jobs_by_series);
}

/* fake_store.c - arrays of rows, replaced by key with a scan; the images of tests are small. */
#include "fake_store.h"

#include <walship/limits.h>
#include <walship/mem.h>

static const char *string_of(const char *text)
{
    return mem_string(text == NULL ? "" : text);
}

static void string_free(const char *text)
{
    mem_free((void *)(uintptr_t)text);
}

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* ---- rows in and out of an image; each takes ownership of nothing and copies strings ---- */

static void destination_release(struct store_destination *row)
{
    string_free(row->name);
    string_free(row->fingerprint);
}

static void watermark_release(struct store_watermark *row)
{
    string_free(row->destination);
    string_free(row->domain);
}

static void lane_release(struct store_lane *row)
{
    string_free(row->destination);
    string_free(row->domain);
}

static void loss_release(struct store_loss *row)
{
    string_free(row->destination);
    string_free(row->detail);
}

static void rows_release(struct fake_rows *rows)
{
    for (size_t i = 0; i < rows->destinations_count; i++) {
        destination_release(&rows->destinations[i]);
    }
    for (size_t i = 0; i < rows->watermarks_count; i++) {
        watermark_release(&rows->watermarks[i]);
    }
    for (size_t i = 0; i < rows->lanes_count; i++) {
        lane_release(&rows->lanes[i]);
    }
    for (size_t i = 0; i < rows->losses_count; i++) {
        loss_release(&rows->losses[i]);
    }
    mem_free(rows->destinations);
    mem_free(rows->watermarks);
    mem_free(rows->lanes);
    mem_free(rows->segments);
    mem_free(rows->losses);
    for (size_t i = 0; i < rows->quotas_count; i++) {
        string_free(rows->quotas[i].account);
    }
    mem_free(rows->quotas);
    *rows = (struct fake_rows){0};
}

/* A row more at the end of an array; grows it by powers of two. */
static void *row_add(void **rows, size_t *count, size_t bytes)
{
    if ((*count & (*count - 1)) == 0) {
        *rows = mem_grow(*rows, *count == 0 ? 1 : *count * 2, bytes);
    }
    return (char *)*rows + (*count)++ * bytes;
}

static void destination_put(struct fake_rows *rows, const struct store_destination *row)
{
    struct store_destination *to = NULL;
    for (size_t i = 0; i < rows->destinations_count && to == NULL; i++) {
        if (same(rows->destinations[i].name, row->name)) {
            to = &rows->destinations[i];
            destination_release(to);
        }
    }
    if (to == NULL) {
        to = row_add((void **)&rows->destinations, &rows->destinations_count, sizeof *to);
    }
    struct store_destination copy = *row;
    copy.name = string_of(row->name);
    copy.fingerprint = string_of(row->fingerprint);
    *to = copy;
}

static void watermark_put(struct fake_rows *rows, const struct store_watermark *row)
{
    struct store_watermark *to = NULL;
    ASSERT(rows->watermarks != NULL || rows->watermarks_count == 0);
    for (size_t i = 0; i < rows->watermarks_count && to == NULL; i++) {
        struct store_watermark *old = &rows->watermarks[i];
        if (same(old->destination, row->destination) && same(old->domain, row->domain)) {
            to = old;
            watermark_release(to);
        }
    }
    if (to == NULL) {
        to = row_add((void **)&rows->watermarks, &rows->watermarks_count, sizeof *to);
    }
    struct store_watermark copy = *row;
    copy.destination = string_of(row->destination);
    copy.domain = string_of(row->domain);
    *to = copy;
}

/* Lanes are kept in order: a commit may carry hundreds of them, and a simulation many commits. */
static size_t lane_place(const struct fake_rows *rows, const struct store_lane *row, bool *found)
{
    size_t low = 0;
    size_t high = rows->lanes_count;
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        const struct store_lane *at = &rows->lanes[middle];
        int order = (int)at->lane - (int)row->lane;
        order = order != 0 ? order : strcmp(at->destination, row->destination);
        *found = order == 0;
        low = order < 0 ? middle + 1 : *found ? middle : low;
        high = order > 0 ? middle : high;
    }
    return low;
}

static void lane_put(struct fake_rows *rows, const struct store_lane *row)
{
    ASSERT(row->lane < LANES_COUNT);
    struct store_lane copy = *row;
    copy.destination = string_of(row->destination);
    copy.domain = string_of(row->domain);
    bool found;
    size_t place = lane_place(rows, row, &found);
    if (found) {
        lane_release(&rows->lanes[place]);
    } else {
        size_t above = rows->lanes_count - place;
        (void)row_add((void **)&rows->lanes, &rows->lanes_count, sizeof copy);
        memmove(&rows->lanes[place + 1], &rows->lanes[place], above * sizeof copy);
    }
    rows->lanes[place] = copy;
}

static void segment_put(struct fake_rows *rows, const struct store_segment *row)
{
    for (size_t i = 0; i < rows->segments_count; i++) {
        struct store_segment *old = &rows->segments[i];
        if (old->generation == row->generation && old->number == row->number) {
            *old = *row;
            return;
        }
    }
    struct store_segment *to = row_add((void **)&rows->segments, &rows->segments_count, sizeof *to);
    *to = *row;
}

static void loss_put(struct fake_rows *rows, const struct store_loss *row)
{
    struct store_loss *to = row_add((void **)&rows->losses, &rows->losses_count, sizeof *to);
    struct store_loss copy = *row;
    copy.destination = string_of(row->destination);
    copy.detail = string_of(row->detail);
    *to = copy;
}

static void quota_put(struct fake_rows *rows, const struct store_quota *row)
{
    size_t place = 0;
    while (place < rows->quotas_count && !same(rows->quotas[place].account, row->account)) {
        place++;
    }
    if (place < rows->quotas_count) {
        mem_free((void *)(uintptr_t)rows->quotas[place].account);
    } else {
        (void)row_add((void **)&rows->quotas, &rows->quotas_count, sizeof *rows->quotas);
    }
    rows->quotas[place] = *row;
    rows->quotas[place].account = string_of(row->account);
}

static void rows_put(struct fake_rows *to, const struct fake_rows *from)
{
    for (size_t i = 0; i < from->destinations_count; i++) {
        destination_put(to, &from->destinations[i]);
    }
    for (size_t i = 0; i < from->watermarks_count; i++) {
        watermark_put(to, &from->watermarks[i]);
    }
    for (size_t i = 0; i < from->lanes_count; i++) {
        lane_put(to, &from->lanes[i]);
    }
    for (size_t i = 0; i < from->segments_count; i++) {
        segment_put(to, &from->segments[i]);
    }
    for (size_t i = 0; i < from->losses_count; i++) {
        loss_put(to, &from->losses[i]);
    }
    for (size_t i = 0; i < from->quotas_count; i++) {
        quota_put(to, &from->quotas[i]);
    }
}

/* ---- removals ---- */

static void places_discard(struct fake_rows *rows, const char *destination)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->lanes_count; i++) {
        if (same(rows->lanes[i].destination, destination)) {
            lane_release(&rows->lanes[i]);
        } else {
            rows->lanes[kept++] = rows->lanes[i];
        }
    }
    size_t kept_watermarks = 0;
    for (size_t i = 0; i < rows->watermarks_count; i++) {
        if (same(rows->watermarks[i].destination, destination)) {
            watermark_release(&rows->watermarks[i]);
        } else {
            rows->watermarks[kept_watermarks++] = rows->watermarks[i];
        }
    }
    rows->lanes_count = kept;
    rows->watermarks_count = kept_watermarks;
}

static void destination_forget(struct fake_rows *rows, const char *name)
{
    places_discard(rows, name);
    size_t kept = 0;
    for (size_t i = 0; i < rows->destinations_count; i++) {
        if (same(rows->destinations[i].name, name)) {
            destination_release(&rows->destinations[i]);
        } else {
            rows->destinations[kept++] = rows->destinations[i];
        }
    }
    rows->destinations_count = kept;
    kept = 0;
    for (size_t i = 0; i < rows->losses_count; i++) {
        if (same(rows->losses[i].destination, name)) {
            loss_release(&rows->losses[i]);
        } else {
            rows->losses[kept++] = rows->losses[i];
        }
    }
    rows->losses_count = kept;
}

static void text_set(const char **text, const char *value)
{
    mem_free((void *)(uintptr_t)*text);
    *text = mem_string(value);
}

/* The places are written anew by the same commit; the account and the ledger go on. */
static void destination_adopt(struct fake_rows *rows, const char *old, const char *new)
{
    places_discard(rows, old);
    for (size_t i = 0; i < rows->destinations_count; i++) {
        if (same(rows->destinations[i].name, old)) {
            text_set(&rows->destinations[i].name, new);
        }
    }
    for (size_t i = 0; i < rows->losses_count; i++) {
        if (same(rows->losses[i].destination, old)) {
            text_set(&rows->losses[i].destination, new);
        }
    }
}

static void segments_drop(struct fake_rows *rows, const struct position *before)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->segments_count; i++) {
        struct position start = {rows->segments[i].generation, rows->segments[i].number, 0, 0};
        struct position limit = {before->generation, before->segment, 0, 0};
        if (!position_before(&start, &limit)) {
            rows->segments[kept++] = rows->segments[i];
        }
    }
    rows->segments_count = kept;
}

/* row_add counts on powers of two: after a removal the arrays are rebuilt at their size. */
static void rows_pack(struct fake_rows *rows)
{
    struct fake_rows fresh = {0};
    rows_put(&fresh, rows);
    rows_release(rows);
    *rows = fresh;
}

static void pending_release(struct fake_store *store)
{
    rows_release(&store->pending);
    mem_free(store->forget);
    mem_free(store->adopt_old);
    mem_free(store->adopt_new);
    store->adopt_old = NULL;
    store->adopt_new = NULL;
    store->forget = NULL;
}

static void pending_apply(struct fake_store *store)
{
    struct fake_rows *rows = &store->durable;
    if (store->adopt_old != NULL) {
        destination_adopt(rows, store->adopt_old, store->adopt_new);
    }
    bool replaced = false;
    for (size_t i = 0; i < store->pending.destinations_count; i++) {
        const struct store_destination *row = &store->pending.destinations[i];
        if (row->replaces) {
            places_discard(rows, row->name);
            replaced = true;
        }
    }
    if (store->forget != NULL) {
        destination_forget(rows, store->forget);
    }
    if (store->has_segments_before) {
        segments_drop(rows, &store->segments_before);
    }
    if (replaced || store->forget != NULL || store->has_segments_before) {
        rows_pack(rows);
    }
    rows_put(rows, &store->pending);
    store->commits++;
}

void fake_store_run(struct fake_store *store)
{
    if (!store->busy || store->settled || *store->now_ms < store->apply_at_ms) {
        return;
    }
    store->settled = true;
    if (store->plan.fails) {
        store->failures++;
        return;
    }
    pending_apply(store);
    store->lost = false;
    if (store->hooks.applied != NULL) {
        store->hooks.applied(store->hooks.context);
    }
}

int64_t fake_store_deadline(const struct fake_store *store)
{
    if (!store->busy) {
        return INT64_MAX;
    }
    return store->settled ? store->result_at_ms : store->apply_at_ms;
}

void fake_store_crash(struct fake_store *store, bool applied)
{
    if (applied && store->busy && !store->settled) {
        store->apply_at_ms = *store->now_ms;
        fake_store_run(store);
    }
    store->busy = false;
    store->settled = false;
    pending_release(store);
}

void fake_store_lose(struct fake_store *store)
{
    ASSERT(!store->busy);
    rows_release(&store->durable);
    store->lost = true;
}

/* ---- the seam ---- */

static void image_release(struct store_image *image)
{
    struct fake_rows *rows = image->memory;
    mem_free(image->losses);
    rows_release(rows);
    mem_free(rows);
    *image = (struct store_image){0};
}

static void totals_fill(const struct fake_rows *rows, struct store_image *out)
{
    for (size_t i = 0; i < rows->losses_count; i++) {
        const struct store_loss *loss = &rows->losses[i];
        struct store_loss_total *total = NULL;
        for (size_t j = 0; j < out->losses_count && total == NULL; j++) {
            struct store_loss_total *old = &out->losses[j];
            total = old->reason == loss->reason && same(old->destination, loss->destination) ? old
                                                                                             : NULL;
        }
        if (total == NULL) {
            total = row_add((void **)&out->losses, &out->losses_count, sizeof *total);
            *total = (struct store_loss_total){loss->destination, loss->reason, 0};
        }
        total->items += loss->items;
    }
}

static bool fake_load(struct store *seam, struct store_image *out, struct err *err)
{
    struct fake_store *store = (struct fake_store *)seam;
    ASSERT(!store->busy);
    if (store->load_fails) {
        return err_set(err, 5, "open state: input/output error");
    }
    struct fake_rows *rows = mem_new(1, sizeof *rows);
    rows_put(rows, &store->durable);
    *out = (struct store_image){.release = image_release, .memory = rows, .lost = store->lost};
    out->destinations = rows->destinations;
    out->destinations_count = rows->destinations_count;
    out->watermarks = rows->watermarks;
    out->watermarks_count = rows->watermarks_count;
    out->lanes = rows->lanes;
    out->lanes_count = rows->lanes_count;
    out->segments = rows->segments;
    out->segments_count = rows->segments_count;
    out->quotas = rows->quotas;
    out->quotas_count = rows->quotas_count;
    totals_fill(rows, out);
    return true;
}

static void commit_copy(struct fake_store *store, const struct store_commit *commit)
{
    struct fake_rows *to = &store->pending;
    for (size_t i = 0; i < commit->destinations_count; i++) {
        destination_put(to, &commit->destinations[i]);
    }
    for (size_t i = 0; i < commit->watermarks_count; i++) {
        watermark_put(to, &commit->watermarks[i]);
    }
    for (size_t i = 0; i < commit->lanes_count; i++) {
        lane_put(to, &commit->lanes[i]);
    }
    for (size_t i = 0; i < commit->segments_count; i++) {
        segment_put(to, &commit->segments[i]);
    }
    for (size_t i = 0; i < commit->losses_count; i++) {
        loss_put(to, &commit->losses[i]);
    }
    for (size_t i = 0; i < commit->quotas_count; i++) {
        quota_put(to, &commit->quotas[i]);
    }
    store->has_segments_before = commit->has_segments_before;
    store->segments_before = commit->segments_before;
    store->forget = commit->forget == NULL ? NULL : mem_string(commit->forget);
    store->adopt_old = commit->adopt_old == NULL ? NULL : mem_string(commit->adopt_old);
    store->adopt_new = commit->adopt_new == NULL ? NULL : mem_string(commit->adopt_new);
}

static bool fake_commit(struct store *seam, const struct store_commit *commit)
{
    struct fake_store *store = (struct fake_store *)seam;
    if (store->busy) {
        return false;
    }
    commit_copy(store, commit);
    store->plan = (struct fake_commit_plan){false, 1, 1};
    if (store->hooks.plan != NULL) {
        store->hooks.plan(store->hooks.context, &store->plan);
    }
    ASSERT(store->plan.apply_ms <= store->plan.result_ms);
    store->apply_at_ms = *store->now_ms + store->plan.apply_ms;
    store->result_at_ms = *store->now_ms + store->plan.result_ms;
    store->busy = true;
    store->settled = false;
    if (store->hooks.taken != NULL) {
        store->hooks.taken(store->hooks.context);
    }
    return true;
}

static bool fake_store_result(struct store *seam, bool *ok, struct err *err)
{
    struct fake_store *store = (struct fake_store *)seam;
    fake_store_run(store);
    if (!store->busy || !store->settled || *store->now_ms < store->result_at_ms) {
        return false;
    }
    *ok = !store->plan.fails;
    if (store->plan.fails) {
        (void)err_set(err, 28, "commit: no space left on device");
    }
    store->busy = false;
    pending_release(store);
    return true;
}

struct fake_store *fake_store_new(const int64_t *now_ms, const struct fake_store_hooks *hooks)
{
    struct fake_store *store = mem_new(1, sizeof *store);
    store->seam = (struct store){fake_load, fake_commit, fake_store_result};
    store->now_ms = now_ms;
    if (hooks != NULL) {
        store->hooks = *hooks;
    }
    return store;
}

void fake_store_free(struct fake_store *store)
{
    if (store == NULL) {
        return;
    }
    pending_release(store);
    rows_release(&store->durable);
    mem_free(store);
}

const struct store_destination *fake_store_destination(const struct fake_store *store,
                                                       const char *name)
{
    for (size_t i = 0; i < store->durable.destinations_count; i++) {
        if (same(store->durable.destinations[i].name, name)) {
            return &store->durable.destinations[i];
        }
    }
    return NULL;
}

const struct store_watermark *fake_store_watermark(const struct fake_store *store,
                                                   const char *destination, const char *domain)
{
    for (size_t i = 0; i < store->durable.watermarks_count; i++) {
        const struct store_watermark *row = &store->durable.watermarks[i];
        if (same(row->destination, destination) && same(row->domain, domain)) {
            return row;
        }
    }
    return NULL;
}

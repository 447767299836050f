/* workspace.c - one record a series, found by its labels in lower case, sorted again.
 *
 * Limits are looked at before anything is remembered, so that a refused request leaves no trace. */
#include "workspace.h"

#include "bucket.h"
#include "series_ids.h"
#include "write_request.h"

#include <strings.h>
#include <walship/limits.h>
#include <walship/mem.h>

const char *const DROP_NAMES[DROPS_COUNT] = {
    [DROP_NONE] = NULL,
    [DROP_DUPLICATE] = "Duplicate",
    [DROP_OUT_OF_ORDER] = "OutOfOrder",
    [DROP_LIMIT] = "LimitThrottling",
    [DROP_FUTURE] = "InvalidTimeRange",
    [DROP_OLD] = "OldData",
    [DROP_RESERVED] = "ReservedDimensionName",
    [DROP_BAD] = "BadInputFormat",
};

struct series {
    int64_t newest_ms; /* INT64_MIN: none yet */
    int64_t seen_ms;   /* monotonic */
    bool active;
};

struct workspace {
    const struct workspace_options *options;
    struct bucket samples;
    struct series_ids *ids;
    struct series *series; /* by id - 1 */
    size_t series_count;
    size_t series_room;
    uint64_t active;
    int64_t swept_ms;
    struct buf key;
    uint64_t dropped[DROPS_COUNT];
};

struct workspace *workspace_new(const struct workspace_options *options)
{
    ASSERT(options->name != NULL);
    struct workspace *workspace = mem_new(1, sizeof *workspace);
    workspace->options = options;
    workspace->ids = series_ids_new(WORKSPACE_KEY_BYTES_MAX);
    workspace->swept_ms = INT64_MIN;
    bucket_init(&workspace->samples, options->samples_per_minute, options->burst_ms);
    buf_init(&workspace->key, LABELS_BYTES_MAX);
    return workspace;
}

void workspace_free(struct workspace *workspace)
{
    if (workspace == NULL) {
        return;
    }
    series_ids_free(workspace->ids);
    mem_free(workspace->series);
    buf_release(&workspace->key);
    mem_free(workspace);
}

/* Who was not seen for active_for is no longer counted. Looks at all at most a hundred times in
 * that span. */
static void sweep(struct workspace *workspace, int64_t now_ms)
{
    int64_t span_ms = workspace->options->active_for_ms;
    if (workspace->swept_ms != INT64_MIN && now_ms - workspace->swept_ms < span_ms / 100) {
        return;
    }
    workspace->swept_ms = now_ms;
    for (size_t index = 0; index < workspace->series_count; index++) {
        struct series *series = &workspace->series[index];
        if (series->active && now_ms - series->seen_ms >= span_ms) {
            series->active = false;
            workspace->active--;
        }
    }
}

static void fold(struct buf *key, size_t from)
{
    for (size_t index = from; index < key->bytes; index++) {
        uint8_t byte = key->data[index];
        key->data[index] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
    }
}

static bool name_is(const struct label *label, const char *name)
{
    return strlen(name) == label->name_bytes &&
           strncasecmp(label->name, name, label->name_bytes) == 0;
}

static enum drop_reason check_label(const struct workspace *workspace, const struct label *label)
{
    const struct texts *reserved = &workspace->options->reserved_names;
    for (size_t index = 0; index < reserved->count; index++) {
        if (name_is(label, reserved->items[index])) {
            return DROP_RESERVED;
        }
    }
    uint32_t value_max = name_is(label, "__name__") ? LABEL_NAME_BYTES_MAX : LABEL_VALUE_BYTES_MAX;
    bool fits = label->name_bytes <= LABEL_NAME_BYTES_MAX && label->value_bytes <= value_max;
    return fits ? DROP_NONE : DROP_BAD;
}

/* Without regard to case; the shorter first. */
static int compare_names(const struct label *a, const struct label *b)
{
    uint32_t shorter = a->name_bytes < b->name_bytes ? a->name_bytes : b->name_bytes;
    int order = strncasecmp(a->name, b->name, shorter);
    return order != 0 ? order : (a->name_bytes > b->name_bytes) - (a->name_bytes < b->name_bytes);
}

/* Insertion: the labels come nearly sorted. False: two names differ in case only. */
static bool sort_labels(struct label *labels, size_t count)
{
    for (size_t index = 1; index < count; index++) {
        struct label label = labels[index];
        size_t at = index;
        while (at > 0 && compare_names(&label, &labels[at - 1]) < 0) {
            labels[at] = labels[at - 1];
            at--;
        }
        labels[at] = label;
        if (at > 0 && compare_names(&labels[at - 1], &label) == 0) {
            return false;
        }
    }
    return true;
}

/* The key of a series in workspace->key, or why all of its samples are dropped. */
static enum drop_reason make_key(struct workspace *workspace, struct write_series series)
{
    struct label labels[SERIES_LABELS_MAX + 1];
    size_t count = 0;
    while (count <= SERIES_LABELS_MAX && write_series_label(&series, &labels[count])) {
        enum drop_reason reason = check_label(workspace, &labels[count]);
        if (reason != DROP_NONE) {
            return reason;
        }
        count++;
    }
    if (count > SERIES_LABELS_MAX || !sort_labels(labels, count)) {
        return DROP_BAD;
    }
    struct buf *key = &workspace->key;
    buf_clear(key);
    for (size_t index = 0; index < count; index++) {
        const struct label *label = &labels[index];
        uint32_t sizes[2] = {label->name_bytes, label->value_bytes};
        bool fits = buf_append(key, sizes, sizeof sizes);
        size_t from = key->bytes;
        fits = fits && buf_append(key, label->name, label->name_bytes) &&
               buf_append(key, label->value, label->value_bytes);
        ASSERT(fits); /* 63 labels of 1.5 KB at most */
        fold(key, from);
    }
    return DROP_NONE;
}

/* NULL: not known. */
static struct series *find_series(struct workspace *workspace)
{
    int64_t id = series_ids_get(workspace->ids, workspace->key.data, workspace->key.bytes);
    ASSERT(id >= 0 && (size_t)id <= workspace->series_count);
    return id == 0 ? NULL : &workspace->series[id - 1];
}

static struct series *add_series(struct workspace *workspace)
{
    if (workspace->series_count == workspace->series_room) {
        workspace->series_room = workspace->series_room == 0 ? 1024 : workspace->series_room * 2;
        workspace->series =
            mem_grow(workspace->series, workspace->series_room, sizeof *workspace->series);
    }
    ASSERT(workspace->series != NULL);
    struct series *series = &workspace->series[workspace->series_count++];
    *series = (struct series){.newest_ms = INT64_MIN};
    series_ids_put(workspace->ids, workspace->key.data, workspace->key.bytes,
                   (int64_t)workspace->series_count);
    return series;
}

/* How many series of the request would become active. A series that is in it twice counts twice:
 * an upper bound, exact for requests as senders make them. */
static uint64_t count_new(struct workspace *workspace, struct view samples)
{
    uint64_t count = 0;
    struct write_series series;
    while (write_request_next(&samples, &series)) {
        if (make_key(workspace, series) == DROP_NONE) {
            const struct series *known = find_series(workspace);
            count += known == NULL || !known->active;
        }
    }
    return count;
}

/* With over_limit: status, a request that does not fit is refused as a whole. */
static bool check_limits(struct workspace *workspace, const struct workspace_request *request,
                         struct workspace_result *result)
{
    const struct workspace_options *options = workspace->options;
    if (options->over_limit != OVER_LIMIT_STATUS) {
        return true;
    }
    result->wait_ms =
        bucket_wait_ms(&workspace->samples, (double)request->samples_count, request->now_ms);
    if (result->wait_ms > 0) {
        result->limit = "events per minute";
        return false;
    }
    if (options->active_series > 0 &&
        workspace->active + count_new(workspace, request->samples) > options->active_series) {
        result->limit = "active time series";
        result->wait_ms = 60000;
        return false;
    }
    bucket_take(&workspace->samples, (double)request->samples_count);
    return true;
}

static enum drop_reason judge_series(struct workspace *workspace, const struct write_series *at,
                                     int64_t now_ms, struct series **out)
{
    enum drop_reason reason = make_key(workspace, *at);
    if (reason != DROP_NONE) {
        return reason;
    }
    uint64_t limit = workspace->options->active_series;
    struct series *series = find_series(workspace);
    if ((series == NULL || !series->active) && limit > 0 && workspace->active >= limit) {
        return DROP_LIMIT;
    }
    *out = series == NULL ? add_series(workspace) : series;
    workspace->active += !(*out)->active;
    (*out)->active = true;
    (*out)->seen_ms = now_ms;
    return DROP_NONE;
}

static enum drop_reason judge_time(const struct workspace *workspace, int64_t t_ms, int64_t wall_ms)
{
    int64_t window_ms = workspace->options->window_ms;
    if (window_ms == 0) {
        return DROP_NONE;
    }
    if (t_ms < wall_ms - window_ms) {
        return DROP_OLD;
    }
    return t_ms > wall_ms + window_ms ? DROP_FUTURE : DROP_NONE;
}

static enum drop_reason judge_sample(struct workspace *workspace, struct series *series,
                                     int64_t t_ms, const struct workspace_request *request)
{
    enum drop_reason reason = judge_time(workspace, t_ms, request->wall_ms);
    if (reason != DROP_NONE) {
        return reason;
    }
    if (t_ms <= series->newest_ms) {
        return t_ms == series->newest_ms ? DROP_DUPLICATE : DROP_OUT_OF_ORDER;
    }
    if (workspace->options->over_limit == OVER_LIMIT_DROP) {
        if (bucket_wait_ms(&workspace->samples, 1.0, request->now_ms) > 0) {
            return DROP_LIMIT;
        }
        bucket_take(&workspace->samples, 1.0);
    }
    series->newest_ms = t_ms;
    return DROP_NONE;
}

bool workspace_judge(struct workspace *workspace, const struct workspace_request *request,
                     struct buf *reasons, struct workspace_result *result)
{
    ASSERT(workspace != NULL && reasons->bytes == 0);
    *result = (struct workspace_result){0};
    sweep(workspace, request->now_ms);
    if (!check_limits(workspace, request, result)) {
        return false;
    }
    struct view samples = request->samples;
    struct write_series at;
    while (write_request_next(&samples, &at)) {
        struct series *series = NULL;
        struct write_sample sample;
        enum drop_reason whole = judge_series(workspace, &at, request->now_ms, &series);
        while (write_series_sample(&at, &sample)) {
            enum drop_reason reason =
                whole != DROP_NONE ? whole : judge_sample(workspace, series, sample.t_ms, request);
            uint8_t byte = (uint8_t)reason;
            bool fits = buf_append(reasons, &byte, 1);
            ASSERT(fits);
            workspace->dropped[reason]++;
            result->dropped += reason != DROP_NONE;
        }
    }
    ASSERT(reasons->bytes == request->samples_count);
    return true;
}

uint64_t workspace_dropped(const struct workspace *workspace, enum drop_reason reason)
{
    ASSERT(reason < DROPS_COUNT);
    return workspace->dropped[reason];
}

uint64_t workspace_active_series(const struct workspace *workspace)
{
    return workspace->active;
}

const struct workspace_options *workspace_options(const struct workspace *workspace)
{
    return workspace->options;
}

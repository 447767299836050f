/* snapshot.c - the definitions that pinned segments need.
 *
 * A pinned item may refer to a series whose record lies in a segment that is gone, or in a
 * checkpoint that Prometheus has replaced. So once there is a lag, all definitions made before the
 * lowest pin are written to the spool, and before a pin goes those that were made in it: the files
 * and the pins together always define everything pinned. They are WAL records, in files named by
 * the segment before which they were made, and are read as a directory of one segment. With the
 * lag they go, a little later: one that begins anew meanwhile finds them. */
#include "snapshot.h"

#include "internal.h"

#include <walship/wal_frame.h>

enum { PIECE_BYTES_MAX = SNAPSHOT_PIECE_BYTES + SNAPSHOT_RECORD_BYTES + 3 * LABELS_BYTES_MAX };

static const char *file_name(const struct snapshot_file *file, char *out)
{
    int bytes = snprintf(out, SPOOL_NAME_BYTES, "%u-%08u.%s", file->generation, file->segment,
                         file->full  ? "series"
                         : file->gap ? "gap"
                                     : "delta");
    ASSERT(bytes > 0 && bytes < SPOOL_NAME_BYTES);
    return out;
}

static struct position file_position(const struct snapshot_file *file)
{
    return (struct position){.generation = file->generation, .segment = file->segment};
}

/* ---- an earlier life ---- */

bool snapshot_load(struct engine *engine, const struct spool_entry *entry)
{
    struct snapshots *snapshots = &engine->snapshots;
    char again[SPOOL_NAME_BYTES];
    char kind[8];
    struct snapshot_file file = {.bytes = entry->bytes};
    if (sscanf(entry->name, "%u-%08u.%7s", &file.generation, &file.segment, kind) != 3) {
        return false;
    }
    file.full = strcmp(kind, "series") == 0;
    file.gap = strcmp(kind, "gap") == 0;
    if (strcmp(file_name(&file, again), entry->name) != 0) {
        return false;
    }
    if (snapshots->count < SNAPSHOT_FILES_MAX && file.generation > 0) {
        snapshots->files[snapshots->count++] = file;
    }
    return true;
}

/* In the order in which those of one place were written. */
static int file_rank(const struct snapshot_file *file)
{
    return file->gap ? 0 : file->full ? 1 : 2;
}

/* By place. */
static int file_order(const void *left, const void *right)
{
    const struct snapshot_file *a = left;
    const struct snapshot_file *b = right;
    struct position at_a = file_position(a);
    struct position at_b = file_position(b);
    int order = position_compare(&at_a, &at_b);
    return order != 0 ? order : file_rank(a) - file_rank(b);
}

static void file_counts(struct snapshots *snapshots, const struct snapshot_file *file)
{
    struct position *upto = file->gap ? &snapshots->gapped : &snapshots->covered;
    *upto = file_position(file);
}

void snapshots_sort(struct engine *engine, uint32_t newest)
{
    struct snapshots *snapshots = &engine->snapshots;
    if (snapshots->count > 1) {
        qsort(snapshots->files, snapshots->count, sizeof snapshots->files[0], file_order);
    }
    for (size_t i = 0; i < snapshots->count; i++) {
        struct snapshot_file *file = &snapshots->files[i];
        file->stray = file->generation > newest;
        if (!file->stray) {
            snapshots->has_base = snapshots->has_base || file->full;
            file_counts(snapshots, file);
            snapshots->loaded = i + 1;
        }
    }
}

bool snapshot_open(struct engine *engine, size_t index, struct waldir **out, struct position *at,
                   struct err *err)
{
    const struct snapshots *snapshots = &engine->snapshots;
    char name[SPOOL_NAME_BYTES];
    bool changed;
    bool replaced;
    *out = NULL;
    if (index >= snapshots->loaded) {
        return true;
    }
    const struct snapshot_file *file = &snapshots->files[index];
    struct waldir *dir = waldir_new_past(engine->os, file->generation);
    char *path = mem_format("%s/%s", engine->pins.directory, file_name(file, name));
    struct waldir_pin pin = {.number = file->segment, .path = path};
    waldir_pin(dir, &pin);
    mem_free(path);
    if (!waldir_refresh(dir, &changed, &replaced, err)) {
        waldir_free(dir);
        return false;
    }
    ASSERT(!replaced);
    /* below all that the segment itself says */
    *at = (struct position){file->generation, file->segment, UINT32_MAX, 0};
    if (file->segment > 0) {
        at->segment--;
    } else {
        at->generation--;
        at->segment = UINT32_MAX;
    }
    *out = dir;
    return true;
}

/* ---- writing ---- */

static void items_release(struct engine *engine)
{
    struct snapshots *snapshots = &engine->snapshots;
    bool gone = false;
    for (size_t i = 0; i < snapshots->items_count; i++) {
        gone = labels_release(engine->labels, snapshots->items[i].set) || gone;
    }
    if (gone) {
        routes_sweep(engine);
    }
    mem_free(snapshots->items);
    snapshots->items = NULL;
    snapshots->items_count = 0;
    snapshots->items_capacity = 0;
    snapshots->items_done = 0;
}

static void definition_take(void *context, uint64_t ref, uint32_t set)
{
    struct engine *engine = context;
    struct snapshots *snapshots = &engine->snapshots;
    if (snapshots->items_count == snapshots->items_capacity) {
        snapshots->items_capacity = snapshots->items_capacity * 2 + 1024;
        snapshots->items =
            mem_grow(snapshots->items, snapshots->items_capacity, sizeof *snapshots->items);
    }
    labels_retain(engine->labels, set);
    snapshots->items[snapshots->items_count++] = (struct snapshot_item){ref, set};
}

static void write_begin(struct engine *engine, const struct snapshot_file *next)
{
    static const struct position lowest = {0};
    struct snapshots *snapshots = &engine->snapshots;
    struct position before = file_position(next);
    ASSERT(!snapshots->writing && snapshots->items_count == 0);
    ASSERT(!(next->full && next->gap));
    snapshots->writing = true;
    snapshots->begun = false;
    snapshots->abandoned = false;
    snapshots->outdated = snapshots->outdated && !next->full;
    snapshots->next = *next;
    series_export(engine->series, next->full ? &lowest : &snapshots->covered, &before,
                  definition_take, engine);
}

/* Records of the next items, until the piece is large enough. */
static void piece_fill(struct engine *engine, struct buf *piece)
{
    struct snapshots *snapshots = &engine->snapshots;
    struct buf record;
    bool ok = true;
    buf_init(&record, PIECE_BYTES_MAX);
    while (snapshots->items_done < snapshots->items_count && piece->bytes < SNAPSHOT_PIECE_BYTES) {
        const struct snapshot_item *item = &snapshots->items[snapshots->items_done++];
        size_t count = labels_get(engine->labels, item->set, engine->label_room, LABELS_COUNT_MAX);
        ok = ok && wal_frame_series(&record, item->ref, engine->label_room, count);
        bool last = snapshots->items_done == snapshots->items_count;
        if (record.bytes >= SNAPSHOT_RECORD_BYTES || last) {
            ok = ok && wal_frame_record(piece, &record);
            buf_clear(&record);
        }
    }
    ok = ok && (record.bytes == 0 || wal_frame_record(piece, &record));
    if (snapshots->items_done < snapshots->items_count) { /* the next piece begins at a page */
        ok = ok && wal_frame_pad(piece);
    }
    ASSERT(ok); /* the limits leave room */
    buf_release(&record);
}

static void piece_write(struct engine *engine)
{
    struct snapshots *snapshots = &engine->snapshots;
    const struct snapshot_file *file = &snapshots->next;
    char name[SPOOL_NAME_BYTES];
    struct buf piece;
    buf_init(&piece, PIECE_BYTES_MAX);
    size_t done = snapshots->items_done;
    piece_fill(engine, &piece);
    struct spool_job job = {.kind = SPOOL_WRITE,
                            .id = engine->pins.jobs + 1,
                            .name = file_name(file, name),
                            .bytes = piece.data,
                            .count = piece.bytes,
                            .first = !snapshots->begun,
                            .last = snapshots->items_done == snapshots->items_count};
    if (engine->pins.spool->submit(engine->pins.spool, &job)) {
        snapshots->job = ++engine->pins.jobs;
        snapshots->begun = true;
    } else {
        snapshots->items_done = done;
    }
    buf_release(&piece);
}

static void file_drop(struct engine *engine, struct snapshot_file *file)
{
    char name[SPOOL_NAME_BYTES];
    struct spool_job job = {
        .kind = SPOOL_DROP, .id = engine->pins.jobs + 1, .name = file_name(file, name)};
    bool now = file->job == 0 && engine->now_ms >= engine->snapshots.retry_ms;
    if (now && engine->pins.spool->submit(engine->pins.spool, &job)) {
        file->job = ++engine->pins.jobs;
    }
}

static void write_end(struct engine *engine, const struct spool_result *result)
{
    struct snapshots *snapshots = &engine->snapshots;
    struct snapshot_file file = snapshots->next;
    file.bytes = result->bytes;
    ASSERT(snapshots->count < SNAPSHOT_FILES_MAX);
    trace_line(engine, "series before %u/%u: %zu kept%s", file.generation, file.segment,
               snapshots->items_count,
               file.full  ? ", all"
               : file.gap ? ", for a gap"
                          : "");
    snapshots->files[snapshots->count++] = file;
    file_counts(snapshots, &file);
    snapshots->has_base = snapshots->has_base || file.full;
    snapshots->writing = false;
    items_release(engine);
}

static void write_failed(struct engine *engine, const struct spool_result *result)
{
    struct snapshots *snapshots = &engine->snapshots;
    snapshots->writing = false;
    snapshots->outdated = snapshots->outdated || snapshots->next.full;
    snapshots->retry_ms = engine->now_ms + PIN_RETRY_MS;
    engine->pins.failures++;
    items_release(engine);
    LOG_ERROR("the series of kept segments can't be saved, trying again; a restart now could not "
              "name all of what is kept",
              LOG_STR("err", strerror(result->error)),
              LOG_STR("spool_dir", engine->pins.directory));
}

/* False: nothing of it is under this id. */
static bool drop_result(struct engine *engine, const struct spool_result *result)
{
    struct snapshots *snapshots = &engine->snapshots;
    for (size_t i = 0; i < snapshots->count; i++) {
        struct snapshot_file *file = &snapshots->files[i];
        if (file->job != result->id) {
            continue;
        }
        file->job = 0;
        if (result->status == SPOOL_DONE) {
            snapshots->count--;
            memmove(file, file + 1, (snapshots->count - i) * sizeof *file);
        } else {
            snapshots->retry_ms = engine->now_ms + PIN_RETRY_MS;
        }
        return true;
    }
    return false;
}

bool snapshot_result(struct engine *engine, const struct spool_result *result)
{
    struct snapshots *snapshots = &engine->snapshots;
    if (result->id != snapshots->job) {
        return drop_result(engine, result);
    }
    snapshots->job = 0;
    if (result->status != SPOOL_DONE) {
        write_failed(engine, result);
    } else if (snapshots->abandoned) {
        snapshots->writing = false;
        items_release(engine);
    } else if (snapshots->items_done == snapshots->items_count) {
        write_end(engine, result);
    }
    return true;
}

/* ---- when ---- */

static bool is_lagging(const struct engine *engine)
{
    const struct position *low = &engine->pins.low;
    size_t count = waldir_count(engine->dir);
    return engine->pins.has_low && count > 0 &&
           (low->generation < waldir_generation(engine->dir) ||
            low->segment < waldir_at(engine->dir, count - 1)->number);
}

static bool is_above(const struct snapshot_file *file, const struct snapshot_file *other)
{
    struct position at = file_position(file);
    struct position below = file_position(other);
    return position_before(&below, &at);
}

static bool has_stray(const struct snapshots *snapshots)
{
    bool some = false;
    for (size_t i = 0; i < snapshots->count; i++) {
        some = some || snapshots->files[i].stray;
    }
    return some;
}

/* They come last: what the scan has still to read keeps its index. */
static void strays_drop(struct engine *engine)
{
    struct snapshots *snapshots = &engine->snapshots;
    for (size_t i = snapshots->loaded; i < snapshots->count; i++) {
        ASSERT(snapshots->files[i].stray);
        file_drop(engine, &snapshots->files[i]);
    }
}

/* All that a full one made needless: what stands before the last full one. */
static void files_drop(struct engine *engine, bool all)
{
    struct snapshots *snapshots = &engine->snapshots;
    const struct snapshot_file *base = NULL;
    for (size_t i = 0; i < snapshots->count; i++) {
        const struct snapshot_file *file = &snapshots->files[i];
        base = file->full ? file : base;
    }
    for (size_t i = 0; i < snapshots->count; i++) {
        struct snapshot_file *file = &snapshots->files[i];
        bool below = base != NULL && file != base && !is_above(file, base);
        if (all || below) {
            file_drop(engine, file);
        }
    }
}

static bool wants_full(const struct snapshots *snapshots)
{
    uint64_t base_bytes = 0;
    uint64_t delta_bytes = 0;
    size_t deltas = 0;
    for (size_t i = 0; i < snapshots->count; i++) {
        const struct snapshot_file *file = &snapshots->files[i];
        deltas = file->full ? 0 : deltas + 1;
        delta_bytes = file->full ? 0 : delta_bytes + file->bytes;
        base_bytes = file->full ? file->bytes : base_bytes;
    }
    return !snapshots->has_base || snapshots->outdated || deltas >= SNAPSHOT_DELTAS_MAX ||
           delta_bytes > 2 * base_bytes;
}

static void lag_over(struct engine *engine)
{
    struct snapshots *snapshots = &engine->snapshots;
    engine->pins.look = engine->pins.look || snapshots->has_base; /* pins waited for it */
    snapshots->has_base = false;
    snapshots->covered = (struct position){0};
    snapshots->gapped = (struct position){0};
    snapshots->abandoned = true;
    if (snapshots->writing && snapshots->job == 0) {
        snapshots->writing = false;
        items_release(engine);
    }
    files_drop(engine, true);
}

/* The segment of the lowest place that is needed: what was defined before it is to be kept. */
static struct position low_segment(const struct engine *engine)
{
    const struct position *low = &engine->pins.low;
    return (struct position){.generation = low->generation, .segment = low->segment};
}

/* Behind the last gap above that; none: the lowest of all. What was defined in segments that are
 * gone nobody has but the checkpoint, which the next one replaces. */
static struct position gap_segment(const struct engine *engine)
{
    struct position gap = {0};
    uint32_t generation = engine->pins.low.generation;
    uint32_t before = engine->pins.low.segment; /* which may be gone itself */
    const struct waldir *dir = dir_of(engine, generation);
    size_t count = dir != NULL ? waldir_count(dir) : 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t number = waldir_at(dir, i)->number;
        if (number > before + 1 || (i == 0 && number > before)) {
            gap = (struct position){.generation = generation, .segment = number};
        }
        before = number;
    }
    return gap;
}

/* What is to be written next. False: nothing. Readers may stand far below a gap: what they have not
 * read yet is written as the lowest place passes it, before its pin goes. */
static bool next_file(const struct engine *engine, struct snapshot_file *out)
{
    const struct snapshots *snapshots = &engine->snapshots;
    struct position low = low_segment(engine);
    struct position gap = gap_segment(engine);
    bool covered = snapshots->has_base && !position_before(&snapshots->covered, &low);
    const struct position *at = covered ? &gap : &low;
    *out = (struct snapshot_file){.generation = at->generation,
                                  .segment = at->segment,
                                  .full = !covered && wants_full(snapshots),
                                  .gap = covered};
    return !covered || (position_before(&snapshots->covered, &gap) &&
                        position_before(&snapshots->gapped, &gap));
}

/* The table is whole, and there is a place that is durable. */
static bool is_placed(const struct engine *engine)
{
    return engine->scan.state == SCAN_DONE && engine->pins.has_low &&
           engine->pins.low.generation > 0;
}

/* When a write may begin, or all of it go; what is under way comes back as a result. */
int64_t snapshots_deadline(const struct engine *engine)
{
    const struct snapshots *snapshots = &engine->snapshots;
    struct snapshot_file next;
    bool wanted = next_file(engine, &next);
    struct position target = file_position(&next);
    if (has_stray(snapshots)) {
        return snapshots->retry_ms > engine->now_ms ? snapshots->retry_ms : INT64_MAX;
    }
    if (!is_placed(engine) || snapshots->writing || (!snapshots->lagging && !snapshots->has_base)) {
        return INT64_MAX;
    }
    if (!wanted) {
        return snapshots->lagging ? INT64_MAX : snapshots->over_ms;
    }
    bool late = snapshots->has_base || pins_only_here(engine, &target);
    int64_t at_ms = late ? 0 : snapshots->due_ms;
    return snapshots->retry_ms > at_ms ? snapshots->retry_ms : at_ms;
}

/* One that is met at the start may be as old as what Prometheus keeps: the next checkpoint may lack
 * what the present one defines of it. */
static void lag_look(struct engine *engine)
{
    struct snapshots *snapshots = &engine->snapshots;
    bool was = snapshots->lagging;
    snapshots->lagging = is_lagging(engine);
    if (snapshots->lagging && !was) {
        snapshots->due_ms = engine->now_ms + (snapshots->looked ? PIN_LAG_MS : 0);
    }
    if (!snapshots->lagging && was) {
        snapshots->over_ms = engine->now_ms + PIN_LAG_MS;
    }
    snapshots->looked = true;
}

void snapshots_run(struct engine *engine)
{
    struct snapshots *snapshots = &engine->snapshots;
    if (has_stray(snapshots)) {
        strays_drop(engine);
        return;
    }
    if (!is_placed(engine)) {
        return;
    }
    lag_look(engine);
    if (!snapshots->lagging && (!snapshots->has_base || engine->now_ms >= snapshots->over_ms)) {
        lag_over(engine);
        return;
    }
    struct snapshot_file next;
    bool wanted = next_file(engine, &next);
    bool due = wanted && engine->now_ms >= snapshots_deadline(engine);
    if (due && snapshots->count < SNAPSHOT_FILES_MAX) {
        write_begin(engine, &next);
    }
    if (snapshots->writing && !snapshots->next.full && snapshots->items_count == 0) {
        snapshots->writing = false; /* nothing was defined there */
        file_counts(snapshots, &snapshots->next);
        engine->pins.look = true;
    }
    if (snapshots->writing && snapshots->job == 0) {
        piece_write(engine);
    }
    files_drop(engine, false);
}

bool snapshot_covers(const struct engine *engine, uint32_t generation, uint32_t segment)
{
    const struct snapshots *snapshots = &engine->snapshots;
    struct position behind = {.generation = generation, .segment = segment + 1};
    return snapshots->has_base ? !position_before(&snapshots->covered, &behind)
                               : !is_lagging(engine);
}

void snapshots_release(struct engine *engine)
{
    items_release(engine);
}

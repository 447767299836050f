/* cmd_wal_stat.c - `walship wal stat`: what a WAL directory is made of, in one pass. */
#include "commands.h"
#include "walscan.h"

#include <inttypes.h>
#include <walship/refmap.h>
#include <walship/wal_record.h>

struct tally {
    uint64_t records, items, bytes;
};

struct stat {
    struct tally types[WAL_TYPES]; /* of the segments */
    struct tally checkpoint;
    uint64_t undecodable; /* records */
    uint64_t damage_ranges, damage_bytes;
    uint64_t missing_segments;
    struct refmap *refs;
    int64_t t_first_ms, t_last_ms;
    bool has_time;
};

static int usage(const char *text, const char *value)
{
    fprintf(stderr, "walship wal stat: %s%s; see walship --help\n", text, value);
    return 2;
}

static void note_times(struct stat *stat, struct view record)
{
    struct wal_sample items[256];
    struct wal_sample_iter iter;
    wal_sample_init(&iter, record);
    size_t count = wal_sample_next(&iter, items, ARRAY_COUNT(items));
    for (; count > 0; count = wal_sample_next(&iter, items, ARRAY_COUNT(items))) {
        for (size_t i = 0; i < count; i++) {
            int64_t t_ms = items[i].t_ms;
            stat->t_first_ms = !stat->has_time || t_ms < stat->t_first_ms ? t_ms : stat->t_first_ms;
            stat->t_last_ms = !stat->has_time || t_ms > stat->t_last_ms ? t_ms : stat->t_last_ms;
            stat->has_time = true;
        }
    }
}

/* Distinct refs: the checkpoint and the segments may define one twice. */
static void note_series(struct stat *stat, struct view record)
{
    struct wal_series_iter iter;
    struct wal_series series;
    wal_series_init(&iter, record);
    while (wal_series_next(&iter, NULL, &series)) {
        refmap_put(stat->refs, series.ref, 0);
    }
}

static void note_record(struct stat *stat, bool in_checkpoint, struct view record)
{
    enum wal_type type = wal_record_type(record);
    uint64_t items = 0;
    bool good = wal_record_check(record, &items);
    struct tally *tally = in_checkpoint ? &stat->checkpoint : &stat->types[type];
    stat->undecodable += !good && type != WAL_UNKNOWN ? 1 : 0;
    tally->records++;
    tally->items += good ? items : 0;
    tally->bytes += view_left(&record);
    if (good && type == WAL_SERIES) {
        note_series(stat, record);
    }
    if (good && !in_checkpoint && (type == WAL_SAMPLES || type == WAL_SAMPLES_V2)) {
        note_times(stat, record);
    }
}

static bool scan_all(struct walscan *scan, struct stat *stat, struct err *err)
{
    struct tail_out out;
    walscan_begin(scan, true);
    for (;;) {
        switch (walscan_next(scan, &out, err)) {
        case WALSCAN_RECORD:
            note_record(stat, scan->in_checkpoint, out.record);
            break;
        case WALSCAN_DAMAGE:
            stat->damage_ranges++;
            stat->damage_bytes += out.damage_bytes;
            break;
        case WALSCAN_GAP:
            stat->missing_segments += (uint64_t)out.gap_to - out.gap_from + 1;
            break;
        case WALSCAN_END:
            return true;
        case WALSCAN_FAILED:
            return false;
        }
    }
}

/* ---- report ---- */

static void print_types(const struct stat *stat)
{
    printf("%-40s %12s %14s %14s\n", "type", "records", "items", "raw bytes");
    for (int type = WAL_TYPES - 1; type >= 0; type--) {
        /* the known ones in the order of their numbers, unknown last */
        enum wal_type shown = (enum wal_type)((WAL_TYPES - type) % WAL_TYPES);
        const struct tally *tally = &stat->types[shown];
        if (tally->records > 0) {
            printf("%-40s %12" PRIu64 " %14" PRIu64 " %14" PRIu64 "\n", wal_type_name(shown),
                   tally->records, tally->items, tally->bytes);
        }
    }
}

static uint64_t samples_of(const struct stat *stat)
{
    uint64_t count = 0;
    for (int type = 0; type < WAL_TYPES; type++) {
        bool sample = type == WAL_SAMPLES || (type >= WAL_HISTOGRAMS && type < WAL_TYPES);
        count += sample ? stat->types[type].items : 0;
    }
    return count;
}

static void print_segments(const struct walscan *scan)
{
    size_t count = waldir_count(scan->dir);
    printf("segments    %zu", count);
    if (count > 0) {
        printf(" (%u to %u)", waldir_at(scan->dir, 0)->number,
               waldir_at(scan->dir, count - 1)->number);
    }
    printf("\nbytes       %" PRIu64 "\n", scan->bytes);
    if (scan->has_checkpoint) {
        printf("checkpoint  %u\n", scan->checkpoint);
    }
}

static void print_report(const struct walscan *scan, const struct stat *stat)
{
    print_segments(scan);
    printf("series      %zu\n", refmap_count(stat->refs));
    printf("samples     %" PRIu64 "\n", samples_of(stat));
    if (stat->has_time) {
        printf("times       %" PRId64 " to %" PRId64 "\n", stat->t_first_ms, stat->t_last_ms);
    }
    printf("damage      %" PRIu64 " bytes in %" PRIu64 " places\n", stat->damage_bytes,
           stat->damage_ranges);
    printf("undecodable %" PRIu64 " records\n", stat->undecodable);
    printf("missing     %" PRIu64 " segments\n\n", stat->missing_segments);
    print_types(stat);
    if (scan->has_checkpoint) {
        printf("%-40s %12" PRIu64 " %14" PRIu64 " %14" PRIu64 "\n", "(in the checkpoint)",
               stat->checkpoint.records, stat->checkpoint.items, stat->checkpoint.bytes);
    }
}

int cmd_wal_stat(int argc, char **argv)
{
    struct walscan scan;
    struct err err = {0};
    if (argc != 2 || argv[1][0] == '-') {
        return argc < 2 ? usage("no directory given", "")
                        : usage("one directory and nothing else, not ", argv[argc - 1]);
    }
    if (!walscan_open(&scan, argv[1], 1, false, &err)) {
        fprintf(stderr, "walship wal stat: %s\n", err.text);
        return 1;
    }
    struct stat stat = {.refs = refmap_new(scan.os->random(scan.os))};
    bool good = scan_all(&scan, &stat, &err);
    progress_end(&scan.progress);
    if (good) {
        print_report(&scan, &stat);
        good = fflush(stdout) == 0 || err_set(&err, 0, "stdout can't be written");
    }
    refmap_free(stat.refs);
    walscan_close(&scan);
    if (!good) {
        fprintf(stderr, "walship wal stat: %s\n", err.text);
    }
    return good ? 0 : 1;
}

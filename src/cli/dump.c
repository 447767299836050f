/* dump.c - one function a record type. Lines are gathered in one buffer and written in large
 * pieces. */
#include "dump.h"

#include "histogram_text.h"
#include "number_text.h"

#include <errno.h>
#include <inttypes.h>
#include <walship/limits.h>
#include <walship/mem.h>

/* A line is at most a few label sets and a histogram; both are bounded by their record. */
enum { FLUSH_BYTES = 1 << 20, SAMPLES_AT_ONCE = 256 };
static const size_t out_bytes_max = (size_t)4 * WAL_RECORD_BYTES_MAX;

void dump_init(struct dump *dump, uint64_t seed)
{
    *dump = (struct dump){.from_ms = INT64_MIN, .to_ms = INT64_MAX};
    catalog_init(&dump->catalog, seed);
    buf_init(&dump->out, out_bytes_max);
}

void dump_release(struct dump *dump)
{
    catalog_release(&dump->catalog);
    selector_free(dump->selector);
    mem_free(dump->verdicts);
    buf_release(&dump->out);
}

bool dump_flush(struct dump *dump)
{
    size_t bytes = dump->out.bytes;
    if (!dump->failed && bytes > 0 &&
        (fwrite(dump->out.data, bytes, 1, stdout) != 1 || fflush(stdout) != 0)) {
        dump->failed = true;
    }
    buf_clear(&dump->out);
    return !dump->failed;
}

/* ---- which ---- */

static bool selected(struct dump *dump, uint32_t set)
{
    if (dump->selector == NULL) {
        return true;
    }
    if (set >= dump->verdicts_count) {
        uint32_t bound = labels_bound(dump->catalog.labels);
        dump->verdicts = mem_grow(dump->verdicts, bound, 1);
        memset(dump->verdicts + dump->verdicts_count, 0, bound - dump->verdicts_count);
        dump->verdicts_count = bound;
    }
    ASSERT(set < dump->verdicts_count);
    if (dump->verdicts[set] == 0) {
        size_t count = labels_get(dump->catalog.labels, set, dump->catalog.room, LABELS_COUNT_MAX);
        bool yes = selector_matches(dump->selector, dump->catalog.room, count);
        dump->verdicts[set] = yes ? 2 : 1;
    }
    return dump->verdicts[set] == 2;
}

/* The set of an item to be shown, or LABELS_NONE. */
static uint32_t wanted(struct dump *dump, uint64_t ref, const struct position *at)
{
    uint32_t set = catalog_set(&dump->catalog, ref, at);
    if (set == LABELS_NONE) {
        dump->unknown_refs++;
        return LABELS_NONE;
    }
    return selected(dump, set) ? set : LABELS_NONE;
}

static bool in_time(const struct dump *dump, int64_t t_ms)
{
    return t_ms >= dump->from_ms && t_ms <= dump->to_ms;
}

/* ---- parts of lines ---- */

static bool put_set(struct dump *dump, const char *lead, uint32_t set)
{
    size_t count = labels_get(dump->catalog.labels, set, dump->catalog.room, LABELS_COUNT_MAX);
    return buf_append(&dump->out, lead, strlen(lead)) &&
           labels_format(dump->catalog.room, count, &dump->out);
}

static bool put_value(struct dump *dump, uint64_t bits)
{
    char text[NUMBER_TEXT_BYTES_MAX];
    if (bits == WAL_STALE_BITS) {
        return buf_append(&dump->out, " stale", 6);
    }
    size_t bytes = number_text(bits, text);
    return buf_append(&dump->out, " ", 1) && buf_append(&dump->out, text, bytes);
}

/* A line is whole or the program's own limits are wrong. */
static void end_line(struct dump *dump, bool good)
{
    ASSERT(good);
    if (dump->out.bytes >= FLUSH_BYTES) {
        (void)dump_flush(dump);
    }
}

static void put_start(struct dump *dump, uint32_t set, int64_t t_ms, int64_t st_ms)
{
    if (st_ms != 0) {
        end_line(dump, put_set(dump, "# start ", set) &&
                           buf_format(&dump->out, " %" PRId64 " %" PRId64 "\n", t_ms, st_ms));
    }
}

/* ---- records ---- */

static void samples(struct dump *dump, struct view record, const struct position *at)
{
    struct wal_sample_iter iter;
    struct wal_sample items[SAMPLES_AT_ONCE];
    wal_sample_init(&iter, record);
    size_t count = wal_sample_next(&iter, items, SAMPLES_AT_ONCE);
    for (; count > 0; count = wal_sample_next(&iter, items, SAMPLES_AT_ONCE)) {
        for (size_t i = 0; i < count; i++) {
            uint32_t set = wanted(dump, items[i].ref, at);
            if (set == LABELS_NONE || !in_time(dump, items[i].t_ms)) {
                continue;
            }
            end_line(dump, put_set(dump, "", set) && put_value(dump, items[i].bits) &&
                               buf_format(&dump->out, " %" PRId64 "\n", items[i].t_ms));
            put_start(dump, set, items[i].t_ms, items[i].st_ms);
        }
    }
}

static void histograms(struct dump *dump, struct view record, const struct position *at)
{
    struct wal_histogram_iter iter;
    struct wal_histogram item;
    wal_histogram_init(&iter, record);
    while (wal_histogram_next(&iter, &item)) {
        uint32_t set = wanted(dump, item.ref, at);
        bool known = wal_histogram_schema_known(item.schema);
        dump->unknown_schemas += known ? 0 : 1;
        if (set == LABELS_NONE || !known || !in_time(dump, item.t_ms)) {
            continue;
        }
        end_line(dump, put_set(dump, "", set) && buf_append(&dump->out, " ", 1) &&
                           histogram_text(&item, &dump->out) &&
                           buf_format(&dump->out, " %" PRId64 "\n", item.t_ms));
        put_start(dump, set, item.t_ms, item.st_ms);
    }
    wal_histogram_release(&iter);
}

static void exemplars(struct dump *dump, struct view record, const struct position *at)
{
    struct label *room = mem_new(LABELS_COUNT_MAX, sizeof *room);
    struct wal_exemplar_iter iter;
    struct wal_exemplar item;
    wal_exemplar_init(&iter, record);
    while (wal_exemplar_next(&iter, room, &item)) {
        uint32_t set = wanted(dump, item.ref, at);
        if (set == LABELS_NONE || !in_time(dump, item.t_ms)) {
            continue;
        }
        end_line(dump, put_set(dump, "# exemplar ", set) && buf_append(&dump->out, " ", 1) &&
                           labels_format(item.labels, item.labels_count, &dump->out) &&
                           put_value(dump, item.bits) &&
                           buf_format(&dump->out, " %" PRId64 "\n", item.t_ms));
    }
    mem_free(room);
}

/* Free text on one line: quoted as a label value is. */
static bool put_field(struct dump *dump, const char *name, struct view value)
{
    struct label label = {name, (const char *)value.at, (uint32_t)strlen(name),
                          (uint32_t)view_left(&value)};
    return buf_append(&dump->out, " ", 1) && labels_format(&label, 1, &dump->out);
}

static void metadata(struct dump *dump, struct view record, const struct position *at)
{
    static const char *const types[] = {"unknown",        "counter", "gauge", "histogram",
                                        "gaugehistogram", "summary", "info",  "stateset"};
    struct wal_metadata_iter iter;
    struct wal_metadata item;
    wal_metadata_init(&iter, record);
    while (wal_metadata_next(&iter, &item)) {
        uint32_t set = wanted(dump, item.ref, at);
        if (set == LABELS_NONE) {
            continue;
        }
        const char *type = item.type < ARRAY_COUNT(types) ? types[item.type] : types[0];
        end_line(dump, put_set(dump, "# metadata ", set) && buf_format(&dump->out, " %s", type) &&
                           put_field(dump, "unit", item.unit) &&
                           put_field(dump, "help", item.help) && buf_append(&dump->out, "\n", 1));
    }
}

static void tombstones(struct dump *dump, struct view record, const struct position *at)
{
    struct wal_tombstone_iter iter;
    struct wal_tombstone item;
    wal_tombstone_init(&iter, record);
    while (wal_tombstone_next(&iter, &item)) {
        uint32_t set = wanted(dump, item.ref, at);
        bool touches = item.t_max_ms >= dump->from_ms && item.t_min_ms <= dump->to_ms;
        if (set == LABELS_NONE || !touches) {
            continue;
        }
        end_line(dump, put_set(dump, "# tombstone ", set) &&
                           buf_format(&dump->out, " %" PRId64 " %" PRId64 "\n", item.t_min_ms,
                                      item.t_max_ms));
    }
}

void dump_learn(struct dump *dump, struct view record, const struct position *at)
{
    uint64_t items;
    if (wal_record_type(record) == WAL_SERIES && wal_record_check(record, &items)) {
        catalog_learn(&dump->catalog, record, at);
    }
}

void dump_record(struct dump *dump, struct view record, const struct position *at)
{
    enum wal_type type = wal_record_type(record);
    uint64_t items;
    dump->unknown_types += type == WAL_UNKNOWN ? 1 : 0;
    if (type == WAL_UNKNOWN || !wal_record_check(record, &items)) {
        dump->undecodable += type == WAL_UNKNOWN ? 0 : 1;
        return;
    }
    switch (type) {
    case WAL_SAMPLES:
    case WAL_SAMPLES_V2:
        samples(dump, record, at);
        break;
    case WAL_HISTOGRAMS:
    case WAL_FLOAT_HISTOGRAMS:
    case WAL_CUSTOM_HISTOGRAMS:
    case WAL_CUSTOM_FLOAT_HISTOGRAMS:
    case WAL_HISTOGRAMS_V2:
    case WAL_FLOAT_HISTOGRAMS_V2:
        histograms(dump, record, at);
        break;
    case WAL_EXEMPLARS:
        exemplars(dump, record, at);
        break;
    case WAL_METADATA:
        metadata(dump, record, at);
        break;
    case WAL_TOMBSTONES:
        tombstones(dump, record, at);
        break;
    case WAL_SERIES:
    case WAL_MMAP_MARKERS:
    case WAL_UNKNOWN:
    case WAL_TYPES:
        break;
    }
}

/* wal_text.c - records as text, one function a type. */
#include "wal_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <walship/limits.h>
#include <walship/wal_record.h>

static void line(struct buf *out, const char *format, ...) PRINTF_LIKE(2, 3);
static void line(struct buf *out, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ASSERT(count >= 0 && (size_t)count < sizeof text);
    bool done = buf_append(out, text, (size_t)count);
    ASSERT(done);
}

static void quoted(struct buf *out, const void *bytes, size_t count)
{
    bool done =
        buf_append(out, "\"", 1) && buf_append(out, bytes, count) && buf_append(out, "\"", 1);
    ASSERT(done);
}

static void labels(struct buf *out, const struct label *list, size_t count)
{
    line(out, " {");
    for (size_t i = 0; i < count; i++) {
        line(out, i == 0 ? "" : ",");
        bool done = buf_append(out, list[i].name, list[i].name_bytes);
        ASSERT(done);
        line(out, "=");
        quoted(out, list[i].value, list[i].value_bytes);
    }
    line(out, "}\n");
}

static void finish(const struct view *left, struct buf *out)
{
    if (!view_ok(left)) {
        line(out, "broken\n");
    }
}

static void series(struct view record, struct buf *out)
{
    static struct label room[LABELS_COUNT_MAX];
    struct wal_series_iter iter;
    struct wal_series item;
    wal_series_init(&iter, record);
    while (wal_series_next(&iter, room, &item)) {
        line(out, "series %" PRIu64, item.ref);
        labels(out, item.labels, item.labels_count);
    }
    finish(&iter.left, out);
}

static void samples(struct view record, struct buf *out)
{
    struct wal_sample_iter iter;
    struct wal_sample items[16];
    wal_sample_init(&iter, record);
    size_t count;
    do {
        count = wal_sample_next(&iter, items, ARRAY_COUNT(items));
        for (size_t i = 0; i < count; i++) {
            line(out, "sample %" PRIu64 " t %" PRId64 " st %" PRId64 " bits %016" PRIx64 "\n",
                 items[i].ref, items[i].t_ms, items[i].st_ms, items[i].bits);
        }
    } while (count > 0);
    finish(&iter.left, out);
}

static void tombstones(struct view record, struct buf *out)
{
    struct wal_tombstone_iter iter;
    struct wal_tombstone item;
    wal_tombstone_init(&iter, record);
    while (wal_tombstone_next(&iter, &item)) {
        line(out, "tombstone %" PRIu64 " %" PRId64 " %" PRId64 "\n", item.ref, item.t_min_ms,
             item.t_max_ms);
    }
    finish(&iter.left, out);
}

static void exemplars(struct view record, struct buf *out)
{
    static struct label room[LABELS_COUNT_MAX];
    struct wal_exemplar_iter iter;
    struct wal_exemplar item;
    wal_exemplar_init(&iter, record);
    while (wal_exemplar_next(&iter, room, &item)) {
        line(out, "exemplar %" PRIu64 " t %" PRId64 " bits %016" PRIx64, item.ref, item.t_ms,
             item.bits);
        labels(out, item.labels, item.labels_count);
    }
    finish(&iter.left, out);
}

static void metadata(struct view record, struct buf *out)
{
    struct wal_metadata_iter iter;
    struct wal_metadata item;
    wal_metadata_init(&iter, record);
    while (wal_metadata_next(&iter, &item)) {
        line(out, "metadata %" PRIu64 " type %u unit ", item.ref, item.type);
        quoted(out, item.unit.at, view_left(&item.unit));
        line(out, " help ");
        quoted(out, item.help.at, view_left(&item.help));
        line(out, "\n");
    }
    finish(&iter.left, out);
}

static void buckets(const struct wal_histogram *item, int sign, struct buf *out)
{
    static const char *const names[2] = {"pos", "neg"};
    line(out, " %s", names[sign]);
    for (uint32_t i = 0; i < item->spans_count[sign]; i++) {
        line(out, "(%d,%u)", item->spans[sign][i].offset, item->spans[sign][i].length);
    }
    for (uint32_t i = 0; i < item->buckets_count[sign]; i++) {
        uint64_t value = item->buckets[sign][i];
        if (item->is_float) {
            line(out, " %" PRIx64, value);
        } else {
            line(out, " %" PRId64, (int64_t)value);
        }
    }
}

static void histograms(struct view record, struct buf *out)
{
    struct wal_histogram_iter iter;
    struct wal_histogram item;
    wal_histogram_init(&iter, record);
    while (wal_histogram_next(&iter, &item)) {
        line(out, "%s %" PRIu64 " t %" PRId64 " st %" PRId64 " hint %u schema %d",
             item.is_float ? "float_histogram" : "histogram", item.ref, item.t_ms, item.st_ms,
             item.reset_hint, item.schema);
        line(out, " zt %" PRIx64 " zc %" PRIx64 " c %" PRIx64 " sum %" PRIx64,
             item.zero_threshold_bits, item.zero_count, item.count, item.sum_bits);
        buckets(&item, 0, out);
        buckets(&item, 1, out);
        for (uint32_t i = 0; i < item.custom_count; i++) {
            line(out, i == 0 ? " le %" PRIx64 : " %" PRIx64, item.custom_bits[i]);
        }
        line(out, "\n");
    }
    finish(&iter.left, out);
    wal_histogram_release(&iter);
}

void wal_text(struct view record, struct buf *out)
{
    switch (wal_record_type(record)) {
    case WAL_SERIES:
        series(record, out);
        break;
    case WAL_SAMPLES:
    case WAL_SAMPLES_V2:
        samples(record, out);
        break;
    case WAL_TOMBSTONES:
        tombstones(record, out);
        break;
    case WAL_EXEMPLARS:
        exemplars(record, out);
        break;
    case WAL_MMAP_MARKERS:
        line(out, "markers\n");
        break;
    case WAL_METADATA:
        metadata(record, out);
        break;
    case WAL_HISTOGRAMS:
    case WAL_FLOAT_HISTOGRAMS:
    case WAL_CUSTOM_HISTOGRAMS:
    case WAL_CUSTOM_FLOAT_HISTOGRAMS:
    case WAL_HISTOGRAMS_V2:
    case WAL_FLOAT_HISTOGRAMS_V2:
        histograms(record, out);
        break;
    case WAL_UNKNOWN:
    case WAL_TYPES:
        line(out, "unknown\n");
        break;
    }
}

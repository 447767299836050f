/* prom_records.c - records beside the samples of a scrape: items of other kinds, and records that
 * carry none. */
#include "prometheus.h"

enum { KINDS_MAX = 64 };

static bool chance(struct prometheus *prom, unsigned percent)
{
    return rng_below(&prom->rng, 100) < percent;
}

/* Items of another kind, of series that this scrape has. Their number is in a histogram's sum and
 * in an exemplar's value. */
void records_kind(struct prometheus *prom, const struct scrape *scrape, bool exemplars)
{
    struct wal_histogram histograms[KINDS_MAX];
    struct wal_exemplar items[KINDS_MAX];
    struct label pair = {"trace_id", "ab", 8, 2};
    static const uint64_t bound = 0x3FF0000000000000;
    bool custom = chance(prom, 30);
    uint32_t item_first = prom->oracle->items_count;
    uint32_t count = 0;
    bool newer = prom->conf.in_order && !exemplars;
    size_t behind = newer ? scrape->logged : scrape->count;
    for (size_t i = 0; i < behind && count < KINDS_MAX; i++) {
        uint32_t source = scrape->source[i];
        if (source == ORACLE_NONE || chance(prom, 50)) {
            continue;
        }
        struct prom_series *series = &prom->series[source];
        int64_t t_ms = newer ? ++prom->sets[series->set].newest_ms : scrape->samples[i].t_ms;
        uint64_t bits = oracle_bits(prom->oracle);
        histograms[count] = (struct wal_histogram){.ref = series->ref,
                                                   .t_ms = t_ms,
                                                   .schema = custom ? HISTOGRAM_SCHEMA_CUSTOM : 0,
                                                   .count = 1,
                                                   .sum_bits = bits,
                                                   .custom_bits = &bound,
                                                   .custom_count = custom};
        items[count] = (struct wal_exemplar){series->ref, t_ms, bits, 1, &pair};
        struct oracle_item item = {.series = prom->sets[series->set].series,
                                   .segment = prom->segment,
                                   .record = prom->records,
                                   .item = count++,
                                   .source = source,
                                   .t_ms = t_ms,
                                   .bits = bits,
                                   .unknown = series->lost,
                                   .late = !series->defined,
                                   .forgotten = series->dropped,
                                   .kind = exemplars ? RW_DECODED_EXEMPLAR : RW_DECODED_HISTOGRAM,
                                   .custom = custom && !exemplars};
        series->used_segment = prom->segment;
        (void)oracle_item_add(prom->oracle, &item);
    }
    if (exemplars) {
        wal_put_exemplars(&prom->record, items, count);
    } else {
        wal_put_histograms(&prom->record, custom ? WAL_CUSTOM_HISTOGRAMS : WAL_HISTOGRAMS,
                           histograms, count);
    }
    disk_log(prom, item_first);
}

/* Records that carry no items: they take a place and must do nothing else. */
void records_other(struct prometheus *prom)
{
    static const struct wal_tombstone tombstone = {1, INT64_MIN, INT64_MAX};
    static const uint8_t future[] = {200, 1, 2, 3};
    static const struct wal_marker marker = {1, 2};
    struct wal_metadata metadata = {1, 2, view_of("", 0), view_of("Up.", 3)};
    switch (rng_below(&prom->rng, 6)) {
    case 0:
        wal_put_tombstones(&prom->record, &tombstone, 1);
        break;
    case 1:
        wal_put_exemplars(&prom->record, NULL, 0);
        break;
    case 2:
        wal_put_metadata(&prom->record, &metadata, 1);
        break;
    case 3:
        wal_put_markers(&prom->record, &marker, 1);
        break;
    case 4:
        wal_put_samples(&prom->record, WAL_SAMPLES, NULL, 0);
        break;
    default: {
        buf_clear(&prom->record);
        bool ok = buf_append(&prom->record, future, sizeof future);
        ASSERT(ok);
    }
    }
    disk_log(prom, prom->oracle->items_count);
}

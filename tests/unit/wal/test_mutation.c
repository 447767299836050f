/* test_mutation.c - 10,000 truncated and bit-flipped segments. For each: no crash, no record that
 * was not written, every record that lies before the damage or starts on a later page arrives, in
 * order and once, and what did not arrive lies inside the ranges reported as damaged. */
#include "wal_feed.h"
#include "wal_writer.h"

#include <check.h>
#include <walship/limits.h>
#include <walship/rng.h>

enum { ROUNDS = 40, MUTATIONS = 250, RECORDS_MAX = 1000 }; /* 40 x 250 = 10,000 */

struct original {
    size_t offset, end;  /* in the segment */
    size_t start, bytes; /* in `raw` */
};

static struct {
    struct wal_writer writer;
    struct buf raw; /* all records, decompressed */
    struct original records[RECORDS_MAX];
    size_t records_count;
} good;

static struct wal_feed feed;
static struct buf spoilt;

static void add(const struct buf *record)
{
    struct original *original = &good.records[good.records_count++];
    ck_assert_uint_le(good.records_count, RECORDS_MAX);
    original->offset = wal_writer_log_buf(&good.writer, record);
    original->end = good.writer.bytes.bytes;
    original->start = good.raw.bytes;
    original->bytes = record->bytes;
    ck_assert(buf_append(&good.raw, record->data, record->bytes));
}

/* A scrape of some series: their definitions, samples in turn of both encodings, a histogram. */
static void add_scrape(struct rng *rng, struct buf *record)
{
    struct wal_sample samples[2000];
    struct label labels[2] = {{"__name__", "up", 8, 2}, {"job", "a", 3, 1}};
    struct wal_series series = {rng_next(rng), 2, labels};
    static const struct wal_span span = {0, 2};
    uint64_t buckets[2] = {rng_next(rng) >> 40, 1};
    struct wal_histogram histogram = {.ref = series.ref,
                                      .t_ms = 1700000000000,
                                      .count = 3,
                                      .spans = {&span, NULL},
                                      .spans_count = {1, 0},
                                      .buckets = {buckets, NULL},
                                      .buckets_count = {2, 0}};
    size_t count = 1 + (size_t)(rng_next(rng) % (rng_below(rng, 8) == 0 ? 2000 : 100));
    for (size_t i = 0; i < count; i++) {
        samples[i] = (struct wal_sample){series.ref + i, 1700000000000 + (int64_t)i, 0,
                                         rng_next(rng) >> rng_below(rng, 64)};
    }
    wal_put_series(record, &series, 1);
    add(record);
    wal_put_samples(record, rng_below(rng, 2) == 0 ? WAL_SAMPLES : WAL_SAMPLES_V2, samples, count);
    add(record);
    wal_put_histograms(record, WAL_HISTOGRAMS, &histogram, 1);
    add(record);
}

static void setup(void)
{
    wal_writer_init(&good.writer, WAL_WRITER_PLAIN);
    buf_init(&good.raw, WAL_WRITER_BUF_BYTES_MAX);
    buf_init(&spoilt, WAL_WRITER_BUF_BYTES_MAX);
    wal_feed_init(&feed, 4 * WAL_PAGE_BYTES);
    good.records_count = 0;
}

static void teardown(void)
{
    wal_writer_release(&good.writer);
    buf_release(&good.raw);
    buf_release(&spoilt);
    wal_feed_release(&feed);
}

static void write_segment(struct rng *rng)
{
    struct buf record;
    buf_init(&record, WAL_WRITER_BUF_BYTES_MAX);
    while (good.writer.bytes.bytes < 3 * WAL_PAGE_BYTES) {
        good.writer.compression = (enum wal_writer_compression)rng_below(rng, 3);
        add_scrape(rng, &record);
    }
    buf_release(&record);
}

/* ---- mutations ---- */

struct touched {
    size_t from, to; /* bytes changed; all behind `to` are as they were */
};

/* Half of the flips go into fragment headers, the bytes no checksum covers. */
static size_t place(struct rng *rng)
{
    if (rng_below(rng, 2) == 0) {
        return (size_t)rng_below(rng, good.writer.bytes.bytes);
    }
    size_t at = good.records[rng_below(rng, good.records_count)].offset + (size_t)rng_below(rng, 7);
    return at < good.writer.bytes.bytes ? at : 0;
}

static struct touched mutate(struct rng *rng)
{
    size_t all = good.writer.bytes.bytes;
    buf_clear(&spoilt);
    ck_assert(buf_append(&spoilt, good.writer.bytes.data, all));
    size_t at = place(rng);
    size_t run = 1 + (size_t)rng_below(rng, 3000);
    run = run < all - at ? run : all - at;
    switch (rng_below(rng, 4)) {
    case 0:
        spoilt.bytes = at;
        return (struct touched){at, all};
    case 1: /* a lost sector */
        memset(spoilt.data + at, 0, run);
        return (struct touched){at, at + run};
    case 2: /* a piece of another place */
        memmove(spoilt.data + at, spoilt.data + all - run, run);
        return (struct touched){at, at + run};
    default:
        spoilt.data[at] ^= (uint8_t)(1u << rng_below(rng, 8));
        return (struct touched){at, at + 1};
    }
}

/* ---- checks ---- */

/* The original itself, or nothing that decodes: a flipped compression bit can make a record of
 * rubbish, but no item. (A moved piece may bring a whole good record along: then it is one of
 * ours.) */
static bool was_written(size_t event, const struct original *original)
{
    struct view record = wal_feed_record(&feed, event);
    uint64_t items;
    if (original != NULL && original->bytes == view_left(&record) &&
        memcmp(good.raw.data + original->start, record.at, original->bytes) == 0) {
        return true;
    }
    return !wal_record_check(record, &items) ||
           memmem(good.raw.data, good.raw.bytes, record.at, view_left(&record)) != NULL;
}

/* check writes to a file at each assertion, which would be most of the time spent here. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("%s", #condition);                                                        \
        }                                                                                          \
    } while (0)

/* Events and originals are both in order: each is walked through once. */
static void check_events(void)
{
    uint64_t last_end = 0;
    size_t next = 0;
    for (size_t i = 0; i + 1 < feed.events_count; i++) {
        const struct wal_feed_event *event = &feed.events[i];
        while (next < good.records_count && good.records[next].offset < event->offset) {
            next++;
        }
        bool known = next < good.records_count && good.records[next].offset == event->offset;
        EXPECT(event->read == WAL_READ_RECORD || event->read == WAL_READ_DAMAGE);
        EXPECT(event->read == WAL_READ_DAMAGE ||
               was_written(i, known ? &good.records[next] : NULL));
        EXPECT(event->offset >= last_end); /* in order, no overlap */
        EXPECT(event->end <= spoilt.bytes);
        last_end = event->end;
    }
}

static bool arrived(const struct original *original, const struct wal_feed_event *event)
{
    return event->read == WAL_READ_RECORD && event->offset == original->offset &&
           event->bytes == original->bytes && event->end <= original->end &&
           event->end + 7 > original->end; /* less what the page was padded with */
}

static void check_one(struct touched touched)
{
    size_t later = (touched.to + WAL_PAGE_BYTES - 1) / WAL_PAGE_BYTES * WAL_PAGE_BYTES;
    size_t next = 0;
    check_events();
    for (size_t i = 0; i < good.records_count; i++) {
        const struct original *original = &good.records[i];
        while (next + 1 < feed.events_count && feed.events[next].end <= original->offset) {
            next++;
        }
        const struct wal_feed_event *event = &feed.events[next]; /* the last one is END */
        bool unharmed = original->end <= touched.from || original->offset >= later;
        EXPECT(!unharmed || arrived(original, event));
        /* inside a damaged range, or delivered as something that can't be decoded (who decodes
         * counts it); cut away whole or turned to zeros whole, nothing is left to tell of it */
        bool gone = original->offset >= spoilt.bytes ||
                    (touched.from <= original->offset && touched.to - touched.from > 1);
        bool accounted = event->read != WAL_READ_END && event->offset <= original->offset;
        EXPECT(gone || accounted);
    }
}

START_TEST(no_mutation_crashes_invents_or_loses_more_than_its_pages)
{
    struct rng rng = {(uint64_t)_i + 77};
    write_segment(&rng);
    for (int i = 0; i < MUTATIONS; i++) {
        struct touched touched = mutate(&rng);
        wal_reader_start(feed.reader, 0);
        wal_feed_run(&feed, &spoilt, true, false);
        check_one(touched);
        ck_assert_int_eq(feed.events[feed.events_count - 1].read, WAL_READ_END);
    }
}
END_TEST

START_TEST(without_a_mutation_everything_arrives)
{
    struct rng rng = {5};
    write_segment(&rng);
    wal_feed_run(&feed, &good.writer.bytes, true, false);
    ck_assert_uint_eq(wal_feed_count(&feed, WAL_READ_RECORD), good.records_count);
    ck_assert_uint_eq(wal_feed_damage_bytes(&feed), 0);
}
END_TEST

Suite *suite_mutation(void);
Suite *suite_mutation(void)
{
    Suite *suite = suite_create("mutation");
    TCase *tcase = tcase_create("mutation");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, without_a_mutation_everything_arrives);
    tcase_add_loop_test(tcase, no_mutation_crashes_invents_or_loses_more_than_its_pages, 0, ROUNDS);
    suite_add_tcase(suite, tcase);
    return suite;
}

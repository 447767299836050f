/* test_histogram_text.c - histograms in the text form of Prometheus' tools. */
#include "histogram_text.h"

#include <check.h>

#define ONE  0x3FF0000000000000u
#define HALF 0x3FE0000000000000u
#define ZT   0x3F50624DD2F1A9FCu /* 0.001 */

static const struct wal_span two[] = {{0, 2}};
static const struct wal_span gap[] = {{-1, 1}, {2, 1}};
static const struct wal_span last[] = {{1024, 2}};
static const struct wal_span last_of_1[] = {{2048, 1}};
static const struct wal_span fine[] = {{1, 4}};
static const struct wal_span huge[] = {{0, UINT32_MAX}, {INT32_MAX, UINT32_MAX}};
static const uint64_t deltas[] = {1, 1, (uint64_t)-2, 3};
static const uint64_t counts[] = {HALF, ONE, 0, 0x8000000000000000u};
static const uint64_t bounds[] = {HALF, ONE};

static const struct {
    struct wal_histogram histogram;
    const char *text;
} rows[] = {
    {{.count = 0, .sum_bits = WAL_STALE_BITS}, "{count:0, sum:NaN}"},
    {{.count = 3,
      .sum_bits = ONE,
      .zero_count = 2,
      .zero_threshold_bits = ZT,
      .spans = {two, gap},
      .spans_count = {1, 2},
      .buckets = {deltas, deltas},
      .buckets_count = {2, 2}},
     "{count:3, sum:1, [-4,-2):2, [-0.5,-0.25):1, [-0.001,0.001]:2, (0.5,1]:1, (1,2]:2}"},
    /* an empty bucket in a span, and a threshold of zero */
    {{.schema = 2,
      .count = 3,
      .zero_count = 1,
      .spans = {fine},
      .spans_count = {1},
      .buckets = {deltas},
      .buckets_count = {4}},
     "{count:3, sum:0, [-0,0]:1, (1,1.189207115002721]:1, "
     "(1.189207115002721,1.414213562373095]:2, (1.6817928305074288,2]:3}"},
    {{.schema = -4,
      .count = 3,
      .spans = {two},
      .spans_count = {1},
      .buckets = {deltas},
      .buckets_count = {2}},
     "{count:3, sum:0, (1.52587890625e-05,1]:1, (1,65536]:2}"},
    /* the last finite bucket ends at the largest number, the next holds infinities */
    {{.count = 3, .spans = {last}, .spans_count = {1}, .buckets = {deltas}, .buckets_count = {2}},
     "{count:3, sum:0, (8.98846567431158e+307,1.7976931348623157e+308]:1, "
     "(1.7976931348623157e+308,+Inf]:2}"},
    {{.schema = 1,
      .count = 1,
      .spans = {last_of_1},
      .spans_count = {1},
      .buckets = {deltas},
      .buckets_count = {1}},
     "{count:1, sum:0, (1.2711610061536462e+308,1.7976931348623157e+308]:1}"},
    {{.is_float = true,
      .count = ONE,
      .sum_bits = HALF,
      .zero_count = 0x8000000000000000u,
      .spans = {fine},
      .spans_count = {1},
      .buckets = {counts},
      .buckets_count = {4}},
     "{count:1, sum:0.5, (1,2]:0.5, (2,4]:1}"},
    /* finer than 8: merged to 8 */
    {{.schema = 10,
      .count = 3,
      .spans = {fine},
      .spans_count = {1},
      .buckets = {deltas},
      .buckets_count = {4}},
     "{count:3, sum:0, (1,1.0027112750502025]:6}"},
    {{.schema = -53,
      .count = 3,
      .spans = {fine},
      .spans_count = {1},
      .buckets = {deltas},
      .buckets_count = {2},
      .custom_bits = bounds,
      .custom_count = 2},
     "{count:3, sum:0, (0.5,1]:1, (1,+Inf]:2}"},
    {{.schema = -53,
      .count = 1,
      .spans = {two},
      .spans_count = {1},
      .buckets = {deltas},
      .buckets_count = {1},
      .custom_bits = bounds,
      .custom_count = 2},
     "{count:1, sum:0, [-Inf,0.5]:1}"},
    /* spans that promise four billion buckets */
    {{.count = 3, .spans = {huge}, .spans_count = {2}, .buckets = {deltas}, .buckets_count = {2}},
     "{count:3, sum:0, (0.5,1]:1, (1,2]:2}"},
};

START_TEST(histograms_are_printed_as_prometheus_prints_them)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert(histogram_text(&rows[_i].histogram, &out));
    ck_assert(buf_append(&out, "", 1));
    ck_assert_str_eq((const char *)out.data, rows[_i].text);
    buf_release(&out);
}
END_TEST

START_TEST(a_full_buffer_is_said)
{
    struct buf out;
    buf_init(&out, 20);
    ck_assert(!histogram_text(&rows[1].histogram, &out));
    buf_release(&out);
}
END_TEST

Suite *suite_histogram_text(void);
Suite *suite_histogram_text(void)
{
    Suite *suite = suite_create("histogram_text");
    TCase *tcase = tcase_create("histogram_text");
    tcase_add_loop_test(tcase, histograms_are_printed_as_prometheus_prints_them, 0,
                        ARRAY_COUNT(rows));
    tcase_add_test(tcase, a_full_buffer_is_said);
    suite_add_tcase(suite, tcase);
    return suite;
}

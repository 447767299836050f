/* test_frame.c - what is framed here, the WAL's reader reads. */
#include <check.h>
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/wal_frame.h>
#include <walship/wal_reader.h>
#include <walship/wal_record.h>

enum { SERIES = 3000, BUF_BYTES = 8 << 20 };

static struct buf out;
static struct buf record;

static void setup(void)
{
    buf_init(&out, BUF_BYTES);
    buf_init(&record, BUF_BYTES);
}

static void teardown(void)
{
    buf_release(&out);
    buf_release(&record);
}

/* A value of `bytes` letters. */
static void put(uint64_t ref, const char *value, size_t bytes)
{
    struct label labels[] = {{"__name__", "up", 8, 2}, {"job", value, 3, (uint32_t)bytes}};
    ck_assert(wal_frame_series(&record, ref, labels, 2));
}

static uint64_t read_series(uint64_t first, size_t value_bytes)
{
    struct wal_reader *reader = wal_reader_new();
    struct wal_window window = {
        .bytes = out.data, .count = out.bytes, .segment_bytes = out.bytes, .sealed = true};
    struct label labels[LABELS_COUNT_MAX];
    struct wal_read_out read;
    uint64_t ref = first;
    wal_reader_start(reader, 0);
    enum wal_read status;
    while ((status = wal_reader_next(reader, &window, &read)) == WAL_READ_RECORD) {
        struct wal_series_iter iter;
        struct wal_series found;
        uint64_t items;
        ck_assert(wal_record_check(read.record, &items));
        ck_assert_int_eq(wal_record_type(read.record), WAL_SERIES);
        wal_series_init(&iter, read.record);
        while (wal_series_next(&iter, labels, &found)) {
            ck_assert_uint_eq(found.ref, ref++);
            ck_assert_uint_eq(found.labels_count, 2);
            ck_assert_uint_eq(found.labels[1].value_bytes, value_bytes);
        }
    }
    ck_assert_int_eq(status, WAL_READ_END);
    wal_reader_free(reader);
    return ref - first;
}

START_TEST(many_records_over_many_pages)
{
    for (uint64_t i = 0; i < SERIES; i++) {
        put(((uint64_t)1 << 40) + i, "prometheus-and-more", 19);
        if (i % 7 == 6 || i + 1 == SERIES) {
            ck_assert(wal_frame_record(&out, &record));
            buf_clear(&record);
        }
    }
    ck_assert(wal_frame_pad(&out));
    ck_assert_uint_eq(out.bytes % WAL_PAGE_BYTES, 0);
    ck_assert_uint_gt(out.bytes, 2 * WAL_PAGE_BYTES);
    ck_assert_uint_eq(read_series((uint64_t)1 << 40, 19), SERIES);
}

START_TEST(a_record_larger_than_pages)
{
    size_t bytes = 200000;
    char *value = mem_new(bytes, 1);
    memset(value, 'x', bytes);
    put(1, value, bytes);
    ck_assert(wal_frame_record(&out, &record));
    ck_assert(wal_frame_pad(&out));
    ck_assert_uint_eq(read_series(1, bytes), 1);
    mem_free(value);
}

/* Whatever is left of a page, down to less than a header. */
START_TEST(every_remainder_of_a_page)
{
    for (size_t bytes = WAL_PAGE_BYTES - 200; bytes < WAL_PAGE_BYTES + 20; bytes++) {
        char *value = mem_new(bytes, 1);
        buf_clear(&out);
        for (uint64_t ref = 5; ref < 8; ref++) {
            buf_clear(&record);
            put(ref, value, bytes);
            ck_assert(wal_frame_record(&out, &record));
        }
        ck_assert_uint_eq(read_series(5, bytes), 3);
        mem_free(value);
    }
}

START_TEST(a_full_buffer_says_so)
{
    struct buf small;
    buf_init(&small, 100);
    put(1, "a value that is rather long for its buffer, and a value that is rather long", 75);
    ck_assert(!wal_frame_record(&small, &record));
    buf_release(&small);
}

Suite *suite_frame(void);

Suite *suite_frame(void)
{
    Suite *suite = suite_create("frame");
    TCase *tests = tcase_create("frame");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, many_records_over_many_pages);
    tcase_add_test(tests, a_record_larger_than_pages);
    tcase_add_test(tests, every_remainder_of_a_page);
    tcase_add_test(tests, a_full_buffer_says_so);
    suite_add_tcase(suite, tests);
    return suite;
}

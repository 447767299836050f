/* test_reader.c - pages, fragments, ends and damage of one segment. */
#include "wal_feed.h"
#include "wal_writer.h"

#include <check.h>
#include <walship/crc32c.h>
#include <walship/limits.h>
#include <walship/rng.h>
#include <zstd.h>

enum { FULL = 1, FIRST = 2, MIDDLE = 3, LAST = 4, SNAPPY = 8, ZSTD = 16 };

static struct wal_writer writer;
static struct wal_feed feed;

static void setup(void)
{
    wal_writer_init(&writer, WAL_WRITER_PLAIN);
    wal_feed_init(&feed, 2 * WAL_PAGE_BYTES);
}

static void teardown(void)
{
    wal_writer_release(&writer);
    wal_feed_release(&feed);
}

/* Record `index`: any byte pattern that names itself, of so many bytes. */
static const uint8_t *record_of(size_t bytes, unsigned index)
{
    static uint8_t record[1 << 20];
    struct rng rng = {index};
    ck_assert_uint_le(bytes, sizeof record);
    for (size_t i = 0; i < bytes; i++) {
        /* half of it random, so that compression has something to do but not everything */
        record[i] = i % 16 < 8 ? (uint8_t)rng_next(&rng) : (uint8_t)index;
    }
    return record;
}

static void log_record(size_t bytes, unsigned index)
{
    (void)wal_writer_log(&writer, record_of(bytes, index), bytes);
}

static void expect_record(size_t event, size_t bytes, unsigned index)
{
    ck_assert_uint_lt(event, feed.events_count);
    ck_assert_int_eq(feed.events[event].read, WAL_READ_RECORD);
    ck_assert_uint_eq(feed.events[event].bytes, bytes);
    ck_assert(bytes == 0 ||
              memcmp(wal_feed_record(&feed, event).at, record_of(bytes, index), bytes) == 0);
}

static void expect_damage(size_t event, uint64_t from, uint64_t to, const char *text)
{
    ck_assert_uint_lt(event, feed.events_count);
    ck_assert_int_eq(feed.events[event].read, WAL_READ_DAMAGE);
    ck_assert_uint_eq(feed.events[event].offset, from);
    ck_assert_uint_eq(feed.events[event].end, to);
    ck_assert_str_eq(feed.events[event].text, text);
}

static void expect_last(size_t event, enum wal_read read)
{
    ck_assert_uint_eq(feed.events_count, event + 1);
    ck_assert_int_eq(feed.events[event].read, read);
}

START_TEST(bytes_that_prometheus_wrote_are_read)
{
    static const uint8_t written[] = {
        0x01, 0x00, 0x1C, 0xE2, 0x13, 0x77, 0x03, 0x01, 0,    0,    0,    0,   0,   0,    0,    1,
        2,    8,    '_',  '_',  'n',  'a',  'm',  'e',  '_',  '_',  2,    'u', 'p', 3,    'j',  'o',
        'b',  1,    'a',  0x01, 0x00, 0x25, 0x98, 0x03, 0xF8, 0xD1, 0x02, 0,   0,   0,    0,    0,
        0,    0,    1,    0,    0,    1,    0x8B, 0xCF, 0xE5, 0x68, 0,    0,   0,   0x3F, 0xF0, 0,
        0,    0,    0,    0,    0,    8,    9,    0x7F, 0xF0, 0,    0,    0,   0,   0,    2};
    ck_assert(buf_append(&writer.bytes, written, sizeof written));
    wal_feed_run(&feed, &writer.bytes, true, false);
    ck_assert_uint_eq(feed.events[0].bytes, 28);
    ck_assert_uint_eq(feed.events[1].bytes, 37);
    ck_assert_uint_eq(feed.events[1].offset, 35);
    ck_assert_uint_eq(feed.events[1].end, sizeof written);
    expect_last(2, WAL_READ_END);
}
END_TEST

/* Sizes around every border: the fragment that just fits, one byte more, pages with 0..20 bytes
 * left. */
START_TEST(records_of_every_size_come_back_from_every_place_in_a_page)
{
    static const enum wal_writer_compression all[] = {WAL_WRITER_PLAIN, WAL_WRITER_SNAPPY,
                                                      WAL_WRITER_ZSTD};
    enum { PAGE = WAL_PAGE_BYTES };
    static const size_t sizes[] = {0,        1,    7,        100,           PAGE - 8,      PAGE - 7,
                                   PAGE - 6, PAGE, PAGE + 1, 2 * PAGE - 14, 2 * PAGE - 13, 200000};
    writer.compression = all[_i / 24];
    size_t lead = PAGE - 7 - (size_t)(_i % 24); /* leaves so many bytes of the first page, plain */
    writer.compression = WAL_WRITER_PLAIN;
    log_record(lead, 1000);
    writer.compression = all[_i / 24];
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        log_record(sizes[i], (unsigned)i);
    }
    wal_feed_run(&feed, &writer.bytes, true, false);
    expect_record(0, lead, 1000);
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        expect_record(i + 1, sizes[i], (unsigned)i);
    }
    expect_last(ARRAY_COUNT(sizes) + 1, WAL_READ_END);
}
END_TEST

START_TEST(windows_of_any_size_that_holds_a_fragment_give_the_same_records)
{
    static const size_t windows[] = {WAL_PAGE_BYTES, WAL_PAGE_BYTES + 1, 50001, 1 << 20};
    feed.window_bytes = windows[_i];
    for (unsigned i = 0; i < 100; i++) {
        log_record(i * 700, i);
    }
    wal_feed_run(&feed, &writer.bytes, true, false);
    for (unsigned i = 0; i < 100; i++) {
        expect_record(i, i * 700, i);
    }
    expect_last(100, WAL_READ_END);
}
END_TEST

START_TEST(seven_bytes_left_of_a_page_take_an_empty_first_fragment)
{
    static const uint8_t empty[] = {FIRST, 0, 0, 0, 0, 0, 0};
    log_record(WAL_PAGE_BYTES - 14, 1);
    log_record(10, 2);
    ck_assert_mem_eq(writer.bytes.data + WAL_PAGE_BYTES - 7, empty, 7);
    ck_assert_uint_eq(writer.bytes.data[WAL_PAGE_BYTES], LAST);
    wal_feed_run(&feed, &writer.bytes, true, false);
    expect_record(0, WAL_PAGE_BYTES - 14, 1);
    expect_record(1, 10, 2);
    ck_assert_uint_eq(feed.events[1].offset, WAL_PAGE_BYTES - 7);
    expect_last(2, WAL_READ_END);
}
END_TEST

START_TEST(zero_pages_and_padding_are_passed_over_without_damage)
{
    wal_writer_zero_page(&writer);
    log_record(10, 1);
    wal_writer_zero_page(&writer);
    wal_writer_zero_page(&writer);
    log_record(WAL_PAGE_BYTES - 7 - 5, 2); /* 5 bytes of padding */
    log_record(10, 3);
    wal_writer_pad(&writer);
    wal_feed_run(&feed, &writer.bytes, _i == 0, false);
    expect_record(0, 10, 1);
    expect_record(1, WAL_PAGE_BYTES - 12, 2);
    expect_record(2, 10, 3);
    expect_last(3, _i == 0 ? WAL_READ_END : WAL_READ_WAIT);
}
END_TEST

START_TEST(an_empty_segment_ends_or_waits)
{
    wal_feed_run(&feed, &writer.bytes, _i == 0, false);
    expect_last(0, _i == 0 ? WAL_READ_END : WAL_READ_WAIT);
}
END_TEST

START_TEST(a_segment_cut_on_a_record_boundary_ends_without_damage)
{
    log_record(500, 1);
    log_record(500, 2);
    wal_feed_run(&feed, &writer.bytes, true, false);
    expect_record(1, 500, 2);
    expect_last(2, WAL_READ_END);
}
END_TEST

/* Cuts in the header, the payload, between pages, and in zeros that a crash left short. */
START_TEST(a_torn_tail_waits_while_the_segment_may_grow_and_is_damage_after)
{
    static const size_t torn[] = {1, 3, 100, 33000, 65000, 69994};
    log_record(100, 1);
    log_record(70000, 2);
    wal_writer_tear(&writer, torn[_i]);
    wal_feed_run(&feed, &writer.bytes, false, true);
    expect_record(0, 100, 1);
    expect_last(1, WAL_READ_WAIT);
    wal_feed_run(&feed, &writer.bytes, true, false);
    expect_damage(0, 107, writer.bytes.bytes, "the segment ends inside a record");
    expect_last(1, WAL_READ_END);
}
END_TEST

START_TEST(zeros_that_end_before_the_page_does_are_no_damage)
{
    static const uint8_t zeros[1000];
    log_record(100, 1);
    ck_assert(buf_append(&writer.bytes, zeros, (size_t)_i));
    wal_feed_run(&feed, &writer.bytes, false, true);
    expect_last(1, WAL_READ_WAIT);
    wal_feed_run(&feed, &writer.bytes, true, false);
    expect_last(0, WAL_READ_END);
}
END_TEST

START_TEST(a_segment_that_grows_by_any_step_gives_each_record_once)
{
    struct buf grown = {0};
    for (unsigned i = 0; i < 20; i++) {
        writer.compression = (enum wal_writer_compression)(i % 3);
        log_record(i * 5000, i);
    }
    struct rng rng = {(uint64_t)_i};
    grown.data = writer.bytes.data;
    size_t seen = 0;
    while (grown.bytes < writer.bytes.bytes) {
        size_t step = 1 + (size_t)rng_below(&rng, 40000);
        size_t left = writer.bytes.bytes - grown.bytes;
        grown.bytes += step < left ? step : left;
        wal_feed_run(&feed, &grown, false, true);
        ck_assert_uint_eq(wal_feed_count(&feed, WAL_READ_DAMAGE), 0);
        for (size_t i = 0; i + 1 < feed.events_count; i++, seen++) {
            expect_record(i, seen * 5000, (unsigned)seen);
        }
    }
    ck_assert_uint_eq(seen, 20);
}
END_TEST

START_TEST(reading_starts_again_where_a_record_ended)
{
    for (unsigned i = 0; i < 6; i++) {
        log_record(20000, i);
    }
    wal_feed_run(&feed, &writer.bytes, true, false);
    uint64_t end = feed.events[2].end;
    ck_assert_uint_eq(end, feed.events[3].offset);
    wal_reader_start(feed.reader, end);
    wal_feed_run(&feed, &writer.bytes, true, false);
    expect_record(0, 20000, 3);
    expect_record(2, 20000, 5);
    expect_last(3, WAL_READ_END);
}
END_TEST

START_TEST(a_plain_record_of_one_fragment_is_not_copied)
{
    log_record(100, 1);
    struct wal_window window = {writer.bytes.data, 0, 107, 107, true};
    struct wal_read_out out;
    ck_assert_int_eq(wal_reader_next(feed.reader, &window, &out), WAL_READ_RECORD);
    ck_assert_ptr_eq(out.record.at, writer.bytes.data + 7);
}
END_TEST

/* ---- damage ---- */

enum { SPOIL_AT = 107 }; /* the second fragment starts here */

static const struct {
    const char *text;
    size_t at;
    uint8_t value;
} spoils[] = {
    {"a wrong checksum", SPOIL_AT + 50, 0xEE},
    {"a wrong checksum", SPOIL_AT + 5, 0xEE},
    {"a fragment longer than its page", SPOIL_AT + 1, 0xFF},
    {"a fragment of an unknown kind", SPOIL_AT, 0x05},
    {"a fragment of an unknown kind", SPOIL_AT, 0x21},
    {"bytes in an empty part of a page", SPOIL_AT, 0x00},
    {"bytes in an empty part of a page", SPOIL_AT, 0x08},
};

static void write_three_pages(void)
{
    log_record(100, 1);
    log_record(200, 2);
    log_record(40000, 3);
    log_record(300, 4);
    wal_writer_pad(&writer);
    log_record(400, 5);
}

START_TEST(after_damage_reading_goes_on_at_the_next_page)
{
    write_three_pages();
    writer.bytes.data[spoils[_i].at] = spoils[_i].value;
    wal_feed_run(&feed, &writer.bytes, true, false);
    uint64_t end = feed.events[2].offset; /* of record 4: the rest of 3 is lost with its start */
    expect_record(0, 100, 1);
    expect_damage(1, SPOIL_AT, end, spoils[_i].text);
    ck_assert_uint_eq(end, WAL_PAGE_BYTES + 7 + (40000 - (WAL_PAGE_BYTES - 314 - 7)));
    expect_record(2, 300, 4);
    expect_record(3, 400, 5);
    expect_last(4, WAL_READ_END);
}
END_TEST

START_TEST(in_the_newest_segment_damage_is_believed_only_after_patience)
{
    write_three_pages();
    writer.bytes.data[spoils[_i].at] = spoils[_i].value;
    wal_feed_run(&feed, &writer.bytes, false, false);
    expect_record(0, 100, 1);
    expect_last(1, WAL_READ_WAIT);
    for (int i = 1; i < WAL_READER_PATIENCE; i++) {
        wal_feed_run(&feed, &writer.bytes, false, false);
        expect_last(0, WAL_READ_WAIT);
    }
    wal_feed_run(&feed, &writer.bytes, false, false);
    expect_damage(0, SPOIL_AT, feed.events[1].offset, spoils[_i].text);
    expect_record(1, 300, 4);
    expect_last(3, WAL_READ_WAIT);
}
END_TEST

START_TEST(a_write_half_seen_heals_while_there_is_patience)
{
    write_three_pages();
    uint8_t good = writer.bytes.data[SPOIL_AT + 50];
    writer.bytes.data[SPOIL_AT + 50] = (uint8_t)~good;
    wal_feed_run(&feed, &writer.bytes, false, false);
    expect_last(1, WAL_READ_WAIT);
    writer.bytes.data[SPOIL_AT + 50] = good;
    wal_feed_run(&feed, &writer.bytes, false, false);
    expect_record(0, 200, 2);
    expect_last(4, WAL_READ_WAIT);
}
END_TEST

START_TEST(damage_in_the_last_open_page_does_not_swallow_what_is_appended_later)
{
    log_record(100, 1);
    log_record(200, 2);
    writer.bytes.data[SPOIL_AT + 50] ^= 1;
    wal_feed_run(&feed, &writer.bytes, false, true);
    expect_damage(1, SPOIL_AT, SPOIL_AT + 207, "a wrong checksum");
    expect_last(2, WAL_READ_WAIT);
    log_record(300, 3);
    wal_feed_run(&feed, &writer.bytes, false, true);
    expect_record(0, 300, 3);
    expect_last(1, WAL_READ_WAIT);
}
END_TEST

static void fragment(unsigned header, size_t bytes, unsigned index)
{
    wal_writer_fragment(&writer, (uint8_t)header, record_of(bytes, index), bytes);
}

START_TEST(a_record_cut_off_by_the_next_is_damage_and_the_next_is_good)
{
    static const unsigned next[] = {FULL, FIRST};
    log_record(100, 1);
    fragment(FIRST, WAL_PAGE_BYTES - 114, 2);
    fragment(next[_i], _i == 0 ? 50 : 32761, 3);
    if (next[_i] == FIRST) {
        fragment(LAST, 0, 3);
    }
    wal_feed_run(&feed, &writer.bytes, true, false);
    expect_damage(1, 107, WAL_PAGE_BYTES, "a record without its end");
    expect_record(2, _i == 0 ? 50 : 32761, 3);
    expect_last(3, WAL_READ_END);
}
END_TEST

START_TEST(a_tail_of_a_record_without_its_beginning_is_damage)
{
    static const unsigned kinds[] = {MIDDLE, LAST};
    log_record(100, 1);
    fragment(kinds[_i], 60, 2);
    log_record(30, 3);
    wal_feed_run(&feed, &writer.bytes, true, false);
    expect_damage(1, 107, 107 + 67, "a record without its beginning");
    expect_record(2, 30, 3);
    expect_last(3, WAL_READ_END);
}
END_TEST

START_TEST(a_fragment_may_fill_its_page_but_not_pass_it)
{
    log_record(100, 1);
    fragment(FULL, WAL_PAGE_BYTES - 114 + (size_t)_i, 2);
    wal_writer_pad(&writer);
    log_record(30, 3);
    wal_feed_run(&feed, &writer.bytes, true, false);
    if (_i == 0) {
        expect_record(1, WAL_PAGE_BYTES - 114, 2);
        expect_record(2, 30, 3);
    } else {
        ck_assert_str_eq(feed.events[1].text, "a fragment longer than its page");
        ck_assert_uint_eq(feed.events[1].offset, 107);
    }
}
END_TEST

START_TEST(bytes_where_no_fragment_fits_are_nobodys_loss)
{
    log_record(WAL_PAGE_BYTES - 7 - 5, 1);
    memset(writer.bytes.data + WAL_PAGE_BYTES - 5, 0xEE, 5);
    log_record(30, 2);
    wal_feed_run(&feed, &writer.bytes, true, false);
    expect_record(1, 30, 2);
    expect_last(2, WAL_READ_END);
}
END_TEST

/* Good fragments, so no page is given up: only the record itself is lost. */
START_TEST(a_record_that_does_not_decompress_costs_only_itself)
{
    static const uint8_t promise[] = {0xFF, 0xFF, 0xFF, 0x7F, 0x00, 'a'}; /* 256 MiB of 6 bytes */
    static const uint8_t frame[] = {0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58};  /* cut short */
    log_record(100, 1);
    if (_i < 2) {
        wal_writer_fragment(&writer, (uint8_t)(FULL | (_i == 0 ? SNAPPY : ZSTD)), record_of(90, 2),
                            90);
    } else if (_i == 2) {
        wal_writer_fragment(&writer, FULL | SNAPPY, promise, sizeof promise);
    } else {
        wal_writer_fragment(&writer, FULL | ZSTD, frame, sizeof frame);
    }
    log_record(30, 3);
    wal_feed_run(&feed, &writer.bytes, true, false);
    expect_damage(1, 107, feed.events[2].offset, "a record that can't be decompressed");
    expect_record(2, 30, 3);
    expect_last(3, WAL_READ_END);
}
END_TEST

/* ---- compression ---- */

/* A header has no checksum. The record has, and is whole; an unknown type stays what it is. */
START_TEST(a_record_whose_compression_bit_is_gone_is_read)
{
    static const uint8_t samples[17 + 9 * 10] = {2, [8] = 1}; /* nine zeros of series 1 */
    static const uint8_t to_come[] = {0x39, 2, 0, 0, 0, 0, 0, 0, 0, 1};
    writer.compression = _i == 0 ? WAL_WRITER_SNAPPY : WAL_WRITER_ZSTD;
    (void)wal_writer_log(&writer, samples, sizeof samples);
    ck_assert_uint_eq(writer.bytes.data[0], (_i == 0 ? FULL | SNAPPY : FULL | ZSTD));
    writer.bytes.data[0] = FULL;
    writer.compression = WAL_WRITER_PLAIN;
    (void)wal_writer_log(&writer, to_come, sizeof to_come);
    wal_feed_run(&feed, &writer.bytes, true, false);
    ck_assert_uint_eq(feed.events[0].bytes, sizeof samples);
    ck_assert_mem_eq(wal_feed_record(&feed, 0).at, samples, sizeof samples);
    ck_assert_uint_eq(feed.events[1].bytes, sizeof to_come);
    ck_assert_mem_eq(wal_feed_record(&feed, 1).at, to_come, sizeof to_come);
    expect_last(2, WAL_READ_END);
}
END_TEST

static void log_zstd(const void *frame, size_t bytes)
{
    struct view left = view_of(frame, bytes);
    unsigned kind = FIRST;
    do {
        size_t room = WAL_PAGE_BYTES - 7 - writer.bytes.bytes % WAL_PAGE_BYTES;
        bool ends = view_left(&left) <= room;
        kind = ends ? (kind == FIRST ? FULL : LAST) : kind;
        struct view part = view_take(&left, ends ? view_left(&left) : room);
        wal_writer_fragment(&writer, (uint8_t)(kind | ZSTD), part.at, view_left(&part));
        kind = MIDDLE;
    } while (view_left(&left) > 0);
}

/* Sizes on both sides of what is decompressed in one call, with and without the size in the frame.
 */
START_TEST(zstd_frames_of_any_size_with_or_without_content_size_are_read)
{
    static const size_t sizes[] = {1, 255, 256 << 10, (256 << 10) + 1, 4 << 20, 9 << 20};
    size_t bytes = sizes[_i / 2];
    uint8_t *raw = malloc(bytes);
    uint8_t *frame = malloc(ZSTD_compressBound(bytes));
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ck_assert(raw != NULL && frame != NULL && context != NULL);
    for (size_t i = 0; i < bytes; i++) {
        raw[i] = (uint8_t)(i * i >> 7);
    }
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, _i % 2);
    size_t made = ZSTD_compress2(context, frame, ZSTD_compressBound(bytes), raw, bytes);
    ck_assert(!ZSTD_isError(made));
    log_zstd(frame, made);
    wal_feed_run(&feed, &writer.bytes, true, false);
    ck_assert_uint_eq(feed.events[0].bytes, bytes);
    ck_assert(memcmp(wal_feed_record(&feed, 0).at, raw, bytes) == 0);
    expect_last(1, WAL_READ_END);
    ZSTD_freeCCtx(context);
    free(frame);
    free(raw);
}
END_TEST

/* A few KiB that unpack to more than a record may have, with and without saying so. */
START_TEST(a_decompression_bomb_stops_at_the_cap)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    static uint8_t zeros[1 << 20];
    static uint8_t frame[1 << 20];
    unsigned long long total = (unsigned long long)WAL_RECORD_BYTES_MAX + sizeof zeros;
    ZSTD_outBuffer out = {frame, sizeof frame, 0};
    (void)ZSTD_CCtx_setPledgedSrcSize(context, _i == 0 ? total : ZSTD_CONTENTSIZE_UNKNOWN);
    for (unsigned long long done = 0; done < total; done += sizeof zeros) {
        ZSTD_inBuffer in = {zeros, sizeof zeros, 0};
        ZSTD_EndDirective mode = done + sizeof zeros == total ? ZSTD_e_end : ZSTD_e_continue;
        ck_assert(!ZSTD_isError(ZSTD_compressStream2(context, &out, &in, mode)));
    }
    log_zstd(frame, out.pos);
    log_record(30, 3);
    wal_feed_run(&feed, &writer.bytes, true, false);
    expect_damage(0, 0, feed.events[1].offset, "a record that can't be decompressed");
    expect_record(1, 30, 3);
    ZSTD_freeCCtx(context);
}
END_TEST

START_TEST(a_crc_of_nothing_is_zero_and_the_known_check_value_holds)
{
    ck_assert_uint_eq(crc32c("", 0), 0);
    ck_assert_uint_eq(crc32c("123456789", 9), 0xE3069283u);
}
END_TEST

Suite *suite_reader(void);
Suite *suite_reader(void)
{
    Suite *suite = suite_create("reader");
    TCase *tcase = tcase_create("reader");
    int spoils_count = ARRAY_COUNT(spoils);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, bytes_that_prometheus_wrote_are_read);
    tcase_add_loop_test(tcase, records_of_every_size_come_back_from_every_place_in_a_page, 0, 72);
    tcase_add_loop_test(tcase, windows_of_any_size_that_holds_a_fragment_give_the_same_records, 0,
                        4);
    tcase_add_test(tcase, seven_bytes_left_of_a_page_take_an_empty_first_fragment);
    tcase_add_loop_test(tcase, zero_pages_and_padding_are_passed_over_without_damage, 0, 2);
    tcase_add_loop_test(tcase, an_empty_segment_ends_or_waits, 0, 2);
    tcase_add_test(tcase, a_segment_cut_on_a_record_boundary_ends_without_damage);
    tcase_add_loop_test(tcase, a_torn_tail_waits_while_the_segment_may_grow_and_is_damage_after, 0,
                        6);
    tcase_add_loop_test(tcase, zeros_that_end_before_the_page_does_are_no_damage, 1, 12);
    tcase_add_loop_test(tcase, a_segment_that_grows_by_any_step_gives_each_record_once, 0, 20);
    tcase_add_test(tcase, reading_starts_again_where_a_record_ended);
    tcase_add_test(tcase, a_plain_record_of_one_fragment_is_not_copied);
    tcase_add_loop_test(tcase, after_damage_reading_goes_on_at_the_next_page, 0, spoils_count);
    tcase_add_loop_test(tcase, in_the_newest_segment_damage_is_believed_only_after_patience, 0,
                        spoils_count);
    tcase_add_test(tcase, a_write_half_seen_heals_while_there_is_patience);
    tcase_add_test(tcase, damage_in_the_last_open_page_does_not_swallow_what_is_appended_later);
    tcase_add_loop_test(tcase, a_record_cut_off_by_the_next_is_damage_and_the_next_is_good, 0, 2);
    tcase_add_loop_test(tcase, a_tail_of_a_record_without_its_beginning_is_damage, 0, 2);
    tcase_add_loop_test(tcase, a_fragment_may_fill_its_page_but_not_pass_it, 0, 2);
    tcase_add_test(tcase, bytes_where_no_fragment_fits_are_nobodys_loss);
    tcase_add_loop_test(tcase, a_record_that_does_not_decompress_costs_only_itself, 0, 4);
    tcase_add_loop_test(tcase, a_record_whose_compression_bit_is_gone_is_read, 0, 2);
    tcase_add_loop_test(tcase, zstd_frames_of_any_size_with_or_without_content_size_are_read, 0,
                        12);
    tcase_add_loop_test(tcase, a_decompression_bomb_stops_at_the_cap, 0, 2);
    tcase_add_test(tcase, a_crc_of_nothing_is_zero_and_the_known_check_value_holds);
    suite_add_tcase(suite, tcase);
    return suite;
}

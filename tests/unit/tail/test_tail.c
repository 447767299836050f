/* test_tail.c - reading what lies there: segments in order, gaps, damage, places, failures. */
#include "lab.h"

#include <walship/mem.h>

static struct lab lab;

static void setup(void)
{
    lab_init(&lab);
}

static void teardown(void)
{
    lab_release(&lab);
}

static const struct lab_records ten = {.first = 0, .count = 10, .bytes = 100, .padded = true};
static const struct lab_records next_ten = {.first = 10, .count = 10, .bytes = 100, .padded = true};

static void two_segments(void)
{
    lab_segment(&lab, 0, &ten);
    lab_segment(&lab, 1, &next_ten);
    lab_open(&lab);
}

START_TEST(records_come_in_order_with_place_and_checksums)
{
    uint32_t previous = 0;
    two_segments();
    for (uint32_t i = 0; i < 20; i++) {
        lab_expect(&lab, i, 1);
        const struct tail_out *out = &lab.out;
        previous = i % 10 == 0 ? 0 : previous;
        ck_assert_uint_eq(out->at.generation, 1);
        ck_assert_uint_eq(out->at.segment, i / 10);
        ck_assert_uint_eq(out->at.record, i % 10);
        ck_assert_uint_eq(out->at.item, 0);
        ck_assert_uint_eq(out->offset, (i % 10) * 107);
        ck_assert_uint_eq(out->previous_crc, previous);
        ck_assert_uint_eq(out->crc, crc32c(out->record.at, view_left(&out->record)));
        previous = out->crc;
    }
    lab_expect_status(&lab, TAIL_WAIT);
    struct position at = tail_position(lab.tail);
    ck_assert_uint_eq(at.segment, 1);
    ck_assert_uint_eq(at.record, 10);
    ck_assert_uint_eq(tail_behind_bytes(lab.tail), 0); /* padding is nothing to read */
}

static const struct lab_records shapes[] = {
    {.count = 1, .bytes = 10, .padded = true},
    {.count = 3000, .bytes = 90},
    {.count = 3000, .bytes = 90, .compression = WAL_WRITER_SNAPPY},
    {.count = 3000, .bytes = 90, .compression = WAL_WRITER_ZSTD},
    {.count = 40, .bytes = 100000, .padded = true},
    {.count = 300, .bytes = WAL_PAGE_BYTES - 7},
    {.count = 300, .bytes = WAL_PAGE_BYTES - 14},
    {.count = 100, .bytes = 32769 + 10000, .compression = WAL_WRITER_SNAPPY},
};

START_TEST(records_of_any_size_are_read_whole)
{
    static uint8_t expected[LAB_RECORD_BYTES_MAX];
    lab_segment(&lab, 0, &shapes[_i]);
    lab_segment(&lab, 1, &ten);
    lab_open(&lab);
    for (uint32_t i = 0; i < shapes[_i].count; i++) {
        lab_expect(&lab, i, 1);
        size_t bytes = lab_record(expected, i, shapes[_i].bytes);
        ck_assert_uint_eq(view_left(&lab.out.record), bytes);
        ck_assert_mem_eq(lab.out.record.at, expected, bytes);
    }
    lab_expect(&lab, 0, 10);
}

START_TEST(short_reads_change_nothing)
{
    fake_os_short_reads(lab.fake, 90);
    lab_segment(&lab, 0, &shapes[_i]);
    lab_open(&lab);
    lab_expect(&lab, 0, shapes[_i].count);
    lab_expect_status(&lab, TAIL_WAIT);
}

START_TEST(catching_up_reads_in_big_strides)
{
    struct lab_records many = {.count = 100000, .bytes = 100, .padded = true};
    lab_segment(&lab, 0, &many);
    lab_open(&lab);
    lab_expect(&lab, 0, many.count);
    uint64_t bytes = fake_os_bytes(lab.fake, lab_path(0));
    ck_assert_uint_le(fake_os_calls(lab.fake, FAKE_OS_PREAD), bytes / (96 << 10) + 2);
    ck_assert_uint_eq(fake_os_calls(lab.fake, FAKE_OS_OPEN), 1);
}

START_TEST(empty_segments_are_passed_over_unopened)
{
    lab_segment(&lab, 0, &ten);
    fake_os_append(lab.fake, lab_path(1), "", 0);
    fake_os_append(lab.fake, lab_path(2), "", 0);
    lab_segment(&lab, 3, &next_ten);
    fake_os_append(lab.fake, lab_path(4), "", 0);
    lab_open(&lab);
    lab_expect(&lab, 0, 20);
    lab_expect_status(&lab, TAIL_WAIT);
    ck_assert_uint_eq(fake_os_calls(lab.fake, FAKE_OS_OPEN), 2);
    ck_assert_uint_eq(tail_position(lab.tail).segment, 4);
    ck_assert_uint_eq(tail_position(lab.tail).record, 0);
}

START_TEST(only_the_segment_being_read_is_open)
{
    two_segments();
    ck_assert_uint_eq(fake_os_open_count(lab.fake), 0);
    lab_expect(&lab, 0, 20);
    ck_assert_uint_eq(fake_os_open_count(lab.fake), 1);
}

START_TEST(a_gap_in_the_numbers_is_told_and_passed)
{
    lab_segment(&lab, 3, &ten);
    lab_segment(&lab, 7, &next_ten);
    lab_open(&lab);
    lab_expect(&lab, 0, 10);
    lab_expect_gap(&lab, 4, 6);
    ck_assert_uint_eq(lab.out.at.segment, 7);
    lab_expect(&lab, 10, 10);
}

START_TEST(segments_that_vanish_before_they_are_read_are_a_gap)
{
    for (uint32_t i = 0; i < 4; i++) {
        lab_segment(&lab, i, i == 3 ? &next_ten : &ten);
    }
    lab_open(&lab);
    for (uint32_t i = 0; i < 3; i++) {
        fake_os_unlink(lab.fake, lab_path(i));
    }
    lab_expect_gap(&lab, 0, 2); /* although nobody has refreshed */
    lab_expect(&lab, 10, 10);
    lab_refresh(&lab);
    ck_assert(lab.changed && !lab.replaced);
}

START_TEST(a_segment_unlinked_while_it_is_read_is_read_to_its_end)
{
    two_segments();
    lab_expect(&lab, 0, 3);
    fake_os_unlink(lab.fake, lab_path(0));
    lab_refresh(&lab);
    lab_expect(&lab, 3, 17);
}

START_TEST(a_file_shorter_than_it_was_listed_is_no_endless_loop)
{
    lab_segment(&lab, 0, &ten);
    lab_open(&lab);
    fake_os_truncate(lab.fake, lab_path(0), 300);
    lab_expect(&lab, 0, 2);
    lab_expect_status(&lab, TAIL_WAIT);
    lab_refresh(&lab);
    lab_expect_status(&lab, TAIL_WAIT);
}

START_TEST(a_file_replaced_before_it_was_opened_is_not_read)
{
    two_segments();
    lab_expect(&lab, 0, 10);
    fake_os_replace(lab.fake, lab_path(1), "", 0);
    lab_segment(&lab, 1, &ten);
    lab_expect_status(&lab, TAIL_WAIT);
    lab_settle(&lab);
    ck_assert(lab.replaced);
}

START_TEST(a_torn_tail_behind_which_writing_went_on_is_damage)
{
    struct lab_records torn = {.first = 0, .count = 10, .bytes = 100, .torn = 30};
    lab_segment(&lab, 0, &torn);
    lab_segment(&lab, 1, &next_ten);
    lab_open(&lab);
    lab_expect(&lab, 0, 9);
    lab_expect_status(&lab, TAIL_DAMAGE);
    ck_assert_uint_eq(lab.out.damage_bytes, 77);
    ck_assert_uint_eq(lab.out.offset, 9 * 107);
    ck_assert_uint_eq(lab.out.at.record, 9);
    ck_assert_ptr_nonnull(lab.out.damage_text);
    lab_expect(&lab, 10, 10);
}

START_TEST(after_damage_reading_goes_on_at_the_next_page)
{
    struct lab_records pages = {.first = 0, .count = 1000, .bytes = 1000, .padded = true};
    lab_segment(&lab, 0, &pages);
    lab_segment(&lab, 1, &ten);
    fake_os_overwrite(lab.fake, lab_path(0), 5 * 1007 + 100, "broken", 6);
    lab_open(&lab);
    lab_expect(&lab, 0, 5);
    lab_expect_status(&lab, TAIL_DAMAGE);
    uint64_t lost = lab.out.damage_bytes;
    ck_assert_uint_gt(lost, 1007);
    ck_assert_uint_lt(lost, WAL_PAGE_BYTES + 1007);
    lab_expect_status(&lab, TAIL_RECORD);
    uint32_t first = lab_number(&lab.out);
    ck_assert_uint_eq(lab.out.at.record, 5); /* damaged ones are no ordinals */
    lab_expect(&lab, first + 1, 1000 - first - 1);
    lab_expect(&lab, 0, 10);
}

/* Only the last pages can be torn by a write under way: before them nobody needs to wait. */
START_TEST(damage_far_from_the_end_of_the_newest_segment_is_told_at_once)
{
    struct lab_records pages = {.first = 0, .count = 1000, .bytes = 1000};
    lab_segment(&lab, 0, &pages);
    fake_os_overwrite(lab.fake, lab_path(0), 5 * 1007 + 100, "broken", 6);
    lab_open(&lab);
    lab_expect(&lab, 0, 5);
    lab_expect_status(&lab, TAIL_DAMAGE);
    lab_expect_status(&lab, TAIL_RECORD);
    uint32_t first = lab_number(&lab.out);
    lab_expect(&lab, first + 1, 1000 - first - 1);
    lab_expect_status(&lab, TAIL_WAIT);
}

/* ---- places ---- */

static const struct position places[] = {
    {.generation = 1, .segment = 0, .record = 0}, {.generation = 1, .segment = 0, .record = 1},
    {.generation = 1, .segment = 0, .record = 9}, {.generation = 1, .segment = 0, .record = 10},
    {.generation = 1, .segment = 1, .record = 0}, {.generation = 1, .segment = 1, .record = 7},
};

START_TEST(a_place_is_found_again_with_the_checksum_before_it)
{
    uint32_t number = places[_i].segment * 10 + places[_i].record;
    two_segments();
    uint32_t previous = 0;
    for (uint32_t i = 0; i < number; i++) {
        lab_expect(&lab, i, 1);
        previous = lab.out.crc;
    }
    tail_seek(lab.tail, &places[_i]);
    struct position at = tail_position(lab.tail);
    ck_assert_int_eq(position_compare(&at, &places[_i]), 0);
    lab_expect(&lab, number, 1);
    ck_assert_uint_eq(lab.out.previous_crc, number % 10 == 0 ? 0 : previous);
    lab_expect(&lab, number + 1, 19 - number);
}

START_TEST(a_mark_moves_another_tail_to_the_same_place_at_once)
{
    struct lab_records big = {.count = 50, .bytes = 100000};
    struct position at;
    uint64_t offset;
    uint32_t previous;
    lab_segment(&lab, 0, &big);
    lab_open(&lab);
    lab_expect(&lab, 0, 40);
    tail_mark(lab.tail, &at, &offset, &previous);
    ck_assert_uint_eq(at.record, 40);
    ck_assert_uint_eq(previous, lab.out.crc);
    struct tail *other = tail_new(lab.dir);
    uint64_t reads = fake_os_calls(lab.fake, FAKE_OS_PREAD);
    tail_seek_offset(other, &at, offset, previous);
    tail_free(lab.tail);
    lab.tail = other;
    lab_expect(&lab, 40, 1);
    ck_assert_uint_eq(lab.out.previous_crc, previous);
    ck_assert_uint_eq(lab.out.at.record, 40);
    ck_assert_uint_le(fake_os_calls(lab.fake, FAKE_OS_PREAD) - reads, 2);
    lab_expect(&lab, 41, 9);
}

START_TEST(the_mark_of_a_place_not_reached_yet_leads_there_too)
{
    struct position sought = {.generation = 1, .segment = 0, .record = 6};
    struct position at;
    uint64_t offset;
    uint32_t previous;
    two_segments();
    tail_seek(lab.tail, &sought);
    tail_mark(lab.tail, &at, &offset, &previous);
    ck_assert_uint_eq(offset, TAIL_OFFSET_UNKNOWN);
    tail_seek_offset(lab.tail, &at, offset, previous);
    lab_expect(&lab, 6, 1);
    ck_assert_uint_eq(lab.out.at.record, 6);
}

START_TEST(a_mark_after_damage_does_not_tell_it_again)
{
    struct lab_records torn = {.count = 10, .bytes = 100, .torn = 30};
    struct position at;
    uint64_t offset;
    uint32_t previous;
    lab_segment(&lab, 0, &torn);
    lab_segment(&lab, 1, &next_ten);
    lab_open(&lab);
    lab_expect(&lab, 0, 9);
    lab_expect_status(&lab, TAIL_DAMAGE);
    tail_mark(lab.tail, &at, &offset, &previous);
    tail_seek_offset(lab.tail, &at, offset, previous);
    lab_expect(&lab, 10, 10);
}

START_TEST(damage_before_a_sought_place_is_not_told_again)
{
    struct position sought = {.generation = 1, .segment = 0, .record = 6};
    struct lab_records pages = {.count = 100, .bytes = 1000, .padded = true};
    lab_segment(&lab, 0, &pages);
    lab_segment(&lab, 1, &ten);
    fake_os_overwrite(lab.fake, lab_path(0), 5 * 1007 + 100, "broken", 6);
    lab_open(&lab);
    tail_seek(lab.tail, &sought);
    lab_expect_status(&lab, TAIL_RECORD);
    ck_assert_uint_eq(lab.out.at.record, 6);
}

START_TEST(a_place_beyond_the_records_of_its_segment_is_the_next_segment)
{
    struct position sought = {.generation = 1, .segment = 0, .record = 500};
    two_segments();
    tail_seek(lab.tail, &sought);
    lab_expect(&lab, 10, 1);
    ck_assert_uint_eq(lab.out.at.segment, 1);
    ck_assert_uint_eq(lab.out.at.record, 0);
}

START_TEST(a_place_whose_segment_is_gone_is_a_gap)
{
    struct position sought = {.generation = 1, .segment = 2, .record = 5};
    lab_segment(&lab, 4, &ten);
    lab_open(&lab);
    tail_seek(lab.tail, &sought);
    lab_expect_gap(&lab, 2, 3);
    lab_expect(&lab, 0, 10);
}

START_TEST(the_bytes_behind_shrink_to_nothing)
{
    struct lab_records open_ended = {.first = 10, .count = 10, .bytes = 100};
    lab_segment(&lab, 0, &ten);
    lab_segment(&lab, 1, &open_ended);
    lab_open(&lab);
    ck_assert_uint_eq(tail_behind_bytes(lab.tail), WAL_PAGE_BYTES + 1070);
    lab_expect(&lab, 0, 11);
    ck_assert_uint_eq(tail_behind_bytes(lab.tail), 1070 - 107);
    lab_expect(&lab, 11, 9);
    lab_expect_status(&lab, TAIL_WAIT);
    ck_assert_uint_eq(tail_behind_bytes(lab.tail), 0);
}

START_TEST(an_error_ends_no_reading)
{
    static const enum fake_os_call calls[] = {FAKE_OS_OPEN, FAKE_OS_STAT, FAKE_OS_PREAD};
    two_segments();
    fake_os_fail_nth(lab.fake, calls[_i], 1, EIO);
    lab_expect_status(&lab, TAIL_FAILED);
    ck_assert_int_eq(lab.err.code, EIO);
    ck_assert_ptr_nonnull(strstr(lab.err.text, "/wal"));
    lab_expect(&lab, 0, 20);
}

START_TEST(a_file_that_can_not_be_read_is_tried_again_and_again)
{
    two_segments();
    lab_expect(&lab, 0, 10);
    fake_os_fail_path(lab.fake, lab_path(1), EIO);
    for (int i = 0; i < 5; i++) {
        lab_expect_status(&lab, TAIL_FAILED);
    }
    fake_os_fail_path(lab.fake, lab_path(1), 0);
    lab_expect(&lab, 10, 10);
}

/* The disk is bad in the first page of segment 0; it fails at every read that begins there. */
START_TEST(a_page_that_stays_unreadable_is_damage_after_ten_minutes)
{
    struct lab_records pages = {.first = 0, .count = 1000, .bytes = 1000, .padded = true};
    lab_segment(&lab, 0, &pages);
    lab_segment(&lab, 1, &ten);
    lab_open(&lab);
    for (int minutes = 0; minutes < 10; minutes++) {
        fake_os_fail_nth(lab.fake, FAKE_OS_PREAD, 1, EIO);
        lab_expect_status(&lab, TAIL_FAILED);
        fake_os_advance(lab.fake, 60000);
    }
    fake_os_fail_nth(lab.fake, FAKE_OS_PREAD, 1, EIO);
    lab_expect_status(&lab, TAIL_DAMAGE);
    ck_assert_uint_ge(lab.out.damage_bytes, WAL_PAGE_BYTES);
    ck_assert_uint_lt(lab.out.damage_bytes, WAL_PAGE_BYTES + 1007);
    lab_expect_status(&lab, TAIL_RECORD);
    uint32_t first = lab_number(&lab.out);
    ck_assert_uint_ge(first, 32);
    lab_expect(&lab, first + 1, 1000 - first - 1);
    lab_expect(&lab, 0, 10);
}

static const struct {
    int error;
    uint32_t segment; /* 1 is still written to */
} patient[] = {{EACCES, 0}, {EIO, 1}};

START_TEST(other_errors_and_the_newest_segment_are_waited_for)
{
    struct position start = {.generation = 1, .segment = patient[_i].segment};
    two_segments();
    tail_seek(lab.tail, &start);
    for (int hours = 0; hours < 10; hours++) {
        fake_os_fail_nth(lab.fake, FAKE_OS_PREAD, 1, patient[_i].error);
        lab_expect_status(&lab, TAIL_FAILED);
        fake_os_advance(lab.fake, 3600000);
    }
    lab_expect(&lab, start.segment * 10, 10);
}

START_TEST(a_disk_that_comes_back_starts_the_ten_minutes_anew)
{
    struct lab_records pages = {.first = 0, .count = 1000, .bytes = 1000, .padded = true};
    lab_segment(&lab, 0, &pages);
    lab_segment(&lab, 1, &ten);
    lab_open(&lab);
    for (uint32_t i = 0; i < 1000; i++) {
        fake_os_fail_nth(lab.fake, FAKE_OS_PREAD, 1, EIO);
        enum tail_status status = lab_next(&lab);
        if (status == TAIL_FAILED) {
            fake_os_advance(lab.fake, 599000);
            status = lab_next(&lab);
        }
        ck_assert_int_eq(status, TAIL_RECORD);
        ck_assert_uint_eq(lab_number(&lab.out), i);
    }
}

START_TEST(a_place_sought_again_is_given_ten_minutes_of_its_own)
{
    struct position start = {.generation = 1};
    two_segments();
    for (int i = 0; i < 3; i++) {
        fake_os_fail_nth(lab.fake, FAKE_OS_PREAD, 1, EIO);
        lab_expect_status(&lab, TAIL_FAILED);
        fake_os_advance(lab.fake, 599000);
        tail_seek(lab.tail, &start);
    }
    lab_expect(&lab, 0, 20);
}

Suite *suite_tail(void);

Suite *suite_tail(void)
{
    Suite *suite = suite_create("tail");
    TCase *reading = tcase_create("reading");
    tcase_add_checked_fixture(reading, setup, teardown);
    tcase_add_test(reading, records_come_in_order_with_place_and_checksums);
    tcase_add_loop_test(reading, records_of_any_size_are_read_whole, 0, (int)ARRAY_COUNT(shapes));
    tcase_add_loop_test(reading, short_reads_change_nothing, 0, (int)ARRAY_COUNT(shapes));
    tcase_add_test(reading, catching_up_reads_in_big_strides);
    tcase_add_test(reading, empty_segments_are_passed_over_unopened);
    tcase_add_test(reading, only_the_segment_being_read_is_open);
    tcase_add_test(reading, a_gap_in_the_numbers_is_told_and_passed);
    tcase_add_test(reading, segments_that_vanish_before_they_are_read_are_a_gap);
    tcase_add_test(reading, a_segment_unlinked_while_it_is_read_is_read_to_its_end);
    tcase_add_test(reading, a_file_shorter_than_it_was_listed_is_no_endless_loop);
    tcase_add_test(reading, a_file_replaced_before_it_was_opened_is_not_read);
    tcase_add_test(reading, a_torn_tail_behind_which_writing_went_on_is_damage);
    tcase_add_test(reading, after_damage_reading_goes_on_at_the_next_page);
    tcase_add_test(reading, damage_far_from_the_end_of_the_newest_segment_is_told_at_once);
    tcase_add_loop_test(reading, an_error_ends_no_reading, 0, 3);
    tcase_add_test(reading, a_file_that_can_not_be_read_is_tried_again_and_again);
    tcase_add_test(reading, a_page_that_stays_unreadable_is_damage_after_ten_minutes);
    tcase_add_loop_test(reading, other_errors_and_the_newest_segment_are_waited_for, 0, 2);
    tcase_add_test(reading, a_place_sought_again_is_given_ten_minutes_of_its_own);
    tcase_add_test(reading, a_disk_that_comes_back_starts_the_ten_minutes_anew);
    suite_add_tcase(suite, reading);
    TCase *finding = tcase_create("places");
    tcase_add_checked_fixture(finding, setup, teardown);
    tcase_add_loop_test(finding, a_place_is_found_again_with_the_checksum_before_it, 0,
                        (int)ARRAY_COUNT(places));
    tcase_add_test(finding, a_mark_moves_another_tail_to_the_same_place_at_once);
    tcase_add_test(finding, the_mark_of_a_place_not_reached_yet_leads_there_too);
    tcase_add_test(finding, a_mark_after_damage_does_not_tell_it_again);
    tcase_add_test(finding, damage_before_a_sought_place_is_not_told_again);
    tcase_add_test(finding, a_place_beyond_the_records_of_its_segment_is_the_next_segment);
    tcase_add_test(finding, a_place_whose_segment_is_gone_is_a_gap);
    tcase_add_test(finding, the_bytes_behind_shrink_to_nothing);
    suite_add_tcase(suite, finding);
    return suite;
}

/* test_live.c - tailing a WAL that is being written, repaired, emptied or frozen meanwhile. */
#include "lab.h"

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

/* ---- growth ---- */

static const struct {
    struct lab_records records;
    size_t stride;
} growths[] = {
    {{.count = 12, .bytes = 40}, 1},
    {{.count = 12, .bytes = 40, .padded = true}, 1},
    {{.count = 4, .bytes = 40000, .padded = true}, 13},
    {{.count = 30, .bytes = 5000, .padded = true, .compression = WAL_WRITER_SNAPPY}, 7},
    {{.count = 2, .bytes = WAL_PAGE_BYTES - 14, .padded = true}, 3}, /* an empty first fragment */
    {{.count = 2, .bytes = WAL_PAGE_BYTES - 10, .padded = true}, 3}, /* padding below a header */
    {{.count = 40, .bytes = 100000, .padded = true}, 4999},
};

START_TEST(every_prefix_gives_whole_records_and_never_damage)
{
    struct wal_writer writer;
    uint32_t seen = 0;
    lab_write(&writer, &growths[_i].records);
    fake_os_append(lab.fake, lab_path(0), "", 0);
    lab_open(&lab);
    size_t stride = growths[_i].stride;
    for (size_t at = 0; at < writer.bytes.bytes; at += stride) {
        size_t left = writer.bytes.bytes - at;
        fake_os_append(lab.fake, lab_path(0), writer.bytes.data + at,
                       left < stride ? left : stride);
        lab_refresh(&lab);
        enum tail_status status;
        while ((status = lab_next(&lab)) == TAIL_RECORD) {
            ck_assert_uint_eq(lab_number(&lab.out), seen);
            seen++;
        }
        ck_assert_int_eq(status, TAIL_WAIT);
        ck_assert(!lab.replaced);
    }
    ck_assert_uint_eq(seen, growths[_i].records.count);
    wal_writer_release(&writer);
}

START_TEST(an_idle_tail_makes_no_system_call)
{
    struct lab_records half = {.count = 10, .bytes = 100, .torn = 50};
    lab_segment(&lab, 0, &half);
    lab_open(&lab);
    lab_expect(&lab, 0, 9);
    lab_expect_status(&lab, TAIL_WAIT);
    uint64_t before[FAKE_OS_CALLS];
    for (int i = 0; i < FAKE_OS_CALLS; i++) {
        before[i] = fake_os_calls(lab.fake, (enum fake_os_call)i);
    }
    for (int i = 0; i < 100; i++) {
        lab_expect_status(&lab, TAIL_WAIT);
    }
    for (int i = 0; i < FAKE_OS_CALLS; i++) {
        ck_assert_uint_eq(fake_os_calls(lab.fake, (enum fake_os_call)i), before[i]);
    }
}

START_TEST(at_a_clean_end_a_refresh_costs_no_read)
{
    lab_segment(&lab, 0, &ten);
    lab_open(&lab);
    lab_expect(&lab, 0, 10);
    lab_expect_status(&lab, TAIL_WAIT);
    uint64_t reads = fake_os_calls(lab.fake, FAKE_OS_PREAD);
    for (int i = 0; i < 100; i++) {
        lab_refresh(&lab);
        lab_expect_status(&lab, TAIL_WAIT);
    }
    ck_assert_uint_eq(fake_os_calls(lab.fake, FAKE_OS_PREAD), reads);
}

START_TEST(a_live_record_costs_one_read)
{
    struct lab_records one = {.count = 1, .bytes = 100};
    fake_os_append(lab.fake, lab_path(0), "", 0);
    lab_open(&lab);
    lab_expect_status(&lab, TAIL_WAIT);
    for (uint32_t i = 0; i < 100; i++) {
        one.first = i;
        lab_segment(&lab, 0, &one); /* appends; 107 bytes each, all in the first page */
        lab_refresh(&lab);
        lab_expect(&lab, i, 1);
        lab_expect_status(&lab, TAIL_WAIT);
    }
    ck_assert_uint_eq(fake_os_calls(lab.fake, FAKE_OS_PREAD), 100);
}

START_TEST(the_roll_to_the_next_segment_needs_one_refresh)
{
    struct lab_records first = ten;
    first.padded = false;
    lab_segment(&lab, 0, &first);
    lab_open(&lab);
    lab_expect(&lab, 0, 10);
    lab_expect_status(&lab, TAIL_WAIT);
    fake_os_truncate(lab.fake, lab_path(0), WAL_PAGE_BYTES); /* zeros */
    lab_segment(&lab, 1, &next_ten);
    lab_refresh(&lab);
    lab_expect(&lab, 10, 10);
    lab_expect_status(&lab, TAIL_WAIT);
}

START_TEST(a_segment_grown_rolled_and_unlinked_between_two_looks_is_read_to_its_end)
{
    struct lab_records more = {.first = 10, .count = 10, .bytes = 100};
    struct lab_records last = {.first = 20, .count = 10, .bytes = 100};
    struct lab_records first = ten;
    first.padded = false;
    lab_segment(&lab, 0, &first);
    lab_open(&lab);
    lab_expect(&lab, 0, 10);
    lab_expect_status(&lab, TAIL_WAIT);
    lab_segment(&lab, 0, &more);
    lab_segment(&lab, 1, &last);
    fake_os_unlink(lab.fake, lab_path(0));
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
    lab_expect(&lab, 10, 20);
}

START_TEST(missed_hints_cost_nothing_but_time)
{
    fake_os_hint_faults(lab.fake, 100, 0);
    lab_segment(&lab, 0, &ten);
    lab_open(&lab);
    lab_expect(&lab, 0, 10);
    lab_expect_status(&lab, TAIL_WAIT);
    lab_segment(&lab, 1, &next_ten);
    ck_assert_int_eq(lab.os->hint(lab.os), OS_HINT_NONE);
    lab_refresh(&lab);
    ck_assert(lab.changed);
    lab_expect(&lab, 10, 10);
}

/* A torn tail is waited for while it may still be completed, and damage once writing went on. */
START_TEST(a_torn_tail_is_damage_only_when_the_next_segment_exists)
{
    struct lab_records torn = {.first = 0, .count = 10, .bytes = 100, .torn = 30};
    lab_segment(&lab, 0, &torn);
    lab_open(&lab);
    lab_expect(&lab, 0, 9);
    for (int i = 0; i < 50; i++) {
        lab_refresh(&lab);
        lab_expect_status(&lab, TAIL_WAIT);
    }
    fake_os_append(lab.fake, lab_path(1), "", 0);
    lab_refresh(&lab);
    lab_expect_status(&lab, TAIL_DAMAGE);
    ck_assert_uint_eq(lab.out.damage_bytes, 77);
    lab_expect_status(&lab, TAIL_WAIT);
    lab_segment(&lab, 1, &next_ten);
    lab_refresh(&lab);
    lab_expect(&lab, 10, 10);
}

/* Bytes of a racing write may be seen as zeros or garbage first. */
START_TEST(bytes_that_were_half_written_are_read_again)
{
    struct wal_writer writer;
    struct lab_records plain = {.count = 10, .bytes = 100};
    lab_write(&writer, &plain);
    fake_os_append(lab.fake, lab_path(0), writer.bytes.data, 950);
    fake_os_append(lab.fake, lab_path(0), "################", 16);
    lab_open(&lab);
    lab_expect(&lab, 0, 8);
    lab_expect_status(&lab, TAIL_WAIT);
    fake_os_overwrite(lab.fake, lab_path(0), 950, writer.bytes.data + 950, 16);
    lab_refresh(&lab);
    lab_expect(&lab, 8, 1);
    lab_expect_status(&lab, TAIL_WAIT);
    wal_writer_release(&writer);
}

/* ---- repair, emptying ---- */

/* Segment 1 is corrupt behind five records; the server drops 2, rewrites 1 compressed, goes on
 * in 2. */
static void repair(void)
{
    struct lab_records five = {
        .first = 10, .count = 5, .bytes = 100, .padded = true, .compression = WAL_WRITER_SNAPPY};
    struct lab_records later = {.first = 50, .count = 10, .bytes = 100, .padded = true};
    fake_os_unlink(lab.fake, lab_path(2));
    fake_os_rename(lab.fake, lab_path(1), "/wal/00000001.repair");
    lab_segment(&lab, 1, &five);
    fake_os_unlink(lab.fake, "/wal/00000001.repair");
    lab_segment(&lab, 2, &later);
}

START_TEST(a_repaired_wal_is_found_again_by_ordinal)
{
    struct lab_records torn = {.first = 10, .count = 6, .bytes = 100, .torn = 20};
    lab_segment(&lab, 0, &ten);
    lab_segment(&lab, 1, &torn);
    fake_os_append(lab.fake, lab_path(2), "", 0);
    lab_open(&lab);
    lab_expect(&lab, 0, 13);
    uint32_t crc = lab.out.crc;
    struct position at = tail_position(lab.tail);
    repair();
    lab_settle(&lab);
    ck_assert(lab.replaced);
    lab_expect_status(&lab, TAIL_WAIT); /* although the old file has more */
    waldir_set_generation(lab.dir, 2);
    at.generation = 2;
    tail_seek(lab.tail, &at);
    lab_expect(&lab, 13, 1);
    ck_assert_uint_eq(lab.out.previous_crc, crc);
    ck_assert_uint_eq(lab.out.at.generation, 2);
    lab_expect(&lab, 14, 1);
    lab_expect(&lab, 50, 10);
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
}

START_TEST(a_tail_on_the_deleted_newest_segment_does_not_wait_for_ever)
{
    lab_segment(&lab, 0, &ten);
    lab_segment(&lab, 1, &next_ten);
    lab_open(&lab);
    lab_expect(&lab, 0, 20);
    lab_expect_status(&lab, TAIL_WAIT);
    fake_os_reuse_inodes(lab.fake, true);
    fake_os_unlink(lab.fake, lab_path(1));
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
    lab_expect_status(&lab, TAIL_WAIT);
    lab_segment(&lab, 1, &next_ten);
    lab_settle(&lab);
    ck_assert(lab.replaced);
}

START_TEST(an_emptied_directory_that_starts_at_0_is_read_from_there)
{
    struct position start = {.generation = 2};
    lab_segment(&lab, 5, &ten);
    lab_segment(&lab, 6, &next_ten);
    lab_open(&lab);
    lab_expect(&lab, 0, 15);
    fake_os_unlink(lab.fake, lab_path(5));
    fake_os_unlink(lab.fake, lab_path(6));
    lab_refresh(&lab);
    lab_expect(&lab, 15, 5); /* it is open */
    lab_expect_status(&lab, TAIL_WAIT);
    lab_segment(&lab, 0, &ten);
    lab_settle(&lab);
    ck_assert(lab.replaced);
    lab_expect_status(&lab, TAIL_WAIT);
    waldir_set_generation(lab.dir, 2);
    tail_seek(lab.tail, &start);
    lab_expect(&lab, 0, 10);
}

START_TEST(a_power_cut_that_cut_what_was_read_is_noticed)
{
    lab_segment(&lab, 0, &ten);
    fake_os_sync(lab.fake, lab_path(0));
    lab_open(&lab);
    lab_segment(&lab, 0, &next_ten);
    lab_refresh(&lab);
    lab_expect(&lab, 0, 20);
    fake_os_power_cut(lab.fake, NULL);
    lab_settle(&lab);
    ck_assert(lab.replaced);
    ck_assert_uint_eq(waldir_at(lab.dir, 0)->bytes, WAL_PAGE_BYTES);
}

/* ---- frozen ---- */

START_TEST(frozen_nothing_beyond_the_sizes_seen_exists)
{
    struct lab_records half = {.first = 10, .count = 10, .bytes = 100, .torn = 50};
    struct lab_records more = {.first = 20, .count = 10, .bytes = 100};
    lab_segment(&lab, 0, &ten);
    lab_segment(&lab, 1, &half);
    lab_open(&lab);
    waldir_freeze(lab.dir);
    lab_segment(&lab, 1, &more);
    lab_segment(&lab, 2, &more);
    fake_os_advance(lab.fake, 5000);
    lab_refresh(&lab);
    ck_assert(!lab.changed);
    ck_assert_uint_eq(waldir_count(lab.dir), 2);
    lab_expect(&lab, 0, 19);
    for (int i = 0; i < 20; i++) {
        lab_refresh(&lab);
        lab_expect_status(&lab, TAIL_WAIT); /* the unfinished record is no damage */
    }
    ck_assert_uint_eq(tail_behind_bytes(lab.tail), 57);
}

START_TEST(frozen_damage_needs_no_patience)
{
    struct lab_records half = {.first = 0, .count = 400, .bytes = 100, .torn = 50};
    lab_segment(&lab, 0, &half);
    fake_os_overwrite(lab.fake, lab_path(0), 5 * 107 + 50, "broken", 6);
    lab_open(&lab);
    waldir_freeze(lab.dir);
    lab_expect(&lab, 0, 5);
    lab_expect_status(&lab, TAIL_DAMAGE);
    lab_expect_status(&lab, TAIL_RECORD);
    uint32_t first = lab_number(&lab.out);
    lab_expect(&lab, first + 1, 399 - first - 1);
    lab_expect_status(&lab, TAIL_WAIT);
}

START_TEST(an_empty_directory_frozen_stays_empty)
{
    lab_open(&lab);
    waldir_freeze(lab.dir);
    lab_segment(&lab, 0, &ten);
    lab_refresh(&lab);
    lab_expect_status(&lab, TAIL_WAIT);
}

Suite *suite_live(void);

Suite *suite_live(void)
{
    Suite *suite = suite_create("live");
    TCase *growth = tcase_create("growth");
    tcase_add_checked_fixture(growth, setup, teardown);
    tcase_set_timeout(growth, 60);
    tcase_add_loop_test(growth, every_prefix_gives_whole_records_and_never_damage, 0,
                        (int)ARRAY_COUNT(growths));
    tcase_add_test(growth, an_idle_tail_makes_no_system_call);
    tcase_add_test(growth, at_a_clean_end_a_refresh_costs_no_read);
    tcase_add_test(growth, a_live_record_costs_one_read);
    tcase_add_test(growth, the_roll_to_the_next_segment_needs_one_refresh);
    tcase_add_test(growth,
                   a_segment_grown_rolled_and_unlinked_between_two_looks_is_read_to_its_end);
    tcase_add_test(growth, missed_hints_cost_nothing_but_time);
    tcase_add_test(growth, a_torn_tail_is_damage_only_when_the_next_segment_exists);
    tcase_add_test(growth, bytes_that_were_half_written_are_read_again);
    suite_add_tcase(suite, growth);
    TCase *other = tcase_create("repaired, emptied, frozen");
    tcase_add_checked_fixture(other, setup, teardown);
    tcase_add_test(other, a_repaired_wal_is_found_again_by_ordinal);
    tcase_add_test(other, a_tail_on_the_deleted_newest_segment_does_not_wait_for_ever);
    tcase_add_test(other, an_emptied_directory_that_starts_at_0_is_read_from_there);
    tcase_add_test(other, a_power_cut_that_cut_what_was_read_is_noticed);
    tcase_add_test(other, frozen_nothing_beyond_the_sizes_seen_exists);
    tcase_add_test(other, frozen_damage_needs_no_patience);
    tcase_add_test(other, an_empty_directory_frozen_stays_empty);
    suite_add_tcase(suite, other);
    return suite;
}

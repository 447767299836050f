/* test_waldir.c - what a look at the directory finds, and what it makes of it. */
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

START_TEST(segments_are_sorted_by_number_and_other_names_ignored)
{
    static const char *const names[] = {
        "/wal/100000000",
        "/wal/99999999",
        "/wal/00000007",
        "/wal/00000003.repair",
        "/wal/checkpoint.00000001.tmp",
        "/wal/series_state.json",
        "/wal/12ab",
        "/wal/-5",
        "/wal/99999999999",
    };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        fake_os_append(lab.fake, names[i], "", 0);
    }
    fake_os_mkdir(lab.fake, "/wal/00000009");
    lab_open(&lab);
    ck_assert_uint_eq(waldir_count(lab.dir), 3);
    ck_assert_uint_eq(waldir_at(lab.dir, 0)->number, 7);
    ck_assert_uint_eq(waldir_at(lab.dir, 1)->number, 99999999);
    ck_assert_uint_eq(waldir_at(lab.dir, 2)->number, 100000000);
    uint32_t checkpoint;
    ck_assert(!waldir_checkpoint(lab.dir, &checkpoint));
}

START_TEST(the_newest_checkpoint_directory_counts)
{
    uint32_t checkpoint = 0;
    lab_segment(&lab, 0, &ten);
    fake_os_mkdir(lab.fake, "/wal/checkpoint.00000010");
    fake_os_mkdir(lab.fake, "/wal/checkpoint.00000009");
    fake_os_mkdir(lab.fake, "/wal/checkpoint.00000011.tmp");
    lab_open(&lab);
    ck_assert(waldir_checkpoint(lab.dir, &checkpoint));
    ck_assert_uint_eq(checkpoint, 10);
    fake_os_rename(lab.fake, "/wal/checkpoint.00000011.tmp", "/wal/checkpoint.00000011");
    lab_refresh(&lab);
    ck_assert(lab.changed && !lab.replaced);
    ck_assert(waldir_checkpoint(lab.dir, &checkpoint));
    ck_assert_uint_eq(checkpoint, 11);
}

/* In whatever order they are listed. */
START_TEST(the_checkpoint_before_the_newest_is_known)
{
    static const uint32_t orders[][3] = {{3, 7, 9}, {9, 7, 3}, {7, 9, 3}, {9, 3, 7}};
    uint32_t checkpoint = 0;
    lab_segment(&lab, 0, &ten);
    for (size_t i = 0; i < 3; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/wal/checkpoint.%08u", orders[_i][i]);
        fake_os_mkdir(lab.fake, path);
    }
    lab_open(&lab);
    ck_assert(waldir_checkpoint_below(lab.dir, &checkpoint));
    ck_assert_uint_eq(checkpoint, 7);
    fake_os_unlink(lab.fake, "/wal/checkpoint.00000003");
    fake_os_unlink(lab.fake, "/wal/checkpoint.00000007");
    lab_refresh(&lab);
    ck_assert(!waldir_checkpoint_below(lab.dir, &checkpoint));
}

START_TEST(a_file_is_no_checkpoint)
{
    uint32_t checkpoint;
    lab_segment(&lab, 0, &ten);
    fake_os_append(lab.fake, "/wal/checkpoint.00000012", "a file", 6);
    lab_open(&lab);
    ck_assert(!waldir_checkpoint(lab.dir, &checkpoint));
}

START_TEST(the_data_directory_may_be_named)
{
    fake_os_mkdir(lab.fake, "/data");
    fake_os_append(lab.fake, "/data/lock", "", 0);
    fake_os_mkdir(lab.fake, "/data/01ABCDEF");
    fake_os_mkdir(lab.fake, "/data/wal");
    fake_os_append(lab.fake, "/data/wal/00000000", "", 0);
    lab.dir = waldir_open(lab.os, "/data/", &lab.err);
    ck_assert_msg(lab.dir != NULL, "%s", lab.err.text);
    ck_assert_str_eq(waldir_path(lab.dir), "/data/wal");
    ck_assert_uint_eq(waldir_count(lab.dir), 1);
}

START_TEST(the_data_directory_may_be_named_before_prometheus_made_the_wal_in_it)
{
    fake_os_mkdir(lab.fake, "/data");
    lab.dir = waldir_open(lab.os, "/data", &lab.err);
    ck_assert_msg(lab.dir != NULL, "%s", lab.err.text);
    lab_refresh(&lab);
    ck_assert(!lab.changed && waldir_count(lab.dir) == 0);
    fake_os_append(lab.fake, "/data/lock", "", 0);
    fake_os_mkdir(lab.fake, "/data/wal");
    lab_refresh(&lab);
    ck_assert_str_eq(waldir_path(lab.dir), "/data/wal");
    fake_os_append(lab.fake, "/data/wal/00000000", "", 0);
    lab_refresh(&lab);
    ck_assert(lab.changed && !lab.replaced);
    ck_assert_uint_eq(waldir_count(lab.dir), 1);
}

START_TEST(a_wal_that_was_empty_stays_the_wal)
{
    lab_open(&lab);
    lab_segment(&lab, 0, &ten);
    lab_refresh(&lab);
    fake_os_unlink(lab.fake, lab_path(0));
    fake_os_mkdir(lab.fake, "/wal/wal");
    lab_refresh(&lab);
    ck_assert_str_eq(waldir_path(lab.dir), "/wal");
}

START_TEST(an_empty_directory_is_a_wal_to_come)
{
    lab_open(&lab);
    ck_assert_uint_eq(waldir_count(lab.dir), 0);
    lab_expect_status(&lab, TAIL_WAIT);
    lab_segment(&lab, 0, &ten);
    lab_refresh(&lab);
    ck_assert(lab.changed && !lab.replaced);
    lab_expect(&lab, 0, 10);
}

START_TEST(what_prometheus_leaves_beside_segments_is_no_stranger)
{
    fake_os_append(lab.fake, "/wal/series_state.json", "{}", 2);
    fake_os_append(lab.fake, "/wal/00000004.repair", "x", 1);
    fake_os_mkdir(lab.fake, "/wal/checkpoint.00000003.tmp");
    lab_open(&lab);
    ck_assert_uint_eq(waldir_count(lab.dir), 0);
}

static const struct {
    const char *path, *says;
    int error;
} refusals[] = {
    {"/nowhere", "does not exist", ENOENT},
    {"/wal/file", "not a directory", ENOTDIR},
    {"/wal", "not a WAL", 0},
    {"/secret", "not readable", EACCES},
    {"", "empty", ENAMETOOLONG},
};

START_TEST(what_is_no_wal_is_refused_with_a_sentence)
{
    fake_os_append(lab.fake, "/wal/file", "x", 1);
    fake_os_mkdir(lab.fake, "/secret");
    fake_os_fail_path(lab.fake, "/secret", EACCES);
    ck_assert_ptr_null(waldir_open(lab.os, refusals[_i].path, &lab.err));
    ck_assert_ptr_nonnull(strstr(lab.err.text, refusals[_i].says));
    ck_assert_int_eq(lab.err.code, refusals[_i].error);
}

START_TEST(all_but_the_newest_are_sealed_at_once)
{
    for (uint32_t i = 0; i < 3; i++) {
        lab_segment(&lab, i, &ten);
    }
    lab_open(&lab);
    ck_assert(waldir_at(lab.dir, 0)->sealed);
    ck_assert(waldir_at(lab.dir, 1)->sealed);
    ck_assert(!waldir_at(lab.dir, 2)->sealed);
}

/* Segment 1 is listed, but gone when it is looked at: 0 may be about to be repaired. */
START_TEST(the_last_one_that_is_left_is_not_sealed)
{
    lab_segment(&lab, 0, &ten);
    lab_segment(&lab, 1, &ten);
    fake_os_fail_nth(lab.fake, FAKE_OS_STAT, 4, ENOENT); /* the directory, 0 twice, then 1 */
    lab_open(&lab);
    ck_assert_uint_eq(waldir_count(lab.dir), 1);
    ck_assert(!waldir_at(lab.dir, 0)->sealed);
    lab_refresh(&lab);
    ck_assert(lab.changed);
    ck_assert(waldir_at(lab.dir, 0)->sealed);
}

START_TEST(growth_is_seen_and_a_quiet_directory_is_not_changed)
{
    lab_segment(&lab, 0, &ten);
    lab_open(&lab);
    lab_refresh(&lab);
    ck_assert(!lab.changed);
    fake_os_append(lab.fake, lab_path(0), "x", 1);
    lab_refresh(&lab);
    ck_assert(lab.changed);
    ck_assert_uint_eq(waldir_at(lab.dir, 0)->bytes, WAL_PAGE_BYTES + 1);
    lab_refresh(&lab);
    ck_assert(!lab.changed);
}

START_TEST(a_quiet_look_costs_one_list_and_one_stat)
{
    for (uint32_t i = 0; i < 50; i++) {
        lab_segment(&lab, i, &ten);
    }
    lab_open(&lab);
    uint64_t stats = fake_os_calls(lab.fake, FAKE_OS_STAT);
    uint64_t lists = fake_os_calls(lab.fake, FAKE_OS_LIST);
    for (int i = 0; i < 100; i++) {
        lab_refresh(&lab);
    }
    ck_assert_uint_eq(fake_os_calls(lab.fake, FAKE_OS_LIST) - lists, 100);
    ck_assert_uint_eq(fake_os_calls(lab.fake, FAKE_OS_STAT) - stats, 100);
}

/* ---- replaced or not ---- */

static void read_all(void)
{
    while (lab_next(&lab) == TAIL_RECORD) {
    }
}

static void three_segments_read(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        lab_segment(&lab, i, &ten);
    }
    lab_open(&lab);
    read_all();
}

START_TEST(truncation_from_below_is_the_usual_life)
{
    three_segments_read();
    fake_os_unlink(lab.fake, lab_path(0));
    fake_os_unlink(lab.fake, lab_path(1));
    lab_refresh(&lab);
    ck_assert(lab.changed && !lab.replaced);
    ck_assert_uint_eq(waldir_count(lab.dir), 1);
}

START_TEST(a_new_inode_is_another_wal_until_a_new_generation)
{
    three_segments_read();
    fake_os_replace(lab.fake, lab_path(2), "", 0);
    lab_settle(&lab);
    ck_assert(lab.replaced);
    lab_refresh(&lab);
    ck_assert(lab.replaced);
    waldir_set_generation(lab.dir, 2);
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
    ck_assert_uint_eq(waldir_generation(lab.dir), 2);
}

START_TEST(an_old_segment_with_a_new_inode_is_found_within_seconds)
{
    three_segments_read();
    fake_os_replace(lab.fake, lab_path(0), "", 0);
    fake_os_advance(lab.fake, 2000);
    lab_refresh(&lab);
    ck_assert(!lab.replaced); /* others may be about to follow */
    lab_settle(&lab);
    ck_assert(lab.replaced);
}

START_TEST(shorter_than_read_is_another_wal)
{
    three_segments_read();
    fake_os_truncate(lab.fake, lab_path(2), WAL_PAGE_BYTES - 1);
    lab_settle(&lab);
    ck_assert(lab.replaced);
    waldir_set_generation(lab.dir, 2);
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
}

START_TEST(shorter_but_not_than_read_is_no_other_wal)
{
    lab_segment(&lab, 0, &ten);
    lab_open(&lab);
    fake_os_truncate(lab.fake, lab_path(0), 300);
    lab_refresh(&lab);
    ck_assert(lab.changed && !lab.replaced);
    lab_expect(&lab, 0, 2);
    lab_expect_status(&lab, TAIL_WAIT);
}

START_TEST(a_half_done_repair_is_not_told_before_its_files_are_there)
{
    three_segments_read();
    fake_os_unlink(lab.fake, lab_path(2));
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
    fake_os_rename(lab.fake, lab_path(1), "/wal/00000001.repair");
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
    lab_segment(&lab, 1, &ten);
    fake_os_unlink(lab.fake, "/wal/00000001.repair");
    lab_settle(&lab);
    ck_assert(lab.replaced);
}

/* Who looked for his place in a half written segment would not find it. */
START_TEST(a_repair_is_told_when_it_is_done)
{
    static const struct lab_records half = {.count = 3, .bytes = 100};
    three_segments_read();
    fake_os_unlink(lab.fake, lab_path(2));
    fake_os_rename(lab.fake, lab_path(1), "/wal/00000001.repair");
    lab_segment(&lab, 1, &half);
    for (int i = 0; i < 3; i++) {
        lab_settle(&lab);
        ck_assert(!lab.replaced);
        lab_expect_status(&lab, TAIL_WAIT);
    }
    fake_os_unlink(lab.fake, "/wal/00000001.repair");
    fake_os_advance(lab.fake, 300);
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
    lab_segment(&lab, 2, &ten);
    fake_os_advance(lab.fake, 300);
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
    lab_settle(&lab);
    ck_assert(lab.replaced);
    ck_assert_uint_eq(waldir_count(lab.dir), 3);
}

START_TEST(what_a_crashed_repair_left_behind_delays_only)
{
    three_segments_read();
    fake_os_append(lab.fake, "/wal/00000001.repair", "x", 1);
    fake_os_replace(lab.fake, lab_path(2), "", 0);
    lab_settle(&lab);
    ck_assert(!lab.replaced);
    fake_os_replace(lab.fake, lab_path(2), "", 0);
    fake_os_advance(lab.fake, 5000);
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
    fake_os_advance(lab.fake, 5000);
    lab_refresh(&lab);
    ck_assert(lab.replaced);
}

START_TEST(an_emptied_directory_is_another_wal_when_it_starts_again)
{
    three_segments_read();
    fake_os_reuse_inodes(lab.fake, true);
    for (uint32_t i = 0; i < 3; i++) {
        fake_os_unlink(lab.fake, lab_path(i));
    }
    lab_refresh(&lab);
    ck_assert(lab.changed && !lab.replaced);
    ck_assert_uint_eq(waldir_count(lab.dir), 0);
    lab_segment(&lab, 0, &ten);
    lab_settle(&lab);
    ck_assert(lab.replaced);
}

START_TEST(numbers_below_all_known_ones_are_another_wal)
{
    lab_segment(&lab, 7, &ten);
    lab_segment(&lab, 8, &ten);
    lab_open(&lab);
    fake_os_unlink(lab.fake, lab_path(7));
    fake_os_unlink(lab.fake, lab_path(8));
    lab_segment(&lab, 0, &ten);
    lab_settle(&lab);
    ck_assert(lab.replaced);
}

START_TEST(the_first_record_tells_when_even_the_inode_is_the_same)
{
    struct lab_records other = {.first = 500, .count = 10, .bytes = 100, .padded = true};
    struct wal_writer writer;
    struct position start = {.generation = 1};
    three_segments_read();
    lab_write(&writer, &other);
    fake_os_overwrite(lab.fake, lab_path(0), 0, writer.bytes.data, writer.bytes.bytes);
    wal_writer_release(&writer);
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
    tail_seek(lab.tail, &start);
    lab_expect(&lab, 500, 1);
    lab_settle(&lab);
    ck_assert(lab.replaced);
    waldir_set_generation(lab.dir, 2);
    const uint8_t *same = fake_os_data(lab.fake, lab_path(1));
    fake_os_overwrite(lab.fake, lab_path(0), 0, same, WAL_PAGE_BYTES);
    tail_seek(lab.tail, &start);
    lab_expect(&lab, 0, 1);
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
}

/* ---- failures ---- */

START_TEST(a_failed_look_keeps_what_was_known)
{
    struct err err = {0};
    three_segments_read();
    fake_os_fail_nth(lab.fake, FAKE_OS_LIST, 1, EIO);
    ck_assert(!waldir_refresh(lab.dir, &lab.changed, &lab.replaced, &err));
    ck_assert_int_eq(err.code, EIO);
    fake_os_fail_nth(lab.fake, FAKE_OS_STAT, 1, EIO);
    ck_assert(!waldir_refresh(lab.dir, &lab.changed, &lab.replaced, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "00000002"));
    ck_assert_uint_eq(waldir_count(lab.dir), 3);
    lab_refresh(&lab);
    ck_assert(!lab.changed && !lab.replaced);
}

START_TEST(a_directory_made_anew_is_watched_again)
{
    struct err err = {0};
    three_segments_read();
    if (_i == 1) { /* the new directory must not be known by its inode only */
        fake_os_reuse_inodes(lab.fake, true);
        for (uint32_t i = 0; i < 3; i++) {
            fake_os_unlink(lab.fake, lab_path(i));
        }
        fake_os_append(lab.fake, "/takes an inode", "", 0);
        fake_os_append(lab.fake, "/takes another", "", 0);
    }
    fake_os_unlink(lab.fake, "/wal");
    ck_assert(!waldir_refresh(lab.dir, &lab.changed, &lab.replaced, &err));
    ck_assert_int_eq(err.code, ENOENT);
    fake_os_mkdir(lab.fake, "/wal");
    lab_segment(&lab, 0, &ten);
    lab_settle(&lab);
    ck_assert(lab.replaced);
    enum os_hint hint;
    while ((hint = lab.os->hint(lab.os)) == OS_HINT_CHANGED) {
    }
    ck_assert_int_eq(hint, OS_HINT_NONE);
    fake_os_append(lab.fake, lab_path(0), "x", 1);
    ck_assert_int_eq(lab.os->hint(lab.os), OS_HINT_CHANGED);
}

/* One record that carries a time: with it a segment has its identity. */
static void timed_segment(uint32_t number)
{
    struct wal_writer writer;
    uint8_t record[] = {2, (uint8_t)number};
    wal_writer_init(&writer, WAL_WRITER_PLAIN);
    wal_writer_log(&writer, record, sizeof record);
    wal_writer_pad(&writer);
    fake_os_append(lab.fake, lab_path(number), writer.bytes.data, writer.bytes.bytes);
    wal_writer_release(&writer);
}

START_TEST(what_was_read_of_a_segment_is_known_until_its_generation_ends)
{
    for (uint32_t i = 3; i <= 5; i++) {
        timed_segment(i);
    }
    lab_open(&lab);
    ck_assert_uint_eq(waldir_known_count(lab.dir), 0);
    lab_expect_status(&lab, TAIL_RECORD);
    lab_expect_status(&lab, TAIL_RECORD);
    ck_assert_uint_eq(waldir_known_count(lab.dir), 2);
    struct waldir_segment third = *waldir_at(lab.dir, 0);
    fake_os_unlink(lab.fake, lab_path(3));
    lab_refresh(&lab);
    ck_assert_ptr_null(waldir_find(lab.dir, 3));
    const struct waldir_segment *known = waldir_known_at(lab.dir, 0);
    ck_assert(known->number == 3 && known->has_identity && known->identity == third.identity);
    waldir_known_forget(lab.dir, 4);
    ck_assert_uint_eq(waldir_known_count(lab.dir), 1);
    ck_assert_uint_eq(waldir_known_at(lab.dir, 0)->number, 4);
    waldir_set_generation(lab.dir, 2);
    ck_assert_uint_eq(waldir_known_count(lab.dir), 0);
}

Suite *suite_waldir(void);

Suite *suite_waldir(void)
{
    Suite *suite = suite_create("waldir");
    TCase *looks = tcase_create("looks");
    tcase_add_checked_fixture(looks, setup, teardown);
    tcase_add_test(looks, segments_are_sorted_by_number_and_other_names_ignored);
    tcase_add_test(looks, the_newest_checkpoint_directory_counts);
    tcase_add_loop_test(looks, the_checkpoint_before_the_newest_is_known, 0, 4);
    tcase_add_test(looks, a_file_is_no_checkpoint);
    tcase_add_test(looks, the_data_directory_may_be_named);
    tcase_add_test(looks, the_data_directory_may_be_named_before_prometheus_made_the_wal_in_it);
    tcase_add_test(looks, a_wal_that_was_empty_stays_the_wal);
    tcase_add_test(looks, an_empty_directory_is_a_wal_to_come);
    tcase_add_test(looks, what_prometheus_leaves_beside_segments_is_no_stranger);
    tcase_add_test(looks, the_last_one_that_is_left_is_not_sealed);
    tcase_add_loop_test(looks, what_is_no_wal_is_refused_with_a_sentence, 0,
                        (int)ARRAY_COUNT(refusals));
    tcase_add_test(looks, all_but_the_newest_are_sealed_at_once);
    tcase_add_test(looks, growth_is_seen_and_a_quiet_directory_is_not_changed);
    tcase_add_test(looks, a_quiet_look_costs_one_list_and_one_stat);
    tcase_add_test(looks, a_failed_look_keeps_what_was_known);
    tcase_add_loop_test(looks, a_directory_made_anew_is_watched_again, 0, 2);
    suite_add_tcase(suite, looks);
    TCase *replaced = tcase_create("replaced");
    tcase_add_checked_fixture(replaced, setup, teardown);
    tcase_add_test(replaced, truncation_from_below_is_the_usual_life);
    tcase_add_test(replaced, a_new_inode_is_another_wal_until_a_new_generation);
    tcase_add_test(replaced, an_old_segment_with_a_new_inode_is_found_within_seconds);
    tcase_add_test(replaced, shorter_than_read_is_another_wal);
    tcase_add_test(replaced, shorter_but_not_than_read_is_no_other_wal);
    tcase_add_test(replaced, a_half_done_repair_is_not_told_before_its_files_are_there);
    tcase_add_test(replaced, a_repair_is_told_when_it_is_done);
    tcase_add_test(replaced, what_a_crashed_repair_left_behind_delays_only);
    tcase_add_test(replaced, an_emptied_directory_is_another_wal_when_it_starts_again);
    tcase_add_test(replaced, numbers_below_all_known_ones_are_another_wal);
    tcase_add_test(replaced, the_first_record_tells_when_even_the_inode_is_the_same);
    tcase_add_test(replaced, what_was_read_of_a_segment_is_known_until_its_generation_ends);
    suite_add_tcase(suite, replaced);
    return suite;
}

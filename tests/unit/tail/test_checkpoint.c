/* test_checkpoint.c - reading a checkpoint whole, or saying that it went away. */
#include "lab.h"

static struct lab lab;

static const struct lab_records parts[] = {
    {.first = 0, .count = 400, .bytes = 100, .padded = true},
    {.first = 400, .count = 400, .bytes = 100, .padded = true},
    {.first = 800, .count = 400, .bytes = 100, .padded = true},
};

static void setup(void)
{
    lab_init(&lab);
    lab_segment(&lab, 8, &parts[0]);
    fake_os_mkdir(lab.fake, "/wal/checkpoint.00000007");
    for (uint32_t i = 0; i < ARRAY_COUNT(parts); i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/wal/checkpoint.00000007/%08u", i);
        lab_file(&lab, path, &parts[i]);
    }
    lab_open(&lab);
    tail_free(lab.tail);
    lab.tail = tail_new_checkpoint(lab.dir, 7);
}

static void teardown(void)
{
    lab_release(&lab);
}

START_TEST(a_checkpoint_is_one_run_of_records)
{
    for (uint32_t i = 0; i < 1200; i++) {
        lab_expect(&lab, i, 1);
        ck_assert_uint_eq(lab.out.at.segment, 7);
        ck_assert_uint_eq(lab.out.at.record, i);
    }
    lab_expect_status(&lab, TAIL_WAIT);
    lab_expect_status(&lab, TAIL_WAIT);
    ck_assert_uint_eq(tail_behind_bytes(lab.tail), 0);
    ck_assert_uint_eq(fake_os_open_count(lab.fake), 0);
}

START_TEST(the_directory_is_as_before_and_unaware_of_it)
{
    lab_expect(&lab, 0, 1200);
    lab_refresh(&lab);
    ck_assert(!lab.changed && !lab.replaced);
    ck_assert_uint_eq(waldir_count(lab.dir), 1);
}

START_TEST(a_checkpoint_that_goes_away_is_told)
{
    lab_expect(&lab, 0, (uint32_t)_i);
    fake_os_unlink(lab.fake, "/wal/checkpoint.00000007");
    enum tail_status status;
    while ((status = lab_next(&lab)) == TAIL_RECORD) {
    }
    ck_assert_int_eq(status, TAIL_FAILED);
    ck_assert_int_eq(lab.err.code, ENOENT);
}

/* Removal takes one file after the other, in any order: half of one must not pass for a whole. */
START_TEST(half_a_checkpoint_is_none)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/wal/checkpoint.00000007/%08d", _i);
    fake_os_unlink(lab.fake, path);
    enum tail_status status = lab_next(&lab);
    if (_i == 2) { /* what is left looks whole, until the rest goes too */
        while (status == TAIL_RECORD) {
            fake_os_unlink(lab.fake, "/wal/checkpoint.00000007/00000000");
            while ((status = lab_next(&lab)) == TAIL_RECORD) {
            }
        }
    }
    ck_assert_int_eq(status, TAIL_FAILED);
    ck_assert_int_eq(lab.err.code, ENOENT);
}

START_TEST(a_checkpoint_that_never_was_is_told)
{
    tail_free(lab.tail);
    lab.tail = tail_new_checkpoint(lab.dir, 99);
    lab_expect_status(&lab, TAIL_FAILED);
    ck_assert_int_eq(lab.err.code, ENOENT);
}

START_TEST(an_error_is_tried_again)
{
    static const enum fake_os_call calls[] = {FAKE_OS_LIST, FAKE_OS_STAT, FAKE_OS_OPEN,
                                              FAKE_OS_PREAD};
    fake_os_fail_nth(lab.fake, calls[_i], 1, EIO);
    lab_expect_status(&lab, TAIL_FAILED);
    ck_assert_int_eq(lab.err.code, EIO);
    lab_expect(&lab, 0, 1200);
    lab_expect_status(&lab, TAIL_WAIT);
}

START_TEST(an_empty_last_segment_is_legal)
{
    fake_os_append(lab.fake, "/wal/checkpoint.00000007/00000003", "", 0);
    lab_expect(&lab, 0, 1200);
    lab_expect_status(&lab, TAIL_WAIT);
}

START_TEST(damage_in_a_checkpoint_is_told)
{
    fake_os_overwrite(lab.fake, "/wal/checkpoint.00000007/00000001", 50, "broken", 6);
    lab_expect(&lab, 0, 400);
    lab_expect_status(&lab, TAIL_DAMAGE);
    lab_expect_status(&lab, TAIL_RECORD);
}

Suite *suite_checkpoint(void);

Suite *suite_checkpoint(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *reading = tcase_create("reading");
    tcase_add_checked_fixture(reading, setup, teardown);
    tcase_add_test(reading, a_checkpoint_is_one_run_of_records);
    tcase_add_test(reading, the_directory_is_as_before_and_unaware_of_it);
    tcase_add_loop_test(reading, a_checkpoint_that_goes_away_is_told, 0, 3);
    tcase_add_loop_test(reading, half_a_checkpoint_is_none, 0, 3);
    tcase_add_test(reading, a_checkpoint_that_never_was_is_told);
    tcase_add_loop_test(reading, an_error_is_tried_again, 0, 4);
    tcase_add_test(reading, an_empty_last_segment_is_legal);
    tcase_add_test(reading, damage_in_a_checkpoint_is_told);
    suite_add_tcase(suite, reading);
    return suite;
}

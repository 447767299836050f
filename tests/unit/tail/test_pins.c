/* test_pins.c - segments that the directory lost and a pin still has. */
#include "lab.h"

static struct lab lab;

/* Segments 0, 1 and 2 with ten records each; a directory /spool beside. */
static void setup(void)
{
    lab_init(&lab);
    fake_os_mkdir(lab.fake, "/spool");
    for (uint32_t i = 0; i < 3; i++) {
        struct lab_records records = {.first = i * 10, .count = 10, .bytes = 100, .padded = true};
        lab_segment(&lab, i, &records);
    }
    lab_open(&lab);
}

static void teardown(void)
{
    lab_release(&lab);
}

static const char *spool_path(uint32_t number)
{
    static char path[64];
    (void)snprintf(path, sizeof path, "/spool/%08u", number);
    return path;
}

static void pin_file(struct waldir *dir, uint32_t number)
{
    const struct waldir_segment *segment = waldir_find(lab.dir, number);
    struct waldir_pin pin = {number, segment->device, segment->inode, spool_path(number)};
    waldir_pin(dir, &pin);
}

static void pin_linked(uint32_t number)
{
    fake_os_link(lab.fake, lab_path(number), spool_path(number));
    pin_file(lab.dir, number);
}

static void pin_copied(uint32_t number)
{
    fake_os_append(lab.fake, spool_path(number), fake_os_data(lab.fake, lab_path(number)),
                   fake_os_bytes(lab.fake, lab_path(number)));
    pin_file(lab.dir, number);
}

static void remove_segment(uint32_t number)
{
    fake_os_unlink(lab.fake, lab_path(number));
}

START_TEST(a_truncated_segment_is_read_from_its_pin)
{
    pin_linked(0);
    pin_copied(1);
    remove_segment(0);
    remove_segment(1);
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
    ck_assert_uint_eq(waldir_count(lab.dir), 3);
    ck_assert(waldir_at(lab.dir, 0)->pinned && waldir_at(lab.dir, 0)->sealed);
    ck_assert(!waldir_at(lab.dir, 2)->pinned);
    lab_expect(&lab, 0, 30);
    lab_expect_status(&lab, TAIL_WAIT);
    fake_os_advance(lab.fake, 60000);
    lab_refresh(&lab);
    ck_assert(!lab.replaced && !lab.changed);
}

START_TEST(a_copy_made_before_the_segment_went_is_no_other_file)
{
    pin_copied(0);
    lab_expect(&lab, 0, 3);
    lab_refresh(&lab);
    remove_segment(0);
    lab_settle(&lab);
    ck_assert(!lab.replaced);
    lab_expect(&lab, 3, 27);
}

START_TEST(a_segment_that_goes_between_look_and_open_is_found_in_the_pin)
{
    pin_linked(0);
    pin_linked(1);
    lab_refresh(&lab);
    lab_expect(&lab, 0, 10);
    remove_segment(0);
    remove_segment(1);
    lab_expect(&lab, 10, 20);
}

START_TEST(without_a_pin_there_is_a_gap)
{
    pin_linked(0);
    remove_segment(0);
    remove_segment(1);
    lab_refresh(&lab);
    lab_expect(&lab, 0, 10);
    lab_expect_gap(&lab, 1, 1);
    lab_expect(&lab, 20, 10);
}

/* Segments 3 (nothing in it) and 5 follow; 4 is gone. */
static void more_segments(void)
{
    struct lab_records last = {.first = 40, .count = 10, .bytes = 100};
    fake_os_append(lab.fake, lab_path(3), "", 0);
    lab_segment(&lab, 5, &last);
    lab_refresh(&lab);
}

START_TEST(an_empty_pin_below_a_gap_may_have_been_written_anew)
{
    more_segments();
    lab_expect(&lab, 0, 30);
    pin_linked(3);
    remove_segment(3);
    lab_refresh(&lab);
    lab_expect_gap(&lab, 3, 4);
    lab_expect(&lab, 40, 10);
}

START_TEST(a_pin_between_damage_and_a_gap_may_have_been_written_anew)
{
    fake_os_overwrite(lab.fake, lab_path(0), 100, "broken", 6);
    more_segments();
    pin_linked(0);
    pin_linked(1);
    for (uint32_t i = 0; i <= 3; i++) {
        remove_segment(i);
    }
    lab_refresh(&lab);
    lab_expect_status(&lab, TAIL_DAMAGE);
    lab_expect(&lab, 10, 10);
    lab_expect_gap(&lab, 1, 4);
    lab_expect(&lab, 40, 10);
}

START_TEST(a_pin_taken_off_or_cleared_away_is_none)
{
    pin_linked(0);
    pin_linked(1);
    remove_segment(0);
    remove_segment(1);
    waldir_unpin(lab.dir, 0);
    fake_os_unlink(lab.fake, spool_path(1));
    lab_refresh(&lab);
    ck_assert_uint_eq(waldir_count(lab.dir), 1);
    lab_expect_gap(&lab, 0, 1);
}

START_TEST(the_newest_segment_grows_in_its_pin)
{
    struct lab_records more = {.first = 30, .count = 1, .bytes = 100};
    pin_linked(2);
    lab_expect(&lab, 0, 30);
    lab_expect_status(&lab, TAIL_WAIT);
    for (uint32_t i = 0; i < 3; i++) {
        remove_segment(i);
    }
    lab_file(&lab, spool_path(2), &more);
    lab_refresh(&lab);
    ck_assert(!lab.replaced);
    lab_expect(&lab, 30, 1);
}

START_TEST(another_file_under_a_pinned_number_is_another_life)
{
    pin_linked(2);
    fake_os_replace(lab.fake, lab_path(2), "", 0);
    struct waldir *fresh = waldir_open(lab.os, "/wal", &lab.err); /* it never saw the old file */
    ck_assert_ptr_nonnull(fresh);
    bool changed;
    bool replaced;
    pin_file(fresh, 2);
    ck_assert(waldir_refresh(fresh, &changed, &replaced, &lab.err));
    ck_assert(waldir_is_replaced(fresh) && !replaced);
    fake_os_advance(lab.fake, 1000);
    ck_assert(waldir_refresh(fresh, &changed, &replaced, &lab.err));
    ck_assert(replaced);
    waldir_set_generation(fresh, 2);
    ck_assert(waldir_refresh(fresh, &changed, &replaced, &lab.err));
    ck_assert(!replaced && !waldir_is_replaced(fresh));
    waldir_free(fresh);
}

START_TEST(what_was_cut_off_above_is_another_life)
{
    pin_linked(2);
    lab_refresh(&lab);
    remove_segment(2);
    lab_refresh(&lab);
    ck_assert(!lab.replaced); /* a repair takes several steps */
    lab_settle(&lab);
    ck_assert(lab.replaced);
}

START_TEST(a_restart_in_an_emptied_directory_is_seen_beside_the_pins)
{
    for (uint32_t i = 0; i < 3; i++) {
        pin_linked(i);
        remove_segment(i);
    }
    lab_refresh(&lab);
    ck_assert_uint_eq(waldir_count(lab.dir), 3);
    lab_expect(&lab, 0, 30);
    lab_segment(&lab, 0, &(struct lab_records){.first = 90, .count = 1, .bytes = 100});
    lab_expect_status(&lab, TAIL_WAIT);
    lab_settle(&lab);
    ck_assert(lab.replaced);
    waldir_set_generation(lab.dir, 2);
    ck_assert_uint_eq(waldir_count(lab.dir), 1);
}

START_TEST(the_past_is_its_pins_and_ends_with_them)
{
    struct waldir *past = waldir_new_past(lab.os, 7);
    bool changed;
    bool replaced;
    for (uint32_t i = 0; i < 2; i++) {
        fake_os_link(lab.fake, lab_path(i), spool_path(i));
        pin_file(past, i);
    }
    ck_assert(waldir_refresh(past, &changed, &replaced, &lab.err));
    ck_assert(!replaced);
    ck_assert_uint_eq(waldir_count(past), 2);
    tail_free(lab.tail);
    lab.tail = tail_new(past);
    lab_expect(&lab, 0, 20);
    ck_assert_uint_eq(lab.out.at.generation, 7);
    lab_expect_status(&lab, TAIL_WAIT);
    tail_free(lab.tail);
    lab.tail = NULL;
    waldir_free(past);
}

Suite *suite_pins(void);

Suite *suite_pins(void)
{
    Suite *suite = suite_create("pins");
    TCase *tests = tcase_create("pins");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_truncated_segment_is_read_from_its_pin);
    tcase_add_test(tests, a_copy_made_before_the_segment_went_is_no_other_file);
    tcase_add_test(tests, a_segment_that_goes_between_look_and_open_is_found_in_the_pin);
    tcase_add_test(tests, without_a_pin_there_is_a_gap);
    tcase_add_test(tests, an_empty_pin_below_a_gap_may_have_been_written_anew);
    tcase_add_test(tests, a_pin_between_damage_and_a_gap_may_have_been_written_anew);
    tcase_add_test(tests, a_pin_taken_off_or_cleared_away_is_none);
    tcase_add_test(tests, the_newest_segment_grows_in_its_pin);
    tcase_add_test(tests, another_file_under_a_pinned_number_is_another_life);
    tcase_add_test(tests, what_was_cut_off_above_is_another_life);
    tcase_add_test(tests, a_restart_in_an_emptied_directory_is_seen_beside_the_pins);
    tcase_add_test(tests, the_past_is_its_pins_and_ends_with_them);
    suite_add_tcase(suite, tests);
    return suite;
}

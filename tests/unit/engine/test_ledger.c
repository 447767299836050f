/* test_ledger.c - rows that no commit has carried yet stay few, and nothing of them is forgotten.
 */
#include "internal.h"

#include <check.h>

static int64_t wall(struct os *os)
{
    (void)os;
    return 1234;
}

static struct os os = {.wall_ms = wall};
static struct conf_destination conf;
static struct destination destination;
static struct engine engine;

static void setup(void)
{
    static char name[] = "east";
    static size_t committing[1];
    conf = (struct conf_destination){.name = name};
    destination = (struct destination){.conf = &conf};
    engine = (struct engine){.os = &os,
                             .destinations = &destination,
                             .destinations_count = 1,
                             .committing_losses = committing};
}

static void teardown(void)
{
    for (size_t i = 0; i < destination.losses_count; i++) {
        mem_free((void *)(uintptr_t)destination.losses[i].detail);
    }
    mem_free(destination.losses);
}

static void lose(enum loss_reason reason, uint32_t segment, const char *detail)
{
    struct loss loss = {.reason = reason,
                        .from = {1, segment, 0, 0},
                        .to = {1, segment, 1, 0},
                        .items = 2,
                        .series = segment == 5 ? 9 : 1,
                        .time_min_ms = 1000 - (int64_t)segment,
                        .time_max_ms = 1000 + (int64_t)segment,
                        .detail = detail};
    ledger_add(&engine, &destination, &loss);
}

START_TEST(losses_of_one_segment_share_a_row)
{
    lose(LOSS_TOO_OLD, 5, NULL);
    lose(LOSS_TOO_OLD, 5, NULL);
    lose(LOSS_TOO_OLD, 6, NULL);
    lose(LOSS_DAMAGED, 5, NULL);
    ck_assert_uint_eq(destination.losses_count, 3);
    ck_assert_uint_eq(destination.losses[0].items, 4);
    ck_assert_uint_eq(destination.losses[0].series, 9);
}

START_TEST(what_waits_for_a_commit_is_bounded)
{
    enum { LOST = LEDGER_OPEN_MAX + 500 };
    for (uint32_t i = 0; i < LOST; i++) {
        lose(i % 2 == 0 ? LOSS_TOO_OLD : LOSS_REJECTED, i, "{one=\"of many\"}");
    }
    ck_assert_uint_le(destination.losses_count, LEDGER_OPEN_MAX);
    uint64_t items = 0;
    for (size_t i = 0; i < destination.losses_count; i++) {
        items += destination.losses[i].items;
    }
    ck_assert_uint_eq(items, (uint64_t)LOST * 2);
    ck_assert_uint_eq(destination.counts[STORE_LOST], (uint64_t)LOST * 2);
    const struct store_loss *last = &destination.losses[destination.losses_count - 1];
    ck_assert_uint_eq(last->to.segment, LOST - 1);
    ck_assert_int_eq(last->time_min_ms, 1000 - (LOST - 1));
    ck_assert_int_eq(last->time_max_ms, 1000 + (LOST - 1));
}

START_TEST(rows_of_a_running_commit_do_not_change)
{
    lose(LOSS_TOO_OLD, 5, NULL);
    engine.committing = true;
    engine.committing_losses[0] = destination.losses_count;
    lose(LOSS_TOO_OLD, 5, NULL);
    ck_assert_uint_eq(destination.losses_count, 2);
    ck_assert_uint_eq(destination.losses[0].items, 2);
}

static void gather(struct losses *losses, uint32_t generation, uint32_t segment, int64_t t_ms)
{
    struct item item = {.t_ms = t_ms};
    struct position at = {generation, segment, 7, (uint32_t)t_ms};
    ledger_gather(&engine, &destination, losses, &item, &at);
}

static void check_row(size_t index, struct position from, uint32_t to, uint64_t items)
{
    const struct store_loss *row = &destination.losses[index];
    ck_assert_int_eq(row->reason, LOSS_TOO_OLD);
    ck_assert_int_eq(position_compare(&row->from, &from), 0);
    from.item = to;
    ck_assert_int_eq(position_compare(&row->to, &from), 0);
    ck_assert_uint_eq(row->items, items);
    ck_assert_uint_eq(row->series, 1);
    ck_assert_int_eq(row->time_min_ms, row->from.item);
    ck_assert_int_eq(row->time_max_ms, row->to.item);
}

START_TEST(items_lost_together_have_a_row_for_each_segment_of_each_life)
{
    struct losses losses = {.row.reason = LOSS_TOO_OLD};
    gather(&losses, 4, 5, 3);
    gather(&losses, 4, 5, 2);
    gather(&losses, 5, 5, 9);
    gather(&losses, 5, 6, 4);
    ledger_gathered(&engine, &destination, &losses);
    ledger_gathered(&engine, &destination, &losses);
    ck_assert_uint_eq(destination.losses_count, 3);
    check_row(0, (struct position){4, 5, 7, 2}, 3, 2);
    check_row(1, (struct position){5, 5, 7, 9}, 9, 1);
    check_row(2, (struct position){5, 6, 7, 4}, 4, 1);
    ck_assert_uint_eq(losses.items, 4);
    ck_assert_uint_eq(destination.lost[LOSS_TOO_OLD], 4);
}

START_TEST(parked_items_for_which_there_is_no_room_have_a_row_for_each_segment)
{
    enum { FIRST = 1000, GONE = PARKED_ITEMS_MAX / 4 };
    struct domain domain = {.destination = &destination, .has_record_entry = true};
    for (uint32_t i = 0; i <= PARKED_ITEMS_MAX; i++) {
        if (i == 0 || i == FIRST) {
            struct mark mark = {.at = {.generation = 1, .segment = i == 0 ? 5 : 6}};
            domain.record_sequence = ring_push(&domain.ring, &mark, 0);
        }
        struct item item = {.t_ms = i, .index = i};
        park_add(&engine, &domain, i + 1, &item);
    }
    ck_assert_uint_eq(destination.losses_count, 2);
    ck_assert_uint_eq(destination.losses[0].to.segment, 5);
    ck_assert_uint_eq(destination.losses[0].items, FIRST);
    ck_assert_uint_eq(destination.losses[1].from.segment, 6);
    ck_assert_uint_eq(destination.losses[1].items, GONE - FIRST);
    ck_assert_uint_eq(domain.parked_count, PARKED_ITEMS_MAX - GONE + 1);
    park_release(&domain);
    ring_release(&domain.ring);
}

Suite *suite_ledger(void);
Suite *suite_ledger(void)
{
    Suite *suite = suite_create("ledger");
    TCase *cases = tcase_create("ledger");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, losses_of_one_segment_share_a_row);
    tcase_add_test(cases, what_waits_for_a_commit_is_bounded);
    tcase_add_test(cases, rows_of_a_running_commit_do_not_change);
    tcase_add_test(cases, items_lost_together_have_a_row_for_each_segment_of_each_life);
    tcase_add_test(cases, parked_items_for_which_there_is_no_room_have_a_row_for_each_segment);
    suite_add_tcase(suite, cases);
    return suite;
}

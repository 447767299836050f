/* test_store_look.c - looking at the state changes nothing, beside its owner or without one; and
 * the ledger that is looked at stays short, however long it is written. */
#include "store_fixture.h"

#include <check.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/store_sqlite_look.h>

static struct store_look look;

static void looked(void)
{
    ck_assert_msg(store_look(store_directory, &look, &store_err), "%s", store_err.text);
}

static void lose(struct store *store, uint32_t segment, uint64_t items)
{
    struct store_loss loss = {.destination = "east",
                              .reason = LOSS_REJECTED,
                              .from = {1, segment, 3, 0},
                              .to = {1, segment, 4, 0},
                              .items = items,
                              .series = 2,
                              .time_min_ms = 1000 + segment,
                              .time_max_ms = 2000 + segment,
                              .seen_ms = 5000 + segment,
                              .detail = "{a=\"b\"}"};
    store_committed(store, &(struct store_commit){.losses = &loss, .losses_count = 1});
}

static void expect_one_loss(void)
{
    ck_assert_uint_eq(look.image.destinations_count, STORE_SAMPLE_DESTINATIONS);
    ck_assert_uint_eq(look.ledger_count, 1);
    const struct store_ledger_row *row = &look.ledger[0];
    ck_assert_str_eq(row->loss.destination, "east");
    ck_assert_int_eq(row->loss.reason, LOSS_REJECTED);
    ck_assert_uint_eq(row->loss.from.segment, 7);
    ck_assert_uint_eq(row->loss.to.record, 4);
    ck_assert_uint_eq(row->loss.items, 11);
    ck_assert_uint_eq(row->loss.series, 2);
    ck_assert_int_eq(row->loss.time_min_ms, 1007);
    ck_assert_int_eq(row->loss.time_max_ms, 2007);
    ck_assert_int_eq(row->first_seen_ms, 5007);
    ck_assert_int_eq(row->loss.seen_ms, 5007);
    ck_assert_str_eq(row->loss.detail, "{a=\"b\"}");
}

START_TEST(a_running_walship_is_looked_at)
{
    struct store *store = store_opened();
    store_committed(store, &store_whole);
    lose(store, 7, 11);
    looked();
    expect_one_loss();
    ck_assert_int_eq(look.process, getpid());
    store_look_release(&look);
    lose(store, 8, 1); /* it goes on undisturbed */
    looked();
    ck_assert_uint_eq(look.ledger_count, 2);
    store_look_release(&look);
    store_sqlite_close(store);
}

START_TEST(a_state_that_nobody_holds_is_left_as_it_is)
{
    struct store *store = store_opened();
    store_committed(store, &store_whole);
    lose(store, 7, 11);
    store_sqlite_close(store);
    struct stat before;
    struct stat after;
    ck_assert_int_eq(stat(store_database, &before), 0);
    size_t files = store_files_named("");
    looked();
    expect_one_loss();
    ck_assert_int_eq(look.process, 0);
    store_look_release(&look);
    ck_assert_uint_eq(store_files_named(""), files);
    ck_assert_int_eq(stat(store_database, &after), 0);
    ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

START_TEST(a_directory_without_a_state_is_said)
{
    ck_assert(!store_look(store_directory, &look, &store_err));
    ck_assert_ptr_nonnull(strstr(store_err.text, "no walship has run with this state_dir yet"));
    ck_assert_uint_eq(store_files_named("walship"), 0);
    store_look_release(&look);
}

START_TEST(a_newer_schema_is_said)
{
    struct store *store = store_opened();
    store_committed(store, &store_whole);
    store_sqlite_close(store);
    store_sql("INSERT INTO schema_version VALUES(9999, 1)");
    ck_assert(!store_look(store_directory, &look, &store_err));
    ck_assert_ptr_nonnull(strstr(store_err.text, "schema version 9999"));
    store_look_release(&look);
}

START_TEST(a_corrupt_file_is_said)
{
    FILE *file = fopen(store_database, "w");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 4096; i++) {
        ck_assert_int_ge(fputc('x', file), 0);
    }
    ck_assert_int_eq(fclose(file), 0);
    ck_assert(!store_look(store_directory, &look, &store_err));
    ck_assert_ptr_nonnull(
        strstr(store_err.text, "not a database; the next start of walship sets it aside"));
    store_look_release(&look);
}

START_TEST(an_empty_file_is_not_called_corrupt)
{
    FILE *file = fopen(store_database, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert(!store_look(store_directory, &look, &store_err));
    ck_assert_ptr_nonnull(strstr(store_err.text, "walship.db is empty: nothing was saved yet"));
    store_look_release(&look);
}

/* ---- the bound ---- */

START_TEST(the_ledger_of_a_reason_is_bounded_by_merging_the_oldest)
{
    enum { EXTRA = 5 };
    struct store *store = store_opened();
    store_committed(store, &store_whole);
    struct store_loss losses[LEDGER_ROWS_MAX + EXTRA];
    for (uint32_t i = 0; i < ARRAY_COUNT(losses); i++) {
        losses[i] = (struct store_loss){.destination = "east",
                                        .reason = LOSS_TOO_OLD,
                                        .from = {1, i, 0, 0},
                                        .to = {1, i, 9, 0},
                                        .items = i + 1,
                                        .series = i == 3 ? 77 : 1,
                                        .time_min_ms = 100000 - i,
                                        .time_max_ms = 200000 + i,
                                        .seen_ms = 1000 + i,
                                        .detail = ""};
    }
    losses[2].time_min_ms = 1; /* one whose times nobody knows */
    losses[2].time_max_ms = 0;
    struct store_loss other = {.destination = "east", .reason = LOSS_DAMAGED, .bytes = 5};
    store_committed(store, &(struct store_commit){.losses = &other, .losses_count = 1});
    store_committed(store,
                    &(struct store_commit){.losses = losses, .losses_count = ARRAY_COUNT(losses)});
    store_sqlite_close(store);
    looked();
    ck_assert_uint_eq(look.ledger_count, LEDGER_ROWS_MAX + 1);
    uint64_t items = 0;
    for (size_t i = 0; i < look.ledger_count; i++) {
        items += look.ledger[i].loss.items;
    }
    ck_assert_uint_eq(items, (uint64_t)ARRAY_COUNT(losses) * (ARRAY_COUNT(losses) + 1) / 2);
    const struct store_ledger_row *oldest = &look.ledger[1]; /* behind the damage at 0/0 */
    ck_assert_int_eq(oldest->loss.reason, LOSS_TOO_OLD);
    ck_assert_uint_eq(oldest->loss.from.segment, 0);
    ck_assert_uint_eq(oldest->loss.to.segment, EXTRA);
    ck_assert_uint_eq(oldest->loss.items, (EXTRA + 1) * (EXTRA + 2) / 2);
    ck_assert_uint_eq(oldest->loss.series, 77);
    ck_assert_int_eq(oldest->loss.time_min_ms, 100000 - EXTRA);
    ck_assert_int_eq(oldest->loss.time_max_ms, 200000 + EXTRA);
    ck_assert_int_eq(oldest->first_seen_ms, 1000);
    ck_assert_int_eq(oldest->loss.seen_ms, 1000 + EXTRA);
    ck_assert_uint_eq(look.ledger[2].loss.from.segment, EXTRA + 1);
    store_look_release(&look);
}

Suite *suite_store_look(void);
Suite *suite_store_look(void)
{
    Suite *suite = suite_create("store_look");
    TCase *cases = tcase_create("store_look");
    tcase_add_checked_fixture(cases, store_setup, store_teardown);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_running_walship_is_looked_at);
    tcase_add_test(cases, a_state_that_nobody_holds_is_left_as_it_is);
    tcase_add_test(cases, a_directory_without_a_state_is_said);
    tcase_add_test(cases, a_newer_schema_is_said);
    tcase_add_test(cases, a_corrupt_file_is_said);
    tcase_add_test(cases, an_empty_file_is_not_called_corrupt);
    tcase_add_test(cases, the_ledger_of_a_reason_is_bounded_by_merging_the_oldest);
    suite_add_tcase(suite, cases);
    return suite;
}

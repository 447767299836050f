/* test_store_rows.c - what is saved comes back: rows, replacements, the ledger. */
#include "store_fixture.h"

#include <check.h>
#include <poll.h>

/* ---- what is saved ---- */

static void expect_rows(const struct store_image *image)
{
    ck_assert_uint_eq(image->destinations_count, STORE_SAMPLE_DESTINATIONS);
    for (size_t i = 0; i < STORE_SAMPLE_DESTINATIONS; i++) {
        ck_assert_str_eq(image->destinations[i].name, store_destinations[i].name);
        ck_assert_str_eq(image->destinations[i].fingerprint, store_destinations[i].fingerprint);
        ck_assert_int_eq(image->destinations[i].first_start_ms,
                         store_destinations[i].first_start_ms);
        ck_assert_int_eq(image->destinations[i].start_from_ms, store_destinations[i].start_from_ms);
        ck_assert_mem_eq(image->destinations[i].counts, store_destinations[i].counts,
                         sizeof store_destinations[i].counts);
    }
    ck_assert_uint_eq(image->watermarks_count, STORE_SAMPLE_WATERMARKS);
    for (size_t i = 0; i < STORE_SAMPLE_WATERMARKS; i++) {
        ck_assert_str_eq(image->watermarks[i].destination, store_watermarks[i].destination);
        ck_assert_str_eq(image->watermarks[i].domain, store_watermarks[i].domain);
        ck_assert_int_eq(position_compare(&image->watermarks[i].at, &store_watermarks[i].at), 0);
        ck_assert_uint_eq(image->watermarks[i].offset, store_watermarks[i].offset);
        ck_assert_uint_eq(image->watermarks[i].previous_crc, store_watermarks[i].previous_crc);
    }
    ck_assert_uint_eq(image->lanes_count, STORE_SAMPLE_LANES);
    for (size_t i = 0; i < STORE_SAMPLE_LANES; i++) {
        ck_assert_str_eq(image->lanes[i].destination, store_lanes[i].destination);
        ck_assert_str_eq(image->lanes[i].domain, store_lanes[i].domain);
        ck_assert_uint_eq(image->lanes[i].lane, store_lanes[i].lane);
        ck_assert_int_eq(image->lanes[i].newest_ms, store_lanes[i].newest_ms);
        ck_assert_int_eq(image->lanes[i].mixed, store_lanes[i].mixed);
        ck_assert_int_eq(position_compare(&image->lanes[i].settled, &store_lanes[i].settled), 0);
    }
    ck_assert_uint_eq(image->segments_count, STORE_SAMPLE_SEGMENTS);
    for (size_t i = 0; i < STORE_SAMPLE_SEGMENTS; i++) {
        ck_assert_uint_eq(image->segments[i].generation, store_segments[i].generation);
        ck_assert_uint_eq(image->segments[i].number, store_segments[i].number);
        ck_assert_uint_eq(image->segments[i].device, store_segments[i].device);
        ck_assert_uint_eq(image->segments[i].inode, store_segments[i].inode);
        ck_assert_uint_eq(image->segments[i].first_crc, store_segments[i].first_crc);
    }
}

START_TEST(everything_that_is_saved_comes_back)
{
    struct store_image image;
    struct store *store = store_opened();
    store_loaded(store, &image);
    ck_assert(!image.lost);
    ck_assert_uint_eq(image.destinations_count, 0);
    image.release(&image);
    store_committed(store, &store_whole);
    store_loaded(store, &image);
    expect_rows(&image);
    image.release(&image);
    store_sqlite_close(store);
    store = store_opened();
    store_loaded(store, &image);
    expect_rows(&image);
    ck_assert(!image.lost);
    image.release(&image);
    store_sqlite_close(store);
}

START_TEST(a_later_commit_replaces_rows_by_their_keys)
{
    struct store *store = store_opened();
    store_commit_numbers(store, 1, 5);
    ck_assert_uint_eq(store_number(store), 5);
    store_sqlite_close(store);
}

START_TEST(the_commit_is_copied_before_the_call_returns)
{
    struct sample_commit sample;
    char name[] = "east";
    sample_fill(&sample, 1);
    sample.destination.name = name;
    struct store *store = store_opened();
    ck_assert(store->commit(store, &sample.commit));
    memset(name, 'x', sizeof name - 1);
    memset(&sample, 0xff, sizeof sample);
    ck_assert(store_result(store));
    ck_assert_uint_eq(store_number(store), 1);
    store_sqlite_close(store);
}

START_TEST(one_commit_is_under_way_at_a_time)
{
    bool ok;
    struct store *store = store_opened();
    ck_assert(!store->next_result(store, &ok, &store_err));
    ck_assert(store->commit(store, &store_whole));
    ck_assert(!store->commit(store, &store_whole));
    ck_assert(store_result(store));
    ck_assert(!store->next_result(store, &ok, &store_err));
    struct pollfd wait = {.fd = store_sqlite_fd(store), .events = POLLIN};
    ck_assert_int_eq(poll(&wait, 1, 0), 0);
    ck_assert(store->commit(store, &store_whole));
    store_sqlite_close(store); /* waits for it */
    store = store_opened();
    struct store_image image;
    store_loaded(store, &image);
    expect_rows(&image);
    image.release(&image);
    store_sqlite_close(store);
}

START_TEST(an_empty_commit_is_a_commit)
{
    struct store *store = store_opened();
    store_committed(store, &(struct store_commit){0});
    store_sqlite_close(store);
}

START_TEST(forgetting_and_discarding_take_only_what_is_named)
{
    struct store_image image;
    struct store_loss loss = {.destination = "east", .reason = LOSS_LABELS, .items = 1};
    struct store *store = store_opened();
    struct store_commit with_loss = store_whole;
    with_loss.losses = &loss;
    with_loss.losses_count = 1;
    store_committed(store, &with_loss);
    /* what is put in the same commit stays: discarding comes first */
    struct store_destination replaced = store_destinations[1];
    ck_assert_str_eq(replaced.name, "https://b/w");
    replaced.replaces = true;
    store_committed(store, &(struct store_commit){.destinations = &replaced,
                                                  .destinations_count = 1,
                                                  .watermarks = &store_watermarks[2],
                                                  .watermarks_count = 1});
    store_loaded(store, &image);
    ck_assert_uint_eq(image.watermarks_count, 2);
    ck_assert_str_eq(image.watermarks[1].domain, "https://c/w");
    ck_assert_uint_eq(image.lanes_count, 2);
    ck_assert_uint_eq(image.destinations_count, 2);
    image.release(&image);
    store_committed(store, &(struct store_commit){.forget = "east"});
    store_loaded(store, &image);
    ck_assert_uint_eq(image.destinations_count, 1);
    ck_assert_str_eq(image.destinations[0].name, "https://b/w");
    ck_assert_uint_eq(image.watermarks_count, 1);
    ck_assert_uint_eq(image.lanes_count, 0);
    ck_assert_uint_eq(image.losses_count, 0);
    image.release(&image);
    store_sqlite_close(store);
}

static const char *const absurd_losses[] = {
    "UPDATE loss SET reason = 'of a later walship'",
    "UPDATE loss SET items = 9223372036854775807",
    "UPDATE loss SET items = 'many', series = x'00ff', detail = zeroblob(1000000)",
};

/* The ledger is what is shown, not where reading goes on. */
START_TEST(an_absurd_ledger_costs_no_position)
{
    struct store_loss losses[] = {
        {.destination = "east", .reason = LOSS_LABELS, .items = 1},
        {.destination = "east", .reason = LOSS_LABELS, .items = 2, .from = {1, 2, 3, 4}},
    };
    struct store_image image;
    struct store *store = store_opened();
    struct store_commit with_losses = store_whole;
    with_losses.losses = losses;
    with_losses.losses_count = ARRAY_COUNT(losses);
    store_committed(store, &with_losses);
    ck_assert_int_eq(store_sql_number("SELECT count(*) FROM loss"), 2);
    store_sql(absurd_losses[_i]);
    store_loaded(store, &image);
    ck_assert(!image.lost);
    ck_assert_uint_eq(image.destinations_count, STORE_SAMPLE_DESTINATIONS);
    ck_assert_uint_eq(image.watermarks_count, STORE_SAMPLE_WATERMARKS);
    image.release(&image);
    store_committed(store, &with_losses);
    store_sqlite_close(store);
}

START_TEST(an_adopted_destination_keeps_its_ledger)
{
    struct store_image image;
    struct store_loss loss = {.destination = "east", .reason = LOSS_LABELS, .items = 7};
    struct store *store = store_opened();
    struct store_commit with_loss = store_whole;
    with_loss.losses = &loss;
    with_loss.losses_count = 1;
    store_committed(store, &with_loss);
    struct store_destination west = store_destinations[0];
    west.name = "west";
    west.replaces = true;
    store_committed(store, &(struct store_commit){.adopt_old = "east",
                                                  .adopt_new = "west",
                                                  .destinations = &west,
                                                  .destinations_count = 1});
    store_loaded(store, &image);
    ck_assert_uint_eq(image.destinations_count, 2);
    ck_assert_uint_eq(image.losses_count, 1);
    ck_assert_str_eq(image.losses[0].destination, "west");
    ck_assert_uint_eq(image.losses[0].items, 7);
    for (size_t i = 0; i < image.destinations_count; i++) {
        ck_assert_str_ne(image.destinations[i].name, "east");
    }
    image.release(&image);
    store_sqlite_close(store);
}

START_TEST(segments_before_a_position_are_forgotten)
{
    struct store_image image;
    struct store *store = store_opened();
    store_committed(store, &store_whole);
    store_committed(store, &(struct store_commit){.has_segments_before = true,
                                                  .segments_before = {1, 8, 5, 5}});
    store_loaded(store, &image);
    ck_assert_uint_eq(image.segments_count, 2);
    ck_assert_uint_eq(image.segments[0].number, 8);
    image.release(&image);
    store_committed(store, &(struct store_commit){.has_segments_before = true,
                                                  .segments_before = {2, 0, 0, 0}});
    store_loaded(store, &image);
    ck_assert_uint_eq(image.segments_count, 1);
    ck_assert_uint_eq(image.segments[0].generation, 2);
    image.release(&image);
    store_sqlite_close(store);
}

START_TEST(a_row_of_an_unknown_destination_fails_the_whole_commit)
{
    struct store *store = store_opened();
    struct store_commit broken = store_whole;
    broken.destinations_count = 1;
    ck_assert(store->commit(store, &broken));
    ck_assert(!store_result(store));
    ck_assert_ptr_nonnull(strstr(store_err.text, "save a watermark: NOT NULL constraint failed"));
    ck_assert_int_eq(store_sql_number("SELECT count(*) FROM destination"), 0);
    store_committed(store, &store_whole);
    store_sqlite_close(store);
}

/* ---- the ledger ---- */

START_TEST(losses_of_one_segment_and_reason_become_one_row)
{
    static const struct store_loss losses[] = {
        {"east", LOSS_UNKNOWN_REF, {1, 5, 10, 3}, {1, 5, 11, 0}, 4, 1, 0, 100, 200, 1000, ""},
        {"east", LOSS_UNKNOWN_REF, {1, 5, 10, 1}, {1, 5, 10, 2}, 1, 1, 0, 1, -1, 900, "first"},
        {"east", LOSS_UNKNOWN_REF, {1, 5, 12, 0}, {1, 6, 0, 0}, 2, 2, 7, 50, 90, 2000, "second"},
        {"east", LOSS_UNKNOWN_REF, {1, 6, 0, 0}, {1, 6, 1, 0}, 1, 1, 0, 0, 0, 1, ""},
        {"east", LOSS_DAMAGED, {1, 5, 0, 0}, {1, 5, 1, 0}, 0, 0, 999, 1, 0, 1, NULL},
        {"https://b/w", LOSS_UNKNOWN_REF, {1, 5, 0, 0}, {1, 5, 1, 0}, 8, 1, 0, 0, 0, 1, ""},
    };
    struct store *store = store_opened();
    store_committed(store, &store_whole);
    for (size_t i = 0; i < ARRAY_COUNT(losses); i++) {
        store_committed(store, &(struct store_commit){.losses = &losses[i], .losses_count = 1});
    }
    ck_assert_int_eq(store_sql_number("SELECT count(*) FROM loss"), 4);
#define MERGED(column)                                                                             \
    store_sql_number("SELECT " column                                                              \
                     " FROM loss JOIN destination ON destination.id = destination"                 \
                     " WHERE name = 'east' AND reason = 'unknown_ref' AND segment = 5")
    ck_assert_int_eq(MERGED("from_record"), 10);
    ck_assert_int_eq(MERGED("from_item"), 1);
    ck_assert_int_eq(MERGED("to_segment"), 6);
    ck_assert_int_eq(MERGED("to_record"), 0);
    ck_assert_int_eq(MERGED("items"), 7);
    ck_assert_int_eq(MERGED("series"), 2); /* at least: which ones is not known */
    ck_assert_int_eq(MERGED("bytes"), 7);
    ck_assert_int_eq(MERGED("time_min_ms"), 50);
    ck_assert_int_eq(MERGED("time_max_ms"), 200);
    ck_assert_int_eq(MERGED("first_seen_ms"), 900);
    ck_assert_int_eq(MERGED("last_seen_ms"), 2000);
    ck_assert_int_eq(MERGED("detail = 'first'"), 1);
    ck_assert_int_eq(
        store_sql_number("SELECT time_min_ms IS NULL FROM loss WHERE reason = 'damaged'"), 1);
    struct store_image image;
    store_loaded(store, &image);
    ck_assert_uint_eq(image.losses_count, 3);
    ck_assert_str_eq(image.losses[1].destination, "east");
    ck_assert_int_eq(image.losses[1].reason, LOSS_UNKNOWN_REF);
    ck_assert_uint_eq(image.losses[1].items, 8);
    ck_assert_uint_eq(image.losses[2].items, 8);
    image.release(&image);
    store_sqlite_close(store);
}

static struct store_quota quota_filled(const char *account, uint64_t n)
{
    struct store_quota quota = {.account = account, .wall_ms = (int64_t)n, .clean = n % 2 == 0};
    for (size_t i = 0; i < STORE_QUOTA_DIMENSIONS; i++) {
        quota.open[i] = n + i;
        quota.learned[i] = n * 10 + i;
        for (size_t second = 0; second < STORE_QUOTA_SECONDS; second++) {
            quota.seconds[second][i] = (n << 40) + second * 10 + i;
        }
    }
    return quota;
}

START_TEST(quotas_come_back_and_old_ones_are_forgotten)
{
    struct store *store = store_opened();
    struct store_quota rows[] = {quota_filled("endpoint a", 5000), quota_filled("group b", 7001)};
    struct store_commit commit = {.quotas = rows, .quotas_count = 2};
    struct store_image image;
    store_committed(store, &commit);
    rows[1] = quota_filled("group b", 9001);
    commit = (struct store_commit){.quotas = &rows[1], .quotas_count = 1};
    store_committed(store, &commit);
    store_sqlite_close(store);
    store = store_opened();
    store_loaded(store, &image);
    ck_assert_uint_eq(image.quotas_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct store_quota *row = &image.quotas[i];
        ck_assert_str_eq(row->account, rows[i].account);
        ck_assert_int_eq(row->wall_ms, rows[i].wall_ms);
        ck_assert(row->clean == rows[i].clean);
        ck_assert_mem_eq(row->open, rows[i].open, sizeof row->open);
        ck_assert_mem_eq(row->learned, rows[i].learned, sizeof row->learned);
        ck_assert_mem_eq(row->seconds, rows[i].seconds, sizeof row->seconds);
    }
    image.release(&image);
    commit = (struct store_commit){.quotas_before_ms = 5001};
    store_committed(store, &commit);
    store_loaded(store, &image);
    ck_assert_uint_eq(image.quotas_count, 1);
    ck_assert_str_eq(image.quotas[0].account, "group b");
    image.release(&image);
    store_sqlite_close(store);
}
END_TEST

START_TEST(every_reason_comes_back_as_itself)
{
    struct store_image image;
    struct store_loss losses[LOSS_REASONS];
    for (unsigned i = 0; i < LOSS_REASONS; i++) {
        losses[i] = (struct store_loss){
            .destination = "east", .reason = (enum loss_reason)i, .items = i + 1};
    }
    struct store *store = store_opened();
    struct store_commit all = store_whole;
    all.losses = losses;
    all.losses_count = LOSS_REASONS;
    store_committed(store, &all);
    store_loaded(store, &image);
    ck_assert_uint_eq(image.losses_count, LOSS_REASONS);
    for (size_t i = 0; i < LOSS_REASONS; i++) {
        ck_assert_uint_eq(image.losses[i].items, image.losses[i].reason + 1);
    }
    image.release(&image);
    store_sqlite_close(store);
}

Suite *suite_store_rows(void);
Suite *suite_store_rows(void)
{
    Suite *suite = suite_create("store_rows");
    TCase *cases = tcase_create("store_rows");
    tcase_add_checked_fixture(cases, store_setup, store_teardown);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, everything_that_is_saved_comes_back);
    tcase_add_test(cases, a_later_commit_replaces_rows_by_their_keys);
    tcase_add_test(cases, the_commit_is_copied_before_the_call_returns);
    tcase_add_test(cases, one_commit_is_under_way_at_a_time);
    tcase_add_test(cases, an_empty_commit_is_a_commit);
    tcase_add_test(cases, forgetting_and_discarding_take_only_what_is_named);
    tcase_add_loop_test(cases, an_absurd_ledger_costs_no_position, 0,
                        (int)ARRAY_COUNT(absurd_losses));
    tcase_add_test(cases, an_adopted_destination_keeps_its_ledger);
    tcase_add_test(cases, segments_before_a_position_are_forgotten);
    tcase_add_test(cases, a_row_of_an_unknown_destination_fails_the_whole_commit);
    tcase_add_test(cases, losses_of_one_segment_and_reason_become_one_row);
    tcase_add_test(cases, quotas_come_back_and_old_ones_are_forgotten);
    tcase_add_test(cases, every_reason_comes_back_as_itself);
    suite_add_tcase(suite, cases);
    return suite;
}

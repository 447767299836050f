/* test_metrics.c - the table of metrics: its names keep Prometheus' rules, the page escapes what it
 * shows, and docs/METRICS.md is made from it. */
#include "metrics.h"

#include <check.h>
#include <ctype.h>
#include <walship/mem.h>

enum { TEXT_BYTES_MAX = 1 << 20 };

static bool ends_with(const char *text, const char *end)
{
    size_t bytes = strlen(text), end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

START_TEST(names_keep_the_rules)
{
    for (size_t i = 0; i < metrics_count; i++) {
        const struct expo_metric *head = &metrics_table[i].head;
        for (const char *at = head->name; *at != 0; at++) {
            ck_assert_msg(islower((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '_',
                          "%s", head->name);
        }
        ck_assert_msg(ends_with(head->name, "_total") == (head->type == EXPO_COUNTER), "%s",
                      head->name);
        ck_assert_msg(ends_with(head->help, "."), "%s: %s", head->name, head->help);
        ck_assert_msg((metrics_table[i].scope == METRIC_CUSTOM) == (metrics_table[i].write != NULL),
                      "%s", head->name);
        for (size_t k = 0; k < i; k++) {
            ck_assert_str_ne(head->name, metrics_table[k].head.name);
        }
    }
}

/* Two destinations, the second with two endpoints and a hostile name. */
static struct engine_destination_stats destinations[] = {
    {.name = "east", .endpoints_count = 1},
    {.name = "w\"est\n\xff", .endpoints_count = 2},
};
static struct engine_endpoint_stats endpoints[] = {
    {.url = "https://a/write"}, {.url = "https://b/write"}, {.url = "https://c/write"}};

static struct metrics_view view_make(void)
{
    destinations[0].counts[STORE_READ] = 100;
    destinations[0].counts[STORE_ACKED] = 80;
    destinations[0].lag_ms = 1500;
    destinations[1].counts[STORE_DROPPED] = 4;
    destinations[1].lost[LOSS_REJECTED] = 3;
    struct engine_kinds_taken *kinds = &destinations[1].kinds;
    kinds->lost[LOSS_BUDGET] = (struct engine_kinds){7, 2, 0};
    kinds->lost[LOSS_REJECTED] = (struct engine_kinds){3, 0, 1};
    kinds->lost[LOSS_TOO_OLD] = (struct engine_kinds){2, 0, 0};
    kinds->lost[LOSS_UNKNOWN_REF] = (struct engine_kinds){0, 0, 1};
    kinds->lost[LOSS_UNSUPPORTED].histograms = 9;
    kinds->dropped = (struct engine_kinds){4, 5, 6};
    kinds->stale.samples = 8;
    kinds->refused = (struct engine_kinds){3, 0, 1};
    destinations[0].kinds.read = (struct engine_kinds){90, 2, 8};
    kinds->read = (struct engine_kinds){80, 3, 0};
    endpoints[0].newest_due_ms = 1700000000999;
    endpoints[0].newest_done_ms = 1700000000000;
    endpoints[0].durations.counts[0] = 5;
    endpoints[0].durations.counts[ENGINE_DURATION_BOUNDS] = 1;
    endpoints[0].durations.sum_seconds = 400.5;
    endpoints[0].slots = 8;
    endpoints[0].desired = 2.5;
    endpoints[1].state = ENDPOINT_HELD;
    endpoints[1].has_identity = true;
    endpoints[1].token_expires_in_ms = 60500;
    endpoints[2].kinds.failed = (struct engine_kinds){3, 0, 1};
    endpoints[2].kinds.attempted = (struct engine_kinds){30, 20, 10};
    endpoints[2].kinds.pending.exemplars = 2;
    endpoints[2].metadata = (struct engine_metadata_stats){11, 12, 13, 14};
    endpoints[2].has_identity = true;
    endpoints[2].token_expires_in_ms = INT64_MAX;
    struct metrics_view view = {.process = {.reload_good = true, .resident_bytes = 4096},
                                .engine = {.series = 12, .destinations_count = 2},
                                .destinations = destinations,
                                .endpoints = endpoints,
                                .endpoints_count = 3};
    view.engine.records_by_type[WAL_SAMPLES] = 9;
    return view;
}

#define WEST "remote_name=\"w\\\"est\\n\xef\xbf\xbd\""

/* What is not one field, and one of each scope. */
static const char *const lines[] = {
    "walship_build_info{version=\"" WALSHIP_VERSION "\"} 1",
    "prometheus_remote_storage_highest_timestamp_in_seconds 1700000000",
    "prometheus_remote_storage_queue_highest_sent_timestamp_seconds{remote_name=\"east\","
    "url=\"https://a/write\"} 1700000000",
    /* what no endpoint refused is counted with the first one */
    "prometheus_remote_storage_samples_failed_total{remote_name=\"east\",url=\"https://a/write\"} 0",
    "prometheus_remote_storage_samples_failed_total{" WEST ",url=\"https://b/write\"} 7",
    "prometheus_remote_storage_samples_failed_total{" WEST ",url=\"https://c/write\"} 3",
    "prometheus_remote_storage_samples_dropped_total{" WEST ",url=\"https://b/write\","
    "reason=\"too_old\"} 2",
    "prometheus_remote_storage_samples_dropped_total{" WEST ",url=\"https://b/write\","
    "reason=\"dropped_series\"} 4",
    "prometheus_remote_storage_histograms_dropped_total{" WEST ",url=\"https://b/write\","
    "reason=\"nhcb_in_rw1_not_supported\"} 9",
    "prometheus_remote_storage_exemplars_dropped_total{" WEST ",url=\"https://b/write\","
    "reason=\"unintentionally_dropped_series\"} 1",
    "prometheus_remote_storage_samples_dropped_total{" WEST ",url=\"https://b/write\","
    "reason=\"out_of_order\"} 8",
    "prometheus_remote_storage_histograms_failed_total{" WEST ",url=\"https://b/write\"} 2",
    "prometheus_remote_storage_exemplars_failed_total{" WEST ",url=\"https://b/write\"} 0",
    "prometheus_remote_storage_exemplars_failed_total{" WEST ",url=\"https://c/write\"} 1",
    "prometheus_remote_storage_samples_total{" WEST ",url=\"https://c/write\"} 30",
    "prometheus_remote_storage_histograms_total{" WEST ",url=\"https://c/write\"} 20",
    "prometheus_remote_storage_exemplars_total{" WEST ",url=\"https://c/write\"} 10",
    "prometheus_remote_storage_exemplars_pending{" WEST ",url=\"https://c/write\"} 2",
    "prometheus_remote_storage_metadata_total{" WEST ",url=\"https://c/write\"} 11",
    "prometheus_remote_storage_metadata_failed_total{" WEST ",url=\"https://c/write\"} 12",
    "prometheus_remote_storage_metadata_retried_total{" WEST ",url=\"https://c/write\"} 13",
    "prometheus_remote_storage_metadata_bytes_total{" WEST ",url=\"https://c/write\"} 14",
    /* no labels, as in Prometheus: of the destination that took most */
    "prometheus_remote_storage_samples_in_total 90",
    "prometheus_remote_storage_histograms_in_total 3",
    "prometheus_remote_storage_exemplars_in_total 8",
    "prometheus_remote_storage_sent_batch_duration_seconds_bucket{remote_name=\"east\","
    "url=\"https://a/write\",le=\"0.005\"} 5",
    "prometheus_remote_storage_sent_batch_duration_seconds_count{remote_name=\"east\","
    "url=\"https://a/write\"} 6",
    "prometheus_remote_storage_shard_capacity{remote_name=\"east\",url=\"https://a/write\"} 65536",
    "prometheus_remote_storage_shards_desired{remote_name=\"east\",url=\"https://a/write\"} 2.5",
    "prometheus_wal_watcher_records_read_total{consumer=\"east\",type=\"samples\"} 9",
    "prometheus_config_last_reload_successful 1",
    "walship_items_lost_total{" WEST ",reason=\"rejected\"} 3",
    "walship_lag_seconds{remote_name=\"east\"} 1.5",
    "walship_endpoint_state{" WEST ",url=\"https://b/write\",state=\"open\"} 0",
    "walship_endpoint_state{" WEST ",url=\"https://b/write\",state=\"held\"} 1",
    /* only where there is a token, and one that ends */
    "walship_endpoint_token_expires_in_seconds{" WEST ",url=\"https://b/write\"} 60.5",
    "walship_series 12",
    "process_resident_memory_bytes 4096",
};

START_TEST(the_page_has_this_line)
{
    struct metrics_view view = view_make();
    struct buf out;
    buf_init(&out, TEXT_BYTES_MAX);
    ck_assert(metrics_page(&view, &out) && buf_append(&out, "", 1));
    char *line = mem_format("\n%s\n", lines[_i]);
    ck_assert_msg(strstr((const char *)out.data, line) != NULL, "%s", lines[_i]);
    ck_assert(strstr((const char *)out.data, "expires_in_seconds{remote_name=\"east") == NULL);
    mem_free(line);
    buf_release(&out);
}

START_TEST(the_document_is_not_stale)
{
    struct buf out, file;
    buf_init(&out, TEXT_BYTES_MAX);
    buf_init(&file, TEXT_BYTES_MAX);
    ck_assert(metrics_document(&out));
    char *path = mem_format("%s/docs/METRICS.md", WALSHIP_SOURCE_DIR);
    if (getenv("WALSHIP_GOLDEN_WRITE") != NULL) {
        FILE *to = fopen(path, "w");
        ck_assert_ptr_nonnull(to);
        ck_assert_uint_eq(fwrite(out.data, 1, out.bytes, to), out.bytes);
        ck_assert_int_eq(fclose(to), 0);
    }
    FILE *from = fopen(path, "r");
    ck_assert_ptr_nonnull(from);
    ck_assert(buf_reserve(&file, TEXT_BYTES_MAX - 1));
    file.bytes = fread(file.data, 1, TEXT_BYTES_MAX - 1, from);
    (void)fclose(from);
    ck_assert(buf_append(&file, "", 1) && buf_append(&out, "", 1));
    ck_assert_str_eq((const char *)out.data, (const char *)file.data);
    buf_release(&file);
    buf_release(&out);
    mem_free(path);
}

START_TEST(a_full_page_is_said)
{
    struct metrics_view view = view_make();
    for (size_t bytes = 1; bytes < 3000; bytes += 7) {
        struct buf out;
        buf_init(&out, bytes);
        ck_assert(!metrics_page(&view, &out));
        buf_release(&out);
    }
}

Suite *suite_metrics(void);
Suite *suite_metrics(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("metrics");
    tcase_add_test(tcase, names_keep_the_rules);
    tcase_add_loop_test(tcase, the_page_has_this_line, 0, ARRAY_COUNT(lines));
    tcase_add_test(tcase, the_document_is_not_stale);
    tcase_add_test(tcase, a_full_page_is_said);
    suite_add_tcase(suite, tcase);
    return suite;
}

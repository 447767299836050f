/* test_emulator.c - whole requests through the handlers into a real database, without HTTP. */
#include "emulator.h"

#include <check.h>
#include <sqlite3.h>
#include <unistd.h>
#include <walship/mem.h>
#include <walship/rw.h>

struct lab {
    char folder[64];
    char *database;
    struct endpoint_options endpoints[2];
    struct options options;
    struct emulator emulator;
    struct answer answer;
    const char *content_type;
    const char *encoding;
    const char *version;
    const char *retry;
    int64_t now_ms;
};

static const char *lab_header(void *context, const char *name)
{
    const struct lab *lab = context;
    if (strcmp(name, "Content-Type") == 0) {
        return lab->content_type;
    }
    if (strcmp(name, "Content-Encoding") == 0) {
        return lab->encoding;
    }
    if (strcmp(name, "X-Prometheus-Remote-Write-Version") == 0) {
        return lab->version;
    }
    return strcmp(name, "Retry-Attempt") == 0 ? lab->retry : NULL;
}

static void lab_open(struct lab *lab)
{
    struct err err;
    ck_assert_msg(emulator_open(&lab->emulator, &lab->options, &err), "%s", err.text);
}

static struct lab *lab_new(bool store)
{
    struct lab *lab = mem_new(1, sizeof *lab);
    (void)snprintf(lab->folder, sizeof lab->folder, "/tmp/emulator-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(lab->folder));
    lab->database = mem_format("%s/e.db", lab->folder);
    lab->endpoints[0] =
        (struct endpoint_options){.name = mem_string("a"), .path = mem_string("/a")};
    lab->endpoints[1] =
        (struct endpoint_options){.name = mem_string("b"), .path = mem_string("/b")};
    lab->options = (struct options){.store = store,
                                    .database = lab->database,
                                    .commit_ms = 500,
                                    .endpoints = lab->endpoints,
                                    .endpoints_count = 2};
    lab->content_type = "application/x-protobuf";
    lab->encoding = "snappy";
    lab->version = "0.1.0";
    lab->now_ms = 1000;
    buf_init(&lab->answer.body, ANSWER_BYTES_MAX);
    lab_open(lab);
    return lab;
}

static void lab_close(struct lab *lab)
{
    struct err err;
    ck_assert_msg(emulator_close(&lab->emulator, &err), "%s", err.text);
}

static void lab_free(struct lab *lab)
{
    static const char *const ENDINGS[] = {"", "-wal", "-shm"};
    lab_close(lab);
    for (size_t index = 0; index < ARRAY_COUNT(ENDINGS); index++) {
        char *path = mem_format("%s%s", lab->database, ENDINGS[index]);
        (void)unlink(path);
        mem_free(path);
    }
    ck_assert_int_eq(rmdir(lab->folder), 0);
    for (size_t index = 0; index < 2; index++) {
        mem_free(lab->endpoints[index].name);
        mem_free(lab->endpoints[index].path);
    }
    mem_free(lab->database);
    buf_release(&lab->answer.body);
    mem_free(lab);
}

static void lab_send(struct lab *lab, const char *path, struct view body)
{
    struct exchange exchange = {.method = "POST",
                                .path = path,
                                .header = lab_header,
                                .header_context = lab,
                                .body = body,
                                .now_ms = lab->now_ms,
                                .wall_ms = 1700000000000};
    buf_clear(&lab->answer.body);
    lab->answer.status = 0;
    lab->answer.delay_ms = 0;
    lab->answer.cut = false;
    lab->answer.retry_after[0] = '\0';
    emulator_answer(&lab->emulator, &exchange, &lab->answer);
    ck_assert(!lab->emulator.failed);
}

/* A request with one series of one label, value bits and time as given, `count` times a second on.
 */
static void lab_write(struct lab *lab, const char *path, const char *value, int64_t t_ms,
                      uint64_t bits, size_t count)
{
    struct rw_sample samples[8];
    ck_assert_uint_le(count, ARRAY_COUNT(samples));
    for (size_t index = 0; index < count; index++) {
        samples[index] = (struct rw_sample){t_ms + (int64_t)index * 1000, bits};
    }
    struct label label = {"job", value, 3, (uint32_t)strlen(value)};
    struct buf raw, wire;
    buf_init(&raw, 1 << 20);
    buf_init(&wire, 1 << 20);
    ck_assert(rw1_series(&raw, &label, 1, samples, count));
    ck_assert(rw_compress(&raw, &wire));
    lab_send(lab, path, view_of(wire.data, wire.bytes));
    buf_release(&raw);
    buf_release(&wire);
}

/* One value, as another program that reads the file sees it. */
static void expect(struct lab *lab, const char *sql, const char *value)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open_v2(lab->database, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_str_eq((const char *)sqlite3_column_text(statement, 0), value);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
}

static void expect_body(const struct lab *lab, const char *text)
{
    ck_assert_msg(memmem(lab->answer.body.data, lab->answer.body.bytes, text, strlen(text)) != NULL,
                  "answered: %.*s", (int)lab->answer.body.bytes,
                  (const char *)lab->answer.body.data);
}

START_TEST(every_sample_is_a_row_in_the_order_of_arrival)
{
    struct lab *lab = lab_new(true);
    lab_write(lab, "/a", "x", 5000, UINT64_C(0x7ff0000000000002), 2);
    ck_assert_int_eq(lab->answer.status, 204);
    lab_write(lab, "/b", "y", 1000, UINT64_C(0x8000000000000000), 1);
    lab_write(lab, "/a", "x", 7000, 1, 1);
    lab->now_ms += 500;
    emulator_run(&lab->emulator, lab->now_ms);
    expect(lab,
           "SELECT group_concat(arrival || ' ' || name || ' ' || labels || ' ' || t || ' ' ||"
           " format('%x', bits), ';') FROM (SELECT * FROM sample JOIN series ON series.id ="
           " sample.series JOIN pair ON pair.id = sample.pair ORDER BY arrival)",
           "1 a {job=\"x\"} 5000 7ff0000000000002;2 a {job=\"x\"} 6000 7ff0000000000002;"
           "3 b {job=\"y\"} 1000 8000000000000000;4 a {job=\"x\"} 7000 1");
    lab_free(lab);
}

START_TEST(rows_are_committed_when_they_are_due_and_not_before)
{
    struct lab *lab = lab_new(true);
    ck_assert_int_eq(emulator_deadline(&lab->emulator), INT64_MAX);
    lab_write(lab, "/a", "x", 1, 1, 1);
    ck_assert_int_eq(emulator_deadline(&lab->emulator), 1500);
    emulator_run(&lab->emulator, 1499);
    expect(lab, "SELECT count(*) FROM sample", "0");
    emulator_run(&lab->emulator, 1500);
    expect(lab, "SELECT count(*) FROM sample", "1");
    ck_assert_int_eq(emulator_deadline(&lab->emulator), INT64_MAX);
    lab_free(lab);
}

START_TEST(a_database_that_is_there_is_continued)
{
    struct lab *lab = lab_new(true);
    lab_write(lab, "/a", "x", 1000, 1, 2);
    lab_close(lab);
    lab_open(lab);
    lab_write(lab, "/a", "x", 9000, 1, 1);
    lab_write(lab, "/b", "x", 9000, 1, 1);
    lab_close(lab);
    expect(lab, "SELECT max(arrival) || ' ' || count(DISTINCT series) FROM sample", "4 1");
    expect(lab, "SELECT max(id) || ' ' || count(*) FROM request", "3 3");
    expect(lab, "SELECT count(*) FROM pair", "2");
    lab_open(lab);
    lab_free(lab);
}

struct header_row {
    const char *type;
    const char *encoding;
    const char *version;
    int status;
};

#define V2 "application/x-protobuf;proto=io.prometheus.write.v2.Request"

static const struct header_row HEADER_ROWS[] = {
    {"application/x-protobuf", "snappy", "0.1.0", 204},
    {"application/x-protobuf;proto=prometheus.WriteRequest", "snappy", "0.1.0", 204},
    {"Application/X-Protobuf", "Snappy", "0.1.9", 204},
    {V2, "snappy", "2.0.0", 400}, /* the body is one of 1.0 */
    {V2, "snappy", "0.1.0", 400},
    {"application/json", "snappy", "0.1.0", 415},
    {"application/x-protobuffer", "snappy", "0.1.0", 415},
    {NULL, "snappy", "0.1.0", 415},
    {"application/x-protobuf", "gzip", "0.1.0", 415},
    {"application/x-protobuf", NULL, "0.1.0", 415},
    {"application/x-protobuf", "snappy", "2.0.0", 400},
    {"application/x-protobuf", "snappy", NULL, 400},
};

START_TEST(headers_are_checked)
{
    const struct header_row *row = &HEADER_ROWS[_i];
    struct lab *lab = lab_new(true);
    lab->content_type = row->type;
    lab->encoding = row->encoding;
    lab->version = row->version;
    lab_write(lab, "/a", "x", 1, 1, 3);
    ck_assert_int_eq(lab->answer.status, row->status);
    lab_close(lab);
    expect(lab, "SELECT count(*) FROM sample", row->status == 204 ? "3" : "0");
    expect(lab, "SELECT count(*) FROM request", "1");
    lab_open(lab);
    lab_free(lab);
}

/* One series of each kind, encoded by walship. */
static void put_v2(struct rw2 *rw2)
{
    struct label up[] = {{"__name__", "up", 8, 2}};
    struct label rpc[] = {{"__name__", "rpc", 8, 3}};
    struct label trace[] = {{"trace_id", "ab", 8, 2}};
    struct rw_sample sample = {1000, 0x3FF0000000000000};
    int64_t start_ms = 500;
    struct rw_exemplar exemplar = {trace, 1, 900, 7};
    struct rw_metadata metadata = {2, {NULL, 0}, {"Up.", 3}, {"", 0}};
    struct wal_histogram value = {.t_ms = 2000, .schema = HISTOGRAM_SCHEMA_CUSTOM, .sum_bits = 5};
    struct buf bytes;
    buf_init(&bytes, 1000);
    ck_assert(rw_histogram(&bytes, &value));
    struct rw_histogram histogram = {bytes.data, bytes.bytes, 600};
    struct rw_series floats = {.labels = up,
                               .labels_count = 1,
                               .samples = &sample,
                               .samples_count = 1,
                               .starts_ms = &start_ms,
                               .exemplars = &exemplar,
                               .exemplars_count = 1,
                               .metadata = &metadata};
    struct rw_series histograms = {
        .labels = rpc, .labels_count = 1, .histograms = &histogram, .histograms_count = 1};
    ck_assert(rw2_write(rw2, &floats) && rw2_write(rw2, &histograms));
    buf_release(&bytes);
}

static const char *answered(const struct lab *lab, const char *name)
{
    for (size_t i = 0; i < lab->answer.headers_count; i++) {
        if (strcmp(lab->answer.headers[i].name, name) == 0) {
            return lab->answer.headers[i].value;
        }
    }
    return "missing";
}

START_TEST(every_kind_of_a_2_0_request_is_kept_and_said_to_be_written)
{
    static const struct hash_key key = {1, 2};
    struct lab *lab = lab_new(true);
    struct rw2 *rw2 = rw2_new(&key, 1 << 16);
    struct buf raw, wire;
    buf_init(&raw, 1 << 16);
    buf_init(&wire, 1 << 17);
    rw2_begin(rw2);
    put_v2(rw2);
    ck_assert(rw2_end(rw2, &raw) && rw_compress(&raw, &wire));
    lab->content_type = V2;
    lab->version = "2.0.0";
    lab_send(lab, "/a", view_of(wire.data, wire.bytes));
    ck_assert_int_eq(lab->answer.status, 204);
    ck_assert_str_eq(answered(lab, "X-Prometheus-Remote-Write-Samples-Written"), "1");
    ck_assert_str_eq(answered(lab, "X-Prometheus-Remote-Write-Histograms-Written"), "1");
    ck_assert_str_eq(answered(lab, "X-Prometheus-Remote-Write-Exemplars-Written"), "1");
    lab_close(lab);
    expect(lab,
           "SELECT labels || t || ' ' || st FROM sample JOIN series ON series = series.id"
           " JOIN start USING(arrival)",
           "{__name__=\"up\"}1000 500");
    expect(lab,
           "SELECT labels || t || ' ' || sum_bits || ' ' || schema || ' ' || st || ' ' || hex(body)"
           " FROM histogram JOIN series ON series = series.id",
           "{__name__=\"rpc\"}2000 5 -53 600 "
           "080019050000000000000020692900000000000000003000700078D00F8801D804");
    expect(lab, "SELECT labels || t || ' ' || bits FROM exemplar", "{trace_id=\"ab\"}900 7");
    expect(lab, "SELECT type || family || help FROM metadata", "2upUp.");
    lab_open(lab);
    lab_free(lab);
    rw2_free(rw2);
    buf_release(&raw);
    buf_release(&wire);
}

START_TEST(a_request_that_is_bad_anywhere_leaves_no_sample)
{
    struct lab *lab = lab_new(true);
    struct label good = {"job", "a", 3, 1};
    struct label bad = {"job", "\xff", 3, 1};
    struct rw_sample sample = {1, 1};
    struct buf raw, wire;
    buf_init(&raw, 1 << 20);
    buf_init(&wire, 1 << 20);
    ck_assert(rw1_series(&raw, &good, 1, &sample, 1));
    ck_assert(rw1_series(&raw, &bad, 1, &sample, 1));
    ck_assert(rw_compress(&raw, &wire));
    lab_send(lab, "/a", view_of(wire.data, wire.bytes));
    ck_assert_int_eq(lab->answer.status, 400);
    expect_body(lab, "series 1: a label is not UTF-8");
    lab_send(lab, "/a", view_of("\xff\xff\xff\xff\xff", 5));
    ck_assert_int_eq(lab->answer.status, 400);
    expect_body(lab, "snappy");
    lab_close(lab);
    expect(lab, "SELECT count(*) FROM sample", "0");
    expect(lab, "SELECT note FROM request WHERE id = 1", "series 1: a label is not UTF-8");
    lab_open(lab);
    lab_free(lab);
    buf_release(&raw);
    buf_release(&wire);
}

START_TEST(an_unknown_path_is_not_found)
{
    struct lab *lab = lab_new(true);
    lab_write(lab, "/c", "x", 1, 1, 1);
    ck_assert_int_eq(lab->answer.status, 404);
    lab_free(lab);
}

static void set_fault(struct lab *lab, const char *method, const char *key, const char *value)
{
    struct exchange exchange = {.method = method,
                                .path = "/fault",
                                .query = {{"endpoint", "a"}, {"count", "1"}, {key, value}},
                                .query_count = 3,
                                .header = lab_header,
                                .header_context = lab,
                                .now_ms = lab->now_ms};
    emulator_answer(&lab->emulator, &exchange, &lab->answer);
}

struct fault_row {
    const char *key;
    const char *value;
    int status; /* 0: cut */
    const char *kept;
};

static const struct fault_row FAULT_ROWS[] = {
    {"status", "503", 503, "0"},
    {"cut", "before", 0, "0"},
    {"cut", "after", 0, "1"},
    {"delay", "3s", 204, "1"},
};

START_TEST(a_fault_hits_one_endpoint_and_ends)
{
    const struct fault_row *row = &FAULT_ROWS[_i];
    struct lab *lab = lab_new(true);
    set_fault(lab, "POST", row->key, row->value);
    ck_assert_int_eq(lab->answer.status, 200);
    lab_write(lab, "/b", "x", 1, 1, 1);
    ck_assert_int_eq(lab->answer.status, 204);
    lab_write(lab, "/a", "x", 1, 1, 1);
    ck_assert_int_eq(lab->answer.cut, row->status == 0);
    ck_assert(row->status == 0 || lab->answer.status == row->status);
    ck_assert_int_eq(lab->answer.delay_ms, strcmp(row->key, "delay") == 0 ? 3000 : 0);
    lab_close(lab);
    expect(lab, "SELECT count(*) FROM sample WHERE pair = (SELECT id FROM pair WHERE name = 'a')",
           row->kept);
    lab_open(lab);
    lab_write(lab, "/a", "x", 2, 1, 1);
    ck_assert_int_eq(lab->answer.status, 204);
    lab_free(lab);
}

START_TEST(a_fault_is_cleared_and_a_wrong_one_refused)
{
    struct lab *lab = lab_new(true);
    set_fault(lab, "POST", "status", "503");
    set_fault(lab, "DELETE", "status", "503");
    lab_write(lab, "/a", "x", 1, 1, 1);
    ck_assert_int_eq(lab->answer.status, 204);
    set_fault(lab, "POST", "statuss", "503");
    ck_assert_int_eq(lab->answer.status, 400);
    set_fault(lab, "GET", "status", "503");
    ck_assert_int_eq(lab->answer.status, 405);
    lab_free(lab);
}

START_TEST(the_stats_say_what_each_endpoint_took)
{
    struct lab *lab = lab_new(true);
    lab_write(lab, "/a", "x", 5000, 1, 3);
    lab->content_type = "text/plain";
    lab_write(lab, "/a", "x", 9000, 1, 1);
    lab_send(lab, "/stats", view_of("", 0));
    ck_assert_int_eq(lab->answer.status, 200);
    ck_assert_str_eq(lab->answer.content_type, "application/json");
    expect_body(lab, "\"name\":\"a\",\"path\":\"/a\",\"requests\":2,\"accepted\":1,\"refused\":1");
    expect_body(lab, "\"samples\":3,");
    expect_body(lab, "\"newest_sample_ms\":7000}");
    expect_body(lab, "\"name\":\"b\",\"path\":\"/b\",\"requests\":0");
    lab_free(lab);
}

START_TEST(a_sink_counts_and_keeps_nothing)
{
    struct lab *lab = lab_new(false);
    lab_write(lab, "/a", "x", 5000, 1, 3);
    ck_assert_int_eq(lab->answer.status, 204);
    ck_assert_uint_eq(lab->emulator.pairs[0].counts.samples, 3);
    ck_assert_int_eq(access(lab->database, F_OK), -1);
    lab_free(lab);
}

Suite *suite_emulator(void);
Suite *suite_emulator(void)
{
    Suite *suite = suite_create("emulator");
    TCase *tests = tcase_create("requests");
    tcase_add_test(tests, every_sample_is_a_row_in_the_order_of_arrival);
    tcase_add_test(tests, rows_are_committed_when_they_are_due_and_not_before);
    tcase_add_test(tests, a_database_that_is_there_is_continued);
    tcase_add_loop_test(tests, headers_are_checked, 0, ARRAY_COUNT(HEADER_ROWS));
    tcase_add_test(tests, a_request_that_is_bad_anywhere_leaves_no_sample);
    tcase_add_test(tests, every_kind_of_a_2_0_request_is_kept_and_said_to_be_written);
    tcase_add_test(tests, an_unknown_path_is_not_found);
    tcase_add_loop_test(tests, a_fault_hits_one_endpoint_and_ends, 0, ARRAY_COUNT(FAULT_ROWS));
    tcase_add_test(tests, a_fault_is_cleared_and_a_wrong_one_refused);
    tcase_add_test(tests, the_stats_say_what_each_endpoint_took);
    tcase_add_test(tests, a_sink_counts_and_keeps_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}

/* test_expo.c - the exposition, the JSON writer, and docs/METRICS.md against the table. */
#include <check.h>
#include <math.h>
#include <walship/expo.h>
#include <walship/mem.h>

enum { TEXT_BYTES_MAX = 1 << 16 };

static void expect(struct buf *out, const char *text)
{
    ck_assert(buf_append(out, "", 1));
    ck_assert_str_eq((const char *)out->data, text);
    buf_release(out);
}

START_TEST(a_hostile_label_stays_inside_its_quotes)
{
    struct buf out;
    buf_init(&out, TEXT_BYTES_MAX);
    const struct expo_label labels[] = {{"remote_name", "a\"} 1\nevil 2 \\"}};
    ck_assert(expo_head(&out, EXPO_ITEMS_READ));
    buf_clear(&out);
    ck_assert(expo_value(&out, EXPO_ITEMS_READ, labels, 1, 12));
    expect(&out, "walship_items_read_total{remote_name=\"a\\\"} 1\\nevil 2 \\\\\"} 12\n");
}

START_TEST(numbers_print_as_prometheus_reads_them)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0"},
                {-1.5, "-1.5"},
                {123456789012345.0, "123456789012345"},
                {9007199254740991.0, "9007199254740991"},
                {(double)NAN, "NaN"},
                {(double)INFINITY, "+Inf"},
                {-(double)INFINITY, "-Inf"}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct buf out;
        buf_init(&out, TEXT_BYTES_MAX);
        ck_assert(expo_value(&out, EXPO_SERIES, NULL, 0, rows[i].value));
        char *text = mem_format("walship_series %s\n", rows[i].text);
        expect(&out, text);
        mem_free(text);
    }
}

START_TEST(a_full_buffer_is_said)
{
    struct buf out;
    buf_init(&out, 10);
    ck_assert(!expo_head(&out, EXPO_SERIES));
    ck_assert(!expo_value(&out, EXPO_SERIES, NULL, 0, 1));
    buf_release(&out);
}

START_TEST(json_nests_and_escapes)
{
    struct buf out;
    struct json json;
    buf_init(&out, TEXT_BYTES_MAX);
    json_init(&json, &out);
    json_open(&json, NULL, '{');
    json_string(&json, "a\"b", "x\n\\\"\x01");
    json_i64(&json, "low", INT64_MIN);
    json_u64(&json, "high", UINT64_MAX);
    json_open(&json, "list", '[');
    json_open(&json, NULL, '{');
    json_close(&json, '}');
    json_i64(&json, NULL, 1);
    json_close(&json, ']');
    ck_assert(!json_ok(&json)); /* one is still open */
    json_close(&json, '}');
    ck_assert(json_ok(&json));
    expect(&out, "{\"a\\\"b\":\"x\\u000a\\\\\\\"\\u0001\",\"low\":-9223372036854775808,"
                 "\"high\":18446744073709551615,\"list\":[{},1]}");
}

START_TEST(the_metrics_page_is_not_stale)
{
    struct buf out;
    struct buf file;
    buf_init(&out, TEXT_BYTES_MAX);
    buf_init(&file, TEXT_BYTES_MAX);
    char *path = mem_format("%s/docs/METRICS.md", WALSHIP_SOURCE_DIR);
    ck_assert(expo_document(&out));
    if (getenv("WALSHIP_GOLDEN_WRITE") != NULL) {
        FILE *to = fopen(path, "w");
        ck_assert_ptr_nonnull(to);
        ck_assert_uint_eq(fwrite(out.data, 1, out.bytes, to), out.bytes);
        ck_assert_int_eq(fclose(to), 0);
    }
    FILE *from = fopen(path, "r");
    ck_assert_ptr_nonnull(from);
    ck_assert(buf_reserve(&file, TEXT_BYTES_MAX));
    file.bytes = fread(file.data, 1, TEXT_BYTES_MAX, from);
    (void)fclose(from);
    ck_assert_uint_eq(file.bytes, out.bytes);
    ck_assert_mem_eq(file.data, out.data, out.bytes);
    buf_release(&out);
    buf_release(&file);
    mem_free(path);
}

Suite *suite_expo(void);
Suite *suite_expo(void)
{
    Suite *suite = suite_create("expo");
    TCase *tcase = tcase_create("pages");
    tcase_add_test(tcase, a_hostile_label_stays_inside_its_quotes);
    tcase_add_test(tcase, numbers_print_as_prometheus_reads_them);
    tcase_add_test(tcase, a_full_buffer_is_said);
    tcase_add_test(tcase, json_nests_and_escapes);
    tcase_add_test(tcase, the_metrics_page_is_not_stale);
    suite_add_tcase(suite, tcase);
    return suite;
}

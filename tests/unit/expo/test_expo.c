/* test_expo.c - the exposition and the JSON writer. */
#include <check.h>
#include <math.h>
#include <walship/expo.h>
#include <walship/mem.h>

enum { TEXT_BYTES_MAX = 1 << 16 };

static const struct expo_metric metric_a = {"walship_a", EXPO_GAUGE, "A."};

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
    const struct expo_label labels[] = {{"remote_name", "a\"} 1\nevil \xff 2 \\"}};
    ck_assert(expo_head(&out, &metric_a));
    buf_clear(&out);
    ck_assert(expo_value(&out, &metric_a, labels, 1, 12));
    expect(&out, "walship_a{remote_name=\"a\\\"} 1\\nevil \xef\xbf\xbd 2 \\\\\"} 12\n");
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
        ck_assert(expo_value(&out, &metric_a, NULL, 0, rows[i].value));
        char *text = mem_format("walship_a %s\n", rows[i].text);
        expect(&out, text);
        mem_free(text);
    }
}

START_TEST(a_full_buffer_is_said)
{
    struct buf out;
    buf_init(&out, 10);
    ck_assert(!expo_head(&out, &metric_a));
    ck_assert(!expo_value(&out, &metric_a, NULL, 0, 1));
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

/* A text that was cut within a character is one. */
START_TEST(json_is_utf8_whatever_it_is_given)
{
    struct buf out;
    struct json json;
    buf_init(&out, TEXT_BYTES_MAX);
    json_init(&json, &out);
    json_open(&json, NULL, '[');
    json_string(&json, NULL, "caf\xc3\xa9 \xe2\x82\xac");
    ck_assert(!json.replaced);
    json_string(&json, NULL, "\xff\xc3\"\xe2\x82");
    ck_assert(json.replaced);
    json_bytes(&json, NULL, "caf\xc3\xa9", 4);
    json_close(&json, ']');
    ck_assert(json_ok(&json));
    expect(&out, "[\"caf\xc3\xa9 \xe2\x82\xac\",\"\xef\xbf\xbd\xef\xbf\xbd\\\""
                 "\xef\xbf\xbd\xef\xbf\xbd\",\"caf\xef\xbf\xbd\"]");
}

START_TEST(a_histogram_adds_its_buckets_up)
{
    static const double bounds[] = {0.5, 1};
    static const uint64_t counts[] = {2, 0, 1};
    const struct expo_metric metric = {"t_seconds", EXPO_HISTOGRAM, "Time."};
    const struct expo_label labels[] = {{"a", "b"}};
    const struct expo_histogram histogram = {bounds, counts, 2, 3.25};
    struct buf out;
    buf_init(&out, TEXT_BYTES_MAX);
    ck_assert(expo_head(&out, &metric));
    ck_assert(expo_histogram(&out, &metric, labels, 1, &histogram));
    expect(&out, "# HELP t_seconds Time.\n# TYPE t_seconds histogram\n"
                 "t_seconds_bucket{a=\"b\",le=\"0.5\"} 2\n"
                 "t_seconds_bucket{a=\"b\",le=\"1\"} 2\n"
                 "t_seconds_bucket{a=\"b\",le=\"+Inf\"} 3\n"
                 "t_seconds_sum{a=\"b\"} 3.25\nt_seconds_count{a=\"b\"} 3\n");
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
    tcase_add_test(tcase, json_is_utf8_whatever_it_is_given);
    tcase_add_test(tcase, a_histogram_adds_its_buckets_up);
    suite_add_tcase(suite, tcase);
    return suite;
}

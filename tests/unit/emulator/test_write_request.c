/* test_write_request.c - the emulator's decoder: what it takes, what it refuses and why. */
#include "write_request.h"

#include <check.h>

struct bytes {
    uint8_t data[512];
    size_t count;
};

static void put(struct bytes *out, const void *data, size_t count)
{
    ck_assert_uint_le(out->count + count, sizeof out->data);
    memcpy(out->data + out->count, data, count);
    out->count += count;
}

static void put_field(struct bytes *out, uint8_t tag, const void *data, size_t count)
{
    ck_assert_uint_lt(count, 128);
    uint8_t head[2] = {tag, (uint8_t)count};
    put(out, head, sizeof head);
    put(out, data, count);
}

static void put_label(struct bytes *series, const char *name, const char *value)
{
    struct bytes label = {.count = 0};
    put_field(&label, 0x0a, name, strlen(name));
    put_field(&label, 0x12, value, strlen(value));
    put_field(series, 0x0a, label.data, label.count);
}

/* A sample at timestamp 1 (a one-byte varint). */
static void put_sample(struct bytes *series, uint64_t bits)
{
    struct bytes sample = {.count = 0};
    put(&sample, "\x09", 1);
    put(&sample, &bits, 8);
    put(&sample, "\x10\x01", 2);
    put_field(series, 0x12, sample.data, sample.count);
}

static bool check(const struct bytes *request, struct write_totals *totals, struct err *err)
{
    *err = (struct err){0};
    return write_request_check(view_of(request->data, request->count), WRITE_FULL, totals, err);
}

START_TEST(the_published_example_is_read_field_by_field)
{
    static const uint8_t EXAMPLE[] =
        "\x0a\x2c\x0a\x0e\x0a\x08__name__\x12\x02up\x0a\x08\x0a\x03job\x12\x01"
        "a\x12\x10\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\x80\xd0\x95\xff\xbc\x31";
    struct view request = view_of(EXAMPLE, sizeof EXAMPLE - 1);
    struct write_totals totals;
    struct err err;
    ck_assert(write_request_check(request, WRITE_FULL, &totals, &err));
    ck_assert_uint_eq(totals.series, 1);
    ck_assert_uint_eq(totals.samples, 1);
    ck_assert_int_eq(totals.newest_ms, 1700000000000);

    struct write_series series;
    ck_assert(write_request_next(&request, &series));
    struct label label;
    ck_assert(write_series_label(&series, &label));
    ck_assert_mem_eq(label.name, "__name__", 8);
    ck_assert_mem_eq(label.value, "up", 2);
    ck_assert(write_series_label(&series, &label));
    ck_assert_mem_eq(label.name, "job", 3);
    ck_assert_uint_eq(label.value_bytes, 1);
    ck_assert(!write_series_label(&series, &label));
    struct write_sample sample;
    ck_assert(write_series_sample(&series, &sample));
    ck_assert_int_eq(sample.t_ms, 1700000000000);
    ck_assert_uint_eq(sample.bits, UINT64_C(0x3ff0000000000000));
    ck_assert(!write_series_sample(&series, &sample));
    ck_assert(!write_request_next(&request, &series));
}

START_TEST(the_stale_marker_and_negative_times_keep_every_bit)
{
    struct bytes series = {.count = 0};
    put_label(&series, "a", "b");
    put_sample(&series, UINT64_C(0x7ff0000000000002));
    /* timestamp -1: a ten-byte varint */
    put(&series, "\x12\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13);
    struct bytes request = {.count = 0};
    put_field(&request, 0x0a, series.data, series.count);
    struct write_totals totals;
    struct err err;
    ck_assert_msg(check(&request, &totals, &err), "%s", err.text);
    struct view view = view_of(request.data, request.count);
    struct write_series walk;
    struct write_sample sample;
    ck_assert(write_request_next(&view, &walk));
    ck_assert(write_series_sample(&walk, &sample));
    ck_assert_uint_eq(sample.bits, UINT64_C(0x7ff0000000000002));
    ck_assert(write_series_sample(&walk, &sample));
    ck_assert_int_eq(sample.t_ms, -1);
    ck_assert_uint_eq(sample.bits, 0);
}

START_TEST(unknown_fields_are_stepped_over_and_the_other_kinds_counted)
{
    struct bytes series = {.count = 0};
    put_label(&series, "a", "b");
    put_field(&series, 0x1a, "\x18\x05", 2); /* exemplar */
    put_field(&series, 0x22, "\x78\x05", 2); /* histogram */
    put_field(&series, 0x7a, "zz", 2);       /* field 15 */
    put_sample(&series, 1);
    struct bytes request = {.count = 0};
    put(&request, "\x98\x06\x07", 3);         /* field 99, varint */
    put_field(&request, 0x1a, "\x08\x01", 2); /* metadata */
    put_field(&request, 0x0a, series.data, series.count);
    struct write_totals totals;
    struct err err;
    ck_assert_msg(check(&request, &totals, &err), "%s", err.text);
    ck_assert_uint_eq(totals.samples, 1);
    ck_assert_uint_eq(totals.exemplars, 1);
    ck_assert_uint_eq(totals.histograms, 1);
    ck_assert_uint_eq(totals.metadata, 1);
}

START_TEST(an_empty_request_is_a_request)
{
    struct bytes request = {.count = 0};
    struct write_totals totals;
    struct err err;
    ck_assert(check(&request, &totals, &err));
    ck_assert_uint_eq(totals.series, 0);
    ck_assert_int_eq(totals.newest_ms, INT64_MIN);
}

struct labels_row {
    const char *names[3];
    const char *values[3];
    const char *fault; /* NULL: fine */
};

static const struct labels_row LABELS_ROWS[] = {
    {{"__name__", "job", NULL}, {"up", "a", NULL}, NULL},
    {{"B", "a", NULL}, {"1", "1", NULL}, NULL},
    {{"a", "aa", NULL}, {"1", "1", NULL}, NULL},
    {{"job", "__name__", NULL}, {"a", "up", NULL}, "not sorted"},
    {{"aa", "a", NULL}, {"1", "1", NULL}, "not sorted"},
    {{"a", "a", NULL}, {"1", "2", NULL}, "occurs twice"},
    {{"", NULL, NULL}, {"x", NULL, NULL}, "name is empty"},
    {{"a", NULL, NULL}, {"", NULL, NULL}, "value is empty"},
    {{"a", NULL, NULL}, {"\xff", NULL, NULL}, "not UTF-8"},
    {{"\xc3", NULL, NULL}, {"x", NULL, NULL}, "not UTF-8"},
    {{"\xc3\xbc", NULL, NULL}, {"\xe2\x82\xac", NULL, NULL}, NULL},
    {{NULL, NULL, NULL}, {NULL, NULL, NULL}, "no labels"},
};

START_TEST(labels_must_be_as_a_strict_receiver_wants_them)
{
    const struct labels_row *row = &LABELS_ROWS[_i];
    struct bytes series = {.count = 0};
    for (size_t index = 0; index < 3 && row->names[index] != NULL; index++) {
        put_label(&series, row->names[index], row->values[index]);
    }
    put_sample(&series, 1);
    struct bytes request = {.count = 0};
    put_field(&request, 0x0a, series.data, series.count);
    struct write_totals totals;
    struct err err;
    bool good = check(&request, &totals, &err);
    ck_assert_int_eq(good, row->fault == NULL);
    if (row->fault != NULL) {
        ck_assert_msg(strstr(err.text, row->fault) != NULL, "said: %s", err.text);
        ck_assert_ptr_eq(strstr(err.text, "series 0: "), err.text);
    }
}

struct hostile_row {
    const char *bytes;
    size_t count;
};

#define HOSTILE(text)                                                                              \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }

static const struct hostile_row HOSTILE_ROWS[] = {
    HOSTILE("\x0a"),                                             /* no length */
    HOSTILE("\x0a\x05\x0a"),                                     /* length beyond the end */
    HOSTILE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),     /* length 2^64 - 1 */
    HOSTILE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),     /* varint too long */
    HOSTILE("\x02\x00"),                                         /* field number 0 */
    HOSTILE("\x0b\x0c"),                                         /* group */
    HOSTILE("\x0f"),                                             /* wire type 7 */
    HOSTILE("\x08\x01"),                                         /* timeseries as a varint */
    HOSTILE("\x0a\x02\x08\x01"),                                 /* labels as a varint */
    HOSTILE("\x0a\x0a\x0a\x06\x0a\x01\x61\x12\x01\x62\x12\x03"), /* cut sample */
    HOSTILE("\x0a\x0c\x0a\x06\x0a\x01\x61\x12\x01\x62\x12\x02\x08\x01"), /* value as a varint */
    HOSTILE(
        "\x0a\x13\x0a\x06\x0a\x01\x61\x12\x01\x62\x12\x09\x11\x01\x02\x03\x04\x05\x06\x07\x08"), /* time as fixed64 */
    HOSTILE("\x0a\x04\x0a\x02\x08\x01"), /* label name as a varint */
};

START_TEST(malformed_bytes_are_refused)
{
    const struct hostile_row *row = &HOSTILE_ROWS[_i];
    struct write_totals totals;
    struct err err = {0};
    ck_assert(!write_request_check(view_of(row->bytes, row->count), WRITE_FULL, &totals, &err));
    ck_assert_str_ne(err.text, "");
}

START_TEST(every_cut_of_a_good_request_is_refused_or_smaller)
{
    struct bytes series = {.count = 0};
    put_label(&series, "a", "b");
    put_sample(&series, 7);
    struct bytes request = {.count = 0};
    put_field(&request, 0x0a, series.data, series.count);
    struct write_totals totals;
    struct err err;
    for (size_t count = 1; count < request.count; count++) {
        ck_assert(!write_request_check(view_of(request.data, count), WRITE_FULL, &totals, &err));
    }
    ck_assert(check(&request, &totals, &err));
}

START_TEST(counting_steps_over_labels_but_not_over_samples)
{
    struct bytes series = {.count = 0};
    put_label(&series, "b", "");
    put_label(&series, "a", "x");
    put_sample(&series, 7);
    put_sample(&series, 8);
    struct bytes request = {.count = 0};
    put_field(&request, 0x0a, series.data, series.count);
    struct write_totals totals;
    struct err err;
    struct view view = view_of(request.data, request.count);
    ck_assert(write_request_check(view, WRITE_COUNT, &totals, &err));
    ck_assert_uint_eq(totals.samples, 2);
    ck_assert(!write_request_check(view, WRITE_FULL, &totals, &err));
}

struct utf8_row {
    const char *text;
    bool valid;
};

static const struct utf8_row UTF8_ROWS[] = {
    {"", true},
    {"plain ascii, longer than eight bytes", true},
    {"\xc2\x80", true},
    {"\xdf\xbf", true},
    {"\xe0\xa0\x80", true},
    {"\xed\x9f\xbf", true},
    {"\xf0\x90\x80\x80", true},
    {"\xf4\x8f\xbf\xbf", true},
    {"12345678\xc3\xbc", true},
    {"\x80", false},
    {"\xc0\x80", false},
    {"\xc1\xbf", false},
    {"\xe0\x9f\xbf", false},
    {"\xed\xa0\x80", false},
    {"\xf0\x8f\xbf\xbf", false},
    {"\xf4\x90\x80\x80", false},
    {"\xf5\x80\x80\x80", false},
    {"\xe2\x82", false},
    {"\xe2\x82z", false},
    {"12345678\xc3", false},
};

START_TEST(utf8_is_judged_as_the_standard_says)
{
    const struct utf8_row *row = &UTF8_ROWS[_i];
    ck_assert_int_eq(utf8_valid(row->text, strlen(row->text)), row->valid);
}

Suite *suite_write_request(void);
Suite *suite_write_request(void)
{
    Suite *suite = suite_create("write_request");
    TCase *tests = tcase_create("decode");
    tcase_add_test(tests, the_published_example_is_read_field_by_field);
    tcase_add_test(tests, the_stale_marker_and_negative_times_keep_every_bit);
    tcase_add_test(tests, unknown_fields_are_stepped_over_and_the_other_kinds_counted);
    tcase_add_test(tests, an_empty_request_is_a_request);
    tcase_add_loop_test(tests, labels_must_be_as_a_strict_receiver_wants_them, 0,
                        ARRAY_COUNT(LABELS_ROWS));
    tcase_add_loop_test(tests, malformed_bytes_are_refused, 0, ARRAY_COUNT(HOSTILE_ROWS));
    tcase_add_test(tests, every_cut_of_a_good_request_is_refused_or_smaller);
    tcase_add_test(tests, counting_steps_over_labels_but_not_over_samples);
    tcase_add_loop_test(tests, utf8_is_judged_as_the_standard_says, 0, ARRAY_COUNT(UTF8_ROWS));
    suite_add_tcase(suite, tests);
    return suite;
}

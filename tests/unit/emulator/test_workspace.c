/* test_workspace.c - what a workspace drops and why; and the buckets that limits are made of. */
#include "bucket.h"
#include "form.h"
#include "workspace.h"

#include <check.h>
#include <walship/mem.h>
#include <walship/rw.h>

enum { MINUTE_MS = 60000, WALL_MS = 1000 * MINUTE_MS };

/* ---- buckets ---- */

START_TEST(a_bucket_gives_its_burst_at_once_and_then_its_rate)
{
    struct bucket bucket;
    bucket_init(&bucket, 600, 1000); /* ten a second, ten at once */
    for (int count = 0; count < 10; count++) {
        ck_assert_int_eq(bucket_wait_ms(&bucket, 1.0, 5000), 0);
        bucket_take(&bucket, 1.0);
    }
    ck_assert_int_eq(bucket_wait_ms(&bucket, 1.0, 5000), 100);
    ck_assert_int_eq(bucket_wait_ms(&bucket, 5.0, 5050), 450);
    ck_assert_int_eq(bucket_wait_ms(&bucket, 1.0, 5100), 0);
    ck_assert_int_eq(bucket_wait_ms(&bucket, 10.0, 900000), 0); /* never more than its room */
    bucket_take(&bucket, 10.0);
    ck_assert_int_eq(bucket_wait_ms(&bucket, 1.0, 900000), 100);
}

START_TEST(what_is_larger_than_the_bucket_passes_when_it_is_full)
{
    struct bucket bucket;
    bucket_init(&bucket, 600, 1000);
    ck_assert_int_eq(bucket_wait_ms(&bucket, 1000.0, 0), 0);
    bucket_take(&bucket, 1000.0);
    ck_assert_int_eq(bucket_wait_ms(&bucket, 1.0, 0), 99100);
}

START_TEST(no_limit_is_no_limit)
{
    struct bucket bucket;
    bucket_init(&bucket, 0, 1000);
    bucket_take(&bucket, 1e18);
    ck_assert_int_eq(bucket_wait_ms(&bucket, 1e18, 0), 0);
}

/* ---- forms ---- */

struct form_row {
    const char *body;
    const char *value; /* of "a"; NULL: absent */
    bool good;
};

static const struct form_row FORM_ROWS[] = {
    {"a=1&b=2", "1", true},   {"b=2&a=x%2By+z%3D", "x+y z=", true},
    {"a", "", true},          {"a=", "", true},
    {"", NULL, true},         {"&&a=1&&", "1", true},
    {"%61=1", "1", true},     {"a=1&a=2", "1", true},
    {"b=1", NULL, true},      {"a=%", NULL, false},
    {"a=%4", NULL, false},    {"a=%zz", NULL, false},
    {"a=x%00y", NULL, false},
};

START_TEST(a_form_is_decoded)
{
    const struct form_row *row = &FORM_ROWS[_i];
    struct form form;
    struct err err;
    ck_assert_int_eq(form_parse(view_of(row->body, strlen(row->body)), &form, &err), row->good);
    if (row->good) {
        const char *value = form_get(&form, "a");
        ck_assert_int_eq(value != NULL, row->value != NULL);
        ck_assert(value == NULL || strcmp(value, row->value) == 0);
    }
    form_release(&form);
}

START_TEST(a_form_has_a_limited_number_of_fields)
{
    char body[FORM_FIELDS_MAX * 4 + 8] = "";
    struct form form;
    struct err err;
    for (size_t index = 0; index < FORM_FIELDS_MAX; index++) {
        memcpy(body + 4 * index, "x=1&", 4);
    }
    ck_assert(form_parse(view_of(body, strlen(body)), &form, &err));
    form_release(&form);
    memcpy(body + 4 * FORM_FIELDS_MAX, "x=1", 3);
    ck_assert(!form_parse(view_of(body, strlen(body)), &form, &err));
    form_release(&form);
}

/* ---- the workspace ---- */

struct lab {
    struct workspace_options options;
    struct workspace *workspace;
    struct buf raw;
    struct buf reasons;
    uint64_t samples_count;
    int64_t now_ms;
    struct workspace_result result;
};

static struct lab *lab_new(void)
{
    struct lab *lab = mem_new(1, sizeof *lab);
    lab->options = (struct workspace_options){.name = mem_string("w"),
                                              .burst_ms = 1000,
                                              .active_for_ms = 100000,
                                              .window_ms = 20 * MINUTE_MS,
                                              .over_limit = OVER_LIMIT_STATUS};
    buf_init(&lab->raw, 1 << 20);
    buf_init(&lab->reasons, 1 << 20);
    return lab;
}

static void lab_free(struct lab *lab)
{
    workspace_free(lab->workspace);
    mem_free(lab->options.name);
    buf_release(&lab->raw);
    buf_release(&lab->reasons);
    mem_free(lab);
}

static void add(struct lab *lab, const char *name, const char *value, int64_t t_ms)
{
    struct label label = {name, value, (uint32_t)strlen(name), (uint32_t)strlen(value)};
    struct rw_sample sample = {WALL_MS + t_ms, 1};
    ck_assert(rw1_series(&lab->raw, &label, 1, &sample, 1));
    lab->samples_count++;
}

/* Judges what was added: the reasons as digits in *lab->reasons, NUL behind; "429" when refused. */
static const char *judge(struct lab *lab)
{
    if (lab->workspace == NULL) {
        lab->workspace = workspace_new(&lab->options);
    }
    struct workspace_request request = {.samples = view_of(lab->raw.data, lab->raw.bytes),
                                        .samples_count = lab->samples_count,
                                        .now_ms = lab->now_ms,
                                        .wall_ms = WALL_MS};
    buf_clear(&lab->reasons);
    bool good = workspace_judge(lab->workspace, &request, &lab->reasons, &lab->result);
    buf_clear(&lab->raw);
    lab->samples_count = 0;
    if (!good) {
        return "429";
    }
    for (size_t index = 0; index < lab->reasons.bytes; index++) {
        lab->reasons.data[index] = (uint8_t)(lab->reasons.data[index] + '0');
    }
    ck_assert(buf_append(&lab->reasons, "", 1));
    return (const char *)lab->reasons.data;
}

START_TEST(the_window_is_twenty_minutes_each_way)
{
    struct lab *lab = lab_new();
    add(lab, "a", "1", -20 * MINUTE_MS - 1);
    add(lab, "a", "2", -20 * MINUTE_MS);
    add(lab, "a", "3", 20 * MINUTE_MS);
    add(lab, "a", "4", 20 * MINUTE_MS + 1);
    ck_assert_str_eq(judge(lab), "5004");
    ck_assert_uint_eq(lab->result.dropped, 2);
    ck_assert_uint_eq(workspace_dropped(lab->workspace, DROP_OLD), 1);
    ck_assert_uint_eq(workspace_dropped(lab->workspace, DROP_FUTURE), 1);
    lab_free(lab);
}

START_TEST(no_window_takes_any_time)
{
    struct lab *lab = lab_new();
    lab->options.window_ms = 0;
    add(lab, "a", "1", -WALL_MS);
    add(lab, "a", "2", 10 * WALL_MS);
    ck_assert_str_eq(judge(lab), "00");
    lab_free(lab);
}

START_TEST(each_series_goes_forward_only)
{
    struct lab *lab = lab_new();
    add(lab, "a", "x", 10);
    add(lab, "a", "x", 20);
    add(lab, "a", "x", 20);
    add(lab, "a", "x", 15);
    add(lab, "a", "y", 15);
    add(lab, "a", "x", 21);
    ck_assert_str_eq(judge(lab), "001200");
    add(lab, "a", "x", 21);
    add(lab, "a", "x", 20);
    add(lab, "a", "x", 22);
    ck_assert_str_eq(judge(lab), "120");
    lab_free(lab);
}

START_TEST(a_sample_outside_the_window_does_not_move_the_series)
{
    struct lab *lab = lab_new();
    add(lab, "a", "x", 21 * MINUTE_MS);
    add(lab, "a", "x", 5);
    ck_assert_str_eq(judge(lab), "40");
    lab_free(lab);
}

START_TEST(series_that_differ_in_case_only_are_one)
{
    struct lab *lab = lab_new();
    add(lab, "Job", "Api", 10);
    add(lab, "jOB", "aPI", 10);
    add(lab, "job", "api", 9);
    add(lab, "job", "ap", 9);
    ck_assert_str_eq(judge(lab), "0120");
    ck_assert_uint_eq(workspace_active_series(lab->workspace), 2);
    lab_free(lab);
}

START_TEST(two_names_that_differ_in_case_only_spoil_the_series)
{
    struct lab *lab = lab_new();
    struct label labels[] = {{"A", "1", 1, 1}, {"b", "2", 1, 1}, {"a", "3", 1, 1}};
    struct rw_sample sample = {WALL_MS, 1};
    ck_assert(rw1_series(&lab->raw, labels, 3, &sample, 1));
    lab->samples_count = 1;
    ck_assert_str_eq(judge(lab), "7");
    lab_free(lab);
}

START_TEST(labels_in_another_order_of_case_are_the_same_series)
{
    struct lab *lab = lab_new();
    struct label upper[] = {{"B", "2", 1, 1}, {"a", "1", 1, 1}};
    struct label lower[] = {{"a", "1", 1, 1}, {"b", "2", 1, 1}};
    struct rw_sample sample = {WALL_MS, 1};
    ck_assert(rw1_series(&lab->raw, upper, 2, &sample, 1));
    ck_assert(rw1_series(&lab->raw, lower, 2, &sample, 1));
    lab->samples_count = 2;
    ck_assert_str_eq(judge(lab), "01");
    lab_free(lab);
}

START_TEST(labels_have_limits_and_some_are_reserved)
{
    struct lab *lab = lab_new();
    char *reserved[] = {mem_string("Secret")};
    char text[1100];
    memset(text, 'x', sizeof text);
    lab->options.reserved_names = (struct texts){reserved, 1};
    struct label labels[] = {{"a", text, 1, 1023},       {"a", text, 1, 1024},
                             {text, "1", 511, 1},        {text, "1", 512, 1},
                             {"__name__", text, 8, 511}, {"__name__", text, 8, 512},
                             {"secret", "1", 6, 1}};
    struct rw_sample sample = {WALL_MS, 1};
    for (size_t index = 0; index < ARRAY_COUNT(labels); index++) {
        ck_assert(rw1_series(&lab->raw, &labels[index], 1, &sample, 1));
    }
    lab->samples_count = ARRAY_COUNT(labels);
    ck_assert_str_eq(judge(lab), "0707076");
    lab_free(lab);
    mem_free(reserved[0]);
}

START_TEST(a_series_has_at_most_63_labels)
{
    struct lab *lab = lab_new();
    char names[SERIES_LABELS_MAX + 1][4];
    struct label labels[SERIES_LABELS_MAX + 1];
    for (unsigned index = 0; index < ARRAY_COUNT(labels); index++) {
        (void)snprintf(names[index], sizeof names[index], "n%02u", index);
        labels[index] = (struct label){names[index], "1", 3, 1};
    }
    struct rw_sample sample = {WALL_MS, 1};
    ck_assert(rw1_series(&lab->raw, labels, SERIES_LABELS_MAX, &sample, 1));
    ck_assert(rw1_series(&lab->raw, labels, SERIES_LABELS_MAX + 1, &sample, 1));
    lab->samples_count = 2;
    ck_assert_str_eq(judge(lab), "07");
    lab_free(lab);
}

START_TEST(beyond_the_active_series_a_request_is_refused_and_leaves_no_trace)
{
    struct lab *lab = lab_new();
    lab->options.active_series = 2;
    add(lab, "a", "1", 1);
    add(lab, "a", "2", 1);
    ck_assert_str_eq(judge(lab), "00");
    add(lab, "a", "1", 2);
    add(lab, "a", "3", 1);
    ck_assert_str_eq(judge(lab), "429");
    ck_assert_str_eq(lab->result.limit, "active time series");
    add(lab, "a", "1", 2);
    ck_assert_str_eq(judge(lab), "0");
    lab->now_ms += lab->options.active_for_ms; /* both have been silent for that long */
    add(lab, "a", "3", 1);
    ck_assert_str_eq(judge(lab), "0");
    ck_assert_uint_eq(workspace_active_series(lab->workspace), 1);
    lab_free(lab);
}

START_TEST(beyond_the_active_series_new_ones_are_dropped_silently_when_so_configured)
{
    struct lab *lab = lab_new();
    lab->options.active_series = 1;
    lab->options.over_limit = OVER_LIMIT_DROP;
    add(lab, "a", "1", 1);
    add(lab, "a", "2", 1);
    add(lab, "a", "1", 2);
    ck_assert_str_eq(judge(lab), "030");
    lab_free(lab);
}

START_TEST(samples_per_minute_refuse_or_drop)
{
    for (int over_limit = OVER_LIMIT_STATUS; over_limit <= OVER_LIMIT_DROP; over_limit++) {
        struct lab *lab = lab_new();
        lab->options.samples_per_minute = 120; /* two a second, two at once */
        lab->options.over_limit = over_limit;
        add(lab, "a", "1", 1);
        add(lab, "a", "1", 2);
        ck_assert_str_eq(judge(lab), "00");
        add(lab, "a", "1", 3);
        bool drops = over_limit == OVER_LIMIT_DROP;
        ck_assert_str_eq(judge(lab), drops ? "3" : "429");
        ck_assert(drops || lab->result.wait_ms == 500);
        lab->now_ms += 500;
        add(lab, "a", "1", 3);
        ck_assert_str_eq(judge(lab), "0");
        lab_free(lab);
    }
}

Suite *suite_workspace(void);
Suite *suite_workspace(void)
{
    Suite *suite = suite_create("workspace");
    TCase *tests = tcase_create("workspace");
    tcase_add_test(tests, a_bucket_gives_its_burst_at_once_and_then_its_rate);
    tcase_add_test(tests, what_is_larger_than_the_bucket_passes_when_it_is_full);
    tcase_add_test(tests, no_limit_is_no_limit);
    tcase_add_loop_test(tests, a_form_is_decoded, 0, ARRAY_COUNT(FORM_ROWS));
    tcase_add_test(tests, a_form_has_a_limited_number_of_fields);
    tcase_add_test(tests, the_window_is_twenty_minutes_each_way);
    tcase_add_test(tests, no_window_takes_any_time);
    tcase_add_test(tests, each_series_goes_forward_only);
    tcase_add_test(tests, a_sample_outside_the_window_does_not_move_the_series);
    tcase_add_test(tests, series_that_differ_in_case_only_are_one);
    tcase_add_test(tests, two_names_that_differ_in_case_only_spoil_the_series);
    tcase_add_test(tests, labels_in_another_order_of_case_are_the_same_series);
    tcase_add_test(tests, labels_have_limits_and_some_are_reserved);
    tcase_add_test(tests, a_series_has_at_most_63_labels);
    tcase_add_test(tests, beyond_the_active_series_a_request_is_refused_and_leaves_no_trace);
    tcase_add_test(tests,
                   beyond_the_active_series_new_ones_are_dropped_silently_when_so_configured);
    tcase_add_test(tests, samples_per_minute_refuse_or_drop);
    suite_add_tcase(suite, tests);
    return suite;
}

/* test_log.c - the text of lines, what can't be forged in them, and the limit of each call site. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <walship/buf.h>
#include <walship/log.h>

struct kept {
    char text[16384];
    size_t lines;
    int64_t now_ms;
};

static void keep(void *context, const char *line)
{
    struct kept *kept = context;
    kept->lines++;
    size_t used = strlen(kept->text);
    snprintf(kept->text + used, sizeof kept->text - used, "%s", line);
}

static int64_t now(void *context)
{
    return ((struct kept *)context)->now_ms;
}

static struct kept kept;

static void setup(void)
{
    memset(&kept, 0, sizeof kept);
    kept.now_ms = 1700000000123;
    log_set_level(LOG_LEVEL_DEBUG);
    log_set_sink(keep, now, &kept);
}

static void teardown(void)
{
    log_set_sink(NULL, NULL, NULL);
    log_set_level(LOG_LEVEL_INFO);
}

#define HEAD "ts=2023-11-14T22:13:20.123Z level=warn "

START_TEST(a_line_is_logfmt)
{
    LOG_WARN("segment is gone", LOG_I64("segment", -7), LOG_STR("dir", "/a b"),
             LOG_U64("bytes", UINT64_MAX), LOG_F64("share", 0.25));
    ck_assert_str_eq(kept.text, HEAD "msg=\"segment is gone\" segment=-7 dir=\"/a b\" "
                                     "bytes=18446744073709551615 share=0.25\n");
}

START_TEST(a_line_may_have_no_fields)
{
    LOG_DEBUG("a");
    LOG_INFO("b");
    LOG_ERROR("c");
    ck_assert_str_eq(kept.text, "ts=2023-11-14T22:13:20.123Z level=debug msg=\"a\"\n"
                                "ts=2023-11-14T22:13:20.123Z level=info msg=\"b\"\n"
                                "ts=2023-11-14T22:13:20.123Z level=error msg=\"c\"\n");
}

static const struct {
    const char *value;
    const char *written;
} values[] = {
    {"", ""},
    {NULL, ""},
    {"x\" level=error msg=\"forged", "x\\\" level=error msg=\\\"forged"},
    {"a\nts=2023", "a\\nts=2023"},
    {"a\\n", "a\\\\n"},
    {"\x01\x1f\x7f\r\t", "\\u0001\\u001f\\u007f\\u000d\\u0009"},
    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"next\xc2\x85line \xe2\x80\xa8 \xe2\x80\xa9", "next\\u0085line \\u2028 \\u2029"},
    {"\xff\xc3 \xc0\xaf \xed\xa0\x80", "\\xff\\xc3 \\xc0\\xaf \\xed\\xa0\\x80"},
    {"cut \xe2\x82", "cut \\xe2\\x82"},
};

START_TEST(a_value_can_not_forge_a_line)
{
    char expected[500];
    LOG_WARN("m", LOG_STR("v", values[_i].value), LOG_I64("after", 1));
    snprintf(expected, sizeof expected, HEAD "msg=\"m\" v=\"%s\" after=1\n", values[_i].written);
    ck_assert_str_eq(kept.text, expected);
}

static void log_once(void)
{
    LOG_WARN("often");
}

static void log_elsewhere(void)
{
    LOG_WARN("elsewhere");
}

START_TEST(a_site_writes_its_burst_and_counts_the_rest)
{
    for (int i = 0; i < LOG_BURST + 37; i++) {
        log_once();
    }
    ck_assert_uint_eq(kept.lines, LOG_BURST);
    log_elsewhere();
    ck_assert_uint_eq(kept.lines, LOG_BURST + 1);
    kept.now_ms += LOG_WINDOW_MS - 1;
    log_once();
    ck_assert_uint_eq(kept.lines, LOG_BURST + 1);
    kept.now_ms += 1;
    kept.text[0] = '\0';
    log_once();
    log_once();
    ck_assert_str_eq(kept.text,
                     "ts=2023-11-14T22:13:30.123Z level=warn msg=\"often\" suppressed=38\n"
                     "ts=2023-11-14T22:13:30.123Z level=warn msg=\"often\"\n");
}

START_TEST(a_clock_set_back_does_not_silence_a_site)
{
    for (int i = 0; i < LOG_BURST + 1; i++) {
        log_once();
    }
    kept.now_ms -= 3600 * 1000;
    log_once();
    ck_assert_uint_eq(kept.lines, LOG_BURST + 1);
}

START_TEST(lines_below_the_level_are_not_written_nor_counted)
{
    log_set_level(LOG_LEVEL_ERROR);
    for (int i = 0; i < 100; i++) {
        log_once();
    }
    ck_assert_uint_eq(kept.lines, 0);
    log_set_level(LOG_LEVEL_WARN);
    log_once();
    ck_assert_str_eq(kept.text, HEAD "msg=\"often\"\n");
}

START_TEST(a_long_value_is_cut_and_the_line_goes_on)
{
    static char value[20000];
    memset(value, 'v', sizeof value - 1);
    LOG_WARN("m", LOG_STR("long", value), LOG_I64("after", 1));
    ck_assert_uint_eq(kept.lines, 1);
    ck_assert_uint_lt(strlen(kept.text), 1300);
    ck_assert_ptr_nonnull(strstr(kept.text, "vvv...\" after=1\n"));
}

/* What a value of quotes only becomes: escaped up to its limit, then cut. */
static bool append_quotes(struct buf *to, const char *key)
{
    bool ok = buf_format(to, " %s=\"", key);
    for (int i = 0; ok && i < 512; i++) {
        ok = buf_append(to, "\\\"", 2);
    }
    return ok && buf_append(to, "...\"", 4);
}

START_TEST(a_line_too_long_loses_whole_fields_but_not_the_count)
{
    static char value[20000];
    static char filler[884]; /* up to the last byte that fields may take */
    memset(value, '"', sizeof value - 1);
    memset(filler, 'f', sizeof filler - 1);
    for (int i = 0; i <= LOG_BURST + 3; i++) {
        kept.text[0] = '\0';
        kept.now_ms = i == LOG_BURST + 3 ? LOG_WINDOW_MS : 0;
        LOG_WARN("m", LOG_STR("a", value), LOG_STR("b", value), LOG_STR("c", value),
                 LOG_STR("d", filler), LOG_I64("e", 1));
    }
    struct buf expected;
    buf_init(&expected, 8192);
    ck_assert(buf_format(&expected, "ts=1970-01-01T00:00:10.000Z level=warn msg=\"m\""));
    ck_assert(append_quotes(&expected, "a") && append_quotes(&expected, "b") &&
              append_quotes(&expected, "c"));
    ck_assert(buf_format(&expected, " d=\"%s\" suppressed=3\n", filler) &&
              buf_append(&expected, "", 1));
    ck_assert_str_eq(kept.text, (const char *)expected.data);
    buf_release(&expected);
}

START_TEST(level_names_are_known)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < 4; i++) {
        enum log_level level = LOG_LEVEL_DEBUG;
        ck_assert(log_level_parse(names[i], &level));
        ck_assert_int_eq((int)level, i);
    }
    enum log_level level = LOG_LEVEL_INFO;
    ck_assert(!log_level_parse("INFO", &level));
    ck_assert(!log_level_parse("", &level));
}

START_TEST(without_a_sink_lines_go_to_stderr_with_the_time_of_day)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    log_set_sink(NULL, NULL, NULL);
    LOG_WARN("to stderr");
    char text[200] = "";
    ssize_t bytes = read(ends[0], text, sizeof text - 1);
    ck_assert_int_gt(bytes, 0);
    ck_assert_int_eq(strncmp(text, "ts=20", 5), 0);
    ck_assert_ptr_nonnull(strstr(text, "Z level=warn msg=\"to stderr\"\n"));
}

Suite *suite_log(void);
Suite *suite_log(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_line_is_logfmt);
    tcase_add_test(tests, a_line_may_have_no_fields);
    tcase_add_loop_test(tests, a_value_can_not_forge_a_line, 0, sizeof values / sizeof values[0]);
    tcase_add_test(tests, a_site_writes_its_burst_and_counts_the_rest);
    tcase_add_test(tests, a_clock_set_back_does_not_silence_a_site);
    tcase_add_test(tests, lines_below_the_level_are_not_written_nor_counted);
    tcase_add_test(tests, a_long_value_is_cut_and_the_line_goes_on);
    tcase_add_test(tests, a_line_too_long_loses_whole_fields_but_not_the_count);
    tcase_add_test(tests, level_names_are_known);
    tcase_add_test(tests, without_a_sink_lines_go_to_stderr_with_the_time_of_day);
    suite_add_tcase(suite, tests);
    return suite;
}

/* test_wal_commands.c - `wal dump` and `wal stat` over directories written by the test. */
#include "commands.h"
#include "times.h"
#include "wal_writer.h"

#include <check.h>
#include <dirent.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/limits.h>

#define T 1700000000000

static char root[] = "/tmp/walship-cli-XXXXXX";
static struct wal_writer writer;
static struct buf record;
static char *text; /* what the command printed */

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(root));
    wal_writer_init(&writer, WAL_WRITER_SNAPPY);
    buf_init(&record, 1 << 20);
}

static void remove_all(const char *path)
{
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char name[600];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(name) != 0) {
            ck_assert_int_eq(rmdir(name), 0);
        }
    }
    closedir(dir);
}

static void teardown(void)
{
    char checkpoint[600];
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.00000001", root);
    if (access(checkpoint, F_OK) == 0) {
        remove_all(checkpoint);
    }
    remove_all(root);
    ck_assert_int_eq(rmdir(root), 0);
    wal_writer_release(&writer);
    buf_release(&record);
    free(text);
}

/* ---- writing ---- */

static void log_series(uint64_t ref, const char *job)
{
    struct label labels[] = {{"__name__", "up", 8, 2}, {"job", job, 3, (uint32_t)strlen(job)}};
    struct wal_series series = {ref, 2, labels};
    wal_put_series(&record, &series, 1);
    (void)wal_writer_log_buf(&writer, &record);
}

static void log_sample(uint64_t ref, int64_t t_ms, uint64_t bits)
{
    struct wal_sample sample = {ref, t_ms, 0, bits};
    wal_put_samples(&record, WAL_SAMPLES, &sample, 1);
    (void)wal_writer_log_buf(&writer, &record);
}

static void save(const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", root, name);
    ck_assert(wal_writer_save(&writer, path));
    wal_writer_clear(&writer);
}

/* ---- running ---- */

/* Runs the command with stdout and stderr into a file; its exit code. */
static int run(int (*command)(int, char **), const char *const *arguments)
{
    char path[] = "/tmp/walship-cli-out-XXXXXX";
    char *argv[16] = {NULL};
    int argc = 0;
    int fd = mkstemp(path);
    int kept[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    ck_assert(fd >= 0 && kept[0] >= 0 && kept[1] >= 0);
    for (; arguments[argc] != NULL; argc++) {
        argv[argc] = strdup(arguments[argc]);
    }
    fflush(NULL);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    optind = 0; /* getopt starts anew */
    int code = command(argc, argv);
    fflush(NULL);
    dup2(kept[0], STDOUT_FILENO);
    dup2(kept[1], STDERR_FILENO);
    free(text);
    text = calloc(1, 1 << 16);
    ck_assert(text != NULL && pread(fd, text, (1 << 16) - 1, 0) >= 0);
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
    }
    close(kept[0]);
    close(kept[1]);
    close(fd);
    unlink(path);
    return code;
}

static int dump(const char *option, const char *value)
{
    const char *arguments[] = {"dump", root, option, value, NULL};
    return run(cmd_wal_dump, arguments);
}

START_TEST(items_are_shown_under_the_definition_of_their_time)
{
    log_sample(1, T, 0x3FF0000000000000); /* before its definition */
    log_series(1, "a");
    log_sample(1, T + 1, WAL_STALE_BITS);
    log_series(1, "b");
    log_sample(1, T + 2, 0x7FF0000000000000);
    log_sample(9, T + 2, 0); /* never defined */
    save("00000000");
    ck_assert_int_eq(dump(NULL, NULL), 0);
    ck_assert_str_eq(text, "{__name__=\"up\", job=\"a\"} 1 1700000000000\n"
                           "{__name__=\"up\", job=\"a\"} stale 1700000000001\n"
                           "{__name__=\"up\", job=\"b\"} +Inf 1700000000002\n"
                           "walship wal dump: 1 items of series without a definition left out\n");
}
END_TEST

START_TEST(from_to_and_match_choose)
{
    log_series(1, "a");
    log_series(2, "b");
    for (int i = 0; i < 3; i++) {
        log_sample(1, T + i, 0);
        log_sample(2, T + i, 0);
    }
    save("00000000");
    const char *arguments[] = {"dump",    root,
                               "--from",  "1700000000001",
                               "--to",    "2023-11-14T22:13:20.001Z",
                               "--match", "{job=~\"b|c\"}",
                               NULL};
    ck_assert_int_eq(run(cmd_wal_dump, arguments), 0);
    ck_assert_str_eq(text, "{__name__=\"up\", job=\"b\"} 0 1700000000001\n");
}
END_TEST

START_TEST(series_of_the_checkpoint_are_known_and_its_samples_are_not_shown)
{
    char path[600];
    snprintf(path, sizeof path, "%s/checkpoint.00000001", root);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    log_series(1, "a");
    log_sample(1, T, 0);
    save("checkpoint.00000001/00000000");
    log_sample(1, T + 1, 0);
    save("00000002");
    ck_assert_int_eq(dump(NULL, NULL), 0);
    ck_assert_str_eq(text, "{__name__=\"up\", job=\"a\"} 0 1700000000001\n");
}
END_TEST

START_TEST(all_other_items_are_lines_that_begin_with_their_kind)
{
    struct label trace = {"trace_id", "x\n", 8, 2};
    struct wal_exemplar exemplar = {1, T, 0x3FE0000000000000, 1, &trace};
    struct wal_metadata metadata = {1, 2, view_of("s", 1), view_of("a \"b\"", 5)};
    struct wal_tombstone tombstone = {1, -5, T};
    struct wal_sample sample = {1, T, T - 10, 0};
    log_series(1, "a");
    wal_put_exemplars(&record, &exemplar, 1);
    (void)wal_writer_log_buf(&writer, &record);
    wal_put_metadata(&record, &metadata, 1);
    (void)wal_writer_log_buf(&writer, &record);
    wal_put_tombstones(&record, &tombstone, 1);
    (void)wal_writer_log_buf(&writer, &record);
    wal_put_samples(&record, WAL_SAMPLES_V2, &sample, 1);
    (void)wal_writer_log_buf(&writer, &record);
    (void)wal_writer_log(&writer, "\x63what", 5);
    save("00000000");
    ck_assert_int_eq(dump(NULL, NULL), 0);
    ck_assert_str_eq(
        text, "# exemplar {__name__=\"up\", job=\"a\"} {trace_id=\"x\\n\"} 0.5 1700000000000\n"
              "# metadata {__name__=\"up\", job=\"a\"} gauge {unit=\"s\"} {help=\"a \\\"b\\\"\"}\n"
              "# tombstone {__name__=\"up\", job=\"a\"} -5 1700000000000\n"
              "{__name__=\"up\", job=\"a\"} 0 1700000000000\n"
              "# start {__name__=\"up\", job=\"a\"} 1700000000000 1699999999990\n"
              "walship wal dump: 1 records of an unknown type left out\n");
}
END_TEST

/* In the newest segment too, where nothing will ever be appended again. */
START_TEST(damage_is_said_and_the_rest_is_shown)
{
    log_series(1, "a");
    log_sample(1, T, 0);
    size_t at = writer.bytes.bytes;
    log_sample(1, T + 1, 0);
    wal_writer_pad(&writer);
    log_sample(1, T + 2, 0);
    writer.bytes.data[at + 10] ^= 1;
    save("00000000");
    ck_assert_int_eq(dump(NULL, NULL), 0);
    ck_assert(strstr(text, "up\", job=\"a\"} 0 1700000000000\n") != NULL);
    ck_assert(strstr(text, "1700000000001") == NULL);
    ck_assert(strstr(text, "up\", job=\"a\"} 0 1700000000002\n") != NULL);
    ck_assert(strstr(text, "bytes passed over: a wrong checksum\n") != NULL);
}
END_TEST

START_TEST(stat_counts_what_there_is)
{
    log_series(1, "a");
    log_series(1, "a");
    log_series(2, "b");
    log_sample(1, T, 0);
    save("00000000");
    log_sample(2, T + 5, 0);
    wal_writer_fragment(&writer, 0x07, "x", 1);
    wal_writer_pad(&writer);
    log_sample(2, T + 6, 0);
    save("00000002");
    const char *arguments[] = {"stat", root, NULL};
    ck_assert_int_eq(run(cmd_wal_stat, arguments), 0);
    ck_assert(strstr(text, "segments    2 (0 to 2)\n") != NULL);
    ck_assert(strstr(text, "series      2\n") != NULL);
    ck_assert(strstr(text, "samples     3\n") != NULL);
    ck_assert(strstr(text, "times       1700000000000 to 1700000000006\n") != NULL);
    ck_assert(strstr(text, " in 1 places\n") != NULL);
    ck_assert(strstr(text, "missing     1 segments\n") != NULL);
    ck_assert(strstr(text, "series                                              3") != NULL);
}
END_TEST

static const struct {
    const char *arguments[4];
    const char *says;
} wrong[] = {
    {{NULL}, "walship wal dump: no directory given; see walship --help\n"},
    {{"a", "b"}, "walship wal dump: one directory only, not also b; see walship --help\n"},
    {{"a", "--frm"}, "walship wal dump: unknown option --frm; see walship --help\n"},
    {{"a", "--from"}, "walship wal dump: a value is missing for --from; see walship --help\n"},
    {{"a", "--to", "noon"}, "walship wal dump: --to wants Unix milliseconds or"},
    {{"a", "--from=10", "--to=5"},
     "walship wal dump: --from is later than --to, so nothing lies between: 10; see walship --help\n"},
    {{"a", "--match", "{"}, "walship wal dump: --match: selector: a quoted string is wanted at"},
};

START_TEST(usage_errors_are_one_line_and_exit_2)
{
    const char *arguments[6] = {"dump"};
    memcpy(arguments + 1, wrong[_i].arguments, sizeof wrong[_i].arguments);
    ck_assert_int_eq(run(cmd_wal_dump, arguments), 2);
    ck_assert_msg(strncmp(text, wrong[_i].says, strlen(wrong[_i].says)) == 0, "%s", text);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

START_TEST(a_directory_that_is_no_wal_is_one_line_and_exit_1)
{
    const char *arguments[] = {_i == 0 ? "dump" : "stat", "/nonexistent/wal", NULL};
    ck_assert_int_eq(run(_i == 0 ? cmd_wal_dump : cmd_wal_stat, arguments), 1);
    ck_assert(strstr(text, "/nonexistent/wal") != NULL);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

static const struct {
    const char *text;
    bool good;
    int64_t t_ms;
} times[] = {
    {"1700000000000", true, T},
    {"-5", true, -5},
    {"2023-11-14T22:13:20Z", true, T},
    {"2023-11-14T22:13:20.5Z", true, T + 500},
    {"2023-11-14T22:13:20.0019Z", true, T + 1},
    {"1970-01-01T00:00:00Z", true, 0},
    {"", false, 0},
    {"12x", false, 0},
    {"99999999999999999999", false, 0},
    {"2023-11-14T22:13:20", false, 0},
    {"2023-11-14T22:13:20.Z", false, 0},
    {"2023-11-14T22:13:20+01:00", false, 0},
};

START_TEST(times_are_milliseconds_or_rfc_3339_in_utc)
{
    int64_t t_ms = 0;
    ck_assert_int_eq(time_parse(times[_i].text, &t_ms), times[_i].good);
    ck_assert(!times[_i].good || t_ms == times[_i].t_ms);
}
END_TEST

Suite *suite_wal_commands(void);
Suite *suite_wal_commands(void)
{
    Suite *suite = suite_create("wal_commands");
    TCase *tcase = tcase_create("wal_commands");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, items_are_shown_under_the_definition_of_their_time);
    tcase_add_test(tcase, from_to_and_match_choose);
    tcase_add_test(tcase, series_of_the_checkpoint_are_known_and_its_samples_are_not_shown);
    tcase_add_test(tcase, all_other_items_are_lines_that_begin_with_their_kind);
    tcase_add_test(tcase, damage_is_said_and_the_rest_is_shown);
    tcase_add_test(tcase, stat_counts_what_there_is);
    tcase_add_loop_test(tcase, usage_errors_are_one_line_and_exit_2, 0, ARRAY_COUNT(wrong));
    tcase_add_loop_test(tcase, a_directory_that_is_no_wal_is_one_line_and_exit_1, 0, 2);
    tcase_add_loop_test(tcase, times_are_milliseconds_or_rfc_3339_in_utc, 0, ARRAY_COUNT(times));
    suite_add_tcase(suite, tcase);
    return suite;
}

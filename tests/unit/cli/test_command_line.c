/* test_command_line.c - what `walship` says to a command line before it does anything. */
#include <check.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/buf.h>
#include <walship/cli.h>

static char directory[64]; /* holds data/wal, conf.yml */
static struct buf printed; /* both streams */

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
    (void)snprintf(directory, sizeof directory, "/tmp/walship-line-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    ck_assert_int_eq(mkdir("data", 0755), 0);
    ck_assert_int_eq(mkdir("data/wal", 0755), 0);
    write_file("conf.yml", "wal_dir: data/wal\nstate_dir: state\nlisten_address: ''\n"
                           "remote_write: [{name: east, url: 'http://127.0.0.1:1/w'}]\n");
    ck_assert_int_eq(unsetenv("INGESTION_URL"), 0);
    buf_init(&printed, 1 << 20);
}

static void teardown(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r '%s'", directory);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
    buf_release(&printed);
}

enum { WORDS_MAX = 12 };

/* The words stand between single blanks. Both streams go to a file during the call. */
static int run(const char *line)
{
    char words[256];
    char *argv[WORDS_MAX] = {NULL};
    int argc = 0;
    (void)snprintf(words, sizeof words, "%s", line);
    char *rest = words;
    for (char *word; argc < WORDS_MAX - 1 && (word = strsep(&rest, " ")) != NULL;) {
        argv[argc++] = word;
    }
    ck_assert_int_eq(fflush(stdout), 0);
    int out = dup(STDOUT_FILENO);
    int err = dup(STDERR_FILENO);
    FILE *file = fopen("printed", "w+");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(dup2(fileno(file), STDOUT_FILENO), 0);
    ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
    optind = 0;
    int code = cli_main(argc, argv);
    (void)fflush(stdout);
    ck_assert_int_ge(dup2(out, STDOUT_FILENO), 0);
    ck_assert_int_ge(dup2(err, STDERR_FILENO), 0);
    rewind(file);
    buf_clear(&printed);
    for (int c; (c = fgetc(file)) != EOF;) {
        char byte = (char)c;
        ck_assert(buf_append(&printed, &byte, 1));
    }
    ck_assert(buf_append(&printed, "", 1));
    ck_assert_int_eq(fclose(file), 0);
    close(out);
    close(err);
    return code;
}

static const struct {
    const char *line;
    int code;
    const char *told; /* how it begins */
} lines[] = {
    {"walship", 2, "walship: no command; see walship --help\n"},
    {"walship fly", 2, "walship: unknown command fly; see walship --help\n"},
    {"walship wal fly", 2, "walship: unknown command wal fly; see walship --help\n"},
    {"walship wal", 2, "  walship wal dump DIR"},
    {"walship -h", 0, "walship " WALSHIP_VERSION ": ships the WAL"},
    {"walship run --help", 0, "  walship run [--config F] [--once"},
    {"walship losses -h", 0, "  walship losses [--config F]"},
    {"walship wal --help", 0, "  walship wal dump DIR"},
    {"walship wal stat --help", 0, "  walship wal stat DIR"},
    {"walship run --config conf.yml --adopt a=b --adopt c=d", 2,
     "walship run: --adopt goes once a start: rename one destination after the other, not also c=d; "
     "see walship --help\n"},
    {"walship run --config conf.yml --forget a --forget b", 2,
     "walship run: --forget goes once a start, not also b; see walship --help\n"},
    {"walship run --config conf.yml --forget east", 1,
     "walship: --forget: the configuration still has east. To begin anew with it give it another "
     "name there, and say --forget east once\n"},
    {"walship plan data --max-samples-per-send 20001", 2,
     "walship plan: --max-samples-per-send wants 1 to 20000, not 20001; see walship --help\n"},
    {"walship plan data --max-bytes-per-send 1x", 2,
     "walship plan: --max-bytes-per-send wants 1024 to 16777216, not 1x; see walship --help\n"},
    {"walship plan data --batch-send-deadline 0s", 2,
     "walship plan: --batch-send-deadline wants a duration such as 1s, not 0s; see walship "
     "--help\n"},
    {"walship explain up --config conf.yml", 0,
     "a running walship can't be asked (listen_address is empty): this is where series are at "
     "home\nno series in data/wal matches up\n"},
    {"walship plan data", 1,
     "walship plan: data holds no samples yet: nothing can be planned from it\n"},
};

START_TEST(a_line_is_answered_by_what_is_right_or_wrong_with_it)
{
    int code = run(lines[_i].line);
    const char *text = (const char *)printed.data;
    ck_assert_msg(strncmp(text, lines[_i].told, strlen(lines[_i].told)) == 0, "%s", text);
    ck_assert_int_eq(code, lines[_i].code);
}
END_TEST

START_TEST(to_forget_what_was_never_saved_is_a_warning_and_no_more)
{
    ck_assert_int_eq(run("walship run --config conf.yml --once"), 0);
    ck_assert_int_eq(run("walship run --config conf.yml --once --forget nobody"), 0);
    ck_assert_ptr_nonnull(strstr((const char *)printed.data,
                                 "msg=\"--forget: the state holds no such destination\" "
                                 "destination=\"nobody\""));
}
END_TEST

static void environment(const char *name, const char *value)
{
    ck_assert_int_eq(setenv(name, value, 1), 0);
}

static const struct {
    const char *name, *value; /* what is wrong; NULL: nothing */
    const char *line;
    int code;
    const char *told;
} cars[] = {
    {NULL, NULL, "walship check", 0, "environment: ok, 1 destination, 1 endpoint\n"},
    {NULL, NULL, "walship status", 1, "walship status: state/walship.db: No such file"},
    {NULL, NULL, "walship losses", 1, "walship losses: state/walship.db: No such file"},
    {"WAL_DIR", "nowhere", "walship check", 1,
     "environment:1:1: wal_dir: nowhere does not exist; wal_dir must name"},
    {"CLOUD", "AZURECUSTOM", "walship check", 1,
     "environment:1:1: AAD_HOST_ENDPOINT is missing: CLOUD AZURECUSTOM needs it\n"},
    {"LISTENING_PORT", "http", "walship check", 1,
     "environment:1:1: LISTENING_PORT must be a port from 1 to 65535, found \"http\"\n"},
    {"LISTENING_PORT", "65536", "walship losses", 1,
     "environment:1:1: LISTENING_PORT must be a port from 1 to 65535, found \"65536\"\n"},
};

START_TEST(beside_a_side_car_without_a_file_its_variables_are_taken)
{
    environment("INGESTION_URL", "http://127.0.0.1:1/w");
    environment("IDENTITY_TYPE", "systemAssigned");
    environment("WAL_DIR", "data/wal");
    environment("STATE_DIR", "state");
    if (cars[_i].name != NULL) {
        environment(cars[_i].name, cars[_i].value);
    }
    int code = run(cars[_i].line);
    const char *text = (const char *)printed.data;
    ck_assert_msg(strncmp(text, cars[_i].told, strlen(cars[_i].told)) == 0, "%s", text);
    ck_assert_int_eq(code, cars[_i].code);
}
END_TEST

Suite *suite_command_line(void);
Suite *suite_command_line(void)
{
    Suite *suite = suite_create("command_line");
    TCase *tcase = tcase_create("command_line");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_line_is_answered_by_what_is_right_or_wrong_with_it, 0,
                        ARRAY_COUNT(lines));
    tcase_add_test(tcase, to_forget_what_was_never_saved_is_a_warning_and_no_more);
    tcase_add_loop_test(tcase, beside_a_side_car_without_a_file_its_variables_are_taken, 0,
                        ARRAY_COUNT(cars));
    suite_add_tcase(suite, tcase);
    return suite;
}

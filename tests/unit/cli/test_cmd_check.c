/* test_cmd_check.c - `walship check` as a person calls it: what it prints, and its exit code. */
#include "commands.h"

#include <check.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/buf.h>
#include <walship/mem.h>

static char directory[64]; /* holds data/wal, state, conf.yml */
static struct buf printed; /* both streams */

static void make(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
    (void)snprintf(directory, sizeof directory, "/tmp/walship-check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    make("data");
    make("data/wal");
    make("empty");
    write_file("data/wal/00000000", "");
    write_file("file", "");
    ck_assert_int_eq(symlink("data", "link"), 0);
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

/* Both streams go to a file during the call. */
static int run(int argc, char **argv)
{
    ck_assert_int_eq(fflush(stdout), 0);
    int out = dup(STDOUT_FILENO);
    int err = dup(STDERR_FILENO);
    FILE *file = fopen("printed", "w+");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(dup2(fileno(file), STDOUT_FILENO), 0);
    ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
    optind = 0;
    int code = cmd_check(argc, argv);
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

static void expect(const char *text, int code, const char *told)
{
    char name[] = "check";
    char option[] = "--config";
    char file[] = "conf.yml";
    char *argv[] = {name, option, file, NULL};
    write_file("conf.yml", text);
    int found = run(3, argv);
    ck_assert_str_eq((char *)printed.data, told);
    ck_assert_int_eq(found, code);
}

#define REMOTE "remote_write: [{url: 'http://a/w'}]\n"

static const struct {
    const char *text;
    int code;
    const char *told;
} files[] = {
    {"wal_dir: data/wal\nstate_dir: state\n" REMOTE, 0,
     "conf.yml: ok, 1 destination, 1 endpoint\nspool_dir state/spool: hard links\n"},
    {"wal_dir: data/wal\nstate_dir: state\nspool_dir: /dev/spool\n" REMOTE, 0,
     "conf.yml: ok, 1 destination, 1 endpoint\nspool_dir /dev/spool: no hard links from the WAL "
     "(Invalid cross-device link): what is not sent is held open and copied\n"},
    {"wal_dir: data\nstate_dir: state\nremote_write:\n  - endpoints: [{url: 'http://a'}, {url: "
     "'http://b'}]\n  - url: http://c\n",
     0, "conf.yml: ok, 2 destinations, 3 endpoints\nspool_dir state/spool: hard links\n"},
    {"wal_dir: data\nx: y\n", 1,
     "conf.yml:1:1: remote_write is required\nconf.yml:2:1: unknown key \"x\"\n"},
    {"a: [", 1, "conf.yml:2:1: while parsing a flow node: did not find expected node content\n"},
    {"wal_dir: data\nstate_dir: file\n" REMOTE, 1, "conf.yml:2:12: state_dir: not a directory\n"},
    {"wal_dir: data\nstate_dir: none/state\n" REMOTE, 1,
     "conf.yml:2:12: state_dir: cannot be made: none: No such file or directory\n"},
    {"wal_dir: data\nstate_dir: state\nspool_dir: file\n" REMOTE, 1,
     "conf.yml:3:12: spool_dir: not a directory\n"},
    {"wal_dir: data\nstate_dir: state\nspool_dir: file/spool\n" REMOTE, 1,
     "conf.yml:3:12: spool_dir: cannot be made: file: Not a directory\n"},
    {"wal_dir: data\nstate_dir: state\nspool_dir: none/spool\n" REMOTE, 1,
     "conf.yml:3:12: spool_dir: cannot be made: none: No such file or directory\n"},
    {"wal_dir: data\nstate_dir: link\n" REMOTE, 1,
     "conf.yml:2:12: state_dir: leads into Prometheus' data directory\n"},
    {"wal_dir: data\nstate_dir: state\nspool_dir: link\n" REMOTE, 1,
     "conf.yml:3:12: spool_dir: leads into Prometheus' data directory\n"},
};

START_TEST(a_file_is_judged_with_the_machine_it_is_for)
{
    expect(files[_i].text, files[_i].code, files[_i].told);
}

/* No error: `run` waits for them. */
START_TEST(files_of_secrets_and_certificates_that_are_not_there_are_told)
{
    char told[1024];
    (void)snprintf(told, sizeof told,
                   "conf.yml: ok, 1 destination, 1 endpoint\nspool_dir state/spool: hard links\n"
                   "conf.yml:3:22: warning: no/password can't be read by user %u (No such file or "
                   "directory): requests to https://a/w wait until it can\n"
                   "conf.yml:3:22: warning: no/ca can't be read by user %u (No such file or "
                   "directory): requests to https://a/w wait until it can\n",
                   (unsigned)getuid(), (unsigned)getuid());
    expect("wal_dir: data\nstate_dir: state\n"
           "remote_write: [{url: 'https://a/w', basic_auth: {username: u, password_file: "
           "no/password}, tls_config: {ca_file: no/ca, cert_file: file, key_file: file}}]\n",
           0, told);
}

/* Root may write everywhere: another user asks. */
START_TEST(who_may_not_write_the_state_is_told)
{
    make("readonly");
    ck_assert_int_eq(chmod("readonly", 0555), 0);
    ck_assert_int_eq(chmod(".", 0777), 0);
    bool root = getuid() == 0;
    ck_assert_int_eq(root ? setresuid(65534, 65534, 0) : 0, 0);
    char told[128];
    (void)snprintf(told, sizeof told,
                   "conf.yml:2:12: state_dir: readonly: user %u may not write there: Permission "
                   "denied\n",
                   (unsigned)getuid());
    expect("wal_dir: data\nstate_dir: readonly\n" REMOTE, 1, told);
    ck_assert_int_eq(root ? setresuid(0, 0, 0) : 0, 0);
}

START_TEST(a_directory_without_a_wal_is_told_at_its_key)
{
    expect("state_dir: state\nwal_dir: none\n" REMOTE, 1,
           "conf.yml:2:10: wal_dir: none does not exist; wal_dir must name Prometheus' data "
           "directory or the wal directory in it\n");
}

#define PAIR_A "url: 'https://a-x1y2.eastus-1.metrics.ingest.monitor.azure.com/w?api=1'"
#define GOOD   "conf.yml: ok, 1 destination, 2 endpoints\nspool_dir state/spool: hard links\n"

static const struct {
    const char *first, *second, *placement;
    const char *why; /* NULL: no warning */
} pairs[] = {
    {PAIR_A, "url: 'https://b-x1y2.EastUS-2.metrics.ingest.monitor.azure.com/w'", "failover", NULL},
    {PAIR_A, "url: 'https://b-x1y2.eastus2-1.metrics.ingest.monitor.azure.com/w'", "failover",
     "they are in two regions"},
    {PAIR_A, "url: 'https://b-x1y2.eastus2-1.metrics.ingest.monitor.azure.com/w'", "pinned", NULL},
    {PAIR_A, "url: 'https://b-x1y2.eastus-1.metrics.ingest.monitor.azure.cn/w'", "failover",
     "they are in two clouds"},
    {PAIR_A, "url: 'https://mimir/w'", "failover", "one is Azure Monitor, the other is not"},
    {"url: 'https://a/w'", "url: 'https://b/w'", "failover", NULL},
    {"url: 'https://a/.metrics.ingest.monitor.azure.com'", "url: 'https://b/w'", "failover", NULL},
};

START_TEST(endpoints_of_two_workspaces_are_told)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "wal_dir: data/wal\nstate_dir: state\nremote_write:\n- placement: %s\n"
                   "  endpoints:\n  - {%s}\n  - {%s}\n",
                   pairs[_i].placement, pairs[_i].first, pairs[_i].second);
    if (pairs[_i].why == NULL) {
        expect(text, 0, GOOD);
        return;
    }
    const char *other = strchr(pairs[_i].second, '\'') + 1;
    char *told = mem_format(
        "%sconf.yml:7:11: warning: %s and %.*s are not of one workspace (%s): with placement "
        "failover a series may end up in both; say placement: pinned, or make two destinations of "
        "them\n",
        GOOD, "https://a-x1y2.eastus-1.metrics.ingest.monitor.azure.com/w",
        (int)strcspn(other, "'"), other, pairs[_i].why);
    expect(text, 0, told);
    mem_free(told);
}

static const char *const wrong_calls[][4] = {
    {"check", NULL},
    {"check", "--config", NULL},
    {"check", "--config", "a", "b"},
    {"check", "--frobnicate", NULL},
};

static const char *const usages[] = {
    "walship check: --config F is missing, and INGESTION_URL is not set; see walship --help\n",
    "walship check: unknown option or missing value: --config; see walship --help\n",
    "walship check: unexpected argument b; see walship --help\n",
    "walship check: unknown option or missing value: --frobnicate; see walship --help\n",
};

START_TEST(a_wrong_call_is_told_in_one_line)
{
    char *argv[5] = {NULL};
    int argc = 0;
    while (argc < 4 && wrong_calls[_i][argc] != NULL) {
        argv[argc] = (char *)(uintptr_t)wrong_calls[_i][argc]; /* getopt only moves them */
        argc++;
    }
    ck_assert_int_eq(run(argc, argv), 2);
    ck_assert_str_eq((char *)printed.data, usages[_i]);
}

Suite *suite_cmd_check(void);
Suite *suite_cmd_check(void)
{
    Suite *suite = suite_create("cmd_check");
    TCase *cases = tcase_create("cmd_check");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_loop_test(cases, a_file_is_judged_with_the_machine_it_is_for, 0,
                        (int)ARRAY_COUNT(files));
    tcase_add_loop_test(cases, endpoints_of_two_workspaces_are_told, 0, (int)ARRAY_COUNT(pairs));
    tcase_add_test(cases, files_of_secrets_and_certificates_that_are_not_there_are_told);
    tcase_add_test(cases, who_may_not_write_the_state_is_told);
    tcase_add_test(cases, a_directory_without_a_wal_is_told_at_its_key);
    tcase_add_loop_test(cases, a_wrong_call_is_told_in_one_line, 0, (int)ARRAY_COUNT(usages));
    suite_add_tcase(suite, cases);
    return suite;
}

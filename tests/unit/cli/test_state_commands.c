/* test_state_commands.c - `walship losses` and `walship status` as a person calls them. */
#include "commands.h"

#include <check.h>
#include <getopt.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/buf.h>
#include <walship/store_sqlite.h>

static char directory[64]; /* holds data/wal, state, conf.yml */
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
    (void)snprintf(directory, sizeof directory, "/tmp/walship-state-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    ck_assert_int_eq(mkdir("data", 0755), 0);
    ck_assert_int_eq(mkdir("data/wal", 0755), 0);
    write_file("data/wal/00000004", "0123456789");
    write_file("data/wal/00000005", "0123");
    /* the rest of its page, as Prometheus leaves it: nothing of that is behind */
    ck_assert_int_eq(truncate("data/wal/00000004", 32768), 0);
    write_file("conf.yml", "wal_dir: data/wal\nstate_dir: state\nlisten_address: '127.0.0.1:1'\n"
                           "remote_write: [{name: east, url: 'http://a/w'}]\n");
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

typedef int command_fn(int argc, char **argv);

/* Both streams go to a file during the call. */
static int run(command_fn *command, char *first, char *second, char *third)
{
    char name[] = "it";
    char *argv[] = {name, first, second, third, NULL};
    int argc = 1 + (first != NULL) + (second != NULL) + (third != NULL);
    ck_assert_int_eq(fflush(stdout), 0);
    int out = dup(STDOUT_FILENO);
    int err = dup(STDERR_FILENO);
    FILE *file = fopen("printed", "w+");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(dup2(fileno(file), STDOUT_FILENO), 0);
    ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
    optind = 0;
    int code = command(argc, argv);
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

static void expect(command_fn *command, char *option, int code, const char *told)
{
    char config[] = "--config";
    char file[] = "conf.yml";
    int found = run(command, config, file, option);
    ck_assert_str_eq((char *)printed.data, told);
    ck_assert_int_eq(found, code);
}

static struct store *saved(void)
{
    static const struct store_destination destinations[] = {
        {"east", "f", 1, INT64_MIN, {100, 80, 0, 5, 15}, false},
        {"west", "f", 1, INT64_MIN, {7, 7}, false}};
    static const struct store_watermark marks[] = {{"east", "", {1, 4, 2, 3}, 6, 0},
                                                   {"west", "http://w", {1, 5, 0, 0}, 0, 0}};
    static const struct store_loss losses[] = {
        {"east",
         LOSS_UNKNOWN_REF,
         {1, 4, 1, 2},
         {1, 4, 1, 9},
         10,
         3,
         0,
         1700000000000,
         1700000001500,
         1700000002000,
         ""},
        {"east",
         LOSS_REJECTED,
         {1, 4, 2, 0},
         {1, 4, 2, 0},
         5,
         1,
         0,
         -1,
         -1,
         1700000002001,
         "{a=\"b\"}"},
        {"east", LOSS_DAMAGED, {1, 5, 0, 0}, {1, 5, 0, 0}, 0, 0, 512, 1, 0, 1700000002002, ""},
    };
    const struct store_commit commit = {.destinations = destinations,
                                        .destinations_count = 2,
                                        .watermarks = marks,
                                        .watermarks_count = 2,
                                        .losses = losses,
                                        .losses_count = 3};
    struct err err;
    bool ok = false;
    struct store *store = store_sqlite_open("state", &err);
    ck_assert_ptr_nonnull(store);
    ck_assert(store->commit(store, &commit));
    struct pollfd wait = {.fd = store_sqlite_fd(store), .events = POLLIN};
    ck_assert_int_eq(poll(&wait, 1, 30000), 1);
    ck_assert(store->next_result(store, &ok, &err));
    ck_assert_msg(ok, "%s", err.text);
    return store;
}

START_TEST(losses_are_told_by_destination)
{
    store_sqlite_close(saved());
    expect(cmd_losses, NULL, 0,
           "east: 15 items lost (unknown_ref 10, damaged 512 bytes, rejected 5)\n"
           "  reason=unknown_ref from=1/4/1/2 to=1/4/1/9 items=10 series>=3"
           " oldest=2023-11-14T22:13:20.000Z newest=2023-11-14T22:13:21.500Z"
           " first_seen=2023-11-14T22:13:22.000Z last_seen=2023-11-14T22:13:22.000Z\n"
           "  reason=rejected from=1/4/2/0 to=1/4/2/0 items=5 series>=1"
           " oldest=1969-12-31T23:59:59.999Z newest=1969-12-31T23:59:59.999Z"
           " first_seen=2023-11-14T22:13:22.001Z last_seen=2023-11-14T22:13:22.001Z"
           " detail=\"{a=\\\"b\\\"}\"\n"
           "  reason=damaged from=1/5/0/0 to=1/5/0/0 items=unknown bytes=512"
           " first_seen=2023-11-14T22:13:22.002Z last_seen=2023-11-14T22:13:22.002Z\n"
           "west: 0 items lost\n");
}

START_TEST(losses_as_json_leave_out_what_is_not_known)
{
    char json[] = "--json";
    store_sqlite_close(saved());
    expect(cmd_losses, json, 0,
           "{\"destinations\":[{\"name\":\"east\",\"lost\":15,\"reasons\":["
           "{\"reason\":\"unknown_ref\",\"items\":10,\"bytes\":0},"
           "{\"reason\":\"damaged\",\"items\":0,\"bytes\":512},"
           "{\"reason\":\"rejected\",\"items\":5,\"bytes\":0}],\"rows\":["
           "{\"reason\":\"unknown_ref\","
           "\"from\":{\"generation\":1,\"segment\":4,\"record\":1,\"item\":2},"
           "\"to\":{\"generation\":1,\"segment\":4,\"record\":1,\"item\":9},"
           "\"items\":10,\"series_min\":3,\"time_min_ms\":1700000000000,"
           "\"time_max_ms\":1700000001500,"
           "\"first_seen_ms\":1700000002000,\"last_seen_ms\":1700000002000,\"detail\":\"\"},"
           "{\"reason\":\"rejected\","
           "\"from\":{\"generation\":1,\"segment\":4,\"record\":2,\"item\":0},"
           "\"to\":{\"generation\":1,\"segment\":4,\"record\":2,\"item\":0},"
           "\"items\":5,\"series_min\":1,\"time_min_ms\":-1,\"time_max_ms\":-1,"
           "\"first_seen_ms\":1700000002001,\"last_seen_ms\":1700000002001,"
           "\"detail\":\"{a=\\\"b\\\"}\"},"
           "{\"reason\":\"damaged\","
           "\"from\":{\"generation\":1,\"segment\":5,\"record\":0,\"item\":0},"
           "\"to\":{\"generation\":1,\"segment\":5,\"record\":0,\"item\":0},"
           "\"bytes\":512,\"first_seen_ms\":1700000002002,\"last_seen_ms\":1700000002002,"
           "\"detail\":\"\"}]},"
           "{\"name\":\"west\",\"lost\":0,\"reasons\":[],\"rows\":[]}]}\n");
}

START_TEST(status_tells_what_was_saved_and_how_far_behind_that_is)
{
    store_sqlite_close(saved());
    expect(cmd_status, NULL, 0,
           "walship does not run; this is what it saved\n"
           "east: read=100 acked=80 already_there=0 dropped=5 lost=15"
           " lost_unknown_ref=10 lost_rejected=5\n"
           "  everything settled before 1/4/2/3, 8 bytes of the WAL behind\n"
           "west: read=7 acked=7 already_there=0 dropped=0 lost=0\n"
           "  everything settled before 1/5/0/0 for http://w, 4 bytes of the WAL behind\n");
}

START_TEST(status_counts_what_is_in_the_spool_alone)
{
    struct stat held;
    char copy[96];
    char config[] = "--config";
    char file[] = "conf.yml";
    char json[] = "--json";
    store_sqlite_close(saved());
    ck_assert_int_eq(mkdir("state/spool", 0700), 0);
    ck_assert_int_eq(link("data/wal/00000005", "state/spool/1-00000005.wal"),
                     0); /* the WAL has it too */
    ck_assert_int_eq(stat("data/wal/00000004", &held), 0);
    (void)snprintf(copy, sizeof copy, "state/spool/1-00000004-%llx-%llx.copy",
                   (unsigned long long)held.st_dev, (unsigned long long)held.st_ino);
    write_file(copy, "0123456789");                      /* and this one */
    write_file("state/spool/1-00000003.wal", "settled"); /* before the mark */
    write_file("state/spool/2-00000000.wal", "another life");
    write_file("state/spool/1-00000006.series", "no segment");
    ck_assert_int_eq(run(cmd_status, config, file, NULL), 0);
    ck_assert_ptr_nonnull(strstr((char *)printed.data,
                                 "1/4/2/3, 20 bytes of the WAL behind, 12 of them in the spool"
                                 " alone\n"));
    ck_assert_int_eq(unlink("data/wal/00000004"), 0);
    ck_assert_int_eq(run(cmd_status, config, file, json), 0);
    ck_assert_ptr_nonnull(
        strstr((char *)printed.data, "\"record\":2,\"behind_bytes\":20,\"kept_bytes\":16}"));
}

START_TEST(a_live_page_that_does_not_answer_is_no_failure)
{
    char config[] = "--config";
    char file[] = "conf.yml";
    char json[] = "--json";
    char expected[128];
    struct store *store = saved();
    ck_assert_int_eq(run(cmd_status, config, file, NULL), 0);
    (void)snprintf(expected, sizeof expected, "walship runs as process %ld\n", (long)getpid());
    ck_assert_ptr_nonnull(strstr((char *)printed.data, expected));
    ck_assert_ptr_nonnull(strstr((char *)printed.data, "http://127.0.0.1:1/status: "));
    ck_assert_int_eq(run(cmd_status, config, file, json), 0);
    (void)snprintf(expected, sizeof expected,
                   "{\"process\":%ld,\"destinations\":[{\"name\":", (long)getpid());
    ck_assert_ptr_eq(strstr((char *)printed.data, expected), printed.data);
    ck_assert_ptr_nonnull(strstr((char *)printed.data, "}],\"live_error\":\""));
    store_sqlite_close(store);
}

START_TEST(without_a_state_both_say_so)
{
    static command_fn *const commands[] = {cmd_losses, cmd_status};
    expect(commands[_i], NULL, 1,
           "walship it: state/walship.db: No such file or directory: no walship has run with this "
           "state_dir yet\n");
}

START_TEST(a_state_without_destinations_is_told)
{
    struct err err;
    struct store *store = store_sqlite_open("state", &err);
    ck_assert_ptr_nonnull(store);
    store_sqlite_close(store);
    expect(cmd_losses, NULL, 0, "nothing was saved of any destination yet\n");
    expect(cmd_status, NULL, 0,
           "walship does not run; this is what it saved\n"
           "nothing was saved of any destination yet\n");
}

START_TEST(a_wrong_call_is_told)
{
    char wrong[] = "--frobnicate";
    ck_assert_int_eq(run(cmd_losses, wrong, NULL, NULL), 2);
    ck_assert_int_eq(run(cmd_status, NULL, NULL, NULL), 2);
    ck_assert_str_eq((char *)printed.data,
                     "walship it: --config F is missing, and INGESTION_URL is not set; see walship "
                     "--help\n");
}

Suite *suite_state_commands(void);
Suite *suite_state_commands(void)
{
    Suite *suite = suite_create("state_commands");
    TCase *cases = tcase_create("state_commands");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, losses_are_told_by_destination);
    tcase_add_test(cases, losses_as_json_leave_out_what_is_not_known);
    tcase_add_test(cases, status_tells_what_was_saved_and_how_far_behind_that_is);
    tcase_add_test(cases, status_counts_what_is_in_the_spool_alone);
    tcase_add_test(cases, a_live_page_that_does_not_answer_is_no_failure);
    tcase_add_loop_test(cases, without_a_state_both_say_so, 0, 2);
    tcase_add_test(cases, a_state_without_destinations_is_told);
    tcase_add_test(cases, a_wrong_call_is_told);
    suite_add_tcase(suite, cases);
    return suite;
}

/* test_store_trouble.c - the state file in a bad world: others, damage, deletion, full disks,
 * SIGKILL. */
#include "store_fixture.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <walship/crc32c.h>
#include <walship/mem.h>
#include <walship/rng.h>

/* ---- who may use it ---- */

START_TEST(only_the_owner_can_read_it)
{
    struct stat status;
    ck_assert_int_eq(rmdir(store_directory), 0);
    struct store *store = store_opened();
    store_committed(store, &store_whole);
    ck_assert_int_eq(stat(store_directory, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0700);
    static const char *const names[] = {"walship.db", "walship.db-wal", "walship.lock",
                                        "walship.created"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", store_directory, names[i]);
        ck_assert_msg(stat(path, &status) == 0, "%s", path);
        ck_assert_msg((status.st_mode & 0777) == 0600, "%s: %o", path, status.st_mode);
    }
    store_sqlite_close(store);
}

/* In a process of its own: does the open fail with this text? */
static void expect_refused_elsewhere(const char *text)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct store *store = store_sqlite_open(store_directory, &store_err);
        bool good = store == NULL && strcmp(store_err.text, text) == 0;
        if (!good) {
            (void)fprintf(stderr, "expected: %s\nfound:    %s\n", text,
                          store == NULL ? store_err.text : "(opened)");
        }
        _exit(good ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

START_TEST(a_second_process_is_refused_and_told_the_first)
{
    char text[256];
    struct store *store = store_opened();
    (void)snprintf(text, sizeof text,
                   "state directory %s is in use by another walship (process %d)", store_directory,
                   getpid());
    expect_refused_elsewhere(text);
    store_sqlite_close(store);
    store = store_opened();
    store_sqlite_close(store);
}

static const struct {
    const char *name;
    const char *told;
} bad_directories[] = {
    {"/dev/null", "state directory /dev/null: not a directory"},
    {"/nonexistent/walship",
     "create state directory /nonexistent/walship: No such file or directory"},
};

START_TEST(a_directory_that_cannot_be_is_told)
{
    struct store *store = store_sqlite_open(bad_directories[_i].name, &store_err);
    ck_assert_ptr_null(store);
    ck_assert_str_eq(store_err.text, bad_directories[_i].told);
}

/* Root passes over permissions: becomes someone else for it. */
START_TEST(a_read_only_directory_is_told)
{
    ck_assert_int_eq(chmod(store_directory, 0555), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
            _exit(2);
        }
        char text[256];
        struct store *store = store_sqlite_open(store_directory, &store_err);
        (void)snprintf(text, sizeof text, "open %s/walship.lock: Permission denied",
                       store_directory);
        _exit(store == NULL && strcmp(store_err.text, text) == 0 ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_int_eq(chmod(store_directory, 0755), 0);
}

/* What schema 2 wrote: a sum without the columns that came later. */
static void lane_of_schema_2(uint16_t lane)
{
    struct {
        char name[5];
        char lane[8], domain[1], position[4][8];
    } row = {.name = "east"};
    uint64_t number = lane;
    uint64_t one = 1;
    memcpy(row.lane, &number, sizeof number);
    for (size_t i = 0; i < 4; i++) {
        memcpy(row.position[i], &one, sizeof one);
    }
    char *sql = mem_format("DELETE FROM lane WHERE lane <> %u; UPDATE lane SET sum = %u;"
                           "ALTER TABLE lane DROP COLUMN newest_ms;"
                           "ALTER TABLE lane DROP COLUMN mixed;",
                           lane, crc32c(&row, sizeof row));
    store_sql(sql);
    mem_free(sql);
}

START_TEST(an_earlier_schema_is_brought_up_to_date)
{
    struct store *store = store_opened();
    store_commit_numbers(store, 1, 1);
    store_sqlite_close(store);
    store_sql(
        "DROP TABLE quota; DELETE FROM schema_version; INSERT INTO schema_version VALUES(1, 0)");
    lane_of_schema_2(7);
    store = store_opened();
    struct store_image image;
    store_loaded(store, &image);
    ck_assert_uint_eq(image.lanes_count, 1);
    ck_assert_uint_eq(image.lanes[0].settled.record, 1);
    ck_assert(image.lanes[0].mixed && image.lanes[0].newest_ms == INT64_MIN);
    image.release(&image);
    store_sqlite_close(store);
    ck_assert_int_eq(store_sql_number("SELECT max(version) FROM schema_version"), 3);
    ck_assert_int_eq(store_sql_number("SELECT count(*) FROM quota"), 0);
}
END_TEST

START_TEST(a_newer_schema_is_refused_and_left_alone)
{
    struct store *store = store_opened();
    store_commit_numbers(store, 1, 1);
    store_sqlite_close(store);
    store_sql("INSERT INTO schema_version VALUES(99, 0)");
    ck_assert_ptr_null(store_sqlite_open(store_directory, &store_err));
    char text[256];
    (void)snprintf(text, sizeof text,
                   "%s has schema version 99, this walship knows up to 3: run the newer walship or "
                   "use another state_dir",
                   store_database);
    ck_assert_str_eq(store_err.text, text);
    store_sql("DELETE FROM schema_version WHERE version = 99");
    store = store_opened();
    ck_assert_uint_eq(store_number(store), 1);
    store_sqlite_close(store);
}

/* ---- lost and damaged ---- */

static void write_at(off_t at, const char *text, size_t bytes)
{
    int fd = open(store_database, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, text, bytes, at), (ssize_t)bytes);
    ck_assert_int_eq(close(fd), 0);
}

static void damage_header(void)
{
    write_at(0, "not a database..", 16);
}

static void damage_first_page(void)
{
    char zeros[3000] = {0};
    write_at(100, zeros, sizeof zeros);
}

static void damage_by_cut(void)
{
    struct stat status;
    ck_assert_int_eq(stat(store_database, &status), 0);
    ck_assert_int_eq(truncate(store_database, status.st_size / 2), 0);
}

static void damage_by_garbage(void)
{
    struct rng rng = {1};
    for (off_t at = 0; at < 65536; at += 8) {
        uint64_t value = rng_next(&rng);
        write_at(at, (const char *)&value, 8);
    }
}

static void damage_watermark(void)
{
    store_sql("UPDATE watermark SET segment = segment + 1");
}

static void damage_lane(void)
{
    store_sql("UPDATE lane SET record = record | 65536 WHERE lane = 7");
}

static void damage_counter(void)
{
    store_sql("UPDATE destination SET items_acked = items_acked - 1");
}

static void damage_segment(void)
{
    store_sql("UPDATE segment SET inode = inode - 1");
}

static void damage_name(void)
{
    store_sql("UPDATE destination SET name = 'easu'");
}

static void damage_orphans(void)
{
    store_sql("UPDATE watermark SET destination = 77");
}

static void damage_table(void)
{
    store_sql("DROP TABLE lane");
}

static void damage_version(void)
{
    store_sql("DELETE FROM schema_version");
}

static void damage_version_table(void)
{
    store_sql("DROP TABLE schema_version");
}

static void damage_state(void)
{
    store_sql("DELETE FROM state");
}

/* Nothing that load reads: found by the check of the pages only. */
static void damage_index(void)
{
    char zeros[4096] = {0};
    int64_t page = store_sql_number("SELECT rootpage FROM sqlite_schema WHERE name ="
                                    " 'sqlite_autoindex_destination_1'");
    ck_assert_int_eq(store_sql_number("PRAGMA page_size"), sizeof zeros);
    write_at((page - 1) * (off_t)sizeof zeros, zeros, sizeof zeros);
}

typedef void damage_fn(void);
static damage_fn *const damages[] = {
    damage_header, damage_first_page, damage_by_cut,        damage_by_garbage, damage_watermark,
    damage_lane,   damage_counter,    damage_segment,       damage_name,       damage_orphans,
    damage_table,  damage_version,    damage_version_table, damage_state,      damage_index,
};

START_TEST(a_corrupt_file_is_moved_aside_and_said_loudly)
{
    size_t count;
    struct store *store = store_opened();
    store_commit_numbers(store, 1, 3);
    store_sqlite_close(store);
    damages[_i]();
    ck_assert(store_reopened_lost(&count));
    ck_assert_uint_eq(count, 0);
    ck_assert_uint_eq(store_files_named("walship.db.corrupt-"), 1);
    ck_assert(store_logged("level=error msg=\"state file was lost\""));
    ck_assert(store_logged("walship.db.corrupt-"));
    ck_assert(store_reopened_lost(&count)); /* nothing was saved since: still so */
    store = store_opened();
    store_committed(
        store, &(struct store_commit){.destinations = store_destinations, .destinations_count = 1});
    store_sqlite_close(store);
    ck_assert(store_reopened_lost(&count)); /* no place to resume at yet */
    store = store_opened();
    store_committed(store, &store_whole);
    store_sqlite_close(store);
    ck_assert(!store_reopened_lost(&count));
    ck_assert_uint_eq(count, 2);
}

START_TEST(two_corrupt_files_in_one_second_are_both_kept)
{
    size_t count;
    for (int i = 0; i < 3; i++) {
        struct store *store = store_opened();
        store_commit_numbers(store, 1, 1);
        store_sqlite_close(store);
        damage_header();
        ck_assert(store_reopened_lost(&count));
    }
    ck_assert_uint_eq(store_files_named("walship.db.corrupt-"), 3);
}

static void delete_database(void)
{
    ck_assert_int_eq(unlink(store_database), 0);
}

static void empty_database(void)
{
    ck_assert_int_eq(truncate(store_database, 0), 0);
}

START_TEST(a_file_that_is_gone_or_empty_is_known_to_be_lost)
{
    static damage_fn *const ways[] = {delete_database, empty_database};
    size_t count;
    struct store *store = store_opened();
    store_commit_numbers(store, 1, 1);
    store_sqlite_close(store);
    ways[_i]();
    ck_assert(store_reopened_lost(&count));
    ck_assert_uint_eq(count, 0);
    ck_assert(store_logged("the saved positions are lost"));
    ck_assert(store_reopened_lost(&count));
}

START_TEST(a_first_start_is_not_a_loss)
{
    size_t count;
    ck_assert(!store_reopened_lost(&count));
    ck_assert(!store_reopened_lost(&count));
    ck_assert(!store_logged("level="));
}

START_TEST(the_log_of_a_deleted_file_is_not_applied_to_a_new_one)
{
    char log[128];
    char copy[128];
    char command[300];
    (void)snprintf(log, sizeof log, "%s-wal", store_database);
    (void)snprintf(copy, sizeof copy, "%s/copy", store_directory);
    struct store *store = store_opened();
    store_commit_numbers(store, 1, 3);
    (void)snprintf(command, sizeof command, "cp '%s' '%s'", log, copy);
    ck_assert_int_eq(system(command), 0);
    store_sqlite_close(store);
    ck_assert_int_eq(rename(copy, log), 0);
    delete_database();
    size_t count;
    ck_assert(store_reopened_lost(&count));
    ck_assert_uint_eq(count, 0);
}

/* ---- while it runs ---- */

START_TEST(deleted_while_running_it_is_written_again)
{
    struct store *store = store_opened();
    store_commit_numbers(store, 1, 3);
    delete_database();
    store_committed(store, &(struct store_commit){0});
    ck_assert(store_logged("was deleted while walship ran; it was written again"));
    ck_assert_uint_eq(store_number(store), 3);
    store_commit_numbers(store, 4, 5);
    delete_database();
    store_sqlite_close(store);
    store = store_opened(); /* nothing was saved after the last deletion */
    struct store_image image;
    store_loaded(store, &image);
    ck_assert(image.lost);
    image.release(&image);
    store_sqlite_close(store);
}

START_TEST(its_whole_directory_deleted_while_running_is_made_again)
{
    struct store *store = store_opened();
    store_commit_numbers(store, 1, 3);
    store_remove(store_directory);
    store_commit_numbers(store, 4, 4);
    char text[256];
    (void)snprintf(text, sizeof text,
                   "state directory %s is in use by another walship (process %d)", store_directory,
                   getpid());
    expect_refused_elsewhere(text); /* the new lock is held too */
    store_sqlite_close(store);
    store = store_opened();
    ck_assert_uint_eq(store_number(store), 4);
    store_sqlite_close(store);
}

START_TEST(a_file_put_in_its_place_is_not_overwritten)
{
    struct store *store = store_opened();
    store_commit_numbers(store, 1, 1);
    delete_database();
    int fd = open(store_database, O_CREAT | O_RDWR, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "mine", 4), 4);
    ck_assert_int_eq(close(fd), 0);
    ck_assert(store->commit(store, &store_whole));
    ck_assert(!store_result(store));
    ck_assert_ptr_nonnull(strstr(store_err.text, "was replaced by another file"));
    struct stat status;
    ck_assert_int_eq(stat(store_database, &status), 0);
    ck_assert_int_eq(status.st_size, 4);
    store_sqlite_close(store);
}

/* Commits until one fails; returns its number. */
static uint32_t commit_until_full(struct store *store)
{
    struct sample_commit sample;
    uint32_t n = 0;
    do {
        ck_assert_msg(++n < 100000, "the disk never filled");
        sample_fill(&sample, n);
        ck_assert(store->commit(store, &sample.commit));
    } while (store_result(store));
    return n;
}

START_TEST(a_file_at_its_size_limit_fails_commits_whole_and_recovers)
{
    struct rlimit limit;
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    struct store *store = store_opened();
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 300000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    uint32_t failed = commit_until_full(store);
    ck_assert_uint_gt(failed, 1);
    ck_assert_ptr_nonnull(strstr(store_err.text, "walship.db"));
    ck_assert_uint_eq(store_number(store), failed - 1);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    store_commit_numbers(store, failed, failed + 2);
    ck_assert_uint_eq(store_number(store), failed + 2);
    store_sqlite_close(store);
}

/* A small file system, where that is allowed; in a mount namespace that ends with this process. */
START_TEST(a_full_disk_fails_commits_whole_and_recovers)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("walship", store_directory, "tmpfs", 0, "size=256k") != 0) {
        (void)fprintf(stderr, "SKIP: no tmpfs here: %s\n", strerror(errno));
        return;
    }
    struct store *store = store_opened();
    uint32_t failed = commit_until_full(store);
    int code = store_err.code;
    uint32_t kept = store_number(store);
    ck_assert_int_eq(mount("walship", store_directory, "tmpfs", MS_REMOUNT, "size=64m"), 0);
    store_commit_numbers(store, failed, failed + 2);
    uint32_t last = store_number(store);
    store_sqlite_close(store);
    store = store_opened();
    uint32_t again = store_number(store);
    store_sqlite_close(store);
    ck_assert_int_eq(umount(store_directory), 0);
    ck_assert_int_eq(code, ENOSPC);
    ck_assert_uint_eq(kept, failed - 1);
    ck_assert_uint_eq(last, failed + 2);
    ck_assert_uint_eq(again, failed + 2);
}

/* The child tells each commit that was acknowledged; it is killed at any moment. */
static void commit_for_ever(int out)
{
    struct store *store = store_sqlite_open(store_directory, &store_err);
    if (store == NULL) {
        (void)fprintf(stderr, "%s\n", store_err.text);
        _exit(1);
    }
    uint32_t n = store_number(store);
    for (;;) {
        struct sample_commit sample;
        sample_fill(&sample, ++n);
        store_committed(store, &sample.commit);
        if (write(out, &n, sizeof n) != sizeof n) {
            _exit(1);
        }
    }
}

static uint32_t kill_in_commit(struct rng *rng)
{
    int ends[2];
    uint32_t acked = 0;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(ends[0]);
        commit_for_ever(ends[1]);
    }
    close(ends[1]);
    uint64_t commits = 1 + rng_below(rng, 8);
    for (uint64_t i = 0; i < commits; i++) {
        ck_assert_int_eq(read(ends[0], &acked, sizeof acked), sizeof acked);
    }
    for (uint64_t i = rng_below(rng, 200000); i > 0; i--) {
        __asm__ volatile(""); /* a part of a commit's time */
    }
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    while (read(ends[0], &acked, sizeof acked) == sizeof acked) {
        continue; /* what it still said before it died */
    }
    close(ends[0]);
    return acked;
}

START_TEST(killed_in_a_commit_it_leaves_a_whole_state)
{
    struct rng rng = {42};
    uint32_t past = 0; /* times when the commit after the acknowledged one was found */
    for (int i = 0; i < 60; i++) {
        uint32_t acked = kill_in_commit(&rng);
        struct store *store = store_opened();
        uint32_t found = store_number(store);
        store_sqlite_close(store);
        ck_assert_msg(found == acked || found == acked + 1, "acked %u, found %u", acked, found);
        past += found == acked + 1 ? 1 : 0;
    }
    ck_assert(!store_logged("level="));
    ck_assert_uint_lt(past, 60);
}

Suite *suite_store_trouble(void);
Suite *suite_store_trouble(void)
{
    Suite *suite = suite_create("store_trouble");
    TCase *cases = tcase_create("store_trouble");
    tcase_add_checked_fixture(cases, store_setup, store_teardown);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, only_the_owner_can_read_it);
    tcase_add_test(cases, a_second_process_is_refused_and_told_the_first);
    tcase_add_loop_test(cases, a_directory_that_cannot_be_is_told, 0,
                        (int)ARRAY_COUNT(bad_directories));
    tcase_add_test(cases, a_read_only_directory_is_told);
    tcase_add_test(cases, an_earlier_schema_is_brought_up_to_date);
    tcase_add_test(cases, a_newer_schema_is_refused_and_left_alone);
    tcase_add_loop_test(cases, a_corrupt_file_is_moved_aside_and_said_loudly, 0,
                        (int)ARRAY_COUNT(damages));
    tcase_add_test(cases, two_corrupt_files_in_one_second_are_both_kept);
    tcase_add_loop_test(cases, a_file_that_is_gone_or_empty_is_known_to_be_lost, 0, 2);
    tcase_add_test(cases, a_first_start_is_not_a_loss);
    tcase_add_test(cases, the_log_of_a_deleted_file_is_not_applied_to_a_new_one);
    tcase_add_test(cases, deleted_while_running_it_is_written_again);
    tcase_add_test(cases, its_whole_directory_deleted_while_running_is_made_again);
    tcase_add_test(cases, a_file_put_in_its_place_is_not_overwritten);
    tcase_add_test(cases, a_file_at_its_size_limit_fails_commits_whole_and_recovers);
    tcase_add_test(cases, a_full_disk_fails_commits_whole_and_recovers);
    tcase_add_test(cases, killed_in_a_commit_it_leaves_a_whole_state);
    suite_add_tcase(suite, cases);
    return suite;
}

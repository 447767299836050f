/* test_spool_linux.c - the real seam, on a directory of its own under the temporary directory. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/assert.h>
#include <walship/mem.h>
#include <walship/spool_linux.h>

enum { WAIT_MS = 20000 };

static struct spool *spool;
static char root[256];

static const char *at(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void put(const char *name, const char *text)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static const char *text_of(const char *name)
{
    static char text[256];
    int fd = open(at(name), O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "no %s", name);
    ssize_t count = read(fd, text, sizeof text - 1);
    ck_assert_int_ge(count, 0);
    text[count] = 0;
    close(fd);
    return text;
}

static bool is_there(const char *name)
{
    return access(at(name), F_OK) == 0;
}

static void open_spool(void)
{
    struct err err = {0};
    spool = spool_linux_open(at("spool"), &err);
    ck_assert_msg(spool != NULL, "%s", err.text);
}

static void setup(void)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(root, sizeof root, "%s/walship-spool-XXXXXX", base == NULL ? "/tmp" : base);
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(mkdir(at("wal"), 0700), 0);
    put("wal/00000007", "seven");
    open_spool();
}

static void teardown(void)
{
    static const char *const names[] = {"wal/00000007", "wal/00000008", "spool/a", "spool/b"};
    spool_linux_close(spool);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        unlink(at(names[i]));
    }
    rmdir(at("wal"));
    ck_assert_int_eq(rmdir(at("spool")), 0); /* nothing unfinished is left behind */
    ck_assert_int_eq(rmdir(root), 0);
}

static struct spool_result run(const struct spool_job *job)
{
    struct spool_result result;
    struct pollfd fd = {.fd = spool_linux_fd(spool), .events = POLLIN};
    ck_assert(spool->submit(spool, job));
    while (!spool->next_result(spool, &result)) {
        ck_assert_int_eq(poll(&fd, 1, WAIT_MS), 1);
    }
    ck_assert_uint_eq(result.id, job->id);
    return result;
}

static struct spool_result run_link(const char *path, const char *name)
{
    struct stat found = {0};
    (void)stat(path, &found);
    return run(&(struct spool_job){.kind = SPOOL_LINK,
                                   .id = 1,
                                   .name = name,
                                   .path = path,
                                   .device = found.st_dev,
                                   .inode = found.st_ino});
}

static struct spool_result run_write(const char *text, bool first, bool last)
{
    return run(&(struct spool_job){.kind = SPOOL_WRITE,
                                   .id = 3,
                                   .name = "a",
                                   .bytes = text,
                                   .count = strlen(text),
                                   .first = first,
                                   .last = last});
}

START_TEST(a_link_is_the_same_file_and_outlives_the_name)
{
    struct spool_result result = run_link(at("wal/00000007"), "a");
    ck_assert_int_eq(result.status, SPOOL_DONE);
    ck_assert_uint_eq(result.bytes, 5);
    put("wal/00000007", " grows");
    ck_assert_int_eq(unlink(at("wal/00000007")), 0);
    ck_assert_str_eq(text_of("spool/a"), "seven grows");
    ck_assert_int_eq(run_link(at("wal/00000007"), "b").status, SPOOL_GONE);
    ck_assert(!is_there("spool/b"));
}
END_TEST

START_TEST(a_link_to_another_file_than_was_meant_is_taken_back)
{
    struct stat found;
    ck_assert_int_eq(stat(at("wal/00000007"), &found), 0);
    struct spool_result result = run(&(struct spool_job){.kind = SPOOL_LINK,
                                                         .id = 9,
                                                         .name = "a",
                                                         .path = at("wal/00000007"),
                                                         .device = found.st_dev,
                                                         .inode = found.st_ino + 1});
    ck_assert_int_eq(result.status, SPOOL_GONE);
    ck_assert(!is_there("spool/a"));
}
END_TEST

START_TEST(a_link_across_file_systems_is_refused)
{
    struct stat found = {0};
    struct stat here = {0};
    ck_assert_int_eq(stat("/proc/self/status", &found), 0);
    ck_assert_int_eq(stat(at("spool"), &here), 0);
    ck_assert_uint_ne(found.st_dev, here.st_dev);
    struct spool_result result = run_link("/proc/self/status", "a");
    ck_assert_int_eq(result.status, SPOOL_REFUSED);
    ck_assert_int_eq(result.error, EXDEV);
}
END_TEST

START_TEST(a_copy_has_all_bytes_of_an_unlinked_file_and_a_node_of_its_own)
{
    int fd = open(at("wal/00000007"), O_RDONLY | O_CLOEXEC);
    struct stat found;
    ck_assert_int_eq(fstat(fd, &found), 0);
    ck_assert_int_eq(unlink(at("wal/00000007")), 0);
    struct spool_result result =
        run(&(struct spool_job){.kind = SPOOL_COPY, .id = 2, .name = "a", .fd = fd});
    ck_assert_int_eq(result.status, SPOOL_DONE);
    ck_assert_uint_eq(result.bytes, 5);
    ck_assert_uint_ne(result.inode, found.st_ino);
    ck_assert_str_eq(text_of("spool/a"), "seven");
    close(fd);
}
END_TEST

START_TEST(a_copy_that_fails_leaves_nothing)
{
    int fd = open(at("wal"), O_RDONLY | O_CLOEXEC); /* a directory gives no bytes */
    struct spool_result result =
        run(&(struct spool_job){.kind = SPOOL_COPY, .id = 2, .name = "a", .fd = fd});
    ck_assert_int_eq(result.status, SPOOL_FAILED);
    ck_assert_int_eq(result.error, EISDIR);
    ck_assert(!is_there("spool/a") && !is_there("spool/.unfinished"));
    close(fd);
}
END_TEST

START_TEST(a_written_file_appears_with_its_last_piece)
{
    ck_assert_int_eq(run_write("one ", true, false).status, SPOOL_DONE);
    ck_assert(!is_there("spool/a"));
    struct spool_result result = run_write("two", false, true);
    ck_assert_int_eq(result.status, SPOOL_DONE);
    ck_assert_uint_eq(result.bytes, 7);
    ck_assert_str_eq(text_of("spool/a"), "one two");
    run_write("anew", true, true);
    ck_assert_str_eq(text_of("spool/a"), "anew");
}
END_TEST

START_TEST(what_was_not_finished_is_gone_after_the_next_open)
{
    run_write("half", true, false);
    ck_assert(is_there("spool/.unfinished"));
    spool_linux_close(spool);
    put("spool/.unfinished", "of a killed process");
    open_spool();
    ck_assert(!is_there("spool/.unfinished") && !is_there("spool/a"));
}
END_TEST

START_TEST(a_drop_removes_and_is_content_when_there_is_nothing)
{
    put("spool/a", "x");
    struct spool_job job = {.kind = SPOOL_DROP, .id = 4, .name = "a"};
    ck_assert_int_eq(run(&job).status, SPOOL_DONE);
    ck_assert(!is_there("spool/a"));
    ck_assert_int_eq(run(&job).status, SPOOL_DONE);
}
END_TEST

static void count_entry(void *context, const struct spool_entry *entry)
{
    uint64_t *bytes = context;
    ck_assert_str_eq(entry->name, "a");
    *bytes += entry->bytes;
}

START_TEST(the_list_has_files_only_and_the_space_is_the_file_systems)
{
    uint64_t bytes = 0;
    uint64_t free_bytes = 0;
    uint64_t all_bytes = 0;
    put("spool/a", "four");
    put("spool/.hidden", "x");
    ck_assert_int_eq(spool->list(spool, count_entry, &bytes), 0);
    ck_assert_uint_eq(bytes, 4);
    unlink(at("spool/.hidden"));
    ck_assert_int_eq(spool->space(spool, &free_bytes, &all_bytes), 0);
    ck_assert_uint_gt(all_bytes, 0);
    ck_assert_uint_le(free_bytes, all_bytes);
}
END_TEST

START_TEST(a_full_queue_says_so_and_loses_nothing)
{
    struct spool_job job = {.kind = SPOOL_DROP, .name = "none"};
    struct spool_result result;
    struct pollfd fd = {.fd = spool_linux_fd(spool), .events = POLLIN};
    while (job.id++ < 1000 && spool->submit(spool, &job)) {
    }
    ck_assert_uint_lt(job.id, 1000);
    for (uint64_t id = 1; id < job.id; id++) {
        while (!spool->next_result(spool, &result)) {
            ck_assert_int_eq(poll(&fd, 1, WAIT_MS), 1);
        }
        ck_assert_uint_eq(result.id, id);
    }
}
END_TEST

START_TEST(a_spool_that_cannot_be_made_is_said_with_its_path)
{
    struct err err = {0};
    char *path = mem_format("%s/missing/spool", root);
    ck_assert_ptr_null(spool_linux_open(path, &err));
    ck_assert_ptr_nonnull(strstr(err.text, path));
    mem_free(path);
}
END_TEST

Suite *suite_spool_linux(void);

Suite *suite_spool_linux(void)
{
    Suite *suite = suite_create("spool_linux");
    TCase *tests = tcase_create("spool_linux");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_link_is_the_same_file_and_outlives_the_name);
    tcase_add_test(tests, a_link_to_another_file_than_was_meant_is_taken_back);
    tcase_add_test(tests, a_link_across_file_systems_is_refused);
    tcase_add_test(tests, a_copy_has_all_bytes_of_an_unlinked_file_and_a_node_of_its_own);
    tcase_add_test(tests, a_copy_that_fails_leaves_nothing);
    tcase_add_test(tests, a_written_file_appears_with_its_last_piece);
    tcase_add_test(tests, what_was_not_finished_is_gone_after_the_next_open);
    tcase_add_test(tests, a_drop_removes_and_is_content_when_there_is_nothing);
    tcase_add_test(tests, the_list_has_files_only_and_the_space_is_the_file_systems);
    tcase_add_test(tests, a_full_queue_says_so_and_loses_nothing);
    tcase_add_test(tests, a_spool_that_cannot_be_made_is_said_with_its_path);
    suite_add_tcase(suite, tests);
    return suite;
}

/* test_probe.c - `check --probe` asks as `run` would: the version of remote write, and every
 * header. A child takes one request and tells by its answer whether it was that. */
#include "http_peer.h"
#include "probe.h"

#include <check.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <walship/conf_yaml.h>
#include <walship/mem.h>

static char directory[64];
static unsigned port;
static pid_t child;

/* 204 for a request that holds both texts, else 400. */
static void serve(int listener, const char *first, const char *second)
{
    char text[4096] = "";
    size_t used = 0;
    int fd = accept(listener, NULL, NULL);
    while (fd >= 0 && strstr(text, "\r\n\r\n") == NULL && used < sizeof text - 1) {
        ssize_t got = read(fd, text + used, sizeof text - 1 - used);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
    }
    bool good = strstr(text, first) != NULL && strstr(text, second) != NULL;
    static const char yes[] = "HTTP/1.1 204 No Content\r\n\r\n";
    static const char no[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    ssize_t wrote = good ? write(fd, yes, sizeof yes - 1) : write(fd, no, sizeof no - 1);
    _exit(wrote > 0 ? 0 : 1);
}

static void serving(const char *first, const char *second)
{
    int listener = -1;
    port = http_peer_dead_port(&listener);
    ck_assert_int_eq(listen(listener, 4), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        serve(listener, first, second);
    }
    ck_assert_int_eq(close(listener), 0);
}

static void setup(void)
{
    (void)snprintf(directory, sizeof directory, "/tmp/walship-probe-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    FILE *file = fopen("token", "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs("  abc\n", file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void teardown(void)
{
    ck_assert_int_eq(unlink("token"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}

static bool probed(const char *rest)
{
    struct conf_problems problems;
    struct conf_yaml *yaml;
    conf_problems_init(&problems);
    char *text =
        mem_format("wal_dir: x\nremote_write: [{url: 'http://127.0.0.1:%u/w', %s}]\n", port, rest);
    yaml = conf_yaml_parse((const uint8_t *)text, strlen(text), "f", &problems);
    ck_assert_ptr_nonnull(yaml);
    struct conf *conf = conf_yaml_bind(conf_yaml_root(yaml), "f", &problems);
    ck_assert_msg(conf != NULL, "%s", conf_problems_text(&problems));
    bool ok = probe_endpoints(conf);
    conf_free(conf);
    conf_yaml_free(yaml);
    conf_problems_release(&problems);
    mem_free(text);
    return ok;
}

START_TEST(a_header_out_of_a_file_is_sent)
{
    serving("X-Token: abc\r\n", "X-Prometheus-Remote-Write-Version: 0.1.0\r\n");
    ck_assert(probed("http_headers: {X-Token: {files: [token]}}"));
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(the_version_is_the_configured_one)
{
    serving("proto=io.prometheus.write.v2.Request\r\n", "Write-Version: 2.0.0\r\n");
    ck_assert(probed("protobuf_message: io.prometheus.write.v2.Request"));
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(a_header_file_that_is_not_there_is_told_without_a_request)
{
    port = 1;
    ck_assert(!probed("http_headers: {X-Token: {files: [none]}}"));
}
END_TEST

Suite *suite_probe(void);
Suite *suite_probe(void)
{
    Suite *suite = suite_create("probe");
    TCase *tcase = tcase_create("probe");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_header_out_of_a_file_is_sent);
    tcase_add_test(tcase, the_version_is_the_configured_one);
    tcase_add_test(tcase, a_header_file_that_is_not_there_is_told_without_a_request);
    suite_add_tcase(suite, tcase);
    return suite;
}

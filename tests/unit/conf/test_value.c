/* test_value.c - durations, sizes, paths and URLs as texts. */
#include "bind.h"

#include <check.h>
#include <walship/mem.h>
#include <walship/url.h>

static const struct {
    const char *text;
    int64_t ms; /* -1: refused */
} durations[] = {
    {"0", 0},
    {"0s", 0},
    {"1ms", 1},
    {"30s", 30000},
    {"1h30m", 5400000},
    {"1y2w3d4h5m6s7ms",
     31536000000 + 2 * 604800000LL + 3 * 86400000LL + 4 * 3600000 + 5 * 60000 + 6007},
    {"100m", 6000000},
    {"292y", 292 * 31536000000LL},
    {"293y", -1}, /* more nanoseconds than 63 bits */
    {"9223372036854ms", 9223372036854},
    {"9223372036855ms", -1},
    {"99999999999999999999s", -1},
    {"", -1},
    {"5", -1},
    {"00", -1},
    {"s", -1},
    {"-1s", -1},
    {"1.5s", -1},
    {"1s1s", -1},
    {"1m1h", -1},
    {"1h 30m", -1},
    {"1ms1s", -1},
    {"1h30", -1},
    {"1H", -1},
    {"1mss", -1},
    {"1x", -1},
    {" 1s", -1},
};

START_TEST(a_duration_is_read_as_prometheus_reads_it)
{
    int64_t ms = -1;
    bool good = conf_duration_parse(durations[_i].text, &ms);
    ck_assert_msg(good == (durations[_i].ms >= 0), "%s", durations[_i].text);
    ck_assert_msg(ms == durations[_i].ms, "%s gives %lld", durations[_i].text, (long long)ms);
}

static const struct {
    const char *text;
    uint64_t bytes; /* UINT64_MAX: refused */
} sizes[] = {
    {"0", 0},
    {"1048576", 1048576},
    {"1B", 1},
    {"10KB", 10240},
    {"10KiB", 10240},
    {"10MiB", 10485760},
    {"50GB", 53687091200},
    {"1TB", (uint64_t)1 << 40},
    {"8191PiB", (uint64_t)8191 << 50},
    {"8192PiB", UINT64_MAX},
    {"9223372036854775807", INT64_MAX},
    {"9223372036854775808", UINT64_MAX},
    {"", UINT64_MAX},
    {"GB", UINT64_MAX},
    {"-1", UINT64_MAX},
    {"1.5GB", UINT64_MAX},
    {"1 GB", UINT64_MAX},
    {"1gb", UINT64_MAX},
    {"1GBB", UINT64_MAX},
};

START_TEST(a_size_has_units_of_1024)
{
    uint64_t bytes = UINT64_MAX;
    bool good = conf_bytes_parse(sizes[_i].text, &bytes);
    ck_assert_msg(good == (sizes[_i].bytes != UINT64_MAX), "%s", sizes[_i].text);
    ck_assert_msg(bytes == sizes[_i].bytes, "%s gives %llu", sizes[_i].text,
                  (unsigned long long)bytes);
}

static const struct {
    const char *file, *path, *resolved;
} paths[] = {
    {"/etc/walship.yml", "/a/b", "/a/b"},
    {"/etc/walship.yml", "/a//b/./c/", "/a/b/c"},
    {"/etc/walship.yml", "/a/../b", "/b"},
    {"/etc/walship.yml", "/../..", "/"},
    {"/etc/walship.yml", "/", "/"},
    {"/etc/walship.yml", "a", "/etc/a"},
    {"/etc/walship.yml", "../a", "/a"},
    {"conf/walship.yml", "a", "conf/a"},
    {"conf/walship.yml", "../a", "a"},
    {"conf/walship.yml", "../../a", "../a"},
    {"conf/walship.yml", "../../../a/..", "../.."},
    {"walship.yml", "a/b", "a/b"},
    {"walship.yml", "./a", "a"},
    {"walship.yml", ".", "."},
    {"walship.yml", "a/..", "."},
    {"/walship.yml", "a", "/a"},
};

START_TEST(a_path_is_relative_to_the_file_and_clean)
{
    char *resolved = path_resolve(paths[_i].file, paths[_i].path);
    ck_assert_str_eq(resolved, paths[_i].resolved);
    mem_free(resolved);
}

START_TEST(a_path_is_within_a_directory_by_whole_names)
{
    ck_assert(path_within("/data", "/data"));
    ck_assert(path_within("/data/x", "/data"));
    ck_assert(!path_within("/database", "/data"));
    ck_assert(!path_within("/", "/data"));
    ck_assert(path_within("x/y", "."));
    ck_assert(!path_within("../x", "."));
    ck_assert(!path_within("/x", "."));
}

static const struct {
    const char *text;
    enum url_fault fault;
    const char *bare; /* of a good one */
    bool azure;
} urls[] = {
    {"http://localhost:9090/api/v1/write", URL_GOOD, "http://localhost:9090/api/v1/write", false},
    {"https://h/p?api-version=1#f", URL_GOOD, "https://h/p", false},
    {"HTTPS://H", URL_GOOD, "HTTPS://H", false},
    {"https://user:pass@h:1/p", URL_GOOD, "https://h:1/p", false},
    {"https://user:p@ss@h:1/p@q", URL_GOOD, "https://h:1/p@q", false},
    {"http://u:p@127.0.0.1:9/", URL_GOOD, "http://127.0.0.1:9/", false},
    {"http://u:p@[::1]:9/", URL_GOOD, "http://[::1]:9/", false},
    {"http://u:p@localhost/", URL_GOOD, "http://localhost/", false},
    {"http://u:p@127.evil.example/", URL_CLEAR_SECRET, NULL, false},
    {"http://u:p@h/", URL_CLEAR_SECRET, NULL, false},
    {"http://u@h/", URL_CLEAR_SECRET, NULL, false},
    {"https://[2001:db8::1]/x", URL_GOOD, "https://[2001:db8::1]/x", false},
    {"https://dce-a.eastus-1.metrics.ingest.monitor.azure.com/d", URL_GOOD,
     "https://dce-a.eastus-1.metrics.ingest.monitor.azure.com/d", true},
    {"https://x.Metrics.Ingest.Monitor.Azure.us/d", URL_GOOD,
     "https://x.Metrics.Ingest.Monitor.Azure.us/d", true},
    {"https://evil/x.metrics.ingest.monitor.azure.com", URL_GOOD,
     "https://evil/x.metrics.ingest.monitor.azure.com", false},
    {"", URL_EMPTY, NULL, false},
    {"localhost:9090/api", URL_NO_SCHEME, NULL, false},
    {"//localhost/api", URL_NO_SCHEME, NULL, false},
    {"://x", URL_NO_SCHEME, NULL, false},
    {"ftp://h/", URL_WRONG_SCHEME, NULL, false},
    {"http:///p", URL_NO_HOST, NULL, false},
    {"http://", URL_NO_HOST, NULL, false},
    {"https://u:p@/", URL_NO_HOST, NULL, false},
    {"http://:80/", URL_NO_HOST, NULL, false},
    {"http://h:/", URL_BAD_PORT, NULL, false},
    {"http://h:0/", URL_BAD_PORT, NULL, false},
    {"http://h:65536/", URL_BAD_PORT, NULL, false},
    {"http://h:99999999999999999999/", URL_BAD_PORT, NULL, false},
    {"http://h:x/", URL_BAD_PORT, NULL, false},
    {"https://user:pa?ss@h/", URL_BAD_PORT, NULL, false},
    {"http://h /", URL_BAD_BYTE, NULL, false},
    {"http://h\r\nX: y", URL_BAD_BYTE, NULL, false},
};

START_TEST(a_url_is_split_and_shown_without_its_secrets)
{
    struct url url;
    enum url_fault fault = url_parse(urls[_i].text, &url);
    ck_assert_msg(fault == urls[_i].fault, "%s gives %d", urls[_i].text, (int)fault);
    if (fault == URL_GOOD) {
        char *bare = url_bare(&url);
        ck_assert_str_eq(bare, urls[_i].bare);
        ck_assert_msg(url_is_azure(&url) == urls[_i].azure, "%s", urls[_i].text);
        mem_free(bare);
    }
}

Suite *suite_value(void);
Suite *suite_value(void)
{
    Suite *suite = suite_create("value");
    TCase *cases = tcase_create("value");
    tcase_add_loop_test(cases, a_duration_is_read_as_prometheus_reads_it, 0,
                        (int)ARRAY_COUNT(durations));
    tcase_add_loop_test(cases, a_size_has_units_of_1024, 0, (int)ARRAY_COUNT(sizes));
    tcase_add_loop_test(cases, a_path_is_relative_to_the_file_and_clean, 0,
                        (int)ARRAY_COUNT(paths));
    tcase_add_test(cases, a_path_is_within_a_directory_by_whole_names);
    tcase_add_loop_test(cases, a_url_is_split_and_shown_without_its_secrets, 0,
                        (int)ARRAY_COUNT(urls));
    suite_add_tcase(suite, cases);
    return suite;
}

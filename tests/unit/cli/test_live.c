/* test_live.c - where a running walship's pages are, by its configuration; what a bad file of
 * --http-config is told. How they answer: tests/e2e/web_config.sh. */
#include "live.h"

#include <check.h>
#include <string.h>
#include <unistd.h>
#include <walship/conf_web.h>
#include <walship/mem.h>

static const struct {
    const char *address;
    bool tls;
    const char *url; /* NULL: it does not listen */
} places[] = {
    {"127.0.0.1:9095", false, "http://127.0.0.1:9095/status"},
    {"127.0.0.1:9095", true, "https://127.0.0.1:9095/status"},
    {":9095", false, "http://127.0.0.1:9095/status"},
    {"0.0.0.0:9095", true, "https://127.0.0.1:9095/status"},
    {"[::]:9095", true, "https://[::1]:9095/status"},
    {"[::1]:9095", false, "http://[::1]:9095/status"},
    {"host.example:1", true, "https://host.example:1/status"},
    {"", true, NULL},
};

START_TEST(the_url_is_where_it_listens)
{
    struct conf_web web = {.cert_file = places[_i].tls ? mem_string("cert.pem") : NULL};
    struct conf conf = {.listen_address = mem_string(places[_i].address), .web = &web};
    char *url = live_url(&conf, "/status");
    if (places[_i].url == NULL) {
        ck_assert_ptr_null(url);
    } else {
        ck_assert_str_eq(url, places[_i].url);
    }
    mem_free(url);
    mem_free(conf.listen_address);
    mem_free(web.cert_file);
}

START_TEST(without_a_file_it_asks_as_nobody)
{
    struct conf_page *page;
    ck_assert(live_page(NULL, &page));
    ck_assert_ptr_null(page);
}

START_TEST(a_missing_file_is_an_error)
{
    struct conf_page *page;
    int null = dup(STDERR_FILENO);
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    ck_assert(!live_page("/no/such/file", &page));
    ck_assert_ptr_null(page);
    (void)fflush(stderr);
    ck_assert_int_ge(dup2(null, STDERR_FILENO), 0);
    close(null);
}

Suite *suite_live(void);
Suite *suite_live(void)
{
    Suite *suite = suite_create("live");
    TCase *cases = tcase_create("live");
    tcase_add_loop_test(cases, the_url_is_where_it_listens, 0,
                        (int)(sizeof places / sizeof places[0]));
    tcase_add_test(cases, without_a_file_it_asks_as_nobody);
    tcase_add_test(cases, a_missing_file_is_an_error);
    suite_add_tcase(suite, cases);
    return suite;
}

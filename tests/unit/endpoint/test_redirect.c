/* test_redirect.c - where a Location leads: what is followed, what is only named, and what a
 * hostile one can't do. */
#include <check.h>
#include <walship/limits.h>
#include <walship/mem.h>
#include <walship/redirect.h>

static const struct {
    const char *asked, *location;
    enum redirect result;
    const char *out;
} rows[] = {
    /* within the origin */
    {"https://h/a?k=1", "/b?k=2", REDIRECT_FOLLOWS, "https://h/b?k=2"},
    {"https://h/a/b?k=1", "c", REDIRECT_FOLLOWS, "https://h/a/c"},
    {"https://h", "c", REDIRECT_FOLLOWS, "https://h/c"},
    {"https://h/a/b?k=1", "?k=2", REDIRECT_FOLLOWS, "https://h/a/b?k=2"},
    {"https://h/a/b", "c:d/e", REDIRECT_UNUSABLE, NULL},
    {"https://h/a/b", "./c:d/e", REDIRECT_FOLLOWS, "https://h/a/./c:d/e"},
    {"https://h/a", "https://h/b#part", REDIRECT_FOLLOWS, "https://h/b"},
    {"https://h/a", "HTTPS://H:443/b", REDIRECT_FOLLOWS, "https://h:443/b"},
    {"https://h:443/a", "https://h", REDIRECT_FOLLOWS, "https://h/"},
    {"https://h:444/a", "//h:444/b", REDIRECT_FOLLOWS, "https://h:444/b"},
    {"https://h/a", "https://h?k", REDIRECT_FOLLOWS, "https://h/?k"},
    {"http://[::1]:90/a", "http://[::1]:90/b", REDIRECT_FOLLOWS, "http://[::1]:90/b"},
    /* its own userinfo stays with it */
    {"https://u:p@h/a", "/b", REDIRECT_FOLLOWS, "https://u:p@h/b"},
    {"https://u:p@h/a", "https://h/b", REDIRECT_FOLLOWS, "https://u:p@h/b"},
    /* https instead, never the way back */
    {"http://h/a", "https://h/a", REDIRECT_FOLLOWS, "https://h/a"},
    {"http://h:8080/a", "https://h:8080/a", REDIRECT_FOLLOWS, "https://h:8080/a"},
    {"http://h:8080/a", "https://h/a", REDIRECT_FOLLOWS, "https://h/a"},
    {"http://h/a", "https://h:8443/a", REDIRECT_ELSEWHERE, "https://h:8443"},
    {"http://h/a", "https://h:80/a", REDIRECT_ELSEWHERE, "https://h:80"},
    {"https://h/a", "http://h/a", REDIRECT_ELSEWHERE, "http://h:80"},
    {"https://h/a", "http://h:443/a", REDIRECT_ELSEWHERE, "http://h:443"},
    /* elsewhere: the origin is all that is shown */
    {"https://h/a", "https://evil/a?token=x", REDIRECT_ELSEWHERE, "https://evil:443"},
    {"https://h/a", "//evil/a", REDIRECT_ELSEWHERE, "https://evil:443"},
    {"https://h/a", "///evil/a", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "https://h.evil/a", REDIRECT_ELSEWHERE, "https://h.evil:443"},
    {"https://h/a", "https://h./a", REDIRECT_ELSEWHERE, "https://h.:443"},
    {"https://h/a", "https://h:8443/a", REDIRECT_ELSEWHERE, "https://h:8443"},
    {"https://h.x/a", "https://h/a", REDIRECT_ELSEWHERE, "https://h:443"},
    /* hostile */
    {"https://h/a", "https://u:p@h/a", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "https://h@evil/a", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "//h:x@evil/a", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "https://h\\@evil/a", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "/\\evil/a", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "https://h:99999/a", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "https://h:/a", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "https:/b", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "ftp://h/a", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "file:///etc/passwd", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "javascript:x", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "/b\r\nX-Evil: 1", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "/b c", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "/b\x7f", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "/\xc3\xa4", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "#part", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", "", REDIRECT_UNUSABLE, NULL},
    {"https://h/a", NULL, REDIRECT_UNUSABLE, NULL},
};

START_TEST(a_location_leads_where_the_table_says)
{
    char *out = NULL;
    enum redirect result = redirect_resolve(rows[_i].asked, rows[_i].location, &out);
    ck_assert_msg(result == rows[_i].result, "%s -> %s: %d, %s", rows[_i].asked, rows[_i].location,
                  (int)result, out);
    ck_assert_pstr_eq(out, rows[_i].out);
    mem_free(out);
}

START_TEST(an_overlong_location_is_unusable)
{
    char location[HTTP_HEADER_VALUE_BYTES_MAX + 2];
    char *out = NULL;
    memset(location, 'x', sizeof location);
    location[0] = '/';
    location[sizeof location - 1] = '\0';
    ck_assert_int_eq(redirect_resolve("https://h/a", location, &out), REDIRECT_UNUSABLE);
    ck_assert_ptr_null(out);
    location[sizeof location - 2] = '\0';
    ck_assert_int_eq(redirect_resolve("https://h/a", location, &out), REDIRECT_FOLLOWS);
    mem_free(out);
}

/* Each hop may add to the path before it: there is an end. */
START_TEST(a_url_that_grows_with_each_hop_becomes_unusable)
{
    char *at = mem_string("https://h/"), *out = NULL;
    size_t hops = 0;
    char location[1001];
    memset(location, 'x', sizeof location);
    location[sizeof location - 2] = '/';
    location[sizeof location - 1] = '\0';
    while (redirect_resolve(at, location, &out) == REDIRECT_FOLLOWS) {
        ck_assert_uint_le(strlen(out), REDIRECT_URL_BYTES_MAX);
        ck_assert_uint_lt(++hops, 10);
        mem_free(at);
        at = out;
    }
    ck_assert_uint_eq(hops, 8);
    mem_free(at);
}

Suite *suite_redirect(void);
Suite *suite_redirect(void)
{
    Suite *suite = suite_create("redirect");
    TCase *tests = tcase_create("redirect");
    tcase_add_loop_test(tests, a_location_leads_where_the_table_says, 0, (int)ARRAY_COUNT(rows));
    tcase_add_test(tests, an_overlong_location_is_unusable);
    tcase_add_test(tests, a_url_that_grows_with_each_hop_becomes_unusable);
    suite_add_tcase(suite, tests);
    return suite;
}

/* test_guards.c - what keeps a secret from going astray: where it may be sent, which file Arc may
 * name, and how it is written into forms and headers. */
#include "challenge.h"
#include "encode.h"

#include <check.h>
#include <walship/identity.h>

static const struct {
    const char *url;
    bool safe, safe_when_allowed;
} urls[] = {
    {"https://login.microsoftonline.com/t/oauth2/v2.0/token", true, true},
    {"HTTPS://login.microsoftonline.com", true, true},
    {"https://10.0.0.1:8443/x", true, true},
    {"http://localhost:40342/metadata", true, true},
    {"http://LOCALHOST/", true, true},
    {"http://127.0.0.1:9?x", true, true},
    {"http://127.255.3.4", true, true},
    {"http://[::1]:8080/", true, true},
    {"http://169.254.169.254/metadata/identity/oauth2/token", true, true},
    {"http://169.254.169.254:80/", true, true},
    {"http://10.0.0.1/", false, true},
    {"http://169.254.130.4:8081/msi/token", false, true},
    {"http://example.com/", false, true},
    {"http://localhost.example.com/", false, true},
    {"http://127.0.0.1.example.com/", false, true},
    {"http://127.1/", false, true},
    {"http://127.0.0.01/", false, true},
    {"http://127.0.0.256/", false, true},
    {"http://0x7f.0.0.1/", false, true},
    {"http://2130706433/", false, true},
    {"http://[::ffff:10.0.0.1]/", false, true},
    {"http://127.0.0.1@evil.com/", false, false},
    {"http://user:pass@127.0.0.1/", false, false},
    {"https://user@host/", false, false},
    {"http://evil.com\\@127.0.0.1/", false, false},
    {"http://127.0.0.1\t.evil.com/", false, false},
    {"http://127.0.0.1\\.evil.com/", false, false},
    {"https://login.microsoftonline.com\\.evil.com/", false, false},
    {"http://127.0.0.1:80:80/", false, false},
    {"http://127.0.0.1:x/", false, false},
    {"http://[::1", false, false},
    {"http://[::1]x/", false, false},
    {"http:///path", false, false},
    {"https://", false, false},
    {"ftp://127.0.0.1/", false, false},
    {"127.0.0.1:80", false, false},
    {"", false, false},
};

START_TEST(a_secret_goes_over_tls_or_stays_on_the_machine)
{
    ck_assert_msg(identity_url_is_safe(urls[_i].url, false) == urls[_i].safe, "%s", urls[_i].url);
    ck_assert_msg(identity_url_is_safe(urls[_i].url, true) == urls[_i].safe_when_allowed, "%s",
                  urls[_i].url);
}
END_TEST

#define DIRECTORY "/var/opt/azcmagent/tokens"

static const struct {
    const char *header;
    const char *path; /* NULL: refused */
} challenges[] = {
    {"Basic realm=" DIRECTORY "/1f2e.key", DIRECTORY "/1f2e.key"},
    {"Basic realm=\"" DIRECTORY "/1f2e.key\"", DIRECTORY "/1f2e.key"},
    {"basic  Realm = " DIRECTORY "/1f2e-0_A.b.key, charset=x", DIRECTORY "/1f2e-0_A.b.key"},
    {"Basic realm=/etc/shadow", NULL},
    {"Basic realm=/etc/x.key", NULL},
    {"Basic realm=" DIRECTORY "/x.pem", NULL},
    {"Basic realm=" DIRECTORY "/.key", NULL},
    {"Basic realm=" DIRECTORY "/..key", NULL},
    {"Basic realm=" DIRECTORY "/../x.key", NULL},
    {"Basic realm=" DIRECTORY "/a/x.key", NULL},
    {"Basic realm=" DIRECTORY "//x.key", NULL},
    {"Basic realm=" DIRECTORY "x.key", NULL},
    {"Basic realm=" DIRECTORY "2/x.key", NULL},
    {"Basic realm=" DIRECTORY "-old.key", NULL},
    {"Basic realm=/" DIRECTORY "/x.key", NULL},
    {"Basic realm=" DIRECTORY "/x%2e.key", NULL},
    {"Basic realm=", NULL},
    {"Basic", NULL},
    {"Bearer realm=" DIRECTORY "/x.key", NULL},
    {"BasicX realm=" DIRECTORY "/x.key", NULL},
    {"Negotiate, Basic realm=" DIRECTORY "/x.key", NULL},
    {"", NULL},
};

START_TEST(arc_may_only_name_a_key_file_in_its_own_directory)
{
    char path[CHALLENGE_PATH_BYTES];
    struct err err;
    bool good = challenge_parse(challenges[_i].header, DIRECTORY, path, &err);
    ck_assert_msg(good == (challenges[_i].path != NULL), "%s", challenges[_i].header);
    if (good) {
        ck_assert_str_eq(path, challenges[_i].path);
    }
}
END_TEST

START_TEST(a_long_name_in_the_challenge_is_refused)
{
    char header[CHALLENGE_PATH_BYTES + 100], path[CHALLENGE_PATH_BYTES];
    struct err err;
    memset(header, 'a', sizeof header);
    memcpy(header, "Basic realm=" DIRECTORY "/", sizeof "Basic realm=" DIRECTORY);
    memcpy(header + sizeof header - 5, ".key", 5);
    ck_assert(!challenge_parse(header, DIRECTORY, path, &err));
}
END_TEST

START_TEST(base64_has_two_alphabets)
{
    static const struct {
        const char *bytes, *standard, *url;
    } pairs[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"\xfb\xff\xbf", "+/+/", "-_-_"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        struct secret out = {0};
        secret_reset(&out, 64);
        encode_base64(&out, pairs[i].bytes, strlen(pairs[i].bytes), BASE64_STANDARD);
        ck_assert_str_eq(out.text, pairs[i].standard);
        secret_reset(&out, 64);
        encode_base64(&out, pairs[i].bytes, strlen(pairs[i].bytes), BASE64_URL);
        ck_assert_str_eq(out.text, pairs[i].url);
        secret_reset(&out, 0);
    }
}
END_TEST

START_TEST(forms_and_json_escape_what_has_a_meaning)
{
    struct secret out = {0};
    secret_reset(&out, 256);
    encode_field(&out, "a b", "c&d=e+f/g~\303\251%");
    encode_field(&out, "x", "");
    ck_assert_str_eq(out.text, "a%20b=c%26d%3De%2Bf%2Fg~%C3%A9%25&x=");
    secret_reset(&out, 256);
    encode_json(&out, "a\"b\\c\n\001");
    ck_assert_str_eq(out.text, "\"a\\\"b\\\\c\\u000a\\u0001\"");
    secret_reset(&out, 0);
}
END_TEST

START_TEST(text_that_does_not_fit_is_noticed_not_cut)
{
    struct secret out = {0};
    secret_reset(&out, 4);
    secret_add(&out, "abc");
    secret_add(&out, "de");
    ck_assert(out.cut);
    ck_assert_str_eq(out.text, "abc");
    secret_reset(&out, 0);
    ck_assert_ptr_null(out.text);
}
END_TEST

START_TEST(trimming_wipes_what_it_cuts)
{
    struct secret out = {0};
    secret_reset(&out, 16);
    secret_add(&out, " \nsecret \r\n");
    secret_trim(&out);
    ck_assert_str_eq(out.text, "secret");
    for (size_t i = out.bytes; i <= out.room; i++) {
        ck_assert_int_eq(out.text[i], 0);
    }
    secret_reset(&out, 0);
}
END_TEST

Suite *suite_guards(void);
Suite *suite_guards(void)
{
    Suite *suite = suite_create("guards");
    TCase *tcase = tcase_create("guards");
    tcase_add_loop_test(tcase, a_secret_goes_over_tls_or_stays_on_the_machine, 0,
                        (int)ARRAY_COUNT(urls));
    tcase_add_loop_test(tcase, arc_may_only_name_a_key_file_in_its_own_directory, 0,
                        (int)ARRAY_COUNT(challenges));
    tcase_add_test(tcase, a_long_name_in_the_challenge_is_refused);
    tcase_add_test(tcase, base64_has_two_alphabets);
    tcase_add_test(tcase, forms_and_json_escape_what_has_a_meaning);
    tcase_add_test(tcase, text_that_does_not_fit_is_noticed_not_cut);
    tcase_add_test(tcase, trimming_wipes_what_it_cuts);
    suite_add_tcase(suite, tcase);
    return suite;
}

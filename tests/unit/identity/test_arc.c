/* test_arc.c - the sources that need two requests: Arc with its challenge, oauth2 finding out how
 * the secret is taken. */
#include "lab.h"

static void challenge(struct lab *lab, const char *header)
{
    const struct http_result result = {
        .outcome = HTTP_ANSWERED, .status = 401, .body = "", .www_authenticate = header};
    lab_wait(lab);
    ck_assert(lab_want(lab));
    ck_assert_uint_eq(lab->request.headers_count, 1);
    lab_give(lab, &result);
    lab_note(lab, "401");
}

START_TEST(arc_proves_itself_by_a_key_file_each_time)
{
    struct lab lab;
    lab_start(&lab, CONF_AUTH_MANAGED_IDENTITY, CONF_SOURCE_ARC);
    for (int i = 0; i < 2; i++) {
        lab_file(&lab, "/s/1.key", i == 0 ? "a2V5LW9uZQ==" : "a2V5LXR3bw==\n");
        challenge(&lab, "Basic realm=/s/1.key");
        ck_assert_int_le(identity_deadline(lab.one), lab.now_ms);
        ck_assert(lab_want(&lab));
        lab_show_request(&lab);
        lab_answer(&lab, 200,
                   "{\"access_token\":\"t\",\"expires_in\":\"3600\",\"client_id\":"
                   "\"01234567-ABCD-EF01-2345-67890abcdef0\"}");
        lab_note(&lab, "200");
    }
    lab_expect(
        &lab,
        "[      0] 401 -> first, no header, next in 0\n"
        "GET http://127.0.0.1:40342/metadata/identity/oauth2/token?api-version=2020-06-01"
        "&resource=https%3A%2F%2Fmonitor.azure.com%2F&client_id=01234567-abcd-ef01-2345-67890abcdef0 direct\n"
        "Metadata: true\n"
        "Authorization: Basic a2V5LW9uZQ==\n"
        "\n"
        "\n"
        "[      0] 200 -> good, Bearer t, next in 1689561\n"
        "[1689561] 401 -> good, Bearer t, next in 0\n"
        "GET http://127.0.0.1:40342/metadata/identity/oauth2/token?api-version=2020-06-01"
        "&resource=https%3A%2F%2Fmonitor.azure.com%2F&client_id=01234567-abcd-ef01-2345-67890abcdef0 direct\n"
        "Metadata: true\n"
        "Authorization: Basic a2V5LXR3bw==\n"
        "\n"
        "\n"
        "[1689561] 200 -> good, Bearer t, next in 1764032\n");
    lab_release(&lab);
}
END_TEST

START_TEST(arc_is_refused_what_is_not_its_protocol)
{
    struct lab lab;
    char large[4200];
    lab_start(&lab, CONF_AUTH_MANAGED_IDENTITY, CONF_SOURCE_ARC);
    lab_turn_token(&lab, "a", 3600); /* without a challenge */
    lab_turn(&lab, 403, "", NULL);
    challenge(&lab, NULL);
    challenge(&lab, "Basic realm=/etc/shadow");
    challenge(&lab, "Basic realm=/s/missing.key");
    lab_wait(&lab);
    ck_assert(!lab_want(&lab));
    lab_note(&lab, "no key file");
    memset(large, 'k', sizeof large);
    large[sizeof large - 1] = '\0';
    lab_file(&lab, "/s/large.key", large);
    challenge(&lab, "Basic realm=/s/large.key");
    ck_assert(!lab_want(&lab));
    lab_note(&lab, "a large one");
    lab_file(&lab, "/s/odd.key", "a\r\nX: y");
    challenge(&lab, "Basic realm=/s/odd.key");
    ck_assert(!lab_want(&lab));
    lab_note(&lab, "an odd one");
    lab_file(&lab, "/s/1.key", "a2V5");
    challenge(&lab, "Basic realm=/s/1.key");
    ck_assert(lab_want(&lab));
    lab_answer(&lab, 200, "{\"access_token\":\"t\",\"expires_in\":3600}");
    lab_note(&lab, "the machine's own identity");
    challenge(&lab, "Basic realm=/s/1.key");
    ck_assert(lab_want(&lab));
    lab_answer(&lab, 401, "");
    lab_note(&lab, "the key refused");
    ck_assert_uint_eq(identity_revision(lab.one), 0);
    lab_expect(&lab,
               "[      0] 200 -> failing, no header, next in 5195\n"
               "          answered 200 where the Arc agent would challenge: what listens "
               "there?\n"
               "[   5195] 403 -> failing, no header, next in 32335\n"
               "          answered 403: is a managed identity assigned to the machine?\n"
               "[  37530] 401 -> failing, no header, next in 5148\n"
               "          the Arc agent's challenge is refused: it has no WWW-Authenticate "
               "header\n"
               "[  42678] 401 -> failing, no header, next in 10315\n"
               "          the Arc agent's challenge is refused: the challenge names a file "
               "that is not a .key in /s\n"
               "[  52993] 401 -> failing, no header, next in 0\n"
               "[  52993] no key file -> failing, no header, next in 5145\n"
               "          Arc's key file (readable for root and the group himds): "
               "/s/missing.key: No such file or directory\n"
               "[  58138] 401 -> failing, no header, next in 0\n"
               "[  58138] a large one -> failing, no header, next in 10563\n"
               "          Arc's key file (readable for root and the group himds): "
               "/s/large.key: it is larger than the 4096 bytes allowed\n"
               "[  68701] 401 -> failing, no header, next in 0\n"
               "[  68701] an odd one -> failing, no header, next in 21352\n"
               "          a key or variable has bytes that can't stand in a header\n"
               "[  90053] 401 -> failing, no header, next in 0\n"
               "[  90053] the machine's own identity -> failing, no header, next in 31449\n"
               "          the Arc agent did not confirm the identity that was asked for: it "
               "is too old for user-assigned identities, leave client_id out or update it\n"
               "[ 121502] 401 -> failing, no header, next in 0\n"
               "[ 121502] the key refused -> failing, no header, next in 64845\n"
               "          answered 401: the Arc agent refused the key of its own challenge\n");
    lab_release(&lab);
}
END_TEST

/* ---- oauth2 ---- */

START_TEST(oauth2_tries_the_secret_in_the_form_when_basic_is_refused)
{
    struct lab lab;
    lab_start(&lab, CONF_AUTH_OAUTH2, CONF_SOURCE_AUTO);
    lab_turn(&lab, 401, "{\"error\":\"invalid_client\"}", NULL);
    ck_assert(lab_want(&lab));
    lab_show_request(&lab);
    lab_answer(&lab, 200, "{\"access_token\":\"t\"}"); /* no expiry said: an hour */
    lab_note(&lab, "200");
    lab_turn(&lab, 401, "{\"error\":\"invalid_client\"}", NULL); /* the style is known by now */
    lab_expect(&lab, "[      0] 401 -> first, no header, next in 0\n"
                     "POST https://id.example/token\n"
                     "Content-Type: application/x-www-form-urlencoded\n"
                     "Accept: application/json\n"
                     "\n"
                     "client_id=01234567-abcd-ef01-2345-67890abcdef0&"
                     "client_secret=AbCDefgh1234578~zxcv.09875dslkhjKLHJHLKJ&"
                     "grant_type=client_credentials\n"
                     "[      0] 200 -> good, Bearer t, next in 1689561\n"
                     "[1689561] 401 -> failing, Bearer t, next in 32335\n"
                     "          answered 401 invalid_client: check client_id, the credential and "
                     "the address\n");
    lab_release(&lab);
}
END_TEST

Suite *suite_arc(void);
Suite *suite_arc(void)
{
    Suite *suite = suite_create("arc");
    TCase *tcase = tcase_create("arc");
    tcase_add_test(tcase, arc_proves_itself_by_a_key_file_each_time);
    tcase_add_test(tcase, arc_is_refused_what_is_not_its_protocol);
    tcase_add_test(tcase, oauth2_tries_the_secret_in_the_form_when_basic_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* test_files.c - secrets and certificates in files: followed when they change, kept when the new
 * one is broken. And that nothing secret is ever said. */
#include "certificate.h"
#include "certificates.h"
#include "lab.h"

#include <errno.h>

static void start(struct lab *lab, struct conf_auth *auth)
{
    struct err err;
    lab_init(lab);
    auth->client_id = lab_text(lab, CLIENT);
    auth->tenant_id = lab_text(lab, TENANT);
    ck_assert_msg(lab_add(lab, auth, &err) != NULL, "%s", err.text);
}

static bool body_has(const struct lab *lab, const char *text)
{
    return lab->request.body != NULL &&
           memmem(lab->request.body, lab->request.body_bytes, text, strlen(text)) != NULL;
}

static struct identity_status status_of(const struct lab *lab)
{
    struct identity_status status;
    identity_status(lab->one, lab->now_ms, &status);
    return status;
}

START_TEST(a_missing_secret_file_is_waited_for)
{
    struct lab lab;
    struct conf_auth auth = {.kind = CONF_AUTH_SECRET, .secret_file = (char[]){"/s/secret"}};
    start(&lab, &auth);
    ck_assert(!lab_want(&lab));
    ck_assert_str_eq(status_of(&lab).problem, "/s/secret: No such file or directory");
    ck_assert_int_gt(identity_deadline(lab.one), lab.now_ms);
    lab_pass(&lab, 60000);
    ck_assert(!lab_want(&lab));
    lab_file(&lab, "/s/secret", "\n");
    lab_wait(&lab);
    ck_assert(!lab_want(&lab));
    lab_pass(&lab, 60000);
    ck_assert(!lab_want(&lab));
    ck_assert_str_eq(status_of(&lab).problem, "/s/secret: it is empty");
    lab_file(&lab, "/s/secret", "s1\n");
    lab_wait(&lab);
    ck_assert_int_le(identity_deadline(lab.one) - lab.now_ms, IDENTITY_FILES_POLL_MS);
    ck_assert(lab_want(&lab));
    ck_assert(body_has(&lab, "client_secret=s1&"));
    lab_answer_token(&lab, "t", 3600);
    ck_assert_str_eq(status_of(&lab).problem, "");
    lab_release(&lab);
}
END_TEST

START_TEST(a_pipe_in_the_place_of_a_secret_file_is_named)
{
    struct lab lab;
    struct conf_auth auth = {.kind = CONF_AUTH_SECRET, .secret_file = (char[]){"/s/secret"}};
    start(&lab, &auth);
    lab_file(&lab, "/s/secret", "s1");
    fake_os_fail_nth(lab.fake, FAKE_OS_PREAD, 1, ESPIPE);
    ck_assert(!lab_want(&lab));
    ck_assert_str_eq(status_of(&lab).problem, "/s/secret: it is a pipe, and must be a file");
    lab_release(&lab);
}
END_TEST

START_TEST(a_mended_secret_is_tried_within_seconds)
{
    struct lab lab;
    struct conf_auth auth = {.kind = CONF_AUTH_SECRET, .secret_file = (char[]){"/s/secret"}};
    start(&lab, &auth);
    lab_file(&lab, "/s/secret", "wrong");
    for (int i = 0; i < 5; i++) { /* up to the longest wait */
        while (!lab_want(&lab)) {
            lab_wait(&lab);
        }
        lab_answer(&lab, 401, "{\"error\":\"invalid_client\",\"error_codes\":[7000215]}");
    }
    int64_t from_ms = lab.now_ms;
    fake_os_overwrite(lab.fake, "/s/secret", 0, "right", 5); /* same inode, same size */
    while (!lab_want(&lab)) {
        lab_wait(&lab);
    }
    ck_assert_int_le(lab.now_ms - from_ms, IDENTITY_FILES_POLL_MS);
    ck_assert(body_has(&lab, "client_secret=right&"));
    lab_answer_token(&lab, "t", 3600);
    lab_release(&lab);
}
END_TEST

START_TEST(a_broken_new_secret_keeps_the_old_one_and_says_so)
{
    struct lab lab;
    struct conf_auth auth = {.kind = CONF_AUTH_SECRET, .secret_file = (char[]){"/s/secret"}};
    start(&lab, &auth);
    lab_file(&lab, "/s/secret", "s1");
    ck_assert(lab_want(&lab));
    lab_answer_token(&lab, "t1", 3600);
    fake_os_unlink(lab.fake, "/s/secret");
    lab_wait(&lab);
    ck_assert(lab_want(&lab));
    ck_assert(body_has(&lab, "client_secret=s1&"));
    lab_answer_token(&lab, "t2", 3600);
    ck_assert_str_eq(status_of(&lab).warning,
                     "/s/secret: No such file or directory; the older one still serves");
    ck_assert_int_eq(status_of(&lab).state, IDENTITY_GOOD);
    ck_assert_str_eq(identity_header(lab.one, lab.now_ms), "Bearer t2");
    lab_file(&lab, "/s/secret", "s2");
    lab_wait(&lab); /* warned: the file is looked at again soon */
    ck_assert_int_le(lab.now_ms, 3600 * 1000);
    ck_assert(lab_want(&lab));
    ck_assert(body_has(&lab, "client_secret=s2&"));
    lab_answer_token(&lab, "t3", 3600);
    ck_assert_str_eq(status_of(&lab).warning, "");
    lab_release(&lab);
}
END_TEST

START_TEST(a_federated_token_is_read_anew_at_each_exchange)
{
    struct lab lab;
    struct conf_auth auth = {.kind = CONF_AUTH_WORKLOAD_IDENTITY,
                             .token_file_path = (char[]){"/s/federated"}};
    start(&lab, &auth);
    for (int i = 0; i < 3; i++) {
        char text[32], field[64];
        (void)snprintf(text, sizeof text, "eyJ.%d.x\n", i);
        (void)snprintf(field, sizeof field, "client_assertion=eyJ.%d.x&", i);
        lab_file(&lab, "/s/federated", text);
        lab_wait(&lab);
        ck_assert(lab_want(&lab));
        ck_assert(body_has(&lab, field));
        lab_answer_token(&lab, "t", 3600);
    }
    lab_release(&lab);
}
END_TEST

START_TEST(short_reads_give_the_whole_file_and_large_files_are_refused)
{
    struct lab lab;
    struct conf_auth auth = {.kind = CONF_AUTH_SECRET, .secret_file = (char[]){"/s/secret"}};
    start(&lab, &auth);
    fake_os_short_reads(lab.fake, 100);
    lab_file(&lab, "/s/secret", "a-secret-of-some-length");
    ck_assert(lab_want(&lab));
    ck_assert(body_has(&lab, "client_secret=a-secret-of-some-length&"));
    lab_answer_token(&lab, "t", 3600);
    fake_os_truncate(lab.fake, "/s/secret", IDENTITY_FILE_BYTES_MAX + 1);
    lab_wait(&lab);
    ck_assert(lab_want(&lab));
    ck_assert(body_has(&lab, "client_secret=a-secret-of-some-length&"));
    ck_assert_ptr_nonnull(strstr(status_of(&lab).warning, "larger than the 262144 bytes allowed"));
    lab_answer_token(&lab, "t", 3600);
    lab_release(&lab);
}
END_TEST

START_TEST(basic_auth_follows_its_files)
{
    struct lab lab;
    struct conf_auth auth = {
        .kind = CONF_AUTH_BASIC, .username = (char[]){"u"}, .secret_file = (char[]){"/s/secret"}};
    start(&lab, &auth);
    lab_file(&lab, "/s/secret", "p");
    ck_assert(!lab_want(&lab));
    ck_assert_str_eq(identity_header(lab.one, lab.now_ms), "Basic dTpw");
    ck_assert_int_eq(status_of(&lab).expires_in_ms, INT64_MAX);
    lab_file(&lab, "/s/secret", "q");
    lab_wait(&lab);
    ck_assert(!lab_want(&lab));
    ck_assert_str_eq(identity_header(lab.one, lab.now_ms), "Basic dTpx");
    ck_assert_uint_eq(identity_revision(lab.one), 2);
    fake_os_unlink(lab.fake, "/s/secret");
    lab_wait(&lab);
    ck_assert(!lab_want(&lab));
    ck_assert_str_eq(identity_header(lab.one, lab.now_ms), "Basic dTpx");
    ck_assert_ptr_nonnull(strstr(status_of(&lab).warning, "No such file"));
    lab_release(&lab);
}
END_TEST

START_TEST(a_fixed_authorization_asks_for_no_turn_at_all)
{
    struct lab lab;
    struct conf_auth auth = {.kind = CONF_AUTH_HEADER, .secret = (char[]){"t"}};
    start(&lab, &auth);
    ck_assert(!lab_want(&lab));
    ck_assert_int_eq(identity_deadline(lab.one), INT64_MAX);
    identity_rejected(lab.one, identity_revision(lab.one), lab.now_ms);
    ck_assert_int_eq(identity_deadline(lab.one), INT64_MAX);
    lab_release(&lab);
}
END_TEST

static void put_pair(struct lab *lab, EVP_PKEY *key, X509 *certificate)
{
    struct secret pem = {0};
    put_certificate(&pem, certificate);
    lab_file(lab, "/s/cert", pem.text);
    secret_reset(&pem, 0);
    put_key(&pem, key, NULL);
    lab_file(lab, "/s/key", pem.text);
    secret_reset(&pem, 0);
}

START_TEST(a_certificate_is_replaced_when_both_files_are_there)
{
    struct lab lab;
    struct conf_auth auth = {.kind = CONF_AUTH_CERTIFICATE,
                             .certificate_path = (char[]){"/s/cert"},
                             .certificate_key_path = (char[]){"/s/key"}};
    EVP_PKEY *keys[] = {make_key(), make_key()};
    X509 *certificates[] = {make_certificate(keys[0], "one", NULL, NULL),
                            make_certificate(keys[1], "two", NULL, NULL)};
    start(&lab, &auth);
    put_pair(&lab, keys[0], certificates[0]);
    ck_assert(lab_want(&lab));
    char first[128];
    memcpy(first, (const char *)lab.request.body + 17, sizeof first); /* the JWT's header */
    lab_answer_token(&lab, "t", 3600);

    put_pair(&lab, keys[0], certificates[1]); /* half of the rotation */
    lab_wait(&lab);
    ck_assert(lab_want(&lab));
    ck_assert_mem_eq((const char *)lab.request.body + 17, first, sizeof first);
    ck_assert_str_eq(status_of(&lab).warning,
                     "/s/cert: the private key belongs to none of the certificates; the older one "
                     "still serves");
    lab_answer_token(&lab, "t", 3600);

    put_pair(&lab, keys[1], certificates[1]);
    lab_wait(&lab);
    ck_assert(lab_want(&lab));
    ck_assert_mem_ne((const char *)lab.request.body + 17, first, sizeof first);
    ck_assert_str_eq(status_of(&lab).warning, "");
    lab_answer_token(&lab, "t", 3600);
    for (int i = 0; i < 2; i++) {
        X509_free(certificates[i]);
        EVP_PKEY_free(keys[i]);
    }
    lab_release(&lab);
}
END_TEST

START_TEST(an_assertion_is_made_by_the_servers_clock)
{
    struct lab lab;
    struct conf_auth auth = {.kind = CONF_AUTH_CERTIFICATE,
                             .certificate_path = (char[]){"/s/cert"},
                             .certificate_key_path = (char[]){"/s/key"}};
    static const char early[] = "{\"error\":\"invalid_client\",\"error_codes\":[700024]}";
    const struct http_result dated = {.outcome = HTTP_ANSWERED,
                                      .status = 401,
                                      .body = early,
                                      .body_bytes = sizeof early - 1,
                                      .date = "Wed, 18 Nov 2026 11:06:40 GMT"};
    EVP_PKEY *key = make_key();
    X509 *certificate = make_certificate(key, "one", NULL, NULL);
    start(&lab, &auth);
    put_pair(&lab, key, certificate);
    lab.wall_ms = LAB_WALL_MS - 3600000; /* an hour behind */
    ck_assert(lab_want(&lab));
    lab_give(&lab, &dated);
    ck_assert_int_le(identity_deadline(lab.one) - lab.now_ms, 2200); /* passes by itself */
    lab_wait(&lab);
    ck_assert(lab_want(&lab));
    char claims[2048] = "", expected[64];
    const char *from = strchr((const char *)lab.request.body, '.') + 1;
    memcpy(claims, from, strcspn(from, "."));
    (void)base64url_decode(claims);
    (void)snprintf(expected, sizeof expected, "\"nbf\":%lld,",
                   (long long)((LAB_WALL_MS + lab.now_ms) / 1000 - ASSERTION_LEAD_S));
    ck_assert_msg(strstr(claims, expected) != NULL, "%s not in %s", expected, claims);
    lab_answer_token(&lab, "t", 3600);
    X509_free(certificate);
    EVP_PKEY_free(key);
    lab_release(&lab);
}
END_TEST

/* ---- I6 ---- */

static void expect_unsaid(const struct lab *lab)
{
    const struct identity_status status = status_of(lab);
    ck_assert(lab->log.bytes == 0 ||
              memmem(lab->log.data, lab->log.bytes, PLANTED, strlen(PLANTED)) == NULL);
    ck_assert_ptr_null(strstr(status.name, PLANTED));
    ck_assert_ptr_null(strstr(status.problem, PLANTED));
    ck_assert_ptr_null(strstr(status.warning, PLANTED));
}

START_TEST(no_planted_secret_is_ever_said)
{
    static const char *const bodies[] = {
        PLANTED,
        "{\"error\":\"" PLANTED "\",\"error_description\":\"AADSTS1: " PLANTED "\"}",
        "{\"access_token\":\"" PLANTED "\"}",
        "{\"access_token\":\"" PLANTED "\",\"expires_on\":\"" PLANTED "\"}",
        "{\"access_token\":\"" PLANTED "\",\"expires_in\":3600,\"token_type\":\"" PLANTED "\"}",
        "{\"access_token\":\"" PLANTED " x\",\"expires_in\":3600}",
        "{\"access_token\":\"" PLANTED "\",\"expires_in\":3600}",
    };
    struct conf_auth auths[] = {
        {.kind = CONF_AUTH_SECRET, .secret = (char[]){PLANTED}},
        {.kind = CONF_AUTH_SECRET, .secret_file = (char[]){"/s/secret"}},
        {.kind = CONF_AUTH_WORKLOAD_IDENTITY, .token_file_path = (char[]){"/s/secret"}},
        {.kind = CONF_AUTH_OAUTH2,
         .secret = (char[]){PLANTED},
         .token_url = (char[]){"https://id.example/"}},
        {.kind = CONF_AUTH_MANAGED_IDENTITY, .source = CONF_SOURCE_APP_SERVICE},
        {.kind = CONF_AUTH_CERTIFICATE,
         .certificate_path = (char[]){"/s/secret"},
         .certificate_password = (char[]){PLANTED}},
        {.kind = CONF_AUTH_HEADER, .secret = (char[]){PLANTED "\n"}},
        {.kind = CONF_AUTH_BASIC, .username = (char[]){"u"}, .secret_file = (char[]){"/s/secret"}},
    };
    static const int statuses[] = {200, 400, 401, 429, 500};
    for (size_t i = 0; i < ARRAY_COUNT(auths); i++) {
        struct lab lab;
        struct err err;
        lab_init(&lab);
        lab_set(&lab, "IDENTITY_ENDPOINT", "http://localhost:1/");
        lab_set(&lab, "IDENTITY_HEADER", PLANTED);
        lab_file(&lab, "/s/secret", PLANTED);
        auths[i].client_id = lab_text(&lab, CLIENT);
        auths[i].tenant_id = lab_text(&lab, TENANT);
        ck_assert_msg(lab_add(&lab, &auths[i], &err) != NULL, "%s", err.text);
        for (size_t turn = 0; turn < ARRAY_COUNT(bodies) * ARRAY_COUNT(statuses); turn++) {
            lab_pass(&lab, 4000 * 1000);
            if (lab_want(&lab)) {
                lab_answer(&lab, statuses[turn % ARRAY_COUNT(statuses)],
                           bodies[turn / ARRAY_COUNT(statuses)]);
            }
            expect_unsaid(&lab);
        }
        ck_assert(lab.log.bytes > 0 || auths[i].kind == CONF_AUTH_BASIC);
        lab_release(&lab);
    }
}
END_TEST

START_TEST(a_refused_configuration_does_not_quote_secrets)
{
    struct conf_auth auths[] = {
        {.kind = CONF_AUTH_OAUTH2,
         .client_id = (char[]){"c"},
         .token_url = (char[]){"https://u:" PLANTED "@id.example/"}},
        {.kind = CONF_AUTH_OAUTH2,
         .client_id = (char[]){"c"},
         .secret = (char[]){PLANTED},
         .token_url = (char[]){"http://id.example/"}},
        {.kind = CONF_AUTH_SECRET, .secret = (char[]){PLANTED}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(auths); i++) {
        struct lab lab;
        struct err err;
        lab_init(&lab);
        ck_assert_ptr_null(lab_add(&lab, &auths[i], &err));
        ck_assert_ptr_null(strstr(err.text, PLANTED));
        lab_release(&lab);
    }
}
END_TEST

START_TEST(permission_to_send_in_the_clear_is_said_aloud)
{
    struct lab lab;
    struct conf_auth auth = {.kind = CONF_AUTH_OAUTH2,
                             .secret = (char[]){PLANTED},
                             .token_url = (char[]){"http://id.example/"},
                             .allow_insecure_http = true};
    start(&lab, &auth);
    ck_assert_ptr_nonnull(
        memmem(lab.log.data, lab.log.bytes, "allow_insecure_http", strlen("allow_insecure_http")));
    lab_release(&lab);
}
END_TEST

Suite *suite_files(void);
Suite *suite_files(void)
{
    Suite *suite = suite_create("files");
    TCase *tcase = tcase_create("files");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_missing_secret_file_is_waited_for);
    tcase_add_test(tcase, a_pipe_in_the_place_of_a_secret_file_is_named);
    tcase_add_test(tcase, a_mended_secret_is_tried_within_seconds);
    tcase_add_test(tcase, a_broken_new_secret_keeps_the_old_one_and_says_so);
    tcase_add_test(tcase, a_federated_token_is_read_anew_at_each_exchange);
    tcase_add_test(tcase, short_reads_give_the_whole_file_and_large_files_are_refused);
    tcase_add_test(tcase, basic_auth_follows_its_files);
    tcase_add_test(tcase, a_fixed_authorization_asks_for_no_turn_at_all);
    tcase_add_test(tcase, a_certificate_is_replaced_when_both_files_are_there);
    tcase_add_test(tcase, an_assertion_is_made_by_the_servers_clock);
    tcase_add_test(tcase, no_planted_secret_is_ever_said);
    tcase_add_test(tcase, a_refused_configuration_does_not_quote_secrets);
    tcase_add_test(tcase, permission_to_send_in_the_clear_is_said_aloud);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* test_http_tls.c - TLS and proxies of the real network seam: whom it trusts, what it shows, which
 * way it goes. Servers, proxy and certificates are made here. */
#include "http_curl_client.h"
#include "tls_peer.h"

#include <check.h>
#include <openssl/ssl.h>
#include <unistd.h>
#include <walship/http_curl.h>
#include <walship/mem.h>

enum { PATIENCE_MS = 20000 };

static struct http *http;
static struct tls_identity ca, other_ca, server, user;
static struct tls_peer *peer, *proxy;
static char folder[] = "/tmp/walship-tls-XXXXXX";
static char url_text[200], path_text[4][64], proxy_text[100];

/* ---- the scene ---- */

static void start(void)
{
    ca = tls_identity_make("test CA", NULL, NULL);
    other_ca = tls_identity_make("another CA", NULL, NULL);
    server = tls_identity_make("server", "IP:127.0.0.1,DNS:walship.test", &ca);
    user = tls_identity_make("user", NULL, &ca);
    http = http_curl_new();
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void stop(void)
{
    http_curl_free(http);
    if (peer != NULL) {
        tls_peer_stop(peer);
    }
    if (proxy != NULL) {
        tls_peer_stop(proxy);
    }
    for (size_t i = 0; i < ARRAY_COUNT(path_text); i++) {
        if (path_text[i][0] != '\0') {
            (void)unlink(path_text[i]);
        }
    }
    (void)rmdir(folder);
    tls_identity_free(&ca);
    tls_identity_free(&other_ca);
    tls_identity_free(&server);
    tls_identity_free(&user);
}

static void serve(const struct tls_identity *identity, const struct tls_identity *clients,
                  int version_max)
{
    struct tls_peer_options options = {identity, clients, version_max};
    peer = tls_peer_start(&options);
}

static char *file(size_t slot, const char *text)
{
    (void)snprintf(path_text[slot], sizeof path_text[slot], "%s/%zu.pem", folder, slot);
    FILE *out = fopen(path_text[slot], "w");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_ge(fputs(text, out), 0);
    ck_assert_int_eq(fclose(out), 0);
    return path_text[slot];
}

static char *proxy_url(const char *userinfo)
{
    (void)snprintf(proxy_text, sizeof proxy_text, "http://%s127.0.0.1:%u", userinfo,
                   tls_peer_port(proxy));
    return proxy_text;
}

static struct http_result ask(const char *host, const char *path, const struct http_client *client,
                              bool direct)
{
    static const struct http_header headers[] = {{"Authorization", "Bearer token"}};
    (void)snprintf(url_text, sizeof url_text, "https://%s:%u%s", host, tls_peer_port(peer), path);
    struct http_request request = {.id = 1,
                                   .method = HTTP_POST,
                                   .url = url_text,
                                   .headers = headers,
                                   .headers_count = ARRAY_COUNT(headers),
                                   .body = "abc",
                                   .body_bytes = 3,
                                   .timeout_ms = PATIENCE_MS,
                                   .client = client,
                                   .direct = direct};
    struct err err = {.code = 0};
    struct http_result result;
    ck_assert_msg(http->post(http, &request, &err), "%s", err.text);
    while (!http->next_result(http, &result)) {
        http_curl_wait(http, NULL, 0, 1000);
        http_curl_run(http);
    }
    return result;
}

static struct http_result get(const struct http_client *client)
{
    return ask("127.0.0.1", "/w", client, false);
}

static void expect_answer(const struct http_result *result, const char *text)
{
    ck_assert_msg(result->outcome == HTTP_ANSWERED, "%s", result->error);
    ck_assert_int_eq(result->status, 200);
    ck_assert_msg(strstr(result->body, text) != NULL, "%s", result->body);
}

/* Nothing of the request has left. */
static void expect_refused(const struct http_result *result, const char *text)
{
    ck_assert_int_eq(result->outcome, HTTP_NOT_SENT);
    ck_assert_msg(strcasestr(result->error, text) != NULL, "%s", result->error);
    ck_assert_uint_eq(tls_peer_requests(peer), 0);
}

/* ---- trust ---- */

START_TEST(a_server_of_the_given_ca_is_trusted)
{
    serve(&server, NULL, 0);
    struct http_client client = {0};
    *(_i == 0 ? &client.ca : &client.ca_file) = _i == 0 ? ca.certificate : file(0, ca.certificate);
    struct http_result result = get(&client);
    expect_answer(&result, "tls=TLSv1.3 ");
}

START_TEST(a_server_of_another_ca_is_refused)
{
    serve(&server, NULL, 0);
    struct http_client client = {0};
    *(_i == 0 ? &client.ca : &client.ca_file) =
        _i == 0 ? other_ca.certificate : file(0, other_ca.certificate);
    struct http_result result = get(&client);
    expect_refused(&result, "certificate");
}

START_TEST(without_a_ca_only_the_systems_are_trusted)
{
    serve(&server, NULL, 0);
    struct http_client client = {0};
    struct http_result result = get(_i == 0 ? NULL : &client);
    expect_refused(&result, "certificate");
}

START_TEST(a_transfer_that_served_a_client_knows_nothing_of_it_afterwards)
{
    struct http_client client = {.insecure_skip_verify = true};
    serve(&server, NULL, 0);
    struct http_result result = get(&client);
    expect_answer(&result, "POST /w");
    ck_assert(!http->next_result(http, &result)); /* gives the handle back */
    result = get(NULL);                           /* and this takes it */
    ck_assert_int_eq(result.outcome, HTTP_NOT_SENT);
    ck_assert_uint_eq(tls_peer_requests(peer), 1);
}

START_TEST(insecure_skip_verify_trusts_any_server_of_any_name)
{
    struct tls_identity stranger = tls_identity_make("x", "DNS:x.test", &other_ca);
    serve(&stranger, NULL, 0);
    struct http_client client = {.ca = ca.certificate, .insecure_skip_verify = true};
    struct http_result result = get(&client);
    expect_answer(&result, "POST /w");
    tls_identity_free(&stranger);
}

START_TEST(clients_with_different_cas_share_no_connection)
{
    struct http_client good = {.ca = ca.certificate}, bad = {.ca = other_ca.certificate};
    serve(&server, NULL, 0);
    for (int i = 0; i < 3; i++) {
        struct http_result result = get(&good);
        expect_answer(&result, "POST /w");
    }
    ck_assert_uint_eq(tls_peer_connections(peer), 1); /* kept, so there is one to be taken */
    struct http_result result = get(&bad);
    ck_assert_int_eq(result.outcome, HTTP_NOT_SENT);
    ck_assert_uint_eq(tls_peer_requests(peer), 3);
    ck_assert_uint_eq(tls_peer_connections(peer), 2);
}

START_TEST(clients_that_say_the_same_share_no_connection_either)
{
    struct http_client one = {.ca = ca.certificate}, two = one;
    serve(&server, NULL, 0);
    struct http_result result = get(&one);
    expect_answer(&result, "POST /w");
    result = get(&two);
    expect_answer(&result, "POST /w");
    ck_assert_uint_eq(tls_peer_connections(peer), 2);
}

/* ---- names ---- */

START_TEST(a_certificate_for_another_name_is_refused)
{
    struct tls_identity stranger = tls_identity_make("x", "DNS:x.test,IP:127.0.0.2", &ca);
    struct http_client client = {.ca = ca.certificate};
    serve(&stranger, NULL, 0);
    struct http_result result = get(&client);
    expect_refused(&result, "127.0.0.1");
    tls_identity_free(&stranger);
}

START_TEST(server_name_is_asked_for_and_verified_and_the_host_header_stays)
{
    struct tls_identity named = tls_identity_make("x", "DNS:x.test", &ca);
    struct http_client client = {.ca = ca.certificate, .server_name = (char[]){"x.test"}};
    char host[60];
    serve(&named, NULL, 0);
    struct http_result result = get(&client);
    expect_answer(&result, "sni=x.test");
    (void)snprintf(host, sizeof host, "\r\nHost: 127.0.0.1:%u\r\n", tls_peer_port(peer));
    expect_answer(&result, host);
    tls_identity_free(&named);
}

START_TEST(a_server_name_that_the_certificate_has_not_is_refused)
{
    struct http_client client = {.ca = ca.certificate, .server_name = (char[]){"y.test"}};
    serve(&server, NULL, 0); /* good for the URL's host */
    struct http_result result = get(&client);
    expect_refused(&result, "y.test");
}

START_TEST(a_server_name_that_is_none_is_refused_at_once)
{
    struct http_client client = {.server_name = (char[]){"a b/c"}};
    struct http_request request = {.id = 1,
                                   .method = HTTP_GET,
                                   .url = "https://127.0.0.1:9/",
                                   .timeout_ms = 1000,
                                   .client = &client};
    struct err err = {.code = 0};
    ck_assert(!http->post(http, &request, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "server_name"));
}

/* ---- our own certificate ---- */

START_TEST(a_client_certificate_is_shown_when_it_is_demanded)
{
    serve(&server, &ca, 0);
    struct http_client client = {.ca = ca.certificate};
    if (_i == 0) {
        client.cert = user.certificate;
        client.key = user.key;
    } else {
        client.cert_file = file(0, user.certificate);
        client.key_file = file(1, user.key);
    }
    struct http_result result = get(&client);
    expect_answer(&result, "client=user");
}

START_TEST(without_the_demanded_certificate_there_is_no_answer)
{
    struct tls_identity stranger = tls_identity_make("stranger", NULL, &other_ca);
    struct http_client client = {.ca = ca.certificate};
    if (_i == 1) {
        client.cert = stranger.certificate;
        client.key = stranger.key;
    }
    serve(&server, &ca, TLS1_2_VERSION); /* 1.3 refuses only after the request was begun */
    struct http_result result = get(&client);
    expect_refused(&result, "alert");
    tls_identity_free(&stranger);
}

START_TEST(a_certificate_does_not_serve_another_client)
{
    struct http_client with = {.ca = ca.certificate, .cert = user.certificate, .key = user.key};
    struct http_client without = {.ca = ca.certificate};
    serve(&server, &ca, TLS1_2_VERSION);
    struct http_result result = get(&with);
    expect_answer(&result, "client=user");
    result = get(&without);
    ck_assert_int_eq(result.outcome, HTTP_NOT_SENT);
    ck_assert_uint_eq(tls_peer_requests(peer), 1);
}

/* ---- files ---- */

START_TEST(files_are_read_again_at_each_new_connection)
{
    struct http_client client = {.ca_file = file(0, ca.certificate)};
    serve(&server, NULL, 0);
    struct http_result result = get(&client);
    expect_answer(&result, "POST /w");
    (void)file(0, other_ca.certificate);
    result = ask("127.0.0.1", "/quit", &client, false); /* an open connection goes on */
    expect_answer(&result, "POST /quit");
    ck_assert_uint_eq(tls_peer_connections(peer), 1);
    result = get(&client);
    ck_assert_int_eq(result.outcome, HTTP_NOT_SENT);
    (void)file(0, ca.certificate);
    result = get(&client);
    expect_answer(&result, "POST /w");
}

START_TEST(a_missing_or_broken_file_is_named)
{
    struct http_client client = {.ca_file = (char[]){"/no/such/file.pem"}};
    serve(&server, NULL, 0);
    if (_i == 1) {
        client.ca_file = file(0, "geheim");
    } else if (_i == 2) {
        client = (struct http_client){.ca = ca.certificate,
                                      .cert_file = (char[]){"/no/such/file.pem"},
                                      .key_file = (char[]){"/no/such/file.pem"}};
    }
    struct http_result result = get(&client);
    expect_refused(&result, _i == 1 ? path_text[0] : _i == 0 ? "/no/such/file.pem" : "certificate");
    ck_assert_ptr_null(strstr(result.error, "geheim"));
}

/* ---- versions ---- */

static const struct {
    int server_max;
    enum http_tls min, max;
    const char *version; /* NULL: refused */
} versions[] = {
    {TLS1_1_VERSION, HTTP_TLS_UNSET, HTTP_TLS_UNSET, NULL},
    {TLS1_1_VERSION, HTTP_TLS_1_2, HTTP_TLS_1_2, NULL},
    {TLS1_2_VERSION, HTTP_TLS_UNSET, HTTP_TLS_UNSET, "tls=TLSv1.2"},
    {TLS1_2_VERSION, HTTP_TLS_1_3, HTTP_TLS_UNSET, NULL},
    {0, HTTP_TLS_UNSET, HTTP_TLS_UNSET, "tls=TLSv1.3"},
    {0, HTTP_TLS_UNSET, HTTP_TLS_1_2, "tls=TLSv1.2"},
    {0, HTTP_TLS_1_3, HTTP_TLS_1_3, "tls=TLSv1.3"},
};

START_TEST(the_version_is_within_what_was_said_and_never_below_1_2)
{
    struct http_client client = {
        .ca = ca.certificate, .min_tls = versions[_i].min, .max_tls = versions[_i].max};
    serve(&server, NULL, versions[_i].server_max);
    struct http_result result = get(&client);
    if (versions[_i].version != NULL) {
        expect_answer(&result, versions[_i].version);
    } else {
        expect_refused(&result, "protocol");
    }
}

/* ---- proxies ---- */

START_TEST(a_proxy_carries_the_connection_and_sees_nothing_of_the_request)
{
    struct http_header header[] = {{"X-Proxy", "yes"}};
    struct http_client client = {
        .ca = ca.certificate, .proxy_headers = header, .proxy_headers_count = 1};
    serve(&server, NULL, 0);
    proxy = tls_proxy_start(false);
    client.proxy_url = proxy_url("u:p@");
    struct http_result result = ask("walship.test", "/w", &client, false);
    expect_answer(&result, "Bearer token");
    ck_assert_ptr_null(strstr(result.body, "X-Proxy"));
    ck_assert_uint_eq(tls_peer_requests(proxy), 1);
    const char *head = tls_peer_head(proxy);
    ck_assert_int_eq(strncmp(head, "CONNECT walship.test:", 21), 0);
    ck_assert_ptr_nonnull(strstr(head, "\r\nX-Proxy: yes\r\n"));
    ck_assert_ptr_nonnull(strstr(head, "\r\nProxy-Authorization: Basic dTpw\r\n"));
    ck_assert_ptr_null(strstr(head, "Bearer"));
}

START_TEST(a_proxy_that_refuses_means_nothing_was_sent)
{
    struct http_client client = {.ca = ca.certificate};
    serve(&server, NULL, 0);
    proxy = tls_proxy_start(true);
    client.proxy_url = proxy_url("geheim:geheim@");
    struct http_result result = get(&client);
    expect_refused(&result, "407");
    ck_assert_ptr_null(strstr(result.error, "geheim"));
}

static const char *const unusable_proxies[] = {
    "http://user:gehe/im@127.0.0.1:1", /* the password's slash ends the host */
    "http://user:12/geheim@127.0.0.1:1", "http://user:12#geheim@127.0.0.1:1",
    "user:geheim?@127.0.0.1:1",          "http://user:geheim@127.0.0.1:port",
    "http://user:geheim@[::1",           "ftp://user:geheim@127.0.0.1:1",
    "user:geheim @127.0.0.1:1",
};

/* libcurl's own text would quote the whole of it. */
START_TEST(a_proxy_that_can_not_be_read_is_refused_without_its_password)
{
    struct http_client client = {.proxy_from_environment = true};
    struct http_request request = {
        .id = 1, .url = "https://walship.test/w", .timeout_ms = PATIENCE_MS, .client = &client};
    struct err err = {.text = ""};
    (void)setenv("HTTPS_PROXY", unusable_proxies[_i], 1);
    ck_assert(!http->post(http, &request, &err));
    ck_assert_msg(strncmp(err.text, "bad proxy URL: ", 15) == 0, "%s", err.text);
    ck_assert_msg(strstr(err.text, "gehe") == NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "12") == NULL, "%s", err.text);
}

START_TEST(through_a_proxy_the_server_name_is_asked_for_and_the_host_connected_to)
{
    struct http_client client = {.ca = ca.certificate, .server_name = (char[]){"walship.test"}};
    serve(&server, NULL, 0);
    proxy = tls_proxy_start(false);
    client.proxy_url = proxy_url("");
    struct http_result result = ask("10.0.0.1", "/w", &client, false);
    expect_answer(&result, "sni=walship.test");
    ck_assert_int_eq(strncmp(tls_peer_head(proxy), "CONNECT 10.0.0.1:", 17), 0);
}

START_TEST(a_host_of_no_proxy_is_connected_to_directly)
{
    struct http_client client = {.ca = ca.certificate, .no_proxy = (char[]){"127.0.0.0/8"}};
    serve(&server, NULL, 0);
    proxy = tls_proxy_start(false);
    client.proxy_url = proxy_url("");
    struct http_result result = get(&client);
    expect_answer(&result, "POST /w");
    ck_assert_uint_eq(tls_peer_connections(proxy), 0);
    client.no_proxy = (char[]){"x.test"};
    result = ask("walship.test", "/w", &client, false);
    expect_answer(&result, "POST /w");
    ck_assert_uint_eq(tls_peer_connections(proxy), 1);
}

START_TEST(a_direct_request_goes_through_no_proxy)
{
    struct http_client client = {.ca = ca.certificate};
    serve(&server, NULL, 0);
    proxy = tls_proxy_start(false);
    client.proxy_url = proxy_url("");
    struct http_result result = ask("127.0.0.1", "/w", &client, true);
    expect_answer(&result, "POST /w");
    ck_assert_uint_eq(tls_peer_connections(proxy), 0);
    result = ask("127.0.0.1", "/w", &client, false); /* nor shares its connection */
    expect_answer(&result, "POST /w");
    ck_assert_uint_eq(tls_peer_connections(proxy), 1);
    result = ask("127.0.0.1", "/w", &client, true);
    expect_answer(&result, "POST /w");
    ck_assert_uint_eq(tls_peer_connections(proxy), 1);
}

START_TEST(the_environments_proxy_is_used_only_by_those_who_say_so)
{
    struct http_client client = {.ca = ca.certificate, .proxy_from_environment = true};
    struct http_client plain = {.ca = ca.certificate};
    serve(&server, NULL, 0);
    proxy = tls_proxy_start(false);
    (void)setenv("HTTPS_PROXY", proxy_url(""), 1);
    (void)setenv("https_proxy", proxy_url(""), 1);
    (void)unsetenv("NO_PROXY");
    (void)setenv("no_proxy", "10.0.0.0/8", 1);
    struct http_result result = ask("127.0.0.1", "/w", &plain, false);
    expect_answer(&result, "POST /w");
    ck_assert_uint_eq(tls_peer_connections(proxy), 0);
    result = ask("127.0.0.1", "/w", &client, false); /* loopback never does */
    expect_answer(&result, "POST /w");
    ck_assert_uint_eq(tls_peer_connections(proxy), 0);
    result = ask("walship.test", "/w", &client, false);
    expect_answer(&result, "POST /w");
    ck_assert_uint_eq(tls_peer_connections(proxy), 1);
}

START_TEST(the_environments_exceptions_do_not_concern_a_configured_proxy)
{
    struct http_client client = {.ca = ca.certificate};
    serve(&server, NULL, 0);
    proxy = tls_proxy_start(false);
    client.proxy_url = proxy_url("");
    (void)setenv("no_proxy", "*", 1);
    (void)setenv("NO_PROXY", "*", 1);
    struct http_result result = get(&client);
    expect_answer(&result, "POST /w");
    ck_assert_uint_eq(tls_peer_connections(proxy), 1);
}

static const struct {
    const char *no_proxy, *host, *port;
    bool proxied;
} exceptions[] = {
    {NULL, "example.com", "443", true},
    {NULL, "127.0.0.1", "443", true}, /* a proxy_url alone is for all */
    {"x", "127.0.0.1", "443", false}, /* else loopback never is */
    {"x", "127.9.9.9", "443", false},
    {"x", "::1", "443", false},
    {"x", "LOCALHOST", "443", false},
    {"*", "example.com", "443", false},
    {"example.com", "example.com", "443", false},
    {"example.com", "EXAMPLE.com", "443", false},
    {"example.com", "a.example.com", "443", false},
    {"example.com", "badexample.com", "443", true},
    {"example.com", "com", "443", true},
    {".example.com", "example.com", "443", true},
    {".example.com", "a.b.example.com", "443", false},
    {"*.example.com", "example.com", "443", true},
    {"*.example.com", "a.example.com", "443", false},
    {" a , example.com ,b", "example.com", "443", false},
    {",,", "example.com", "443", true},
    {"example.com:80", "example.com", "443", true},
    {"example.com:443", "a.example.com", "443", false},
    {"10.0.0.1", "10.0.0.1", "443", false},
    {"10.0.0.1", "10.0.0.2", "443", true},
    {"10.0.0.1:443", "10.0.0.1", "443", false},
    {"10.0.0.1:80", "10.0.0.1", "443", true},
    {"10.0.0.0/8", "10.255.0.1", "443", false},
    {"10.0.0.0/8", "11.0.0.1", "443", true},
    {"10.0.0.0/9", "10.128.0.1", "443", true},
    {"10.0.0.0/9", "10.127.0.1", "443", false},
    {"10.0.0.0/0", "11.0.0.1", "443", false},
    {"10.0.0.0/33", "10.0.0.0", "443", true},
    {"10.0.0.0/", "10.0.0.0", "443", true},
    {"10.0.0.0/8", "ten.test", "443", true},
    {"fe80::/10", "fe90::1", "443", false},
    {"fe80::/10", "fec0::1", "443", true},
    {"fe80::1", "fe80::1", "443", false},
    {"[fe80::1]:80", "fe80::1", "443", true},
    {"[fe80::1]:443", "fe80::1", "443", false},
    {"[fe80::1", "fe80::1", "443", true},
    {"0.0.1", "10.0.0.1", "443", true},
};

START_TEST(no_proxy_is_read_as_prometheus_does)
{
    char host[60], port[10], list[60];
    struct http_curl_host to = {(char[]){"https"}, host, port};
    struct http_client client = {.proxy_url = (char[]){"http://p"}};
    (void)snprintf(host, sizeof host, "%s", exceptions[_i].host);
    (void)snprintf(port, sizeof port, "%s", exceptions[_i].port);
    if (exceptions[_i].no_proxy != NULL) {
        (void)snprintf(list, sizeof list, "%s", exceptions[_i].no_proxy);
        client.no_proxy = list;
    }
    const char *found = http_curl_proxy(&client, &to);
    ck_assert_msg((found != NULL) == exceptions[_i].proxied, "%s, %s", client.no_proxy, host);
}

Suite *suite_http_tls(void);
Suite *suite_http_tls(void)
{
    Suite *suite = suite_create("http_tls");
    TCase *cases = tcase_create("http_tls");
    tcase_add_checked_fixture(cases, start, stop);
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_server_of_the_given_ca_is_trusted, 0, 2);
    tcase_add_loop_test(cases, a_server_of_another_ca_is_refused, 0, 2);
    tcase_add_loop_test(cases, without_a_ca_only_the_systems_are_trusted, 0, 2);
    tcase_add_test(cases, a_transfer_that_served_a_client_knows_nothing_of_it_afterwards);
    tcase_add_test(cases, insecure_skip_verify_trusts_any_server_of_any_name);
    tcase_add_test(cases, clients_with_different_cas_share_no_connection);
    tcase_add_test(cases, clients_that_say_the_same_share_no_connection_either);
    tcase_add_test(cases, a_certificate_for_another_name_is_refused);
    tcase_add_test(cases, server_name_is_asked_for_and_verified_and_the_host_header_stays);
    tcase_add_test(cases, a_server_name_that_the_certificate_has_not_is_refused);
    tcase_add_test(cases, a_server_name_that_is_none_is_refused_at_once);
    tcase_add_loop_test(cases, a_client_certificate_is_shown_when_it_is_demanded, 0, 2);
    tcase_add_loop_test(cases, without_the_demanded_certificate_there_is_no_answer, 0, 2);
    tcase_add_test(cases, a_certificate_does_not_serve_another_client);
    tcase_add_test(cases, files_are_read_again_at_each_new_connection);
    tcase_add_loop_test(cases, a_missing_or_broken_file_is_named, 0, 3);
    tcase_add_loop_test(cases, the_version_is_within_what_was_said_and_never_below_1_2, 0,
                        (int)ARRAY_COUNT(versions));
    tcase_add_test(cases, a_proxy_carries_the_connection_and_sees_nothing_of_the_request);
    tcase_add_test(cases, a_proxy_that_refuses_means_nothing_was_sent);
    tcase_add_loop_test(cases, a_proxy_that_can_not_be_read_is_refused_without_its_password, 0,
                        (int)ARRAY_COUNT(unusable_proxies));
    tcase_add_test(cases, through_a_proxy_the_server_name_is_asked_for_and_the_host_connected_to);
    tcase_add_test(cases, a_host_of_no_proxy_is_connected_to_directly);
    tcase_add_test(cases, a_direct_request_goes_through_no_proxy);
    tcase_add_test(cases, the_environments_proxy_is_used_only_by_those_who_say_so);
    tcase_add_test(cases, the_environments_exceptions_do_not_concern_a_configured_proxy);
    tcase_add_loop_test(cases, no_proxy_is_read_as_prometheus_does, 0,
                        (int)ARRAY_COUNT(exceptions));
    suite_add_tcase(suite, cases);
    return suite;
}

/* test_client.c - tls_config, proxies, http_headers and who inherits what: each bad file is told
 * what is wrong, word for word, and a good one gives each endpoint its own. */
#include <check.h>
#include <walship/conf_yaml.h>

#define HEAD "wal_dir: /p/data/wal\n"
/* the keys of a remote_write element stand in column 5, from line 4 on */
#define ELEMENT HEAD "remote_write:\n  - url: https://a/w\n    "

static struct conf *bind(const char *text, struct conf_problems *problems)
{
    struct conf_yaml *yaml = conf_yaml_parse(text, strlen(text), "/etc/w/F", problems);
    struct conf *conf = yaml != NULL ? conf_bind(conf_yaml_root(yaml), "/etc/w/F", problems) : NULL;
    conf_yaml_free(yaml);
    return conf;
}

#define AT "/etc/w/F:"
#define RESERVED(name, shown)                                                                      \
    {                                                                                              \
        ELEMENT "http_headers: {" name ": {values: [x]}}\n",                                       \
            AT "4:20: setting header \"" shown "\" is not allowed\n"                               \
    }
#define RESERVED_SHORT(name)                                                                       \
    {                                                                                              \
        ELEMENT "headers: {" name ": x}\n",                                                        \
            AT "4:15: " name " is a reserved header. It must not be changed\n"                     \
    }
#define PROXY_URL                                                                                  \
    "proxy_url must be a URL such as http://proxy.example.com:3128, of http, https, socks5 or "    \
    "socks5h\n"
#define CLEAR                                                                                      \
    "url for remote_write: credentials must not go over plain http to another machine, unless "    \
    "allow_insecure_http is true\n"
#define LOCAL "remote_write:\n  - url: http://localhost:9/w\n"
#define BY_PROXY                                                                                   \
    "url for remote_write: credentials must not go over plain http through a proxy on another "    \
    "machine: give no_proxy (loopback then goes without one), or set allow_insecure_http to "      \
    "true\n"

static const struct {
    const char *text;
    const char *told;
} bad[] = {
    /* tls_config */
    {ELEMENT "tls_config: x\n", AT "4:17: tls_config must be a map, found a single value\n"},
    {ELEMENT "tls_config: {ca: x, ca_file: y}\n",
     AT "4:17: at most one of ca, ca_file & ca_ref must be configured\n"},
    {ELEMENT "tls_config: {cert: x, cert_file: y, key: z}\n",
     AT "4:17: at most one of cert, cert_file & cert_ref must be configured\n"},
    {ELEMENT "tls_config: {cert: x, key_file: y, key: z}\n",
     AT "4:17: at most one of key, key_file & key_ref must be configured\n"},
    {ELEMENT "tls_config: {cert: x}\n",
     AT "4:17: exactly one of key or key_file must be configured when a client certificate is "
        "configured\n"},
    {ELEMENT "tls_config: {cert_file: x}\n",
     AT "4:17: exactly one of key or key_file must be configured when a client certificate is "
        "configured\n"},
    {ELEMENT "tls_config: {key: x}\n",
     AT "4:17: exactly one of cert or cert_file must be configured when a client key is "
        "configured\n"},
    {ELEMENT "tls_config: {key_file: x}\n",
     AT "4:17: exactly one of cert or cert_file must be configured when a client key is "
        "configured\n"},
    {ELEMENT "tls_config: {min_version: TLS14}\n", AT "4:31: unknown TLS version: TLS14\n"},
    {ELEMENT "tls_config: {max_version: [x]}\n", AT "4:31: unknown TLS version: ?\n"},
    {ELEMENT "tls_config: {max_version: TLS11}\n",
     AT "4:31: max_version must be TLS12 or TLS13: walship speaks nothing older\n"},
    {ELEMENT "tls_config: {min_version: TLS13, max_version: TLS12}\n",
     AT "4:17: tls_config.max_version must be greater than or equal to tls_config.min_version if "
        "both are specified\n"},
    {ELEMENT "tls_config: {server_name: 'a b'}\n",
     AT "4:31: server_name must be a host name or an address, found \"a b\"\n"},
    {ELEMENT "tls_config: {server_name: [a]}\n",
     AT "4:31: server_name must be a single value, found a list\n"},
    {ELEMENT "tls_config: {insecure_skip_verify: 'true'}\n",
     AT "4:40: insecure_skip_verify must be true or false, found \"true\"\n"},
    {ELEMENT "tls_config: {ca_ref: x}\n", AT "4:18: unknown key \"ca_ref\"\n"},
    {HEAD "remote_write:\n  - endpoints: [{url: 'https://a', tls_config: {key: x}}]\n",
     AT "3:48: exactly one of cert or cert_file must be configured when a client key is "
        "configured\n"},
    /* proxies */
    {ELEMENT "no_proxy: x\n",
     AT "4:15: if no_proxy is configured, proxy_url must also be configured\n"},
    {ELEMENT "no_proxy: x\n    proxy_from_environment: true\n",
     AT "5:29: if proxy_from_environment is configured, no_proxy must not be configured\n"},
    {ELEMENT "proxy_url: http://p:1\n    proxy_from_environment: true\n",
     AT "5:29: if proxy_from_environment is configured, proxy_url must not be configured\n"},
    {ELEMENT "proxy_connect_header: {a: [b]}\n", AT
     "4:27: if proxy_connect_header is configured, proxy_url or proxy_from_environment must also "
     "be configured\n"},
    {ELEMENT "proxy_url: geheim:3128\n", AT "4:16: " PROXY_URL},
    {ELEMENT "proxy_url: ftp://u:geheim@p\n", AT "4:16: " PROXY_URL},
    {ELEMENT "proxy_url: socks5://\n", AT "4:16: " PROXY_URL},
    {ELEMENT "proxy_url: 'http://geheim @p'\n", AT "4:16: " PROXY_URL},
    {ELEMENT "proxy_url: http://u:geheim@p:x\n", AT "4:16: " PROXY_URL},
    {ELEMENT "proxy_url: [x]\n", AT "4:16: proxy_url must be a single value, found a list\n"},
    {ELEMENT "proxy_connect_header: x\n",
     AT "4:27: proxy_connect_header must be a map, found a single value\n"},
    {ELEMENT "proxy_connect_header: {'a b': [c]}\n",
     AT "4:28: \"a b\" is not a valid header name\n"},
    {ELEMENT "proxy_connect_header: {a: c}\n",
     AT "4:31: a of proxy_connect_header must be a list, found a single value\n"},
    {ELEMENT "proxy_url: http://p\n    proxy_connect_header: {a: [\"geheim\\r\\nb: c\"]}\n",
     AT "5:32: a value of a in proxy_connect_header must be a line of text\n"},
    {HEAD "remote_write:\n  - endpoints: [{url: 'https://a', no_proxy: x}]\n    proxy_url: "
          "http://p\n",
     AT "3:46: if no_proxy is configured, proxy_url must also be configured\n"},
    /* the rest */
    {ELEMENT "enable_http2: x\n", AT "4:19: enable_http2 must be true or false, found \"x\"\n"},
    {ELEMENT "follow_redirects: x\n",
     AT "4:23: follow_redirects must be true or false, found \"x\"\n"},
    /* headers */
    RESERVED("AUTHORIZATION", "Authorization"),
    RESERVED("x-prometheus-scrape-timeout-seconds", "X-Prometheus-Scrape-Timeout-Seconds"),
    RESERVED("host", "Host"),
    RESERVED("content-encoding", "Content-Encoding"),
    RESERVED("Content-Length", "Content-Length"),
    RESERVED("content-type", "Content-Type"),
    RESERVED("user-agent", "User-Agent"),
    RESERVED("connection", "Connection"),
    RESERVED("keep-alive", "Keep-Alive"),
    RESERVED("proxy-authenticate", "Proxy-Authenticate"),
    RESERVED("proxy-authorization", "Proxy-Authorization"),
    RESERVED("www-authenticate", "Www-Authenticate"),
    RESERVED("accept-encoding", "Accept-Encoding"),
    RESERVED("x-prometheus-remote-write-version", "X-Prometheus-Remote-Write-Version"),
    RESERVED("x-prometheus-remote-read-version", "X-Prometheus-Remote-Read-Version"),
    RESERVED("x-amz-date", "X-Amz-Date"),
    RESERVED("x-amz-security-token", "X-Amz-Security-Token"),
    RESERVED("x-amz-content-sha256", "X-Amz-Content-Sha256"),
    RESERVED_SHORT("Host"),
    RESERVED_SHORT("content-encoding"),
    RESERVED_SHORT("X-Prometheus-Remote-Read-Version"),
    RESERVED_SHORT("x-amz-content-sha256"),
    {ELEMENT "http_headers: x\n", AT "4:19: http_headers must be a map, found a single value\n"},
    {ELEMENT "http_headers: {'a b': {values: [x]}}\n",
     AT "4:20: \"a b\" is not a valid header name\n"},
    {ELEMENT "http_headers: {a: x}\n",
     AT "4:23: a of http_headers must be a map, found a single value\n"},
    {ELEMENT "http_headers: {a: {values: x}}\n",
     AT "4:32: the values of a must be a list, found a single value\n"},
    {ELEMENT "http_headers: {a: {secrets: [\"geheim\\nb\"]}}\n",
     AT "4:34: a value of header a must be a line of text\n"},
    {ELEMENT "http_headers: {a: {files: x}}\n",
     AT "4:31: the files of a must be a list, found a single value\n"},
    /* the way to token_url has the same rules */
    {ELEMENT "oauth2: {client_id: a, token_url: 'https://b', no_proxy: c}\n",
     AT "4:62: if no_proxy is configured, proxy_url must also be configured\n"},
    {ELEMENT "http_headers: {a: {value: [x]}}\n", AT "4:24: unknown key \"value\"\n"},
    /* authentication, of both levels */
    {ELEMENT "basic_auth: {username: u}\n    bearer_token: t\n",
     AT "5:19: at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must "
        "be configured. Currently configured: [basic_auth bearer_token]\n"},
    {HEAD "remote_write:\n  - endpoints: [{url: 'https://a', azuread: {}}]\n",
     AT "3:45: must provide an Azure Managed Identity, Azure Workload Identity, Azure OAuth, Azure "
        "Certificate or Azure SDK in the Azure AD config\n"},
    {ELEMENT "sigv4: {}\n",
     AT "4:12: sigv4 is not supported: walship has no way to sign in there. Leave this destination "
        "to Prometheus' own remote_write\n"},
    /* no token in clear */
    {HEAD "remote_write:\n  - url: http://a/w\n    bearer_token: t\n", AT "3:10: " CLEAR},
    {HEAD "remote_write:\n  - endpoints: [{url: 'http://a/w'}, {url: 'https://b/w'}]\n"
          "    azuread: {managed_identity: {}}\n",
     AT "3:23: " CLEAR},
    {HEAD "remote_write:\n  - url: http://127.0.0.1.a/w\n    basic_auth: {username: u}\n",
     AT "3:10: " CLEAR},
    {HEAD "remote_write:\n  - url: http://a/w\n    http_headers: {a: {secrets: [geheim]}}\n",
     AT "3:10: " CLEAR},
    {HEAD "remote_write:\n  - endpoints: [{url: 'http://a/w'}]\n"
          "    http_headers: {a: {files: [f]}}\n",
     AT "3:23: " CLEAR},
    /* nor by way of another machine */
    {HEAD LOCAL "    bearer_token: t\n    proxy_url: http://u:geheim@p:3128\n",
     AT "3:10: " BY_PROXY},
    {HEAD LOCAL "    bearer_token: t\n    proxy_url: socks5h://p:1080\n", AT "3:10: " BY_PROXY},
    {HEAD LOCAL "    bearer_token: t\n    proxy_url: https://p\n", AT "3:10: " BY_PROXY},
    {HEAD LOCAL "    http_headers: {a: {secrets: [geheim]}}\n    proxy_url: http://p\n",
     AT "3:10: " BY_PROXY},
    {HEAD "remote_write:\n  - url: http://u:geheim@localhost/w\n    proxy_url: http://p\n",
     AT "3:10: " BY_PROXY},
    {ELEMENT "oauth2: {client_id: a, client_secret: geheim, token_url: 'http://localhost/t',\n"
             "      proxy_url: 'http://p'}\n",
     AT "3:10: " BY_PROXY},
    {ELEMENT "azuread: {authority_host: 'http://localhost:1', oauth: {client_secret: geheim,\n"
             "      client_id: 01234567-abcd-ef01-2345-67890abcdef0, tenant_id: t}}\n"
             "    proxy_url: http://p\n",
     AT "3:10: " BY_PROXY},
};

START_TEST(a_bad_file_is_told_exactly_what_is_wrong)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf *conf = bind(bad[_i].text, &problems);
    ck_assert_msg(conf == NULL, "accepted:\n%s", bad[_i].text);
    ck_assert(buf_append(&problems.text, "", 1));
    ck_assert_str_eq((const char *)problems.text.data, bad[_i].told);
    ck_assert_ptr_null(strstr((const char *)problems.text.data, "geheim"));
    conf_problems_release(&problems);
}

static struct conf *bind_good(const char *text)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf *conf = bind(text, &problems);
    ck_assert_msg(conf != NULL, "%.*s", (int)problems.text.bytes, (char *)problems.text.data);
    conf_problems_release(&problems);
    return conf;
}

static const char *const harmless[] = {
    ELEMENT "follow_redirects: true\n    enable_http2: false\n",
    ELEMENT "tls_config:\n    proxy_url:\n    no_proxy: ''\n",
    ELEMENT "tls_config: {}\n    proxy_from_environment: no\n    proxy_connect_header: {}\n",
    ELEMENT "tls_config: {ca: '', ca_file: , cert_file: '', key: '', min_version: ''}\n",
};

START_TEST(what_says_nothing_makes_no_client)
{
    struct conf *conf = bind_good(harmless[_i]);
    ck_assert(!conf->destinations[0].endpoints[0].has_client);
    conf_free(conf);
}

START_TEST(redirects_are_an_endpoints_own_else_its_destinations)
{
    struct conf *conf = bind_good(HEAD "remote_write:\n"
                                       "  - follow_redirects: false\n"
                                       "    endpoints:\n"
                                       "      - url: https://a/w\n"
                                       "      - {url: https://b/w, follow_redirects: true}\n");
    const struct conf_endpoint *at = conf->destinations[0].endpoints;
    ck_assert(at[0].has_client && at[0].client.no_redirects);
    ck_assert(!at[1].has_client && !at[1].client.no_redirects);
    conf_free(conf);
}

static const char everything[] =
    HEAD "remote_write:\n"
         "  - tls_config: {ca_file: ca.pem, cert_file: ../cert.pem, key_file: /k/key.pem,\n"
         "      server_name: x.test, insecure_skip_verify: true, min_version: TLS10,\n"
         "      max_version: TLS13}\n"
         "    proxy_url: http://u:p@proxy:3128\n"
         "    no_proxy: 10.0.0.0/8,.x.test\n"
         "    proxy_connect_header: {A: [one, two], B: [three]}\n"
         "    http_headers: {X-A: {values: [1, 2], secrets: [s]}}\n"
         "    headers: {X-B: b}\n"
         "    azuread: {managed_identity: {}}\n"
         "    endpoints:\n"
         "      - url: https://a/w\n"
         "      - url: https://b/w\n"
         "        tls_config: {ca: PEM}\n"
         "      - url: https://c/w\n"
         "        proxy_from_environment: true\n"
         "      - url: https://d/w\n"
         "        bearer_token: token\n"
         "        tls_config: {}\n"
         "        proxy_url: socks5h://s:1080\n";

START_TEST(an_endpoint_that_says_nothing_has_all_of_its_destinations)
{
    struct conf *conf = bind_good(everything);
    const struct conf_endpoint *endpoint = &conf->destinations[0].endpoints[0];
    const struct http_client *client = &endpoint->client;
    ck_assert(endpoint->has_client);
    ck_assert_ptr_null(client->ca);
    ck_assert_str_eq(client->ca_file, "/etc/w/ca.pem"); /* relative to the file */
    ck_assert_str_eq(client->cert_file, "/etc/cert.pem");
    ck_assert_str_eq(client->key_file, "/k/key.pem");
    ck_assert_str_eq(client->server_name, "x.test");
    ck_assert(client->insecure_skip_verify);
    ck_assert_int_eq(client->min_tls, HTTP_TLS_1_2);
    ck_assert_int_eq(client->max_tls, HTTP_TLS_1_3);
    ck_assert_str_eq(client->proxy_url, "http://u:p@proxy:3128");
    ck_assert_str_eq(client->no_proxy, "10.0.0.0/8,.x.test");
    ck_assert_uint_eq(client->proxy_headers_count, 3);
    ck_assert_str_eq(client->proxy_headers[1].name, "A");
    ck_assert_str_eq(client->proxy_headers[1].value, "two");
    ck_assert_int_eq(endpoint->auth.kind, CONF_AUTH_MANAGED_IDENTITY);
    ck_assert_ptr_null(endpoint->token_client.server_name);
    ck_assert_ptr_null(endpoint->token_client.ca_file); /* the endpoint's TLS is its own */
    ck_assert_ptr_null(endpoint->token_client.cert_file);
    ck_assert(!endpoint->token_client.insecure_skip_verify);
    ck_assert_str_eq(endpoint->token_client.proxy_url, "http://u:p@proxy:3128");
    conf_free(conf);
}

START_TEST(an_endpoint_has_its_own_of_what_it_says)
{
    struct conf *conf = bind_good(everything);
    const struct conf_endpoint *at = conf->destinations[0].endpoints;
    ck_assert_str_eq(at[1].client.ca, "PEM");
    ck_assert_ptr_null(at[1].client.cert_file); /* tls_config as a whole */
    ck_assert_ptr_null(at[1].client.server_name);
    ck_assert(!at[1].client.insecure_skip_verify);
    ck_assert_str_eq(at[1].client.proxy_url, "http://u:p@proxy:3128");
    ck_assert_str_eq(at[2].client.ca_file, "/etc/w/ca.pem");
    ck_assert(at[2].client.proxy_from_environment); /* the proxy as a whole */
    ck_assert_ptr_null(at[2].client.proxy_url);
    ck_assert_ptr_null(at[2].client.no_proxy);
    ck_assert_uint_eq(at[2].client.proxy_headers_count, 0);
    ck_assert_int_eq(at[3].auth.kind, CONF_AUTH_HEADER);
    ck_assert_str_eq(at[3].auth.secret, "token");
    ck_assert_ptr_null(at[3].client.ca_file);
    ck_assert_str_eq(at[3].client.proxy_url, "socks5h://s:1080");
    conf_free(conf);
}

START_TEST(both_forms_of_headers_add_up)
{
    static const char *const wanted[][2] = {{"X-A", "1"}, {"X-A", "2"}, {"X-A", "s"}, {"X-B", "b"}};
    struct conf *conf = bind_good(everything);
    const struct conf_destination *destination = &conf->destinations[0];
    ck_assert_uint_eq(destination->headers.count, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(destination->headers.rows[i].name, wanted[i][0]);
        ck_assert_str_eq(destination->headers.rows[i].value, wanted[i][1]);
    }
    conf_free(conf);
}

static const char *const allowed[] = {
    HEAD "remote_write:\n  - url: http://a/w\n    bearer_token: t\n    allow_insecure_http: true\n",
    HEAD "remote_write:\n  - url: http://a/w\n    azuread: {sdk: {}, allow_insecure_http: true}\n",
    HEAD "remote_write:\n  - bearer_token: t\n    endpoints:\n"
         "      - {url: 'http://a/w', allow_insecure_http: true}\n",
    HEAD "remote_write:\n  - url: http://localhost:9/w\n    bearer_token: t\n",
    HEAD "remote_write:\n  - url: http://[::1]/w\n    bearer_token: t\n",
    HEAD "remote_write:\n  - url: http://127.0.0.2/w\n    bearer_token: t\n",
    HEAD LOCAL "    bearer_token: t\n    proxy_url: http://p\n    no_proxy: x\n",
    HEAD LOCAL "    bearer_token: t\n    proxy_url: http://127.0.0.1:3128\n",
    HEAD LOCAL "    bearer_token: t\n    proxy_from_environment: true\n",
    ELEMENT "bearer_token: t\n    proxy_url: http://p\n",
    HEAD LOCAL "    azuread: {managed_identity: {}}\n    proxy_url: http://[::1]\n",
};

START_TEST(plain_http_with_credentials_is_taken_on_loopback_and_where_it_was_allowed)
{
    struct conf *conf = bind_good(allowed[_i]);
    ck_assert_int_ne(conf->destinations[0].endpoints[0].auth.kind, CONF_AUTH_NONE);
    ck_assert(conf->destinations[0].endpoints[0].auth.allow_insecure_http == (_i < 3));
    conf_free(conf);
}

Suite *suite_client(void);
Suite *suite_client(void)
{
    Suite *suite = suite_create("client");
    TCase *cases = tcase_create("client");
    tcase_add_loop_test(cases, a_bad_file_is_told_exactly_what_is_wrong, 0, (int)ARRAY_COUNT(bad));
    tcase_add_loop_test(cases, what_says_nothing_makes_no_client, 0, (int)ARRAY_COUNT(harmless));
    tcase_add_test(cases, redirects_are_an_endpoints_own_else_its_destinations);
    tcase_add_test(cases, an_endpoint_that_says_nothing_has_all_of_its_destinations);
    tcase_add_test(cases, an_endpoint_has_its_own_of_what_it_says);
    tcase_add_test(cases, both_forms_of_headers_add_up);
    tcase_add_loop_test(cases,
                        plain_http_with_credentials_is_taken_on_loopback_and_where_it_was_allowed,
                        0, (int)ARRAY_COUNT(allowed));
    suite_add_tcase(suite, cases);
    return suite;
}

/* live.c - see live.h. */
#include "live.h"

#include <walship/conf_web.h>
#include <walship/conf_yaml.h>
#include <walship/http_curl.h>
#include <walship/identity.h>
#include <walship/mem.h>
#include <walship/os_linux.h>

enum { LIVE_MS_MAX = 5000 };

static bool speaks_tls(const struct conf *conf)
{
    return conf->web != NULL && conf->web->cert_file != NULL;
}

char *live_url(const struct conf *conf, const char *path)
{
    const char *address = conf->listen_address;
    const char *scheme = speaks_tls(conf) ? "https" : "http";
    const char *colon = strrchr(address, ':');
    if (colon == NULL || *address == '\0') {
        return NULL;
    }
    size_t host = (size_t)(colon - address);
    bool all = host == 0 || strncmp(address, "0.0.0.0:", 8) == 0;
    if (strncmp(address, "[::]:", 5) == 0) {
        return mem_format("%s://[::1]%s%s", scheme, colon, path);
    }
    return all ? mem_format("%s://127.0.0.1%s%s", scheme, colon, path)
               : mem_format("%s://%s%s", scheme, address, path);
}

bool live_page(const char *path, struct conf_page **out)
{
    struct conf_problems problems;
    *out = NULL;
    if (path == NULL) {
        return true;
    }
    conf_problems_init(&problems);
    *out = conf_yaml_page(path, &problems);
    if (*out == NULL) {
        (void)fwrite(problems.text.data, 1, problems.text.bytes, stderr);
    }
    conf_problems_release(&problems);
    return *out != NULL;
}

/* ---- as whom ---- */

struct user {
    struct os *os;
    struct identities *identities;
    const char *authorization; /* NULL: nobody */
};

static const char *no_variable(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

static void user_close(struct user *user)
{
    identities_free(user->identities);
    os_linux_free(user->os);
}

/* The same way as to an endpoint: the files are read here, and wiped at the end. */
static bool user_open(struct user *user, const struct conf_page *page, struct err *why)
{
    *user = (struct user){.os = os_linux_new()};
    struct identity_world world = {.os = user->os, .variable = no_variable};
    user->identities = identities_new(&world);
    if (page == NULL || page->auth.kind == CONF_AUTH_NONE) {
        return true;
    }
    struct identity_request none;
    int64_t now_ms = user->os->now_ms(user->os);
    struct identity *identity = identities_add(user->identities, &page->auth, why);
    if (identity == NULL) {
        return false;
    }
    bool wants = identity_want(identity, now_ms, user->os->wall_ms(user->os), &none);
    ASSERT(!wants); /* a user and a password need no request */
    user->authorization = identity_header(identity, now_ms);
    struct identity_status status;
    identity_status(identity, now_ms, &status);
    return user->authorization != NULL || err_set(why, 0, "--http-config: %s", status.problem);
}

/* ---- the request ---- */

static const char *advice(int status, bool as_user)
{
    switch (status) {
    case 401:
        return as_user ? ": the user or the password in the file of --http-config is wrong"
                       : ": web_config has users; ask as one of them by --http-config F, a file "
                         "with basic_auth: {username: U, password_file: P}";
    case 403:
        return ": it wants a client certificate (tls_config: {cert_file: C, key_file: K} in the "
               "file of --http-config), or a user where it is asked from another address";
    case 429:
        return ": too soon after a wrong password, ask again in a second";
    default:
        return "";
    }
}

static bool take(const struct http_result *result, const struct live_ask *ask, struct buf *out,
                 struct err *why)
{
    bool as_user = ask->page != NULL && ask->page->auth.kind != CONF_AUTH_NONE;
    if (result->outcome != HTTP_ANSWERED) {
        return err_set(why, 0, "%s", result->error != NULL ? result->error : "no answer");
    }
    if (result->status != 200) {
        return err_set(why, 0, "answered %d%s", result->status, advice(result->status, as_user));
    }
    if (result->body_bytes >= ask->bytes_max ||
        !buf_append(out, result->body, result->body_bytes)) {
        return err_set(why, 0, "the page is too long to be shown here, ask for it directly");
    }
    return true;
}

/* Shallow: the texts are the configuration's. */
static struct http_client client_of(const struct live_ask *ask)
{
    struct http_client client = {0};
    if (ask->page != NULL) {
        client = ask->page->client;
    }
    if (speaks_tls(ask->conf) && client.ca == NULL && client.ca_file == NULL) {
        client.ca_file = ask->conf->web->cert_file;
        client.any_name = true;
    }
    return client;
}

bool live_fetch(const struct live_ask *ask, struct buf *out, struct err *why)
{
    struct user user;
    if (!user_open(&user, ask->page, why)) {
        user_close(&user);
        return false;
    }
    struct http *http = http_curl_new();
    struct http_result result = {0};
    struct http_client client = client_of(ask);
    struct http_header header = {"Authorization", user.authorization};
    struct http_request request = {.id = 1,
                                   .method = HTTP_GET,
                                   .url = ask->url,
                                   .headers = &header,
                                   .headers_count = user.authorization != NULL,
                                   .timeout_ms = LIVE_MS_MAX,
                                   .client = &client,
                                   .response_bytes_max = ask->bytes_max,
                                   .direct = true};
    bool posted = http->post(http, &request, why);
    bool got = false;
    while (posted && !got) { /* the adapter's own timeout ends it */
        http_curl_run(http);
        got = http->next_result(http, &result);
        if (!got) {
            http_curl_wait(http, NULL, 0, 100);
        }
    }
    got = got && take(&result, ask, out, why);
    http_curl_free(http);
    user_close(&user);
    return got;
}

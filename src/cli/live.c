/* live.c - see live.h. */
#include "live.h"

#include <walship/http_curl.h>
#include <walship/mem.h>

enum { LIVE_MS_MAX = 5000 };

char *live_url(const char *address, const char *path)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || *address == '\0') {
        return NULL;
    }
    size_t host = (size_t)(colon - address);
    bool all = host == 0 || strncmp(address, "0.0.0.0:", 8) == 0;
    if (strncmp(address, "[::]:", 5) == 0) {
        return mem_format("http://[::1]%s%s", colon, path);
    }
    return all ? mem_format("http://127.0.0.1%s%s", colon, path)
               : mem_format("http://%s%s", address, path);
}

static bool take(const struct http_result *result, size_t bytes_max, struct buf *out,
                 struct err *why)
{
    if (result->outcome != HTTP_ANSWERED) {
        return err_set(why, 0, "%s", result->error != NULL ? result->error : "no answer");
    }
    if (result->status != 200) {
        return err_set(why, 0, "answered %d", result->status);
    }
    if (result->body_bytes >= bytes_max || !buf_append(out, result->body, result->body_bytes)) {
        return err_set(why, 0, "the page is too long to be shown here, ask for it directly");
    }
    return true;
}

bool live_fetch(const char *url, size_t bytes_max, struct buf *out, struct err *why)
{
    struct http *http = http_curl_new();
    struct http_result result = {0};
    struct http_request request = {.id = 1,
                                   .method = HTTP_GET,
                                   .url = url,
                                   .timeout_ms = LIVE_MS_MAX,
                                   .response_bytes_max = bytes_max,
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
    got = got && take(&result, bytes_max, out, why);
    http_curl_free(http);
    return got;
}

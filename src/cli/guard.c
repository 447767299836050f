/* guard.c - see guard.h. The answer is JSON with the running configuration as one YAML string. */
#include "guard.h"

#include <walship/conf_yaml.h>
#include <walship/http_curl.h>
#include <walship/log.h>
#include <walship/mem.h>

enum { ASK_MS_MAX = 3000, YAML_BYTES_MAX = 1 << 20 };

/* ---- the answer ---- */

static int hex_of(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* \uXXXX: what is not ASCII can't be part of what is looked for, but must not break the rest. */
static bool unicode_take(const char *at, const char *end, struct buf *out)
{
    int value = 0;
    if (end - at < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_of(at[i]);
        if (digit < 0) {
            return false;
        }
        value = value * 16 + digit;
    }
    char byte = value > 0 && value < 0x80 ? (char)value : '_';
    return buf_append(out, &byte, 1);
}

/* The JSON string that begins behind its quote, as text. False: it has no end, or a bad escape. */
static bool string_take(const char *at, const char *end, struct buf *out)
{
    static const char escapes[] = "nrtbf\"\\/", plain[] = "\n\r\t\b\f\"\\/";
    while (at < end && *at != '"') {
        if (*at != '\\') {
            if (!buf_append(out, at++, 1)) {
                return false;
            }
            continue;
        }
        if (++at == end) {
            return false;
        }
        const char *escape = *at != '\0' ? strchr(escapes, *at) : NULL;
        if (*at == 'u') {
            if (!unicode_take(at + 1, end, out)) {
                return false;
            }
            at += 4;
        } else if (escape == NULL || !buf_append(out, &plain[escape - escapes], 1)) {
            return false;
        }
        at++;
    }
    return at < end;
}

static const struct conf_node *find(const struct conf_node *map, const char *key)
{
    for (size_t i = 0; map != NULL && map->kind == CONF_MAP && i < map->count; i++) {
        if (map->keys[i]->kind == CONF_SCALAR && strcmp(map->keys[i]->text, key) == 0) {
            return map->values[i];
        }
    }
    return NULL;
}

/* Up to the query; what stands before an @ (Prometheus shows no password) is passed over. */
static bool same_url(const char *listed, const char *key)
{
    const char *slashes = strstr(listed, "://");
    const char *at = slashes != NULL ? strchr(slashes, '@') : NULL;
    size_t bytes = strcspn(listed, "?#");
    size_t scheme = slashes != NULL ? (size_t)(slashes + 3 - listed) : 0;
    if (at == NULL || at > listed + bytes) {
        return strlen(key) == bytes && strncmp(listed, key, bytes) == 0;
    }
    const char *host = at + 1;
    size_t rest = (size_t)(listed + bytes - host);
    return strlen(key) == scheme + rest && strncmp(listed, key, scheme) == 0 &&
           strncmp(host, key + scheme, rest) == 0;
}

static const struct conf_endpoint *endpoint_of(const struct conf *conf, const char *url)
{
    for (size_t i = 0; i < conf->destinations_count; i++) {
        for (size_t k = 0; k < conf->destinations[i].endpoints_count; k++) {
            const struct conf_endpoint *endpoint = &conf->destinations[i].endpoints[k];
            if (same_url(url, endpoint->key)) {
                return endpoint;
            }
        }
    }
    return NULL;
}

static const struct conf_endpoint *listed(const struct conf *conf, const struct conf_node *root)
{
    const struct conf_node *blocks = find(root, "remote_write");
    for (size_t i = 0; blocks != NULL && blocks->kind == CONF_LIST && i < blocks->count; i++) {
        const struct conf_node *url = find(blocks->values[i], "url");
        if (url != NULL && url->kind == CONF_SCALAR) {
            const struct conf_endpoint *found = endpoint_of(conf, url->text);
            if (found != NULL) {
                return found;
            }
        }
    }
    return NULL;
}

const struct conf_endpoint *guard_find(const struct conf *conf, const char *answer, size_t bytes,
                                       bool *known)
{
    static const char key[] = "\"yaml\":\"";
    const struct conf_endpoint *found = NULL;
    struct conf_problems problems;
    struct buf text;
    const char *at = bytes > 0 ? memmem(answer, bytes, key, sizeof key - 1) : NULL;
    buf_init(&text, YAML_BYTES_MAX);
    conf_problems_init(&problems);
    *known = at != NULL && string_take(at + sizeof key - 1, answer + bytes, &text);
    if (*known) {
        struct conf_yaml *yaml = conf_yaml_parse(text.data, text.bytes, "status", &problems);
        *known = yaml != NULL;
        found = yaml != NULL ? listed(conf, conf_yaml_root(yaml)) : NULL;
        conf_yaml_free(yaml);
    }
    conf_problems_release(&problems);
    buf_release(&text);
    return found;
}

/* ---- asking ---- */

static bool answered(struct http *http, const char *url, struct http_result *result)
{
    struct err err = {0};
    struct http_request request = {.id = 1,
                                   .method = HTTP_GET,
                                   .url = url,
                                   .timeout_ms = ASK_MS_MAX,
                                   .direct = true,
                                   .response_bytes_max = YAML_BYTES_MAX};
    if (!http->post(http, &request, &err)) {
        return false;
    }
    for (int turns = 0; turns < ASK_MS_MAX; turns++) { /* the timeout ends it sooner */
        http_curl_run(http);
        if (http->next_result(http, result)) {
            return result->outcome == HTTP_ANSWERED && result->status == 200;
        }
        http_curl_wait(http, NULL, 0, ASK_MS_MAX);
    }
    return false;
}

static const struct conf_endpoint *ask(const struct conf *conf, bool *known)
{
    struct http_result result = {0};
    const struct conf_endpoint *found = NULL;
    struct http *http = http_curl_new();
    char *url = mem_format("%s/api/v1/status/config", conf->prometheus_url);
    *known = false;
    if (answered(http, url, &result)) {
        found = guard_find(conf, result.body, result.body_bytes, known);
    }
    mem_free(url);
    http_curl_free(http);
    return found;
}

bool guard_check(const struct conf *conf, struct err *err)
{
    bool known = false;
    if (!conf->use_remote_write) {
        return true;
    }
    if (conf->prometheus_url == NULL) {
        LOG_WARN("use_remote_write without prometheus_url: whether Prometheus still sends to the "
                 "same URLs itself can't be checked");
        return true;
    }
    const struct conf_endpoint *found = ask(conf, &known);
    if (found != NULL) {
        return err_set(
            err, 0,
            "Prometheus at %s sends to %s itself: everything would arrive twice. Start it "
            "with a prometheus.yml without remote_write, and name the file that has the "
            "blocks in prometheus_config",
            conf->prometheus_shown, found->shown);
    }
    if (!known) {
        LOG_WARN("what Prometheus runs with can't be found out: make sure that it does not send to "
                 "the same URLs itself",
                 LOG_STR("prometheus_url", conf->prometheus_shown));
    }
    return true;
}

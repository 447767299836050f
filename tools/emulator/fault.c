/* fault.c - the keys of a fault, one function each in a table. */
#include "fault.h"

#include <errno.h>
#include <walship/conf.h>

struct fault_key {
    const char *key;
    bool (*set)(struct fault *fault, const char *value, int64_t now_ms);
};

void fault_init(struct fault *fault)
{
    *fault = (struct fault){.until_ms = INT64_MAX, .remaining = UINT64_MAX};
}

static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > max) {
        return false;
    }
    *out = value;
    return true;
}

/* Text that goes into an answer: printable ASCII, so that it can't add a header. */
static bool copy_text(const char *value, char *out, size_t room)
{
    size_t bytes = strlen(value);
    if (bytes >= room) {
        return false;
    }
    for (size_t index = 0; index < bytes; index++) {
        if (value[index] < ' ' || value[index] > '~') {
            return false;
        }
    }
    memcpy(out, value, bytes + 1);
    return true;
}

static bool set_status(struct fault *fault, const char *value, int64_t now_ms)
{
    (void)now_ms;
    uint64_t status;
    if (!parse_number(value, 599, &status) || status < 200) {
        return false;
    }
    fault->status = (int)status;
    return true;
}

static bool set_store(struct fault *fault, const char *value, int64_t now_ms)
{
    (void)now_ms;
    fault->store = strcmp(value, "1") == 0;
    return fault->store || strcmp(value, "0") == 0;
}

static bool set_delay(struct fault *fault, const char *value, int64_t now_ms)
{
    (void)now_ms;
    return conf_duration_parse(value, &fault->delay_ms);
}

static bool set_cut(struct fault *fault, const char *value, int64_t now_ms)
{
    (void)now_ms;
    if (strcmp(value, "before") == 0) {
        fault->cut = CUT_BEFORE;
        return true;
    }
    fault->cut = CUT_AFTER;
    return strcmp(value, "after") == 0;
}

static bool set_retry_after(struct fault *fault, const char *value, int64_t now_ms)
{
    (void)now_ms;
    return copy_text(value, fault->retry_after, sizeof fault->retry_after);
}

static bool set_body(struct fault *fault, const char *value, int64_t now_ms)
{
    (void)now_ms;
    return copy_text(value, fault->body, sizeof fault->body);
}

static bool set_holding(struct fault *fault, const char *value, int64_t now_ms)
{
    (void)now_ms;
    return value[0] != '\0' && copy_text(value, fault->holding, sizeof fault->holding);
}

static bool set_for(struct fault *fault, const char *value, int64_t now_ms)
{
    int64_t ms;
    if (!conf_duration_parse(value, &ms) || ms > INT64_MAX - now_ms) {
        return false;
    }
    fault->until_ms = now_ms + ms;
    return true;
}

static bool set_count(struct fault *fault, const char *value, int64_t now_ms)
{
    (void)now_ms;
    return parse_number(value, UINT64_MAX - 1, &fault->remaining);
}

static const struct fault_key KEYS[] = {
    {"status", set_status},
    {"store", set_store},
    {"delay", set_delay},
    {"cut", set_cut},
    {"retry_after", set_retry_after},
    {"body", set_body},
    {"holding", set_holding},
    {"for", set_for},
    {"count", set_count},
};

bool fault_set(struct fault *fault, const char *key, const char *value, int64_t now_ms,
               struct err *err)
{
    ASSERT(fault != NULL && key != NULL && value != NULL);
    for (size_t index = 0; index < ARRAY_COUNT(KEYS); index++) {
        if (strcmp(KEYS[index].key, key) != 0) {
            continue;
        }
        fault->armed = true;
        return KEYS[index].set(fault, value, now_ms) ||
               err_set(err, 0, "fault: %s: bad value", KEYS[index].key);
    }
    return err_set(err, 0, "fault: unknown key \"%.40s\"", key);
}

bool fault_concerns(const struct fault *fault, const void *raw, size_t bytes)
{
    ASSERT(fault != NULL);
    return fault->holding[0] == '\0' ||
           memmem(raw, bytes, fault->holding, strlen(fault->holding)) != NULL;
}

bool fault_take(struct fault *fault, int64_t now_ms, struct fault *out)
{
    ASSERT(fault != NULL && out != NULL);
    if (!fault->armed || now_ms >= fault->until_ms || fault->remaining == 0) {
        fault->armed = false;
        return false;
    }
    if (fault->remaining != UINT64_MAX) {
        fault->remaining--;
    }
    *out = *fault;
    return true;
}

/* fuzz_response_headers.c - Retry-After and Date as a hostile peer may write them, then a whole
 * life of an endpoint: the first two lines are the headers, the third is the body, each later byte
 * an event. */
#include <walship/endpoint.h>
#include <walship/limits.h>
#include <walship/log.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE_BYTES_MAX = 200, IN_FLIGHT_MAX = 4 };

struct input {
    const uint8_t *data;
    size_t left;
};

static void take_line(struct input *input, char *line)
{
    size_t count = 0;
    while (input->left > 0 && *input->data != '\n') {
        if (count < LINE_BYTES_MAX - 1) {
            line[count++] = (char)*input->data;
        }
        input->data++;
        input->left--;
    }
    line[count] = '\0';
    if (input->left > 0) {
        input->data++;
        input->left--;
    }
}

static uint8_t take_byte(struct input *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->data++;
}

static void drop_log_line(void *context, const char *line)
{
    (void)context;
    for (const char *c = line; *c != '\0'; c++) { /* one line, printable: none is forged */
        ASSERT((*c >= 0x20 && *c < 0x7F) || (*c == '\n' && c[1] == '\0'));
    }
}

static int64_t no_time(void *context)
{
    (void)context;
    return 0;
}

static void check_parsers(const char *retry_after, const char *date)
{
    int64_t wait_ms = -1, at_ms = 0;
    if (retry_after_parse(retry_after, 0, &wait_ms)) {
        ASSERT(wait_ms >= 0);
    }
    if (http_date_parse(date, &at_ms)) {
        ASSERT(at_ms % 1000 == 0 && at_ms > -62200000000000 && at_ms < 253500000000000);
    }
}

static void answer(struct endpoint *endpoint, struct input *input, struct http_result *result,
                   int64_t now_ms)
{
    uint8_t how = take_byte(input);
    result->status = (how & 3) == 0 ? 204 : take_byte(input) * 3;
    result->outcome = (how & 12) == 12  ? HTTP_NOT_SENT
                      : (how & 12) == 8 ? HTTP_AMBIGUOUS
                                        : HTTP_ANSWERED;
    (void)endpoint_answered(endpoint, result, now_ms, now_ms * 1000);
}

static void live(struct input *input, struct http_result *result)
{
    struct endpoint_conf conf = {
        .min_backoff_ms = 30, .max_backoff_ms = 5000, .in_flight_max = IN_FLIGHT_MAX};
    struct endpoint endpoint;
    uint64_t out[IN_FLIGHT_MAX], id = 0;
    size_t out_count = 0;
    int64_t now_ms = 0;
    endpoint_init(&endpoint, &conf, 1);
    while (input->left > 0) {
        uint8_t event = take_byte(input);
        now_ms += event >> 2;
        if ((event & 3) != 0 && out_count > 0) {
            size_t pick = event % out_count;
            result->id = out[pick];
            out[pick] = out[--out_count];
            answer(&endpoint, input, result, now_ms);
        } else if (endpoint_may_send(&endpoint, now_ms)) {
            ASSERT(out_count < IN_FLIGHT_MAX);
            out[out_count++] = ++id;
            endpoint_sent(&endpoint, id, now_ms);
        } else if (out_count == 0) { /* nothing out: time alone must open it */
            ASSERT(endpoint_deadline(&endpoint) <= now_ms + RETRY_AFTER_MS_MAX);
            now_ms = endpoint_deadline(&endpoint);
            ASSERT(endpoint_may_send(&endpoint, now_ms));
        }
        ASSERT(endpoint.in_flight == out_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char retry_after[LINE_BYTES_MAX], date[LINE_BYTES_MAX], body[LINE_BYTES_MAX];
    struct input input = {.data = data, .left = size};
    log_set_sink(drop_log_line, no_time, NULL);
    take_line(&input, retry_after);
    take_line(&input, date);
    take_line(&input, body);
    check_parsers(retry_after, date);
    struct http_result result = {.retry_after = retry_after,
                                 .date = date,
                                 .body = body,
                                 .body_bytes = strlen(body),
                                 .error = body};
    live(&input, &result);
    return 0;
}

/* answers.c - the table of statuses, and what of an answer may be shown.
 *
 * Nothing here drops data: an answer that Prometheus would drop a batch for (401, 403, 404, ...)
 * holds the endpoint instead, since most of them are an operator's mistake that will be mended. A
 * refusal of the content is taken apart by the engine until the culprit is known. */
#include "answers.h"

#include <limits.h>
#include <strings.h>
#include <walship/assert.h>

/* clang-format off */
static const struct answer_row rows[] = {
    {200, 299, ANSWER_ACKED, NULL},
    {300, 399, ANSWER_HOLD, "only 307 and 308 within the same origin are followed: put the final URL into the configuration"},
    {400, 400, ANSWER_REFUSED, "the receiver refuses the request itself: see its reason"},
    {401, 401, ANSWER_HOLD, "check the credentials of this endpoint"},
    {403, 403, ANSWER_HOLD, "the identity needs the role `Monitoring Metrics Publisher` on the data collection rule; a new assignment takes up to 30 minutes to spread"},
    {404, 404, ANSWER_HOLD, "check the URL: nothing takes remote write there"},
    {405, 405, ANSWER_HOLD, "check the URL: it takes no POST"},
    {407, 407, ANSWER_HOLD, "check the credentials of the proxy"},
    {408, 408, ANSWER_RETRY, NULL},
    {409, 409, ANSWER_REFUSED, "the receiver has other data for these samples: see its reason"},
    {410, 410, ANSWER_HOLD, "check the URL: it is gone for good"},
    {413, 413, ANSWER_SMALLER, "the receiver takes smaller requests only: lower max_bytes_per_send"},
    {415, 415, ANSWER_HOLD, "the receiver does not take this version of remote write (snappy, protobuf): see protobuf_message"},
    {422, 422, ANSWER_REFUSED, "the receiver refuses the content: see its reason"},
    {429, 429, ANSWER_THROTTLED, "the quota is used up: more endpoints or a larger quota let more through"},
    {500, 599, ANSWER_RETRY, NULL},
    {INT_MIN, INT_MAX, ANSWER_HOLD, "not an answer of a remote write receiver: check the URL"},
};
/* clang-format on */

const struct answer_row *answer_row(int status)
{
    size_t i = 0;
    while (status < rows[i].first || status > rows[i].last) {
        i++;
        ASSERT(i < ARRAY_COUNT(rows)); /* the last row holds all */
    }
    return &rows[i];
}

const struct answer_row *answer_row_at(size_t index)
{
    return index < ARRAY_COUNT(rows) ? &rows[index] : NULL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* A word ends at a blank or a quote: JSON strings around it stay readable. */
static bool ends_word(char c)
{
    return is_space(c) || c == '"' || c == '\'' || c == ',' || c == '\0';
}

static size_t word_chars(const char *text)
{
    size_t count = 0;
    while (!ends_word(text[count])) {
        count++;
    }
    return count;
}

static bool announces_secret(const char *word, size_t count)
{
    return (count == 6 && strncasecmp(word, "bearer", 6) == 0) ||
           (count == 5 && strncasecmp(word, "basic", 5) == 0);
}

/* Where a JWT begins in a word, behind `token=` or a bracket too; `count`: nowhere. */
static size_t jwt_at(const char *word, size_t count)
{
    size_t at = 0;
    while (at < count && strncmp(word + at, "eyJ", 3) != 0) {
        at++;
    }
    return at;
}

/* In place: a word after Bearer or Basic, and what begins as a JWT does. */
static void blot_secrets(char *line)
{
    bool after = false;
    for (char *at = line; *at != '\0';) {
        size_t count = word_chars(at);
        if (count == 0) {
            at++;
            continue;
        }
        size_t kept = after ? 0 : jwt_at(at, count);
        memset(at + kept, '*', count - kept);
        after = announces_secret(at, count);
        at += count;
    }
}

static char fit_for_log(char c)
{
    if (c == '\t') {
        return ' ';
    }
    return (char)(c >= 0x20 && c < 0x7F ? c : '?');
}

void answer_line(const char *body, size_t body_bytes, char *out, size_t room)
{
    ASSERT(room > 0);
    size_t count = 0, at = 0;
    while (at < body_bytes && (is_space(body[at]) || body[at] == '\r' || body[at] == '\n')) {
        at++;
    }
    for (; at < body_bytes && body[at] != '\n' && body[at] != '\r' && count + 1 < room; at++) {
        out[count++] = fit_for_log(body[at]);
    }
    out[count] = '\0';
    blot_secrets(out);
    ASSERT(strlen(out) == count);
}

/* times.c - times as people give them. */
#include "times.h"

#include <errno.h>
#include <walship/assert.h>

static bool parse_number(const char *text, int64_t *out_ms)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *out_ms = value;
    return errno == 0 && end != text && *end == '\0';
}

/* ".5Z" -> 500; digits beyond milliseconds are read over. */
static bool parse_fraction(const char *text, int64_t *out_ms)
{
    int64_t scale = 100;
    *out_ms = 0;
    if (*text == '.') {
        const char *first = ++text;
        for (; *text >= '0' && *text <= '9'; text++) {
            *out_ms += (*text - '0') * scale;
            scale /= 10;
        }
        if (text == first) {
            return false;
        }
    }
    return strcmp(text, "Z") == 0;
}

bool time_parse(const char *text, int64_t *out_ms)
{
    ASSERT(text != NULL && out_ms != NULL);
    if (parse_number(text, out_ms)) {
        return true;
    }
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    int64_t fraction_ms;
    if (rest == NULL || !parse_fraction(rest, &fraction_ms)) {
        return false;
    }
    *out_ms = (int64_t)timegm(&parts) * 1000 + fraction_ms;
    return true;
}

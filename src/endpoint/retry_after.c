/* retry_after.c - Retry-After and the HTTP date, without the locale's or the time zone's help:
 * strptime and mktime would ask both. */
#include <assert.h>
#include <walship/assert.h>
#include <walship/endpoint.h>

enum {
    IMF_CHARS = 29,             /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    RETRY_AFTER_DIGITS_MAX = 12 /* more is for ever; keeps the arithmetic inside 64 bits */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* `count` digits; -1: something else is there. */
static int digits(const char *text, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(text[i])) {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* Which of the three-letter names in `list` is at `text`; -1: none. */
static int name_index(const char *list, const char *text)
{
    for (const char *name = list; *name != '\0'; name += 3) {
        if (memcmp(name, text, 3) == 0) {
            return (int)(name - list) / 3;
        }
    }
    return -1;
}

/* Days since 1970-01-01 of a civil date; month 0..11. March-based years put the leap day last. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month < 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((month + 10) % 12) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    ASSERT(month >= 0 && month < 12);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month] + (month == 1 && leap);
}

bool http_date_parse(const char *text, int64_t *out_ms)
{
    static const char shape[] = "aaa, 00 aaa 0000 00:00:00 GMT";
    static_assert(sizeof shape == IMF_CHARS + 1, "the shape is the format");
    if (strlen(text) != IMF_CHARS) {
        return false;
    }
    for (size_t i = 0; i < IMF_CHARS; i++) {
        bool any = shape[i] == 'a' || shape[i] == '0';
        if (!any && text[i] != shape[i]) {
            return false;
        }
    }
    int weekday = name_index("SunMonTueWedThuFriSat", text);
    int day = digits(text + 5, 2);
    int month = name_index("JanFebMarAprMayJunJulAugSepOctNovDec", text + 8);
    int year = digits(text + 12, 4);
    int hour = digits(text + 17, 2), minute = digits(text + 20, 2), second = digits(text + 23, 2);
    if (weekday < 0 || month < 0 || year < 0 || day < 1 || day > days_in_month(year, month) ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return false;
    }
    int64_t days = days_from_civil(year, month, day);
    *out_ms = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000;
    return true;
}

static bool seconds_parse(const char *text, int64_t *out_ms)
{
    int64_t seconds = 0;
    size_t count = 0;
    for (; is_digit(text[count]); count++) {
        if (count < RETRY_AFTER_DIGITS_MAX) {
            seconds = seconds * 10 + (text[count] - '0');
        }
    }
    if (count == 0 || text[count] != '\0') {
        return false;
    }
    *out_ms = seconds * 1000;
    return true;
}

bool retry_after_parse(const char *text, int64_t wall_ms, int64_t *out_ms)
{
    int64_t at_ms = 0;
    if (seconds_parse(text, out_ms)) {
        return true;
    }
    if (!http_date_parse(text, &at_ms)) {
        return false;
    }
    *out_ms = at_ms > wall_ms ? at_ms - wall_ms : 0;
    return true;
}

/* expiry.c - see expiry.h. Written as a scanner with one `failed` flag, so that each form reads as
 * the list of its parts. */
#include "expiry.h"

#include <strings.h>

enum { NUMBER_BYTES_MAX = 40 };

struct scan {
    const char *at;
    bool failed;
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static int64_t scan_number(struct scan *scan, unsigned digits_min, unsigned digits_max)
{
    int64_t number = 0;
    unsigned digits = 0;
    while (digits < digits_max && is_digit(*scan->at)) {
        number = number * 10 + (*scan->at++ - '0');
        digits++;
    }
    scan->failed |= digits < digits_min;
    return number;
}

static bool scan_one_of(struct scan *scan, const char *bytes)
{
    if (*scan->at != '\0' && strchr(bytes, *scan->at) != NULL) {
        scan->at++;
        return true;
    }
    return false;
}

static void scan_expect(struct scan *scan, const char *bytes)
{
    scan->failed |= !scan_one_of(scan, bytes);
}

static bool scan_word(struct scan *scan, const char *word)
{
    size_t bytes = strlen(word);
    if (strncasecmp(scan->at, word, bytes) == 0) {
        scan->at += bytes;
        return true;
    }
    return false;
}

static void scan_blanks(struct scan *scan)
{
    while (*scan->at == ' ') {
        scan->at++;
    }
}

/* ---- calendar ---- */

struct when {
    int64_t year, month, day, hour, minute, second, ms, zone_minutes;
};

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t month_days(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    ASSERT(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && is_leap(year));
}

static bool when_is_real(const struct when *when)
{
    return when->year >= 1970 && when->year <= 9999 && when->month >= 1 && when->month <= 12 &&
           when->day >= 1 && when->day <= month_days(when->year, when->month) && when->hour <= 23 &&
           when->minute <= 59 && when->second <= 60;
}

/* Days from 1970-01-01 by counting the leap days before the year. */
static int64_t when_unix_ms(const struct when *when)
{
    int64_t before = when->year - 1;
    int64_t days = (when->year - 1970) * 365 + (before / 4 - before / 100 + before / 400) -
                   (1969 / 4 - 1969 / 100 + 1969 / 400);
    for (int64_t month = 1; month < when->month; month++) {
        days += month_days(when->year, month);
    }
    days += when->day - 1;
    int64_t minutes = (days * 24 + when->hour) * 60 + when->minute - when->zone_minutes;
    return (minutes * 60 + when->second) * 1000 + when->ms;
}

/* ---- the forms ---- */

static void scan_fraction(struct scan *scan, struct when *when)
{
    if (!scan_one_of(scan, ".")) {
        return;
    }
    int64_t scale = 100;
    scan->failed |= !is_digit(*scan->at);
    while (is_digit(*scan->at)) {
        when->ms += (*scan->at++ - '0') * scale;
        scale /= 10;
    }
}

static void scan_clock(struct scan *scan, struct when *when)
{
    when->hour = scan_number(scan, 1, 2);
    scan_expect(scan, ":");
    when->minute = scan_number(scan, 2, 2);
    scan_expect(scan, ":");
    when->second = scan_number(scan, 2, 2);
    scan_fraction(scan, when);
}

/* Azure prints AM and PM behind 24-hour clocks too ("15:04:05 PM", "00:00:00 PM"): the half of the
 * day is only believed where a 12-hour clock would need it. */
static void scan_half(struct scan *scan, struct when *when)
{
    scan_blanks(scan);
    if (scan_word(scan, "PM")) {
        when->hour += when->hour >= 1 && when->hour <= 11 ? 12 : 0;
    } else if (scan_word(scan, "AM") && when->hour == 12) {
        when->hour = 0;
    }
}

static void scan_zone(struct scan *scan, struct when *when)
{
    scan_blanks(scan);
    bool minus = *scan->at == '-';
    if (scan_one_of(scan, "+-")) {
        int64_t hours = scan_number(scan, 2, 2);
        (void)scan_one_of(scan, ":");
        int64_t minutes = hours * 60 + scan_number(scan, 2, 2);
        scan->failed |= minutes > 24 * 60;
        when->zone_minutes = minus ? -minutes : minutes;
    } else if (!scan_word(scan, "GMT") && !scan_word(scan, "UTC")) {
        (void)scan_one_of(scan, "Zz");
    }
}

static bool finish(struct scan *scan, const struct when *when, int64_t *unix_ms)
{
    scan_blanks(scan);
    if (scan->failed || *scan->at != '\0' || !when_is_real(when)) {
        return false;
    }
    *unix_ms = when_unix_ms(when);
    return true;
}

/* 09/14/2017 00:00:00 PM +00:00 */
static bool american_parse(const char *text, int64_t *unix_ms)
{
    struct scan scan = {.at = text};
    struct when when = {0};
    when.month = scan_number(&scan, 1, 2);
    scan_expect(&scan, "/");
    when.day = scan_number(&scan, 1, 2);
    scan_expect(&scan, "/");
    when.year = scan_number(&scan, 4, 4);
    scan_expect(&scan, " ");
    scan_clock(&scan, &when);
    scan_half(&scan, &when);
    scan_zone(&scan, &when);
    return finish(&scan, &when, unix_ms);
}

/* 2026-11-22T03:51:13.25+01:00 */
static bool iso_parse(const char *text, int64_t *unix_ms)
{
    struct scan scan = {.at = text};
    struct when when = {0};
    when.year = scan_number(&scan, 4, 4);
    scan_expect(&scan, "-");
    when.month = scan_number(&scan, 2, 2);
    scan_expect(&scan, "-");
    when.day = scan_number(&scan, 2, 2);
    scan_expect(&scan, "Tt ");
    scan_clock(&scan, &when);
    scan_zone(&scan, &when);
    return finish(&scan, &when, unix_ms);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool http_date(const char *text, int64_t *unix_ms)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct scan scan = {.at = text};
    struct when when = {0};
    scan.at += strcspn(text, ",");
    scan_expect(&scan, ",");
    scan_blanks(&scan);
    when.day = scan_number(&scan, 1, 2);
    scan_blanks(&scan);
    for (int64_t month = 1; month <= 12 && when.month == 0; month++) {
        when.month = scan_word(&scan, months[month - 1]) ? month : 0;
    }
    scan_blanks(&scan);
    when.year = scan_number(&scan, 4, 4);
    scan_blanks(&scan);
    scan_clock(&scan, &when);
    scan_zone(&scan, &when);
    return finish(&scan, &when, unix_ms);
}

/* strtod alone would take "inf", hexadecimal and white space. */
static bool number_parse(const char *text, double *out)
{
    size_t bytes = strlen(text);
    char *end = NULL;
    if (bytes == 0 || bytes > NUMBER_BYTES_MAX || !is_digit(text[0]) ||
        strspn(text, "0123456789.eE+-") != bytes) {
        return false;
    }
    *out = strtod(text, &end);
    return *end == '\0' && *out >= 0 && *out < 1e15;
}

static bool unix_parse(const char *text, int64_t *unix_ms)
{
    double number;
    if (!number_parse(text, &number)) {
        return false;
    }
    *unix_ms = (int64_t)(number > 1e11 ? number : number * 1000);
    return true;
}

bool expiry_time_parse(const char *text, int64_t *unix_ms)
{
    ASSERT(text != NULL && unix_ms != NULL);
    return unix_parse(text, unix_ms) || iso_parse(text, unix_ms) || american_parse(text, unix_ms) ||
           http_date(text, unix_ms);
}

bool expiry_seconds_parse(const char *text, int64_t *out_ms)
{
    double number;
    ASSERT(text != NULL && out_ms != NULL);
    if (!number_parse(text, &number)) {
        return false;
    }
    number = number * 1000;
    *out_ms = number > EXPIRY_LIFE_MS_MAX ? EXPIRY_LIFE_MS_MAX : (int64_t)number;
    return true;
}

bool expiry_retry_after_parse(const char *text, int64_t wall_ms, int64_t *out_ms)
{
    int64_t at;
    ASSERT(text != NULL && out_ms != NULL);
    if (expiry_seconds_parse(text, out_ms)) {
        return true;
    }
    if (!http_date(text, &at)) {
        return false;
    }
    *out_ms = at > wall_ms ? at - wall_ms : 0;
    return true;
}

bool expiry_life(const char *expires_on, const char *expires_in, int64_t server_ms,
                 int64_t *life_ms, bool *assumed)
{
    int64_t on = 0, in = 0;
    ASSERT(life_ms != NULL && assumed != NULL);
    bool has_on = expires_on != NULL && expiry_time_parse(expires_on, &on);
    bool has_in = expires_in != NULL && expiry_seconds_parse(expires_in, &in) && in > 0;
    on -= server_ms;
    *assumed = false;
    if (!has_on && !has_in) {
        return false;
    }
    if (has_on && on <= 0 && !has_in) {
        *assumed = true;
        *life_ms = EXPIRY_ASSUMED_MS;
        return true;
    }
    int64_t life = has_on && on > 0 && (!has_in || on < in) ? on : in;
    *life_ms = life > EXPIRY_LIFE_MS_MAX ? EXPIRY_LIFE_MS_MAX : life;
    ASSERT(*life_ms > 0);
    return true;
}

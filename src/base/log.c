/* log.c - one line, one write(2): lines of several processes on one stderr don't mix.
 *
 * A line lives in a fixed array; what doesn't fit is cut at a field, never inside an escape. The
 * limiter counts by the wall clock; a clock set back starts a new window rather than silencing a
 * site until the old time is reached again. Only the loop's thread may log. */
#include <inttypes.h>
#include <stdarg.h>
#include <unistd.h>
#include <walship/assert.h>
#include <walship/log.h>
#include <walship/utf8.h>

enum {
    LINE_BYTES = 4096,
    VALUE_BYTES = 1024, /* of one value, escaped */
    TAIL_BYTES = 64     /* kept free for suppressed=N and the newline */
};

struct line {
    char text[LINE_BYTES];
    size_t used;
    size_t limit;
};

static struct {
    enum log_level level;
    log_sink_fn *sink;
    log_clock_fn *clock;
    void *context;
} log_state = {.level = LOG_LEVEL_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level)
{
    ASSERT(level <= LOG_LEVEL_ERROR);
    log_state.level = level;
}

bool log_level_parse(const char *name, enum log_level *out)
{
    ASSERT(name != NULL && out != NULL);
    for (size_t i = 0; i < ARRAY_COUNT(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_set_sink(log_sink_fn *sink, log_clock_fn *clock, void *context)
{
    log_state.sink = sink;
    log_state.clock = clock;
    log_state.context = context;
}

static int64_t wall_ms(void)
{
    if (log_state.clock != NULL) {
        return log_state.clock(log_state.context);
    }
    struct timespec now = {0};
    ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* All or nothing. */
static bool put(struct line *line, const char *bytes, size_t count)
{
    ASSERT(line->used <= line->limit && line->limit < sizeof line->text);
    if (count > line->limit - line->used) {
        return false;
    }
    memcpy(line->text + line->used, bytes, count);
    line->used += count;
    return true;
}

static bool put_text(struct line *line, const char *text)
{
    return put(line, text, strlen(text));
}

static bool put_format(struct line *line, const char *format, ...) PRINTF_LIKE(2, 3);
static bool put_format(struct line *line, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ASSERT(bytes >= 0 && bytes < (int)sizeof text);
    return put(line, text, (size_t)bytes);
}

/* Controls of both kinds, and the two that some readers take for the end of a line. */
static bool must_escape(uint32_t rune)
{
    return rune < 0x20 || (rune >= 0x7f && rune < 0xa0) || rune == 0x2028 || rune == 0x2029;
}

/* One character, escaped; `*at` moves past it. */
static bool put_rune(struct line *line, const char **at, size_t left)
{
    uint32_t rune = 0;
    const char *from = *at;
    size_t bytes = utf8_decode((const uint8_t *)from, left, &rune);
    *at += bytes == 0 ? 1 : bytes;
    if (bytes == 0) {
        return put_format(line, "\\x%02x", (unsigned)(unsigned char)*from);
    }
    if (rune == '"' || rune == '\\') {
        return put_format(line, "\\%c", (char)rune);
    }
    if (rune == '\n') {
        return put_text(line, "\\n");
    }
    return must_escape(rune) ? put_format(line, "\\u%04" PRIx32, rune) : put(line, from, bytes);
}

/* ` key="value"`; a value too long ends in "...". */
static bool put_string(struct line *line, const char *key, const char *value)
{
    const char *at = value == NULL ? "" : value;
    const char *end = at + strlen(at);
    if (!put_text(line, " ") || !put_text(line, key) || !put_text(line, "=\"")) {
        return false;
    }
    size_t start = line->used;
    bool whole = true;
    while (at < end && whole) {
        whole = line->used - start < VALUE_BYTES && put_rune(line, &at, (size_t)(end - at));
    }
    return put_text(line, whole ? "\"" : "...\"");
}

static bool put_field(struct line *line, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_KIND_STRING:
        return put_string(line, field->key, field->string);
    case LOG_KIND_I64:
        return put_text(line, " ") && put_text(line, field->key) &&
               put_format(line, "=%" PRId64, field->i64);
    case LOG_KIND_U64:
        return put_text(line, " ") && put_text(line, field->key) &&
               put_format(line, "=%" PRIu64, field->u64);
    case LOG_KIND_F64:
        return put_text(line, " ") && put_text(line, field->key) &&
               put_format(line, "=%.10g", field->f64);
    }
    ASSERT(field->kind <= LOG_KIND_F64); /* every kind has its case */
    return false;
}

static void put_head(struct line *line, enum log_level level, int64_t now_ms)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts = {0};
    char stamp[32] = "";
    if (gmtime_r(&seconds, &parts) != NULL) {
        size_t bytes = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
        ASSERT(bytes > 0);
    }
    bool fits =
        put_format(line, "ts=%s.%03dZ level=%s", stamp, (int)(now_ms % 1000), level_names[level]);
    ASSERT(fits);
}

/* Whether this site may write now; counts it either way. */
static bool site_admits(struct log_site *site, int64_t now_ms)
{
    bool fresh = now_ms < site->window_start_ms || now_ms - site->window_start_ms >= LOG_WINDOW_MS;
    if (site->written == 0 || fresh) {
        site->window_start_ms = now_ms;
        site->written = 0;
    }
    if (site->written == LOG_BURST) {
        site->suppressed++;
        return false;
    }
    ASSERT(site->written < LOG_BURST);
    site->written++;
    return true;
}

static void emit(struct line *line)
{
    ASSERT(line->used + 1 < sizeof line->text);
    line->text[line->used++] = '\n';
    line->text[line->used] = '\0';
    if (log_state.sink != NULL) {
        log_state.sink(log_state.context, line->text);
        return;
    }
    ssize_t written = write(STDERR_FILENO, line->text, line->used);
    (void)written; /* a log that can't be written has nowhere to complain */
}

void log_write(struct log_site *site, const char *text, const struct log_field *fields,
               int fields_count)
{
    ASSERT(site != NULL && text != NULL);
    ASSERT(fields_count >= 0 && (fields != NULL || fields_count == 0));
    if (site->level < log_state.level) {
        return;
    }
    int64_t now_ms = wall_ms();
    if (!site_admits(site, now_ms)) {
        return;
    }
    struct line line;
    line.used = 0;
    line.limit = sizeof line.text - 2 - TAIL_BYTES;
    put_head(&line, site->level, now_ms);
    bool fits = put_string(&line, "msg", text);
    for (int i = 0; i < fields_count && fits; i++) {
        size_t mark = line.used;
        fits = fields[i].key == NULL || put_field(&line, &fields[i]);
        line.used = fits ? line.used : mark; /* the field that doesn't fit goes whole */
    }
    line.limit += TAIL_BYTES;
    if (site->suppressed > 0) {
        fits = put_format(&line, " suppressed=%" PRIu32, site->suppressed);
        ASSERT(fits);
        site->suppressed = 0;
    }
    emit(&line);
}

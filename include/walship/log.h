/* log.h - logfmt lines on stderr: ts=... level=info msg="..." key=value.
 *
 * Values are quoted and escaped, so a hostile label can't forge a line. Each call site may write at
 * most LOG_BURST lines in LOG_WINDOW_MS; what it held back is said with its next line
 * (suppressed=N). One of the two globals of the program (the other is the metrics table). No
 * secrets (I6).
 *
 *     LOG_WARN("segment is gone", LOG_I64("segment", n), LOG_STR("dir", dir)); */
#ifndef WALSHIP_LOG_H
#define WALSHIP_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum { LOG_BURST = 5, LOG_WINDOW_MS = 10000 };

enum log_kind { LOG_KIND_STRING, LOG_KIND_I64, LOG_KIND_U64, LOG_KIND_F64 };

struct log_field {
    const char *key;
    enum log_kind kind;
    const char *string;
    int64_t i64;
    uint64_t u64;
    double f64;
};

/* One a call site, made by the macros. */
struct log_site {
    enum log_level level;
    int64_t window_start_ms;
    uint32_t written;
    uint32_t suppressed;
};

typedef void log_sink_fn(void *context, const char *line); /* one line, newline included */
typedef int64_t log_clock_fn(void *context);               /* wall clock, Unix milliseconds */

void log_set_level(enum log_level level);
bool log_level_parse(const char *name, enum log_level *out); /* debug info warn error */
/* Tests and the simulator take the lines and give the time; NULL restores stderr and the clock. */
void log_set_sink(log_sink_fn *sink, log_clock_fn *clock, void *context);
void log_write(struct log_site *site, const char *text, const struct log_field *fields,
               int fields_count);

#define LOG_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STRING, .string = (v)})
#define LOG_I64(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_I64, .i64 = (v)})
#define LOG_U64(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_U64, .u64 = (v)})
#define LOG_F64(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_F64, .f64 = (v)})

/* The empty first field keeps the macro valid without fields; log_write skips keyless ones. */
#define LOG_AT(lvl, text, ...)                                                                     \
    do {                                                                                           \
        static struct log_site log_site_ = {.level = (lvl)};                                       \
        const struct log_field log_fields_[] = {{.key = NULL}, ##__VA_ARGS__};                     \
        log_write(&log_site_, (text), log_fields_,                                                 \
                  (int)(sizeof log_fields_ / sizeof log_fields_[0]));                              \
    } while (0)
#define LOG_DEBUG(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define LOG_INFO(...)  LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_WARN(...)  LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define LOG_ERROR(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif

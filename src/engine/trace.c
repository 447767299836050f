/* trace.c - one line for every step worth telling, for the golden tests and the simulator. */
#include "internal.h"

#include <stdarg.h>

void engine_set_trace(struct engine *engine, engine_trace_fn *trace, void *context)
{
    engine->trace = trace;
    engine->trace_context = context;
}

void trace_line(const struct engine *engine, const char *format, ...)
{
    if (engine->trace == NULL) {
        return;
    }
    char line[512];
    int used = snprintf(line, sizeof line, "[%7lld] ", (long long)engine->now_ms);
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, sizeof line - (size_t)used, format, args);
    va_end(args);
    engine->trace(engine->trace_context, line);
}

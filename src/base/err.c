/* err.c - error text with context added a level at a time; a fixed array, so that saying what went
 * wrong needs no memory. */
#include <stdarg.h>
#include <walship/err.h>

bool err_set(struct err *err, int code, const char *format, ...)
{
    ASSERT(err != NULL && format != NULL);
    /* by way of a second array: an argument may be err's own text */
    char text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ASSERT(bytes >= 0);
    err->code = code;
    memcpy(err->text, text, sizeof text);
    return false;
}

/* Cuts what doesn't fit; leaves room for the final NUL. */
static size_t append(char *text, size_t used, const char *more)
{
    size_t room = sizeof((struct err *)NULL)->text - 1 - used;
    size_t bytes = strlen(more);
    bytes = bytes < room ? bytes : room;
    memcpy(text + used, more, bytes);
    return used + bytes;
}

bool err_wrap(struct err *err, const char *format, ...)
{
    ASSERT(err != NULL && format != NULL);
    char text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ASSERT(bytes >= 0);
    size_t used = (size_t)bytes < sizeof text ? (size_t)bytes : sizeof text - 1;
    used = append(text, used, ": ");
    used = append(text, used, err->text);
    text[used] = '\0';
    memcpy(err->text, text, sizeof text);
    return false;
}

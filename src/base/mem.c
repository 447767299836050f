/* mem.c - the heap, with the only answer to its end that is tested: abort and restart (I8). */
#include <stdarg.h>
#include <stdbool.h>
#include <walship/mem.h>

void *mem_new(size_t count, size_t bytes)
{
    ASSERT(bytes > 0);
    void *fresh = calloc(count == 0 ? 1 : count, bytes); /* calloc checks the product */
    bool out_of_memory = fresh == NULL;
    ASSERT(!out_of_memory);
    return fresh;
}

void *mem_grow(void *old, size_t count, size_t bytes)
{
    size_t total;
    ASSERT(bytes > 0);
    ASSERT(!__builtin_mul_overflow(count, bytes, &total));
    void *grown = realloc(old, total == 0 ? 1 : total);
    bool out_of_memory = grown == NULL;
    ASSERT(!out_of_memory);
    return grown;
}

char *mem_string(const char *text)
{
    ASSERT(text != NULL);
    size_t bytes = strlen(text) + 1;
    char *copy = mem_grow(NULL, bytes, 1);
    memcpy(copy, text, bytes);
    return copy;
}

char *mem_format(const char *format, ...)
{
    ASSERT(format != NULL);
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int bytes = vasprintf(&text, format, arguments);
    va_end(arguments);
    ASSERT(bytes >= 0 && text != NULL);
    return text;
}

void mem_free(void *pointer)
{
    free(pointer);
}

/* problems.c - the list of everything that is wrong, as lines for a person and for an editor. */
#include <stdarg.h>
#include <walship/conf.h>

enum { PROBLEMS_BYTES_MAX = 1 << 20, PROBLEM_BYTES_MAX = 2048 };

void conf_problems_init(struct conf_problems *problems)
{
    ASSERT(problems != NULL);
    buf_init(&problems->text, PROBLEMS_BYTES_MAX);
    problems->count = 0;
}

void conf_problems_release(struct conf_problems *problems)
{
    ASSERT(problems != NULL);
    buf_release(&problems->text);
    problems->count = 0;
}

/* A value that holds a newline must not forge a second problem. */
static void flatten(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            *text = ' ';
        }
    }
}

void conf_problem(struct conf_problems *problems, const char *file, unsigned line, unsigned column,
                  const char *format, ...)
{
    ASSERT(problems != NULL && file != NULL && format != NULL);
    char text[PROBLEM_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ASSERT(count >= 0);
    flatten(text);
    problems->count++;
    if (!buf_format(&problems->text, "%s:%u:%u: %s\n", file, line, column, text)) {
        return; /* full: the count still tells that there are more */
    }
}

const char *conf_problems_text(struct conf_problems *problems)
{
    if (!buf_append(&problems->text, "", 1)) {
        return "too many problems to say";
    }
    problems->text.bytes--; /* the next one goes over the NUL */
    return (const char *)problems->text.data;
}

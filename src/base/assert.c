/* assert.c - the last words of the process: write(2) only, since the heap or stdio may be broken.
 */
#include <unistd.h>
#include <walship/assert.h>

_Noreturn void assert_failed(const char *text, const char *file, int line)
{
    char message[1024];
    int bytes =
        snprintf(message, sizeof message, "%s:%d: assertion failed: %s\n", file, line, text);
    if (bytes >= (int)sizeof message) {
        bytes = (int)sizeof message - 1;
        message[bytes - 1] = '\n';
    }
    if (bytes > 0 && write(STDERR_FILENO, message, (size_t)bytes) < 0) {
        abort(); /* nobody can be told */
    }
    abort();
}

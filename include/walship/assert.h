/* assert.h - programmer errors end the process, in every build.
 *
 * CMake's Release defines NDEBUG and would silently drop assert(3); ASSERT stays. Never use it for
 * what the world does (files, answers, bytes): that is an outcome enum or a `struct err`. */
#ifndef WALSHIP_ASSERT_H
#define WALSHIP_ASSERT_H

#include <walship/banned.h>

#define MUST_USE           __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a)  __attribute__((format(printf, f, a)))
#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Writes one line to stderr and aborts. */
__attribute__((noreturn)) void assert_failed(const char *text, const char *file, int line);

#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))

#endif

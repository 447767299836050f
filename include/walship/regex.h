/* regex.h - Prometheus' regular expressions: Go's syntax, anchored at both ends, the dot takes
 * newlines. A C face for the C++ library. Matching takes time linear in the text, memory at most
 * REGEX_BYTES_MAX an expression. Text is UTF-8. Pure once compiled. */
#ifndef WALSHIP_REGEX_H
#define WALSHIP_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct regex;

/* A part of the text; `at` NULL: the group took no part in the match. */
struct regex_group {
    const char *at;
    size_t bytes;
};

/* NULL: `why` (NUL-terminated, cut to why_bytes) says what is wrong with the pattern, as Go does.
 */
struct regex *regex_new(const char *pattern, size_t bytes, char *why, size_t why_bytes);
void regex_free(struct regex *regex);
bool regex_matches(const struct regex *regex, const char *text, size_t bytes);
/* Groups of the pattern, the whole match (0) included. */
size_t regex_groups(const struct regex *regex);
/* Number of the group of this name; 0: there is none. */
size_t regex_group_named(const struct regex *regex, const char *name, size_t bytes);
/* As regex_matches; fills regex_groups() groups when true. */
bool regex_find(const struct regex *regex, const char *text, size_t bytes,
                struct regex_group *groups);

#ifdef __cplusplus
}
#endif

#endif

/* regex.h - Prometheus' regular expressions: RE2 syntax, anchored at both ends, the dot takes
 * newlines. A C face for the C++ library. Matching takes time linear in the text. Pure once
 * compiled. */
#ifndef WALSHIP_REGEX_H
#define WALSHIP_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct regex;

/* NULL: `why` (NUL-terminated, cut to why_bytes) says what is wrong with the pattern. */
struct regex *regex_new(const char *pattern, size_t bytes, char *why, size_t why_bytes);
void regex_free(struct regex *regex);
bool regex_matches(const struct regex *regex, const char *text, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif

/* selector.h - a Prometheus series selector: up{job="a", instance=~"10\\..*"}.
 *
 * Names may be quoted ({"http.requests", "k8s.pod"="x"}), strings are "..." '...' `...` with Go's
 * escapes. A label that is missing has the empty value. Limits: SELECTOR_MATCHERS_MAX. */
#ifndef CLI_SELECTOR_H
#define CLI_SELECTOR_H

#include <walship/err.h>
#include <walship/labels.h>

enum { SELECTOR_MATCHERS_MAX = 64, SELECTOR_BYTES_MAX = 64 << 10 };

struct selector;

/* NULL: err has one line that says where and why. */
struct selector *selector_new(const char *text, struct err *err);
void selector_free(struct selector *selector);
bool selector_matches(const struct selector *selector, const struct label *labels, size_t count);

#endif

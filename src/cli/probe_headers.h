/* probe_headers.h - the configured headers of an endpoint, as a request of `run` would have them.
 */
#ifndef CLI_PROBE_HEADERS_H
#define CLI_PROBE_HEADERS_H

#include <walship/conf.h>
#include <walship/http.h>

struct probe_headers {
    const struct conf_headers *conf;
    char *read[CONF_HEADERS_MAX]; /* what stands in a file; secret, wiped at the end */
};

/* Puts them behind *count, which has room for CONF_HEADERS_MAX more. False: err names the file.
 * Release in both cases, when the headers are not needed any more. */
MUST_USE bool probe_headers_fill(struct probe_headers *own, const struct conf_headers *conf,
                                 struct http_header *headers, size_t *count, struct err *err);
void probe_headers_release(struct probe_headers *own);

#endif

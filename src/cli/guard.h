/* guard.h - use_remote_write takes Prometheus' own blocks: as long as Prometheus sends to the same
 * URLs itself, everything would arrive twice. */
#ifndef CLI_GUARD_H
#define CLI_GUARD_H

#include <walship/conf.h>
#include <walship/err.h>

/* Asks the Prometheus at prometheus_url what it runs with. False: it lists a URL of ours too; err
 * says the way out. When it can't be asked that is logged, and no reason to refuse. */
MUST_USE bool guard_check(const struct conf *conf, struct err *err);
/* The first endpoint that this answer of /api/v1/status/config lists under remote_write; NULL:
 * none. known is false when the answer can't be read. */
const struct conf_endpoint *guard_find(const struct conf *conf, const char *answer, size_t bytes,
                                       bool *known);

#endif

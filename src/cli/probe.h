/* probe.h - `walship check --probe`: gets a token for every endpoint and sends an empty write. */
#ifndef CLI_PROBE_H
#define CLI_PROBE_H

#include <stdbool.h>
#include <walship/conf.h>

enum { PROBE_MS_MAX = 60000 }; /* for all endpoints together: they are asked side by side */

/* Prints a line an endpoint: ok, or what is wrong and what to do. True: all are ok. */
bool probe_endpoints(const struct conf *conf);

#endif

/* options.h - the emulator's configuration file, bound and checked.
 *
 *   listen_address: 127.0.0.1:9201      port 0: a free one, said in the log
 *   allow_remote: false                 true: may listen on an address that is not loopback
 *   store: sqlite                       none: count only (benchmarks)
 *   database: PATH                      required unless store is none
 *   commit_interval: 500ms              0: before each answer
 *   max_body_bytes: 32MiB               wire size of a request, beyond it 413
 *   endpoints:
 *     - {name: a, path:
 * /dataCollectionRules/dcr-1/streams/Microsoft-PrometheusMetrics/api/v1/write}
 *
 * Every error is said as FILE:LINE:COLUMN: text. Owns its strings. */
#ifndef EMULATOR_OPTIONS_H
#define EMULATOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/conf.h>

enum { ENDPOINTS_COUNT_MAX = 1024, BODY_BYTES_MAX = 32 << 20 };

struct endpoint_options {
    char *name; /* letters, digits, - and _: it is printed in JSON and SQL as it is */
    char *path; /* begins with a slash, no query */
};

struct options {
    char *host; /* numeric */
    uint16_t port;
    bool allow_remote;
    bool store;
    char *database;
    int64_t commit_ms;
    uint64_t body_bytes_max;
    struct endpoint_options *endpoints;
    size_t endpoints_count;
};

/* NULL when there is any problem. */
struct options *options_bind(const struct conf_node *root, const char *file,
                             struct conf_problems *problems);
void options_free(struct options *options);
/* Whether a numeric host is on the loopback interface. */
bool host_is_loopback(const char *host);

#endif

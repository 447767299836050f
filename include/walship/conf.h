/* conf.h - the configuration: one table of options, defaults, checks, and the struct they fill.
 *
 * Parsing is in two steps. adapter/conf_yaml turns the file into a tree of struct conf_node
 * (scalars, maps, lists, each with its line and column); conf_bind matches the tree to the option
 * table and says EVERY error as FILE:LINE:COLUMN: text. The table (key, type, default, meaning,
 * difference from Prometheus) is also what docs/CONFIG.md is generated from. The keys, defaults and
 * error texts of `remote_write` are Prometheus' own where they make sense. Ownership: conf_bind
 * allocates, conf_free frees; nodes are borrowed. Secrets live in `char *` marked so in the table
 * and are never printed. */
#ifndef WALSHIP_CONF_H
#define WALSHIP_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/buf.h>
#include <walship/conf_endpoint.h>
#include <walship/conf_node.h>
#include <walship/conf_web.h>
#include <walship/err.h>
#include <walship/labels.h>
#include <walship/relabel.h>
#include <walship/rw.h>

/* ---- what the program uses ---- */

enum conf_start { CONF_START_NOW, CONF_START_OLDEST, CONF_START_AGO };
enum conf_placement { CONF_FAILOVER, CONF_PINNED };
enum conf_order { CONF_ORDER_SEND, CONF_ORDER_DROP };

struct conf_queue {
    uint32_t max_shards; /* cap on requests in flight of an endpoint */
    uint32_t max_samples_per_send;
    uint32_t max_bytes_per_send;   /* compressed */
    uint32_t capacity, min_shards; /* Prometheus' own, of no use here */
    int64_t batch_send_deadline_ms;
    int64_t min_backoff_ms, max_backoff_ms;
    int64_t sample_age_limit_ms; /* 0: off */
    bool retry_on_http_429;
};

struct conf_relabel { /* one rule; `spec` is only what it was made from */
    struct relabel_spec spec;
    struct relabel_rule *rule;
};

struct conf_destination {
    char *name; /* `name`, else the first URL without query */
    struct conf_endpoint *endpoints;
    size_t endpoints_count;
    enum conf_placement placement;
    char **shard_by;
    size_t shard_by_count;
    bool fold_case;               /* Azure: *.metrics.ingest.monitor.azure.* */
    enum conf_order out_of_order; /* what is not newer than the newest taken of its series */
    int64_t window_ms; /* either way of now; the receiver drops all else. 0: not known of any */
    struct conf_relabel *relabel;
    size_t relabel_count;
    int64_t remote_timeout_ms;
    struct conf_headers headers; /* for its endpoints, which have them all */
    struct conf_queue queue;
    enum rw_version protobuf; /* protobuf_message */
    bool protobuf_fallback;   /* 1.0 after a 415 to 2.0 */
    bool send_exemplars, send_native_histograms;
    struct conf_metadata {
        bool send;
        int64_t send_interval_ms;
        uint32_t max_samples_per_send; /* families */
    } metadata;
    struct conf_quota quota;
    bool failed_request_logging;
    char *quota_group;     /* destinations of one name share `quota`; NULL or "": none */
    struct conf_auth auth; /* for endpoints that say nothing */
    struct http_client client;
    unsigned line, column;
};

struct conf {
    char *wal_dir;
    char *state_dir;
    char *spool_dir;
    uint64_t spool_max_bytes;
    int64_t spool_max_age_ms; /* 0: none */
    uint64_t spool_min_free;  /* bytes, or percent of the file system */
    bool spool_min_free_percent;
    char *prometheus_config;
    bool use_remote_write;  /* its remote_write blocks are among the destinations */
    char *prometheus_url;   /* without a slash at the end; NULL: none. May carry a password */
    char *prometheus_shown; /* for logs: no userinfo */
    char *listen_address;   /* HOST:PORT, or empty: none */
    char *web_config;       /* its file; NULL: none */
    struct conf_web *web;   /* what stands there; owned */
    enum conf_start start_at;
    int64_t start_ago_ms;
    struct label *external_labels; /* canonical; strings owned */
    size_t external_labels_count;
    struct conf_destination *destinations;
    size_t destinations_count;
};

/* ---- errors: a list of lines ---- */

struct conf_problems {
    struct buf text; /* "FILE:LINE:COLUMN: text\n" each */
    size_t count;
};
void conf_problems_init(struct conf_problems *problems);
void conf_problems_release(struct conf_problems *problems);
const char *conf_problems_text(struct conf_problems *problems); /* until the next one is added */
void conf_problem(struct conf_problems *problems, const char *file, unsigned line, unsigned column,
                  const char *format, ...) PRINTF_LIKE(5, 6);

/* NULL when there is any problem. file: for the messages and relative paths. */
struct conf *conf_bind(const struct conf_node *root, const char *file,
                       struct conf_problems *problems);
/* What a configuration is made of besides its file; NULL fields: nothing. */
struct conf_sources {
    const struct conf_node *prometheus;                       /* the tree of prometheus_config */
    const char *prometheus_file;                              /* its path */
    const char *(*variable)(void *context, const char *name); /* for ${VAR}; NULL: left as it is */
    void *context;
};
struct conf *conf_bind_with(const struct conf_node *root, const char *file,
                            const struct conf_sources *sources, struct conf_problems *problems);
/* prometheus_config as an absolute path or one relative to here; NULL: none. To be freed. */
char *conf_prometheus_path(const struct conf_node *root, const char *file);
void conf_free(struct conf *conf);

/* Prometheus durations: 0, or units y w d h m s ms each once in that order ("1h30m"). */
bool conf_duration_parse(const char *text, int64_t *out_ms);
/* 50GB, 10MiB, 1048576 (as Prometheus: powers of 1024 for both). */
bool conf_bytes_parse(const char *text, uint64_t *out);
/* docs/CONFIG.md from the table. */
MUST_USE bool conf_document(struct buf *out);

#endif

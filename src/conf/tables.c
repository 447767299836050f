/* tables.c - every key of the configuration: what it is, its default, its meaning and how it
 * differs from Prometheus. The binder, docs/CONFIG.md and its test are made from these rows,
 * nothing else.
 *
 * A key that Prometheus has and walship does not have is a row of OPTION_LATER: it is refused by
 * name instead of as unknown. */
#include "auth.h"
#include "client.h"
#include "relabel.h"

#include <walship/limits.h>

#define FIELD(type_, key_) .key = #key_, .offset = offsetof(struct type_, key_)
#define TABLE_OF(rows)     .options = (rows), .count = ARRAY_COUNT(rows)

static const struct option quota_options[] = {
    {FIELD(conf_quota, samples_per_minute), .type = OPTION_COUNT, .shown = "none",
     .meaning = "samples in one minute"},
    {FIELD(conf_quota, requests_per_minute), .type = OPTION_COUNT, .shown = "none",
     .meaning = "requests in one minute"},
    {FIELD(conf_quota, bytes_per_minute), .type = OPTION_BYTES, .shown = "none",
     .meaning = "compressed bytes in one minute"},
    {FIELD(conf_quota, share), .type = OPTION_NUMBER, .max = 1,
     .shown = "`1`; of an endpoint: that of its destination",
     .meaning = "the part of these quotas that is for this walship, where several share them"},
};

static const struct option_table quota_table = {
    .title = "`quota`",
    TABLE_OF(quota_options),
    .bytes = sizeof(struct conf_quota),
};

static const struct option endpoint_options[] = {
    {FIELD(conf_endpoint, url), .type = OPTION_CUSTOM, .secret = true,
     .missing_text = "url for remote_write is empty", .bind = bind_url, .kind = "URL",
     .shown = "required",
     .meaning = "where to send; without its query it is the endpoint's identity"},
    {FIELD(conf_endpoint, weight), .type = OPTION_NUMBER, .shown = "`1`, or by quota",
     .max = 1000000,
     .meaning =
         "its share of the series, against the weights of its siblings. Where none says one and all have a quota of one kind (requests, else bytes, else samples), that is their weight"},
    {FIELD(conf_endpoint, quota), .type = OPTION_SECTION, .table = &quota_table,
     .meaning =
         "what this endpoint accepts; never exceeded, 97 % are aimed at. What is not set is learned from 429s"},
    AUTH_ROWS(conf_endpoint),
    CLIENT_ROWS(conf_endpoint),
    {.key = "http_headers",
     .offset = offsetof(struct conf_endpoint, headers),
     .type = OPTION_CUSTOM,
     .secret = true,
     .bind = bind_http_headers,
     .kind = "map of names to `{values: [], secrets: [], files: []}`",
     .shown = "`{}`",
     .meaning = "headers of this endpoint only, in place of its destination's of the same name"},
};

static const struct option_table endpoint_table = {
    .title = "`endpoints` elements",
    TABLE_OF(endpoint_options),
    .bytes = sizeof(struct conf_endpoint),
    .check = check_endpoint,
};

static const struct option queue_options[] = {
    {FIELD(conf_queue, max_shards), .type = OPTION_COUNT32, .initial = "8", .min = 1,
     .range_text = "remote write queue max_shards must be positive",
     .meaning = "requests in flight of one endpoint",
     .differs = "default 50 there. Here a cap on requests in flight, never more than 16: a larger "
                "value counts as 16. Series always have 256 shards, no resharding"},
    {FIELD(conf_queue, max_samples_per_send), .type = OPTION_COUNT32, .initial = "2000", .min = 1,
     .max = BATCH_SAMPLES_MAX,
     .range_text = "remote write queue max_samples_per_send must be positive and at most 20000",
     .meaning = "samples in one request", .differs = "at most 20000"},
    {FIELD(conf_queue, max_bytes_per_send), .type = OPTION_BYTES32, .initial = "1048576",
     .min = 1024, .max = BATCH_COMPRESSED_BYTES_MAX, .meaning = "compressed bytes of one request",
     .differs = "not there"},
    {.key = "batch_send_deadline",
     .offset = offsetof(struct conf_queue, batch_send_deadline_ms),
     .type = OPTION_DURATION,
     .initial = "1s",
     .meaning = "how long a sample waits for its request to fill",
     .differs = "default 5s there"},
    {.key = "min_backoff",
     .offset = offsetof(struct conf_queue, min_backoff_ms),
     .type = OPTION_DURATION,
     .initial = "30ms",
     .min = 1,
     .range_text = "remote write queue min_backoff must be positive",
     .meaning = "the wait after the first failure; doubled after each further one"},
    {.key = "max_backoff",
     .offset = offsetof(struct conf_queue, max_backoff_ms),
     .type = OPTION_DURATION,
     .initial = "5s",
     .min = 1,
     .range_text = "remote write queue max_backoff must be positive",
     .meaning = "the longest wait between tries",
     .differs = "each wait is spread at random, so that endpoints do not retry together"},
    {FIELD(conf_queue, retry_on_http_429), .type = OPTION_BOOL, .initial = "true",
     .meaning =
         "retry what is answered 429 (Retry-After is kept); false: it is lost, as `rejected`",
     .differs = "default false there: samples are lost when the receiver throttles"},
    {.key = "sample_age_limit",
     .offset = offsetof(struct conf_queue, sample_age_limit_ms),
     .type = OPTION_DURATION,
     .initial = "0s",
     .shown = "`0s`; `19m` when a URL is of Azure Monitor",
     .meaning =
         "older samples are not sent but put into the loss ledger; their age is taken by the "
         "receiver's own clock; 0s: no limit",
     .differs = "default 0s there always"},
    {FIELD(conf_queue, capacity), .type = OPTION_COUNT32, .initial = "10000", .min = 1,
     .range_text = "remote write queue capacity must be positive", .meaning = "nothing",
     .differs = "samples buffered per shard there. Here 524288 samples may wait, and what does not "
                "fit waits in the WAL"},
    {FIELD(conf_queue, min_shards), .type = OPTION_COUNT32, .initial = "1", .min = 1,
     .range_text = "remote write queue min_shards must be positive", .meaning = "nothing",
     .differs = "shards to begin with there. Here requests in flight grow by themselves"},
};

static const struct option_table queue_table = {
    .title = "`queue_config`",
    TABLE_OF(queue_options),
    .bytes = sizeof(struct conf_queue),
    .check = check_queue,
};

static const struct option metadata_options[] = {
    {FIELD(conf_metadata, send), .type = OPTION_BOOL, .initial = "true",
     .meaning = "whether types and help texts are sent",
     .differs = "they come from the WAL (Prometheus' feature metadata-wal-records) and from "
                "`prometheus_url`; with neither nothing is sent"},
    {.key = "send_interval",
     .offset = offsetof(struct conf_metadata, send_interval_ms),
     .type = OPTION_DURATION,
     .initial = "1m",
     .min = 1,
     .range_text = "metadata_config send_interval must be positive",
     .meaning = "how often all of them are sent, and Prometheus is asked"},
    {FIELD(conf_metadata, max_samples_per_send), .type = OPTION_COUNT32, .initial = "2000",
     .min = 1, .range_text = "metadata_config max_samples_per_send must be positive",
     .meaning = "metric families in one request"},
};

static const struct option_table metadata_table = {
    .title = "`metadata_config`",
    TABLE_OF(metadata_options),
    .bytes = sizeof(struct conf_metadata),
};

static const char *const placements[] = {"failover", "pinned", NULL};
static const char *const orders[] = {"send", "drop", NULL};

static const char *const messages[] = {"prometheus.WriteRequest", "io.prometheus.write.v2.Request",
                                       NULL}; /* enum rw_version */

static const struct option destination_options[] = {
    {FIELD(conf_destination, name), .type = OPTION_STRING,
     .shown = "the first URL without its query",
     .meaning = "who this destination is in the saved state, logs and metrics",
     .differs = "the default is a hash there"},
    {.key = "url",
     .type = OPTION_CUSTOM,
     .secret = true,
     .table = &endpoint_table,
     .bind = bind_url_alone,
     .kind = "URL",
     .shown = "required, or `endpoints`",
     .meaning = "where to send: the same as `endpoints` with this one element"},
    {FIELD(conf_destination, endpoints), .type = OPTION_LIST,
     .count_offset = offsetof(struct conf_destination, endpoints_count), .max = ENDPOINTS_MAX,
     .table = &endpoint_table, .shown = "required, or `url`",
     .meaning = "the URLs that share this destination's series; at most 64",
     .differs = "not there"},
    {FIELD(conf_destination, placement), .type = OPTION_CHOICE, .choices = placements,
     .initial = "failover",
     .meaning = "failover: siblings may carry the series of an endpoint that fails; pinned: never",
     .differs = "not there"},
    {FIELD(conf_destination, shard_by), .type = OPTION_CUSTOM, .bind = bind_shard_by,
     .kind = "list of label names", .shown = "`[]`: all labels",
     .meaning = "labels that decide the endpoint of a series, so that a value stays together",
     .differs = "not there"},
    {FIELD(conf_destination, out_of_order), .type = OPTION_CHOICE, .choices = orders,
     .initial = "send", .shown = "`send`; `drop` when a URL is of Azure Monitor",
     .meaning =
         "samples that are not newer than the newest already sent of their series (Prometheus "
         "logs some that it then refuses): send them, or drop and count them",
     .differs = "not there"},
    {.key = "remote_timeout",
     .offset = offsetof(struct conf_destination, remote_timeout_ms),
     .type = OPTION_DURATION,
     .initial = "30s",
     .min = 1,
     .range_text = "remote_timeout must be positive",
     .meaning = "how long one request may take"},
    {FIELD(conf_destination, headers), .type = OPTION_CUSTOM, .secret = true, .bind = bind_headers,
     .kind = "map of names to values", .shown = "`{}`", .meaning = "headers added to each request"},
    {.key = "http_headers",
     .offset = offsetof(struct conf_destination, headers),
     .type = OPTION_CUSTOM,
     .secret = true,
     .bind = bind_http_headers,
     .kind = "map of names to `{values: [], secrets: [], files: []}`",
     .shown = "`{}`",
     .meaning = "headers added to each request, several of a name too; files are followed"},
    {.key = "queue_config",
     .offset = offsetof(struct conf_destination, queue),
     .type = OPTION_SECTION,
     .table = &queue_table,
     .meaning = "batches, requests in flight and retries"},
    {FIELD(conf_destination, quota), .type = OPTION_SECTION, .table = &quota_table,
     .meaning = "what all endpoints together accept (the workspace)", .differs = "not there"},
    {FIELD(conf_destination, quota_group), .type = OPTION_STRING, .shown = "none",
     .meaning = "destinations of one group share one `quota`, and must say the same in it",
     .differs = "not there"},
    {.key = "protobuf_message",
     .offset = offsetof(struct conf_destination, protobuf),
     .type = OPTION_CHOICE,
     .choices = messages,
     .initial = "prometheus.WriteRequest",
     .range_text =
         "invalid protobuf_message value: unknown type for remote write protobuf message, "
         "supported: prometheus.WriteRequest, io.prometheus.write.v2.Request",
     .meaning = "remote write 1.0, or 2.0: that one carries start times and histograms with custom "
                "buckets as well"},
    {FIELD(conf_destination, protobuf_fallback), .type = OPTION_BOOL, .initial = "false",
     .meaning = "a receiver that answers 415 to 2.0 (or 2xx without saying what it wrote) gets 1.0 "
                "until the next start; false: it is held and probed, as any 415",
     .differs = "not there"},
    {FIELD(conf_destination, send_exemplars), .type = OPTION_BOOL, .initial = "false",
     .meaning = "whether exemplars are sent; else they are dropped by rule, and counted"},
    {FIELD(conf_destination, send_native_histograms), .type = OPTION_BOOL, .initial = "false",
     .meaning = "whether native histograms are sent; else they are dropped by rule, and counted. "
                "Those with custom buckets need 2.0 and are lost as `unsupported` over 1.0"},
    {.key = "write_relabel_configs",
     .type = OPTION_CUSTOM,
     .table = &conf_table_relabel,
     .bind = bind_relabel,
     .kind = "list, below",
     .shown = "`[]`",
     .meaning = "rules that change or drop series, after external_labels were added"},
    {.key = "round_robin_dns",
     .offset = offsetof(struct conf_destination, client.shuffle_addresses),
     .type = OPTION_BOOL,
     .initial = "false",
     .meaning = "a random address of the host for each connection"},
    {FIELD(conf_destination, failed_request_logging), .type = OPTION_BOOL, .initial = "false",
     .meaning = "nothing", .differs = "what a receiver refuses is always logged"},
    {.key = "metadata_config",
     .offset = offsetof(struct conf_destination, metadata),
     .type = OPTION_SECTION,
     .table = &metadata_table,
     .meaning = "sending of metric metadata over 1.0; over 2.0 it rides on each series"},
    AUTH_ROWS(conf_destination),
    CLIENT_ROWS(conf_destination),
};

const struct option_table conf_table_destination = {
    .title = "`remote_write` elements",
    .null_text = "empty or null remote write config section",
    TABLE_OF(destination_options),
    .bytes = sizeof(struct conf_destination),
    .check = check_destination,
};

static const struct option top_options[] = {
    {FIELD(conf, wal_dir), .type = OPTION_PATH, .missing_text = "wal_dir is required",
     .shown = "required",
     .meaning = "Prometheus' `wal` directory, or the data directory that holds it; only ever read"},
    {FIELD(conf, state_dir), .type = OPTION_PATH, .initial = "/var/lib/walship",
     .meaning =
         "walship's own directory: what was accepted (`walship.db`); not in Prometheus' data "
         "directory"},
    {FIELD(conf, spool_dir), .type = OPTION_PATH, .shown = "`spool` in `state_dir`",
     .meaning = "where segments are kept that Prometheus deletes too early; on the file system of "
                "`wal_dir` for hard links"},
    {FIELD(conf, spool_max_bytes), .type = OPTION_BYTES, .initial = "10GB", .min = 1,
     .meaning =
         "what the spool may hold that Prometheus no longer has; beyond it the oldest samples "
         "are given up, with an entry in the ledger of losses for each"},
    {.key = "spool_max_age",
     .offset = offsetof(struct conf, spool_max_age_ms),
     .type = OPTION_DURATION,
     .initial = "0s",
     .meaning =
         "how long a finished segment is kept for a destination that does not take it; 0s: no "
         "limit"},
    {.key = "spool_min_free",
     .offset = offsetof(struct conf, spool_min_free),
     .type = OPTION_CUSTOM,
     .initial = "10%",
     .bind = bind_min_free,
     .kind = "percentage or bytes",
     .meaning =
         "free space of the spool's file system below which the spool gives up its oldest, so "
         "that it never fills Prometheus' disk"},
    {FIELD(conf, listen_address), .type = OPTION_STRING, .initial = "127.0.0.1:9095",
     .meaning = "HOST:PORT of the status and metrics pages; `\"\"`: none"},
    {.key = "start_at",
     .offset = offsetof(struct conf, start_at),
     .type = OPTION_CUSTOM,
     .initial = "now",
     .bind = bind_start_at,
     .kind = "`now`, `oldest` or duration",
     .meaning = "where a destination begins the first time it is seen: now, the oldest segment, or "
                "with samples not older than a duration"},
    {FIELD(conf, external_labels), .type = OPTION_CUSTOM, .bind = bind_external_labels,
     .kind = "map of names to values", .shown = "`{}`",
     .meaning = "labels added to each series that does not have them; `${VAR}` is the variable of "
                "that name, `$$` a dollar"},
    {.key = "remote_write",
     .offset = offsetof(struct conf, destinations),
     .count_offset = offsetof(struct conf, destinations_count),
     .type = OPTION_LIST,
     .max = DESTINATIONS_MAX,
     .table = &conf_table_destination,
     .shown = "required, or `use_remote_write`",
     .meaning = "the destinations, each on its own; at most 32"},
    {FIELD(conf, prometheus_config), .type = OPTION_PATH, .shown = "none",
     .meaning = "a prometheus.yml whose `external_labels` are taken over, but for those that stand "
                "here too. When that file changes it is read again, as if by a reload"},
    {FIELD(conf, use_remote_write), .type = OPTION_BOOL, .initial = "false",
     .meaning = "take the `remote_write` blocks of `prometheus_config` too. Refused while the "
                "Prometheus at `prometheus_url` still sends to one of them itself"},
    {FIELD(conf, prometheus_url), .type = OPTION_CUSTOM, .bind = bind_prometheus_url, .kind = "URL",
     .shown = "none",
     .meaning =
         "the running Prometheus, such as `http://127.0.0.1:9090`: asked for metadata and, with "
         "`use_remote_write`, at the start and at each reload whether it still sends to the "
         "same URLs"},
    {FIELD(conf, web_config), .type = OPTION_PATH, .shown = "none",
     .meaning = "a file with TLS and basic auth of the status pages, below. It and the files it "
                "names are read again when they change"},
};

const struct option_table conf_table_top = {
    .title = "The file",
    TABLE_OF(top_options),
    .bytes = sizeof(struct conf),
    .check = check_top,
};

/* test_bind.c - whole files against the option tables: what each bad one is told, word for word,
 * and what the program gets of a good one. */
#include <check.h>
#include <walship/conf_yaml.h>
#include <walship/limits.h>

#define GOOD_REMOTE "remote_write: [{url: 'http://a/w'}]\n"
#define HEAD        "wal_dir: /p/data/wal\n"
/* the first column of a remote_write element of HEAD + ELEMENT is 5, in line 3 */
#define ELEMENT HEAD "remote_write:\n  - "

static struct conf *bind(const char *text, struct conf_problems *problems)
{
    struct conf_yaml *yaml = conf_yaml_parse(text, strlen(text), "F", problems);
    struct conf *conf = NULL;
    if (yaml != NULL) {
        conf = conf_bind(conf_yaml_root(yaml), "F", problems);
    }
    conf_yaml_free(yaml);
    return conf;
}

static const struct {
    const char *text;
    const char *told;
} bad[] = {
    /* the whole */
    {"", "F:1:1: wal_dir is required\nF:1:1: remote_write is required\n"},
    {"- a",
     "F:1:1: the configuration must be a map, found a list\nF:1:1: remote_write is required\n"},
    {"a", "F:1:1: the configuration must be a map, found a single value\n"
          "F:1:1: remote_write is required\n"},
    {GOOD_REMOTE, "F:1:1: wal_dir is required\n"},
    {HEAD, "F:1:1: remote_write is required\n"},
    {HEAD "remote_write:\n", "F:1:1: remote_write is required\n"},
    {HEAD "remote_write: []\n", "F:2:15: remote_write must have at least one element\n"},
    {HEAD "remote_write: {url: x}\n", "F:2:15: remote_write must be a list, found a map\n"},
    {HEAD "remote_write: [http://a]\n",
     "F:2:16: an element of remote_write must be a map, found a single value\n"},
    {HEAD "remote_write:\n  -\n", "F:3:4: empty or null remote write config section\n"},
    /* keys */
    {HEAD GOOD_REMOTE "wal_dri: x\n",
     "F:3:1: unknown key \"wal_dri\", did you mean \"wal_dir\"?\n"},
    {HEAD GOOD_REMOTE "frobnicate: x\n", "F:3:1: unknown key \"frobnicate\"\n"},
    {HEAD GOOD_REMOTE "? [a]\n: x\n", "F:3:3: a key must be a single value, found a list\n"},
    {HEAD GOOD_REMOTE "? {a: b}\n: x\n", "F:3:3: a key must be a single value, found a map\n"},
    {HEAD GOOD_REMOTE "wal_dir: /q\n", "F:3:1: key \"wal_dir\" already set in line 1\n"},
    {ELEMENT "url: http://a\n    ulr: http://b\n",
     "F:4:5: unknown key \"ulr\", did you mean \"url\"?\n"},
    {ELEMENT "url: http://a\n    queue_config: {max_shard: 1}\n",
     "F:4:20: unknown key \"max_shard\", did you mean \"max_shards\"?\n"},
    {HEAD GOOD_REMOTE "use_remote_write: true\n",
     "F:3:19: use_remote_write needs prometheus_config, the file to take the blocks from\n"},
    {HEAD GOOD_REMOTE "prometheus_url: localhost\n",
     "F:3:17: prometheus_url must be a URL such as http://127.0.0.1:9090\n"},
    {HEAD GOOD_REMOTE "prometheus_url: http://u:geheim@10.0.0.1\n",
     "F:3:17: prometheus_url must be a URL such as http://127.0.0.1:9090\n"},
    {ELEMENT "url: http://a\n    metadata_config: {send_interval: 0s}\n",
     "F:4:38: metadata_config send_interval must be positive\n"},
    {ELEMENT "url: http://a\n    protobuf_message: nosuch\n",
     "F:4:23: invalid protobuf_message value: unknown type for remote write protobuf message, "
     "supported: prometheus.WriteRequest, io.prometheus.write.v2.Request\n"},
    /* relabelling: each rule as src/relabel says it */
    {ELEMENT "url: http://a\n    write_relabel_configs: {}\n",
     "F:4:28: write_relabel_configs must be a list, found a map\n"},
    {ELEMENT "url: http://a\n    write_relabel_configs: [~]\n",
     "F:4:29: empty or null relabeling rule in remote write config\n"},
    {ELEMENT "url: http://a\n    write_relabel_configs: [a]\n",
     "F:4:29: an element of write_relabel_configs must be a map, found a single value\n"},
    {ELEMENT "url: http://a\n    write_relabel_configs: [{action: erase}]\n",
     "F:4:38: unknown relabel action \"erase\"\n"},
    {ELEMENT "url: http://a\n    write_relabel_configs: [{action: ~}]\n",
     "F:4:29: relabel action cannot be empty\n"},
    {ELEMENT "url: http://a\n    write_relabel_configs: [{action: keep, regex: '('}]\n",
     "F:4:51: error parsing regexp: missing closing ): `^(?s:()$`\n"},
    {ELEMENT "url: http://a\n    write_relabel_configs: [{action: keep, source_label: [a]}]\n",
     "F:4:44: unknown key \"source_label\", did you mean \"source_labels\"?\n"},
    {ELEMENT "url: http://a\n    write_relabel_configs: [{action: keep, source_labels: a}]\n",
     "F:4:59: source_labels must be a list, found a single value\n"},
    {ELEMENT "url: http://a\n    write_relabel_configs: [{action: keep, source_labels: [[a]]}]\n",
     "F:4:60: an element of source_labels must be a label name, found a list\n"},
    {ELEMENT "url: http://a\n    write_relabel_configs: [{source_labels: [a]}]\n",
     "F:4:29: relabel configuration for replace action requires 'target_label' value\n"},
    {ELEMENT
     "url: http://a\n    write_relabel_configs: [{action: hashmod, target_label: a, modulus: 0}]\n",
     "F:4:73: relabel configuration for hashmod requires non-zero modulus\n"},
    {ELEMENT
     "url: http://a\n    write_relabel_configs: [{action: labeldrop, regex: a, source_labels: []}]\n",
     "F:4:74: labeldrop action requires only 'regex', and no other fields\n"},
    {ELEMENT "url: http://a\n    write_relabel_configs: [{action: [keep]}]\n",
     "F:4:38: action must be a single value, found a list\n"},
    {ELEMENT "url: http://a\n    queue_config: {capacity: 0, min_shards: 0}\n",
     "F:4:30: remote write queue capacity must be positive\n"
     "F:4:45: remote write queue min_shards must be positive\n"},
    {ELEMENT "url: http://a\n    queue_config: {min_shards: 5, max_shards: 4}\n",
     "F:4:32: remote write queue min_shards must not be greater than max_shards\n"},
    /* every error, in the order of the file */
    {"listen_address: here\nstart_at: then\nx: y\n" GOOD_REMOTE,
     "F:1:1: wal_dir is required\n"
     "F:1:17: listen_address must be HOST:PORT or empty, found \"here\"\n"
     "F:2:11: start_at must be now, oldest or a duration such as 20m\n"
     "F:3:1: unknown key \"x\"\n"},
    /* types */
    {"wal_dir: [a]\n" GOOD_REMOTE, "F:1:10: wal_dir must be a single value, found a list\n"},
    {"wal_dir: ''\n" GOOD_REMOTE, "F:1:10: wal_dir must not be empty\n"},
    {HEAD GOOD_REMOTE "start_at: {a: b}\n",
     "F:3:11: start_at must be now, oldest or a duration such as 20m\n"},
    {HEAD GOOD_REMOTE "start_at: -1s\n",
     "F:3:11: start_at must be now, oldest or a duration such as 20m\n"},
    {ELEMENT "url: [http://a]\n", "F:3:10: url must be a single value, found a list\n"},
    {ELEMENT "url: http://a\n    queue_config: [1]\n",
     "F:4:19: queue_config must be a map, found a list\n"},
    {ELEMENT "url: http://a\n    remote_timeout: 30\n",
     "F:4:21: remote_timeout: not a valid duration string: \"30\"\n"},
    {ELEMENT "url: http://a\n    remote_timeout: ''\n",
     "F:4:21: remote_timeout: empty duration string\n"},
    {ELEMENT "url: http://a\n    remote_timeout: 0s\n",
     "F:4:21: remote_timeout must be positive\n"},
    {ELEMENT "url: http://a\n    placement: anywhere\n",
     "F:4:16: placement must be failover or pinned, found \"anywhere\"\n"},
    {ELEMENT "url: http://a\n    shard_by: cluster\n",
     "F:4:15: shard_by must be a list, found a single value\n"},
    {ELEMENT "url: http://a\n    shard_by: [a, '', [b]]\n",
     "F:4:19: an element of shard_by must be a label name\n"
     "F:4:23: an element of shard_by must be a label name\n"},
    {ELEMENT "url: http://a\n    quota: {samples_per_minute: many}\n",
     "F:4:33: samples_per_minute must be a whole number, found \"many\"\n"},
    {ELEMENT "url: http://a\n    quota: {samples_per_minute: '5'}\n",
     "F:4:33: samples_per_minute must be a whole number, found \"5\"\n"},
    {ELEMENT "url: http://a\n    quota: {samples_per_minute: 9223372036854775808}\n",
     "F:4:33: samples_per_minute must be a whole number, found \"9223372036854775808\"\n"},
    {ELEMENT "url: http://a\n    quota: {samples_per_minute: 09}\n",
     "F:4:33: samples_per_minute must be a whole number, found \"09\"\n"},
    {ELEMENT "url: http://a\n    quota: {samples_per_minute: 1 0}\n",
     "F:4:33: samples_per_minute must be a whole number, found \"1 0\"\n"},
    {ELEMENT "url: http://a\n    quota: {bytes_per_minute: 50XB}\n",
     "F:4:31: bytes_per_minute must be a size such as 1048576 or 10MB, found \"50XB\"\n"},
    {ELEMENT "url: http://a\n    queue_config: {retry_on_http_429: 'true'}\n",
     "F:4:39: retry_on_http_429 must be true or false, found \"true\"\n"},
    /* ranges, in Prometheus' words where it has some */
    {ELEMENT "url: http://a\n    queue_config: {max_shards: 0}\n",
     "F:4:32: remote write queue max_shards must be positive\n"},
    {ELEMENT "url: http://a\n    queue_config: {max_shards: -1}\n",
     "F:4:32: remote write queue max_shards must be positive\n"},
    {ELEMENT "url: http://a\n    queue_config: {max_shards: 4294967296}\n",
     "F:4:32: remote write queue max_shards must be positive\n"},
    {ELEMENT "url: http://a\n    queue_config: {max_samples_per_send: 20001}\n",
     "F:4:42: remote write queue max_samples_per_send must be positive and at most 20000\n"},
    {ELEMENT "url: http://a\n    queue_config: {max_bytes_per_send: 17MB}\n",
     "F:4:40: max_bytes_per_send must be between 1024 and 16777216\n"},
    {ELEMENT "url: http://a\n    queue_config: {max_bytes_per_send: 1}\n",
     "F:4:40: max_bytes_per_send must be between 1024 and 16777216\n"},
    {ELEMENT "url: http://a\n    queue_config: {min_backoff: 2s, max_backoff: 1s}\n",
     "F:4:50: remote write queue max_backoff must not be less than min_backoff\n"},
    {ELEMENT "url: http://a\n    queue_config: {min_backoff: 6s}\n",
     "F:4:33: remote write queue max_backoff must not be less than min_backoff\n"},
    {ELEMENT "url: http://a\n    queue_config: {min_backoff: 0s}\n",
     "F:4:33: remote write queue min_backoff must be positive\n"},
    {ELEMENT "endpoints: [{url: 'http://a', weight: 0}]\n",
     "F:3:43: weight must be above 0 and at most 1000000\n"},
    {ELEMENT "endpoints: [{url: 'http://a', weight: nan}]\n",
     "F:3:43: weight must be a number, found \"nan\"\n"},
    {ELEMENT "endpoints: [{url: 'http://a', weight: -1}]\n",
     "F:3:43: weight must be above 0 and at most 1000000\n"},
    /* URLs */
    {ELEMENT "name: a\n", "F:3:5: url for remote_write is empty\n"},
    {ELEMENT "url:\n", "F:3:5: url for remote_write is empty\n"},
    {ELEMENT "url: ''\n", "F:3:10: url for remote_write is empty\n"},
    {ELEMENT "endpoints: [{weight: 1}]\n", "F:3:17: url for remote_write is empty\n"},
    {ELEMENT "endpoints: []\n", "F:3:16: endpoints must have at least one element\n"},
    {ELEMENT "url: localhost:9090/w\n",
     "F:3:10: url for remote_write has no scheme: it must begin with http:// or https://\n"},
    {ELEMENT "url: ftp://a\n",
     "F:3:10: url for remote_write: unsupported protocol scheme \"ftp\"\n"},
    {ELEMENT "url: http:///w\n", "F:3:10: url for remote_write has no host\n"},
    {ELEMENT "url: http://a:b@c:x/w\n", "F:3:10: url for remote_write has an invalid port\n"},
    {ELEMENT "url: http://user:secret@host/\n",
     "F:3:10: url for remote_write: a password must not go over plain http to another machine\n"},
    {ELEMENT "url: \"http://a\\nb\"\n",
     "F:3:10: url for remote_write has a blank or control character\n"},
    {ELEMENT "url: http://a\n    endpoints: [{url: 'http://b'}]\n",
     "F:3:10: at most one of url & endpoints must be configured\n"},
    {ELEMENT "endpoints: [{url: 'http://b'}]\n    url: http://a\n",
     "F:4:10: at most one of url & endpoints must be configured\n"},
    {ELEMENT "endpoints:\n      - url: https://u:p@a/w?x=1\n      - url: https://a/w?x=2\n",
     "F:5:14: endpoint https://a/w is already in line 4 (the query does not count)\n"},
    /* names */
    {ELEMENT "{name: x, url: 'http://a'}\n  - {name: x, url: 'http://b'}\n",
     "F:4:5: found multiple remote write configs with job name \"x\"\n"},
    {ELEMENT "{url: 'http://a/?b'}\n  - {url: 'http://a/?c'}\n",
     "F:4:5: duplicate remote write configs are not allowed, found duplicate for URL: http://a/ "
     "(give them names)\n"},
    /* headers */
    {ELEMENT "url: http://a\n    headers: {authorization: x}\n",
     "F:4:15: authorization header must be changed via the basic_auth, authorization, oauth2, "
     "sigv4, azuread or google_iam parameter\n"},
    {ELEMENT "url: http://a\n    headers: {User-Agent: x}\n",
     "F:4:15: User-Agent is a reserved header. It must not be changed\n"},
    {ELEMENT "url: http://a\n    headers: {'a b': x}\n",
     "F:4:15: \"a b\" is not a valid header name\n"},
    {ELEMENT "url: http://a\n    headers: {a: \"secret\\r\\nb: c\"}\n",
     "F:4:15: the value of header a has a control character\n"},
    {ELEMENT "url: http://a\n    headers: {a: x, A: y}\n", "F:4:21: header A is set twice\n"},
    {ELEMENT "url: http://a\n    headers: {a: [x]}\n",
     "F:4:18: a of headers must be a single value, found a list\n"},
    {ELEMENT "url: http://a\n    headers: [a]\n", "F:4:14: headers must be a map, found a list\n"},
    /* labels */
    {HEAD GOOD_REMOTE "external_labels: {'': x}\n", "F:3:19: \"\" is not a valid label name\n"},
    {HEAD GOOD_REMOTE "external_labels: {a: x, a: y}\n",
     "F:3:25: key \"a\" already set in line 3\n"},
    {HEAD GOOD_REMOTE "external_labels: {? [a] : x}\n",
     "F:3:21: a key of external_labels must be a single value, found a list\n"},
    {HEAD GOOD_REMOTE "external_labels: a\n",
     "F:3:18: external_labels must be a map, found a single value\n"},
    /* Prometheus' directory stays untouched */
    {HEAD GOOD_REMOTE "state_dir: /p/data/wal\n",
     "F:3:12: state_dir must not lie in Prometheus' data directory /p/data: walship writes nothing "
     "there\n"},
    {HEAD GOOD_REMOTE "state_dir: /p/data/../data/x\n",
     "F:3:12: state_dir must not lie in Prometheus' data directory /p/data: walship writes nothing "
     "there\n"},
    {HEAD GOOD_REMOTE "spool_dir: /p/data/spool\n",
     "F:3:12: spool_dir must not lie in Prometheus' data directory /p/data: walship writes nothing "
     "there\n"},
    {"wal_dir: /var/lib\n" GOOD_REMOTE,
     "F:1:10: state_dir must not lie in Prometheus' data directory /var/lib: walship writes nothing "
     "there\n"},
    {HEAD GOOD_REMOTE "spool_min_free: 101%\n",
     "F:3:17: spool_min_free must be a percentage such as 10% or bytes\n"},
    {HEAD GOOD_REMOTE "spool_min_free: 10 %\n",
     "F:3:17: spool_min_free must be a percentage such as 10% or bytes\n"},
    /* addresses */
    {HEAD GOOD_REMOTE "listen_address: 127.0.0.1\n",
     "F:3:17: listen_address must be HOST:PORT or empty, found \"127.0.0.1\"\n"},
    {HEAD GOOD_REMOTE "listen_address: ::1:90\n",
     "F:3:17: listen_address must be HOST:PORT or empty, found \"::1:90\"\n"},
    {HEAD GOOD_REMOTE "listen_address: a:0\n",
     "F:3:17: listen_address must be HOST:PORT or empty, found \"a:0\"\n"},
    {HEAD GOOD_REMOTE "listen_address: a:65536\n",
     "F:3:17: listen_address must be HOST:PORT or empty, found \"a:65536\"\n"},
    {HEAD GOOD_REMOTE "listen_address: http://a:1\n",
     "F:3:17: listen_address must be HOST:PORT or empty, found \"http://a:1\"\n"},
};

START_TEST(a_bad_file_is_told_exactly_what_is_wrong)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf *conf = bind(bad[_i].text, &problems);
    ck_assert_msg(conf == NULL, "accepted:\n%s", bad[_i].text);
    ck_assert(buf_append(&problems.text, "", 1));
    ck_assert_str_eq((const char *)problems.text.data, bad[_i].told);
    conf_problems_release(&problems);
}

static struct conf *bind_good(const char *text)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf *conf = bind(text, &problems);
    ck_assert_msg(conf != NULL, "%.*s", (int)problems.text.bytes, (char *)problems.text.data);
    ck_assert_uint_eq(problems.count, 0);
    conf_problems_release(&problems);
    return conf;
}

START_TEST(the_shortest_file_gets_all_defaults)
{
    struct conf *conf = bind_good(HEAD GOOD_REMOTE);
    ck_assert_str_eq(conf->wal_dir, "/p/data/wal");
    ck_assert_str_eq(conf->state_dir, "/var/lib/walship");
    ck_assert_str_eq(conf->spool_dir, "/var/lib/walship/spool");
    ck_assert_uint_eq(conf->spool_max_bytes, (uint64_t)10 << 30);
    ck_assert_int_eq(conf->spool_max_age_ms, 0);
    ck_assert(conf->spool_min_free_percent && conf->spool_min_free == 10);
    ck_assert_str_eq(conf->listen_address, "127.0.0.1:9095");
    ck_assert_int_eq(conf->start_at, CONF_START_NOW);
    ck_assert_uint_eq(conf->external_labels_count, 0);
    ck_assert_uint_eq(conf->destinations_count, 1);
    const struct conf_destination *destination = &conf->destinations[0];
    ck_assert_str_eq(destination->name, "http://a/w");
    ck_assert_int_eq(destination->placement, CONF_FAILOVER);
    ck_assert(!destination->fold_case);
    ck_assert_int_eq(destination->remote_timeout_ms, 30000);
    ck_assert_uint_eq(destination->headers.count, 0);
    ck_assert_uint_eq(destination->shard_by_count, 0);
    ck_assert_uint_eq(destination->queue.max_shards, 8);
    ck_assert_uint_eq(destination->queue.max_samples_per_send, 2000);
    ck_assert_uint_eq(destination->queue.max_bytes_per_send, 1048576);
    ck_assert_int_eq(destination->queue.batch_send_deadline_ms, 1000);
    ck_assert_int_eq(destination->queue.min_backoff_ms, 30);
    ck_assert_int_eq(destination->queue.max_backoff_ms, 5000);
    ck_assert_int_eq(destination->queue.sample_age_limit_ms, 0);
    ck_assert(destination->queue.retry_on_http_429);
    ck_assert_uint_eq(destination->quota.samples_per_minute, 0);
    ck_assert_uint_eq(destination->endpoints_count, 1);
    ck_assert_str_eq(destination->endpoints[0].url, "http://a/w");
    ck_assert_double_eq_tol(destination->endpoints[0].weight, 1, 1e-9);
    ck_assert_uint_eq(destination->endpoints[0].line, 2);
    ck_assert_uint_eq(destination->endpoints[0].column, 22);
    conf_free(conf);
}

static const char everything[] =
    "wal_dir: data\n"
    "state_dir: ../state\n"
    "spool_dir: /spool\n"
    "spool_max_bytes: 5MB\n"
    "spool_max_age: 2h\n"
    "spool_min_free: 3GB\n"
    "listen_address: ''\n"
    "start_at: 20m\n"
    "external_labels: {zone: b, cluster: '${HOME}', number: 1, none: , empty: ''}\n"
    "remote_write:\n"
    "  - name: east\n"
    "    placement: pinned\n"
    "    shard_by: [cluster, pod]\n"
    "    remote_timeout: 1m\n"
    "    headers: {X-Scope-OrgID: 1, X-Empty: }\n"
    "    quota: {samples_per_minute: 1_000_000}\n"
    "    queue_config: &queue {max_shards: 200, max_samples_per_send: 0x1f4, max_bytes_per_send: 2MB,\n"
    "      batch_send_deadline: 5s, min_backoff: 1s, max_backoff: 1s, retry_on_http_429: no}\n"
    "    endpoints:\n"
    "      - url: https://u:p@dce.eastus-1.metrics.ingest.monitor.azure.com/d?api-version=1\n"
    "        quota: {requests_per_minute: 15000, bytes_per_minute: 50GB}\n"
    "      - {url: 'http://b/w', weight: 2.5}\n"
    "  - url: http://b/w\n"
    "    queue_config: *queue\n"
    "  - name: http://c/w\n"
    "    url: https://x.metrics.ingest.monitor.azure.com/d\n"
    "    queue_config: {sample_age_limit: 0s}\n";

START_TEST(a_full_file_fills_every_field)
{
    struct conf *conf = bind_good(everything);
    ck_assert_str_eq(conf->wal_dir, "data");
    ck_assert_str_eq(conf->state_dir, "../state");
    ck_assert_str_eq(conf->spool_dir, "/spool");
    ck_assert_uint_eq(conf->spool_max_bytes, 5 << 20);
    ck_assert_int_eq(conf->spool_max_age_ms, 7200000);
    ck_assert(!conf->spool_min_free_percent && conf->spool_min_free == (uint64_t)3 << 30);
    ck_assert_str_eq(conf->listen_address, "");
    ck_assert_int_eq(conf->start_at, CONF_START_AGO);
    ck_assert_int_eq(conf->start_ago_ms, 1200000);
    ck_assert_uint_eq(conf->external_labels_count, 3);
    static const char *const labels[][2] = {{"cluster", "${HOME}"}, {"number", "1"}, {"zone", "b"}};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(conf->external_labels[i].name, labels[i][0]);
        ck_assert_str_eq(conf->external_labels[i].value, labels[i][1]);
        ck_assert_uint_eq(conf->external_labels[i].name_bytes, strlen(labels[i][0]));
        ck_assert_uint_eq(conf->external_labels[i].value_bytes, strlen(labels[i][1]));
    }
    ck_assert_uint_eq(conf->destinations_count, 3);
    conf_free(conf);
}

START_TEST(a_full_destination_fills_every_field)
{
    struct conf *conf = bind_good(everything);
    const struct conf_destination *east = &conf->destinations[0];
    ck_assert_str_eq(east->name, "east");
    ck_assert_uint_eq(east->line, 11);
    ck_assert_uint_eq(east->column, 5);
    ck_assert_int_eq(east->placement, CONF_PINNED);
    ck_assert_uint_eq(east->shard_by_count, 2);
    ck_assert_str_eq(east->shard_by[1], "pod");
    ck_assert_int_eq(east->remote_timeout_ms, 60000);
    ck_assert_uint_eq(east->headers.count, 2);
    ck_assert_str_eq(east->headers.rows[0].name, "X-Scope-OrgID");
    ck_assert_str_eq(east->headers.rows[0].value, "1");
    ck_assert_str_eq(east->headers.rows[1].value, "");
    ck_assert_uint_eq(east->quota.samples_per_minute, 1000000);
    ck_assert_uint_eq(east->queue.max_shards, REQUESTS_IN_FLIGHT_MAX);
    ck_assert_uint_eq(east->queue.max_samples_per_send, 500);
    ck_assert_uint_eq(east->queue.max_bytes_per_send, 2097152);
    ck_assert_int_eq(east->queue.batch_send_deadline_ms, 5000);
    ck_assert_int_eq(east->queue.min_backoff_ms, 1000);
    ck_assert_int_eq(east->queue.max_backoff_ms, 1000);
    ck_assert(!east->queue.retry_on_http_429);
    ck_assert_uint_eq(east->endpoints_count, 2);
    ck_assert_str_eq(east->endpoints[0].shown,
                     "https://dce.eastus-1.metrics.ingest.monitor.azure.com/d");
    ck_assert_str_eq(east->endpoints[0].key, east->endpoints[0].shown);
    ck_assert_ptr_nonnull(strstr(east->endpoints[0].url, "u:p@"));
    ck_assert_uint_eq(east->endpoints[0].quota.bytes_per_minute, 53687091200);
    ck_assert_uint_eq(east->endpoints[0].quota.requests_per_minute, 15000);
    ck_assert_double_eq_tol(east->endpoints[1].weight, 2.5, 1e-9);
    conf_free(conf);
}

START_TEST(azure_folds_case_and_limits_the_age_unless_told)
{
    struct conf *conf = bind_good(everything);
    ck_assert(conf->destinations[0].fold_case);
    ck_assert_int_eq(conf->destinations[0].queue.sample_age_limit_ms, 19 * 60000);
    ck_assert(!conf->destinations[1].fold_case);
    ck_assert_int_eq(conf->destinations[1].queue.sample_age_limit_ms, 0);
    ck_assert_uint_eq(conf->destinations[1].queue.max_samples_per_send, 500);
    ck_assert(conf->destinations[2].fold_case);
    ck_assert_int_eq(conf->destinations[2].queue.sample_age_limit_ms, 0);
    conf_free(conf);
}

START_TEST(paths_are_relative_to_the_file)
{
    static const char text[] = "wal_dir: wal\nstate_dir: ../s\n" GOOD_REMOTE;
    struct conf_problems problems;
    conf_problems_init(&problems);
    struct conf_yaml *yaml = conf_yaml_parse(text, strlen(text), "/etc/w/c.yml", &problems);
    ck_assert_ptr_nonnull(yaml);
    struct conf *conf = conf_bind(conf_yaml_root(yaml), "/etc/w/c.yml", &problems);
    conf_yaml_free(yaml);
    ck_assert_ptr_nonnull(conf);
    ck_assert_str_eq(conf->wal_dir, "/etc/w/wal");
    ck_assert_str_eq(conf->state_dir, "/etc/s");
    ck_assert_str_eq(conf->spool_dir, "/etc/s/spool");
    conf_free(conf);
    conf_problems_release(&problems);
}

START_TEST(a_flood_of_problems_is_cut_and_says_so)
{
    struct buf text;
    struct conf_problems problems;
    buf_init(&text, 1 << 16);
    for (int i = 0; i < 1000; i++) {
        ck_assert(buf_format(&text, "no_such_key_%d: x\n", i));
    }
    ck_assert(buf_append(&text, "", 1));
    conf_problems_init(&problems);
    ck_assert_ptr_null(bind((const char *)text.data, &problems));
    ck_assert_uint_eq(problems.count, 201);
    ck_assert(buf_append(&problems.text, "", 1));
    ck_assert_ptr_nonnull(strstr((char *)problems.text.data, "more problems are not shown"));
    conf_problems_release(&problems);
    buf_release(&text);
}

START_TEST(a_value_cannot_forge_a_second_problem)
{
    struct conf_problems problems;
    conf_problems_init(&problems);
    ck_assert_ptr_null(bind(HEAD GOOD_REMOTE "\"a\\nF:9:9: forged\": x\n", &problems));
    ck_assert(buf_append(&problems.text, "", 1));
    ck_assert_str_eq((char *)problems.text.data, "F:3:1: unknown key \"a F:9:9: forged\"\n");
    conf_problems_release(&problems);
}

Suite *suite_bind(void);
Suite *suite_bind(void)
{
    Suite *suite = suite_create("bind");
    TCase *cases = tcase_create("bind");
    tcase_add_loop_test(cases, a_bad_file_is_told_exactly_what_is_wrong, 0, (int)ARRAY_COUNT(bad));
    tcase_add_test(cases, the_shortest_file_gets_all_defaults);
    tcase_add_test(cases, a_full_file_fills_every_field);
    tcase_add_test(cases, a_full_destination_fills_every_field);
    tcase_add_test(cases, azure_folds_case_and_limits_the_age_unless_told);
    tcase_add_test(cases, paths_are_relative_to_the_file);
    tcase_add_test(cases, a_flood_of_problems_is_cut_and_says_so);
    tcase_add_test(cases, a_value_cannot_forge_a_second_problem);
    suite_add_tcase(suite, cases);
    return suite;
}

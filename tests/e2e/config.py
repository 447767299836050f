#!/usr/bin/env python3
"""One table of remote_write blocks, given to `promtool check config` and to `walship check`: each is accepted by both or refused by
both, but for those that are marked with why walship differs (docs/CONFIG.md says the same). They follow the good and the bad
examples of Prometheus' own tests, written anew.

Then prometheus_config: the same blocks out of a prometheus.yml, and the refusal while a running Prometheus has them too.
"""
import os
import re
import subprocess

import lib

PROMTOOL, PROMETHEUS = lib.peer("prom3", "promtool"), lib.peer("prom3")
GUID = "00000000-0000-0000-0000-000000000001"
GUID2 = "00000000-0000-0000-0000-000000000002"
U = "url: 'https://r.example/w'"

# (block, accepted by Prometheus or None where its versions differ, what walship says where it differs)
TABLE = [
    # the whole
    ("{%s}" % U, True, None),
    ("{url: 'http://r.example/w'}", True, None),
    ("{}", False, None),
    ("null", False, None),
    ("{url: ''}", True, "url for remote_write is empty"),
    ("{url: 'http://r.example/w', bogus: 1}", False, None),
    ("{%s, name: a}" % U, True, None),
    ("{%s, name: 'with space'}" % U, True, None),
    ("{%s, remote_timeout: 1m30s}" % U, True, None),
    ("{%s, remote_timeout: fast}" % U, False, None),
    ("{%s, remote_timeout: 1.5s}" % U, False, None),
    ("{%s, remote_timeout: -1s}" % U, False, None),
    ("{%s, round_robin_dns: true}" % U, True, None),
    ("{%s, send_exemplars: true}" % U, True, None),
    ("{%s, send_exemplars: maybe}" % U, False, None),
    ("{%s, send_native_histograms: true}" % U, True, None),
    ("{%s, protobuf_message: prometheus.WriteRequest}" % U, True, None),
    ("{%s, protobuf_message: io.prometheus.write.v2.Request}" % U, True, None),
    ("{%s, protobuf_message: io.prometheus.write.v3.Request}" % U, False, None),
    ("{%s, metadata_config: {send: false}}" % U, True, None),
    ("{%s, metadata_config: {send: true, send_interval: 30s, max_samples_per_send: 100}}" % U, True, None),
    ("{%s, metadata_config: {sent: true}}" % U, False, None),
    # headers
    ("{%s, headers: {X-Scope-OrgID: a}}" % U, True, None),
    ("{%s, headers: {Authorization: a}}" % U, False, None),
    ("{%s, headers: {content-encoding: a}}" % U, False, None),
    ("{%s, headers: {User-Agent: a}}" % U, False, None),
    ("{%s, headers: {X-Prometheus-Remote-Write-Version: a}}" % U, False, None),
    ("{%s, headers: {x-amz-date: a}}" % U, False, None),
    ("{%s, http_headers: {X-A: {values: [a, b], secrets: [c]}}}" % U, True, None),
    ("{%s, http_headers: {Host: {values: [a]}}}" % U, False, None),
    ("{%s, http_headers: {X-A: {value: [a]}}}" % U, False, None),
    # the queue
    ("{%s, queue_config: {capacity: 10000, max_shards: 50, min_shards: 1, max_samples_per_send: 2000, batch_send_deadline: 5s, "
     "min_backoff: 30ms, max_backoff: 5s, retry_on_http_429: true, sample_age_limit: 1h}}" % U, True, None),
    ("{%s, queue_config: {max_shards: 200}}" % U, True, None),
    ("{%s, queue_config: {min_shards: 10}}" % U, True, None),
    ("{%s, queue_config: {max_shard: 2}}" % U, False, None),
    ("{%s, queue_config: {max_shards: many}}" % U, False, None),
    ("{%s, queue_config: {max_shards: -1}}" % U, None, "max_shards must be positive"),
    ("{%s, queue_config: {batch_send_deadline: soon}}" % U, False, None),
    ("{%s, queue_config: {max_samples_per_send: 50000}}" % U, True, "must be positive and at most 20000"),
    # one way to authenticate
    ("{%s, basic_auth: {username: a, password: b}}" % U, True, None),
    ("{%s, basic_auth: {username: a, password_file: b}}" % U, True, None),
    ("{%s, basic_auth: {username: a, password: b, password_file: c}}" % U, False, None),
    ("{%s, basic_auth: {username: a, username_file: c}}" % U, False, None),
    ("{%s, authorization: {credentials: a}}" % U, True, None),
    ("{%s, authorization: {type: Token, credentials_file: a}}" % U, True, None),
    ("{%s, authorization: {type: Basic, credentials: a}}" % U, False, None),
    ("{%s, authorization: {credentials: a, credentials_file: b}}" % U, False, None),
    ("{%s, bearer_token: a}" % U, True, None),
    ("{%s, bearer_token: a, bearer_token_file: b}" % U, False, None),
    ("{%s, bearer_token: a, basic_auth: {username: a, password: b}}" % U, False, None),
    ("{%s, basic_auth: {username: a, password: b}, authorization: {credentials: a}}" % U, False, None),
    ("{%s, oauth2: {client_id: a, client_secret: b, token_url: 'https://t.example/t'}}" % U, True, None),
    ("{%s, oauth2: {client_id: a, client_secret: b, token_url: 'https://t.example/t', scopes: [x], endpoint_params: {p: q}, "
     "tls_config: {insecure_skip_verify: true}, proxy_url: 'http://p.example:1'}}" % U, True, None),
    ("{%s, oauth2: {client_id: a, client_secret: b}}" % U, False, None),
    ("{%s, oauth2: {client_secret: b, token_url: 'https://t.example/t'}}" % U, False, None),
    ("{%s, oauth2: {client_id: a, client_secret: b, client_secret_file: c, token_url: 'https://t.example/t'}}" % U, False, None),
    ("{%s, oauth2: {client_id: a, client_secret: b, token_url: 'https://t.example/t'}, basic_auth: {username: a, password: b}}" % U, False,
     None),
    ("{%s, sigv4: {region: us-east-1}}" % U, True, "sigv4 is not supported"),
    ("{%s, google_iam: {credentials_file: a}}" % U, True, "google_iam is not supported"),
    ("{%s, sigv4: {region: us-east-1}, azuread: {managed_identity: {client_id: %s}}}" % (U, GUID), False, None),
    # azuread
    ("{%s, azuread: {managed_identity: {client_id: %s}}}" % (U, GUID), True, None),
    ("{%s, azuread: {cloud: AzurePublic, managed_identity: {client_id: %s}}}" % (U, GUID), True, None),
    ("{%s, azuread: {cloud: AzureChina, oauth: {client_id: %s, client_secret: s, tenant_id: %s}}}" % (U, GUID, GUID2), True, None),
    ("{%s, azuread: {cloud: azurepublic, managed_identity: {client_id: %s}}}" % (U, GUID), False, None),
    ("{%s, azuread: {managed_identity: {client_id: nobody}}}" % U, False, None),
    ("{%s, azuread: {cloud: AzurePublic}}" % U, False, None),
    ("{%s, azuread: {managed_identity: {client_id: %s}, sdk: {tenant_id: %s}}}" % (U, GUID, GUID2), False, None),
    ("{%s, azuread: {oauth: {client_id: %s, tenant_id: %s}}}" % (U, GUID, GUID2), False, None),
    ("{%s, azuread: {oauth: {client_id: nobody, client_secret: s, tenant_id: %s}}}" % (U, GUID2), False, None),
    ("{%s, azuread: {oauth: {client_id: %s, client_secret: s}}}" % (U, GUID), False, None),
    ("{%s, azuread: {sdk: {tenant_id: %s}}}" % (U, GUID2), True, None),
    ("{%s, azuread: {managed_identity: {client_id: %s}, bogus: 1}}" % (U, GUID), False, None),
    ("{%s, azuread: {managed_identity: {client_id: %s}}, basic_auth: {username: a, password: b}}" % (U, GUID), False, None),
    # TLS and the proxy
    ("{%s, tls_config: {ca_file: a, cert_file: b, key_file: c, server_name: d, insecure_skip_verify: true, min_version: TLS12}}" % U, True,
     None),
    ("{%s, tls_config: {cert_file: b}}" % U, False, None),
    ("{%s, tls_config: {ca: x, ca_file: y}}" % U, False, None),
    ("{%s, tls_config: {min_version: TLS99}}" % U, False, None),
    ("{%s, tls_config: {min_version: TLS13, max_version: TLS12}}" % U, None, "max_version must be greater"),
    ("{%s, proxy_url: 'http://p.example:3128', no_proxy: 'a,b'}" % U, True, None),
    ("{%s, no_proxy: a}" % U, False, None),
    ("{%s, proxy_from_environment: true}" % U, True, None),
    ("{%s, proxy_from_environment: true, proxy_url: 'http://p.example:3128'}" % U, False, None),
    ("{%s, proxy_connect_header: {X-A: [b]}}" % U, False, None),
    ("{%s, follow_redirects: false, enable_http2: true}" % U, True, None),
    # relabelling
    ("{%s, write_relabel_configs: [{source_labels: [a], regex: b, action: drop}]}" % U, True, None),
    ("{%s, write_relabel_configs: [{source_labels: [a, b], separator: '-', target_label: c, replacement: '$1'}]}" % U, True, None),
    ("{%s, write_relabel_configs: [{source_labels: [a], modulus: 4, target_label: b, action: hashmod}]}" % U, True, None),
    ("{%s, write_relabel_configs: [{regex: 'a|b', action: labeldrop}]}" % U, True, None),
    ("{%s, write_relabel_configs: [{source_labels: [a], target_label: b, action: keepequal}]}" % U, True, None),
    ("{%s, write_relabel_configs: [{source_labels: [a], action: erase}]}" % U, False, None),
    ("{%s, write_relabel_configs: [{source_labels: [a], regex: '(', action: drop}]}" % U, False, None),
    ("{%s, write_relabel_configs: [{source_labels: [a], regex: '(?=b)', action: drop}]}" % U, False, None),
    ("{%s, write_relabel_configs: [{source_labels: [a], action: hashmod, target_label: b}]}" % U, False, None),
    ("{%s, write_relabel_configs: [{source_labels: [a], action: replace}]}" % U, False, None),
    ("{%s, write_relabel_configs: [{regex: a, source_labels: [b], action: labelkeep}]}" % U, False, None),
    ("{%s, write_relabel_configs: [null]}" % U, False, None),
    ("{%s, write_relabel_configs: [{sourcelabels: [a]}]}" % U, False, None),
]
LACKING = "not found in type config.plain"
EXTERNAL = [
    ("{cluster: prod}", True, None),
    ("{cluster: '${NO_SUCH_VARIABLE}x'}", True, None),
    ("{'with.dot': a}", True, None),
    ("{'': a}", False, None),
    ("[a]", False, None),
]
account, stage = lib.Account("config", quiet=True), lib.Stage("config")
verdict, write = account.verdict, stage.write


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def prometheus_says(text):
    return run(PROMTOOL, "check", "config", "--syntax-only", write("prometheus.yml", text))


def walship_says(text, name="walship.yml"):
    return run(lib.WALSHIP, "check", "--config", write(name, f"wal_dir: {stage.dir}/data/wal\nstate_dir: {stage.dir}/state\n{text}"))


def compare(what, theirs, ours, difference):
    accepted, their_text = prometheus_says(theirs)
    good, our_text = walship_says(ours)
    if LACKING in their_text and "bogus" not in what[0]:  # Debian's build is without it: the table speaks for Prometheus
        accepted = what[1]
    if what[1] is not None and accepted != what[1]:
        return verdict(what[0], f"the table is wrong: promtool says {their_text}")
    if difference is not None:
        return verdict(what[0], None if not good and difference in our_text else f"walship should refuse it ({difference}): {our_text}")
    if accepted != good:
        return verdict(what[0], f"promtool: {'accepted' if accepted else their_text}; walship: {'accepted' if good else our_text}")
    if not good and not re.match(r"\S+:\d+:\d+: \S", our_text):
        return verdict(what[0], f"no place in {our_text}")
    return verdict(what[0])


def guard():
    """use_remote_write is refused while the Prometheus there has the block too."""
    with_block, without = lib.free_ports(2)
    for port, name, url in ((with_block, "blocks.yml", "write?a=b"), (without, "plain.yml", "other")):
        config = write(name, f"remote_write: [{{url: 'http://127.0.0.1:9/{url}'}}]\n")
        process = stage.start("prometheus.log", PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={stage.path(f'tsdb-{port}')}",
                              f"--web.listen-address=127.0.0.1:{port}")
        stage.started_well(process, f"http://127.0.0.1:{port}/-/ready", "prometheus.log")
    for port, wanted in ((with_block, "everything would arrive twice"), (without, None)):
        config = write("guard.yml", f"wal_dir: {stage.dir}/data/wal\nstate_dir: {stage.dir}/state\nlisten_address: ''\nprometheus_config: blocks.yml\n"
                                    f"use_remote_write: true\nprometheus_url: http://127.0.0.1:{port}/\n")
        done = subprocess.run([lib.WALSHIP, "run", "--once", "--timeout", "1s", "--config", config], capture_output=True, text=True,
                              timeout=60, check=False)
        refused = "would arrive twice" in done.stderr
        verdict(f"use_remote_write beside {'the same' if wanted else 'another'} block",
                None if refused == (wanted is not None) else done.stderr)


def main():
    if not lib.is_there(PROMTOOL, PROMETHEUS):
        print("SKIP config: Prometheus 3 could not be had")
        return 77
    os.makedirs(stage.path("data", "wal"))
    write("data/wal/00000000", "")
    for name in "abcy":
        write(name, "x\n")
    for block, accepted, difference in TABLE:
        text = f"remote_write:\n- {block}\n"
        compare((block, accepted), text, text, difference)
        # the same block out of a prometheus.yml
        write("taken.yml", f"scrape_configs: [{{job_name: a}}]\n{text}")
        here, said = walship_says("prometheus_config: taken.yml\nuse_remote_write: true\n")
        verdict(f"taken: {block}", None if here == (accepted and difference is None) or accepted is None else said)
    for labels, accepted, difference in EXTERNAL:
        compare((labels, accepted), f"global: {{external_labels: {labels}}}\n",
                f"external_labels: {labels}\nremote_write: [{{{U}}}]\n", difference)
    guard()
    print(f"{len(TABLE) + len(EXTERNAL)} of them against promtool")
    return account.end()


if __name__ == "__main__":
    lib.run(main, stage)

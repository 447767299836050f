#!/usr/bin/env python3
"""The mixin's three remote-write alerts over walship's own pages. One live Prometheus, one walship for each situation; each
walship's /metrics is read again and again, and `promtool test rules` takes a page for a minute: 20 of them are 20 minutes. What
each alert compares is either a ratio of rates or two gauges, so stretching the time changes nothing but the waiting.

A page is read once more has arrived and more was refused, so that a busy machine makes the minutes longer and nothing else.

  good        nothing fires
  dead        its receiver never answers: PrometheusRemoteWriteBehind
  slow        one request at a time, and each takes long: PrometheusRemoteWriteDesiredShards
  refusing    its receiver refuses one series of some forty for good: PrometheusRemoteStorageFailures
"""
import json
import os
import subprocess
import sys
import time

import lib

PROMTOOL = lib.peer("prom3", "promtool")
RULES = os.path.join(lib.ROOT, "tests", "e2e", "mixin", "rules.yml")
PAGES = 21
SETTLE_S = 150  # at most, until each situation is there
SITUATIONS = {
    "good": [],
    "dead": ["PrometheusRemoteWriteBehind"],
    "slow": ["PrometheusRemoteWriteDesiredShards"],
    "refusing": ["PrometheusRemoteStorageFailures"],
}
EMULATOR_PORT, PROMETHEUS_PORT, EXPORTER_PORT, DEAD_PORT, REFUSING_PORT, POISON_PORT, *STATUS_PORTS = lib.free_ports(6 + len(SITUATIONS))
stage = lib.Stage("alerts")
ask = lib.ask


class Poison(lib.Quiet):
    """Nothing at first: a receiver that has taken something is known to take something."""
    wanted = False

    def do_GET(self):
        text = "" if not Poison.wanted else "".join(f'poisonous_total{{number="{i}"}} {int(time.time())}\n' for i in range(1))
        self.answer(200, text.encode())


class Refusing(lib.Quiet):
    """The first time that a text stands in a block, snappy leaves it as it is."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        poisoned = b"poisonous" in body
        self.answer(400 if poisoned else 204, b"label name poisonous is not allowed" if poisoned else b"")


def url_of(name):
    port = {"dead": DEAD_PORT, "refusing": REFUSING_PORT}.get(name, EMULATOR_PORT)
    return f"http://127.0.0.1:{port}/write/{name}"


def wait_until(what, condition, seconds):
    if not lib.wait_until(what, condition, seconds):
        sys.exit(f"FAIL waited for {what}")


def walship(name, port):
    queue = "{max_shards: 1, max_samples_per_send: 10}" if name == "slow" else "{}"
    config = stage.write(f"{name}.yml", f"""wal_dir: {stage.dir}/data/wal
state_dir: {stage.dir}/state.{name}
listen_address: 127.0.0.1:{port}
start_at: now
remote_write: [{{name: {name}, url: '{url_of(name)}', queue_config: {queue}}}]
""")
    stage.walship(config, f"{name}.log")


def metric(port, name):
    for key, value in series_of(ask(f"http://127.0.0.1:{port}/metrics")).items():
        if key.startswith(f"prometheus_remote_storage_{name}{{"):
            return float(value)
    return 0


def moved(ports):
    """What grows as long as each situation lasts."""
    return metric(ports["refusing"], "samples_failed_total"), metric(ports["good"], "samples_total"), metric(ports["slow"], "samples_total")


def series_of(page):
    """The lines of one page, less the timestamps they don't have."""
    return dict(line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("prometheus_remote_storage_"))


def with_job(key, instance):
    name, _, labels = key.partition("{")
    return f'{name}{{job="walship",instance="{instance}"{"," + labels if labels else "}"}'


def input_series(pages):
    out = []
    for instance, texts in pages.items():
        read = [series_of(text) for text in texts]
        for key in sorted(set().union(*read)):
            values = " ".join(page.get(key, "_") for page in read)
            out.append({"series": with_job(key, instance), "values": values})
    return out


def expected(alert):
    alerts = []
    for instance, names in SITUATIONS.items():
        if alert not in names:
            continue
        for generation in ("3.5", "today"):
            severity = "warning" if alert.endswith("DesiredShards") else "critical"
            alerts.append({"exp_labels": {"severity": severity, "generation": generation, "job": "walship", "instance": instance,
                                          "remote_name": instance, "url": url_of(instance)}})
    return alerts


def test_file(pages):
    names = sorted({name for names in SITUATIONS.values() for name in names})
    tests = [{"eval_time": f"{PAGES - 1}m", "alertname": name, "exp_alerts": expected(name)} for name in names]
    text = {"rule_files": [RULES], "evaluation_interval": "1m",
            "tests": [{"interval": "1m", "input_series": input_series(pages), "alert_rule_test": tests}]}
    return stage.write("test.yml", json.dumps(text, indent=1))


def main():
    if not lib.is_there(PROMTOOL):
        print("SKIP alerts: promtool could not be had")
        return 77
    stage.emulator(EMULATOR_PORT, list(SITUATIONS))
    lib.serve(POISON_PORT, Poison)
    lib.serve(REFUSING_PORT, Refusing)
    stage.exporter(EXPORTER_PORT, 40)
    stage.prometheus(lib.peer("prom242"), PROMETHEUS_PORT, [f"127.0.0.1:{EXPORTER_PORT}", f"127.0.0.1:{POISON_PORT}"])
    ask(f"http://127.0.0.1:{EMULATOR_PORT}/fault?endpoint=slow&delay=1s", "POST")
    ports = dict(zip(SITUATIONS, STATUS_PORTS))
    for name, port in ports.items():
        walship(name, port)
    for name, port in ports.items():
        wait_until(f"walship {name}", lambda port=port: ask(f"http://127.0.0.1:{port}/-/healthy"), 30)
    wait_until("the refusing one to take something", lambda: metric(ports["refusing"], "samples_total") > 0, SETTLE_S)
    Poison.wanted = True
    wait_until("a series that is refused to be given up", lambda: metric(ports["refusing"], "samples_failed_total") > 5, SETTLE_S)
    wait_until("the slow one to want more", lambda: metric(ports["slow"], "shards_desired") > 1, SETTLE_S)
    pages = {name: [] for name in SITUATIONS}
    for _ in range(PAGES):
        before = moved(ports)
        for name, port in ports.items():
            pages[name].append(ask(f"http://127.0.0.1:{port}/metrics"))
        wait_until("a minute to pass", lambda before=before: all(now > then for now, then in zip(moved(ports), before)), SETTLE_S)
    done = subprocess.run([PROMTOOL, "test", "rules", test_file(pages)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"FAIL alerts: {done.stdout}{done.stderr}")
        return 1
    print(f"alerts: each of the three fires in its situation, in both generations, nowhere else; {PAGES} pages each")
    return 0


if __name__ == "__main__":
    lib.run(main, stage)

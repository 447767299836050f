#!/usr/bin/env python3
"""The mixin's three remote-write alerts over walship's own pages. One live Prometheus, one walship for each situation; each
walship's /metrics is read twice a second, and `promtool test rules` takes a page for a minute: 20 of them are 20 minutes. What
each alert compares is either a ratio of rates or two gauges, so stretching the time changes nothing but the waiting.

  good        nothing fires
  dead        its receiver never answers: PrometheusRemoteWriteBehind
  slow        one request at a time, and each takes long: PrometheusRemoteWriteDesiredShards
  refusing    its receiver refuses one series of some forty for good: PrometheusRemoteStorageFailures
"""
import http.server
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIR = os.path.join(ROOT, "build", "e2e", "alerts")
WALSHIP = os.path.join(ROOT, "build", "release", "walship")
EMULATOR = os.path.join(ROOT, "build", "release", "walship-emulator")
PROMETHEUS = os.path.join(ROOT, "build", "peers", "prom242", "usr", "bin", "prometheus")
PROMTOOL = os.path.join(ROOT, "build", "peers", "prom3", "usr", "bin", "promtool")
RULES = os.path.join(ROOT, "tests", "e2e", "mixin", "rules.yml")
PAGES = 21
SETTLE_S = 150  # at most, until each situation is there
SITUATIONS = {
    "good": [],
    "dead": ["PrometheusRemoteWriteBehind"],
    "slow": ["PrometheusRemoteWriteDesiredShards"],
    "refusing": ["PrometheusRemoteStorageFailures"],
}
started = []


def free_ports(count):
    first, last = map(int, os.environ.get("WALSHIP_PORTS", "10000 32767").split())
    held = []
    while len(held) < count:
        one = socket.socket()
        try:
            one.bind(("127.0.0.1", random.randint(first, last)))
            held.append(one)
        except OSError:
            one.close()
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


EMULATOR_PORT, PROMETHEUS_PORT, EXPORTER_PORT, DEAD_PORT, REFUSING_PORT, POISON_PORT, *STATUS_PORTS = free_ports(6 + len(SITUATIONS))


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Poison(Quiet):
    """Nothing at first: a receiver that has taken something is known to take something."""
    wanted = False

    def do_GET(self):
        text = "" if not Poison.wanted else "".join(f'poisonous_total{{number="{i}"}} {int(time.time())}\n' for i in range(1))
        self.answer(200, text.encode())


class Refusing(Quiet):
    """The first time that a text stands in a block, snappy leaves it as it is."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        poisoned = b"poisonous" in body
        self.answer(400 if poisoned else 204, b"label name poisonous is not allowed" if poisoned else b"")


def serve(port, handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def url_of(name):
    port = {"dead": DEAD_PORT, "refusing": REFUSING_PORT}.get(name, EMULATOR_PORT)
    return f"http://127.0.0.1:{port}/write/{name}"


def ask(url, method="GET"):
    request = urllib.request.Request(url, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
        return answer.read().decode()


def wait_until(what, condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit(f"FAIL waited {seconds} s for {what}")


def start(log, *command):
    with open(os.path.join(DIR, log), "ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    started.append(process)


def write(name, text):
    path = os.path.join(DIR, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def walship(name, port):
    queue = "{max_shards: 1, max_samples_per_send: 10}" if name == "slow" else "{}"
    config = write(f"{name}.yml", f"""wal_dir: {DIR}/data/wal
state_dir: {DIR}/state.{name}
listen_address: 127.0.0.1:{port}
start_at: now
remote_write: [{{name: {name}, url: '{url_of(name)}', queue_config: {queue}}}]
""")
    start(f"{name}.log", WALSHIP, "run", "--config", config)


def metric(port, name):
    for key, value in series_of(ask(f"http://127.0.0.1:{port}/metrics")).items():
        if key.startswith(f"prometheus_remote_storage_{name}{{"):
            return float(value)
    return 0


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
    return write("test.yml", json.dumps(text, indent=1))


def main():
    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(DIR)
    if not os.access(PROMTOOL, os.X_OK):
        print("SKIP alerts: promtool could not be had")
        return 77
    endpoints = "".join(f"- {{name: {name}, path: /write/{name}}}\n" for name in SITUATIONS)
    start("emulator.log", EMULATOR, "--config", write("emulator.yml", f"listen_address: 127.0.0.1:{EMULATOR_PORT}\n"
                                                      f"database: {DIR}/received.db\nendpoints:\n{endpoints}"))
    serve(POISON_PORT, Poison)
    serve(REFUSING_PORT, Refusing)
    start("exporter.log", os.path.join(ROOT, "scripts", "exporter"), "--port", str(EXPORTER_PORT), "--series", "40")
    config = write("prometheus.yml", "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: exporter\n"
                                     f"  static_configs: [{{targets: ['127.0.0.1:{EXPORTER_PORT}', '127.0.0.1:{POISON_PORT}']}}]\n")
    start("prometheus.log", PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={DIR}/data",
          f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}")
    wait_until("the emulator", lambda: ask(f"http://127.0.0.1:{EMULATOR_PORT}/stats"), 30)
    wait_until("Prometheus", lambda: ask(f"http://127.0.0.1:{PROMETHEUS_PORT}/-/ready"), 60)
    ask(f"http://127.0.0.1:{EMULATOR_PORT}/fault?endpoint=slow&delay=1s", "POST")
    ports = dict(zip(SITUATIONS, STATUS_PORTS))
    for name, port in ports.items():
        walship(name, port)
    for name, port in ports.items():
        wait_until(f"walship {name}", lambda port=port: ask(f"http://127.0.0.1:{port}/-/healthy"), 30)
    time.sleep(5)
    Poison.wanted = True
    wait_until("a series that is refused to be given up", lambda: metric(ports["refusing"], "samples_failed_total") > 5, SETTLE_S)
    wait_until("the slow one to want more", lambda: metric(ports["slow"], "shards_desired") > 1, SETTLE_S)
    pages = {name: [] for name in SITUATIONS}
    begun = time.monotonic()
    for i in range(PAGES):
        for name, port in ports.items():
            pages[name].append(ask(f"http://127.0.0.1:{port}/metrics"))
        time.sleep(max(0, begun + (i + 1) / 2 - time.monotonic()))
    done = subprocess.run([PROMTOOL, "test", "rules", test_file(pages)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"FAIL alerts: {done.stdout}{done.stderr}")
        return 1
    print(f"alerts: each of the three fires in its situation, in both generations, nowhere else; {PAGES} pages each")
    return 0


if __name__ == "__main__":
    result = 1
    try:
        result = main()
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.wait()
    sys.exit(result)

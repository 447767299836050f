#!/usr/bin/env python3
"""Reloads under load: SIGHUP and POST /-/reload with good and bad files in turn, while a live Prometheus is shipped. A bad file
changes nothing and says why; in the end nothing is missing, nothing is out of order, and memory has not grown. 100 reloads, half of
them bad (WALSHIP_LONG=1: 1,000). A prometheus_config that changes is taken up by itself; so is a changed secret.
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIR = os.path.join(ROOT, "build", "e2e", "reload")
WALSHIP = os.path.join(ROOT, "build", "release", "walship")
EMULATOR = os.path.join(ROOT, "build", "release", "walship-emulator")
PROMETHEUS = os.path.join(ROOT, "build", "peers", "prom242", "usr", "bin", "prometheus")
RELOADS = 1000 if os.environ.get("WALSHIP_LONG") else 100
started = []
results = [0, 0]


def verdict(name, problem=None):
    results[1 if problem else 0] += 1
    print(f"{'FAIL' if problem else 'ok  '} {name}{': ' + str(problem) if problem else ''}", flush=True)


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


EMULATOR_PORT, PROMETHEUS_PORT, EXPORTER_PORT, STATUS_PORT = free_ports(4)
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url, method="GET"):
    try:
        with OPENER.open(urllib.request.Request(url, method=method), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def status(path, method="GET"):
    return ask(f"http://127.0.0.1:{STATUS_PORT}{path}", method)


def wait_until(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except OSError:
            pass
        time.sleep(0.05)
    verdict(what, f"not within {seconds} s")
    return False


def start(log, *command):
    with open(os.path.join(DIR, log), "ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    started.append(process)
    return process


def write(name, text):
    path = os.path.join(DIR, name)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)
    return path


def config(turn, extra=""):
    """Other endpoints, weights, queues and headers each time; a and b are always among them."""
    endpoints = ["a", "b"] + (["c"] if turn % 3 == 0 else [])
    if turn % 2:
        endpoints.reverse()
    text = f"wal_dir: {DIR}/data\nstate_dir: {DIR}/state\nlisten_address: 127.0.0.1:{STATUS_PORT}\nstart_at: oldest\n"
    text += f"prometheus_config: {DIR}/labels.yml\nremote_write:\n- name: live\n  headers: {{X-Turn: '{turn}'}}\n"
    text += f"  queue_config: {{max_shards: {turn % 8 + 1}, max_samples_per_send: {500 + turn % 7 * 100}}}\n  endpoints:\n"
    for i, name in enumerate(endpoints):
        text += f"  - {{url: 'http://127.0.0.1:{EMULATOR_PORT}/write/{name}', weight: {1 + (turn + i) % 3}}}\n"
    if turn % 5 == 0:
        text += f"- {{name: second, url: 'http://127.0.0.1:{EMULATOR_PORT}/write/second'}}\n"
    return write("walship.yml", text + extra)


BAD = ["nonsense: 1\n", "remote_write: []\n", ": [\n", "spool_dir: /tmp/elsewhere\n", "external_labels: [a]\n"]


def metric(name):
    for line in status("/metrics")[1].splitlines():
        if line.startswith(name + " ") or line.startswith(name + "{"):
            return float(line.rsplit(" ", 1)[1])
    return None


def storm(walship):
    wrong = []
    early = None
    for turn in range(1, RELOADS + 1):
        bad = turn % 2 == 0
        config(turn, BAD[turn // 2 % len(BAD)] if bad else "")
        if turn % 4 < 2:
            code, said = status("/-/reload", "POST")
            if (code == 200) == bad or (bad and not said.strip()):
                wrong.append((turn, code, said))
        else:
            before = metric("prometheus_config_last_reload_success_timestamp_seconds")
            walship.send_signal(signal.SIGHUP)
            done = (lambda: metric("prometheus_config_last_reload_successful") == 0) if bad else (
                lambda: metric("prometheus_config_last_reload_success_timestamp_seconds") > before)
            if not wait_until(f"reload {turn} by SIGHUP", done, 10):
                wrong.append((turn, "SIGHUP"))
        if walship.poll() is not None:
            return [("walship ended", walship.returncode)], 0, 0
        if turn == RELOADS // 2:
            early = metric("process_resident_memory_bytes")
        time.sleep(0.15)
    return wrong, early, metric("process_resident_memory_bytes")


def main():
    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(DIR)
    write("labels.yml", "global: {external_labels: {cluster: one}}\n")
    names = ["a", "b", "c", "second"]
    endpoints = "".join(f"- {{name: {name}, path: /write/{name}}}\n" for name in names)
    emulator = start("emulator.log", EMULATOR, "--config", write("emulator.yml", f"listen_address: 127.0.0.1:{EMULATOR_PORT}\n"
                     f"database: {DIR}/received.db\ncommit_interval: 0\nendpoints:\n{endpoints}"))
    start("exporter.log", os.path.join(ROOT, "scripts", "exporter"), "--port", str(EXPORTER_PORT), "--series", "1000")
    prometheus_config = write("prometheus.yml", "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: exporter\n"
                              f"  static_configs: [{{targets: ['127.0.0.1:{EXPORTER_PORT}']}}]\n")
    prometheus = start("prometheus.log", PROMETHEUS, f"--config.file={prometheus_config}", f"--storage.tsdb.path={DIR}/data",
                       f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}")
    if not wait_until("the emulator", lambda: ask(f"http://127.0.0.1:{EMULATOR_PORT}/stats")[0] == 200):
        return 1
    if not wait_until("Prometheus", lambda: ask(f"http://127.0.0.1:{PROMETHEUS_PORT}/-/ready")[0] == 200):
        return 1
    walship = start("walship.log", WALSHIP, "run", "--config", config(0))
    if not wait_until("walship", lambda: status("/-/ready")[0] == 200):
        return 1
    if not wait_until("the first samples", lambda: (metric("walship_items_acked_total") or 0) > 0):
        return 1
    wrong, early, late = storm(walship)
    verdict(f"{RELOADS} reloads, half of them refused", wrong[:3] or None)
    verdict("memory does not grow with reloads", None if late < early + (24 << 20) else f"{early} -> {late}")
    config(1)
    verdict("a good file again", None if status("/-/reload", "POST")[0] == 200 else "refused")
    write("labels.yml", "global: {external_labels: {cluster: two}}\n")
    good = metric("prometheus_config_last_reload_success_timestamp_seconds")
    wait_until("a changed prometheus_config is taken up", lambda: metric("prometheus_config_last_reload_success_timestamp_seconds") > good, 30)
    acked = metric("walship_items_acked_total")
    wait_until("the load to go on", lambda: metric("walship_items_acked_total") > acked + 3000)
    prometheus.send_signal(signal.SIGTERM)
    prometheus.wait(60)
    time.sleep(1)
    walship.send_signal(signal.SIGTERM)
    verdict("walship stops cleanly", None if walship.wait(30) == 0 else walship.returncode)
    drained = subprocess.run([WALSHIP, "run", "--once", "--timeout", "60s", "--config", config(1)], capture_output=True, text=True, check=False)
    verdict("walship drains", None if drained.returncode == 0 else drained.stderr[-500:])
    emulator.send_signal(signal.SIGTERM)
    emulator.wait(30)
    return account()


def account():
    """Every sample of the WAL once (the external label apart), each series in order."""
    import re
    import sqlite3
    dump = subprocess.run([WALSHIP, "wal", "dump", os.path.join(DIR, "data", "wal")], capture_output=True, text=True, check=True).stdout

    def plain(labels):
        return re.sub(r', ?cluster="[a-z]+"|cluster="[a-z]+", ?', "", labels)
    source = {}
    for line in dump.splitlines():
        if not line.startswith("#"):
            labels, _, t = line.rsplit(" ", 2)
            source.setdefault(labels, set()).add(int(t))
    with sqlite3.connect(os.path.join(DIR, "received.db")) as db:
        rows = db.execute("""SELECT series.labels, sample.t FROM sample JOIN series ON series.id = sample.series JOIN pair ON pair.id = sample.pair
                             WHERE pair.name != 'second' ORDER BY arrival""").fetchall()
        clusters = {name for name, in db.execute("SELECT DISTINCT substr(labels, instr(labels, 'cluster='), 13) FROM series")}
    got, last, disorder = {}, {}, 0
    for labels, t in rows:
        disorder += t < last.get(labels, t)
        last[labels] = t
        got.setdefault(plain(labels), set()).add(t)
    missing = sum(len(times - got.get(labels, set())) for labels, times in source.items())
    total = sum(len(times) for times in source.values())
    doubled = len(rows) - sum(len(times) for times in got.values())
    verdict(f"{total} samples in the WAL, none missing", None if missing == 0 and total > 0 else f"{missing} missing")
    verdict("none out of order", disorder or None)
    verdict("none sent twice", doubled or None)
    verdict("both values of the external label arrived", None if clusters == {'cluster="one"', 'cluster="two"'} else clusters)
    print(f"{results[0]} passed, {results[1]} failed")
    return 1 if results[1] else 0


if __name__ == "__main__":
    code = 1
    try:
        code = main()
    finally:
        for one in started:
            if one.poll() is None:
                one.terminate()
        for one in started:
            one.wait()
    sys.exit(code)

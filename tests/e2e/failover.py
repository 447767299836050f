#!/usr/bin/env python3
"""A live Prometheus, one walship with two destinations, an emulator with five pairs. What is shown:

  - `failover`, three pairs: one refuses (403), one is dead, one is throttled, in turn. The siblings carry its shards within
    seconds, all shards are at home in the end, nothing is missing, nothing out of order over all pairs;
  - `pinned`, two pairs: while one is dead the other's lag (p99, from scrape to arrival) stays within twice that of the undisturbed
    part of the same run, memory stays bounded, and the dead one catches up afterwards, each series on its own pair.

WALSHIP_LONG=1: longer spells, and so many series that the dead pair's domain is full and reading stops for it alone.
"""
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIR = os.path.join(ROOT, "build", "e2e", "failover")
WALSHIP = os.path.join(ROOT, "build", "release", "walship")
EMULATOR = os.path.join(ROOT, "build", "release", "walship-emulator")
PROMETHEUS = os.path.join(ROOT, "build", "peers", "prom242", "usr", "bin", "prometheus")
LONG = bool(os.environ.get("WALSHIP_LONG"))
SERIES = 15000 if LONG else 600
CALM_S, DEAD_S, SPELL_S = (30, 120, 30) if LONG else (6, 9, 3)
RSS_MAX = 400 << 20
PENDING_MAX = 512 << 10  # of a domain: limits.h
FAILOVER, PINNED = ("a", "b", "c"), ("p", "q")
started = []
results = [0, 0]


def verdict(name, problem=None):
    results[1 if problem else 0] += 1
    print(f"{'FAIL ' if problem else 'ok   '} {name}{': ' + str(problem) if problem else ''}", flush=True)


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


PORT, PROMETHEUS_PORT, EXPORTER_PORT, STATUS_PORT = free_ports(4)


def ask(url, method="GET"):
    request = urllib.request.Request(url, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return answer.read().decode()


def fault(pair, text=None):
    ask(f"http://127.0.0.1:{PORT}/fault?endpoint={pair}{'&' + text if text else ''}", "POST" if text else "DELETE")


def wait_until(what, condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except OSError:
            pass
        time.sleep(0.2)
    print(f"      waited {seconds} s for {what}", flush=True)
    return False


def start(log, *command):
    with open(os.path.join(DIR, log), "ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    started.append(process)
    return process


def stop(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def write(name, text):
    path = os.path.join(DIR, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def destination(name, placement, pairs):
    urls = "".join(f"  - url: http://127.0.0.1:{PORT}/write/{pair}\n" for pair in pairs)
    return f"- name: {name}\n  placement: {placement}\n  queue_config: {{max_backoff: 1s}}\n  endpoints:\n{urls}"


def stage():
    pairs = "".join(f"- {{name: {pair}, path: /write/{pair}}}\n" for pair in FAILOVER + PINNED)
    emulator = write("emulator.yml", f"listen_address: 127.0.0.1:{PORT}\ndatabase: {DIR}/received.db\nendpoints:\n{pairs}")
    prometheus = write("prometheus.yml", "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: exporter\n"
                                         f"  static_configs: [{{targets: ['127.0.0.1:{EXPORTER_PORT}']}}]\n")
    config = write("walship.yml", f"wal_dir: {DIR}/data/wal\nstate_dir: {DIR}/state\nstart_at: oldest\n"
                                  f"listen_address: 127.0.0.1:{STATUS_PORT}\nremote_write:\n"
                                  + destination("failover", "failover", FAILOVER) + destination("pinned", "pinned", PINNED))
    start("emulator.log", EMULATOR, "--config", emulator)
    start("exporter.log", os.path.join(ROOT, "scripts", "exporter"), "--port", str(EXPORTER_PORT), "--series", str(SERIES))
    server = start("prometheus.log", PROMETHEUS, f"--config.file={prometheus}", f"--storage.tsdb.path={DIR}/data",
                   f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}")
    if not wait_until("the emulator", lambda: ask(f"http://127.0.0.1:{PORT}/stats"), 60) or not wait_until(
            "Prometheus", lambda: ask(f"http://127.0.0.1:{PROMETHEUS_PORT}/-/ready"), 60):
        sys.exit("failover: the stage could not be set")
    return server, config


def endpoints():
    """By pair, as the status page has them."""
    found = {}
    for one in json.loads(ask(f"http://127.0.0.1:{STATUS_PORT}/status"))["destinations"]:
        for endpoint in one["endpoints"]:
            found[endpoint["url"].rsplit("/", 1)[1]] = endpoint
    return found


def pending(name):
    for one in json.loads(ask(f"http://127.0.0.1:{STATUS_PORT}/status"))["destinations"]:
        if one["name"] == name:
            return one["pending"]
    raise KeyError(name)


def metric(name, pair):
    for line in ask(f"http://127.0.0.1:{STATUS_PORT}/metrics").splitlines():
        if line.startswith(name + "{") and f"/write/{pair}\"" in line:
            return float(line.rsplit(" ", 1)[1])
    return None


def rss(process):
    with open(f"/proc/{process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def at_home(pair):
    return metric("walship_endpoint_shards_present", pair) == metric("walship_endpoint_shards", pair)


def ill(pair, what, text):
    """The fault for a while; its shards must be with its siblings before that is over."""
    fault(pair, text)
    lent = wait_until(f"{pair} to lend", lambda: metric("walship_endpoint_shards_present", pair) <= 4, SPELL_S + 10)
    verdict(f"failover: {pair} {what}: its shards are with its siblings", None if lent else endpoints()[pair])
    time.sleep(SPELL_S)
    waiting = pending("failover")
    verdict(f"failover: {pair} {what}: nothing waits for it", None if waiting <= 4 * SERIES else f"{waiting} items pending")
    fault(pair)


def lags_ms(pair, since_ms, until_ms):
    """From scrape to first arrival, of what was scraped in that time."""
    with sqlite3.connect(f"file:{DIR}/received.db?mode=ro", uri=True) as db:
        rows = db.execute("""SELECT min(request.wall_ms) - sample.t FROM sample JOIN request ON request.id = sample.request
                             JOIN pair ON pair.id = sample.pair WHERE pair.name = ? AND sample.t BETWEEN ? AND ?
                             GROUP BY sample.series, sample.t""", (pair, since_ms, until_ms)).fetchall()
    return sorted(row[0] for row in rows)


def p99(values):
    return values[len(values) * 99 // 100]


def now_ms():
    return int(time.time() * 1000)


def pinned_story(walship):
    """q is dead for a while; p must not notice, q catches up."""
    calm_from = now_ms()
    time.sleep(CALM_S)
    calm_to = now_ms()
    fault("q", "cut=before")
    time.sleep(2)
    dead_from, rss_max, pending_max = now_ms(), 0, 0
    while now_ms() - dead_from < DEAD_S * 1000:
        time.sleep(0.5)
        rss_max, pending_max = max(rss_max, rss(walship)), max(pending_max, pending("pinned"))
    dead_to = now_ms()
    stuck = endpoints()["q"]
    fault("q")
    verdict("pinned: the dead pair's series wait", None if stuck["pending"] > SERIES and stuck["state"] != "open" else stuck)
    verdict("pinned: none is lent", None if stuck["shards"] == stuck["shards_present"] else stuck)
    verdict(f"pinned: memory stays bounded ({rss_max >> 20} MiB, {pending_max} items pending)",
            None if rss_max < RSS_MAX and pending_max <= 2 * PENDING_MAX else "too much")
    good = wait_until("the dead pair to catch up", lambda: endpoints()["q"]["pending"] < 2 * SERIES, 60)
    verdict("pinned: it catches up afterwards", None if good else endpoints()["q"])
    time.sleep(2)
    calm, dead = lags_ms("p", calm_from, calm_to - 2000), lags_ms("p", dead_from, dead_to - 2000)
    if len(calm) < 1000 or len(dead) < 1000:
        verdict("pinned: enough arrived to judge the lag", f"{len(calm)} and {len(dead)} samples")
        return
    verdict(f"pinned: the other's lag stays: p99 {p99(calm)} ms undisturbed, {p99(dead)} ms beside a dead pair",
            None if p99(dead) <= 2 * p99(calm) else "more than twice")


def reconcile(pairs, name, *more):
    """A database with these pairs only, against the WAL."""
    path = os.path.join(DIR, f"{name}.db")
    with sqlite3.connect(f"file:{DIR}/received.db?mode=ro", uri=True) as all_pairs, sqlite3.connect(path) as db:
        all_pairs.backup(db)
        marks = ",".join("?" * len(pairs))
        db.execute(f"DELETE FROM sample WHERE pair NOT IN (SELECT id FROM pair WHERE name IN ({marks}))", pairs)
    done = subprocess.run([os.path.join(ROOT, "scripts", "reconcile"), "--dump", os.path.join(DIR, "wal.txt"), "--db", path, *more],
                          capture_output=True, text=True)
    print("".join(f"      {name}: {line}\n" for line in done.stdout.splitlines()), end="")
    verdict(f"{name}: nothing missing, nothing out of order", None if done.returncode == 0 else done.stdout + done.stderr)


def main():
    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(DIR)
    server, config = stage()
    walship = start("walship.log", WALSHIP, "run", "--config", config)
    if not wait_until("the first samples", lambda: all(one["samples"] > 0 for one in endpoints().values()), 60):
        sys.exit("failover: nothing arrives")
    ill("c", "refuses", "status=403")
    ill("a", "is dead", "cut=before")
    ill("b", "is throttled", "status=429&retry_after=2")
    pinned_story(walship)
    good = wait_until("all shards at home", lambda: all(at_home(pair) for pair in FAILOVER + PINNED), 60)
    verdict("failover: all shards are at home again", None if good else {p: e["lending"] for p, e in endpoints().items()})
    stop(server)
    time.sleep(1)
    code = stop(walship)
    verdict("walship stops cleanly", None if code == 0 else f"exit {code}")
    with open(os.path.join(DIR, "walship.log"), "ab") as log:
        done = subprocess.run([WALSHIP, "run", "--once", "--timeout", "60s", "--config", config], stdout=log, stderr=log)
    verdict("walship drains", None if done.returncode == 0 else f"exit {done.returncode}")
    for process in started:
        stop(process)
    with open(os.path.join(DIR, "wal.txt"), "w", encoding="utf-8") as out:
        subprocess.run([WALSHIP, "wal", "dump", os.path.join(DIR, "data", "wal")], stdout=out, check=True)
    reconcile(FAILOVER, "failover", "--allow-shared")
    reconcile(PINNED, "pinned")
    print(f"{results[0]} ok, {results[1]} failed")
    return 1 if results[1] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        for one in started:
            if one.poll() is None:
                one.kill()

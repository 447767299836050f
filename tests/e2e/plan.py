#!/usr/bin/env python3
"""`walship plan --json` of recorded WALs. Samples, series, busiest minute and who sends the most are counted again from what
promtool printed of them (testdata/NAME.expected.txt.zst); bytes a sample and samples a request are those of the requests that
`run --once` really sent to the emulator. And the needs follow from the figures, at published limits."""
import collections
import json
import math
import os
import random
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOP = os.path.join(ROOT, "build", "e2e", "plan")
WALSHIP = os.path.join(ROOT, "build", "release", "walship")
EMULATOR = os.path.join(ROOT, "build", "release", "walship-emulator")
GENERATE = os.path.join(ROOT, "build", "release", "bench_generate")
NAMES = ("v2.42-snappy", "v2.53-zstd", "v3.5-agent")
LINE = re.compile(r'^(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}) .* (-?\d+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
results = [0, 0]


def verdict(name, problem=None):
    results[1 if problem else 0] += 1
    print(f"{'FAIL ' if problem else 'ok   '} {name}{': ' + str(problem) if problem else ''}", flush=True)


def equal(name, got, expected, part=0.0):
    good = abs(got - expected) <= part * abs(expected) if isinstance(expected, float) else got == expected
    verdict(f"{name} {expected if not isinstance(expected, float) else round(expected, 2)}", None if good else f"plan says {got}")


def free_port():
    first, last = map(int, os.environ.get("WALSHIP_PORTS", "10000 32767").split())
    while True:
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", random.randint(first, last)))
                return one.getsockname()[1]
            except OSError:
                continue


def counted(name):
    """From promtool's lines: samples of each series, and of each minute."""
    lines = subprocess.run(["zstd", "-dcq", os.path.join(ROOT, "testdata", f"{name}.expected.txt.zst")], check=True,
                           stdout=subprocess.PIPE).stdout.decode().splitlines()
    series, minutes, times = collections.Counter(), collections.Counter(), []
    for line in lines:
        labels, t = LINE.match(line).groups()
        series[labels] += 1
        minutes[int(t) // 60000] += 1
        times.append(int(t))
    return series, minutes, times


def shares(series, label):
    """value -> [samples, series]"""
    found = collections.defaultdict(lambda: [0, 0])
    for labels, samples in series.items():
        value = dict(LABEL.findall(labels)).get(label, "")
        found[value][0] += samples
        found[value][1] += 1
    return found


def check_top(name, rows, found, by):
    rows = [(row["value"], row["samples"], row["series"]) for row in rows]
    expected = sorted(((value, *counts) for value, counts in found.items()), key=lambda row: (-row[1 + by], row[0]))[:10]
    verdict(f"{name}, {len(expected)} rows", None if rows == expected else f"{rows} instead of {expected}")


def sent(name, directory):
    """Bytes and samples of the requests that a real run makes."""
    port = free_port()
    with open(os.path.join(directory, "emulator.yml"), "w", encoding="utf-8") as file:
        file.write(f"listen_address: 127.0.0.1:{port}\ndatabase: {directory}/received.db\nendpoints:\n- {{name: a, path: /write}}\n")
    with open(os.path.join(directory, "walship.yml"), "w", encoding="utf-8") as file:
        file.write(f"wal_dir: {directory}\nstate_dir: {directory}.state\nstart_at: oldest\nlisten_address: ''\nremote_write:\n"
                   f"- name: {name}\n  url: http://127.0.0.1:{port}/write\n")
    with open(os.path.join(directory, "log"), "wb") as log:
        emulator = subprocess.Popen([EMULATOR, "--config", f"{directory}/emulator.yml"], stdout=log, stderr=log)
        try:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            subprocess.run([WALSHIP, "run", "--once", "--timeout", "60s", "--config", f"{directory}/walship.yml"], check=True,
                           stdout=log, stderr=log)
        finally:
            emulator.terminate()
            emulator.wait(20)
    with sqlite3.connect(f"file:{directory}/received.db?mode=ro", uri=True) as db:
        return db.execute("SELECT sum(bytes), sum(samples) FROM request WHERE status = 204").fetchone()


def check_bytes(name, directory, plan, least, most):
    bytes_, count = sent(name, directory)
    part = bytes_ / count / plan["bytes_per_sample"]
    verdict(f"{name}: {plan['bytes_per_sample']} bytes a sample, {bytes_ / count:.3f} really sent",
            None if least <= part <= most else f"not from {least} to {most} times that")


def one_scrape():
    """One sample of each series: a real run has nothing to put side by side either, only another order of the series."""
    directory = os.path.join(TOP, "scrape")
    subprocess.run([GENERATE, directory, "20000", "1"], check=True, stdout=subprocess.DEVNULL)
    plan = json.loads(subprocess.run([WALSHIP, "plan", "--json", "--batch-send-deadline", "1h", directory], check=True,
                                     stdout=subprocess.PIPE).stdout)
    equal("scrape: samples", plan["samples"], 20000)
    equal("scrape: requests", plan["requests"], 10)
    check_bytes("scrape", directory, plan, 0.95, 1.05)


def one(name):
    directory = os.path.join(TOP, name)
    os.makedirs(directory)
    subprocess.run(["tar", "-C", directory, "--zstd", "-xf", os.path.join(ROOT, "testdata", f"{name}.tar.zst")], check=True)
    plan = json.loads(subprocess.run([WALSHIP, "plan", "--json", directory], check=True, stdout=subprocess.PIPE).stdout)
    series, minutes, times = counted(name)
    samples = sum(series.values())
    mean = samples * 60000 / (max(times) - min(times))
    peak = max(float(max(minutes.values())), mean)
    equal(f"{name}: samples", plan["samples"], samples)
    equal(f"{name}: series with samples", plan["active_series"], len(series))
    equal(f"{name}: samples a minute, mean", plan["samples_per_minute_mean"], mean, 0.0001)
    equal(f"{name}: samples a minute, busiest", plan["samples_per_minute_peak"], peak, 0.0001)
    for label, key in (("__name__", "metrics"), ("job", "jobs")):
        found = shares(series, label)
        check_top(f"{name}: {key} by samples", plan[f"{key}_by_samples"], found, 0)
        check_top(f"{name}: {key} by series", plan[f"{key}_by_series"], found, 1)
    equal(f"{name}: samples a request", plan["samples_per_request"], 2000.0)
    equal(f"{name}: requests a minute when full", plan["requests_per_minute_peak_full"], peak / 2000, 0.001)
    hour = json.loads(subprocess.run([WALSHIP, "plan", "--json", "--batch-send-deadline", "1h", directory], check=True,
                                     stdout=subprocess.PIPE).stdout)
    small = json.loads(subprocess.run([WALSHIP, "plan", "--json", "--max-samples-per-send", "10", directory],
                                      check=True, stdout=subprocess.PIPE).stdout)
    equal(f"{name}: with 10 samples a request", small["requests_per_minute_peak_full"], peak / 10, 0.001)
    # every scrape of a second ends in a request that is not full; at a whole hour there is one of them (and one each 65,536 samples)
    least = -(-samples // 2000)
    verdict(f"{name}: {hour['requests']} requests at 1h", None if least <= hour["requests"] <= least + samples // 65536 + 1 else f"not {least}")
    # as a run that catches up: each series' samples side by side, its labels once
    check_bytes(name, directory, hour, 0.8, 1.25)
    least, most = samples / 2000, samples / 2000 + 2 * (max(times) - min(times)) / 1000 + 2
    verdict(f"{name}: {plan['requests']} requests at 1 s", None if least <= plan["requests"] <= most else f"not from {least} to {most}")
    equal(f"{name}: workspaces", plan["workspaces"], max(math.ceil(peak / 970000), math.ceil(len(series) / 1000000)))
    equal(f"{name}: pairs", small["pairs"], math.ceil(peak / 10 / 14550))


def main():
    shutil.rmtree(TOP, ignore_errors=True)
    os.makedirs(TOP)
    for name in NAMES:
        one(name)
    one_scrape()
    print(f"plan: {results[0]} passed, {results[1]} failed")
    return 1 if results[1] or not results[0] else 0


sys.exit(main())

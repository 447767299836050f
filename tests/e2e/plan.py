#!/usr/bin/env python3
"""`walship plan --json` of recorded WALs. Samples, series, busiest minute and who sends the most are counted again from what
promtool printed of them (testdata/NAME.expected.txt.zst); bytes a sample and samples a request are those of the requests that
`run --once` really sent to the emulator. And the needs follow from the figures, at published limits."""
import collections
import json
import math
import os
import re
import subprocess

import lib

NAMES = ("v2.42-snappy", "v2.53-zstd", "v3.5-agent")
LINE = re.compile(r'^(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}) .* (-?\d+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
account, top = lib.Account("plan"), lib.Stage("plan")
verdict = account.verdict


def equal(name, got, expected, part=0.0):
    good = abs(got - expected) <= part * abs(expected) if isinstance(expected, float) else got == expected
    verdict(f"{name} {expected if not isinstance(expected, float) else round(expected, 2)}", None if good else f"plan says {got}")


def counted(name):
    """From promtool's lines: samples of each series, and of each minute."""
    lines = subprocess.run(["zstd", "-dcq", os.path.join(lib.ROOT, "testdata", f"{name}.expected.txt.zst")], check=True,
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
    port, = lib.free_ports(1)
    stage = lib.Stage("plan", f"{name}.sent")
    try:
        stage.emulator(port, ["a"])
        config = stage.write("walship.yml", f"wal_dir: {directory}\nstate_dir: {stage.path('state')}\nstart_at: oldest\n"
                                            f"listen_address: ''\nremote_write:\n- name: {name}\n  url: http://127.0.0.1:{port}/write/a\n")
        code = stage.drain(config)
        verdict(f"{name}: a real run", None if code == 0 else f"exit {code}: {stage.path('walship.log')}")
    finally:
        stage.end()
    with lib.database(stage.path("received.db")) as db:
        return db.execute("SELECT sum(bytes), sum(samples) FROM request WHERE status = 204").fetchone()


def check_bytes(name, directory, plan, least, most):
    bytes_, count = sent(name, directory)
    part = bytes_ / count / plan["bytes_per_sample"]
    verdict(f"{name}: {plan['bytes_per_sample']} bytes a sample, {bytes_ / count:.3f} really sent",
            None if least <= part <= most else f"not from {least} to {most} times that")


def one_scrape():
    """One sample of each series: a real run has nothing to put side by side either, only another order of the series."""
    directory = top.path("scrape")
    subprocess.run([lib.GENERATE, directory, "20000", "1"], check=True, stdout=subprocess.DEVNULL)
    plan = json.loads(subprocess.run([lib.WALSHIP, "plan", "--json", "--batch-send-deadline", "1h", directory], check=True,
                                     stdout=subprocess.PIPE).stdout)
    equal("scrape: samples", plan["samples"], 20000)
    equal("scrape: requests", plan["requests"], 10)
    check_bytes("scrape", directory, plan, 0.95, 1.05)


def one(name):
    directory = top.path(name)
    os.makedirs(directory)
    subprocess.run(["tar", "-C", directory, "--zstd", "-xf", os.path.join(lib.ROOT, "testdata", f"{name}.tar.zst")], check=True)
    plan = json.loads(subprocess.run([lib.WALSHIP, "plan", "--json", directory], check=True, stdout=subprocess.PIPE).stdout)
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
    hour = json.loads(subprocess.run([lib.WALSHIP, "plan", "--json", "--batch-send-deadline", "1h", directory], check=True,
                                     stdout=subprocess.PIPE).stdout)
    small = json.loads(subprocess.run([lib.WALSHIP, "plan", "--json", "--max-samples-per-send", "10", directory],
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
    for name in NAMES:
        one(name)
    one_scrape()
    return account.end()


if __name__ == "__main__":
    lib.run(main, top)

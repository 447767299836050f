#!/usr/bin/env python3
"""A live Prometheus, one walship with two destinations, an emulator with five pairs. What is shown:

  - `failover`, three pairs: one refuses (403), one is dead, one is throttled, in turn. The siblings carry its shards within
    seconds, all shards are at home in the end, nothing is missing, nothing out of order over all pairs;
  - `pinned`, two pairs: while one is dead the other's lag (p99, from scrape to arrival) stays within twice that of the undisturbed
    part of the same run, or of another walship at the same time (a machine that is busy then delays both); memory stays bounded, and the dead one catches up afterwards, each series on its own pair.

WALSHIP_LONG=1: longer spells, and so many series that the dead pair's domain is full, and reading stops for it alone, for a minute.
"""
import json
import os
import sqlite3
import subprocess
import sys
import time

import lib

LONG = lib.LONG
SERIES = 15000 if LONG else 600
CALM_S, DEAD_S, SPELL_S = (30, 60, 30) if LONG else (6, 9, 3)
PENDING_MAX = 512 << 10  # of a domain: limits.h
SCRAPE_MAX = 16384  # what one turn of reading may bring: TURN_ITEMS_MAX of limits.h
ITEM_BYTES = 32
# Beside its items a domain that lags has a reader of its own, and what waits is in the series table already: no more than that.
READER_BYTES = 8 << 20
FAILOVER, PINNED, WITNESS = ("a", "b", "c"), ("p", "q"), ("w",)
PORT, PROMETHEUS_PORT, EXPORTER_PORT, STATUS_PORT = lib.free_ports(4)
account, stage = lib.Account("failover"), lib.Stage("failover")
verdict, wait_until = account.verdict, lib.wait_until


def fault(pair, text=None):
    lib.ask(f"http://127.0.0.1:{PORT}/fault?endpoint={pair}{'&' + text if text else ''}", "POST" if text else "DELETE")


def destination(name, placement, pairs):
    urls = "".join(f"  - url: http://127.0.0.1:{PORT}/write/{pair}\n" for pair in pairs)
    return f"- name: {name}\n  placement: {placement}\n  queue_config: {{max_backoff: 1s}}\n  endpoints:\n{urls}"


def page(path):
    return lib.ask(f"http://127.0.0.1:{STATUS_PORT}{path}")


def endpoints():
    """By pair, as the status page has them."""
    return {endpoint["url"].rsplit("/", 1)[1]: endpoint
            for one in json.loads(page("/status"))["destinations"] for endpoint in one["endpoints"]}


def pending(name):
    return next(one["pending"] for one in json.loads(page("/status"))["destinations"] if one["name"] == name)


def metric(name, pair):
    return lib.metric(page("/metrics"), name, f"/write/{pair}\"")


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
    time.sleep(SPELL_S)  # what waits for it alone is more with each scrape
    moves = wait_until("nothing to wait", lambda: pending("failover") <= 4 * SERIES, 30)
    verdict(f"failover: {pair} {what}: nothing waits for it", None if moves else f"{pending('failover')} items pending")
    fault(pair)


def lags_ms(pair, since_ms, until_ms):
    """From scrape to first arrival, of what was scraped in that time."""
    with lib.database(stage.path("received.db")) as db:
        rows = db.execute("""SELECT min(request.wall_ms) - sample.t FROM sample JOIN request ON request.id = sample.request
                             JOIN pair ON pair.id = sample.pair WHERE pair.name = ? AND sample.t BETWEEN ? AND ?
                             GROUP BY sample.series, sample.t""", (pair, since_ms, until_ms)).fetchall()
    return sorted(row[0] for row in rows)


def p99(values):
    return values[len(values) * 99 // 100]


def now_ms():
    return int(time.time() * 1000)


def dead_spell(walship):
    """q is dead until its domain is full (long), and for DEAD_S more: when, and the most memory and items of it that were seen."""
    begun, rss_max, pending_max, full_s = time.monotonic(), 0, 0, 240 if LONG else 0
    dead_from = now_ms()
    while time.monotonic() - begun < full_s and endpoints()["q"]["pending"] < PENDING_MAX - SCRAPE_MAX:
        time.sleep(0.5)
    begun = time.monotonic()
    while time.monotonic() - begun < DEAD_S or (len(lags_ms("p", dead_from, now_ms() - 2000)) < 1000 and time.monotonic() - begun < DEAD_S + 60):
        time.sleep(0.5)
        rss_max, pending_max = max(rss_max, rss(walship)), max(pending_max, endpoints()["q"]["pending"])
    return dead_from, now_ms(), rss_max, pending_max


def pinned_story(walship):
    """q is dead for a while; p must not notice, q catches up."""
    calm_from = now_ms()
    time.sleep(CALM_S)
    wait_until("samples enough to judge by", lambda: len(lags_ms("p", calm_from, now_ms() - 2000)) >= 1000, 60)
    calm_to, calm_rss = now_ms(), rss(walship)
    fault("q", "cut=before")
    time.sleep(2)
    dead_from, dead_to, rss_max, pending_max = dead_spell(walship)
    wait_until("its items to wait", lambda: endpoints()["q"]["pending"] > SERIES, 30)
    stuck = endpoints()["q"]
    fault("q")
    verdict("pinned: the dead pair's series wait", None if stuck["pending"] > SERIES and stuck["state"] != "open" else stuck)
    verdict("pinned: none is lent", None if stuck["shards"] == stuck["shards_present"] else stuck)
    verdict(f"pinned: {pending_max} items wait, {PENDING_MAX} may", None if pending_max <= PENDING_MAX else "more than that")
    if LONG:
        verdict("pinned: its domain was full", None if pending_max >= PENDING_MAX - SCRAPE_MAX else "it was not: this proves nothing")
    bound = PENDING_MAX * ITEM_BYTES + READER_BYTES
    verdict(f"pinned: {calm_rss >> 20} MiB of memory undisturbed, at most {rss_max >> 20} MiB then",
            None if rss_max - calm_rss < bound else f"more than {bound >> 20} MiB more")
    good = wait_until("the dead pair to catch up", lambda: endpoints()["q"]["pending"] < 2 * SERIES, 120)
    verdict("pinned: it catches up afterwards", None if good else endpoints()["q"])
    time.sleep(2)
    calm, dead = lags_ms("p", calm_from, calm_to - 2000), lags_ms("p", dead_from, dead_to - 2000)
    witness = lags_ms("w", dead_from, dead_to - 2000)
    if min(len(calm), len(dead), len(witness)) < 1000:
        verdict("pinned: enough arrived to judge the lag", f"{len(calm)}, {len(dead)} and {len(witness)} samples")
        return
    verdict(f"pinned: the other's lag stays: p99 {p99(calm)} ms undisturbed, {p99(witness)} ms of another walship beside it, "
            f"{p99(dead)} ms beside a dead pair", None if p99(dead) <= 2 * max(p99(calm), p99(witness)) else "more than twice")


def reconcile(pairs, name, *more):
    """A database with these pairs only, against the WAL."""
    path = stage.path(f"{name}.db")
    with lib.database(stage.path("received.db")) as all_pairs, sqlite3.connect(path) as db:
        all_pairs.backup(db)
        marks = ",".join("?" * len(pairs))
        db.execute(f"DELETE FROM sample WHERE pair NOT IN (SELECT id FROM pair WHERE name IN ({marks}))", pairs)
    done = subprocess.run([lib.RECONCILE, "--dump", stage.path("wal.txt"), "--db", path, *more], capture_output=True, text=True, check=False)
    print("".join(f"      {name}: {line}\n" for line in done.stdout.splitlines()), end="")
    verdict(f"{name}: nothing missing, nothing out of order", None if done.returncode == 0 else done.stdout + done.stderr)


def configure(name, listen, *destinations):
    return stage.write(f"{name}.yml", f"wal_dir: {stage.path('data', 'wal')}\nstate_dir: {stage.path('state.' + name)}\nstart_at: oldest\n"
                                      f"listen_address: '{listen}'\nremote_write:\n" + "".join(destinations))


def main():
    emulator = stage.emulator(PORT, FAILOVER + PINNED + WITNESS)
    stage.exporter(EXPORTER_PORT, SERIES)
    server = stage.prometheus(lib.peer("prom242"), PROMETHEUS_PORT, [f"127.0.0.1:{EXPORTER_PORT}"])
    config = configure("walship", f"127.0.0.1:{STATUS_PORT}", destination("failover", "failover", FAILOVER), destination("pinned", "pinned", PINNED))
    walship = stage.walship(config)
    witness = stage.walship(configure("witness", "", destination("witness", "pinned", WITNESS)), "witness.log")
    if not wait_until("the first samples", lambda: all(one["samples"] > 0 for one in endpoints().values()), 60):
        sys.exit("FAIL nothing arrives")
    ill("c", "refuses", "status=403")
    ill("a", "is dead", "cut=before")
    ill("b", "is throttled", "status=429&retry_after=2")
    pinned_story(walship)
    good = wait_until("all shards at home", lambda: all(at_home(pair) for pair in FAILOVER + PINNED), 60)
    verdict("failover: all shards are at home again", None if good else {p: e["lending"] for p, e in endpoints().items()})
    stage.stop(server)
    stage.stop(witness)
    code = stage.stop(walship)
    verdict("walship stops cleanly", None if code == 0 else f"exit {code}")
    code = stage.drain(config)
    verdict("walship drains", None if code == 0 else f"exit {code}")
    stage.stop(emulator)
    stage.wal_dump()
    reconcile(FAILOVER, "failover", "--allow-shared")
    reconcile(PINNED, "pinned", "--max-doubled", "0")  # nothing was killed
    return account.end()


if __name__ == "__main__":
    lib.run(main, stage)

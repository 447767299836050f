#!/usr/bin/env python3
"""Reloads under load: SIGHUP and POST /-/reload with good and bad files in turn, while a live Prometheus is shipped. A bad file
changes nothing and says why; in the end nothing is missing, nothing is out of order, and memory has not grown. 100 reloads, half of
them bad (WALSHIP_LONG=1: 1,000). A prometheus_config that changes is taken up by itself; so is a changed secret.
"""
import re
import signal
import time

import lib

RELOADS = 1000 if lib.LONG else 100
EMULATOR_PORT, PROMETHEUS_PORT, EXPORTER_PORT, STATUS_PORT = lib.free_ports(4)
account, stage = lib.Account("reload"), lib.Stage("reload")
verdict = account.verdict


def status(path, method="GET"):
    return lib.answer_of(f"http://127.0.0.1:{STATUS_PORT}{path}", method)


def metric(name):
    return lib.metric(status("/metrics")[1], name)


def wait_until(what, condition, seconds=60):
    """Here it is a failure when it does not come true."""
    return lib.wait_until(what, condition, seconds) or verdict(what, f"not within {seconds} s")


def config(turn, extra=""):
    """Other endpoints, weights, queues and headers each time; a and b are always among them."""
    endpoints = ["a", "b"] + (["c"] if turn % 3 == 0 else [])
    if turn % 2:
        endpoints.reverse()
    text = f"wal_dir: {stage.dir}/data\nstate_dir: {stage.dir}/state\nlisten_address: 127.0.0.1:{STATUS_PORT}\nstart_at: oldest\n"
    text += f"prometheus_config: {stage.dir}/labels.yml\nremote_write:\n- name: live\n  headers: {{X-Turn: '{turn}'}}\n"
    text += f"  queue_config: {{max_shards: {turn % 8 + 1}, max_samples_per_send: {500 + turn % 7 * 100}}}\n  endpoints:\n"
    for i, name in enumerate(endpoints):
        text += f"  - {{url: 'http://127.0.0.1:{EMULATOR_PORT}/write/{name}', weight: {1 + (turn + i) % 3}}}\n"
    if turn % 5 == 0:
        text += f"- {{name: second, url: 'http://127.0.0.1:{EMULATOR_PORT}/write/second'}}\n"
    return stage.write("walship.yml", text + extra)


BAD = ["nonsense: 1\n", "remote_write: []\n", ": [\n", "spool_dir: /tmp/elsewhere\n", "external_labels: [a]\n"]


def storm(walship):
    wrong = []
    early = None
    for turn in range(1, RELOADS + 1):
        bad = turn % 2 == 0
        config(turn, BAD[turn // 2 % len(BAD)] if bad else "")
        if turn % 4 < 2:
            code, said = status("/-/reload", "POST")
            if (code == 200) == bad or (bad and (not said.strip() or said.endswith("\n\n"))):
                wrong.append((turn, code, said))
        else:
            before = metric("prometheus_config_last_reload_success_timestamp_seconds")
            walship.send_signal(signal.SIGHUP)
            done = (lambda: metric("prometheus_config_last_reload_successful") == 0) if bad else (
                lambda: metric("prometheus_config_last_reload_success_timestamp_seconds") > before)
            if not wait_until(f"reload {turn} by SIGHUP", done, 60):
                wrong.append((turn, "SIGHUP"))
        if walship.poll() is not None:
            return [("walship ended", walship.returncode)], 0, 0
        if turn == RELOADS // 2:
            early = metric("process_resident_memory_bytes")
        time.sleep(0.15)
    return wrong, early, metric("process_resident_memory_bytes")


def main():
    stage.write("labels.yml", "global: {external_labels: {cluster: one}}\n")
    emulator = stage.emulator(EMULATOR_PORT, ["a", "b", "c", "second"])
    stage.exporter(EXPORTER_PORT, 1000)
    prometheus = stage.prometheus(lib.peer("prom242"), PROMETHEUS_PORT, [f"127.0.0.1:{EXPORTER_PORT}"])
    walship = stage.walship(config(0))
    if not wait_until("walship", lambda: status("/-/ready")[0] == 200):
        return 1
    if not wait_until("the first samples", lambda: (metric("walship_items_acked_total") or 0) > 0):
        return 1
    wrong, early, late = storm(walship)
    verdict(f"{RELOADS} reloads, half of them refused", wrong[:3] or None)
    verdict("memory does not grow with reloads", None if late < early + (24 << 20) else f"{early} -> {late}")
    config(1)
    verdict("a good file again", None if status("/-/reload", "POST")[0] == 200 else "refused")
    stage.write("labels.yml", "global: {external_labels: {cluster: two}}\n")
    good = metric("prometheus_config_last_reload_success_timestamp_seconds")
    wait_until("a changed prometheus_config is taken up", lambda: metric("prometheus_config_last_reload_success_timestamp_seconds") > good, 30)
    acked = metric("walship_items_acked_total")
    wait_until("the load to go on", lambda: metric("walship_items_acked_total") > acked + 3000)
    stage.stop(prometheus)
    time.sleep(1)
    code = stage.stop(walship)
    verdict("walship stops cleanly", None if code == 0 else f"exit {code}")
    code = stage.drain(config(1))
    verdict("walship drains", None if code == 0 else f"exit {code}: {stage.path('walship.log')}")
    stage.stop(emulator)
    judge()
    return account.end()


def judge():
    """Every sample of the WAL once (the external label apart), each series in order."""
    with open(stage.wal_dump(), encoding="utf-8") as file:
        dump = file.read()

    def plain(labels):
        return re.sub(r', ?cluster="[a-z]+"|cluster="[a-z]+", ?', "", labels)
    source = {}
    for line in dump.splitlines():
        if not line.startswith("#"):
            labels, _, t = line.rsplit(" ", 2)
            source.setdefault(labels, set()).add(int(t))
    with lib.database(stage.path("received.db")) as db:
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


if __name__ == "__main__":
    lib.run(main, stage)

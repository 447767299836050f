#!/usr/bin/env python3
"""Three pairs of 600 requests a minute each, and a backlog that keeps all of them busy. Cases, side by side:

  - set       the quotas are configured: never a 429, no sliding minute above the quota, at least 95 % of it used;
  - killed    the same, and walship is killed (SIGKILL) three times and stopped once in between: still no 429;
  - unset     nothing is configured: learned from 429s, then under 1 % of them, and at least 95 % used;
  - share     `quota: {share: 0.5}` of 1,200, a destination's own quota over its endpoints: never above either.

Afterwards everything is delivered without quotas: nothing missing, nothing out of order, no series on two pairs but where shards were
lent. What happened is read from the emulator's database, which does not know what walship meant to do.

WALSHIP_LONG=1: the emulator lets a whole minute of requests through at once and learning gets its two minutes; five minutes in all.
"""
import signal
import sqlite3
import subprocess
import threading
import time

import lib

LONG = lib.LONG
PAIRS = ("a", "b", "c")
QUOTA = 600
SERIES, SAMPLES = (1200, 900) if LONG else (900, 260)
RUN_S = 300 if LONG else 63
LEARN_S = 120 if LONG else 20  # from the first request; the short tier's emulator has no minute to give at once
account, top = lib.Account("quota"), lib.Stage("quota")


class Case(lib.Stage):
    def __init__(self, name, port):
        super().__init__("quota", name)
        self.name, self.port = name, port
        self.database = self.path("received.db")

    def receivers(self, limited):
        limits = f", requests_per_minute: {QUOTA}, burst: {'60s' if LONG or self.name != 'unset' else '2s'}" if limited else ""
        pairs = "".join(f"- {{name: {pair}, dce: dce-{pair}, dcr: dcr-{pair}, workspace: w{limits}}}\n" for pair in PAIRS)
        return self.emulator(self.port, f"""workspaces: [{{name: w, window: 0}}]
endpoints:
{pairs}identities:
- {{name: app, tenant: 11111111-2222-3333-4444-555555555555, client_id: 00000003-aaaa-bbbb-cccc-dddddddddddd, object_id: o, secret: planted, roles: ['*']}}
tokens: {{life: 1h}}
""")

    def walship_config(self, limited):
        own = {"set": "quota: {requests_per_minute: 600}", "killed": "quota: {requests_per_minute: 600}", "unset": "",
               "share": "quota: {requests_per_minute: 1200}"}[self.name] if limited else ""
        whole = "quota: {requests_per_minute: 2400, share: 0.5}" if limited and self.name == "share" else ""
        size = "max_bytes_per_send: 1024, max_samples_per_send: 20" if limited else "max_samples_per_send: 5000"
        endpoints = "".join(f"  - url: http://127.0.0.1:{self.port}/dce-{pair}/dataCollectionRules/dcr-{pair}/streams/"
                            f"Microsoft-PrometheusMetrics/api/v1/write?api-version=2023-04-24\n    {own}\n" for pair in PAIRS)
        return self.write("walship.yml", f"""wal_dir: {top.dir}/data
state_dir: {self.path('state')}
start_at: oldest
listen_address: ''
remote_write:
- name: quota
  queue_config: {{{size}}}
  azuread: {{authority_host: 'http://127.0.0.1:{self.port}/', oauth: {{client_id: 00000003-aaaa-bbbb-cccc-dddddddddddd,
    tenant_id: 11111111-2222-3333-4444-555555555555, client_secret: planted}}}}
  {whole}
  endpoints:
{endpoints}""")

    def check(self, what, problem=None):
        account.verdict(f"{self.name}: {what}", problem)

    def requests(self):
        """(pair, Unix ms, status) in the order of arrival."""
        with lib.database(self.database) as db:
            return db.execute("SELECT pair.name, wall_ms, status FROM request JOIN pair ON pair.id = pair ORDER BY request.id").fetchall()


def busiest_minute(times):
    first, most = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - 60000:
            first += 1
        most = max(most, last - first + 1)
    return most


def run(case):
    """Three kills, the first while everything is new, and one clean stop: at fixed parts of the time."""
    process = case.walship(case.path("walship.yml"))
    begun = time.monotonic()
    breaks = [(0.1, signal.SIGKILL, 0), (0.4, signal.SIGKILL, 0.5), (0.6, signal.SIGTERM, 0.2), (0.8, signal.SIGKILL, 3)]
    for part, how, down_s in breaks if case.name == "killed" else []:
        time.sleep(max(0, begun + part * RUN_S - time.monotonic()))
        case.stop(process, how)
        time.sleep(down_s)
        process = case.walship(case.path("walship.yml"))
    time.sleep(max(0, begun + RUN_S - time.monotonic()))
    code = case.stop(process)
    case.check("walship stops cleanly", None if code == 0 else f"exit {code}: {case.path('walship.log')}")


def judge(case):
    requests = case.requests()
    quota = {"share": QUOTA}.get(case.name, QUOTA)
    refused = sum(1 for _, _, status in requests if status == 429)
    other = {status for _, _, status in requests} - {204, 429}
    case.check("no other answers", f"{other}" if other else None)
    if case.name != "unset":
        case.check(f"no 429 among {len(requests)} requests", f"{refused} of them" if refused else None)
        for pair in PAIRS:
            most = busiest_minute([at for name, at, _ in requests if name == pair])
            case.check(f"pair {pair}: {most} requests in its busiest minute", f"above {quota}" if most > quota else None)
    if case.name == "share":
        most = busiest_minute([at for _, at, _ in requests])
        case.check(f"{most} requests of the destination in its busiest minute", "above 1200" if most > 1200 else None)
    if case.name == "killed":
        least = 3 * QUOTA * RUN_S / 60 * 0.75
        case.check(f"{len(requests)} requests in all", f"less than {least:.0f}" if len(requests) < least else None)
        return
    begun = requests[0][1] + (LEARN_S * 1000 if case.name == "unset" else 0)
    last = requests[0][1] + (RUN_S - 2) * 1000
    late = [status for _, at, status in requests if begun <= at < last]
    # Any sliding minute is kept to: in the short tier what went before it was learned is missing at the end of that minute.
    whole = begun if LONG else requests[0][1]
    possible = {"share": 1200}.get(case.name, 3 * QUOTA) * (last - whole) / 60000
    through = sum(1 for _, at, status in requests if whole <= at < last and status == 204) / possible
    case.check(f"{through * 100:.1f} % of the quotas used", "below 95 %" if through < 0.95 else None)
    if case.name == "unset":
        part = late.count(429) / max(1, len(late))
        case.check(f"{refused} answers 429, {part * 100:.2f} % once learned", "1 % or more" if part >= 0.01 else None)
        case.check("it had to be learned", None if refused else "no 429 at all: the emulator has no limit")


def drain(case):
    with sqlite3.connect(case.path("state", "walship.db")) as db:
        db.execute("DELETE FROM quota")  # as if a week had passed: no history, nothing learned
    db.close()
    emulator = case.receivers(False)
    code = case.drain(case.walship_config(False), 120)
    case.stop(emulator)
    case.check("all the rest is delivered without quotas", None if code == 0 else case.path("walship.log"))
    found = subprocess.run([lib.RECONCILE, "--dump", top.path("wal.txt"), "--db", case.database, "--allow-shared",
                            *([] if case.name == "killed" else ["--max-doubled", "0"])],
                           capture_output=True, text=True, check=False)
    case.write("reconcile.txt", found.stdout + found.stderr)
    case.check("nothing missing, nothing out of order", None if found.returncode == 0 else found.stdout + found.stderr)


def whole(case):
    try:
        emulator = case.receivers(True)
        case.walship_config(True)
        run(case)
        case.stop(emulator)
        judge(case)
        drain(case)
    except Exception as problem:  # a case that broke down must not look like one that was quiet
        case.check("runs to its end", repr(problem))


def main():
    subprocess.run([lib.GENERATE, top.path("data"), str(SERIES), str(SAMPLES)], check=True, stdout=subprocess.DEVNULL)
    top.wal_dump(top.path("data"))
    threads = [threading.Thread(target=whole, args=(case,), daemon=True) for case in CASES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return account.end()


NAMES = ("set", "killed", "unset", "share")
CASES = [Case(name, port) for name, port in zip(NAMES, lib.free_ports(len(NAMES)))]

if __name__ == "__main__":
    lib.run(main, *CASES)

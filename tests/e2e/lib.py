"""What the Python tests of this folder share. A test makes one Account and one Stage (or a few), and ends with lib.run:

    account, stage = lib.Account("reload"), lib.Stage("reload")
    port, = lib.free_ports(1)

    def main():
        stage.emulator(port, ["a", "b"])
        account.verdict("what should be so", None if it_is_so else "what was found instead")
        return account.end()

    if __name__ == "__main__":
        lib.run(main, stage)

Nothing here waits for a fixed time: what is waited for is a condition, with a bound.
"""
import contextlib
import http.server
import importlib.machinery
import importlib.util
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WALSHIP = os.path.join(ROOT, "build", "release", "walship")
EMULATOR = os.path.join(ROOT, "build", "release", "walship-emulator")
GENERATE = os.path.join(ROOT, "build", "release", "bench_generate")
EXPORTER = os.path.join(ROOT, "scripts", "exporter")
RECONCILE = os.path.join(ROOT, "scripts", "reconcile")
LONG = bool(os.environ.get("WALSHIP_LONG"))
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def peer(package, program="prometheus"):
    """A program of scripts/peers, there or not: its path."""
    return os.path.join(ROOT, "build", "peers", package, "usr", "bin", program)


def is_there(*programs):
    return all(os.access(program, os.X_OK) for program in programs)


def free_ports(count):
    """As free_ports of scripts/lib.sh, which has the reasons."""
    first, last = map(int, os.environ.get("WALSHIP_PORTS", "10000 29999").split())
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


def ask(url, method="GET"):
    """The body; anything but a 2xx raises, an OSError like all that can go wrong here."""
    with OPENER.open(urllib.request.Request(url, method=method), timeout=10) as answer:
        return answer.read().decode()


def answer_of(url, method="GET"):
    """(status, body), whatever the status."""
    try:
        with OPENER.open(urllib.request.Request(url, method=method), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_until(what, condition, seconds):
    """Whether it came true; says so when not. An OSError counts as not yet: who should answer is starting, perhaps."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except OSError:
            pass
        time.sleep(0.1)
    print(f"      waited {seconds} s for {what}", flush=True)
    return False


def met(attempt, first_ms):
    """Whether attempt(ms) could be made within a window of time that it opens itself. Who is too slow for it, on a busy machine, gets
    it anew, twice as long: what is asked is what happens within it, not how quick the asker is."""
    return any(attempt(first_ms << doubled) for doubled in range(8))


def metric(page, name, *parts):
    """The value of the first line of that metric whose labels hold all parts; None when there is none."""
    for line in page.splitlines():
        if (line.startswith(name + " ") or line.startswith(name + "{")) and all(part in line for part in parts):
            return float(line.rsplit(" ", 1)[1])
    return None


def is_caught_up(port):
    """Whether the walship with its page at that port has read and settled all that is in the WAL. Before a page is answered the directory
    is looked at; what a search or a series record to come holds back counts."""
    page = ask(f"http://127.0.0.1:{port}/metrics").splitlines()
    rows = [line for line in page if line.startswith(("walship_behind_bytes{", "walship_items_pending{", "walship_items_parked{"))]
    return bool(rows) and all(line.endswith("} 0") for line in rows)


@contextlib.contextmanager
def database(path):
    """The emulator's, or walship's: read beside its owner, changed never."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def reconcile():
    """scripts/reconcile as a module: its parsers and its rules of equality."""
    loader = importlib.machinery.SourceFileLoader("reconcile", RECONCILE)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("reconcile", loader))
    loader.exec_module(module)
    return module


class Quiet(http.server.BaseHTTPRequestHandler):
    """A handler that keeps connections alive and logs nothing."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind="text/plain; version=0.0.4"):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)


def serve(port, handler):
    """In threads of this process, until it ends."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()


class Account:
    """What was ok and what was not, one line each; threads may share it. A quiet one prints only what was not."""

    def __init__(self, name, quiet=False):
        self.name, self.quiet = name, quiet
        self.passed = self.failed = 0
        self.lock = threading.Lock()

    def verdict(self, what, problem=None):
        """problem: None, or anything that says what was found instead."""
        good = problem is None
        with self.lock:
            self.passed, self.failed = self.passed + good, self.failed + (not good)
            if not good or not self.quiet:
                print(f"ok    {what}" if good else f"FAIL  {what}: {str(problem)[:2000]}", flush=True)
        return good

    def end(self):
        """The last line, and the exit code."""
        print(f"{self.name}: {self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


class Stage:
    """A directory of build/e2e, empty at first, and the processes that were started there."""

    def __init__(self, *names):
        self.dir = os.path.join(ROOT, "build", "e2e", *names)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.started = []

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text, mode=0o644):
        """A file that nobody sees half written; its path."""
        path = self.path(name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path + ".new", mode)
        os.replace(path + ".new", path)
        return path

    def start(self, log, *command, **more):
        """In the background; what it prints goes to the log."""
        with open(self.path(log), "ab") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, **more)
        self.started.append(process)
        return process

    def run(self, log, *command, **more):
        """To its end; the exit code."""
        with open(self.path(log), "ab") as out:
            return subprocess.run(command, stdout=out, stderr=out, check=False, **more).returncode

    def started_well(self, process, url, log):
        """Waits until that URL answers; the process."""
        if not wait_until(url, lambda: process.poll() is not None or ask(url) is not None, 60) or process.poll() is not None:
            raise RuntimeError(f"it did not start: {self.path(log)}")
        return process

    def emulator(self, port, endpoints, log="emulator.log"):
        """The emulator at that port, with received.db. endpoints: names, each at /write/NAME, or the configuration's text from there on."""
        if not isinstance(endpoints, str):
            endpoints = "endpoints:\n" + "".join(f"- {{name: {name}, path: /write/{name}}}\n" for name in endpoints)
        config = self.write("emulator.yml", f"listen_address: 127.0.0.1:{port}\ndatabase: {self.path('received.db')}\n"
                                            f"commit_interval: 0\n{endpoints}")
        return self.started_well(self.start(log, EMULATOR, "--config", config), f"http://127.0.0.1:{port}/stats", log)

    def exporter(self, port, series):
        return self.start("exporter.log", EXPORTER, "--port", str(port), "--series", str(series))

    def prometheus(self, program, port, targets):
        """A Prometheus with its data in data/ that scrapes these addresses each second (or has this text as its configuration)."""
        if not isinstance(targets, str):
            addresses = ", ".join(f"'{target}'" for target in targets)
            targets = ("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
                       f"- {{job_name: exporter, static_configs: [{{targets: [{addresses}]}}]}}\n")
        process = self.start("prometheus.log", program, f"--config.file={self.write('prometheus.yml', targets)}",
                             f"--storage.tsdb.path={self.path('data')}", f"--web.listen-address=127.0.0.1:{port}")
        return self.started_well(process, f"http://127.0.0.1:{port}/-/ready", "prometheus.log")

    def walship(self, config, log="walship.log", **more):
        return self.start(log, WALSHIP, "run", "--config", config, **more)

    def drain(self, config, seconds=60, log="walship.log", **more):
        """`run --once`: 0 when all that the WAL holds is settled."""
        return self.run(log, WALSHIP, "run", "--once", "--timeout", f"{seconds}s", "--config", config, **more)

    def wal_dump(self, directory=None, name="wal.txt"):
        """What `walship wal dump` prints of a WAL directory; the file's path."""
        with open(self.path(name), "wb") as out:
            subprocess.run([WALSHIP, "wal", "dump", directory or self.path("data", "wal")], stdout=out, check=True)
        return self.path(name)

    def stop(self, process, how=signal.SIGTERM, seconds=60):
        """Signals it and waits, with a SIGKILL at the end of the time; its exit code."""
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return process.returncode

    def end(self):
        """Stops what still runs, all at once."""
        for process in self.started:
            if process.poll() is None:
                process.terminate()
        for process in self.started:
            self.stop(process, seconds=20)


def run(main, *stages):
    """Ends this process with main()'s exit code, and whatever happens, also by SIGTERM, the processes of the stages before."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    code = 1
    try:
        code = main()
    finally:
        for stage in stages:
            stage.end()
    sys.exit(code)

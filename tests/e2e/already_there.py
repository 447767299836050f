#!/usr/bin/env python3
"""The parts of already_there.sh.

  already_there.py proxy --port P --to PORT --calm FILE   passes requests on; until FILE exists, the first answer to
                                                          each body is cut: so every body is delivered twice
  already_there.py compare --source FILE --received FILE  promtool's dumps, as sets
  already_there.py export --port P --out FILE             VictoriaMetrics' samples, written like a dump
  already_there.py lost --json FILE                       the ledger must be empty
"""
import argparse
import hashlib
import http.client
import http.server
import json
import os
import socket
import struct
import sys

import lib


class Proxy(lib.Quiet):
    target = 0
    calm = ""
    seen = set()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=30)
        connection.request("POST", self.path, body, {k: v for k, v in self.headers.items() if k.lower() != "host"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        digest = hashlib.sha256(body).digest()
        print(answer.status, len(body), text[:100], flush=True)
        if digest not in self.seen and not os.path.exists(self.calm):
            self.seen.add(digest)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self.answer(answer.status, text)

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass


def proxy(arguments):
    Proxy.target = arguments.to
    Proxy.calm = arguments.calm
    http.server.ThreadingHTTPServer(("127.0.0.1", arguments.port), Proxy).serve_forever()


def lines_of(path, no_stale):
    with open(path, encoding="utf-8") as file:
        found = [line.strip() for line in file if line.startswith("{")]
    return {line for line in found if not (no_stale and " NaN " in line)}


def compare(arguments):
    source = lines_of(arguments.source, arguments.no_stale)
    received = lines_of(arguments.received, arguments.no_stale)
    missing, invented = source - received, received - source
    print(f"{len(source)} samples at the source, {len(received)} received, {len(missing)} missing, {len(invented)} invented")
    if missing or invented or not source:
        for line in sorted(missing)[:5] + sorted(invented)[:5]:
            print("  " + line)
        sys.exit("FAIL what is there is not what was sent")


def number_of(value):
    """VictoriaMetrics keeps some 13 digits: of a fraction only that it is there is compared."""
    return repr(value) if value != value or value == int(value) else "~"


def text_of(labels, value, stamp):
    name = "".join(f'{key}="{labels[key]}", ' for key in sorted(labels))[:-2]
    return f"{{{name}}} {number_of(value)} {stamp}"


def floats(line):
    """A line of promtool in our own spelling of numbers."""
    labels, value, stamp = line.rsplit(" ", 2)
    return f"{labels} {number_of(float(value))} {stamp}"


def export(arguments):
    url = f"http://127.0.0.1:{arguments.port}/api/v1/export?match%5B%5D=%7B__name__%21%3D%22%22%7D"
    lib.ask(f"http://127.0.0.1:{arguments.port}/internal/force_flush")
    with lib.OPENER.open(url, timeout=60) as answer, open(arguments.out, "w", encoding="utf-8") as out:
        for line in answer:
            row = json.loads(line)
            for value, stamp in zip(row["values"], row["timestamps"]):
                number = float("nan") if value is None else float(value)
                out.write(text_of(row["metric"], number, stamp).replace("nan", "NaN") + "\n")


def respell(arguments):
    with open(arguments.source, encoding="utf-8") as file, open(arguments.out, "w", encoding="utf-8") as out:
        for line in file:
            if line.startswith("{"):
                out.write(floats(line.strip()).replace("nan", "NaN") + "\n")


def lost(arguments):
    with open(arguments.json, encoding="utf-8") as file:
        text = file.read()
    found = sum(int(one["lost"]) for one in json.loads(text)["destinations"])
    print(f"{found} items in the ledger")
    if found:
        sys.exit(f"FAIL counted as lost: {text[:1000]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    step = steps.add_parser("proxy")
    step.add_argument("--port", type=int, required=True)
    step.add_argument("--to", type=int, required=True)
    step.add_argument("--calm", required=True)
    step = steps.add_parser("compare")
    step.add_argument("--source", required=True)
    step.add_argument("--received", required=True)
    step.add_argument("--no-stale", action="store_true")
    step = steps.add_parser("export")
    step.add_argument("--port", type=int, required=True)
    step.add_argument("--out", required=True)
    step = steps.add_parser("respell")
    step.add_argument("--source", required=True)
    step.add_argument("--out", required=True)
    step = steps.add_parser("lost")
    step.add_argument("--json", required=True)
    arguments = parser.parse_args()
    {"proxy": proxy, "compare": compare, "export": export, "respell": respell, "lost": lost}[arguments.step](arguments)


if __name__ == "__main__":
    main()

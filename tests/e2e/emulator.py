#!/usr/bin/env python3
"""The steps of emulator.sh: its own remote write client (snappy by literals only), and rows by hand."""
import http.client
import json
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time

import lib

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


def varint(number):
    number &= (1 << 64) - 1
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(tag, data):
    return bytes([tag]) + varint(len(data)) + data


def snappy(data):
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 60):
        part = data[at : at + 60]
        out += bytes([len(part) - 1 << 2]) + part
    return bytes(out)


def request(name, samples):
    label = field(0x0A, field(0x0A, b"__name__") + field(0x12, name.encode()))
    body = bytearray(label)
    for stamp, value in samples:
        body += field(0x12, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(stamp))
    return snappy(field(0x0A, bytes(body)))


class Client:
    """One kept-alive connection; reopened after it was cut."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(self, method, path, body=b"", headers=None):
        """Status, Retry-After, body; None when the connection was cut."""
        try:
            self.connection.request(method, path, body, HEADERS if headers is None else headers)
            answer = self.connection.getresponse()
            return answer.status, answer.getheader("Retry-After"), answer.read()
        except (http.client.HTTPException, ConnectionError):
            self.connection.close()
            return None

    def fault(self, query):
        assert self.ask("POST", "/fault?" + query)[0] == 200, query


def step_http(port):
    client = Client(int(port))
    one = request("one", [(1000, 1.0), (2000, 2.0)])
    assert client.ask("POST", "/write/a", one)[0] == 204
    assert client.ask("POST", "/write/b?api-version=1", one)[0] == 204
    assert client.ask("POST", "/write/c", one)[0] == 404
    assert client.ask("GET", "/write/a")[0] == 405
    assert client.ask("POST", "/write/a", one, {})[0] == 415
    assert client.ask("POST", "/write/a", b"not snappy")[0] == 400

    client.fault("endpoint=a&status=503&retry_after=7&body=come%20back&count=1")
    assert client.ask("POST", "/write/a", one) == (503, "7", b"come back\n")
    client.fault("endpoint=*&status=429&store=1&count=1")
    assert client.ask("POST", "/write/a", request("kept", [(1, 1.0)]))[0] == 429
    assert client.ask("POST", "/write/b", request("kept", [(1, 1.0)]))[0] == 429
    client.fault("endpoint=a&cut=before&count=1")
    assert client.ask("POST", "/write/a", request("cut_before", [(1, 1.0)])) is None
    client.fault("endpoint=a&cut=after&count=1")
    assert client.ask("POST", "/write/a", request("cut_after", [(1, 1.0)])) is None
    client.fault("endpoint=a&delay=500ms&count=1")
    begun = time.monotonic()
    assert client.ask("POST", "/write/a", request("late", [(1, 1.0)]))[0] == 204
    assert time.monotonic() - begun >= 0.5

    def failing(window_ms):
        client.fault(f"endpoint=a&status=500&for={window_ms}ms")
        return client.ask("POST", "/write/a", request("window_missed", [(1, 1.0)]))[0] == 500

    assert lib.met(failing, 300)
    assert lib.wait_until("the end of a fault", lambda: client.ask("POST", "/write/a", request("after_fault", [(1, 1.0)]))[0] == 204, 10)
    client.fault("endpoint=a&status=500")
    assert client.ask("DELETE", "/fault?endpoint=a")[0] == 200
    assert client.ask("POST", "/write/a", request("cleared", [(1, 1.0)]))[0] == 204

    # a large body in pieces, one that is too large by its own word, and one that turns out to be
    many = request("many", [(stamp, 0.5) for stamp in range(40000)])
    assert 500000 < len(many) < 1 << 20, len(many)
    assert client.ask("POST", "/write/b", many)[0] == 204
    too_many = request("too_many", [(stamp, 0.5) for stamp in range(80000)])
    assert len(too_many) > 1 << 20
    refused = Client(int(port)).ask("POST", "/write/b", too_many)
    assert refused is None or refused[0] == 413, refused  # it may be cut while it still sends
    chunks = (too_many[at : at + 50000] for at in range(0, len(too_many), 50000))
    chunked = Client(int(port))
    chunked.connection.request("POST", "/write/b", chunks, {**HEADERS, "Transfer-Encoding": "chunked"}, encode_chunked=True)
    assert chunked.connection.getresponse().status == 413

    # a client that goes away in the middle
    with socket.create_connection(("127.0.0.1", int(port))) as raw:
        raw.sendall(b"POST /write/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
    threads = [threading.Thread(target=lambda: Client(int(port)).ask("POST", "/write/b", one)) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = json.loads(client.ask("GET", "/stats")[2])["endpoints"]
    assert [endpoint["name"] for endpoint in stats] == ["a", "b"]
    assert stats[1]["samples"] == 2 + 1 + 40000 + 32 * 2, stats[1]
    assert stats[1]["newest_sample_ms"] == 39999, stats[1]


def step_hang(port):
    client = Client(int(port))

    def taken():
        return json.loads(client.ask("GET", "/stats")[2])["endpoints"][0]["samples"]

    before = taken()
    client.fault("endpoint=a&delay=1h")
    with socket.create_connection(("127.0.0.1", int(port))) as raw:
        body = request("hung", [(1, 1.0)])
        lines = [f"{name}: {value}" for name, value in HEADERS.items()]
        head = "\r\n".join(["POST /write/a HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines, "", ""])
        raw.sendall(head.encode() + body)
        # it is counted in the step in which its answer is put off
        assert lib.wait_until("the request to wait for its answer", lambda: taken() == before + 1, 60)


def step_rows(path):
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = dict(
        database.execute(
            "SELECT labels || ' ' || name, count(*) FROM sample JOIN series ON series.id = series"
            " JOIN pair ON pair.id = sample.pair GROUP BY 1"
        )
    )
    missed = rows.pop('{__name__="window_missed"} a', 0)
    expected = {"one a": 2, "one b": 66, "kept a": 1, "kept b": 1, "cut_after a": 1, "late a": 1}
    expected |= {"after_fault a": 1, "cleared a": 1, "many b": 40000, "hung a": 1}
    expected = {f'{{__name__="{key.split()[0]}"}} {key.split()[1]}': count for key, count in expected.items()}
    assert rows == expected, rows
    statuses = dict(database.execute("SELECT status, count(*) FROM request GROUP BY 1"))
    assert statuses.pop(204) == 2 + 3 + 1 + 32 + 1 + missed, statuses
    assert {status for status in statuses} == {0, 400, 405, 413, 415, 429, 500, 503}, statuses
    gaps = database.execute("SELECT max(arrival) - count(*) FROM sample").fetchone()[0]
    assert gaps == 0, gaps


DUMP = """\
# metadata {__name__="m"} gauge
{__name__="m", a="1"} 1 1000
{__name__="m", a="1"} -0 2000
{__name__="m", a="1"} stale 3000
{__name__="m", a="1"} NaN 4000
{__name__="m", a="2"} 0.1 1000
{__name__="m", a="2"} 0.1 1000
{__name__="m", a="2", "dc.name"="q\\"\\\\\\nü"} +Inf 5000
{__name__="m", a="2"} {count:0, sum:NaN} 6000
"""
STALE = 0x7FF0000000000002
NAN = 0x7FF8000000000001


def bits(value):
    return struct.unpack("<q", struct.pack("<d", value))[0]


def good_rows():
    one = '{__name__="m", a="1", cluster="c"}'
    two = '{__name__="m", a="2", cluster="c"}'
    odd = '{__name__="m", a="2", cluster="c", "dc.name"="q\\"\\\\\\nü"}'
    return [
        [1, two, 1000, bits(0.1)],
        [1, two, 1000, bits(0.1)],
        [1, one, 1000, bits(1.0)],
        [1, one, 2000, bits(-0.0)],
        [1, one, 3000, STALE],
        [1, one, 4000, NAN],
        [2, odd, 5000, bits(float("inf"))],
    ]


def swap(rows, a, b):
    rows[a], rows[b] = rows[b], rows[a]
    return rows


def replaced(rows, at, column, value):
    rows[at][column] = value
    return rows


# name, what becomes of the rows, options, figures that are not 0 besides the counts, exit code
CASES = [
    ("all there", lambda rows: rows, [], {}, 0),
    ("one missing", lambda rows: rows[1:], [], {"missing": 1}, 1),
    ("one sent again", lambda rows: rows + [rows[2]], [], {"doubled": 1}, 0),
    ("sent again beyond the bound", lambda rows: rows + [rows[2], rows[3]], ["--max-doubled", "1"], {"doubled": 2}, 1),
    ("two exchanged", lambda rows: swap(rows, 3, 4), [], {"out of order": 1}, 1),
    ("one bit off", lambda rows: replaced(rows, 2, 3, bits(1.0) + 1), [], {"missing": 1, "invented": 1}, 1),
    ("zero for minus zero", lambda rows: replaced(rows, 3, 3, 0), [], {"missing": 1, "invented": 1}, 1),
    ("a plain NaN for the marker", lambda rows: replaced(rows, 4, 3, NAN), [], {"missing": 1, "invented": 1}, 1),
    ("another NaN", lambda rows: replaced(rows, 5, 3, NAN + 5), [], {}, 0),
    ("the time off", lambda rows: replaced(rows, 2, 2, 1001), [], {"missing": 1, "invented": 1}, 1),
    ("on two endpoints", lambda rows: replaced(rows, 2, 0, 2), [], {"series on more than one endpoint": 1}, 1),
    ("on two, allowed", lambda rows: replaced(rows, 2, 0, 2), ["--allow-shared"], {"series on more than one endpoint": 1}, 0),
    ("a label lost", lambda rows: replaced(rows, 6, 1, '{__name__="m"}'), [], {"missing": 1, "invented": 1}, 1),
]


def write_database(path, rows):
    database = sqlite3.connect(path)
    database.executescript(
        "DROP TABLE IF EXISTS pair; CREATE TABLE pair(id, name, path); INSERT INTO pair VALUES(1,'a','/a'),(2,'b','/b');"
        "DROP TABLE IF EXISTS series; CREATE TABLE series(id INTEGER PRIMARY KEY, labels UNIQUE);"
        "DROP TABLE IF EXISTS sample; CREATE TABLE sample(arrival INTEGER PRIMARY KEY, pair, series, t, bits, request);"
    )
    for pair, labels, stamp, value in rows:
        database.execute("INSERT OR IGNORE INTO series(labels) VALUES(?)", (labels,))
        number = database.execute("SELECT id FROM series WHERE labels = ?", (labels,)).fetchone()[0]
        database.execute("INSERT INTO sample(pair, series, t, bits) VALUES(?, ?, ?, ?)", (pair, number, stamp, value))
    database.commit()
    database.close()


def step_reconcile(folder):
    with open(f"{folder}/dump.txt", "w", encoding="utf-8") as out:
        out.write(DUMP)
    for name, change, options, expected, code in CASES:
        rows = change(good_rows())
        write_database(f"{folder}/r.db", rows)
        command = ["scripts/reconcile", "--dump", f"{folder}/dump.txt", "--db", f"{folder}/r.db"]
        run = subprocess.run(
            [*command, "--external-label", "cluster=c", *options], capture_output=True, text=True, check=False
        )
        figures = {}
        for line in run.stdout.splitlines():
            if not line.startswith("#"):
                key, _, figure = line.rpartition(" ")
                figures[key.strip()] = int(figure)
        assert figures.pop("items in the WAL") == 7, (name, run)
        assert figures.pop("received") == len(rows), (name, run)
        found = {key: figure for key, figure in figures.items() if figure}
        assert found == expected and run.returncode == code, (name, run)


if __name__ == "__main__":
    globals()[f"step_{sys.argv[1]}"](*sys.argv[2:])

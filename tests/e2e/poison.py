#!/usr/bin/env python3
"""The WAL of poison.sh, written record by record, and what is counted afterwards.

  poison.py write DIR --series N --rounds N [--poison VALUE [--every-round]] [--pause S]   a segment; VALUE: of a label
  poison.py requests --db FILE --batch N                      what one poison item cost
  poison.py refused --db FILE --from-ms T                     requests refused since then
  poison.py lost --json FILE --reason R --items N             what the ledger says
"""
import argparse
import json
import math
import os
import struct
import sys
import time

import lib

PAGE = 32768
HEADER = 7
TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ 0x82F63B78 if byte & 1 else byte >> 1
    TABLE.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def zigzag(number):
    return varint(number * 2 if number >= 0 else -number * 2 - 1)


class Segment:
    """Uncompressed, in Prometheus' pages and fragments."""

    def __init__(self, path):
        self.file = open(path, "ab")
        self.at = 0

    def log(self, record):
        first, rest = True, record
        out = bytearray()
        while first or rest:
            room = PAGE - self.at % PAGE
            if room < HEADER + 1:
                out += bytes(room)
                self.at += room
                room = PAGE
            part, rest = rest[: room - HEADER], rest[room - HEADER :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[(first, not rest)]
            out += struct.pack(">BHI", kind, len(part), crc32c(part)) + part
            self.at += HEADER + len(part)
            first = False
        self.file.write(out)
        self.file.flush()

    def series(self, rows):
        record = bytearray(b"\x01")
        for ref, labels in rows:
            record += struct.pack(">Q", ref) + varint(len(labels))
            for name, value in labels:
                record += varint(len(name)) + name.encode() + varint(len(value)) + value.encode()
        self.log(bytes(record))

    def samples(self, rows):
        ref0, t0, _ = rows[0]
        record = bytearray(b"\x02" + struct.pack(">QQ", ref0, t0))
        for ref, stamp, value in rows:
            record += zigzag(ref - ref0) + zigzag(stamp - t0) + struct.pack(">d", value)
        self.log(bytes(record))


def write(arguments):
    os.makedirs(arguments.dir, exist_ok=True)
    segment = Segment(os.path.join(arguments.dir, "00000000"))
    refs = list(range(1, arguments.series + 1))
    bad = arguments.series + 1
    segment.series([(ref, (("__name__", "good_total"), ("idx", str(ref)))) for ref in refs])
    if arguments.poison:
        segment.series([(bad, (("__name__", "bad_total"), ("reason", arguments.poison)))])
    start = int(time.time() * 1000) - 1000 * arguments.rounds
    for round_ in range(arguments.rounds):
        rows = [(ref, start + 1000 * round_, float(ref + round_)) for ref in refs]
        if arguments.poison and (arguments.every_round or round_ == arguments.rounds // 2):
            rows.insert(len(rows) // 2, (bad, start + 1000 * round_, 1.0))
        if arguments.pause:
            time.sleep(arguments.pause)
        segment.samples(rows)
    print(arguments.series * arguments.rounds)


def requests(arguments):
    with lib.database(arguments.db) as db:
        rows = db.execute("SELECT status FROM request ORDER BY id").fetchall()
    refused = [index for index, (status,) in enumerate(rows) if status != 204]
    if not refused:
        sys.exit("FAIL no request was refused")
    extra = refused[-1] - refused[0]
    most = int(2 * math.log2(arguments.batch))
    print(f"{extra} further requests for one poison item, at most {most}")
    if extra > most:
        sys.exit(f"FAIL {extra} further requests, more than {most}")


def refused(arguments):
    with lib.database(arguments.db) as db:
        row = db.execute("SELECT count(*) FROM request WHERE status != 204 AND wall_ms >= ?", (arguments.from_ms,)).fetchone()
    print(row[0])


def lost(arguments):
    with open(arguments.json, encoding="utf-8") as file:
        text = file.read()
    reasons = [row for one in json.loads(text)["destinations"] for row in one["reasons"]]
    found = sum(int(row["items"]) for row in reasons)
    if any(row["reason"] != arguments.reason for row in reasons):
        sys.exit(f"FAIL other losses than {arguments.reason}: {text[:1000]}")
    print(f"{found} items in the ledger, {arguments.reason}")
    if found != arguments.items:
        sys.exit(f"FAIL {found} items lost as {arguments.reason}, not {arguments.items}: {text[:1000]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    step = steps.add_parser("write")
    step.add_argument("dir")
    step.add_argument("--series", type=int, required=True)
    step.add_argument("--rounds", type=int, required=True)
    step.add_argument("--poison", default="")
    step.add_argument("--every-round", action="store_true")
    step.add_argument("--pause", type=float, default=0)
    step = steps.add_parser("requests")
    step.add_argument("--db", required=True)
    step.add_argument("--batch", type=int, required=True)
    step = steps.add_parser("refused")
    step.add_argument("--db", required=True)
    step.add_argument("--from-ms", type=int, required=True)
    step = steps.add_parser("lost")
    step.add_argument("--json", required=True)
    step.add_argument("--reason", required=True)
    step.add_argument("--items", type=int, required=True)
    arguments = parser.parse_args()
    {"write": write, "requests": requests, "refused": refused, "lost": lost}[arguments.step](arguments)


if __name__ == "__main__":
    main()

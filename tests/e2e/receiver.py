#!/usr/bin/env python3
"""receiver.py dump|exemplars|export|metadata ...: what a receiver holds against what the WAL holds.

    dump EXPECTED DUMP [NAME=VALUE]... [--without-custom N WAL_DUMP]
        both as `promtool tsdb dump` prints, each line once; NAME=VALUE: external labels. --without-custom: the
        histograms of some series are absent, all of each, and the WAL has N items of them (1.0 can't carry custom
        buckets; which series have them the text does not tell while they are empty)
    exemplars WAL_DUMP ANSWER   `walship wal dump` (its `# exemplar ` lines) and the answer of /api/v1/query_exemplars
    export EXPECTED EXPORT      floats against VictoriaMetrics' /api/v1/export; it keeps 13 to 15 decimal digits and
                                leaves stale markers out, so values are compared to 12 digits and stale ones passed over
    metadata ANSWER DATABASE    the answer of /api/v1/metadata against what an emulator was sent

Prints what differs (three lines of each kind) and exits 1, or prints one line of figures.
"""
import json
import math
import re
import sys

import lib

RECONCILE = lib.reconcile()
LINE = re.compile(r"^(\{.*?\}) (\{.*\}|\S+) (-?\d+)$")


def split(line):
    """Labels, value, timestamp of a line of promtool's. Labels hold no `} ` in these recordings."""
    match = LINE.match(line.rstrip("\n"))
    if match is None:
        raise ValueError(f"not understood: {line[:200]}")
    return match.groups()


def read(path):
    with open(path, encoding="utf-8") as stream:
        return sorted({split(line) for line in stream if line.startswith("{")})


def with_external(labels, external):
    """As promtool prints the set with these added, where the series has none of that name."""
    known = RECONCILE.parse_labels(labels)
    if all(name in known for name in external):
        return labels
    merged = dict(external)
    merged.update(known)
    inner = ", ".join(f'{name}="{escape(value)}"' for name, value in sorted(merged.items()))
    return "{" + inner + "}"


def escape(value):
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def differ(name, wanted, got):
    """Prints up to three of each side's own; true when there are any."""
    missing, invented = wanted - got, got - wanted
    for what, those in (("missing", missing), ("not expected", invented)):
        for one in sorted(those)[:3]:
            print(f"{name}: {what}: {' '.join(map(str, one))[:300]}")
    if missing or invented:
        print(f"FAIL {name}: {len(missing)} missing, {len(invented)} not expected, of {len(wanted)}")
    return bool(missing or invented)


def absent_series(expected, got, external, wal_dump):
    """Series none of whose histograms arrived, and how many the WAL has of them."""
    there = {labels for labels, value, _ in got if value.startswith("{")}
    absent = {labels for labels, value, _ in expected
              if value.startswith("{") and with_external(labels, external) not in there}
    with open(wal_dump, encoding="utf-8") as stream:
        rows = [split(line) for line in stream if line.startswith("{")]
    return absent, sum(value.startswith("{") and labels in absent for labels, value, _ in rows)


def dump(arguments):
    external = dict(one.split("=", 1) for one in arguments[2:] if "=" in one)
    expected, got = read(arguments[0]), set(read(arguments[1]))
    lines = len(expected)
    if "--without-custom" in arguments:
        at = arguments.index("--without-custom")
        absent, items = absent_series(expected, got, external, arguments[at + 2])
        if items != int(arguments[at + 1]):
            print(f"FAIL dump: {items} histograms are absent, {arguments[at + 1]} have custom buckets")
            return 1
        expected = [row for row in expected if row[0] not in absent or not row[1].startswith("{")]
    wanted = {(with_external(labels, external), value, stamp) for labels, value, stamp in expected}
    if differ("dump", wanted, got):
        return 1
    print(f"dump: {len(wanted)} of {lines} lines, equal")
    return 0


def exemplars(arguments):
    wanted = set()
    with open(arguments[0], encoding="utf-8") as stream:
        for line in stream:
            if line.startswith("# exemplar "):
                wanted.add(exemplar_key(line[len("# exemplar "):]))
    got = set()
    with open(arguments[1], encoding="utf-8") as stream:
        for series in json.load(stream)["data"]:
            labels = tuple(sorted(series["seriesLabels"].items()))
            for one in series["exemplars"]:
                own = tuple(sorted(one["labels"].items()))
                got.add((labels, own, float(one["value"]), round(one["timestamp"] * 1000)))
    if differ("exemplars", wanted, got):
        return 1
    print(f"exemplars: {len(wanted)}, equal")
    return 0


def exemplar_key(text):
    """`{series} {labels} value timestamp`."""
    series, rest = text.rstrip("\n").split("} {", 1)
    own, value = rest.split("} ", 1)
    value, stamp = value.split(" ")
    labels = tuple(sorted(RECONCILE.parse_labels(series + "}").items()))
    return (labels, tuple(sorted(RECONCILE.parse_labels("{" + own + "}").items())), float(value), int(stamp))


def export(arguments):
    wanted = {}
    for labels, value, stamp in read(arguments[0]):
        if not value.startswith("{") and value != "NaN":
            wanted[tuple(sorted(RECONCILE.parse_labels(labels).items())), int(stamp)] = float(value)
    got = {}
    with open(arguments[1], encoding="utf-8") as stream:
        for line in stream:
            row = json.loads(line)
            labels = tuple(sorted(row["metric"].items()))
            if "vmrange" not in row["metric"]:  # what it makes of native histograms
                got.update(((labels, stamp), value) for value, stamp in zip(row["values"], row["timestamps"]))
    wrong = [(key, value, got.get(key)) for key, value in wanted.items()
             if got.get(key) is None or not math.isclose(value, float(got[key]), rel_tol=1e-12)]
    for key, value, other in wrong[:3]:
        print(f"export: {key}: {value!r}, received {other!r}"[:400])
    print(f"FAIL export: {len(wrong)} of {len(wanted)}" if wrong else f"export: {len(wanted)} floats, equal")
    return 1 if wrong else 0


TYPES = ["unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"]


def metadata(arguments):
    with open(arguments[0], encoding="utf-8") as stream:
        families = json.load(stream)["data"]
    wanted = {(name, rows[0]["type"], rows[0]["help"], rows[0]["unit"]) for name, rows in families.items()}
    with lib.database(arguments[1]) as db:
        rows = db.execute("SELECT DISTINCT family, type, help, unit FROM metadata").fetchall()
    got = {(name, TYPES[number], text, unit) for name, number, text, unit in rows}
    if not wanted or differ("metadata", wanted, got):
        return 1
    print(f"metadata: {len(wanted)} families, equal")
    return 0


if __name__ == "__main__":
    COMMANDS = {"dump": dump, "exemplars": exemplars, "export": export, "metadata": metadata}
    sys.exit(COMMANDS[sys.argv[1]](sys.argv[2:]))

#!/usr/bin/env python3
"""For budget.sh. `budget.py items`: how many items the ledger (`walship losses --json`, standard input) has for the
reason budget, 0 when there is none yet. `budget.py compare DUMP EMULATOR.db`: what is missing against the ledger on the
standard input, sample for sample: the number is the same, each missing sample lies in the time of some row, and in no
row's time are more missing than all rows together have. Exit 1 when not."""
import json
import sys

import lib


def rows_of(stream):
    try:
        book = json.load(stream)
    except ValueError:
        return []  # no state yet
    return [row for destination in book["destinations"] for row in destination["rows"]]


def missing_times(dump, database):
    """The times of what the dump has and the receivers do not; and how many arrived that it has not."""
    module = lib.reconcile()
    with open(dump, encoding="utf-8") as stream:
        by_labels = module.read_dump(stream, {}, True)
    module.read_database(database, by_labels, True)
    times, invented, items = [], 0, 0
    for series in by_labels.values():
        there = set(zip(series.wal[::2], series.wal[1::2]))
        got = set(zip(series.got[::2], series.got[1::2]))
        times += [stamp for stamp, _ in there - got]
        invented += len(got - there)
        items += len(there)
    return times, invented, items


def compare(rows, dump, database):
    times, invented, items = missing_times(dump, database)
    told = sum(row.get("items", 0) for row in rows)
    others = sorted({row["reason"] for row in rows} - {"budget"})
    outside = [t for t in times if not any(row["time_min_ms"] <= t <= row["time_max_ms"] for row in rows)]
    print(f"items {items}, missing {len(times)}, in the ledger {told} in {len(rows)} rows, outside its times "
          f"{len(outside)}, invented {invented}, other reasons {others}")
    good = times and len(times) == told and not outside and not invented and not others
    return 0 if good else 1


def main(argv):
    rows = rows_of(sys.stdin)
    if argv[0] == "items":
        print(sum(row.get("items", 0) for row in rows if row["reason"] == "budget"))
        return 0
    return compare(rows, argv[1], argv[2])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""Every sample that arrived twice must have an excuse: its first arrival lies within --within-ms before a kill of
walship (what was acked and not yet saved), or its request was on its way when the kill came. --kills: a file of Unix
milliseconds, one a line. Prints how many, and the oldest first arrival before its kill; exit 1 when one has no excuse."""
import argparse
import bisect
import sys

import lib

ON_ITS_WAY_MS = 500  # a request that was delivered though its sender was dead already


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", required=True)
    parser.add_argument("--kills", required=True)
    parser.add_argument("--within-ms", type=int, required=True)
    args = parser.parse_args()
    with open(args.kills, encoding="ascii") as file:
        kills = sorted(int(line) for line in file)
    with lib.database(args.db) as db:
        rows = db.execute("""SELECT s.series, s.t, s.bits, r.wall_ms FROM sample s JOIN request r ON r.id = s.request
                             WHERE (s.series, s.t, s.bits) IN (SELECT series, t, bits FROM sample GROUP BY 1, 2, 3
                                                               HAVING count(*) > 1) ORDER BY s.arrival""").fetchall()
    first, doubled, oldest, bad = {}, 0, 0, 0
    for series, t, bits, wall_ms in rows:
        key = (series, t, bits)
        if key in first:
            doubled += 1
            was = first[key]
            at = bisect.bisect_left(kills, was - ON_ITS_WAY_MS)
            if at == len(kills) or kills[at] - was > args.within_ms:
                bad += 1
                if bad <= 5:
                    print(f"no excuse: series {series} t {t}, first arrived at {was}, again at {wall_ms}")
            else:
                oldest = max(oldest, kills[at] - was)
        first[key] = wall_ms
    print(f"kills {len(kills)}, doubled {doubled}, first arrived at most {oldest} ms before a kill, without excuse {bad}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()

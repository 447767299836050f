#!/usr/bin/env python3
"""The table of same_as_remote_write.sh: blocks of remote_write that Prometheus and walship are both given.

    serve PORT                    the exporter that Prometheus scrapes
    write DIR EXPORTER PROMETHEUS EMULATOR STATUS...   all configurations; one walship per STATUS port
    full DIR SINCE_MS             exit 0 when every block of both has samples at or after that time, or is known to drop all
    compare DIR FROM_MS TO_MS     what arrived with a time between the two must be the same, block by block
"""
import collections
import http.server
import json
import random
import sqlite3
import sys

EXTERNAL = {"cluster": "C-1", "code": "external", "zone": "ä"}
DESTINATIONS_MAX = 32
RANDOM_BLOCKS = 16
SEED = 20240607

SERIES = [
    'requests_total{method="GET",code="200",path="/a/b"}',
    'requests_total{method="GET",code="500",path="/a/b"}',
    'requests_total{method="POST",code="200",path="/"}',
    'requests_total{method="post",code="204",path="/a/b/c?d=e"}',
    'queue{shard="7",shards="7"}',
    'queue{shard="8",shards="7"}',
    'temperature{place="Ärger Straße",unit="celsius"}',
    'temperature{place="İSTANBUL ǅ ΑΣ",unit="CELSIUS"}',
    'temperature{place="𐐀 ﬀ ẞ",unit=""}',
    'text{a="two\\nlines",b="quote\\"d",c="back\\\\slash"}',
    'text{a="$1",b="${1}",c="a;b"}',
    'meta{meta_env="prod",meta_team="x",env="old"}',
    'meta{meta_env="dev",team="y"}',
    'meta{__tmp="1",__meta_x="2",tmp="3"}',
    '{"with.dots","label.with.dots"="v","ünïcode"="w"}',
    '{"white space","a b"="c d"}',
    "bare",
    "bare_total",
]

SOURCES = ["__name__", "method", "code", "path", "place", "unit", "a", "b", "meta_env", "cluster", "instance", "none", "shard"]
REGEXES = ["(.*)", "(.+)", ".*", "", "a", "(?i)get|post", "([A-Z])(.*)", "(.)(.*)(.)", "[a-z]+_total", "(?P<first>[^;]*);(?P<rest>.*)",
           "2..|5..", "/(a)?/?(.*)", "(?s).*\\n.*", "\\pL+", "[[:upper:]].*", "(a|ab)(b?).*", "(.*?)(/.*)?", "\\Q/a/b\\E", "\\d+", "^.*$"]
REPLACEMENTS = ["$1", "${1}_x", "$1_x", "${first}", "$rest!", "$$1", "x", "", "$2$1", "${3}", "$", "${", "é$1é", "$0"]
TARGETS = ["made", "code", "__name__", "${1}", "x_${1}", "with space", "$2", "cluster", "ä"]


def rule(action, **rest):
    return {"action": action, **rest}


def replace(sources, regex, target, replacement=None, **rest):
    made = {"source_labels": sources, "regex": regex, "target_label": target, **rest}
    if replacement is not None:
        made["replacement"] = replacement
    return made


BLOCKS = [
    ("nothing", []),
    ("default regex", [{"source_labels": ["method"], "target_label": "copy"}]),
    ("join", [{"source_labels": ["method", "code", "none"], "target_label": "copy"}]),
    ("separator", [{"source_labels": ["method", "code"], "separator": "<>", "target_label": "copy"}]),
    ("empty separator", [{"source_labels": ["method", "code"], "separator": "", "target_label": "copy"}]),
    ("fixed", [{"target_label": "fixed", "replacement": "value"}]),
    ("remove by empty", [{"target_label": "instance", "replacement": ""}]),
    ("remove by missing", [{"source_labels": ["none"], "target_label": "method"}]),
    ("rename", [replace(["__name__"], "(.*)_total", "__name__", "$1")]),
    ("new name", [{"target_label": "__name__", "replacement": "one_name"}]),
    ("no name", [rule("labeldrop", regex="__name__")]),
    ("groups", [replace(["path"], "/([^/]*)/(.*)", "first", "${1}:$2"), replace(["path"], "/(?P<p>[^/]*)(?:/.*)?", "named", "<${p}>")]),
    ("named without P", [replace(["path"], "/(?<p>[^/]*).*", "named", "$p")]),
    ("no such group", [replace(["path"], "(.*)", "made", "a$1_b${9}c$none")]),
    ("dollars", [replace(["path"], "(.*)", "made", "$$1 $ $- ${ ${} $1$")]),
    ("number too long", [replace(["path"], "(.*)", "made", "x${12345678901234}y${01}z")]),
    ("letters beyond ASCII", [replace(["method"], "(.*)", "made", "$1é${1}é")]),
    ("anchored", [replace(["method"], "E", "made", "x"), replace(["method"], "G|ET", "made2", "x")]),
    ("first, not longest", [replace(["path"], "(/|/a)(.*?)(/b)?(.*)", "made", "[$1][$2][$3][$4]")]),
    ("ungreedy", [replace(["path"], "(?U)(/.*)(.*)", "made", "[$1][$2]")]),
    ("dot and newline", [replace(["a"], "two.lines", "made", "x"), replace(["a"], "two(?-s:.)lines", "made2", "x")]),
    ("multi-line", [replace(["a"], "(?m)two$.^lines", "made", "x")]),
    ("case", [replace(["method"], "(?i)(post)", "made", "$1")]),
    ("classes", [replace(["place"], "(\\p{Lu}).*?(\\pL+)", "made", "$1|$2"), replace(["path"], "(?:[[:alpha:]]|[/?=])+", "made2", "x")]),
    ("quoted", [replace(["path"], "\\Q/a/b/c?\\E(.*)", "made", "$1")]),
    ("word and space", [replace(["place"], "(\\w*)\\W.*", "made", "<$1>"), replace(["place"], "\\S+\\s.*", "made2", "x")]),
    ("broken open", [replace(["method"], "GET)|(?:post", "made", "x")]),
    ("empty regex", [replace(["method"], "", "made", "none")]),
    ("null regex", [{"source_labels": ["method"], "regex": None, "target_label": "made", "replacement": "none"}]),
    ("target from groups", [replace(["meta_env"], "(.+)", "env_$1", "yes"), replace(["unit"], "(.*)", "${1}", "target")]),
    ("target with dots", [replace(["method"], "(.+)", "a.b-c d", "$1")]),
    ("into itself", [replace(["path"], "/(.*)", "path", "$1"), replace(["path"], "([^/]*)/.*", "path", "$1")]),
    ("keep", [rule("keep", source_labels=["__name__"], regex="requests_total|queue")]),
    ("drop", [rule("drop", source_labels=["__name__", "code"], regex="requests_total;5..|bare;.*")]),
    ("drop all", [rule("drop", regex="")]),
    ("keep none", [rule("keep", source_labels=["none"], regex=".+")]),
    ("keep then drop", [rule("Keep", source_labels=["job"], regex="exporter"), rule("DROP", source_labels=["method"], regex=".+")]),
    ("keepequal", [rule("keepequal", source_labels=["shard"], target_label="shards")]),
    ("dropequal", [rule("dropequal", source_labels=["shard"], target_label="shards")]),
    ("hashmod", [rule("hashmod", source_labels=["__name__", "path"], modulus=1000, target_label="share")]),
    ("hashmod keep", [rule("hashmod", source_labels=["__name__"], modulus=3, target_label="__share"), rule("keep", source_labels=["__share"], regex="1"),
                      rule("labeldrop", regex="__share")]),
    ("hashmod large", [rule("hashmod", source_labels=["none"], modulus=9223372036854775807, target_label="share")]),
    ("labelmap", [rule("labelmap", regex="meta_(.+)")]),
    ("labelmap, several to one", [rule("labelmap", regex="[abc]", replacement="one")]),
    ("labelmap over set ones", [{"target_label": "a", "replacement": "set"}, rule("labelmap", regex="[abc]|cluster|zone", replacement="one")]),
    ("labelmap external", [rule("labelmap", regex="(cluster|zone|code)", replacement="ext_$1")]),
    ("labelmap with dots", [rule("labelmap", regex="(.*)\\.with\\.(.*)", replacement="${2}.${1}")]),
    ("labeldrop", [rule("labeldrop", regex="meta_.*|__.+x|instance")]),
    ("labelkeep", [rule("labelkeep", regex="__name__|code|path|a.*")]),
    ("lowercase", [rule("lowercase", source_labels=["place"], target_label="place"), rule("lowercase", source_labels=["method", "unit"], target_label="l")]),
    ("uppercase", [rule("uppercase", source_labels=["place"], target_label="place"), rule("uppercase", source_labels=["zone"], target_label="zone")]),
    ("merged", [rule("labeldrop", regex="method|code|path|instance")]),
    ("external taken off", [rule("labeldrop", regex="cluster|zone")]),
    ("external replaced", [{"source_labels": ["cluster", "code"], "target_label": "code"}]),
]
DROPS_ALL = {"drop all", "keep none"}


def random_rule(rng):
    sources = rng.sample(SOURCES, rng.randrange(0, 4))
    kind = rng.randrange(10)
    if kind < 5:
        return {"source_labels": sources, "regex": rng.choice(REGEXES), "target_label": rng.choice(TARGETS), "replacement": rng.choice(REPLACEMENTS)}
    if kind == 5:
        return rule("labelmap", regex=rng.choice(REGEXES), replacement=rng.choice(["m_$1", "m", "${1}m", "m.$2"]))
    if kind == 6:
        return rule(rng.choice(["lowercase", "uppercase"]), source_labels=sources, target_label=rng.choice(["made", "place", "a"]))
    if kind == 7:
        return rule("labeldrop", regex=rng.choice(["a", "b|c", "me.*", "x_.*"]))
    if kind == 8:
        return rule("hashmod", source_labels=sources, modulus=rng.randrange(1, 50), target_label="share")
    return rule("drop", source_labels=["__name__", "code"], regex=rng.choice(["queue;.*", "bare.*", "requests_total;2..", "meta;.*"]))


def blocks():
    rng = random.Random(SEED)
    made = [(f"random {i}", [random_rule(rng) for _ in range(rng.randrange(1, 6))]) for i in range(RANDOM_BLOCKS)]
    return BLOCKS + made


class Handler(http.server.BaseHTTPRequestHandler):
    """GET of anything is the scrape; every second one lacks a series, so that there are stale markers."""

    scrapes = 0

    def log_message(self, *_):
        pass

    def do_GET(self):
        Handler.scrapes += 1
        lines = [f"{text} {Handler.scrapes * 100 + i}\n" for i, text in enumerate(SERIES) if i != 4 or Handler.scrapes % 2]
        body = "".join(lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(port):
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


def save(path, tree):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(tree, file, ensure_ascii=False)  # which is YAML too


def write(folder, exporter, prometheus, emulator, *status):
    table = blocks()
    assert len(table) <= DESTINATIONS_MAX * len(status), len(table)
    url = f"http://127.0.0.1:{emulator}/"
    endpoints = [{"name": f"{who}{i}", "path": f"/{who}{i}"} for i in range(len(table)) for who in "pw"]
    save(f"{folder}/emulator.yml", {"listen_address": f"127.0.0.1:{emulator}", "database": f"{folder}/received.db", "endpoints": endpoints})
    queue = {"min_shards": 1, "max_shards": 1, "batch_send_deadline": "1s"}
    save(f"{folder}/prometheus.yml", {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "external_labels": EXTERNAL},
        "scrape_configs": [{"job_name": "exporter", "static_configs": [{"targets": [f"127.0.0.1:{exporter}"]}]}],
        "remote_write": [{"name": f"b{i}", "url": f"{url}p{i}", "queue_config": queue, "metadata_config": {"send": False},
                          "write_relabel_configs": rules} for i, (_, rules) in enumerate(table)]})
    for n, port in enumerate(status):
        mine = range(n * DESTINATIONS_MAX, min(len(table), (n + 1) * DESTINATIONS_MAX))
        save(f"{folder}/walship{n}.yml", {
            "wal_dir": f"{folder}/data", "state_dir": f"{folder}/state{n}", "listen_address": f"127.0.0.1:{port}",
            "start_at": "oldest", "external_labels": EXTERNAL,
            "remote_write": [{"name": f"b{i}", "url": f"{url}w{i}", "write_relabel_configs": table[i][1]} for i in mine]})
    assert prometheus


def received(folder, where, parameters):
    database = sqlite3.connect(f"file:{folder}/received.db?mode=ro", uri=True)
    found = collections.defaultdict(collections.Counter)
    rows = database.execute(f"""SELECT pair.name, series.labels, t, bits FROM sample JOIN pair ON pair.id = pair
                                JOIN series ON series.id = series WHERE {where}""", parameters)
    for pair, labels, t, bits in rows:
        found[pair][labels, t, bits] += 1
    return found


def full(folder, since):
    found = received(folder, "t >= ?", (int(since),))
    return all(found[f"{who}{i}"] for i, (name, _) in enumerate(blocks()) for who in "pw" if name not in DROPS_ALL)


def compare(folder, first, last):
    found = received(folder, "t BETWEEN ? AND ?", (int(first), int(last)))
    failed = 0
    items = 0
    for i, (name, rules) in enumerate(blocks()):
        theirs, ours = found[f"p{i}"], found[f"w{i}"]
        items += sum(theirs.values())
        if theirs == ours and bool(theirs) != (name in DROPS_ALL):
            continue
        failed += 1
        print(f"FAIL {name}: {json.dumps(rules, ensure_ascii=False)}\n  {sum(theirs.values())} items of Prometheus, {sum(ours.values())} of walship")
        for label, more in (("only Prometheus", theirs - ours), ("only walship", ours - theirs)):
            for item in sorted(more)[:3]:
                print(f"  {label}: {item}")
    print(f"same_as_remote_write: {len(blocks())} blocks, {items} items each, {failed} differ")
    return failed == 0


COMMANDS = {"serve": serve, "write": write, "full": full, "compare": compare}
if __name__ == "__main__":
    sys.exit(1 if COMMANDS[sys.argv[1]](*sys.argv[2:]) is False else 0)

#!/usr/bin/env python3
"""The table of same_as_remote_write.sh: blocks of remote_write that Prometheus and walship are both given.

    serve PORT                    the exporter that Prometheus scrapes: text at /metrics, all kinds of items at /kinds
    write DIR EXPORTER EMULATOR STATUS...   all configurations; one walship per STATUS port
    full DIR SINCE_MS             exit 0 when every block of both has items of each kind due at or after that time
    rest DIR                      Prometheus' configuration without targets: after a reload nothing new comes
    figures DIR                   with nothing on its way, what both say on /metrics must be what arrived, kind by kind; each
                                  metric that Prometheus has of remote write and of its WAL watcher walship has too, with its
                                  type and labels; both drop by rule in the same blocks, and took in the same
    compare DIR FROM_MS TO_MS     what arrived with a time between the two must be the same, block by block, start times and
                                  (2.0) metadata included, and in order
                                  of time. Custom buckets over 1.0: Prometheus 3.5 sends such histograms without their
                                  bounds, which no receiver can read; walship counts them as unsupported instead
"""
import collections
import http.server
import json
import os
import random
import re
import sys

import kinds_exposition
import lib

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

# What is told of families: a counter, a gauge, one without a help text, one without a type, one of which nothing comes.
DESCRIBED = [
    "# HELP requests_total Requests, by \\\\ method.\n# TYPE requests_total counter\n",
    "# HELP queue Länge\\nder Schlange.\n# TYPE queue gauge\n",
    "# TYPE temperature gauge\n",
    "# HELP bare Without a type.\n",
    "# HELP nothing_comes Nothing.\n# TYPE nothing_comes gauge\n",
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
    ("labelkeep", [rule("labelkeep", regex="__name__|job|code|path|a.*")]),
    ("lowercase", [rule("lowercase", source_labels=["place"], target_label="place"), rule("lowercase", source_labels=["method", "unit"], target_label="l")]),
    ("uppercase", [rule("uppercase", source_labels=["place"], target_label="place"), rule("uppercase", source_labels=["zone"], target_label="zone")]),
    ("merged", [rule("labeldrop", regex="method|code|path|instance")]),
    ("external taken off", [rule("labeldrop", regex="cluster|zone")]),
    ("external replaced", [{"source_labels": ["cluster", "code"], "target_label": "code"}]),
]
DROPS_ALL = {"drop all", "keep none"}

# Blocks beside those: versions and switches, then rules that meet the other kinds. The fourth column: kinds that its rules drop.
V1, V2 = "prometheus.WriteRequest", "io.prometheus.write.v2.Request"
KINDS = ("float", "exemplar", "native", "custom")
SWITCHES = [("", {}), (" with exemplars", {"send_exemplars": True}), (" with histograms", {"send_native_histograms": True}),
            (" with both", {"send_exemplars": True, "send_native_histograms": True})]
KIND_RULES = [
    ("of names changed", [replace(["__name__"], "(.*)_(total|bucket|seconds|bytes)", "__name__", "${1}:$2")], ()),
    ("without external labels", [rule("labeldrop", regex="cluster|zone|code")], ()),
    ("of one path", [rule("keep", source_labels=["__name__", "path"], regex="(latency_seconds|sizes).*;/a/b")], ()),
    ("but native histograms", [rule("drop", source_labels=["__name__"], regex="sizes_bytes|load|depth")], ("native",)),
    ("but custom buckets", [rule("drop", source_labels=["__name__"], regex="latency_seconds")], ("custom",)),
    ("without exemplars' series", [rule("drop", source_labels=["__name__"], regex="events_total|latency_.*|sizes_.*|depth")], ("exemplar", "custom")),
    ("of a hash", [rule("hashmod", source_labels=["side", "le", "path"], modulus=8, target_label="shard"), rule("labelmap", regex="(.)ath", replacement="${1}_of")], ()),
    ("histograms alone", [rule("keep", source_labels=["__name__"], regex="latency_seconds|sizes_bytes|load|depth")], ("float",)),
]


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
    table = [{"name": name, "rules": rules, "keys": {"protobuf_message": V1}, "without": KINDS if name in DROPS_ALL else ()}
             for name, rules in BLOCKS + made]
    for version, short in ((V1, "1.0"), (V2, "2.0")):
        table += [{"name": short + text, "rules": [], "keys": {"protobuf_message": version, **keys}, "without": ()} for text, keys in SWITCHES]
        table += [{"name": f"{short} {text}", "rules": rules, "keys": {"protobuf_message": version, **SWITCHES[3][1]}, "without": without}
                  for text, rules, without in KIND_RULES]
    return table


def due(block):
    """The kinds that must arrive."""
    keys = block["keys"]
    histograms = keys.get("send_native_histograms", False)
    sent = {"float": True, "exemplar": keys.get("send_exemplars", False), "native": histograms,
            "custom": histograms and keys["protobuf_message"] == V2}
    return {kind for kind in KINDS if sent[kind] and kind not in block["without"]}


def refuses_custom(block):
    """Whether there are histograms with custom buckets that the version can't carry."""
    keys = block["keys"]
    return keys.get("send_native_histograms", False) and keys["protobuf_message"] == V1 and "custom" not in block["without"]


class Handler(lib.Quiet):
    """GET of anything is the scrape; every second one lacks a series, so that there are stale markers."""

    scrapes = 0
    kinds = 0

    def do_GET(self):
        if self.path == "/kinds":
            Handler.kinds += 1
            self.answer(200, kinds_exposition.scrape_of(Handler.kinds), kinds_exposition.CONTENT_TYPE)
            return
        Handler.scrapes += 1
        lines = [f"{text} {Handler.scrapes * 100 + i}\n" for i, text in enumerate(SERIES) if i != 4 or Handler.scrapes % 2]
        self.answer(200, "".join(DESCRIBED + lines).encode(), "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8")


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
    common = [{"name": f"b{i}", "write_relabel_configs": block["rules"], "metadata_config": {"send": False}, **block["keys"]}
              for i, block in enumerate(table)]
    target = [{"targets": [f"127.0.0.1:{exporter}"]}]
    save(f"{folder}/prometheus.yml", {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "external_labels": EXTERNAL},
        "scrape_configs": [
            {"job_name": "exporter", "static_configs": target},
            {"job_name": "kinds", "static_configs": target, "metrics_path": "/kinds", "scrape_protocols": ["PrometheusProto"],
             "convert_classic_histograms_to_nhcb": True, "always_scrape_classic_histograms": True}],
        "remote_write": [{**one, "url": f"{url}p{i}", "queue_config": queue} for i, one in enumerate(common)]})
    for n, port in enumerate(status):
        mine = range(n * DESTINATIONS_MAX, min(len(table), (n + 1) * DESTINATIONS_MAX))
        save(f"{folder}/walship{n}.yml", {
            "wal_dir": f"{folder}/data", "state_dir": f"{folder}/state{n}", "listen_address": f"127.0.0.1:{port}",
            "start_at": "oldest", "external_labels": EXTERNAL,
            "remote_write": [{**common[i], "url": f"{url}w{i}"} for i in mine]})
    save(f"{folder}/pages.json", [f"http://127.0.0.1:{port}/metrics" for port in (prometheus, *status)])


def rest(folder):
    with open(f"{folder}/prometheus.yml", encoding="utf-8") as file:
        tree = json.load(file)
    save(f"{folder}/prometheus.yml", {**tree, "scrape_configs": []})


# The items of each kind: its name, then what must be equal beside pair, labels and time. Custom buckets have schema -53.
QUERIES = [
    "SELECT 'float', p.name, s.labels, i.t, i.arrival, i.bits, NULL, coalesce((SELECT o.st FROM start o WHERE o.arrival = i.arrival), 0) FROM sample i",
    "SELECT CASE i.schema WHEN -53 THEN 'custom' ELSE 'native' END, p.name, s.labels, i.t, i.arrival, i.sum_bits, i.body, i.st FROM histogram i",
    "SELECT 'exemplar', p.name, s.labels, i.t, i.arrival, i.bits, i.labels, 0 FROM exemplar i",
]


def varint(body, at):
    value = shift = 0
    while True:
        value |= (body[at] & 0x7F) << shift
        shift += 7
        at += 1
        if body[at - 1] < 0x80:
            return value, at


def fields(body, at=0):
    """(number, value) of each field of a message."""
    while at < len(body):
        tag, at = varint(body, at)
        if tag & 7 == 0:
            value, at = varint(body, at)
        else:
            size, at = varint(body, at) if tag & 7 == 2 else (8, at)
            value, at = body[at:at + size], at + size
        yield tag >> 3, value


COUNTS, SPANS, BOUNDS = (1, 2, 6, 7), (8, 11), 16


def meaning(body):
    """A Histogram's fields whether zeros are written or left out; of the counts it matters which of the two forms is there."""
    made = []
    for number, value in fields(body):
        if number in SPANS:
            made.append((number, tuple(dict(fields(value)).get(i, 0) for i in (1, 2))))
        elif number in COUNTS or value not in (0, bytes(8), b""):
            made.append((number, value))
    return tuple(sorted(made, key=lambda field: field[0]))


def received(folder, first, last):
    """By pair: how often each (kind, labels, t, value, rest) came; and the first item of a pair that was not in order."""
    found = collections.defaultdict(collections.Counter)
    newest, disorder = {}, {}
    with lib.database(f"{folder}/received.db") as db:
        rows = [row for query in QUERIES for row in
                db.execute(f"{query} JOIN pair p ON p.id = i.pair JOIN series s ON s.id = i.series "
                           "WHERE i.t BETWEEN ? AND ? ORDER BY i.arrival", (int(first), int(last)))]
    for kind, pair, labels, t, _, value, rest, start in rows:
        found[pair][kind, labels, t, value, meaning(rest) if isinstance(rest, bytes) else rest, start] += 1
        series = kind == "exemplar", pair, labels
        if t < newest.get(series, t):
            disorder.setdefault(pair, (kind, labels, t))
        newest[series] = t
    return found, disorder


def described(folder):
    """By pair: what was told over 2.0 of the families of its series."""
    found = collections.defaultdict(set)
    with lib.database(f"{folder}/received.db") as db:
        for pair, *one in db.execute("SELECT DISTINCT p.name, m.family, m.type, m.help, m.unit FROM metadata m JOIN pair p ON p.id = m.pair"):
            found[pair].add(tuple(one))
    return found


def full(folder, since):
    found, _ = received(folder, since, 2**62)
    kinds = {pair: {item[0] for item in items} for pair, items in found.items()}
    return all(due(block) <= kinds.get(f"{who}{i}", set()) for i, block in enumerate(blocks()) for who in "pw")


def pages_of(folder):
    """Prometheus' page, then those of walship."""
    with open(f"{folder}/pages.json", encoding="utf-8") as file:
        return [lib.ask(page) for page in json.load(file)]


def unsupported(folder):
    """The blocks of which walship counted histograms as unsupported."""
    pages = pages_of(folder)[1:]
    row = re.compile(r'^walship_items_lost_total{remote_name="b(\d+)",reason="unsupported"} (\S+)$', re.MULTILINE)
    return {int(block) for block, value in row.findall("\n".join(pages)) if float(value) > 0}


def carried(block, items):
    """Without the histograms that the version can't carry, when their bounds are missing indeed."""
    if not refuses_custom(block):
        return items
    return collections.Counter({item: n for item, n in items.items() if item[0] != "custom" or any(number == BOUNDS for number, _ in item[4])})


def differences(theirs, ours):
    for label, more in (("only Prometheus", theirs - ours), ("only walship", ours - theirs)):
        for item in sorted(more, key=repr)[:3]:
            print(f"  {label}: {item}")


def compare(folder, first, last):
    found, disorder = received(folder, first, last)
    table = blocks()
    failed = 0
    items = collections.Counter()
    for i, block in enumerate(table):
        theirs, ours = carried(block, found[f"p{i}"]), found[f"w{i}"]
        kinds = collections.Counter(item[0] for item in theirs.elements())
        items += kinds
        if theirs == ours and set(kinds) == due(block):
            continue
        failed += 1
        print(f"FAIL {block['name']}: {json.dumps(block['rules'], ensure_ascii=False)}\n  {sum(theirs.values())} items of Prometheus,"
              f" {sum(ours.values())} of walship; {sorted(kinds)} came of {sorted(due(block))}")
        differences(theirs, ours)
    for pair, item in sorted(disorder.items()):
        failed += 1
        print(f"FAIL {pair} ({table[int(pair[1:])]['name']}): not in order of time: {item}")
    told = described(folder)
    for i, block in enumerate(table):
        theirs, ours = told[f"p{i}"], told[f"w{i}"]
        if theirs != ours or (block["keys"]["protobuf_message"] == V2) != bool(theirs):
            failed += 1
            print(f"FAIL {block['name']}: metadata: only Prometheus {sorted(theirs - ours)[:3]}, only walship {sorted(ours - theirs)[:3]}")
    wanted = {i for i, block in enumerate(table) if refuses_custom(block)}
    counted = unsupported(folder)
    if counted != wanted:
        failed += 1
        print(f"FAIL walship counts histograms as unsupported in blocks {sorted(counted)}, not {sorted(wanted)}")
    print(f"same_as_remote_write: {len(table)} blocks, items each: {dict(items)}; {failed} differ")
    return failed == 0


# Of no meaning in walship: it has no interner of strings, is not told of samples by Prometheus, and reads what it finds.
FOREIGN = {"prometheus_remote_storage_string_interner_zero_reference_releases_total", "prometheus_wal_watcher_notifications_skipped_total",
           "prometheus_wal_watcher_samples_sent_pre_tailing_total"}
REMOTE = re.compile(r"^(prometheus_(?:remote_storage|wal_watcher)_\w+?)(?:{(.*)})? (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\\\]|\\\\.)*)"')
COUNTED = {"samples": ("float",), "histograms": ("native", "custom"), "exemplars": ("exemplar",)}


def page_read(text):
    """Types by name; (label names by name); values by (name, remote_name, reason)."""
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    labels, values = {}, {}
    for name, inner, value in REMOTE.findall(text):
        own = dict(LABEL.findall(inner))
        labels[name] = set(own)
        values[name, own.get("remote_name"), own.get("reason")] = float(value)
    return types, labels, values


def names_missing(theirs, ours):
    """What walship's page lacks of Prometheus' metrics."""
    for name in sorted(set(theirs[1]) - FOREIGN):
        family = re.sub("_(bucket|sum|count)$", "", name) if name not in theirs[0] else name
        if theirs[0][family] != ours[0].get(family) or theirs[1][name] != ours[1].get(name):
            yield f"{name}: {theirs[0][family]} {sorted(theirs[1][name])} in Prometheus, {ours[0].get(family)} {sorted(ours[1].get(name, []))} in walship"


def block_figures(name, page, arrived):
    """What a page says of a block, where it is not what arrived."""
    for kind, own in COUNTED.items():
        count = sum(arrived[one] for one in own)
        said = {what: page.get((f"prometheus_remote_storage_{kind}_{what}", name, None)) for what in ("total", "failed_total", "retried_total", "pending")}
        if said != {"total": count, "failed_total": 0, "retried_total": 0, "pending": 0}:
            yield f"{kind} {said}, but {count} arrived"


def drops_by_rule(page, name, kind):
    return page.get((f"prometheus_remote_storage_{kind}_dropped_total", name, "dropped_series"), 0) > 0


def figures(folder):
    first, *others = [page_read(text) for text in pages_of(folder)]
    found, _ = received(folder, 0, 2**62)
    arrived = {pair: collections.Counter(item[0] for item in items.elements()) for pair, items in found.items()}
    faults = [fault for page in others for fault in names_missing(first, page)]
    table = blocks()
    for i, block in enumerate(table):
        name, mine = f"b{i}", others[i // DESTINATIONS_MAX][2]
        for who, page in (("p", first[2]), ("w", mine)):
            faults += [f"{block['name']} ({who}{i}): {fault}" for fault in block_figures(name, page, arrived.get(f"{who}{i}", collections.Counter()))]
        faults += [f"{block['name']}: only one of both drops {kind} by rule" for kind in COUNTED
                   if drops_by_rule(first[2], name, kind) != drops_by_rule(mine, name, kind)]
    # Prometheus counts a histogram's stale marker as the sample by which a scrape asks for it, not as what its WAL has
    for kinds in (("samples", "histograms"), ("exemplars",)):
        taken = [sum(page[2][f"prometheus_remote_storage_{kind}_in_total", None, None] for kind in kinds) for page in (first, *others)]
        if len(set(taken)) != 1 or taken[0] == 0:
            faults.append(f"{kinds} in_total: {taken}")
    for fault in faults:
        print(f"FAIL {fault}")
    print(f"same_as_remote_write: the figures of {len(table)} blocks; {len(faults)} differ")
    return not faults


COMMANDS = {"rest": rest, "figures": figures, "serve": serve, "write": write, "full": full, "compare": compare}
if __name__ == "__main__":
    sys.exit(1 if COMMANDS[sys.argv[1]](*sys.argv[2:]) is False else 0)

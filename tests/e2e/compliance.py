#!/usr/bin/env python3
"""What prometheus/compliance asks of a remote-write sender, case by case, with a real Prometheus as the source: it scrapes targets that
this script serves, walship ships to a receiver that this script is too. The receiver keeps every request with its headers and decodes
it by itself (snappy, protobuf), so that nothing of walship judges walship.

Where walship differs by design: a request that is answered 400 is not dropped as a whole. Items that the receiver may have refused are
sent again in smaller requests until the ones to blame are known; these are never sent again as such.
"""
import collections
import os
import struct
import threading
import time

import lib

PROMETHEUS = [lib.peer(name) for name in ("prom3", "prom242")]
STALE = 0x7FF0000000000002
TARGET_PORT, RECEIVER_PORT, PROMETHEUS_PORT, DEAD_PORT, STATUS_PORT = lib.free_ports(5)
account, stage = lib.Account("compliance"), lib.Stage("compliance")
verdict = account.verdict


# ---- the receiver's own decoders ----

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def unsnap(data):
    """A snappy block."""
    size, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            length = tag >> 2
            if length >= 60:
                extra = length - 59
                length = int.from_bytes(data[at:at + extra], "little")
                at += extra
            out += data[at:at + length + 1]
            at += length + 1
            continue
        if kind == 1:
            length, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            width = 2 if kind == 2 else 4
            length, offset = (tag >> 2) + 1, int.from_bytes(data[at:at + width], "little")
            at += width
        for _ in range(length):
            out.append(out[-offset])
    assert len(out) == size, "snappy: another length than it says"
    return bytes(out)


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 1:
            value, at = data[at:at + 8], at + 8
        elif key & 7 == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            raise ValueError(f"protobuf: wire type {key & 7}")
        yield key >> 3, value


def series_of(body):
    """[(labels as sent, [(t, bits)])] of a 1.0 request."""
    out = []
    for number, value in fields(body):
        if number != 1:
            continue
        labels, samples = [], []
        for inner, part in fields(value):
            if inner == 1:
                pair = dict(fields(part))
                labels.append((pair.get(1, b"").decode(), pair.get(2, b"").decode()))
            elif inner == 2:
                pair = dict(fields(part))
                t = pair.get(2, 0)
                samples.append((t - (1 << 64) if t >> 63 else t, struct.unpack("<Q", pair.get(1, bytes(8)))[0]))
        out.append((labels, samples))
    return out


# ---- the targets: one page a case ----

begun = time.time()
lock = threading.Lock()
left = {"going": 4, "500": 3}  # scrapes of the target that goes away; requests that are answered 500
PAGES = {
    "counter": "# TYPE requests_total counter\nrequests_total 20\n",
    "gauge": "# TYPE temperature gauge\ntemperature -42.5\n",
    "histogram": "# TYPE took_seconds histogram\ntook_seconds_bucket{le=\"1\"} 1\ntook_seconds_bucket{le=\"+Inf\"} 3\ntook_seconds_sum 9\n"
                 "took_seconds_count 3\n",
    "summary": "# TYPE size_bytes summary\nsize_bytes{quantile=\"0.5\"} 0.25\nsize_bytes_sum 4\nsize_bytes_count 2\n",
    "sorted": "sorted_total{zebra=\"1\",apple=\"2\",Mango=\"3\"} 1\n",
    "repeated": "repeated{a=\"1\",a=\"2\"} 1\n",
    "empty": "empties{a=\"\",b=\"x\"} 1\n",
    "invalid": "bad-name{a=\"1\"} 1\n",
    "honor": "honored{job=\"theirs\",instance=\"theirs\"} 1\n",
    "name": "named{other=\"1\"} 7\n",
    "timestamps": "stamped 5 {stamp}\n",
    "poison": "poison{label=\"poison\"} 1\n",
}
STAMP = int((begun - 60) * 1000)


class Target(lib.Quiet):
    def do_GET(self):
        case = self.path.strip("/").split("/")[0]
        if case == "staleness":
            with lock:
                left["going"] -= 1
            if left["going"] < 0:
                return self.answer(404)
        if case == "ordering":
            text = "".join(f'ordered{{i="{i}"}} {time.time()}\n' for i in range(20))
        elif case == "staleness":
            text = "going 1\n"
        else:
            text = PAGES[case].replace("{stamp}", str(STAMP))
        return self.answer(200, text.encode())


# ---- the receiver ----

Request = collections.namedtuple("Request", "path headers series status at")
requests = []


class Receiver(lib.Quiet):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            series = series_of(unsnap(body))
        except (AssertionError, ValueError, IndexError) as problem:
            verdict("a request that can't be read", problem)
            return self.answer(400)
        poisoned = any(("label", "poison") in labels for labels, _ in series)
        with lock:
            left["500"] -= self.path == "/500"
            failing = self.path == "/500" and left["500"] >= 0
            status = 500 if failing else 400 if self.path == "/400" and poisoned else 204
            requests.append(Request(self.path, dict(self.headers.items()), series, status, time.time()))
        return self.answer(status, b"label poison is not allowed" if status == 400 else b"")


def taken(path="/plain"):
    """What was accepted at `path`: {labels: [(t, bits)]} in the order of arrival."""
    out = collections.defaultdict(list)
    with lock:
        for request in requests:
            if request.path == path and request.status == 204:
                for labels, samples in request.series:
                    out[tuple(labels)] += samples
    return out


def stamps(path):
    return {(labels, t) for labels, samples in taken(path).items() for t, _ in samples}


def named(name, path="/plain", **wanted):
    """{labels as a dict: samples} of the series with this name and these labels."""
    found = []
    for labels, samples in taken(path).items():
        text = dict(labels)
        if text.get("__name__") == name and all(text.get(key) == value for key, value in wanted.items()):
            found.append((text, samples))
    return found


def value_of(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def values(name, **wanted):
    return sorted(value_of(bits) for _, samples in named(name, **wanted) for _, bits in samples if bits != STALE)


# ---- the cases: None, or what is wrong ----

def instance_label():
    address = f"127.0.0.1:{TARGET_PORT}"
    return None if named("requests_total", instance=address) else "no series of the target has its instance"


def job_label():
    return None if named("requests_total", job="counter") else "no series has its job"


def external_labels():
    lacking = [labels for labels in taken() if dict(labels).get("cluster") != "here" and dict(labels).get("__name__") != "external"]
    return lacking[:1] or None


def up():
    good = {value_of(bits) for _, samples in named("up", job="counter") for _, bits in samples}
    down = {value_of(bits) for _, samples in named("up", job="down") for _, bits in samples}
    return None if good == {1.0} and down == {0.0} else f"{good} {down}"


def counter():
    return None if set(values("requests_total")) == {20.0} else f"its values are {values('requests_total')[:3]}"


def gauge():
    return None if set(values("temperature")) == {-42.5} else f"its values are {values('temperature')[:3]}"


def histogram():
    got = {label: set(values("took_seconds_bucket", le=label)) for label in ("1", "1.0", "+Inf")}
    one = got["1"] | got["1.0"]
    rest = (set(values("took_seconds_sum")), set(values("took_seconds_count")))
    return None if one == {1.0} and got["+Inf"] == {3.0} and rest == ({9.0}, {3.0}) else f"{got} {rest}"


def summary():
    got = (set(values("size_bytes", quantile="0.5")), set(values("size_bytes_sum")), set(values("size_bytes_count")))
    return None if got == ({0.25}, {4.0}, {2.0}) else got


def staleness():
    bits = [bits for _, samples in named("going") for _, bits in samples]
    return None if bits.count(STALE) == 1 and bits[-1] == STALE and len(bits) > 2 else [hex(one) for one in bits]


def sorted_labels():
    wrong = [labels for labels in taken() if [name for name, _ in labels] != sorted((name for name, _ in labels), key=str.encode)]
    return wrong[:1] or (None if named("sorted_total") else "the series is not there")


def repeated_labels():
    twice = [labels for labels in taken() if len({name for name, _ in labels}) != len(labels)]
    down = {value_of(bits) for _, samples in named("up", job="repeated") for _, bits in samples}
    return twice[:1] or (None if not named("repeated") and down == {0.0} else f"up is {down}")


def empty_labels():
    empty = [labels for labels in taken() if any(not name or not value for name, value in labels)]
    return empty[:1] or (None if named("empties", b="x") else "the series is not there")


def invalid_labels():
    down = {value_of(bits) for _, samples in named("up", job="invalid") for _, bits in samples}
    bad = [labels for labels in taken() if "bad" in dict(labels).get("__name__", "")]
    return bad[:1] or (None if down == {0.0} else f"up is {down}")


def ordering():
    late = [labels for labels, samples in taken().items() if [t for t, _ in samples] != sorted(t for t, _ in samples)]
    return late[:1] or (None if len(named("ordered")) == 20 else f"{len(named('ordered'))} series")


def retries_500():
    with lock:
        failed = [request for request in requests if request.path == "/500" and request.status == 500]
        passed = [request for request in requests if request.path == "/500" and request.status == 204]
    if not failed or not passed:
        return f"{len(failed)} failed, {len(passed)} passed"
    if "Retry-Attempt" not in passed[0].headers or failed[0].series != passed[0].series:
        return f"the first request that passed is not the first that failed: {passed[0].headers}"
    sent, other = stamps("/500"), stamps("/plain")
    return None if other <= sent else f"{len(other - sent)} samples that /plain got did not arrive"


def no_retry_400():
    """By design other requests. Only the item to blame goes again: when it was a whole request, alone, and to be sure."""
    with lock:
        refused = [request for request in requests if request.path == "/400" and request.status == 400]
    if not refused:
        return "nothing was refused"
    bodies = collections.Counter(repr(request.series) for request in refused)
    if max(bodies.values()) > 3 or any("Retry-Attempt" in request.headers for request in refused):
        return f"a refused request came again {max(bodies.values())} times"
    sent = stamps("/400")
    other = {(labels, t) for labels, t in stamps("/plain") if ("label", "poison") not in labels}
    return None if other <= sent else f"{len(other - sent)} samples beside the refused ones did not arrive"


def headers():
    with lock:
        bad = [request.headers for request in requests
               if request.headers.get("Content-Encoding") != "snappy" or request.headers.get("Content-Type") != "application/x-protobuf"
               or request.headers.get("X-Prometheus-Remote-Write-Version") != "0.1.0" or not request.headers.get("User-Agent")]
    return bad[:1] or None


def timestamps():
    stamped = {t for _, samples in named("stamped") for t, _ in samples}
    scraped = [t for _, samples in named("temperature") for t, _ in samples]
    near = all(begun * 1000 - 5000 < t < time.time() * 1000 + 5000 for t in scraped)
    return None if stamped == {STAMP} and near else f"{stamped} instead of {STAMP}"


def honor_labels():
    honored = named("honored", job="theirs", instance="theirs")
    renamed = named("honored", job="renamed", exported_job="theirs")
    return None if honored and renamed else [labels for labels, _ in named("honored")]


def name_label():
    nameless = [labels for labels in taken() if not dict(labels).get("__name__")]
    return nameless[:1] or (None if set(values("named", other="1")) == {7.0} else "the series is not there")


CASES = [instance_label, job_label, external_labels, up, counter, gauge, histogram, summary, staleness, sorted_labels, repeated_labels,
         empty_labels, invalid_labels, ordering, retries_500, no_retry_400, headers, timestamps, honor_labels, name_label]


def scrapes():
    text = "global: {scrape_interval: 1s, scrape_timeout: 1s, external_labels: {cluster: here}}\nscrape_configs:\n"
    for case in [*PAGES, "ordering", "staleness"]:
        extra = ", honor_labels: true" if case == "honor" else ""
        text += f"- {{job_name: {case}, metrics_path: /{case}{extra}, static_configs: [{{targets: ['127.0.0.1:{TARGET_PORT}']}}]}}\n"
    text += f"- {{job_name: renamed, metrics_path: /honor, static_configs: [{{targets: ['127.0.0.1:{TARGET_PORT}']}}]}}\n"
    text += f"- {{job_name: down, static_configs: [{{targets: ['127.0.0.1:{DEAD_PORT}']}}]}}\n"
    return text


def main():
    program = next((one for one in PROMETHEUS if lib.is_there(one)), None)
    if program is None:
        print("SKIP compliance: no Prometheus could be had")
        return 77
    lib.serve(TARGET_PORT, Target)
    lib.serve(RECEIVER_PORT, Receiver)
    prometheus = stage.prometheus(program, PROMETHEUS_PORT, scrapes())
    lib.wait_until("the WAL", lambda: os.listdir(stage.path("data", "wal")), 10)
    blocks = "".join(f"- {{name: {name}, url: 'http://127.0.0.1:{RECEIVER_PORT}/{name}'}}\n" for name in ("plain", "500", "400"))
    walship = stage.walship(stage.write("walship.yml", f"""wal_dir: {stage.dir}/data/wal
state_dir: {stage.dir}/state
listen_address: 127.0.0.1:{STATUS_PORT}
start_at: oldest
prometheus_config: {stage.dir}/prometheus.yml
remote_write:
{blocks}"""))
    lib.wait_until("a stale marker", lambda: any(bits == STALE for _, samples in named("going") for _, bits in samples), 30)
    lib.wait_until("a dozen scrapes", lambda: len(values("temperature")) >= 12, 60)
    stage.stop(prometheus)
    lib.wait_until("all to be sent", lambda: lib.is_caught_up(STATUS_PORT), 60)
    code = stage.stop(walship)
    verdict("walship stops cleanly", None if code == 0 else f"exit {code}")
    for case in CASES:
        verdict(case.__name__, case())
    return account.end()


if __name__ == "__main__":
    lib.run(main, stage)

"""A scrape in Prometheus' protobuf format that has every kind of item: floats, exemplars, native histograms (integer and
float, of counters and gauges) and a classic histogram that Prometheus can turn into one with custom buckets.

Written from the field numbers of io.prometheus.client.MetricFamily; used by same_as_remote_write.py.
"""
import struct
import time

CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
COUNTER, HISTOGRAM, GAUGE_HISTOGRAM = 0, 4, 5
BOUNDS = [0.1, 0.5, 2.5, float("inf")]


def varint(number):
    number &= (1 << 64) - 1
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def uint(field, value):
    return varint(field << 3) + varint(value)


def sint(field, value):
    return uint(field, value << 1 ^ value >> 63)


def double(field, value):
    return varint(field << 3 | 1) + struct.pack("<d", value)


def part(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def labels(pairs):
    return b"".join(part(1, part(1, name) + part(2, value)) for name, value in pairs.items())


def exemplar(scrape, value, **own):
    now = time.time_ns()
    stamp = uint(1, now // 10**9) + uint(2, now % 10**9)
    return labels({"trace_id": f"{scrape:08x}", **own}) + double(2, value) + part(3, stamp)


def spans(field, pairs):
    return b"".join(part(field, sint(1, offset) + uint(2, length)) for offset, length in pairs)


def counter(scrape, value):
    return part(3, double(1, value) + part(2, exemplar(scrape, value, place="Ärger")))


def classic(scrape):
    counts = [scrape, 2 * scrape, 3 * scrape, 4 * scrape]
    made = uint(1, counts[-1]) + double(2, scrape / 8)
    for i, (bound, count) in enumerate(zip(BOUNDS, counts)):
        seen = part(3, exemplar(scrape, bound / 2, bucket=str(i))) if i < 2 else b""
        made += part(3, uint(1, count) + double(2, bound) + seen)
    return part(7, made)


def integers(scrape):
    """Grows for three scrapes, then begins again: a counter reset; its buckets move as well."""
    n = scrape % 4 + 1
    made = uint(1, 8 * n + 3) + double(2, -1.5 * n) + sint(5, 3) + double(6, 1e-9) + uint(7, 3)
    made += spans(9, [(n, 2)]) + sint(10, n) + sint(10, 0)
    made += spans(12, [(-4, 2), (3, 2)]) + sint(13, n) + sint(13, n) + sint(13, -n) + sint(13, n)
    return part(7, made + part(16, exemplar(scrape, 1.5)))


def floats(scrape):
    counts = [scrape * 0.5, scrape * 0.25]
    made = double(4, sum(counts) + 0.125) + double(2, float("nan") if scrape % 5 == 0 else scrape * 1.25)
    made += sint(5, -1) + double(6, 0.001) + double(8, 0.125) + spans(12, [(0, 1), (7, 1)])
    return part(7, made + b"".join(double(14, count) for count in counts))


def family(name, kind, metrics):
    made = part(1, name) + part(2, f"Help of {name}.") + uint(3, kind)
    made += b"".join(part(4, labels(own) + value) for own, value in metrics)
    return varint(len(made)) + made


def scrape_of(scrape):
    """Every second scrape lacks one native histogram, so that it goes stale."""
    native = [({"side": "a", "path": "/a/b"}, integers(scrape)), ({"side": "c", "code": "own"}, integers(scrape + 2))]
    if scrape % 2:
        native.append(({"side": "b"}, integers(scrape)))
    return b"".join([
        family("events_total", COUNTER, [({"method": "GET"}, counter(scrape, scrape)), ({"method": "POST"}, counter(scrape, 2 * scrape))]),
        family("latency_seconds", HISTOGRAM, [({"path": "/a/b"}, classic(scrape)), ({"path": "/"}, classic(2 * scrape))]),
        family("sizes_bytes", HISTOGRAM, native),
        family("load", HISTOGRAM, [({"kind": "float"}, floats(scrape))]),
        family("depth", GAUGE_HISTOGRAM, [({"kind": "gauge"}, integers(scrape)), ({"kind": "float gauge"}, floats(scrape % 3 + 1))]),
    ])

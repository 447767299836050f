#!/usr/bin/env python3
"""walship and walship-emulator as Azure: every token source at once, one destination each, with tokens that live 6 s, on a
live Prometheus; then token services that fail, a role that is revoked, a wrong secret. What is shown:

  - the first token and its refreshes under load without one failed write;
  - no sample missing or doubled for any source, whatever phase its token service went through;
  - three endpoints of one destination with three identities: each sample once, a revoked one disturbs no other;
  - `check --probe` names what is wrong: AADSTS code, missing role, foreign DCR;
  - no planted secret in anything the processes wrote.
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIR = os.path.join(ROOT, "build", "e2e", "identity")
WALSHIP = os.path.join(ROOT, "build", "release", "walship")
EMULATOR = os.path.join(ROOT, "build", "release", "walship-emulator")
PROMETHEUS = os.path.join(ROOT, "build", "peers", "prom242", "usr", "bin", "prometheus")
INSIDE = "IDENTITY_INSIDE" in os.environ
ARC_KEYS = "/var/opt/azcmagent/tokens"
TENANT = "11111111-2222-3333-4444-555555555555"
SECRETS = {"app": "planted-Secret~1.of-app", "three-secret": "planted-Secret~2.of-three"}
started = []
results = [0, 0]


def verdict(name, problem=None):
    results[1 if problem else 0] += 1
    print(f"{'FAIL ' if problem else 'ok   '} {name}{': ' + str(problem) if problem else ''}", flush=True)


def free_ports(count):
    first, last = map(int, os.environ.get("WALSHIP_PORTS", "10000 32767").split())
    held = []
    while len(held) < count:
        one = socket.socket()
        try:
            one.bind(("127.0.0.1", random.randint(first, last)))
            held.append(one)
        except OSError:
            one.close()
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


PORT, PROMETHEUS_PORT, EXPORTER_PORT, STATUS_PORT, THREE_PORT = free_ports(5)


def ask(url, method="GET"):
    request = urllib.request.Request(url, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return answer.read().decode()


def emulator(path, method="POST"):
    return ask(f"http://127.0.0.1:{PORT}{path}", method)


def wait_until(what, condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except OSError:
            pass
        time.sleep(0.2)
    print(f"      waited {seconds} s for {what}", flush=True)
    return False


def start(log, *command, **more):
    with open(os.path.join(DIR, log), "ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, **more)
    started.append(process)
    return process


def stop(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def write(name, text):
    path = os.path.join(DIR, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o600)
    return path


def guid(number):
    return f"{number:08x}-aaaa-bbbb-cccc-dddddddddddd"


def certificates():
    """A certificate and key as PEM, the same as PFX."""
    pem, key = os.path.join(DIR, "app.crt"), os.path.join(DIR, "app.key")
    run = lambda *command: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", pem, "-subj", "/CN=walship", "-days", "2")
    run("openssl", "pkcs12", "-export", "-in", pem, "-inkey", key, "-out", os.path.join(DIR, "app.pfx"), "-passout", "pass:planted-Pfx-3")
    with open(pem, encoding="ascii") as one, open(key, encoding="ascii") as two:
        write("app.pem", one.read() + two.read())


# name of the source -> its azuread block
def blocks():
    local = f"authority_host: 'http://127.0.0.1:{PORT}/', imds_endpoint: 'http://127.0.0.1:{PORT}'"
    arc = f"imds_endpoint: 'http://127.0.0.1:{PORT}/arc'"
    found = {
        "imds-user": f"{{{local}, managed_identity: {{client_id: {guid(1)}, source: imds}}}}",
        "imds-system": f"{{{local}, managed_identity: {{source: imds}}}}",
        "app-service": f"{{managed_identity: {{client_id: {guid(1)}, source: app_service}}}}",
        "secret": f"{{{local}, oauth: {{client_id: {guid(3)}, tenant_id: {TENANT}, client_secret: '{SECRETS['app']}'}}}}",
        "secret-file": f"{{{local}, oauth: {{client_id: {guid(3)}, tenant_id: {TENANT}, client_secret_file: {DIR}/secret}}}}",
        "cert-pem": f"{{{local}, certificate: {{client_id: {guid(4)}, tenant_id: {TENANT}, certificate_path: {DIR}/app.pem}}}}",
        "cert-pfx": f"{{{local}, certificate: {{client_id: {guid(4)}, tenant_id: {TENANT}, certificate_path: {DIR}/app.pfx, "
                    "certificate_password: planted-Pfx-3}}",
        "workload": f"{{{local}, workload_identity: {{client_id: {guid(5)}, tenant_id: {TENANT}, token_file_path: {DIR}/federated}}}}",
        "sdk": f"{{{local}, sdk: {{tenant_id: {TENANT}}}}}",
    }
    if INSIDE:
        found["arc"] = f"{{{arc}, managed_identity: {{source: arc}}}}"
    return found


def pair_path(name):
    return f"/dataCollectionRules/dcr-{name}/streams/Microsoft-PrometheusMetrics/api/v1/write?api-version=2023-04-24"


def emulator_config(names):
    pairs = "".join(f"- {{name: {name}, dce: dce-{name}, dcr: dcr-{name}}}\n" for name in names)
    arc = f"arc_keys_directory: {ARC_KEYS}\n" if INSIDE else ""
    return write("emulator.yml", f"""listen_address: 127.0.0.1:{PORT}
database: {DIR}/received.db
commit_interval: 0
endpoints:
{pairs}identities:
- {{name: user, tenant: {TENANT}, client_id: {guid(1)}, object_id: {guid(101)}, roles: ['*'], sources: [imds, app_service]}}
- {{name: system, tenant: {TENANT}, client_id: {guid(2)}, object_id: {guid(102)}, system: true, roles: ['*'], sources: [imds, arc]}}
- {{name: app, tenant: {TENANT}, client_id: {guid(3)}, object_id: {guid(103)}, secret: '{SECRETS['app']}', roles: ['*']}}
- {{name: cert, tenant: {TENANT}, client_id: {guid(4)}, object_id: {guid(104)}, certificate: {DIR}/app.crt, roles: ['*']}}
- {{name: pod, tenant: {TENANT}, client_id: {guid(5)}, object_id: {guid(105)}, federated_tokens: [planted-federated-4], roles: ['*']}}
- {{name: second, tenant: {TENANT}, client_id: {guid(6)}, object_id: {guid(106)}, secret: '{SECRETS['three-secret']}', roles: [three-b]}}
tokens: {{life: 6s}}
{arc}app_service_header: planted-header-5
""")


def walship_config(name, port, destinations):
    text = f"wal_dir: {DIR}/data/wal\nstate_dir: {DIR}/state.{name}\nstart_at: oldest\nlisten_address: 127.0.0.1:{port}\nremote_write:\n"
    for destination, endpoints in destinations:
        text += f"- name: {destination}\n  queue_config: {{max_backoff: 1s}}\n  endpoints:\n"
        for pair, azuread in endpoints:
            text += f"  - url: http://127.0.0.1:{PORT}/dce-{pair}{pair_path(pair)}\n    azuread: {azuread}\n"
    return write(f"{name}.yml", text)


def launch(name, config):
    variables = {**os.environ, "IDENTITY_ENDPOINT": f"http://127.0.0.1:{PORT}/msi/token", "IDENTITY_HEADER": "planted-header-5",
                 "AZURE_CLIENT_ID": guid(3), "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_SECRET": SECRETS["app"]}
    return start(f"{name}.log", WALSHIP, "run", "--config", config, env=variables)


def status(port):
    return json.loads(ask(f"http://127.0.0.1:{port}/status"))["destinations"]


def failures(port):
    return {destination["name"]: sum(endpoint["failures"] for endpoint in destination["endpoints"]) for destination in status(port)}


def tokens_issued():
    """How many tokens the emulator gave out so far."""
    with sqlite3.connect(f"file:{DIR}/received.db?mode=ro", uri=True) as db:
        return db.execute("SELECT count(*) FROM token WHERE status = 200").fetchone()[0]


def probe(name, azuread, pair="secret", dce=None):
    url = f"http://127.0.0.1:{PORT}/dce-{dce or pair}{pair_path(pair)}"
    config = write("probe.yml", f"wal_dir: {DIR}/data/wal\nstate_dir: {DIR}/state.probe\nremote_write:\n"
                                f"- name: {name}\n  endpoints:\n  - url: {url}\n    azuread: {azuread}\n")
    done = subprocess.run([WALSHIP, "check", "--probe", "--config", config], capture_output=True, text=True, timeout=90)
    return done.returncode, done.stdout + done.stderr


def probes(sources):
    local = f"authority_host: 'http://127.0.0.1:{PORT}/'"
    code, text = probe("good", sources["secret"])
    verdict("probe: a good endpoint is ok", None if code == 0 and ": ok" in text else text)
    wrong = f"{{{local}, oauth: {{client_id: {guid(3)}, tenant_id: {TENANT}, client_secret: wrong}}}}"
    code, text = probe("wrong", wrong)
    verdict("probe: a wrong secret is named (AADSTS7000215)", None if code == 1 and "AADSTS7000215" in text else text)
    roleless = f"{{{local}, oauth: {{client_id: {guid(6)}, tenant_id: {TENANT}, client_secret: '{SECRETS['three-secret']}'}}}}"
    code, text = probe("roleless", roleless)
    verdict("probe: a missing role is named", None if code == 1 and "Monitoring Metrics Publisher" in text else text)
    code, text = probe("foreign", sources["secret"], dce="workload")
    verdict("probe: a foreign DCE is refused", None if code == 1 and "403" in text else text)


def arrived(pairs):
    """Samples, and different ones, that these pairs have."""
    with sqlite3.connect(f"file:{DIR}/received.db?mode=ro", uri=True) as db:
        marks = ",".join("?" * len(pairs))
        return db.execute(f"""SELECT count(*), count(DISTINCT series || ' ' || t || ' ' || bits) FROM sample
                              JOIN pair ON pair.id = sample.pair WHERE pair.name IN ({marks})""", pairs).fetchone()


def phases(names):
    """Every token service fails in turn, while the load goes on."""
    for door, fault in (("entra", "status=503"), ("entra", "status=429&retry_after=2"), ("imds", "status=404"), ("imds", "status=410"),
                        ("imds", "status=500"), ("app_service", "status=503"), ("arc", "status=500"), ("entra", "delay=3s"),
                        ("imds", "body=garbage&status=200")):
        if door == "arc" and not INSIDE:
            continue
        emulator(f"/fault?endpoint={door}&{fault}&for=4s")
        time.sleep(4)
    emulator("/fault?endpoint=*", "DELETE")
    good = wait_until("every endpoint to be open again", lambda: all(
        endpoint["state"] == "open" and destination["pending"] < 2000
        for destination in status(STATUS_PORT) for endpoint in destination["endpoints"]), 90)
    verdict(f"all {len(names)} sources recover from every phase", None if good else json.dumps(status(STATUS_PORT))[:600])


def three_identities(sources):
    """One destination, three pairs, three identities; the second one's role is taken away for 10 s."""
    second = f"{{authority_host: 'http://127.0.0.1:{PORT}/', oauth: {{client_id: {guid(6)}, tenant_id: {TENANT}, client_secret: '{SECRETS['three-secret']}'}}}}"
    config = walship_config("three", THREE_PORT, [("three", [("three-a", sources["imds-user"]), ("three-b", second),
                                                            ("three-c", sources["cert-pem"])])])
    walship = launch("three", config)
    wait_until("three endpoints", lambda: all(endpoint["samples"] > 0 for endpoint in status(THREE_PORT)[0]["endpoints"]), 90)
    emulator("/role?identity=second&endpoint=three-b", "DELETE")
    time.sleep(2)
    before = [endpoint["samples"] for endpoint in status(THREE_PORT)[0]["endpoints"]]
    time.sleep(8)
    after = [endpoint["samples"] for endpoint in status(THREE_PORT)[0]["endpoints"]]
    held = status(THREE_PORT)[0]["endpoints"][1]["state"]
    verdict("revoked: its endpoint is held", None if held == "held" and after[1] == before[1] else f"{held} {before} {after}")
    verdict("revoked: the others go on", None if after[0] > before[0] and after[2] > before[2] else f"{before} {after}")
    emulator("/role?identity=second&endpoint=three-b")
    good = wait_until("the held endpoint", lambda: status(THREE_PORT)[0]["endpoints"][1]["state"] == "open", 90)
    verdict("granted again: it takes writes again", None if good else status(THREE_PORT))
    return walship, config


def no_secret_leaked():
    planted = [*SECRETS.values(), "planted-Pfx-3", "planted-federated-4", "planted-header-5"]
    with open(os.path.join(DIR, "app.key"), encoding="ascii") as file:
        planted.append(file.read().splitlines()[3])
    pages = {f"port {port} {path}": ask(f"http://127.0.0.1:{port}{path}").encode()
             for port in (STATUS_PORT, THREE_PORT) for path in ("/metrics", "/status")}
    for base, _, names in os.walk(DIR):
        for name in names:
            if name.endswith(".log") or "state." in base:
                with open(os.path.join(base, name), "rb") as file:
                    pages[os.path.join(base, name)] = file.read()
    found = [(where, word) for where, text in pages.items() for word in planted if word.encode() in text]
    tokens = [where for where, text in pages.items() if re.search(rb"eyJ[A-Za-z0-9_-]{20,}\.", text)]
    verdict(f"no planted secret or token in {len(pages)} logs, pages and state files", (found or tokens) or None)


def drain(name, config, walship):
    code = stop(walship)
    verdict(f"{name}: stops cleanly", None if code == 0 else f"exit {code}")
    variables = {**os.environ, "IDENTITY_ENDPOINT": f"http://127.0.0.1:{PORT}/msi/token", "IDENTITY_HEADER": "planted-header-5",
                 "AZURE_CLIENT_ID": guid(3), "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_SECRET": SECRETS["app"]}
    with open(os.path.join(DIR, f"{name}.log"), "ab") as log:
        done = subprocess.run([WALSHIP, "run", "--once", "--timeout", "60s", "--config", config], env=variables, stdout=log, stderr=log)
    verdict(f"{name}: drains", None if done.returncode == 0 else f"exit {done.returncode}")


def main():
    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(DIR)
    if INSIDE:
        os.makedirs(ARC_KEYS)
    certificates()
    write("secret", SECRETS["app"] + "\n")
    write("federated", "planted-federated-4\n")
    sources = blocks()
    names = list(sources)
    start("emulator.log", EMULATOR, "--config", emulator_config(names + ["three-a", "three-b", "three-c"]))
    start("exporter.log", os.path.join(ROOT, "scripts", "exporter"), "--port", str(EXPORTER_PORT), "--series", "200")
    prometheus_config = write("prometheus.yml", "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: exporter\n"
                                                f"  static_configs: [{{targets: ['127.0.0.1:{EXPORTER_PORT}']}}]\n")
    prometheus = start("prometheus.log", PROMETHEUS, f"--config.file={prometheus_config}", f"--storage.tsdb.path={DIR}/data",
                       f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}")
    if not wait_until("the emulator", lambda: emulator("/stats", "GET"), 60) or not wait_until(
            "Prometheus", lambda: ask(f"http://127.0.0.1:{PROMETHEUS_PORT}/-/ready"), 60):
        sys.exit("identity: the stage could not be set")
    probes(sources)
    config = walship_config("all", STATUS_PORT, [(name, [(name, block)]) for name, block in sources.items()])
    walship = launch("all", config)
    wait_until("the first samples", lambda: all(sum(e["samples"] for e in d["endpoints"]) > 0 for d in status(STATUS_PORT)), 90)
    before = tokens_issued()
    time.sleep(15)
    failed = {name: count for name, count in failures(STATUS_PORT).items() if count}
    verdict(f"{len(names)} sources under load for 15 s, tokens of 6 s: no write failed", failed or None)
    refreshed = tokens_issued() - before
    verdict("tokens were refreshed meanwhile", None if refreshed >= 2 * len(set(sources.values())) - 4 else f"only {refreshed}")
    phases(names)
    three, three_config = three_identities(sources)
    no_secret_leaked()
    stop(prometheus)
    time.sleep(1)
    drain("all", config, walship)
    drain("three", three_config, three)
    dump = subprocess.run([WALSHIP, "wal", "dump", os.path.join(DIR, "data", "wal")], capture_output=True, text=True, check=True)
    count = sum(1 for line in dump.stdout.splitlines() if not line.startswith("#"))
    for pairs in [[name] for name in names] + [["three-a", "three-b", "three-c"]]:
        samples, different = arrived(pairs)
        verdict(f"{pairs[0]}: {count} samples in the WAL, each arrived once",
                None if samples == different == count else f"{samples} arrived, {different} different")
    print(f"{results[0]} passed, {results[1]} failed")
    return 1 if results[1] else 0


if __name__ == "__main__":
    try:
        code = main()
    finally:
        for one in started:
            stop(one)
    sys.exit(code)

#!/usr/bin/env python3
"""walship and walship-emulator as Azure: every token source at once, one destination each, with tokens that live 12 s
(6 s where their services fail), on a live Prometheus; then token services that fail, a role that is revoked, a wrong secret. What is shown:

  - the first token and its refreshes under load without one failed write;
  - no sample missing or doubled for any source, whatever phase its token service went through;
  - three endpoints of one destination with three identities: each sample once, a revoked one disturbs no other;
  - `check --probe` names what is wrong: AADSTS code, missing role, foreign DCR;
  - no planted secret in anything the processes wrote.
"""
import json
import os
import re
import subprocess
import time

import lib

INSIDE = "IDENTITY_INSIDE" in os.environ
ARC_KEYS = "/var/opt/azcmagent/tokens"
TENANT = "11111111-2222-3333-4444-555555555555"
SECRETS = {"app": "planted-Secret~1.of-app", "three-secret": "planted-Secret~2.of-three"}
PORT, PROMETHEUS_PORT, EXPORTER_PORT, STATUS_PORT, THREE_PORT = lib.free_ports(5)
account, stage = lib.Account("identity"), lib.Stage("identity")
verdict, wait_until, ask = account.verdict, lib.wait_until, lib.ask


def emulator(path, method="POST"):
    return ask(f"http://127.0.0.1:{PORT}{path}", method)


def write(name, text):
    return stage.write(name, text, 0o600)


def guid(number):
    return f"{number:08x}-aaaa-bbbb-cccc-dddddddddddd"


def certificates():
    """A certificate and key as PEM, the same as PFX."""
    pem, key = stage.path("app.crt"), stage.path("app.key")
    run = lambda *command: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", pem, "-subj", "/CN=walship", "-days", "2")
    run("openssl", "pkcs12", "-export", "-in", pem, "-inkey", key, "-out", stage.path("app.pfx"), "-passout", "pass:planted-Pfx-3")
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
        "secret-file": f"{{{local}, oauth: {{client_id: {guid(3)}, tenant_id: {TENANT}, client_secret_file: {stage.dir}/secret}}}}",
        "cert-pem": f"{{{local}, certificate: {{client_id: {guid(4)}, tenant_id: {TENANT}, certificate_path: {stage.dir}/app.pem}}}}",
        "cert-pfx": f"{{{local}, certificate: {{client_id: {guid(4)}, tenant_id: {TENANT}, certificate_path: {stage.dir}/app.pfx, "
                    "certificate_password: planted-Pfx-3}}",
        "workload": f"{{{local}, workload_identity: {{client_id: {guid(5)}, tenant_id: {TENANT}, token_file_path: {stage.dir}/federated}}}}",
        "sdk": f"{{{local}, sdk: {{tenant_id: {TENANT}}}}}",
    }
    if INSIDE:
        found["arc"] = f"{{{arc}, managed_identity: {{source: arc}}}}"
    return found


def pair_path(name):
    return f"/dataCollectionRules/dcr-{name}/streams/Microsoft-PrometheusMetrics/api/v1/write?api-version=2023-04-24"


def pairs_and_identities(names):
    """The emulator's configuration behind where it listens."""
    pairs = "".join(f"- {{name: {name}, dce: dce-{name}, dcr: dcr-{name}}}\n" for name in names)
    arc = f"arc_keys_directory: {ARC_KEYS}\n" if INSIDE else ""
    return f"""endpoints:
{pairs}identities:
- {{name: user, tenant: {TENANT}, client_id: {guid(1)}, object_id: {guid(101)}, roles: ['*'], sources: [imds, app_service]}}
- {{name: system, tenant: {TENANT}, client_id: {guid(2)}, object_id: {guid(102)}, system: true, roles: ['*'], sources: [imds, arc]}}
- {{name: app, tenant: {TENANT}, client_id: {guid(3)}, object_id: {guid(103)}, secret: '{SECRETS['app']}', roles: ['*']}}
- {{name: cert, tenant: {TENANT}, client_id: {guid(4)}, object_id: {guid(104)}, certificate: {stage.dir}/app.crt, roles: ['*']}}
- {{name: pod, tenant: {TENANT}, client_id: {guid(5)}, object_id: {guid(105)}, federated_tokens: [planted-federated-4], roles: ['*']}}
- {{name: second, tenant: {TENANT}, client_id: {guid(6)}, object_id: {guid(106)}, secret: '{SECRETS['three-secret']}', roles: [three-b]}}
tokens: {{life: 12s}}
{arc}app_service_header: planted-header-5
"""


def walship_config(name, port, destinations):
    text = f"wal_dir: {stage.dir}/data/wal\nstate_dir: {stage.dir}/state.{name}\nstart_at: oldest\nlisten_address: 127.0.0.1:{port}\nremote_write:\n"
    for destination, endpoints in destinations:
        text += f"- name: {destination}\n  queue_config: {{max_backoff: 1s}}\n  endpoints:\n"
        for pair, azuread in endpoints:
            text += f"  - url: http://127.0.0.1:{PORT}/dce-{pair}{pair_path(pair)}\n    azuread: {azuread}\n"
    return write(f"{name}.yml", text)


def environment():
    """What walship's sources of tokens find in theirs."""
    return {**os.environ, "IDENTITY_ENDPOINT": f"http://127.0.0.1:{PORT}/msi/token", "IDENTITY_HEADER": "planted-header-5",
            "AZURE_CLIENT_ID": guid(3), "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_SECRET": SECRETS["app"]}


def launch(name, config):
    return stage.walship(config, f"{name}.log", env=environment())


def status(port):
    return json.loads(ask(f"http://127.0.0.1:{port}/status"))["destinations"]


def failures(port):
    return {destination["name"]: sum(endpoint["failures"] for endpoint in destination["endpoints"]) for destination in status(port)}


def tokens_issued():
    """How many tokens the emulator gave out so far."""
    with lib.database(stage.path("received.db")) as db:
        return db.execute("SELECT count(*) FROM token WHERE status = 200").fetchone()[0]


def probe(name, azuread, pair="secret", dce=None):
    url = f"http://127.0.0.1:{PORT}/dce-{dce or pair}{pair_path(pair)}"
    config = write("probe.yml", f"wal_dir: {stage.dir}/data/wal\nstate_dir: {stage.dir}/state.probe\nremote_write:\n"
                                f"- name: {name}\n  endpoints:\n  - url: {url}\n    azuread: {azuread}\n")
    done = subprocess.run([lib.WALSHIP, "check", "--probe", "--config", config], capture_output=True, text=True, timeout=90, check=False)
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
    with lib.database(stage.path("received.db")) as db:
        marks = ",".join("?" * len(pairs))
        return db.execute(f"""SELECT count(*), count(DISTINCT series || ' ' || t || ' ' || bits) FROM sample
                              JOIN pair ON pair.id = sample.pair WHERE pair.name IN ({marks})""", pairs).fetchone()


def phases(names):
    """Every token service fails in turn, while the load goes on: for longer than a token is good for once it is due."""
    emulator("/tokens?life=6s")
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
    """One destination, three pairs, three identities; the second one's role is taken away for a while."""
    second = f"{{authority_host: 'http://127.0.0.1:{PORT}/', oauth: {{client_id: {guid(6)}, tenant_id: {TENANT}, client_secret: '{SECRETS['three-secret']}'}}}}"
    config = walship_config("three", THREE_PORT, [("three", [("three-a", sources["imds-user"]), ("three-b", second),
                                                            ("three-c", sources["cert-pem"])])])
    walship = launch("three", config)

    def samples():
        return [endpoint["samples"] for endpoint in status(THREE_PORT)[0]["endpoints"]]

    wait_until("three endpoints", lambda: all(endpoint["samples"] > 0 for endpoint in status(THREE_PORT)[0]["endpoints"]), 90)
    emulator("/role?identity=second&endpoint=three-b", "DELETE")
    held = wait_until("its endpoint to be held", lambda: status(THREE_PORT)[0]["endpoints"][1]["state"] == "held", 60)
    before = samples()
    others = wait_until("the others", lambda: all(samples()[i] > before[i] + 500 for i in (0, 2)), 60)
    after = samples()
    verdict("revoked: its endpoint is held", None if held and after[1] == before[1] else f"{held} {before} {after}")
    verdict("revoked: the others go on", None if others else f"{before} {after}")
    emulator("/role?identity=second&endpoint=three-b")
    good = wait_until("the held endpoint", lambda: status(THREE_PORT)[0]["endpoints"][1]["state"] == "open", 90)
    verdict("granted again: it takes writes again", None if good else status(THREE_PORT))
    return walship, config


def no_secret_leaked():
    planted = [*SECRETS.values(), "planted-Pfx-3", "planted-federated-4", "planted-header-5"]
    with open(stage.path("app.key"), encoding="ascii") as file:
        planted.append(file.read().splitlines()[3])
    pages = {f"port {port} {path}": ask(f"http://127.0.0.1:{port}{path}").encode()
             for port in (STATUS_PORT, THREE_PORT) for path in ("/metrics", "/status")}
    for base, _, names in os.walk(stage.dir):
        for name in names:
            if name.endswith(".log") or "state." in base:
                with open(os.path.join(base, name), "rb") as file:
                    pages[os.path.join(base, name)] = file.read()
    found = [(where, word) for where, text in pages.items() for word in planted if word.encode() in text]
    tokens = [where for where, text in pages.items() if re.search(rb"eyJ[A-Za-z0-9_-]{20,}\.", text)]
    verdict(f"no planted secret or token in {len(pages)} logs, pages and state files", (found or tokens) or None)


def drain(name, config, walship):
    code = stage.stop(walship)
    verdict(f"{name}: stops cleanly", None if code == 0 else f"exit {code}")
    code = stage.drain(config, log=f"{name}.log", env=environment())
    verdict(f"{name}: drains", None if code == 0 else f"exit {code}")


def main():
    if INSIDE:
        os.makedirs(ARC_KEYS)
    certificates()
    write("secret", SECRETS["app"] + "\n")
    write("federated", "planted-federated-4\n")
    sources = blocks()
    names = list(sources)
    stage.emulator(PORT, pairs_and_identities(names + ["three-a", "three-b", "three-c"]))
    stage.exporter(EXPORTER_PORT, 200)
    prometheus = stage.prometheus(lib.peer("prom242"), PROMETHEUS_PORT, [f"127.0.0.1:{EXPORTER_PORT}"])
    probes(sources)
    config = walship_config("all", STATUS_PORT, [(name, [(name, block)]) for name, block in sources.items()])
    walship = launch("all", config)
    wait_until("the first samples", lambda: all(sum(e["samples"] for e in d["endpoints"]) > 0 for d in status(STATUS_PORT)), 90)
    before = tokens_issued()
    enough = 2 * len(set(sources.values())) - 4  # some share one
    refreshed = wait_until("the tokens to be refreshed", lambda: tokens_issued() - before >= enough, 90)
    failed = {name: count for name, count in failures(STATUS_PORT).items() if count}
    verdict(f"{len(names)} sources under load, tokens of 12 s: no write failed", failed or None)
    verdict("tokens were refreshed meanwhile", None if refreshed else f"only {tokens_issued() - before}")
    phases(names)
    three, three_config = three_identities(sources)
    no_secret_leaked()
    stage.stop(prometheus)
    time.sleep(1)
    drain("all", config, walship)
    drain("three", three_config, three)
    with open(stage.wal_dump(), encoding="utf-8") as file:
        count = sum(1 for line in file if not line.startswith("#"))
    for pairs in [[name] for name in names] + [["three-a", "three-b", "three-c"]]:
        samples, different = arrived(pairs)
        verdict(f"{pairs[0]}: {count} samples in the WAL, each arrived once",
                None if samples == different == count else f"{samples} arrived, {different} different")
    return account.end()


if __name__ == "__main__":
    lib.run(main, stage)

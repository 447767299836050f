#!/usr/bin/env python3
"""The steps of emulator_azure.sh: what a client of Azure would ask, and the answers it should get."""
import base64
import hashlib
import http.client
import json
import os
import re
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.parse
import uuid

import lib
from emulator import HEADERS, request

TENANT = "11111111-1111-1111-1111-111111111111"
OTHER_TENANT = "22222222-2222-2222-2222-222222222222"
SCOPE = "https://monitor.azure.com//.default"
RESOURCE = "https://monitor.azure.com/"
VERSION = "?api-version=2023-04-24"
SUBJECT = "system:serviceaccount:monitoring:walship"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def client_id(number):
    return f"aaaaaaaa-0000-0000-0000-{number:012d}"


def object_id(number):
    return f"bbbbbbbb-0000-0000-0000-{number:012d}"


NUMBERS = {"vm": 1, "user": 2, "app": 3, "cert": 4, "fed": 5, "arc": 6, "web": 7, "thumb": 8, "poor": 9}


def path(dce, dcr, stream="Microsoft-PrometheusMetrics"):
    return f"/{dce}/dataCollectionRules/dcr-{dcr}/streams/{stream}/api/v1/write"


def step_config(folder, port, tls_port):
    der = subprocess.run(["openssl", "x509", "-in", f"{folder}/cert.pem", "-outform", "DER"], capture_output=True, check=True)
    identities = {
        "vm": "system: true, sources: [imds], roles: ['*']",
        "user": "sources: [imds], roles: [a], msi_res_id: /subscriptions/x/user",
        "app": "sources: [secret], secret: s3cret/+=, expired_secret: old, roles: ['*']",
        "cert": f"sources: [certificate], certificate: {folder}/cert.pem, roles: [a]",
        "fed": f"sources: [federated], federated_subject: '{SUBJECT}', federated_tokens: [plain], roles: [a]",
        "arc": "sources: [arc], roles: [a]",
        "web": "sources: [app_service], roles: [a]",
        "thumb": f"sources: [certificate], certificate_thumbprint: {hashlib.sha256(der.stdout).hexdigest()}, roles: [a]",
        "poor": "sources: [secret], secret: poor",
    }
    print(
        f"""listen_address: 127.0.0.1:{port}
database: {folder}/e.db
tls: {{directory: {folder}/tls, listen_address: 127.0.0.1:{tls_port}, names: [dce-a.example.com]}}
arc_keys_directory: {folder}/keys
app_service_header: web-header
federated_issuer: https://issuer.example/
imds_per_second: 50
tokens: {{life: 1h}}
workspaces:
- {{name: w, window: 20m, reserved_names: [reserved]}}
- {{name: small, samples_per_minute: 60, burst: 10s, active_series: 3, active_for: 1h}}
- {{name: brief, active_series: 3, active_for: 1s}}
- {{name: silent, samples_per_minute: 60, burst: 10s, active_series: 3, active_for: 1h, over_limit: drop}}
endpoints:
- {{name: first, path: /write/first}}
- {{name: a, dce: dce-a, dcr: dcr-a, workspace: w}}
- {{name: a2, dce: dce-a, dcr: dcr-a2, workspace: w}}
- {{name: b, dce: dce-b, dcr: dcr-b, role_delay: 1h}}
- {{name: cut, dce: dce-b, dcr: dcr-cut, too_large: cut, success_status: 200}}
- {{name: rate, dce: dce-c, dcr: dcr-rate, requests_per_minute: 60, burst: 1s}}
- {{name: date, dce: dce-c, dcr: dcr-date, requests_per_minute: 60, burst: 1s, retry_after: date}}
- {{name: none, dce: dce-c, dcr: dcr-none, bytes_per_minute: 6000, burst: 1s, retry_after: none}}
- {{name: small, dce: dce-c, dcr: dcr-small, workspace: small}}
- {{name: brief, dce: dce-c, dcr: dcr-brief, workspace: brief}}
- {{name: silent, dce: dce-c, dcr: dcr-silent, workspace: silent}}
- {{name: scripted, dce: dce-c, dcr: dcr-scripted}}
script:
- {{at: 0s, pair: scripted, do: 'status=503 retry_after=9', for: 1h}}
- {{at: 100ms, identity: vm, pair: scripted, do: revoke}}
identities:"""
    )
    for name, rest in identities.items():
        number = NUMBERS[name]
        print(f"- {{name: {name}, tenant: {TENANT}, client_id: {client_id(number)}, object_id: {object_id(number)}, {rest}}}")


class Client:
    """One request after another over one connection, http or https."""

    def __init__(self, port, context=None):
        self.host = f"127.0.0.1:{port}"
        if context is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        else:
            self.connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)

    def ask(self, method, url, body=b"", headers=None):
        """The response with its body in .text; None when the connection was cut."""
        try:
            self.connection.request(method, url, body, headers or {})
            answer = self.connection.getresponse()
            answer.text = answer.read().decode()
            return answer
        except (http.client.HTTPException, ConnectionError):
            self.connection.close()
            return None

    def control(self, method, url):
        answer = self.ask(method, url)
        assert answer.status == 200, (url, answer.status, answer.text)

    def form(self, fields, tenant=TENANT, headers=None):
        body = urllib.parse.urlencode(fields)
        given = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.ask("POST", f"/{tenant}/oauth2/v2.0/token", body, given)

    def imds(self, query, headers=None, prefix=""):
        given = {"Metadata": "true"} if headers is None else headers
        return self.ask("GET", f"{prefix}/metadata/identity/oauth2/token?{query}", b"", given)

    def write(self, url, token=None, body=None, headers=None):
        given = {**HEADERS, **(headers or {})}
        if token is not None:
            given["Authorization"] = "Bearer " + token
        if body is None:
            body = request("x", [(now_ms(), 1.0)])
        return self.ask("POST", url, body, given)


def now_ms():
    return int(time.time() * 1000)


def secret_form(name="app", secret="s3cret/+=", scope=SCOPE):
    return {"client_id": client_id(NUMBERS[name]), "client_secret": secret, "scope": scope, "grant_type": "client_credentials"}


def app_token(client, scope=SCOPE, name="app", secret="s3cret/+="):
    answer = client.form(secret_form(name, secret, scope))
    assert answer.status == 200, answer.text
    return json.loads(answer.text)["access_token"]


def vm_token(client):
    """As any client of IMDS it has to wait after too many questions."""
    answers = []

    def given():
        answers.append(client.imds(f"api-version=2018-02-01&resource={RESOURCE}"))
        return answers[-1].status != 429

    assert lib.wait_until("IMDS to take questions", given, 30) and answers[-1].status == 200, answers[-1].text
    return json.loads(answers[-1].text)["access_token"]


def is_seconds_from(moment_s, life_s, asked_s):
    """Whether a time on the emulator's clock is that long after the answer, which came between asked_s and now; to the second."""
    return asked_s + life_s - 1 <= moment_s <= time.time() + life_s + 1


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def step_tokens(client, _folder):
    answer = client.form(secret_form())
    body = json.loads(answer.text)
    assert answer.status == 200 and body["token_type"] == "Bearer" and body["expires_in"] == 3600, body
    assert "expires_on" not in body
    said = claims(body["access_token"])
    assert said["aud"] == "https://monitor.azure.com/" and said["appid"] == client_id(3), said
    assert said["tid"] == TENANT and said["exp"] - said["iat"] == 3600
    assert claims(app_token(client, "https://monitor.azure.com/.default"))["aud"] == "https://monitor.azure.com"

    basic = urllib.parse.quote(client_id(3)) + ":" + urllib.parse.quote("s3cret/+=", safe="")
    header = {"Authorization": "Basic " + base64.b64encode(basic.encode()).decode()}
    assert client.form({"grant_type": "client_credentials", "scope": SCOPE}, headers=header).status == 200

    client.control("POST", "/tokens?life=6s&refresh_in=3s&expires_in=string")
    body = json.loads(client.form(secret_form()).text)
    assert body["expires_in"] == "6" and body["refresh_in"] == 3, body
    asked = time.time()
    forms = {
        "epoch": lambda text: is_seconds_from(int(text), 6, asked),
        "number": lambda number: isinstance(number, int),
        "us_date": lambda text: text[2] == "/" and text[5] == "/" and len(text) == 19,
        "iso_date": lambda text: text[4] == "-" and text[10] == " " and len(text) == 19,
        "rfc3339": lambda text: text[10] == "T" and text[-1] == "Z",
        "empty": lambda text: text == "",
        "absent": lambda text: text is None,
    }
    for form, check in forms.items():
        client.control("POST", f"/tokens?expires_on={form}&expires_in=empty")
        body = json.loads(client.imds(f"api-version=2018-02-01&resource={RESOURCE}").text)
        assert check(body.get("expires_on")) and body["expires_in"] == "", (form, body)
    client.control("POST", "/tokens?body=not+json")
    assert client.form(secret_form()).text == "not json"
    assert client.ask("POST", "/tokens?life=soon").status == 400
    client.control("POST", "/tokens?life=1h&refresh_in=0&expires_on=epoch&expires_in=epoch&body=")


def step_refusals(client, _folder):
    rows = [
        (90002, 400, "invalid_request", secret_form(), {"tenant": OTHER_TENANT}),
        (900144, 400, "invalid_request", {"client_id": client_id(3)}, {}),
        (70003, 400, "unsupported_grant_type", {**secret_form(), "grant_type": "password"}, {}),
        (700016, 400, "unauthorized_client", {**secret_form(), "client_id": client_id(77)}, {}),
        (70011, 400, "invalid_scope", {**secret_form(), "scope": "https://monitor.azure.com"}, {}),
        (500011, 400, "invalid_resource", secret_form(scope="https://example.com/.default"), {}),
        (7000218, 401, "invalid_client", {k: v for k, v in secret_form().items() if k != "client_secret"}, {}),
        (7000215, 401, "invalid_client", secret_form(secret="wrong"), {}),
        (7000222, 401, "invalid_client", secret_form(secret="old"), {}),
        (7000215, 401, "invalid_client", secret_form("vm", "s3cret/+="), {}),
    ]
    for code, status, error, form, options in rows:
        answer = client.form(form, **options)
        body = json.loads(answer.text)
        assert answer.status == status and body["error"] == error, (code, answer.status, body)
        assert body["error_codes"] == [code] and body["error_description"].startswith(f"AADSTS{code}: "), body
        assert all(key in body for key in ("timestamp", "trace_id", "correlation_id", "error_uri")), body
    client.control("POST", "/identity?name=app&disabled=true")
    assert json.loads(client.form(secret_form()).text)["error_codes"] == [7000112]
    client.control("POST", "/identity?name=app&disabled=false&secret=new")
    assert client.form(secret_form()).status == 401
    assert client.form(secret_form(secret="new")).status == 200
    client.control("POST", "/identity?name=app&secret=s3cret/%2B%3D")
    assert client.form(secret_form()).status == 200

    client.control("POST", "/fault?endpoint=entra&status=429&count=1")
    answer = client.form(secret_form())
    assert answer.status == 429 and answer.getheader("Retry-After") == "60", answer.text
    assert json.loads(answer.text)["error"] == "temporarily_unavailable"
    client.control("POST", "/fault?endpoint=entra&status=503&retry_after=1&count=1")
    answer = client.form(secret_form())
    assert answer.status == 503 and answer.getheader("Retry-After") == "1"
    client.control("POST", "/fault?endpoint=entra&status=502&body=%3Chtml%3E&count=1")
    answer = client.form(secret_form())
    assert answer.status == 502 and answer.text == "<html>"
    client.control("POST", "/fault?endpoint=entra&cut=before&count=1")
    assert client.form(secret_form()) is None
    client.control("POST", "/fault?endpoint=entra&delay=300ms&count=1")
    begun = time.monotonic()
    assert client.form(secret_form()).status == 200 and time.monotonic() - begun >= 0.3


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def assertion(folder, client, name="cert", key="cert", algorithm="PS256", header=None, **changes):
    """A client assertion; header(der) gives what names the certificate."""
    der = subprocess.run(["openssl", "x509", "-in", f"{folder}/{key}.pem", "-outform", "DER"], capture_output=True, check=True).stdout
    head = {"alg": algorithm, "typ": "JWT"}
    head.update(header(der) if header else {"x5t#S256": b64(hashlib.sha256(der).digest())})
    number = client_id(NUMBERS[name])
    said = {
        "aud": f"http://{client.host}/{TENANT}/oauth2/v2.0/token",
        "iss": number,
        "sub": number,
        "jti": str(uuid.uuid4()),
        "nbf": int(time.time()),
        "iat": int(time.time()),
        "exp": int(time.time()) + 600,
    }
    said.update(changes)
    said = {key: value for key, value in said.items() if value is not None}
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(said).encode())
    command = ["openssl", "dgst", "-sha256", "-sign", f"{folder}/{key}.key"]
    if algorithm == "PS256":
        command += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
    made = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    return text + "." + b64(made.stdout)


def present(client, text, name="cert", kind=JWT_BEARER):
    form = {
        "client_id": client_id(NUMBERS[name]),
        "client_assertion": text,
        "client_assertion_type": kind,
        "scope": SCOPE,
        "grant_type": "client_credentials",
    }
    answer = client.form(form)
    body = json.loads(answer.text)
    return body["error_codes"][0] if answer.status != 200 else 0


def step_certificate(client, folder):
    def make(**options):
        return assertion(folder, client, **options)

    def padded(der):
        return {"x5t#S256": base64.b64encode(hashlib.sha256(der).digest()).decode()}

    def old(der):
        return {"x5t": b64(hashlib.sha1(der).digest())}

    def chain(der):
        return {"x5c": [base64.b64encode(der).decode()]}

    assert present(client, make()) == 0
    assert present(client, make(header=padded)) == 0
    assert present(client, make(header=old, algorithm="RS256")) == 0
    assert present(client, make(aud=f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token")) == 0
    assert present(client, make(name="thumb", header=chain), "thumb") == 0
    assert present(client, make(name="thumb", key="other", header=chain), "thumb") == 700027
    assert present(client, make(key="other")) == 700027
    assert present(client, make(key="other", header=lambda _: {"x5t#S256": "AAAA"})) == 700027
    good = make()
    assert present(client, good[:-8] + ("AAAAAAAA" if good[-8:] != "AAAAAAAA" else "BBBBBBBB")) == 700027
    assert present(client, make(exp=int(time.time()) - 1)) == 700024
    assert present(client, make(exp=None)) == 700024
    assert present(client, make(nbf=int(time.time()) + 60)) == 700024
    assert present(client, make(aud=f"https://example.com/{TENANT}/oauth2/v2.0/token")) == 50012
    assert present(client, make(aud=f"http://{client.host}/{OTHER_TENANT}/oauth2/v2.0/token")) == 50012
    assert present(client, make(sub=client_id(3))) == 50012
    assert present(client, make(jti=None)) == 50012
    once = make()
    assert present(client, once) == 0 and present(client, once) == 50012
    assert present(client, "a.b.c") == 50027
    assert present(client, make(), kind="saml") == 7000218
    # the file changed: the new certificate counts at once
    os.rename(f"{folder}/cert.pem", f"{folder}/kept.pem")
    with open(f"{folder}/other.pem", encoding="ascii") as source, open(f"{folder}/cert.pem", "w", encoding="ascii") as out:
        out.write(source.read())
    assert present(client, make(key="other")) == 0
    os.rename(f"{folder}/kept.pem", f"{folder}/cert.pem")
    assert present(client, make()) == 0


def step_federated(client, _folder):
    def token(**query):
        answer = client.ask("GET", "/issuer/token?" + urllib.parse.urlencode(query))
        assert answer.status == 200, answer.text
        return answer.text

    assert present(client, token(subject=SUBJECT), "fed") == 0
    assert present(client, "plain", "fed") == 0
    assert present(client, "plainer", "fed") == 50027
    assert present(client, token(subject=SUBJECT.upper()), "fed") == 70021
    assert present(client, token(subject=SUBJECT, issuer="https://issuer.example"), "fed") == 70021
    assert present(client, token(subject=SUBJECT, audience="other"), "fed") == 70021
    assert present(client, token(subject=SUBJECT, life="0s"), "fed") == 700024
    assert present(client, token(subject=SUBJECT)[:-6] + "AAAAAA", "fed") == 700027
    assert present(client, token(subject=SUBJECT), "cert") == 70021


def step_imds(client, _folder):
    good = f"api-version=2018-02-01&resource={urllib.parse.quote(RESOURCE, safe='')}"
    asked = time.time()
    body = json.loads(client.imds(good).text)
    assert body["expires_in"] == "3600" and body["token_type"] == "Bearer" and body["resource"] == RESOURCE, body
    assert is_seconds_from(int(body["expires_on"]), 3600, asked) and body["client_id"] == client_id(1), body
    assert client.imds(good, prefix="/imds").status == 200
    for selector in (f"client_id={client_id(2)}", f"object_id={object_id(2)}", "msi_res_id=/subscriptions/x/user"):
        assert json.loads(client.imds(f"{good}&{selector}").text)["client_id"] == client_id(2), selector
    rows = [
        (good, {}, "bad_request_102"),
        (good, {"Metadata": "false"}, "bad_request_102"),
        (good, {"Metadata": "true", "X-Forwarded-For": "1.2.3.4"}, "bad_request"),
        (good + "&resource=x", None, "bad_request"),
        ("resource=x", None, "Bad request. api-version is invalid or was not specified in the request."),
        ("api-version=1&resource=x", None, "Bad request. api-version is invalid or was not specified in the request."),
        ("api-version=2018-02-01", None, "invalid_request"),
        ("api-version=2018-02-01&resource=https://example.com", None, "invalid_resource"),
        (f"{good}&client_id={client_id(3)}", None, "invalid_request"),
    ]
    for query, headers, error in rows:
        answer = client.imds(query, headers)
        assert answer.status == 400 and json.loads(answer.text)["error"] == error, (query, headers, answer.text)
    assert "newest-versions" in client.imds("resource=x").text
    assert "Identity not found" in client.imds(f"{good}&client_id={client_id(3)}").text
    for status in (404, 410, 429, 500, 503):
        client.control("POST", f"/fault?endpoint=imds&status={status}&count=2")
        for _ in range(2):
            answer = client.imds(good)
            assert answer.status == status and json.loads(answer.text)["error"], (status, answer.text)
        assert client.imds(good).status == 200
    statuses = at_once(client, f"/metadata/identity/oauth2/token?{good}", 200)
    assert set(statuses) == {200, 429} and len(statuses) == 200, statuses


def at_once(client, url, count):
    """The statuses of that many requests, sent without waiting for answers: it is not the client's pace that is refused."""
    head = f"GET {url} HTTP/1.1\r\nHost: {client.host}\r\nMetadata: true\r\n"
    with socket.create_connection(tuple(client.host.split(":")), timeout=60) as raw:
        raw.sendall(f"{head}\r\n".encode() * (count - 1) + f"{head}Connection: close\r\n\r\n".encode())
        said = b"".join(iter(lambda: raw.recv(65536), b""))
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", said)]


def step_arc(client, folder):
    query = f"api-version=2020-06-01&resource={RESOURCE}"
    answer = client.imds(query, prefix="/arc")
    assert answer.status == 401, answer.text
    realm = answer.getheader("WWW-Authenticate")
    assert realm.startswith(f"Basic realm={folder}/keys/") and realm.endswith(".key"), realm
    with open(realm[len("Basic realm=") :], encoding="ascii") as file:
        key = file.read()
    met = {"Metadata": "true", "Authorization": "Basic " + key}
    assert client.imds(query, {"Metadata": "true", "Authorization": "Basic x"}, "/arc").status == 403
    body = json.loads(client.imds(query, met, "/arc").text)
    assert body["client_id"] == client_id(6), body
    assert client.imds(query, met, "/arc").status == 403  # once only
    assert client.imds(query, {}, "/arc").status == 400
    assert client.imds("resource=x", prefix="/arc").status == 400
    for _ in range(70):
        assert client.imds(query, prefix="/arc").status == 401
    assert len(os.listdir(f"{folder}/keys")) <= 64


def step_app_service(client, _folder):
    def ask(query, header):
        return client.ask("GET", f"/msi/token?{query}", b"", header)

    new, old = {"X-IDENTITY-HEADER": "web-header"}, {"secret": "web-header"}
    body = json.loads(ask(f"api-version=2019-08-01&resource={RESOURCE}", new).text)
    assert "expires_in" not in body and int(body["expires_on"]) > time.time() and body["client_id"] == client_id(7), body
    body = json.loads(ask(f"api-version=2017-09-01&resource={RESOURCE}&clientid={client_id(7)}", old).text)
    assert body["expires_on"][2] == "/", body
    assert ask(f"api-version=2019-08-01&resource={RESOURCE}", old).status == 401
    assert ask(f"api-version=2019-08-01&resource={RESOURCE}", {"X-IDENTITY-HEADER": "x"}).status == 401
    assert ask(f"resource={RESOURCE}", new).status == 400
    assert ask("api-version=2019-08-01", new).status == 400
    assert ask(f"api-version=2019-08-01&resource={RESOURCE}&client_id={client_id(1)}", new).status == 400


def error_code(answer):
    code = json.loads(answer.text)["error"]["code"]
    assert answer.getheader("x-ms-error-code") == code and answer.getheader("x-ms-request-id")
    return answer.status, code


def step_pairs(client, _folder):
    token, url = vm_token(client), path("dce-a", "a") + VERSION
    answer = client.write(url, token)
    assert answer.status == 204 and answer.text == "" and answer.getheader("x-ms-request-id"), answer.text
    answer = client.write(url, token, headers={"x-ms-client-request-id": "mine"})
    assert answer.getheader("x-ms-client-request-id") == "mine"
    assert client.write(url.lower(), app_token(client, "https://monitor.azure.com/.default")).status == 204
    assert client.write(path("dce-b", "cut") + VERSION, token).status == 200
    bare = url.replace("/dce-a", "", 1)
    for host in ("dce-a.localhost:1", "DCE-A.eastus-1.metrics.ingest.monitor.azure.com"):
        assert client.write(bare, token, headers={"Host": host}).status == 204, host
    assert client.write("/write/first").status == 204  # the first form asks for nothing

    # 404, 400
    assert error_code(client.write(bare, token)) == (404, "NotFound")
    assert error_code(client.write("/dce-a", token)) == (404, "NotFound")
    assert error_code(client.write(path("dce-a", "zzz") + VERSION, token)) == (404, "NotFound")
    assert error_code(client.write(path("dce-a", "a", "Microsoft-Event") + VERSION, token)) == (404, "NotFound")
    assert error_code(client.write(path("dce-a", "a"), token)) == (400, "InvalidApiVersion")
    assert error_code(client.write(url, token, b"not snappy")) == (400, "InvalidRequest")
    assert error_code(client.write(url, token, headers={"Content-Encoding": "gzip"})) == (400, "InvalidRequest")

    # 401
    answer = client.write(url)
    assert error_code(answer) == (401, "MissingToken") and "invalid_token" in answer.getheader("WWW-Authenticate")
    assert error_code(client.write(url, "x")) == (401, "InvalidToken")
    assert error_code(client.write(url, token[:-6] + "AAAAAA")) == (401, "InvalidToken")
    head, body, sign = token.split(".")
    none = b64(b'{"alg":"none","typ":"JWT"}')
    for forged in (f"{none}.{body}.", f"{none}.{body}.{sign}", f"{head}.{b64(b'{}')}.{sign}"):
        assert error_code(client.write(url, forged)) == (401, "InvalidToken"), forged
    query = app_token(client, "https://prometheus.monitor.azure.com/.default")
    assert error_code(client.write(url, query)) == (401, "InvalidAudience")
    client.control("POST", "/tokens?life=1s")
    short = vm_token(client)
    client.control("POST", "/tokens?life=1h")
    assert lib.wait_until("a token to expire", lambda: client.write(url, short).status != 204, 10)
    assert error_code(client.write(url, short)) == (401, "ExpiredToken")

    # 403: no role, foreign DCE, a role that is not there yet, revoked and granted again
    poor = app_token(client, name="poor", secret="poor")
    answer = client.write(url, poor)
    assert error_code(answer) == (403, "OperationFailed")
    assert "IsRbacPresent: False" in answer.text and object_id(9) in answer.text and "dcr-a" in answer.text, answer.text
    foreign = client.write(path("dce-b", "a") + VERSION, token)
    assert error_code(foreign) == (403, "OperationFailed") and "IsDcrDceBindingValid: False" in foreign.text
    late = path("dce-b", "b") + VERSION
    assert client.write(late, token).status == 403

    def not_there_yet(window_ms):
        client.control("DELETE", "/role?identity=vm&endpoint=b")
        client.control("POST", f"/role?identity=vm&endpoint=b&delay={window_ms}ms")
        return client.write(late, token).status == 403

    assert lib.met(not_there_yet, 500)
    assert lib.wait_until("the role", lambda: client.write(late, token).status == 204, 120)
    client.control("DELETE", "/role?identity=vm&endpoint=b")
    assert client.write(late, token).status == 403
    client.control("POST", "/role?identity=*&endpoint=*")
    assert client.write(late, token).status == 204 and client.write(url, poor).status == 204
    client.control("DELETE", "/role?identity=poor&endpoint=*")
    assert client.ask("POST", "/role?identity=nobody&endpoint=a").status == 404

    # faults wear Azure's clothes
    client.control("POST", "/fault?endpoint=a&status=500&count=1")
    assert error_code(client.write(url, token)) == (500, "InternalServerError")
    client.control("POST", "/fault?endpoint=a&status=200&count=1&store=1")
    assert client.write(url, token).status == 200


def step_quotas(client, _folder):
    token = vm_token(client)
    large = b"x" * ((1 << 20) + 1)
    answer = client.write(path("dce-a", "a") + VERSION, token, large)
    assert answer is None or error_code(answer) == (413, "ContentLengthLimitExceeded")  # cut while it still sends
    chunks = (large[at : at + 50000] for at in range(0, len(large), 50000))
    client.connection.close()
    client.connection.request(
        "POST", path("dce-a", "a") + VERSION, chunks, {**HEADERS, "Authorization": "Bearer " + token}, encode_chunked=True
    )
    answer = client.connection.getresponse()
    assert answer.status == 413 and "1048576" in answer.read().decode()
    assert client.write(path("dce-b", "cut") + VERSION, token, large) is None

    for name, check in (
        ("rate", lambda text: text == "1"),
        ("date", lambda text: text.endswith(" GMT") and text[3] == ","),
        ("none", lambda text: text is None),
    ):
        url = path("dce-c", name) + VERSION
        assert client.write(url, token).status == 204, name
        refused = until_refused(lambda url=url: client.write(url, token))
        assert error_code(refused) == (429, "TooManyRequests") and check(refused.getheader("Retry-After")), name
        assert lib.wait_until("room", lambda url=url: client.write(url, token).status == 204, 30), name


def until_refused(ask):
    """The first answer that is no 204: what was asked slowly may be within the quota."""
    return next((answer for answer in (ask() for _ in range(100)) if answer.status != 204), None)


def dropped(folder, reason, name, expected):
    """Whether so many are in the database, once it has them: it is written each half second."""
    sql = "SELECT count(*) FROM dropped JOIN series ON series.id = series WHERE reason = ? AND labels LIKE ?"

    def count():
        with lib.database(f"{folder}/e.db") as database:
            return database.execute(sql, (reason, f"%{name}%")).fetchone()[0]

    return lib.wait_until(f"{reason} of {name}", lambda: count() >= expected, 30) and count() == expected


def step_workspace(client, folder):
    token, now = vm_token(client), now_ms()
    one, two = path("dce-a", "a") + VERSION, path("dce-a", "a2") + VERSION

    def send(url, name, *stamps):
        answer = client.write(url, token, request(name, [(stamp, 1.0) for stamp in stamps]))
        return answer.status

    assert send(one, "order", now, now + 1000, now + 1000, now - 5000) == 204
    assert send(two, "ORDER", now + 1000, now + 2000) == 204  # one workspace, whatever the case
    assert dropped(folder, "Duplicate", 'order"', 2) and dropped(folder, "OutOfOrder", 'order"', 1)
    minute = 60000
    assert send(one, "window", now - 21 * minute, now - 19 * minute, now + 19 * minute, now + 21 * minute) == 204
    assert dropped(folder, "OldData", "window", 1) and dropped(folder, "InvalidTimeRange", "window", 1)
    assert send(one, "x" * 600, now) == 204
    assert dropped(folder, "BadInputFormat", "xxx", 1)

    small, silent = path("dce-c", "small") + VERSION, path("dce-c", "silent") + VERSION
    for number in range(3):
        assert send(small, f"small{number}", now) == 204
    answer = client.write(small, token, request("small3", [(now, 1.0)]))
    assert error_code(answer) == (429, "TooManyRequests") and "active time series" in answer.text, answer.text
    brief = path("dce-c", "brief") + VERSION
    for number in range(3):
        assert send(brief, f"brief{number}", now) == 204
    assert lib.wait_until("the others to be no longer active", lambda: send(brief, "brief3", now) == 204, 30)
    stamps = iter(range(now + 1, now + 2000))
    answer = until_refused(lambda: client.write(small, token, request("small0", [(next(stamps), 1.0) for _ in range(19)])))
    assert answer.status == 429 and "events per minute" in answer.text and answer.getheader("Retry-After"), answer.text
    for number in range(4):
        assert send(silent, f"silent{number}", now) == 204
    assert dropped(folder, "LimitThrottling", "silent3", 1)
    assert send(silent, "silent0", *range(now + 1, now + 20)) == 204
    stats = json.loads(client.ask("GET", "/stats").text)
    by_name = {workspace["name"]: workspace for workspace in stats["workspaces"]}
    count = by_name["silent"]["LimitThrottling"] - 1
    assert 9 <= count <= 13 and by_name["w"]["Duplicate"] >= 2, by_name  # ten fit at most, and some have come
    assert dropped(folder, "LimitThrottling", "silent0", count)


def step_script(client, _folder):
    token, url = vm_token(client), path("dce-c", "scripted") + VERSION
    answer = client.write(url, token)
    assert answer.status == 503 and answer.getheader("Retry-After") == "9", answer.text
    client.control("DELETE", "/fault?endpoint=scripted")
    assert client.write(url, app_token(client)).status == 204


def step_tls(client, folder, tls_port):
    context = ssl.create_default_context(cafile=f"{folder}/tls/ca.pem")
    secure = Client(tls_port, context)
    assert secure.write(path("dce-a", "a") + VERSION, vm_token(client)).status == 204
    assert oct(os.stat(f"{folder}/tls/ca.key").st_mode)[-3:] == "600"
    named = subprocess.run(["openssl", "x509", "-in", f"{folder}/tls/server.pem", "-noout", "-ext", "subjectAltName"], capture_output=True, check=True)
    assert b"dce-b.localhost" in named.stdout and b"dce-a.example.com" in named.stdout, named.stdout
    try:
        Client(tls_port, ssl.create_default_context()).connection.connect()
        raise AssertionError("a stranger's authority was trusted")
    except ssl.SSLCertVerificationError:
        pass


def step_rows(folder):
    database = sqlite3.connect(f"{folder}/e.db")
    rows = dict(database.execute("SELECT source || ' ' || identity, count(*) FROM token WHERE status = 200 GROUP BY 1"))
    for row in ("imds vm", "imds user", "arc arc", "app_service web", "secret app", "certificate cert", "federated fed"):
        assert rows.get(row, 0) > 0, rows
    assert database.execute("SELECT count(*) FROM request WHERE note = 'no role'").fetchone()[0] > 0
    assert database.execute("SELECT count(*) FROM request WHERE note = 'foreign DCE'").fetchone()[0] == 1
    sql = "SELECT count(*), max(arrival) FROM (SELECT arrival FROM sample UNION ALL SELECT arrival FROM dropped)"
    count, last = database.execute(sql).fetchone()
    assert count == last, (count, last)
    with open(f"{folder}/emulator.log", encoding="utf-8") as log:
        text = log.read()
    planted = ("s3cret", "eyJ", "web-header")
    assert not any(secret in text for secret in planted)
    dump = "\n".join(database.iterdump())
    assert not any(secret in dump for secret in planted)


if __name__ == "__main__":
    STEP, FOLDER, PORT, TLS_PORT = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if STEP == "config":
        step_config(FOLDER, PORT, TLS_PORT)
    elif STEP == "rows":
        step_rows(FOLDER)
    elif STEP == "tls":
        step_tls(Client(PORT), FOLDER, TLS_PORT)
    else:
        globals()[f"step_{STEP}"](Client(PORT), FOLDER)

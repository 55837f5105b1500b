"""What no HTTP library would send: broken and strange requests by hand, over a socket."""

import base64
import logging
import random
import socket
from urllib.parse import urlsplit

import pytest

from connectors.servicenow.sandbox.server import ServiceNowSandbox
from tests.integration.sandbox_servicenow.conftest import Api

_AUTH = b"Authorization: Basic " + base64.b64encode(b"admin:admin-pw") + b"\r\n"
_HOST = b"Host: x\r\nConnection: close\r\n"
_JSON = b"Content-Type: application/json\r\n"
_SEEDS = 120


def sent(sandbox: ServiceNowSandbox, raw: bytes, *, unfinished: bool = False) -> bytes:
    """Send bytes, and return all that comes back before the connection ends."""
    where = urlsplit(sandbox.url)
    with socket.create_connection((where.hostname, where.port), timeout=15) as connection:
        try:
            connection.sendall(raw)
            if unfinished:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            return b""
        got = bytearray()
        try:
            while chunk := connection.recv(65536):
                got += chunk
        except ConnectionError:
            pass
        return bytes(got)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0


def sound(answer: bytes, caplog: pytest.LogCaptureFixture) -> bool:
    """An answer, if any, is no 5xx and shows no trace, and the server logged no error."""
    broken = [one for one in caplog.records if one.levelno >= logging.ERROR]
    return status(answer) < 500 and b"Traceback" not in answer and not broken


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"GET /api/now/table/incident?sysparm_limit=1 HTTP/1.1\r\n" + _HOST + _AUTH, {200}),
        (b"GET /api/now/table/incident?sysparm_limit=1 HTTP/1.0\r\n" + _AUTH, {200}),
        (b"HEAD /api/now/table/incident HTTP/1.1\r\n" + _HOST + _AUTH, {200}),
        (b"GET /api/now/table/incident%00%ff%zz HTTP/1.1\r\n" + _HOST + _AUTH, {400}),
        (b"GET /api/now/table/\xc3\xa9 HTTP/1.1\r\n" + _HOST + _AUTH, {400}),
        (b"GET //api//now///table/incident HTTP/1.1\r\n" + _HOST + _AUTH, {400}),
        (b"GET http://x/api/now/table/xyz HTTP/1.1\r\n" + _HOST + _AUTH, {400, 404}),
        (b"GET /api/now/table/../../etc/passwd HTTP/1.1\r\n" + _HOST + _AUTH, {400}),
        (b"GET /api/now/table/incident?" + b"a=b&" * 3000 + b" HTTP/1.1\r\n" + _HOST + _AUTH,
         {200}),
        (b"GET /?" + b"A" * 23_000 + b" HTTP/1.1\r\n" + _HOST, {400, 414}),
        (b"GET / HTTP/1.1\r\n" + _HOST + b"Authorization: Basic !!!\r\n", {401}),
        (b"GET / HTTP/1.1\r\n" + _HOST + b"Authorization: Basic\r\n", {401}),
        (b"GET / HTTP/1.1\r\n" + _HOST + b"Authorization: Bearer \xff\xfe\r\n", {401}),
        (b"GET / HTTP/1.1\r\n" + _HOST + b"Authorization: Basic OjpAOg==\r\n", {401}),
        (b"GET / HTTP/1.1\r\n" + _HOST + b"x-sn-apikey: \xe9\r\n", {401}),
        (b"GET / HTTP/1.1\r\n" + _HOST + b"Cookie: JSESSIONID=\x80;;;=\r\n" + _AUTH, {400}),
        (b"GET / HTTP/1.1\r\n" + _HOST + b"A: " + b"b" * 200_000 + b"\r\n", {0, 400, 431}),
        (b"POST /api/now/table/incident HTTP/1.1\r\n" + _HOST + _AUTH + _JSON
         + b'Content-Length: 5\r\n\r\n{"a"', {0, 400}),
        (b"POST /api/now/table/incident HTTP/1.1\r\n" + _HOST + _AUTH + _JSON
         + b"Content-Length: -1\r\n\r\n{}", {0, 400}),
        (b"POST /api/now/table/incident HTTP/1.1\r\n" + _HOST + _AUTH + _JSON
         + b"Content-Length: banana\r\n\r\n{}", {0, 400}),
        (b"POST /api/now/table/incident HTTP/1.1\r\n" + _HOST + _AUTH + _JSON
         + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", {0, 400}),
        (b"POST /api/now/table/incident HTTP/1.1\r\n" + _HOST + _AUTH + _JSON
         + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", {201}),
        (b"POST /api/now/table/incident HTTP/1.1\r\n" + _HOST + _AUTH + _JSON
         + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", {201, 400, 415}),
        (b"POST /api/now/table/incident HTTP/1.1\r\n" + _HOST + _AUTH
         + b"Content-Type: application/json; charset=\xff\r\nContent-Length: 2\r\n\r\n{}",
         {201, 400, 415}),
        (b"POST /api/now/table/incident HTTP/1.1\r\n" + _HOST + _AUTH + _JSON
         + b"X-HTTP-Method-Override: EXPLODE\r\nContent-Length: 2\r\n\r\n{}", {405}),
        (b"POST /oauth_token.do HTTP/1.1\r\n" + _HOST
         + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\n%%%",
         {401}),
        (b"POST /api/now/attachment/upload HTTP/1.1\r\n" + _HOST + _AUTH
         + b"Content-Type: multipart/form-data; boundary=\r\nContent-Length: 4\r\n\r\nabcd",
         {400, 415}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {0, 400}),
        (b"GET\r\n\r\n", {0, 400}),
        (b"\r\n\r\n\r\n", {0, 400}),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n", {0, 400, 401, 505}),
    ],
)  # fmt: skip
def test_strange_requests_are_answered_or_refused(
    sandbox: ServiceNowSandbox, caplog: pytest.LogCaptureFixture, raw: bytes, expected: set[int]
) -> None:
    if b"\r\n\r\n" not in raw:
        raw += b"\r\n"
    answer = sent(sandbox, raw, unfinished=0 in expected)
    assert status(answer) in expected, answer[:300]
    assert sound(answer, caplog), caplog.text


def test_a_body_of_fifteen_megabytes_is_refused_whole(
    sandbox: ServiceNowSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /api/now/table/incident HTTP/1.1\r\n" + _HOST + _AUTH + _JSON
    body = b'{"description":"' + b"x" * 15_000_000 + b'"}'
    answer = sent(sandbox, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert status(answer) == 400
    assert f"content-length = {len(body)} bytes".encode() in answer
    assert sound(answer, caplog), caplog.text


def noise(random_: random.Random) -> bytes:
    """A request with a few of its parts broken."""
    words = [
        b"GET", b"POST", b"PATCH", b"PUT", b"DELETE", b"OPTIONS", b"BREW", b"get", b"",
    ]  # fmt: skip
    places = [
        b"/api/now/table/incident", b"/api/now/v1/batch", b"/api/now/stats/task",
        b"/oauth_token.do", b"/api/now/attachment", b"/api/sn_chg_rest/change",
        b"/api/sn_sc/servicecatalog/items", b"/api/now/import/imp_user",
        b"/api/now/cmdb/instance/cmdb_ci", b"/approvals",
        b"/nav_to.do?uri=x", b"/api/sn_km_api/knowledge/articles", b"/api/now/tinyurl",
    ]  # fmt: skip
    keys = [
        b"sysparm_query",
        b"sysparm_limit",
        b"sysparm_fields",
        b"sysparm_display_value",
        b"state",
    ]
    junk = bytes(random_.choice(b"^=%&;,.@!<>'\"{}[]\\aZ09 \x00\xff\t") for _ in range(40))
    query = b"?" + random_.choice(keys) + b"=" + junk.replace(b" ", b"+").replace(b"\t", b"")
    headers = [_HOST, _AUTH, _JSON, b"Accept: */*\r\n", b"Accept: application/xml\r\n",
               b"Cookie: " + junk.replace(b"\x00", b"") + b"\r\n", b"X-Junk: \x80\x81\r\n",
               b"x-http-method-override: PATCH\r\n", b"X-no-response-body: true\r\n"]  # fmt: skip
    chosen = b"".join(random_.sample(headers, random_.randint(1, len(headers))))
    body = random_.choice([b"", b"{}", b"[]", b'{"a":', junk, b'{"state":{"value":[1,{}]}}'])
    return (
        random_.choice(words) + b" " + random_.choice(places) + random_.choice([b"", query])
        + b" HTTP/1.1\r\nConnection: close\r\n" + chosen
        + b"Content-Length: %d\r\n\r\n" % len(body) + body
    )  # fmt: skip


@pytest.mark.parametrize("group", range(4))
def test_noise_breaks_nothing(
    sandbox: ServiceNowSandbox, admin: Api, caplog: pytest.LogCaptureFixture, group: int
) -> None:
    for seed in range(group * _SEEDS, (group + 1) * _SEEDS):
        raw = noise(random.Random(seed))
        answer = sent(sandbox, raw)
        assert sound(answer, caplog), (seed, raw, answer[:500], caplog.text)
    assert len(admin.records("incident", sysparm_limit="1")) == 1


def test_a_client_that_stops_in_the_middle_holds_nobody_up(
    sandbox: ServiceNowSandbox, admin: Api
) -> None:
    where = urlsplit(sandbox.url)
    waiting = [
        socket.create_connection((where.hostname, where.port), timeout=15) for _ in range(20)
    ]
    try:
        for one in waiting:
            one.sendall(b"POST /api/now/table/incident HTTP/1.1\r\nHost: x\r\nContent-Le")
        assert admin.records("incident", sysparm_limit="1")
    finally:
        for one in waiting:
            one.close()
    assert admin.records("incident", sysparm_limit="1")

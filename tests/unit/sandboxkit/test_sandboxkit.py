"""The kit over real sockets, with a vendor invented for the purpose."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from connectors.sandboxkit.admin import AdminApi
from connectors.sandboxkit.clock import SandboxClock
from connectors.sandboxkit.faults import FaultBoard, FaultKind, FaultRule, FaultRuleError
from connectors.sandboxkit.injector import Injector
from connectors.sandboxkit.log import RequestLog, redact
from connectors.sandboxkit.organisation import load_organisation
from connectors.sandboxkit.server import SandboxServer
from connectors.sandboxkit.tls import ensure_tls


class InventedDialect:
    def rate_limited(self, rule: FaultRule, target: str) -> Response:
        return JSONResponse({"slow": target}, 429, headers={"Retry-After": str(int(rule.seconds))})

    def server_error(self, rule: FaultRule, target: str) -> Response:
        return PlainTextResponse(target, rule.status)

    def html_page(self, rule: FaultRule, target: str) -> Response:
        return Response(f"<html>{rule.variant}{target}</html>", 200, media_type="text/html")

    def empty_202(self, rule: FaultRule, target: str) -> Response:
        return Response(status_code=202, headers={"X-Rule": f"{rule.id} {target}"})

    def expired_token(self, rule: FaultRule, target: str) -> Response:
        return PlainTextResponse(f"expired {rule.id} {target}", 401)

    def truncate(self, body: bytes, target: str) -> bytes:
        return body[:-1] if target else body


class Vendor:
    """Counts the writes that took effect."""

    def __init__(self) -> None:
        self.effects = 0
        self.clock = SandboxClock()
        self.faults = FaultBoard()
        self.log = RequestLog(self.clock.now)
        self.app = Injector(
            self.answer,
            clock=self.clock,
            faults=self.faults,
            log=self.log,
            dialect=InventedDialect(),
            identify=lambda scope: dict(scope["headers"]).get(b"x-user", b"").decode(),
        )
        self.admin = AdminApi(
            clock=self.clock, faults=self.faults, log=self.log, seeder=lambda raw: {"got": raw}
        ).app()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await request.body()
        if request.method == "POST":
            self.effects += 1
        await JSONResponse({"effects": self.effects})(scope, receive, send)


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def url(vendor: Vendor) -> Iterator[str]:
    with SandboxServer(vendor.app) as server:
        yield server.url


@pytest.fixture
def admin(vendor: Vendor) -> Iterator[str]:
    with SandboxServer(vendor.admin) as server:
        yield server.url


def test_a_server_answers_as_soon_as_start_returns_and_not_after_stop(vendor: Vendor) -> None:
    server = SandboxServer(vendor.app).start()
    assert requests.get(server.url, timeout=5).json() == {"effects": 0}
    server.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=5)


def test_a_taken_port_is_an_error_at_once(vendor: Vendor) -> None:
    with SandboxServer(vendor.app) as server, pytest.raises(OSError, match="in use"):
        SandboxServer(vendor.app, port=server.port).start()


def test_a_server_in_the_foreground_ends_when_it_is_stopped(vendor: Vendor) -> None:
    server = SandboxServer(vendor.app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    assert requests.get(server.url, timeout=5).ok
    server.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_tls_is_trusted_through_the_generated_authority_only(
    vendor: Vendor, tmp_path: Path
) -> None:
    tls = ensure_tls(tmp_path, datetime.fromtimestamp(vendor.clock.now().timestamp(), tz=UTC))
    assert ensure_tls(tmp_path, vendor.clock.now()) == tls
    # All sandboxes of one process have one authority: a client needs one file for them all.
    other = ensure_tls(tmp_path / "other", vendor.clock.now())
    with SandboxServer(vendor.app, tls=other) as server:
        assert requests.get(server.url, timeout=5, verify=str(tls.ca)).ok
    with SandboxServer(vendor.app, tls=tls) as server:
        assert requests.get(server.url, timeout=5, verify=str(tls.ca)).ok
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(server.url, timeout=5)


def test_a_drop_before_leaves_no_effect_and_a_drop_after_leaves_one(
    vendor: Vendor, url: str
) -> None:
    vendor.faults.add({"kind": "drop_before", "next_n": 1})
    with pytest.raises(requests.ConnectionError):
        requests.post(url, data=b"x", timeout=5)
    assert vendor.effects == 0
    vendor.faults.add({"kind": "drop_after", "next_n": 1})
    with pytest.raises(requests.ConnectionError):
        requests.post(url, data=b"x", timeout=5)
    assert vendor.effects == 1
    assert requests.post(url, data=b"x", timeout=5).json() == {"effects": 2}
    assert [entry.status for entry in vendor.log.entries()] == [0, 0, 200]


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ({"kind": "429", "seconds": 7}, 429),
        ({"kind": "5xx", "status": 502}, 502),
        ({"kind": "html"}, 200),
        ({"kind": "empty_202"}, 202),
    ],
)
def test_a_refusal_happens_before_the_effect(
    vendor: Vendor, url: str, rule: dict[str, object], status: int
) -> None:
    vendor.faults.add(rule)
    assert requests.post(url, data=b"x", timeout=5).status_code == status
    assert vendor.effects == 0


def test_an_expired_token_concerns_bearers_only(vendor: Vendor, url: str) -> None:
    vendor.faults.add({"kind": "expired_token"})
    assert requests.get(url, timeout=5).ok
    bearer = {"Authorization": "Bearer abc"}
    assert requests.get(url, headers=bearer, timeout=5).status_code == 401


def test_a_truncated_answer_is_200_and_a_cut_one_breaks_off(vendor: Vendor, url: str) -> None:
    vendor.faults.add({"kind": "truncated", "next_n": 1})
    answer = requests.get(url, timeout=5)
    assert answer.status_code == 200
    assert answer.content == b'{"effects":0'
    vendor.faults.add({"kind": "truncated", "variant": "cut", "next_n": 1})
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        requests.get(url, timeout=5)


def test_a_rule_strikes_only_in_its_scope(vendor: Vendor, url: str) -> None:
    vendor.faults.add({"kind": "5xx", "path": "/issue/", "method": "post", "user": "ann"})
    ann = {"X-User": "ann"}
    assert requests.post(f"{url}/issue/1", headers=ann, timeout=5).status_code == 503
    assert requests.post(f"{url}/other/1", headers=ann, timeout=5).ok
    assert requests.get(f"{url}/issue/1", headers=ann, timeout=5).ok
    assert requests.post(f"{url}/issue/1", headers={"X-User": "bob"}, timeout=5).ok


def test_a_share_strikes_about_its_share() -> None:
    board = FaultBoard()
    board.add({"kind": "429", "share": 0.25})
    struck = sum(
        board.strike(FaultKind.RATE_LIMITED, method="GET", target="/", user="") is not None
        for _ in range(4000)
    )
    assert 850 < struck < 1150


def test_latency_is_waited_for(vendor: Vendor, url: str) -> None:
    vendor.faults.add({"kind": "latency", "seconds": 2})
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(url, timeout=0.3)
    assert requests.get(url, timeout=10).elapsed >= timedelta(seconds=2)


def test_the_date_header_follows_the_clock_and_its_fault(vendor: Vendor, url: str) -> None:
    vendor.clock.set_now(datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC))
    vendor.clock.freeze()
    seen = parsedate_to_datetime(requests.get(url, timeout=5).headers["Date"])
    assert abs(seen - datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)) <= timedelta(seconds=2)
    vendor.faults.add({"kind": "clock_offset", "seconds": 90, "next_n": 1})
    off = parsedate_to_datetime(requests.get(url, timeout=5).headers["Date"])
    assert off - seen == timedelta(seconds=90)


def test_the_clock_freezes_advances_and_runs_on() -> None:
    clock = SandboxClock()
    clock.freeze()
    first = clock.now()
    assert clock.now() == first
    clock.advance(timedelta(hours=1))
    assert clock.now() - first == timedelta(hours=1)
    clock.resume()
    assert timedelta(hours=1) <= clock.now() - first < timedelta(hours=1, seconds=5)
    with pytest.raises(ValueError, match="aware"):
        clock.set_now(datetime(2026, 1, 1))  # noqa: DTZ001 - the naive value is the point


@pytest.mark.parametrize(
    "raw",
    [
        {"kind": "nonsense"},
        {"kind": "429", "share": 2},
        {"kind": "429", "path": "("},
        {"kind": "429", "next_n": 0},
        {"kind": "429", "seconds": "7"},
        {"kind": "429", "colour": "red"},
        {},
        [],
    ],
)
def test_a_malformed_rule_is_refused_with_its_reason(admin: str, raw: object) -> None:
    answer = requests.post(f"{admin}/faults", json=raw, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]
    with pytest.raises(FaultRuleError):
        FaultBoard().add(raw)


def test_the_admin_api_sets_lists_and_withdraws_faults(url: str, admin: str) -> None:
    made = requests.post(f"{admin}/faults", json={"kind": "5xx", "next_n": 3}, timeout=5)
    assert made.status_code == 201
    assert requests.get(url, timeout=5).status_code == 503
    (listed,) = requests.get(f"{admin}/faults", timeout=5).json()["faults"]
    assert (listed["struck"], listed["left"]) == (1, 2)
    number = made.json()["id"]
    assert requests.delete(f"{admin}/faults/{number}", timeout=5).status_code == 204
    assert requests.delete(f"{admin}/faults/{number}", timeout=5).status_code == 404
    assert requests.get(url, timeout=5).ok


def test_the_admin_api_moves_the_clock_and_seeds(vendor: Vendor, admin: str) -> None:
    body = {"now": "2030-01-01T00:00:00+00:00", "frozen": True}
    assert requests.post(f"{admin}/clock", json=body, timeout=5).json()["frozen"] is True
    assert vendor.clock.now().year == 2030
    assert requests.post(f"{admin}/clock", json={"tomorrow": 1}, timeout=5).status_code == 400
    assert requests.post(f"{admin}/clock", data=b"{", timeout=5).status_code == 400
    seeded = requests.post(f"{admin}/seed", json={"kind": "demo"}, timeout=5)
    assert seeded.json() == {"got": {"kind": "demo"}}


def test_the_log_tells_who_wrote_what_without_its_secrets(url: str, admin: str) -> None:
    requests.get(f"{url}/a?b=c%20d", headers={"X-User": "ann"}, timeout=5)
    requests.post(
        f"{url}/w", json={"user_password": 'p"w', "note": "n"}, headers={"X-User": "bob"}, timeout=5
    )
    entries = requests.get(f"{admin}/log", timeout=5).json()["requests"]
    assert [(e["user"], e["method"], e["target"], e["status"]) for e in entries] == [
        ("ann", "GET", "/a?b=c%20d", 200),
        ("bob", "POST", "/w", 200),
    ]
    assert entries[1]["body"] == '{"user_password": "***", "note": "n"}'
    only = requests.get(f"{admin}/log?method=post&since=1", timeout=5).json()["requests"]
    assert [e["id"] for e in only] == [2]
    assert requests.get(f"{admin}/log?since=x", timeout=5).status_code == 400


def test_form_secrets_are_struck_out_and_the_log_is_bounded() -> None:
    assert redact(b"grant_type=password&password=x&client_secret=y&scope=z") == (
        b"grant_type=password&password=***&client_secret=***&scope=z"
    )
    log = RequestLog(SandboxClock().now, size=2)
    for number in range(3):
        log.add(user="", method="GET", target=str(number), status=200, body=b"")
    assert [entry.target for entry in log.entries()] == ["1", "2"]
    small = RequestLog(SandboxClock().now, body_bytes=25)
    for number in range(5):
        small.add(user="", method="POST", target=str(number), status=200, body=b"x" * 10)
    assert [entry.target for entry in small.entries()] == ["3", "4"]
    small.clear()
    assert small.entries() == []


def test_the_organisation_joins_its_people() -> None:
    organisation = load_organisation()
    assert organisation.person("abel.tuter").servicenow == "62826bf03710200044e0bfc8bcbe5df1"
    assert organisation.account("integration").uid == "tiergate"
    uids = {person.uid for person in organisation.people}
    for group in organisation.itsm_groups:
        assert set(group.members) <= uids
    for person in organisation.people:
        assert not person.manager or person.manager in uids
    with pytest.raises(KeyError):
        organisation.person("nobody")

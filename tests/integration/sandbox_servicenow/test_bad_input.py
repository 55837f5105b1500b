"""Whatever a client sends is answered as the vendor does, never with a trace or a hang."""

import json

import pytest

from tests.integration.sandbox_servicenow.conftest import Api

INCIDENT = "/api/now/table/incident"


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/api/now/table/xyz", 400, "Invalid table xyz"),
        ("GET", "/api/now/nonsense", 400, "Requested URI does not represent any resource: "),
        ("GET", "/other", 400, "Requested URI does not represent any resource"),
        ("GET", f"{INCIDENT}/none", 404, "No Record found"),
        ("DELETE", INCIDENT, 405, "Method not supported"),
        ("POST", "/api/now/batch", 400, "Requested URI does not represent any resource"),
    ],
)
def test_refusals_are_worded_as_the_vendor_does(
    daemon: Api, method: str, path: str, status: int, message: str
) -> None:
    answer = daemon.session.request(method, f"{daemon.url}{path}", timeout=10)
    assert answer.status_code == status
    assert answer.json()["error"]["message"].startswith(message)
    assert answer.json()["status"] == "failure"


@pytest.mark.parametrize(
    "body", [b"{", b"[1,2", b'"text"', b"\xff\xfe", b"[]", b"12", b'{"a":"\\ud800"}']
)
def test_a_body_that_is_no_object_is_a_400(daemon: Api, body: bytes) -> None:
    answer = daemon.session.post(
        f"{daemon.url}{INCIDENT}",
        data=body,
        headers={"Content-Type": "application/json"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "Exception while reading request",
    )


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [("Accept", "image/png", 406), ("Content-Type", "text/plain", 415)],
)
def test_media_types_are_checked(daemon: Api, header: str, value: str, status: int) -> None:
    answer = daemon.session.post(
        f"{daemon.url}{INCIDENT}", data=b"{}", headers={header: value}, timeout=10
    )
    assert answer.status_code == status


def test_documented_single_quotes_are_json_enough(daemon: Api) -> None:
    answer = daemon.session.post(
        f"{daemon.url}{INCIDENT}",
        data=b"{'short_description':'quoted'}",
        headers={"Content-Type": "application/json"},
        timeout=10,
    )
    assert answer.json()["result"]["short_description"] == "quoted"


def test_oversize_is_refused_and_not_fatal(daemon: Api) -> None:
    big = json.dumps({"description": "x" * 15_000_000}).encode()
    answer = daemon.session.post(
        f"{daemon.url}{INCIDENT}",
        data=big,
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    assert answer.json()["error"] == {
        "message": "Exception while reading request",
        "detail": f"Rejected large REST payload with content-length = {len(big)} bytes. "
        "Max allowed: 10485760 bytes.",
    }
    long_url = daemon.get(INCIDENT, 414, sysparm_query="a" * 23_000)
    assert long_url.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    "query",
    [
        "^" * 3000,
        "NQ" * 3000,
        "^OR" * 1000,
        "a" * 9000,
        ".".join(["caller_id"] * 100) + "=1",
        "^".join(["number=1"] * 900),
        "^RLQUERYincident.caller_id,>0" * 100,
        "JOINincident.caller_id=sys_user.sys_id!" * 20,
        "numberIN" + ",".join(str(n) for n in range(1500)),
        "priority=99999999999999999999999999",
        "priority=1e999",
        "numberBETWEENx",
        "opened_at>javascript:gs.exec('rm')",
        "opened_atONToday@@",
        "number=' OR 1=1 --",
        "sys_idIN_HIERARCHYx",
        "caller_idDYNAMICx",
        "\x00\x01=\x02",
        "ORDERBY^ORDERBYDESC^GROUPBY",
    ],
)
def test_no_query_breaks_it(daemon: Api, query: str) -> None:
    answer = daemon.get(INCIDENT, sysparm_query=query, sysparm_limit=1)
    assert "result" in answer.json()


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PURGE", "LINK"])
def test_a_strange_method_does_nothing(admin: Api, method: str) -> None:
    number = admin.create("incident", short_description="stays")["sys_id"]
    answer = admin.session.request(method, f"{admin.url}{INCIDENT}/{number}", timeout=10)
    assert answer.status_code == 405
    assert admin.record("incident", number)["short_description"] == "stays"

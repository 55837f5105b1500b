"""Every fault, set by the admin API and seen by a client that we did not write."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pysnow
import pytest
import requests

from connectors.servicenow.sandbox.server import ServiceNowSandbox
from tests.integration.sandbox_servicenow.conftest import Api

INCIDENT = "/api/now/table/incident"
Fault = Callable[..., None]


@pytest.fixture
def fault(sandbox: ServiceNowSandbox) -> Iterator[Fault]:
    def add(kind: str, **values: Any) -> None:
        answer = requests.post(
            f"{sandbox.admin_url}/faults", json={"kind": kind, **values}, timeout=10
        )
        assert answer.status_code == 201, answer.text

    yield add
    requests.delete(f"{sandbox.admin_url}/faults", timeout=10)


@pytest.fixture
def snow(sandbox: ServiceNowSandbox) -> Iterator[pysnow.Client]:
    session = requests.Session()
    account = sandbox.accounts["integration"]
    session.auth = (account.username, account.password)
    yield pysnow.Client(host=sandbox.url.removeprefix("http://"), use_ssl=False, session=session)
    session.close()


def incidents(snow: pysnow.Client) -> Any:
    return snow.resource(api_path="/table/incident", timeout=(3, 2))


def test_pysnow_works_as_documented(snow: pysnow.Client) -> None:
    resource = incidents(snow)
    made = resource.create(payload={"short_description": "by pysnow"}).one()
    query = pysnow.QueryBuilder().field("sys_id").equals(made["sys_id"])
    assert incidents(snow).get(query=query).one()["short_description"] == "by pysnow"
    changed = incidents(snow).update(query={"sys_id": made["sys_id"]}, payload={"urgency": "1"})
    assert changed.one()["urgency"] == "1"
    assert len(incidents(snow).get(query={}, limit=3).all()) == 3


@pytest.mark.parametrize("variant", ["", "semaphore"])
def test_429_of_both_kinds(snow: pysnow.Client, daemon: Api, fault: Fault, variant: str) -> None:
    fault("429", seconds=7, variant=variant)
    with pytest.raises(requests.HTTPError, match="429"):
        incidents(snow).get(query={}).all()
    answer = daemon.get(INCIDENT, 429)
    assert answer.headers.get("Retry-After") == (None if variant else "7")
    assert ("X-RateLimit-Reset" in answer.headers) is not bool(variant)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_5xx(snow: pysnow.Client, daemon: Api, fault: Fault, status: int) -> None:
    fault("5xx", status=status, next_n=2)
    with pytest.raises(requests.HTTPError, match=str(status)):
        incidents(snow).get(query={}).all()
    answer = daemon.get(INCIDENT, status)
    assert ("java.lang" in answer.text) is (status == 500)
    daemon.get(INCIDENT)


@pytest.mark.parametrize(("variant", "word"), [("", "hibernating"), ("login", "password")])
def test_a_page_with_200(
    snow: pysnow.Client, daemon: Api, fault: Fault, variant: str, word: str
) -> None:
    fault("html", variant=variant)
    with pytest.raises(json.JSONDecodeError):
        incidents(snow).get(query={}).all()
    answer = daemon.get(INCIDENT)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert word in answer.text


def test_a_truncated_200_carries_rows_and_an_error(daemon: Api, fault: Fault) -> None:
    whole = len(daemon.get(INCIDENT).json()["result"])
    fault("truncated", path="/table/incident", next_n=1)
    body = daemon.get(INCIDENT).json()
    assert 0 < len(body["result"]) < whole
    assert body["status"] == "failure"
    assert body["error"]["message"] == "Transaction cancelled: maximum execution time exceeded"
    fault("truncated", variant="cut", next_n=1)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        daemon.get(INCIDENT)


def test_a_cut_before_leaves_nothing_and_a_cut_after_leaves_the_write(
    daemon: Api, snow: pysnow.Client, fault: Fault
) -> None:
    for kind, left in (("drop_before", 0), ("drop_after", 1)):
        fault(kind, method="POST", next_n=1)
        with pytest.raises(requests.ConnectionError):
            incidents(snow).create(payload={"correlation_id": kind}).one()
        assert len(daemon.records("incident", f"correlation_id={kind}")) == left


def test_an_empty_202_has_no_effect(daemon: Api, snow: pysnow.Client, fault: Fault) -> None:
    fault("empty_202", next_n=2)
    answer = daemon.session.post(
        f"{daemon.url}{INCIDENT}", json={"correlation_id": "dropped"}, timeout=10
    )
    assert (answer.status_code, answer.content) == (202, b"")
    with pytest.raises(pysnow.exceptions.EmptyContent):
        incidents(snow).get(query={}).all()
    assert daemon.records("incident", "correlation_id=dropped") == []


def test_latency_runs_into_a_timeout(snow: pysnow.Client, fault: Fault) -> None:
    fault("latency", seconds=4, next_n=1)
    with pytest.raises(requests.exceptions.ReadTimeout):
        incidents(snow).get(query={}).all()


def test_an_expired_token_is_a_401(sandbox: ServiceNowSandbox, fault: Fault) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": "tiergate-client",
        "client_secret": "tiergate-client-pw",
    }
    token = requests.post(f"{sandbox.url}/oauth_token.do", data=form, timeout=10).json()
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    fault("expired_token", user="tiergate", next_n=1)
    url = f"{sandbox.url}{INCIDENT}"
    answer = requests.get(url, headers=bearer, timeout=10)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        401,
        "User is not authenticated",
    )
    assert requests.get(url, headers=bearer, timeout=10).ok


def test_a_stale_index_misses_what_is_new_and_reads_by_id_do_not(
    daemon: Api, sandbox: ServiceNowSandbox, fault: Fault
) -> None:
    made = daemon.create("incident", short_description="not indexed yet")
    fault("stale_index", seconds=60)
    assert daemon.records("incident", f"sys_id={made['sys_id']}") == []
    assert daemon.record("incident", made["sys_id"])["number"] == made["number"]
    sandbox.clock.advance(timedelta(seconds=61))
    assert len(daemon.records("incident", f"sys_id={made['sys_id']}")) == 1


def test_a_late_commit_appears_behind_the_cursor(
    daemon: Api, agent: Api, sandbox: ServiceNowSandbox, fault: Fault
) -> None:
    early = daemon.create("incident", short_description="before")
    fault("late_commit", seconds=30, user="luke.wilson")
    late = agent.create("incident", short_description="late")
    agent.change("incident", early["sys_id"], short_description="changed late")
    sandbox.clock.advance(timedelta(seconds=10))
    after = daemon.create("incident", short_description="after")
    daemon.get(f"{INCIDENT}/{late['sys_id']}", 404)
    assert daemon.record("incident", early["sys_id"])["short_description"] == "before"
    sandbox.clock.advance(timedelta(seconds=21))
    seen = daemon.record("incident", late["sys_id"])
    assert (seen["number"], seen["sys_updated_on"]) == (late["number"], late["sys_updated_on"])
    assert seen["sys_updated_on"] < after["sys_updated_on"]
    changed = daemon.record("incident", early["sys_id"])
    assert (changed["short_description"], changed["sys_updated_by"]) == (
        "changed late",
        "luke.wilson",
    )
    assert changed["sys_updated_on"] < after["sys_updated_on"]


def test_a_frozen_timestamp_hides_an_update(
    daemon: Api, sandbox: ServiceNowSandbox, fault: Fault
) -> None:
    made = daemon.create("incident", short_description="a")
    sandbox.clock.advance(timedelta(seconds=5))
    fault("frozen_timestamp", next_n=1)
    changed = daemon.change("incident", made["sys_id"], short_description="b")
    assert changed["sys_updated_on"] == made["sys_updated_on"]
    assert changed["sys_mod_count"] == "1"


def test_equal_timestamps(daemon: Api, sandbox: ServiceNowSandbox, fault: Fault) -> None:
    fault("equal_timestamps", method="POST")
    times = set()
    for index in range(3):
        times.add(daemon.create("incident", short_description=str(index))["sys_updated_on"])
        sandbox.clock.advance(timedelta(seconds=5))
    assert len(times) == 1


def test_a_state_write_is_accepted_and_ignored(daemon: Api, fault: Fault) -> None:
    number = daemon.create("change_request", short_description="s", assignment_group="Software")
    fault("ignored_state", path="change_request", next_n=1)
    answer = daemon.change("change_request", number["sys_id"], state="-4", description="kept")
    assert (answer["state"], answer["description"]) == ("-5", "kept")
    assert daemon.change("change_request", number["sys_id"], state="-4")["state"] == "-4"


def test_a_clock_offset_is_seen_in_the_date_header(daemon: Api, fault: Fault) -> None:
    fault("clock_offset", seconds=3600, next_n=1)
    ahead = parsedate_to_datetime(daemon.get(INCIDENT).headers["Date"])
    back = parsedate_to_datetime(daemon.get(INCIDENT).headers["Date"])
    assert ahead - back > timedelta(seconds=3500)


def test_the_log_proves_what_the_daemon_asked(daemon: Api, sandbox: ServiceNowSandbox) -> None:
    last = sandbox.log.entries()[-1].id
    daemon.create("incident", short_description="logged")
    found = requests.get(
        f"{sandbox.admin_url}/log",
        params={"user": "tiergate", "method": "POST", "since": str(last)},
        timeout=10,
    ).json()["requests"]
    assert [(one["status"], json.loads(one["body"])) for one in found] == [
        (201, {"short_description": "logged"})
    ]


def test_a_stale_index_shows_and_finds_old_versions(
    daemon: Api, sandbox: ServiceNowSandbox, fault: Fault
) -> None:
    kept = daemon.create("incident", short_description="old words", correlation_id="stale-1")
    gone = daemon.create("task_ci", task=kept["sys_id"])
    sandbox.clock.advance(timedelta(seconds=120))
    daemon.change("incident", kept["sys_id"], short_description="new words", urgency="1")
    daemon.session.delete(f"{daemon.url}/api/now/table/task_ci/{gone['sys_id']}", timeout=10)
    fault("stale_index", seconds=60, variant="versions")
    (seen,) = daemon.records("incident", "correlation_id=stale-1^short_description=old words")
    assert (seen["urgency"], seen["sys_mod_count"]) == ("3", "0")
    assert daemon.records("incident", "short_description=new words") == []
    assert len(daemon.records("task_ci", f"sys_id={gone['sys_id']}")) == 1
    count = daemon.get(
        "/api/now/stats/incident", sysparm_count="true", sysparm_query="short_description=old words"
    )
    assert count.json()["result"]["stats"]["count"] == "1"
    assert daemon.record("incident", kept["sys_id"])["short_description"] == "new words"
    # Looking changed nothing.
    sandbox.clock.advance(timedelta(seconds=61))
    (now,) = daemon.records("incident", "correlation_id=stale-1")
    assert (now["short_description"], now["sys_mod_count"]) == ("new words", "1")
    assert daemon.records("task_ci", f"sys_id={gone['sys_id']}") == []


def test_a_refused_write_leaves_no_trace_for_a_stale_index(
    daemon: Api, sandbox: ServiceNowSandbox, fault: Fault
) -> None:
    row = daemon.create("incident", short_description="stays", correlation_id="stale-2")
    sandbox.clock.advance(timedelta(seconds=120))
    daemon.change("incident", row["sys_id"], 403, state="6", short_description="never")
    fault("stale_index", seconds=60, variant="versions")
    (seen,) = daemon.records("incident", "correlation_id=stale-2")
    assert seen["short_description"] == "stays"

"""What Jira answers and what becomes of it: no emptiness, no secret, no second try."""

import json
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from connectors.jira.accounts import JiraAccountKeys
from connectors.jira.client import JiraClient
from connectors.jira.settings import PeopleSettings
from connectors.jira.transport import RefusedError
from connectors.retry import ConflictError
from engine.domain.refs import Account
from engine.errors import (
    AuthenticationError,
    InvalidAnswerError,
    MissingRightError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    RecordNotFoundError,
    TiergateError,
    TransientError,
)
from tests.unit.jira.conftest import DATE, NOW, SECRET, URL

API = f"{URL}/rest/api/2"
DESK = f"{URL}/rest/servicedeskapi"
ME = {"accountId": "5b10-daemon", "displayName": "Tiergate"}


@pytest.mark.parametrize("reason", ["AUTHENTICATED_FAILED", "OUT, AUTHENTICATED_FAILED"])
def test_a_200_for_an_anonymous_session_is_an_error_and_not_an_empty_site(
    wire: responses.RequestsMock, client: JiraClient, reason: str
) -> None:
    wire.get(
        f"{API}/search/jql",
        json={"issues": [], "isLast": True},
        headers={"x-seraph-loginreason": reason},
    )
    with pytest.raises(AuthenticationError, match="anonymous"):
        client.search({"jql": "project = ITH"})


def test_data_center_says_anonymous_in_another_header(
    wire: responses.RequestsMock, center: JiraClient
) -> None:
    headers = {"X-AUSERNAME": "anonymous"}
    wire.get(f"{API}/search", json={"issues": [], "total": 0}, headers=headers)
    with pytest.raises(AuthenticationError):
        center.search({"jql": "project = ITH"})


def test_a_captcha_challenge_is_a_failed_login(
    wire: responses.RequestsMock, center: JiraClient
) -> None:
    headers = {"X-Seraph-LoginReason": "AUTHENTICATION_DENIED"}
    wire.get(f"{API}/myself", status=403, json={}, headers=headers)
    with pytest.raises(AuthenticationError):
        center.verify_session()


def test_who_we_are_comes_with_the_sites_clock(
    wire: responses.RequestsMock, client: JiraClient
) -> None:
    wire.get(f"{API}/myself", json=ME, headers={"Date": DATE})
    assert client.server_now() == NOW + timedelta(seconds=5)
    assert client.me() == Account(system="jira", id="5b10-daemon", name="Tiergate")


def test_myself_without_an_id_is_nobody(wire: responses.RequestsMock, client: JiraClient) -> None:
    wire.get(f"{API}/myself", json={"displayName": "Guest"})
    with pytest.raises(AuthenticationError):
        client.verify_session()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AuthenticationError),
        (403, MissingRightError),
        (404, RecordNotFoundError),
        (410, RecordNotFoundError),
        (302, AuthenticationError),
        (500, TransientError),
        (503, TransientError),
        (413, PermanentError),
    ],
)
def test_every_refusal_of_a_read_has_its_error(
    wire: responses.RequestsMock, client: JiraClient, status: int, error: type[TiergateError]
) -> None:
    wire.get(f"{API}/issue/1", status=status, json={"errorMessages": ["no"]})
    with pytest.raises(error):
        client.get("issue/1")


@pytest.mark.shared
def test_recorded_error_answers_are_errors(
    wire: responses.RequestsMock, client: JiraClient, shared: Path
) -> None:
    recorded: list[dict[str, Any]] = json.loads(
        (shared / "fixtures/jira/quoted/errors.json").read_text()
    )
    for one in recorded:
        headers = {name: text for name, text in one.get("headers", {}).items() if "…" not in text}
        wire.get(f"{API}/issue/1", status=one["status"], json=one.get("body", {}), headers=headers)
        with pytest.raises(TiergateError):
            client.get("issue/1")
        client._first.pacer._blocked_until = 0.0  # a 429 pauses; the next case is another day
        wire.reset()


def test_an_html_page_with_status_200_is_an_outage(
    wire: responses.RequestsMock, client: JiraClient
) -> None:
    wire.get(f"{API}/issue/1", body="<html>Log in</html>", content_type="text/html")
    with pytest.raises(TransientError, match="HTML"):
        client.get("issue/1")


@pytest.mark.parametrize("body", ["", "{", "null", "[]", '"text"'])
def test_a_body_that_is_no_object_is_an_error(
    wire: responses.RequestsMock, client: JiraClient, body: str
) -> None:
    wire.get(f"{API}/search/jql", body=body, content_type="application/json")
    with pytest.raises((TransientError, InvalidAnswerError)):
        client.search({"jql": "project = ITH"})


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        (None, 5.0),
        ("soon", 5.0),
        (format_datetime(NOW + timedelta(seconds=35)), 30.0),
    ],
)
def test_every_form_of_retry_after_is_honoured(
    wire: responses.RequestsMock, client: JiraClient, value: str | None, wait: float
) -> None:
    headers = {"Date": DATE, "RateLimit-Reason": "jira-burst-based"}
    if value is not None:
        headers["Retry-After"] = value
    wire.get(f"{API}/issue/1", status=429, json={}, headers=headers)
    with pytest.raises(RateLimitedError) as refused:
        client.get("issue/1")
    assert refused.value.retry_after.total_seconds() == wait


def test_a_503_with_retry_after_is_a_pause_for_reads_and_unknown_for_writes(
    wire: responses.RequestsMock, client: JiraClient
) -> None:
    wire.post(f"{API}/issue/1/comment", status=503, headers={"Retry-After": "3"}, json={})
    with pytest.raises(OutcomeUnknownError):
        client.write("POST", "issue/1/comment", {"body": "x"}, is_repeatable=False)
    wire.get(f"{API}/issue/1", status=503, headers={"Retry-After": "3"}, json={})
    with pytest.raises(RateLimitedError) as refused:
        client.get("issue/1")
    assert refused.value.retry_after == timedelta(seconds=3)


def test_retry_after_on_a_success_means_nothing(
    wire: responses.RequestsMock, center: JiraClient
) -> None:
    wire.get(f"{API}/issue/1", json={"id": "1"}, headers={"retry-after": "0"})
    assert center.get("issue/1") == {"id": "1"}


def test_a_read_is_tried_again_and_a_create_is_not(
    wire: responses.RequestsMock, patient: JiraClient
) -> None:
    wire.get(f"{API}/issue/1", body=requests.ConnectionError("dropped"))
    wire.get(f"{API}/issue/1", json={"id": "1"})
    assert patient.get("issue/1") == {"id": "1"}
    created = wire.post(f"{DESK}/request", body=requests.ConnectionError("dropped"))
    with pytest.raises(OutcomeUnknownError):
        patient.desk_post("request", {})
    assert created.call_count == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"errorMessages": ["Top level"], "errors": {"summary": "is required"}}, ("summary",)),
        ({"errorMessage": "wrong", "i18nErrorMessage": {"i18nKey": "k"}}, ()),
        ({"errorMessages": ["only this"], "errors": {}}, ()),
    ],
)
def test_a_refusal_keeps_messages_and_the_names_of_fields(
    wire: responses.RequestsMock,
    client: JiraClient,
    body: dict[str, Any],
    fields: tuple[str, ...],
) -> None:
    wire.put(f"{API}/issue/1", status=400, json=body)
    with pytest.raises(RefusedError) as refused:
        client.write("PUT", "issue/1", {}, is_repeatable=True)
    assert refused.value.fields == fields
    assert refused.value.messages
    assert all(name in str(refused.value) for name in fields)


def test_a_conflict_is_decided_again_and_not_forced(
    wire: responses.RequestsMock, patient: JiraClient
) -> None:
    wire.put(f"{API}/issue/1", status=409, json={"errorMessages": ["conflicting update"]})
    with pytest.raises(ConflictError):
        patient.write("PUT", "issue/1", {}, is_repeatable=True)
    assert len(wire.calls) == 1


def test_no_error_holds_a_secret_or_the_words_of_a_ticket(
    wire: responses.RequestsMock, client: JiraClient
) -> None:
    wire.get(
        f"{API}/issue/1",
        status=500,
        json={"errorMessages": [f"ticket text {SECRET}"]},
        headers={"Set-Cookie": f"session={SECRET}"},
    )
    with pytest.raises(TransientError) as raised:
        client.get("issue/1", {"jql": f'summary ~ "{SECRET}"'})
    said = f"{raised.value!r} {raised.value} {raised.value.__cause__} {raised.value.__context__}"
    assert SECRET not in said
    assert "ticket text" not in said


def test_requests_carry_no_cookie_and_name_their_sender(
    wire: responses.RequestsMock, client: JiraClient
) -> None:
    wire.get(f"{API}/issue/1", json={}, headers={"Set-Cookie": "JSESSIONID=x"})
    client.get("issue/1")
    client.get("issue/1")
    sent = wire.calls[1].request
    assert "Cookie" not in sent.headers
    assert str(sent.headers["Authorization"]).startswith("Basic ")
    assert sent.headers["X-ExperimentalApi"] == "opt-in"


def test_the_flavour_is_asked_once(wire: responses.RequestsMock) -> None:
    from tests.unit.jira.conftest import Clock, settings  # noqa: PLC0415  this test alone needs it

    asked = wire.get(
        f"{API}/serverInfo", json={"deploymentType": "Data Center", "versionNumbers": [10, 3]}
    )
    client = JiraClient("jira", settings(flavour="auto"), Clock())
    assert not client.is_cloud
    assert not client.is_cloud
    assert asked.call_count == 1


# --- lists
def test_a_desk_list_goes_on_until_it_says_that_it_was_the_last(
    wire: responses.RequestsMock, client: JiraClient
) -> None:
    first = {"size": 2, "start": 0, "limit": 50, "isLastPage": False, "values": [{"id": "1"}]}
    wire.get(f"{DESK}/request/1/approval", json=first)
    wire.get(f"{DESK}/request/1/approval", json={"isLastPage": True, "values": [{"id": "2"}]})
    assert [one["id"] for one in client.desk_pages("request/1/approval")] == ["1", "2"]


@pytest.mark.parametrize("page", [{"values": []}, {"isLastPage": False, "values": []}, {}])
def test_a_desk_list_without_an_end_is_an_error(
    wire: responses.RequestsMock, client: JiraClient, page: dict[str, Any]
) -> None:
    wire.get(f"{DESK}/request/1/approval", json=page)
    with pytest.raises(InvalidAnswerError):
        list(client.desk_pages("request/1/approval"))


def test_a_list_that_ends_short_of_its_count_is_an_error(
    wire: responses.RequestsMock, client: JiraClient
) -> None:
    wire.get(f"{API}/issue/1/changelog", json={"total": 2, "values": [{"id": "1"}]})
    wire.get(f"{API}/issue/1/changelog", json={"total": 2, "values": []})
    with pytest.raises(InvalidAnswerError, match="1 of 2"):
        list(client.pages("issue/1/changelog", "values", {}))


@pytest.mark.parametrize(
    "page",
    [
        {"issues": [{"id": "1"}], "isLast": False},
        {"issues": [{"id": "1"}], "isLast": False, "nextPageToken": "a"},
    ],
)
def test_a_search_that_is_cut_off_or_goes_in_circles_is_an_error(
    wire: responses.RequestsMock, client: JiraClient, page: dict[str, Any]
) -> None:
    wire.get(f"{API}/search/jql", json=page)
    with pytest.raises(InvalidAnswerError):
        client.search_all("labels = x", ("summary",), most=50)


# --- people
def test_an_address_joins_an_account_to_a_person(
    wire: responses.RequestsMock, client: JiraClient
) -> None:
    bob = Account(system="jira", id="5b10", name="Bob")
    keys = JiraAccountKeys(client, PeopleSettings())
    url = f"{API}/user?accountId=5b10"
    wire.get(url, json={"accountId": "5b10", "emailAddress": "bob@example.com", "active": True})
    assert keys.account_key(bob) == "bob@example.com"
    wire.replace(responses.GET, url, json={"accountId": "5b10", "active": True})
    assert keys.account_key(bob) == ""
    wire.replace(
        responses.GET,
        url,
        json={"accountId": "5b10", "emailAddress": "bob@example.com", "active": False},
    )
    assert keys.account_key(bob) == ""

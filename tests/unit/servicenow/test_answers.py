"""Every way in which an instance was seen to answer wrongly is an error that somebody sees."""

from datetime import UTC, datetime

import pytest
import responses

from connectors.servicenow.factory import ServiceNowAdapters, build
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
from engine.ports.paging import Cursor
from tests.unit.servicenow.conftest import (
    API,
    HEADERS,
    OWN,
    URL,
    Instance,
    StoppedClock,
    incident,
    record,
    settings,
)

CURSOR = Cursor(at=datetime(2026, 11, 20, 9, tzinfo=UTC))
CUT_BY_QUOTA = {
    "error": {
        "detail": "No such column Check logs for error trace or enable "
        "glide.rest.debug property to verify REST request processing",
        "message": "Transaction cancelled: maximum execution time exceeded",
    },
    "status": "failure",
}


def poll(snow: ServiceNowAdapters) -> object:
    return snow.desk.changed_since("incident", CURSOR)


def test_rows_beside_an_error_are_no_result(instance: Instance, snow: ServiceNowAdapters) -> None:
    instance.answer("incident", {"result": [incident(1)], **CUT_BY_QUOTA}, total=40)
    with pytest.raises(TransientError, match="cut off"):
        poll(snow)


def test_an_empty_result_beside_an_error_is_no_empty_queue(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.answer("incident", {"result": [], **CUT_BY_QUOTA}, total=0)
    with pytest.raises(TransientError, match="cut off"):
        poll(snow)


def test_a_500_before_streaming_keeps_the_vendors_sentence(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.answer("incident", CUT_BY_QUOTA, status=500)
    with pytest.raises(TransientError, match="maximum execution time exceeded"):
        poll(snow)


@pytest.mark.parametrize(
    "body",
    [
        '{"result":[{"sys_id":{"value":"0000',
        '{"result":["INC0010001 could not be serialised"]}',
        '{"result":[{"sys_id":{"label":"x"}}]}',
        '{"result":[{"sys_id":7}]}',
        '{"status":"success"}',
        "[]",
        "null",
    ],
)
def test_what_is_no_list_of_records_is_an_error(
    instance: Instance, snow: ServiceNowAdapters, body: str
) -> None:
    instance.answer("incident", body, total=1)
    with pytest.raises(TiergateError):
        poll(snow)


def test_a_list_that_announces_no_count_is_an_error(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.answer("incident", {"result": []})
    with pytest.raises(InvalidAnswerError, match="count"):
        poll(snow)


def test_a_hibernating_instance_is_no_empty_queue(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.mock.get(
        f"{API}/incident",
        body="<html><title>Instance Hibernating page</title></html>",
        headers=HEADERS,
        content_type="text/html;charset=UTF-8",
    )
    with pytest.raises(TransientError, match="HTML"):
        poll(snow)


def test_an_anonymous_session_is_no_empty_queue(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.mock.get(
        f"{API}/incident",
        json={"result": []},
        headers={**HEADERS, "X-Is-Logged-In": "false", "X-Total-Count": "0"},
    )
    with pytest.raises(AuthenticationError, match="anonymous"):
        poll(snow)


def test_the_recorded_401_is_an_authentication_error(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    body = {
        "error": {
            "message": "User is not authenticated",
            "detail": "Required to provide Auth information",
        },
        "status": "failure",
    }
    instance.answer("incident", body, status=401)
    with pytest.raises(AuthenticationError):
        poll(snow)


def test_a_dropped_request_is_tried_again(instance: Instance) -> None:
    patient = build("snow", settings(attempts=2), StoppedClock())
    instance.mock.get(f"{API}/incident", body="", status=202, headers=HEADERS)
    instance.rows("incident", [incident(1)])
    page = patient.desk.changed_since("incident", CURSOR)
    assert [ticket.ref.key for ticket in page.items] == ["INC0000001"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (
            {
                "Retry-After": "1234",
                "X-RateLimit-Limit": "100",
                "X-RateLimit-Reset": "1795171200",
                "X-RateLimit-Rule": "7d9a1f0e",
            },
            1234,
        ),
        ({}, 5),  # the semaphore's 429 carries no header at all
    ],
)
def test_both_sources_of_429_are_pauses(
    instance: Instance, snow: ServiceNowAdapters, headers: dict[str, str], seconds: int
) -> None:
    body = {
        "error": {
            "message": "Rate limit exceeded",
            "detail": "Rate limit of 100 requests per hour for Table API exceeded",
        },
        "status": "failure",
    }
    instance.mock.get(f"{API}/incident", json=body, status=429, headers={**HEADERS, **headers})
    with pytest.raises(RateLimitedError) as raised:
        poll(snow)
    assert raised.value.retry_after.total_seconds() == seconds


def test_a_business_rules_refusal_is_told_in_its_own_words(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    detail = (
        "Operation against file 'change_request' was aborted by Business Rule 'Change Model: "
        "Check State Transition^ee0a0c0ec303101035ae3f52c1d3ae9b'. Business Rule Stack:Change "
        "Model: Check State Transition"
    )
    instance.mock.get(
        f"{API}/incident",
        json={"error": {"message": "Operation Failed", "detail": detail}, "status": "failure"},
        status=403,
        headers=HEADERS,
    )
    with pytest.raises(MissingRightError, match="Check State Transition"):
        poll(snow)


def test_a_record_that_is_not_there_and_one_that_is_hidden_look_alike(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    body = {
        "error": {
            "message": "No Record found",
            "detail": "Record doesn't exist or ACL restricts the record retrieval",
        },
        "status": "failure",
    }
    instance.mock.get(f"{API}/sys_user/{OWN}", json=body, status=404, headers=HEADERS)
    account = snow.desk.account()
    with pytest.raises(RecordNotFoundError):
        snow.accounts.account_key(account)


def test_a_write_that_breaks_off_is_unknown_and_not_sent_twice(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    client = snow.desk._client  # the transport's promise, below the ports
    instance.write("POST", "change_request", None, body='{"result":{"sys_id"', status=201)
    with pytest.raises(OutcomeUnknownError):
        client.create("change_request", {"state": "-5"}, fields=["sys_id"])
    assert len(instance.bodies("POST")) == 1


def test_no_cookie_is_sent_so_requests_are_not_serialised(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("incident", [])
    poll(snow)
    poll(snow)
    assert {call.request.headers.get("Cookie") for call in instance.mock.calls} == {None}


def test_write_urls_carry_no_query_text_of_earlier_reads(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    client = snow.desk._client  # pysnow's own Resource would repeat it; ours is fresh per call
    instance.rows("incident", [incident(1)])
    poll(snow)
    instance.write("POST", "incident", record(sys_id="0" * 32), status=201)
    client.create("incident", {"short_description": "x"}, fields=["sys_id"])
    url = instance.mock.calls[-1].request.url or ""
    assert "active%3Dtrue" not in url
    assert "sysparm_fields=sys_id" in url


# --- OAuth
def _oauth(**auth: str) -> ServiceNowAdapters:
    secrets = {"client_id": "id", "client_secret": "secret", **auth}
    return build("snow", settings(auth=secrets), StoppedClock())


def test_a_client_credentials_token_is_fetched_once_and_carried(instance: Instance) -> None:
    token = {"access_token": "t1", "scope": "useraccount", "token_type": "Bearer"}
    instance.mock.post(f"{URL}/oauth_token.do", json={**token, "expires_in": 1799})
    instance.rows("incident", [])
    snow = _oauth(oauth="client_credentials")
    poll(snow)
    tokens = [call for call in instance.mock.calls if "oauth_token" in (call.request.url or "")]
    assert len(tokens) == 1
    assert "grant_type=client_credentials" in str(tokens[0].request.body)
    sent = {call.request.headers.get("Authorization") for call in instance.mock.calls} - {None}
    assert sent == {"Bearer t1"}


def test_an_expired_token_is_renewed_once_and_the_request_repeated() -> None:
    with responses.RequestsMock() as mock:
        for token in ("t1", "t2"):
            mock.post(f"{URL}/oauth_token.do", json={"access_token": token, "expires_in": 1799})
        own = record(sys_id=OWN, user_name="tiergate")
        mock.get(f"{API}/sys_user", status=401, json={}, headers=HEADERS)
        mock.get(
            f"{API}/sys_user", json={"result": [own]}, headers={**HEADERS, "X-Total-Count": "1"}
        )
        assert _oauth(oauth="client_credentials").desk.account().id == OWN
        sent = [call.request.headers.get("Authorization") for call in mock.calls]
    assert sent == [None, "Bearer t1", None, "Bearer t2"]


def test_a_refused_grant_names_what_to_look_at_and_no_secret(instance: Instance) -> None:
    instance.mock.post(
        f"{URL}/oauth_token.do",
        status=401,
        json={"error": "server_error", "error_description": "access_denied"},
    )
    with pytest.raises(AuthenticationError, match="grant type") as raised:
        _oauth(oauth="password", user="u", password="p-secret").desk.account()
    assert "secret" not in str(raised.value).replace("client secret", "")


def test_a_write_for_which_no_token_came_was_never_sent(instance: Instance) -> None:
    instance.mock.post(f"{URL}/oauth_token.do", status=503, body="<html>", content_type="text/html")
    with pytest.raises(TransientError) as raised:
        _oauth(oauth="client_credentials").desk.account()
    # Unknown would mean: look for a change that nobody opened, and park the ticket in the end.
    assert not isinstance(raised.value, OutcomeUnknownError)


def test_an_api_key_and_a_login_are_carried_by_their_own_headers(instance: Instance) -> None:
    build("snow", settings(), StoppedClock()).desk.account()
    assert instance.mock.calls[-1].request.headers["x-sn-apikey"] == "a-key"
    login = {"user": "ümlaut", "password": "p"}
    build("snow", settings(auth=login), StoppedClock()).desk.account()
    assert instance.mock.calls[-1].request.headers["Authorization"] == "Basic w7xtbGF1dDpw"


def test_a_failure_that_no_table_names_is_permanent(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    body = {"error": {"message": "Invalid table incidnt", "detail": None}, "status": "failure"}
    instance.answer("incident", body, status=400)
    with pytest.raises(PermanentError, match="Invalid table"):
        poll(snow)

"""Answers become results or errors; none becomes emptiness."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import requests
import responses
import urllib3.exceptions

from connectors.http import HTTPLimits, HTTPSession, parse_retry_after
from connectors.pacing import Pacer
from connectors.retry import with_retry
from engine.errors import (
    AuthenticationError,
    MissingRightError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    RecordNotFoundError,
    TiergateError,
    TransientError,
)

URL = "https://itsm.test/api/now/table/incident"
NOW = datetime(2026, 11, 20, 10, 42, 7, tzinfo=UTC)


class StoppedClock:
    def now(self) -> datetime:
        return NOW


def session(**limits: float) -> HTTPSession:
    return HTTPSession("snow", clock=StoppedClock(), limits=HTTPLimits(**limits))  # type: ignore[arg-type]  # floats only


def outcome(method: str, **answer: object) -> BaseException:
    with responses.RequestsMock() as mock:
        mock.add(method, URL, **answer)  # type: ignore[arg-type]  # the caller's own answer
        with pytest.raises(TiergateError) as raised:
            session().request(method, URL, json={} if method == "POST" else None)
    return raised.value


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (401, AuthenticationError, AuthenticationError),
        (403, MissingRightError, MissingRightError),
        (404, RecordNotFoundError, RecordNotFoundError),
        (410, RecordNotFoundError, RecordNotFoundError),
        (400, PermanentError, PermanentError),
        (414, PermanentError, PermanentError),
        (408, TransientError, TransientError),
        (302, AuthenticationError, AuthenticationError),
        (500, TransientError, OutcomeUnknownError),
        (502, TransientError, OutcomeUnknownError),
        (503, TransientError, OutcomeUnknownError),
    ],
)
def test_every_refusal_says_what_to_do_next(
    status: int, read: type[TiergateError], write: type[TiergateError]
) -> None:
    answer = {"status": status, "body": "{}", "content_type": "application/json"}
    assert type(outcome("GET", **answer)) is read
    assert type(outcome("POST", **answer)) is write


def test_an_html_page_with_200_is_no_answer() -> None:
    page = {"status": 200, "body": "<html>Instance is hibernating</html>"}
    assert type(outcome("GET", **page, content_type="text/html;charset=UTF-8")) is TransientError
    assert type(outcome("POST", **page, content_type="text/html")) is OutcomeUnknownError


def test_an_empty_200_is_no_answer() -> None:
    assert type(outcome("GET", status=200, body="")) is TransientError
    assert type(outcome("POST", status=201, body="")) is OutcomeUnknownError


def test_a_202_without_a_body_was_not_carried_out_not_even_a_write() -> None:
    assert type(outcome("GET", status=202, body="")) is TransientError
    assert type(outcome("POST", status=202, body="")) is TransientError


def test_a_lost_connection_leaves_a_write_unknown_and_a_read_untaken() -> None:
    lost = requests.ConnectionError("Remote end closed connection without response")
    assert type(outcome("GET", body=lost)) is TransientError
    assert type(outcome("POST", body=lost)) is OutcomeUnknownError
    assert type(outcome("POST", body=requests.ReadTimeout())) is OutcomeUnknownError
    cut = requests.exceptions.ChunkedEncodingError("IncompleteRead")
    assert type(outcome("POST", body=cut)) is OutcomeUnknownError


def test_a_connection_that_never_stood_carried_nothing() -> None:
    pool = urllib3.connectionpool.HTTPSConnectionPool("itsm.test")
    refused = urllib3.exceptions.NewConnectionError(pool, "refused")  # type: ignore[arg-type]  # any pool will do
    never = requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, URL, refused))
    assert type(outcome("POST", body=never)) is TransientError
    assert type(outcome("POST", body=requests.ConnectTimeout())) is TransientError


def test_messages_hold_no_query_and_chain_no_library_error() -> None:
    with responses.RequestsMock() as mock:
        mock.get(URL, body=requests.ConnectionError(f"{URL}?sysparm_query=secret"))
        with pytest.raises(TransientError) as raised:
            session().get(URL, params={"sysparm_query": "short_descriptionLIKEsecret"})
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Fri, 20 Nov 2026 10:42:17 GMT", 10.0),
        ("Fri, 20 Nov 2026 10:00:00 GMT", 0.0),
        ("soon", 5.0),
        ("nan", 5.0),
        ("1e12", 3600.0),
        (None, 5.0),
    ],
)
def test_every_form_of_retry_after_is_a_pause(header: str | None, seconds: float) -> None:
    assert parse_retry_after(header, now=NOW) == timedelta(seconds=seconds)


def test_a_retry_after_date_is_held_against_the_other_sides_clock() -> None:
    error = outcome(
        "GET",
        status=429,
        headers={
            "Retry-After": "Thu, 01 Jan 2037 00:00:30 GMT",
            "Date": "Thu, 01 Jan 2037 00:00:00 GMT",
        },
    )
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == timedelta(seconds=30)


def test_nothing_is_sent_while_the_other_side_wants_a_pause() -> None:
    paced = session()
    with responses.RequestsMock() as mock:
        mock.get(URL, status=429, headers={"Retry-After": "60"})
        for _ in range(3):
            with pytest.raises(RateLimitedError):
                paced.get(URL)
        assert len(mock.calls) == 1


def test_no_cookie_is_ever_sent_back() -> None:
    kept = session()
    with responses.RequestsMock() as mock:
        headers = {"Set-Cookie": "JSESSIONID=1; Path=/"}
        mock.get(URL, json={"result": []}, headers=headers)
        mock.get(URL, json={"result": []}, headers=headers)
        kept.get(URL)
        kept.get(URL)
        assert [call.request.headers.get("Cookie") for call in mock.calls] == [None, None]
    assert len(kept.cookies) == 0


def test_a_redirect_is_not_followed_with_our_credentials() -> None:
    with responses.RequestsMock() as mock:
        mock.get(URL, status=302, headers={"Location": "https://elsewhere.test/"})
        with pytest.raises(AuthenticationError):
            session().get(URL)
        assert len(mock.calls) == 1


def test_an_answer_beyond_the_largest_size_is_refused() -> None:
    small = HTTPSession("snow", clock=StoppedClock(), limits=HTTPLimits(largest_answer=1000))
    with responses.RequestsMock() as mock:
        mock.get(URL, json={"result": ["x" * 2000]})
        with pytest.raises(PermanentError, match="larger"):
            small.get(URL)


def test_a_slot_that_never_comes_free_is_a_transient_error() -> None:
    pacer = Pacer(1)
    with pacer.turn("first", patience=1), pytest.raises(TransientError):  # noqa: SIM117  order matters
        with pacer.turn("second", patience=0.01):
            raise AssertionError("two turns in one slot")
    with pacer.turn("third", patience=1):
        pass


# --- retry
def _attempts(errors: list[TiergateError], *, is_repeatable: bool, limits: HTTPLimits) -> int:
    made = 0
    stop = threading.Event()
    stop.set()  # waits end at once

    def call() -> str:
        nonlocal made
        made += 1
        if errors:
            raise errors.pop(0)
        return "done"

    try:
        assert with_retry(call, limits=limits, is_repeatable=is_repeatable, stop=stop) == "done"
    except TiergateError:
        return -made
    return made


def test_reads_are_tried_again_until_they_succeed() -> None:
    errors: list[TiergateError] = [TransientError("one"), TransientError("two")]
    assert _attempts(errors, is_repeatable=True, limits=HTTPLimits()) == 3


def test_the_number_of_attempts_is_bounded() -> None:
    errors: list[TiergateError] = [TransientError(str(n)) for n in range(9)]
    assert _attempts(errors, is_repeatable=True, limits=HTTPLimits(attempts=3)) == -3


def test_a_write_with_an_unknown_outcome_is_never_repeated_blindly() -> None:
    assert _attempts([OutcomeUnknownError("?")], is_repeatable=False, limits=HTTPLimits()) == -1


def test_a_write_that_was_not_carried_out_may_be_repeated() -> None:
    assert _attempts([TransientError("202")], is_repeatable=False, limits=HTTPLimits()) == 2


def test_a_permanent_error_is_not_repeated() -> None:
    assert _attempts([MissingRightError("no")], is_repeatable=True, limits=HTTPLimits()) == -1


def test_a_pause_longer_than_our_patience_ends_the_retry_at_once() -> None:
    long = RateLimitedError("snow", retry_after=timedelta(hours=1))
    assert _attempts([long], is_repeatable=True, limits=HTTPLimits()) == -1

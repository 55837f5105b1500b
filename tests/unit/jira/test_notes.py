"""Comments are internal unless said otherwise, written once, and checked."""

import json
from typing import Any

import pytest
import requests
import responses
from responses import matchers

from connectors.jira.client import JiraClient
from connectors.jira.notes import HOLD, Notes
from connectors.jira.site import Site
from connectors.jira.values import TEXT_MOST
from engine.errors import DoesNotFitError, MissingRightError, OutcomeUnknownError
from tests.unit.jira.conftest import URL, Clock

API = f"{URL}/rest/api/2"
DESK = f"{URL}/rest/servicedeskapi"
COMMENTS = f"{API}/issue/1/comment"
ME = {"accountId": "daemon", "displayName": "Tiergate"}
BOB = {"accountId": "bob", "displayName": "Bob"}
ORIGIN = {
    "id": "customfield_10010",
    "name": "Request Type",
    "schema": {"type": "sd-customerrequesttype", "custom": "com.atlassian.servicedesk:vp-origin"},
}


def comment(number: int, body: str, author: object = BOB, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "author": author,
        "updateAuthor": author,
        "body": body,
        "created": "2026-11-20T10:00:00.000+0000",
        "updated": "2026-11-20T10:00:00.000+0000",
        "jsdPublic": False,
        "properties": [],
        **more,
    }


def marked(number: int, marker: str, author: object = ME, **more: Any) -> dict[str, Any]:
    properties = [{"key": "tiergate.marker", "value": {"marker": marker}}]
    return comment(number, "said", author, properties=properties, **more)


def shows(wire: responses.RequestsMock, *comments: dict[str, Any]) -> None:
    wire.get(COMMENTS, json={"startAt": 0, "total": len(comments), "comments": list(comments)})


@pytest.fixture
def notes(wire: responses.RequestsMock, client: JiraClient) -> Notes:
    wire.get(f"{API}/myself", json=ME)
    return Notes(client, Site(client, Clock()))


def add(notes: Notes, *, is_public: bool = False) -> None:
    notes.add("1", "words", marker="m1", is_public=is_public)


@pytest.mark.parametrize("is_public", [True, False])
def test_a_note_says_itself_who_may_read_it(
    wire: responses.RequestsMock, notes: Notes, *, is_public: bool
) -> None:
    shows(wire)
    wire.post(COMMENTS, status=201, json=marked(5, "m1", jsdPublic=is_public))
    add(notes, is_public=is_public)
    sent = json.loads(wire.calls[-1].request.body or "")
    assert sent["properties"] == [
        {"key": "tiergate.marker", "value": {"marker": "m1"}},
        {"key": "sd.public.comment", "value": {"internal": not is_public}},
    ]


def test_a_note_that_is_there_is_not_written_again(
    wire: responses.RequestsMock, notes: Notes
) -> None:
    shows(wire, comment(1, "hello"), marked(5, "m1"))
    add(notes)
    assert all(call.request.method == "GET" for call in wire.calls)


def test_somebody_elses_marker_does_not_keep_our_note_from_being_written(
    wire: responses.RequestsMock, notes: Notes
) -> None:
    shows(wire, marked(5, "m1", author=BOB))
    wire.post(COMMENTS, status=201, json=marked(6, "m1"))
    add(notes)


def test_a_note_whose_answer_was_lost_is_found_and_not_written_twice(
    wire: responses.RequestsMock, notes: Notes
) -> None:
    shows(wire)
    sent = wire.post(COMMENTS, body=requests.ConnectionError("dropped"))
    shows(wire, marked(5, "m1"))
    add(notes)
    assert sent.call_count == 1


def test_a_note_that_is_not_there_after_a_lost_answer_is_unknown(
    wire: responses.RequestsMock, notes: Notes
) -> None:
    shows(wire)
    wire.post(COMMENTS, body=requests.ReadTimeout("slow"))
    shows(wire)
    with pytest.raises(OutcomeUnknownError):
        add(notes)


def test_an_internal_note_that_came_out_public_is_taken_back_and_told(
    wire: responses.RequestsMock, notes: Notes
) -> None:
    shows(wire)
    wire.post(COMMENTS, status=201, json=marked(5, "m1", jsdPublic=True))
    wire.get(f"{API}/field", json=[ORIGIN])
    wire.get(f"{API}/issue/1", json={"fields": {"customfield_10010": {"requestType": {}}}})
    page = {"isLastPage": True, "values": [{"id": "5", "public": True}]}
    wire.get(f"{DESK}/request/1/comment", json=page)
    taken = wire.delete(f"{COMMENTS}/5", status=204)
    with pytest.raises(MissingRightError, match="taken back"):
        add(notes)
    assert taken.call_count == 1


def test_a_plain_issue_has_no_customers_to_hide_a_note_from(
    wire: responses.RequestsMock, notes: Notes
) -> None:
    shows(wire)
    wire.post(COMMENTS, status=201, json=marked(5, "m1", jsdPublic=True))
    wire.get(f"{API}/field", json=[ORIGIN])
    wire.get(f"{API}/issue/1", json={"fields": {"customfield_10010": None}})
    add(notes)


def test_a_site_that_shows_no_properties_is_asked_for_each_of_our_comments(
    wire: responses.RequestsMock, notes: Notes
) -> None:
    bare = comment(5, "said", ME)
    del bare["properties"]
    shows(wire, bare)
    value = {"key": "tiergate.marker", "value": {"marker": "m1"}}
    asked = wire.get(f"{API}/comment/5/properties/tiergate.marker", json=value)
    add(notes)
    assert asked.call_count == 1


def test_comments_are_read_to_their_end(wire: responses.RequestsMock, notes: Notes) -> None:
    first = {"total": 2, "comments": [comment(1, "a")]}
    wire.get(
        COMMENTS,
        json=first,
        match=[matchers.query_param_matcher({"startAt": 0}, strict_match=False)],
    )
    second = {"total": 2, "comments": [marked(2, "m1")]}
    wire.get(
        COMMENTS,
        json=second,
        match=[matchers.query_param_matcher({"startAt": 1}, strict_match=False)],
    )
    add(notes)


def test_a_note_is_never_cut(client: JiraClient) -> None:
    notes = Notes(client, Site(client, Clock()))
    with pytest.raises(DoesNotFitError):
        notes.add("1", "x" * (TEXT_MOST + 1), marker="m", is_public=False)


def said(wire: responses.RequestsMock, notes: Notes, *comments: dict[str, Any]) -> list[str]:
    shows(wire, *comments)
    return [found[1].lower() for _, found in notes.spoken("1", HOLD)]


def test_words_count_only_where_their_author_is_certain(
    wire: responses.RequestsMock, notes: Notes
) -> None:
    changed = comment(2, "tiergate: hold", updateAuthor=ME)
    assert said(
        wire,
        notes,
        comment(1, "tiergate: hold", ME),
        changed,
        comment(3, "Please do not tiergate: hold"),
        comment(4, "hello\n  Tiergate:  HOLD please"),
        comment(5, "Tiergate hold"),
        comment(6, "tiergate release"),
        comment(7, "tiergate holds too much"),
        comment(8, "tiergate: release"),
    ) == ["hold", "hold", "release"]


def test_words_that_customers_can_read_may_be_theirs_and_do_not_count(
    wire: responses.RequestsMock, notes: Notes
) -> None:
    wire.get(f"{API}/field", json=[ORIGIN])
    wire.get(f"{API}/issue/1", json={"fields": {"customfield_10010": {"requestType": {}}}})
    values = [{"id": "1", "public": True}, {"id": "2", "public": False}]
    wire.get(f"{DESK}/request/1/comment", json={"isLastPage": True, "values": values})
    public = comment(1, "tiergate: hold", jsdPublic=True)
    hidden = comment(2, "tiergate: release")
    del hidden["jsdPublic"]
    assert said(wire, notes, public, hidden) == ["release"]

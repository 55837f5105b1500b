"""Writes on changes over recorded answers: what a 200 hides, and what is never written."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.servicenow.claims import claim_id
from connectors.servicenow.factory import ServiceNowAdapters
from connectors.servicenow.snapshots import TEXT_FIELDS
from engine.domain.change import ClaimResult, CloseCode
from engine.domain.decision import ChangeKind, Window
from engine.domain.plan import ChangeDraft, PlanText
from engine.domain.refs import Account, ChangeRef, TicketKind, TicketRef
from engine.errors import (
    ConfigurationError,
    DoesNotFitError,
    InvalidAnswerError,
    MissingRightError,
    NotApprovedError,
    OutcomeUnknownError,
    PermanentError,
    PlanChangedError,
)
from tests.unit.servicenow.conftest import API, HEADERS, NOW, Instance, record

CHANGE = "a1" * 16
GROUP = "8a4dde73c6112278017a6a4baf547aa7"
REF = ChangeRef(system="snow", id=CHANGE, number="CHG0030001", url="")
DIGEST = "sha256:" + "5b" * 32
TEXT = PlanText(**{name: f"The {name} as drafted" for name in TEXT_FIELDS})
DRAFT = ChangeDraft(
    correlation_id="tg:INC0010245:1-r1",
    plan_digest=DIGEST,
    text=TEXT,
    kind=ChangeKind.NORMAL,
    window=Window(earliest=NOW, latest=NOW + timedelta(hours=4)),
    ticket=TicketRef(system="snow", kind=TicketKind.INCIDENT, id="b2" * 16, key="INC0010245"),
    requested_by=Account(system="snow", id="c3" * 16, name="bob.miller"),
    authority_group=GROUP,
    native={"risk": "2"},
)


def change(**values: str) -> dict[str, Any]:
    fields = {
        "sys_id": CHANGE,
        "number": "CHG0030001",
        "state": "-5",
        "approval": "not requested",
        "type": "normal",
        "on_hold": "false",
        "sys_mod_count": "1",
        "correlation_id": DRAFT.correlation_id,
        "risk": "2",
        **{native: getattr(TEXT, name) for name, native in TEXT_FIELDS.items()},
        **values,
    }
    return record(**fields)


def stands(instance: Instance, **values: str) -> None:
    instance.write("GET", f"change_request/{CHANGE}", change(**values))


def replies(instance: Instance, **values: str) -> None:
    instance.write("PATCH", f"change_request/{CHANGE}", change(**values))


def test_a_change_with_our_key_that_is_hidden_is_not_made_again(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("change_request", [], total=1)
    with pytest.raises(MissingRightError, match="hidden"):
        snow.changes.open(DRAFT)
    assert instance.bodies("POST") == []


@pytest.mark.parametrize("hidden", [0, 1])
def test_a_hidden_history_of_approvals_shuts_the_gate(
    instance: Instance, snow: ServiceNowAdapters, hidden: int
) -> None:
    stands(instance, state="-2", approval="approved", start_date="", end_date="")
    approved = record(
        sys_id="e5" * 16, approver="f6" * 16, state="approved", sysapproval=CHANGE,
        sys_created_on="2026-11-20 10:00:00", sys_updated_on="2026-11-20 10:30:00",
        sys_updated_by="howard.johnson",
    )  # fmt: skip
    instance.rows("sysapproval_approver", [approved])
    instance.mock.remove("GET", f"{API}/sys_audit")
    moved = record(
        sys_id="d4" * 16, documentkey=CHANGE, fieldname="state", oldvalue="-3", newvalue="-2",
        user="system", sys_created_on="2026-11-20 10:30:00",
    )  # fmt: skip
    instance.rows("sys_audit", [moved])
    instance.rows("sys_audit", [], total=hidden)
    found = snow.changes.snapshot(REF)
    # The last writer of a row decides who said yes only where nothing else was ever kept.
    assert (found.history is None) is bool(hidden)


def test_a_change_is_opened_with_every_field_that_approvers_read(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("change_request", [])
    instance.write("POST", "change_request", change(), status=201)
    assert snow.changes.open(DRAFT).id == CHANGE
    (body,) = instance.bodies("POST")
    assert {body[native] for native in TEXT_FIELDS.values()} == set(TEXT.fields().values())
    rest = {name: value for name, value in body.items() if name not in TEXT_FIELDS.values()}
    assert rest == {
        "type": "normal",
        "correlation_id": "tg:INC0010245:1-r1",
        "correlation_display": "Tiergate",
        "assignment_group": GROUP,
        "start_date": "2026-11-20 10:42:07",
        "end_date": "2026-11-20 14:42:07",
        "requested_by": "c3" * 16,
        "parent": "b2" * 16,
    }


@pytest.mark.parametrize(
    "native",
    [{"approval": "approved"}, {"state": "-1"}, {"correlation_id": "x"}, {"on_hold": "true"}],
)
def test_a_tier_map_cannot_set_what_decides(
    instance: Instance, snow: ServiceNowAdapters, native: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError):
        snow.changes.open(dataclasses.replace(DRAFT, native=native))
    assert instance.bodies("POST") == []


@pytest.mark.parametrize("name", sorted(TEXT_FIELDS))
def test_no_text_is_cut(instance: Instance, snow: ServiceNowAdapters, name: str) -> None:
    long = dataclasses.replace(TEXT, **{name: "x" * 4001})
    with pytest.raises(DoesNotFitError):
        snow.changes.open(dataclasses.replace(DRAFT, text=long))
    assert instance.bodies("POST") == []


def test_a_dropped_term_does_not_find_somebody_elses_change(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("change_request", [change(correlation_id="tg:other"), change(correlation_id="")])
    assert snow.changes.find(DRAFT.correlation_id) is None


def test_two_changes_with_one_key_are_nobodys(instance: Instance, snow: ServiceNowAdapters) -> None:
    instance.rows("change_request", [change(), change(sys_id="d4" * 16, number="CHG0030002")])
    with pytest.raises(InvalidAnswerError, match="CHG0030002"):
        snow.changes.find(DRAFT.correlation_id)


def test_a_change_that_lost_its_key_on_creation_is_an_error(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("change_request", [])
    instance.write("POST", "change_request", change(correlation_id=""), status=201)
    with pytest.raises(InvalidAnswerError, match="correlation"):
        snow.changes.open(DRAFT)


def test_an_ignored_submission_is_noticed(instance: Instance, snow: ServiceNowAdapters) -> None:
    stands(instance)
    replies(instance, state="-5")
    with pytest.raises(InvalidAnswerError, match="ignored"):
        snow.changes.submit(REF, DRAFT)


def test_a_submission_that_runs_on_to_authorize_counts(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    stands(instance)
    replies(instance, state="-3", approval="requested")
    snow.changes.submit(REF, DRAFT)
    assert instance.bodies("PATCH") == [{"state": "-4"}]


def test_a_submission_whose_answer_was_lost_is_read_and_not_sent_again(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    stands(instance)
    instance.write("PATCH", f"change_request/{CHANGE}", None, status=502, body="{}")
    stands(instance, state="-3", approval="requested")
    snow.changes.submit(REF, DRAFT)
    assert len(instance.bodies("PATCH")) == 1


def test_a_lost_move_that_left_no_trace_stays_unknown(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    stands(instance, state="-2", approval="approved")
    instance.write("PATCH", f"change_request/{CHANGE}", None, status=504, body="{}")
    with pytest.raises(OutcomeUnknownError):
        snow.changes.begin(REF, at=NOW)
    assert len(instance.bodies("PATCH")) == 1


@pytest.mark.parametrize(
    "values",
    [{"implementation_plan": "Something else"}, {"correlation_id": "x"}, {"type": "standard"}],
)
def test_a_record_that_is_not_the_draft_is_not_submitted(
    instance: Instance, snow: ServiceNowAdapters, values: dict[str, str]
) -> None:
    stands(instance, **values)
    with pytest.raises(PlanChangedError):
        snow.changes.submit(REF, DRAFT)
    assert instance.bodies("PATCH") == []


@pytest.mark.parametrize(
    ("standing", "reply"),
    [("-2", "-2"), ("-2", "-3"), ("-3", None), ("-5", None), ("4", None), ("0", None)],
)
def test_nothing_begins_unless_the_reply_shows_it(
    instance: Instance, snow: ServiceNowAdapters, standing: str, reply: str | None
) -> None:
    stands(instance, state=standing, approval="approved")
    if reply is not None:
        replies(instance, state=reply, approval="approved")
    with pytest.raises(NotApprovedError):
        snow.changes.begin(REF, at=NOW)


def test_a_business_rule_that_refuses_the_move_is_no_approval(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    stands(instance, state="-2", approval="approved")
    detail = "Operation against file 'change_request' was aborted by Business Rule 'x^1'"
    body = json.dumps({"error": {"message": "Operation Failed", "detail": detail}})
    instance.write("PATCH", f"change_request/{CHANGE}", None, status=403, body=body)
    with pytest.raises(NotApprovedError, match="aborted"):
        snow.changes.begin(REF, at=NOW)


def test_closing_walks_through_review_and_completes_free_tasks_only(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    free, taken, done = "01" * 16, "02" * 16, "03" * 16
    stands(instance, state="-1", approval="approved")
    instance.rows(
        "change_task",
        [
            record(sys_id=free, change_request=CHANGE, state="1", assigned_to=""),
            record(sys_id=taken, change_request=CHANGE, state="2", assigned_to="07" * 16),
            record(sys_id=done, change_request=CHANGE, state="3", assigned_to=""),
        ],
    )
    instance.write("PATCH", f"change_task/{free}", record(sys_id=free, state="3"))
    replies(instance, state="0")
    replies(instance, state="3")
    snow.changes.close(REF, code=CloseCode.UNSUCCESSFUL, notes="Backed out.", at=NOW)
    bodies = instance.bodies("PATCH")
    assert [body["state"] for body in bodies] == ["3", "0", "3", "3"]
    assert bodies[1]["work_end"] == "2026-11-20 10:42:07"
    assert bodies[3] == {
        "state": "3",
        "close_code": "unsuccessful",
        "close_notes": "Backed out.",
    }
    assert not any(taken in (call.request.url or "") for call in instance.mock.calls)


@pytest.mark.parametrize("state", ["3", "4"])
def test_an_ended_change_is_left_as_it_is(
    instance: Instance, snow: ServiceNowAdapters, state: str
) -> None:
    stands(instance, state=state)
    snow.changes.close(REF, code=CloseCode.SUCCESSFUL, notes="x", at=NOW)
    snow.changes.cancel(REF, reason="x")
    assert instance.bodies("PATCH") == []


def test_a_rejected_change_is_not_cancelled_over_the_approvers(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    stands(instance, state="-5", approval="rejected")
    snow.changes.cancel(REF, reason="x")
    assert instance.bodies("PATCH") == []


def test_a_change_that_was_never_begun_cannot_be_closed(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    stands(instance, state="-2", approval="approved")
    with pytest.raises(PermanentError):
        snow.changes.close(REF, code=CloseCode.SUCCESSFUL, notes="x", at=NOW)


def test_a_claim_whose_sys_id_was_not_kept_proves_nothing(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    task = claim_id(CHANGE, DIGEST)
    instance.mock.get(f"{API}/change_task/{task}", status=404, json={}, headers=HEADERS)
    instance.write("POST", "change_task", record(sys_id="ff" * 16), status=201)
    with pytest.raises(InvalidAnswerError, match="chosen sys_id"):
        snow.changes.claim(REF, plan_digest=DIGEST, owner="one")


def test_a_taken_sys_id_is_a_lost_claim(instance: Instance, snow: ServiceNowAdapters) -> None:
    task = claim_id(CHANGE, DIGEST)
    instance.mock.get(f"{API}/change_task/{task}", status=404, json={}, headers=HEADERS)
    instance.write("POST", "change_task", None, status=403, body='{"error":{"message":"x"}}')
    theirs = record(sys_id=task, change_request=CHANGE, correlation_id="claim-of-another")
    instance.write("GET", f"change_task/{task}", theirs)
    assert snow.changes.claim(REF, plan_digest=DIGEST, owner="one") is ClaimResult.LOST


def test_claims_differ_by_change_and_plan_and_are_the_same_for_every_daemon() -> None:
    assert claim_id(CHANGE, DIGEST) == claim_id(CHANGE, DIGEST)
    assert claim_id(CHANGE, DIGEST) != claim_id("b2" * 16, DIGEST)
    assert claim_id(CHANGE, DIGEST) != claim_id(CHANGE, "sha256:" + "00" * 32)


def test_a_cycle_costs_the_same_however_many_changes_wait(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("sysapproval_approver", [])
    instance.rows("change_request", [])
    cursor = dataclasses.replace(snow.changes.first_cursor(), at=datetime(2026, 11, 20, tzinfo=UTC))
    costs: list[int] = []
    for waiting in (10, 10_000):
        refs = tuple(dataclasses.replace(REF, id=f"{number:032x}") for number in range(waiting))
        before = len(instance.mock.calls)
        page = snow.changes.changed_since(cursor, refs)
        while not page.is_last:
            page = snow.changes.changed_since(page.cursor, refs)
        costs.append(len(instance.mock.calls) - before)
    assert costs[0] == costs[1] <= 4


def test_nothing_ever_writes_an_approval(instance: Instance, snow: ServiceNowAdapters) -> None:
    instance.rows("change_request", [])
    instance.write("POST", "change_request", change(), status=201)
    snow.changes.open(DRAFT)
    stands(instance)
    replies(instance, state="-4")
    snow.changes.submit(REF, DRAFT)
    for call in instance.mock.calls:
        if call.request.method in {"POST", "PATCH", "PUT", "DELETE"}:
            assert "sysapproval" not in (call.request.url or "")
            assert "approval" not in json.loads(call.request.body or b"{}")

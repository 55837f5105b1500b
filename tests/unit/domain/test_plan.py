"""The plan: everything that an approver approves changes the digest; nothing else does."""

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.action import BoundAction, BoundTarget, ParameterKind, Tier
from engine.domain.audit import GENESIS, AuditRow, first_misfit, row_hash
from engine.domain.canonical import digest
from engine.domain.decision import TemplatePin, Window
from engine.domain.effect import EffectKind, effect_key
from engine.domain.plan import Plan, PlanText, fold
from engine.domain.refs import TicketKind, TicketRef

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADA = BoundTarget(kind=ParameterKind.PERSON, id="uuid-1", name="Ada", facts={"vip": "no"})
GROUP = BoundTarget(kind=ParameterKind.GROUP, id="uuid-g", name="payroll")
BOUND = BoundAction(
    action="add_group_member",
    version=1,
    system="ldap",
    subject=ADA,
    targets={"group": GROUP},
    values={"until": "2026-12-24"},
)
PLAN = Plan(
    revision=1,
    ticket=TicketRef(system="sn", kind=TicketKind.INCIDENT, id="abc", key="INC1"),
    bound=BOUND,
    requester_key="100",
    requester_name="Ada",
    subject_key="100",
    subject_name="Ada",
    tier=Tier.THREE,
    reasons=("floor",),
    authority="cab",
    authority_group="g1",
    least_approvers=1,
    window=Window(earliest=NOW, latest=NOW + timedelta(hours=1)),
    expires_at=NOW + timedelta(days=10),
    ends_at=None,
)
OTHERS: dict[str, Any] = {
    "revision": 2,
    "ticket": dataclasses.replace(PLAN.ticket, id="abd"),
    "requester_key": "101",
    "requester_name": "Bob",
    "subject_key": "101",
    "subject_name": "Bob",
    "tier": Tier.TWO,
    "reasons": ("floor", "vip"),
    "authority": "ecab",
    "authority_group": "g2",
    "least_approvers": 2,
    "window": Window(earliest=NOW),
    "expires_at": NOW,
    "ends_at": NOW,
    "template": TemplatePin(id="t1", version="v1", proposal="p1"),
}
OTHER_BOUNDS: dict[str, Any] = {
    "action": "remove_group_member",
    "version": 2,
    "system": "ldap2",
    "subject": dataclasses.replace(ADA, id="uuid-2"),
    "targets": {"group": dataclasses.replace(GROUP, id="uuid-h")},
    "values": {"until": "2027-12-24"},
}


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Plan) if f.name != "bound"])
def test_every_field_of_the_plan_is_bound_by_its_digest(name: str) -> None:
    assert dataclasses.replace(PLAN, **{name: OTHERS[name]}).digest != PLAN.digest


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(BoundAction)])
def test_every_field_of_the_bound_action_is_bound_by_the_digest(name: str) -> None:
    bound = dataclasses.replace(BOUND, **{name: OTHER_BOUNDS[name]})
    assert dataclasses.replace(PLAN, bound=bound).digest != PLAN.digest


def test_facts_that_only_the_text_shows_are_not_bound() -> None:
    bound = dataclasses.replace(BOUND, subject=dataclasses.replace(ADA, facts={"vip": "yes"}))
    assert dataclasses.replace(PLAN, bound=bound).digest == PLAN.digest


def test_the_document_is_what_the_digest_is_taken_over() -> None:
    assert PLAN.digest == digest(PLAN.document())
    assert PLAN.digest == f"sha256:{PLAN.digest[7:15]}" + PLAN.digest[15:]
    assert PLAN.code == PLAN.digest[7:15]
    assert PLAN.document()["window"] == {
        "earliest": "2026-11-20T12:00:00Z",
        "latest": "2026-11-20T13:00:00Z",
    }
    assert PLAN.document()["ends"] is None


TEXT = PlanText(
    short_description="a",
    description="b",
    justification="c",
    risk_and_impact="d",
    implementation="e",
    test="f",
    backout="g",
)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(PlanText)])
def test_every_text_is_bound_by_the_digest_of_the_texts(name: str) -> None:
    assert dataclasses.replace(TEXT, **{name: "x"}).digest != TEXT.digest
    assert set(TEXT.fields()) == {field.name for field in dataclasses.fields(PlanText)}


def test_two_texts_that_change_places_change_the_digest() -> None:
    assert dataclasses.replace(TEXT, test="g", backout="f").digest != TEXT.digest


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.lists(st.text("abc \t"), max_size=5))
def test_line_ends_and_trailing_blanks_are_folded_and_words_are_not(lines: list[str]) -> None:
    plain = "\n".join(lines)
    assert fold("\r\n".join(line + "  " for line in lines)) == fold(plain)
    assert fold(plain).split() == plain.split()


def test_an_effect_key_differs_in_every_part_and_is_the_same_after_a_restart() -> None:
    parts = {"installation": "i", "handling": "h", "plan_digest": "p", "kind": EffectKind.IMPLEMENT}
    key = effect_key(**parts)  # type: ignore[arg-type]  # the parts are of several types
    assert key == effect_key(**parts)  # type: ignore[arg-type]  # as above
    for name, other in (("installation", "j"), ("handling", "k"), ("plan_digest", "q")):
        assert effect_key(**{**parts, name: other}) != key  # type: ignore[arg-type]  # as above
    assert effect_key(**{**parts, "kind": EffectKind.END}) != key  # type: ignore[arg-type]  # as above
    shifted = {**parts, "installation": "ih", "handling": ""}
    assert effect_key(**shifted) != key  # type: ignore[arg-type]  # as above


def chain(count: int) -> tuple[AuditRow, ...]:
    rows, previous = list[AuditRow](), GENESIS
    for number in range(1, count + 1):
        content: dict[str, Any] = {
            "chain": "s:1",
            "number": number,
            "at": NOW,
            "event": "e",
            "actor": "a",
            "body": {"n": number},
            "previous": previous,
        }
        rows.append(AuditRow(**content, hash=row_hash(**content)))
        previous = rows[-1].hash
    return tuple(rows)


@given(st.integers(1, 8), st.data())
def test_every_edit_of_a_chain_is_found_at_its_row(count: int, data: st.DataObject) -> None:
    rows = chain(count)
    assert first_misfit(rows) is None
    place = data.draw(st.integers(0, count - 1))
    edits: list[dict[str, Any]] = [
        {"chain": "s:2"},
        {"number": 77},
        {"at": NOW.astimezone(timezone(timedelta(hours=1)))},
        {"event": "f"},
        {"actor": "b"},
        {"body": {}},
        {"previous": "x"},
        {"hash": "x"},
    ]
    edited = dataclasses.replace(rows[place], **data.draw(st.sampled_from(edits)))
    broken = (*rows[:place], edited, *rows[place + 1 :])
    assert first_misfit(broken) == edited
    if place < count - 1:
        gone = rows[:place] + rows[place + 1 :]
        assert first_misfit(gone) == rows[place + 1]

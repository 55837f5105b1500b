"""The model is worth something only if it fails: each planted defect must make it fail.

Each story is told twice in one world, by the machine's own steps: first as the daemon is, and the
invariants hold; then with a defect planted into it, and the machine says which one is broken.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from connectors.ldap.operations import ChangeMembership
from connectors.servicenow import snapshots
from connectors.servicenow.changes import ServiceNowChanges
from connectors.servicenow.mapping import map_or_raise
from connectors.servicenow.tickets import ServiceNowTickets
from engine.domain.change import ChangeState, ClaimResult, InvalidReason
from engine.domain.refs import Account
from engine.domain.ticket import Ticket
from engine.errors import TiergateError
from engine.service import pauses, takeover, verdict, verdict_rules
from engine.service.electorate import Doubt, Parties
from tests.e2e.model.machine import ASKERS, OWNERS, Model, model_of
from tests.recording import RECORDER

Story = Callable[[Model], None]
Defect = Callable[[pytest.MonkeyPatch], None]
OWNER = OWNERS[0]

pytestmark = pytest.mark.slow


# --- what people do
def _asked(m: Model) -> str:
    uid = ASKERS[len(m.seen.wishes)]
    m.somebody_asks()
    m.the_daemon_works()
    gate = m.seen.newest()
    assert gate is not None, "no change was opened"
    assert gate.uid == uid, f"the change is about {gate.uid}"
    return uid


def _approved(m: Model) -> str:
    uid = _asked(m)
    m.somebody_answers(OWNER, is_yes=True)
    assert m.seen.newest().has_yes  # type: ignore[union-attr]  # there is one: it was just asked
    return uid


def _works(m: Model) -> None:
    for _ in range(3):
        m.the_daemon_works()
        m.what_must_never_happen_has_not_happened()


def requester_approves(m: Model) -> None:
    m.an_admin_adds_an_approver(ASKERS[len(m.seen.wishes)])
    m.time_passes(10)
    uid = _asked(m)
    m.somebody_answers(uid, is_yes=True)
    _works(m)


def edited_after_approval(m: Model) -> None:
    _approved(m)
    m.an_agent_edits_the_plan("test")
    _works(m)


def approved_too_late(m: Model) -> None:
    _asked(m)
    m.time_passes(250)
    m.somebody_answers(OWNER, is_yes=True)
    _works(m)


def approved_and_held(m: Model) -> None:
    _approved(m)
    m.an_agent_holds_or_releases(is_held=True)
    _works(m)
    m.somebody_moves_the_change("cancelled", "admin")
    _works(m)


def approved_and_paused(m: Model) -> None:
    _approved(m)
    m.an_operator_pauses(("add_group_member", None))
    m.the_daemon_is_restarted()
    _works(m)
    m.somebody_moves_the_change("cancelled", "admin")
    m.an_operator_resumes()
    _works(m)


def approved_and_closed(m: Model) -> None:
    _approved(m)
    m.an_agent_works_on_the_ticket(len(m.seen.wishes) - 1, "close")
    _works(m)


def field_set_by_a_person(m: Model) -> None:
    m.somebody_asks()
    m.an_agent_works_on_the_ticket(len(m.seen.wishes) - 1, "field")
    _works(m)


def strange_state(m: Model) -> None:
    _asked(m)
    m.a_value_appears_that_nobody_knows(len(m.seen.wishes) - 1, is_ticket=False)
    _works(m)


def plain_day(m: Model) -> None:
    uid = _approved(m)
    _works(m)
    assert m.seen.was_fired(uid)


def asked(m: Model) -> None:
    _asked(m)
    _works(m)


def copy_in_between(m: Model) -> None:
    _asked(m)
    m.a_copy_of_the_daemon_works_in_between(OWNER, "begin")
    _works(m)


# --- what is planted
def _without(*rules: Callable[..., Any]) -> Defect:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(verdict, "RULES", tuple(one for one in verdict.RULES if one not in rules))

    return plant


def requester_not_compared(patch: pytest.MonkeyPatch) -> None:
    doubt = Parties.doubt

    def lenient(self: Parties, account: Account) -> Doubt | None:
        found = doubt(self, account)
        is_self = found is not None and found[0] is InvalidReason.SELF_APPROVED
        return None if is_self else found

    patch.setattr(Parties, "doubt", lenient)


def pause_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pauses, "standing", lambda *_: "")
    patch.setattr(pauses, "standing_in", lambda *_: "")


def closing_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(takeover, "_ended", lambda *_: None)


def edits_of_persons_ignored(patch: pytest.MonkeyPatch) -> None:
    def blind(self: ServiceNowTickets, ticket: Ticket, _values: object) -> dict[str, str]:
        self._client.update("incident", ticket.ref.id, {"category": "inquiry"}, fields=("number",))
        return {}

    patch.setattr(ServiceNowTickets, "write_fields", blind)


def unknown_state_is_pending(patch: pytest.MonkeyPatch) -> None:
    def lenient(table: Mapping[str, Any], field: str, value: str) -> Any:
        if field == "change_request.state" and value not in table:
            return ChangeState.AUTHORIZE
        return map_or_raise(table, field, value)

    patch.setattr(snapshots, "map_or_raise", lenient)


def called_twice(patch: pytest.MonkeyPatch) -> None:
    real = ChangeMembership._set

    def twice(self: ChangeMembership, *args: Any, **named: Any) -> None:
        for _ in range(2):
            with suppress(TiergateError):  # the directory itself refuses to add who is there
                real(self, *args, **named)

    patch.setattr(ChangeMembership, "_set", twice)


def claim_skipped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ServiceNowChanges, "claim", lambda *_, **__: ClaimResult.WON)


def approves_for_itself(patch: pytest.MonkeyPatch) -> None:
    real = ServiceNowChanges.submit

    def helpful(self: ServiceNowChanges, ref: Any, draft: Any) -> None:
        real(self, ref, draft)
        self._client.update("change_request", ref.id, {"approval": "approved"}, fields=("number",))

    patch.setattr(ServiceNowChanges, "submit", helpful)


_LATE = (verdict_rules.is_in_time, verdict_rules.may_run_now)


@pytest.mark.parametrize(
    ("vendor", "story", "defect", "broken"),
    [
        ("servicenow", requester_approves, requester_not_compared, "I2: .*who may not"),
        ("servicenow", edited_after_approval, _without(verdict_rules.is_unedited), "I2: .*edited"),
        ("servicenow", approved_too_late, _without(*_LATE), "I2: .*its window has passed"),
        ("itsm-jira", approved_and_held, _without(verdict_rules.is_not_held), "I2: .*on hold"),
        ("servicenow", approved_and_paused, pause_ignored, "I11: "),
        ("ops-jira", approved_and_closed, closing_ignored, "I9: .*closed the ticket"),
        ("servicenow", field_set_by_a_person, edits_of_persons_ignored, "I9: .*field was set"),
        ("servicenow", strange_state, unknown_state_is_pending, "I10: "),
        ("servicenow", plain_day, called_twice, "I1: a call was made again"),
        ("servicenow", copy_in_between, claim_skipped, "I1: two daemons"),
        ("servicenow", asked, approves_for_itself, "I3: "),
    ],
)
def test_the_model_finds_a_planted_defect(
    monkeypatch: pytest.MonkeyPatch, vendor: str, story: Story, defect: Defect, broken: str
) -> None:
    world = model_of(vendor)()
    try:
        world.opens()
        story(world)
        defect(monkeypatch)
        with pytest.raises(AssertionError, match=broken):
            story(world)
        # The layer's own judge hears it as well, as it must: what was planted is forgiven here.
        assert bool(RECORDER.judge()) == broken.startswith("I3")
    finally:
        world.teardown()

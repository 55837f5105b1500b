"""How waiting handlings end by what people do to the ticket, on both vendors, in one play each.

Rejected, cancelled, expired, deleted and invalid approvals are rows of the attacks beside this.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from engine.domain.refs import TicketKind, TicketRef
from engine.domain.stage import Stage
from engine.service import operations
from engine.service.endings import ENDINGS, Cause, ChangeTerm, TicketTerm
from tests.e2e.attacks.forbidden import forbidden
from tests.e2e.attacks.offices import JiraOffice, ServiceNowOffice
from tests.e2e.attacks.scene import Play

SN = Play[ServiceNowOffice]
JSM = Play[JiraOffice]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A ticket of this play."""

    cause: Cause
    ref: TicketRef


def close(play: SN | JSM, ref: TicketRef) -> None:
    if isinstance(play.office, ServiceNowOffice):
        values = {"state": "6", "close_code": "Solution provided", "close_notes": "By hand."}
        play.office.write("incident", ref.id, values, "luke.wilson")
        return
    play.office.client("luke.wilson").set_issue_status(ref.key, "Resolved")


def delete(play: SN | JSM, ref: TicketRef) -> None:
    if isinstance(play.office, ServiceNowOffice):
        play.office.delete("incident", ref.id)
        return
    play.office.client().delete_issue(ref.key)


def hold(play: SN | JSM, ref: TicketRef) -> None:
    """An agent writes the words that stop us, as an internal note."""
    words = "tiergate: hold, I am on it"
    if isinstance(play.office, ServiceNowOffice):
        play.office.write("incident", ref.id, {"work_notes": words}, "luke.wilson")
        return
    body = {
        "body": words,
        "properties": [{"key": "sd.public.comment", "value": {"internal": True}}],
    }
    play.office.client("luke.wilson").post(f"rest/api/2/issue/{ref.key}/comment", data=body)


def release(play: SN | JSM, ref: TicketRef) -> None:
    operations.release(play.company.services, ref, by="the operator")


ACTS: dict[Cause, Callable[[SN | JSM, TicketRef], None]] = {
    Cause.TICKET_CLOSED: close,
    Cause.TICKET_GONE: delete,
    Cause.TICKET_HELD: hold,
    Cause.RELEASED: release,
}


def ask(play: SN | JSM, cause: Cause) -> Asked:
    play.ask()
    is_incident = isinstance(play.office, ServiceNowOffice)
    kind = TicketKind.INCIDENT if is_incident else TicketKind.SERVICE_REQUEST
    ref = TicketRef(system=play.office.system, kind=kind, id=play.ticket, key=play.key)
    play.pass_time(seconds=20)
    return Asked(cause=cause, ref=ref)


@pytest.mark.parametrize("vendor", ["servicenow", "jira"])
def test_what_people_do_to_the_ticket_ends_it_and_cancels_only_our_own_change(
    request: pytest.FixtureRequest, vendor: str
) -> None:
    play: SN | JSM = request.getfixturevalue(vendor)
    play.company.open()
    play.round()
    play.pass_time(seconds=5)
    asked = [ask(play, cause) for cause in ACTS]
    play.pass_time(seconds=90)
    play.round()
    for one in asked:
        found = play.company.handling(one.ref)
        assert found.stage is Stage.AWAITING, f"{one.cause}: {found.stage} {found.reason}"
    for one in asked:
        ACTS[one.cause](play, one.ref)
        play.pass_time(seconds=10)
    play.settle()
    for one in asked:
        ending, found = ENDINGS[one.cause], play.company.handling(one.ref)
        assert found.stage is ending.stage, f"{one.cause}: {found.stage} {found.reason}"
        assert ending.change is ChangeTerm.CANCELLED
        if one.cause is not Cause.TICKET_GONE and ending.ticket is TicketTerm.RETURNED:
            assert found.reason in play.office.notes(one.ref.id)
    assert play.office.ends() == ["cancelled"] * len(ACTS)
    assert play.theatre.effects() == []
    assert forbidden(play.office.system, play.office.log(), play.office.stolen) == []

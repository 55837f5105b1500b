"""What only ServiceNow can show of a change that a person opened."""

import dataclasses

import pytest

from connectors.servicenow.factory import ServiceNowAdapters
from engine.domain.decision import ChangeKind
from engine.domain.plan import ChangeDraft
from engine.domain.refs import TicketRef
from engine.errors import PreconditionError
from tests.integration.servicenow.conftest import CAB, TABLE, Call, Connect

AGENT = "luke.wilson"


@pytest.fixture
def snow(connect: Connect) -> ServiceNowAdapters:
    return connect(changes={"assignment_group": "Software", "adopt": True})


@pytest.fixture
def theirs(call: Call, ticket: TicketRef) -> str:
    body = {"short_description": "x", "assignment_group": CAB}
    made: str = call("POST", f"{TABLE}/change_request", by=AGENT, json=body)["sys_id"]
    call("PATCH", f"{TABLE}/incident/{ticket.id}", json={"rfc": made})
    return made


@pytest.mark.parametrize(
    ("values", "because"),
    [
        ({"sys_domain": "other"}, "cannot be read"),
        ({"correlation_id": "another-tool-7"}, "another system's correlation id"),
        ({"type": "emergency"}, "of the kind emergency, where the tier map asks for normal"),
        ({"approval": "approved"}, "asked already"),
    ],
)
def test_a_change_that_cannot_be_ours_is_refused_with_its_reason(
    call: Call,
    snow: ServiceNowAdapters,
    draft: ChangeDraft,
    theirs: str,
    values: dict[str, str],
    because: str,
) -> None:
    call("PATCH", f"{TABLE}/change_request/{theirs}", json=values)
    with pytest.raises(PreconditionError, match=because):
        snow.changes.open(draft)
    query = {"sysparm_query": f"correlation_id={draft.correlation_id}"}
    assert call("GET", f"{TABLE}/change_request", params=query) == []


def test_a_change_that_went_back_to_new_was_asked_once_and_is_not_adopted(
    call: Call, snow: ServiceNowAdapters, draft: ChangeDraft, theirs: str
) -> None:
    for state in ("-4", "-5"):
        call("PATCH", f"{TABLE}/change_request/{theirs}", by=AGENT, json={"state": state})
    with pytest.raises(PreconditionError, match=r"moved before|asked already"):
        snow.changes.open(draft)


def test_a_standard_change_is_made_from_its_template_and_never_adopted(
    snow: ServiceNowAdapters, draft: ChangeDraft, theirs: str
) -> None:
    standard = dataclasses.replace(
        draft, kind=ChangeKind.STANDARD, template="1" * 32, template_version="2" * 32
    )
    with pytest.raises(PreconditionError, match="where the tier map asks for standard"):
        snow.changes.open(standard)
    assert theirs


def test_our_key_on_a_strangers_change_is_no_adoption_without_the_setting(
    call: Call, connect: Connect, draft: ChangeDraft, theirs: str
) -> None:
    values = {"correlation_id": draft.correlation_id}
    call("PATCH", f"{TABLE}/change_request/{theirs}", by=AGENT, json=values)
    with pytest.raises(PreconditionError, match="was opened by somebody else"):
        connect().changes.open(draft)

"""Real records of a demo instance, read through the mapping without an unmapped value."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.servicenow.answers import Record, Value
from connectors.servicenow.mapping import (
    NATIVE_FIELDS,
    TICKET_FIELDS,
    Surroundings,
    TicketMapping,
)
from engine.domain.refs import Account
from engine.domain.ticket import Ticket

pytestmark = pytest.mark.shared

# The records were exported as people see them; these are the shipped choice lists behind that.
STATES = {"New": "1", "In Progress": "2", "On Hold": "3", "Resolved": "6", "Closed": "7"}
LABELS: Mapping[str, Mapping[str, str]] = {
    "state": STATES,
    "approval": {"Not Yet Requested": "not requested", "Approved": "approved"},
    "sys_class_name": {"Incident": "incident"},
    "contact_type": {},
}
OWN = Account(system="snow", id="09826bf03710200044e0bfc8bcbe5d01", name="tiergate")


def exported(raw: Mapping[str, Any]) -> Record:
    """One exported record in the form in which our reads bring it."""
    found: dict[str, Value] = {}
    for name in TICKET_FIELDS["incident"]:
        shown = raw.get(name)
        if isinstance(shown, dict):
            found[name] = Value(shown["link"].rsplit("/", 1)[-1], shown["display_value"])
            continue
        text = str(shown or "")
        found[name] = Value(LABELS[name].get(text, text) if name in LABELS else text, text)
    return found


@pytest.fixture
def incidents(shared: Path) -> list[Mapping[str, Any]]:
    path = shared / "data" / "servicenow_demo" / "incident_records.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_every_demo_incident_is_a_ticket(incidents: list[Mapping[str, Any]]) -> None:
    mapping = TicketMapping(
        "snow", "https://x.test", states={}, unset={}, security_categories=("security",)
    )
    around = Surroundings(OWN, users={}, variables={}, edited={}, held=frozenset(), tasks={})
    tickets: list[Ticket] = [mapping.ticket("incident", exported(raw), around) for raw in incidents]
    assert len(tickets) == 92
    assert len({ticket.ref.id for ticket in tickets}) == 92
    assert all(ticket.short_description for ticket in tickets)
    assert all(ticket.created_at <= ticket.updated_at for ticket in tickets)
    assert {ticket.state for ticket in tickets} >= {mapping.state("incident", "7")}
    assert all(set(ticket.fields) == set(NATIVE_FIELDS["incident"]) for ticket in tickets)
    # No record was made through a session that we could name, so none counts as authenticated.
    assert all(ticket.creator is None for ticket in tickets)

"""The `systems:` entry of kind jira: what is refused before anything starts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.jira.settings import (
    ChangeSettings,
    FieldTarget,
    Flavour,
    JiraSettings,
    PlanField,
    source_name,
)
from engine.domain.change import ChangeState
from engine.domain.ticket import TicketField, TicketState
from tests.unit.jira.conftest import SECRET, settings


def test_the_shortest_entry_of_the_examples_is_enough() -> None:
    made = JiraSettings.model_validate(
        {
            "kind": "jira",
            "url": "https://example.atlassian.net/",
            "auth": {"email": "a@b.test", "token": SECRET},
            "tickets": [{"jql": "project = ITH AND statusCategory != Done"}],
            "changes": {"project": "ITH", "request_type": "Request a change"},
        }
    )
    assert made.base == "https://example.atlassian.net"
    assert (made.poll, made.overlap) == (timedelta(seconds=30), timedelta(minutes=5))
    assert made.flavour is Flavour.AUTO
    assert made.tickets[0].since == "first start"
    assert SECRET not in repr(made)


@pytest.mark.parametrize(
    "changes",
    [
        {"auth": {}},
        {"auth": {"email": "a@b.test"}},
        {"auth": {"token": "x"}},
        {"auth": {"email": "a@b.test", "token": "x", "pat": "y"}},
        {"auth": {"username": "a", "pat": "y"}},
        {"auth": {"pat": "y", "key": "z"}},
        {"url": "ftp://x.test"},
        {"url": "http://jira.example.com"},
        {"url": "https://user:pw@jira.example.com"},
        {"url": "https://jira.example.com/?os_authType=basic"},
        {"tickets": [{}]},
        {"tickets": [{"jql": "project = A ORDER BY created"}]},
        {"tickets": [{"project": "A", "since": "tomorrow"}]},
        {"tickets": [{"project": "A"}, {"project": "A"}]},
        {"tickets": [{"project": "A", "projects": ["B"]}]},
        {"fields": {"colour": "priority"}},
        {"fields": {"category": {"field": "labels"}}},
        {"fields": {"category": {"field": "priority", "prefix": "x-"}}},
        {"statuses": {"Limbo": "nowhere"}},
        {"page_size": 0},
        {"page_size": 101},
        {"poll": "often"},
        {"changes": {}},
        {"changes": {"project": "ITH", "mode": "trust"}},
        {"changes": {"project": "ITH", "fields": {"colour": "x"}}},
        {"changes": {"project": "ITH", "votes": -1}},
        {"flavour": "server"},
    ],
)
def test_a_mistake_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**changes)


def test_a_loopback_address_may_do_without_tls() -> None:
    assert settings(url="http://127.0.0.1:8080").base == "http://127.0.0.1:8080"
    assert settings(url="http://localhost:8080/jira").base == "http://localhost:8080/jira"


@pytest.mark.parametrize(
    "value", ["2026-11-20T00:00:00Z", "2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)]
)
def test_a_source_may_begin_at_an_instant(value: object) -> None:
    made = settings(tickets=[{"project": "ITH", "since": value}])
    assert made.tickets[0].since == datetime(2026, 11, 20, tzinfo=UTC)


def test_a_sources_name_survives_a_restart() -> None:
    made = settings(
        tickets=[{"project": "ITH"}, {"jql": "project = A"}, {"name": "vip", "project": "ITH"}]
    )
    assert [source_name(one) for one in made.tickets] == ["ITH", "jql-803f63f7", "vip"]


def test_names_and_ids_of_the_site_go_before_the_shipped_ones() -> None:
    made = settings(
        fields={"priority": "customfield_7"},
        statuses={"Wartet": "on_hold"},
        changes={
            "project": "ITH",
            "fields": {"justification": "customfield_9"},
            "statuses": {"10013": "authorize"},
        },
    )
    assert made.fields[TicketField.PRIORITY].field == "customfield_7"
    assert made.statuses["Wartet"] is TicketState.ON_HOLD
    assert made.changes is not None
    assert made.changes.native(PlanField.JUSTIFICATION) == ("customfield_9",)
    assert made.changes.native(PlanField.BACKOUT) == ("Backout plan",)
    assert made.changes.statuses["10013"] is ChangeState.AUTHORIZE


def test_a_label_stands_for_a_value_with_blanks() -> None:
    target = FieldTarget(field="labels", prefix="group-", values=("Service Desk",))
    assert target.label("Service Desk") == "group-Service-Desk"
    assert target.value("group-service-desk") == "Service Desk"
    assert target.value("group-Other") == "Other"


def test_every_part_of_the_plan_has_a_shipped_field() -> None:
    assert all(ChangeSettings(project="ITH").native(part) for part in PlanField)

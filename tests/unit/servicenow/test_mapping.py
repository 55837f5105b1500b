"""Tables are total over what ServiceNow ships; everything else is an error."""

from datetime import UTC, datetime

import pytest

from connectors.servicenow import mapping as m
from connectors.servicenow.answers import Value, read_record
from connectors.servicenow.journals import token
from connectors.servicenow.mapping import Surroundings, TicketMapping
from connectors.servicenow.settings import ServiceNowSettings
from engine.domain.change import ApprovalState, ChangeState
from engine.domain.refs import Account
from engine.domain.ticket import NativeApproval, Ticket, TicketField, TicketState
from engine.errors import InvalidAnswerError, MissingRightError, UnmappedValueError
from tests.unit.servicenow.conftest import OWN, incident, pair, record, settings

OWN_ACCOUNT = Account(system="snow", id=OWN, name="tiergate")
ABEL = Account(system="snow", id="62826bf03710200044e0bfc8bcbe5df1", name="abel.tuter")
MAPPING = TicketMapping(
    "snow",
    "https://example.service-now.com",
    states={},
    unset={"category": ("inquiry",), "impact": ("3",), "urgency": ("3",)},
    security_categories=("security",),
)
NOTHING = Surroundings(
    OWN_ACCOUNT,
    users={"abel.tuter": ABEL},
    variables={},
    edited={},
    held=frozenset(),
    tasks={},
)


def ticket(**values: str | tuple[str, str]) -> Ticket:
    raw = incident(1) | record(**values)
    return MAPPING.ticket("incident", read_record(raw), NOTHING)


def test_every_state_in_itil_words_has_a_native_value() -> None:
    assert set(m.INCIDENT_STATES.values()) == set(TicketState)
    assert set(m.ROW_STATES.values()) == set(ApprovalState)
    assert set(m.CHANGE_STATES.values()) == set(ChangeState) - {ChangeState.REJECTED}


def test_a_ticket_is_mapped_whole() -> None:
    found = ticket()
    assert found.requester is not None
    assert found.creator == ABEL
    assert found.requester.identity == ABEL.identity
    assert found.channel == "self-service"
    assert found.created_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert found.state is TicketState.NEW
    assert found.native_approval is NativeApproval.NONE
    assert found.fields == {
        TicketField.CATEGORY: "",
        TicketField.ASSIGNMENT_GROUP: "",
        TicketField.PRIORITY: "",
    }
    assert found.url.endswith(f"sys_id={1:032x}")


@pytest.mark.parametrize(
    "values",
    [
        {"state": ("9", "Waiting")},
        {"state": ""},
        {"approval": "perhaps"},
        {"major_incident_state": "later"},
        {"sys_class_name": ("problem", "Problem")},
    ],
)
def test_an_unknown_value_is_an_error_and_never_a_default(values: dict[str, str]) -> None:
    with pytest.raises(UnmappedValueError):
        ticket(**values)


@pytest.mark.parametrize("values", [{"sys_created_on": ""}, {"sys_updated_on": "UNKNOWN"}])
def test_a_record_without_its_times_is_no_ticket(values: dict[str, str]) -> None:
    with pytest.raises(InvalidAnswerError):
        ticket(**values)


def test_a_configured_state_is_known() -> None:
    configured = ServiceNowSettings.model_validate(
        {**settings().model_dump(), "states": {"incident": {"9": "on_hold"}}}
    )
    extended = TicketMapping(
        "snow",
        "https://x.test",
        states={str(k): v for k, v in configured.states.items()},
        unset={},
        security_categories=(),
    )
    assert extended.state("incident", "9") is TicketState.ON_HOLD


def test_a_creator_that_no_account_stands_for_is_nobody() -> None:
    assert ticket(sys_created_by="guest").creator is None


def test_being_assigned_to_the_daemon_is_nobodys_taking() -> None:
    assert ticket(assigned_to=(OWN, "Tiergate Integration")).assignee is None
    taken = ticket(assigned_to=("07826bf03710200044e0bfc8bcbe5d01", "Luke Wilson")).assignee
    assert taken is not None
    assert taken.name == "Luke Wilson"


def test_a_chosen_value_is_not_unset() -> None:
    chosen = ticket(category=("network", "Network"), impact=("1", "1 - High"), priority="3")
    assert chosen.fields[TicketField.CATEGORY] == "network"
    assert chosen.fields[TicketField.PRIORITY] == "3"


def test_major_incidents_and_security_matters_are_marked() -> None:
    assert ticket(major_incident_state="accepted").is_major_incident
    assert not ticket(major_incident_state="").is_major_incident
    assert ticket(category=("security", "Security")).is_security


@pytest.mark.parametrize(
    ("item", "order", "expected"),
    [
        ("not requested", "", NativeApproval.NONE),
        ("approved", "approved", NativeApproval.APPROVED),
        ("not requested", "requested", NativeApproval.PENDING),
        ("approved", "requested", NativeApproval.PENDING),
        ("approved", "rejected", NativeApproval.REJECTED),
        ("requested", "approved", NativeApproval.PENDING),
        ("cancelled", "approved", NativeApproval.PENDING),
        ("not requested", "cancelled", NativeApproval.PENDING),
    ],
)
def test_an_item_is_approved_only_together_with_its_request(
    item: str, order: str, expected: NativeApproval
) -> None:
    raw = incident(1, approval=item, sys_class_name=("sc_req_item", "Requested Item"))
    raw |= record(requested_for=("u", "Abel Tuter"), cat_item="", request="r" if order else "")
    raw["request.approval"] = pair(order)
    found = MAPPING.ticket("sc_req_item", read_record(raw), NOTHING)
    assert found.native_approval is expected
    assert found.subject is not None
    assert found.requester is not None


@pytest.mark.parametrize("column", sorted(m.DECIDING["incident"]))
def test_a_hidden_column_on_which_something_is_decided_is_no_empty_one(column: str) -> None:
    raw = {name: value for name, value in incident(1).items() if name != column}
    with pytest.raises(MissingRightError, match=column):
        MAPPING.ticket("incident", read_record(raw), NOTHING)


@pytest.mark.parametrize("hidden", ["absent", "empty"])
def test_an_item_whose_requests_approval_is_hidden_is_not_taken_for_unasked(hidden: str) -> None:
    raw = incident(1, sys_class_name=("sc_req_item", "Requested Item"))
    raw |= record(requested_for="u", cat_item="", request="r")
    if hidden == "empty":
        raw["request.approval"] = pair("")
    with pytest.raises(MissingRightError, match=r"request\.approval"):
        MAPPING.ticket("sc_req_item", read_record(raw), NOTHING)


def test_a_choice_is_found_by_value_or_label_and_never_guessed() -> None:
    choices = [("inquiry", "Inquiry / Help"), ("network", "Network"), ("net2", "network")]
    assert m.choose("Inquiry / help", choices, field="category") == "inquiry"
    assert m.choose("network", choices, field="category") == "network"
    for wrong in ("Access", "", "NETWORK"):
        with pytest.raises(UnmappedValueError):
            m.choose(wrong, choices, field="category")


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("tiergate: hold", (("hold", ""),)),
        ("Tiergate hold", (("hold", ""),)),
        ("tiergate, hold!", (("hold", ""),)),
        ("tiergate release", ()),
        ("tiergate holds too much", ()),
        ("Tiergate: Accept 5b1e0af2.", (("accept", "5b1e0af2"),)),
        ("ok\ntiergate : wrong person\nthanks", (("wrong person", ""),)),
        ("tiergate: do-it-myself", (("do it myself", ""),)),
        ('I read "tiergate: accept 5b1e0af2" below', ()),
        ("tiergate: accept 5b1e0af2 and more words", ()),
        ("tiergate: hold, please: I know the caller", (("hold", ""),)),
        ("nothing for you", ()),
    ],
)
def test_commands_stand_alone_on_their_line(
    note: str, expected: tuple[tuple[str, str], ...]
) -> None:
    found = m.commands(note)
    known = tuple(one for one in found if one[0] in {*m.ANSWERS, *m.HOLDS})
    assert known == expected


def test_broken_and_hidden_references_keep_their_value() -> None:
    read = read_record({"a": {"display_value": "", "value": "glide.maint"}, "b": None, "c": "x"})
    assert read["a"] == Value("glide.maint", "")
    assert read["b"] == Value("", "")
    assert read["c"] == Value("x", "x")


def test_markers_are_short_stable_and_plain() -> None:
    assert token("a") == token("a")
    assert token("a") != token("b")
    assert token("x^y\n").isascii()
    assert "^" not in token("x^y")


def test_settings_refuse_what_would_be_unsafe() -> None:
    good = settings().model_dump()
    wrongs: tuple[dict[str, object], ...] = (
        {"url": "http://example.service-now.com"},
        {"url": "https://example.service-now.com/nav"},
        {"auth": {}},
        {"auth": {"user": "u"}},
        {"auth": {"oauth": "client_credentials", "client_id": "x"}},
        {"auth": {"api_key": "k", "user": "u", "password": "p"}},
        {"tickets": [{"table": "incident", "filter": "a=b^NQc=d"}]},
        {"tickets": [{"table": "incident"}, {"table": "incident"}]},
        {"tickets": [{"table": "problem"}]},
        {"poll": "soon"},
        {"colour": "red"},
    )
    for wrong in wrongs:
        with pytest.raises(ValueError, match="validation error"):
            ServiceNowSettings.model_validate({**good, **wrong})


def test_settings_show_no_secret() -> None:
    found = settings(auth={"user": "who", "password": "hush"})
    assert "hush" not in repr(found)

"""What `check` says of the desk gate, and what its settings refuse."""

from typing import Any

import pytest
from pydantic import ValidationError

from engine.ports.findings import Severity
from tests.integration.servicenow.conftest import TABLE, Call, Connect


def codes(connect: Connect, **changes: Any) -> dict[str, Severity]:
    return {one.code: one.severity for one in connect(**changes).desk.check()}


def test_the_desk_gate_needs_its_column(connect: Connect) -> None:
    way = {"by": "field", "field": "u_plan_answer", "accept": "yes"}
    found = codes(connect, desk=way)
    assert found["column:incident.u_plan_answer"] is Severity.FAULT


def test_a_gate_whose_history_is_hidden_says_so(connect: Connect, call: Call) -> None:
    way = {"by": "state", "accept": "2"}
    role = call("GET", f"{TABLE}/sys_user_role?sysparm_query=name=history_reader")[0]["sys_id"]
    held = call(
        "GET", f"{TABLE}/sys_user_has_role?sysparm_query=user.user_name=tiergate^role={role}"
    )
    for row in held:
        call("DELETE", f"{TABLE}/sys_user_has_role/{row['sys_id']}")
    call("PATCH", f"{TABLE}/incident/{made(call)}", json={"state": "2"})
    assert Severity.FAULT in {
        one.severity for one in connect(desk=way).desk.check() if one.code == "unreadable:sys_audit"
    }


def made(call: Call) -> str:
    body = {"short_description": "x"}
    sys_id: str = call("POST", f"{TABLE}/incident", by="luke.wilson", json=body)["sys_id"]
    return sys_id


def test_a_whole_gate_has_no_fault(connect: Connect) -> None:
    way = {"by": "field", "field": "user_input", "accept": "accept {code}"}
    assert Severity.FAULT not in codes(connect, desk=way).values()


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ({"by": "approval"}, "is a way of Jira"),
        ({"by": "state"}, "need a value `accept`"),
        ({"by": "state", "accept": "6"}, "is no state in which"),
        ({"by": "state", "accept": "3"}, "is no state in which"),
        ({"by": "state", "accept": "nonsense"}, "is no state in which"),
        ({"by": "field", "accept": "yes"}, "needs the name of a `field`"),
        ({"by": "note", "accept": "yes"}, "no other way has one"),
        ({"by": "note", "field": "x"}, "no other way has one"),
        ({"by": "field", "field": "x", "accept": "no", "wrong_person": "No"}, "value of its own"),
        ({"by": "state", "accept": "2", "wrong_person": "{code}"}, "carries no plan code"),
        ({"by": "telepathy"}, "desk.by"),
    ],
)
def test_a_way_that_cannot_be_is_refused(connect: Connect, way: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        connect(desk=way)

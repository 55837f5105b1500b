from typing import Any

import pytest

from config.expressions import (
    EvaluationError,
    ExpressionError,
    compared_literals,
    compile_expression,
)
from config.vocabulary import PERSON, Kind, Members
from engine.domain.canonical import JSON

NAMES = Members(
    {
        "action": Kind.STRING,
        "subject": PERSON,
        "requester": PERSON,
        "params": Members({"until": Kind.STRING, "group": Members({"members": Kind.NUMBER})}),
    }
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("subject.vip", True),
        ("!subject.vip", False),
        ('subject.kind == "person" && action != "x"', True),
        ('"git" in subject.groups', True),
        ('subject.groups.exists(g, g.startsWith("g"))', True),
        ('subject.groups.all(g, g == "git")', True),
        ("size(subject.groups) > 1", False),
        ("subject.groups.size() + 1 == 2", True),
        ('params["group"].members > 5', True),
        ("has(params.until)", False),
        ('(subject.vip ? "a" : "b") == "a"', True),
        ('subject.department.contains("in") || false', True),
        ("params.group.members - 1 >= 5 && !(1 > 2)", True),
        ("subject.department in [requester.department, action]", True),
    ],
)
def test_expressions_hold_or_not(source: str, expected: bool) -> None:  # noqa: FBT001  a table
    person: dict[str, JSON] = {
        "vip": True,
        "kind": "person",
        "groups": ["git"],
        "department": "Engineering",
    }
    facts: dict[str, JSON] = {
        "action": "reset_password",
        "subject": person,
        "requester": person,
        "params": {"group": {"members": 6}},
    }
    assert compile_expression(source, NAMES).holds(facts) is expected


@pytest.mark.parametrize(
    ("source", "message", "column"),
    [
        ("subjekt.vip", 'unknown field "subjekt" (did you mean "subject"?)', 0),
        ("true && subject.wip", 'unknown field "wip" (did you mean "vip"?)', 16),
        ('params["grp"].members > 1', 'unknown field "grp" (did you mean "group"?)', 7),
        ("subject.vip.very", '"very" is asked of true or false', 12),
        ("subject", "is a mapping (expected true or false)", 0),
        ("subject == requester", "compares a whole mapping (name one of its keys)", 11),
        ("subject.vip && action", "is a text (expected true or false)", 15),
        ("-action == 1", "is a text (expected a number)", 1),
        ("action + 1 == 2", "is a text (expected a number)", 0),
        ('action in "abc"', "`in` needs a list, not a text", 10),
        ('action.matches("a")', 'unknown function "matches"', 7),
        ("subject.groups[action] == 1", "is indexed in a way that cannot work", 15),
        ("action.exists(a, true)", "exists() needs a list, a name and a condition", 7),
        ('{"a": 1}.a == 1', "uses a form of CEL that rules do not need", 0),
        ("action == null", "holds a literal that no fact can equal", 10),
        ("subject.groups.exists(g, action)", "is a text (expected true or false)", 25),
        ("1 ? true : false", "is a number (expected true or false)", 0),
        ("action =", "is not a CEL expression", 7),
    ],
)
def test_what_cannot_work_is_found_before_it_runs(source: str, message: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source, NAMES)
    assert caught.value.message.startswith(message)
    assert caught.value.column == column


@pytest.mark.parametrize(
    "facts",
    [{}, {"subject": {}}, {"subject": {"vip": "yes"}}, {"subject": {"vip": None}}, {"subject": []}],
)
def test_facts_that_do_not_fit_are_an_error_and_no_answer(facts: dict[str, Any]) -> None:
    expression = compile_expression("subject.vip", NAMES)
    with pytest.raises(EvaluationError):
        expression.holds(facts)


def test_a_missing_fact_is_named_in_words() -> None:
    with pytest.raises(EvaluationError, match=r"^vip is not known$"):
        compile_expression("subject.vip", NAMES).holds({"subject": {}})


def test_actions_that_a_rule_compares_with_are_found() -> None:
    source = 'action == "a" || "b" == action || action in ["c", "d"] || subject.kind == "e"'
    assert [name for name, _ in compared_literals(source, "action")] == ["a", "b", "c", "d"]
    assert compared_literals('action != "a"', "action") == [("a", 10)]

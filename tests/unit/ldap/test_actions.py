"""The catalogue itself: total, consistent, and with risks that code owns."""

from datetime import UTC, datetime

import pytest

from connectors.ldap.actions import CATALOGUE, checked_parameters, end_of
from connectors.ldap.dialect import Dialect
from connectors.ldap.operations import operations
from engine.domain.action import Backout, Tier
from engine.errors import PreconditionError

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class NoDialect:
    """Operations are only looked up here, never run."""


def test_every_action_has_an_operation_and_every_sentence_that_people_read() -> None:
    dialect: Dialect = NoDialect()  # type: ignore[assignment]  # as its docstring says
    assert set(operations(dialect)) == set(CATALOGUE)
    for name, spec in CATALOGUE.items():
        assert spec.name == name
        assert all((spec.does, spec.precondition, spec.verification))
        assert all(parameter.does for parameter in spec.parameters)


def test_the_floors_are_those_of_the_documents() -> None:
    assert {name: spec.least_risk.floor for name, spec in CATALOGUE.items()} == {
        "reset_password": Tier.ONE,
        "unlock_account": Tier.ONE,
        "add_group_member": Tier.TWO,
        "remove_group_member": Tier.TWO,
        "disable_account": Tier.THREE,
    }


def test_an_inverse_is_in_the_catalogue_and_points_back() -> None:
    for spec in CATALOGUE.values():
        if spec.inverse:
            assert CATALOGUE[spec.inverse].inverse == spec.name
    undoable = {name for name, spec in CATALOGUE.items() if spec.backout is Backout.INVERSE}
    assert undoable == {"add_group_member", "remove_group_member", "disable_account"}


def test_parameters_are_those_of_the_action() -> None:
    spec = CATALOGUE["add_group_member"]
    assert checked_parameters(spec, {"group": " git ", "until": " "}) == {"group": "git"}
    with pytest.raises(PreconditionError, match="needs a group"):
        checked_parameters(spec, {"group": " "})
    with pytest.raises(PreconditionError, match="no parameter"):
        checked_parameters(spec, {"group": "git", "dn": "cn=x"})


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-11-20", "2026-11-20T23:59:59Z"),
        ("2026-12-24", "2026-12-24T23:59:59Z"),
        ("2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00Z"),
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00Z"),
    ],
)
def test_an_end_is_an_instant_in_utc(text: str, end: str) -> None:
    assert end_of(text, NOW) == end
    assert end_of(end, NOW) == end


@pytest.mark.parametrize(
    "text", ["2026-11-19", "24.12.2026", "tomorrow", "2026-13-01", "2026-12-24T18:00:00", ""]
)
def test_an_end_that_is_past_or_no_date_is_refused(text: str) -> None:
    with pytest.raises(PreconditionError):
        end_of(text, NOW)

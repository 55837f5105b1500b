"""`check` sees when our own account could approve by an authority's group."""

from dataclasses import dataclass
from typing import cast

import pytest

from engine.domain.change import Membership
from engine.domain.decision import Authority
from engine.domain.refs import Account, Person
from engine.errors import AuthenticationError, MissingRightError, TiergateError, TransientError
from engine.ports.changes import ChangeControl
from engine.ports.findings import Severity
from engine.service.separation import check_authorities

DAEMON = Account(system="servicenow", id="d0", name="tiergate")
OWNER = Account(system="servicenow", id="o1", name="Howard Johnson")
OWNERS = Authority(name="owners", groups={"servicenow": "g1"})


@dataclass
class Group:
    """The part of a change control that this check asks."""

    people: tuple[Account, ...] | None = ()
    error: TiergateError | None = None
    system: str = "servicenow"

    def account(self) -> Account:
        return DAEMON

    def members(self, group_id: str) -> tuple[Membership, ...] | None:
        assert group_id == "g1"
        if self.error:
            raise self.error
        if self.people is None:
            return None
        return tuple(Membership(account=one, since=None) for one in self.people)


@pytest.mark.parametrize(
    ("group", "severity"),
    [
        (Group(people=(OWNER,)), Severity.OK),
        (Group(people=(OWNER, DAEMON)), Severity.UNSAFE),
        (Group(people=()), Severity.FAULT),
        (Group(people=None), Severity.FAULT),
        (Group(error=MissingRightError("sys_user_grmember")), Severity.FAULT),
    ],
)
def test_every_answer_of_the_group_has_its_severity(group: Group, severity: Severity) -> None:
    found = check_authorities({"servicenow": cast("ChangeControl", group)}, [OWNERS])
    assert [finding.severity for finding in found] == [severity]
    assert severity is Severity.OK or found[0].remedy


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (TransientError("no route to host"), "reached"),
        (AuthenticationError("the credentials were refused"), "credentials"),
        (MissingRightError("users"), "read group"),
    ],
)
def test_a_host_that_is_away_or_a_refused_password_is_no_missing_right(
    error: TiergateError, remedy: str
) -> None:
    (found,) = check_authorities(
        {"servicenow": cast("ChangeControl", Group(error=error))}, [OWNERS]
    )
    assert remedy in found.remedy
    assert str(error) in found.seen


def test_an_authority_without_a_group_in_a_system_says_nothing_of_it() -> None:
    assert not check_authorities({"jira": cast("ChangeControl", Group())}, [OWNERS])


def test_the_person_behind_our_account_is_none_of_the_approvers_under_any_account() -> None:
    admin = Account(system="servicenow", id="o2", name="Ada's second account")
    ada = Person(key="7", name="Ada", directory_id="d", accounts=(DAEMON, admin))
    howard = Person(key="8", name="Howard", directory_id="e", accounts=(OWNER,))
    known = {DAEMON.id: ada, admin.id: ada, OWNER.id: howard}

    def found(*people: Account, own: Person | None = ada) -> str:
        control = cast("ChangeControl", Group(people=people))
        persons = {**known, DAEMON.id: own}
        (finding,) = check_authorities(
            {"servicenow": control}, [OWNERS], lambda account: persons.get(account.id)
        )
        return f"{finding.severity} {finding.seen}"

    assert found(OWNER, admin).startswith("unsafe Ada's second account belongs to")
    assert found(OWNER).startswith("ok")
    assert found(OWNER, admin, own=None).startswith("ok")

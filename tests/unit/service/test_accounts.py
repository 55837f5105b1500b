"""A system is shut while our account there is unsafe, and opened only by a clean look."""

from datetime import timedelta

import pytest

from engine.errors import ConfigurationError, PermanentError, UnsafeAccountError
from engine.ports.findings import Finding, Severity
from engine.service.accounts import Accounts
from engine.testing.clocks import ManualClock


def finding(severity: Severity) -> Finding:
    return Finding(
        severity=severity,
        code="could-approve",
        system="sn",
        seen="our account has approver_user",
        remedy="take the role away",
    )


class Looks:
    """What a system would find, and how often it was asked."""

    def __init__(self) -> None:
        self.found: tuple[Finding, ...] = ()
        self.count = 0

    def __call__(self) -> tuple[Finding, ...]:
        self.count += 1
        return self.found


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def looks() -> Looks:
    return Looks()


@pytest.fixture
def accounts(looks: Looks, clock: ManualClock) -> Accounts:
    return Accounts({"sn": looks}, clock)


def test_an_unsafe_account_shuts_its_system_and_says_how_to_mend_it(
    accounts: Accounts, looks: Looks
) -> None:
    looks.found = (finding(Severity.OK), finding(Severity.UNSAFE))
    assert accounts.look("sn") == looks.found
    assert accounts.is_shut("sn")
    with pytest.raises(UnsafeAccountError, match=r"approver_user \(take the role away\)"):
        accounts.require_safe("sn")


@pytest.mark.parametrize("severity", [Severity.OK, Severity.WARNING, Severity.FAULT])
def test_nothing_less_shuts_a_system(accounts: Accounts, looks: Looks, severity: Severity) -> None:
    looks.found = (finding(severity),)
    accounts.look("sn")
    accounts.require_safe("sn")
    assert not accounts.is_shut("sn")


@pytest.mark.parametrize(
    ("severity", "is_shut"),
    [
        (Severity.OK, False),
        (Severity.WARNING, False),
        (Severity.FAULT, True),
        (Severity.UNSAFE, True),
    ],
)
def test_a_shut_system_opens_only_when_all_could_be_read_and_nothing_is_unsafe(
    accounts: Accounts, looks: Looks, severity: Severity, *, is_shut: bool
) -> None:
    looks.found = (finding(Severity.UNSAFE),)
    accounts.look("sn")
    looks.found = (finding(severity),)
    accounts.look("sn")
    assert accounts.is_shut("sn") is is_shut


def test_the_watch_does_not_ask_twice_in_a_minute(
    accounts: Accounts, looks: Looks, clock: ManualClock
) -> None:
    accounts.watch("sn")
    accounts.watch("sn")
    assert looks.count == 1
    clock.advance(timedelta(minutes=1))
    accounts.watch("sn")
    assert looks.count == 2


def test_the_watch_tells_that_a_system_is_shut_each_time(accounts: Accounts, looks: Looks) -> None:
    looks.found = (finding(Severity.UNSAFE),)
    for _ in range(2):
        with pytest.raises(UnsafeAccountError):
            accounts.watch("sn")


def test_a_system_of_which_nothing_is_known_is_not_shut(accounts: Accounts) -> None:
    accounts.require_safe("mail")
    assert accounts.systems == ("sn",)


def test_an_unsafe_account_is_no_mistake_of_the_configuration() -> None:
    assert not issubclass(UnsafeAccountError, ConfigurationError)


@pytest.mark.parametrize("is_polled", [True, False])
def test_a_system_that_nothing_polls_is_told_when_it_refuses_us(
    looks: Looks, clock: ManualClock, *, is_polled: bool
) -> None:
    accounts = Accounts({"ldap": looks}, clock, unpolled=() if is_polled else {"ldap"})
    looks.found = (finding(Severity.FAULT),)
    if is_polled:
        accounts.watch("ldap")
        return
    for _ in range(2):
        with pytest.raises(PermanentError, match=r"approver_user \(take the role away\)"):
            accounts.watch("ldap")
    looks.found = (finding(Severity.OK), finding(Severity.FAULT))
    clock.advance(timedelta(minutes=2))
    accounts.watch("ldap")

"""What `check` finds, at every directory."""

from datetime import timedelta

import pytest

from connectors.ldap.factory import LDAPAdapters
from engine.errors import InvalidAnswerError
from engine.ports.findings import Finding, Severity
from tests.integration.ldap.worlds import World


def found(adapters: LDAPAdapters) -> dict[str, Finding]:
    return {finding.code: finding for finding in adapters.fulfiller.check()}


@pytest.fixture(autouse=True)
def _present(world: World) -> None:
    world.clock.shift = timedelta(0)
    world.someone()


def test_an_account_with_the_documented_rights_fits(world: World, adapters: LDAPAdapters) -> None:
    codes = set(found(adapters)) - {"not_encrypted"}
    assert codes <= {"reachable", "rights_fit"}
    assert "not_encrypted" not in found(adapters) or world.name == "sandbox"


def test_an_administrator_is_over_mighty(world: World) -> None:
    admin = {"dn": world.admin.user, "password": world.admin.password}
    findings = found(world.adapters(bind=admin))
    unsafe = {code for code, one in findings.items() if one.severity is Severity.UNSAFE}
    assert {"may_write_base", "may_write_trusted", "may_write_protected"} <= unsafe
    assert world.is_windows == ("bind_account_privileged" in unsafe)


def test_an_account_without_rights_lacks_them(world: World) -> None:
    someone = world.someone()
    findings = found(
        world.adapters(bind={"dn": someone.dn, "password": someone.password}, changes_log="")
    )
    assert findings["lacks_rights"].severity is Severity.FAULT


def test_a_wrong_password_is_told_and_nothing_of_it(world: World) -> None:
    own = str(world.base_settings["bind"])
    wrong = {"dn": world.own_dn, "password": "not-the-password-9"}
    findings = world.adapters(bind=wrong).fulfiller.check()
    assert [finding.code for finding in findings] == ["credentials_refused"]
    assert "not-the-password-9" not in repr(findings)
    assert own


def test_a_server_that_is_not_there_is_unreachable(world: World) -> None:
    findings = found(world.adapters(url="ldaps://127.0.0.1:1", start_tls=False))
    assert findings["unreachable"].severity is Severity.FAULT


def test_a_certificate_that_does_not_hold_is_told(world: World) -> None:
    if world.name == "sandbox":  # it speaks TLS in a test of its own
        return
    for wrong in ({"ca_file": ""}, {"tls_name": "elsewhere.example.test"}):
        findings = found(world.adapters(**wrong))
        assert findings["unusable"].severity is Severity.FAULT
        assert "certificate" in findings["unusable"].seen


def test_a_base_that_is_not_there_is_an_error_and_not_an_empty_directory(world: World) -> None:
    someone = world.someone()
    adapters = world.adapters(people=f"ou=nowhere,{world.people}")
    assert found(adapters)["unusable"].severity is Severity.FAULT
    with pytest.raises(InvalidAnswerError, match="hidden"):
        world.person(adapters, someone)


def test_an_access_log_that_cannot_be_read_is_told(unix: World) -> None:
    unix.clock.shift = timedelta(0)
    findings = found(unix.adapters(changes_log="cn=no-such-log"))
    assert findings["log_unreadable"].severity is Severity.WARNING


def test_a_clock_that_is_off_is_told(world: World, adapters: LDAPAdapters) -> None:
    world.clock.shift = timedelta(seconds=45)
    assert found(adapters)["clock_off"].severity is Severity.FAULT
    world.clock.shift = timedelta(seconds=-45)
    assert found(adapters)["clock_off"].severity is Severity.FAULT


def test_a_protected_group_that_is_none_is_unsafe(world: World) -> None:
    findings = found(world.adapters(protected_groups=["no-such-group"]))
    assert findings["protects_nothing"].severity is Severity.UNSAFE


def test_an_ordinary_group_that_is_none_is_told(world: World) -> None:
    findings = found(world.adapters(ordinary=["no-such-group"]))
    assert findings["ordinary_unknown"].severity is Severity.WARNING


def test_check_changes_nothing(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    attribute = "whenChanged" if world.is_windows else "modifyTimestamp"
    before = world.read(someone.dn, attribute)
    admin = {"dn": world.admin.user, "password": world.admin.password}
    world.adapters(bind=admin).fulfiller.check()
    adapters.fulfiller.check()
    assert world.read(someone.dn, attribute) == before
    assert world.bind_code(someone.dn, someone.password)[0] == 0

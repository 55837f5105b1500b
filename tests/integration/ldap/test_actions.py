"""Every action at every directory: done, proved, repeated, taken back, refused."""

import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from ldap3 import MODIFY_REPLACE

from connectors.ldap.factory import LDAPAdapters
from engine.domain.action import BoundAction
from engine.domain.effect import Evidence
from engine.errors import LeaseLostError, PreconditionError, TiergateError
from tests.integration.ldap.worlds import Someone, World

MINUTE = timedelta(minutes=1)


class Run:
    """One effect, as the engine runs it."""

    def __init__(
        self,
        world: World,
        adapters: LDAPAdapters,
        action: str,
        subject: Someone,
        parameters: Mapping[str, str] | None = None,
        key: str = "effect-key-1",
    ) -> None:
        self.world, self.fulfiller, self.key = world, adapters.fulfiller, key
        person = world.person(adapters, subject)
        self.bound: BoundAction = self.fulfiller.bind(
            action, subject=person, parameters=parameters or {}
        )
        self.baseline = self.fulfiller.baseline(self.bound)

    def implement(self) -> None:
        self.fulfiller.implement(
            self.bound,
            key=self.key,
            baseline=self.baseline,
            deadline=self.world.clock.now() + MINUTE,
        )

    def verify(self) -> Evidence:
        return self.fulfiller.verify(self.bound, key=self.key, baseline=self.baseline)

    def back_out(self) -> Evidence:
        return self.fulfiller.back_out(self.bound, key=self.key, baseline=self.baseline)

    @property
    def secret(self) -> str:
        secret = self.fulfiller.secret(self.bound, key=self.key)
        assert secret is not None
        return secret.value


def test_a_reset_sets_the_derived_password_which_must_be_changed(
    world: World, adapters: LDAPAdapters
) -> None:
    someone = world.someone()
    run = Run(world, adapters, "reset_password", someone)
    assert not run.verify().is_as_planned
    run.implement()
    evidence = run.verify()
    assert evidence.is_as_planned, evidence
    code, diagnostic = world.bind_code(someone.dn, run.secret)
    if world.is_windows:
        assert code == 49
        assert "data 773" in diagnostic
    else:
        assert code == 0
        assert world.read(someone.dn, "pwdReset") == [b"TRUE"]
    assert world.bind_code(someone.dn, someone.password)[0] == 49


def test_a_reset_that_is_repeated_leaves_the_same_password(
    world: World, adapters: LDAPAdapters
) -> None:
    run = Run(world, adapters, "reset_password", world.someone())
    run.implement()
    run.implement()
    assert run.verify().is_as_planned


def test_a_reset_by_somebody_else_is_not_taken_for_ours(
    world: World, adapters: LDAPAdapters
) -> None:
    someone = world.someone()
    ours = Run(world, adapters, "reset_password", someone, key="ours")
    theirs = Run(world, adapters, "reset_password", someone, key="theirs")
    theirs.implement()
    evidence = ours.verify()
    assert not evidence.is_as_planned
    assert evidence.because


def test_a_reset_cut_off_between_its_two_writes_is_known_as_ours_and_finished(
    world: World, adapters: LDAPAdapters
) -> None:
    if world.is_windows:
        pytest.skip("Active Directory takes password and demand in one write")
    someone = world.someone()
    run = Run(world, adapters, "reset_password", someone)
    # The mark has a grain of a second, and this account is younger than that.
    run.baseline = {"password_mark": "20260101000000Z"}
    adapters.transport.set_password(someone.dn, run.secret)
    adapters.transport.modify(someone.dn, {"pwdReset": [(MODIFY_REPLACE, [])]})
    evidence = run.verify()
    assert not evidence.is_as_planned
    assert evidence.is_partly_ours
    run.implement()
    assert run.verify().is_as_planned


def test_a_reset_lifts_the_lock(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    world.lock(someone)
    run = Run(world, adapters, "reset_password", someone)
    run.implement()
    assert run.verify().is_as_planned
    assert not world.person(adapters, someone).facts["locked"]


def test_a_reset_of_a_disabled_account_is_refused(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    run = Run(world, adapters, "reset_password", someone)
    Run(world, adapters, "disable_account", someone).implement()
    with pytest.raises(PreconditionError, match="disabled"):
        Run(world, adapters, "reset_password", someone)
    with pytest.raises(PreconditionError, match="disabled"):
        run.implement()
    assert world.person(adapters, someone).facts["active"] is False


def test_a_reset_without_an_address_to_send_it_to_is_refused(
    world: World, adapters: LDAPAdapters
) -> None:
    someone = world.someone(**{world.private_mail: None})
    run = Run(world, adapters, "reset_password", someone)
    with pytest.raises(PreconditionError):
        run.implement()
    if not world.is_windows:
        assert world.bind_code(someone.dn, someone.password)[0] == 0


def test_a_reset_cannot_be_undone_and_says_so(world: World, adapters: LDAPAdapters) -> None:
    run = Run(world, adapters, "reset_password", world.someone())
    run.implement()
    with pytest.raises(PreconditionError, match="cannot be undone"):
        run.back_out()


def test_no_secret_is_in_anything_that_is_kept_or_shown(
    world: World, adapters: LDAPAdapters, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    someone = world.someone()
    run = Run(world, adapters, "reset_password", someone)
    run.implement()
    kept = f"{run.bound!r}{run.baseline!r}{run.verify()!r}{run.fulfiller.describe(run.bound)!r}"
    assert run.secret not in kept + caplog.text
    assert run.secret not in repr(run.fulfiller.secret(run.bound, key=run.key))
    world.delete(someone.dn)
    with pytest.raises(TiergateError) as caught:
        run.implement()
    assert run.secret not in "".join(traceback.format_exception(caught.value))


def test_a_lock_by_failed_logins_is_lifted(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    world.lock(someone)
    assert world.bind_code(someone.dn, someone.password)[0] == 49
    run = Run(world, adapters, "unlock_account", someone)
    assert not run.verify().is_as_planned
    run.implement()
    assert run.verify().is_as_planned
    assert world.bind_code(someone.dn, someone.password)[0] == 0
    run.implement()
    assert run.verify().is_as_planned


def test_an_account_that_is_not_locked_is_not_unlocked(
    world: World, adapters: LDAPAdapters
) -> None:
    with pytest.raises(PreconditionError, match="not locked"):
        Run(world, adapters, "unlock_account", world.someone())


def test_a_disabled_account_is_not_unlocked(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    Run(world, adapters, "disable_account", someone).implement()
    with pytest.raises(PreconditionError):
        Run(world, adapters, "unlock_account", someone)


def test_a_member_is_added_and_nobody_else_changes(world: World, adapters: LDAPAdapters) -> None:
    other, someone = world.someone(), world.someone()
    group = world.group(other)
    run = Run(world, adapters, "add_group_member", someone, {"group": group})
    assert not run.verify().is_as_planned
    run.implement()
    assert run.verify().is_as_planned
    run.implement()
    assert run.verify().is_as_planned
    assert world.members(group) == {other.dn.lower(), someone.dn.lower()}


def test_a_membership_that_this_run_made_is_taken_back(
    world: World, adapters: LDAPAdapters
) -> None:
    other, someone = world.someone(), world.someone()
    group = world.group(other)
    run = Run(world, adapters, "add_group_member", someone, {"group": group})
    run.implement()
    assert run.back_out().is_as_planned
    assert world.members(group) == {other.dn.lower()}
    assert run.back_out().is_as_planned


def test_a_membership_that_was_there_before_is_left(world: World, adapters: LDAPAdapters) -> None:
    other, someone = world.someone(), world.someone()
    group = world.group(other)
    run = Run(world, adapters, "add_group_member", someone, {"group": group})
    world.change(world.group_dn(group), "member", other.dn, someone.dn)
    run.baseline = run.fulfiller.baseline(run.bound)
    with pytest.raises(PreconditionError, match="already a member"):
        run.implement()
    assert run.back_out().is_as_planned
    assert world.members(group) == {other.dn.lower(), someone.dn.lower()}


def test_a_change_of_other_members_meanwhile_is_not_as_planned(
    world: World, adapters: LDAPAdapters
) -> None:
    other, third, someone = world.someone(), world.someone(), world.someone()
    group = world.group(other)
    run = Run(world, adapters, "add_group_member", someone, {"group": group})
    run.implement()
    world.change(world.group_dn(group), "member", other.dn, third.dn, someone.dn)
    evidence = run.verify()
    assert not evidence.is_as_planned
    assert "other members" in evidence.because


def test_an_end_date_is_bound_as_the_last_second_of_its_day(
    world: World, adapters: LDAPAdapters
) -> None:
    someone = world.someone()
    group = world.group(world.someone())
    wanted = {"group": group, "until": "2099-12-31"}
    run = Run(world, adapters, "add_group_member", someone, wanted)
    assert run.bound.values == {"until": "2099-12-31T23:59:59Z"}
    with pytest.raises(PreconditionError, match="past"):
        Run(world, adapters, "add_group_member", someone, {**wanted, "until": "2001-01-01"})


def test_a_member_is_removed_and_put_back(world: World, adapters: LDAPAdapters) -> None:
    other, someone = world.someone(), world.someone()
    group = world.group(other, someone)
    run = Run(world, adapters, "remove_group_member", someone, {"group": group})
    run.implement()
    run.implement()
    assert run.verify().is_as_planned
    assert world.members(group) == {other.dn.lower()}
    assert run.back_out().is_as_planned
    assert world.members(group) == {other.dn.lower(), someone.dn.lower()}


def test_somebody_who_is_no_member_is_not_removed(world: World, adapters: LDAPAdapters) -> None:
    group = world.group(world.someone())
    with pytest.raises(PreconditionError, match="no member"):
        Run(world, adapters, "remove_group_member", world.someone(), {"group": group})


def test_an_account_is_disabled_and_enabled_again(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    run = Run(world, adapters, "disable_account", someone)
    run.implement()
    run.implement()
    assert run.verify().is_as_planned
    assert world.bind_code(someone.dn, someone.password)[0] == 49
    with pytest.raises(PreconditionError, match="already"):
        Run(world, adapters, "disable_account", someone)
    assert run.back_out().is_as_planned
    assert world.bind_code(someone.dn, someone.password)[0] == 0
    assert not run.verify().is_as_planned


def test_disabling_a_locked_account_puts_the_lock_back_when_taken_back(
    world: World, adapters: LDAPAdapters
) -> None:
    someone = world.someone()
    world.lock(someone)
    run = Run(world, adapters, "disable_account", someone)
    run.implement()
    assert run.verify().is_as_planned
    run.back_out()
    facts = world.person(adapters, someone).facts
    assert facts["active"]
    # A domain controller lifts the lock with any write of userAccountControl.
    assert facts["locked"] is not world.is_windows


def test_the_subject_is_found_by_its_id_after_a_rename(
    world: World, adapters: LDAPAdapters
) -> None:
    someone = world.someone()
    group = world.group(world.someone())
    run = Run(world, adapters, "add_group_member", someone, {"group": group})
    first = f"{'CN' if world.is_windows else 'uid'}=renamed.{someone.number}"
    world.rename(someone.dn, first)
    run.implement()
    assert run.verify().is_as_planned
    renamed = f"{first},{world.people}".lower()
    assert renamed in world.members(group)


def test_a_subject_that_is_gone_is_not_as_planned(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    run = Run(world, adapters, "disable_account", someone)
    world.delete(someone.dn)
    with pytest.raises(PreconditionError):
        run.implement()
    assert not run.verify().is_as_planned


def test_nothing_is_done_after_the_deadline(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    run = Run(world, adapters, "disable_account", someone)
    with pytest.raises(LeaseLostError):
        run.fulfiller.implement(
            run.bound, key=run.key, baseline=run.baseline, deadline=world.clock.now()
        )
    assert not run.verify().is_as_planned


def test_a_group_that_is_named_by_nothing_or_too_loosely_is_refused(
    world: World, adapters: LDAPAdapters
) -> None:
    someone = world.someone()
    for name in ("no-such-group", "*", "test-group-*", ""):
        with pytest.raises(PreconditionError):
            Run(world, adapters, "add_group_member", someone, {"group": name})


def test_a_plan_of_another_version_or_target_is_refused(
    world: World, adapters: LDAPAdapters
) -> None:
    run = Run(world, adapters, "disable_account", world.someone())
    for wrong in (replace(run.bound, version=99), replace(run.bound, system="elsewhere")):
        with pytest.raises(PreconditionError):
            run.fulfiller.baseline(wrong)


def test_the_plan_shows_fresh_facts_of_subject_and_group(
    world: World, adapters: LDAPAdapters
) -> None:
    other, someone = world.someone(), world.someone()
    group = world.group(other)
    run = Run(world, adapters, "add_group_member", someone, {"group": group})
    assert run.bound.targets["group"].facts["members"] == "1"
    run.implement()
    shown = run.fulfiller.describe(run.bound)
    assert set(shown) == {"subject", "group"}
    assert shown["group"].facts["members"] == "2"
    assert shown["group"].facts["ordinary"] == "false"
    assert shown["subject"].name == someone.uid
    for name in (group.upper(), world.group_dn(group), shown["group"].id):
        again = Run(world, adapters, "remove_group_member", someone, {"group": name})
        assert again.bound.targets["group"].id == shown["group"].id
    assert shown["subject"].id == run.bound.subject.id


def test_many_threads_share_one_connection_and_each_gets_its_own_answer(
    world: World, adapters: LDAPAdapters
) -> None:
    everybody = [world.someone() for _ in range(8)]

    def disable(someone: Someone) -> tuple[str, bool]:
        run = Run(world, adapters, "disable_account", someone, key=someone.uid)
        run.implement()
        return run.bound.subject.name, run.verify().is_as_planned

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert list(pool.map(disable, everybody)) == [(one.uid, True) for one in everybody]

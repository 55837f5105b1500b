"""Attacks between two moments: on the target, on time, on the store, and between two reads."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.bootstrap import open_installation
from engine.domain.stage import Stage
from tests.e2e.attacks.directory import nest_group, recreate_group, rename_group
from tests.e2e.attacks.forbidden import forbidden
from tests.e2e.attacks.offices import JiraOffice, ServiceNowOffice, sys_id
from tests.e2e.attacks.scene import DONE, ON_HOLD, Attack, Play, perform
from tests.e2e.attacks.theatre import Company, act_after, edit_yaml

SN = Play[ServiceNowOffice]
JSM = Play[JiraOffice]
REPORTS = (
    "Finance-Reports for the audit",
    "Please make me a member of the directory group Finance-Reports before the auditors come.",
)


def yes(play: SN) -> None:
    play.office.approve("howard.johnson")
    play.pass_time(seconds=5)
    play.office.change()


def target_recreated(play: SN) -> None:
    yes(play)
    recreate_group(play.theatre, "PROD-DB-Admins")


def target_renamed_and_replaced(play: SN) -> None:
    yes(play)
    rename_group(play.theatre, "PROD-DB-Admins", "Retired-Admins")


def target_nested(play: SN) -> None:
    yes(play)
    nest_group(play.theatre, "Finance-Reports", "PROD-DB-Admins")


def freeze_before_the_window(play: SN) -> Callable[[Any], None]:
    """A freeze that begins between the approval and the window."""
    begins = play.theatre.clock.now() + timedelta(hours=2)

    def tighten(tiers: Any) -> None:
        tiers["gate"]["window"] = {"lead": "3h", "length": "2h"}
        tiers["freezes"] = [
            {
                "name": "Audit",
                "from": begins.isoformat(timespec="minutes"),
                "to": (begins + timedelta(days=3)).isoformat(timespec="minutes"),
                "tiers": [2, 3],
            }
        ]

    return tighten


def the_window_opens_in_the_freeze(play: SN) -> None:
    yes(play)
    play.settle()
    assert play.theatre.effects() == []
    play.pass_time(hours=2)


def withdrawn_before_the_second_read(play: SN) -> None:
    yes(play)
    office = play.office
    row = office.row("howard.johnson")
    act_after(
        play.company,
        "claim",
        lambda: office.script("sysapproval_approver", row, {"state": "rejected"}),
    )


def edited_before_the_second_read(play: SN) -> None:
    yes(play)

    def edit() -> None:
        play.office.edit("implementation", "Add everybody.")

    act_after(play.company, "claim", edit)


def held_before_the_second_read(play: SN) -> None:
    yes(play)
    act_after(play.company, "claim", play.office.hold)


def cancelled_before_the_second_read(play: SN) -> None:
    yes(play)
    act_after(play.company, "claim", lambda: play.office.move("cancelled"))


ATTACKS: tuple[Attack[ServiceNowOffice], ...] = (
    Attack(name="the target group is re-created under the same name after approval",
           act=target_recreated, end=Stage.HANDED_OVER, native=("cancelled",), reason="group"),
    Attack(name="the target group is renamed after approval", act=target_renamed_and_replaced,
           end=Stage.HANDED_OVER, native=("cancelled",), reason="means 0 groups"),
    Attack(name="a harmless group is nested into a privileged one after approval",
           act=target_nested, words=REPORTS, end=Stage.AWAITING,
           native=("cancelled", "authorize"), reason="the tier map now says tier 3"),
    Attack(name="a freeze starts between approval and window",
           act=the_window_opens_in_the_freeze, end=Stage.AWAITING, native=("scheduled",),
           reason="change freeze Audit"),
    Attack(name="the approval is withdrawn before the second read",
           act=withdrawn_before_the_second_read, end=Stage.HANDED_OVER, native=("rejected",),
           reason="rejected by Howard Johnson"),
    Attack(name="the plan is edited before the second read", act=edited_before_the_second_read,
           end=Stage.HANDED_OVER, native=("cancelled",),
           reason="edited implementation"),
    Attack(name="on hold before the second read", act=held_before_the_second_read,
           end=Stage.AWAITING, native=("scheduled, on hold",), reason=ON_HOLD),
    Attack(name="cancelled before the second read", act=cancelled_before_the_second_read,
           end=Stage.HANDED_OVER, native=("cancelled",), reason="a person cancelled the change"),
)  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.name.replace(" ", "-"))
def test_what_happens_between_two_moments_is_seen_in_time(
    servicenow: SN, attack: Attack[ServiceNowOffice]
) -> None:
    play = replace(servicenow, words=attack.words or servicenow.words)
    if attack.act is the_window_opens_in_the_freeze:
        edit_yaml(play.company.tiers, freeze_before_the_window(play))
    perform(play, attack)


def begin(play: SN | JSM) -> None:
    """Up to where the change waits for its approvers."""
    play.company.open()
    play.round()
    play.pass_time(seconds=5)
    play.ask()
    play.until_asked()


def end(play: SN | JSM, told: "Told", *others: Company) -> None:
    """The row of the table: effects, native end, and the reason on the ticket and in an audit."""
    assert len(play.theatre.effects()) == told.effects, play.theatre.effects()
    ends = sorted(play.office.ends())
    is_as_told = [
        end in allowed.split(" or ") for end, allowed in zip(ends, told.native, strict=True)
    ]
    assert all(is_as_told), [ends, play.company.steps]
    notes = play.office.notes(play.ticket)
    assert any(one in notes for one in told.reason.split(" or ")), notes
    audits = str([one.audit(play.ref()) for one in (play.company, *others)])
    assert (told.in_audit or told.reason) in audits, audits
    assert forbidden(play.office.system, play.office.log(), play.office.stolen) == []


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the table tells of a play that needs more than one daemon, or a store.

    Where two daemons race, one of several ends (" or ") is what the loser comes to.
    """

    name: str
    test: str
    end: Stage
    native: tuple[str, ...] = ("closed successful",)
    reason: str = DONE
    in_audit: str = ""
    effects: int = 1


ONE_STORE = Told(name="two daemons on one store", end=Stage.FULFILLED,
                 test="test_two_daemons_implement_an_approved_change_once")  # fmt: skip
TWO_STORES = replace(ONE_STORE, name="two daemons with two stores", in_audit=DONE,
                     reason=f"another daemon claimed this change or {DONE}")  # fmt: skip
STRANGERS = Told(name="two installations on one instance", end=Stage.FULFILLED,
                 native=("cancelled or closed successful",
                         "closed successful or closed unsuccessful"),
                 reason=f"already a member or {DONE}", in_audit=DONE,
                 test="test_two_daemons_that_know_nothing_of_each_other_change_the_target_once",
                 )  # fmt: skip
RESTORED = Told(name="a backup from before the implementation is restored", end=Stage.CANCELLED,
                test="test_a_backup_from_before_the_implementation_runs_nothing_again",
                in_audit="a person closed the")  # fmt: skip
RESTORED_OPEN = Told(name="a backup is restored between effect and closing", end=Stage.HANDED_OVER,
                     native=("cancelled",), in_audit="is already a member",
                     test="test_a_backup_restored_between_effect_and_closing_runs_nothing_again",
                     )  # fmt: skip
CUT = Told(
    name="the audit tail is deleted", end=Stage.FULFILLED, test="test_a_cut_audit_tail_shows"
)
ELSEWHERE = (ONE_STORE, TWO_STORES, STRANGERS, RESTORED, RESTORED_OPEN, CUT)
"""The rows of the table that are no `Attack`: each has a test of its own below."""


def twin(play: SN | JSM, *, store: Path | None) -> Company:
    """Another daemon: on the same store, or on a copy of it in a folder of its own."""
    if store is None:
        return Company(play.theatre, play.company.system, config=play.company.config)
    shutil.copytree(play.company.folder, store)
    config = store / play.company.config.name
    config.write_text(
        config.read_text("utf-8").replace(str(play.company.folder), str(store)), "utf-8"
    )
    return Company(play.theatre, play.company.system, config=config)


def together(*companies: Company) -> None:
    """Let all of them work at the same time."""
    failed: list[BaseException] = []
    start = threading.Barrier(len(companies))

    def work(company: Company) -> None:
        try:
            start.wait(30)
            company.round()
        except BaseException as error:  # noqa: BLE001  it is raised again below
            failed.append(error)

    threads = [threading.Thread(target=work, args=[company]) for company in companies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def approve(play: SN | JSM) -> None:
    play.office.approve("howard.johnson")
    play.pass_time(seconds=30)


@pytest.mark.parametrize("vendor", ["servicenow", "jira"])
@pytest.mark.parametrize("kind", ["one store", "a copied store"])
def test_two_daemons_implement_an_approved_change_once(
    request: pytest.FixtureRequest, vendor: str, kind: str, tmp_path: Path
) -> None:
    play: SN | JSM = request.getfixturevalue(vendor)
    begin(play)
    play.company.close()
    other = twin(play, store=tmp_path / "two" if kind == "a copied store" else None)
    play.company.open()
    other.open()
    try:
        approve(play)
        together(play.company, other)
        play.settle()
        other.settle()
        end(play, ONE_STORE if kind == "one store" else TWO_STORES, other)
    finally:
        other.close()


def test_two_daemons_that_know_nothing_of_each_other_change_the_target_once(
    servicenow: SN,
) -> None:
    """Two installations on one instance by mistake: each opens a change, one takes effect."""
    play = servicenow
    other = Company(play.theatre, "servicenow", name="two")
    other.open()
    try:
        play.company.open()
        play.round()
        other.round()
        play.pass_time(seconds=5)
        play.ask()
        play.pass_time(seconds=90)
        together(play.company, other)
        play.pass_time(seconds=60)
        asked = f"state=requested^approver={sys_id('howard.johnson')}"
        rows = play.office.rows("sysapproval_approver", asked)
        for row in rows:
            yes = {"state": "approved"}
            play.office.write("sysapproval_approver", row["sys_id"], yes, "howard.johnson")
        assert rows
        play.pass_time(seconds=30)
        together(play.company, other)
        play.settle()
        other.settle()
        end(play, STRANGERS, other)
    finally:
        other.close()


@pytest.mark.parametrize("vendor", ["servicenow", "jira"])
def test_a_backup_from_before_the_implementation_runs_nothing_again(
    request: pytest.FixtureRequest, vendor: str, tmp_path: Path
) -> None:
    play: SN | JSM = request.getfixturevalue(vendor)
    begin(play)
    play.company.close()
    backup = tmp_path / "backup"
    shutil.copytree(play.company.folder / "data", backup)
    play.company.open()
    approve(play)
    play.settle()
    end(play, replace(RESTORED, in_audit=DONE))
    play.company.close()
    shutil.rmtree(play.company.folder / "data")
    shutil.copytree(backup, play.company.folder / "data")
    play.company.open()
    play.settle()
    end(play, RESTORED)
    assert play.handling().stage is RESTORED.end


def test_a_backup_restored_between_effect_and_closing_runs_nothing_again(
    servicenow: SN, tmp_path: Path
) -> None:
    """The change still stands in Implement, moved there by ourselves: only the claim tells."""
    play = servicenow
    begin(play)
    play.company.close()
    backup = tmp_path / "backup"
    shutil.copytree(play.company.folder / "data", backup)
    play.company.open()
    approve(play)
    act_after(play.company, "begin", lambda: None)
    play.company.round()
    assert len(play.theatre.effects()) == 1
    change = play.office.change()["sys_id"]
    play.office.script("change_request", change, {"state": "-1", "close_code": ""})
    play.office.script("incident", play.ticket, {"state": "3", "close_code": "", "active": "true"})
    play.company.close()
    shutil.rmtree(play.company.folder / "data")
    shutil.copytree(backup, play.company.folder / "data")
    play.company.open()
    play.settle()
    end(play, RESTORED_OPEN)
    assert play.handling().stage is RESTORED_OPEN.end


CUTS = {
    "rows alone": ("DELETE FROM audit_row WHERE number > 5",),
    "rows and heads": (
        "DELETE FROM audit_row WHERE number > 5",
        (
            "UPDATE audit_head SET number = 5, sealed = 0, hash = "
            "(SELECT hash FROM audit_row WHERE audit_row.chain = audit_head.chain AND number = 5)"
        ),
    ),
    "rows, heads and seals": (
        "DELETE FROM audit_row WHERE number > 5",
        (
            "UPDATE audit_head SET number = 5, sealed = 0, hash = "
            "(SELECT hash FROM audit_row WHERE audit_row.chain = audit_head.chain AND number = 5)"
        ),
        "DELETE FROM audit_seal_leaf",
        "DELETE FROM audit_seal",
    ),
    "one row forged": ("UPDATE audit_row SET actor = 'somebody' WHERE number = 3",),
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_audit_tail_shows(servicenow: SN, cut: str) -> None:
    play = servicenow
    begin(play)
    approve(play)
    play.settle()
    end(play, CUT)
    play.company.round()
    assert play.company.daemon is not None
    assert play.company.daemon.opened.store.verify(None) is None
    play.company.close()
    with closing(sqlite3.connect(play.company.folder / "data" / "tiergate.db")) as database:
        for statement in CUTS[cut]:
            assert database.execute(statement).rowcount > 0, statement
        database.commit()
    with open_installation(play.company.config) as opened:
        assert opened.store.verify(None) is not None

"""The desk gate on stage: an action whose second tier an agent accepts on the ticket itself."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import ldap3

from connectors.ldap.sandbox.seed import group_dn, person_dn
from tests.e2e.attacks.directory import administrator
from tests.e2e.attacks.forbidden import forbidden
from tests.e2e.attacks.offices import JiraOffice, ServiceNowOffice
from tests.e2e.attacks.scene import Attack, Play, perform
from tests.e2e.attacks.test_moments import begin, together, twin
from tests.e2e.attacks.theatre import Company, edit_yaml

O = TypeVar("O", ServiceNowOffice, JiraOffice)  # noqa: E741  the office of a play's vendor

FOR_LUKE = (
    "Remote access for luke.wilson",
    "Luke starts working from home next week, please add luke.wilson to the group vpn-staff.",
)
ACCEPTED = "add_group_member · fulfilled"
_CODE = re.compile(r"code ([0-9a-f]{8})\b")


def desk_decides(tiers: Any) -> None:
    """A desk agent accepts memberships that no role template covers."""
    tiers["actions"]["add_group_member"]["gate"] = {"kind": "desk"}


def with_way(company: Company, way: Mapping[str, str]) -> None:
    """Configure how agents answer on this system."""

    def change(document: Any) -> None:
        document["systems"][company.system]["desk"] = dict(way)

    edit_yaml(company.config, change)


def changed(play: Play[ServiceNowOffice] | Play[JiraOffice], *, effects: int) -> None:
    """So many changes at the target so far, and none by the daemon that it must never make."""
    assert len(play.theatre.effects()) == effects, play.theatre.effects()
    assert forbidden(play.office.system, play.office.log(), play.office.stolen) == []


def codes(play: Play[O]) -> list[str]:
    """The short codes of the plans that the desk was asked about, oldest first."""
    found: list[str] = []
    for code in _CODE.findall(play.office.notes(play.ticket)):
        if code not in found:
            found.append(code)
    return found


def attack_the_desk(
    play: Play[O],
    attack: Attack[O],
    way: Mapping[str, str],
    *,
    more: Callable[[Any], None] | None = None,
) -> None:
    """Play one row with the desk as the gate."""
    edit_yaml(play.company.tiers, desk_decides)
    if more is not None:
        edit_yaml(play.company.tiers, more)
    with_way(play.company, way)
    perform(play, attack)


def ask_by_state(play: Play[O], company: Company | None = None) -> None:
    """Configure the desk to answer by state."""
    chosen = company or play.company
    edit_yaml(chosen.tiers, desk_decides)
    with_way(chosen, STATE[play.office.system])


def one_store_each(play: Play[O], store: Path, accept: Callable[[Play[O]], None]) -> None:
    """One acceptance, and two daemons, each with a store in which it waits for it.

    The slower one loses the claim, or finds the ticket resolved before it even looks.
    """
    ask_by_state(play)
    begin(play)
    play.company.close()
    other = twin(play, store=store)
    play.company.open()
    other.open()
    try:
        accept(play)
        play.pass_time(seconds=30)
        together(play.company, other)
        play.settle()
        other.settle()
        reasons = {play.handling().reason, other.handling(play.ref()).reason}
    finally:
        other.close()
    changed(play, effects=1)
    lost = ("another daemon claimed this acceptance", "a person closed the ticket")
    assert any(words in reason for reason in reasons for words in lost), reasons


def strangers(play: Play[O], accept: Callable[[Play[O]], None]) -> None:
    """Two installations on one system by mistake: one asks, the other lets the ticket go."""
    ask_by_state(play)
    other = Company(play.theatre, play.company.system, name="two")
    ask_by_state(play, other)
    try:
        other.open()
        other.round()
        begin(play)
        other.round()
        other.settle()
        accept(play)
        play.pass_time(seconds=30)
        together(play.company, other)
        play.settle()
        other.settle()
    finally:
        other.close()
    changed(play, effects=1)
    assert len(codes(play)) == 1


def restored(
    play: Play[O],
    backup: Path,
    accept: Callable[[Play[O]], None],
    reopen: Callable[[Play[O]], None],
) -> None:
    """A backup from before the acceptance was used; the ticket is open again, as then."""
    edit_yaml(play.company.tiers, desk_decides)
    with_way(play.company, NOTE)
    begin(play)
    play.company.close()
    shutil.copytree(play.company.folder / "data", backup)
    play.company.open()
    accept(play)
    play.settle()
    changed(play, effects=1)
    play.company.close()
    shutil.rmtree(play.company.folder / "data")
    shutil.copytree(backup, play.company.folder / "data")
    reopen(play)
    with administrator(play.theatre) as directory:
        gone = (ldap3.MODIFY_DELETE, [person_dn(play.asker)])
        directory.modify(group_dn("vpn-staff"), {"member": [gone]})
    play.company.open()
    play.settle()
    changed(play, effects=1)
    found = play.handling()
    assert "another daemon claimed this acceptance" in found.reason, f"{found.stage} {found.reason}"


STATE: Mapping[str, Mapping[str, str]] = {
    "servicenow": {"by": "state", "accept": "2"},
    "itsm-jira": {"by": "state", "accept": "In Progress"},
}
NOTE: Mapping[str, str] = {"by": "note"}

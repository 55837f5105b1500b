"""A standard change rests on its template's approval: every way to make that say something else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from engine.domain.stage import Stage
from engine.ports.findings import Severity
from tests.e2e.attacks.offices import ServiceNowOffice, sys_id
from tests.e2e.attacks.scene import Attack, Play, perform
from tests.e2e.attacks.theatre import act_after, edit_yaml

SN = Play[ServiceNowOffice]
VALUE = (
    "short_description=Add a member to a directory group^description=One account becomes a member"
    " of one directory group.^implementation_plan=As the change task says.^backout_plan=Remove it."
    "^test_plan=Read the group.^category=Software^risk=4^impact=3"
)
DONE = "done and verified at the target"


@dataclass
class Catalogue:
    """The standard change catalogue, as its owners and others use it."""

    office: ServiceNowOffice

    def propose(self, *, kind: str = "1", value: str = VALUE, approver: str = "howard.johnson",
                by: str = "", producer: str = "") -> dict[str, str]:  # fmt: skip
        """Take a proposal to its approval; return the pin that an admin would write."""
        office = self.office
        values = {
            "template_name": "Add a member to a directory group", "template_value": value,
            "proposal_type": kind, "std_change_producer": producer,
        }  # fmt: skip
        proposal = office.insert("std_change_proposal", values)
        office.write("std_change_proposal", proposal, {"state": "2"})
        query = f"sysapproval={proposal}^approver={sys_id(approver)}"
        row = office.rows("sysapproval_approver", query)[0]["sys_id"]
        office.write("sysapproval_approver", row, {"state": "approved"}, by or approver)
        version = office.rows("std_change_producer_version", f"std_change_proposal={proposal}")[0]
        template = version["std_change_producer"]
        return {"id": template, "version": version["sys_id"], "proposal": proposal}

    def template(self, pin: dict[str, str]) -> str:
        found = self.office.rows("std_change_record_producer", f"sys_id={pin['id']}")
        return found[0]["template"]


def pinned(play: SN, pin: dict[str, str]) -> None:
    def change(tiers: dict[str, Any]) -> None:
        tiers["actions"]["add_group_member"]["change"] = {"kind": "standard", "template": pin}

    edit_yaml(play.company.tiers, change)


Act = Callable[[SN, Catalogue, dict[str, str]], None]


def nothing(_play: SN, _catalogue: Catalogue, _pin: dict[str, str]) -> None:
    """Nobody does anything."""


def template_is_edited(_play: SN, catalogue: Catalogue, pin: dict[str, str]) -> None:
    values = {"template": VALUE.replace("One account", "Any account")}
    catalogue.office.write("std_change_template", catalogue.template(pin), values)


def template_is_edited_and_back(play: SN, catalogue: Catalogue, pin: dict[str, str]) -> None:
    template_is_edited(play, catalogue, pin)
    catalogue.office.write("std_change_template", catalogue.template(pin), {"template": VALUE})


def newer_version(_play: SN, catalogue: Catalogue, pin: dict[str, str]) -> None:
    catalogue.propose(kind="2", producer=pin["id"], value=f"{VALUE}^urgency=2")


def retired(_play: SN, catalogue: Catalogue, pin: dict[str, str]) -> None:
    catalogue.propose(kind="3", producer=pin["id"])


def proposal_is_reopened(_play: SN, catalogue: Catalogue, pin: dict[str, str]) -> None:
    values = {"approval": "requested"}
    catalogue.office.write("std_change_proposal", pin["proposal"], values)


def approver_leaves(_play: SN, catalogue: Catalogue, _pin: dict[str, str]) -> None:
    office = catalogue.office
    for row in office.rows("sys_user_grmember", f"user={sys_id('howard.johnson')}"):
        office.delete("sys_user_grmember", row["sys_id"])


def plan_task(catalogue: Catalogue) -> dict[str, str]:
    return catalogue.office.rows("change_task", "correlation_display=Tiergate plan")[0]


def plan_is_edited(_play: SN, catalogue: Catalogue, _pin: dict[str, str]) -> None:
    task = plan_task(catalogue)
    text = task["description"].replace("PROD-DB-Admins", "Domain Admins")
    catalogue.office.write("change_task", task["sys_id"], {"description": text}, "luke.wilson")


def plan_is_edited_and_back(play: SN, catalogue: Catalogue, pin: dict[str, str]) -> None:
    text = plan_task(catalogue)["description"]
    plan_is_edited(play, catalogue, pin)
    task = plan_task(catalogue)["sys_id"]
    catalogue.office.write("change_task", task, {"description": text}, "luke.wilson")


def held(_play: SN, catalogue: Catalogue, _pin: dict[str, str]) -> None:
    catalogue.office.hold()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row; `pinning` acts between the pin and the ticket, `act` right after the submission."""

    name: str
    end: Stage
    native: tuple[str, ...]
    reason: str
    effects: int = 0
    pinning: Act = nothing
    act: Act = nothing
    approver: str = "howard.johnson"
    by: str = ""


CASES: tuple[Case, ...] = (
    Case(name="nothing is wrong", end=Stage.FULFILLED, native=("closed successful",), effects=1,
         reason=DONE),
    Case(name="the template is edited after the pin", pinning=template_is_edited,
         end=Stage.HANDED_OVER, native=("cancelled",),
         reason="does not say what its proposal proposed"),
    Case(name="a newer version is published after the pin", pinning=newer_version,
         end=Stage.HANDED_OVER, native=(), reason="is not the current one"),
    Case(name="the template is retired after the pin", pinning=retired, end=Stage.HANDED_OVER,
         native=(), reason="is not in use"),
    Case(name="the template is edited after the change was submitted", act=template_is_edited,
         end=Stage.HANDED_OVER, native=("cancelled",),
         reason="does not say what its proposal proposed"),
    Case(name="the template is edited and edited back", act=template_is_edited_and_back,
         end=Stage.HANDED_OVER, native=("cancelled",),
         reason="edited the template of the standard change after its approval"),
    Case(name="the template is retired after the change was submitted", act=retired,
         end=Stage.HANDED_OVER, native=("cancelled",), reason="the template was retired"),
    Case(name="a newer version comes after the change was submitted", act=newer_version,
         end=Stage.HANDED_OVER, native=("cancelled",), reason="not the current one any more"),
    Case(name="the proposal's approval is taken back", act=proposal_is_reopened,
         end=Stage.HANDED_OVER, native=("cancelled",), reason="is not approved any more"),
    Case(name="who approved the proposal leaves the authority", act=approver_leaves,
         end=Stage.HANDED_OVER, native=("cancelled",),
         reason="does not belong to identity-owners"),
    Case(name="an admin approves the proposal for somebody", by="admin", end=Stage.HANDED_OVER,
         native=("cancelled",), reason="is not exactly one known person"),
    Case(name="the plan on the task is edited", act=plan_is_edited, end=Stage.FULFILLED,
         native=("cancelled", "closed successful"), effects=1, reason="edited implementation"),
    Case(name="the plan on the task is edited and edited back", act=plan_is_edited_and_back,
         end=Stage.FULFILLED, native=("cancelled", "closed successful"), effects=1,
         reason="edited implementation"),
    Case(name="it is put on hold", act=held, end=Stage.AWAITING, native=("scheduled, on hold",),
         reason=""),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.name.replace(" ", "-"))
def test_a_standard_change_runs_on_its_pinned_and_approved_template_alone(
    servicenow: SN, case: Case
) -> None:
    play, catalogue = servicenow, Catalogue(servicenow.office)
    play.pass_time(hours=1)  # the approvers belong to the authority before they approve anything
    pin = catalogue.propose(approver=case.approver, by=case.by)
    play.pass_time(hours=1)
    pinned(play, pin)
    case.pinning(play, catalogue, pin)

    def during(play: SN) -> None:
        act_after(play.company, "submit", lambda: case.act(play, catalogue, pin))
        play.pass_time(seconds=90)

    perform(
        play,
        Attack(
            name=case.name,
            end=case.end,
            native=case.native,
            reason=case.reason,
            effects=case.effects,
            act=lambda _: None,
            during=during,
            is_asked=False,
        ),
    )


def test_check_names_a_pin_that_is_not_in_force(servicenow: SN) -> None:
    catalogue = Catalogue(servicenow.office)
    pin = catalogue.propose()
    pinned(servicenow, pin)
    servicenow.company.open()
    daemon = servicenow.company.daemon
    assert daemon is not None
    code = f"template:{pin['id']}"
    (good,) = [one for one in daemon.check("servicenow") if one.code == code]
    assert good.severity is Severity.OK
    newer_version(servicenow, catalogue, pin)
    bad = [one for one in daemon.check("servicenow") if one.code == code]
    assert {one.severity for one in bad} == {Severity.FAULT}
    assert any("not the current one" in one.seen for one in bad)

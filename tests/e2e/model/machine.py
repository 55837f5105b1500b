"""The machine: everybody who can touch a ticket, a change, a clock or a wire, at random.

One run is one company with one vendor: ServiceNow, Jira Service Management, or a plain Jira project
whose changes live in ServiceNow. After every step `Truth.check` compares the world with what people
really allowed.
"""

import shutil
import sys
import tempfile
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import requests
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from engine.domain.refs import TicketKind, TicketRef
from engine.domain.stage import Stage
from engine.errors import PreconditionError, RecordNotFoundError
from engine.service import operations, pauses
from tests.e2e.attacks.offices import REFUSALS, JiraOffice, MixedOffice, ServiceNowOffice
from tests.e2e.attacks.theatre import Company, act_after, open_theatre
from tests.e2e.model.natives import JiraNatives, MixedNatives, ServiceNowNatives
from tests.e2e.model.truth import Truth, Wish, person_set

VENDORS = ("servicenow", "itsm-jira", "ops-jira")
ASKERS = (
    "bob.miller", "grete.olsen", "natasha.ingram", "hugo.lindt", "carla.humble", "farid.nazari",
    "erika.brandt",
)  # fmt: skip
OWNERS = ("howard.johnson", "beth.anglin", "bow.ruggeri")
TEXT = ("Finance-Reports for me", "Please add me to the directory group Finance-Reports.")
WEB_FAULTS = ("429", "5xx", "drop_before", "drop_after", "truncated", "html", "stale_index")
WIRE_FAULTS = ("5xx", "drop_before", "drop_after")
MOMENTS = ("claim", "begin", "snapshot")
STATES = ("implement", "scheduled", "cancelled", "assess", "authorize")
PAUSES = ((None, None), ("add_group_member", None), (None, "corporate-directory"))
_NATIVE = (*REFUSALS, AssertionError, KeyError, StopIteration, IndexError)
"""What a person meets who tries what the vendor does not allow, or what is not there."""
_WITH_INTENT = (Stage.IMPLEMENTING, Stage.REPORTING, Stage.BACKING_OUT)

# cel-python raises the limit when it is first used; in the middle of a run Hypothesis objects.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 2500))


class Counted:
    """How many runs, steps and effects there were: a machine that never ran finds nothing."""

    def __init__(self) -> None:
        self.runs: dict[str, int] = {}
        self.steps = 0
        self.effects = 0
        self.ends: set[Stage] = set()


COUNTED = Counted()


def model_of(vendor: str) -> "type[Model]":
    """Return the machine over one vendor."""
    return type(f"ModelOf{vendor}", (Model,), {"vendor": vendor})


class Model(RuleBasedStateMachine):
    """One company, one vendor, some tickets, and everybody who can touch them."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.twin: Company | None = None
        self.truth: Truth | None = None

    vendor = "servicenow"

    @initialize()
    def opens(self) -> None:
        vendor = self.vendor
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.theatre = self.stack.enter_context(open_theatre(folder))
        self.office: Any
        natives: Any
        match vendor:
            case "servicenow":
                self.office = ServiceNowOffice(self.theatre)
                natives = ServiceNowNatives(self.theatre, self.office)
            case "itsm-jira":
                self.office = JiraOffice(self.theatre)
                natives = JiraNatives(self.theatre, self.office)
            case _:
                self.office = MixedOffice(self.theatre)
                natives = MixedNatives(self.theatre, self.office)
        self.stack.callback(self.office.close)
        self.stack.callback(natives.shut)
        self.company = Company(self.theatre, vendor)
        self.company.looks_at_start = False
        self.stack.callback(self.company.close)
        self.company.open()
        self.company.round()
        self.theatre.pass_time(timedelta(seconds=5))
        self.truth = Truth(self.theatre, natives, self.company)
        COUNTED.runs[vendor] = COUNTED.runs.get(vendor, 0) + 1

    @property
    def seen(self) -> Truth:
        assert self.truth is not None
        return self.truth

    def teardown(self) -> None:
        if self.truth is not None and self.company.daemon is not None:
            with self.company.services.store.begin() as work:
                for handling in work.handlings(stages=tuple(Stage), limit=100):
                    COUNTED.ends.add(handling.stage)
            COUNTED.effects += sum(wish.is_fired for wish in self.truth.wishes.values())
        if self.twin is not None:
            self.twin.close()
        self.stack.close()

    def is_asked(self) -> bool:
        return self.truth is not None and bool(self.truth.wishes)

    def has_change(self) -> bool:
        return self.truth is not None and bool(self.truth.gates)

    # --- people on tickets
    @precondition(lambda self: self.truth is not None and len(self.truth.wishes) < len(ASKERS))
    @rule()
    def somebody_asks(self) -> None:
        uid = ASKERS[len(self.seen.wishes)]
        ticket, key = self.office.ask(uid, *TEXT)
        self.seen.wishes[uid] = Wish(uid=uid, ticket=ticket, key=key)

    def _wish(self, which: int) -> Wish:
        found = list(self.seen.wishes.values())
        return found[which % len(found)]

    @precondition(is_asked)
    @rule(which=st.integers(0, 3), what=st.sampled_from(["field", "take", "close", "stop"]))
    def an_agent_works_on_the_ticket(self, which: int, what: str) -> None:
        wish, natives = self._wish(which), self.seen.natives
        if wish.state is not None:
            return  # somebody closed it: nobody works on it any more
        has_change = any(gate.uid == wish.uid for gate in self.seen.gates.values())
        with suppress(*_NATIVE):
            match what:
                case "field":
                    natives.set_field(wish.ticket)
                    person_set(wish, self.seen.ticket(wish.uid), "field")
                case "take":
                    natives.take(wish.ticket)
                    person_set(wish, self.seen.ticket(wish.uid), "assignee")
                    if not has_change:
                        self.seen.end(wish.uid, "an agent took the ticket")
                case "close":
                    natives.close(wish.ticket)
                    person_set(wish, self.seen.ticket(wish.uid), "state")
                    self.seen.end(wish.uid, "an agent closed the ticket")
                case _:
                    natives.stop(wish.ticket)
                    self.seen.end(wish.uid, "an agent told us to stop")

    @precondition(is_asked)
    @rule(which=st.integers(0, 3))
    def an_agent_changes_the_requester(self, which: int) -> None:
        wish = self._wish(which)
        name = wish.key if self.vendor == "itsm-jira" else wish.ticket
        with suppress(*_NATIVE):
            self.office.change_requester(name, "abel.tuter")
            self.seen.end(wish.uid, "the requester was changed")

    # --- people on changes
    @rule(uid=st.sampled_from((*OWNERS, *ASKERS, "luke.wilson")), is_yes=st.booleans())
    def somebody_answers(self, uid: str, is_yes: bool) -> None:  # noqa: FBT001  drawn
        gate = self.seen.newest()
        if gate is None:
            return
        with suppress(*_NATIVE):
            (self.office.approve if is_yes else self.office.reject)(uid)
            if is_yes:
                self.seen.said_yes(gate, uid, OWNERS)
            else:
                self.seen.spoil(gate, f"{uid} rejected it")

    @precondition(has_change)
    @rule(field=st.sampled_from(["implementation", "test", "summary"]))
    def an_agent_edits_the_plan(self, field: str) -> None:
        gate = self.seen.newest()
        with suppress(*_NATIVE):
            self.office.edit(field, "Add everybody to every group.")
            self.seen.spoil(_sure(gate), f"an agent edited {field}")

    @precondition(has_change)
    @rule(state=st.sampled_from(STATES), uid=st.sampled_from(["luke.wilson", "admin"]))
    def somebody_moves_the_change(self, state: str, uid: str) -> None:
        gate = _sure(self.seen.newest())
        before = _sure(gate.view).state
        with suppress(*_NATIVE):
            self.office.move(state, uid)
        self.seen.look()
        after = _sure(gate.view).state
        if after == before:
            return
        if after in {"new", "assess"}:
            gate.has_yes = False  # it begins anew, and so must the approval
        elif after != "authorize":
            self.seen.spoil(gate, f"{uid} moved it to {after}")
        if _sure(gate.view).is_over:
            gate.ended = after

    @precondition(has_change)
    @rule(is_held=st.booleans())
    def an_agent_holds_or_releases(self, is_held: bool) -> None:  # noqa: FBT001  drawn
        with suppress(*_NATIVE):
            (self.office.hold if is_held else self.office.release)()

    @rule(uid=st.sampled_from(ASKERS))
    def an_admin_adds_an_approver(self, uid: str) -> None:
        with suppress(*_NATIVE):
            self.office.join_authority(uid)
            self.seen.joined_authority.setdefault(uid, self.seen.now())

    @precondition(has_change)
    @rule()
    def an_admin_forges_the_approval(self) -> None:
        if isinstance(self.office, ServiceNowOffice):
            key = self.office.change()["sys_id"]
            with suppress(*_NATIVE):
                self.office.write("change_request", key, {"approval": "approved"})

    # --- the world
    @rule(minutes=st.sampled_from([1, 10, 70, 250]))
    def time_passes(self, minutes: int) -> None:
        self.theatre.pass_time(timedelta(minutes=minutes))

    @rule(minutes=st.sampled_from([-250, -10, -1, 1, 10]))
    def the_systems_clocks_jump_and_come_back(self, minutes: int) -> None:
        self.theatre.shift_systems(timedelta(minutes=minutes))
        self._work()
        self.seen.check()
        self.theatre.shift_systems(timedelta(minutes=-minutes))

    @rule(kind=st.sampled_from(WEB_FAULTS), count=st.integers(1, 4), is_wire=st.booleans())
    def something_breaks(self, kind: str, count: int, is_wire: bool) -> None:  # noqa: FBT001  drawn
        rule: dict[str, Any] = {"kind": kind, "next_n": count}
        if kind == "stale_index":
            rule = {"kind": kind, "seconds": 600}
        urls = [self.theatre.servicenow.admin_url, self.theatre.jira.admin_url]
        if is_wire and kind in WIRE_FAULTS:
            rule["method"], urls = "MODIFY", [self.theatre.directory.admin_url]
        for url in urls:
            requests.post(f"{url}/faults", json=rule, timeout=10).raise_for_status()
        self._work(may_fail=True)
        for url in urls:
            requests.delete(f"{url}/faults", timeout=10).raise_for_status()

    @precondition(is_asked)
    @rule(which=st.integers(0, 3), is_ticket=st.booleans())
    def a_value_appears_that_nobody_knows(self, which: int, is_ticket: bool) -> None:  # noqa: FBT001  drawn
        """It parks what waits for it, and nothing else follows; then an admin mends it (I10)."""
        self._work()
        self.seen.check()  # what was edited has another change by now
        wish = self._wish(which)
        if wish.state is not None:
            return
        standing = self._stands(wish)
        gates = [key for key, gate in self.seen.gates.items() if gate.uid == wish.uid]
        natives = self.seen.natives
        if is_ticket or not gates:
            mend = natives.make_strange(wish.ticket)
        else:
            mend = natives.make_change_strange(gates[-1])
        was_fired = wish.is_fired
        self.theatre.pass_time(timedelta(minutes=65))
        self._work()
        self.seen.check()
        now, reason = self._stage(wish)
        assert wish.is_fired == was_fired, "I10: an effect behind a value that nobody knows"
        if standing in {Stage.AWAITING, Stage.APPROVED} and not self.seen.paused:
            assert now is Stage.PARKED, f"I10: {standing} became {now} ({reason})"
            assert "77" in reason or "Quarantined" in reason, f"I10: it does not say why: {reason}"
        mend()
        self._work()

    def _ref(self, wish: Wish) -> TicketRef:
        is_incident = self.vendor == "servicenow"
        kind = TicketKind.INCIDENT if is_incident else TicketKind.SERVICE_REQUEST
        return TicketRef(system=self.vendor, kind=kind, id=wish.ticket, key=wish.key)

    def _stage(self, wish: Wish) -> tuple[Stage | None, str]:
        with self.company.services.store.begin() as work:
            found = work.latest(self._ref(wish))
        return (None, "") if found is None else (found.stage, found.reason)

    def _stands(self, wish: Wish) -> Stage | None:
        return self._stage(wish)[0]

    # --- operators
    @precondition(lambda self: self.truth is not None and not self.truth.paused)
    @rule(which=st.sampled_from(PAUSES))
    def an_operator_pauses(self, which: tuple[str | None, str | None]) -> None:
        action, system = which
        pauses.pause(self.company.services, by="operator", action=action, system=system)
        self.seen.paused.add(which)
        self.seen.check()

    @rule()
    def an_operator_resumes(self) -> None:
        for action, system in tuple(self.seen.paused):
            pauses.resume(self.company.services, by="operator", action=action, system=system)
        self.seen.paused.clear()

    @precondition(is_asked)
    @rule(which=st.integers(0, 3))
    def an_operator_tries_again(self, which: int) -> None:
        wish = self._wish(which)
        if wish.is_fired:
            return  # another decision, which may have another effect: not this model's question
        with suppress(PreconditionError, RecordNotFoundError):
            operations.retry(self.company.services, self._ref(wish), by="operator")

    @rule()
    def the_daemon_works(self) -> None:
        self._work()

    @rule()
    def the_daemon_works_on(self) -> None:
        self._work()

    @rule()
    def the_daemon_is_restarted(self) -> None:
        self.company.open()

    @rule(uid=st.sampled_from(OWNERS), is_lucky=st.booleans())
    def a_plain_day(self, uid: str, is_lucky: bool) -> None:  # noqa: FBT001  drawn
        """Somebody asks, an owner says yes; else few runs would come as far as an effect."""
        gate = self.seen.newest()
        is_free = gate is None or gate.spoilt or gate.ended or self.seen.was_fired(gate.uid)
        if is_lucky:
            self.an_operator_resumes()
            if is_free and len(self.seen.wishes) < len(ASKERS):
                self.somebody_asks()
        self._work()
        self.somebody_answers(uid, is_yes=True)
        self._work()

    @rule(uid=st.sampled_from(OWNERS))
    def another_plain_day(self, uid: str) -> None:
        self.a_plain_day(uid, is_lucky=True)

    @precondition(lambda self: self.has_change() and self.twin is None)
    @rule(uid=st.sampled_from(OWNERS), moment=st.sampled_from(MOMENTS))
    def a_copy_of_the_daemon_works_in_between(self, uid: str, moment: str) -> None:
        """Somebody starts a copy, store and all; it works in the middle of a step of ours."""
        if self.seen.paused or not self._copy():
            return
        twin = _sure(self.twin)
        self.theatre.pass_time(timedelta(seconds=30))
        self.somebody_answers(uid, is_yes=True)
        self.theatre.pass_time(timedelta(seconds=30))
        control = self.seen.gates and self.company.services.change_system_for(self.vendor)
        act_after(self.company, moment, partial(_quietly, twin), system=str(control))
        self.seen.twins.append(twin)
        self._work()
        self.company.interpose = lambda services: services
        self.seen.check()
        self.seen.twins.clear()
        twin.close()
        self.twin = None

    def _copy(self) -> bool:
        """Copy the installation as it stands, unless an intent is stored: that knows the claim."""
        with self.company.services.store.begin() as work:
            if work.handlings(stages=_WITH_INTENT, limit=1):
                return False
        self.company.close()
        folder = self.theatre.folder / "two"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.company.folder, folder)
        self.company.open()
        config = folder / self.company.config.name
        text = config.read_text("utf-8").replace(str(self.company.folder), str(folder))
        config.write_text(text, "utf-8")
        self.twin = Company(self.theatre, self.vendor, config=config)
        self.twin.open()
        return True

    def _work(self, *, may_fail: bool = True) -> None:
        self.theatre.pass_time(timedelta(seconds=30))
        self.company.round(may_fail=may_fail)

    # --- what always holds
    @invariant()
    def what_must_never_happen_has_not_happened(self) -> None:
        """I1, I2, I3, I9 and I11; I10 in its own step."""
        if self.truth is not None:
            COUNTED.steps += 1
            self.truth.check()

    @invariant()
    def the_chains_verify(self) -> None:
        if self.truth is not None and self.company.daemon is not None:
            assert self.company.daemon.opened.store.verify(None) is None, "I8: a broken chain"


def _quietly(twin: Company) -> None:
    twin.round(may_fail=True)


def _sure(found: Any) -> Any:
    assert found is not None
    return found

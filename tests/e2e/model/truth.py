"""What the model knows by itself: who wished what, whose yes stands, and what must never follow.

Nothing here asks the daemon whether an effect is allowed. It is told what people did, reads both
vendors and the directory past the daemon, and says after every step which invariant is broken.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests

from engine.domain.effect import EffectKind
from engine.domain.stage import Stage
from engine.service.effects import FIRING
from tests.e2e.attacks.directory import memberships
from tests.e2e.attacks.forbidden import forbidden
from tests.e2e.attacks.theatre import Company, Theatre
from tests.e2e.model.natives import ChangeView, Natives, TicketView

GROUP = "Finance-Reports"
_WRITES = frozenset({"MODIFY", "ADD", "DELETE", "MODIFYDN", "EXTENDED"})
_ACTED, _THERE_ALREADY = 0, 20
"""Result codes of LDAP; every other one refuses, and the daemon probes its own rights that way."""
_LEEWAY = timedelta(seconds=5)


@dataclass
class Wish:
    """One ticket: who asked, what persons set on it, and why nothing may follow any more."""

    uid: str
    ticket: str
    key: str
    is_fired: bool = False
    never: str = ""
    """Why no effect may come of it any more; "" while one may."""
    field: str | None = None
    assignee: str | None = None
    state: str | None = None
    """What persons set last; None where no person did."""


@dataclass
class Gate:
    """One change: whom it is about, whether a yes that counts stands, and what spoilt it."""

    uid: str
    seen_at: datetime
    ends_at: datetime | None
    has_yes: bool = False
    spoilt: str = ""
    ended: str | None = None
    """The state into which a person ended it; it never leaves that."""
    view: ChangeView | None = None


@dataclass
class Truth:
    """Everything that the invariants compare with."""

    theatre: Theatre
    natives: Natives
    company: Company
    wishes: dict[str, Wish] = field(default_factory=dict)
    gates: dict[str, Gate] = field(default_factory=dict)
    members: set[tuple[str, str]] = field(default_factory=set)
    joined_authority: dict[str, datetime] = field(default_factory=dict)
    paused: set[tuple[str | None, str | None]] = field(default_factory=set)
    twins: list[Company] = field(default_factory=list)
    _logs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _since: dict[str, int] = field(default_factory=dict)
    _acted: list[dict[str, Any]] = field(default_factory=list)
    _tickets: Mapping[str, TicketView] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.members = memberships(self.theatre)

    # --- what is there
    def now(self) -> datetime:
        """The latest of the clocks: a deadline that passed on one of them has passed."""
        clocks = (self.theatre.servicenow.clock, self.theatre.jira.clock, self.theatre.clock)
        return max(one.now() for one in clocks)

    def was_fired(self, uid: str) -> bool:
        return uid in self.wishes and self.wishes[uid].is_fired

    def look(self) -> None:
        """Read tickets and changes afresh; remember the changes that are new."""
        if self.wishes:
            keys = {wish.ticket: wish.key for wish in self.wishes.values()}
            self._tickets = self.natives.tickets(keys)
        for view in self.natives.changes():
            known = self.gates.get(view.id)
            if known is None:
                uid = next((one for one in self.wishes if one in view.text), "")
                known = Gate(uid=uid, seen_at=self.now(), ends_at=view.ends_at)
                self.gates[view.id] = known
            known.view = view

    def newest(self) -> Gate | None:
        """The change on which people act now."""
        self.look()
        return next(reversed(self.gates.values()), None)

    def ticket(self, uid: str) -> TicketView:
        self.look()
        return self._tickets[self.wishes[uid].ticket]

    # --- what people did
    def said_yes(self, gate: Gate, uid: str, owners: Iterable[str]) -> None:
        """Somebody approved, and the vendor took it."""
        joined = self.joined_authority.get(uid)
        is_member = uid in owners or (joined is not None and joined < gate.seen_at - _LEEWAY)
        if not is_member or uid == gate.uid:
            gate.spoilt = gate.spoilt or f"{uid} approved, who may not"
        else:
            gate.has_yes = True

    def spoil(self, gate: Gate, why: str) -> None:
        gate.spoilt = gate.spoilt or why

    def end(self, uid: str, why: str) -> None:
        """No effect may come of this wish any more, unless it came already."""
        wish = self.wishes[uid]
        wish.never = wish.never or why

    # --- what always holds
    def check(self) -> None:
        """Compare everything with everything.

        Raises:
            AssertionError: An invariant is broken; the message begins with its number.
        """
        self.look()
        joined, left = self._moved_members()
        self._one_decision_one_effect()
        for group, uid in joined:
            self._effect_was_allowed(group, uid)
        for group, uid in left:
            wish = self.wishes.get(uid)
            assert group == GROUP, f"I1: {uid} was taken out of {group}"
            assert wish is not None, f"I1: {uid} was taken out and had asked for nothing"
            assert wish.is_fired, f"I1: {uid} was taken out and had never joined"
        self._no_forbidden_write()
        self._the_person_wins()

    def _moved_members(self) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        account = self.theatre.document["ldap"]["accounts"]["integration"]["username"]
        fresh = self._new_requests("ldap", self.theatre.directory.admin_url, account)
        writes = [one for one in fresh if one["method"] in _WRITES]
        self._acted += [one for one in writes if one["status"] in {_ACTED, _THERE_ALREADY}]
        if not any(one["status"] == _ACTED for one in writes):
            return set(), set()
        before, self.members = self.members, memberships(self.theatre)
        return self.members - before, before - self.members

    def _new_requests(self, name: str, admin_url: str, user: str) -> list[dict[str, Any]]:
        since = self._since.get(name, 0)
        answer = requests.get(f"{admin_url}/log", params={"since": str(since)}, timeout=10)
        answer.raise_for_status()
        found = answer.json()["requests"]
        if found:
            self._since[name] = max(one["id"] for one in found)
        return [one for one in found if user in one["user"]]

    def _one_decision_one_effect(self) -> None:
        with self.company.services.store.begin() as work:
            for handling in work.handlings(stages=tuple(Stage), limit=200):
                kinds = [effect.kind for effect in work.effects(handling.id)]
                assert kinds.count(EffectKind.IMPLEMENT) <= 1, f"I1: two effects of {handling.id}"
        self._one_daemon_fires()
        for one in self._acted:
            line = f"{one['method']} {one['target']} ({one['status']})"
            assert one["method"] == "MODIFY", f"I1: something else was written: {line}"
            assert GROUP in one["target"], f"I1: something else was written: {line}"
            # A directory refuses to add who is there: so shows a call that was made again.
            assert one["status"] == _ACTED, f"I1: a call was made again: {line}"
        # An approval that was taken back in the last moment is backed out: two writes an asker.
        assert len(self._acted) <= 2 * len(self.wishes), "I1: more writes than decisions"

    def _one_daemon_fires(self) -> None:
        """No change is fired by two stores, even where the target itself would take it once."""
        fired: dict[str, set[str]] = {}
        for company in (self.company, *self.twins):
            with company.services.store.begin() as work:
                for handling in work.handlings(stages=tuple(Stage), limit=200):
                    for effect in work.effects(handling.id):
                        if handling.change and FIRING in effect.evidence:
                            stamp = effect.evidence[FIRING]
                            fired.setdefault(handling.change.id, set()).add(stamp)
        for change, stamps in fired.items():
            assert len(stamps) <= 1, f"I1: two daemons fired {change} at {sorted(stamps)}"

    def _effect_was_allowed(self, group: str, uid: str) -> None:
        wish = self.wishes.get(uid)
        assert group == GROUP, f"I2: {uid} joined {group}"
        assert wish is not None, f"I2: {uid} joined and had asked for nothing"
        assert not wish.is_fired, f"I1: {uid} joined twice"
        wish.is_fired = True
        assert not wish.never, f"I9: {uid} joined although {wish.never}"
        assert not self.paused, f"I11: {uid} joined while {self.paused} was paused"
        now, doubts = self.now(), [f"no change about {uid}"]
        for gate in self.gates.values():
            if gate.uid == uid:
                doubt = _doubt(gate, now)
                doubts.append(doubt)
                if not doubt:
                    return
        raise AssertionError(f"I2: {uid} joined without a yes that counts: {doubts}")

    def _no_forbidden_write(self) -> None:
        for name, sandbox in (("servicenow", self.theatre.servicenow), ("jira", self.theatre.jira)):
            fresh = self._new_requests(name, sandbox.admin_url, "tiergate")
            held = self._logs.setdefault(name, [])
            writes = [one for one in fresh if one["method"] != "GET"]
            held += writes
            # Jira's rule looks at the order of the writes; nothing new needs no second look.
            found = forbidden(name, held) if writes else []
            assert found == [], f"I3: forbidden: {found}"

    def _the_person_wins(self) -> None:
        for wish in self.wishes.values():
            view = self._tickets.get(wish.ticket)
            assert view is not None, f"I9: the ticket of {wish.uid} is gone"
            for name in ("field", "assignee", "state"):
                mine, there = getattr(wish, name), getattr(view, name)
                because = f"I9: {wish.uid}'s {name} was set to {mine!r} by a person, is {there!r}"
                assert mine is None or mine == there, because
        for gate in self.gates.values():
            view_of_change = gate.view
            if gate.ended is not None and view_of_change is not None:
                because = f"I9: a person ended it as {gate.ended}, it is {view_of_change.state}"
                assert view_of_change.state == gate.ended, because


def _doubt(gate: Gate, now: datetime) -> str:
    """Why this change allows no effect now, "" if it does."""
    if gate.spoilt:
        return gate.spoilt
    if not gate.has_yes:
        return "nobody said yes"
    if gate.view is not None and gate.view.is_on_hold:
        return "it is on hold"
    if gate.ends_at is not None and now > gate.ends_at + _LEEWAY:
        return "its window has passed"
    return ""


def person_set(wish: Wish, view: TicketView, *names: str) -> None:
    """Remember what a person has just set, as it reads."""
    for name in names:
        setattr(wish, name, getattr(view, name))

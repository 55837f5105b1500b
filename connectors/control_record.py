"""What a control record means, for every system: pure, over who set which value last."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from engine.domain.change import Membership
from engine.domain.refs import Account
from engine.ports.control import ControlReading, PauseControl
from engine.ports.findings import Finding, Severity

Words = Annotated[tuple[str, ...], Field(min_length=1)]


class ControlWords(BaseModel, extra="forbid", frozen=True):
    """The values of a control record and the group whose members may let the daemon run.

    Attributes:
        paused, running: Native values (or their labels); one that is in neither pauses.
        group: The group's own id in this system (Jira Data Center: its name).
    """

    paused: Words
    running: Words
    group: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        both = {one.casefold() for one in self.paused} & {one.casefold() for one in self.running}
        if both:
            raise ValueError(f"control: {', '.join(sorted(both))} cannot mean paused and running")
        return self


def judge(
    words: ControlWords,
    natives: tuple[str, ...],
    *,
    by: Account | None,
    at: datetime | None,
    members: tuple[Membership, ...] | None,
    daemon: Account,
) -> ControlReading:
    """Return what the record says.

    Whoever can write the record can stop us; only the group can let us run. That does not rest on
    the record's own access rules: who set the value stands in the history, and is compared.

    Args:
        words: What the values mean.
        natives: The present value, with the names that people see for it.
        by: Who set it last; None where nobody can tell.
        at: When.
        members: The group's members now; None when they cannot be read.
        daemon: Our own account: what it sets lets nobody run.
    """
    shown = natives[0] if natives else ""
    said = {native.casefold() for native in natives}
    who = by.name if by is not None else ""
    if said & {one.casefold() for one in words.paused}:
        because = f"switched to {shown!r}" + (f" by {who}" if who else "")
    elif not said & {one.casefold() for one in words.running}:
        because = f"the value {shown!r} is not known"
    elif by is None:
        because = f"nobody can tell who switched it to {shown!r}"
    elif by.identity == daemon.identity:
        because = f"switched to {shown!r} by the daemon's own account"
    elif members is None:
        because = "the members of its group cannot be read"
    elif by.identity not in {one.account.identity for one in members}:
        because = f"switched to {shown!r} by {who}, who does not belong to its group"
    else:
        because = ""
    return ControlReading(is_paused=bool(because), because=because, by=who, at=at)


def findings(
    control: PauseControl,
    *,
    system: str,
    members: tuple[Membership, ...] | None,
    daemon: Account,
    remedy: str,
) -> Iterator[Finding]:
    """Yield what `check` says of a control record: its group, ourselves in it, what it says now.

    `remedy` is how the group is named and made readable on this system.
    """

    def one(severity: Severity, code: str, seen: str, remedy: str = "") -> Finding:
        whole = f"{control.name}: {seen}"
        return Finding(severity=severity, code=code, system=system, seen=whole, remedy=remedy)

    if members is None:
        seen = "the members of its group cannot be read"
        yield one(Severity.FAULT, "control:group", seen, remedy)
    elif daemon.identity in {member.account.identity for member in members}:
        seen = "our own account belongs to the group that lets us run"
        yield one(
            Severity.UNSAFE, "control:own_account", seen, "Take the account out of the group."
        )
    reading = control.read()
    if reading.is_paused:
        remedy = "A member of its group switches it to running."
        yield one(Severity.WARNING, "control:paused", reading.because, remedy)
    else:
        yield one(Severity.OK, "control", f"running, switched by {reading.by}")

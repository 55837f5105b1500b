"""Fulfiller: what carries out actions at a target, one catalogue entry at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from engine.domain.action import BoundAction, BoundTarget, Catalogue
from engine.domain.effect import Evidence
from engine.domain.refs import Person
from engine.ports.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A value that must never be printed; its text form says nothing."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return "********"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignChange:
    """One change that a target's own log ascribes to our account; it holds no value that was set.

    Attributes:
        target_id: The stable id of what was changed; empty where it is gone.
        target_name: Its name in the log.
        what: The attributes that we are known to write and that this change touched.
        actions: Which actions of the catalogue leave such a trace; none: no action of ours does.
        is_ours: Whether the target says that our account made it; False also where it does not say.
        is_newest: Earlier changes of the same may be hidden behind this one.
    """

    at: datetime
    target_id: str
    target_name: str
    what: tuple[str, ...]
    actions: frozenset[str]
    is_ours: bool = True
    is_newest: bool = False


class Fulfiller(Protocol):
    """Actions at one target system.

    The connector itself refuses protected subjects, whatever a map says.
    """

    @property
    def system(self) -> str:
        """The name that the configuration gave this target."""
        ...

    def catalogue(self) -> Catalogue:
        """Return the actions this target can carry out; code owns them."""
        ...

    def bind(self, action: str, *, subject: Person, parameters: Mapping[str, str]) -> BoundAction:
        """Resolve subject and parameters to stable ids; nothing is changed.

        Raises:
            ProtectedSubjectError: Subject or target is protected (adminCount, our own, configured).
            PreconditionError: A parameter names nothing, or more than one thing, or the
            precondition fails.
        """
        ...

    def baseline(self, bound: BoundAction) -> Mapping[str, str]:
        """Return what the target looks like before, as far as verification and backout need it.

        No secret.
        """
        ...

    def implement(
        self, bound: BoundAction, *, key: str, baseline: Mapping[str, str], deadline: datetime
    ) -> None:
        """Carry the action out once; `key` is the effect key that any derived secret comes from.

        Raises:
            ProtectedSubjectError, PreconditionError: Nothing was done.
            LeaseLostError: The deadline had passed; nothing was done.
            OutcomeUnknownError: The target may or may not have changed.
        """
        ...

    def verify(self, bound: BoundAction, *, key: str, baseline: Mapping[str, str]) -> Evidence:
        """Read the target back and say whether it is as planned and nothing else changed."""
        ...

    def back_out(self, bound: BoundAction, *, key: str, baseline: Mapping[str, str]) -> Evidence:
        """Take back what this run changed, and only that, and say what the target looks like now.

        Raises:
            PreconditionError: The action cannot be undone, or the target moved on.
        """
        ...

    def secret(self, bound: BoundAction, *, key: str) -> Secret | None:
        """Return the secret this action set, derived again from the key.

        None for actions without one.
        """
        ...

    def delivery_address(
        self, person: Person, *, attribute: str, or_manager: bool, at: datetime
    ) -> str:
        """Return the out-of-band address for a secret, never a mailbox that this account opens.

        Raises:
            PreconditionError: There is none, or it or the manager changed within the last 7 days.
        """
        ...

    def describe(self, bound: BoundAction) -> Mapping[str, BoundTarget]:
        """Return subject (`subject`) and targets with fresh facts for the plan's text."""
        ...

    def changes_by_us(self, since: datetime) -> tuple[ForeignChange, ...] | None:
        """Return what the target's own log ascribes to our account since then, oldest first.

        None where the target keeps no log that we may read.

        Raises:
            PreconditionError: The log does not reach back that far.
        """
        ...

    def newest_changes(self, since: datetime) -> tuple[ForeignChange, ...] | None:
        """Return the newest change since then of each entry, whoever made it, oldest first.

        For targets without a whole log; None where not even that is told.

        Raises:
            PreconditionError: It is more than is read in one go.
        """
        ...

    def check(self) -> tuple[Finding, ...]:
        """Return every finding: reachability, credentials, too much or too little right, clock."""
        ...

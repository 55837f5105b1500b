"""Binds the runtime to the use cases: which duties there are, and what one wake does."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from engine.domain.handling import Handling
from engine.domain.stage import Stage
from engine.errors import LeaseLostError
from engine.ports.control import PauseControl
from engine.runtime.embedded import Duty
from engine.service import advance as advancing
from engine.service import faults, gate, intake, pauses, unread, withdraw
from engine.service.world import Services

_UNSETTLED = tuple(stage for stage in Stage if not stage.is_settled)
_HOUSEKEEPING = timedelta(seconds=5)
_CONTROL = timedelta(seconds=30)
"""How often a control record is read beside the read before every effect."""
_ACCOUNTS = timedelta(minutes=10)
"""How often our own accounts are looked at: a right that somebody gives us shuts that system."""
_RECORDS = timedelta(minutes=10)
"""How often what could not be read is read again; people are told of it as of a fault."""


class DaemonWork:
    """The `Work` of an embedded daemon."""

    def __init__(
        self,
        services: Services,
        *,
        polls: Mapping[str, timedelta],
        housekeeping: Callable[[], None],
        on_step: Callable[[Handling, Handling], None],
    ) -> None:
        """Take the use cases' world and what belongs to this process.

        Args:
            services: The ports and terms.
            polls: System name to polling interval, for every system that is polled.
            housekeeping: What is done every few seconds (sealing the audit heads).
            on_step: Told of every advance, the handling before and after.
        """
        self._services = services
        self._polls = polls
        self._housekeeping = housekeeping
        self._on_step = on_step
        self._cursors = {
            (system, source): threading.Lock()
            for system, desk in services.desks.items()
            for source in desk.sources()
        }
        self._readable: dict[tuple[str, str], set[str]] = {}

    def duties(self) -> tuple[Duty, ...]:
        """Return a look at our accounts, polling, sync of every change system, and housekeeping."""
        accounts = self._services.accounts
        found = [
            Duty(name=f"account {system}", every=_ACCOUNTS, work=partial(self._watch, system))
            for system in (accounts.systems if accounts else ())
        ]
        for system, desk in self._services.desks.items():
            if system not in self._polls:
                continue
            found += [
                Duty(
                    name=f"poll {system}/{source}",
                    every=self._polls[system],
                    work=partial(self._poll, system, source),
                )
                for source in desk.sources()
            ]
            found += [
                Duty(
                    name=f"records {system}/{source}",
                    every=_RECORDS,
                    work=partial(self._read_again, system, source),
                )
                for source in desk.sources()
            ]
        found += [
            Duty(name=f"sync {system}", every=self._polls[system], work=partial(self._sync, system))
            for system in sorted(self._change_systems())
            if system in self._polls
        ]
        found += [
            Duty(
                name=f"control {control.name}",
                every=_CONTROL,
                work=partial(self._read_control, control),
            )
            for control in self._services.controls
        ]
        found.append(Duty(name="housekeeping", every=_HOUSEKEEPING, work=self._keep_house))
        return tuple(found)

    def advance(self, handling: str) -> None:
        """Do the next steps of one handling, as far as they go without waiting."""
        advancing.advance(self._services, handling, on_step=self._on_step)

    def park(self, handling: str, why: str) -> None:
        """Park a handling that met an error nobody foresaw."""
        with self._services.store.begin() as unit:
            standing = unit.handling(handling)
        withdraw.park(self._services, standing, why)

    def due(self, limit: int) -> tuple[str, ...]:
        """Return handlings whose time has come."""
        with self._services.store.begin() as unit:
            return unit.due(self._services.now(), limit=limit)

    def next_due_at(self) -> datetime | None:
        """Return when the next unsettled handling is due; None when everything is settled."""
        with self._services.store.begin() as unit:
            return unit.next_wake(_UNSETTLED)

    def fault(self, name: str, why: str) -> None:
        """Open or update the one incident for this fault, and send the one mail."""
        faults.tell(self._services, name, why)

    def mended(self, name: str) -> None:
        """Close the incident of this fault."""
        faults.mend(self._services, name)

    def _watch(self, system: str) -> bool:
        if self._services.accounts is not None:
            self._services.accounts.watch(system)
        return False

    def _poll(self, system: str, source: str) -> bool:
        if self._services.is_shut(system):
            return False  # the look at the account tells why
        try:
            with self._cursors[system, source]:
                return intake.poll(self._services, system, source)
        except LeaseLostError:
            return True  # an advance moved a handling meanwhile; nothing was stored: read again

    def _read_again(self, system: str, source: str) -> bool:
        """Read again what could not be read; what still cannot is told as a fault."""
        if not self._services.is_shut(system):
            known = self._readable.setdefault((system, source), set())
            with self._cursors[system, source]:  # it may set the cursor back
                unread.look_again(self._services, system, source, known=known)
        unread.require_none(self._services, system, source)
        return False

    def _read_control(self, control: PauseControl) -> bool:
        pauses.watch(self._services, control)
        return False

    def _sync(self, system: str) -> bool:
        if self._services.is_shut(system):
            return False
        try:
            return gate.sync(self._services, system)
        except LeaseLostError:
            return True  # an advance moved a handling meanwhile; nothing was stored: read again

    def _keep_house(self) -> bool:
        self._housekeeping()
        pauses.forget_removed(self._services)
        return False

    def _change_systems(self) -> set[str]:
        return {self._services.change_system_for(system) for system in self._services.desks} & set(
            self._services.changes
        )

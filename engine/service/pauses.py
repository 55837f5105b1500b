"""What is paused, by command or by a native control record; unreadable means paused."""

from engine.domain.handling import Handling
from engine.errors import TiergateError
from engine.ports.control import ControlReading, PauseControl
from engine.ports.store import Pause, UnitOfWork
from engine.service.world import Services

CONTROL = "control "
"""Begins the name under which a control record's pause is stored, in the place of a system's."""


def standing(services: Services, handling: Handling) -> str:
    """Return why no new effect of this handling may start, "" when one may.

    Every control record is read afresh here; what it says is kept, so that `status` and the audit
    tell who switched it.
    """
    for control in services.controls:
        if because := _looked(services, control)[0]:
            return because
    with services.store.begin() as work:
        return standing_in(work, handling)


def standing_in(work: UnitOfWork, handling: Handling) -> str:
    """Return the same of the stored pauses, within the transaction that lets an effect start."""
    bound = handling.plan.bound if handling.plan else None
    systems = {handling.ticket.system}
    if bound is not None:
        systems.add(bound.system)
    if handling.change is not None:
        systems.add(handling.change.system)
    action = bound.action if bound else ""
    for pause in work.pauses():
        if _is_control(pause):
            return _why_control(pause)
        is_action = pause.action is None or pause.action == action
        if is_action and (pause.system is None or pause.system in systems):
            return _why(pause)
    return ""


def _why(pause: Pause) -> str:
    what = pause.action or pause.system or "everything"
    return f"{what} is paused by {pause.by}" + (f": {pause.reason}" if pause.reason else "")


def _is_control(pause: Pause) -> bool:
    return (pause.system or "").startswith(CONTROL)


def _why_control(pause: Pause) -> str:
    return f"paused by {pause.system}: {pause.reason}"


# --- control records
def watch(services: Services, control: PauseControl) -> None:
    """Read one control record, each cycle, and keep what it says.

    Raises:
        TiergateError: It cannot be read: everything is paused, and somebody is told.
    """
    _, error = _looked(services, control)
    if error is not None:
        raise error


def forget_removed(services: Services) -> None:
    """Lift the stored pauses of control records that the configuration names no more."""
    known = {CONTROL + control.name for control in services.controls}
    with services.store.begin() as work:
        for pause in work.pauses():
            if _is_control(pause) and pause.system not in known:
                work.resume(action=None, system=pause.system, by="tiergate", at=services.now())


def _looked(services: Services, control: PauseControl) -> tuple[str, TiergateError | None]:
    """Return why the record pauses us ("" where it does not), and why it could not be read."""
    failed: TiergateError | None = None
    try:
        reading = control.read()
    except TiergateError as error:
        failed = error
        reading = ControlReading(
            is_paused=True, because=f"it cannot be read ({type(error).__name__})", by="", at=None
        )
    _keep(services, control, reading)
    return (f"paused by {control.name}: {reading.because}" if reading.is_paused else ""), failed


def _keep(services: Services, control: PauseControl, reading: ControlReading) -> None:
    """Store a change of what the record says, with who switched it; else write nothing."""
    system, now = CONTROL + control.name, services.now()
    with services.store.begin() as work:
        stored = next((one for one in work.pauses() if one.system == system), None)
        if not reading.is_paused:
            if stored is not None:
                work.resume(action=None, system=system, by=reading.by or "tiergate", at=now)
            return
        by = reading.by or "tiergate"
        if stored is not None and (stored.by, stored.reason) == (by, reading.because):
            return
        if stored is not None:
            work.resume(action=None, system=system, by=by, at=now)
        at = reading.at or now
        work.pause(Pause(action=None, system=system, by=by, at=at, reason=reading.because))


# --- by command
def pause(
    services: Services, *, by: str, action: str | None, system: str | None, reason: str = ""
) -> None:
    """Stop new effects of one action, one system, or everything, before the next one starts."""
    with services.store.begin() as work:
        work.pause(Pause(action=action, system=system, by=by, at=services.now(), reason=reason))


def resume(services: Services, *, by: str, action: str | None, system: str | None) -> bool:
    """Lift that pause; return whether it stood. A control record's own pause is switched there."""
    with services.store.begin() as work:
        return work.resume(action=action, system=system, by=by, at=services.now())

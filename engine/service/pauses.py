"""What is paused, by command or by a native control record; unreadable means paused."""

from engine.domain.handling import Handling
from engine.errors import TiergateError
from engine.ports.store import Pause, UnitOfWork
from engine.service.world import Services


def standing(services: Services, handling: Handling) -> str:
    """Return why no new effect of this handling may start, "" when one may."""
    for control in services.controls:
        try:
            if control.is_paused():
                return f"paused by {control.name}"
        except TiergateError as error:
            return f"paused: {control.name} cannot be read ({type(error).__name__})"
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
        is_action = pause.action is None or pause.action == action
        if is_action and (pause.system is None or pause.system in systems):
            return _why(pause)
    return ""


def _why(pause: Pause) -> str:
    what = pause.action or pause.system or "everything"
    return f"{what} is paused by {pause.by}" + (f": {pause.reason}" if pause.reason else "")


def pause(
    services: Services, *, by: str, action: str | None, system: str | None, reason: str = ""
) -> None:
    """Stop new effects of one action, one system, or everything, before the next one starts."""
    with services.store.begin() as work:
        work.pause(Pause(action=action, system=system, by=by, at=services.now(), reason=reason))


def resume(services: Services, *, by: str, action: str | None, system: str | None) -> bool:
    """Lift that pause; return whether it stood."""
    with services.store.begin() as work:
        return work.resume(action=action, system=system, by=by, at=services.now())

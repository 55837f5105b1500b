"""Records that could not be read: noted, told, and swept again when they can be; none is lost."""

from collections.abc import Iterable

from engine.domain.refs import TicketKind, TicketRef
from engine.domain.ticket import Ticket
from engine.errors import (
    InvalidAnswerError,
    MissingRightError,
    RecordNotFoundError,
    UnmappedValueError,
)
from engine.ports.desk import TicketDesk
from engine.ports.paging import Cursor, Page
from engine.ports.store import UnitOfWork
from engine.service.world import Services

_MOST_LOOKED_AT = 200
_MOST_NAMED = 3


def note(
    services: Services, work: UnitOfWork, system: str, name: str, page: Page[Ticket], at: Cursor
) -> None:
    """Note what a page could not show, once, and where the first such sweep began.

    `at` is the cursor by which the page was read.
    """
    begun = at
    if at.horizon is not None:
        begun = work.cursor(_sweep(name)) or at
    elif not page.is_last:
        work.save_cursor(_sweep(name), at)
    if page.broken and not work.broken(name):
        work.save_cursor(_begun(name), begun)
    for record_id, why in page.broken:
        if work.save_broken(name, record_id, why, at=services.now()):
            work.record(
                chain=f"{system}:{record_id}",
                event="unreadable",
                actor="tiergate",
                at=services.now(),
                body={"source": name},
                private={"why": why},
            )


def _sweep(name: str) -> str:
    return f"{name}#sweep"


def _begun(name: str) -> str:
    return f"{name}#unread"


def look_again(services: Services, system: str, source: str, *, known: set[str]) -> None:
    """Read by id what could not be read; once one can be, sweep again from before the first.

    The configuration was mended, or a right was given, and the records themselves did not change.
    The sweep takes them in, not this reading: it alone asks for the tickets that are ours. Never
    for the same record twice, which `known` keeps: the sweep may still not read it.

    Raises:
        TransientError, AuthenticationError: The desk cannot be asked.
    """
    name, desk = f"{system}/{source}", services.desks[system]
    with services.store.begin() as work:
        noted = work.broken(name)
    found = {one: _is_readable(desk, system, one) for one in sorted(noted)[:_MOST_LOOKED_AT] if one}
    readable = {one for one, is_readable in found.items() if is_readable}
    with services.store.begin() as work:
        work.forget_broken(name, [one for one, is_readable in found.items() if is_readable is None])
        begun = work.cursor(_begun(name))
        if readable - known and begun is not None:
            work.save_cursor(name, begun)
            work.forget_broken(name, noted)
    known |= readable


def _is_readable(desk: TicketDesk, system: str, record_id: str) -> bool | None:
    """Whether the record can be read by now; None when it is gone, whatever kind it was."""
    is_gone = True
    for kind in TicketKind:
        try:
            desk.read(TicketRef(system=system, kind=kind, id=record_id, key=""))
        except RecordNotFoundError:
            continue
        except (UnmappedValueError, InvalidAnswerError, MissingRightError):
            is_gone = False
        else:
            return True
    return None if is_gone else False


def require_none(services: Services, system: str, source: str) -> None:
    """Return if every record of a source could be read.

    Raises:
        InvalidAnswerError: Some could not; the message names the first of them and why.
    """
    name = f"{system}/{source}"
    with services.store.begin() as work:
        noted = work.broken(name)
    if noted:
        raise InvalidAnswerError(
            f"{len(noted)} records of {name} cannot be read, so nobody handles them:"
            f" {_few(noted[one] for one in sorted(noted))}"
        )


def _few(lines: Iterable[str]) -> str:
    shown = list(lines)
    rest = len(shown) - _MOST_NAMED
    return "; ".join([*shown[:_MOST_NAMED], *([f"and {rest} more"] if rest > 0 else [])])

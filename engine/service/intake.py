"""Intake: what was polled becomes rows, with the cursor, in one transaction."""

from datetime import datetime

from engine.domain.handling import Handling
from engine.domain.ticket import Ticket
from engine.errors import TiergateError
from engine.ports.paging import Cursor, Page
from engine.ports.store import PollHealth, UnitOfWork
from engine.service import unread
from engine.service.world import Services, chain_of

ACTIVE_WAITS = frozenset({"triaged", "awaiting", "approved"})


def poll(services: Services, system: str, source: str) -> bool:
    """Read one page of a source and store it; return whether more waits right behind it.

    Cursor, tickets, new handlings and notes of broken records become true in one transaction;
    handlings are woken after it. A failure is stored as the source's health and raised.

    Raises:
        TiergateError: Whatever the desk could not do; nothing was stored but the health.
    """
    name = f"{system}/{source}"
    try:
        return _poll(services, system, source, name)
    except TiergateError as error:
        _save_failure(services, name, error)
        raise


def _poll(services: Services, system: str, source: str, name: str) -> bool:
    desk = services.desks[system]
    with services.store.begin() as work:
        cursor = work.cursor(name)
    if cursor is None:
        cursor = _first(services, name, desk.first_cursor(source))
    page = desk.changed_since(source, cursor)
    woken: list[str] = []
    with services.store.begin() as work:
        since = _since(services, work, name)
        for ticket in page.items:
            handling = _take_in(services, work, ticket, since)
            if handling is not None:
                woken.append(handling.id)
        unread.note(services, work, system, name, page, cursor)
        work.save_cursor(name, page.cursor)
        work.save_health(_good(services, work, name, page))
    for handling_id in woken:
        services.waker.wake(handling_id)
    return not page.is_last


def _first(services: Services, name: str, cursor: Cursor) -> Cursor:
    """Store where a source starts before its first page, so that a restart does not move it."""
    with services.store.begin() as work:
        if work.setting(f"since:{name}") is None:
            work.save_setting(f"since:{name}", cursor.at.isoformat())
        work.save_cursor(name, cursor)
    return cursor


def _since(services: Services, work: UnitOfWork, name: str) -> datetime | None:
    configured = services.settings.since.get(name)
    if configured is not None:
        return configured
    stored = work.setting(f"since:{name}")
    return None if stored is None else datetime.fromisoformat(stored)


def _take_in(
    services: Services, work: UnitOfWork, ticket: Ticket, since: datetime | None
) -> Handling | None:
    """Store the ticket; return the handling that has to look at it now."""
    before = work.ticket(ticket.ref)
    is_new = work.save_ticket(ticket, seen_at=services.now())
    latest = work.latest(ticket.ref)
    if latest is None:
        if not ticket.state.is_open or (since is not None and ticket.created_at < since):
            return None
        return work.start(ticket.ref, at=services.now(), actor="tiergate")
    if not is_new:
        return None
    if latest.stage.is_end:
        _keep_feedback(services, work, latest, ticket)
        if before is not None and ticket.state.is_open and not before.state.is_open:
            _keep_reopened(services, work, latest, ticket)
        return None
    if latest.stage.value in ACTIVE_WAITS:
        return work.touch(latest, at=services.now(), wake_at=services.now())
    return latest


def _keep_feedback(services: Services, work: UnitOfWork, latest: Handling, ticket: Ticket) -> None:
    """Keep what a person corrected after we had ended: it teaches the classifier later."""
    corrected = sorted(str(field) for field in ticket.edited)
    chain = chain_of(latest.ticket)
    if not corrected or latest.decision is None:
        return
    told = [row.body.get("edited") for row in work.audit(chain) if row.event == "feedback"]
    if corrected in told:
        return
    work.record(
        chain=chain,
        event="feedback",
        actor="a person",
        at=services.now(),
        body={"handling": latest.id, "ended": str(latest.stage), "edited": list(corrected)},
        private={"by": ticket.updated_by} if ticket.updated_by else None,
    )


def _keep_reopened(services: Services, work: UnitOfWork, latest: Handling, ticket: Ticket) -> None:
    """Keep that a person opened the ticket again: what we did was not what was wanted."""
    work.record(
        chain=chain_of(latest.ticket),
        event="feedback",
        actor="a person",
        at=services.now(),
        body={"handling": latest.id, "ended": str(latest.stage), "reopened": True},
        private={"by": ticket.updated_by} if ticket.updated_by else None,
    )


def _good(services: Services, work: UnitOfWork, name: str, page: Page[Ticket]) -> PollHealth:
    before = next((health for health in work.health() if health.source == name), None)
    return PollHealth(
        source=name,
        last_good_at=services.now(),
        last_error="",
        errors_in_row=0,
        seen=(before.seen if before else 0) + len(page.items),
        hidden=page.hidden,
        unread=len(work.broken(name)),
    )


def _save_failure(services: Services, name: str, error: TiergateError) -> None:
    with services.store.begin() as work:
        before = next((health for health in work.health() if health.source == name), None)
        work.save_health(
            PollHealth(
                source=name,
                last_good_at=before.last_good_at if before else None,
                last_error=f"{type(error).__name__}: {error}",
                errors_in_row=(before.errors_in_row if before else 0) + 1,
                seen=before.seen if before else 0,
                hidden=before.hidden if before else 0,
                unread=before.unread if before else 0,
            )
        )

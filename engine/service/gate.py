"""The change gate: opened once, submitted as read back, then a row that waits."""

from datetime import datetime

from engine.domain.canonical import JSON
from engine.domain.change import ChangeSnapshot
from engine.domain.handling import Handling, Outcome, Submission
from engine.domain.plan import PlanText
from engine.domain.refs import ChangeRef
from engine.domain.stage import Stage
from engine.domain.ticket import Ticket, TicketState
from engine.errors import (
    MissingRightError,
    OutcomeUnknownError,
    PlanChangedError,
    TiergateError,
)
from engine.service import decide, moves, plan, takeover
from engine.service.judge import change_of, plan_of, standing
from engine.service.withdraw import leave, park, revise
from engine.service.world import Services

UNANSWERED = "create_unanswered"


def open_change(services: Services, handling: Handling) -> Handling | None:
    """DRAFTED: find the change by our key, or create it, once.

    That a create begins is committed before it. Found afterwards without an answer, the change is
    looked for: after a crash until no request can still be under way, and only then made; after an
    answer that never came for the whole look-up time, and then a person decides.
    """
    seen = takeover.look(services, handling)
    if isinstance(seen, Outcome):
        return leave(services, handling, seen)
    if handling.opening_since is not None:
        return _look_up(services, handling, handling.opening_since)
    return _create(services, handling)


def _create(services: Services, handling: Handling) -> Handling | None:
    control = services.change_control(services.change_system_for(handling.ticket.system))
    draft = plan.change_draft(services, handling)
    now = services.now()
    begun = moves.touch(
        services, handling, opening_since=now, wake_at=now + services.settings.opening_settle
    )
    try:
        ref = control.open(draft)
    except OutcomeUnknownError as unknown:
        _note_unanswered(services, begun, str(unknown))
        return None
    except TiergateError:
        # By the port's promise nothing was created: the next attempt may create at once.
        moves.touch(services, begun, opening_since=None)
        raise
    return _opened(services, begun, ref)


def _note_unanswered(services: Services, handling: Handling, why: str) -> None:
    with services.store.begin() as work:
        moves.record_in(
            work,
            services,
            handling,
            UNANSWERED,
            body={"correlation_id": plan.correlation_id(services, handling), "why": why},
        )
        next_at = services.now() + services.settings.opening_interval
        work.touch(handling, at=services.now(), wake_at=next_at)


def _look_up(services: Services, handling: Handling, since: datetime) -> Handling | None:
    key = plan.correlation_id(services, handling)
    control = services.change_control(services.change_system_for(handling.ticket.system))
    found = control.find(key)
    if found is not None:
        control.complete(found, plan.change_draft(services, handling))
        return _opened(services, handling, found)
    is_unanswered = moves.has_recorded(services, handling, UNANSWERED, correlation_id=key)
    terms = services.settings
    until = since + (terms.opening_lookup if is_unanswered else terms.opening_settle)
    if services.now() < until:
        next_at = min(until, services.now() + terms.opening_interval)
        moves.wait_until(services, handling, next_at)
        return None
    if is_unanswered:
        return park(
            services,
            handling,
            f"the create of change {key} got no answer and the change was not found since",
        )
    return _create(services, handling)


def _opened(services: Services, handling: Handling, ref: ChangeRef) -> Handling:
    return moves.move(
        services,
        handling,
        Stage.OPENED,
        why=f"change {ref.number} opened",
        evidence={
            "change": {"system": ref.system, "id": ref.id, "number": ref.number},
            "correlation_id": plan.correlation_id(services, handling),
        },
        change=ref,
        opening_since=None,
    )


def submit(services: Services, handling: Handling) -> Handling | None:
    """OPENED: link, submit, read back, put the ticket on hold for the change, wait.

    What counts as submitted is what was read back; whoever edited it before that made another plan.
    """
    seen = takeover.look(services, handling)
    if isinstance(seen, Outcome):
        return leave(services, handling, seen)
    change, own = change_of(handling), plan_of(handling)
    control = services.change_control(change.system)
    control.link(change, handling.ticket, url=seen.url)
    try:
        control.submit(change, plan.change_draft(services, handling))
    except PlanChangedError as changed:
        return revise(services, handling, str(changed))
    members = control.members(own.authority_group)
    if members is None:
        raise MissingRightError(f"the members of {own.authority} in {change.system} are unreadable")
    snapshot = control.snapshot(change)
    if edited := _edited_by_others(snapshot):
        return revise(services, handling, edited)
    handling = _hold(services, handling, seen)
    decide.announce(services, handling)
    return _await(services, handling, snapshot, [member.account.id for member in members])


def _edited_by_others(snapshot: ChangeSnapshot) -> str:
    """Return who wrote a plan field beside us before the submission was read back, else ""."""
    names = PlanText.__slots__
    for edit in snapshot.history or ():
        is_ours = edit.by is not None and edit.by.identity == snapshot.daemon.identity
        if edit.field in names and edit.old and not is_ours and edit.old != edit.new:
            return f"{edit.by.name if edit.by else 'somebody'} edited {edit.field}"
    return ""


def _hold(services: Services, handling: Handling, ticket: Ticket) -> Handling:
    """Show on the ticket that it waits; where it stood before is committed first."""
    if not ticket.state.is_open:
        return handling  # an operator takes a closed ticket's effect back: nobody waits for it
    if handling.held_from is None and ticket.state is not TicketState.ON_HOLD:
        handling = moves.touch(services, handling, held_from=ticket.state)
    services.desk(handling.ticket).put_on_hold(ticket, change_of(handling))
    return handling


def _await(
    services: Services, handling: Handling, snapshot: ChangeSnapshot, members: list[str]
) -> Handling:
    change, own = change_of(handling), plan_of(handling)
    submission = Submission(
        text=snapshot.text, submitted_at=_submitted_at(snapshot), version=snapshot.version
    )
    ids: list[JSON] = list(members)
    with services.store.begin() as work:
        moves.record_in(
            work,
            services,
            handling,
            "submitted",
            body={
                "plan_digest": own.digest,
                "text_digest": snapshot.text.digest,
                "change": change.number,
                "authority": own.authority,
                "group": own.authority_group,
                "members": ids,
                **standing(snapshot),
            },
        )
        return moves.move_in(
            work,
            services,
            handling,
            Stage.AWAITING,
            why=f"{change.number} waits for {own.authority}",
            submission=submission,
        )


def _submitted_at(snapshot: ChangeSnapshot) -> datetime:
    """Return when it was submitted: not before our own last write that the snapshot shows.

    A server tells its clock in whole seconds and stamps its history finer, so that what we wrote
    in the same second would look like an edit after the submission.
    """
    ours = snapshot.daemon.identity
    written = [
        edit.at
        for edit in snapshot.history or ()
        if edit.by is not None and edit.by.identity == ours
    ]
    return max((snapshot.taken_at, *written))


def sync(services: Services, system: str) -> bool:
    """Read which of our changes changed, and wake their handlings; return whether more waits.

    The cost does not grow with the number of waiting changes. What a wake finds is read afresh.

    Raises:
        TiergateError: Whatever the change system could not do; the cursor stays where it was.
    """
    control, name = services.change_control(system), f"{system}#changes"
    with services.store.begin() as work:
        cursor = work.cursor(name)
        waiting = work.waiting(system)
    if cursor is None:
        cursor = control.first_cursor()
        woken = list(waiting)
        with services.store.begin() as work:
            work.save_cursor(name, cursor)
    else:
        woken = []
    page = control.changed_since(cursor, tuple(waiting.values()))
    with services.store.begin() as work:
        for ref in page.items:
            handling = work.find_by_change(system, ref.id)
            if handling is None or handling.stage not in takeover.SUBMITTED:
                continue
            work.touch(handling, at=services.now(), wake_at=services.now())
            woken.append(handling.id)
        work.save_cursor(name, page.cursor)
    for handling_id in woken:
        services.waker.wake(handling_id)
    return not page.is_last
